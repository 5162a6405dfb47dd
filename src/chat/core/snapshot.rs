//! The complete lasting state: a core starts from it.

use crate::chat::core::Chat;
use crate::chat::state::room::{DeletedRecord, Room};
use crate::chat::state::snapshot::Snapshot;

impl Chat {
    /// Fills an empty core.
    pub(super) fn restore(&mut self, snapshot: Snapshot) {
        self.policy = snapshot.policy;
        self.banned = snapshot.banned.into_iter().map(|one| (one.address, one.until)).collect();
        for invitation in snapshot.invitations {
            self.invitations.insert(invitation);
        }
        for recovery in snapshot.recoveries {
            self.recoveries.insert(recovery);
        }
        self.muted = snapshot.muted.into_iter().collect();
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

    /// The complete lasting state, each table by number: another core can start from it.
    pub fn snapshot(&self) -> Snapshot {
        let (accounts, sessions) = (self.accounts.records(), self.accounts.sessions());
        Snapshot {
            accounts,
            sessions,
            rooms: self.rooms.records(),
            blocks: self.accounts.blocks(),
            policy: self.policy,
            banned: self.banned_addresses(),
            invitations: self.invitations.records(),
            recoveries: self.recoveries.records(),
            muted: self.muted.iter().map(|(account, until)| (*account, *until)).collect(),
            deleted: self.deleted.records(|account| self.accounts.get(account).is_some()),
            last_account: self.accounts.last_account_made(),
            last_room: self.rooms.last_made(),
            spent_rooms: self.rooms.spent(),
            last_session: self.accounts.last_session(),
            last: self.last,
        }
    }
}
