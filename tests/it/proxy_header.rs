//! The PROXY protocol: clients that a proxy names before the first byte.

use std::time::{Duration, Instant};

use serde_json::json;
use shanty::limits::edge::{PROXY_HEADER_BYTES_MAX, PROXY_HEADER_DEADLINE_MS};

use crate::kit::{Http, TestServer, run, shanty, until};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of a client with this address.
fn from(address: [u8; 4]) -> Vec<u8> {
    [SIGNATURE, &[0x21, 0x11, 0, 12], &address, &[10, 0, 0, 1, 9, 9, 0, 80]].concat()
}

/// A header of the proxy itself.
fn own() -> Vec<u8> {
    [SIGNATURE, &[0x20, 0, 0, 0]].concat()
}

/// A connection that begins with these bytes.
fn begin(server: &TestServer, header: &[u8]) -> Http {
    let mut http = server.http();
    http.send(header);
    http
}

fn status(server: &TestServer, header: &[u8], line: &str) -> u16 {
    let mut http = begin(server, header);
    http.request(line, "");
    http.response().status
}

fn metric(server: &TestServer, line: &str) -> f64 {
    let mut http = begin(server, &own());
    http.request("GET /metrics", "");
    let text = http.response().text();
    let value = text.lines().find_map(|there| there.strip_prefix(line));
    value.map_or(0.0, |value| value.trim().parse().expect("a number"))
}

#[test]
fn the_header_names_the_client() {
    let server = TestServer::with(&["--proxy-protocol", "--limits", "on"]);
    // The metrics are for this machine, and never for a named client.
    assert_eq!(status(&server, &own(), "GET /metrics"), 200);
    assert_eq!(status(&server, &from([203, 0, 113, 7]), "GET /metrics"), 404);
    assert_eq!(status(&server, &from([127, 0, 0, 1]), "GET /metrics"), 404);
    // A named client's own headers change nothing.
    let mut http = begin(&server, &from([203, 0, 113, 7]));
    http.request("GET /metrics", "X-Forwarded-For: 127.0.0.1\r\n");
    assert_eq!(http.response().status, 404);
    // One address has one budget, whatever the client says; another address has its own.
    let register = |address: [u8; 4], number: usize| {
        let body = json!({"username": format!("u{number}x{}", address[3])}).to_string();
        let length = body.len();
        let mut http = begin(&server, &from(address));
        let headers = format!(
            "X-Forwarded-For: 198.51.100.{}\r\nContent-Length: {length}\r\n\r\n{body}",
            number % 250
        );
        http.send(format!("POST /api/register HTTP/1.1\r\nHost: a\r\n{headers}"));
        http.response().status
    };
    let limited = (0..250).any(|number| register([203, 0, 113, 7], number) == 429);
    assert!(limited, "the client is limited");
    assert_eq!(register([203, 0, 113, 8], 0), 201, "and others are not");
    // Byte by byte, and together with the request.
    let mut http = server.http();
    for byte in from([203, 0, 113, 9]) {
        http.send([byte]);
    }
    http.request("GET /healthz", "");
    assert_eq!(http.response().status, 200);
    let both = [&from([203, 0, 113, 9])[..], b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    assert_eq!(begin(&server, &both).response().status, 200);
    // TLS at the proxy makes the cookie `Secure`.
    let extension = [0x20, 0, 5, 1, 0, 0, 0, 0];
    let mut header = from([203, 0, 113, 9]);
    header[15] += 8;
    header.extend(extension);
    let mut http = begin(&server, &header);
    http.request("GET /", "");
    assert!(http.response().header("set-cookie").is_some_and(|mark| mark.ends_with("; Secure")));
}

#[test]
fn what_is_no_header_is_closed_and_counted() {
    let mut server = TestServer::with(&["--proxy-protocol"]);
    let long = u16::try_from(PROXY_HEADER_BYTES_MAX).expect("a length").to_be_bytes();
    for (reason, bytes) in [
        ("version_1", &b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\nGET / HTTP/1.1\r\n\r\n"[..]),
        ("missing", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("malformed", &[SIGNATURE, &[0x21, 0x11, 0, 4, 1, 2, 3, 4]].concat()),
        ("malformed", &[SIGNATURE, &[0x31, 0x11, 0, 0]].concat()),
        ("too_long", &[SIGNATURE, &[0x21, 0x11], &long].concat()),
    ] {
        let line = format!("shanty_proxy_headers_refused_total{{reason=\"{reason}\"}}");
        let before = metric(&server, &line);
        assert!(begin(&server, bytes).is_over(), "{reason}: no answer");
        until(reason, || metric(&server, &line) == before + 1.0);
    }
    // A header in parts has a deadline.
    let began = Instant::now();
    let mut slow = begin(&server, &SIGNATURE[..7]);
    assert!(slow.is_over());
    let (took, due) = (began.elapsed(), Duration::from_millis(PROXY_HEADER_DEADLINE_MS));
    assert!(took >= due && took < due * 2, "{took:?}");
    assert_eq!(metric(&server, "shanty_proxy_headers_refused_total{reason=\"late\"}"), 1.0);
    // Who comes and goes without a word does no harm, and needs no line.
    drop(server.http());
    let log = server.stop().stderr;
    assert_eq!(log.matches("PROXY header").count(), 1, "told once: {log}");
    assert!(log.contains("send-proxy-v2"), "and what to do: {log}");
}

#[test]
fn others_send_no_header() {
    // This machine is no trusted proxy here.
    let server = TestServer::with(&["--proxy-protocol", "--trusted-proxy", "10.0.0.1"]);
    assert_eq!(server.ask("GET /healthz", "", "").status, 200);
    let mut http = begin(&server, &from([203, 0, 113, 7]));
    http.request("GET /", "");
    assert_eq!(http.response().status, 400, "their header is no request");
    // Nor does anybody without the setting.
    let server = TestServer::start();
    assert_eq!(begin(&server, &own()).response().status, 400);
}

#[test]
fn who_watches_over_the_server_sends_the_header() {
    for trusted in ["loopback", "10.0.0.1"] {
        let server = TestServer::with(&["--proxy-protocol", "--trusted-proxy", trusted]);
        let mut command = shanty();
        command.args(["health", "--proxy-protocol", "--trusted-proxy", trusted]);
        command.args(["--listen", &format!("127.0.0.1:{}", server.port())]);
        let end = run(command);
        assert_eq!(end.code, Some(0), "{end:?}");
    }
}
