//! The program as its operator sees it: arguments, exit codes, files, the environment.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::{End, Scratch, TestServer, clean, joined, run, said, send, shanty};

/// Runs the program with these arguments on a new database.
fn run_with(words: &[&str]) -> End {
    let scratch = Scratch::new();
    let mut command = shanty();
    command.current_dir(&scratch.0).args(words);
    run(command)
}

/// Expects a failed start with one line of reason.
fn failed(end: &End, code: i32, why: &str) {
    assert_eq!(end.code, Some(code), "{end:?}");
    assert_eq!(end.stdout, "", "{end:?}");
    let line = end.stderr.lines().last().expect("a reason");
    assert!(line.starts_with("shanty: ") && line.contains(why), "{why}: {line:?}");
}

fn on_db(db: &str) -> End {
    run_with(&["--listen", "127.0.0.1:0", "--db", db])
}

#[test]
fn help_and_version_are_printed_and_nothing_is_started() {
    for word in ["--help", "-h"] {
        let end = run_with(&[word]);
        assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
        for name in ["--listen", "--db", "--session-ttl", "SECRET_KEY", "PORT", "Exit codes"] {
            assert!(end.stdout.contains(name), "{name}");
        }
    }
    for word in ["--version", "-V"] {
        let end = run_with(&[word]);
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
        failed(&run_with(wrong), 2, why);
    }
    let mut command = shanty();
    command.env("SHANTY_WORKERS", "many");
    failed(&run(command), 2, "SHANTY_WORKERS");
}

#[test]
fn a_port_in_use_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    failed(&run_with(&["--listen", &address]), 1, "another program listens there");
    failed(&run_with(&["--listen", "192.0.2.1:0"]), 1, "does not have that address");
}

#[test]
fn an_unusable_database_is_reported_and_left_alone() {
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

/// The program as an unprivileged user, as root may write everything.
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
    failed(&on_db(&server.db()), 1, "another shanty is using the file");
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200, "the first is unharmed");
    // After a crash the next start works.
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
    // A port alone listens on every address; the printed line names one that can be opened.
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

#[test]
fn the_log_has_neither_keys_nor_messages() {
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
    // Nor for refused requests.
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
    // (The setup link is for whoever starts the server.)
    assert!(end.stdout.lines().all(|line| line.contains("/#/setup/")), "{}", end.stdout);
}

#[test]
fn the_server_runs_with_a_closed_standard_error() {
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
