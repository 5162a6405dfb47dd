//! Who does something, and for whom an entry is proposed.

use crate::chat::source::Source;
use crate::chat::types::{AccountId, CallId, ClientId, ProtocolId, SessionId, SubscriptionId};

/// Who calls, once the core has looked.
pub type Identity = Option<Who>;

/// Somebody who could prove it.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    pub account: AccountId,
    /// `None`: it was shown by the account's own key.
    pub session: Option<SessionId>,
}

/// Who does what is done now, as far as it counts.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub source: Source,
    pub account: Option<AccountId>,
    /// The connection, where it is a subscription's.
    pub subscription: Option<SubscriptionId>,
}

impl Origin {
    /// This server itself.
    pub const OWN: Origin = Origin { source: Source::Own, account: None, subscription: None };
}

pub fn account_of(caller: Identity) -> Option<AccountId> {
    caller.map(|caller| caller.account)
}

/// For whom an entry was proposed.
pub enum Purpose {
    /// For a call, by this account or by nobody.
    Call(CallId, Option<AccountId>),
    /// For this account's [`call::Direct`], which it comes back to its room by.
    Direct(CallId, AccountId),
    /// Somebody who is to be a guest: first the account, for which nothing is answered; then the
    /// session.
    Guest(CallId),
    /// Somebody said something through a subscription.
    ClientEvent(PendingSend),
    /// The core itself: something has expired.
    Own,
}

/// A tell that waits for the log.
pub struct PendingSend {
    /// Who gets the reply; of a stream, its own subscription.
    pub subscription: SubscriptionId,
    pub protocol: ProtocolId,
    /// The subscription in the room.
    pub by: SubscriptionId,
    /// It is by this that the room will know that its author is here.
    pub came: bool,
    pub mark: Option<ClientId>,
}
