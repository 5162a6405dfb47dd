//! What is known of one account: its sessions, its subscriptions, and where it belongs.

use std::collections::BTreeSet;

use crate::chat::state::accounts::Account;
use crate::chat::types::{AccountId, Author, ProtocolId, RoomId, SessionId, SubscriptionId};
use crate::limits::{ROOMS_PER_ACCOUNT_MAX, ROOMS_PER_GUEST_MAX};

#[derive(Debug)]
pub struct AccountState {
    pub account: Account,
    pub sessions: Vec<SessionId>,
    /// Where this account sits, but for the subscriptions of its streams.
    pub subscriptions: BTreeSet<(RoomId, ProtocolId, SubscriptionId)>,
    /// Its streams, by their own subscriptions; [`STREAMS_PER_ACCOUNT_MAX`] at most.
    pub streams: Vec<SubscriptionId>,
    /// Where it is a member: what the rooms say, the other way round.
    pub rooms: BTreeSet<RoomId>,
    /// Those of them that are for two. They are no part of what an account may have, because
    /// others open them.
    pub direct: BTreeSet<RoomId>,
    /// Memberships that are proposed but not yet in the log.
    pub pending_entries: usize,
    /// Its end is proposed (a guest's).
    pub pending_end: bool,
    /// A new key is proposed.
    pub pending_key: bool,
    /// Whom it has blocked; guests among them may be gone.
    pub blocked: BTreeSet<AccountId>,
    /// A change of that is proposed.
    pub blocking: bool,
}

impl AccountState {
    /// Whether the account is in as many rooms as it may be, those in flight included.
    pub fn is_full(&self) -> bool {
        let most = if self.is_guest() { ROOMS_PER_GUEST_MAX } else { ROOMS_PER_ACCOUNT_MAX };
        self.rooms.len() - self.direct.len() + self.pending_entries >= most
    }

    /// The account belongs to a room from now on.
    pub fn belongs(&mut self, room: RoomId, direct: bool) {
        self.rooms.insert(room);
        if direct {
            self.direct.insert(room);
        }
    }

    /// The reverse of [`AccountState::belongs`].
    pub fn belongs_no_more(&mut self, room: RoomId) {
        self.rooms.remove(&room);
        self.direct.remove(&room);
    }

    pub fn is_guest(&self) -> bool {
        self.account.key.is_none()
    }

    /// Whether it is a guest's, and its last session has ended.
    pub fn is_over(&self) -> bool {
        self.is_guest() && self.sessions.is_empty()
    }

    /// Whether it has a subscription anywhere, or a stream.
    pub fn is_online(&self) -> bool {
        !self.subscriptions.is_empty() || !self.streams.is_empty()
    }

    /// What its owner is called where they speak.
    pub fn author(&self) -> Author {
        Author { account: Some(self.account.id), name: self.account.name.clone() }
    }
}
