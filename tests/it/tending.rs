//! Backups, exports and retention, as the person who runs the server has them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::kit::{End, TestServer, run, shanty, until};

/// Looks after a database, by these words.
fn tend(db: &str, words: &[&str]) -> End {
    let mut command = shanty();
    command.args(["--db", db]).args(words);
    run(command)
}

/// It went well, and this is what was said.
fn done(db: &str, words: &[&str]) -> String {
    let end = tend(db, words);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{words:?}");
    assert_eq!(end.stdout.lines().count(), 1, "{words:?}: {}", end.stdout);
    end.stdout
}

/// It did not, and this is why.
fn refused(db: &str, words: &[&str], code: i32) -> String {
    let end = tend(db, words);
    assert_eq!((end.code, end.stdout.as_str()), (Some(code), ""), "{words:?}");
    assert_eq!(end.stderr.lines().count(), 1, "{words:?}: {}", end.stderr);
    end.stderr
}

fn say(server: &TestServer, key: &str, id: &str, text: &str) -> u16 {
    let headers = format!("Authorization: Bearer {key}\r\n");
    let line = format!("PUT /api/v1/rooms/1/messages/{id}");
    server.ask(&line, &headers, &json!({"text": text}).to_string()).status
}

#[test]
fn a_backup_while_it_runs_and_back() {
    let mut server = TestServer::start();
    let ann = server.account("ann");
    assert_eq!(say(&server, &ann.key, "one", "kept"), 201);
    let (db, file) = (server.db(), server.scratch.path("backup"));
    assert!(done(&db, &["backup", &file]).contains("sound"));
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert!(refused(&db, &["backup", &file], 1).contains("choose another"));
    assert!(done(&db, &["verify"]).contains("sound"));
    assert!(refused(&db, &["restore", &file, "--force"], 1).contains("stop that one first"));
    assert_eq!(say(&server, &ann.key, "two", "lost"), 201);
    let before = server.ask("GET /api/v1/server", "", "").json();
    assert_eq!(server.stop().code, Some(0));
    assert!(refused(&db, &["restore", &file], 1).contains("--force"));
    assert!(done(&db, &["restore", &file, "--force"]).contains("restored"));
    server.go_on();
    let after = server.ask("GET /api/v1/server", "", "").json();
    assert_ne!(before["epoch"], after["epoch"], "it is another log");
    assert_eq!(say(&server, &ann.key, "one", "kept"), 200, "it is there");
    assert_eq!(say(&server, &ann.key, "two", "lost"), 201, "it was not");
    // What is damaged is not restored, and says so.
    let mut bytes = fs::read(&file).expect("the backup");
    bytes[6_000..9_000].fill(0x5a);
    fs::write(&file, bytes).expect("it is written");
    assert!(refused(&db, &["verify", &file], 1).contains("damaged"));
}

#[test]
fn an_export_there_and_back() {
    let server = TestServer::start();
    let ann = server.account("ann");
    assert_eq!(say(&server, &ann.key, "one", "hello"), 201);
    let db = server.db();
    let path = |name| server.scratch.path(name);
    done(&db, &["export", &path("lines")]);
    done(&path("other.db"), &["import", &path("lines")]);
    done(&path("other.db"), &["export", &path("again")]);
    let read = |name| fs::read_to_string(path(name)).expect("lines");
    assert_eq!(read("again"), read("lines"));
    let end = tend(&db, &["export"]);
    assert_eq!((end.code, end.stdout), (Some(0), read("lines")));
    let other = path("third.db");
    assert!(refused(&other, &["import", &path("other.db")], 1).contains("line 1: "));
    assert!(!fs::exists(&other).expect("an answer"));
    assert!(refused(&db, &["backup"], 2).contains("shanty backup FILE"));
}

#[test]
fn old_messages_go_while_it_runs() {
    let mut server = TestServer::with(&["--retain-messages", "3"]);
    let ann = server.account("ann");
    let headers = format!("Authorization: Bearer {}\r\n", ann.key);
    let put = |server: &TestServer| {
        let body = json!({"text": "text"}).to_string();
        let response = server.ask("PUT /api/v1/rooms/1/messages/first", &headers, &body);
        (response.status, response.json())
    };
    let (status, mut first) = put(&server);
    assert_eq!(status, 201);
    for number in 0..100 {
        assert_eq!(say(&server, &ann.key, &format!("m{number}"), "text"), 201);
    }
    // It looks at the rooms when it starts.
    assert_eq!(server.stop().code, Some(0));
    server.go_on();
    let left = || server.log().iter().filter(|row| row.kind == "said").count();
    until("only the latest are left", || left() == 3);
    // It was said, and is gone; what is left of it is told to whoever is not sure.
    first["deleted"] = json!(true);
    first.as_object_mut().expect("a message").remove("text");
    assert_eq!(put(&server), (200, first));
    assert_eq!(left(), 3);
    let other = say(&server, &ann.key, "first", "other");
    assert_eq!(other, 409);
    assert!(done(&server.db(), &["verify"]).contains("sound"));
}
