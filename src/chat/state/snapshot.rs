//! Everything that lasts, as plain data.

use crate::chat::state::accounts::{Account, Session};
use crate::chat::state::room::{DeletedRecord, RoomRecord};
use crate::chat::types::{AccountId, RoomId, Seq};
use crate::time::Time;

/// Everything that lasts, as the tables beside the log have it: where a core starts from.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    /// All accounts.
    pub accounts: Vec<Account>,
    /// The sessions that have not ended.
    pub sessions: Vec<Session>,
    /// The rooms that are not gone.
    pub rooms: Vec<RoomRecord>,
    /// Who has blocked whom.
    pub blocks: Vec<(AccountId, AccountId)>,
    /// The rooms that are gone, and can be brought back.
    pub deleted: Vec<DeletedRecord>,
    /// The highest account number ever given: a guest's is not given again.
    pub last_account: u64,
    /// The highest room number ever given, of those that are not drawn.
    pub last_room: u64,
    /// The numbers that were drawn for rooms that are gone, in order.
    pub spent_rooms: Vec<RoomId>,
    /// The highest session number ever given.
    pub last_session: u64,
    /// The last entry that it knows of.
    pub last: Seq,
}

impl Snapshot {
    /// No session was used later than `now`: a clock that was ahead once keeps none alive.
    #[must_use]
    pub fn used_before(mut self, now: Time) -> Snapshot {
        for session in &mut self.sessions {
            session.last_used = session.last_used.min(now);
        }
        self
    }
}
