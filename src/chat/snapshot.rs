//! What lasts, all of it: where a core starts from, and what another could start from.

use crate::chat::Chat;
use crate::chat::accounts::{Account, Session};
use crate::chat::room::{DeletedRecord, Room, RoomRecord};
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

impl Chat {
    /// Fills a core that knows nothing yet.
    pub(super) fn restore(&mut self, snapshot: Snapshot) {
        for account in snapshot.accounts {
            self.accounts.insert(account);
        }
        for session in snapshot.sessions {
            let used = session.last_used;
            self.accounts.begin(session, used);
        }
        for (account, blocked) in snapshot.blocks {
            if let Some(known) = self.accounts.get_mut(account) {
                known.blocked.insert(blocked);
            }
        }
        for room in snapshot.rooms {
            let members = room.members.iter().map(|member| member.account);
            self.belong(room.id, room.between.is_some(), members.collect());
            self.rooms.insert(room);
        }
        for DeletedRecord { room, deleted, by } in snapshot.deleted {
            if let Some(owner) = room.owner {
                self.deleted.keep(Room::new(room), owner, (by, deleted), deleted);
            }
        }
        self.rooms.used_up_to(snapshot.last_room);
        self.rooms.spend(snapshot.spent_rooms);
        self.accounts.used_up_to(snapshot.last_account, snapshot.last_session);
    }

    /// Everything that lasts, each table by number: what another core can start from.
    pub fn snapshot(&self) -> Snapshot {
        let (accounts, sessions) = (self.accounts.records(), self.accounts.sessions());
        Snapshot {
            accounts,
            sessions,
            rooms: self.rooms.records(),
            blocks: self.accounts.blocks(),
            deleted: self.deleted.records(|account| self.accounts.get(account).is_some()),
            last_account: self.accounts.last_account_made(),
            last_room: self.rooms.last_made(),
            spent_rooms: self.rooms.spent(),
            last_session: self.accounts.last_session(),
            last: self.last,
        }
    }
}
