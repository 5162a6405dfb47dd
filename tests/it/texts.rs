//! Valid texts, in every protocol of the running server: names, titles, messages, reactions.

use serde_json::json;

use crate::kit::{self, TestServer, shanty};
use crate::native::Form;

const NAMES: [&str; 14] = [
    "bob\u{fe0f}",
    "an\u{ad}ne",
    "\u{61c}bob",
    "bo\u{34f}b",
    "\u{3164}",
    "\u{2800}",
    "\u{301}",
    "Shanty",
    "all",
    "@bob",
    "＠bob",
    "bob: hi",
    "a\u{a0}b",
    "e\u{301}\u{301}\u{301}\u{301}",
];

#[test]
fn deceptive_names_are_refused_in_every_protocol() {
    let server = TestServer::start();
    let anne = server.user("anne");
    let den = json!({"title": "Den", "visibility": "private", "password": "correct horse"});
    let den = server.make(&anne, &den);
    let token = |name: &str| {
        let body = json!({"name": name, "secret": "correct horse"});
        let answer = server.send(&format!("POST /chats/{den}/token"), &body);
        (answer.status, answer.json()["error"]["code"].as_u64())
    };
    let guest = |name: &str| server.send("POST /api/v1/guests", &json!({"name": name})).status;
    let join = |name: &str| {
        let mut ws = server.ws("/chats/1/ws", "");
        ws.say(&json!({"event_type": "join", "name": name}));
        let heard = ws.json();
        (heard["error"]["code"].as_u64(), heard["error"]["field"].clone())
    };
    for name in NAMES {
        assert_eq!(guest(name), 422, "{name:?}");
        assert_eq!(join(name), (Some(303), json!("name")), "{name:?}");
        assert_eq!(token(name), (400, Some(303)), "{name:?}");
    }
    for name in ["аnne", "ａｎｎｅ", "ANNE", "ΑΝΝΕ"] {
        assert_eq!(guest(name), 409, "{name:?}");
        assert_eq!(join(name), (Some(202), json!("name")), "{name:?}");
        assert_eq!(token(name), (400, Some(202)), "{name:?}");
    }
    for name in ["José", "Mary Lou", "名前", "🦊"] {
        assert_eq!(guest(name), 201, "{name:?}");
    }
    assert_eq!(guest("Jose\u{301}"), 409);
}

#[test]
fn deceptive_titles_are_refused_in_both_protocols() {
    let server = TestServer::start();
    let ann = server.user("ann");
    let settings = |title: &str| json!({"title": title, "visibility": "public"});
    server.make(&ann, &settings("Café"));
    let cases = [
        ("\u{200b}\u{200b}", 422, 400, 105),
        ("\u{202e}terces", 422, 400, 105),
        ("Public\u{a0}Chat", 422, 400, 105),
        ("１２３", 422, 400, 105),
        ("cafe\u{301}", 409, 400, 102),
        ("ＰＵＢＬＩＣ ＣＨＡＴ", 409, 400, 102),
        ("12:30", 201, 0, 0),
    ];
    for (title, native, chats, code) in cases {
        let (status, body) = server.api(&ann, "POST", "/rooms", &settings(title));
        assert_eq!(status, native, "{title:?} {body}");
        if chats > 0 {
            let answer = server.send("POST /chats", &settings(title));
            let found = answer.json()["error"]["code"].as_u64();
            assert_eq!((answer.status, found), (chats, Some(code)), "{title:?}");
        }
    }
}

#[test]
fn invisible_messages_are_refused() {
    let server = TestServer::start();
    let ann = server.user("ann");
    let seq = server.tell(&ann, 1, "hi")["seq"].clone();
    let bob = server.account("bob");
    let mut front = server.pirate(&bob);
    let mut back = server.ws("/chats/1/ws", "");
    for (text, code) in [
        ("   ", "message_empty"),
        ("\n\n", "message_empty"),
        ("\u{200b}", "message_empty"),
        ("\u{2800}", "message_empty"),
        ("\0", "message_empty"),
        ("\u{301}", "message_empty"),
        ("a\0b", "invalid_field"),
        ("a\u{1b}[2J", "invalid_field"),
    ] {
        let body = json!({"text": text});
        server.refused(&ann, ("POST", "/rooms/1/messages", &body), (422, code));
        server.refused(&ann, ("PUT", "/rooms/1/messages/x", &body), (422, code));
        let path = format!("/rooms/1/messages/{seq}");
        server.refused(&ann, ("PATCH", &path, &body), (422, code));
        front.say(&json!({"message": text}));
        assert_eq!(front.json(), json!({"status": false, "code": "invalid_message"}), "{text:?}");
        back.say(&json!({"event_type": "send", "name": "david", "msg": text}));
        let error = back.json()["error"].clone();
        assert_eq!((&error["code"], &error["field"]), (&json!(303), &json!("msg")), "{text:?}");
    }
    assert_eq!(server.tell(&ann, 1, "a\r\nb\tc")["text"], "a\nb\tc");
}

#[test]
fn a_reaction_is_one_emoji_in_one_spelling() {
    let server = TestServer::start();
    let ann = server.user("ann");
    let seq = server.tell(&ann, 1, "hi")["seq"].clone();
    let sign = |method: &str, sign: &str| {
        let coded: String = sign.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/rooms/1/messages/{seq}/reactions/{coded}");
        server.api(&ann, method, &path, &json!(null))
    };
    for one in ["👍", "👍\u{fe0f}", "❤", "❤\u{fe0f}", "❤\u{fe0e}"] {
        assert_eq!(sign("PUT", one).0, 200, "{one:?}");
    }
    let (_, message) = sign("PUT", "👍");
    assert_eq!(message["reactions"], json!({"👍": ["ann"], "❤\u{fe0f}": ["ann"]}));
    for bad in
        ["\u{202e}", "\u{200b}", "\u{2800}", "\u{301}", "—", "👍👍", "🇩", "👍\u{200d}", "👍🏽🏽"]
    {
        let (status, body) = sign("PUT", bad);
        assert_eq!((status, &body["error"]["code"]), (422, &json!("invalid_field")), "{bad:?}");
    }
    let (_, message) = sign("DELETE", "❤\u{fe0e}");
    assert_eq!(message["reactions"], json!({"👍": ["ann"]}));
}

/// Mentions are resolved when the message is sent, among the users present; an edit resolves them
/// again, and they are the same after a restart, or in a new database.
#[test]
fn mentions_resolve_to_present_users() {
    let mut server = TestServer::start();
    let [ann, bob] = ["ann", "bob"].map(|name| server.user(name));
    let guest = |name: &str| {
        let answer = server.send("POST /api/v1/guests", &json!({"name": name}));
        assert_eq!(answer.status, 201, "{name}");
    };
    guest("zoë");
    guest("Mary Lou");
    let mut stream = server.live(&bob, Form::Ws);
    let said = server.tell(&ann, 1, "@BOB @zoë, @mary lou: see `@ann`, @nobody");
    let called = json!(["bob", "zoë", "Mary Lou"]);
    assert_eq!(said["mentions"], called);
    assert_eq!(stream.expect("message")["mentions"], called);
    let unread = |server: &TestServer| server.get(&bob, "/rooms/1")["mentions"].clone();
    assert_eq!(unread(&server), 1);
    // A user who joins later was not mentioned.
    server.user("nobody");
    let path = format!("/rooms/1/messages/{}", said["seq"]);
    assert_eq!(server.get(&ann, &path)["mentions"], called);
    let edited = json!({"text": "@nobody and @ann"});
    let (status, message) = server.api(&ann, "PATCH", &path, &edited);
    assert_eq!((status, &message["mentions"]), (200, &json!(["nobody", "ann"])));
    assert_eq!(stream.expect("edit")["mentions"], json!(["nobody", "ann"]));
    assert_eq!(unread(&server), 0);
    let again = server.tell(&ann, 1, "@bob again");
    server.stop();
    let (db, copy) = (server.db(), server.scratch.path("copy.db"));
    let tend = |db: &str, words: &[&str]| {
        let mut command = shanty();
        command.args(["--db", db]).args(words);
        let end = kit::run(command);
        assert_eq!(end.code, Some(0), "{words:?} {end:?}");
    };
    let lines = server.scratch.path("lines");
    tend(&db, &["verify"]);
    tend(&db, &["export", &lines]);
    tend(&copy, &["import", &lines]);
    tend(&copy, &["verify"]);
    std::fs::rename(&copy, &db).expect("the new one");
    server.go_on();
    let end = server.get(&ann, "/rooms/1/messages?limit=9");
    let calls: Vec<_> = end["messages"].as_array().expect("messages").iter().collect();
    assert_eq!(calls[0]["mentions"], json!(["nobody", "ann"]));
    assert_eq!((&calls[1]["seq"], &calls[1]["mentions"]), (&again["seq"], &json!(["bob"])));
    assert_eq!(unread(&server), 1);
}
