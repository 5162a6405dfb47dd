//! Rooms, memberships, permissions, and read markers.

use serde_json::{Value, json};

use super::{FORMS, Form, number, text};
use crate::kit::TestServer;

const NOTHING: &Value = &Value::Null;

#[test]
fn a_room_is_made_changed_and_removed_by_its_owner() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let settings = json!({"title": "Den", "description": "deep", "visibility": "public"});
    let (status, room) = server.api(&ann, "POST", "/rooms", &settings);
    assert_eq!(status, 201);
    for (field, is) in [
        ("title", json!("Den")),
        ("description", json!("deep")),
        ("visibility", json!("public")),
        ("kind", json!("room")),
        ("owner", json!("Ann")),
        ("member", json!(true)),
        ("online", json!(0)),
        ("unread", json!(0)),
        ("mentions", json!(0)),
    ] {
        assert_eq!(room[field], is, "{field} of {room}");
    }
    let den = number(&room["id"]);
    let path = format!("/rooms/{den}");
    assert_eq!(server.get(&ann, &path), room);
    server.refused(&bob, ("POST", "/rooms", &settings), (409, "title_taken"));
    server.refused(&bob, ("PATCH", &path, &json!({"title": "Bobs"})), (403, "forbidden"));
    server.refused(&bob, ("DELETE", &path, NOTHING), (403, "forbidden"));
    for (body, field) in [
        (json!({"visibility": "public"}), "title"),
        (json!({"title": "x", "visibility": "public"}), "title"),
        (json!({"title": "77", "visibility": "public"}), "title"),
        (json!({"title": "Loft"}), "visibility"),
        (json!({"title": "Loft", "visibility": "secret"}), "visibility"),
        (json!({"title": "Loft", "visibility": "private"}), "password"),
        (json!({"title": "Loft", "visibility": "hidden", "password": "short"}), "password"),
        (json!({"title": "Loft", "visibility": "public", "password": "open sesame"}), "password"),
        (
            json!({"title": "Loft", "visibility": "public", "description": "x".repeat(71)}),
            "description",
        ),
    ] {
        let (status, answer) = server.api(&ann, "POST", "/rooms", &body);
        let error = &answer["error"];
        let told = (status, &error["code"], &error["field"]);
        assert_eq!(told, (422, &json!("invalid_field"), &json!(field)), "{body}");
    }
    let mut at_ann = FORMS.map(|form| server.live(&ann, form));
    let (status, changed) = server.api(&ann, "PATCH", &path, &json!({"title": "Lair"}));
    assert_eq!(
        (status, &changed["title"], &changed["description"]),
        (200, &json!("Lair"), &json!("deep"))
    );
    assert_eq!(server.api(&ann, "DELETE", &path, NOTHING).0, 204);
    for stream in &mut at_ann {
        let told = stream.expect("room");
        assert_eq!((&told["room"]["title"], &told["room"]["id"]), (&json!("Lair"), &json!(den)));
        assert_eq!(stream.expect("room_gone")["room"], den);
    }
    server.refused(&ann, ("GET", &path, NOTHING), (404, "room_not_found"));
    server.refused(&ann, ("GET", "/rooms/x", NOTHING), (404, "room_not_found"));
    // The title is free again, the id is not.
    assert!(server.public(&bob, "Lair") > den);
    // The lobby has no owner.
    server.refused(&ann, ("DELETE", "/rooms/1", NOTHING), (403, "forbidden"));
    server.refused(&ann, ("PATCH", "/rooms/1", &json!({"title": "Mine"})), (403, "forbidden"));
}

#[test]
fn a_password_opens_and_a_membership_stays() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    for visibility in ["private", "hidden"] {
        let settings =
            json!({"title": visibility, "visibility": visibility, "password": "open sesame"});
        let room = server.make(&ann, &settings);
        let path = format!("/rooms/{room}/membership");
        let hidden = visibility == "hidden";
        let refusal = if hidden { (404, "room_not_found") } else { (403, "wrong_password") };
        for body in
            [Value::Null, json!({}), json!({"password": "not sesame"}), json!({"password": ""})]
        {
            server.refused(&bob, ("PUT", &path, &body), refusal);
        }
        let (status, seen) = server.api(&bob, "PUT", &path, &json!({"password": "open sesame"}));
        assert_eq!((status, &seen["member"]), (200, &json!(true)));
        // A member needs no password.
        assert_eq!(server.api(&bob, "PUT", &path, NOTHING).0, 200);
        // A new password removes the members, unless they are kept; the same password again changes
        // nothing.
        for change in [
            json!({"password": "other sesame", "keep_members": true}),
            json!({"password": "other sesame"}),
        ] {
            assert_eq!(server.api(&ann, "PATCH", &format!("/rooms/{room}"), &change).0, 200);
        }
        server.tell(&bob, room, "still in");
        server.kill();
        server.go_on();
        server.tell(&bob, room, "and after a restart");
        assert_eq!(server.api(&bob, "DELETE", &path, NOTHING).0, 204);
        let say = json!({"text": "out"});
        let refusal = if hidden { (404, "room_not_found") } else { (403, "forbidden") };
        server.refused(&bob, ("POST", &format!("/rooms/{room}/messages"), &say), refusal);
        let refusal = if hidden { (404, "room_not_found") } else { (403, "wrong_password") };
        server.refused(&bob, ("PUT", &path, &json!({"password": "open sesame"})), refusal);
        let (status, _) = server.api(&bob, "PUT", &path, &json!({"password": "other sesame"}));
        assert_eq!(status, 200);
    }
}

#[test]
fn a_room_is_readable_for_members_only() {
    const SECRET: &str = "plankton";
    let server = TestServer::start();
    let (ann, bob, eve) = (server.user("Ann"), server.user("Bob"), server.user("Eve"));
    let closed = |title: &str, visibility: &str| {
        let settings = json!({"title": title, "visibility": visibility, "password": "open sesame"});
        let room = server.make(&ann, &settings);
        let path = format!("/rooms/{room}/membership");
        let (status, _) = server.api(&bob, "PUT", &path, &json!({"password": "open sesame"}));
        assert_eq!(status, 200);
        room
    };
    let (private, hidden) = (closed("Private", "private"), closed("Hidden", "hidden"));
    let (status, direct) = server.api(&ann, "PUT", "/users/Bob/room", NOTHING);
    assert_eq!(status, 201);
    let direct = number(&direct["id"]);
    let mut at_eve = FORMS.map(|form| server.live(&eve, form));
    let only = format!("?rooms={private},{hidden},{direct},1");
    let mut asked = FORMS.map(|form| {
        let mut stream = server.stream(&eve, form, &only);
        stream.expect("caught_up");
        stream
    });
    for room in [private, hidden, direct] {
        let said = number(&server.tell(&ann, room, &format!("{SECRET} for Bob"))["seq"]);
        let unseen = if room == private { (403, "forbidden") } else { (404, "room_not_found") };
        let base = format!("/rooms/{room}");
        let one = format!("{base}/messages/{said}");
        for path in [
            format!("{base}/messages"),
            format!("{base}/messages?around={said}"),
            one.clone(),
            format!("{base}/members"),
            format!("/search?q={SECRET}&room={room}"),
        ] {
            server.refused(&eve, ("GET", &path, NOTHING), unseen);
        }
        let body = json!({"text": "me too", "reply_to": said});
        for (method, path, body) in [
            ("POST", format!("{base}/messages"), &body),
            ("PUT", format!("{base}/messages/e1"), &body),
            ("PATCH", one.clone(), &body),
            ("DELETE", one.clone(), NOTHING),
            ("PUT", format!("{one}/reactions/%F0%9F%91%8D"), NOTHING),
            ("PUT", format!("{base}/read"), &json!({"seq": said})),
        ] {
            server.refused(&eve, (method, &path, body), unseen);
        }
        if room == private {
            let seen = [server.get(&eve, &base), server.get(&eve, "/rooms")["rooms"][1].clone()];
            for seen in seen {
                assert_eq!((&seen["id"], &seen["last_seq"]), (&json!(private), &json!(0)));
            }
        } else {
            server.refused(&eve, ("GET", &base, NOTHING), unseen);
            server.refused(&eve, ("PUT", &format!("{base}/membership"), NOTHING), unseen);
        }
        // A message exists only in its own room.
        server.refused(
            &eve,
            ("GET", &format!("/rooms/1/messages/{said}"), NOTHING),
            (404, "message_not_found"),
        );
        for frame in [
            json!({"type": "send", "room": room, "client_id": "w1", "text": "me too"}),
            json!({"type": "edit", "room": room, "target": said, "client_id": "w2", "text": "x"}),
            json!({"type": "react", "room": room, "target": said, "client_id": "w3",
                "emoji": "👍", "on": true}),
            json!({"type": "delete", "room": room, "target": said, "client_id": "w4"}),
            json!({"type": "read", "room": room, "seq": said}),
            json!({"type": "typing", "room": room}),
        ] {
            at_eve[0].say(&frame);
            let error = at_eve[0].find("error");
            assert_eq!(error["error"]["code"], unseen.1, "{frame} {error}");
            assert_eq!(error["client_id"], frame["client_id"], "{frame}");
        }
        // The other protocols.
        let chitchat = format!("/chats/{room}");
        for cookie in [String::new(), format!("Cookie: session={}\r\n", eve.session)] {
            let refused =
                server.try_ws(&format!("{chitchat}/ws"), &cookie).err().expect("no subscription");
            assert!(matches!(refused.status, 401..=404), "{refused:?}");
            let entrance = server.ask(&format!("GET {chitchat}/entrance"), &cookie, "");
            assert!(!entrance.text().contains(SECRET));
            if room == direct {
                let secret = json!({"secret": "", "name": "Eve"}).to_string();
                for (line, body) in [
                    (format!("GET {chitchat}"), ""),
                    (format!("DELETE {chitchat}"), ""),
                    (format!("PUT {chitchat}"), r#"{"title":"Mine"}"#),
                    (format!("POST {chitchat}/token"), secret.as_str()),
                ] {
                    let response = server.ask(&line, &cookie, body);
                    assert_eq!(response.status, 404, "{line} {response:?}");
                }
            }
        }
    }
    assert!(
        server.get(&bob, &format!("/search?q={SECRET}"))["messages"]
            .as_array()
            .is_some_and(|all| all.len() == 3)
    );
    assert_eq!(server.get(&eve, &format!("/search?q={SECRET}"))["messages"], json!([]));
    let listed = text(&json!(server.get(&eve, "/rooms").to_string()));
    for gone in [hidden, direct] {
        assert!(!listed.contains(&format!("\"id\":{gone},")), "{listed}");
    }
    assert!(!server.ask("GET /chats", "", "").text().contains("Hidden"));
    // No live frame came, and none comes on a resume.
    server.tell(&ann, 1, "for all");
    for stream in at_eve.iter_mut().chain(&mut asked) {
        assert_eq!(stream.expect("message")["text"], "for all");
    }
    for form in FORMS {
        let since = format!("?since={}:0", at_eve[0].epoch);
        for frame in server.stream(&eve, form, &since).missed() {
            assert!(!frame.to_string().contains(SECRET), "{frame}");
            let room = frame["room"].as_u64().or(frame["room"]["id"].as_u64());
            assert_eq!(room, Some(1), "{frame}");
        }
    }
}

#[test]
fn read_markers_are_shared_by_all_devices() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    server.enter(&bob, room);
    let phone = server.session(&bob.key);
    let mut devices = [server.live(&bob, Form::Ws), server.live(&phone, Form::Sse)];
    let seqs: Vec<u64> = ["one", "two, @bob", "three @BOB", "four @bobby"]
        .map(|said| number(&server.tell(&ann, room, said)["seq"]))
        .to_vec();
    let counts = |server: &TestServer| {
        let seen = server.get(&bob, &format!("/rooms/{room}"));
        (number(&seen["unread"]), number(&seen["mentions"]), number(&seen["read_seq"]))
    };
    let before = counts(&server);
    assert_eq!((before.0, before.1), (4, 2));
    let path = format!("/rooms/{room}/read");
    let (status, read) = server.api(&bob, "PUT", &path, &json!({"seq": seqs[1]}));
    assert_eq!((status, read), (200, json!({"read_seq": seqs[1]})));
    for device in &mut devices {
        let read = device.find("read");
        assert_eq!(read, json!({"type": "read", "room": room, "read_seq": seqs[1]}));
    }
    assert_eq!(counts(&server), (2, 1, seqs[1]));
    // Only forward, and not beyond the last message.
    let (_, read) = server.api(&bob, "PUT", &path, &json!({"seq": seqs[0]}));
    assert_eq!(read, json!({"read_seq": seqs[1]}));
    devices[0].say(&json!({"type": "read", "room": room, "seq": seqs[2]}));
    for device in &mut devices {
        assert_eq!(device.find("read")["read_seq"], seqs[2]);
    }
    let (_, read) = server.api(&bob, "PUT", &path, &json!({"seq": 1_u64 << 40}));
    let last = number(&server.get(&bob, &format!("/rooms/{room}"))["last_seq"]);
    assert_eq!(read, json!({"read_seq": last}));
    assert_eq!(counts(&server), (0, 0, last));
    for body in [json!({}), json!({"seq": "1"}), json!({"seq": -1}), json!({"seq": 1.5})] {
        server.refused(&bob, ("PUT", &path, &body), (422, "invalid_field"));
    }
    let mut late = server.stream(&bob, Form::Lines, "");
    assert_eq!(late.expect("caught_up")["read"][room.to_string()], last);
    server.stop();
    server.go_on();
    assert_eq!(counts(&server), (0, 0, last));
}

#[test]
fn members_are_listed_with_their_presence() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    server.enter(&bob, room);
    let _here = server.live(&bob, Form::Lines);
    let _visitor = server.guest(room, "Vic");
    let members = server.get(&ann, &format!("/rooms/{room}/members"));
    let mut names: Vec<(String, bool, bool)> = members["members"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|member| (text(&member["name"]), member["online"] == true, member["guest"] == true))
        .collect();
    names.sort();
    let expected = [("Ann", false, false), ("Bob", true, false), ("Vic", true, true)];
    assert_eq!(names, expected.map(|(name, here, guest)| (name.to_owned(), here, guest)));
    assert_eq!(number(&server.get(&ann, &format!("/rooms/{room}"))["online"]), 2);
}

#[test]
fn messages_are_deleted_with_their_room() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    server.enter(&bob, room);
    let mut at_bob = FORMS.map(|form| server.live(&bob, form));
    let from = at_bob[0].since();
    let seq = number(&server.tell(&ann, room, "plankton")["seq"]);
    assert_eq!(server.api(&ann, "DELETE", &format!("/rooms/{room}"), NOTHING).0, 204);
    for restart in [false, true] {
        if restart {
            server.kill();
            server.go_on();
        } else {
            for stream in &mut at_bob {
                stream.expect("message");
                assert_eq!(stream.expect("room_gone")["room"], room);
            }
        }
        for path in ["messages", &format!("messages/{seq}"), "members"] {
            let path = format!("/rooms/{room}/{path}");
            server.refused(&ann, ("GET", &path, NOTHING), (404, "room_not_found"));
        }
        assert_eq!(server.get(&ann, "/search?q=plankton")["messages"], json!([]));
        for form in FORMS {
            let missed = server.stream(&bob, form, &from).missed();
            let kinds: Vec<String> = missed.iter().map(|frame| text(&frame["type"])).collect();
            assert_eq!(kinds, ["room_gone"], "{missed:?}");
        }
    }
}

#[test]
fn a_room_that_becomes_private_keeps_its_members_on_request() {
    let server = TestServer::start();
    let (ann, bob, eve) = (server.user("Ann"), server.user("Bob"), server.user("Eve"));
    let room = server.public(&ann, "Den");
    server.enter(&bob, room);
    let (mut at_bob, mut visitor) = (server.live(&bob, Form::Sse), server.guest(room, "Vic"));
    let base = format!("/rooms/{room}");
    server.get(&eve, &format!("{base}/messages"));
    let keep_members = true;
    let hide = json!({"visibility": "hidden", "password": "open sesame",
        "keep_members": keep_members});
    assert_eq!(server.api(&ann, "PATCH", &base, &hide).0, 200);
    visitor.expect_close(1008);
    server.tell(&ann, room, "among us");
    assert_eq!(at_bob.expect("room")["room"]["visibility"], "hidden");
    assert_eq!(at_bob.expect("message")["text"], "among us");
    for path in [base.clone(), format!("{base}/messages"), format!("{base}/members")] {
        server.refused(&eve, ("GET", &path, NOTHING), (404, "room_not_found"));
    }
    assert_eq!(server.get(&eve, "/search?q=among")["messages"], json!([]));
    let open = json!({"visibility": "public"});
    assert_eq!(server.api(&ann, "PATCH", &base, &open).0, 200);
    // Opening the room does not reveal its older messages: not to reading, search or reactions, nor
    // to new members.
    let said = number(&server.get(&ann, &format!("{base}/messages"))["messages"][0]["seq"]);
    let after = number(&server.tell(&ann, room, "among all")["seq"]);
    for comes in [false, true] {
        if comes {
            server.enter(&eve, room);
        }
        for page in ["", "?before=9999", "?after=0", "?around=1"] {
            let page = server.get(&eve, &format!("{base}/messages{page}"));
            let texts = &page["messages"];
            assert_eq!(
                (texts.as_array().map(Vec::len), &texts[0]["seq"]),
                (Some(1), &json!(after))
            );
            assert_eq!(page["more_before"], false);
        }
        let one = format!("{base}/messages/{said}");
        server.refused(&eve, ("GET", &one, NOTHING), (404, "message_not_found"));
        let found = server.get(&eve, "/search?q=among");
        assert_eq!(found["messages"].as_array().map(Vec::len), Some(1), "{found}");
        if comes {
            let sign = format!("{one}/reactions/%F0%9F%91%8D");
            server.refused(&eve, ("PUT", &sign, NOTHING), (404, "message_not_found"));
            let body = json!({"text": "x", "reply_to": said});
            let path = format!("{base}/messages");
            server.refused(&eve, ("POST", &path, &body), (422, "invalid_field"));
        }
    }
    assert_eq!(server.get(&bob, "/search?q=among")["messages"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_new_password_or_the_owner_removes_a_member() {
    let server = TestServer::start();
    let (ann, bob, cat) = (server.user("Ann"), server.user("Bob"), server.user("Cat"));
    let settings = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = server.make(&ann, &settings);
    let (base, membership) = (format!("/rooms/{room}"), format!("/rooms/{room}/membership"));
    let enter =
        |who, password: &str| server.api(who, "PUT", &membership, &json!({"password": password})).0;
    assert_eq!((enter(&bob, "open sesame"), enter(&cat, "open sesame")), (200, 200));
    // Removed, in every protocol.
    let token = server.token(room, "open sesame", "Vic");
    let auth = format!("Authorization: Bearer {token}\r\n");
    let mut vic = server.ws(&format!("/chats/{room}/ws"), &auth);
    let out = |name: &str| server.api(&ann, "DELETE", &format!("{base}/members/{name}"), NOTHING).0;
    assert_eq!(out("Vic"), 204);
    vic.expect_close(1008);
    let mut at_bob = FORMS.map(|form| server.live(&bob, form));
    let mut at_ann = server.live(&ann, Form::Ws);
    assert_eq!((out("bob"), out("Nobody"), out("Ann")), (204, 404, 403));
    at_bob.iter_mut().for_each(|stream| assert_eq!(stream.expect("room_gone")["room"], room));
    let told = at_ann.expect("member");
    assert_eq!((&told["name"], &told["in"]), (&json!("Bob"), &json!(false)));
    server.refused(&bob, ("GET", &format!("{base}/messages"), NOTHING), (403, "forbidden"));
    let cats = format!("{base}/members/Ann");
    server.refused(&cat, ("DELETE", &cats, NOTHING), (403, "forbidden"));
    // A new password applies to all.
    let mut at_cat = server.live(&cat, Form::Sse);
    let change = json!({"password": "other sesame"});
    assert_eq!(server.api(&ann, "PATCH", &base, &change).0, 200);
    assert_eq!(at_cat.expect("room_gone")["room"], room);
    assert_eq!(at_ann.expect("room")["room"]["id"], room);
    server.refused(&cat, ("GET", &format!("{base}/messages"), NOTHING), (403, "forbidden"));
    assert_eq!((enter(&cat, "open sesame"), enter(&cat, "other sesame")), (403, 200));
    server.get(&ann, &format!("{base}/messages"));
}

#[test]
fn all_clients_reload_at_once() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let crowd: Vec<_> = (0..400)
        .map(|_| {
            let mut http = server.http();
            http.request("GET /api/v1/rooms", &ann.bearer());
            http
        })
        .collect();
    for mut http in crowd {
        let response = http.response();
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.json()["rooms"][0]["id"], 1);
    }
}

#[test]
fn own_messages_are_read() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    server.tell(&ann, 1, "I am @Ann");
    server.tell(&bob, 1, "hello @Ann");
    let unread = |who| {
        let room = server.get(who, "/rooms/1");
        (number(&room["unread"]), number(&room["mentions"]))
    };
    assert_eq!((unread(&ann), unread(&bob)), ((1, 1), (1, 0)));
}
