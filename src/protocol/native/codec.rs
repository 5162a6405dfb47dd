//! The codec of the native stream: decodes a client's messages, and encodes the events of its rooms
//! and the replies.
//!
//! It has no state and does not know the sender: the core does. Called by connections to decode, by
//! the hub to encode; every form of the stream frames the same JSON in its own way.

use serde::Serialize;

use crate::chat::{
    Action, ClientEvent, ClientId, Color, Event, EventKind, Field, Name, Receipt, Refusal, RoomId,
    Seq, Standing, StreamEvent,
};
use crate::codec::{Codec, Disconnect};
use crate::protocol::native::errors::{Failure, Shown};
use crate::protocol::native::fields::Fields;
use crate::protocol::native::framing::{self, Framing};
use crate::protocol::native::json::{MessageJson, RoomJson, end_of, maybe_rfc3339};
use crate::protocol::{closing, json_body};
use crate::time::Time;
use crate::ws::CloseFrame;

/// The stream over a websocket.
pub static CODEC: Native = Native(Framing::Websocket);
/// The stream as server-sent events; like the two other forms below, it takes no messages.
pub static SSE: Native = Native(Framing::ServerSentEvents);
/// As lines of JSON.
pub static LINES: Native = Native(Framing::Lines);
/// As lines for people.
pub static PLAIN: Native = Native(Framing::Plain);

/// The stream in one of its forms.
pub struct Native(pub(super) Framing);

impl Codec for Native {
    fn name(&self) -> &'static str {
        match self.0 {
            Framing::Websocket => "native",
            Framing::ServerSentEvents => "native-sse",
            Framing::Lines => "native-lines",
            Framing::Plain => "native-plain",
        }
    }

    fn decode(&self, text: &str) -> ClientEvent {
        let fields = match Fields::read(text.as_bytes()) {
            Ok(fields) => fields,
            Err(refusal) => return ClientEvent::garbled(refusal),
        };
        // A refusal also carries the client id, if the message has one.
        let mark = fields.client_id().ok();
        decode(&fields).unwrap_or_else(|refusal| ClientEvent::Garbled { refusal, mark })
    }

    fn event(&self, epoch: &str, event: &Event, frame: &mut Vec<u8>) {
        match &event.kind {
            EventKind::Said { text, .. } if self.0 == Framing::Plain => {
                framing::line(event.time, &event.author.name, text, frame);
            }
            kind => self.0.json(epoch, kind.seq(), frame, |json| write(event, json)),
        }
    }

    fn close(&self, why: Disconnect) -> CloseFrame {
        closing::close_frame(why)
    }

    /// All streams of an account get the account's own messages, in the order of the log.
    fn echoes(&self) -> bool {
        true
    }

    fn gathers_presence(&self) -> bool {
        true
    }

    fn reply(
        &self,
        reply: &Result<Receipt, Refusal>,
        mark: Option<&ClientId>,
        frame: &mut Vec<u8>,
    ) {
        let client_id = mark.map(ClientId::as_str);
        let answer = match *reply {
            Ok(Receipt::Logged { seq, time, .. }) => Frame::Ack { client_id, seq: seq.0, time },
            // A typing event needs no reply.
            Ok(Receipt::Noted | Receipt::Known(_)) => return,
            Err(refusal) => Frame::Error { client_id, error: Failure::from(refusal).shown() },
        };
        self.0.json("", None, frame, |json| json_body::write(&answer, json));
    }
}

/// Appends the JSON that tells of an event.
fn write(event: &Event, json: &mut Vec<u8>) {
    match MessageJson::live(event) {
        Some(said) => json_body::write(&said, json),
        None => json_body::write(&Frame::from(event), json),
    }
}

fn decode(fields: &Fields) -> Result<ClientEvent, Refusal> {
    let kind = fields.text("type")?.ok_or(Refusal::Malformed(Field::Kind))?;
    let room = match kind {
        "send" | "edit" | "delete" | "react" | "typing" | "read" => fields.room()?,
        _ => return Err(Refusal::Malformed(Field::Kind)),
    };
    match kind {
        "typing" => return Ok(ClientEvent::Stream(StreamEvent::Typing { room })),
        "read" => {
            return Ok(ClientEvent::Stream(StreamEvent::Read { room, seq: fields.seq("seq")? }));
        }
        _ => {}
    }
    let mark = fields.client_id()?;
    let action = match kind {
        "send" => Action::Send {
            room,
            client_id: Some(mark.clone()),
            reply_to: fields.number("reply_to")?.map(Seq),
            text: fields.message()?,
        },
        "edit" => Action::Edit { room, target: fields.seq("target")?, text: fields.message()? },
        "delete" => Action::Delete { room, target: fields.seq("target")? },
        _ => {
            let on = fields.flag("on")?.ok_or(Refusal::Malformed(Field::Called("on")))?;
            let (target, emoji) = (fields.seq("target")?, fields.emoji()?);
            Action::React { room, target, emoji, on }
        }
    };
    Ok(ClientEvent::Stream(StreamEvent::Act { action, mark: Some(mark) }))
}

/// The frames of a stream, except messages, which are [`MessageJson`].
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame<'a> {
    Edit {
        seq: u64,
        room: u64,
        target: u64,
        text: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<&'a str>,
        #[serde(serialize_with = "json_body::rfc3339")]
        time: Time,
    },
    Delete {
        seq: u64,
        room: u64,
        target: u64,
        by: &'a str,
        #[serde(serialize_with = "json_body::rfc3339")]
        time: Time,
    },
    Reaction {
        seq: u64,
        room: u64,
        target: u64,
        by: &'a str,
        emoji: &'a str,
        on: bool,
        #[serde(serialize_with = "json_body::rfc3339")]
        time: Time,
    },
    Room {
        seq: u64,
        room: RoomJson<'a>,
    },
    RoomGone {
        seq: u64,
        room: u64,
    },
    Member {
        seq: u64,
        room: u64,
        name: &'a str,
        r#in: bool,
        /// Only if it has changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        moderator: Option<bool>,
        /// Only if it has changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        muted: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
        muted_until: Option<Time>,
    },
    Presence {
        room: u64,
        name: &'a str,
        online: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        color: Option<&'a str>,
    },
    Typing {
        room: u64,
        name: &'a str,
    },
    Read {
        room: u64,
        read_seq: u64,
    },
    Ack {
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        seq: u64,
        #[serde(serialize_with = "json_body::rfc3339")]
        time: Time,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        error: Shown,
    },
}

impl<'a> From<&'a Event> for Frame<'a> {
    fn from(event: &'a Event) -> Frame<'a> {
        let Event { room: RoomId(room), time, author, color, kind } = event;
        let (room, time, by) = (*room, *time, author.name.as_str());
        let color = color.as_ref().map(Color::as_str);
        match kind {
            EventKind::Joined => Frame::Presence { room, name: by, online: true, color },
            EventKind::Left => Frame::Presence { room, name: by, online: false, color },
            EventKind::Edited { seq, target, text, calls } => {
                let mentions = calls.iter().map(Name::as_str).collect();
                Frame::Edit { seq: seq.0, room, target: target.0, text, mentions, time }
            }
            EventKind::Deleted { seq, target } => {
                Frame::Delete { seq: seq.0, room, target: target.0, by, time }
            }
            EventKind::Reacted { seq, target, emoji, on } => {
                let (seq, target, emoji) = (seq.0, target.0, emoji.as_str());
                Frame::Reaction { seq, room, target, by, emoji, on: *on, time }
            }
            EventKind::Room { seq, info } => Frame::Room { seq: seq.0, room: RoomJson::told(info) },
            EventKind::Gone { seq } => Frame::RoomGone { seq: seq.0, room },
            EventKind::Member { seq, member } => {
                let (moderator, muted, muted_until) = (None, None, None);
                let seq = seq.0;
                Frame::Member { seq, room, name: by, r#in: *member, moderator, muted, muted_until }
            }
            EventKind::Standing { seq, change } => {
                let (moderator, muted) = match change {
                    Standing::Moderator(on) => (Some(*on), None),
                    Standing::Muted(until) => (None, Some(*until)),
                };
                Frame::Member {
                    seq: seq.0,
                    room,
                    name: by,
                    r#in: true,
                    moderator,
                    muted: muted.map(|until| until.is_some()),
                    muted_until: muted.flatten().and_then(end_of),
                }
            }
            EventKind::Typing => Frame::Typing { room, name: by },
            EventKind::Read { seq } => Frame::Read { room, read_seq: seq.0 },
            EventKind::Said { .. } => unreachable!("what was said is told as a message"),
        }
    }
}
