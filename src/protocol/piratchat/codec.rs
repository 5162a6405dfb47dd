//! Piratchat over its websocket: one global chat. A client sends `{"message":M}` and receives the
//! other clients' messages, joins and leaves.
//!
//! It has no state and does not know the sender: the core does. Called by connections to decode, by
//! the hub to encode.

use serde::{Deserialize, Serialize};

use crate::chat::{
    ClientEvent, ClientId, Event, EventKind, Field, Receipt, Refusal, RoomEvent, message_text,
};
use crate::codec::{Codec, Disconnect};
use crate::limits::PIRATCHAT_MESSAGE_CHARS_MAX;
use crate::protocol::{closing, json_body};
use crate::ws::{CloseFrame, text_frame_with};

/// Piratchat's codec.
pub static CODEC: Piratchat = Piratchat;

/// See [`CODEC`].
pub struct Piratchat;

impl Codec for Piratchat {
    fn name(&self) -> &'static str {
        "piratchat"
    }

    fn decode(&self, text: &str) -> ClientEvent {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Said {
            message: Box<str>,
        }
        match json_body::object(text.as_bytes()) {
            None => ClientEvent::garbled(Refusal::Malformed(Field::Whole)),
            Some(Said { message }) => match message_text(&message, PIRATCHAT_MESSAGE_CHARS_MAX) {
                Ok(text) => ClientEvent::Room(RoomEvent::Say { name: None, color: None, text }),
                Err(refusal) => ClientEvent::garbled(refusal),
            },
        }
    }

    fn event(&self, _epoch: &str, event: &Event, frame: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Said<'a> {
            message: &'a str,
            author: &'a str,
        }
        #[derive(Serialize)]
        struct Moved<'a> {
            event: &'a str,
            username: &'a str,
        }
        let name = event.author.name.as_str();
        text_frame_with(frame, |json| match &event.kind {
            EventKind::Joined => json_body::write(&Moved { event: "join", username: name }, json),
            EventKind::Left => json_body::write(&Moved { event: "leave", username: name }, json),
            EventKind::Said { text, .. } => {
                json_body::write(&Said { message: text, author: name }, json)
            }
            // Piratchat has no frame for these.
            EventKind::Edited { .. }
            | EventKind::Deleted { .. }
            | EventKind::Reacted { .. }
            | EventKind::Member { .. }
            | EventKind::Standing { .. }
            | EventKind::Room { .. }
            | EventKind::Gone { .. }
            | EventKind::Typing
            | EventKind::Read { .. } => {}
        });
    }

    fn close(&self, why: Disconnect) -> CloseFrame {
        closing::close_frame(why)
    }

    /// The sender gets no echo: it gets the acknowledgement.
    fn echoes(&self) -> bool {
        false
    }

    fn reply(
        &self,
        reply: &Result<Receipt, Refusal>,
        _mark: Option<&ClientId>,
        frame: &mut Vec<u8>,
    ) {
        #[derive(Serialize)]
        struct Refused<'a> {
            status: bool,
            code: &'a str,
        }
        text_frame_with(frame, |json| match reply {
            Ok(_) => json.extend_from_slice(br#"{"status":true}"#),
            Err(refusal) => {
                json_body::write(&Refused { status: false, code: code(*refusal) }, json)
            }
        });
    }
}

/// The error code of a refused message. Only `message_too_long` is from Piratchat's documents.
fn code(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::MessageTooLong => "message_too_long",
        Refusal::Malformed(_) | Refusal::NameMissing | Refusal::OtherName => "invalid_message",
        // The client may send the message again; after any other code it would be refused again.
        Refusal::Unavailable | Refusal::Full | Refusal::NoSpace => "unavailable",
        Refusal::RateLimited { .. } | Refusal::Slow { .. } => "rate_limited",
        Refusal::Muted { .. } => "muted",
        Refusal::ReadOnly => "read_only",
        Refusal::RoomNotFound | Refusal::NotPresent => "not_here",
        Refusal::QuotaReached
        | Refusal::Unauthenticated
        | Refusal::UnknownKey
        | Refusal::NameInvalid
        | Refusal::NameTaken
        | Refusal::NameInUse
        | Refusal::AlreadySubscribed
        | Refusal::PersonNotFound
        | Refusal::TitleTaken
        | Refusal::PasswordMissing
        | Refusal::PasswordForPublic
        | Refusal::Forbidden
        | Refusal::NotForGuests
        | Refusal::RegistrationClosed
        | Refusal::GuestsOff
        | Refusal::Banned
        | Refusal::InvitationVoid
        | Refusal::RecoveryVoid
        | Refusal::InvitationNotFound
        | Refusal::BannedHere
        | Refusal::Locked
        | Refusal::MessageNotFound
        | Refusal::ClientIdReused
        | Refusal::TooManyReactions
        | Refusal::SessionNotFound
        | Refusal::NotMember
        | Refusal::Blocked
        | Refusal::NoAccess => "not_allowed",
    }
}
