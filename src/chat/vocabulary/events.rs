//! What the people in a room are told.

use crate::chat::types::{Author, ClientId, Color, Emoji, Name, RoomId, Seq};
use crate::chat::vocabulary::RoomInfo;
use crate::time::Time;

/// What the people in a room are told.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Where it happened.
    pub room: RoomId,
    /// When.
    pub time: Time,
    /// Who did it.
    pub author: Author,
    /// To be shown in.
    pub color: Option<Color>,
    /// What happened.
    pub what: What,
}

/// See [`Event`]. What has a `seq` is an entry of the log; the rest is not kept.
#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// Came in.
    Joined,
    /// Said this.
    Said {
        /// The number of the entry.
        seq: Seq,
        /// The message.
        text: Box<str>,
        /// Its author's own number for it.
        client_id: Option<ClientId>,
        /// The message that it answers.
        reply_to: Option<Seq>,
        /// Who is called by it.
        calls: Box<[Name]>,
    },
    /// Put other words into a message.
    Edited {
        /// The number of the entry.
        seq: Seq,
        /// Which message.
        target: Seq,
        /// The words.
        text: Box<str>,
        /// Who is called by them.
        calls: Box<[Name]>,
    },
    /// Took back a message.
    Deleted {
        /// The number of the entry.
        seq: Seq,
        /// Which message.
        target: Seq,
    },
    /// Put a reaction on a message, or took it off.
    Reacted {
        /// The number of the entry.
        seq: Seq,
        /// Which message.
        target: Seq,
        /// The reaction.
        emoji: Emoji,
        /// On, or off.
        on: bool,
    },
    /// Became a member, or ceased to be one.
    Member {
        /// The number of the entry.
        seq: Seq,
        /// Which of the two.
        member: bool,
    },
    /// Made or changed the room; or, to one's own streams, entered it.
    Room {
        /// The number of the entry.
        seq: Seq,
        /// The room as a member sees it, but for what differs from member to member.
        info: Box<RoomInfo>,
    },
    /// Ended the room; or, to one's own streams, left it for good.
    Gone {
        /// The number of the entry.
        seq: Seq,
    },
    /// Is writing something.
    Typing,
    /// Has read so far; told to one's own streams only.
    Read {
        /// The last message that was read.
        seq: Seq,
    },
    /// Went out.
    Left,
}

impl What {
    /// The number of the entry that it tells of; `None` for what is not in the log.
    pub fn seq(&self) -> Option<Seq> {
        match self {
            What::Said { seq, .. }
            | What::Edited { seq, .. }
            | What::Deleted { seq, .. }
            | What::Reacted { seq, .. }
            | What::Member { seq, .. }
            | What::Room { seq, .. }
            | What::Gone { seq } => Some(*seq),
            What::Joined | What::Left | What::Typing | What::Read { .. } => None,
        }
    }
}
