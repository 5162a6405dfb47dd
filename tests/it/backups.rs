//! Timed backups of the running server.

use std::fs;

use serde_json::json;

use crate::kit::{Scratch, TestServer, run, shanty, until};

fn names(folder: &Scratch) -> Vec<String> {
    let entries = fs::read_dir(&folder.0).expect("the directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"))
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn sample(server: &TestServer, name: &str) -> Option<f64> {
    let text = server.ask("GET /metrics", "", "").text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")))?;
    Some(line.parse().expect("a number"))
}

#[test]
fn backups_come_by_themselves_and_the_oldest_go() {
    let folder = Scratch::new();
    fs::write(folder.path("notes.txt"), "mine").expect("a file");
    let directory = folder.path("");
    let flags = ["--backup-dir", &directory, "--backup-every", "1s", "--backup-keep", "2"];
    let mut server = TestServer::with(&flags);
    let ann = server.account("Ann");
    let mut pirate = server.pirate(&ann);
    pirate.say(&json!({"message": "keep this"}));
    pirate.expect_ack();
    until("three were made", || sample(&server, "shanty_backups_total") >= Some(3.0));
    assert_eq!(sample(&server, "shanty_backup_failures_total"), Some(0.0));
    let last = sample(&server, "shanty_backup_timestamp_seconds").expect("a time");
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
    assert!(last <= now && now - last < 60.0, "{last} {now}");
    let end = server.stop();
    assert_eq!(end.code, Some(0), "a copy in progress holds up no shutdown");
    assert!(end.stderr.contains("a backup was made and verified; 1 old removed"), "{end:?}");
    let left = names(&folder);
    assert_eq!(left[0], "notes.txt", "other files stay");
    assert_eq!(left.len(), 3, "{left:?}");
    let mut command = shanty();
    command.args(["export", "--db", &folder.path(&left[2])]);
    let export = run(command);
    assert!(export.stdout.contains("keep this"), "{export:?}");
}

#[test]
fn a_backup_that_fails_is_reported_and_keeps_nobody_from_chatting() {
    let mut server = TestServer::with(&["--backup-dir", "/nowhere/backups"]);
    until("it has failed", || sample(&server, "shanty_backup_failures_total") == Some(1.0));
    assert_eq!(sample(&server, "shanty_backups_total"), Some(0.0));
    assert_eq!(server.ask("GET /readyz", "", "").status, 200);
    let end = server.stop();
    assert_eq!(end.code, Some(0));
    assert!(end.stderr.contains("error no backup was made: /nowhere/backups"), "{end:?}");
    assert!(end.stderr.contains("--backup-dir"), "it says what to do: {end:?}");
}

#[test]
fn a_new_start_makes_no_new_backup_before_its_time() {
    let folder = Scratch::new();
    let directory = folder.path("");
    let mut server = TestServer::with(&["--backup-dir", &directory]);
    server.account("Ann");
    until("one was made", || sample(&server, "shanty_backups_total") == Some(1.0));
    let made = names(&folder);
    assert_eq!(server.stop().code, Some(0));
    server.go_on();
    until("it was found", || sample(&server, "shanty_backup_timestamp_seconds").is_some());
    assert_eq!(sample(&server, "shanty_backups_total"), Some(0.0));
    assert_eq!(names(&folder), made);
    // It is a whole backup.
    let mut command = shanty();
    command.args(["verify", &folder.path(&made[0])]);
    assert_eq!(run(command).code, Some(0));
}
