//! Durability: over restarts, over time, and over kill -9 at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::{Account, Heard, Http, TestServer, Ws, joined, said, send, until};

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn a_restart_keeps_accounts_sessions_rooms_passwords_and_tokens() {
    let mut server = TestServer::start();
    let ann = server.account("Ann");
    let bob = server.account("Bob");
    server.ask_as("GET /api/logout", &bob);
    let den = server.room(&json!({"title": "Den", "visibility": "hidden",
        "password": "open sesame", "description": "deep"}));
    let body = r#"{"title":"Anns","visibility":"public"}"#;
    let made = server.ask("POST /chats", &format!("Cookie: {}\r\n", ann.cookie), body);
    let anns = made.json()["id"].as_u64().expect("a number");
    let gone = server.room(&json!({"title": "Gone", "visibility": "public"}));
    server.ask(&format!("DELETE /chats/{gone}"), "", "");
    let token = server.token(den, "open sesame", "David");
    let line = format!("GET /chats/{den}");
    let before = [server.ask(&line, "", "").json(), made.json()];

    assert_eq!(server.stop().code, Some(0));
    server.go_on();

    server.ask_as("GET /api/user/@me", &ann).expect(200, &json!({"username": "Ann"}));
    assert_eq!(server.ask_as("GET /api/user/@me", &bob).status, 401, "he had logged out");
    server.log_in(&bob.key);
    let taken = server.send("POST /api/register", &json!({"username": "BOB"}));
    assert_eq!(taken.status, 409);
    let after = [server.ask(&line, "", "").json(), server.ask("GET /chats/anns", "", "").json()];
    assert_eq!(after, before);
    server.ws(&format!("/chats/{den}/ws"), &bearer(&token)).bye();
    let wrong = json!({"secret": "wrong secret", "name": "Eve"});
    assert_eq!(server.send(&format!("POST /chats/{den}/token"), &wrong).status, 404, "hidden");
    server.token(den, "open sesame", "Eve");
    // The owner of a room is kept, too.
    assert_eq!(server.ask(&format!("DELETE /chats/{anns}"), "", "").status, 401);
    // The id of the deleted room is not reused, though it was the highest.
    assert_eq!(server.ask(&format!("GET /chats/{gone}"), "", "").status, 404);
    let next = server.room(&json!({"title": "Gone", "visibility": "public"}));
    assert_eq!(next, gone + 1);
    // Nor is one that was deleted before another start.
    server.ask(&format!("DELETE /chats/{next}"), "", "");
    server.kill();
    server.go_on();
    assert_eq!(server.room(&json!({"title": "Again", "visibility": "public"})), next + 1);
}

#[test]
fn a_new_password_lasts_and_old_tokens_stay_worthless() {
    let mut server = TestServer::start();
    let den =
        server.room(&json!({"title": "Den", "visibility": "private", "password": "open sesame"}));
    let old = server.token(den, "open sesame", "David");
    let line = format!("PUT /chats/{den}");
    assert_eq!(server.ask(&line, &bearer(&old), r#"{"password":"new sesame"}"#).status, 200);
    server.kill();
    server.go_on();
    assert_eq!(server.ask(&line, &bearer(&old), "{}").status, 403);
    let fresh = server.token(den, "new sesame", "David");
    assert_eq!(server.ask(&line, &bearer(&fresh), "{}").status, 200);
}

#[test]
fn a_session_ends_after_its_last_use_and_not_before() {
    let server = TestServer::with(&["--session-ttl", "1"]);
    let ann = server.account("Ann");
    let me = || server.ask_as("GET /api/user/@me", &ann).status;
    // A session in use outlives its lifetime; this is a wait, as no event shows it.
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(me(), 200);
    }
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(me(), 401);
    // Another login works like the first.
    let again = Account { cookie: server.log_in(&ann.key), ..ann.clone() };
    assert_eq!(server.ask_as("GET /api/user/@me", &again).status, 200);
}

#[test]
fn a_live_websocket_keeps_its_session_alive() {
    let server = TestServer::with(&["--session-ttl", "1"]);
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut at_ann = server.pirate(&ann);
    until("Bob's session has ended", || {
        std::thread::sleep(Duration::from_millis(1050));
        server.ask_as("GET /api/user/@me", &bob).status == 401
    });
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200);
    at_ann.say(&json!({"message": "here"}));
    at_ann.expect_ack();
    at_ann.bye();
    // The session's lifetime runs from the end of the websocket.
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 401);
}

#[test]
fn a_session_that_expires_while_the_server_is_down_has_expired() {
    let mut server = TestServer::with(&["--session-ttl", "1"]);
    let ann = server.account("Ann");
    server.kill();
    std::thread::sleep(Duration::from_millis(1100));
    server.go_on();
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 401);
}

/// What the server has acknowledged to one client.
#[derive(Default)]
struct Acknowledged {
    /// Names and keys.
    accounts: Vec<(String, String)>,
    /// Ids and titles; `None`: deleted.
    rooms: BTreeMap<u64, Option<String>>,
    messages: Vec<String>,
    /// If a response was cut off, the change may or may not have happened.
    in_doubt: BTreeSet<u64>,
}

/// A request on a connection that may be cut off at any moment.
fn ask(http: &mut Http, line: &str, body: &Value) -> Option<(u16, Value)> {
    use std::io::Write;
    let body = body.to_string();
    let head = format!("{line} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
    http.stream.write_all((head + &body).as_bytes()).ok()?;
    while !http.buffer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if !http.fill() {
            return None;
        }
    }
    let length = String::from_utf8_lossy(&http.buffer).to_lowercase();
    let length = length.split("content-length: ").nth(1)?;
    let length: usize = length.split("\r\n").next()?.parse().ok()?;
    let end = http.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    while http.buffer.len() < end + length {
        if !http.fill() {
            return None;
        }
    }
    let response = http.response();
    Some((response.status, response.json()))
}

/// Registers accounts and makes, renames and deletes rooms until the server is gone.
fn change(mut http: Http, prefix: &str) -> Acknowledged {
    let mut done = Acknowledged::default();
    for index in 0.. {
        let name = format!("{prefix}n{index}");
        let Some((status, body)) = ask(&mut http, "POST /api/register", &json!({"username": name}))
        else {
            break;
        };
        assert_eq!(status, 201, "{body}");
        done.accounts.push((name, body["key"].as_str().expect("a key").to_owned()));
        let title = format!("{prefix} room {index}");
        let settings = json!({"title": title, "visibility": "public"});
        let Some((status, body)) = ask(&mut http, "POST /chats", &settings) else { break };
        assert_eq!(status, 201, "{body}");
        let id = body["id"].as_u64().expect("a number");
        assert!(done.rooms.insert(id, Some(title.clone())).is_none(), "{id} is used twice");
        let (line, after) = match index % 3 {
            0 => (format!("PUT /chats/{id}"), Some(format!("{title} renamed"))),
            1 => (format!("DELETE /chats/{id}"), None),
            _ => continue,
        };
        let Some((status, body)) = ask(&mut http, &line, &json!({"title": after})) else {
            done.in_doubt.insert(id);
            break;
        };
        assert_eq!(status, 200, "{body}");
        done.rooms.insert(id, after);
    }
    done
}

/// Sends messages, a few ahead of the acknowledgements, until the server is gone.
fn talk(mut ws: Ws, prefix: &str) -> Acknowledged {
    use std::io::Write;
    let mut done = Acknowledged::default();
    let mut sent = 0;
    loop {
        while sent < done.messages.len() + 8 {
            let text = json!({"message": format!("{prefix}:{sent}")}).to_string();
            let frame = crate::kit::ws::frame(crate::kit::ws::TEXT, true, text.as_bytes());
            if ws.http.stream.write_all(&frame).is_err() {
                break;
            }
            sent += 1;
        }
        match hear_or_end(&mut ws) {
            Some(text) if text == r#"{"status":true}"# => {
                done.messages.push(format!("{prefix}:{}", done.messages.len()));
            }
            Some(text) => assert!(!text.contains("false"), "{text}"),
            None => return done,
        }
    }
}

/// The next text; `None` when the server is gone, maybe in the middle of a frame.
fn hear_or_end(ws: &mut Ws) -> Option<String> {
    loop {
        let buffer = &ws.http.buffer;
        // All frames here are short enough for one or two length bytes.
        let (start, length) = match buffer.get(1) {
            Some(126) if buffer.len() > 3 => {
                (4, usize::from(buffer[2]) << 8 | usize::from(buffer[3]))
            }
            Some(&length) if length < 126 => (2, usize::from(length)),
            _ => (usize::MAX / 2, 0),
        };
        if buffer.len() >= start + length {
            match ws.hear() {
                Heard::Text(text) => return Some(text),
                other => panic!("{other:?}"),
            }
        }
        if !ws.http.fill() {
            return None;
        }
    }
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    const ROUNDS: usize = 20;
    let mut server = TestServer::start();
    let pirates = ["Ann", "Bob"].map(|name| server.account(name));
    let mut all = Acknowledged::default();
    for round in 0..ROUNDS {
        // A different moment each time: there is no event to wait for.
        let until = Duration::from_millis(15 + (round as u64 * 37) % 90);
        let sockets = pirates.each_ref().map(|account| (server.pirate(account), &account.name));
        let https = [server.http(), server.http()];
        let done: Vec<Acknowledged> = std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (ws, name) in sockets {
                threads.push(scope.spawn(move || talk(ws, &format!("{name}{round}"))));
            }
            for (index, http) in https.into_iter().enumerate() {
                threads.push(scope.spawn(move || change(http, &format!("r{round}c{index}"))));
            }
            std::thread::sleep(until);
            server.kill();
            threads.into_iter().map(|thread| thread.join().expect("no failure")).collect()
        });
        server.go_on();
        for one in done {
            check(&server, &one);
            all.accounts.extend(one.accounts);
            all.messages.extend(one.messages);
            for (id, title) in one.rooms {
                assert!(all.rooms.insert(id, title).is_none(), "{id} is used twice");
            }
            all.in_doubt.extend(one.in_doubt);
        }
    }
    assert!(all.messages.len() > ROUNDS && all.accounts.len() > ROUNDS, "there was a load");
    check(&server, &all);
    assert_eq!(server.stop().code, Some(0));
    check_log(&server, &all);
}

/// Everything acknowledged is there, as the API shows it.
fn check(server: &TestServer, done: &Acknowledged) {
    let mut http = server.http();
    for (name, key) in &done.accounts {
        let login = ask(&mut http, "POST /api/login", &json!({"key": key}));
        assert_eq!(login.map(|(status, _)| status), Some(200), "{name} can log in");
    }
    for (id, title) in done.rooms.iter().filter(|(id, _)| !done.in_doubt.contains(id)) {
        let shown = ask(&mut http, &format!("GET /chats/{id}"), &json!({})).expect("an answer");
        let shown = (shown.0 == 200).then(|| shown.1["title"].as_str().map(str::to_owned));
        assert_eq!(shown.flatten().as_ref(), title.as_ref(), "room {id}");
    }
}

/// The log has no gap, each acknowledged message once, and each author's in order.
fn check_log(server: &TestServer, done: &Acknowledged) {
    let rows = server.log();
    for (row, seq) in rows.iter().zip(1..) {
        assert_eq!(row.seq, seq, "no gap: {row:?}");
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind == "said") {
        let text = row.text.as_deref().expect("a message");
        *counts.entry(text).or_default() += 1;
        let (prefix, index) = text.split_once(':').expect("one of ours");
        assert!(prefix.starts_with(row.name.as_deref().expect("an author")), "{row:?}");
        let index: usize = index.parse().expect("a number");
        let expected = last.get(prefix).map_or(0, |last| last + 1);
        assert_eq!(index, expected, "{prefix} in order, none left out");
        last.insert(prefix, index);
    }
    for message in &done.messages {
        assert_eq!(counts.get(message.as_str()), Some(&1), "{message}");
    }
}

#[test]
fn a_stop_acknowledges_exactly_what_is_kept() {
    for round in 0..5 {
        let mut server = TestServer::start();
        let mut ws = server.pirate(&server.account("Ann"));
        let mut packet = Vec::new();
        for index in 0..400 {
            let text = json!({"message": index.to_string()}).to_string();
            packet.extend(crate::kit::ws::frame(crate::kit::ws::TEXT, true, text.as_bytes()));
        }
        ws.http.send(packet);
        // At a different moment each time.
        for _ in 0..round * 50 + 1 {
            ws.expect_ack();
        }
        server.signal("TERM");
        let mut kept = round * 50 + 1;
        loop {
            match ws.hear() {
                Heard::Text(text) if text == r#"{"status":true}"# => kept += 1,
                Heard::Text(text) => assert!(text.contains("unavailable"), "{text}"),
                Heard::Close(code, _) => break assert_eq!(code, 1001),
                other => panic!("{other:?}"),
            }
        }
        drop(ws);
        assert_eq!(server.end().code, Some(0));
        let said: Vec<String> = server.log().into_iter().filter_map(|row| row.text).collect();
        assert_eq!(said, (0..kept).map(|index| index.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn a_foreign_lock_on_the_database_is_waited_for_and_then_refused() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let mut ws = server.pirate(&ann);
    let other = rusqlite::Connection::open(server.db()).expect("the database");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    ws.say(&json!({"message": "first"}));
    // Requests that write nothing work meanwhile.
    for _ in 0..3 {
        assert_eq!(server.ask_as("GET /api/online", &ann).status, 200);
    }
    other.execute_batch("ROLLBACK").expect("the lock is given back");
    ws.expect_ack();
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    ws.say(&json!({"message": "second"}));
    ws.expect_text(r#"{"status":false,"code":"unavailable"}"#);
    other.execute_batch("ROLLBACK").expect("the lock is given back");
    ws.say(&json!({"message": "third"}));
    ws.expect_ack();
    let said: Vec<String> = server.log().into_iter().filter_map(|row| row.text).collect();
    assert_eq!(said, ["first", "third"]);
}

#[test]
fn simultaneous_changes_of_one_room_are_all_answered_and_durable() {
    let mut server = TestServer::start();
    for round in 0..10 {
        let id = server.room(&json!({"title": format!("R{round}"), "visibility": "public"}));
        let answers: Vec<(usize, u16, Value)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..12)
                .map(|index| {
                    let server = &server;
                    scope.spawn(move || {
                        let (line, body) = match index % 4 {
                            0 => {
                                (format!("PUT /chats/{id}"), json!({"title": format!("T{index}")}))
                            }
                            1 => (format!("PUT /chats/{id}"), json!({"title": "Wanted"})),
                            2 if index > 8 => (format!("DELETE /chats/{id}"), json!({})),
                            2 => (format!("GET /chats/{id}"), json!({})),
                            _ => (
                                "POST /chats".to_owned(),
                                json!({"title": "Wanted",
                                "visibility": "public"}),
                            ),
                        };
                        let answer = server.send(&line, &body);
                        (index, answer.status, answer.json())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        });
        for (index, status, body) in &answers {
            let code = body["error"]["code"].as_u64();
            let fits = match (status, code) {
                (200, None) => index % 4 != 3,
                (201, None) => index % 4 == 3,
                (404, Some(101)) => index % 4 != 3,
                (400, Some(102)) => index % 4 % 2 == 1,
                _ => false,
            };
            assert!(fits, "{index}: {status} {body}");
        }
        let made = answers.iter().filter(|(_, status, _)| *status == 201).count();
        assert!(made <= 1, "one title, one room: {answers:?}");
        let list = server.ask("GET /chats", "", "").json();
        server.kill();
        server.go_on();
        assert_eq!(server.ask("GET /chats", "", "").json(), list, "as it was, so it is");
        // Cleared for the next round.
        for title in ["wanted", &format!("r{round}")] {
            server.ask(&format!("DELETE /chats/{title}"), "", "");
        }
    }
}

#[test]
fn after_a_crash_nobody_is_a_ghost() {
    let mut server = TestServer::start();
    let ann = server.account("Ann");
    let mut pirate = server.pirate(&ann);
    let _guest = server.guest(1, "Gus");
    pirate.expect_text(r#"{"event":"join","username":"Gus"}"#);
    server.kill();
    server.go_on();
    server.ask_as("GET /api/online", &ann).expect(200, &json!({"online_clients": []}));
    let mut pirate = server.pirate(&ann);
    let mut gus = server.guest(1, "Gus");
    pirate.expect_text(r#"{"event":"join","username":"Gus"}"#);
    gus.say(&send("Gus", "back"));
    gus.expect(&said(1, "Gus", "back"));
    let mut new = server.ws("/chats/1/ws", "");
    new.say(&json!({"event_type": "join", "name": "New"}));
    gus.expect(&joined(1, "New"));
}

#[test]
fn less_careful_writes_survive_the_process_too() {
    let mut server = TestServer::with(&["--sync", "normal"]);
    let ann = server.account("Ann");
    let mut ws = server.pirate(&ann);
    for index in 0..50 {
        ws.say(&json!({"message": format!("{index}")}));
        ws.expect_ack();
    }
    server.kill();
    server.go_on();
    server.log_in(&ann.key);
    let rows = server.log();
    let said: Vec<&str> = rows.iter().filter_map(|row| row.text.as_deref()).collect();
    assert_eq!(said, (0..50).map(|index| index.to_string()).collect::<Vec<_>>());
}
