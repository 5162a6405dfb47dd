//! What a secret code grants: an invitation admits whoever has the code, a recovery gives an
//! account a new key. Only hashes of codes get here.

use crate::chat::types::{AccountId, Name, RoomId, Seq, Title};
use crate::crypto::KeyHash;
use crate::time::Time;

/// What an invitation grants, and until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The SHA-256 of its code.
    pub code: KeyHash,
    /// The account that invites; `None`: the operator at the shell.
    pub by: Option<AccountId>,
    /// Admits to this room without its password; `None`: invites to the server only.
    pub room: Option<RoomId>,
    /// Its end.
    pub until: Time,
    /// How often it can be used, from its beginning to its end.
    pub uses: u64,
    /// Whether somebody in charge has made it, so that its bearer may register while only invited
    /// people may.
    pub registers: bool,
}

/// An invitation that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// Its number: that of the entry that made it.
    pub id: Seq,
    /// What it grants.
    pub grant: Grant,
    /// How often it was used; less than [`Grant::uses`].
    pub used: u64,
}

/// A link by which an account gets a new key, once. An account has at most one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// The account; never a guest's.
    pub account: AccountId,
    /// The SHA-256 of the link's code.
    pub code: KeyHash,
    /// The account that made the link; `None`: the operator at the shell.
    pub by: Option<AccountId>,
    /// Its end.
    pub until: Time,
}

/// An invitation, as its bearer sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct InvitationView {
    /// Who invites; `None`: the operator at the shell.
    pub by: Option<Name>,
    /// The room to which it admits.
    pub room: Option<(RoomId, Title)>,
    /// Its end.
    pub until: Time,
    /// Whether its bearer may register now.
    pub registers: bool,
    /// Whether its bearer may come as a guest now.
    pub guests: bool,
}

/// Which invitations a caller may list, and up to which entry of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvitationsScope {
    /// The caller, who may list their own.
    pub account: AccountId,
    /// Also those of others: to the room, or without one, those to the server.
    pub all: bool,
    /// Only those to this room; `None`: to all rooms, and to the server.
    pub room: Option<RoomId>,
    /// The last entry that the core has applied; the rest is not theirs to read yet.
    pub upto: Seq,
}
