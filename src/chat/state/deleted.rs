//! The deleted rooms that their owners can restore.

use std::collections::BTreeSet;

use crate::chat::numbered::Numbered;
use crate::chat::state::room::{DeletedRecord, Room};
use crate::chat::types::{AccountId, RoomId, Seq};
use crate::limits::{DELETED_MEMBERS_MAX, DELETED_ROOMS_MAX, DELETED_ROOMS_PER_OWNER_MAX};
use crate::time::Time;

/// A deleted room. It has no subscriptions.
#[derive(Debug)]
pub struct Kept {
    pub room: Room,
    pub owner: AccountId,
    /// When it was deleted, and the entry that deleted it.
    pub at: Time,
    pub seq: Seq,
    /// The start of its seven days, by the monotonic clock.
    pub since: Time,
    /// Its return or its purge is proposed.
    pub pending_change: bool,
}

/// All deleted rooms that can be restored.
#[derive(Default)]
pub struct Deleted {
    pub rooms: Numbered<RoomId, Kept>,
    pub by_owner: BTreeSet<(AccountId, Seq, RoomId)>,
    pub by_seq: BTreeSet<(Seq, RoomId)>,
    pub by_age: BTreeSet<(Time, RoomId)>,
    /// The members of all of them together.
    pub members: usize,
}

impl Deleted {
    /// Keeps a deleted room of an owner.
    ///
    /// `since`: by the monotonic clock. (A restored room was deleted before the start, where both
    /// clocks agree.)
    pub fn keep(&mut self, room: Room, owner: AccountId, (seq, at): (Seq, Time), since: Time) {
        let id = room.record.id;
        self.members += room.members.len();
        self.by_owner.insert((owner, seq, id));
        self.by_seq.insert((seq, id));
        self.by_age.insert((since, id));
        self.rooms.insert(id, Kept { room, owner, at, seq, since, pending_change: false });
    }

    /// Removes a room from the table.
    pub fn take(&mut self, id: RoomId) -> Option<Room> {
        let Kept { room, owner, seq, since, .. } = self.rooms.remove(&id)?;
        self.members -= room.members.len();
        self.by_owner.remove(&(owner, seq, id));
        self.by_seq.remove(&(seq, id));
        self.by_age.remove(&(since, id));
        Some(room)
    }

    /// The server has started: corrects a later deletion time, which a clock that was ahead has
    /// written.
    pub fn start(&mut self, now: Time) {
        for kept in self.rooms.values_mut() {
            kept.since = kept.since.min(now);
        }
        self.by_age = self.rooms.iter().map(|(id, kept)| (kept.since, *id)).collect();
    }

    pub fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id).map(|kept| &kept.room)
    }

    /// The number of its members.
    pub fn members(&self, id: RoomId) -> usize {
        self.get(id).map_or(0, |room| room.members.len())
    }

    pub fn is_pending(&self, id: RoomId) -> bool {
        self.rooms.get(&id).is_some_and(|kept| kept.pending_change)
    }

    /// Sets whether its return or its purge is proposed.
    pub fn set_pending(&mut self, id: RoomId, pending_change: bool) {
        if let Some(kept) = self.rooms.get_mut(&id) {
            kept.pending_change = pending_change;
        }
    }

    /// An owner's deleted room, by its public number or by its own.
    pub fn find(&self, owner: AccountId, number: RoomId) -> Option<RoomId> {
        let mut own = self.owned_by(owner).filter_map(|id| self.rooms.get(&id));
        let named = |kept: &&Kept| kept.room.number() == number || kept.room.record.id == number;
        own.find(named).map(|kept| kept.room.record.id)
    }

    /// An owner's deleted rooms, the last deleted first.
    pub fn owned_by(&self, owner: AccountId) -> impl Iterator<Item = RoomId> {
        let all = (owner, Seq(0), RoomId(0))..=(owner, Seq(u64::MAX), RoomId(u64::MAX));
        self.by_owner.range(all).rev().map(|(_, _, id)| *id)
    }

    /// The next room to purge because a limit is exceeded: the owner's limit or, without an owner,
    /// the limit of all rooms or all their members. Rooms with a pending purge do not count.
    pub fn surplus(&self, owner: Option<AccountId>) -> Option<RoomId> {
        let stays = |id: &RoomId| !self.is_pending(*id);
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

    /// The oldest room deleted up to then, unless a change of it is pending.
    pub fn due(&self, upto: Time) -> Option<RoomId> {
        let old = self.by_age.range(..=(upto, RoomId(u64::MAX))).map(|(_, id)| *id);
        old.into_iter().find(|id| !self.is_pending(*id))
    }

    /// All deleted rooms, by number, with those members that still exist.
    pub fn records(&self, is_there: impl Fn(AccountId) -> bool) -> Vec<DeletedRecord> {
        let record = |kept: &Kept| {
            let mut room = kept.room.kept();
            room.members.retain(|member| is_there(member.account));
            room.forget_gone(&is_there);
            DeletedRecord { room, deleted: kept.at, by: kept.seq }
        };
        let mut all: Vec<DeletedRecord> = self.rooms.values().map(record).collect();
        all.sort_unstable_by_key(|record| record.room.id);
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
        assert_eq!(members, self.members, "members of deleted rooms");
        assert!(self.rooms.values().all(|kept| kept.room.subscriptions.is_empty()));
    }

    #[cfg(any(test, debug_assertions))]
    pub fn is_anything_in_flight(&self) -> bool {
        self.rooms.values().any(|kept| kept.pending_change)
    }
}
