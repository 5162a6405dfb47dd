//! Keeping order in a room: moderators, mutes, bans from a room, its rules, and its next owner.
//!
//! The owner of a room makes moderators; an administrator of the server may do in any room what its
//! owner may. Nobody acts on the owner, on people with a role on the server, or on equals. All of
//! it is a deed (see `roles`): the log asks for the role again, in its own order.
//!
//! What takes away somebody's right to speak is in `speaking`. A room with a pending change of any
//! of this lets the next one wait.

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::purpose::{Identity, Purpose, account_of};
use crate::chat::state::room::Room;
use crate::chat::state::waits::Awaited;
use crate::chat::state::work::Then;
use crate::chat::types::{AccountId, CallId, LOBBY, Name, ProtocolId, RoomId, Seq, SubscriptionId};
use crate::chat::vocabulary::{
    Answer, CloseReason, Effect, Entry, Event, EventKind, ModerationInfo, Reason, Refusal, Role,
    Rules, Standing, UNTIL_LIFTED, call,
};
use crate::limits::moderation::{
    BANS_PER_ROOM_MAX, MODERATORS_MAX, MUTED_ACCOUNTS_MAX, MUTES_PER_ROOM_MAX,
};
use crate::time::Time;

/// What somebody may do in a room, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    Moderator,
    Owner,
    /// Of the server.
    Administrator,
}

impl Chat {
    /// What an account may do in a room beyond others; nobody has a rank in a room for two.
    pub(super) fn rank(&self, room: &Room, account: Option<AccountId>) -> Option<Rank> {
        let account = account.filter(|_| !room.is_direct())?;
        if self.has_role(Some(account), Role::Administrator) {
            return Some(Rank::Administrator);
        }
        if room.record.owner == Some(account) {
            return Some(Rank::Owner);
        }
        room.record.is_moderator(account).then_some(Rank::Moderator)
    }

    /// The room, and the account that acts there for the sake of its rank. An administrator need
    /// not see the room.
    pub(super) fn in_charge_of(
        &self,
        caller: Identity,
        room: RoomId,
        least: Rank,
    ) -> Result<(AccountId, &Room, Rank), Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let anywhere = self.has_role(Some(account), Role::Administrator);
        let standing = |room: &&Room| anywhere && !room.is_direct() && !room.pending_end;
        let found = match self.rooms.get(room).filter(standing) {
            Some(found) => found,
            None => self.visible(Some(account), room)?,
        };
        let rank = self.rank(found, Some(account)).filter(|rank| *rank >= least);
        Ok((account, found, rank.ok_or(Refusal::Forbidden)?))
    }

    /// Somebody on whom the account may act.
    pub(super) fn subordinate(
        &self,
        room: &Room,
        (by, rank): (AccountId, Rank),
        name: &str,
    ) -> Result<AccountId, Refusal> {
        let other = self.person_named(name).ok_or(Refusal::PersonNotFound)?.account.id;
        let under = match self.rank(room, Some(other)) {
            None => true,
            Some(Rank::Moderator) => rank > Rank::Moderator,
            Some(Rank::Owner | Rank::Administrator) => false,
        };
        if under && other != by && room.record.owner != Some(other) {
            Ok(other)
        } else {
            Err(Refusal::Forbidden)
        }
    }

    /// Proposes a deed that changes a room; the next such change waits for the log.
    fn propose_order(
        &mut self,
        call: CallId,
        by: AccountId,
        reason: Option<Reason>,
        (room, act): (RoomId, Entry),
    ) -> Result<(), Refusal> {
        self.propose_deed(call, Some(by), reason, act)?;
        self.rooms.mark_pending(room, false);
        Ok(())
    }

    /// `Ok(None)`: the answer comes with the log's answer. What is so already needs no entry.
    pub(super) fn change_moderator(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::ChangeModerator,
    ) -> Result<Option<Answer>, Refusal> {
        let call::ChangeModerator { room, name, on, reason } = call;
        let (by, found, _) = self.in_charge_of(caller, room, Rank::Owner)?;
        let known = self.person_named(&name).ok_or(Refusal::PersonNotFound)?;
        let account = known.account.id;
        let count = found.record.moderation.as_ref().map_or(0, |found| found.moderators.len());
        if found.record.is_moderator(account) == on {
            return Ok(Some(Answer::Done(())));
        }
        if on && known.is_guest() {
            return Err(Refusal::NotForGuests);
        }
        if on && !found.has_member(Some(account)) {
            return Err(Refusal::PersonNotFound);
        }
        if on && count >= MODERATORS_MAX {
            return Err(Refusal::QuotaReached);
        }
        let act = Entry::ModeratorChanged { room, account, on };
        self.propose_order(id, by, reason, (room, act))?;
        Ok(None)
    }

    /// `Ok(None)`: the answer comes with the log's answer. A mute that there is not needs no end.
    pub(super) fn mute(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::Mute,
    ) -> Result<Option<Answer>, Refusal> {
        let call::Mute { room, name, on, secs, reason } = call;
        let until = match secs {
            _ if !on => Time(0),
            Some(secs) => self.now.plus_secs(secs),
            None => UNTIL_LIFTED,
        };
        let Some(room) = room else {
            return self.mute_everywhere(id, caller, (&name, on, until), reason);
        };
        let (by, found, rank) = self.in_charge_of(caller, room, Rank::Moderator)?;
        let known = self.person_named(&name).map(|known| known.account.id);
        let account = match known.filter(|_| !on) {
            Some(account) => account,
            None => self.subordinate(found, (by, rank), &name)?,
        };
        if on && found.record.is_moderator(account) {
            return Err(Refusal::Forbidden); // The mute would have no effect.
        }
        if !on && found.record.muted(account).is_none() {
            return Ok(Some(Answer::Done(())));
        }
        let muted = found.record.moderation.iter().flat_map(|found| &found.muted);
        let others = muted.filter(|(one, until)| **one != account && self.now < **until);
        if on && others.count() >= MUTES_PER_ROOM_MAX {
            return Err(Refusal::QuotaReached);
        }
        let act = Entry::Muted { room: Some(room), account, until };
        self.propose_order(id, by, reason, (room, act))?;
        Ok(None)
    }

    fn mute_everywhere(
        &mut self,
        id: CallId,
        caller: Identity,
        (name, on, until): (&str, bool, Time),
        reason: Option<Reason>,
    ) -> Result<Option<Answer>, Refusal> {
        let by = self.in_charge(caller, Role::Administrator)?;
        let known = self.person_named(name).ok_or(Refusal::PersonNotFound)?;
        let account = known.account.id;
        if on && known.account.role.is_some() {
            return Err(Refusal::Forbidden);
        }
        if !on && !self.muted.contains_key(&account) {
            return Ok(Some(Answer::Done(())));
        }
        let others =
            self.muted.iter().filter(|(one, until)| **one != account && self.now < **until);
        if on && others.count() >= MUTED_ACCOUNTS_MAX {
            return Err(Refusal::Full);
        }
        self.propose_deed(id, by, reason, Entry::Muted { room: None, account, until })?;
        Ok(None)
    }

    /// The accounts that are muted everywhere.
    pub(super) fn list_muted(&self, caller: Identity) -> Result<Vec<(Name, Time)>, Refusal> {
        self.in_charge(caller, Role::Administrator)?;
        Ok(self.named_mutes(&mut self.muted.iter().map(|(account, until)| (*account, *until))))
    }

    /// The mutes that are not over, with names.
    fn named_mutes(&self, all: &mut dyn Iterator<Item = (AccountId, Time)>) -> Vec<(Name, Time)> {
        let standing = all.filter(|(_, until)| self.now < *until);
        let named = standing.filter_map(|(account, until)| {
            Some((self.accounts.get(account)?.account.name.clone(), until))
        });
        named.collect()
    }

    /// Bans an account from a room and ends its membership, or lifts the ban. `Ok(None)`: the
    /// answer comes with the log's answer.
    pub(super) fn ban_from_room(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::BanFromRoom,
    ) -> Result<Option<Answer>, Refusal> {
        let call::BanFromRoom { room, name, on, reason } = call;
        let (by, found, rank) = self.in_charge_of(caller, room, Rank::Moderator)?;
        let known = self.person_named(&name).map(|known| known.account.id);
        let account = match known.filter(|_| !on) {
            Some(account) => account,
            None => self.subordinate(found, (by, rank), &name)?,
        };
        let is_so = found.record.has_banned(account) == on;
        let goes = on && found.has_member(Some(account));
        let count = found.record.moderation.as_ref().map_or(0, |found| found.banned.len());
        if is_so && !goes {
            return Ok(Some(Answer::Done(())));
        }
        if on && !is_so && count >= BANS_PER_ROOM_MAX {
            return Err(Refusal::QuotaReached);
        }
        if !self.can_propose(2) {
            return Err(Refusal::Unavailable); // Both or neither.
        }
        let ban = Entry::RoomBanChanged { room, account, on };
        let gone =
            Entry::MemberChanged { room, account, member: false, expelled: true, with: None };
        match (is_so, goes) {
            (false, true) => {
                self.charge_entry(&ban, &Purpose::Call(id, Some(by)))?;
                let (act, by, reason) = (Box::new(ban), Some(by), reason.clone());
                self.propose(Entry::Deed { by, reason, act }, Purpose::Own)?;
                self.rooms.mark_pending(room, false);
            }
            (false, false) => {
                self.propose_order(id, by, reason, (room, ban))?;
                return Ok(None);
            }
            (true, _) => {}
        }
        self.propose_deed(id, Some(by), reason, gone)?;
        self.moves(account, room, false);
        Ok(None)
    }

    /// `Ok(None)`: the answer comes with the log's answer.
    pub(super) fn change_rules(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::ChangeRules,
    ) -> Result<Option<Answer>, Refusal> {
        let call::ChangeRules { room, change, reason } = call;
        let (by, found, rank) = self.in_charge_of(caller, room, Rank::Moderator)?;
        let before = found.record.rules();
        let rules = before.after(change);
        // New accounts belong to the lobby.
        let lobby = room == LOBBY && rules.locked;
        let slow_only = Rules { slow_secs: before.slow_secs, ..rules } == before;
        if lobby || (rank == Rank::Moderator && !slow_only) {
            return Err(Refusal::Forbidden);
        }
        if rules == before {
            return self.show_room(room, Some(by)).map(Some);
        }
        self.propose_order(id, by, reason, (room, Entry::RulesChanged { room, rules }))?;
        Ok(None)
    }

    /// `Ok(None)`: the answer comes with the log's answer.
    pub(super) fn transfer(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::Transfer,
    ) -> Result<Option<Answer>, Refusal> {
        let call::Transfer { room, name, reason } = call;
        let (by, found, _) = self.in_charge_of(caller, room, Rank::Owner)?;
        let known = self.person_named(&name).ok_or(Refusal::PersonNotFound)?;
        let owner = known.account.id;
        if room == LOBBY {
            return Err(Refusal::Forbidden); // It is the server's.
        }
        if found.record.owner == Some(owner) {
            return self.show_room(room, Some(by)).map(Some);
        }
        if known.is_guest() {
            return Err(Refusal::NotForGuests);
        }
        if !found.has_member(Some(owner)) {
            return Err(Refusal::PersonNotFound);
        }
        if self.owns_too_much(owner) {
            return Err(Refusal::QuotaReached);
        }
        self.propose_order(id, by, reason, (room, Entry::OwnerChanged { room, owner }))?;
        Ok(None)
    }

    pub(super) fn list_moderation(
        &self,
        caller: Identity,
        room: RoomId,
    ) -> Result<ModerationInfo, Refusal> {
        let (_, found, _) = self.in_charge_of(caller, room, Rank::Moderator)?;
        let Some(found) = &found.record.moderation else { return Ok(ModerationInfo::default()) };
        let name = |account: &AccountId| Some(self.accounts.get(*account)?.account.name.clone());
        Ok(ModerationInfo {
            moderators: found.moderators.iter().filter_map(name).collect(),
            muted: self.named_mutes(&mut found.muted.iter().map(|(one, until)| (*one, *until))),
            banned: found.banned.iter().filter_map(name).collect(),
        })
    }

    /// The pending change for which a ban waits: it ends a membership, too.
    pub(super) fn awaits_ban(&self, call: &call::BanFromRoom) -> Awaited {
        let other = self.person_named(&call.name).map(|known| known.account.id);
        let moves = |account: &AccountId| {
            let room = self.rooms.get(call.room);
            room.is_some_and(|room| room.pending_moves.contains_key(account))
        };
        match other.filter(moves) {
            Some(other) => Awaited::Membership(call.room, other),
            None => Awaited::Room(call.room),
        }
    }

    fn tell_standing(&mut self, seq: Seq, room: RoomId, account: AccountId, change: Standing) {
        let Some(author) = self.accounts.get(account).map(AccountState::author) else { return };
        let kind = EventKind::Standing { seq, change };
        let event = Event { room, time: self.told, author, color: None, kind };
        self.order.tell(Effect::Announce { event, by: None });
    }

    /// Applies [`Entry::ModeratorChanged`].
    pub(super) fn moderator_changed(
        &mut self,
        seq: Seq,
        id: RoomId,
        account: AccountId,
        on: bool,
    ) -> Result<Answer, Refusal> {
        let registered = self.accounts.get(account).is_some_and(|known| !known.is_guest());
        let room = self.rooms.get_mut(id).filter(|room| !room.is_direct());
        let room = room.ok_or(Refusal::RoomNotFound)?;
        if on && !(registered && room.has_member(Some(account))) {
            return Err(Refusal::PersonNotFound);
        }
        if room.record.is_moderator(account) == on {
            return Ok(Answer::Done(()));
        }
        room.record.moderate(|found| {
            if on {
                found.moderators.insert(account)
            } else {
                found.moderators.remove(&account)
            };
        });
        self.tell_standing(seq, id, account, Standing::Moderator(on));
        Ok(Answer::Done(()))
    }

    /// Applies [`Entry::Muted`].
    pub(super) fn muted(
        &mut self,
        (seq, time): (Seq, Time),
        room: Option<RoomId>,
        account: AccountId,
        until: Time,
    ) -> Result<Answer, Refusal> {
        let Some(id) = room else {
            self.accounts.get(account).ok_or(Refusal::PersonNotFound)?;
            self.muted.insert(account, until);
            self.muted.retain(|_, until| time < *until);
            return Ok(Answer::Done(()));
        };
        self.rooms.get(id).filter(|room| !room.is_direct()).ok_or(Refusal::RoomNotFound)?;
        self.accounts.get(account).ok_or(Refusal::PersonNotFound)?;
        self.rooms.mute(id, account, until, time);
        let until = Some(until).filter(|until| time < *until);
        self.tell_standing(seq, id, account, Standing::Muted(until));
        Ok(Answer::Done(()))
    }

    /// Applies [`Entry::RoomBanChanged`]: connections of the account in the room end, under
    /// whatever name.
    pub(super) fn room_ban_changed(
        &mut self,
        id: RoomId,
        account: AccountId,
        on: bool,
    ) -> Result<Answer, Refusal> {
        let room = self.rooms.get(id).filter(|room| !room.is_direct());
        let owner = room.ok_or(Refusal::RoomNotFound)?.record.owner;
        let known = self.accounts.get(account).ok_or(Refusal::PersonNotFound)?;
        if on && owner == Some(account) {
            return Err(Refusal::Forbidden);
        }
        let here = (id, ProtocolId(0), SubscriptionId(0))
            ..=(id, ProtocolId(u8::MAX), SubscriptionId(u64::MAX));
        let going = known.subscriptions.range(here).map(|(_, _, subscription)| *subscription);
        let going = going.filter(|_| on).collect();
        self.rooms.ban(id, account, on);
        self.unsubscribe_each(going, Some(CloseReason::BannedHere), Then::Nothing);
        Ok(Answer::Done(()))
    }

    /// Applies [`Entry::RulesChanged`].
    pub(super) fn rules_changed(
        &mut self,
        (seq, time): (Seq, Time),
        id: RoomId,
        rules: Rules,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(id).filter(|room| !room.is_direct());
        let room = room.ok_or(Refusal::RoomNotFound)?;
        room.record.moderate(|found| found.rules = rules);
        room.record.updated = time;
        self.tell_what_it_is(id, seq);
        Ok(())
    }

    /// Applies [`Entry::OwnerChanged`].
    pub(super) fn owner_changed(
        &mut self,
        (seq, time): (Seq, Time),
        id: RoomId,
        owner: AccountId,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get(id).filter(|room| !room.is_direct() && id != LOBBY);
        let room = room.ok_or(Refusal::RoomNotFound)?;
        let registered = self.accounts.get(owner).is_some_and(|known| !known.is_guest());
        if !registered || !room.has_member(Some(owner)) {
            return Err(Refusal::PersonNotFound);
        }
        self.rooms.transfer(id, owner, time);
        self.tell_what_it_is(id, seq);
        Ok(())
    }

    /// A guest goes on under another name: proposes that mutes and bans go with it.
    pub(super) fn keep_restrained(
        &mut self,
        before: Identity,
        to: AccountId,
    ) -> Result<(), Refusal> {
        let Some(from) = account_of(before) else { return Ok(()) };
        let free = !self.muted.contains_key(&from) && self.rooms.restraining(from).is_empty();
        if free {
            return Ok(());
        }
        self.propose(Entry::MutesMoved { from, to }, Purpose::Own)
    }

    /// Applies [`Entry::MutesMoved`].
    pub(super) fn mutes_moved(
        &mut self,
        from: AccountId,
        to: AccountId,
    ) -> Result<Answer, Refusal> {
        let both = self.accounts.get(from).is_some() && self.accounts.get(to).is_some();
        if !both || from == to {
            return Err(Refusal::PersonNotFound);
        }
        if let Some(until) = self.muted.get(&from).copied() {
            self.muted.insert(to, until);
        }
        self.rooms.move_restraints(from, to);
        Ok(Answer::Done(()))
    }
}
