//! Orphans: rooms that a guest who is gone has owned. The longest member inherits such a room, and
//! all its members hear of it; without members it ends as soon as it is empty. (A room that never
//! had an owner stays, as ChitChat requires, and so does the lobby.)
//!
//! Both are entries that the core proposes by itself; if a proposal fails or is lost, the next tick
//! repeats it.

use std::ops::Bound;

use crate::chat::core::Chat;
use crate::chat::state::purpose::Purpose;
use crate::chat::state::work::Work;
use crate::chat::types::RoomId;
use crate::chat::vocabulary::Entry;

impl Chat {
    /// Whether such a check is in progress.
    pub(super) fn is_checking_orphans(&self) -> bool {
        self.work.iter().any(|work| matches!(work, Work::CheckOrphans { .. }))
    }

    /// Checks the rooms with changes; with `after`, then all orphans after that room.
    pub(super) fn check_orphans(&mut self, mut after: Option<RoomId>) {
        while let Some(room) = self.rooms.unchecked_orphans.first().copied() {
            if !self.step() {
                return self.work.push_back(Work::CheckOrphans { after });
            }
            self.rooms.unchecked_orphans.remove(&room);
            self.check_orphan(room);
        }
        while let Some(last) = after {
            let rest = (Bound::Excluded(last), Bound::Unbounded);
            let Some(room) = self.rooms.orphans.range(rest).next().copied() else { return };
            if !self.step() {
                return self.work.push_back(Work::CheckOrphans { after });
            }
            self.check_orphan(room);
            after = Some(room);
        }
    }

    /// Proposes the next owner of an orphan, or its end, if either is due. A pending change of the
    /// room triggers another check.
    fn check_orphan(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(id) else { return };
        if room.pending_change {
            return;
        }
        if room.record.orphaned {
            let empty = room.members.is_empty()
                && room.pending_moves.is_empty()
                && room.subscriptions.is_empty();
            let gone = Entry::RoomGone { room: id, recoverable: false };
            if empty && self.propose(gone, Purpose::Own).is_ok() {
                self.rooms.mark_pending(id, true);
            }
            return;
        }
        // The settings stay; the entry announces the new owner.
        let (settings, password_generation) =
            (room.record.settings.clone(), room.record.password_generation);
        let same = Entry::RoomChanged {
            room: id,
            settings,
            password_generation,
            link: None,
            keep_members: true,
        };
        if self.propose(same, Purpose::Own).is_ok() {
            self.rooms.mark_pending(id, false);
        }
    }

    /// The room may be empty now.
    pub(super) fn left(&mut self, room: RoomId) {
        if self.rooms.get(room).is_some_and(|room| room.record.orphaned) {
            self.rooms.unchecked_orphans.insert(room);
        }
    }
}
