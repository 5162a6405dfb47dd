//! Creating, changing and deleting rooms.

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::purpose::{Identity, Purpose, account_of};
use crate::chat::state::quotas::Made;
use crate::chat::state::room::RoomRecord;
use crate::chat::types::{
    AccountId, Author, CallId, LOBBY, Name, RoomId, RoomRef, Seq, Visibility,
};
use crate::chat::vocabulary::{
    Access, Answer, Effect, Entry, Event, EventKind, Refusal, Role, RoomSettings, call,
};
use crate::limits::ROOMS_MAX;
use crate::time::Time;

impl Chat {
    pub(super) fn make_room(
        &mut self,
        call: CallId,
        caller: Identity,
        settings: RoomSettings,
        chance: u64,
    ) -> Result<(), Refusal> {
        self.refuse_muted(account_of(caller))?; // A title speaks, too.
        let folded = settings.title.folded();
        if self.rooms.is_taken(&folded, None) {
            return Err(Refusal::TitleTaken);
        }
        match (settings.visibility, &settings.password) {
            (Visibility::Public, Some(_)) => return Err(Refusal::PasswordForPublic),
            (Visibility::Private | Visibility::Hidden, None) => {
                return Err(Refusal::PasswordMissing);
            }
            _ => {}
        }
        if self.rooms.len() >= ROOMS_MAX {
            return Err(Refusal::Full);
        }
        let owner = caller.map(|caller| caller.account);
        let known = owner.and_then(|owner| self.accounts.get(owner));
        if known.is_some_and(AccountState::is_full) {
            return Err(Refusal::QuotaReached); // The creator becomes a member.
        }
        let room = match settings.visibility {
            Visibility::Hidden => self.rooms.drawn(chance).ok_or(Refusal::Unavailable)?,
            Visibility::Public | Visibility::Private => self.rooms.next(),
        };
        self.propose(Entry::RoomMade { room, owner, settings }, Purpose::Call(call, owner))?;
        self.rooms.reserve(folded);
        Ok(())
    }

    /// `Ok(None)`: the answer comes with the log's answer. A change to the current settings needs
    /// no entry.
    pub(super) fn change_room(
        &mut self,
        to: CallId,
        caller: Identity,
        call: call::ChangeRoom,
    ) -> Result<Option<Answer>, Refusal> {
        let call::ChangeRoom { ref room, access, change, chance } = call;
        self.refuse_muted(account_of(caller))?;
        let room = self.changeable(caller, room, access)?;
        if room.record.id == LOBBY && (change.visibility, &change.password) != (None, &None) {
            return Err(Refusal::Forbidden); // It stays open to everybody.
        }
        let (entry_changes, viewer) =
            ((change.visibility, &change.password) != (None, &None), account_of(caller));
        let as_administrator = room.may_change(viewer, self.admits(room, access).is_ok()).is_err();
        if as_administrator && entry_changes && !room.is_public() && !room.has_member(viewer) {
            return Err(Refusal::Forbidden); // It would let the administrator read the room.
        }
        let (id, keep_members) = (room.record.id, change.keep_members);
        let (settings, password_generation) = room.changed(change)?;
        if (&settings, password_generation)
            == (&room.record.settings, room.record.password_generation)
        {
            return self.show_room(id, viewer).map(Some);
        }
        let folded = settings.title.folded();
        let renamed = folded != room.record.settings.title.folded();
        if renamed && self.rooms.is_taken(&folded, Some(id)) {
            return Err(Refusal::TitleTaken);
        }
        let counted = room.record.link.is_none() && !id.is_drawn();
        let link = match settings.visibility {
            Visibility::Hidden if counted => {
                Some(self.rooms.drawn(chance).ok_or(Refusal::Unavailable)?)
            }
            _ => None,
        };
        let entry =
            Entry::RoomChanged { room: id, settings, password_generation, link, keep_members };
        if as_administrator {
            self.propose_deed(to, viewer, None, entry)?;
        } else {
            self.propose(entry, Purpose::Call(to, viewer))?;
        }
        if renamed {
            self.rooms.reserve(folded);
        }
        if let Some(room) = self.rooms.get_mut(id) {
            room.pending_change = true;
        }
        Ok(None)
    }

    pub(super) fn remove_room(
        &mut self,
        call: CallId,
        caller: Identity,
        room: &RoomRef,
        access: Access,
    ) -> Result<(), Refusal> {
        let viewer = account_of(caller);
        let room = match self.changeable(caller, room, access) {
            Ok(room) if room.record.id == LOBBY => return Err(Refusal::Forbidden),
            Ok(room) if room.may_change(viewer, self.admits(room, access).is_ok()).is_err() => {
                let id = room.record.id;
                return self.demolish(call, caller, id, None);
            }
            Ok(room) => room,
            Err(refusal) if self.has_role(viewer, Role::Administrator) => {
                let id = self.rooms.find(room).map_err(|_| refusal)?.record.id;
                return self.demolish(call, caller, id, None);
            }
            Err(refusal) => return Err(refusal),
        };
        let (id, recoverable) = (room.record.id, room.record.owner.is_some());
        self.propose(Entry::RoomGone { room: id, recoverable }, Purpose::Call(call, viewer))?;
        if let Some(room) = self.rooms.get_mut(id) {
            (room.pending_change, room.pending_end) = (true, true);
        }
        Ok(())
    }

    /// `first`: members besides the owner.
    pub(super) fn room_made(
        &mut self,
        seq: Seq,
        record: RoomRecord,
        first: &[AccountId],
        viewer: Option<AccountId>,
    ) -> Result<Answer, Refusal> {
        let (id, owner) = (record.id, record.owner);
        // A room number is never reused, even after the room's deletion.
        if self.rooms.is_used(id) {
            return Err(Refusal::Unavailable);
        }
        if !self.rooms.insert(record) {
            return Err(Refusal::TitleTaken);
        }
        for account in owner.into_iter().chain(first.iter().copied()) {
            self.belongs_from(account, id, seq);
        }
        self.show_room(id, viewer)
    }

    pub(super) fn room_changed(
        &mut self,
        (seq, time): (Seq, Time),
        id: RoomId,
        change: (RoomSettings, u64, Option<RoomId>),
        keep_members: bool,
    ) -> Result<(), Refusal> {
        let before = self.rooms.get(id).filter(|room| !room.is_direct());
        let before = before.ok_or(Refusal::RoomNotFound)?;
        let (was_open, password_generation) =
            (before.is_public(), before.record.password_generation);
        let after = self.rooms.change(id, change, (seq, time)).ok_or(Refusal::TitleTaken)?;
        let closed = !after.is_public()
            && (was_open || after.record.password_generation != password_generation);
        if closed {
            self.invitations.end_of_room(id);
            self.close_room(id, seq, keep_members);
        } else {
            self.tell_what_it_is(id, seq);
        }
        Ok(())
    }

    /// Announces a room's current settings to the room.
    pub(super) fn tell_what_it_is(&mut self, id: RoomId, seq: Seq) {
        if let Some(room) = self.rooms.get(id) {
            let info = Box::new(self.info(room, None, true));
            self.tell_of_room(id, EventKind::Room { seq, info });
        }
    }

    pub(super) fn room_gone(
        &mut self,
        seq: Seq,
        id: RoomId,
        recoverable: bool,
    ) -> Result<Answer, Refusal> {
        let room = self.rooms.get(id).filter(|room| id != LOBBY && !room.is_direct());
        room.ok_or(Refusal::RoomNotFound)?;
        self.tell_of_room(id, EventKind::Gone { seq });
        self.invitations.end_of_room(id);
        self.quotas.end(Made::Room(id));
        if let Some(mut room) = self.rooms.remove(id) {
            if recoverable {
                self.keep_deleted(&mut room, seq);
            }
            self.empty(Box::new(room));
        }
        Ok(Answer::Done(()))
    }

    /// Announces an entry's effect on a room. The log does not keep the author of such an entry:
    /// the event names the owner or, without one, the server.
    pub(super) fn tell_of_room(&mut self, id: RoomId, kind: EventKind) {
        let owner = self.rooms.get(id).and_then(|room| room.record.owner);
        let owner = owner.and_then(|owner| self.accounts.get(owner)).map(AccountState::author);
        let author = owner.unwrap_or_else(|| {
            let name = Name::of_server();
            Author { account: None, name }
        });
        let event = Event { room: id, time: self.told, author, color: None, kind };
        self.order.tell(Effect::Announce { event, by: None });
    }
}
