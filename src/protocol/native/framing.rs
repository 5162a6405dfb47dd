//! How a frame of the stream goes over the wire: the same JSON in a websocket frame, as a
//! server-sent event or as a line; or a line for people, which is made from the message itself.

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
    /// A line for people, of messages only: `12:03 ann: hello`, in UTC; first a line that says so.
    Plain,
}

/// The first line of a stream for people. No message can be taken for it.
pub(super) const FIRST_LINE: &[u8] = b"# times are in UTC\n";

impl Framing {
    /// Appends a frame whose JSON `write` appends; nothing, if that appends nothing, or the form is
    /// without JSON. `seq`: the number of what the frame tells of, where that is in the log.
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
        // JSON has no line ends of its own, so one line holds it all.
        out.extend_from_slice(if self == Framing::Lines { b"\n" } else { b"\n\n" });
    }
}

/// Appends a message as a line for people.
pub(super) fn line(time: Time, author: &Name, text: &str, out: &mut Vec<u8>) {
    let time = time.to_string();
    // RFC 3339: the clock stands behind the T.
    let clock = time.get(11..16).unwrap_or_default();
    write!(out, "{clock} {}: ", author.as_str()).expect("a Vec takes all");
    for c in text.chars() {
        let mut utf8 = [0; 4];
        let shown = match c {
            // What follows stands back, so that nobody can make up a line of somebody else.
            '\n' => "\n      ",
            // This may be read on a terminal, which would do what it is told.
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
