//! Good requests, damaged at random: nothing panics, the buffer stays bounded, and the pieces in
//! which the bytes come make no difference. Seeded, so that a failure can be had again.

use super::{Outcome, read};

const SEEDS: [&str; 6] = [
    "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     3;x\r\nabc\r\n0\r\nA: b\r\n\r\n",
    "\r\nPUT http://b/ HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n.",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nCookie: a=\"b\"; c\r\nContent-Encoding: identity\r\n\r\n",
];

const WORDS: [&[u8]; 16] = [
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b"\xff",
    b"0",
    b"ffffffffffffffff",
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: a\r\n",
    b"HTTP/2.0",
    b"\r\n\r\n",
];

/// Marsaglia's xorshift64: enough to wander about with.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn input(&mut self) -> Vec<u8> {
        let mut input = Vec::new();
        for _ in 0..=self.roll(3) {
            input.extend_from_slice(SEEDS[self.roll(SEEDS.len())].as_bytes());
        }
        for _ in 0..self.roll(4) {
            let at = self.roll(input.len());
            let end = (at + self.roll(12)).min(input.len());
            match self.roll(4) {
                0 => input[at] = self.roll(256) as u8,
                1 => drop(input.splice(at..at, WORDS[self.roll(WORDS.len())].iter().copied())),
                2 => drop(input.splice(at..end, WORDS[self.roll(WORDS.len())].iter().copied())),
                _ => drop(input.splice(at..at, input[at..end].to_vec())),
            }
        }
        input
    }

    fn read_in_pieces(&mut self, mut input: &[u8]) -> Outcome {
        let longest = 1 + self.roll(60);
        let pieces = std::iter::from_fn(|| {
            let (piece, rest) = input.split_at((1 + self.roll(longest)).min(input.len()));
            input = rest;
            (!piece.is_empty()).then_some(piece)
        });
        read(pieces)
    }
}

#[test]
fn damaged_requests() {
    let mut dice = Dice(0x5eed_0000_cafe);
    let (mut good, mut refused) = (0, 0);
    for round in 0..6_000 {
        let input = dice.input();
        let whole = read([&input[..]]);
        assert_eq!(read(input.chunks(1)), whole, "round {round}: {}", input.escape_ascii());
        for _ in 0..3 {
            let outcome = dice.read_in_pieces(&input);
            assert_eq!(outcome, whole, "round {round}: {}", input.escape_ascii());
        }
        for request in &whole.requests {
            // Whatever was asked for, it can be looked at.
            let _ = (request.segments(), request.query_pairs().count(), request.bearer());
            let _ = (request.cookies("a").count(), request.prefers_html());
        }
        good += whole.requests.len();
        refused += usize::from(whole.end.is_err());
    }
    // Both ways are walked often enough to mean something.
    assert!(good > 3_000 && refused > 1_000, "{good} good, {refused} refused");
}
