//! The shutdown: in order, in time even with clients that hang, with a meaningful exit code.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::{Heard, Http, TestServer, said, send};

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
        assert_eq!(end.code, Some(0), "{end:?}");
        assert!(end.stdout.lines().all(|line| line.contains("/#/setup/")), "{end:?}");
        assert!(end.stderr.contains("stopped"), "{end:?}");
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens");
        // One file is left, and the message is in it.
        let left: Vec<_> = fs::read_dir(&server.scratch.0).expect("it").flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        let log = server.log();
        assert_eq!(log.last().and_then(|row| row.text.as_deref()), Some("last words"));
    }
}

/// Fills the password queue with slow requests; returns the accepted ones.
fn fill_the_gate(server: &TestServer, room: u64) -> Vec<Http> {
    let body = json!({"secret": "not the secret", "name": "Eve"}).to_string();
    let length = format!("Content-Length: {}\r\n", body.len());
    let mut callers: Vec<Http> = (0..30).map(|_| server.http()).collect();
    for http in &mut callers {
        http.request(&format!("POST /chats/{room}/token"), &length);
        http.send(&body);
    }
    // Requests are served one by one: when the first is, most of the others wait.
    assert_eq!(callers.remove(0).response().status, 401);
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
fn hanging_clients_do_not_delay_the_shutdown_for_long() {
    let mut server = TestServer::start();
    let mut deaf = server.guest(1, "Deaf");
    let mut half = server.http();
    half.send("GET /chats/1 HTT");
    let mut body = server.http();
    body.request("POST /api/register", "Content-Length: 18\r\n");
    body.send("{\"user");
    // Enough rooms that the response exceeds the kernel's buffers for a client that does not read.
    let mut rooms = server.http();
    for index in 0..600 {
        let title = format!("{index} {}", "\u{1F600}".repeat(60));
        let settings = json!({"title": title, "visibility": "public"}).to_string();
        rooms.request("POST /chats", &format!("Content-Length: {}\r\n", settings.len()));
        rooms.send(settings);
        assert_eq!(rooms.response().status, 201);
    }
    drop(rooms);
    let mut deaf_http = server.http();
    for _ in 0..30 {
        deaf_http.request("GET /chats", "");
    }
    // The answer shows that everything was read.
    assert_eq!(server.ask("GET /chats/1", "", "").status, 200);
    let start = Instant::now();
    server.signal("TERM");
    assert!(matches!(deaf.hear(), Heard::Close(1001, _)));
    let end = server.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

/// A connection with a small receive buffer, so that frames queue at the server.
fn narrow(server: &TestServer) -> Http {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.port()));
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect(&address.into()).expect("the server listens");
    Http { stream: socket.into(), buffer: Vec::new() }
}

#[test]
fn slow_clients_are_cut_off_at_shutdown_which_is_no_failure() {
    let mut server = TestServer::start();
    let ann = server.account("Ann");
    let mut guest = server.guest(1, "Gus");
    let text = "\u{1F600}".repeat(4000);
    for _ in 0..60 {
        guest.say(&send("Gus", &text));
        guest.expect(&said(1, "Gus", &text));
    }
    guest.bye();
    let mut slow = narrow(&server);
    let cookie = format!("Cookie: {}\r\n", ann.cookie);
    slow.request("GET /api/v1/rooms/1/messages?limit=60", &cookie);
    assert!(slow.fill(), "it has begun");
    let start = Instant::now();
    server.signal("TERM");
    // The client reads a little periodically, so that no stall deadline fires.
    let mut taken = 0;
    while start.elapsed() < Duration::from_secs(15) {
        let mut some = [0; 4096];
        match std::io::Read::read(&mut slow.stream, &mut some) {
            Ok(count) if count > 0 => taken += count,
            _ => break,
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(taken < text.len() * 60, "it was not told all of it: {taken}");
    let end = server.end();
    let took = start.elapsed();
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(end.code, Some(0), "{end:?}");
    let warned = "1 connections did not close in time and were cut off";
    assert!(end.stderr.contains(warned) && end.stderr.contains("stopped"), "{end:?}");
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
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.ends_with("shanty: stopped at once, as asked twice\n"), "{end:?}");
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
    // A change is now refused with a retry, and the connection closes.
    half.send("name\":\"Ann\"}");
    let response = half.response();
    assert_eq!((response.status, response.header("connection")), (503, Some("close")));
    assert_eq!(server.end().code, Some(0));
}
