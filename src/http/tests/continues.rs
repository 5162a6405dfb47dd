//! When `100 Continue` is sent, the phases, and the leftover. The cuts in the input matter here, so
//! there is no oracle.

use super::super::{Next, Phase, Reader};

/// Each piece with what follows it: `C` continue, `R` request, then the phase, or the status.
fn check(steps: &[(&str, &str)]) {
    let mut reader = Reader::new();
    for (piece, expected) in steps {
        reader.feed(piece.as_bytes());
        let mut seen = String::new();
        let end = loop {
            match reader.next() {
                Ok(Next::More) => break format!("{:?}", reader.phase()),
                Ok(Next::Continue) => seen.push_str("C "),
                Ok(Next::Request(_)) => seen.push_str("R "),
                Err(reject) => break reject.status.to_string(),
            }
        };
        assert_eq!(seen + &end, *expected, "after {piece:?} of {steps:?}");
    }
}

#[test]
fn continue_is_asked_for_once_and_only_before_the_body() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n";
    check(&[(head, "C Body"), ("a", "Body"), ("bc", "R Idle")]);
    check(&[(&head[..20], "Head"), (&head[20..], "C Body"), ("abc", "R Idle")]);
    check(&[(&format!("{head}a"), "Body"), ("bc", "R Idle")]);
    check(&[(&format!("{head}abc"), "R Idle")]);
    check(&[(&format!("{head}abc{head}"), "R C Body"), ("abc", "R Idle")]);
}

#[test]
fn continue_and_chunks() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
                Expect: 100-continue\r\n\r\n";
    check(&[(head, "C Body"), ("1\r\n", "Body"), ("a\r\n0\r\n\r\n", "R Idle")]);
    // The line is taken out of the buffer, but it has come.
    check(&[(&format!("{head}1\r\n"), "Body"), ("a\r\n0\r\n\r\n", "R Idle")]);
}

#[test]
fn continue_is_not_asked_for() {
    let with = |version, lines| format!("POST / {version}\r\nHost: a\r\n{lines}\r\n");
    // RFC 9110 section 10.1.1: not in HTTP/1.0, where any expectation is ignored.
    let old = with("HTTP/1.0", "Content-Length: 1\r\nExpect: 100-continue\r\n");
    check(&[(&old, "Body"), ("a", "R Idle")]);
    check(&[(&with("HTTP/1.0", "Content-Length: 1\r\nExpect: tea\r\n"), "Body")]);
    // Without a body there is nothing to wait for.
    check(&[(&with("HTTP/1.1", "Content-Length: 0\r\nExpect: 100-continue\r\n"), "R Idle")]);
    check(&[(&with("HTTP/1.1", "Expect: 100-continue\r\n"), "R Idle")]);
    // A body that would be refused is refused before it is asked for.
    check(&[(&with("HTTP/1.1", "Content-Length: 65537\r\nExpect: 100-continue\r\n"), "413")]);
    check(&[(&with("HTTP/1.1", "Content-Length: 1\r\nExpect: tea\r\n"), "417")]);
    check(&[(&with("HTTP/1.1", "Content-Length: 1\r\nExpect: 100-continue, tea\r\n"), "417")]);
}

#[test]
fn phases() {
    check(&[("", "Idle"), ("\r", "Head"), ("\n", "Idle"), ("\r\n", "Idle"), ("G", "Head")]);
    check(&[("GET / HTTP/1.1\r\n", "Head"), ("Host: a\r\n", "Head"), ("\r\n", "R Idle")]);
    check(&[("GET / HTTP/1.1\r\nHost: a\r\n\r\nG", "R Head")]);
}

#[test]
fn bytes_after_an_upgrade_are_left_over() {
    let mut reader = Reader::new();
    reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n\x81\x00more");
    assert!(matches!(reader.next(), Ok(Next::Request(_))));
    assert_eq!(reader.leftover(), b"\x81\x00more"[..]);
    assert!(Reader::new().leftover().is_empty());
    assert_eq!(Reader::new().phase(), Phase::Idle);
}
