//! The framings of the stream: the same JSON in a websocket frame, as a server-sent event or as a
//! line; or a plain line for people, made from the message itself.

use std::io::Write;

use crate::chat::{Name, Seq};
use crate::time::Time;
use crate::ws;

/// One form of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    /// A text frame (RFC 6455 section 5.6).
    Websocket,
    /// An event of the HTML standard's section 9.2, whose id is the cursor.
    ServerSentEvents,
    /// A line of JSON.
    Lines,
    /// A plain line for people, for messages only: `12:03 ann: hello`, in UTC. The first line of
    /// the stream states the time zone.
    Plain,
}

/// The first line of a plain stream. No message looks like it.
pub(super) const FIRST_LINE: &[u8] = b"# times are in UTC\n";

impl Framing {
    /// Appends a frame whose JSON `write` appends; nothing, if that appends nothing, or the form
    /// has no JSON. `seq`: the event's sequence number, if it is in the log.
    pub fn json(
        self,
        epoch: &str,
        seq: Option<Seq>,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = out.len();
        match self {
            Framing::Websocket => return ws::text_frame_with(out, write),
            Framing::Plain => return,
            Framing::Lines => {}
            Framing::ServerSentEvents => {
                if let Some(seq) = seq {
                    writeln!(out, "id: {epoch}:{seq}").expect("a Vec takes all");
                }
                out.extend_from_slice(b"data: ");
            }
        }
        let head = out.len();
        write(out);
        if out.len() == head {
            return out.truncate(start);
        }
        // The JSON contains no line end, so it fits on one line.
        out.extend_from_slice(if self == Framing::Lines { b"\n" } else { b"\n\n" });
    }
}

/// Appends a message as a plain line.
pub(super) fn line(time: Time, author: &Name, text: &str, out: &mut Vec<u8>) {
    let time = time.to_string();
    // RFC 3339: the time follows the T.
    let clock = time.get(11..16).unwrap_or_default();
    write!(out, "{clock} {}: ", author.as_str()).expect("a Vec takes all");
    for c in text.chars() {
        let mut utf8 = [0; 4];
        let shown = match c {
            // Continuation lines are indented, so that a message cannot fake another user's line.
            '\n' => "\n      ",
            // A terminal would obey control characters.
            c if c.is_control() && c != '\t' => "\u{fffd}",
            c => c.encode_utf8(&mut utf8),
        };
        out.extend_from_slice(shown.as_bytes());
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framings() {
        let check = |framing: Framing, seq: Option<u64>, json: &str, expected: &str| {
            let mut out = Vec::new();
            let write = |out: &mut Vec<u8>| out.extend_from_slice(json.as_bytes());
            framing.json("e1", seq.map(Seq), &mut out, write);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{framing:?}");
        };
        check(Framing::Websocket, Some(7), "{}", "\u{fffd}\u{2}{}");
        check(Framing::ServerSentEvents, Some(7), "{}", "id: e1:7\ndata: {}\n\n");
        check(Framing::ServerSentEvents, None, "{}", "data: {}\n\n");
        check(Framing::Lines, Some(7), "{}", "{}\n");
        check(Framing::Plain, Some(7), "{}", "");
        for framing in [Framing::Websocket, Framing::ServerSentEvents, Framing::Lines] {
            check(framing, Some(7), "", "");
        }
    }

    #[test]
    fn lines_for_people() {
        let mut out = Vec::new();
        let time = Time(1_769_860_980_123_456);
        line(time, &Name::new("ann").expect("a name"), "a\nb\u{1b}[2J\tcä", &mut out);
        let expected = "12:03 ann: a\n      b\u{fffd}[2J\tcä\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
