//! Rooms that a guest who is gone has left behind. The longest member has such a room from then on,
//! and all its members are told so; where there is none, it ends as soon as nobody is there any
//! more. (A room that was nobody's from the start stays, as ChitChat has it, and so does the
//! lobby.)
//!
//! Both are entries of their own, which the core proposes by itself; what cannot be proposed now,
//! or was lost, is at the next tick.

use std::ops::Bound;

use crate::chat::core::Chat;
use crate::chat::state::purpose::Purpose;
use crate::chat::state::work::Work;
use crate::chat::types::RoomId;
use crate::chat::vocabulary::Entry;

impl Chat {
    /// Whether such rooms are being looked at.
    pub(super) fn is_tending(&self) -> bool {
        self.work.iter().any(|work| matches!(work, Work::Tend { .. }))
    }

    /// Looks at those rooms to which something has happened; `after`: then at all such rooms behind
    /// that one.
    pub(super) fn tend_rooms(&mut self, mut after: Option<RoomId>) {
        while let Some(room) = self.rooms.untended.first().copied() {
            if !self.step() {
                return self.work.push_back(Work::Tend { after });
            }
            self.rooms.untended.remove(&room);
            self.tend(room);
        }
        while let Some(last) = after {
            let rest = (Bound::Excluded(last), Bound::Unbounded);
            let Some(room) = self.rooms.orphans.range(rest).next().copied() else { return };
            if !self.step() {
                return self.work.push_back(Work::Tend { after });
            }
            self.tend(room);
            after = Some(room);
        }
    }

    /// Proposes what is to become of a room that a guest has left behind, if something is. One that
    /// is about to change, or to end, tells of itself.
    fn tend(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(id) else { return };
        if room.pending_change {
            return;
        }
        if room.record.forsaken {
            let empty = room.members.is_empty()
                && room.pending_moves.is_empty()
                && room.subscriptions.is_empty();
            let gone = Entry::RoomGone { room: id, recoverable: false };
            if empty && self.propose(gone, Purpose::Own).is_ok() {
                self.rooms.lock(id, true);
            }
            return;
        }
        // It is what it was, but for its owner, which this tells.
        let (settings, generation) = (room.record.settings.clone(), room.record.generation);
        let same =
            Entry::RoomChanged { room: id, settings, generation, link: None, keep_members: true };
        if self.propose(same, Purpose::Own).is_ok() {
            self.rooms.lock(id, false);
        }
    }

    /// Nobody may be left in a room.
    pub(super) fn left(&mut self, room: RoomId) {
        if self.rooms.get(room).is_some_and(|room| room.record.forsaken) {
            self.rooms.untended.insert(room);
        }
    }
}
