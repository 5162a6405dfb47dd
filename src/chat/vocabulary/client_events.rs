//! What a client can send on its connection, and what a member can do with messages.

use crate::chat::types::{ClientId, Color, Emoji, Name, RoomId, Seq};
use crate::chat::vocabulary::Refusal;

/// What a client sends on its connection.
#[derive(Clone, PartialEq, Debug)]
pub enum ClientEvent {
    /// On a subscription to one room.
    Room(RoomEvent),
    /// On a stream.
    Stream(StreamEvent),
    /// A malformed event. It passes through the core so that its refusal keeps the order of the
    /// client's events.
    Garbled {
        /// What is wrong.
        refusal: Refusal,
        /// The reply repeats it.
        mark: Option<ClientId>,
    },
}

/// What a client sends on a subscription to one room.
#[derive(Clone, PartialEq, Debug)]
pub enum RoomEvent {
    /// The client is present from now on.
    Join {
        /// `None`: the name to which the subscription is bound.
        name: Option<Name>,
        /// The color in which clients show the author.
        color: Option<Color>,
    },
    /// A message.
    Say {
        /// `None`: the name to which the subscription is bound.
        name: Option<Name>,
        /// The color in which clients show the author.
        color: Option<Color>,
        /// Not empty, within the length limit: the codec has checked it.
        text: Box<str>,
    },
    /// The client is not present any more; its connection stays.
    Part {
        /// `None`: the name to which the subscription is bound.
        name: Option<Name>,
    },
}

/// What a client sends on a stream.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamEvent {
    /// The client sends or changes a message in one of its rooms.
    Act {
        /// The action.
        action: Action,
        /// The reply repeats it.
        mark: Option<ClientId>,
    },
    /// The client is writing a message. Announced at once, kept nowhere.
    Typing {
        /// The room.
        room: RoomId,
    },
    /// The client has read a room up to a message.
    Read {
        /// The room.
        room: RoomId,
        /// The last message that the client has read.
        seq: Seq,
    },
}

impl ClientEvent {
    /// A malformed event of a client that does not number its events.
    pub fn garbled(refusal: Refusal) -> ClientEvent {
        ClientEvent::Garbled { refusal, mark: None }
    }
}

/// What a member does with messages.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Sends a message.
    Send {
        /// The room.
        room: RoomId,
        /// Not empty, within the length limit.
        text: Box<str>,
        /// Makes the request idempotent.
        client_id: Option<ClientId>,
        /// The message to which it replies.
        reply_to: Option<Seq>,
    },
    /// Edits a message of the caller.
    Edit {
        /// The message's room.
        room: RoomId,
        /// The target message.
        target: Seq,
        /// Not empty, within the length limit.
        text: Box<str>,
    },
    /// Deletes a message of the caller, or any message in the caller's room.
    Delete {
        /// The message's room.
        room: RoomId,
        /// The target message.
        target: Seq,
    },
    /// Adds or removes a reaction.
    React {
        /// The message's room.
        room: RoomId,
        /// The target message.
        target: Seq,
        /// The emoji.
        emoji: Emoji,
        /// `true` adds the reaction, `false` removes it.
        on: bool,
    },
}
