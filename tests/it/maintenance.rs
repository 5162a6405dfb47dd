//! Backups, exports and retention, as the operator uses them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use serde_json::json;

use crate::kit::{End, TestServer, clean, run, shanty, until};

/// Runs a maintenance command on a database.
fn maintain(db: &str, words: &[&str]) -> End {
    let mut command = shanty();
    command.args(["--db", db]).args(words);
    run(command)
}

/// Expects success; returns the output.
fn done(db: &str, words: &[&str]) -> String {
    let end = maintain(db, words);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{words:?}");
    assert_eq!(end.stdout.lines().count(), 1, "{words:?}: {}", end.stdout);
    end.stdout
}

/// Expects a failure; returns the reason.
fn refused(db: &str, words: &[&str], code: i32) -> String {
    let end = maintain(db, words);
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
    assert!(refused(&db, &["restore", &file, "--force"], 1).contains("stop it first"));
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
    // A damaged backup is not restored, with a reason.
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
    let end = maintain(&db, &["export"]);
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
    // Retention runs at the start.
    assert_eq!(server.stop().code, Some(0));
    server.go_on();
    let left = || server.log().iter().filter(|row| row.kind == "said").count();
    until("only the latest are left", || left() == 3);
    // The message was sent and is deleted; a repeated send returns its tombstone.
    first["deleted"] = json!(true);
    first.as_object_mut().expect("a message").remove("text");
    assert_eq!(put(&server), (200, first));
    assert_eq!(left(), 3);
    let other = say(&server, &ann.key, "first", "other");
    assert_eq!(other, 409);
    assert!(done(&server.db(), &["verify"]).contains("sound"));
}

#[test]
fn a_replaced_file_keeps_its_owner() {
    let mut server = TestServer::start();
    server.account("ann");
    let (db, file) = (server.db(), server.scratch.path("backup"));
    done(&db, &["backup", &file]);
    done(&db, &["export", &server.scratch.path("lines")]);
    assert_eq!(server.stop().code, Some(0));
    // A user other than root cannot change the owner, so there is nothing to keep.
    let other = chown(&db, Some(12_345), Some(12_346)).is_ok();
    fs::set_permissions(&db, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let before = fs::metadata(&db).expect("it is there");
    for words in
        [["restore", &file, "--force"], ["import", &server.scratch.path("lines"), "--force"]]
    {
        done(&db, &words);
        let after = fs::metadata(&db).expect("it is there");
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()), "{words:?}");
        assert_eq!(after.permissions().mode() & 0o777, 0o600, "{words:?}");
        assert!(!other || after.uid() == 12_345);
    }
}

#[test]
fn a_stream_is_no_file_and_may_end_early() {
    let server = TestServer::start();
    let ann = server.account("ann");
    for number in 0..300 {
        assert_eq!(say(&server, &ann.key, &format!("m{number}"), &"long ".repeat(100)), 201);
    }
    let (db, folder) = (server.db(), server.scratch.path(""));
    let mut command = shanty();
    command.current_dir(&folder).args(["--db", &db, "backup", "-"]);
    let end = run(command);
    assert_eq!((end.code, end.stdout.as_str()), (Some(2), ""), "{end:?}");
    assert!(end.stderr.contains("a backup needs a file name"), "{end:?}");
    assert!(!fs::exists(server.scratch.path("-")).expect("an answer"));
    // More than a pipe holds; the reader takes one line.
    let mut command = clean(Command::new("sh"));
    let script = "\"$0\" --db \"$1\" export - | head -n 1";
    command.args(["-c", script, env!("CARGO_BIN_EXE_shanty"), &db]);
    let end = run(command);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    assert_eq!(end.stdout.lines().count(), 1, "{end:?}");
}

#[test]
fn where_nothing_can_be_written_it_can_be_read() {
    let mut server = TestServer::start();
    let ann = server.account("ann");
    assert_eq!(say(&server, &ann.key, "one", "hello"), 201);
    assert_eq!(server.stop().code, Some(0));
    let (db, copy) = (server.db(), server.scratch.path("copy"));
    let mounted = server.scratch.path("mounted");
    fs::create_dir(&mounted).expect("a new directory");
    // In a mount namespace where the database's directory is read-only.
    let script = "mount --bind \"$1\" \"$2\" && mount -o remount,bind,ro \"$2\" || exit 77
        \"$0\" --db \"$2/shanty.db\" verify && \"$0\" --db \"$2/shanty.db\" export \"$3.lines\" \
        && \"$0\" --db \"$2/shanty.db\" backup \"$3\"";
    let folder = server.scratch.0.to_str().expect("a name").to_owned();
    let mut command = clean(Command::new("unshare"));
    command.args(["--map-root-user", "--mount", "sh", "-c", script]);
    command.args([env!("CARGO_BIN_EXE_shanty"), &folder, &mounted, &copy]);
    let end = run(command);
    if end.code == Some(77) || end.stderr.starts_with("unshare: ") {
        println!("left out: this system lets nobody mount anything ({})", end.stderr.trim());
        return;
    }
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    assert!(done(&db, &["verify", &copy]).contains("sound"));
}

#[test]
fn only_our_own_schema_is_restored() {
    let mut server = TestServer::start();
    server.account("ann");
    let (db, file) = (server.db(), server.scratch.path("backup"));
    done(&db, &["backup", &file]);
    assert_eq!(server.stop().code, Some(0));
    let spy = "CREATE TRIGGER spy AFTER INSERT ON log BEGIN DELETE FROM session; END";
    rusqlite::Connection::open(&file).expect("it opens").execute_batch(spy).expect("it is made");
    let before = fs::read(&db).expect("the database");
    assert!(
        refused(&db, &["verify", &file], 1).contains("trigger spy is not part of shanty's schema")
    );
    assert!(
        refused(&db, &["restore", &file, "--force"], 1)
            .contains("trigger spy is not part of shanty's schema")
    );
    assert_eq!(fs::read(&db).expect("the database"), before);
    let zeros = refused(&server.scratch.path("new.db"), &["import", "/dev/zero"], 1);
    assert!(zeros.contains("longer than any line"), "{zeros}");
}
