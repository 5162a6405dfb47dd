//! The frames of a stream itself, in JSON: open, reset, caught up, ping and bye. The frames of room
//! events are in `codec`.
//!
//! Called by the stream; `framing` frames the JSON.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::chat::{Name, RoomId, Seq};
use crate::protocol::json_body;
use crate::protocol::native::json::MessageJson;
use crate::store::Message;

/// Why the missed events cannot be replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// The cursor belongs to another log.
    Epoch,
    /// The cursor is ahead of this log.
    Ahead,
    /// The events are deleted by retention, or are too many.
    Retention,
}

impl Reset {
    /// The reason as sent.
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
    /// The server stops; the client may come back.
    GoingAway,
    /// The client reads too slowly; it may resume.
    TooSlow,
    /// The session ended; the client must log in again.
    SessionEnded,
    /// The account is banned.
    Banned,
    /// The account opened too many streams, and this was the oldest.
    Replaced,
}

impl Bye {
    /// The reason as sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Bye::GoingAway => "going_away",
            Bye::TooSlow => "too_slow",
            Bye::SessionEnded => "session_ended",
            Bye::Banned => "banned",
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

/// The missed events cannot be replayed; the client reloads and continues from `seq`.
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

/// A message in its current form, in its original place.
pub fn message(message: &Message, json: &mut Vec<u8>) {
    json_body::write(&MessageJson::replayed(message), json);
}

/// All missed events were sent.
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

/// A ping: everything up to `seq` was sent.
pub fn ping(seq: Seq, json: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Ping<'a> {
        r#type: &'a str,
        seq: u64,
    }
    json_body::write(&Ping { r#type: "ping", seq: seq.0 }, json);
}

/// The last frame.
pub fn bye(why: Bye, retry_after_ms: u64, json: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct ByeFrame<'a> {
        r#type: &'a str,
        code: &'a str,
        retry_after_ms: u64,
    }
    json_body::write(&ByeFrame { r#type: "bye", code: why.as_str(), retry_after_ms }, json);
}

fn by_room<S: Serializer>(read: &[(RoomId, Seq)], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(read.len()))?;
    for (room, seq) in read {
        map.serialize_entry(&room.0, &seq.0)?;
    }
    map.end()
}
