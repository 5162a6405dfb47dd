//! Request lines: methods, targets, versions.

use super::super::head::LINE_BYTES_MAX;
use super::{check, read_all_ways};
use crate::limits::{HEADERS_MAX, TARGET_BYTES_MAX};

const MALFORMED: &str = "400 the request line is malformed; send method, target and version";

/// The request line alone decides, so it is refused before the headers have come.
fn refused(line: impl AsRef<[u8]>, expected: &str) {
    check([line.as_ref(), b"\r\n"].concat(), expected);
}

fn taken(line: &str, expected: &str) {
    check(format!("{line}\r\nHost: a\r\n\r\n"), &format!("{expected} \"\"; Idle"));
}

#[test]
fn methods() {
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        taken(&format!("{method} / HTTP/1.1"), &format!("{method} / \"\" keep"));
    }
    for method in ["CONNECT", "TRACE", "BREW", "get", "GETS", "A!#$%&'*+-.^_`|~9"] {
        refused(
            format!("{method} / HTTP/1.1"),
            "501 this server does not implement this method; use another one",
        );
    }
    for method in ["G(T", "G\u{e9}T", "\"GET\"", "GE/T", ""] {
        refused(format!("{method} / HTTP/1.1"), MALFORMED);
    }
}

#[test]
fn three_parts_and_single_spaces() {
    for line in [
        "GARBAGE",
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET /\t HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
    ] {
        refused(line, MALFORMED);
    }
    refused(b"GET /\xff HTTP/1.1", MALFORMED);
}

#[test]
fn versions() {
    taken("GET / HTTP/1.1", "GET / \"\" keep");
    taken("GET / HTTP/1.0", "GET / \"\" close");
    taken("GET / HTTP/1.2", "GET / \"\" keep");
    taken("GET / HTTP/1.9", "GET / \"\" keep");
    for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/3.1", "HTTP/9.9"] {
        refused(
            format!("GET / {version}"),
            "505 this server does not speak this version; use HTTP/1.1",
        );
    }
    for version in ["HTTP/2", "HTTP/1.10", "HTTP/11.1", "http/1.1", "HTTP/1,1", "HTTPS/1.1", "X"] {
        refused(format!("GET / {version}"), "400 the version is malformed; send HTTP/1.1");
    }
    // RFC 9113 section 3.4: the preface of HTTP/2.
    check(
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "505 this server does not speak this version; use HTTP/1.1",
    );
}

#[test]
fn target_forms() {
    for (target, expected) in [
        ("/a/b", "/a/b \"\""),
        ("/a?", "/a \"\""),
        ("/a?b=c?d&e", "/a \"b=c?d&e\""),
        ("/%41%zz", "/%41%zz \"\""),
        ("//a", "//a \"\""),
        ("/a://b", "/a://b \"\""),
        ("/\"<>\\^`{|}", "/\"<>\\^`{|} \"\""),
        ("http://b", "/ \"\""),
        ("HTTPS://b:1/c?d", "/c \"d\""),
        ("http://b?d", "/ \"d\""),
        ("http://[::1]:80/c", "/c \"\""),
    ] {
        taken(&format!("GET {target} HTTP/1.1"), &format!("GET {expected} keep"));
    }
    taken("OPTIONS * HTTP/1.1", "OPTIONS * \"\" keep");
    for target in ["*", "a", "a:80", "?a", "ftp://a/", "ws://a/", "://a/", "http:/a", "mailto:a"] {
        let why = "400 the request target is on another server; send a path";
        refused(format!("GET {target} HTTP/1.1"), why);
    }
    refused("OPTIONS *a HTTP/1.1", "400 the request target is on another server; send a path");
    for target in ["http://", "http:///a", "http://a@b/", "http://b:x/", "https://b:65536/"] {
        let why = "400 the authority in the request target is malformed; correct it";
        refused(format!("GET {target} HTTP/1.1"), why);
    }
    refused("GET /a#b HTTP/1.1", "400 the request target has a fragment; remove it");
}

#[test]
fn the_authority_of_a_target_replaces_host() {
    for (input, expected) in [
        ("GET http://b:1/ HTTP/1.1\r\nHost: a\r\n\r\n", "b:1"),
        ("GET http://b/ HTTP/1.0\r\n\r\n", "b"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a"),
    ] {
        let outcome = read_all_ways(input.as_bytes());
        assert_eq!(outcome.requests[0].header_all("HOST").collect::<Vec<_>>(), [expected]);
    }
    // RFC 9112 section 3.2: Host is needed all the same.
    check("GET http://b/ HTTP/1.1\r\n\r\n", "400 the Host header is missing; add it");
}

#[test]
fn long_targets() {
    let long = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
    let most = long(TARGET_BYTES_MAX);
    taken(&format!("OPTIONS {most} HTTP/1.1"), &format!("OPTIONS {most} \"\" keep"));
    let too_long = "414 the request target is too long; shorten it";
    refused(format!("GET {} HTTP/1.1", long(TARGET_BYTES_MAX + 1)), too_long);
    refused(format!("OPTIONS {} HTTP/1.1", long(TARGET_BYTES_MAX + 1)), too_long);
    // No end of the line is in sight, nor waited for.
    check(format!("GET {}", long(LINE_BYTES_MAX - 4)), "Head");
    check(format!("GET {}", long(LINE_BYTES_MAX - 3)), too_long);
}

#[test]
fn empty_lines_come_first() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    check(
        format!("\r\n{get}\r\n\r\n{get}\r\n"),
        "GET / \"\" keep \"\"; GET / \"\" keep \"\"; Idle",
    );
    let lines = |count| "\r\n".repeat(count);
    check(lines(HEADERS_MAX) + get, "GET / \"\" keep \"\"; Idle");
    check(lines(HEADERS_MAX + 1), "400 too many empty lines precede the request; send none");
    check(format!("\n{get}"), "400 an LF has no CR; end each line with CR LF");
    check(format!("\r{get}"), "400 a CR has no LF; end each line with CR LF");
    check(format!("\r\n {get}"), MALFORMED);
}
