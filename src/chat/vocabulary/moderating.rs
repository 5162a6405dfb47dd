//! The calls that keep order in rooms: see `chat/core/moderation.rs`.

use crate::chat::types::{RoomId, Seq};
use crate::chat::vocabulary::{Reason, RulesChange};

/// Makes a member a moderator of a room, or takes the role; for the owner of the room.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangeModerator {
    /// The room.
    pub room: RoomId,
    /// The member's name; case does not count. A guest: [`Refusal::NotForGuests`].
    ///
    /// [`Refusal::NotForGuests`]: crate::chat::Refusal::NotForGuests
    pub name: Box<str>,
    /// `false` takes the role.
    pub on: bool,
    /// Why.
    pub reason: Option<Reason>,
}

/// Mutes an account in a room, for moderators; or everywhere, for administrators. Or lifts it.
#[derive(Clone, PartialEq, Debug)]
pub struct Mute {
    /// `None`: everywhere.
    pub room: Option<RoomId>,
    /// The account's name; case does not count.
    pub name: Box<str>,
    /// `false` lifts the mute.
    pub on: bool,
    /// For so many seconds; `None`: until it is lifted.
    pub secs: Option<u64>,
    /// Why.
    pub reason: Option<Reason>,
}

/// Bans an account from a room, which ends its membership; or lifts the ban. For moderators.
#[derive(Clone, PartialEq, Debug)]
pub struct BanFromRoom {
    /// The room.
    pub room: RoomId,
    /// The account's name; case does not count.
    pub name: Box<str>,
    /// `false` lifts the ban.
    pub on: bool,
    /// Why.
    pub reason: Option<Reason>,
}

/// Changes how people talk in a room: slow mode, for moderators; the rest, for its owner.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangeRules {
    /// The room.
    pub room: RoomId,
    /// The changes.
    pub change: RulesChange,
    /// Why.
    pub reason: Option<Reason>,
}

/// Gives a room to another member with a registered account; for its owner.
#[derive(Clone, PartialEq, Debug)]
pub struct Transfer {
    /// The room.
    pub room: RoomId,
    /// The new owner's name; case does not count.
    pub name: Box<str>,
    /// Why.
    pub reason: Option<Reason>,
}

/// Lists the moderators of a room, and who is muted or banned there; for moderators.
#[derive(Clone, PartialEq, Debug)]
pub struct Moderation {
    /// The room.
    pub room: RoomId,
}

/// Lists the accounts that are muted everywhere; for administrators.
#[derive(Clone, PartialEq, Debug)]
pub struct Muted;

/// Begins to delete a person's messages since a time: in a room, for moderators; or everywhere, for
/// administrators. [`Erase`] deletes them.
#[derive(Clone, PartialEq, Debug)]
pub struct Clear {
    /// `None`: everywhere, except in rooms for two.
    pub room: Option<RoomId>,
    /// The account's name, or in a room that of a person without one; case does not count.
    pub name: Box<str>,
    /// So many seconds back.
    pub secs: u64,
    /// Why.
    pub reason: Option<Reason>,
}

/// Deletes messages that [`Clear`] named; the caller has found them in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Erase {
    /// The same as there.
    pub room: Option<RoomId>,
    /// The same as there.
    pub name: Box<str>,
    /// At most [`CLEARED_AT_ONCE_MAX`](crate::limits::moderation::CLEARED_AT_ONCE_MAX).
    pub targets: Vec<(RoomId, Seq)>,
}
