//! Invitations and lost keys on the running server: who comes in, at which door, and what of the
//! codes stays anywhere.

use std::fs;

use serde_json::{Value, json};

use super::in_charge::{admin, is_done, with_admin};
use super::{Form, User, answer, number, text};
use crate::kit::{TestServer, run, shanty};

const NOTHING: &Value = &Value::Null;

impl TestServer {
    fn invite(&self, who: &User, body: &Value) -> Value {
        let (status, made) = self.api(who, "POST", "/invitations", body);
        assert_eq!(status, 201, "{made}");
        made
    }

    /// Tries to register by a code; the account's key, or the error's code.
    fn come(&self, name: &str, code: &str) -> Result<User, String> {
        let body = json!({"name": name, "invitation": code});
        let (status, body) = answer(&self.send("POST /api/v1/accounts", &body));
        match status {
            201 => Ok(self.session(&text(&body["key"]))),
            _ => Err(text(&body["error"]["code"])),
        }
    }

    fn look(&self, code: &str) -> (u16, Value) {
        answer(&self.send("POST /api/v1/invitation", &json!({"code": code})))
    }

    /// Everything that the database's files contain, and what an export and the log say.
    fn everything_kept(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        for end in ["", "-wal"] {
            all.extend(fs::read(self.db() + end).unwrap_or_default());
        }
        let mut export = shanty();
        export.args(["--db", &self.db(), "export", "-"]);
        all.extend(run(export).stdout.into_bytes());
        let end = self.stop();
        all.extend(end.stdout.into_bytes());
        all.extend(end.stderr.into_bytes());
        all.extend(fs::read(self.db()).expect("the database"));
        all
    }
}

fn contains(all: &[u8], text: &str) -> bool {
    all.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn by_invitation_people_come_in_where_others_cannot() {
    let (mut server, ann) = with_admin(&["--log", "debug"]);
    let (bob, carl) = (server.user("Bob"), server.user("Carl"));
    let invite = json!({"registration": "invite"});
    server.api(&ann, "PATCH", "/server/settings", &invite);
    // Who may not, may not; and what is wrong is told.
    server.refused(&bob, ("POST", "/invitations", NOTHING), (403, "forbidden"));
    for (wrong, field) in [
        (json!({"uses": 0}), "uses"),
        (json!({"uses": 1001}), "uses"),
        (json!({"days": 366}), "days"),
        (json!({"page": "chat.example.org"}), "page"),
        (json!({"page": "https://chat.example.org/#"}), "page"),
        (json!({"room": "den"}), "room"),
    ] {
        let (status, body) = server.api(&ann, "POST", "/invitations", &wrong);
        assert_eq!((status, text(&body["error"]["field"])), (422, field.to_owned()), "{wrong}");
    }
    let page = json!({"uses": 2, "days": 3, "page": "https://chat.example.org/", "reason": "fair"});
    let made = server.invite(&ann, &page);
    let (id, code) = (number(&made["id"]), text(&made["code"]));
    assert!(code.len() == 32 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{code}");
    assert_eq!(made["link"], json!(format!("https://chat.example.org/#/invite/{code}")));
    let rows = made["qr"].as_array().expect("a picture");
    assert!(rows.iter().all(|row| text(row).len() == rows.len()), "a square");
    // What it is, for whoever has it.
    let (status, seen) = server.look(&code);
    assert_eq!(status, 200, "{seen}");
    let expected = (&json!("Ann"), &Value::Null, &json!(true), &json!(true));
    assert_eq!((&seen["by"], &seen["room"], &seen["registers"], &seen["guests"]), expected);
    // It admits two, and nobody without it, through no protocol.
    assert_eq!(server.come("Dan", "x").err().as_deref(), Some("invitation_invalid"));
    let without = answer(&server.send("POST /api/v1/accounts", &json!({"name": "Dan"})));
    assert_eq!(without.0, 403);
    let pirate = server.send("POST /api/register", &json!({"username": "Dan"}));
    assert_eq!(pirate.status, 403);
    let dan = server.come("Dan", &code).expect("an account");
    assert_eq!(server.get(&dan, "/me")["name"], "Dan");
    server.come("Eve", &code).expect("an account");
    assert_eq!(server.come("Fay", &code).err().as_deref(), Some("invitation_invalid"));
    assert_eq!(server.look(&code).0, 403);
    // Who made it, what is left of it, who came by it; and nobody else learns of it.
    let listed = server.get(&ann, "/invitations");
    let one = &listed["invitations"][0];
    assert_eq!(
        (&one["id"], &one["by"], &one["state"]),
        (&json!(id), &json!("Ann"), &json!("used_up"))
    );
    assert_eq!((&one["uses"], &one["used"]), (&json!(2), &json!(2)));
    let names: Vec<String> =
        one["users"].as_array().expect("people").iter().map(|user| text(&user["name"])).collect();
    assert_eq!(names, ["Eve", "Dan"]);
    assert_eq!(server.get(&carl, "/invitations")["invitations"], json!([]));
    // One that is ended, over a restart.
    let other = server.invite(&ann, &json!({"uses": 5}));
    let (path, late) = (format!("/invitations/{}", other["id"]), text(&other["code"]));
    server.refused(&carl, ("DELETE", &path, NOTHING), (404, "invitation_not_found"));
    server.come("Gus", &late).expect("an account");
    server.kill();
    server.go_on();
    server.come("Hal", &late).expect("an account");
    assert_eq!(server.api(&ann, "DELETE", &path, &json!({"reason": "enough"})).0, 204);
    server.refused(&ann, ("DELETE", &path, NOTHING), (404, "invitation_not_found"));
    server.refused(&ann, ("DELETE", "/invitations/x", NOTHING), (404, "invitation_not_found"));
    assert_eq!(server.come("Ida", &late).err().as_deref(), Some("invitation_invalid"));
    let state = server.get(&ann, "/invitations")["invitations"][0]["state"].clone();
    assert_eq!(state, "ended");
    let deeds = server.get(&ann, "/audit")["deeds"].clone();
    let deeds = deeds.as_array().expect("deeds");
    let invites: Vec<&Value> = deeds.iter().filter(|deed| deed["what"] == "invite").collect();
    assert_eq!((invites.len(), &invites[1]["reason"]), (2, &json!("fair")));
    assert_eq!(deeds[0]["what"], "end_invitation");
    assert_eq!((&deeds[0]["invitation"], &deeds[0]["reason"]), (&other["id"], &json!("enough")));
    let left = server.invite(&ann, NOTHING);
    let all = server.everything_kept();
    assert!(contains(&all, "Fay") || contains(&all, "Dan"), "the names are there");
    for code in [code, late, text(&left["code"])] {
        assert!(!contains(&all, &code), "a code is kept");
    }
    let mut verify = shanty();
    verify.args(["--db", &server.db(), "verify"]);
    is_done(&run(verify));
}

#[test]
fn an_invitation_to_a_room_opens_it_without_its_password() {
    let (server, ann) = with_admin(&[]);
    let (bob, carl) = (server.user("Bob"), server.user("Carl"));
    let settings = json!({"title": "Den", "visibility": "hidden", "password": "long enough"});
    let den = server.make(&bob, &settings);
    // Its owner invites; for an administrator who is not in it, it does not exist.
    let wanted = json!({"room": den, "uses": 2});
    for other in [&ann, &carl] {
        server.refused(other, ("POST", "/invitations", &wanted), (404, "room_not_found"));
        let list = format!("/invitations?room={den}");
        server.refused(other, ("GET", &list, NOTHING), (404, "room_not_found"));
    }
    let made = server.invite(&bob, &wanted);
    let code = json!({"code": made["code"]});
    let (_, seen) = server.look(&text(&made["code"]));
    assert_eq!((&seen["by"], &seen["title"]), (&json!("Bob"), &json!("Den")));
    assert_eq!(seen["room"], json!(den));
    let mut stream = server.live(&bob, Form::Lines);
    let nobody = answer(&server.send("PUT /api/v1/invitation/membership", &code));
    assert_eq!(nobody.0, 401);
    for _ in 0..2 {
        let (status, room) = server.api(&carl, "PUT", "/invitation/membership", &code);
        assert_eq!((status, &room["id"], &room["member"]), (200, &json!(den), &json!(true)));
    }
    assert_eq!(stream.expect("member")["name"], "Carl");
    server.tell(&carl, den, "here I am");
    // A new account is a member at once.
    let dan = server.come("Dan", &text(&made["code"])).expect("an account");
    assert_eq!(stream.expect("message")["text"], "here I am");
    assert_eq!(stream.expect("member")["name"], "Dan");
    server.tell(&dan, den, "me, too");
    server.refused(&ann, ("PUT", "/invitation/membership", &code), (403, "invitation_invalid"));
    let list = server.get(&bob, &format!("/invitations?room={den}"));
    assert_eq!(list["invitations"][0]["used"], 2);
    assert_eq!(server.get(&ann, "/invitations")["invitations"], json!([]), "it is hidden");
    let deeds = server.get(&ann, "/audit").to_string();
    assert!(!deeds.contains("Den"), "nor in the audit: {deeds}");
    // Another password ends them.
    let made = server.invite(&bob, &wanted);
    let other = json!({"password": "another one", "keep_members": true});
    assert_eq!(server.api(&bob, "PATCH", &format!("/rooms/{den}"), &other).0, 200);
    let code = json!({"code": made["code"]});
    server.refused(&ann, ("PUT", "/invitation/membership", &code), (403, "invitation_invalid"));
}

/// The link in what a command prints, and the code at its end.
fn printed(said: &str, place: &str) -> String {
    let line = said.lines().find(|line| line.contains("#/")).expect("a link");
    line.split(&format!("#/{place}/")).nth(1).expect("a code").to_owned()
}

#[test]
fn the_operator_invites_and_recovers_at_the_shell() {
    let mut server = TestServer::with(&["--registration", "invite"]);
    let invited = admin(&server, &["invite", "--uses", "2", "--url", "https://chat.example.org"]);
    is_done(&invited);
    assert!(invited.stdout.starts_with("2 people can come by this invitation"), "{invited:?}");
    assert!(invited.stdout.contains("\nhttps://chat.example.org/#/invite/"), "{invited:?}");
    assert!(invited.stdout.contains("█▀"), "a QR code: {invited:?}");
    let code = printed(&invited.stdout, "invite");
    let (_, seen) = server.look(&code);
    assert_eq!((&seen["by"], &seen["registers"]), (&Value::Null, &json!(true)));
    let ann = server.come("Ann", &code).expect("an account");
    for (words, says) in [
        (&["invite", "--room", "99"][..], "no such room"),
        (&["recover", "Zoe"], "no account is named Zoe"),
    ] {
        let end = admin(&server, words);
        assert!(end.code == Some(1) && end.stderr.contains(says), "{end:?}");
        assert_eq!(end.stdout, "", "no link that does not work");
    }
    assert_eq!(admin(&server, &["recover", "Ann", "--uses", "2"]).code, Some(2));
    is_done(&admin(&server, &["make-owner", "Ann"]));
    let mut stream = server.live(&ann, Form::Lines);
    // Without a server the same.
    let recovered = admin(&server, &["recover", "ann"]);
    is_done(&recovered);
    assert!(recovered.stdout.contains("(for this machine only"), "{recovered:?}");
    let first = printed(&recovered.stdout, "recover");
    assert_eq!(server.stop().code, Some(0));
    drop(stream.ws);
    let recovered = admin(&server, &["recover", "ann"]);
    is_done(&recovered);
    let code = printed(&recovered.stdout, "recover");
    server.go_on();
    let recover =
        |code: &str| answer(&server.send("POST /api/v1/recovery", &json!({"code": code})));
    let old = recover(&first);
    assert_eq!((old.0, &old.1["error"]["code"]), (403, &json!("recovery_invalid")), "replaced");
    stream = server.live(&ann, Form::Lines);
    let (status, new) = recover(&code);
    assert_eq!((status, &new["name"]), (200, &json!("Ann")), "{new}");
    assert_eq!(stream.expect("bye")["code"], "session_ended");
    let gone = server.api(&ann, "GET", "/me", NOTHING);
    assert_eq!(gone.0, 401, "all sessions end");
    let old = answer(&server.send("POST /api/v1/sessions", &json!({"key": ann.key})));
    assert_eq!((old.0, &old.1["error"]["code"]), (401, &json!("unknown_key")));
    let ann = server.session(&text(&new["key"]));
    assert_eq!(server.get(&ann, "/me")["role"], "owner", "the account is the same");
    assert_eq!(recover(&code).0, 403, "once");
    let deeds = server.get(&ann, "/audit");
    let deed = &deeds["deeds"][0];
    assert_eq!((&deed["what"], &deed["user"]), (&json!("make_recovery"), &json!("Ann")));
    assert_eq!(deed["by"], Value::Null);
}

#[test]
fn an_administrator_helps_who_has_lost_the_key() {
    let (mut server, ann) = with_admin(&[]);
    let (bob, own) = (server.user("Bob"), server.user("Own"));
    is_done(&admin(&server, &["make-owner", "Own"]));
    let page = json!({"page": "https://chat.example.org/", "reason": "asked me"});
    for (who, name) in [(&bob, "Ann"), (&ann, "Own"), (&ann, "Ann")] {
        let path = format!("/users/{name}/recovery");
        server.refused(who, ("POST", &path, &page), (403, "forbidden"));
    }
    server.refused(&ann, ("POST", "/users/Zoe/recovery", &page), (404, "user_not_found"));
    let (status, made) = server.api(&ann, "POST", "/users/bob/recovery", &page);
    assert_eq!((status, &made["seconds"]), (201, &json!(86_400)), "{made}");
    let code = text(&made["code"]);
    assert_eq!(made["link"], json!(format!("https://chat.example.org/#/recover/{code}")));
    assert!(made["qr"].is_array());
    server.kill();
    server.go_on();
    let (status, new) = answer(&server.send("POST /api/v1/recovery", &json!({"code": code})));
    assert_eq!((status, &new["name"]), (200, &json!("Bob")), "{new}");
    assert_eq!(server.api(&bob, "GET", "/me", NOTHING).0, 401);
    server.session(&text(&new["key"]));
    assert_eq!(server.api(&own, "POST", "/users/Ann/recovery", NOTHING).0, 201, "an owner may");
    let all = server.everything_kept();
    assert!(!contains(&all, &code) && !contains(&all, &text(&new["key"])), "a secret is kept");
}
