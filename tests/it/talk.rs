//! What is said in rooms: ChitChat's events, whose name is whose, its tokens in detail, and both
//! dialects in room 1.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::kit::{
    Account, Heard, Response, TestServer, Ws, failure, joined, left, said, send, shanty,
};

const OTHER_NAME: &str = "Client error: Name mismatch";
const IN_USE: &str = "Client error: Duplicate username";

fn cookie(who: &Account) -> String {
    format!("Cookie: {}\r\n", who.cookie)
}

fn event(kind: &str, name: &str) -> Value {
    json!({"event_type": kind, "name": name})
}

fn refuses(ws: &mut Ws, what: &str, code: u16, error: &str, field: &str) {
    ws.text(what);
    ws.expect(&failure(code, error, field));
}

#[test]
fn everybody_in_the_room_hears_an_event_its_sender_too() {
    let server = TestServer::start();
    let room = server.room(&json!({"title": "Commons", "visibility": "public"}));
    let mut ann = server.guest(room, "Ann");
    let mut elsewhere = server.guest(1, "Elsewhere");
    let mut bob = server.ws("/chats/commons/ws", "");
    // What a client says of the room, the time or its coming is not taken over.
    bob.say(
        &json!({"event_type": "join", "name": "Bob", "color": "#ff00aa", "msg": "I am the king",
        "room_id": 1, "time": "1970-01-01T00:00:00Z"}),
    );
    let mut join = joined(room, "Bob");
    join["color"] = "#ff00aa".into();
    ann.expect(&join);
    bob.expect(&join);
    // The order of the fields is that of the documents, and the time is last.
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
    // It has left already, so its end is not told again.
    bob.bye();
    ann.say(&send("Ann", "alone"));
    ann.expect(&said(room, "Ann", "alone"));
    // And in the other room nothing of all that was heard.
    elsewhere.say(&send("Elsewhere", "quiet here"));
    elsewhere.expect(&said(1, "Elsewhere", "quiet here"));
}

#[test]
fn who_comes_back_may_leave_again() {
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
fn what_is_refused_is_told_to_the_sender_alone_and_the_connection_stays() {
    let server = TestServer::start();
    let mut ann = server.guest(1, "Ann");
    let mut bob = server.guest(1, "Bob");
    ann.expect(&joined(1, "Bob"));
    for (what, field) in [
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
        refuses(&mut bob, what, 303, "Invalid JSON", field);
    }
    let long = |length: usize| send("Bob", &"\u{1F600}".repeat(length));
    refuses(&mut bob, &long(4001).to_string(), 303, "Invalid JSON", "msg");
    refuses(&mut bob, &send(&"n".repeat(33), "x").to_string(), 303, "Invalid JSON", "name");
    refuses(&mut bob, &event("join", "Bob").to_string(), 400 - 198, IN_USE, "name");
    bob.say(&long(4000));
    bob.expect(&said(1, "Bob", &"\u{1F600}".repeat(4000)));
    // Ann heard the one that was good, and nothing else.
    ann.expect(&said(1, "Bob", &"\u{1F600}".repeat(4000)));
}

#[test]
fn a_name_is_bound_to_its_connection_and_nobody_else_has_it() {
    let server = TestServer::start();
    let mut ann = server.guest(1, "Ann");
    let mut bob = server.ws("/chats/1/ws", "");
    // A send without a join binds, too; the name has no case.
    refuses(&mut bob, &send("ANN", "I am Ann").to_string(), 202, IN_USE, "name");
    bob.say(&send("Bob", "so I am Bob"));
    ann.expect(&said(1, "Bob", "so I am Bob"));
    bob.expect(&said(1, "Bob", "so I am Bob"));
    for name in ["Ann", "Carl"] {
        for kind in ["join", "leave"] {
            refuses(&mut bob, &event(kind, name).to_string(), 204, OTHER_NAME, "name");
        }
        refuses(&mut bob, &send(name, "not me").to_string(), 204, OTHER_NAME, "name");
    }
    bob.say(&send("bOB", "still Bob"));
    ann.expect(&said(1, "Bob", "still Bob"));
    // It is free when its connection is over, and in another room at any time.
    let mut second =
        server.guest(server.room(&json!({"title": "Bar", "visibility": "public"})), "Ann");
    second.say(&event("leave", "Ann"));
    drop(ann);
    bob.expect(&said(1, "Bob", "still Bob"));
    bob.expect(&left(1, "Ann"));
    let _ann = server.guest(1, "ann");
    bob.expect(&joined(1, "ann"));
}

#[test]
fn a_registered_name_is_its_owners() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut guest = server.ws("/chats/1/ws", "");
    refuses(&mut guest, &event("join", "ann").to_string(), 202, IN_USE, "name");
    let mut at_ann = server.ws("/chats/1/ws", &cookie(&ann));
    refuses(&mut at_ann, &event("join", "Bob").to_string(), 204, OTHER_NAME, "name");
    at_ann.say(&event("join", "ANN"));
    at_ann.expect(&joined(1, "Ann"));
    guest.expect(&joined(1, "Ann"));
    // A name that is used without an account can be registered, and is its owner's from then on.
    guest.say(&event("join", "Guest"));
    guest.expect(&joined(1, "Guest"));
    at_ann.expect(&joined(1, "Guest"));
    let made = server.send("POST /api/register", &json!({"username": "guest"}));
    assert_eq!(made.status, 201);
    at_ann.expect(&left(1, "Guest"));
    guest.expect(&left(1, "Guest"));
    refuses(&mut guest, &send("Guest", "it is me").to_string(), 202, IN_USE, "name");
    guest.say(&event("join", "Zoe"));
    guest.expect(&joined(1, "Zoe"));
    at_ann.expect(&joined(1, "Zoe"));
    // A cookie does not help a foreign page.
    let foreign = format!("{}Origin: https://evil.example\r\n", cookie(&bob));
    let refused = server.try_ws("/chats/1/ws", &foreign).err().expect("no websocket");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!(301)));
    // Nor does it get in without one.
    let foreign = "Origin: https://anywhere.example\r\n";
    let refused = server.try_ws("/chats/1/ws", foreign).err().expect("no websocket");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!(301)));
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
        .filter_map(|one| one["username"].as_str())
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
fn one_person_at_both_doors_comes_once_and_leaves_once() {
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
    // 500 messages, five joins and five leaves; each as a pair of who and what.
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
            by_guest.iter().filter(|(who, _)| who == name).map(|(_, what)| &**what).collect();
        let sends = (0..100).map(|index| format!("{name}:{index}"));
        let expected: Vec<String> =
            ["join".to_owned()].into_iter().chain(sends).chain(["leave".to_owned()]).collect();
        assert_eq!(of, expected);
    }
}

/// Signs a token as anybody can who knows the secret.
fn forge(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn with_secret(secret: &'static str) -> TestServer {
    TestServer::of(move |db| {
        let mut command = shanty();
        command.args(["--listen", "127.0.0.1:0", "--db", db]).env("SECRET_KEY", secret);
        command
    })
}

#[test]
fn a_token_is_what_the_contract_says_and_nothing_else_opens_the_room() {
    let server = with_secret("a secret of our own, long enough");
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = server.room(&den);
    let token = server.token(room, "open sesame", "David");
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&BASE64.decode(part).expect("base64url")).expect("JSON")
    };
    let header = read(parts[0]);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("JWT")));
    let claims = read(parts[1]);
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let exp = claims["exp"].as_u64().expect("a number");
    assert!((now + 3590..=now + 3601).contains(&exp), "{exp} is in 60 minutes from {now}");
    let expected = json!({"username": "David", "room_id": room, "exp": exp, "gen": claims["gen"]});
    assert_eq!(claims, expected);

    let path = format!("/chats/{room}/ws");
    let refused = |token: &str| -> Response {
        let headers = format!("Authorization: Bearer {token}\r\n");
        server.try_ws(&path, &headers).err().expect("no entry")
    };
    let (signature, method, invalid) = (
        failure(403, "Token error: Invalid token", "token"),
        failure(402, "Token error: Unauthorized signing method", "token"),
        failure(403, "Token error: Invalid token", "token"),
    );
    // Who has the secret can make one.
    let secret = "a secret of our own, long enough";
    server.ws(&path, &format!("Authorization: bearer {}\r\n", forge(&header, &claims, secret)));
    refused(&forge(&header, &claims, "another secret")).expect(403, &signature);
    let (head, _) = token.rsplit_once('.').expect("a signature");
    refused(&format!("{head}.")).expect(403, &signature);
    refused(&format!("{head}.AAAA")).expect(403, &signature);
    for alg in ["none", "None", "HS384", "HS512", "RS256", "hs256", ""] {
        let forged = forge(&json!({"alg": alg, "typ": "JWT"}), &claims, secret);
        refused(&forged).expect(401, &method);
        let unsigned = format!("{}.", forged.rsplit_once('.').expect("parts").0);
        refused(&unsigned).expect(401, &method);
    }
    for (name, value) in [
        ("exp", json!(now - 1)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("room_id", json!(1)),
        ("room_id", json!(room + 1)),
        ("gen", json!(claims["gen"].as_u64().expect("a number") + 1)),
        ("gen", Value::Null),
        ("username", json!("")),
        ("username", Value::Null),
    ] {
        let mut changed = claims.clone();
        match value {
            Value::Null => changed.as_object_mut().expect("an object").remove(name),
            value => changed.as_object_mut().expect("an object").insert(name.into(), value),
        };
        refused(&forge(&header, &changed, secret)).expect(403, &invalid);
    }
    for malformed in ["x", "a.b", "a.b.c", "..", "a.b.c.d"] {
        refused(malformed).expect(403, &invalid);
    }
    let none = server.try_ws(&path, "").err().expect("no entry");
    none.expect(403, &invalid);
}

#[test]
fn a_token_binds_the_name_and_comes_back_as_the_subprotocol() {
    let server = TestServer::start();
    let den = json!({"title": "Den", "visibility": "hidden", "password": "open sesame"});
    let room = server.room(&den);
    let token = server.token(room, "open sesame", "David");
    let offers = |value: &str| format!("Sec-WebSocket-Protocol: {value}\r\n");
    let mut ws = server.ws("/chats/den/ws", &offers(&token));
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some(token.as_str()));
    refuses(&mut ws, &send("Eve", "hello").to_string(), 204, OTHER_NAME, "name");
    ws.say(&send("david", "it is me"));
    ws.expect(&said(room, "David", "it is me"));
    ws.bye();
    let ws = server.ws("/chats/den/ws", &offers(&format!("chat, {token}")));
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some(token.as_str()));
    drop(ws);
    // A public room needs none; what is offered is chosen from all the same.
    let ws = server.ws("/chats/1/ws", &offers("chat, superchat"));
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some("chat"));
    assert!(server.ws("/chats/1/ws", "").response.header("sec-websocket-protocol").is_none());
}

#[test]
fn making_a_room_private_sends_away_who_came_without_a_token() {
    let server = TestServer::start();
    let room = server.room(&json!({"title": "Commons", "visibility": "public"}));
    let mut guest = server.guest(room, "Gus");
    let body = r#"{"visibility":"private","password":"open sesame"}"#;
    assert_eq!(server.ask(&format!("PUT /chats/{room}"), "", body).status, 200);
    assert!(matches!(guest.hear(), Heard::Close(1008, _)));
    let token = server.token(room, "open sesame", "Gus");
    let headers = format!("Authorization: Bearer {token}\r\n");
    server.ws(&format!("/chats/{room}/ws"), &headers).bye();
}
