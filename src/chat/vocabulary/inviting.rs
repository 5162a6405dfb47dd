//! The calls about invitations and about lost keys: see `chat/core/invitations.rs` and
//! `chat/core/recoveries.rs`.

use crate::chat::types::{RoomId, Seq};
use crate::chat::vocabulary::Reason;
use crate::crypto::KeyHash;

/// Makes an invitation. To the server only people in charge may; to a room also its owner, or, if
/// the room has no owner, its members.
#[derive(Clone, PartialEq, Debug)]
pub struct Invite {
    /// The SHA-256 of its code.
    pub code: KeyHash,
    /// The room to which it admits; `None`: the server only.
    pub room: Option<RoomId>,
    /// How often it can be used.
    pub uses: u64,
    /// Seconds until its end.
    pub secs: u64,
    /// Why.
    pub reason: Option<Reason>,
}

/// Returns what an invitation grants to its bearer, who may be anybody. An unknown code, or one
/// that has ended: [`Refusal::InvitationVoid`], counted as a wrong password.
///
/// [`Refusal::InvitationVoid`]: crate::chat::Refusal::InvitationVoid
#[derive(Clone, PartialEq, Debug)]
pub struct LookAtInvitation {
    /// The SHA-256 of its code.
    pub code: KeyHash,
}

/// Makes the caller a member of the room to which an invitation admits, and returns the room; the
/// lobby, if it admits to none. A member stays one, and uses nothing up.
#[derive(Clone, PartialEq, Debug)]
pub struct AcceptInvitation {
    /// The SHA-256 of its code.
    pub code: KeyHash,
}

/// Ends an invitation: its maker may, the owner of its room, and people in charge.
#[derive(Clone, PartialEq, Debug)]
pub struct EndInvitation {
    /// The invitation.
    pub invitation: Seq,
    /// Why.
    pub reason: Option<Reason>,
}

/// Returns which invitations the caller may list.
#[derive(Clone, PartialEq, Debug)]
pub struct Invitations {
    /// Only those to this room; `None`: of all rooms, and to the server.
    pub room: Option<RoomId>,
}

/// Makes a link by which an account gets a new key; it replaces an earlier one. Only somebody with
/// a higher role than the account may, and the operator at the shell.
#[derive(Clone, PartialEq, Debug)]
pub struct MakeRecovery {
    /// The account's name; case does not count.
    pub name: Box<str>,
    /// The SHA-256 of the link's code.
    pub code: KeyHash,
    /// Why.
    pub reason: Option<Reason>,
}

/// Gives an account a new key by such a link, and ends its sessions. An unknown code, or one that
/// has ended: [`Refusal::RecoveryVoid`], counted as a wrong password.
///
/// [`Refusal::RecoveryVoid`]: crate::chat::Refusal::RecoveryVoid
#[derive(Clone, PartialEq, Debug)]
pub struct Recover {
    /// The SHA-256 of the link's code.
    pub code: KeyHash,
    /// The SHA-256 of the new key.
    pub key: KeyHash,
}
