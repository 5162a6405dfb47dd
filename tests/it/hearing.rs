//! Which clients receive a message: in one room, and in room 1 through both older protocols; and
//! all in the same order.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::ws::{TEXT, frame};
use crate::kit::{TestServer, cookie, event, joined, left, refuses, said, send};

const IN_USE: &str = "Client error: Duplicate username";

#[test]
fn an_event_is_broadcast_to_the_room_and_its_sender() {
    let server = TestServer::start();
    let room = server.room(&json!({"title": "Commons", "visibility": "public"}));
    let mut ann = server.guest(room, "Ann");
    let mut elsewhere = server.guest(1, "Elsewhere");
    let mut bob = server.ws("/chats/commons/ws", "");
    // The client's room, time and join text are ignored.
    bob.say(
        &json!({"event_type": "join", "name": "Bob", "color": "#ff00aa", "msg": "I am the king",
        "room_id": 1, "time": "1970-01-01T00:00:00Z"}),
    );
    let mut join = joined(room, "Bob");
    join["color"] = "#ff00aa".into();
    ann.expect(&join);
    bob.expect(&join);
    // The fields are in the order of the documents, and the time is last.
    bob.say(&send("Bob", "hello \u{1F600} <i>"));
    let text = ann.hear_text();
    let start = format!(
        "{{\"event_type\":\"send\",\"name\":\"Bob\",\"room_id\":{room},\"color\":\"#ff00aa\",\
         \"msg\":\"hello \u{1F600} <i>\",\"time\":\""
    );
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(bob.hear_text(), text);
    let users = server.ask("GET /chats/commons", "", "").json()["users"].clone();
    assert_eq!((&users[0]["username"], &users[1]["username"]), (&json!("Ann"), &json!("Bob")));
    assert_eq!((&users[0]["color"], &users[1]["color"]), (&Value::Null, &json!("#ff00aa")));
    assert_eq!(users[0].as_object().map(|user| user.contains_key("color")), Some(false));
    bob.say(&event("leave", "Bob"));
    let mut gone = left(room, "Bob");
    gone["color"] = "#ff00aa".into();
    ann.expect(&gone);
    bob.expect(&gone);
    // The client has left already, so its disconnect is not announced.
    bob.bye();
    ann.say(&send("Ann", "alone"));
    ann.expect(&said(room, "Ann", "alone"));
    // The other room got none of it.
    elsewhere.say(&send("Elsewhere", "quiet here"));
    elsewhere.expect(&said(1, "Elsewhere", "quiet here"));
}

#[test]
fn a_client_that_rejoins_may_leave_again() {
    let server = TestServer::start();
    let mut ann = server.guest(1, "Ann");
    let mut bob = server.guest(1, "Bob");
    ann.expect(&joined(1, "Bob"));
    for _ in 0..2 {
        bob.say(&event("leave", "Bob"));
        ann.expect(&left(1, "Bob"));
        bob.say(&event("join", "bob"));
        ann.expect(&joined(1, "Bob"));
    }
    drop(bob);
    ann.expect(&left(1, "Bob"));
}

#[test]
fn a_refusal_goes_to_the_sender_alone_and_the_connection_stays() {
    let server = TestServer::start();
    let mut ann = server.guest(1, "Ann");
    let mut bob = server.guest(1, "Bob");
    ann.expect(&joined(1, "Bob"));
    for (text, field) in [
        ("", ""),
        ("hello", ""),
        ("[]", ""),
        ("{", ""),
        (r#"{"event_type":"send","name":"Bob"}"#, "msg"),
        (r#"{"event_type":"send","name":"Bob","msg":""}"#, "msg"),
        (r#"{"event_type":"send","name":"Bob","msg":7}"#, "msg"),
        (r#"{"event_type":"send","msg":"x"}"#, "name"),
        (r#"{"event_type":"send","name":"","msg":"x"}"#, "name"),
        (r#"{"event_type":"send","name":7,"msg":"x"}"#, "name"),
        (r#"{"event_type":"send","name":"Bo\nb","msg":"x"}"#, "name"),
        (r#"{"event_type":"send","name":"Bob","msg":"x","color":"a;b:c"}"#, "color"),
        (r#"{"event_type":"dance","name":"Bob"}"#, "event_type"),
        (r#"{"name":"Bob","msg":"x"}"#, "event_type"),
    ] {
        refuses(&mut bob, text, 303, "Invalid JSON", field);
    }
    let long = |length: usize| send("Bob", &"\u{1F600}".repeat(length));
    refuses(&mut bob, &long(4001).to_string(), 303, "Invalid JSON", "msg");
    refuses(&mut bob, &send(&"n".repeat(33), "x").to_string(), 303, "Invalid JSON", "name");
    refuses(&mut bob, &event("join", "Bob").to_string(), 400 - 198, IN_USE, "name");
    bob.say(&long(4000));
    bob.expect(&said(1, "Bob", &"\u{1F600}".repeat(4000)));
    // Ann got the valid message, and nothing else.
    ann.expect(&said(1, "Bob", &"\u{1F600}".repeat(4000)));
}

#[test]
fn both_dialects_hear_each_other_in_room_1() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut pirate = server.pirate(&ann);
    let mut guest = server.guest(1, "Gus");
    pirate.expect_text(r#"{"event":"join","username":"Gus"}"#);
    let mut late = server.pirate(&bob);
    pirate.expect_text(r#"{"event":"join","username":"Bob"}"#);
    guest.expect(&joined(1, "Bob"));
    guest.say(&json!({"event_type": "send", "name": "Gus", "color": "red", "msg": "ahoy"}));
    for ws in [&mut pirate, &mut late] {
        ws.expect_text(r#"{"message":"ahoy","author":"Gus"}"#);
    }
    let mut ahoy = said(1, "Gus", "ahoy");
    ahoy["color"] = "red".into();
    guest.expect(&ahoy);
    pirate.say(&json!({"message": "aye"}));
    pirate.expect_ack();
    guest.expect(&said(1, "Ann", "aye"));
    late.expect_text(r#"{"message":"aye","author":"Ann"}"#);
    let users = server.ask("GET /chats/1", "", "").json()["users"].clone();
    let names: Vec<&str> = users
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|user| user["username"].as_str())
        .collect();
    assert_eq!(names, ["Ann", "Gus", "Bob"]);
    let online = server.ask_as("GET /api/online", &ann);
    assert_eq!(online.json()["online_clients"], json!(names));
    late.bye();
    guest.expect(&left(1, "Bob"));
    pirate.expect_text(r#"{"event":"leave","username":"Bob"}"#);
    guest.bye();
    pirate.expect_text(r#"{"event":"leave","username":"Gus"}"#);
}

#[test]
fn one_user_in_both_protocols_joins_once_and_leaves_once() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let mut witness = server.guest(1, "Witness");
    let pirate = server.pirate(&ann);
    witness.expect(&joined(1, "Ann"));
    let mut other = server.ws("/chats/1/ws", &cookie(&ann));
    other.say(&event("join", "Ann"));
    other.expect(&joined(1, "Ann"));
    other.say(&send("Ann", "I am at both doors"));
    witness.expect(&said(1, "Ann", "I am at both doors"));
    pirate.bye();
    other.expect(&said(1, "Ann", "I am at both doors"));
    other.say(&send("Ann", "and now at one"));
    witness.expect(&said(1, "Ann", "and now at one"));
    drop(other);
    witness.expect(&left(1, "Ann"));
}

#[test]
fn all_hear_everything_in_the_same_order() {
    let server = TestServer::start();
    let accounts = ["P1", "P2", "P3"].map(|name| server.account(name));
    let mut listener = server.guest(1, "Listener");
    let mut pirate_listener = server.pirate(&server.account("Parrot"));
    listener.expect(&joined(1, "Parrot"));
    std::thread::scope(|scope| {
        for account in &accounts {
            let server = &server;
            scope.spawn(move || {
                let mut ws = server.pirate(account);
                for index in 0..100 {
                    ws.say(&json!({"message": format!("{}:{index}", account.name)}));
                }
                let mut acks = 0;
                while acks < 100 {
                    acks += usize::from(ws.json()["status"] == json!(true));
                }
                ws.bye();
            });
        }
        for name in ["G1", "G2"] {
            let server = &server;
            scope.spawn(move || {
                let mut ws = server.ws("/chats/1/ws", "");
                ws.say(&event("join", name));
                for index in 0..100 {
                    ws.say(&send(name, &format!("{name}:{index}")));
                }
                let last = format!("{name}:99");
                while ws.json()["msg"] != json!(last) {}
                ws.bye();
            });
        }
    });
    // 500 messages, five joins and five leaves; each as a pair of name and text.
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let by_guest: Vec<(String, String)> = (0..510)
        .map(|_| listener.json())
        .map(|heard| match heard["event_type"].as_str() {
            Some("send") => (text(&heard["name"]), text(&heard["msg"])),
            _ => (text(&heard["name"]), text(&heard["event_type"])),
        })
        .collect();
    let by_pirate: Vec<(String, String)> = (0..510)
        .map(|_| pirate_listener.json())
        .map(|heard| match heard.get("author") {
            Some(author) => (text(author), text(&heard["message"])),
            None => (text(&heard["username"]), text(&heard["event"])),
        })
        .collect();
    assert_eq!(by_guest, by_pirate);
    for name in ["P1", "P2", "P3", "G1", "G2"] {
        let of: Vec<&str> =
            by_guest.iter().filter(|(who, _)| who == name).map(|(_, text)| &**text).collect();
        let sends = (0..100).map(|index| format!("{name}:{index}"));
        let expected: Vec<String> =
            ["join".to_owned()].into_iter().chain(sends).chain(["leave".to_owned()]).collect();
        assert_eq!(of, expected);
    }
}

// ---- Defects of the two seeds, each by its name: none may come back ----

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
    // Each round is a commit; waiting for the stalled client would take seconds.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn a_client_that_is_merely_busy_is_thrown_out() {
    let server = TestServer::start();
    let mut talker = server.guest(1, "Talker");
    let mut busy = server.guest(1, "Busy");
    talker.expect(&joined(1, "Busy"));
    // The client does not read while 500 messages come.
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
