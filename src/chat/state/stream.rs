//! A connection that hears all rooms of an account.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::source::Source;
use crate::chat::types::{AccountId, ProtocolId, RoomId, SessionId, SubscriptionId};

/// A connection that hears all rooms of an account.
#[derive(Debug)]
pub struct Stream {
    /// From where it was opened.
    pub source: Source,
    pub protocol: ProtocolId,
    pub account: AccountId,
    /// `None`: it was opened by the account's own key.
    pub session: Option<SessionId>,
    /// Only these rooms, where some were named.
    pub only: Option<BTreeSet<RoomId>>,
    /// Its subscriptions by room.
    pub rooms: BTreeMap<RoomId, SubscriptionId>,
    /// How many subscriptions it has had.
    pub subscriptions: u64,
    /// Orders streams by when they were opened.
    pub opened: u64,
}
