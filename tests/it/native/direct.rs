//! Rooms for two.

use serde_json::{Value, json};

use super::{Form, User, answer, number, text};
use crate::kit::TestServer;

const NOTHING: &Value = &Value::Null;

#[test]
fn two_have_one_room_of_their_own() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let (mut at_ann, mut at_bob) = (server.live(&ann, Form::Ws), server.live(&bob, Form::Lines));
    let (status, made) = server.api(&ann, "PUT", "/users/bob/room", NOTHING);
    assert_eq!((status, &made["kind"], &made["title"]), (201, &json!("direct"), &json!("Bob")));
    let room = number(&made["id"]);
    for (stream, title) in [(&mut at_ann, "Bob"), (&mut at_bob, "Ann")] {
        let told = stream.expect("room");
        assert_eq!((&told["room"]["id"], &told["room"]["title"]), (&json!(room), &json!(title)));
        assert_eq!(told["room"]["kind"], "direct");
    }
    let (status, again) = server.api(&bob, "PUT", "/users/ANN/room", NOTHING);
    assert_eq!((status, &again["id"], &again["title"]), (200, &json!(room), &json!("Ann")));
    at_ann.send(room, "d1", "psst");
    assert_eq!(at_bob.expect("message")["text"], "psst");
    assert_eq!(number(&server.get(&bob, &format!("/rooms/{room}"))["unread"]), 1);
    let path = format!("/rooms/{room}");
    server.refused(&ann, ("DELETE", &path, NOTHING), (403, "forbidden"));
    server.refused(&ann, ("PATCH", &path, &json!({"title": "Ours"})), (403, "forbidden"));
    let membership = format!("{path}/membership");
    server.refused(&ann, ("DELETE", &membership, NOTHING), (403, "forbidden"));
    server.refused(&ann, ("PUT", "/users/Ann/room", NOTHING), (404, "user_not_found"));
    server.refused(&ann, ("PUT", "/users/Nobody/room", NOTHING), (404, "user_not_found"));
}

#[test]
fn a_room_for_two_ends_with_a_guest_who_is_gone_for_good() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let (_, made) = answer(&server.send("POST /api/v1/guests", &json!({"name": "Zoe"})));
    let zoe = User { key: String::new(), session: text(&made["session"]) };
    let mut at_ann = server.live(&ann, Form::Lines);
    let (status, made) = server.api(&zoe, "PUT", "/users/Ann/room", NOTHING);
    assert_eq!(status, 201);
    let path = format!("/rooms/{}", made["id"]);
    at_ann.expect("room");
    let (status, _) = server.api(&zoe, "DELETE", "/sessions/current", NOTHING);
    assert_eq!(status, 204);
    assert_eq!(number(&at_ann.expect("room_gone")["room"]), number(&made["id"]));
    server.refused(&ann, ("GET", &path, NOTHING), (404, "room_not_found"));
    let say = json!({"text": "Are you there?"});
    server.refused(&ann, ("POST", &format!("{path}/messages"), &say), (404, "room_not_found"));
}
