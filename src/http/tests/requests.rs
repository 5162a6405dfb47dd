//! The questions that a request answers.

use super::get;

#[test]
fn segments() {
    for (path, expected) in [
        ("/", &[][..]),
        ("/a", &["a"]),
        ("/a/", &["a", ""]),
        ("//a", &["", "a"]),
        ("/a/b%2Fc/%C3%A9+%20", &["a", "b/c", "\u{e9}+ "]),
        ("/%25%32%35", &["%25"]),
        ("/../.", &["..", "."]),
        ("/a?b/c", &["a"]),
    ] {
        assert_eq!(get(path, "").segments().expect(path), expected, "for {path}");
    }
    for (path, why) in [
        ("/%", "an escape in the path is malformed; write % and two hex digits"),
        ("/a%2", "an escape in the path is malformed; write % and two hex digits"),
        ("/%zz", "an escape in the path is malformed; write % and two hex digits"),
        ("/%%20", "an escape in the path is malformed; write % and two hex digits"),
        ("/%+1", "an escape in the path is malformed; write % and two hex digits"),
        ("/%ff", "the path is not UTF-8; send UTF-8"),
        ("/%C3/%A9", "the path is not UTF-8; send UTF-8"),
        ("/a/%00", "the path contains a control character; remove it"),
        ("/%0d%0a", "the path contains a control character; remove it"),
        ("/%7F", "the path contains a control character; remove it"),
        ("/%C2%85", "the path contains a control character; remove it"),
    ] {
        let reject = get(path, "").segments().expect_err(path);
        assert_eq!((reject.status, reject.why), (400, why), "for {path}");
    }
}

#[test]
fn query_pairs() {
    for (target, expected) in [
        ("/", &[][..]),
        ("/?", &[]),
        ("/?a", &[("a", "")]),
        ("/?a=b&c=d=e&&a=", &[("a", "b"), ("c", "d=e"), ("a", "")]),
        ("/?q=a+b%26%C3%A9", &[("q", "a b&\u{e9}")]),
        ("/?q=%ff", &[("q", "\u{fffd}")]),
    ] {
        let request = get(target, "");
        let pairs: Vec<_> = request.query_pairs().collect();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, expected, "for {target}");
    }
}

#[test]
fn headers() {
    let request = get("/", "X: a, B\r\nx:c\r\nEmpty:\r\n");
    assert_eq!(request.header("x"), Some("a, B"));
    assert_eq!(request.header("EMPTY"), Some(""));
    assert_eq!(request.header("y"), None);
    assert_eq!(request.header_all("X").collect::<Vec<_>>(), ["a, B", "c"]);
    for (token, expected) in [("a", true), ("b", true), ("C", true), ("a, b", false), ("d", false)]
    {
        assert_eq!(request.list_contains("x", token), expected, "for {token}");
    }
}

#[test]
fn cookies() {
    for (lines, expected) in [
        ("", None),
        ("Cookie: key=abc\r\n", Some("abc")),
        ("Cookie: a=b; key=abc; c=d\r\n", Some("abc")),
        ("Cookie: a=b;key=abc;c=d\r\n", Some("abc")),
        ("Cookie: a=b\r\ncookie: key=abc\r\n", Some("abc")),
        ("Cookie: key=\"abc\"\r\n", Some("abc")),
        ("Cookie: key=\"\r\n", Some("\"")),
        ("Cookie: key=a=b==\r\n", Some("a=b==")),
        ("Cookie: key=first; key=second\r\n", Some("first second")),
        ("Cookie: key=first; a=b\r\nCookie: key=second\r\n", Some("first second")),
        ("Cookie: key=\r\n", Some("")),
        ("Cookie: a=b ; key = abc ; c=d\r\n", Some("abc")),
        ("Cookie: Key=abc\r\n", None),
        ("Cookie: xkey=abc; keyx=abc\r\n", None),
        ("Cookie: key\r\n", None),
        ("Cookie: a=key=abc\r\n", None),
    ] {
        let request = get("/", lines);
        let found: Vec<&str> = request.cookies("key").collect();
        let found = (!found.is_empty()).then(|| found.join(" "));
        assert_eq!(found.as_deref(), expected, "for {lines:?}");
    }
}

#[test]
fn bearer() {
    // Whether there is one, and what it says if it is well-formed.
    for (lines, there, expected) in [
        ("", false, None),
        ("Authorization: Bearer a.b-c_d==\r\n", true, Some("a.b-c_d==")),
        ("Authorization: bEARER  a\r\n", true, Some("a")),
        ("Authorization: Bearer\r\n", true, None),
        ("Authorization: Bearer a b\r\n", true, None),
        ("Authorization: Bearera\r\n", false, None),
        ("Authorization: Basic YTpi\r\n", false, None),
        ("Authorization: Digest username=\"a\", realm=\"Bearer b\"\r\n", false, None),
        ("Authorization: \r\n", false, None),
        ("Authorization: Basic YTpi\r\nAuthorization: Bearer a\r\n", true, Some("a")),
        ("Authorization: Bearer a\r\nAuthorization: Bearer a\r\n", true, None),
    ] {
        let request = get("/", lines);
        assert_eq!((request.has_bearer(), request.bearer()), (there, expected), "for {lines:?}");
    }
}

#[test]
fn prefers_html() {
    for (accept, expected) in [
        ("text/html", true),
        ("TEXT/HTML;charset=utf-8", true),
        // Firefox, Chrome.
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
        ("text/html, application/json", true),
        ("application/json;q=0.9, text/html; q=0.9", true),
        ("application/json;q=0.5, text/html;Q=0.6, */*", true),
        ("application/json, text/html;q=0.9", false),
        ("application/*, text/html;q=0.9", false),
        ("text/html;q=0.5, */*", false),
        ("text/html;q=0", false),
        ("text/html;q=2", false),
        ("text/html;q=x", false),
        ("text/*", false),
        ("*/*", false),
        ("application/json", false),
        ("", false),
    ] {
        let lines = format!("Accept: {accept}\r\n");
        assert_eq!(get("/", &lines).prefers_html(), expected, "for {accept}");
    }
    assert!(!get("/", "").prefers_html());
    assert!(get("/", "Accept: image/png\r\nAccept: text/html\r\n").prefers_html());
}

#[test]
fn accepts_gzip() {
    for (accept, expected) in [
        // Browsers, curl --compressed.
        ("gzip, deflate, br, zstd", true),
        ("deflate, gzip", true),
        ("GZip;Q=0.5", true),
        ("x-gzip", true),
        ("*", true),
        ("br, *;q=0.1", true),
        ("identity;q=0, gzip;q=0.1", true),
        ("identity;q=0.5, gzip;q=0.5", true),
        ("identity, gzip;q=0.5", false),
        ("gzip;q=0", false),
        ("gzip;q=0.000, *", false),
        ("*;q=0", false),
        ("gzip;q=nan", false),
        ("gzip;q=2", false),
        ("identity", false),
        ("br", false),
        ("gzipped", false),
        ("", false),
    ] {
        let lines = format!("Accept-Encoding: {accept}\r\n");
        assert_eq!(get("/", &lines).accepts_gzip(), expected, "for {accept}");
    }
    assert!(!get("/", "").accepts_gzip());
    assert!(get("/", "Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n").accepts_gzip());
}
