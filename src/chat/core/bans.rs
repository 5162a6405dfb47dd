//! Bans, and what else administrators do: they remove rooms and delete messages of others.
//!
//! A banned account keeps its name, its rooms and its memberships, but no session, and gets none. A
//! ban of an address is for a time, and concerns everybody from there except people in charge. A
//! guest's account does not outlast its ban: only a ban of the address keeps a guest away.
//!
//! Whoever is banned hears nothing from the entry on that says so: see
//! [`CloseReason::cuts`](crate::chat::CloseReason::cuts).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Bound;

use crate::chat::core::Chat;
use crate::chat::core::moderation::Rank;
use crate::chat::source::Source;
use crate::chat::state::pages::page;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::types::{AccountId, CallId, Folded, LOBBY, RoomId, Seq, SubscriptionId};
use crate::chat::vocabulary::{
    Action, Answer, BannedAddress, CloseReason, Entry, Field, Page, Person, Reason, Refusal, Role,
    call,
};
use crate::limits::in_charge::BANNED_ADDRESSES_MAX;
use crate::time::Time;

impl Chat {
    pub(super) fn is_banned(&self, account: AccountId) -> bool {
        self.accounts.get(account).is_some_and(|known| known.account.banned)
    }

    /// Whether nobody may come from there now. People in charge may: they could not lift the ban
    /// otherwise.
    pub(super) fn is_shut_out(&self, source: Source, account: Option<AccountId>) -> bool {
        let Source::Address(address) = source else { return false };
        let banned = self.banned.get(&address).is_some_and(|until| self.now < *until);
        banned && !self.has_role(account, Role::Administrator)
    }

    /// `Ok(None)`: the answer comes with the log's answer. What is so already needs no entry.
    pub(super) fn ban(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::Ban,
    ) -> Result<Option<Answer>, Refusal> {
        let by = self.in_charge(caller, Role::Administrator)?;
        let call::Ban { name, on, address_secs, reason } = call;
        let known = self.person_named(&name).map(|known| known.account.clone());
        if known.as_ref().is_some_and(|known| known.role.is_some()) {
            return Err(Refusal::Forbidden);
        }
        let addresses = match address_secs.filter(|_| on) {
            Some(secs) => self.addresses_of(&name, known.as_ref().map(|known| known.id), secs)?,
            None => Vec::new(),
        };
        let acts = addresses.into_iter().map(|banned| Entry::AddressBanned { banned });
        let mut acts: Vec<Entry> = acts.collect();
        match known {
            Some(known) if known.banned == on => {}
            Some(known) => acts.push(Entry::BanChanged { account: known.id, on }),
            None if self.rooms.guests_called(&Folded::new(&name)).is_empty() => {
                return Err(Refusal::PersonNotFound);
            }
            None if acts.is_empty() => {
                return Err(Refusal::Malformed(Field::Called("address_minutes")));
            }
            None => {}
        }
        if !self.can_propose(acts.len()) {
            return Err(Refusal::Unavailable); // All or none.
        }
        let Some(last) = acts.pop() else { return Ok(Some(Answer::Done(()))) };
        for act in acts {
            let (act, reason) = (Box::new(act), reason.clone());
            self.propose(Entry::Deed { by, reason, act }, Purpose::Own)?;
        }
        self.propose_deed(id, by, reason, last)?;
        Ok(None)
    }

    /// The addresses from which a person is connected, to be banned for so long.
    fn addresses_of(
        &self,
        name: &str,
        account: Option<AccountId>,
        secs: u64,
    ) -> Result<Vec<BannedAddress>, Refusal> {
        let subscriptions: Vec<SubscriptionId> = match account {
            Some(account) => {
                let known = self.accounts.get(account).ok_or(Refusal::PersonNotFound)?;
                known.subscriptions.iter().map(|(_, _, subscription)| *subscription).collect()
            }
            None => self.rooms.guests_called(&Folded::new(name)).into_iter().collect(),
        };
        let streams = account.and_then(|account| self.accounts.get(account));
        let streams = streams.into_iter().flat_map(|known| &known.streams);
        let streams = streams.filter_map(|base| Some(self.streams.get(base)?.source));
        let subscribed = subscriptions.iter().filter_map(|one| self.subscriptions.get(one));
        let sources = subscribed.map(|subscribed| subscribed.source).chain(streams);
        let addresses: BTreeSet<IpAddr> = sources
            .filter_map(|source| match source {
                Source::Address(address) => Some(address),
                Source::Own | Source::Local | Source::Unknown => None,
            })
            .collect();
        self.find_room_for(addresses.iter().copied())?;
        let until = self.now.plus_secs(secs);
        Ok(addresses.into_iter().map(|address| BannedAddress { address, until }).collect())
    }

    fn find_room_for(&self, new: impl Iterator<Item = IpAddr>) -> Result<(), Refusal> {
        let standing = self.banned.values().filter(|until| self.now < **until).count();
        let new = new.filter(|address| !self.banned.contains_key(address)).count();
        if standing + new > BANNED_ADDRESSES_MAX { Err(Refusal::Full) } else { Ok(()) }
    }

    /// `Ok(None)`: the answer comes with the log's answer.
    pub(super) fn ban_address(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::BanAddress,
    ) -> Result<Option<Answer>, Refusal> {
        let by = self.in_charge(caller, Role::Administrator)?;
        let call::BanAddress { address, secs, reason } = call;
        let Source::Address(address) = Source::of(address) else {
            return Err(Refusal::Malformed(Field::Called("address"))); // This machine.
        };
        let until = secs.map_or(Time(0), |secs| self.now.plus_secs(secs));
        if secs.is_none() && !self.banned.contains_key(&address) {
            return Ok(Some(Answer::Done(())));
        }
        self.find_room_for(secs.map(|_| address).into_iter())?;
        let banned = BannedAddress { address, until };
        self.propose_deed(id, by, reason, Entry::AddressBanned { banned })?;
        Ok(None)
    }

    pub(super) fn banned(
        &self,
        caller: Identity,
        after: AccountId,
    ) -> Result<Page<Person, AccountId>, Refusal> {
        self.in_charge(caller, Role::Administrator)?;
        let rest = self.accounts.banned.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(page(rest.map(|id| (*id, *id)), |id| Some(self.show_person(self.accounts.get(id)?))))
    }

    pub(super) fn list_banned_addresses(
        &self,
        caller: Identity,
    ) -> Result<Vec<BannedAddress>, Refusal> {
        self.in_charge(caller, Role::Administrator)?;
        let mut all = self.banned_addresses();
        all.retain(|one| self.now < one.until);
        Ok(all)
    }

    pub(super) fn banned_addresses(&self) -> Vec<BannedAddress> {
        let all = self.banned.iter();
        all.map(|(address, until)| BannedAddress { address: *address, until: *until }).collect()
    }

    /// Removes a room of others, for good. The answer comes with the log's answer.
    pub(super) fn demolish(
        &mut self,
        call: CallId,
        caller: Identity,
        room: RoomId,
        reason: Option<Reason>,
    ) -> Result<(), Refusal> {
        let by = self.in_charge(caller, Role::Administrator)?;
        let found = self.rooms.get(room).filter(|room| !room.is_direct() && !room.pending_end);
        let owner = found.ok_or(Refusal::RoomNotFound)?.record.owner;
        if room == LOBBY || (owner.is_some() && owner == by) {
            return Err(Refusal::Forbidden);
        }
        self.propose_deed(call, by, reason, Entry::RoomGone { room, recoverable: false })?;
        if let Some(room) = self.rooms.get_mut(room) {
            (room.pending_change, room.pending_end) = (true, true);
        }
        Ok(())
    }

    /// Deletes a message of anybody, for the sake of a rank. The answer comes with the log's.
    pub(super) fn suppress(
        &mut self,
        call: CallId,
        caller: Identity,
        what: call::Suppress,
    ) -> Result<(), Refusal> {
        let (by, found, rank) = self.in_charge_of(caller, what.room, Rank::Moderator)?;
        if rank < Rank::Administrator {
            if !found.has_member(Some(by)) {
                return Err(Refusal::NotMember);
            }
            found.may_touch(by, &Action::Delete { room: what.room, target: what.target })?;
        }
        let entry = self.suppressed(by, what.room, what.target, what.reason)?;
        self.propose(entry, Purpose::Call(call, Some(by)))
    }

    /// The entry that proposes it.
    pub(super) fn suppressed(
        &self,
        by: AccountId,
        room: RoomId,
        target: Seq,
        reason: Option<Reason>,
    ) -> Result<Entry, Refusal> {
        let found = self.rooms.get(room).filter(|room| !room.is_direct() && !room.pending_end);
        found.ok_or(Refusal::RoomNotFound)?;
        let author = self.accounts.get(by).ok_or(Refusal::Unauthenticated)?.author();
        let act = Box::new(Entry::Deleted { room, target, by: author, as_owner: true });
        Ok(Entry::Deed { by: Some(by), reason, act })
    }

    /// Applies [`Entry::BanChanged`].
    pub(super) fn ban_changed(&mut self, account: AccountId, on: bool) -> Result<Answer, Refusal> {
        let known = self.accounts.get_mut(account).ok_or(Refusal::PersonNotFound)?;
        if on && known.account.role.is_some() {
            return Err(Refusal::Forbidden);
        }
        if known.account.banned == on {
            return Ok(Answer::Done(()));
        }
        known.account.banned = on;
        if on {
            self.accounts.banned.insert(account);
            self.invitations.end_of_maker(account);
            self.recoveries.end(account);
            self.recoveries.end_of_maker(account);
            self.lock_out(account, None, CloseReason::Banned);
            self.end_if_over(account);
        } else {
            self.accounts.banned.remove(&account);
        }
        Ok(Answer::Done(()))
    }

    /// Applies [`Entry::AddressBanned`]: bans that were over by then are forgotten.
    pub(super) fn address_banned(&mut self, time: Time, banned: BannedAddress) -> Answer {
        self.banned.insert(banned.address, banned.until);
        self.banned.retain(|_, until| time < *until);
        self.put_out_all(SubscriptionId(0));
        Answer::Done(())
    }
}
