//! The caller's access to a room: a password, or a token and the name that it grants.

use crate::chat::types::{Name, RoomId};
use crate::crypto::KeyHash;
use crate::time::Time;

/// How the caller gains access to a room that is not public.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Access {
    /// The caller shows nothing.
    Open,
    /// Membership. Only its members can change a room without an owner, even a public one; and this
    /// access does not find a hidden room by its link.
    Member,
    /// The caller knows the room's password, of this generation.
    Password {
        /// Must equal the room's: see [`PasswordState`](super::PasswordState).
        password_generation: u64,
    },
    /// A token.
    Token {
        /// The token's room.
        room: RoomId,
        /// The generation of the room's password.
        password_generation: u64,
        /// The SHA-256 of the key of the session that asked for the token; the token ends with it.
        session: Option<KeyHash>,
    },
}

/// A name that the core granted to its holder before; a token carries it.
#[derive(Clone, PartialEq, Debug)]
pub struct NameClaim {
    /// The name.
    pub name: Name,
    /// When the name was granted, by [`PasswordState::granted`](super::PasswordState::granted) or
    /// earlier. A later account of that name is another person's.
    pub granted: Time,
    /// When the first token of a chain of renewals was issued. Of two connections with the same
    /// value, the older gives way.
    pub first: Time,
}

impl Access {
    /// The SHA-256 of the key of the session with which this access ends.
    pub fn session(self) -> Option<KeyHash> {
        match self {
            Access::Token { session, .. } => session,
            Access::Open | Access::Member | Access::Password { .. } => None,
        }
    }
}
