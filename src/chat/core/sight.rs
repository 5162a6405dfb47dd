//! *May this caller see this room?* Every answer about a room passes this check first, on every
//! protocol.
//!
//! A room for two is visible to those of the two who are members. A hidden room is visible to its
//! owner and its members, to a caller with its token or its password, and, where a protocol finds
//! rooms by a client's reference, to a caller who names the room's random number: that number is
//! its link, and cannot be guessed by counting. Its title can be guessed, and so does not show it.
//! All other rooms are visible to everybody; but the people present and the messages only if the
//! room is public.

use crate::chat::core::Chat;
use crate::chat::state::room::Room;
use crate::chat::types::{AccountId, RoomId, RoomRef};
use crate::chat::vocabulary::{Access, Refusal};

impl Chat {
    /// A room by its number, if the viewer may see it without a token or password.
    ///
    /// # Errors
    /// [`Refusal::RoomNotFound`], also for a room whose end is pending.
    pub(super) fn visible(
        &self,
        viewer: Option<AccountId>,
        room: RoomId,
    ) -> Result<&Room, Refusal> {
        let found = self.rooms.get(room).filter(|room| self.may_see(room, viewer, Access::Open));
        found.ok_or(Refusal::RoomNotFound)
    }

    /// A room by a client's reference, if the viewer may see it.
    ///
    /// # Errors
    /// [`Refusal::RoomNotFound`], also for a room whose end is pending.
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
        // The holder of a token was let in once, even if the token is out of date.
        let token = matches!(access, Access::Token { room: of, .. } if names(room, of));
        !room.pending_end && (listed || inside || own || token || self.admits(room, access).is_ok())
    }

    /// Whether the viewer may know who is present: everybody in a public room, else members and
    /// callers with access.
    pub(super) fn may_see_inside(
        &self,
        room: &Room,
        viewer: Option<AccountId>,
        access: Access,
    ) -> bool {
        room.has_member(viewer) || self.admits(room, access).is_ok()
    }

    /// Whether this access admits a caller to the room. A room for two admits nobody.
    pub(super) fn admits(&self, room: &Room, access: Access) -> Result<(), Refusal> {
        let admitted = room.is_public() || self.fits(room, access);
        if admitted && !room.is_direct() { Ok(()) } else { Err(Refusal::NoAccess) }
    }

    /// Whether a password or token is valid for the room as it is now.
    pub(super) fn fits(&self, found: &Room, access: Access) -> bool {
        let record = &found.record;
        match access {
            Access::Open | Access::Member => false,
            Access::Password { password_generation } => {
                password_generation == record.password_generation
            }
            Access::Token { room, password_generation, session } => {
                let alive = |key| self.accounts.session_by_key(&key, self.running).is_some();
                names(found, room)
                    && password_generation == record.password_generation
                    && session.is_none_or(alive)
            }
        }
    }
}

/// Whether a number is one of the room's two.
fn names(room: &Room, number: RoomId) -> bool {
    !room.is_direct() && (number == room.record.id || Some(number) == room.record.link)
}

/// Whether a reference is a random number, which nobody could guess.
fn is_link(name: &RoomRef) -> bool {
    matches!(name, RoomRef::Id(number) if number.is_drawn())
}
