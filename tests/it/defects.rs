//! The defects of the two systems that this one speaks for, each by its name. They were read from
//! their sources; none may come back.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::ws::{TEXT, frame};
use crate::kit::{Account, Heard, TestServer, failure, joined, left, said, send};

fn cookie(who: &Account) -> String {
    format!("Cookie: {}\r\n", who.cookie)
}

// ---- Piratchat ----

#[test]
fn a_login_key_made_from_the_clock() {
    let server = TestServer::start();
    let keys: Vec<Vec<u8>> = (0..16)
        .map(|index| {
            let made = server.send("POST /api/register", &json!({"username": format!("U{index}")}));
            made.json()["key"].as_str().expect("a key").as_bytes().to_vec()
        })
        .collect();
    // Two random keys of 64 digits agree in four places; twenty would happen once in 10^8 tests.
    for (index, key) in keys.iter().enumerate() {
        for other in &keys[index + 1..] {
            let alike = key.iter().zip(other).filter(|(one, two)| one == two).count();
            assert!(alike < 20, "{alike} of 64 digits are alike");
        }
    }
    assert!(!keys.is_sorted(), "a clock only goes up");
}

#[test]
fn keys_and_messages_printed_to_the_log() {
    let mut server = TestServer::with(&["--log", "debug"]);
    let ann = server.account("Ann");
    let mut ws = server.pirate(&ann);
    ws.say(&json!({"message": "between us"}));
    ws.expect_ack();
    let end = server.stop();
    for secret in [ann.key.as_str(), &ann.cookie["session=".len()..], "between us"] {
        assert!(!end.stderr.contains(secret) && !end.stdout.contains(secret), "{secret}");
    }
    assert!(end.stderr.contains("POST /api/login 200"), "it was the log of all that");
}

#[test]
fn a_cookie_without_http_only_and_same_site() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let login = server.send("POST /api/login", &json!({"key": ann.key}));
    let set = login.header("set-cookie").expect("a cookie");
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax"), "{set}");
}

#[test]
fn two_registrations_at_once_both_win() {
    let server = TestServer::start();
    for round in 0..10 {
        let start = Barrier::new(8);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|index| {
                    let (server, start) = (&server, &start);
                    let name = format!("{}{round}", if index % 2 == 0 { "same" } else { "SAME" });
                    scope.spawn(move || {
                        start.wait();
                        server.send("POST /api/register", &json!({"username": name})).status
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        });
        let won = statuses.iter().filter(|status| **status == 201).count();
        let lost = statuses.iter().filter(|status| **status == 409).count();
        assert_eq!((won, lost), (1, 7), "{statuses:?}");
    }
}

#[test]
fn a_stalled_reader_stalls_everybody() {
    let server = TestServer::start();
    let _stalled = server.pirate(&server.account("Stalled"));
    let mut bob = server.pirate(&server.account("Bob"));
    let mut ann = server.pirate(&server.account("Ann"));
    bob.expect_text(r#"{"event":"join","username":"Ann"}"#);
    let start = Instant::now();
    let text = "\u{1F600}".repeat(300);
    for _ in 0..2000 {
        ann.say(&json!({"message": text}));
        while ann.json()["status"] != json!(true) {} // Or Stalled leaves.
        while bob.json()["message"] != json!(text) {}
    }
    // Each round is a commit; a wait for the stalled one would be one of many seconds.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn a_malformed_message_leaves_a_ghost_and_409_for_ever() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut witness = server.pirate(&bob);
    for bad in ["not json", "[]", "{}", r#"{"message":7}"#, "\u{0}", ""] {
        let mut ws = server.pirate(&ann);
        witness.expect_text(r#"{"event":"join","username":"Ann"}"#);
        ws.text(bad);
        ws.expect_text(r#"{"status":false,"code":"invalid_message"}"#);
        ws.vanish();
        witness.expect_text(r#"{"event":"leave","username":"Ann"}"#);
    }
    // Nor does one that ends the connection.
    let mut ws = server.pirate(&ann);
    witness.expect_text(r#"{"event":"join","username":"Ann"}"#);
    ws.frame(TEXT, true, b"\xff");
    ws.expect_close(1007);
    witness.expect_text(r#"{"event":"leave","username":"Ann"}"#);
    server.ask_as("GET /api/online", &bob).expect(200, &json!({"online_clients": ["Bob"]}));
    server.pirate(&ann).bye();
}

#[test]
fn logging_out_hides_a_user_who_is_still_connected() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut witness = server.pirate(&bob);
    let mut ws = server.pirate(&ann);
    witness.expect_text(r#"{"event":"join","username":"Ann"}"#);
    assert_eq!(server.ask_as("GET /api/logout", &ann).status, 200);
    // She is not listed, and she is not there: whoever logs out is disconnected.
    server.ask_as("GET /api/online", &bob).expect(200, &json!({"online_clients": ["Bob"]}));
    witness.expect_text(r#"{"event":"leave","username":"Ann"}"#);
    assert!(matches!(ws.hear(), Heard::Close(..)));
    ws.say(&json!({"message": "a ghost speaks"}));
    witness.say(&json!({"message": "only me"}));
    witness.expect_ack();
}

#[test]
fn a_foreign_page_chats_as_a_visitor_who_is_logged_in() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let foreign = format!("{}Origin: https://evil.example\r\n", cookie(&ann));
    for path in ["/ws", "/chats/1/ws"] {
        let refused = server.try_ws(path, &foreign).err().expect("no websocket");
        assert_eq!(refused.status, 403, "{path}");
    }
}

#[test]
fn message_text_put_into_the_page_as_html() {
    let server = TestServer::start();
    let page = server.ask("GET /", "", "");
    let text = page.text();
    assert!(!text.contains("<script>") && !text.contains(" onclick"), "no script in the page");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    let mut scripts = 0;
    for part in text.split("src=\"").skip(1) {
        let path = part.split('"').next().expect("a path");
        let path = format!("/{}", path.trim_start_matches('/'));
        let script = server.ask(&format!("GET {path}"), "", "");
        assert_eq!(script.status, 200, "{path}");
        let script = script.text();
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!script.contains(way), "{path} has {way}");
        }
        scripts += 1;
    }
    assert!(scripts > 0, "the page has a script");
}

// ---- ChitChat ----

#[test]
fn a_capital_letter_or_a_send_without_a_join_takes_the_process_down() {
    let mut server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    for name in ["Capital", "ALLCAPS", "Éva", "ŞİMŞEK", "ǅ", "ß"] {
        let mut ws = server.ws("/chats/1/ws", "");
        ws.say(&send(name, "no join before"));
        ws.expect(&said(1, name, "no join before"));
        witness.expect(&said(1, name, "no join before"));
        drop(ws);
        witness.expect(&left(1, name));
    }
    // A leave without a join, neither.
    let mut ws = server.ws("/chats/1/ws", "");
    ws.say(&json!({"event_type": "leave", "name": "Nobody"}));
    ws.expect(&failure(201, "Client error: User not found", "name"));
    assert!(server.is_alive());
}

#[test]
fn anybody_speaks_under_anybodys_name() {
    let server = TestServer::start();
    let _account = server.account("Ann");
    let mut victim = server.guest(1, "Victim");
    let mut eve = server.guest(1, "Eve");
    victim.expect(&joined(1, "Eve"));
    for name in ["Victim", "vICTIM", "Ann", "Somebody"] {
        eve.say(&send(name, "I owe Eve money"));
        eve.expect(&failure(204, "Client error: Name mismatch", "name"));
        eve.say(&json!({"event_type": "leave", "name": name}));
        eve.expect(&failure(204, "Client error: Name mismatch", "name"));
    }
    eve.say(&send("Eve", "so be it"));
    victim.expect(&said(1, "Eve", "so be it"));
}

#[test]
fn the_password_hash_is_in_the_rooms_json() {
    let server = TestServer::start();
    for visibility in ["private", "hidden"] {
        let body = json!({"title": visibility, "visibility": visibility, "password": "p4ssw0rd!"});
        let made = server.send("POST /chats", &body);
        let token = server.token(made.json()["id"].as_u64().expect("it"), "p4ssw0rd!", "Ann");
        let line = format!("PUT /chats/{visibility}");
        let changed = server.ask(&line, &format!("Authorization: Bearer {token}\r\n"), "{}");
        let shown = server.ask(&format!("GET /chats/{visibility}"), "", "");
        let listed = server.ask("GET /chats", "", "");
        for response in [made, changed, shown, listed] {
            let text = response.text();
            assert!(!text.contains("$argon2") && !text.contains("p4ssw0rd"), "{text}");
            assert!(!text.to_lowercase().contains("password"), "{text}");
        }
    }
}

#[test]
fn ids_are_used_again_and_overwrite_a_live_room() {
    let server = TestServer::start();
    let make = |title: &str| server.room(&json!({"title": title, "visibility": "public"}));
    let (first, second, third) = (make("first"), make("second"), make("third"));
    for id in [first, third] {
        assert_eq!(server.ask(&format!("DELETE /chats/{id}"), "", "").status, 200);
    }
    let mut seen = BTreeSet::from([1, first, second, third]);
    for title in ["fourth", "fifth"] {
        assert!(seen.insert(make(title)), "{title} has a number that was used: {seen:?}");
    }
    let alive = server.ask(&format!("GET /chats/{second}"), "", "").json();
    assert_eq!(alive["title"], json!("second"));
}

#[test]
fn a_client_that_is_merely_busy_is_thrown_out() {
    let server = TestServer::start();
    let mut talker = server.guest(1, "Talker");
    let mut busy = server.guest(1, "Busy");
    talker.expect(&joined(1, "Busy"));
    // It does not look while 500 messages come.
    for index in 0..500 {
        let text = format!("{index} {}", "x".repeat(300));
        talker.say(&send("Talker", &text));
        talker.expect(&said(1, "Talker", &text));
    }
    for index in 0..500 {
        busy.expect(&said(1, "Talker", &format!("{index} {}", "x".repeat(300))));
    }
    busy.say(&send("Busy", "read it all"));
    busy.expect(&said(1, "Busy", "read it all"));
}

#[test]
fn several_events_are_glued_into_one_message() {
    let server = TestServer::start();
    let mut listener = server.guest(1, "Listener");
    let mut talker = server.guest(1, "Talker");
    listener.expect(&joined(1, "Talker"));
    let frames = (0..200)
        .map(|index| frame(TEXT, true, send("Talker", &index.to_string()).to_string().as_bytes()));
    let packet: Vec<u8> = frames.flatten().collect();
    talker.http.send(packet);
    for ws in [&mut listener, &mut talker] {
        for index in 0..200 {
            let text = ws.hear_text();
            let one: Value = serde_json::from_str(&text).expect("exactly one JSON value");
            assert_eq!(one["msg"], json!(index.to_string()));
            assert!(!text.contains('\n'), "{text:?}");
        }
    }
}

#[test]
fn a_default_signing_secret_in_the_source() {
    let [one, two] = [TestServer::start(), TestServer::start()];
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = one.room(&den);
    assert_eq!(two.room(&den), room);
    // The same room, password and name: but what the one has signed is nothing to the other.
    let token = one.token(room, "open sesame", "David");
    let headers = format!("Authorization: Bearer {token}\r\n");
    one.ws(&format!("/chats/{room}/ws"), &headers).bye();
    let refused = two.try_ws(&format!("/chats/{room}/ws"), &headers).err().expect("no entry");
    refused.expect(403, &failure(403, "Token error: Invalid token", "token"));
}

#[test]
fn the_subprotocol_token_is_not_echoed() {
    let server = TestServer::start();
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = server.room(&den);
    let token = server.token(room, "open sesame", "David");
    let headers = format!("Sec-WebSocket-Protocol: {token}\r\n");
    let ws = server.ws(&format!("/chats/{room}/ws"), &headers);
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some(token.as_str()));
}

#[test]
fn frames_over_512_bytes_end_the_connection() {
    let server = TestServer::start();
    let mut ann = server.guest(1, "Ann");
    let mut bob = server.guest(1, "Bob");
    ann.expect(&joined(1, "Bob"));
    for length in [400, 512, 513, 3999, 4000] {
        let text = "\u{e9}".repeat(length);
        bob.say(&send("Bob", &text));
        ann.expect(&said(1, "Bob", &text));
        bob.expect(&said(1, "Bob", &text));
    }
}

#[test]
fn everything_is_lost_at_restart() {
    let mut server = TestServer::start();
    let ann = server.account("Ann");
    let room = server.room(&json!({"title": "Den", "visibility": "public"}));
    let mut guest = server.guest(room, "Gus");
    guest.say(&send("Gus", "remember me"));
    guest.expect(&said(room, "Gus", "remember me"));
    server.stop();
    assert!(fs::metadata(server.db()).is_ok_and(|file| file.len() > 0));
    server.go_on();
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200);
    assert_eq!(server.ask("GET /chats/den", "", "").json()["id"], json!(room));
    let texts: Vec<String> = server.log().into_iter().filter_map(|row| row.text).collect();
    assert_eq!(texts, ["remember me"]);
}
