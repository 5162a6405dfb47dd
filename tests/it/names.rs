//! Ownership of names: names in rooms, names of accounts, and the users listed as present.

use std::sync::Barrier;

use serde_json::json;

use crate::kit::ws::TEXT;
use crate::kit::{Heard, TestServer, cookie, event, failure, joined, left, refuses, said, send};

const OTHER_NAME: &str = "Client error: Name mismatch";
const IN_USE: &str = "Client error: Duplicate username";

#[test]
fn a_name_is_bound_to_one_connection() {
    let server = TestServer::start();
    let mut ann = server.guest(1, "Ann");
    let mut bob = server.ws("/chats/1/ws", "");
    // A send without a join binds the name, too; case is ignored.
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
    // It is free when its connection ends, and in other rooms at any time.
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
    // A name that a guest uses can be registered, and belongs to the account from then on.
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
    // A cookie does not work for a foreign page.
    let foreign = format!("{}Origin: https://evil.example\r\n", cookie(&bob));
    let refused = server.try_ws("/chats/1/ws", &foreign).err().expect("no websocket");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!(301)));
    // Nor does the page get in without one.
    let foreign = "Origin: https://anywhere.example\r\n";
    let refused = server.try_ws("/chats/1/ws", foreign).err().expect("no websocket");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!(301)));
}

/// An account's own name works everywhere, though nobody else may have such a name.
#[test]
fn an_account_is_called_by_its_own_name_in_every_protocol() {
    let server = TestServer::start();
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let den = server.room(&den);
    let wanted = |name: &str| json!({"name": name, "secret": "open sesame"}).to_string();
    let path = format!("POST /chats/{den}/token");
    let token_for = |name: &str| server.ask(&path, "", &wanted(name)).json()["error"].clone();
    for name in ["admin", "All", "EVERYONE", "here"] {
        let mut guest = server.ws("/chats/1/ws", "");
        refuses(&mut guest, &event("join", name).to_string(), 303, "Invalid JSON", "name");
        assert_eq!(token_for(name)["code"], 303, "{name}");
    }
    for name in ["admin", "All", "EVERYONE", "here"] {
        let account = server.account(name);
        let mut ws = server.ws("/chats/1/ws", &cookie(&account));
        ws.say(&event("join", name));
        ws.expect(&joined(1, name));
        ws.say(&send(name, "it is me"));
        ws.expect(&said(1, name, "it is me"));
        refuses(&mut ws, &send("@bob", "not me").to_string(), 303, "Invalid JSON", "name");
        let answer = server.ask(&path, &cookie(&account), &wanted(name));
        assert_eq!(answer.status, 201, "{answer:?}");
        let token = answer.json()["token"].as_str().expect("a token").to_owned();
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let mut inside = server.ws(&format!("/chats/{den}/ws"), &bearer);
        inside.say(&send(name, "and here"));
        inside.expect(&said(den, name, "and here"));
        assert_eq!(token_for(name)["code"], 202, "{name}");
    }
}

// ---- Defects of the two seeds, each by its name: none may come back ----

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
    // She is neither listed nor connected: a logout disconnects.
    server.ask_as("GET /api/online", &bob).expect(200, &json!({"online_clients": ["Bob"]}));
    witness.expect_text(r#"{"event":"leave","username":"Ann"}"#);
    assert!(matches!(ws.hear(), Heard::Close(..)));
    ws.say(&json!({"message": "a ghost speaks"}));
    witness.say(&json!({"message": "only me"}));
    witness.expect_ack();
}

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
