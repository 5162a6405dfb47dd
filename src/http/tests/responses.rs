//! Responses, byte for byte.

use super::super::{CONTINUE, Framing, Method, Reject, Response, Version};
use super::request;
use crate::time::Time;

const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const NOW: Time = Time(784_111_777_000_000);
const KEEP: Framing =
    Framing { version: Version::Http11, head_only: false, keep_alive: true, now: NOW };
const OLD: Framing = Framing { version: Version::Http10, ..KEEP };
const LAST: Framing = Framing { keep_alive: false, ..KEEP };

/// The response without its Date, which each must have, behind its status line.
#[track_caller]
fn encode(response: Response, how: &Framing) -> (String, bool) {
    let mut out = Vec::new();
    let keep_alive = response.encode(&mut out, how);
    (without_date(out), keep_alive)
}

#[track_caller]
fn without_date(out: Vec<u8>) -> String {
    let text = String::from_utf8(out).expect("these are text");
    let (status, rest) = text.split_once("\r\n").expect("a status line");
    let rest = rest.strip_prefix(DATE).unwrap_or_else(|| panic!("no Date: {text:?}"));
    format!("{status}\n{}", rest.replace("\r\n", "\n"))
}

#[track_caller]
fn check(response: Response, how: &Framing, expected: &str) {
    assert_eq!(encode(response, how).0, expected);
}

#[test]
fn content() {
    const SNIFF: &str = "X-Content-Type-Options: nosniff\n";
    let json = format!("Content-Type: application/json\n{SNIFF}Cache-Control: no-store\n");
    check(
        Response::new(200).json("{}"),
        &KEEP,
        &format!("HTTP/1.1 200 OK\n{json}Content-Length: 2\n\n{{}}"),
    );
    check(
        Response::new(201).json("{}").header("cache-control", "max-age=1"),
        &KEEP,
        &format!(
            "HTTP/1.1 201 Created\nContent-Type: application/json\n{SNIFF}\
             cache-control: max-age=1\nContent-Length: 2\n\n{{}}"
        ),
    );
    check(
        Response::new(404).text("gone\n".to_owned()),
        &KEEP,
        &format!(
            "HTTP/1.1 404 Not Found\nContent-Type: text/plain; charset=utf-8\n{SNIFF}\
             Content-Length: 5\n\ngone\n"
        ),
    );
    check(
        Response::new(200).html(vec![b'h']),
        &KEEP,
        &format!(
            "HTTP/1.1 200 OK\nContent-Type: text/html; charset=utf-8\n{SNIFF}\
             Content-Length: 1\n\nh"
        ),
    );
    check(
        Response::new(200).content("text/css", "a").header("X-Content-Type-Options", "x"),
        &KEEP,
        "HTTP/1.1 200 OK\nContent-Type: text/css\nX-Content-Type-Options: x\n\
         Content-Length: 1\n\na",
    );
    check(Response::new(299), &KEEP, "HTTP/1.1 299 \nContent-Length: 0\n\n");
}

#[test]
fn lengths() {
    let text = |status| Response::new(status).text("abc");
    let head = Framing { head_only: true, ..KEEP };
    let (answer, _) = encode(text(200), &head);
    assert!(answer.ends_with("Content-Length: 3\n\n"), "{answer}");
    for status in [101, 204, 304] {
        let (answer, _) = encode(text(status), &KEEP);
        assert!(!answer.contains("Content-Length"), "{answer}");
        assert!(answer.ends_with("\n\n"), "{answer}");
    }
}

#[test]
fn persistence() {
    for (response, how, line, goes_on) in [
        (Response::new(200), KEEP, "", true),
        (Response::new(200), LAST, "Connection: close\n", false),
        (Response::new(200).close(), KEEP, "Connection: close\n", false),
        (Response::new(200), OLD, "Connection: keep-alive\n", true),
        (Response::new(200), Framing { keep_alive: false, ..OLD }, "Connection: close\n", false),
    ] {
        let (answer, keep_alive) = encode(response, &how);
        assert_eq!(answer, format!("HTTP/1.1 200 OK\nContent-Length: 0\n{line}\n"));
        assert_eq!(keep_alive, goes_on, "{answer}");
    }
    check(
        Response::new(101).header("Connection", "Upgrade"),
        &LAST,
        "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\n\n",
    );
}

#[test]
fn framing_of_requests() {
    for (input, expected) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", KEEP),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", LAST),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", OLD),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", Framing { head_only: true, ..KEEP }),
    ] {
        assert_eq!(Framing::of(&request(input), NOW), expected, "for {input:?}");
    }
    assert_eq!(Framing::refused(NOW), LAST);
}

#[test]
fn values_cannot_end_their_line() {
    check(
        Response::new(302).header("Location", "/a\r\nSet-Cookie: b\0\tc\u{7f}\u{e9}"),
        &KEEP,
        "HTTP/1.1 302 Found\nLocation: /a  Set-Cookie: b \tc \u{e9}\nContent-Length: 0\n\n",
    );
    check(
        Response::new(200).header("Set-Cookie", "a").header("Set-Cookie", "b"),
        &KEEP,
        "HTTP/1.1 200 OK\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 0\n\n",
    );
    for name in ["", "A B", "A\r\nB", "A:", "content-length", "Transfer-Encoding", "DATE"] {
        let attempt = std::panic::catch_unwind(|| Response::new(200).header(name, "x"));
        assert!(attempt.is_err(), "{name:?} was taken");
    }
}

#[test]
fn allowed_methods() {
    let (answer, _) = encode(Response::options(&[Method::Get, Method::Options]), &KEEP);
    assert_eq!(answer, "HTTP/1.1 204 No Content\nAllow: GET, OPTIONS\n\n");
    let (answer, _) = encode(Response::method_not_allowed(&[Method::Post]), &KEEP);
    assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\n"), "{answer}");
    assert!(answer.contains("\nAllow: POST\n"), "{answer}");
}

#[test]
fn refusals_close() {
    let (answer, keep_alive) = encode(Reject::new(431, "too much").into(), &KEEP);
    assert!(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\n"), "{answer}");
    assert!(answer.contains("\nConnection: close\n"), "{answer}");
    assert!(answer.ends_with("\n\ntoo much\n"), "{answer}");
    assert!(!keep_alive);
}

#[test]
fn streams() {
    let kind = "Content-Type: text/event-stream\nX-Content-Type-Options: nosniff\n";
    let head = Framing { head_only: true, ..KEEP };
    let old_last = Framing { keep_alive: false, ..OLD };
    for (how, lines, body, goes_on) in [
        (KEEP, "Transfer-Encoding: chunked\n", "1\na\nb\n0123456789\n\n0\n\n", true),
        (
            LAST,
            "Transfer-Encoding: chunked\nConnection: close\n",
            "1\na\nb\n0123456789\n\n0\n\n",
            false,
        ),
        (head, "Transfer-Encoding: chunked\n", "", true),
        (OLD, "Connection: close\n", "a0123456789\n", false),
        (old_last, "Connection: close\n", "a0123456789\n", false),
    ] {
        let response = Response::new(200).content("text/event-stream", "");
        let mut out = Vec::new();
        assert_eq!(response.encode_head_streaming(&mut out, &how), goes_on);
        if !how.head_only {
            for (index, piece) in ["a", "", "0123456789\n"].iter().enumerate() {
                how.before_piece(index == 0, piece.len(), &mut out);
                out.extend_from_slice(piece.as_bytes());
            }
            out.extend_from_slice(how.after_pieces());
        }
        assert_eq!(without_date(out), format!("HTTP/1.1 200 OK\n{kind}{lines}\n{body}"));
    }
}

#[test]
fn any_moment_has_a_date() {
    for (now, expected) in [
        (Time(i64::MIN), "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        (Time(i64::MAX), "\r\nDate: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
    ] {
        let mut out = Vec::new();
        assert!(Response::new(200).encode(&mut out, &Framing { now, ..KEEP }));
        assert!(String::from_utf8_lossy(&out).contains(expected));
    }
    assert!(CONTINUE.ends_with(b"\r\n\r\n"));
}
