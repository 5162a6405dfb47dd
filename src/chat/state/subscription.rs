//! One connection's place in a room.

use crate::chat::source::Source;
use crate::chat::types::{
    AccountId, Author, Folded, ProtocolId, RoomId, SessionId, SubscriptionId,
};
use crate::time::Time;

/// One connection's place in a room.
#[derive(Debug)]
pub struct Subscription {
    /// From where it was taken.
    pub source: Source,
    pub protocol: ProtocolId,
    pub room: RoomId,
    /// The stream that it belongs to, if it does.
    pub base: Option<SubscriptionId>,
    /// The session it was taken by, or that asked for the token by which it was.
    pub session: Option<SessionId>,
    /// Whose it is, though its name be nobody's: the account of that session.
    pub holder: Option<AccountId>,
    /// By which token it was taken: whose, and when that was first issued.
    pub token: Option<(Folded, Time)>,
    /// The name it is bound to.
    pub author: Option<Author>,
    pub present: bool,
}

impl Subscription {
    /// The name it is bound to, and whether it is present under it.
    pub fn bound(&self) -> Option<(&Author, bool)> {
        self.author.as_ref().map(|author| (author, self.present))
    }

    /// Whether it belongs to a stream.
    pub fn is_streams(&self) -> bool {
        self.base.is_some()
    }

    /// Whether it was taken by a token.
    #[cfg(any(test, debug_assertions))]
    pub fn by_token(&self) -> bool {
        self.token.is_some()
    }

    pub fn author(&self) -> Option<&Author> {
        self.author.as_ref()
    }

    /// The account behind it.
    pub fn account(&self) -> Option<AccountId> {
        self.author.as_ref().and_then(|author| author.account)
    }
}
