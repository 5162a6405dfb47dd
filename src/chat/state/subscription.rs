//! One connection's subscription to a room.

use crate::chat::source::Source;
use crate::chat::types::{
    AccountId, Author, Folded, ProtocolId, RoomId, SessionId, SubscriptionId,
};
use crate::time::Time;

/// One connection's subscription to a room.
#[derive(Debug)]
pub struct Subscription {
    /// The address of the client.
    pub source: Source,
    pub protocol: ProtocolId,
    pub room: RoomId,
    /// The stream to which it belongs, if any.
    pub base: Option<SubscriptionId>,
    /// The session of the caller, or of the token's request.
    pub session: Option<SessionId>,
    /// The account of that session, even if the name has no account.
    pub holder: Option<AccountId>,
    /// The token's name and the time of its first issue, if there was a token.
    pub token: Option<(Folded, Time)>,
    /// The author to whom it is bound.
    pub author: Option<Author>,
    pub present: bool,
}

impl Subscription {
    /// The author to whom it is bound, and whether it is present.
    pub fn bound(&self) -> Option<(&Author, bool)> {
        self.author.as_ref().map(|author| (author, self.present))
    }

    /// Whether it belongs to a stream.
    pub fn is_streams(&self) -> bool {
        self.base.is_some()
    }

    /// Whether a token was used.
    #[cfg(any(test, debug_assertions))]
    pub fn by_token(&self) -> bool {
        self.token.is_some()
    }

    pub fn author(&self) -> Option<&Author> {
        self.author.as_ref()
    }

    /// The author's account.
    pub fn account(&self) -> Option<AccountId> {
        self.author.as_ref().and_then(|author| author.account)
    }
}
