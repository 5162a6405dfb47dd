//! Blocking: while a block lasts, neither account can send to the other.

use serde_json::{Value, json};

use super::{Form, User, answer, number, text};
use crate::kit::{Scratch, TestServer, run, shanty, until};

const NOTHING: &Value = &Value::Null;

fn block(server: &TestServer, who: &User, method: &str, name: &str) {
    let (status, said) = server.api(who, method, &format!("/me/blocked/{name}"), NOTHING);
    assert_eq!(status, 204, "{said}");
}

fn blocked(server: &TestServer, who: &User) -> Vec<String> {
    let all = server.get(who, "/me/blocked");
    all["blocked"].as_array().expect("a list").iter().map(|user| text(&user["name"])).collect()
}

#[test]
fn between_two_of_whom_one_has_blocked_the_other_nothing_is_said() {
    let server = TestServer::start();
    let (ann, bob, cat) = (server.user("Ann"), server.user("Bob"), server.user("Cat"));
    let (_, made) = server.api(&bob, "PUT", "/users/Ann/room", NOTHING);
    let room = number(&made["id"]);
    let said = number(&server.tell(&bob, room, "hello")["seq"]);
    let path = format!("/rooms/{room}");
    let message = format!("{path}/messages/{said}");
    block(&server, &ann, "PUT", "bob");
    block(&server, &ann, "PUT", "Bob");
    assert_eq!((blocked(&server, &ann), blocked(&server, &bob)), (vec!["Bob".into()], vec![]));
    let (mut at_ann, mut at_bob) = (server.live(&ann, Form::Lines), server.live(&bob, Form::Ws));
    let words = json!({"text": "please"});
    for who in [&bob, &ann] {
        for (method, path, body) in [
            ("POST", format!("{path}/messages"), &words),
            ("PUT", format!("{path}/messages/again"), &words),
            ("PATCH", message.clone(), &words),
            ("PUT", format!("{message}/reactions/%F0%9F%91%8D"), NOTHING),
        ] {
            server.refused(who, (method, &path, body), (403, "forbidden"));
        }
        assert_eq!(server.get(who, &format!("{path}/messages"))["messages"][0]["text"], "hello");
    }
    let send = json!({"type": "send", "room": room, "client_id": "w1", "text": "please"});
    at_bob.say(&send);
    assert_eq!(at_bob.find("error")["error"]["code"], "forbidden");
    at_bob.say(&json!({"type": "typing", "room": room}));
    // In a shared room both read each other and see mentions; but a blocked account's mention does
    // not notify.
    let call = server.tell(&bob, 1, "@Ann @Cat where are you?");
    let named = json!(["Ann", "Cat"]);
    assert_eq!(call["mentions"], named);
    let heard = at_ann.find("message");
    assert_eq!((&heard["seq"], &heard["mentions"]), (&call["seq"], &named));
    let lobby = |who: &User| number(&server.get(who, "/rooms/1")["mentions"]);
    assert_eq!((lobby(&ann), lobby(&cat)), (0, 1));
    let at = format!("/rooms/1/messages/{}", call["seq"]);
    for who in [&ann, &bob, &cat] {
        assert_eq!(server.get(who, &at)["mentions"], named);
    }
    // An unblocked account is heard again.
    block(&server, &ann, "DELETE", "BOB");
    block(&server, &ann, "DELETE", "BOB");
    assert_eq!(blocked(&server, &ann), [""; 0]);
    server.tell(&bob, room, "thanks");
    assert_eq!(at_ann.find("message")["text"], "thanks");
    // And neither opens a new room for two.
    block(&server, &cat, "PUT", "Bob");
    server.refused(&bob, ("PUT", "/users/Cat/room", NOTHING), (403, "forbidden"));
    server.refused(&cat, ("PUT", "/users/Bob/room", NOTHING), (403, "forbidden"));
    for method in ["PUT", "DELETE"] {
        server.refused(&ann, (method, "/me/blocked/Ann", NOTHING), (422, "invalid_field"));
        server.refused(&ann, (method, "/me/blocked/Zoe", NOTHING), (404, "user_not_found"));
    }
}

#[test]
fn a_block_lasts_and_ends_with_a_guest() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let guest = |server: &TestServer| {
        let (_, made) = answer(&server.send("POST /api/v1/guests", &json!({"name": "Zoe"})));
        User { key: String::new(), session: text(&made["session"]) }
    };
    let zoe = guest(&server);
    for (who, name) in [(&ann, "Bob"), (&ann, "Zoe"), (&zoe, "Ann"), (&bob, "Zoe")] {
        block(&server, who, "PUT", name);
    }
    block(&server, &bob, "DELETE", "Zoe");
    server.kill();
    server.go_on();
    assert_eq!(blocked(&server, &ann), ["Bob", "Zoe"]);
    assert_eq!((blocked(&server, &zoe), blocked(&server, &bob)), (vec!["Ann".into()], vec![]));
    let (status, _) = server.api(&zoe, "DELETE", "/sessions/current", NOTHING);
    assert_eq!(status, 204);
    until("the guest is gone", || blocked(&server, &ann) == ["Bob"]);
    // A new guest of that name is another person.
    let other = guest(&server);
    assert_eq!(server.api(&other, "PUT", "/users/Ann/room", NOTHING).0, 201);
    assert_eq!(blocked(&server, &ann), ["Bob"]);
    // Also through all maintenance of a database.
    server.stop();
    let scratch = Scratch::new();
    let (copy, lines) = (scratch.path("backup.db"), scratch.path("lines"));
    let tend = |db: &str, words: &[&str]| {
        let mut command = shanty();
        command.args(["--db", db]).args(words);
        let end = run(command);
        assert_eq!(end.code, Some(0), "{words:?} {end:?}");
    };
    let db = server.db();
    tend(&db, &["backup", &copy]);
    tend(&db, &["export", &lines]);
    for (place, words) in [("restored.db", ["restore", &*copy]), ("made.db", ["import", &*lines])] {
        let place = scratch.path(place);
        tend(&place, &words);
        tend(&place, &["verify"]);
        let list = rusqlite::Connection::open(&place).expect("a database");
        let count = "SELECT count(*) FROM block WHERE account = 1 AND blocked = 2";
        assert_eq!(list.query_row(count, [], |row| row.get::<_, i64>(0)), Ok(1), "{words:?}");
    }
}
