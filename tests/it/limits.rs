//! Rate limits in the running server, as they are without `--limits off`: excess is refused in each
//! protocol's format, the connection stays, and other clients go on.

use std::time::Instant;

use serde_json::{Value, json};

use crate::kit::{TestServer, failure, send};
use crate::native::{Form, number, text};

fn limited() -> TestServer {
    TestServer::with(&["--limits", "on"])
}

/// The longest message.
fn long() -> String {
    "x".repeat(4_000)
}

#[test]
fn over_rest_it_is_429_and_says_when() {
    let server = limited();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let path = "/rooms/1/messages";
    let body = json!({"text": long()});
    let refused = (0..2_000).find_map(|_| {
        let answer = server.api(&ann, "POST", path, &body);
        (answer.0 != 201).then_some(answer)
    });
    let refused = refused.expect("it is limited");
    let error = &refused.1["error"];
    assert_eq!((refused.0, &error["code"]), (429, &json!("rate_limited")));
    let millis = number(&error["retry_after_ms"]);
    assert!((1..60_000).contains(&millis), "{millis}");
    let (line, headers) = (format!("POST /api/v1{path}"), ann.bearer());
    let refused = server.ask(&line, &headers, &body.to_string());
    let seconds = refused.header("retry-after").map(str::parse::<u64>);
    assert!(matches!(seconds, Some(Ok(1..=60))), "{refused:?}");
    assert_eq!(server.api(&bob, "POST", path, &body).0, 201, "others go on");
    assert_eq!(server.api(&ann, "GET", path, &Value::Null).0, 200, "reading goes on");
}

#[test]
fn over_each_websocket_it_is_an_error_and_the_connection_stays() {
    let server = limited();
    let (ann, bob) = (server.account("Ann"), server.user("Bob"));
    let mut pirate = server.pirate(&ann);
    let busy = json!({"status": false, "code": "rate_limited"});
    let until_limited = |say: &mut dyn FnMut() -> Value, limited: &Value| {
        assert!((0..2_000).any(|_| say() == *limited), "{limited} does not come");
    };
    let mut say = || {
        pirate.say(&json!({"message": "x".repeat(300)}));
        pirate.json()
    };
    until_limited(&mut say, &busy);
    pirate.say(&json!({"nothing": 1}));
    pirate.expect(&json!({"status": false, "code": "invalid_message"}));

    let room = server.room(&json!({"title": "Den", "visibility": "public"}));
    let mut guest = server.ws(&format!("/chats/{room}/ws"), "");
    let many = failure(305, "Too many requests", "");
    let mut say = || {
        guest.say(&send("Gus", &long()));
        guest.json()
    };
    until_limited(&mut say, &many);
    guest.say(&json!({"event_type": "dance", "name": "Gus", "msg": "x"}));
    assert_eq!(guest.json()["error"]["code"], 303);

    let mut stream = server.live(&bob, Form::Ws);
    let (mut limited, mut number) = (Value::Null, 0);
    while limited.is_null() && number < 2_000 {
        number += 1;
        let id = format!("m{number}");
        let send = json!({"type": "send", "room": 1, "client_id": id, "text": long()});
        stream.say(&send);
        while limited.is_null() {
            let frame = stream.next();
            match &*text(&frame["type"]) {
                "ack" => break,
                "error" => limited = frame,
                _ => {}
            }
        }
    }
    assert_eq!(limited["client_id"], format!("m{number}"));
    assert_eq!(limited["error"]["code"], "rate_limited");
    assert!(limited["error"]["retry_after_ms"].as_u64().is_some_and(|millis| millis > 0));
    stream.say(&json!({"type": "delete", "room": 1, "client_id": "d", "target": 999_999}));
    assert_eq!(stream.find("error")["error"]["code"], "message_not_found");
}

#[test]
fn endless_joins_are_rate_limited_and_listeners_are_spared() {
    let server = limited();
    let mut reader = server.guest(1, "Reader");
    let mut restless = server.ws("/chats/1/ws", "");
    let move_ = |kind: &str| json!({"event_type": kind, "name": "Gus", "msg": ""});
    for _ in 0..500 {
        restless.say(&move_("join"));
        restless.say(&move_("leave"));
    }
    restless.bye();
    let mut heard = 0;
    let last = send("Reader", "over");
    reader.say(&last);
    while reader.json()["msg"] != "over" {
        heard += 1;
        assert!(heard <= 40, "of 1,000 comings and goings");
    }
}

#[test]
fn wrong_passwords_count_whatever_worker_hears_them() {
    let server = TestServer::with(&["--limits", "on", "--workers", "4", "--log", "warn"]);
    let ann = server.user("Ann");
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let den = server.make(&ann, &den);
    let line = format!("POST /chats/{den}/token");
    let body = json!({"name": "Gus", "secret": "close sesame"}).to_string();
    let from = "X-Forwarded-For: 203.0.113.7\r\n";
    let status = |_| server.ask(&line, from, &body).status;
    let statuses: Vec<u16> = (0..70).map(status).collect();
    let wrong = statuses.iter().filter(|status| **status == 401).count();
    assert!((60..=62).contains(&wrong), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
}

#[test]
fn a_stream_gets_a_flapping_user_once_a_second() {
    let server = TestServer::start(); // Without limits: it is not they that spare the reader.
    let ann = server.user("Ann");
    let mut stream = server.live(&ann, Form::Ws);
    let mut restless = server.ws("/chats/1/ws", "");
    let started = Instant::now();
    for _ in 0..500 {
        restless.say(&json!({"event_type": "join", "name": "Gus", "msg": ""}));
        restless.say(&json!({"event_type": "leave", "name": "Gus", "msg": ""}));
    }
    restless.say(&json!({"event_type": "join", "name": "Gus", "msg": ""}));
    restless.bye();
    let mut last = server.guest(1, "Last");
    last.say(&send("Last", "over"));
    let (mut told, mut over, mut here) = (0, false, false);
    while !over || here {
        let frame = stream.frame().expect("a frame, not the end");
        over |= frame["text"] == "over";
        if frame["type"] == "presence" && frame["name"] == "Gus" {
            here = frame["online"] == true;
            told += 1;
        }
    }
    let most = 2 + started.elapsed().as_secs();
    assert!((1..=most).contains(&told), "{told} times in {:?}", started.elapsed());
}
