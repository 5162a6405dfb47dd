//! The caller's identity, and the purpose of a proposal.

use crate::chat::source::Source;
use crate::chat::types::{AccountId, CallId, ClientId, ProtocolId, SessionId, SubscriptionId};

/// The verified caller; `None`: anonymous.
pub type Identity = Option<Who>;

/// A caller with a valid key.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    pub account: AccountId,
    /// `None`: the caller has shown the account's own key.
    pub session: Option<SessionId>,
}

/// The origin of the current command, for rate limits and quotas.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub source: Source,
    pub account: Option<AccountId>,
    /// The connection, if it is a subscription's.
    pub subscription: Option<SubscriptionId>,
    /// Whether it is the operator at the shell.
    pub operator: bool,
}

impl Origin {
    /// This server itself.
    pub const OWN: Origin =
        Origin { source: Source::Own, account: None, subscription: None, operator: false };

    /// A connection.
    pub fn connection(
        source: Source,
        account: Option<AccountId>,
        subscription: SubscriptionId,
    ) -> Origin {
        Origin { source, account, subscription: Some(subscription), operator: false }
    }
}

pub fn account_of(caller: Identity) -> Option<AccountId> {
    caller.map(|caller| caller.account)
}

/// What must happen when the log has decided about a proposal.
pub enum Purpose {
    /// A call waits, of this account or of an anonymous client.
    Call(CallId, Option<AccountId>),
    /// A [`call::Direct`] of this account waits, which returns to its existing room.
    Direct(CallId, AccountId),
    /// A new guest waits: first the account, which has no answer; then the session.
    Guest(CallId),
    /// A subscription waits for its reply.
    ClientEvent(PendingSend),
    /// Nobody waits: the core itself has proposed it.
    Own,
}

/// A client event that waits for the log.
pub struct PendingSend {
    /// The subscription that gets the reply; a stream's own subscription.
    pub subscription: SubscriptionId,
    pub protocol: ProtocolId,
    /// The subscription in the room.
    pub by: SubscriptionId,
    /// The room learns from this message that its author is present.
    pub came: bool,
    pub mark: Option<ClientId>,
}
