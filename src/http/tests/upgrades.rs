//! The websocket handshake, and origins.

use super::super::{Framing, Page, Response, is_called, page, same_origin, websocket};
use super::{get, request};
use crate::time::Time;

const GOOD: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// The good header lines, with one line replaced by another (or by several, or by nothing).
fn but(index: usize, line: &str) -> String {
    let mut lines = GOOD;
    lines[index] = line;
    lines.iter().filter(|line| !line.is_empty()).map(|line| format!("{line}\r\n")).collect()
}

fn good_and(line: &str) -> String {
    but(3, &format!("{}\r\n{line}", GOOD[3]))
}

fn encode(response: &Response) -> String {
    let mut out = Vec::new();
    let how = Framing { keep_alive: true, ..Framing::refused(Time(0)) };
    let _ = response.encode(&mut out, &how);
    String::from_utf8(out).expect("these are text")
}

#[test]
fn good_handshakes() {
    // RFC 6455 section 1.3: the example.
    let handshake = websocket(&get("/ws", &but(0, "upgrade: h2c, WebSocket"))).expect("good");
    assert!(handshake.protocols.is_empty());
    assert_eq!(
        encode(&handshake.response(None)),
        "HTTP/1.1 101 Switching Protocols\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    let lines = good_and("Sec-WebSocket-Protocol: aGk.e30.c2ln, chat\r\nsec-websocket-protocol: B");
    let handshake = websocket(&get("/ws", &lines)).expect("good");
    assert_eq!(handshake.protocols, ["aGk.e30.c2ln", "chat", "B"]);
    let answer = encode(&handshake.response(Some("aGk.e30.c2ln")));
    assert!(answer.ends_with("\r\nSec-WebSocket-Protocol: aGk.e30.c2ln\r\n\r\n"), "{answer}");
}

#[test]
fn bad_handshakes() {
    for (lines, status) in [
        (but(0, ""), 426),
        (but(0, "Upgrade: h2c"), 426),
        (but(0, "Upgrade: websockets"), 426),
        (but(1, ""), 400),
        (but(1, "Connection: keep-alive"), 400),
        (but(2, ""), 426),
        (but(2, "Sec-WebSocket-Version: 8"), 426),
        (but(2, "Sec-WebSocket-Version: 13, 8"), 426),
        (but(2, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13"), 426),
        (but(3, ""), 400),
        (but(3, "Sec-WebSocket-Key: "), 400),
        (but(3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"), 400),
        (but(3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"), 400),
        (but(3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE="), 400),
        (but(3, "Sec-WebSocket-Key: ?GhlIHNhbXBsZSBub25jZQ=="), 400),
        (good_and(GOOD[3]), 400),
        (good_and("Sec-WebSocket-Protocol: a b"), 400),
        (good_and("Sec-WebSocket-Protocol: a/b"), 400),
    ] {
        let refusal = websocket(&get("/ws", &lines)).expect_err(&lines);
        assert_eq!(refusal.status, status, "for {lines:?}");
        // RFC 9110 section 15.5.22.
        let answer = encode(&refusal);
        let says = answer.contains("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        assert_eq!(says, status == 426, "{answer}");
    }
    // RFC 6455 section 4.4.
    let refusal = websocket(&get("/ws", &but(2, "Sec-WebSocket-Version: 8"))).expect_err("8");
    assert!(encode(&refusal).contains("\r\nSec-WebSocket-Version: 13\r\n"));
}

#[test]
fn method_and_version() {
    let asks = |start| request(&format!("{start}\r\nHost: a\r\n{}\r\n", good_and("A: b")));
    assert!(websocket(&asks("GET / HTTP/1.1")).is_ok());
    assert_eq!(websocket(&asks("GET / HTTP/1.0")).expect_err("1.0").status, 426);
    let refusal = websocket(&asks("POST / HTTP/1.1")).expect_err("POST");
    assert!(encode(&refusal).contains("\r\nAllow: GET\r\n"));
    assert_eq!(refusal.status, 405);
}

#[test]
fn origins() {
    let listed = ["https://chat.example".to_owned(), "http://b:81".to_owned(), "null".to_owned()];
    for (host, origin, expected) in [
        ("a", "http://a", true),
        ("a", "https://a", true),
        ("A:80", "http://a", true),
        ("a", "HTTP://A:80", true),
        ("a:443", "https://a", true),
        ("a", "https://a:443", true),
        ("a:8080", "http://a:8080", true),
        ("[::1]:1", "http://[::1]:1", true),
        ("a", "http://a:8080", false),
        ("a:8080", "http://a", false),
        ("a:80", "https://a", false),
        ("a", "http://a:443", false),
        ("a", "http://b", false),
        ("a", "http://a.b", false),
        ("a", "http://xa", false),
        ("a", "http://a@b", false),
        ("a", "http://a/", false),
        ("a", "a", false),
        ("a", "http://", false),
        ("a", "", false),
        ("a", "null", false),
        ("a", "http://a\r\nOrigin: http://a", false),
        ("a", "https://chat.example", true),
        ("a", "HTTPS://CHAT.example", true),
        ("a", "http://b:81", true),
        ("a", "http://chat.example", false),
        ("a", "https://chat.example.evil", false),
        ("a", "https://chat.example:444", false),
    ] {
        let lines = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
        assert_eq!(same_origin(&request(&lines), &listed), expected, "for {host}, {origin}");
    }
    assert!(same_origin(&get("/", ""), &[]));
    for origin in ["http://a", "http://"] {
        let hostless = format!("GET / HTTP/1.0\r\nOrigin: {origin}\r\n\r\n");
        assert!(!same_origin(&request(&hostless), &[]), "for {origin}");
    }
}

#[test]
fn pages() {
    let listed = ["https://chat.example".to_owned()];
    let chat = Page::Listed("https://chat.example");
    for (lines, expected) in [
        ("", Page::None),
        ("Sec-Fetch-Site: none", Page::None),
        ("Sec-Fetch-Site: same-origin", Page::Own),
        ("Sec-Fetch-Site: same-site", Page::Foreign),
        ("Sec-Fetch-Site: cross-site", Page::Foreign),
        ("Sec-Fetch-Site: ", Page::Foreign),
        ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site", Page::Foreign),
        ("Origin: http://a", Page::Own),
        ("Origin: http://a\r\nSec-Fetch-Site: same-origin", Page::Own),
        ("Origin: http://a\r\nSec-Fetch-Site: cross-site", Page::Foreign),
        ("Origin: http://b\r\nSec-Fetch-Site: same-origin", Page::Foreign),
        ("Origin: null\r\nSec-Fetch-Site: none", Page::Foreign),
        ("Origin: https://chat.example", chat),
        ("Origin: https://chat.example\r\nSec-Fetch-Site: cross-site", chat),
    ] {
        let end = if lines.is_empty() { "" } else { "\r\n" };
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}{end}Content-Length: 0\r\n\r\n");
        assert_eq!(page(&request(&text), &listed), expected, "for {lines:?}");
    }
}

#[test]
fn names_of_the_server() {
    let names = ["chat.example", "[::1]", "10.0.0.1:80", "localhost:8080"].map(str::to_owned);
    for (host, expected) in [
        ("chat.example", true),
        ("CHAT.example:7777", true),
        ("chat.example.", true),
        ("[::1]:7777", true),
        ("10.0.0.1:80", true),
        ("localhost:8080", true),
        ("10.0.0.1", false),
        ("10.0.0.1:81", false),
        ("localhost", false),
        ("evil.example", false),
        ("chat.example.evil.example", false),
        ("xchat.example", false),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(is_called(&request(&text), &names), expected, "for {host}");
        assert!(is_called(&request(&text), &[]), "any name will do");
    }
    let nameless = request("GET / HTTP/1.0\r\n\r\n");
    assert!(!is_called(&nameless, &names) && is_called(&nameless, &[]));
}
