//! Rooms for two: how they come to be, who is in them, and how they end.
//!
//! A room for two counts for the one who opened it, who is the first of the two; the other belongs
//! to it from the first message on. Either can leave it, which hides it: with the next message,
//! whosoever it is, both are in it again. It ends when both have left, and with a guest whose it
//! is.

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::state::room::{Room, RoomRecord};
use crate::chat::state::waits::Awaited;
use crate::chat::types::{AccountId, CallId, Folded, RoomId, Seq};
use crate::chat::vocabulary::{Action, Answer, DirectRoom, Entry, Refusal, What};
use crate::limits::{DIRECT_ROOMS_PER_ACCOUNT_MAX, ROOMS_MAX};

impl Chat {
    /// The two of whom somebody wants the room.
    pub(super) fn pair(&self, caller: Identity, name: &str) -> Result<[AccountId; 2], Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let other = self.person_named(name).ok_or(Refusal::PersonNotFound)?.account.id;
        // Nobody has a direct room with themselves.
        if other == account { Err(Refusal::PersonNotFound) } else { Ok([account, other]) }
    }

    /// Somebody by name, whatever its case: an account's or a guest's.
    pub(super) fn person_named(&self, name: &str) -> Option<&AccountState> {
        self.accounts.by_name(&Folded::new(name))
    }

    /// What must be settled before somebody is given the room of two: that it comes to be, or that
    /// one of them comes or goes, after which it may have ended.
    pub(super) fn awaits_pair(&self, between: [AccountId; 2]) -> Awaited {
        let Some(room) = self.rooms.of_pair(between) else { return Awaited::pair(between) };
        let pending_moves =
            between.into_iter().find(|account| room.pending_moves.contains_key(account));
        Awaited::Membership(room.record.id, pending_moves.unwrap_or(between[0]))
    }

    /// Who has left the room comes back to it. `Ok(None)`: the answer comes with the log's.
    pub(super) fn direct(
        &mut self,
        call: CallId,
        caller: Identity,
        name: &str,
        chance: u64,
    ) -> Result<Option<Answer>, Refusal> {
        let between = self.pair(caller, name)?;
        if let Some(room) = self.rooms.of_pair(between) {
            let id = room.record.id;
            if room.has_member(Some(between[0])) {
                let room = Box::new(self.info(room, Some(between[0]), true));
                return Ok(Some(Answer::Direct(DirectRoom { room, made: false })));
            }
            if self.is_blocked(between) {
                return Err(Refusal::Blocked);
            }
            let purpose = Purpose::Direct(call, between[0]);
            self.propose_membership(purpose, between[0], id, (true, false))?;
            return Ok(None);
        }
        if self.is_blocked(between) {
            return Err(Refusal::Blocked);
        }
        // It counts for the one who opens it alone: strangers use up nothing of the other's.
        if self.rooms.opened_by(between[0]) >= DIRECT_ROOMS_PER_ACCOUNT_MAX {
            return Err(Refusal::QuotaReached);
        }
        if self.rooms.len() >= ROOMS_MAX {
            return Err(Refusal::Full);
        }
        let room = self.rooms.drawn(chance).ok_or(Refusal::Unavailable)?;
        let purpose = Purpose::Call(call, Some(between[0]));
        self.propose(Entry::DirectMade { room, between, both: false }, purpose)?;
        self.rooms.reserve_pair(between);
        Ok(None)
    }

    /// The room in which somebody does something with words; whoever has left a room for two can
    /// still speak there, as long as it is there, and so comes back.
    pub(super) fn room_to_act(
        &self,
        account: AccountId,
        action: &Action,
    ) -> Result<&Room, Refusal> {
        let found = self.rooms.get(action.room());
        let two = found.and_then(|room| Some((room, room.record.between?)));
        match (two, action) {
            (Some((room, between)), Action::Send { .. }) if between.contains(&account) => {
                let stays = between.into_iter().any(|one| room.will_have(one));
                if stays { Ok(room) } else { Err(Refusal::RoomNotFound) }
            }
            _ => self.own_room(account, action.room()),
        }
    }

    /// Proposes what is said or done with words; in a room for two, what is said there behind the
    /// return of whoever has left it. All of it, or nothing.
    pub(super) fn propose_message(
        &mut self,
        entry: Entry,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        let Entry::Said { room, .. } = entry else { return self.propose(entry, purpose) };
        let two = self.rooms.get(room).and_then(|found| Some((found, found.record.between?)));
        let back = two.map(|(found, between)| between.map(|one| (!found.will_have(one), one)));
        let back = back.into_iter().flatten().filter(|(away, _)| *away).map(|(_, one)| one);
        let back: Vec<AccountId> = back.collect();
        if !self.can_propose(back.len() + 1) {
            return Err(Refusal::Unavailable);
        }
        self.find_space(&entry, &purpose)?;
        self.charge_entry(&entry, &purpose)?;
        let open = matches!(
            entry,
            Entry::Said { client_id: Some(_), .. } | Entry::Said { reply_to: Some(_), .. }
        );
        for account in back {
            // A message that was said before, or answers nothing that is there, brings nobody back.
            // Only the log knows; so what is said next does not rely on it, but proposes the same.
            let with = open.then(|| Box::new(entry.clone()));
            let (member, expelled) = (true, false);
            let returns = Entry::MemberChanged { room, account, member, expelled, with };
            self.order.propose(self.now, returns, Purpose::Own);
            if !open {
                self.moves(account, room, true);
            }
        }
        self.order.propose(self.now, entry, purpose);
        Ok(())
    }

    /// Carries out [`Entry::DirectMade`].
    pub(super) fn direct_made(
        &mut self,
        seq: Seq,
        record: RoomRecord,
        (between, both): ([AccountId; 2], bool),
        viewer: Option<AccountId>,
    ) -> Result<Answer, Refusal> {
        let [one, other] = between;
        let known = between.iter().all(|account| self.accounts.get(*account).is_some());
        if one == other || !known {
            return Err(Refusal::PersonNotFound);
        }
        let first = if both { &between[..] } else { &between[..1] };
        match self.room_made(seq, record, first, viewer)? {
            Answer::Room(room) => Ok(Answer::Direct(DirectRoom { room, made: true })),
            other => Ok(other),
        }
    }

    /// Carries out [`Entry::MemberChanged`] of a room for two. That somebody has hidden it is told
    /// to nobody else.
    pub(super) fn direct_changed(
        &mut self,
        seq: Seq,
        room: RoomId,
        between: [AccountId; 2],
        (account, member): (AccountId, bool),
    ) -> Result<Answer, Refusal> {
        if !between.contains(&account) {
            return Err(Refusal::Forbidden);
        }
        if member {
            self.belongs_from(account, room, seq);
            return self.show_room(room, Some(account));
        }
        self.put_out(seq, room, account);
        if self.rooms.get(room).is_some_and(|room| room.members.is_empty()) {
            self.rooms.remove(room); // Only streams hear a room for two, of its members.
        }
        Ok(Answer::Done(()))
    }

    /// The rooms for two of a guest who is gone for good end: nobody could be answered there.
    /// `false`: there are more than this command may end.
    pub(super) fn end_direct_rooms(&mut self, seq: Seq, account: AccountId) -> bool {
        while let Some(id) = self.rooms.paired_with(account) {
            if !self.step() {
                return false;
            }
            self.end_membership(account, id);
            let Some(room) = self.rooms.get(id) else { return true };
            let other = room.members.first_key_value().map(|(other, _)| *other);
            // Only streams hear a room for two.
            other.into_iter().for_each(|other| self.notify(other, id, What::Gone { seq }));
            if let Some(room) = self.rooms.remove(id) {
                self.empty(Box::new(room));
            }
        }
        true
    }
}
