//! The complete lasting state, as plain data.

use crate::chat::state::accounts::{Account, Session};
use crate::chat::state::room::{DeletedRecord, RoomRecord};
use crate::chat::types::{AccountId, RoomId, Seq};
use crate::chat::vocabulary::{BannedAddress, Invitation, Policy, Recovery};
use crate::time::Time;

/// The complete lasting state, as the tables beside the log store it: a core starts from it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    /// All accounts.
    pub accounts: Vec<Account>,
    /// All sessions that have not ended.
    pub sessions: Vec<Session>,
    /// All rooms except deleted ones.
    pub rooms: Vec<RoomRecord>,
    /// All blocks, as (blocking account, blocked account).
    pub blocks: Vec<(AccountId, AccountId)>,
    /// Who may come in.
    pub policy: Policy,
    /// The banned addresses, in order.
    pub banned: Vec<BannedAddress>,
    /// The invitations that can be used, by number.
    pub invitations: Vec<Invitation>,
    /// The links for new keys that can be used, by account.
    pub recoveries: Vec<Recovery>,
    /// The accounts that are muted everywhere, by account, each with the end of the mute.
    pub muted: Vec<(AccountId, Time)>,
    /// The deleted rooms that their owners can restore.
    pub deleted: Vec<DeletedRecord>,
    /// The highest account number ever used: a guest's is not reused.
    pub last_account: u64,
    /// The highest room number ever used; random numbers excluded.
    pub last_room: u64,
    /// The random numbers of rooms that are gone, in order.
    pub spent_rooms: Vec<RoomId>,
    /// The highest session number ever used.
    pub last_session: u64,
    /// The last entry that it includes.
    pub last: Seq,
}

impl Snapshot {
    /// Limits every session's last use to `now`: a clock that was ahead once keeps no session
    /// alive.
    #[must_use]
    pub fn used_before(mut self, now: Time) -> Snapshot {
        for session in &mut self.sessions {
            session.last_used = session.last_used.min(now);
        }
        self
    }
}
