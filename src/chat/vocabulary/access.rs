//! By which right somebody wants into a room: a password, or a token and the name it grants.

use crate::chat::types::{Name, RoomId};
use crate::crypto::KeyHash;
use crate::time::Time;

/// How a room that is not public is entered or changed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Access {
    /// Without anything to show.
    Open,
    /// By belonging to it: a room without an owner is changed by its members only, also where it is
    /// public; and a hidden one is not found by its link.
    Member,
    /// By the room's password, of this generation: it was found to be right.
    Password {
        /// Compared with the room's: see [`PasswordState`](super::PasswordState).
        generation: u64,
    },
    /// With a token.
    Token {
        /// For which room.
        room: RoomId,
        /// For which generation of its password.
        generation: u64,
        /// The SHA-256 of the key of the session that asked for it, with which it ends.
        session: Option<KeyHash>,
    },
}

/// A name that was granted before, to somebody whom the core had found entitled to it (a token).
#[derive(Clone, PartialEq, Debug)]
pub struct NameClaim {
    /// The name.
    pub name: Name,
    /// When it was granted, by [`PasswordState::granted`](super::PasswordState::granted) or
    /// earlier. An account that was made later is another person's.
    pub granted: Time,
    /// When the first token was issued from which this one was renewed. Of two connections by the
    /// same one, the older gives way.
    pub first: Time,
}

impl Access {
    /// The SHA-256 of the key of the session with which it ends.
    pub fn session(self) -> Option<KeyHash> {
        match self {
            Access::Token { session, .. } => session,
            Access::Open | Access::Member | Access::Password { .. } => None,
        }
    }
}
