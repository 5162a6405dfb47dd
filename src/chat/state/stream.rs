//! A connection that hears all rooms of an account.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::source::Source;
use crate::chat::types::{AccountId, ProtocolId, RoomId, SessionId, SubscriptionId};

/// A connection that hears all rooms of an account.
#[derive(Debug)]
pub struct Stream {
    /// The address of the client.
    pub source: Source,
    pub protocol: ProtocolId,
    pub account: AccountId,
    /// `None`: the client has shown the account's own key.
    pub session: Option<SessionId>,
    /// `Some`: only these rooms.
    pub only: Option<BTreeSet<RoomId>>,
    /// Its subscriptions by room.
    pub rooms: BTreeMap<RoomId, SubscriptionId>,
    /// The number of subscriptions so far.
    pub subscriptions: u64,
    /// Orders streams by age.
    pub opened: u64,
}
