//! Bodies: by length and in chunks, and what comes after them.

use super::check;
use crate::limits::{BODY_BYTES_MAX, CHUNK_LINE_BYTES_MAX, HEADERS_MAX, TRAILER_BYTES_MAX};

fn sized(length: usize, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

fn whole(body: &str) -> String {
    format!("POST / \"\" keep {body}; Idle")
}

#[test]
fn by_length() {
    check(sized(3, "abc"), &whole("\"abc\""));
    check(sized(3, "ab"), "Body");
    check(sized(3, "a\r\n"), &whole("\"a\\r\\n\""));
    check(sized(3, "abc\r\n"), &whole("\"abc\""));
    check(sized(3, "abcd"), "POST / \"\" keep \"abc\"; Head");
    check(sized(3, "\n\0x"), &whole("\"\\n\\0x\""));
    // Any method may have one (RFC 9110 section 9.3.1 gives that of a GET no meaning).
    check("GET / HTTP/1.0\r\nContent-Length: 1\r\n\r\na", "GET / \"\" close \"a\"; Idle");
}

#[test]
fn at_the_bound() {
    let most = "a".repeat(BODY_BYTES_MAX);
    let all = whole(&format!("{BODY_BYTES_MAX} bytes"));
    check(sized(BODY_BYTES_MAX, &most), &all);
    check(chunked(&format!("{BODY_BYTES_MAX:x}\r\n{most}\r\n0\r\n\r\n")), &all);
    // Too much is refused before any of it has come.
    check(sized(BODY_BYTES_MAX + 1, ""), "413 the body is too large; send less");
    check(sized(usize::MAX, ""), "413 the body is too large; send less");
    check(
        chunked(&format!("{:x}\r\n", BODY_BYTES_MAX + 1)),
        "413 the body is too large; send less",
    );
    check(chunked("ffffffffffffffff\r\n"), "413 the body is too large; send less");
    check(
        chunked(&format!("1\r\na\r\n{BODY_BYTES_MAX:x}\r\n")),
        "413 the body is too large; send less",
    );
    check(
        chunked(&format!("{BODY_BYTES_MAX:x}\r\n{most}\r\n1\r\n")),
        "413 the body is too large; send less",
    );
}

#[test]
fn pipelined() {
    let get = "GET /g HTTP/1.1\r\nHost: a\r\n\r\n";
    let input = [get, &sized(2, "ab"), &chunked("1\r\nc\r\n0\r\n\r\n"), get].concat();
    let posts = "POST / \"\" keep \"ab\"; POST / \"\" keep \"c\"; ";
    let get = "GET /g \"\" keep \"\"; ";
    check(&input, &format!("{get}{posts}{get}Idle"));
    check(
        input + "oops\r\n",
        &format!(
            "{get}{posts}{get}400 the request line is malformed; send method, target and version"
        ),
    );
}

#[test]
fn in_chunks() {
    check(chunked("0\r\n\r\n"), &whole("\"\""));
    check(chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), &whole("\"abcde\""));
    check(chunked("000000000000000000003\r\na\r\n\r\n00\r\n\r\n"), &whole("\"a\\r\\n\""));
    check(chunked("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), &whole("21 bytes"));
    check(chunked("3\r\nabc\r\n0\r\n"), "Body");
    check(chunked("3\r\nabc\r\n0\r\n\r\nG"), "POST / \"\" keep \"abc\"; Head");
}

#[test]
fn chunk_sizes() {
    for size in [
        "",
        "g",
        "-1",
        "+1",
        "0x1",
        "1 ",
        "1 1",
        " 1",
        "\t1",
        "1,",
        "1\u{e9}",
        "_1",
        ";a",
        "10000000000000000",
        "fffffffffffffffffff",
    ] {
        check(
            chunked(&format!("{size}\r\n")),
            "400 a chunk size is malformed; write it in hex digits",
        );
    }
    check(chunked("1\na\r\n"), "400 an LF has no CR; end each line with CR LF");
    check(chunked("1\ra"), "400 a CR has no LF; end each line with CR LF");
    check(chunked("1;\0\r\n"), "400 the head contains a control character; remove it");
}

#[test]
fn chunk_ends() {
    let why = "400 a chunk is longer than its size; correct the size";
    for end in ["x", "\n", "\rx", "\r\r\n", "0\r\n\r\n"] {
        check(chunked(&format!("1\r\na{end}")), why);
    }
    check(chunked("1\r\na\r"), "Body");
}

#[test]
fn chunk_extensions_are_ignored() {
    for extension in [";", ";a", ";a=b", " ; a = \"b;\t\u{e9}\"", "\t;a;b"] {
        check(chunked(&format!("1{extension}\r\na\r\n0{extension}\r\n\r\n")), &whole("\"a\""));
    }
    let line = |bytes: usize| format!("0;{}\r\n", "a".repeat(bytes - 4));
    check(chunked(&(line(CHUNK_LINE_BYTES_MAX) + "\r\n")), &whole("\"\""));
    let too_long = "400 the first line of a chunk is too long; send only the size";
    check(chunked(&line(CHUNK_LINE_BYTES_MAX + 1)), too_long);
    check(chunked(&line(CHUNK_LINE_BYTES_MAX + 2)), too_long);
    check(chunked(&"0".repeat(CHUNK_LINE_BYTES_MAX + 1)), too_long);
}

#[test]
fn trailers_are_checked_and_thrown_away() {
    let trailers = |lines: &str| chunked(&format!("1\r\na\r\n0\r\n{lines}\r\n"));
    check(trailers("A: b\r\nHost: evil\r\nContent-Length: 9\r\n"), &whole("\"a\""));
    check(trailers("A b\r\n"), "400 a header line is malformed; write `name: value`");
    check(trailers("A : b\r\n"), "400 a header line is malformed; write `name: value`");
    check(
        trailers("A: b\r\n c\r\n"),
        "400 a header line begins with whitespace; begin it with a name",
    );
    check(trailers("A: b\n"), "400 an LF has no CR; end each line with CR LF");
    check(trailers(&"A: b\r\n".repeat(HEADERS_MAX)), &whole("\"a\""));
    check(
        trailers(&"A: b\r\n".repeat(HEADERS_MAX + 1)),
        "431 there are too many header lines; send fewer",
    );
    let fill = |bytes: usize| format!("A:{}\r\n", "b".repeat(bytes - "A:\r\n\r\n".len()));
    check(trailers(&fill(TRAILER_BYTES_MAX)), &whole("\"a\""));
    let too_large = "431 the header lines are too large; send less";
    check(trailers(&fill(TRAILER_BYTES_MAX + 1)), too_large);
}
