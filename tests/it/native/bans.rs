//! Bans, and what else administrators do to others, at every door; and the audit.

use serde_json::{Value, json};

use super::in_charge::{admin, is_done, is_put_out, with_admin};
use super::{Form, answer, number, text};
use crate::kit::{TestServer, cookie, failure, run, shanty};

const NOTHING: &Value = &Value::Null;

#[test]
fn a_banned_account_is_put_out_and_refused_with_one_sentence_at_every_door() {
    let (mut server, ann) = with_admin(&[]);
    let (bob, pip) = (server.user("Bob"), server.account("Pip"));
    let pip_again = server.session(&pip.key);
    let mut stream = server.live(&pip_again, Form::Lines);
    let (mut pirate, mut chitchat) = (server.pirate(&pip), server.ws("/chats/1/ws", &cookie(&pip)));
    server.refused(&bob, ("PUT", "/users/Pip/ban", NOTHING), (403, "forbidden"));
    server.refused(&ann, ("PUT", "/users/Ann/ban", NOTHING), (403, "forbidden"));
    server.refused(&ann, ("PUT", "/users/Nemo/ban", NOTHING), (404, "user_not_found"));
    let (status, body) = server.api(&ann, "PUT", "/users/pip/ban", &json!({"reason": "spam"}));
    assert_eq!(status, 204, "{body}");
    let later = server.tell(&ann, 1, "he is gone");
    is_put_out(&mut pirate);
    is_put_out(&mut chitchat);
    let mut heard = Vec::new();
    while let Some(frame) = stream.frame() {
        heard.push(frame);
    }
    let last = heard.last().expect("a frame");
    assert_eq!((&last["type"], &last["code"]), (&json!("bye"), &json!("banned")), "{heard:?}");
    assert!(heard.iter().all(|frame| frame["seq"] != later["seq"]), "{heard:?}");
    // No door is open, and a cursor opens none.
    let key = format!("Authorization: Bearer {}\r\n", pip.key);
    for line in ["GET /api/v1/me", "GET /api/v1/rooms", "GET /api/v1/events", "GET /r/1"] {
        let (status, body) = answer(&server.ask(line, &key, ""));
        assert_eq!((status, &body["error"]["code"]), (403, &json!("banned")), "{line} {body}");
        let (status, _) = answer(&server.ask(line, &pip_again.bearer(), ""));
        assert_eq!(status, 401, "{line}");
    }
    let resumed = server.ask(&format!("GET /api/v1/events{}", stream.since()), &key, "");
    assert_eq!(resumed.status, 403);
    let login = answer(&server.send("POST /api/v1/sessions", &json!({"key": pip.key})));
    assert_eq!((login.0, &login.1["error"]["code"]), (403, &json!("banned")));
    let says = "you are banned from this server; ask its administrators";
    let login = server.send("POST /api/login", &json!({"key": pip.key}));
    assert_eq!((login.status, login.json()), (403, json!({"error": says})));
    assert_eq!(text(&login.json()["error"]), says);
    assert_eq!(server.try_ws("/ws", &cookie(&pip)).err().map(|no| no.status), Some(401));
    let banned = server.get(&ann, "/bans/users");
    assert_eq!(banned["users"][0]["name"], "Pip");
    assert_eq!(banned["users"][0]["banned"], true);
    server.refused(&bob, ("GET", "/bans/users", NOTHING), (403, "forbidden"));
    // It outlasts a restart, an export and an import.
    assert_eq!(server.stop().code, Some(0));
    server.go_on();
    assert_eq!(server.send("POST /api/login", &json!({"key": pip.key})).status, 403);
    assert_eq!(server.api(&ann, "DELETE", "/users/Pip/ban", NOTHING).0, 204);
    let back = server.session(&pip.key);
    let rooms = server.get(&back, "/rooms/1/messages");
    assert_eq!(rooms["messages"][0]["text"], "he is gone", "the memberships are as before");
}

#[test]
fn a_banned_address_is_refused_at_every_door_for_a_time_except_for_people_in_charge() {
    let (server, ann) = with_admin(&[]);
    let bob = server.user("Bob");
    let from = "X-Forwarded-For: 203.0.113.7\r\n";
    let mut jack = server.ws("/chats/1/ws", from);
    jack.say(&json!({"event_type": "join", "name": "Jack"}));
    let mut other = server.guest(1, "Joe");
    server.refused(&ann, ("PUT", "/users/Jack/ban", NOTHING), (422, "invalid_field"));
    let minutes = |minutes: u64| json!({"address_minutes": minutes, "reason": "floods"});
    server.refused(&ann, ("PUT", "/users/Jack/ban", &minutes(0)), (422, "invalid_field"));
    server.refused(&ann, ("PUT", "/users/Joe/ban", &minutes(5)), (422, "invalid_field"));
    assert_eq!(server.api(&ann, "PUT", "/users/Jack/ban", &minutes(5)).0, 204);
    is_put_out(&mut jack);
    let says = "Client error: You are banned from this server";
    for line in ["GET /chats", "GET /chats/1", "POST /chats"] {
        let body =
            if line == "POST /chats" { r#"{"title":"Den","visibility":"public"}"# } else { "" };
        let refused = server.ask(line, from, body);
        assert_eq!((refused.status, refused.json()), (403, failure(307, says, "")), "{line}");
    }
    assert_eq!(server.try_ws("/chats/1/ws", from).err().map(|no| no.status), Some(403));
    for (line, body) in [
        ("POST /api/register", r#"{"username":"Zed"}"#),
        ("POST /api/v1/accounts", r#"{"name":"Zed"}"#),
        ("POST /api/v1/guests", r#"{"name":"Zed"}"#),
        ("GET /api/v1/server", ""),
    ] {
        assert_eq!(server.ask(line, from, body).status, 403, "{line}");
    }
    let me =
        |who: &super::User| server.ask("GET /api/v1/me", &format!("{from}{}", who.bearer()), "");
    assert_eq!((me(&bob).status, me(&ann).status), (403, 200));
    assert_eq!(server.ask("GET /healthz", from, "").status, 200);
    // Others do not notice.
    other.say(&json!({"event_type": "send", "name": "Joe", "msg": "still here"}));
    let banned = server.get(&ann, "/bans/addresses");
    assert_eq!(banned["addresses"][0]["address"], "203.0.113.7");
    let path = "/bans/addresses/203.0.113.7";
    for (wrong, body) in [
        ("/bans/addresses/nowhere", json!({"minutes": 5})),
        ("/bans/addresses/127.0.0.1", json!({"minutes": 5})),
        (path, json!({})),
        (path, json!({"minutes": 43_201})),
    ] {
        server.refused(&ann, ("PUT", wrong, &body), (422, "invalid_field"));
    }
    server.refused(&bob, ("DELETE", path, NOTHING), (403, "forbidden"));
    assert_eq!(server.api(&ann, "DELETE", path, NOTHING).0, 204);
    assert_eq!(me(&bob).status, 200);
    assert_eq!(server.api(&ann, "PUT", path, &json!({"minutes": 5})).0, 204);
    assert_eq!(me(&bob).status, 403);
}

#[test]
fn administrators_remove_rooms_and_messages_and_name_room_1() {
    let (server, ann) = with_admin(&[]);
    let (bob, own) = (server.user("Bob"), server.user("Own"));
    is_done(&admin(&server, &["make-owner", "Own"]));
    let den = server
        .make(&bob, &json!({"title": "Den", "visibility": "private", "password": "long enough"}));
    let said = number(&server.tell(&bob, den, "words")["seq"]);
    let message = format!("/rooms/{den}/messages/{said}");
    let mut stream = server.live(&bob, Form::Lines);
    let reason = json!({"reason": "rude"});
    let cat = server.user("Cat");
    server.refused(&cat, ("DELETE", &message, &reason), (403, "forbidden"));
    assert_eq!(server.api(&ann, "DELETE", &message, &reason).0, 204);
    assert_eq!(server.api(&ann, "DELETE", &message, NOTHING).0, 204, "again");
    let deleted = stream.find("delete");
    assert_eq!((number(&deleted["target"]), &deleted["by"]), (said, &json!("Ann")), "{deleted}");
    // The author and the owner of a room may give a reason, too.
    let said = number(&server.tell(&bob, den, "more")["seq"]);
    assert_eq!(
        server.api(&bob, "DELETE", &format!("/rooms/{den}/messages/{said}"), &reason).0,
        204
    );
    let room = format!("/rooms/{den}");
    server.refused(&cat, ("DELETE", &room, &reason), (403, "forbidden"));
    assert_eq!(server.api(&ann, "DELETE", &room, &reason).0, 204);
    assert_eq!(number(&stream.find("room_gone")["room"]), den);
    server.refused(&bob, ("POST", &format!("{room}/restore"), NOTHING), (404, "room_not_found"));
    // Through ChitChat an administrator deletes by the session.
    let hut = server.public(&bob, "Hut");
    let session = format!("Cookie: session={}\r\n", ann.session);
    assert_eq!(server.ask(&format!("DELETE /chats/{hut}"), "", "").status, 401);
    assert_eq!(server.ask(&format!("DELETE /chats/{hut}"), &session, "").status, 200);
    // Room 1.
    let name = json!({"title": "The deck", "description": "Where all meet"});
    server.refused(&bob, ("PATCH", "/rooms/1", &name), (403, "forbidden"));
    for (who, name) in [(&own, &json!({"title": "The hold"})), (&ann, &name)] {
        let (status, body) = server.api(who, "PATCH", "/rooms/1", name);
        assert_eq!((status, &body["title"]), (200, &name["title"]), "{body}");
    }
    let closed = json!({"visibility": "private", "password": "long enough"});
    server.refused(&own, ("PATCH", "/rooms/1", &closed), (403, "forbidden"));
    server.refused(&own, ("DELETE", "/rooms/1", NOTHING), (403, "forbidden"));
    assert_eq!(server.send("GET /chats/1", NOTHING).json()["title"], "The deck");
}

/// What a stream that is behind reads of the log ends with the ban.
#[test]
fn a_lagging_stream_reads_nothing_that_is_behind_the_ban() {
    let server: TestServer = with_admin(&[]).0;
    let (bob, cat) = (server.user("Bob"), server.user("Cat"));
    let epoch = text(&server.get(&bob, "/server")["epoch"]);
    for index in 0..600 {
        server.tell(&cat, 1, &format!("{index} {}", "x".repeat(200)));
    }
    let mut stream = server.stream(&bob, Form::Lines, &format!("?since={epoch}:1"));
    is_done(&admin(&server, &["make-admin", "Cat"]));
    assert_eq!(server.api(&cat, "PUT", "/users/Bob/ban", NOTHING).0, 204);
    let behind = number(&server.tell(&cat, 1, "behind the ban")["seq"]);
    while let Some(frame) = stream.frame() {
        assert!(frame["type"] != "message" || number(&frame["seq"]) < behind, "{frame}");
    }
}

#[test]
fn the_audit_says_who_did_what_to_whom_when_and_why() {
    let (server, ann) = with_admin(&[]);
    let (bob, own) = (server.user("Bob"), server.user("Own"));
    is_done(&admin(&server, &["make-owner", "Own"]));
    let den = server.public(&bob, "Den");
    let said = number(&server.tell(&bob, 1, "words")["seq"]);
    let mine = number(&server.tell(&ann, 1, "my own words")["seq"]);
    let why = json!({"reason": "rude"});
    let done = |who: &super::User, method: &str, path: &str, body: &Value| {
        let (status, said) = server.api(who, method, path, body);
        assert!(status < 300, "{method} {path}: {status} {said}");
    };
    done(&ann, "DELETE", &format!("/rooms/1/messages/{said}"), &why);
    done(&ann, "DELETE", &format!("/rooms/1/messages/{mine}"), NOTHING);
    done(&ann, "DELETE", &format!("/rooms/{den}"), &why);
    done(&ann, "PUT", "/users/Bob/ban", &why);
    done(&ann, "DELETE", "/users/Bob/ban", NOTHING);
    let address = "/bans/addresses/203.0.113.7";
    done(&ann, "PUT", address, &json!({"minutes": 5, "reason": "floods"}));
    done(&ann, "DELETE", address, NOTHING);
    done(&own, "PATCH", "/rooms/1", &json!({"title": "The deck"}));
    done(&own, "PATCH", "/server/settings", &json!({"guests": "rooms", "reason": "quiet"}));
    done(&own, "DELETE", "/users/Ann/role", &json!({"reason": "on leave"}));
    for (who, code) in [(&ann, "forbidden"), (&bob, "unauthenticated")] {
        let status = if code == "forbidden" { 403 } else { 401 };
        server.refused(who, ("GET", "/audit", NOTHING), (status, code));
    }
    let all = server.get(&own, "/audit");
    assert_eq!(all["next"], Value::Null);
    let deeds = all["deeds"].as_array().expect("a list");
    let shown: Vec<Value> = deeds
        .iter()
        .map(|deed| {
            assert!(number(&deed["seq"]) > 0 && text(&deed["time"]).ends_with('Z'), "{deed}");
            let mut deed = deed.clone();
            for field in ["seq", "time", "until"] {
                deed.as_object_mut().expect("an object").remove(field);
            }
            deed
        })
        .collect();
    let deed = |by: Value, what: &str, reason: Value, rest: Value| {
        let mut deed = json!({"by": by, "what": what, "reason": reason});
        let rest = rest.as_object().expect("an object").clone();
        deed.as_object_mut().expect("an object").extend(rest);
        deed
    };
    let none = Value::Null;
    let (ann_is, own_is) = (json!("Ann"), json!("Own"));
    let (title, settings) = ("The deck", json!({"registration": "open", "guests": "rooms"}));
    let address = json!({"address": "203.0.113.7"});
    assert_eq!(
        shown,
        [
            deed(own_is.clone(), "take_role", json!("on leave"), json!({"user": "Ann"})),
            deed(own_is.clone(), "change_settings", json!("quiet"), settings),
            deed(own_is, "change_room", none.clone(), json!({"room": 1, "title": title})),
            deed(ann_is.clone(), "lift_address_ban", none.clone(), address.clone()),
            deed(ann_is.clone(), "ban_address", json!("floods"), address),
            deed(ann_is.clone(), "lift_ban", none.clone(), json!({"user": "Bob"})),
            deed(ann_is.clone(), "ban", json!("rude"), json!({"user": "Bob"})),
            deed(
                ann_is.clone(),
                "remove_room",
                json!("rude"),
                json!({"room": den, "title": "Den"})
            ),
            deed(
                ann_is,
                "delete_message",
                json!("rude"),
                json!({"room": 1, "title": title, "message": said, "user": "Bob"}),
            ),
            deed(none.clone(), "give_role", none.clone(), json!({"user": "Own", "role": "owner"})),
            deed(none.clone(), "give_role", none, json!({"user": "Ann", "role": "administrator"})),
        ]
    );
    // Page by page it is the same. (A page may have less than its limit.)
    let (mut paged, mut path) = (Vec::new(), "/audit?limit=3".to_owned());
    loop {
        let page = server.get(&own, &path);
        paged.extend(page["deeds"].as_array().expect("a list").clone());
        let Some(next) = page["next"].as_u64() else { break };
        path = format!("/audit?limit=3&before={next}");
    }
    assert_eq!(&paged, deeds);
    server.refused(&own, ("GET", "/audit?limit=0", NOTHING), (422, "invalid_field"));
    server.refused(&own, ("GET", "/audit?before=x", NOTHING), (422, "invalid_field"));
    // The operator's export and import keep it.
    let lines = server.scratch.path("lines");
    let db = server.scratch.path("other.db");
    for words in [["--db", &server.db(), "export", &lines], ["--db", &db, "import", &lines]] {
        let mut command = shanty();
        command.args(words);
        is_done(&run(command));
    }
    let other = TestServer::of(move |_| {
        let mut command = shanty();
        command.args(["--listen", "127.0.0.1:0", "--db", &db]);
        command
    });
    assert_eq!(other.get(&other.session(&own.key), "/audit")["deeds"], all["deeds"]);
}
