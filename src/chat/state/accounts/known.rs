//! The state of one account: its sessions, its subscriptions, its rooms.

use std::collections::BTreeSet;

use crate::chat::small::SmallMap;
use crate::chat::state::accounts::Account;
use crate::chat::types::{AccountId, Author, ProtocolId, RoomId, SessionId, SubscriptionId};
use crate::limits::{ROOMS_PER_ACCOUNT_MAX, ROOMS_PER_GUEST_MAX};

#[derive(Debug)]
pub struct AccountState {
    pub account: Account,
    pub sessions: Vec<SessionId>,
    /// Its subscriptions, except those of its streams.
    pub subscriptions: BTreeSet<(RoomId, ProtocolId, SubscriptionId)>,
    /// Its streams' own subscriptions; [`STREAMS_PER_ACCOUNT_MAX`] at most.
    pub streams: Vec<SubscriptionId>,
    /// The rooms of which it is a member: the inverse of the rooms' lists.
    pub rooms: SmallMap<RoomId, ()>,
    /// The number of those for two. They do not count for the account's limit, because others open
    /// them.
    pub direct: usize,
    /// Membership changes that are proposed but not yet in the log.
    pub pending_entries: usize,
    /// The end of the account, a guest's, is proposed.
    pub pending_end: bool,
    /// A new key is proposed.
    pub pending_key: bool,
    /// The accounts that it has blocked; guests among them may be gone.
    pub blocked: BTreeSet<AccountId>,
    /// A change of these blocks is proposed.
    pub blocking: bool,
}

impl AccountState {
    /// Whether the account has reached its limit of rooms, pending ones included.
    pub fn is_full(&self) -> bool {
        let most = if self.is_guest() { ROOMS_PER_GUEST_MAX } else { ROOMS_PER_ACCOUNT_MAX };
        self.rooms.len() - self.direct + self.pending_entries >= most
    }

    /// Adds a room of which the account is a member.
    pub fn belongs(&mut self, room: RoomId, direct: bool) {
        if self.rooms.insert(room, ()).is_none() && direct {
            self.direct += 1;
        }
    }

    /// The reverse of [`AccountState::belongs`].
    pub fn belongs_no_more(&mut self, room: RoomId, direct: bool) {
        if self.rooms.remove(&room).is_some() && direct {
            self.direct -= 1;
        }
    }

    pub fn is_guest(&self) -> bool {
        self.account.key.is_none()
    }

    /// Whether the account is a guest whose last session has ended.
    pub fn is_over(&self) -> bool {
        self.is_guest() && self.sessions.is_empty()
    }

    /// Whether the account has a subscription or a stream.
    pub fn is_online(&self) -> bool {
        !self.subscriptions.is_empty() || !self.streams.is_empty()
    }

    /// The account as an author.
    pub fn author(&self) -> Author {
        Author { account: Some(self.account.id), name: self.account.name.clone() }
    }
}
