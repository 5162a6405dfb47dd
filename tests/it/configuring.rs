//! The configuration file and secrets in files, with the running binary.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::kit::{End, Scratch, TestServer, run, shanty};

fn check(words: &[&str]) -> End {
    let mut command = shanty();
    command.args(["config", "check"]).args(words);
    run(command)
}

#[test]
fn a_server_is_configured_by_a_file() {
    let folder = Scratch::new();
    let (file, db) = (folder.path("shanty.toml"), folder.path("by-file.db"));
    let text = format!(
        "# A club's server.\nlisten = \"127.0.0.1:0\"\ndb = \"{db}\"\nno-guests = true\n\
         host = [\"localhost\", \"chat.example.org\"]\nlog = \"debug\"\n"
    );
    fs::write(&file, text).expect("a file");
    let mut server = TestServer::of(move |_| {
        let mut command = shanty();
        command.args(["--config", &file]).env("SHANTY_LOG", "info");
        command
    });
    let ask = |line: &str, host: &str| {
        let mut http = server.http();
        http.send(format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"));
        http.response().status
    };
    assert_eq!(ask("GET /", "chat.example.org"), 200);
    assert_eq!(ask("GET /", "other.example.org"), 421);
    assert_eq!(ask("POST /api/v1/guests", "localhost"), 403);
    assert!(fs::exists(&db).expect("an answer"), "the database is where the file says");
    let log = server.stop().stderr;
    assert!(log.contains(" info ") && !log.contains(" debug "), "the variable wins: {log}");
}

#[test]
fn a_wrong_file_is_refused_before_anything_happens() {
    let folder = Scratch::new();
    let (file, db) = (folder.path("shanty.toml"), folder.path("shanty.db"));
    let text = format!("db = \"{db}\"\nlisten = \"127.0.0.1:0\"\nsession_ttl = 60\n");
    fs::write(&file, &text).expect("a file");
    let mut command = shanty();
    command.args(["--config", &file]);
    for end in [run(command), check(&["--config", &file])] {
        assert_eq!((end.code, end.stdout.as_str()), (Some(2), ""), "{end:?}");
        assert!(end.stderr.contains(", line 3: there is no setting session_ttl"), "{end:?}");
        assert!(end.stderr.contains("is session-ttl meant?"), "{end:?}");
        assert_eq!(end.stderr.lines().count(), 1, "{end:?}");
    }
    fs::write(&file, text.replace('_', "-")).expect("a file");
    let end = check(&["--config", &file]);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    assert!(end.stdout.contains("session-ttl = 60 (from session-ttl in "), "{end:?}");
    assert!(!fs::exists(&db).expect("an answer"), "a check makes no database");
}

#[test]
fn the_secret_of_tokens_comes_from_a_file() {
    let folder = Scratch::new();
    let (file, secret) = (folder.path("secret-key"), "sesame-open-".repeat(3));
    fs::write(&file, format!("{secret}\n")).expect("a file");
    let server = TestServer::with(&["--secret-key-file", &file]);
    let room = json!({"title": "Den", "visibility": "private", "password": "p4ssw0rd!"});
    let token = server.token(server.room(&room), "p4ssw0rd!", "Ann");
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(signed.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    assert!(mac.verify_slice(&signature).is_ok(), "it is signed with the file's first line");
    let end = check(&["--secret-key-file", "/nowhere/secret"]);
    assert_eq!(end.code, Some(2));
    assert!(end.stderr.contains("--secret-key-file: cannot read /nowhere/secret"), "{end:?}");
}
