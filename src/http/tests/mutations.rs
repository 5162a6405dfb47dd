//! Good requests, damaged at random: nothing panics, the buffer stays bounded, and the cuts in the
//! input make no difference. Seeded, so that a failure can be repeated.

use super::{Outcome, read};
use crate::fuzz::{Dice, fuzz};

const SEEDS: [&str; 6] = [
    "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     3;x\r\nabc\r\n0\r\nA: b\r\n\r\n",
    "\r\nPUT http://b/ HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n.",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nCookie: a=\"b\"; c\r\nContent-Encoding: identity\r\n\r\n",
];

const WORDS: [&str; 16] = [
    "\r\n",
    "\r",
    "\n",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    "\u{ff}",
    "0",
    "ffffffffffffffff",
    "Content-Length: 1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: a\r\n",
    "HTTP/2.0",
    "\r\n\r\n",
];

fn read_in_pieces(dice: &mut Dice, mut input: &[u8]) -> Outcome {
    let longest = 1 + dice.roll(60);
    let pieces = std::iter::from_fn(|| {
        let (piece, rest) = input.split_at((1 + dice.roll(longest)).min(input.len()));
        input = rest;
        (!piece.is_empty()).then_some(piece)
    });
    read(pieces)
}

#[test]
fn damaged_requests() {
    let (mut good, mut refused) = (0, 0);
    fuzz(6_000, |dice| {
        let input = dice.bytes(&SEEDS, &WORDS);
        let whole = read([&input[..]]);
        assert_eq!(read(input.chunks(1)), whole, "{}", input.escape_ascii());
        for _ in 0..3 {
            assert_eq!(read_in_pieces(dice, &input), whole, "{}", input.escape_ascii());
        }
        for request in &whole.requests {
            // Every accepted request can be read.
            let _ = (request.segments(), request.query_pairs().count(), request.bearer());
            let _ = (request.cookies("a").count(), request.prefers_html());
        }
        good += whole.requests.len();
        refused += usize::from(whole.end.is_err());
    });
    // Both outcomes occur often enough to mean something.
    assert!(good > 3_000 && refused > 1_000, "{good} good, {refused} refused");
}
