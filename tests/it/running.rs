//! The program as the person who runs it sees it: words, exit codes, files, signals, a full disk.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::{
    End, Heard, Http, Scratch, TestServer, clean, joined, run, said, send, shanty, until,
};

/// Runs the program with these words on a database of its own.
fn words(words: &[&str]) -> End {
    let scratch = Scratch::new();
    let mut command = shanty();
    command.current_dir(&scratch.0).args(words);
    run(command)
}

/// It did not start, and said why in one line.
fn failed(end: &End, code: i32, why: &str) {
    assert_eq!(end.code, Some(code), "{end:?}");
    assert_eq!(end.stdout, "", "{end:?}");
    let line = end.stderr.lines().last().expect("a reason");
    assert!(line.starts_with("shanty: ") && line.contains(why), "{why}: {line:?}");
}

fn on_db(db: &str) -> End {
    words(&["--listen", "127.0.0.1:0", "--db", db])
}

#[test]
fn help_and_version_are_printed_and_nothing_is_started() {
    for word in ["--help", "-h"] {
        let end = words(&[word]);
        assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
        for name in ["--listen", "--db", "--session-ttl", "SECRET_KEY", "PORT", "Exit codes"] {
            assert!(end.stdout.contains(name), "{name}");
        }
    }
    for word in ["--version", "-V"] {
        let end = words(&[word]);
        let version = format!("shanty {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((end.code, end.stdout), (Some(0), version));
    }
}

#[test]
fn wrong_words_are_exit_code_2() {
    for (wrong, why) in [
        (&["--frobnicate"][..], "--frobnicate"),
        (&["serve"], "serve"),
        (&["--listen", "nowhere"], "--listen"),
        (&["--listen", "127.0.0.1:99999"], "--listen"),
        (&["--session-ttl", "0"], "--session-ttl"),
        (&["--db"], "--db"),
        (&["--ping-interval", "500", "--pong-deadline", "400"], "--pong-deadline"),
    ] {
        failed(&words(wrong), 2, why);
    }
    let mut command = shanty();
    command.env("SHANTY_WORKERS", "many");
    failed(&run(command), 2, "SHANTY_WORKERS");
}

#[test]
fn a_port_in_use_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    failed(&words(&["--listen", &address]), 1, "another program listens there");
    failed(&words(&["--listen", "192.0.2.1:0"]), 1, "does not have that address");
}

#[test]
fn a_database_that_cannot_be_had_is_said_and_left_alone() {
    let scratch = Scratch::new();
    failed(&on_db(&scratch.path("missing/shanty.db")), 1, "no such directory");
    failed(&on_db(scratch.0.to_str().expect("ASCII")), 1, "this is a directory");
    let garbage = scratch.path("garbage");
    fs::write(&garbage, "This is a letter to my aunt, and no database. ".repeat(100)).expect("it");
    let before = fs::read(&garbage).expect("it");
    failed(&on_db(&garbage), 1, "not a database");
    assert_eq!(fs::read(&garbage).expect("it is there"), before);
    let foreign = scratch.path("foreign.db");
    let db = rusqlite::Connection::open(&foreign).expect("a database");
    db.execute_batch("CREATE TABLE recipes (text TEXT)").expect("a table");
    drop(db);
    let before = fs::read(&foreign).expect("it");
    failed(&on_db(&foreign), 1, "another program's database");
    assert_eq!(fs::read(&foreign).expect("it is there"), before);
}

#[test]
fn a_newer_schema_is_refused() {
    let mut server = TestServer::start();
    server.stop();
    let db = rusqlite::Connection::open(server.db()).expect("the database");
    db.pragma_update(None, "user_version", 9999).expect("the number");
    drop(db);
    failed(&on_db(&server.db()), 1, "made by a newer shanty (schema 9999");
}

#[test]
fn a_database_that_may_not_be_written_is_said() {
    let mut server = TestServer::start();
    server.stop();
    for name in ["", "-wal", "-shm"] {
        let mode = fs::Permissions::from_mode(0o444);
        let _ = fs::set_permissions(server.db() + name, mode); // The last two may not be there.
    }
    fs::set_permissions(&server.scratch.0, fs::Permissions::from_mode(0o555)).expect("ours");
    let end = run(unprivileged(&["--listen", "127.0.0.1:0", "--db", &server.db()]));
    failed(&end, 1, "not writable");
    let new = server.scratch.path("new.db");
    failed(&run(unprivileged(&["--listen", "127.0.0.1:0", "--db", &new])), 1, "not writable");
    fs::set_permissions(&server.scratch.0, fs::Permissions::from_mode(0o755)).expect("ours");
}

/// The program, for whom permissions count: root may write everything.
fn unprivileged(words: &[&str]) -> Command {
    let is_root = fs::metadata("/proc/self").expect("ourselves").uid() == 0;
    if !is_root {
        let mut command = shanty();
        command.args(words);
        return command;
    }
    let mut command = clean(Command::new("setpriv"));
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    command.args(nobody).arg(env!("CARGO_BIN_EXE_shanty")).args(words);
    command
}

#[test]
fn two_servers_do_not_share_a_database() {
    let mut server = TestServer::start();
    let ann = server.account("Ann");
    failed(&on_db(&server.db()), 1, "another shanty is using it");
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200, "the first is unharmed");
    // After a crash nothing is in the way of the next.
    server.kill();
    server.go_on();
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200);
}

#[test]
fn the_environment_sets_what_the_flags_do_not() {
    let server = TestServer::of(|db| {
        let mut command = shanty();
        command.env("PORT", "0").env("SHANTY_DB", db).env("SHANTY_SESSION_TTL", "7");
        command
    });
    // A port alone is a port of every address; the line names one that can be opened.
    let expected = format!(
        "shanty {} is open: http://127.0.0.1:{} (and at this machine's other addresses)\n",
        env!("CARGO_PKG_VERSION"),
        server.port()
    );
    assert_eq!(server.line(), expected);
    let ann = server.account("Ann");
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200);
    assert!(fs::metadata(server.db()).is_ok(), "SHANTY_DB");
    let server = TestServer::of(|db| {
        let mut command = shanty();
        command.env("PORT", "1").env("SHANTY_LISTEN", "192.0.2.1:1").env("SHANTY_DB", "/nowhere/x");
        command.args(["--listen", "127.0.0.1:0", "--db", db]);
        command
    });
    assert_eq!(server.ask("GET /chats/1", "", "").status, 200, "a flag wins");
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!("shanty {version} is open: http://127.0.0.1:{}\n", server.port());
    assert_eq!(server.line(), expected);
}

#[test]
fn the_database_is_for_no_other_eyes() {
    let server = TestServer::start();
    server.account("Ann");
    let mut seen = 0;
    for entry in fs::read_dir(&server.scratch.0).expect("its directory") {
        let entry = entry.expect("a file");
        let mode = entry.metadata().expect("its mode").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its write-ahead log");
}

#[test]
fn the_end_in_order() {
    for signal in ["TERM", "INT"] {
        let mut server = TestServer::start();
        let mut pirate = server.pirate(&server.account("Ann"));
        let mut guest = server.guest(1, "Gus");
        pirate.expect_text(r#"{"event":"join","username":"Gus"}"#);
        let mut idle = server.http();
        idle.request("GET /chats/1", "");
        assert_eq!(idle.response().status, 200);
        let mut silent = server.http();
        guest.say(&send("Gus", "last words"));
        pirate.expect_text(r#"{"message":"last words","author":"Gus"}"#);
        guest.expect(&said(1, "Gus", "last words"));
        let start = Instant::now();
        let port = server.port();
        server.signal(signal);
        pirate.expect_close(1001);
        guest.expect_close(1001);
        assert!(idle.is_over() && silent.is_over());
        drop((idle, silent, pirate, guest));
        let end = server.end();
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!((end.code, end.stdout.as_str()), (Some(0), ""), "{end:?}");
        assert!(end.stderr.contains("stopped"), "{end:?}");
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens");
        // One file is left, and what was said is in it.
        let left: Vec<_> = fs::read_dir(&server.scratch.0).expect("it").flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        let log = server.log();
        assert_eq!(log.last().and_then(|row| row.text.as_deref()), Some("last words"));
    }
}

/// Takes every place for passwords, with requests that take a while; those that got one.
fn fill_the_gate(server: &TestServer, room: u64) -> Vec<Http> {
    let body = json!({"secret": "not the secret", "name": "Eve"}).to_string();
    let length = format!("Content-Length: {}\r\n", body.len());
    let mut callers: Vec<Http> = (0..30).map(|_| server.http()).collect();
    for http in &mut callers {
        http.request(&format!("POST /chats/{room}/token"), &length);
        http.send(&body);
    }
    // The last is refused at once, so all before it have been seen.
    assert_eq!(callers.pop().expect("thirty").response().status, 503);
    callers
}

#[test]
fn a_response_in_hand_is_finished_before_the_end() {
    let mut server = TestServer::start();
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = server.room(&den);
    let callers = fill_the_gate(&server, room);
    server.signal("TERM");
    let mut closing = 0;
    for mut http in callers {
        let response = http.response();
        assert!(matches!(response.status, 401 | 503), "{response:?}");
        closing += usize::from(response.header("connection") == Some("close"));
        assert!(http.is_over());
    }
    assert!(closing > 5, "{closing} were told that it is the last");
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn whoever_hangs_does_not_hold_up_the_end_for_long() {
    let mut server = TestServer::start();
    let mut deaf = server.guest(1, "Deaf");
    let mut half = server.http();
    half.send("GET /chats/1 HTT");
    let mut body = server.http();
    body.request("POST /api/register", "Content-Length: 18\r\n");
    body.send("{\"user");
    // Rooms enough that the answer does not fit into what the system holds for who does not read.
    let mut rooms = server.http();
    for index in 0..600 {
        let title = format!("{index} {}", "\u{1F600}".repeat(60));
        let facts = json!({"title": title, "visibility": "public"}).to_string();
        rooms.request("POST /chats", &format!("Content-Length: {}\r\n", facts.len()));
        rooms.send(facts);
        assert_eq!(rooms.response().status, 201);
    }
    drop(rooms);
    let mut deaf_http = server.http();
    for _ in 0..30 {
        deaf_http.request("GET /chats", "");
    }
    // All has been read when this is answered.
    assert_eq!(server.ask("GET /chats/1", "", "").status, 200);
    let start = Instant::now();
    server.signal("TERM");
    assert!(matches!(deaf.hear(), Heard::Close(1001, _)));
    let end = server.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = TestServer::start();
    let mut deaf = server.guest(1, "Deaf");
    server.signal("TERM");
    assert!(matches!(deaf.hear(), Heard::Close(1001, _)));
    let start = Instant::now();
    server.signal("TERM");
    let end = server.end();
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    failed(&End { stdout: String::new(), ..end }, 1, "asked twice");
}

#[test]
fn requests_that_come_while_it_stops_do_not_hang() {
    let mut server = TestServer::start();
    let mut deaf = server.guest(1, "Deaf");
    let mut half = server.http();
    half.send("POST /api/register HTTP/1.1\r\nHost: h\r\nContent-Length: 18\r\n\r\n{\"user");
    assert_eq!(server.ask("GET /chats/1", "", "").status, 200);
    server.signal("TERM");
    assert!(matches!(deaf.hear(), Heard::Close(1001, _)));
    // What asks for a change now is told to come again, and that this was the last.
    half.send("name\":\"Ann\"}");
    let response = half.response();
    assert_eq!((response.status, response.header("connection")), (503, Some("close")));
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn several_workers_are_one_server() {
    let mut server = TestServer::with(&["--workers", "3"]);
    let mut pirate = server.pirate(&server.account("Ann"));
    let mut guests: Vec<_> = Vec::new();
    for index in 0..6 {
        let name = format!("G{index}");
        let ws = server.guest(1, &name);
        pirate.expect(&json!({"event": "join", "username": name}));
        for guest in &mut guests {
            let guest: &mut crate::kit::Ws = guest;
            guest.expect(&joined(1, &name));
        }
        guests.push(ws);
    }
    pirate.say(&json!({"message": "all of you"}));
    pirate.expect_ack();
    for guest in &mut guests {
        guest.expect(&said(1, "Ann", "all of you"));
    }
    server.signal("TERM");
    for mut guest in guests {
        guest.expect_close(1001);
    }
    pirate.expect_close(1001);
    assert_eq!(server.end().code, Some(0));
}

/// The server under a limit of so many KiB a file; `free` lifts it, as if somebody had made room.
fn confined(kib: u64) -> TestServer {
    TestServer::of(move |db| {
        let mut command = clean(Command::new("sh"));
        // POSIX counts in blocks of 512 bytes. Without the signal a write fails, as on a full disk.
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
fn a_full_disk_refuses_what_cannot_be_written_and_passes() {
    let mut server = confined(400);
    let ann = server.account("Ann");
    let mut pirate = server.pirate(&ann);
    let mut guest = server.guest(1, "Gus");
    pirate.expect_text(r#"{"event":"join","username":"Gus"}"#);
    let mut kept = Vec::new();
    let refused = (0..5000).find(|index| {
        let text = format!("{index} {}", "x".repeat(280));
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
    assert!(refused.is_some_and(|count| count > 3), "{refused:?}: some were written before");
    // Everything that would have to be written is refused, each in its own words ...
    guest.say(&send("Gus", "anybody?"));
    assert_eq!(guest.json()["error"]["code"], json!(503));
    let register = server.send("POST /api/register", &json!({"username": "Bob"}));
    assert_eq!((register.status, register.header("retry-after")), (503, Some("1")));
    assert_eq!(server.send("POST /api/login", &json!({"key": ann.key})).status, 503);
    let room = server.send("POST /chats", &json!({"title": "Den", "visibility": "public"}));
    assert_eq!((room.status, &room.json()["error"]["code"]), (503, &json!(503)));
    // ... and everything else goes on: who comes and goes is heard, and what is known is told.
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200);
    let other = server.guest(1, "Other");
    guest.expect(&joined(1, "Other"));
    drop(other);
    // When there is room again, it goes on, without a restart, and nothing is lost or doubled.
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
fn the_log_has_neither_keys_nor_what_was_said() {
    let mut server = TestServer::with(&["--log", "debug"]);
    let ann = server.account("Ann");
    let mut pirate = server.pirate(&ann);
    let (password, message) = ("a very secret sesame", "a very private message");
    pirate.say(&json!({"message": message}));
    pirate.expect_ack();
    let den = json!({"title": "Den", "visibility": "private", "password": password});
    let room = server.room(&den);
    let token = server.token(room, password, "David");
    let headers = format!("Sec-WebSocket-Protocol: {token}\r\n");
    let mut david = server.ws(&format!("/chats/{room}/ws"), &headers);
    david.say(&send("David", message));
    david.expect(&said(room, "David", message));
    david.frame(crate::kit::ws::BINARY, true, message.as_bytes());
    david.expect_close(1003);
    // Nor where something is wrong with them.
    let wrong = format!("Cookie: {}x\r\nX: {token}\r\nX-Bad\r\n", ann.cookie);
    server.ask("GET /api/online", &wrong, "");
    server.send("POST /api/login", &json!({"key": format!("{}0", ann.key)}));
    server.send("POST /api/login", &json!({"key": ann.key, "more": 1}));
    server.ask(&format!("GET /chats?token={token}"), "", "");
    let end = server.stop();
    let session = ann.cookie.strip_prefix("session=").expect("a session");
    for secret in [&ann.key, session, &token, password, message] {
        assert!(!end.stderr.contains(secret), "{secret}: {}", end.stderr);
    }
    for line in ["POST /api/register 201", "GET /ws 101", "stopped"] {
        assert!(end.stderr.contains(line), "{line}: {}", end.stderr);
    }
    assert_eq!(end.stdout, "");
}

#[test]
fn it_lives_though_nobody_reads_what_it_says() {
    let mut server = TestServer::of(|db| {
        let mut command = clean(Command::new("sh"));
        command.args(["-c", "exec \"$@\" 2>&-", "sh", env!("CARGO_BIN_EXE_shanty")]);
        command.args(["--listen", "127.0.0.1:0", "--log", "debug", "--db", db]);
        command
    });
    let ann = server.account("Ann");
    let me: Value = server.ask_as("GET /api/user/@me", &ann).json();
    assert_eq!(me, json!({"username": "Ann"}));
    assert_eq!(server.stop().code, Some(0));
}
