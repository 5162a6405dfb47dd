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
    let (room, path) = (number(&made["id"]), format!("/rooms/{}", made["id"]));
    assert_eq!(at_ann.expect("room")["room"]["title"], "Bob");
    // Bob sees the room from Ann's first message on.
    server.refused(&bob, ("GET", &path, NOTHING), (404, "room_not_found"));
    assert_eq!(server.get(&bob, "/rooms")["rooms"].as_array().map(Vec::len), Some(1));
    at_ann.send(room, "d1", "psst");
    let told = at_bob.expect("room");
    assert_eq!((&told["room"]["id"], &told["room"]["title"]), (&json!(room), &json!("Ann")));
    assert_eq!(told["room"]["kind"], "direct");
    assert_eq!(at_bob.expect("message")["text"], "psst");
    assert_eq!(number(&server.get(&bob, &path)["unread"]), 1);
    let (status, again) = server.api(&bob, "PUT", "/users/ANN/room", NOTHING);
    assert_eq!((status, &again["id"], &again["title"]), (200, &json!(room), &json!("Ann")));
    server.refused(&ann, ("DELETE", &path, NOTHING), (403, "forbidden"));
    server.refused(&ann, ("PATCH", &path, &json!({"title": "Ours"})), (403, "forbidden"));
    server.refused(&ann, ("PUT", "/users/Ann/room", NOTHING), (404, "user_not_found"));
    server.refused(&ann, ("PUT", "/users/Nobody/room", NOTHING), (404, "user_not_found"));
}

/// Two users that have exchanged messages, and their room.
fn pair(server: &TestServer) -> (User, User, u64) {
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let (status, made) = server.api(&ann, "PUT", "/users/Bob/room", NOTHING);
    assert_eq!(status, 201, "{made}");
    let room = number(&made["id"]);
    server.tell(&ann, room, "first");
    (ann, bob, room)
}

fn leave(server: &TestServer, who: &User, room: u64) {
    let (status, said) = server.api(who, "DELETE", &format!("/rooms/{room}/membership"), NOTHING);
    assert_eq!(status, 204, "{said}");
}

/// The rooms for two in a user's list.
fn listed(server: &TestServer, who: &User) -> Vec<u64> {
    let all = server.get(who, "/rooms");
    let all = all["rooms"].as_array().expect("a list").iter();
    all.filter(|room| room["kind"] == "direct").map(|room| number(&room["id"])).collect()
}

fn texts(server: &TestServer, who: &User, room: u64) -> Vec<String> {
    let page = server.get(who, &format!("/rooms/{room}/messages"));
    page["messages"]
        .as_array()
        .expect("a page")
        .iter()
        .map(|message| text(&message["text"]))
        .collect()
}

#[test]
fn the_next_message_brings_a_left_room_for_two_back() {
    let server = TestServer::start();
    let (ann, bob, room) = pair(&server);
    let path = format!("/rooms/{room}");
    let mut at_bob = server.live(&bob, Form::Ws);
    let mut at_ann = server.live(&ann, Form::Lines);
    leave(&server, &bob, room);
    assert_eq!(number(&at_bob.expect("room_gone")["room"]), room);
    assert_eq!((listed(&server, &bob), listed(&server, &ann)), (vec![], vec![room]));
    server.refused(&bob, ("GET", &path, NOTHING), (404, "room_not_found"));
    let history = format!("{path}/messages");
    server.refused(&bob, ("GET", &history, NOTHING), (404, "room_not_found"));
    server.tell(&ann, room, "second");
    let told = at_bob.expect("room");
    assert_eq!((number(&told["room"]["id"]), &told["room"]["title"]), (room, &json!("Ann")));
    assert_eq!(at_bob.expect("message")["text"], "second");
    assert_eq!(at_ann.expect("message")["text"], "second", "she is told of nothing else");
    assert_eq!(number(&server.get(&bob, &path)["unread"]), 1);
    assert_eq!(texts(&server, &bob, room), ["first", "second"]);
    // By the user's own message, too; and a user that was away gets the same events.
    let away = at_bob.since();
    leave(&server, &bob, room);
    at_bob.expect("room_gone");
    server.tell(&bob, room, "third");
    at_bob.expect("room");
    let said = at_bob.expect("message");
    let missed = server.stream(&bob, Form::Lines, &away).missed();
    let kinds: Vec<String> = missed.iter().map(|frame| text(&frame["type"])).collect();
    assert_eq!(kinds, ["room_gone", "room", "message"]);
    assert_eq!((&missed[2]["seq"], &missed[2]["text"]), (&said["seq"], &json!("third")));
    // Opening it again brings it back without a message.
    leave(&server, &bob, room);
    let (status, back) = server.api(&bob, "PUT", "/users/Ann/room", NOTHING);
    assert_eq!((status, number(&back["id"])), (200, room));
    assert_eq!(texts(&server, &bob, room), ["first", "second", "third"]);
}

#[test]
fn a_room_for_two_ends_when_both_have_left() {
    let mut server = TestServer::start();
    let (ann, bob, room) = pair(&server);
    leave(&server, &bob, room);
    // That survives kill -9.
    server.kill();
    server.go_on();
    assert_eq!((listed(&server, &bob), listed(&server, &ann)), (vec![], vec![room]));
    leave(&server, &ann, room);
    let say = json!({"text": "Are you there?"});
    for one in [&ann, &bob] {
        let path = format!("/rooms/{room}/messages");
        server.refused(one, ("GET", &path, NOTHING), (404, "room_not_found"));
        server.refused(one, ("POST", &path, &say), (404, "room_not_found"));
        assert_eq!(server.get(one, "/search?q=first")["messages"], json!([]));
        assert!(listed(&server, one).is_empty());
    }
    let (status, made) = server.api(&bob, "PUT", "/users/Ann/room", NOTHING);
    assert_eq!(status, 201);
    assert_ne!(number(&made["id"]), room);
    assert_eq!(texts(&server, &bob, number(&made["id"])), [""; 0]);
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
    server.tell(&zoe, number(&made["id"]), "hello");
    at_ann.expect("room");
    at_ann.expect("message");
    let (status, _) = server.api(&zoe, "DELETE", "/sessions/current", NOTHING);
    assert_eq!(status, 204);
    assert_eq!(number(&at_ann.expect("room_gone")["room"]), number(&made["id"]));
    server.refused(&ann, ("GET", &path, NOTHING), (404, "room_not_found"));
    let say = json!({"text": "Are you there?"});
    server.refused(&ann, ("POST", &format!("{path}/messages"), &say), (404, "room_not_found"));
}

/// A repeated message, or one that the log refuses, brings no member back.
#[test]
fn a_repeated_message_does_not_bring_back_who_has_left() {
    let server = TestServer::start();
    let (ann, bob, room) = pair(&server);
    let path = format!("/rooms/{room}/messages/once");
    let words = json!({"text": "only once"});
    let (status, said) = server.api(&ann, "PUT", &path, &words);
    assert_eq!(status, 201, "{said}");
    for (leaver, stays) in [(&bob, &ann), (&ann, &bob)] {
        leave(&server, leaver, room);
        let mut at_leaver = server.live(leaver, Form::Ws);
        assert_eq!(server.api(&ann, "PUT", &path, &words), (200, said.clone()));
        let other = json!({"text": "something else"});
        server.refused(&ann, ("PUT", &path, &other), (409, "client_id_reused"));
        let astray = json!({"text": "an answer to nothing", "reply_to": 1});
        let to = format!("/rooms/{room}/messages");
        server.refused(&ann, ("POST", &to, &astray), (422, "invalid_field"));
        assert_eq!((listed(&server, leaver), listed(&server, stays)), (vec![], vec![room]));
        // The first event after all that is the room that is back.
        server.tell(stays, room, "new");
        assert_eq!(at_leaver.find("room")["room"]["id"], room);
        assert_eq!(at_leaver.expect("message")["text"], "new");
        assert_eq!(listed(&server, leaver), [room]);
    }
}
