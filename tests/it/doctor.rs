//! `shanty doctor` and `shanty health`, beside a running server and without one.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use crate::kit::certificates::date;
use crate::kit::{End, Http, Scratch, TestServer, clean, run, shanty};

/// Runs a command for a server at that port, with that database.
fn ask(port: u16, db: &str, words: &[&str]) -> End {
    let mut command = shanty();
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--db", db]);
    command.args(["--connections", "10", "--disk-free", "0"]).args(words);
    run(command)
}

/// The line about a thing.
fn line<'a>(end: &'a End, what: &str) -> &'a str {
    let found = end.stdout.lines().find(|line| line[5..].trim_start().starts_with(what));
    found.unwrap_or_else(|| panic!("{what}: {end:?}"))
}

/// A port where nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port()
}

#[test]
fn a_healthy_server_passes() {
    let server = TestServer::start();
    server.account("Ann");
    let end = ask(server.port(), &server.db(), &["doctor"]);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    assert!(end.stdout.lines().all(|line| line.starts_with("ok ")), "{end:?}");
    assert!(line(&end, "server").contains("and serves"), "{end:?}");
    assert!(line(&end, "database").contains("entries up to 3"), "{end:?}");
    let health = ask(server.port(), &server.db(), &["health"]);
    assert_eq!(health.code, Some(0), "{health:?}");
    let url = format!("http://127.0.0.1:{}/healthz", server.port());
    let health = ask(1, "/nowhere/x.db", &["health", &url]);
    assert_eq!((health.code, health.stdout), (Some(0), format!("{url}: ok\n")));
    let health = ask(1, "/nowhere/x.db", &["health", &url.replace("healthz", "lost")]);
    assert_eq!((health.code, health.stdout.as_str()), (Some(1), ""));
    assert!(health.stderr.contains("answers 404"), "{health:?}");
}

#[test]
fn without_a_server_the_place_for_one_is_examined() {
    let scratch = Scratch::new();
    let (db, port) = (scratch.path("shanty.db"), free_port());
    let end = ask(port, &db, &["doctor"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(line(&end, "server").contains("none runs"), "{end:?}");
    assert!(!fs::exists(&db).expect("an answer"), "it makes no database");
    assert_eq!(fs::read_dir(&scratch.0).expect("the directory").count(), 0, "and nothing else");
    let health = ask(port, &db, &["health"]);
    assert_eq!(health.code, Some(1));
    assert!(health.stderr.contains("start the server"), "{health:?}");
    let end = ask(port, "/nowhere/shanty.db", &["doctor"]);
    assert_eq!(end.code, Some(1));
    assert!(line(&end, "directory").starts_with("WRONG"), "{end:?}");
    assert!(end.stderr.contains("2 of these lines"), "the disk is unknown, too: {end:?}");
}

#[test]
fn what_is_wrong_is_named() {
    let mut server = TestServer::start();
    server.account("Ann");
    assert_eq!(server.stop().code, Some(0));
    let (db, port) = (server.db(), free_port());
    // Everybody may read the database.
    fs::set_permissions(&db, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let end = ask(port, &db, &["doctor"]);
    assert_eq!(end.code, Some(1));
    assert!(line(&end, "files").contains("chmod o="), "{end:?}");
    fs::set_permissions(&db, fs::Permissions::from_mode(0o600)).expect("it is ours");
    // No space is left.
    let end = ask(port, &db, &["doctor", "--disk-free", "9999T"]);
    assert!(line(&end, "disk").starts_with("WRONG"), "{end:?}");
    // The log is of the future.
    let connection = rusqlite::Connection::open(&db).expect("the database");
    let later = "UPDATE log SET time = time + 86400000000 WHERE seq = (SELECT max(seq) FROM log)";
    connection.execute(later, []).expect("it is written");
    drop(connection);
    let end = ask(port, &db, &["doctor"]);
    assert!(line(&end, "database").contains("clock"), "{end:?}");
    // It is cut off, or no database at all.
    let connection = rusqlite::Connection::open(&db).expect("the database");
    connection.execute("DELETE FROM log WHERE seq = 3", []).expect("it is written");
    drop(connection);
    let end = ask(port, &db, &["doctor"]);
    assert!(line(&end, "database").contains("the end of the log is missing"), "{end:?}");
    fs::write(&db, "no database, but a text that is long enough to be one").expect("written");
    let end = ask(port, &db, &["doctor"]);
    assert!(line(&end, "database").starts_with("WRONG"), "{end:?}");
    // Another program listens.
    let other = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    let answering = thread::spawn(move || {
        let (mut client, _) = other.accept().expect("a client");
        client.write_all(b"SSH-2.0-x\r\n").expect("it is written");
        other
    });
    let end = ask(port, &db, &["doctor"]);
    drop(answering.join());
    assert!(line(&end, "server").contains("another program"), "{end:?}");
    // Few descriptors.
    let mut command = clean(Command::new("sh"));
    command.args(["-c", "ulimit -n 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_shanty"), "doctor"]);
    command.args(["--db", &db, "--listen", &format!("127.0.0.1:{port}")]);
    let end = run(command);
    assert!(line(&end, "descriptors").contains("LimitNOFILE=10064"), "{end:?}");
}

/// A proxy that passes on what it is told to, one request after the other.
fn proxy(server: u16, change: fn(String) -> String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|n| n > 0) {
                head.push(byte[0]);
            }
            let head = change(String::from_utf8(head).expect("ASCII"));
            let mut http = Http::connect(server);
            http.send(head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
            let mut answer = Vec::new();
            let _ = http.stream.read_to_end(&mut answer); // It may be reset at the end.
            let _ = client.write_all(&answer);
        }
    });
    port
}

#[test]
fn what_a_proxy_leaves_out_is_named() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("left out: there is no curl here");
        return;
    }
    let server = TestServer::start();
    let through = |change| {
        let url = format!("http://127.0.0.1:{}", proxy(server.port(), change));
        ask(server.port(), &server.db(), &["doctor", "--url", &url])
    };
    fn with(head: String, line: &str) -> String {
        head.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"))
    }
    let good = through(|head| with(head, "X-Forwarded-For: 203.0.113.7"));
    for what in ["proxy", "client address", "host name", "websockets"] {
        assert!(line(&good, what).starts_with("ok"), "{what}: {good:?}");
    }
    assert!(line(&good, "scheme").contains("unencrypted"), "{good:?}");
    assert_eq!(good.code, Some(1));
    let bad = through(|head| {
        let head = head.replace("Host: ", "Host: backend.").replace("Upgrade: websocket", "X: y");
        head.replace("Connection: Upgrade", "Y: z")
    });
    for (what, says) in
        [("client address", "X-Forwarded-For"), ("host name", "Host"), ("websockets", "Upgrade")]
    {
        let line = line(&bad, what);
        assert!(line.starts_with("WRONG") && line.contains(says), "{what}: {bad:?}");
    }
    let lost = format!("http://127.0.0.1:{}", free_port());
    let end = ask(server.port(), &server.db(), &["doctor", "--url", &lost]);
    assert!(line(&end, "proxy").contains("check address"), "{end:?}");
}

/// A certificate that is good from so many days from now to so many days; its files.
fn certificate(folder: &Scratch, days: [i64; 2]) -> [String; 2] {
    let date = |days: i64| {
        let (year, month, day) = date(days);
        rcgen::date_time_ymd(year, month, day)
    };
    let mut wanted = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    [wanted.not_before, wanted.not_after] = days.map(date);
    let key = rcgen::KeyPair::generate().expect("a key");
    let made = wanted.self_signed(&key).expect("a certificate");
    let files = ["cert.pem", "key.pem"].map(|name| folder.path(name));
    for (file, text) in files.iter().zip([made.pem(), key.serialize_pem()]) {
        fs::write(file, text).expect("a file");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    files
}

#[test]
fn the_age_of_certificates_is_told() {
    let folder = Scratch::new();
    for (days, says) in [
        ([-1, 90], "ok"),
        ([-90, -2], "expired"),
        ([-80, 10], "expires on"),
        ([5, 90], "not valid before"),
    ] {
        let [cert, key] = certificate(&folder, days);
        let more = ["doctor", "--tls-cert", &cert, "--tls-key", &key];
        let end = ask(free_port(), &folder.path("shanty.db"), &more);
        let found = line(&end, "certificates");
        assert!(found.contains(says), "{days:?}: {end:?}");
        assert_eq!(found.starts_with("ok"), says == "ok", "{found}");
    }
}
