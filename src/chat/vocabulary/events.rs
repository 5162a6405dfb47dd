//! What the people in a room hear.

use crate::chat::types::{Author, ClientId, Color, Emoji, Name, RoomId, Seq};
use crate::chat::vocabulary::{RoomInfo, Standing};
use crate::time::Time;

/// An event that the people in a room hear.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// The room.
    pub room: RoomId,
    /// When it happened.
    pub time: Time,
    /// Who caused it.
    pub author: Author,
    /// The color in which clients show the author.
    pub color: Option<Color>,
    /// What happened.
    pub kind: EventKind,
}

/// The kind of an [`Event`]. A kind with a `seq` is an entry of the log; the log does not keep the
/// others.
#[derive(Clone, PartialEq, Debug)]
pub enum EventKind {
    /// The author has entered the room.
    Joined,
    /// The author has sent a message.
    Said {
        /// The number of the entry.
        seq: Seq,
        /// The text.
        text: Box<str>,
        /// The author's client id for it.
        client_id: Option<ClientId>,
        /// The message to which it replies.
        reply_to: Option<Seq>,
        /// The names that the text mentions.
        calls: Box<[Name]>,
    },
    /// The author has edited a message.
    Edited {
        /// The number of the entry.
        seq: Seq,
        /// The target message.
        target: Seq,
        /// The new text.
        text: Box<str>,
        /// The names that the text mentions.
        calls: Box<[Name]>,
    },
    /// The author has deleted a message.
    Deleted {
        /// The number of the entry.
        seq: Seq,
        /// The target message.
        target: Seq,
    },
    /// The author has added or removed a reaction.
    Reacted {
        /// The number of the entry.
        seq: Seq,
        /// The target message.
        target: Seq,
        /// The emoji.
        emoji: Emoji,
        /// `true` adds the reaction, `false` removes it.
        on: bool,
    },
    /// The author has become a member, or has ended the membership.
    Member {
        /// The number of the entry.
        seq: Seq,
        /// `true`: a member from now on.
        member: bool,
    },
    /// The author's standing in the room has changed.
    Standing {
        /// The number of the entry.
        seq: Seq,
        /// The change.
        change: Standing,
    },
    /// The author has created or changed the room; on the author's own streams: has become a
    /// member.
    Room {
        /// The number of the entry.
        seq: Seq,
        /// The room as a member sees it, without what differs from member to member.
        info: Box<RoomInfo>,
    },
    /// The room was deleted; on the author's own streams also: the author's membership has ended.
    Gone {
        /// The number of the entry.
        seq: Seq,
    },
    /// The author is typing.
    Typing,
    /// The author has read messages; only the author's own streams hear it.
    Read {
        /// The last message that the author has read.
        seq: Seq,
    },
    /// The author has left the room.
    Left,
}

impl EventKind {
    /// The message that the event changes.
    pub fn target(&self) -> Option<Seq> {
        match self {
            EventKind::Edited { target, .. }
            | EventKind::Deleted { target, .. }
            | EventKind::Reacted { target, .. } => Some(*target),
            _ => None,
        }
    }

    /// The number of the event's entry; `None` for events outside the log.
    pub fn seq(&self) -> Option<Seq> {
        match self {
            EventKind::Said { seq, .. }
            | EventKind::Edited { seq, .. }
            | EventKind::Deleted { seq, .. }
            | EventKind::Reacted { seq, .. }
            | EventKind::Member { seq, .. }
            | EventKind::Standing { seq, .. }
            | EventKind::Room { seq, .. }
            | EventKind::Gone { seq } => Some(*seq),
            EventKind::Joined | EventKind::Left | EventKind::Typing | EventKind::Read { .. } => {
                None
            }
        }
    }
}
