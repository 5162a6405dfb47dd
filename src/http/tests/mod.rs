//! The shared kit of this folder's tests: the chunking oracle, which reads an input whole, byte by
//! byte and cut at every position, and requires one outcome.

mod bodies;
mod continues;
mod heads;
mod mutations;
mod requests;
mod responses;
mod targets;
mod upgrades;

use std::fmt::Write;

use super::{Next, Phase, Reader, Reject, Request};
use crate::limits::{BODY_BYTES_MAX, HEAD_BYTES_MAX};

/// The outcome of an input.
#[derive(PartialEq, Debug)]
struct Outcome {
    requests: Vec<Request>,
    end: Result<Phase, Reject>,
    leftover: Vec<u8>,
}

/// Feeds the pieces as the connection does, and checks the invariants.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = Reader::new();
    let mut requests = Vec::new();
    let mut asked = false;
    for piece in pieces {
        reader.feed(piece);
        loop {
            match reader.next() {
                Ok(Next::More) => break,
                Ok(Next::Continue) => {
                    assert!(!asked, "100 Continue twice");
                    assert_eq!(reader.phase(), Phase::Body);
                    asked = true;
                }
                Ok(Next::Request(request)) => {
                    assert_eq!(reader.path(), "", "of the next request");
                    requests.push(request);
                    asked = false;
                }
                Err(reject) => {
                    reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                    assert!(matches!(reader.next(), Err(again) if again == reject));
                    assert_eq!(reader.held(), 0);
                    return Outcome { requests, end: Err(reject), leftover: Vec::new() };
                }
            }
        }
        // Twice: a growing buffer doubles.
        assert!(reader.held() <= 2 * (HEAD_BYTES_MAX.max(BODY_BYTES_MAX) + piece.len()));
        assert!(reader.phase() != Phase::Idle || reader.held() == 0, "memory held while idle");
    }
    let end = Ok(reader.phase());
    Outcome { requests, end, leftover: reader.leftover().to_vec() }
}

/// The chunking oracle. Long inputs are not cut everywhere, only near both ends and here and there.
fn read_all_ways(input: &[u8]) -> Outcome {
    let whole = read([input]);
    assert_eq!(read(input.chunks(1)), whole, "byte by byte: {}", input.escape_ascii());
    let near_an_end = |cut: usize| cut.min(input.len() - cut) < 300;
    for cut in (0..=input.len()).filter(|cut| near_an_end(*cut) || cut % 1021 == 0) {
        let (left, right) = input.split_at(cut);
        assert_eq!(read([left, right]), whole, "cut at {cut}: {}", input.escape_ascii());
    }
    whole
}

/// An outcome in words: what each request was, then what it ended with.
fn sketch(outcome: &Outcome) -> String {
    let mut words = String::new();
    for Request { method, path, query, body, keep_alive, .. } in &outcome.requests {
        let keep = if *keep_alive { "keep" } else { "close" };
        write!(words, "{method} {path} {query:?} {keep} ").expect("a string takes all");
        match body.len() {
            0..20 => write!(words, "{:?}; ", String::from_utf8_lossy(body)),
            long => write!(words, "{long} bytes; "),
        }
        .expect("a string takes all");
    }
    match outcome.end {
        Ok(phase) => words + &format!("{phase:?}"),
        Err(Reject { status, why }) => words + &format!("{status} {why}"),
    }
}

/// Reads an input in all ways and compares the outcome in words.
#[track_caller]
fn check(input: impl AsRef<[u8]>, expected: &str) {
    let input = input.as_ref();
    assert_eq!(sketch(&read_all_ways(input)), expected, "for {}", input.escape_ascii());
}

/// Reads the only request of an input.
#[track_caller]
fn request(input: &str) -> Request {
    let mut outcome = read([input.as_bytes()]);
    assert_eq!((outcome.requests.len(), outcome.end), (1, Ok(Phase::Idle)), "for {input:?}");
    outcome.requests.remove(0)
}

/// A GET with these header lines, each with its CRLF.
#[track_caller]
fn get(target: &str, lines: &str) -> Request {
    request(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"))
}
