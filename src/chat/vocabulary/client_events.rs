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
    /// A message that means nothing. It passes through the core all the same, so that its refusal
    /// comes in the order of the sends.
    Garbled {
        /// Why.
        refusal: Refusal,
        /// Comes back with the reply.
        mark: Option<ClientId>,
    },
}

/// What a client sends on a subscription to one room.
#[derive(Clone, PartialEq, Debug)]
pub enum RoomEvent {
    /// The client is present from now on.
    Join {
        /// `None`: the name that the subscription is bound to.
        name: Option<Name>,
        /// To be shown in.
        color: Option<Color>,
    },
    /// A message.
    Say {
        /// `None`: the name that the subscription is bound to.
        name: Option<Name>,
        /// To be shown in.
        color: Option<Color>,
        /// Not empty, and short enough: the codec has checked it.
        text: Box<str>,
    },
    /// The client is not present any more; its connection stays.
    Part {
        /// `None`: the name that the subscription is bound to.
        name: Option<Name>,
    },
}

/// What a client sends on a stream.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamEvent {
    /// Says or changes something in one of its rooms.
    Act {
        /// The action.
        action: Action,
        /// Comes back with the reply.
        mark: Option<ClientId>,
    },
    /// The client is writing a message. Announced at once, kept nowhere.
    Typing {
        /// Where.
        room: RoomId,
    },
    /// The client has read a room up to a message.
    Read {
        /// The room.
        room: RoomId,
        /// The last message that was read.
        seq: Seq,
    },
}

impl ClientEvent {
    /// A message that means nothing, of a client that gives its messages no ids.
    pub fn garbled(refusal: Refusal) -> ClientEvent {
        ClientEvent::Garbled { refusal, mark: None }
    }
}

/// What a member can do with words.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Says something.
    Send {
        /// Where.
        room: RoomId,
        /// Not empty, and short enough.
        text: Box<str>,
        /// Makes it safe to say it again.
        client_id: Option<ClientId>,
        /// The message that it answers.
        reply_to: Option<Seq>,
    },
    /// Puts other words into a message of one's own.
    Edit {
        /// Where it is.
        room: RoomId,
        /// Which message.
        target: Seq,
        /// Not empty, and short enough.
        text: Box<str>,
    },
    /// Takes back a message of one's own, or any, in one's own room.
    Delete {
        /// Where it is.
        room: RoomId,
        /// Which message.
        target: Seq,
    },
    /// Puts a reaction on a message, or takes it off again.
    React {
        /// Where it is.
        room: RoomId,
        /// Which message.
        target: Seq,
        /// The reaction.
        emoji: Emoji,
        /// On, or off.
        on: bool,
    },
}
