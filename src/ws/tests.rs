//! Sessions as data: the client's input, the expected messages, and the expected output.
//!
//! Each is run whole, byte by byte and cut in two at every position, always with the same outcome.

use super::*;
use crate::fuzz::fuzz;

/// The result of a session, in values that a table can hold.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Came {
    Text(String),
    Binary(Vec<u8>),
    Alive,
    Closed(u16, String),
    Failed(u16),
}
use Came::{Alive, Closed, Failed};

impl From<Incoming> for Came {
    fn from(incoming: Incoming) -> Came {
        match incoming {
            Incoming::Text(text) => Came::Text(text.to_string()),
            Incoming::Binary(bytes) => Came::Binary(bytes.to_vec()),
            Incoming::Alive => Alive,
            Incoming::Closed { code, reason } => Closed(code, reason.to_string()),
            Incoming::Failed(failure) => Failed(failure.code),
        }
    }
}

fn text(text: &str) -> Came {
    Came::Text(text.into())
}

/// A client's frame with the given first byte, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        len @ ..126 => bytes.push(0x80 | len as u8),
        len @ ..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A server's frame with the given first byte and a payload below 126 bytes.
fn answer(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, payload.len() as u8], payload].concat()
}

/// Frames in a table: the first byte and the payload of each.
type Frames<'a> = &'a [(u8, &'a [u8])];

fn frames(list: Frames) -> Vec<u8> {
    list.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
}

/// First bytes: FIN and an opcode, or an opcode alone.
const TEXT: u8 = 0x81;
const TEXT_PART: u8 = 0x01;
const BINARY: u8 = 0x82;
const BINARY_PART: u8 = 0x02;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Runs a conversation with the input cut as given, and checks what always holds.
fn converse(input: &[u8], cuts: &[usize], ws: &mut Websocket) -> (Vec<Came>, Vec<u8>) {
    let (mut came, mut out, mut start) = (Vec::new(), Vec::new(), 0);
    for end in cuts.iter().copied().chain([input.len()]) {
        let mut piece = &input[start..end];
        while let Some(incoming) = ws.next(&mut piece, &mut out) {
            let last = matches!(incoming, Incoming::Closed { .. } | Incoming::Failed(_));
            assert_eq!(last, ws.is_over(), "{incoming:?}");
            came.push(incoming.into());
        }
        assert!(piece.is_empty(), "None means that all is taken");
        start = end;
    }
    if ws.is_over() {
        assert!(ws.context.is_none() && !ws.can_write());
    }
    (came, out)
}

/// The chunking oracle. `out` is compared without the words of a failure.
fn check(name: &str, input: &[u8], came: &[Came], out: &[u8]) {
    let every: Vec<usize> = (0..input.len()).collect();
    // Long inputs are cut around their ends only; what lies between is alike.
    let cuts = every.iter().copied().filter(|cut| *cut < 200 || input.len() - cut < 50);
    for cuts in cuts.map(|cut| vec![cut]).chain([vec![], every.clone()]) {
        let (got, mut written) = converse(input, &cuts, &mut Websocket::new());
        if let Some(Failed(code)) = got.last() {
            let frames = written.len() - usize::from(fail_length(&written, *code));
            written.truncate(frames);
        }
        let cut = if cuts.len() == 1 { format!("{cuts:?}") } else { format!("{}", cuts.len()) };
        assert!(got == came, "{name}, cut {cut}:\n{}", shorten(&got));
        assert!(written == out, "{name}, cut {cut}: wrote {:?}", shorten(&written));
    }
}

/// The length of the close frame with `code` at the end of `written`.
fn fail_length(written: &[u8], code: u16) -> u8 {
    let [high, low] = code.to_be_bytes();
    let begins = |at: &usize| {
        let tail = &written[*at..];
        tail.len() > 4
            && tail[0] == CLOSE
            && usize::from(tail[1]) == tail.len() - 2
            && tail[2..4] == [high, low]
            && str::from_utf8(&tail[4..]).is_ok()
    };
    let at = (0..written.len()).find(begins).expect("a close frame with that code");
    (written.len() - at) as u8
}

fn shorten(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take(400).collect()
}

#[test]
fn messages() {
    let euro = "κόσμε € 😀".as_bytes();
    let cases: &[(&str, Frames, &[Came])] = &[
        ("nothing", &[], &[]),
        ("hello", &[(TEXT, b"hello")], &[text("hello")]),
        ("an empty text", &[(TEXT, b"")], &[text("")]),
        ("an empty binary", &[(BINARY, b"")], &[Came::Binary(vec![])]),
        ("binary is any bytes", &[(BINARY, b"\xff\x00")], &[Came::Binary(vec![255, 0])]),
        ("characters", &[(TEXT, euro)], &[text("κόσμε € 😀")]),
        ("two", &[(TEXT, b"a"), (TEXT, b"b")], &[text("a"), text("b")]),
        ("125, the last short length", &[(TEXT, &[b'x'; 125])], &[text(&"x".repeat(125))]),
        ("126", &[(TEXT, &[b'x'; 126])], &[text(&"x".repeat(126))]),
        ("longer than a step", &[(TEXT, &[b'x'; 1300])], &[text(&"x".repeat(1300))]),
        ("fragments", &[(TEXT_PART, b"a"), (MORE, b"b"), (LAST, b"c")], &[text("abc")]),
        ("empty fragments", &[(TEXT_PART, b""), (MORE, b""), (LAST, b"")], &[text("")]),
        (
            "fragments of binary, then a text",
            &[(BINARY_PART, b"\xff"), (LAST, b"\xfe"), (TEXT, b"x")],
            &[Came::Binary(vec![255, 254]), text("x")],
        ),
        (
            "a character in pieces",
            &[(TEXT_PART, &euro[..1]), (MORE, &euro[1..14]), (LAST, &euro[14..])],
            &[text("κόσμε € 😀")],
        ),
        ("a pong nobody asked for", &[(PONG, b"x")], &[Alive]),
        (
            "a pong between fragments",
            &[(TEXT_PART, b"a"), (PONG, b""), (LAST, b"b"), (TEXT, b"c")],
            &[Alive, text("ab"), text("c")],
        ),
    ];
    for (name, input, came) in cases {
        check(name, &frames(input), came, b"");
    }
}

#[test]
fn pings_are_answered() {
    let long = [b'p'; 125];
    let cases: &[(&str, Frames, &[Came], Frames)] = &[
        ("empty", &[(PING, b"")], &[Alive], &[(PONG, b"")]),
        ("the longest", &[(PING, &long)], &[Alive], &[(PONG, &long)]),
        ("not text", &[(PING, b"\xff")], &[Alive], &[(PONG, b"\xff")]),
        (
            "each of them, in order",
            &[(PING, b"1"), (PING, b"2"), (TEXT, b"x"), (PING, b"3")],
            &[Alive, Alive, text("x"), Alive],
            &[(PONG, b"1"), (PONG, b"2"), (PONG, b"3")],
        ),
        (
            "between fragments",
            &[(TEXT_PART, b"a"), (PING, b"1"), (MORE, b"b"), (PING, b"2"), (LAST, b"c")],
            &[Alive, Alive, text("abc")],
            &[(PONG, b"1"), (PONG, b"2")],
        ),
    ];
    for (name, input, came, out) in cases {
        let out: Vec<u8> = out.iter().flat_map(|(first, with)| answer(*first, with)).collect();
        check(name, &frames(input), came, &out);
    }
}

#[test]
fn protocol_errors_of_the_peer() {
    let long = [b'p'; 126];
    let cases: &[(&str, Frames, u16)] = &[
        ("first reserved bit", &[(TEXT | 0x40, b"x")], 1002),
        ("second reserved bit", &[(BINARY | 0x20, b"x")], 1002),
        ("third reserved bit", &[(PING | 0x10, b"x")], 1002),
        ("reserved bits on a close", &[(CLOSE | 0x70, b"")], 1002),
        ("reserved opcode 3", &[(0x83, b"")], 1002),
        ("reserved opcode 7, in parts", &[(0x07, b"x")], 1002),
        ("reserved control 11", &[(0x8b, b"")], 1002),
        ("reserved control 15", &[(0x8f, b"x")], 1002),
        ("a ping in parts", &[(0x09, b"x")], 1002),
        ("a pong in parts", &[(0x0a, b"x")], 1002),
        ("a close in parts", &[(0x08, b"")], 1002),
        ("a ping of 126", &[(PING, &long)], 1002),
        ("a close of 126", &[(CLOSE, &long)], 1002),
        ("nothing to continue", &[(LAST, b"x")], 1002),
        ("nothing to continue yet", &[(MORE, b"x")], 1002),
        ("continuing what is complete", &[(TEXT_PART, b"x"), (LAST, b"y"), (LAST, b"z")], 1002),
        ("a text inside a message", &[(TEXT_PART, b"x"), (TEXT, b"y")], 1002),
        ("a message inside a message", &[(BINARY_PART, b"x"), (BINARY_PART, b"y")], 1002),
        ("a close code is incomplete", &[(CLOSE, b"\x03")], 1002),
        ("a close reason that is not UTF-8", &[(CLOSE, b"\x03\xe8\xce\xba\xff")], 1007),
        ("a close reason cut off", &[(CLOSE, b"\x03\xe8\xce")], 1007),
        ("not UTF-8", &[(TEXT, b"a\xffb")], 1007),
        ("cut off", &[(TEXT, b"a\xce")], 1007),
        ("a surrogate", &[(TEXT, b"\xed\xa0\x80")], 1007),
        ("an overlong slash", &[(TEXT, b"\xc0\xaf")], 1007),
        ("beyond the last character", &[(TEXT, b"\xf4\x90\x80\x80")], 1007),
        ("cut off at the last fragment", &[(TEXT_PART, b"a"), (LAST, b"\xce")], 1007),
        ("at the first fragment", &[(TEXT_PART, b"\xff")], 1007),
        ("at the second fragment", &[(TEXT_PART, b"\xf4"), (MORE, b"\x90")], 1007),
    ];
    for (name, input, code) in cases {
        // Further input is ignored.
        let rest = [frames(input), frame(PING, b""), frame(TEXT, b"x")].concat();
        let whole = input.iter().filter(|(first, _)| *first == LAST).count();
        let said = if whole == 2 { vec![text("xy")] } else { vec![] };
        check(name, &rest, &[said, vec![Failed(*code)]].concat(), b"");
    }
    let raw: &[(&str, &[u8], u16)] = &[
        ("not masked", b"\x81\x05hello", 1002),
        ("not masked and empty", b"\x81\x00", 1002),
        ("a short length in two bytes", b"\x81\xfe\x00\x7dmask", 1002),
        ("a middle length in eight", b"\x81\xff\0\0\0\0\0\0\xff\xffmask", 1002),
        ("a length with its highest bit", b"\x82\xff\x80\0\0\0\0\0\0\0mask", 1009),
        ("a length like no other", b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", 1009),
        ("one byte too many is not waited for", b"\x82\xff\0\0\0\0\0\x01\0\x01mask", 1009),
    ];
    for (name, input, code) in raw {
        check(name, input, &[Failed(*code)], b"");
    }
}

#[test]
fn sizes_up_to_the_limit() {
    const MAX: usize = MESSAGE_BYTES_MAX;
    for size in [MAX - 1, MAX] {
        let payload = vec![b'x'; size];
        let said = text(&"x".repeat(size));
        check("one frame", &frame(TEXT, &payload), std::slice::from_ref(&said), b"");
        let (head, tail) = payload.split_at(1000);
        let parts = frames(&[(TEXT_PART, head), (LAST, tail)]);
        check("two fragments", &parts, &[said], b"");
    }
    let payload = vec![b'x'; MAX + 1];
    check("a frame too long", &frame(BINARY, &payload), &[Failed(1009)], b"");
    let (head, tail) = payload.split_at(1000);
    let parts = frames(&[(TEXT_PART, head), (LAST, tail)]);
    check("a message too long", &parts, &[Failed(1009)], b"");
}

#[test]
fn the_peer_closes() {
    let reason = [b"\x03\xe8".as_slice(), &[b'r'; 123]].concat();
    let cases: &[(&str, &[u8], Came, &[u8])] = &[
        ("without a code", b"", Closed(1005, String::new()), b""),
        ("with a code", b"\x03\xe8", Closed(1000, String::new()), b"\x03\xe8"),
        ("with a reason", b"\x03\xe9bye", Closed(1001, "bye".into()), b"\x03\xe9bye"),
        ("with the longest reason", &reason, Closed(1000, "r".repeat(123)), &reason),
    ];
    for (name, payload, came, out) in cases {
        // Nothing that follows the close frame is looked at (RFC 6455 section 5.5.1).
        let input = frames(&[(TEXT, b"x"), (CLOSE, payload), (PING, b"y"), (TEXT, b"z")]);
        check(name, &input, &[text("x"), came.clone()], &answer(CLOSE, out));
        let input = frames(&[(TEXT_PART, b"x"), (CLOSE, payload), (LAST, b"y")]);
        check(name, &input, std::slice::from_ref(came), &answer(CLOSE, out));
    }
}

/// RFC 6455 section 7.4: valid and invalid contents of a close frame.
#[test]
fn close_codes() {
    for code in (0..6000).chain([65_535]) {
        let (came, out) = converse(&frame(CLOSE, &u16::to_be_bytes(code)), &[], &mut ws());
        let good = matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999);
        let code = if good { code } else { 1002 };
        let [Closed(told, _)] = came[..] else { panic!("{code}: {came:?}") };
        assert_eq!(told, code);
        assert_eq!(out[2..4], code.to_be_bytes());
    }
}

fn ws() -> Websocket {
    Websocket::new()
}

#[test]
fn we_close() {
    let cases: &[(&str, Vec<u8>, &[Came])] = &[
        ("answered", frame(CLOSE, b"\x03\xe9"), &[Closed(1001, String::new())]),
        ("answered without a code", frame(CLOSE, b""), &[Closed(1005, String::new())]),
        (
            "late messages and pings are skipped, and so are their mistakes",
            frames(&[(TEXT, b"\xff"), (LAST, b"x"), (PING, b"y"), (CLOSE, b"\x03\xe9ok")]),
            &[Closed(1001, "ok".into())],
        ),
        ("headers are still read", frame(0x83, b""), &[Failed(1002)]),
        ("an answer out of order", frame(CLOSE, b"\x03"), &[Failed(1002)]),
        ("no answer", frame(TEXT, b"x"), &[]),
    ];
    for (name, input, came) in cases {
        for cut in 0..input.len() {
            let (mut ws, mut out) = (ws(), Vec::new());
            ws.close(code::GOING_AWAY, "bye", &mut out);
            assert!(!ws.can_write() && !ws.is_over());
            assert_eq!(out, answer(CLOSE, b"\x03\xe9bye"));
            // Sent once; and nothing more, for any input.
            ws.close(code::NORMAL, "", &mut out);
            ws.ping(&mut out);
            assert_eq!(out.len(), 7);
            let (got, written) = converse(input, &[cut], &mut ws);
            assert_eq!((got.as_slice(), written.as_slice()), (*came, &b""[..]), "{name} {cut}");
            assert_eq!(ws.is_over(), !came.is_empty(), "{name}");
        }
    }
}

/// Our close frame crosses the peer's incomplete frame.
#[test]
fn we_close_in_the_middle() {
    let input = frames(&[
        (TEXT_PART, b"a"),
        (PING, b"b"),
        (LAST, b"c"),
        (TEXT, b"d"),
        (CLOSE, b"\x03\xe8bye"),
    ]);
    for cut in 0..input.len() {
        let mut ws = ws();
        let (before, _) = converse(&input[..cut], &[], &mut ws);
        ws.close(code::NORMAL, "", &mut Vec::new());
        let (after, written) = converse(&input[cut..], &[], &mut ws);
        assert!(before.len() <= 3, "{cut}");
        assert_eq!(after, [Closed(1000, "bye".into())], "{cut}");
        assert!(written.is_empty(), "{cut}");
    }
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let mut out = Vec::new();
    ws().close(code::NORMAL, &"é".repeat(100), &mut out);
    assert_eq!(out[..4], [CLOSE, 124, 0x03, 0xe8]);
    assert_eq!(str::from_utf8(&out[4..]), Ok("é".repeat(61).as_str()));
}

#[test]
#[should_panic]
fn a_code_that_is_never_sent() {
    ws().close(code::NONE, "", &mut Vec::new());
}

#[test]
fn our_frames() {
    for (size, header) in [
        (0, &b"\x81\x00"[..]),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\0\0\0\0\0\x01\0\0"),
    ] {
        let payload = "x".repeat(size);
        let expected = [header, payload.as_bytes()].concat();
        let mut out = b"before".to_vec();
        text_frame(payload.as_bytes(), &mut out);
        assert_eq!(out, [b"before", expected.as_slice()].concat());
    }
    let mut out = Vec::new();
    ws().ping(&mut out);
    assert_eq!(out, [PING, 0]);
}

/// One message at a time: the rest of the input stays with the caller.
#[test]
fn the_rest_of_the_input_waits() {
    let (first, second) = (frame(TEXT, b"one"), frame(TEXT, b"two"));
    let input = [first, second.clone()].concat();
    let (mut piece, mut ws) = (input.as_slice(), ws());
    let came = ws.next(&mut piece, &mut Vec::new()).unwrap();
    assert_eq!(Came::from(came), text("one"));
    assert_eq!(piece, second);
}

/// All the heap that a `Websocket` can have is behind `context`; the rest of it is plain numbers.
#[test]
fn an_idle_websocket_holds_no_heap() {
    assert_eq!(size_of::<Websocket>(), 48);
    let long = [b'x'; 60_000];
    for first in [TEXT, BINARY, PING, PONG] {
        let payload = if first < CLOSE { &long[..] } else { b"x" };
        let input = frame(first, payload);
        let mut ws = ws();
        converse(&input[..input.len() - 1], &[], &mut ws);
        assert!(ws.context.is_some());
        converse(&input[input.len() - 1..], &[], &mut ws);
        assert!(ws.context.is_none());
    }
    let mut ws = ws();
    converse(&frame(TEXT_PART, b"x"), &[], &mut ws);
    converse(&frame(PING, b""), &[], &mut ws);
    assert!(ws.context.is_some(), "a message is open");
    // Half a header is kept in place.
    converse(&frame(LAST, b"")[..5], &[], &mut ws);
    ws.close(code::NORMAL, "", &mut Vec::new());
    assert!(ws.context.is_none(), "a dropped message keeps no memory");
}

/// The block behind a payload is not much longer than the payload (see [`Incoming`]).
#[test]
fn payloads_hold_little_more_than_themselves() {
    for size in [0, 1, 100, 506, 507, 600, 5_000, 60_000] {
        let input = frame(BINARY, &vec![0; size]);
        let Some(Incoming::Binary(bytes)) = ws().next(&mut input.as_slice(), &mut Vec::new())
        else {
            panic!("a message");
        };
        // The last holder of a block gets all of it back, from the payload's start on.
        let capacity = Vec::from(bytes).capacity();
        let most = (size * 2).max(READ_STEP_BYTES);
        assert!((READ_STEP_BYTES..=most).contains(&capacity), "{size}: {capacity}");
    }
}

/// Random input never panics, and every end is a valid one.
#[test]
fn noise() {
    let good = frames(&[
        (TEXT, "κόσμε".as_bytes()),
        (TEXT_PART, b"a"),
        (PING, b"b"),
        (MORE, b""),
        (LAST, b"c"),
        (BINARY, &[7; 300]),
        (PONG, b""),
        (CLOSE, b"\x03\xe8bye"),
    ]);
    fuzz(20_000, |dice| {
        let mut input = good.clone();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(input.len());
            match dice.roll(4) {
                0 => input[at] ^= 1 << dice.roll(8),
                1 => input[at] = dice.roll(256) as u8,
                2 => drop(input.remove(at)),
                _ => input.insert(at, dice.roll(256) as u8),
            }
        }
        let whole = converse(&input, &[], &mut ws());
        let mut cuts = [dice.roll(input.len()), dice.roll(input.len())];
        cuts.sort();
        assert_eq!(whole, converse(&input, &cuts, &mut ws()));
        let ends = whole.0.iter().filter(|came| matches!(came, Closed(..) | Failed(_)));
        let ends = ends.count();
        assert!(ends <= 1);
        let codes = [1000, 1002, 1005, 1007, 1009];
        match whole.0.last() {
            Some(Failed(code)) => assert!(codes.contains(code) && !whole.1.is_empty()),
            Some(Closed(..)) => assert!(!whole.1.is_empty()),
            _ => assert_eq!(ends, 0),
        }
    });
}

/// A frame that is written in place is the frame of its payload, behind the earlier bytes.
#[test]
fn frames_that_are_written_in_place() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload = vec![b'a'; length];
        let (mut expected, mut out) = (b"before".to_vec(), b"before".to_vec());
        if length > 0 {
            text_frame(&payload, &mut expected);
        }
        text_frame_with(&mut out, |out| out.extend_from_slice(&payload));
        assert!(out == expected, "{length}");
    }
}
