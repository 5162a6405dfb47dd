//! A full disk: which requests are refused, which clients learn of it, and the recovery.

use std::process::Command;

use serde_json::json;

use crate::kit::{Scratch, TestServer, clean, joined, run, said, send, until};

/// The server under a file size limit of `kib` KiB; `free` lifts it, as if the operator had made
/// room.
fn confined(kib: u64) -> TestServer {
    TestServer::of(move |db| {
        let mut command = clean(Command::new("sh"));
        // POSIX counts blocks of 512 bytes. Without the signal a write fails, as on a full disk.
        let script = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$@\"", kib * 2);
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_shanty")]);
        command.args(["--listen", "127.0.0.1:0", "--db", db]);
        command
    })
}

fn free(server: &TestServer) {
    let pid = server.pid().to_string();
    let freed = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status();
    assert!(freed.expect("the program prlimit").success());
}

#[test]
fn a_full_disk_refuses_writes_and_recovers() {
    let mut server = confined(560);
    let ann = server.account("Ann");
    let mut pirate = server.pirate(&ann);
    let mut guest = server.guest(1, "Gus");
    pirate.expect_text(r#"{"event":"join","username":"Gus"}"#);
    let mut kept = Vec::new();
    // A short message may fit where a long one does not: both are sent until none fits.
    let refused = ["x".repeat(280), String::new()].map(|long| {
        let refused = (0..5000).find(|index| {
            let text = format!("{index} {long}");
            pirate.say(&json!({"message": text}));
            let answer = pirate.json();
            if answer == json!({"status": true}) {
                guest.expect(&said(1, "Ann", &text));
                kept.push(text);
                return false;
            }
            assert_eq!(answer, json!({"status": false, "code": "unavailable"}));
            true
        });
        refused.expect("there is an end")
    });
    assert!(refused[0] > 3, "{refused:?}: some were written before");
    // Every change is refused, in each protocol's format ...
    let refused = (0..50).any(|_| {
        guest.say(&send("Gus", "anybody?"));
        if guest.json()["error"]["code"] == json!(503) {
            return true;
        }
        kept.push("anybody?".to_owned()); // What is shorter may just fit.
        false
    });
    assert!(refused, "nothing fits any more");
    let register = server.send("POST /api/register", &json!({"username": "Bob"}));
    assert_eq!((register.status, register.header("retry-after")), (503, Some("1")));
    assert_eq!(server.send("POST /api/login", &json!({"key": ann.key})).status, 503);
    let room = server.send("POST /chats", &json!({"title": "Den", "visibility": "public"}));
    assert_eq!((room.status, &room.json()["error"]["code"]), (503, &json!(503)));
    // ... and everything else works: joins and leaves are broadcast, and history can be read.
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200);
    let other = server.guest(1, "Other");
    guest.expect(&joined(1, "Other"));
    drop(other);
    // With room again it works without a restart, and no message is lost or doubled.
    free(&server);
    until("it can be written again", || {
        server.send("POST /api/login", &json!({"key": ann.key})).status == 200
    });
    let made = server.send("POST /api/register", &json!({"username": "Bob"}));
    assert_eq!(made.status, 201, "the name that was refused is free: {made:?}");
    let room = json!({"title": "Den", "visibility": "public"});
    assert_eq!(server.send("POST /chats", &room).status, 201, "so is the title");
    guest.expect(&crate::kit::left(1, "Other"));
    guest.say(&send("Gus", "at last"));
    guest.expect(&said(1, "Gus", "at last"));
    kept.push("at last".to_owned());
    assert_eq!(server.stop().code, Some(0));
    let log = server.log();
    assert!(log.iter().zip(1..).all(|(row, seq)| row.seq == seq), "no gap");
    let said: Vec<&str> = log.iter().filter_map(|row| row.text.as_deref()).collect();
    assert_eq!(said, kept);
}

/// Sends messages until one is refused.
fn fill(server: &TestServer) {
    let mut guest = server.guest(1, "Gus");
    let text = "x".repeat(4000);
    let refused = (0..500).any(|_| {
        guest.say(&send("Gus", &text));
        guest.json()["error"]["code"] == json!(503)
    });
    assert!(refused, "the disk has an end");
}

#[test]
fn readiness_goes_with_the_disk_and_comes_back_by_itself() {
    let mut server = confined(560);
    assert_eq!(server.ask("GET /readyz", "", "").status, 200);
    fill(&server);
    let says = "the disk cannot be written: check whether it is full or fails";
    let error = json!({"code": "unavailable", "message": says, "retry_after_ms": 1000});
    for _ in 0..2 {
        let unready = server.ask("GET /readyz", "", "");
        assert_eq!(unready.header("retry-after"), Some("1"));
        unready.expect(503, &json!({"error": error}));
        assert_eq!(server.ask("GET /healthz", "", "").status, 200, "a restart would not help");
        // The state stays for some probes.
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    // A proxy that routes no client here must learn of the recovery although no write is attempted.
    free(&server);
    until("it is ready", || server.ask("GET /readyz", "", "").status == 200);
    server.account("Ann");
    let end = server.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    for line in ["the database cannot be written", "the database can be written again"] {
        assert_eq!(end.stderr.matches(line).count(), 1, "{line}: {}", end.stderr);
    }
}

#[test]
fn a_start_with_too_little_room_for_a_message_is_not_ready() {
    let mut server = TestServer::start();
    server.account("Ann");
    assert_eq!(server.stop().code, Some(0));
    let db = server.db();
    // The limit lets the write-ahead log take a start's writes, but not a long message.
    let mut tight = TestServer::of(move |_| {
        let mut command = clean(Command::new("sh"));
        let script = "trap '' XFSZ; ulimit -S -f 80; exec \"$@\"";
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_shanty")]);
        command.args(["--listen", "127.0.0.1:0", "--db", &db]);
        command
    });
    assert_eq!(tight.ask("GET /readyz", "", "").status, 503);
    assert_eq!(tight.ask("GET /healthz", "", "").status, 200);
    free(&tight);
    until("it is ready", || tight.ask("GET /readyz", "", "").status == 200);
    let end = tight.stop();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.stderr.matches("the database can be written again").count(), 1, "{end:?}");
}

#[test]
fn an_end_with_a_disk_that_takes_nothing_is_no_success() {
    let mut server = confined(560);
    fill(&server);
    let end = server.stop();
    assert_eq!(end.code, Some(1), "{end:?}");
    let why = "shanty: stopped, but the last entries could not be written: the disk";
    assert!(end.stderr.lines().last().is_some_and(|line| line.starts_with(why)), "{end:?}");
}

#[test]
fn a_disk_too_full_to_start_is_said() {
    let scratch = Scratch::new();
    let mut command = clean(Command::new("sh"));
    let script = "trap '' XFSZ; ulimit -S -f 8; exec \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_shanty")]);
    command.args(["--listen", "127.0.0.1:0", "--db", &scratch.path("shanty.db")]);
    let end = run(command);
    assert_eq!((end.code, end.stdout.as_str()), (Some(1), ""), "{end:?}");
}

#[test]
fn the_free_space_setting_is_respected() {
    // No disk has that much free space, so the limit applies from the start.
    let server = TestServer::with(&["--disk-free", "1000000T"]);
    let ready = server.ask("GET /readyz", "", "");
    let says = "the server's disk is nearly full; tell its owner, and try again later";
    assert_eq!((ready.status, &ready.json()["error"]["message"]), (503, &json!(says)));
    assert_eq!(server.ask("GET /healthz", "", "").status, 200);
    let register = server.send("POST /api/register", &json!({"username": "Bob"}));
    assert_eq!((register.status, register.header("retry-after")), (503, Some("1")));
    let room = server.send("POST /chats", &json!({"title": "Den", "visibility": "public"}));
    assert_eq!((room.status, &room.json()["error"]["code"]), (503, &json!(503)));
    let mut guest = server.guest(1, "Gus");
    guest.say(&send("Gus", "anybody?"));
    assert_eq!(guest.json()["error"]["code"], json!(503));
    assert_eq!(server.ask("GET /chats/1", "", "").status, 200, "reading goes on");
}
