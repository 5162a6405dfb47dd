//! The frames that a stream itself says, in JSON: how it begins, where what was missed ends, that
//! it lives, and why it ends. What happens in rooms is in `codec`.
//!
//! Called by the stream; `framing` puts them on the wire.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::chat::{Name, RoomId, Seq};
use crate::protocol::json_body;
use crate::protocol::native::json::Said;
use crate::store::Message;

/// Why what was missed is not told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// The client knows another log.
    Epoch,
    /// The client knows a number that this log has not come to.
    Ahead,
    /// It is not kept any more, or is too much.
    Retention,
}

impl Reset {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Reset::Epoch => "epoch",
            Reset::Ahead => "ahead",
            Reset::Retention => "retention",
        }
    }
}

/// Why the server ends a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bye {
    /// The server stops; come back.
    GoingAway,
    /// What was to be told has piled up; resume.
    TooSlow,
    /// Log in again.
    SessionEnded,
    /// There were too many streams, and this was the oldest.
    Replaced,
}

impl Bye {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Bye::GoingAway => "going_away",
            Bye::TooSlow => "too_slow",
            Bye::SessionEnded => "session_ended",
            Bye::Replaced => "replaced",
        }
    }
}

/// The first frame.
pub fn open(epoch: &str, seq: Seq, me: &Name, json: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Open<'a> {
        r#type: &'a str,
        epoch: &'a str,
        seq: u64,
        me: &'a str,
    }
    json_body::write(&Open { r#type: "open", epoch, seq: seq.0, me: me.as_str() }, json);
}

/// What was missed cannot be told; the client starts afresh from `seq`.
pub fn reset(reason: Reset, epoch: &str, seq: Seq, json: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Afresh<'a> {
        r#type: &'a str,
        reason: &'a str,
        epoch: &'a str,
        seq: u64,
    }
    let afresh = Afresh { r#type: "reset", reason: reason.as_str(), epoch, seq: seq.0 };
    json_body::write(&afresh, json);
}

/// A message, as it is now, where it was said.
pub fn message(message: &Message, json: &mut Vec<u8>) {
    json_body::write(&Said::replayed(message), json);
}

/// All that was missed has been told.
pub fn caught_up(seq: Seq, read: &[(RoomId, Seq)], json: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct CaughtUp<'a> {
        r#type: &'a str,
        seq: u64,
        #[serde(serialize_with = "by_room")]
        read: &'a [(RoomId, Seq)],
    }
    json_body::write(&CaughtUp { r#type: "caught_up", seq: seq.0, read }, json);
}

/// The stream lives, and everything up to `seq` has been told.
pub fn ping(seq: Seq, json: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Ping<'a> {
        r#type: &'a str,
        seq: u64,
    }
    json_body::write(&Ping { r#type: "ping", seq: seq.0 }, json);
}

/// The stream ends.
pub fn bye(why: Bye, retry_after_ms: u64, json: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct CloseReason<'a> {
        r#type: &'a str,
        code: &'a str,
        retry_after_ms: u64,
    }
    json_body::write(&CloseReason { r#type: "bye", code: why.as_str(), retry_after_ms }, json);
}

fn by_room<S: Serializer>(read: &[(RoomId, Seq)], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(read.len()))?;
    for (room, seq) in read {
        map.serialize_entry(&room.0, &seq.0)?;
    }
    map.end()
}
