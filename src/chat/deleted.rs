//! Deleted rooms: for seven days their owner can bring them back, with all that they had.
//!
//! A deleted room is in no other table of rooms, so on every door it is not there; only its owner
//! is told of it, here. It goes for good by an entry, [`Entry::RoomPurged`], which the core
//! proposes: when the time is over, and when so many are kept that the oldest has to make way. A
//! room that nobody owned, and one for two, is gone at once.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::chat::accounts::Known;
use crate::chat::calls::Identity;
use crate::chat::room::{DeletedRecord, Room};
use crate::chat::types::{AccountId, Numbered, RoomId, Seq, Title};
use crate::chat::vocabulary::{Answer, DeletedInfo, Entry, Refusal};
use crate::chat::work::Work;
use crate::chat::{CallId, Chat, Purpose};
use crate::limits::{
    DELETED_MEMBERS_MAX, DELETED_ROOM_TTL_SECS, DELETED_ROOMS_MAX, DELETED_ROOMS_PER_OWNER_MAX,
    RETAIN_WAIT_MS, ROOMS_MAX,
};
use crate::time::Time;

/// A deleted room. Nobody sits in it.
#[derive(Debug)]
struct Kept {
    room: Room,
    owner: AccountId,
    /// When it was deleted, and by which entry.
    at: Time,
    seq: Seq,
    /// From when on its time runs, by the running clock.
    since: Time,
    /// Its return or its end is proposed.
    changing: bool,
}

/// All deleted rooms that can be brought back.
#[derive(Default)]
pub(super) struct Deleted {
    rooms: Numbered<RoomId, Kept>,
    by_owner: BTreeSet<(AccountId, Seq, RoomId)>,
    by_seq: BTreeSet<(Seq, RoomId)>,
    by_age: BTreeSet<(Time, RoomId)>,
    /// All who belong to one of them.
    members: usize,
}

impl Deleted {
    /// Keeps a room that was an account's.
    ///
    /// `since`: by the running clock. (What is restored was deleted before the start, where both
    /// clocks agree.)
    pub fn keep(&mut self, room: Room, owner: AccountId, (seq, at): (Seq, Time), since: Time) {
        let id = room.record.id;
        self.members += room.members.len();
        self.by_owner.insert((owner, seq, id));
        self.by_seq.insert((seq, id));
        self.by_age.insert((since, id));
        self.rooms.insert(id, Kept { room, owner, at, seq, since, changing: false });
    }

    /// Keeps it no more.
    pub fn take(&mut self, id: RoomId) -> Option<Room> {
        let Kept { room, owner, seq, since, .. } = self.rooms.remove(&id)?;
        self.members -= room.members.len();
        self.by_owner.remove(&(owner, seq, id));
        self.by_seq.remove(&(seq, id));
        self.by_age.remove(&(since, id));
        Some(room)
    }

    /// The server has started: nothing was deleted later, though a clock that was ahead then may
    /// have said so.
    pub fn start(&mut self, now: Time) {
        for kept in self.rooms.values_mut() {
            kept.since = kept.since.min(now);
        }
        self.by_age = self.rooms.iter().map(|(id, kept)| (kept.since, *id)).collect();
    }

    pub fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id).map(|kept| &kept.room)
    }

    /// How many belong to it.
    pub fn members(&self, id: RoomId) -> usize {
        self.get(id).map_or(0, |room| room.members.len())
    }

    pub fn is_changing(&self, id: RoomId) -> bool {
        self.rooms.get(&id).is_some_and(|kept| kept.changing)
    }

    /// Whether its return or its end is proposed.
    pub fn set_changing(&mut self, id: RoomId, changing: bool) {
        if let Some(kept) = self.rooms.get_mut(&id) {
            kept.changing = changing;
        }
    }

    /// One that was an account's, by the number by which it was known outside, or by its own.
    pub fn find(&self, owner: AccountId, number: RoomId) -> Option<RoomId> {
        let mut own = self.owned_by(owner).filter_map(|id| self.rooms.get(&id));
        let named = |kept: &&Kept| kept.room.number() == number || kept.room.record.id == number;
        own.find(named).map(|kept| kept.room.record.id)
    }

    /// What was an account's, the last that was deleted first.
    pub fn owned_by(&self, owner: AccountId) -> impl Iterator<Item = RoomId> {
        let all = (owner, Seq(0), RoomId(0))..=(owner, Seq(u64::MAX), RoomId(u64::MAX));
        self.by_owner.range(all).rev().map(|(_, _, id)| *id)
    }

    /// One that has to make way: of that owner, who has too many, or of all, where there are too
    /// many, or too many who belong to them. Those that are about to go do not count.
    fn surplus(&self, owner: Option<AccountId>) -> Option<RoomId> {
        let stays = |id: &RoomId| !self.is_changing(*id);
        if let Some(owner) = owner {
            let own: Vec<RoomId> = self.owned_by(owner).filter(stays).collect();
            return own.get(DELETED_ROOMS_PER_OWNER_MAX..).and_then(|more| more.last()).copied();
        }
        let going = self.by_seq.iter().map(|(_, id)| *id).take_while(|id| !stays(id));
        let (mut rooms, mut members) = (self.rooms.len(), self.members);
        for id in going {
            (rooms, members) = (rooms - 1, members - self.members(id));
        }
        let full = rooms > DELETED_ROOMS_MAX || members > DELETED_MEMBERS_MAX;
        self.by_seq.iter().map(|(_, id)| *id).find(stays).filter(|_| full)
    }

    /// The first that was deleted up to then, and is not about to go.
    fn due(&self, upto: Time) -> Option<RoomId> {
        let old = self.by_age.range(..=(upto, RoomId(u64::MAX))).map(|(_, id)| *id);
        old.into_iter().find(|id| !self.is_changing(*id))
    }

    /// All of them, by number, with those who belong to them and are still there.
    pub fn records(&self, is_there: impl Fn(AccountId) -> bool) -> Vec<DeletedRecord> {
        let record = |kept: &Kept| {
            let mut room = kept.room.kept();
            room.members.retain(|member| is_there(member.account));
            DeletedRecord { room, deleted: kept.at, by: kept.seq }
        };
        let mut all: Vec<DeletedRecord> = self.rooms.values().map(record).collect();
        all.sort_unstable_by_key(|one| one.room.id);
        all
    }

    #[cfg(any(test, debug_assertions))]
    pub fn check(&self) {
        let count = self.rooms.len();
        assert_eq!(
            (self.by_owner.len(), self.by_seq.len(), self.by_age.len()),
            (count, count, count)
        );
        let members: usize = self.rooms.values().map(|kept| kept.room.members.len()).sum();
        assert_eq!(members, self.members, "who belongs to deleted rooms");
        assert!(self.rooms.values().all(|kept| kept.room.seats.is_empty()));
    }

    #[cfg(any(test, debug_assertions))]
    pub fn is_anything_in_flight(&self) -> bool {
        self.rooms.values().any(|kept| kept.changing)
    }
}

impl Chat {
    /// A room is gone. Where it can be brought back, all that lasts of it is kept.
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

    /// What the caller can bring back.
    pub(super) fn list_deleted(&self, who: Identity) -> Result<Vec<DeletedInfo>, Refusal> {
        let account = who.ok_or(Refusal::Unauthenticated)?.account;
        let own = self.deleted.owned_by(account).filter_map(|id| self.deleted.rooms.get(&id));
        let show = |kept: &Kept| DeletedInfo {
            number: kept.room.number(),
            title: kept.room.record.facts.title.clone(),
            deleted: kept.at,
            until: kept.at.plus_secs(DELETED_ROOM_TTL_SECS),
        };
        Ok(own.filter(|kept| !self.is_over(kept)).map(show).collect())
    }

    /// The answer comes with the log's.
    pub(super) fn restore_room(
        &mut self,
        call: CallId,
        who: Identity,
        number: RoomId,
        title: Option<Title>,
    ) -> Result<(), Refusal> {
        let account = who.ok_or(Refusal::Unauthenticated)?.account;
        let found = self.deleted.find(account, number).and_then(|id| self.deleted.rooms.get(&id));
        let kept = found.filter(|kept| !kept.changing && !self.is_over(kept));
        let record = &kept.ok_or(Refusal::RoomNotFound)?.room.record;
        let (room, title) = (record.id, title.unwrap_or_else(|| record.facts.title.clone()));
        let folded = title.folded();
        if self.rooms.is_taken(&folded, None) {
            return Err(Refusal::TitleTaken);
        }
        // (Its other members may be in one room more for it than they could enter.)
        let full = self.accounts.get(account).is_some_and(Known::is_full);
        if full || self.owns_too_much(account) || self.rooms.len() >= ROOMS_MAX {
            return Err(Refusal::Full);
        }
        let entry = Entry::RoomReturned { room, title };
        self.propose(entry, Purpose::Call(call, Some(account)))?;
        self.rooms.reserve(folded);
        self.deleted.set_changing(room, true);
        Ok(())
    }

    /// Carries out [`Entry::RoomReturned`].
    pub(super) fn room_returned(
        &mut self,
        (seq, time): (Seq, Time),
        id: RoomId,
        title: Title,
        asker: Option<AccountId>,
    ) -> Result<Answer, Refusal> {
        self.deleted.get(id).ok_or(Refusal::RoomNotFound)?;
        if self.rooms.has_title(&title, id) {
            return Err(Refusal::TitleTaken);
        }
        let mut room = self.deleted.take(id).ok_or(Refusal::RoomNotFound)?;
        (room.record.facts.title, room.record.updated) = (title, time);
        // To those who follow it is new, as a room is that one comes back to.
        room.members.values_mut().for_each(|member| member.since = seq);
        room.since = room.members.keys().map(|account| (seq, *account)).collect();
        let owner = room.record.owner;
        self.rooms.bring_back(room);
        if let Some(owner) = owner {
            self.join_table(owner, id, seq); // Who had left it has it again.
        }
        self.go_on_returning(id, seq, AccountId(0));
        self.show_room(id, asker)
    }

    /// Those who belong to a room that is back know of it, and their streams hear it. Who has gone
    /// meanwhile belongs to it no more.
    pub(super) fn go_on_returning(&mut self, id: RoomId, seq: Seq, mut after: AccountId) {
        let next = |chat: &Chat, after| {
            let room = chat.rooms.get(id)?;
            let rest = (Bound::Excluded(after), Bound::Unbounded);
            room.members.range(rest).next().map(|(account, _)| *account)
        };
        while let Some(account) = next(self, after) {
            if !self.step() {
                return self.work.push_back(Work::Return { room: id, seq, after });
            }
            after = account;
            match self.accounts.get_mut(account) {
                Some(known) => {
                    known.belongs(id, false);
                    self.follow_room(account, id, seq);
                }
                None => self.end_membership(account, id),
            }
        }
    }

    /// Carries out [`Entry::RoomPurged`].
    pub(super) fn room_purged(&mut self, id: RoomId) -> Result<Answer, Refusal> {
        self.deleted.take(id).map(|_| Answer::Done(())).ok_or(Refusal::RoomNotFound)
    }

    /// What was deleted by a guest who is gone for good nobody can bring back.
    pub(super) fn purge_all_of(&mut self, owner: AccountId) {
        let own: Vec<RoomId> = self.deleted.owned_by(owner).collect();
        own.into_iter().for_each(|id| drop(self.deleted.take(id)));
    }

    /// Whether the time is over in which it could be brought back. (By the running clock, as the
    /// system's may leap.)
    fn is_over(&self, kept: &Kept) -> bool {
        self.running >= kept.since.plus_secs(DELETED_ROOM_TTL_SECS)
    }

    /// Proposes the end of what can be brought back no more. What is purged is gone, and a clock
    /// can be wrong: so nothing is for its age in the first hour after a start, nor while even the
    /// last entry that was written would be too old.
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
                return; // The next tick goes on.
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

    /// `false`: it cannot be proposed now.
    fn purge(&mut self, room: RoomId) -> bool {
        let proposed = self.propose(Entry::RoomPurged { room }, Purpose::Own).is_ok();
        if proposed {
            self.deleted.set_changing(room, true);
        }
        proposed
    }
}
