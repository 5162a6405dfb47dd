//! What lasts: the log's vocabulary.

use crate::chat::types::{
    AccountId, Author, Color, Description, Name, RoomId, SessionId, Title, Visibility,
};
use crate::crypto::KeyHash;

/// What lasts: the log's vocabulary. Nothing that lasts changes but by one of these.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// There is a new account.
    AccountMade {
        /// Its number.
        account: AccountId,
        /// As registered.
        name: Name,
        /// The SHA-256 of its key.
        key: KeyHash,
    },
    /// Somebody has logged in.
    SessionBegun {
        /// Its number.
        session: SessionId,
        /// Whose.
        account: AccountId,
        /// The SHA-256 of its key.
        key: KeyHash,
    },
    /// Somebody has logged out, or was away for too long.
    SessionEnded {
        /// Which.
        session: SessionId,
    },
    /// There is a new room.
    RoomMade {
        /// Its number.
        room: RoomId,
        /// Whose; `None`: nobody's.
        owner: Option<AccountId>,
        /// What it is made of.
        facts: RoomFacts,
    },
    /// A room is different.
    RoomChanged {
        /// Which.
        room: RoomId,
        /// All of it, as it is now.
        facts: RoomFacts,
        /// Counts its passwords.
        generation: u64,
    },
    /// A room is gone.
    RoomGone {
        /// Which.
        room: RoomId,
    },
    /// Somebody has said something.
    Said {
        /// Where.
        room: RoomId,
        /// Who.
        author: Author,
        /// To be shown in.
        color: Option<Color>,
        /// What.
        text: Box<str>,
    },
}

/// What a room is made of.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomFacts {
    /// Unique, whatever its case.
    pub title: Title,
    /// Maybe empty.
    pub description: Description,
    /// Who finds and enters it.
    pub visibility: Visibility,
    /// The Argon2id hash of its password, as a PHC string. There exactly if it is not public.
    pub password: Option<Box<str>>,
}
