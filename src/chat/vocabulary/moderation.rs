//! Keeping order in rooms: how people talk there, who moderates, who is muted.

use crate::chat::types::{Author, Name, RoomId, Seq};
use crate::chat::vocabulary::Role;
use crate::time::Time;

/// The end of a mute that lasts until somebody lifts it.
pub const UNTIL_LIFTED: Time = Time(i64::MAX);

/// How people talk in a room, and who may join it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rules {
    /// Slow mode: the seconds from one message of a person to the next; 0: off.
    pub slow_secs: u32,
    /// Only the owner and moderators speak.
    pub read_only: bool,
    /// Nobody new may join.
    pub locked: bool,
}

/// Changes of a room's rules; `None` keeps the current value.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RulesChange {
    /// See [`Rules::slow_secs`].
    pub slow_secs: Option<u32>,
    /// See [`Rules::read_only`].
    pub read_only: Option<bool>,
    /// See [`Rules::locked`].
    pub locked: Option<bool>,
}

impl Rules {
    /// The rules after a change.
    pub fn after(self, change: RulesChange) -> Rules {
        Rules {
            slow_secs: change.slow_secs.unwrap_or(self.slow_secs),
            read_only: change.read_only.unwrap_or(self.read_only),
            locked: change.locked.unwrap_or(self.locked),
        }
    }
}

/// A role in a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoomRole {
    /// Keeps order there.
    Moderator,
    /// Decides about it.
    Owner,
}

impl RoomRole {
    /// The role as clients see it.
    pub fn as_str(self) -> &'static str {
        match self {
            RoomRole::Moderator => "moderator",
            RoomRole::Owner => "owner",
        }
    }
}

/// The role that a deed needs. An administrator of the server may do what the owner of a room may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// This role on the server, or a higher one.
    Role(Role),
    /// The ownership of this room.
    Owner(RoomId),
    /// The ownership of this room, or the role of a moderator there.
    Moderator(RoomId),
}

/// A member's change of standing in a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// A moderator from now on, or not any more.
    Moderator(bool),
    /// Muted until then ([`UNTIL_LIFTED`]: without an end); `None`: not any more.
    Muted(Option<Time>),
}

/// Who has a standing of their own in a room.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ModerationInfo {
    /// The moderators.
    pub moderators: Vec<Name>,
    /// The muted people, each with the end of the mute.
    pub muted: Vec<(Name, Time)>,
    /// The people who are banned from the room.
    pub banned: Vec<Name>,
}

/// Whose messages are to be deleted, and which.
#[derive(Clone, PartialEq, Debug)]
pub struct Clearing {
    /// The author: an account, or a name without one.
    pub author: Author,
    /// Messages since then ...
    pub since: Time,
    /// ... and before this entry.
    pub before: Seq,
}
