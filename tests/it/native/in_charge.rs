//! People in charge: the setup link, the operator's shell, roles.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use serde_json::{Value, json};

use super::{Form, User, answer, text};
use crate::kit::{End, TestServer, run, shanty};

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
