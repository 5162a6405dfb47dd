//! Header lines: their syntax, their bounds, Host, and what frames the message.

use super::check;
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};

/// A head of this method and version, with these header lines, then `end`.
fn head(start: &str, lines: &str, end: &str) -> String {
    let (method, version) = start.split_once(' ').expect("cases name both");
    format!("{method} / HTTP/{version}\r\nHost: a\r\n{lines}\r\n{end}")
}

/// A good request with these header lines.
fn taken(start: &str, lines: &str, keep: &str) {
    let method = start.split(' ').next().unwrap_or_default();
    check(head(start, lines, ""), &format!("{method} / \"\" {keep} \"\"; Idle"));
}

fn refused(start: &str, lines: &str, expected: &str) {
    check(head(start, lines, ""), expected);
}

#[test]
fn line_ends_are_crlf() {
    refused("GET 1.1", "A: b\nC: d\r\n", "400 an LF has no CR; end each line with CR LF");
    refused("GET 1.1", "A: b\rC: d\r\n", "400 a CR has no LF; end each line with CR LF");
    refused("GET 1.1", "A: b\r\r\n", "400 a CR has no LF; end each line with CR LF");
    check("GET / HTTP/1.1\nHost: a\n\n", "400 an LF has no CR; end each line with CR LF");
    check("GET / HTTP/1.1\r\nHost: a\r\n\n", "400 an LF has no CR; end each line with CR LF");
    check("GET / HTTP/1.1\r\nHost: a\r\n\r", "Head");
    check("GET / HTTP/1.1\r\nHost: a\r\n\rX", "400 a CR has no LF; end each line with CR LF");
}

#[test]
fn no_line_begins_with_whitespace() {
    let why = "400 a header line begins with whitespace; begin it with a name";
    for space in [" ", "\t"] {
        check(format!("GET / HTTP/1.1\r\n{space}Host: a\r\n\r\n"), why);
        refused("GET 1.1", &format!("A: b\r\n{space}c\r\n"), why);
        refused("GET 1.1", &format!("{space}\r\n"), why);
    }
}

#[test]
fn names_are_tokens() {
    taken("GET 1.1", "!#$%&'*+-.^_`|~9aZ: b\r\n", "keep");
    for line in ["A : b", "A\t: b", ": b", "A", "A b: c", "A(: b", "\u{e9}: b", "A\u{2028}: b"] {
        refused(
            "GET 1.1",
            &format!("{line}\r\n"),
            "400 a header line is malformed; write `name: value`",
        );
    }
}

#[test]
fn values_are_text() {
    for value in ["", "b", " b ", "\tb\t", "b\tc", "b:c", "\u{e9} \u{1f3f4}", "\u{a0}"] {
        taken("GET 1.1", &format!("A:{value}\r\n"), "keep");
    }
    for byte in (0..0x20).chain([0x7f]).filter(|byte| !b"\t\r\n".contains(byte)) {
        let input = [b"GET / HTTP/1.1\r\nHost: a\r\nA: b", &[byte][..], b"\r\n\r\n"].concat();
        check(input, "400 the head contains a control character; remove it");
    }
    // What is not UTF-8 stands for nothing; what is around it stays.
    for (value, text) in [
        (&b"\xff"[..], "\u{fffd}"),
        (b"a\x80b", "a\u{fffd}b"),
        (b"n=M\xfcller; m=\xc3\xbc", "n=M\u{fffd}ller; m=\u{fc}"),
    ] {
        let block = [b"A: ", value, b"\r\nB: c\r\n\r\n"].concat();
        let headers = crate::http::headers::Headers::parse(&block).expect("two lines");
        assert_eq!((headers.get("a"), headers.get("b")), (Some(text), Some("c")));
        let input = [b"GET / HTTP/1.1\r\nHost: a\r\nA: ", value, b"\r\n\r\n"].concat();
        check(input, "GET / \"\" keep \"\"; Idle");
    }
    // RFC 8446 section 4.1.2: a TLS client hello is recognised by its first bytes.
    check(b"\x16\x03\x01\x02\x00\x01", "400 the head contains a control character; remove it");
}

#[test]
fn heads_are_bounded() {
    let fill = |bytes: usize| {
        let rest = bytes - head("GET 1.1", "A: \r\n", "").len();
        format!("A: {}\r\n", "b".repeat(rest))
    };
    taken("GET 1.1", &fill(HEAD_BYTES_MAX), "keep");
    refused("GET 1.1", &fill(HEAD_BYTES_MAX + 1), "431 the header lines are too large; send less");
    refused("GET 1.1", &fill(HEAD_BYTES_MAX + 2), "431 the header lines are too large; send less");
    let endless = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(HEAD_BYTES_MAX));
    check(endless, "431 the header lines are too large; send less");
    taken("GET 1.1", &"A: b\r\n".repeat(HEADERS_MAX - 1), "keep");
    refused(
        "GET 1.1",
        &"A: b\r\n".repeat(HEADERS_MAX),
        "431 there are too many header lines; send fewer",
    );
}

#[test]
fn host() {
    let get = |version, lines: &str| format!("GET / HTTP/{version}\r\n{lines}\r\n");
    for host in [
        "a",
        "a.b-c_d~",
        "A:80",
        "a:",
        "127.0.0.1:65535",
        "[::1]",
        "[::1]:8080",
        "a%20b",
        "a!$&'()*+,;=",
    ] {
        check(get("1.1", &format!("hOsT: {host}\r\n")), "GET / \"\" keep \"\"; Idle");
    }
    for host in [
        "", ":80", "a b", "a/b", "a@b", "a:b", "a:+1", "a:65536", "a:1:2", "::1", "[::1", "::1]",
        "[a]", "[]", "[::1]a", "[::1]]", "a\u{e9}", "http://a", "a?b", "a#b", "a\\b",
    ] {
        check(
            get("1.1", &format!("Host: {host}\r\n")),
            "400 the Host header is invalid; send a host name",
        );
        check(
            get("1.0", &format!("Host: {host}\r\n")),
            "400 the Host header is invalid; send a host name",
        );
    }
    check(get("1.1", ""), "400 the Host header is missing; add it");
    check(get("1.0", ""), "GET / \"\" close \"\"; Idle");
    for version in ["1.0", "1.1"] {
        check(
            get(version, "Host: a\r\nhost: a\r\n"),
            "400 there are several Host headers; send one",
        );
    }
}

#[test]
fn persistence() {
    for (start, lines, keep) in [
        ("GET 1.1", "", "keep"),
        ("GET 1.1", "Connection: close\r\n", "close"),
        ("GET 1.1", "Connection: Upgrade, CLOSE\r\n", "close"),
        ("GET 1.1", "Connection: keep-alive\r\nConnection: close\r\n", "close"),
        ("GET 1.1", "Connection: closed\r\n", "keep"),
        ("GET 1.0", "", "close"),
        ("GET 1.0", "Connection: Keep-Alive\r\n", "keep"),
        ("GET 1.0", "Connection: keep-alive, close\r\n", "close"),
        ("GET 1.0", "Connection: upgrade\r\n", "close"),
        ("GET 1.2", "", "keep"),
    ] {
        taken(start, lines, keep);
    }
}

#[test]
fn content_length() {
    for value in ["0", "00", "0, 0", "0\r\nContent-Length: 0", "\t0 "] {
        taken("POST 1.1", &format!("Content-Length: {value}\r\n"), "keep");
    }
    for value in ["", "+1", "-1", "1 1", "0x1", "1.0", "1e1", "a", "18446744073709551616"] {
        let lines = format!("Content-Length: {value}\r\n");
        refused("POST 1.1", &lines, "400 the Content-Length is malformed; send digits");
    }
    for value in ["1, 2", "1,", ",1", "1, 01", "1\r\ncontent-length: 2"] {
        let lines = format!("Content-Length: {value}\r\n");
        refused("POST 1.1", &lines, "400 the Content-Length headers differ; send one");
    }
}

#[test]
fn transfer_encoding() {
    let chunked = |lines: &str| head("POST 1.1", lines, "0\r\n\r\n");
    for value in ["chunked", "Chunked", " chunked\t"] {
        let lines = format!("Transfer-Encoding:{value}\r\n");
        check(chunked(&lines), "POST / \"\" keep \"\"; Idle");
    }
    let open_ended = "400 chunked is not the last Transfer-Encoding; send it last";
    for (value, expected) in [
        ("gzip", open_ended),
        ("identity", open_ended),
        ("", open_ended),
        ("chunked,", open_ended),
        ("chunked, gzip", open_ended),
        ("chunked;a=b", open_ended),
        ("xchunked", open_ended),
        ("\"chunked\"", open_ended),
        ("chunked\r\nTransfer-Encoding: identity", open_ended),
        ("chunked, chunked", "400 the Transfer-Encoding has chunked twice; send it once"),
        (
            "chunked\r\nTransfer-Encoding: chunked",
            "400 the Transfer-Encoding has chunked twice; send it once",
        ),
        (", chunked", "400 a Transfer-Encoding is empty; send chunked"),
        ("gzip, chunked", "501 this Transfer-Encoding is not supported; send chunked"),
        ("identity, chunked", "501 this Transfer-Encoding is not supported; send chunked"),
    ] {
        refused("POST 1.1", &format!("Transfer-Encoding: {value}\r\n"), expected);
    }
    let both = "400 send either Content-Length or Transfer-Encoding, not both";
    refused("POST 1.1", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", both);
    refused("POST 1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", both);
    let old = "400 HTTP/1.0 has no Transfer-Encoding; send a Content-Length";
    refused("POST 1.0", "Transfer-Encoding: chunked\r\n", old);
}

#[test]
fn http_1_0_needs_a_length() {
    for method in ["POST", "PUT", "PATCH"] {
        let start = format!("{method} 1.0");
        refused(&start, "", "411 the length of the body is missing; send a Content-Length");
        taken(&start, "Content-Length: 0\r\n", "close");
        taken(&format!("{method} 1.1"), "", "keep");
    }
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        taken(&format!("{method} 1.0"), "", "close");
    }
}

#[test]
fn expectations_and_codings() {
    refused(
        "GET 1.1",
        "Expect: tea\r\n",
        "417 this expectation is not supported; remove the Expect header",
    );
    taken("GET 1.1", "Expect: 100-continue\r\n", "keep");
    taken("GET 1.0", "Expect: tea\r\n", "close");
    let coded = "415 this content encoding is not supported; send the body without one";
    for coding in ["gzip", "br", "identity, gzip", "identity\r\nContent-Encoding: x"] {
        let lines = format!("Content-Encoding: {coding}\r\n");
        refused("POST 1.1", &format!("{lines}Content-Length: 1\r\n"), coded);
        refused("POST 1.1", &format!("{lines}Transfer-Encoding: chunked\r\n"), coded);
        taken("POST 1.1", &lines, "keep");
    }
    let lines = "Content-Encoding: Identity\r\nContent-Length: 1\r\n";
    check(head("POST 1.1", lines, "a"), "POST / \"\" keep \"a\"; Idle");
}
