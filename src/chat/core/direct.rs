//! Rooms for two: creation, membership, end.
//!
//! A room for two counts for the quota of the account that opens it, the first of the two; the
//! other becomes a member with the first message. Either can leave it, which hides it: with the
//! next message, from either side, both are members again. It ends when both have left, and with
//! the account of a guest in it.

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::state::room::{Room, RoomRecord};
use crate::chat::state::waits::Awaited;
use crate::chat::types::{AccountId, CallId, Folded, RoomId, Seq};
use crate::chat::vocabulary::{Action, Answer, DirectRoom, Entry, EventKind, Refusal};
use crate::limits::{DIRECT_ROOMS_PER_ACCOUNT_MAX, ROOMS_MAX};

impl Chat {
    /// The caller and the other account of a direct room.
    pub(super) fn pair(&self, caller: Identity, name: &str) -> Result<[AccountId; 2], Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let other = self.person_named(name).ok_or(Refusal::PersonNotFound)?.account.id;
        // No direct room with oneself.
        if other == account { Err(Refusal::PersonNotFound) } else { Ok([account, other]) }
    }

    /// The account or guest with this name; case does not count.
    pub(super) fn person_named(&self, name: &str) -> Option<&AccountState> {
        self.accounts.by_name(&Folded::new(name))
    }

    /// The pending change that must end before a call gets the room for two: its creation, or a
    /// membership change, after which the room may have ended.
    pub(super) fn awaits_pair(&self, between: [AccountId; 2]) -> Awaited {
        let Some(room) = self.rooms.of_pair(between) else { return Awaited::pair(between) };
        let pending_moves =
            between.into_iter().find(|account| room.pending_moves.contains_key(account));
        Awaited::Membership(room.record.id, pending_moves.unwrap_or(between[0]))
    }

    /// A caller who has left the room returns to it. `Ok(None)`: the answer comes with the log's
    /// answer.
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
        // The room counts only for the account that opens it: strangers cannot use up another
        // account's quota.
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

    /// The room in which an account acts on messages. An account that has left a room for two can
    /// still send there while the room exists, and so returns.
    pub(super) fn room_to_act(
        &self,
        account: AccountId,
        action: &Action,
    ) -> Result<&Room, Refusal> {
        let found = self.rooms.get(action.room());
        let two = found.and_then(|room| Some((room, room.record.between?)));
        match (two, action) {
            (Some((room, between)), Action::Send { .. }) if between.contains(&account) => {
                let stays = between.into_iter().any(|account| room.will_have(account));
                if stays { Ok(room) } else { Err(Refusal::RoomNotFound) }
            }
            _ => self.own_room(account, action.room()),
        }
    }

    /// Proposes an entry about a message. In a room for two, a new message comes behind the return
    /// of the accounts that have left. All entries, or none.
    pub(super) fn propose_message(
        &mut self,
        entry: Entry,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        let Entry::Said { room, ref author, .. } = entry else {
            return self.propose(entry, purpose);
        };
        let speaker = self.in_slow_mode(room, author)?;
        let two = self.rooms.get(room).and_then(|found| Some((found, found.record.between?)));
        let back =
            two.map(|(found, between)| between.map(|account| (!found.will_have(account), account)));
        let back = back.into_iter().flatten().filter(|(away, _)| *away).map(|(_, account)| account);
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
            // A repeated message, or a reply to a missing one, brings nobody back. Only the log
            // knows which it is; so the next message does not rely on this return, but proposes it
            // again.
            let with = open.then(|| Box::new(entry.clone()));
            let (member, expelled) = (true, false);
            let returns = Entry::MemberChanged { room, account, member, expelled, with };
            self.order.propose(self.now, returns, Purpose::Own);
            if !open {
                self.moves(account, room, true);
            }
        }
        self.order.propose(self.now, entry, purpose);
        self.spoke(room, speaker);
        Ok(())
    }

    /// Applies [`Entry::DirectMade`].
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

    /// Applies [`Entry::MemberChanged`] in a room for two. The other account does not hear that
    /// somebody has left.
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
            self.rooms.remove(room); // It has only its members' streams.
        }
        Ok(Answer::Done(()))
    }

    /// Ends the rooms for two of a guest that has ended: nobody could reply there. `false`:
    /// more rooms are left than this command may end.
    pub(super) fn end_direct_rooms(&mut self, seq: Seq, account: AccountId) -> bool {
        while let Some(id) = self.rooms.paired_with(account) {
            if !self.step() {
                return false;
            }
            self.end_membership(account, id);
            let Some(room) = self.rooms.get(id) else { return true };
            let other = room.members.first_key_value().map(|(other, _)| *other);
            // Only streams hear a room for two.
            other.into_iter().for_each(|other| self.notify(other, id, EventKind::Gone { seq }));
            if let Some(room) = self.rooms.remove(id) {
                self.empty(Box::new(room));
            }
        }
        true
    }
}
