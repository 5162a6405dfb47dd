//! Deleted rooms: for seven days their owner can restore them, with all that they had.
//!
//! A deleted room is in no other table of rooms, so no protocol shows it; only its owner finds it
//! here. An entry, [`Entry::RoomPurged`], ends it for good; the core proposes it when the seven
//! days are over, or when too many deleted rooms are kept and the oldest must go. A room without an
//! owner, or for two, ends at once.

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::deleted::Kept;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::state::room::Room;
use crate::chat::state::work::Work;
use crate::chat::types::{AccountId, CallId, RoomId, Seq, Title};
use crate::chat::vocabulary::{Answer, DeletedInfo, Entry, Refusal};
use crate::limits::{DELETED_ROOM_TTL_SECS, RETAIN_WAIT_MS, ROOMS_MAX};
use crate::time::Time;

impl Chat {
    /// Keeps a deleted room's lasting state if its owner can restore it.
    pub(super) fn keep_deleted(&mut self, room: &mut Room, seq: Seq) {
        let owner = room.record.owner.filter(|owner| self.accounts.get(*owner).is_some());
        let Some(owner) = owner else { return };
        let mut kept = Room::new(room.record.clone());
        std::mem::swap(&mut kept.members, &mut room.members);
        std::mem::swap(&mut kept.since, &mut room.since);
        self.deleted.keep(kept, owner, (seq, self.told), self.running);
        self.purge_surplus(Some(owner));
        self.purge_surplus(None);
    }

    /// The rooms that the caller can restore.
    pub(super) fn list_deleted(&self, caller: Identity) -> Result<Vec<DeletedInfo>, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let own = self.deleted.owned_by(account).filter_map(|id| self.deleted.rooms.get(&id));
        let show = |kept: &Kept| DeletedInfo {
            number: kept.room.number(),
            title: kept.room.record.settings.title.clone(),
            deleted: kept.at,
            until: kept.at.plus_secs(DELETED_ROOM_TTL_SECS),
        };
        Ok(own.filter(|kept| !self.is_over(kept)).map(show).collect())
    }

    /// The answer comes with the log's answer.
    pub(super) fn restore_room(
        &mut self,
        call: CallId,
        caller: Identity,
        number: RoomId,
        title: Option<Title>,
    ) -> Result<(), Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let found = self.deleted.find(account, number).and_then(|id| self.deleted.rooms.get(&id));
        let kept = found.filter(|kept| !kept.pending_change && !self.is_over(kept));
        let record = &kept.ok_or(Refusal::RoomNotFound)?.room.record;
        let (room, title) = (record.id, title.unwrap_or_else(|| record.settings.title.clone()));
        let folded = title.folded();
        if self.rooms.is_taken(&folded, None) {
            return Err(Refusal::TitleTaken);
        }
        // (Other members may exceed their own limit by this room.)
        let full = self.accounts.get(account).is_some_and(AccountState::is_full);
        if full || self.owns_too_much(account) {
            return Err(Refusal::QuotaReached);
        }
        if self.rooms.len() >= ROOMS_MAX {
            return Err(Refusal::Full);
        }
        let entry = Entry::RoomReturned { room, title };
        self.propose(entry, Purpose::Call(call, Some(account)))?;
        self.rooms.reserve(folded);
        self.deleted.set_pending(room, true);
        Ok(())
    }

    /// Applies [`Entry::RoomReturned`].
    pub(super) fn room_returned(
        &mut self,
        (seq, time): (Seq, Time),
        id: RoomId,
        title: Title,
        viewer: Option<AccountId>,
    ) -> Result<Answer, Refusal> {
        self.deleted.get(id).ok_or(Refusal::RoomNotFound)?;
        if self.rooms.has_title(&title, id) {
            return Err(Refusal::TitleTaken);
        }
        let mut room = self.deleted.take(id).ok_or(Refusal::RoomNotFound)?;
        (room.record.settings.title, room.record.updated) = (title, time);
        // To streams it is a new room, like a room that an account enters again.
        room.members.values_mut().for_each(|member| member.since = seq);
        room.since = room.members.keys().map(|account| (seq, *account)).collect();
        room.record.forget_gone(|account| self.accounts.get(account).is_some());
        let owner = room.record.owner;
        self.rooms.bring_back(room);
        if let Some(owner) = owner {
            self.join_table(owner, id, seq); // The owner may have left it.
        }
        self.go_on_returning(id, seq, AccountId(0));
        self.show_room(id, viewer)
    }

    /// Adds a restored room to its members' lists and streams. Ends the membership of accounts that
    /// are gone.
    pub(super) fn go_on_returning(&mut self, id: RoomId, seq: Seq, mut after: AccountId) {
        let next = |chat: &Chat, after| {
            let room = chat.rooms.get(id)?;
            room.members.after(after).next().map(|(account, _)| *account)
        };
        while let Some(account) = next(self, after) {
            if !self.step() {
                return self.work.push_back(Work::Return { room: id, seq, after });
            }
            after = account;
            match self.accounts.get_mut(account) {
                Some(known) => {
                    known.belongs(id, false);
                    self.streams_enter(account, id, seq);
                }
                None => self.end_membership(account, id),
            }
        }
    }

    /// Applies [`Entry::RoomPurged`].
    pub(super) fn room_purged(&mut self, id: RoomId) -> Result<Answer, Refusal> {
        self.deleted.take(id).map(|_| Answer::Done(())).ok_or(Refusal::RoomNotFound)
    }

    /// Purges the deleted rooms of a guest that has ended: nobody can restore them.
    pub(super) fn purge_all_of(&mut self, owner: AccountId) {
        let own: Vec<RoomId> = self.deleted.owned_by(owner).collect();
        own.into_iter().for_each(|id| drop(self.deleted.take(id)));
    }

    /// Whether the time to restore it is over. (By the monotonic clock, as the wall clock may
    /// leap.)
    fn is_over(&self, kept: &Kept) -> bool {
        self.running >= kept.since.plus_secs(DELETED_ROOM_TTL_SECS)
    }

    /// Proposes to purge rooms that can no longer be restored. Purging cannot be undone, and a
    /// clock can be wrong: so no room is purged for its age in the first hour after startup, nor
    /// while even the log's last entry would be too old.
    pub(super) fn purge_old(&mut self) {
        self.purge_surplus(None);
        let wait = i64::try_from(RETAIN_WAIT_MS).unwrap_or(i64::MAX).saturating_mul(1_000);
        let ttl = i64::try_from(DELETED_ROOM_TTL_SECS).unwrap_or(i64::MAX) * 1_000_000;
        let cutoff = Time(self.running.0.saturating_sub(ttl));
        let early = self.running.0.saturating_sub(self.started.0) < wait;
        if early || self.told.0 < self.now.0.saturating_sub(ttl) {
            return;
        }
        while let Some(room) = self.deleted.due(cutoff) {
            if !self.step() || !self.purge(room) {
                return; // The next tick continues.
            }
        }
    }

    fn purge_surplus(&mut self, owner: Option<AccountId>) {
        while let Some(room) = self.deleted.surplus(owner) {
            if !self.purge(room) {
                return;
            }
        }
    }

    /// `false`: the core cannot propose it now.
    fn purge(&mut self, room: RoomId) -> bool {
        let proposed = self.propose(Entry::RoomPurged { room }, Purpose::Own).is_ok();
        if proposed {
            self.deleted.set_pending(room, true);
        }
        proposed
    }
}
