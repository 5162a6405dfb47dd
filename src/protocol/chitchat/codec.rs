//! ChitChat over its websocket: named events in a room. Every client in the room receives them, the
//! sender included; only a refusal, and a repeated join, is answered.
//!
//! It has no state and does not know which account a name belongs to: the core does. Called by
//! connections to decode, by the hub to encode.

use serde::Serialize;

use crate::chat::{
    ClientEvent, ClientId, Color, Event, EventKind, Field, Name, Receipt, Refusal, RoomEvent,
    message_text,
};
use crate::codec::{Codec, Disconnect};
use crate::limits::MESSAGE_CHARS_MAX;
use crate::protocol::chitchat::json::Failure;
use crate::protocol::chitchat::object::Object;
use crate::protocol::{closing, json_body};
use crate::time::Time;
use crate::ws::{CloseFrame, text_frame_with};

/// ChitChat's codec.
pub static CODEC: Chitchat = Chitchat;

/// See [`CODEC`].
pub struct Chitchat;

impl Codec for Chitchat {
    fn name(&self) -> &'static str {
        "chitchat"
    }

    fn decode(&self, text: &str) -> ClientEvent {
        decode(text).unwrap_or_else(ClientEvent::garbled)
    }

    fn event(&self, _epoch: &str, event: &Event, frame: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct EventFrame<'a> {
            event_type: &'a str,
            name: &'a str,
            room_id: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            color: Option<&'a str>,
            msg: &'a str,
            #[serde(serialize_with = "json_body::rfc3339")]
            time: Time,
        }
        let name = event.author.name.as_str();
        let notice;
        let (event_type, msg) = match &event.kind {
            EventKind::Said { text, .. } => ("send", &**text),
            EventKind::Joined => {
                notice = format!("{name} entered the room.");
                ("join", &*notice)
            }
            EventKind::Left => {
                notice = format!("{name} has left the room.");
                ("leave", &*notice)
            }
            // ChitChat has no frame for these.
            EventKind::Edited { .. }
            | EventKind::Deleted { .. }
            | EventKind::Reacted { .. }
            | EventKind::Member { .. }
            | EventKind::Standing { .. }
            | EventKind::Room { .. }
            | EventKind::Gone { .. }
            | EventKind::Typing
            | EventKind::Read { .. } => return,
        };
        let color = event.color.as_ref().map(Color::as_str);
        let (room_id, time) = (event.room.0, event.time);
        let told = EventFrame { event_type, name, room_id, color, msg, time };
        text_frame_with(frame, |json| json_body::write(&told, json));
    }

    fn close(&self, why: Disconnect) -> CloseFrame {
        closing::close_frame(why)
    }

    fn echoes(&self) -> bool {
        true
    }

    fn reply(
        &self,
        reply: &Result<Receipt, Refusal>,
        _mark: Option<&ClientId>,
        frame: &mut Vec<u8>,
    ) {
        // An accepted event is broadcast to the sender, too, so it needs no reply.
        match reply {
            Ok(Receipt::Logged { .. } | Receipt::Noted) => {}
            Ok(Receipt::Known(event)) => self.event("", event, frame),
            Err(refusal) => text_frame_with(frame, |json| Failure::from(*refusal).write(json)),
        }
    }
}

fn decode(text: &str) -> Result<ClientEvent, Refusal> {
    let object: Object<'_> =
        json_body::object(text.as_bytes()).ok_or(Refusal::Malformed(Field::Whole))?;
    let field = |key, field| object.text(key).map_err(|()| Refusal::Malformed(field));
    let kind = field("event_type", Field::Kind)?.unwrap_or_default();
    // The core knows whether it is an account's name, which may break the rule for others.
    let name = field("name", Field::Name)?.and_then(Name::kept);
    let name = Some(name.ok_or(Refusal::Malformed(Field::Name))?);
    let color = match field("color", Field::Color)? {
        None | Some("") => None,
        Some(color) => Some(Color::new(color).ok_or(Refusal::Malformed(Field::Color))?),
    };
    let message = field("msg", Field::Message)?.unwrap_or_default();
    match kind {
        // The text of a client's join or leave is ignored; the room gets the server's text.
        "join" => Ok(ClientEvent::Room(RoomEvent::Join { name, color })),
        "leave" => Ok(ClientEvent::Room(RoomEvent::Part { name })),
        "send" => {
            let text = message_text(message, MESSAGE_CHARS_MAX)?;
            Ok(ClientEvent::Room(RoomEvent::Say { name, color, text }))
        }
        _ => Err(Refusal::Malformed(Field::Kind)),
    }
}
