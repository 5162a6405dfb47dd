//! People in charge: the setup link, the operator's shell, roles; and who may come in.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use serde_json::{Value, json};

use super::{Form, User, answer, text};
use crate::kit::{End, Heard, TestServer, Ws, cookie, failure, run, shanty};

const NOTHING: &Value = &Value::Null;

/// `shanty admin` with these words.
pub fn admin(server: &TestServer, words: &[&str]) -> End {
    let mut command = shanty();
    command.args(["--db", &server.db(), "admin"]).args(words);
    run(command)
}

pub fn is_done(end: &End) {
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
}

fn role(server: &TestServer, who: &User) -> Value {
    let me = server.get(who, "/me")["role"].clone();
    assert_eq!(server.get(who, "/server")["role"], me, "both tell it");
    me
}

#[test]
fn the_printed_link_makes_the_first_owner_and_a_stranger_is_not_faster() {
    let mut server = TestServer::start();
    let (eve, ann) = (server.user("Eve"), server.user("Ann"));
    let setup = |token: &str| json!({"token": token});
    let guess = setup(&"x".repeat(32));
    for body in [&guess, &setup("")] {
        server.refused(&eve, ("POST", "/setup", body), (403, "forbidden"));
    }
    server.refused(&eve, ("POST", "/setup", &json!({})), (422, "invalid_field"));
    // A restart prints another link; the old one is void.
    let old = server.setup_token();
    let end = server.stop();
    assert_eq!(end.stdout.lines().count(), 1, "{end:?}");
    assert!(!end.stderr.contains(&old), "the token is not logged");
    server.go_on();
    server.refused(&ann, ("POST", "/setup", &setup(&old)), (403, "forbidden"));
    assert_eq!(role(&server, &ann), Value::Null);
    let token = setup(&server.setup_token());
    let nobody = answer(&server.send("POST /api/v1/setup", &token));
    assert_eq!((nobody.0, &nobody.1["error"]["code"]), (401, &json!("unauthenticated")));
    assert_eq!(server.api(&ann, "POST", "/setup", &token).0, 204);
    assert_eq!(role(&server, &ann), "owner");
    server.refused(&eve, ("POST", "/setup", &token), (403, "forbidden"));
    server.refused(&ann, ("POST", "/setup", &token), (403, "forbidden"));
    assert_eq!(server.stop().code, Some(0));
    server.go_on();
    assert_eq!(server.get(&eve, "/users/Ann")["role"], "owner", "everybody may know");
    assert_eq!(server.stop().stdout, "", "a server with an owner prints no link");
}

#[test]
fn the_operator_gives_roles_beside_the_running_server_and_without_it() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let socket = format!("{}.sock", server.db());
    let file = fs::symlink_metadata(&socket).expect("the socket is there");
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(file.uid(), fs::metadata(server.db()).expect("the database").uid());
    let mut stream = server.live(&bob, Form::Lines);
    is_done(&admin(&server, &["make-owner", "Ann"]));
    let give = json!({"role": "administrator", "reason": "keeps order"});
    server.refused(&bob, ("PUT", "/users/Bob/role", &give), (403, "forbidden"));
    let (status, body) = server.api(&ann, "PUT", "/users/Bob/role", &give);
    assert_eq!((status, role(&server, &bob)), (204, json!("administrator")), "{body}");
    server.refused(&bob, ("DELETE", "/users/Ann/role", NOTHING), (403, "forbidden"));
    server.refused(&ann, ("DELETE", "/users/Ann/role", NOTHING), (403, "forbidden"));
    for (wrong, field) in
        [(json!({}), "role"), (json!({"role": "pope"}), "role"), (json!({"role": 1}), "role")]
    {
        let (status, body) = server.api(&ann, "PUT", "/users/Bob/role", &wrong);
        assert_eq!((status, text(&body["error"]["field"])), (422, field.to_owned()));
    }
    let (status, _) = server.api(&ann, "DELETE", "/users/Bob/role", &json!({"reason": "enough"}));
    assert_eq!((status, role(&server, &bob)), (204, Value::Null));
    // Words that the server cannot follow.
    let unknown = admin(&server, &["make-admin", "Zoe"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("no account is named Zoe"), "{unknown:?}");
    assert_eq!(admin(&server, &["make-king", "Ann"]).code, Some(2));
    // The stream of somebody else heard nothing of it.
    server.tell(&ann, 1, "after all");
    assert_eq!(stream.expect("message")["text"], "after all");
    // A socket that a killed server has left is in nobody's way.
    server.kill();
    assert!(fs::symlink_metadata(&socket).is_ok(), "it is left over");
    is_done(&admin(&server, &["make-admin", "bob"]));
    is_done(&admin(&server, &["revoke", "ann"]));
    server.go_on();
    assert_eq!(role(&server, &ann), Value::Null);
    assert_eq!(role(&server, &bob), "administrator");
    assert_eq!(server.stop().code, Some(0));
    assert!(fs::symlink_metadata(&socket).is_err(), "it goes with the server");
    let mut verify = shanty();
    verify.args(["--db", &server.db(), "verify"]);
    is_done(&run(verify));
}

/// A server with an administrator.
pub fn with_admin(flags: &[&str]) -> (TestServer, User) {
    let server = TestServer::with(flags);
    let ann = server.user("Ann");
    is_done(&admin(&server, &["make-admin", "Ann"]));
    (server, ann)
}

/// Hears a websocket to its end, which is for a reason.
pub fn is_put_out(ws: &mut Ws) {
    loop {
        match ws.hear() {
            Heard::Text(_) | Heard::Ping(_) => {}
            Heard::Close(code, _) => return assert_eq!(code, 1008),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn guests_are_turned_away_at_every_door_and_those_inside_are_put_out() {
    let (server, ann) = with_admin(&[]);
    let pirate = server.account("Pip");
    let settings = |body: &Value| server.api(&ann, "PATCH", "/server/settings", body);
    let mut ws = server.pirate(&pirate);
    let mut jack = server.guest(1, "Jack");
    ws.expect_text(r#"{"event":"join","username":"Jack"}"#);
    let guest = answer(&server.send("POST /api/v1/guests", &json!({"name": "Gus"})));
    let guest = User { key: String::new(), session: text(&guest.1["session"]) };
    let mut stream = server.live(&guest, Form::Lines);
    ws.expect_text(r#"{"event":"join","username":"Gus"}"#);
    // Only talking.
    let (status, body) = settings(&json!({"guests": "rooms", "reason": "too many rooms"}));
    assert_eq!((status, &body["guests"]), (200, &json!({"value": "rooms", "fixed": false})));
    let den = json!({"title": "Den", "visibility": "public"});
    let made = server.send("POST /chats", &den);
    assert_eq!(
        (made.status, made.json()),
        (401, failure(104, "Room error: Unauthorized operation", ""))
    );
    server.refused(&guest, ("POST", "/rooms", &den), (403, "forbidden"));
    server.tell(&guest, 1, "still here");
    jack.say(&json!({"event_type": "send", "name": "Jack", "msg": "me too"}));
    ws.expect_text(r#"{"message":"still here","author":"Gus"}"#);
    ws.expect_text(r#"{"message":"me too","author":"Jack"}"#);
    // Nothing.
    assert_eq!(settings(&json!({"guests": "off"})).0, 200);
    is_put_out(&mut jack);
    while stream.frame().is_some() {}
    server.refused(&guest, ("GET", "/rooms", NOTHING), (403, "guests_off"));
    let again = answer(&server.send("POST /api/v1/guests", &json!({"name": "Gil"})));
    assert_eq!((again.0, &again.1["error"]["code"]), (403, &json!("guests_off")));
    let says = "Client error: No guests here, log in with an account";
    for (line, body) in [
        ("POST /chats", den.to_string()),
        ("GET /chats", String::new()),
        ("GET /chats/1", String::new()),
        ("DELETE /chats/1", String::new()),
    ] {
        let refused = server.ask(line, "", &body);
        assert_eq!((refused.status, refused.json()), (403, failure(306, says, "")), "{line}");
    }
    assert_eq!(server.try_ws("/chats/1/ws", "").err().map(|refused| refused.status), Some(403));
    let about = server.send("GET /api/v1/server", NOTHING).json();
    assert_eq!((&about["guests"], &about["guest_rooms"]), (&json!(false), &json!(false)));
    // An account is nobody's guest, through ChitChat neither.
    let mut same = server.ws("/chats/1/ws", &cookie(&pirate));
    same.say(&json!({"event_type": "send", "name": "Pip", "msg": "alone"}));
    ws.expect_text(r#"{"event":"leave","username":"Jack"}"#);
    ws.expect_text(r#"{"event":"leave","username":"Gus"}"#);
    ws.expect_text(r#"{"message":"alone","author":"Pip"}"#);
    assert_eq!(server.ask("POST /chats", &cookie(&pirate), &den.to_string()).status, 201);
}

#[test]
fn registration_is_closed_and_opened_by_administrators_unless_a_flag_fixes_it() {
    let (mut server, ann) = with_admin(&[]);
    let bob = server.user("Bob");
    for (method, body) in [("GET", NOTHING), ("PATCH", &json!({"registration": "closed"}))] {
        server.refused(&bob, (method, "/server/settings", body), (403, "forbidden"));
    }
    let register = |server: &TestServer, headers: &str, name: &str| {
        let body = json!({"name": name}).to_string();
        server.ask("POST /api/v1/accounts", headers, &body).status
    };
    let pirate =
        |server: &TestServer| server.send("POST /api/register", &json!({"username": "Zed"})).status;
    for wrong in [json!({"registration": "on"}), json!({"guests": true}), json!({"reason": ""})] {
        server.refused(&ann, ("PATCH", "/server/settings", &wrong), (422, "invalid_field"));
    }
    let change = json!({"registration": "invite"});
    assert_eq!(server.api(&ann, "PATCH", "/server/settings", &change).0, 200);
    assert_eq!((register(&server, "", "Cid"), pirate(&server)), (403, 403));
    assert_eq!(register(&server, &bob.bearer(), "Cid"), 403);
    assert_eq!(register(&server, &ann.bearer(), "Cid"), 201, "for another");
    let by_key = format!("Authorization: Bearer {}\r\n", ann.key);
    assert_eq!(register(&server, &by_key, "Kit"), 201, "a script has the account's key");
    let by_key = format!("Authorization: Bearer {}\r\n", bob.key);
    assert_eq!(register(&server, &by_key, "Lil"), 403);
    assert_eq!(server.send("GET /api/v1/server", NOTHING).json()["registration"], "invite");
    // It outlasts a restart.
    assert_eq!(server.stop().code, Some(0));
    server.go_on();
    assert_eq!(register(&server, "", "Dan"), 403);
    let back = json!({"registration": "open", "guests": "on"});
    let (_, body) = server.api(&ann, "PATCH", "/server/settings", &back);
    assert_eq!(body["registration"], json!({"value": "open", "fixed": false}));
    assert_eq!(register(&server, "", "Dan"), 201);
    // A flag fixes it.
    let fixed = TestServer::with(&["--registration", "closed", "--guests", "rooms"]);
    assert_eq!((register(&fixed, "", "Eli"), pirate(&fixed)), (403, 403));
    assert_eq!(fixed.send("GET /api/v1/server", NOTHING).json()["registration"], "closed");
    let (server, ann) = with_admin(&["--guests", "on"]);
    server.refused(
        &ann,
        ("PATCH", "/server/settings", &json!({"guests": "off"})),
        (422, "invalid_field"),
    );
    let settings = server.get(&ann, "/server/settings");
    assert_eq!(settings["guests"], json!({"value": "on", "fixed": true}));
}

/// The contract: an owned room is changed by its owner or an administrator, room 1 by the latter.
#[test]
fn an_administrator_changes_rooms_by_chitchats_door_too() {
    let (server, ann) = with_admin(&[]);
    let bob = server.user("Bob");
    let body = json!({"title": "Galley", "visibility": "public"});
    let (status, room) = server.api(&bob, "POST", "/rooms", &body);
    assert_eq!(status, 201, "{room}");
    let as_ann = format!("Cookie: session={}\r\n", ann.session);
    let as_bob = format!("Cookie: session={}\r\n", bob.session);
    let put = |who: &str, room: &Value, title: &str| {
        let body = json!({"title": title}).to_string();
        server.ask(&format!("PUT /chats/{room}"), who, &body).status
    };
    assert_eq!(put(&as_ann, &room["id"], "Mess"), 200);
    assert_eq!(put(&as_bob, &room["id"], "Kitchen"), 200);
    assert_eq!((put(&as_bob, &json!(1), "Deck"), put(&as_ann, &json!(1), "Deck")), (401, 200));
    let delete = |who: &str, room: &Value| server.ask(&format!("DELETE /chats/{room}"), who, "");
    assert_eq!(delete(&as_ann, &json!(1)).status, 401, "room 1 stays");
    assert_eq!(delete(&as_ann, &room["id"]).status, 200);
    let audit = server.get(&ann, "/audit")["deeds"].clone();
    let acts: Vec<String> =
        audit.as_array().expect("a list").iter().map(|e| text(&e["what"])).collect();
    assert!(acts.iter().filter(|act| *act == "change_room").count() == 2, "{acts:?}");
}
