//! What a subscribed connection can say, and what a member can do with words.

use crate::chat::types::{ClientId, Color, Emoji, Name, RoomId, Seq};
use crate::chat::vocabulary::Refusal;

/// What a subscribed connection can say.
#[derive(Clone, PartialEq, Debug)]
pub enum Tell {
    /// I am here, under this name.
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
        /// Not empty, and short enough: the codec has seen to it.
        text: Box<str>,
    },
    /// I am no longer here, though the connection stays.
    Part {
        /// `None`: the name that the subscription is bound to.
        name: Option<Name>,
    },
    /// Through a stream: says or changes something in one of its rooms.
    Act {
        /// What.
        action: Action,
        /// Comes back with the reply.
        mark: Option<ClientId>,
    },
    /// Through a stream: is writing something. Told at once, kept nowhere.
    Typing {
        /// Where.
        room: RoomId,
    },
    /// Through a stream: has read a room so far.
    Read {
        /// Which room.
        room: RoomId,
        /// The last message that was read.
        seq: Seq,
    },
    /// What was said could not be understood. It passes through the core all the same, so that the
    /// refusal comes in the order of the sends.
    Garbled {
        /// Why.
        refusal: Refusal,
        /// Comes back with the reply.
        mark: Option<ClientId>,
    },
}

impl Tell {
    /// What could not be understood, of a client that gives its messages no numbers.
    pub fn garbled(refusal: Refusal) -> Tell {
        Tell::Garbled { refusal, mark: None }
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
