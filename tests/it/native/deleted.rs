//! Deleted rooms can be restored: through the API and the stream, and after a power cut, a backup
//! and an export.

use serde_json::{Value, json};

use super::{FORMS, User, number, text};
use crate::kit::{TestServer, failure, run, shanty};

const NOTHING: &Value = &Value::Null;

fn delete(server: &TestServer, who: &User, room: u64) {
    assert_eq!(server.api(who, "DELETE", &format!("/rooms/{room}"), NOTHING).0, 204);
}

/// The titles of the rooms that the user can restore.
fn deleted(server: &TestServer, who: &User) -> Vec<String> {
    let list = server.get(who, "/me/deleted");
    let rooms = list["rooms"].as_array().expect("rooms");
    rooms.iter().map(|room| text(&room["title"])).collect()
}

#[test]
fn a_deleted_room_comes_back_with_its_messages_and_its_password() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let settings = json!({"title": "Den", "description": "ours", "visibility": "hidden",
        "password": "open sesame"});
    let room = server.make(&ann, &settings);
    let membership = format!("/rooms/{room}/membership");
    let key = json!({"password": "open sesame"});
    assert_eq!(server.api(&bob, "PUT", &membership, &key).0, 200);
    let mut at_bob = FORMS.map(|form| server.live(&bob, form));
    let from = at_bob[0].since();
    server.tell(&bob, room, "plankton");
    let before = server.get(&ann, &format!("/rooms/{room}"));
    delete(&server, &ann, room);
    for again in [false, true] {
        if again {
            server.kill();
            server.go_on();
        }
        let restore = format!("/rooms/{room}/restore");
        let list = server.get(&ann, "/me/deleted");
        let one = &list["rooms"][0];
        assert_eq!((&one["id"], &one["title"]), (&json!(room), &json!("Den")), "{list}");
        assert!(text(&one["until"]) > text(&one["deleted"]), "{one}");
        assert_eq!(deleted(&server, &bob), [""; 0]);
        server.refused(&bob, ("POST", &restore, NOTHING), (404, "room_not_found"));
        for path in ["", "/messages", "/members"] {
            let path = format!("/rooms/{room}{path}");
            server.refused(&ann, ("GET", &path, NOTHING), (404, "room_not_found"));
        }
        assert_eq!(server.get(&ann, "/search?q=plankton")["messages"], json!([]));
        assert_eq!(server.get(&ann, "/rooms")["rooms"].as_array().map(Vec::len), Some(1));
        let (status, back) = server.api(&ann, "POST", &restore, NOTHING);
        assert_eq!(status, 200, "{back}");
        for field in ["id", "title", "description", "visibility", "owner", "created", "last_seq"] {
            assert_eq!(back[field], before[field], "{field}");
        }
        assert_eq!((deleted(&server, &ann), &back["member"]), (vec![], &json!(true)));
        server.refused(&ann, ("POST", &restore, NOTHING), (404, "room_not_found"));
        let page = server.get(&bob, &format!("/rooms/{room}/messages"));
        assert_eq!(page["messages"][0]["text"], "plankton");
        assert_eq!(
            server.get(&ann, "/search?q=plankton")["messages"].as_array().map(Vec::len),
            Some(1)
        );
        let eve = server.user(if again { "Eve" } else { "Dan" });
        let wrong = json!({"password": "wrong password"});
        server.refused(&eve, ("PUT", &membership, &wrong), (404, "room_not_found"));
        assert_eq!(server.api(&eve, "PUT", &membership, &key).0, 200);
        if !again {
            for stream in &mut at_bob {
                stream.expect("message");
                assert_eq!(stream.expect("room_gone")["room"], room);
                assert_eq!(stream.expect("room")["room"]["title"], "Den");
                stream.expect("member");
            }
            for form in FORMS {
                let missed = server.stream(&bob, form, &from).missed();
                let kinds: Vec<String> = missed.iter().map(|frame| text(&frame["type"])).collect();
                assert_eq!(kinds, ["room_gone", "room", "member"], "{missed:?}");
            }
            delete(&server, &ann, room);
        }
    }
}

#[test]
fn a_restored_room_with_a_taken_title_and_chitchat() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    // ChitChat deletes as it always did.
    let done = server.ask(&format!("DELETE /chats/{room}"), &ann.bearer(), "");
    let cookie = format!("Cookie: session={}\r\n", ann.session);
    let done = if done.status == 200 {
        done
    } else {
        server.ask(&format!("DELETE /chats/{room}"), &cookie, "")
    };
    done.expect(200, &json!({"status": true}));
    let gone = failure(101, "Room error: Room not found", &room.to_string());
    server.ask(&format!("GET /chats/{room}"), &cookie, "").expect(404, &gone);
    let other = server.public(&bob, "den");
    let restore = format!("/rooms/{room}/restore");
    server.refused(&ann, ("POST", &restore, NOTHING), (409, "title_taken"));
    server.refused(&ann, ("POST", &restore, &json!({"title": "x"})), (422, "invalid_field"));
    server.refused(&ann, ("POST", &restore, &json!({"title": "DEN"})), (409, "title_taken"));
    let (status, back) = server.api(&ann, "POST", &restore, &json!({"title": "Attic"}));
    assert_eq!((status, &back["title"], number(&back["id"])), (200, &json!("Attic"), room));
    for path in [format!("/rooms/{other}/restore"), "/rooms/99/restore".to_owned()] {
        server.refused(&ann, ("POST", &path, NOTHING), (404, "room_not_found"));
    }
    let stranger = server.ask(&format!("POST /api/v1{restore}"), "", "");
    assert_eq!((stranger.status, server.ask("GET /api/v1/me/deleted", "", "").status), (401, 401));
}

#[test]
fn deleted_rooms_are_in_backups_and_exports() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let room = server.public(&ann, "Den");
    server.tell(&ann, room, "kept");
    delete(&server, &ann, room);
    let db = server.db();
    let path = |name| server.scratch.path(name);
    let tend = |db: &str, words: &[&str]| {
        let mut command = shanty();
        command.args(["--db", db]).args(words);
        let end = run(command);
        assert_eq!((end.code, &*end.stderr), (Some(0), ""), "{words:?}");
    };
    tend(&db, &["backup", &path("backup")]);
    tend(&db, &["export", &path("lines")]);
    tend(&path("imported"), &["import", &path("lines")]);
    for file in ["backup", "imported"] {
        let file = path(file);
        tend(&file, &["verify"]);
        let copy = TestServer::of(move |_| {
            let mut command = shanty();
            command.args(["--listen", "127.0.0.1:0", "--db", &file]);
            command
        });
        let ann = copy.session(&ann.key);
        assert_eq!(deleted(&copy, &ann), ["Den"]);
        assert_eq!(copy.api(&ann, "POST", &format!("/rooms/{room}/restore"), NOTHING).0, 200);
        let page = copy.get(&ann, &format!("/rooms/{room}/messages"));
        assert_eq!(page["messages"][0]["text"], "kept");
    }
}
