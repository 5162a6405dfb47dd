//! *May this caller see this room?* The one question that stands before every answer about a room,
//! whatever is asked, on every protocol.
//!
//! A room for two is seen by those of the two who are in it. A hidden room is seen by its owner and
//! its members, by who shows its token or its password, and, where a protocol finds rooms by what
//! people name, by who names the number that was drawn for it: that is its link, and nobody gets
//! there by counting. Its title is a word that others can guess, and so does not show it. All other
//! rooms are seen by everybody; but who is in them, and what was said, only where they are public.

use crate::chat::core::Chat;
use crate::chat::state::room::Room;
use crate::chat::types::{AccountId, RoomId, RoomRef};
use crate::chat::vocabulary::{Access, Refusal};

impl Chat {
    /// A room by its number, as far as somebody may see it who shows nothing but who they are.
    ///
    /// # Errors
    /// [`Refusal::RoomNotFound`], also for a room that is about to end.
    pub(super) fn visible(
        &self,
        viewer: Option<AccountId>,
        room: RoomId,
    ) -> Result<&Room, Refusal> {
        let found = self.rooms.get(room).filter(|room| self.may_see(room, viewer, Access::Open));
        found.ok_or(Refusal::RoomNotFound)
    }

    /// A room by what somebody calls it, as far as they may see it.
    ///
    /// # Errors
    /// [`Refusal::RoomNotFound`], also for a room that is about to end.
    pub(super) fn find_visible(
        &self,
        viewer: Option<AccountId>,
        name: &RoomRef,
        access: Access,
    ) -> Result<&Room, Refusal> {
        let room = self.rooms.find(name)?;
        let seen = self.may_see(room, viewer, access) || (is_link(name) && !room.pending_end);
        if seen { Ok(room) } else { Err(Refusal::RoomNotFound) }
    }

    pub(super) fn may_see(&self, room: &Room, viewer: Option<AccountId>, access: Access) -> bool {
        let inside = room.has_member(viewer);
        let own = viewer.is_some() && room.record.owner == viewer;
        let listed = !room.is_hidden() && !room.is_direct();
        // Who shows a token of it has been let in, though the token may be good for nothing by now.
        let token = matches!(access, Access::Token { room: of, .. } if names(room, of));
        !room.pending_end && (listed || inside || own || token || self.admits(room, access).is_ok())
    }

    /// Whether somebody is told who is present: where it is public everybody, else who belongs
    /// there or could come in.
    pub(super) fn may_see_inside(
        &self,
        room: &Room,
        viewer: Option<AccountId>,
        access: Access,
    ) -> bool {
        room.has_member(viewer) || self.admits(room, access).is_ok()
    }

    /// Whether one may come in by what one shows. Into a room for two nobody may.
    pub(super) fn admits(&self, room: &Room, access: Access) -> Result<(), Refusal> {
        let admitted = room.is_public() || self.fits(room, access);
        if admitted && !room.is_direct() { Ok(()) } else { Err(Refusal::NoAccess) }
    }

    /// Whether a password or token that is shown is one for that room, as it is now.
    pub(super) fn fits(&self, found: &Room, access: Access) -> bool {
        let record = &found.record;
        match access {
            Access::Open | Access::Member => false,
            Access::Password { generation } => generation == record.generation,
            Access::Token { room, generation, session } => {
                let alive = |key| self.accounts.session_by_key(&key, self.running).is_some();
                names(found, room) && generation == record.generation && session.is_none_or(alive)
            }
        }
    }
}

/// Whether a number is one of that room's.
fn names(room: &Room, number: RoomId) -> bool {
    !room.is_direct() && (number == room.record.id || Some(number) == room.record.link)
}

/// Whether a room is named by a number that nobody could guess.
fn is_link(name: &RoomRef) -> bool {
    matches!(name, RoomRef::Id(number) if number.is_drawn())
}
