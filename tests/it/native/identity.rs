//! Accounts, sessions and guests.

use serde_json::{Value, json};

use super::{FORMS, Form, User, answer, number, text};
use crate::kit::{TestServer, until};

const NOTHING: &Value = &Value::Null;

#[test]
fn an_account_has_one_key_and_many_sessions() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    assert_eq!((ann.key.len(), ann.session.len()), (64, 32));
    for (name, expected) in [("ANN", (409, "name_taken")), ("a b", (422, "invalid_field"))] {
        server.refused(&ann, ("POST", "/accounts", &json!({"name": name})), expected);
    }
    server.refused(&ann, ("POST", "/accounts", &json!([])), (400, "invalid_json"));
    let wrong = json!({"key": "0".repeat(64)});
    server.refused(&ann, ("POST", "/sessions", &wrong), (401, "unknown_key"));
    // Cookie, account key and session key all authenticate the same account.
    let cookie = format!("Cookie: session={}\r\n", ann.session);
    let key = format!("Authorization: Bearer {}\r\n", ann.key);
    for headers in [&cookie, &key, &ann.bearer()] {
        let (status, me) = answer(&server.ask("GET /api/v1/me", headers, ""));
        assert_eq!((status, &me["name"], &me["guest"]), (200, &json!("Ann"), &json!(false)));
    }
    let nonsense = ["", "x", &"0".repeat(64), &"a".repeat(32), "ä"];
    for shown in nonsense {
        let stranger = User { session: shown.into(), ..ann.clone() };
        let code = if shown.len() == 64 { "unknown_key" } else { "unauthenticated" };
        server.refused(&stranger, ("GET", "/me", NOTHING), (401, code));
    }
    let online = server.get(&ann, "/users/aNN");
    assert_eq!((&online["name"], &online["online"]), (&json!("Ann"), &json!(false)));
    let _stream = server.live(&ann, Form::Lines);
    assert_eq!(server.get(&ann, "/users/ann")["online"], true);
    server.refused(&ann, ("GET", "/users/Nobody", NOTHING), (404, "user_not_found"));
}

#[test]
fn all_paths_but_the_logins_need_authentication() {
    let server = TestServer::start();
    let paths = [
        ("GET", "/sessions"),
        ("DELETE", "/sessions/current"),
        ("DELETE", "/sessions/1"),
        ("GET", "/me"),
        ("POST", "/me/key"),
        ("GET", "/me/blocked"),
        ("PUT", "/me/blocked/Ann"),
        ("DELETE", "/me/blocked/Ann"),
        ("GET", "/users/Ann"),
        ("PUT", "/users/Ann/room"),
        ("GET", "/rooms"),
        ("POST", "/rooms"),
        ("GET", "/rooms/1"),
        ("PATCH", "/rooms/1"),
        ("DELETE", "/rooms/1"),
        ("PUT", "/rooms/1/membership"),
        ("DELETE", "/rooms/1/membership"),
        ("GET", "/rooms/1/members"),
        ("PUT", "/rooms/1/messages/a"),
        ("POST", "/rooms/1/messages"),
        ("GET", "/rooms/1/messages"),
        ("GET", "/rooms/1/messages/1"),
        ("PATCH", "/rooms/1/messages/1"),
        ("DELETE", "/rooms/1/messages/1"),
        ("PUT", "/rooms/1/messages/1/reactions/x"),
        ("PUT", "/rooms/1/read"),
        ("GET", "/search?q=x"),
        ("GET", "/events"),
    ];
    for (method, path) in paths {
        let response = server.ask(&format!("{method} /api/v1{path}"), "", "");
        assert_eq!(response.status, 401, "{method} {path}");
        assert_eq!(response.json()["error"]["code"], "unauthenticated", "{method} {path}");
    }
    assert_eq!(server.ask("GET /r/1", "", "").status, 401);
    assert_eq!(server.ask("POST /r/1", "", "hello").status, 401);
    let about = server.ask("GET /api/v1/server", "", "").json();
    for field in ["name", "version", "epoch", "seq", "registration", "guests", "features", "limits"]
    {
        assert!(!about[field].is_null(), "{field} {about}");
    }
}

/// And its cookie lasts as long as the session can, since no response to a stream's listener could
/// renew it.
#[test]
fn a_session_that_is_remembered_lasts_thirty_days_or_a_guests_seven() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let now = std::time::SystemTime::now();
    const DAY: u64 = 24 * 3600;
    let terms = [
        (json!(true), [30 * DAY, 7 * DAY]),
        (json!(false), [3600, 3600]),
        (Value::Null, [3600, 3600]),
    ];
    for (index, (remember, [long, guests])) in terms.into_iter().enumerate() {
        let account = json!({"key": ann.key, "remember": remember});
        let guest = json!({"name": format!("Gus{index}"), "remember": remember});
        let account = ("POST /api/v1/sessions", account, long);
        let guest = ("POST /api/v1/guests", guest, guests);
        for (line, body, seconds) in [account, guest] {
            let response = server.send(line, &body);
            assert_eq!(response.status, 201, "{line} {response:?}");
            let expires = text(&response.json()["expires"]);
            let expires = humantime::parse_rfc3339(&expires).expect("a time");
            let left = expires.duration_since(now).expect("the future").as_secs();
            assert!(left.abs_diff(seconds) < 60, "{line}: {left} {seconds}");
            let cookie = response.header("set-cookie").expect("a cookie");
            for part in ["session=", "HttpOnly", "SameSite"] {
                assert!(cookie.contains(part), "{cookie}");
            }
            let kept = cookie.split("Expires=").nth(1).and_then(|rest| rest.split(';').next());
            let kept = kept.expect("an end");
            // By the day: smaller differences do not count here.
            let expires = shanty::time::Time::from(expires);
            let on = |days| expires.plus_secs(days * DAY).http_date();
            let day = "Fri, 31 Dec 2027".len();
            assert!((300..600).any(|days| on(days)[..day] == kept[..day]), "{cookie}");
        }
    }
    let body = json!({"key": ann.key, "remember": "yes"});
    server.refused(&ann, ("POST", "/sessions", &body), (422, "invalid_field"));
}

#[test]
fn a_revoked_session_ends_with_its_streams_and_no_others() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let phone = server.session(&ann.key);
    let mut stays = server.live(&ann, Form::Ws);
    let mut by_key = server.live(&User { session: ann.key.clone(), ..ann.clone() }, Form::Lines);
    let mut going = FORMS.map(|form| server.live(&phone, form));
    let sessions = server.get(&ann, "/sessions");
    let sessions = sessions["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), 2);
    let other = sessions.iter().find(|session| session["current"] == false).expect("the phone's");
    for field in ["created", "last_used", "agent"] {
        assert!(other[field].is_string(), "{other}");
    }
    let path = format!("/sessions/{}", number(&other["id"]));
    // Another account cannot end it.
    server.refused(&bob, ("DELETE", &path, NOTHING), (404, "not_found"));
    assert_eq!(server.api(&ann, "DELETE", &path, NOTHING).0, 204);
    for stream in &mut going {
        stream.expect_bye("session_ended", 1008);
    }
    server.refused(&phone, ("GET", "/me", NOTHING), (401, "unauthenticated"));
    server.tell(&ann, 1, "still here");
    for stream in [&mut stays, &mut by_key] {
        assert_eq!(stream.expect("message")["text"], "still here");
    }
    let left = server.get(&ann, "/sessions");
    assert_eq!(left["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.api(&ann, "DELETE", "/sessions/current", NOTHING).0, 204);
    stays.expect_bye("session_ended", 1008);
    server.refused(&ann, ("GET", "/me", NOTHING), (401, "unauthenticated"));
    server.tell(&bob, 1, "for the key");
    assert_eq!(by_key.expect("message")["text"], "for the key");
    // A revoked session stays revoked.
    server.kill();
    server.go_on();
    server.refused(&ann, ("GET", "/me", NOTHING), (401, "unauthenticated"));
    server.get(&bob, "/me");
}

#[test]
fn a_new_key_invalidates_the_old_one() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let phone = server.session(&ann.key);
    let by_key = User { session: ann.key.clone(), ..ann.clone() };
    let mut stays = [server.live(&ann, Form::Ws), server.live(&bob, Form::Ws)];
    let mut going = FORMS.map(|form| server.live(&phone, form)).into_iter().collect::<Vec<_>>();
    going.push(server.live(&by_key, Form::Lines));
    let (status, changed) = server.api(&ann, "POST", "/me/key", NOTHING);
    let new = text(&changed["key"]);
    assert_eq!((status, new.len(), new == ann.key), (200, 64, false), "{changed}");
    for stream in &mut going {
        stream.expect_bye("session_ended", 1008);
    }
    for _ in 0..2 {
        let old = json!({"key": ann.key});
        server.refused(&ann, ("POST", "/sessions", &old), (401, "unknown_key"));
        server.refused(&by_key, ("GET", "/me", NOTHING), (401, "unknown_key"));
        server.refused(&phone, ("GET", "/me", NOTHING), (401, "unauthenticated"));
        server.tell(&ann, 1, "still here");
        for stream in &mut stays {
            assert_eq!(stream.expect("message")["text"], "still here");
        }
        let again = server.session(&new);
        assert_eq!(server.get(&again, "/me")["name"], "Ann");
        // All of it survives a restart.
        server.kill();
        server.go_on();
        stays = [server.live(&ann, Form::Ws), server.live(&bob, Form::Ws)];
    }
    let gil = json!({"name": "Gil"});
    let (_, guest) = answer(&server.ask("POST /api/v1/guests", "", &gil.to_string()));
    let gil = User { session: text(&guest["session"]), ..ann };
    server.refused(&gil, ("POST", "/me/key", NOTHING), (403, "forbidden"));
}

#[test]
fn a_guest_is_a_user_until_the_end_of_the_session() {
    let mut server = TestServer::start();
    let ann = server.user("Ann");
    let body = json!({"name": "Gil", "color": "#ff00aa"});
    let (status, made) = answer(&server.send("POST /api/v1/guests", &body));
    assert_eq!((status, &made["guest"], &made["name"]), (201, &json!(true), &json!("Gil")));
    let gil = User { key: String::new(), session: text(&made["session"]) };
    for name in ["gil", "ANN"] {
        let body = json!({"name": name});
        server.refused(&ann, ("POST", "/guests", &body), (409, "name_taken"));
        server.refused(&ann, ("POST", "/accounts", &body), (409, "name_taken"));
    }
    let bad = json!({"name": "Hal", "color": "red;}"});
    server.refused(&ann, ("POST", "/guests", &bad), (422, "invalid_field"));
    let mut at_ann = server.live(&ann, Form::Ws);
    server.tell(&gil, 1, "hello from a guest");
    let heard = at_ann.expect("message");
    assert_eq!((&heard["author"], &heard["color"]), (&json!("Gil"), &json!("#ff00aa")));
    let mut at_gil = server.live(&gil, Form::Sse);
    let room = server.public(&ann, "Den");
    server.enter(&gil, room);
    assert_eq!(at_gil.expect("room")["room"]["id"], room);
    server.tell(&ann, room, "welcome");
    assert_eq!(at_gil.expect("message")["text"], "welcome");
    // A guest survives a restart, as the session does.
    server.kill();
    server.go_on();
    let me = server.get(&gil, "/me");
    assert_eq!((&me["name"], &me["guest"]), (&json!("Gil"), &json!(true)));
    let mut at_gil = server.live(&gil, Form::Ws);
    assert_eq!(server.api(&gil, "DELETE", "/sessions/current", NOTHING).0, 204);
    at_gil.expect_bye("session_ended", 1008);
    server.refused(&gil, ("GET", "/me", NOTHING), (401, "unauthenticated"));
    until("the guest's name is free", || {
        server.send("POST /api/v1/guests", &json!({"name": "Gil"})).status == 201
    });
}

/// As `/nick` does, and every client that keeps cookies.
#[test]
fn a_cookie_that_is_exchanged_frees_the_guests_name() {
    let server = TestServer::start();
    let be = |cookie: &str, name: &str| {
        let headers = format!("Cookie: session={cookie}\r\n");
        let body = json!({"name": name, "remember": true}).to_string();
        answer(&server.ask("POST /api/v1/guests", &headers, &body))
    };
    let (status, bob) = be("none", "Bob");
    assert_eq!(status, 201, "{bob}");
    let bob = User { key: String::new(), session: text(&bob["session"]) };
    let said = server.tell(&bob, 1, "as Bob");
    let mut other_tab = server.live(&bob, Form::Ws);
    let (status, robert) = be(&bob.session, "Robert");
    assert_eq!(status, 201, "{robert}");
    let robert = text(&robert["session"]);
    let (status, thief) = be("none", "bob");
    assert_eq!((status, &thief["name"]), (201, &json!("bob")), "{thief}");
    while other_tab.next()["type"] != "bye" {}
    server.refused(&bob, ("GET", "/me", NOTHING), (401, "unauthenticated"));
    // The new Bob cannot change the old Bob's messages.
    let thief = User { session: text(&thief["session"]), ..bob.clone() };
    let path = format!("/rooms/1/messages/{}", number(&said["seq"]));
    server.refused(&thief, ("PATCH", &path, &json!({"text": "x"})), (403, "forbidden"));
    // A taken name, or an invalid body, gives nothing up.
    assert_eq!(be(&robert, "bob").0, 409);
    assert_eq!(be(&robert, "").0, 422);
    let robert = User { session: robert, ..bob };
    assert_eq!(server.get(&robert, "/me")["name"], "Robert");
    // The same for a login, in any protocol; of an account each session is separate.
    let ann = server.user("Ann");
    for (name, path) in [("Zoe", "/api/login"), ("Zed", "/api/v1/sessions")] {
        let (_, guest) = be("none", name);
        for session in [text(&guest["session"]), ann.session.clone()] {
            let headers = format!("Cookie: session={session}\r\n");
            let body = json!({"key": ann.key}).to_string();
            let status = server.ask(&format!("POST {path}"), &headers, &body).status;
            assert!(matches!(status, 200 | 201), "{status}");
        }
        assert_eq!(be("none", name).0, 201, "{path}");
        assert_eq!(server.get(&ann, "/me")["name"], "Ann");
    }
}

#[test]
fn a_guests_room_passes_to_its_longest_member() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let (_, guest) = answer(&server.ask("POST /api/v1/guests", "", r#"{"name":"Gil"}"#));
    let gil = User { session: text(&guest["session"]), ..ann.clone() };
    let den = json!({"title": "Den", "visibility": "public"});
    let (status, room) = server.api(&gil, "POST", "/rooms", &den);
    assert_eq!((status, &room["owner"]), (201, &json!("Gil")), "{room}");
    let path = format!("/rooms/{}", number(&room["id"]));
    for user in [&bob, &ann] {
        let there = server.api(user, "PUT", &format!("{path}/membership"), NOTHING).0;
        assert!(there < 300, "{there}");
    }
    assert_eq!(server.api(&gil, "DELETE", "/sessions/current", NOTHING).0, 204);
    until("the guest is gone", || server.get(&ann, &path)["owner"] == "Bob");
    server.refused(&ann, ("DELETE", &path, NOTHING), (403, "forbidden"));
    server.kill();
    server.go_on();
    assert_eq!(server.get(&ann, &path)["owner"], "Bob");
    assert_eq!(server.api(&bob, "DELETE", &path, NOTHING).0, 204);
}

#[test]
fn a_name_that_a_visitor_goes_by_is_not_two_peoples() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let room = server.public(&ann, "Den");
    let mut zed = server.guest(room, "Zed");
    // Whether or not an account may take the name meanwhile, its member gets the room's events.
    let made = server.send("POST /api/v1/accounts", &json!({"name": "Zed"}));
    if made.status == 201 {
        let account = server.session(&text(&made.json()["key"]));
        let mut stream = server.live(&account, Form::Ws);
        server.enter(&account, room);
        assert_eq!(stream.expect("room")["room"]["id"], room);
        server.tell(&ann, room, "which of you?");
        assert_eq!(stream.expect("message")["text"], "which of you?");
        zed.bye();
    } else {
        assert_eq!(made.json()["error"]["code"], "name_taken");
        zed.say(&json!({"event_type": "send", "name": "Zed", "msg": "still me"}));
        zed.vanish();
    }
    // An account's name cannot be taken in a room.
    let mut other = server.ws(&format!("/chats/{room}/ws"), "");
    other.say(&json!({"event_type": "join", "name": "aNN"}));
    assert_eq!(other.json()["status"], false);
}

#[test]
fn a_stream_keeps_its_session_alive() {
    let server = TestServer::with(&["--session-ttl", "1"]);
    let ann = server.user("Ann");
    let mut streams = FORMS.map(|form| server.live(&ann, form));
    let bob = server.user("Bob");
    until("Bob's session has ended", || {
        std::thread::sleep(std::time::Duration::from_millis(1050));
        server.api(&bob, "GET", "/me", NOTHING).0 == 401
    });
    assert_eq!(server.tell(&ann, 1, "here")["text"], "here");
    for stream in &mut streams {
        assert_eq!(stream.expect("message")["text"], "here");
    }
}
