//! The same JSON, in whatever the listener understands: a websocket, server-sent events, lines of
//! JSON, or lines for people.

use std::fmt::Write;

use serde::Deserialize;

use crate::chat::Seq;
use crate::ws;

/// What a frame is put into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Envelope {
    /// A text frame (RFC 6455 section 5.6).
    Websocket,
    /// An event of the HTML standard's section 9.2, whose id is the cursor.
    ServerSentEvents,
    /// A line of JSON.
    Lines,
    /// A line for people, of messages only: `12:03 ann: hello`, in UTC; and first a line that says
    /// so.
    Plain,
}

impl Envelope {
    /// Appends a frame. `seq`: the number of what it tells of, where that is in the log.
    pub fn wrap(&self, epoch: &str, seq: Option<Seq>, json: &[u8], out: &mut Vec<u8>) {
        match self {
            Envelope::Websocket => ws::text_frame(json, out),
            Envelope::ServerSentEvents => {
                if let Some(seq) = seq {
                    out.extend_from_slice(format!("id: {epoch}:{seq}\n").as_bytes());
                }
                // JSON has no line ends of its own, so one data line holds it all.
                for part in [&b"data: "[..], json, b"\n\n"] {
                    out.extend_from_slice(part);
                }
            }
            Envelope::Lines => {
                out.extend_from_slice(json);
                out.push(b'\n');
            }
            Envelope::Plain => out.extend_from_slice(plain(json).as_bytes()),
        }
    }
}

/// A message as a line for people; nothing for what is not one, or was taken back. The beginning of
/// the stream is a line, too, which no message can be taken for.
fn plain(json: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Frame {
        r#type: String,
    }
    if serde_json::from_slice(json).is_ok_and(|Frame { r#type }| r#type == "open") {
        return "# times are in UTC\n".to_owned();
    }
    #[derive(Deserialize)]
    struct Said {
        r#type: String,
        author: String,
        text: String,
        time: String,
    }
    let said: Option<Said> = serde_json::from_slice(json).ok();
    let Some(said) = said.filter(|said| said.r#type == "message") else { return String::new() };
    // RFC 3339: the clock stands behind the T.
    let clock = said.time.get(11..16).unwrap_or_default();
    let mut line = String::new();
    write!(line, "{clock} {}: ", said.author).expect("a string takes all");
    for c in said.text.chars() {
        match c {
            // What follows stands back, so that nobody can make up a line of somebody else.
            '\n' => line.push_str("\n      "),
            '\t' => line.push('\t'),
            // This may be read on a terminal, which would do what it is told.
            c if c.is_control() => line.push('\u{fffd}'),
            c => line.push(c),
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes() {
        let check = |envelope: Envelope, seq: Option<u64>, json: &str, expected: &str| {
            let mut out = Vec::new();
            envelope.wrap("e1", seq.map(Seq), json.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{envelope:?}");
        };
        let said = r#"{"type":"message","seq":7,"author":"ann","text":"a\nb\u001b[2J\tc",
            "time":"2026-01-31T12:03:00.123456Z","new":[1]}"#;
        check(Envelope::Websocket, Some(7), "{}", "\u{fffd}\u{2}{}");
        check(Envelope::ServerSentEvents, Some(7), "{}", "id: e1:7\ndata: {}\n\n");
        check(Envelope::ServerSentEvents, None, "{}", "data: {}\n\n");
        check(Envelope::Lines, Some(7), "{}", "{}\n");
        check(Envelope::Plain, Some(7), said, "12:03 ann: a\n      b\u{fffd}[2J\tc\n");
        check(Envelope::Plain, None, r#"{"type":"typing","room":1,"name":"ann"}"#, "");
        let open = r#"{"type":"open","epoch":"e1","seq":7,"me":"ann"}"#;
        check(Envelope::Plain, Some(7), open, "# times are in UTC\n");
        let gone = r#"{"type":"message","author":"ann","time":"","deleted":true}"#;
        check(Envelope::Plain, Some(7), gone, "");
    }
}
