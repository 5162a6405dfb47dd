//! The running server under a leaping clock, by a small library that is compiled here and preloaded
//! (`leap.c`; a C compiler exists, as SQLite needs it).

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::kit::{Account, Scratch, TestServer, clean, until};

const DAY: i64 = 24 * 3_600;

/// A server whose clock a test can set.
struct Leaping {
    server: TestServer,
    clock: Arc<Scratch>,
}

impl Leaping {
    /// Starts with a clock that is `wall` seconds ahead.
    fn start(wall: i64, flags: &[&str]) -> Leaping {
        let clock = Arc::new(Scratch::new());
        let library = clock.path("leap.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clock/leap.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o", &library]).arg(source).arg("-ldl");
        assert!(compile.status().expect("a C compiler").success(), "the library is compiled");
        set(&clock, wall, 0);
        let (file, log) = (clock.path("leap"), clock.path("log"));
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let server = TestServer::of(move |db| {
            // Through a shell, so that its log can be read while it runs.
            let mut command = clean(Command::new("sh"));
            let run = format!("exec \"$0\" \"$@\" 2>> {log}");
            command.args(["-c", &run, env!("CARGO_BIN_EXE_shanty")]);
            command.env("LD_PRELOAD", &library).env("LEAP_FILE", &file);
            command.args(["--listen", "127.0.0.1:0", "--db", db]).args(&flags);
            command
        });
        Leaping { server, clock }
    }

    /// Sets the system's clock `wall` seconds ahead of what it is, and lets `passed` seconds pass.
    fn set(&self, wall: i64, passed: i64) {
        set(&self.clock, wall, passed);
    }

    /// What the server has logged so far.
    fn log(&self) -> String {
        fs::read_to_string(self.clock.path("log")).unwrap_or_default()
    }

    fn say(&self, who: &Account, text: &str) -> Value {
        let headers = format!("Cookie: {}\r\n", who.cookie);
        let body = json!({"text": text}).to_string();
        let said = self.server.ask("POST /api/v1/rooms/1/messages", &headers, &body);
        assert_eq!(said.status, 201, "{said:?}");
        said.json()
    }

    fn texts(&self, who: &Account) -> Vec<String> {
        let page = self.server.ask_as("GET /api/v1/rooms/1/messages", who).json();
        let messages = page["messages"].as_array().expect("messages").clone();
        let text = |message: Value| message["text"].as_str().expect("a text").to_owned();
        messages.into_iter().map(text).collect()
    }
}

fn set(clock: &Scratch, wall: i64, passed: i64) {
    // Written to another file and moved, as the server reads it at any time.
    fs::write(clock.path("next"), format!("{wall} {passed}\n")).expect("a file");
    fs::rename(clock.path("next"), clock.path("leap")).expect("a file");
}

/// The day of a message: `2026-11-26`.
fn day(message: &Value) -> String {
    message["time"].as_str().expect("a time")[..10].to_owned()
}

#[test]
fn a_clock_that_was_ahead_for_a_moment_is_forgotten() {
    let mut leaping = Leaping::start(0, &[]);
    let ann = leaping.server.account("ann");
    let before = leaping.say(&ann, "before");
    leaping.set(40 * DAY, 0);
    let ahead = leaping.say(&ann, "ahead");
    assert_ne!(day(&ahead), day(&before), "the clock is believed");
    leaping.set(0, 0);
    let after = leaping.say(&ann, "after");
    assert!(after["time"].as_str() < ahead["time"].as_str(), "and so it is when it goes back");
    assert_ne!(leaping.say(&ann, "and it moves on")["time"], after["time"]);
    // A short step back is smoothed.
    leaping.set(-30, 0);
    let smoothed = leaping.say(&ann, "half a minute back");
    assert!(smoothed["time"].as_str() >= after["time"].as_str(), "{smoothed} {after}");
    // Also after a restart, and in the order of the log.
    assert_eq!(leaping.server.stop().code, Some(0));
    let log = leaping.log();
    assert_eq!(log.lines().filter(|line| line.contains("was set back")).count(), 1, "{log}");
    leaping.server.go_on();
    let later = leaping.say(&ann, "after a restart");
    assert!(later["time"].as_str() < ahead["time"].as_str());
    let order =
        ["before", "ahead", "after", "and it moves on", "half a minute back", "after a restart"];
    assert_eq!(leaping.texts(&ann), order);
}

#[test]
fn sessions_and_tokens_live_by_the_time_that_passes() {
    let leaping = Leaping::start(0, &["--session-ttl", "30"]);
    let server = &leaping.server;
    let (ann, bob) = (server.account("ann"), server.account("bob"));
    let mut ws = server.pirate(&ann);
    let me = |who: &Account| server.ask_as("GET /api/v1/me", who).status;
    for leap in [6 * 3_600, -6 * 3_600, 400 * DAY] {
        leaping.set(leap, 0);
        assert_eq!((me(&ann), me(&bob)), (200, 200), "a leap of {leap} s ends no session");
        let room = json!({"title": format!("Den {leap}"), "visibility": "private",
                          "password": "password"});
        let room = server.room(&room);
        server.token(room, "password", "guest");
    }
    // The lifetime passes. A session with an open connection stays, one without ends.
    leaping.set(0, 40);
    until("the session ends", || me(&bob) == 401);
    assert_eq!(me(&ann), 200);
    ws.say(&json!({"message": "still here"}));
    ws.expect(&json!({"status": true}));
}

#[test]
fn a_clock_that_is_far_ahead_at_the_start_removes_nothing() {
    let mut leaping = Leaping::start(0, &["--retain-days", "30"]);
    let ann = leaping.server.account("ann");
    for text in ["first", "second"] {
        leaping.say(&ann, text);
    }
    leaping.server.stop();
    leaping.set(400 * DAY, 0);
    leaping.server.go_on();
    until("the log says that age does not count yet", || {
        leaping.log().contains("old messages stay for the first hour after a start")
    });
    let doubted = "no message is removed for its age";
    // The first hour passes. (A write makes the server check the clock again; a user's message
    // would show that the clock is right.)
    let mut passed = 3_700;
    until("the clock is doubted", || {
        // (One sweep may have ended just after the leap; the next is a minute later.)
        passed += 61;
        leaping.set(400 * DAY, passed);
        leaping.server.log_in(&ann.key);
        leaping.log().contains(doubted)
    });
    let ann = Account { cookie: leaping.server.log_in(&ann.key), ..ann };
    assert_eq!(leaping.texts(&ann), ["first", "second"]);
    assert_eq!(leaping.log().matches(doubted).count(), 1, "it is said once");
}

/// A small computer without a battery starts at any time, and an operator may set any clock.
#[test]
fn requests_are_served_at_any_time() {
    const YEAR: i64 = 365 * DAY;
    for (years, shown) in [(-100, "1970-"), (-56, "1970-"), (8_100, "9999-"), (290_000, "9999-")] {
        let mut leaping = Leaping::start(years * YEAR, &["--log", "debug"]);
        let server = &leaping.server;
        let ann = server.account("Ann");
        let said = leaping.say(&ann, "hello");
        assert!(day(&said).starts_with(shown), "{said}");
        let tls = format!("Cookie: {}\r\nX-Forwarded-Proto: https\r\n", ann.cookie);
        for (line, status) in [
            ("GET /", 200),
            ("GET /api/user/@me", 200),
            ("GET /api/v1/rooms", 200),
            ("GET /api/v1/sessions", 200),
            ("GET /api/v1/rooms/1/members", 200),
            ("GET /api/v1/search?q=hello", 200),
            ("GET /chats", 200),
            ("GET /nothing", 404),
        ] {
            let answer = server.ask(line, &tls, "");
            assert_eq!(answer.status, status, "{line} in {years} years: {answer:?}");
            let date = answer.header("date").expect("a date");
            assert!(date.contains(&shown[..4]), "{line}: {date}");
        }
        let room = r#"{"title":"Den","visibility":"private","password":"open sesame"}"#;
        assert_eq!(server.ask("POST /chats", "", room).status, 201);
        let wanted = r#"{"name":"Bo","secret":"open sesame"}"#;
        let token = server.ask("POST /chats/den/token", "", wanted);
        assert_eq!(token.status, 201, "{token:?}");
        let token = token.json()["token"].as_str().expect("a token").to_owned();
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let mut bo = server.ws("/chats/den/ws", &bearer);
        bo.say(&json!({"event_type": "send", "name": "Bo", "msg": "hello"}));
        let heard = bo.json();
        assert!(heard["time"].as_str().expect("a time").starts_with(shown), "{heard}");
        bo.bye();
        let renewed = server.ask("GET /chats/den/token/renew", &bearer, "");
        assert_eq!(renewed.status, 201, "{renewed:?}");
        assert_eq!(server.ask("GET /api/logout", &tls, "").status, 200);
        assert_eq!(leaping.server.stop().code, Some(0));
        let log = leaping.log();
        assert!(!log.contains("panicked") && log.contains("GET /nothing 404"), "{log}");
        assert!(log.lines().all(|line| line.starts_with(shown)), "{log}");
    }
}

#[test]
fn a_deleted_room_can_be_brought_back_for_seven_days_whatever_the_clock_says() {
    let leaping = Leaping::start(0, &[]);
    let server = &leaping.server;
    let ann = server.account("ann");
    let headers = format!("Cookie: {}\r\n", ann.cookie);
    let settings = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let made = server.ask("POST /api/v1/rooms", &headers, &settings.to_string()).json();
    let room = format!("/api/v1/rooms/{}", made["id"]);
    let restore = |headers: &str| server.ask(&format!("POST {room}/restore"), headers, "").status;
    let delete = |headers: &str| {
        assert_eq!(server.ask(&format!("DELETE {room}"), headers, "").status, 204);
    };
    delete(&headers);
    leaping.set(400 * DAY, 0);
    assert_eq!(restore(&headers), 200, "no time has passed");
    delete(&headers);
    leaping.set(0, 7 * DAY + 60);
    let headers = format!("Cookie: {}\r\n", server.log_in(&ann.key));
    let list = server.ask("GET /api/v1/me/deleted", &headers, "").json();
    assert_eq!(list, json!({"rooms": []}), "though by the clock it was deleted in the future");
    assert_eq!(restore(&headers), 404);
}
