//! Memberships, and a room as different viewers see it.
//!
//! A membership begins and ends only by an entry; it outlives every subscription, password and
//! restart. The room stores it, and the account lists its rooms.

use crate::chat::core::Chat;
use crate::chat::core::moderation::Rank;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::limiter::Kind;
use crate::chat::state::pages::{merged, page};
use crate::chat::state::purpose::{Identity, Purpose, account_of};
use crate::chat::state::room::{Membership, Room};
use crate::chat::state::work::Then;
use crate::chat::types::{
    AccountId, Author, CallId, Folded, LOBBY, ProtocolId, RoomId, Seq, SubscriptionId, Title,
};
use crate::chat::vocabulary::{
    Access, Answer, CloseReason, Effect, Entry, Event, EventKind, Member, MembershipMarks, Page,
    Place, Present, Refusal, RoomInfo, RoomRole, RoomSettings, call,
};
use crate::limits::{ANSWER_ITEMS_MAX, MEMBERS_MAX};
use crate::time::Time;

/// Above every entry: the viewer may read nothing.
const NOTHING_READ: Seq = Seq(u64::MAX);

impl Chat {
    /// A room as the viewer may know it. `inside`: the viewer may know who is present.
    pub(super) fn info(&self, room: &Room, viewer: Option<AccountId>, inside: bool) -> RoomInfo {
        let record = &room.record;
        let RoomSettings { title, description, visibility, .. } = record.settings.clone();
        let owner = record.owner.and_then(|owner| self.accounts.get(owner));
        let other =
            record.between.map(|[one, other]| if viewer == Some(one) { other } else { one });
        let name = other.and_then(|other| self.accounts.get(other));
        RoomInfo {
            id: record.id,
            number: room.number(),
            title: match (other, name) {
                (None, _) => title,
                (Some(_), Some(known)) => Title::of_person(known.account.name.as_str()),
                (Some(_), None) => Title::of_person("gone"), // It was a guest.
            },
            description,
            visibility,
            created: record.created,
            updated: record.updated,
            online: if inside { room.online() } else { 0 },
            present: Vec::new(),
            more: None,
            rules: record.rules(),
            horizon: room.horizon(viewer).unwrap_or(NOTHING_READ),
            direct: room.is_direct(),
            owner: owner.map(|known| known.account.name.clone()),
            last: record.last,
            membership: viewer.and_then(|viewer| marks_of(room, viewer)),
        }
    }

    /// The same, with the people present.
    pub(super) fn info_with_people(
        &self,
        room: &Room,
        viewer: Option<AccountId>,
        inside: bool,
    ) -> RoomInfo {
        let Page { items: present, next: more } =
            if inside { room.present(0) } else { Page::default() };
        RoomInfo { present, more, ..self.info(room, viewer, inside) }
    }

    pub(super) fn show_room(
        &self,
        id: RoomId,
        viewer: Option<AccountId>,
    ) -> Result<Answer, Refusal> {
        let room = self.rooms.get(id).ok_or(Refusal::RoomNotFound)?;
        Ok(Answer::Room(Box::new(self.info_with_people(room, viewer, true))))
    }

    pub(super) fn list_rooms(&self, caller: Identity, call: call::Rooms) -> Page<RoomInfo, RoomId> {
        let call::Rooms { mine, after } = call;
        let viewer = account_of(caller);
        let inside = |room: &Room| self.may_see_inside(room, viewer, Access::Open);
        let own = self.rooms_of(viewer.filter(|_| mine), after);
        let mut all = merged(self.rooms.listed(after, false), own).peekable();
        if mine {
            let show = |id| self.rooms.get(id).map(|room| self.info(room, viewer, inside(room)));
            return page(all, show);
        }
        let (mut items, mut shown, mut last) = (Vec::new(), 0, None);
        while shown < ANSWER_ITEMS_MAX
            && let Some((id, _)) = all.next()
        {
            let room = self.rooms.get(id);
            let info = room.map(|room| self.info_with_people(room, viewer, inside(room)));
            shown += 1 + info.as_ref().map_or(0, |info| info.present.len());
            items.extend(info);
            last = Some(id);
        }
        Page { items, next: last.filter(|_| all.peek().is_some()) }
    }

    pub(super) fn readable(&self, caller: Identity, after: RoomId) -> Page<(RoomId, Seq), RoomId> {
        let viewer = account_of(caller);
        let own = self.rooms_of(viewer, after);
        page(merged(self.rooms.listed(after, true), own), |id| {
            Some((id, self.rooms.get(id)?.horizon(viewer)?))
        })
    }

    pub(super) fn marks(
        &self,
        caller: Identity,
        after: RoomId,
    ) -> Result<Page<MembershipMarks, RoomId>, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let own = self.rooms_of(Some(account), after).map(|id| (*id, *id));
        Ok(page(own, |id| marks_of(self.rooms.get(id)?, account)))
    }

    /// The rooms after `after` of which the caller is a member.
    fn rooms_of(&self, caller: Option<AccountId>, after: RoomId) -> impl Iterator<Item = &RoomId> {
        let known = caller.and_then(|caller| self.accounts.get(caller));
        known.into_iter().flat_map(move |known| known.rooms.after(after).map(|(room, ())| room))
    }

    pub(super) fn view(&self, caller: Identity, room: RoomId) -> Result<Box<RoomInfo>, Refusal> {
        let viewer = account_of(caller);
        let room = self.visible(viewer, room)?;
        let inside = self.may_see_inside(room, viewer, Access::Open);
        Ok(Box::new(self.info(room, viewer, inside)))
    }

    /// A room in which the account may send. A non-member does not learn that a hidden room exists.
    pub(super) fn own_room(&self, account: AccountId, room: RoomId) -> Result<&Room, Refusal> {
        let room = self.visible(Some(account), room)?;
        if room.has_member(Some(account)) { Ok(room) } else { Err(Refusal::NotMember) }
    }

    /// `Ok(None)`: the answer comes with the log's answer. An existing member needs no entry.
    pub(super) fn enter_room(
        &mut self,
        call: CallId,
        caller: Identity,
        room: RoomId,
        access: Access,
    ) -> Result<Option<Answer>, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let found = self.rooms.get(room).filter(|room| self.may_see(room, Some(account), access));
        let found = found.ok_or(Refusal::RoomNotFound)?;
        if found.has_member(Some(account)) {
            return self.show_room(room, Some(account)).map(Some);
        }
        if found.record.owner != Some(account) {
            self.admits(found, access)?;
        }
        self.refuse_entry(found, Some(account))?;
        let known = self.accounts.get(account).ok_or(Refusal::Unauthenticated)?;
        let members = found.members.len() + found.pending_moves.len();
        if known.is_full() {
            return Err(Refusal::QuotaReached);
        }
        if members >= MEMBERS_MAX {
            return Err(Refusal::Full);
        }
        self.propose_membership(Purpose::Call(call, Some(account)), account, room, (true, false))?;
        Ok(None)
    }

    /// `Ok(None)`: the answer comes with the log's answer. A non-member needs no entry.
    pub(super) fn exit_room(
        &mut self,
        call: CallId,
        caller: Identity,
        room: RoomId,
    ) -> Result<Option<Answer>, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let found = self.visible(Some(account), room)?;
        if !found.members.contains_key(&account) {
            return Ok(Some(Answer::Done(())));
        }
        self.propose_membership(Purpose::Call(call, Some(account)), account, room, (false, false))?;
        Ok(None)
    }

    pub(super) fn propose_membership(
        &mut self,
        purpose: Purpose,
        account: AccountId,
        room: RoomId,
        (member, expelled): (bool, bool),
    ) -> Result<(), Refusal> {
        let entry = Entry::MemberChanged { room, account, member, expelled, with: None };
        self.propose(entry, purpose)?;
        self.moves(account, room, member);
        Ok(())
    }

    /// A membership change is pending.
    pub(super) fn moves(&mut self, account: AccountId, room: RoomId, member: bool) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.moves(account, member);
        }
        if let Some(known) = self.accounts.get_mut(account) {
            known.pending_entries += 1;
        }
    }

    /// The members and the people present without membership; those present come first.
    pub(super) fn members(
        &self,
        caller: Identity,
        call: call::Members,
    ) -> Result<Page<Member, Place>, Refusal> {
        let viewer = account_of(caller);
        let room = self.visible(viewer, call.room)?;
        if !self.may_see_inside(room, viewer, Access::Open) {
            return Err(Refusal::NotMember);
        }
        let (items, next) = match call.after {
            Place::Present(after) => self.members_present(room, after),
            Place::Away { present, account } => self.members_away(room, present, account),
        };
        Ok(Page { items, next })
    }

    fn members_present(&self, room: &Room, after: u64) -> (Vec<Member>, Option<Place>) {
        let Page { items: present, next } = room.present(after);
        let show = |person: Present| Member {
            guest: person.author.account.is_none_or(|account| self.is_guest(account)),
            online: true,
            color: person.color,
            last_activity: Some(person.last_activity),
            role: role_in(room, person.author.account),
            muted: self.muted_in(room, person.author.account),
            author: person.author,
        };
        let away = Place::Away { present: room.arrivals(), account: AccountId(0) };
        let next = next.map_or(away, Place::Present);
        (present.into_iter().map(show).collect(), Some(next))
    }

    /// `present`: an earlier page has shown those who had arrived by then and are still present.
    fn members_away(
        &self,
        room: &Room,
        present: u64,
        after: AccountId,
    ) -> (Vec<Member>, Option<Place>) {
        // A room for two lists both accounts, even if one of them has left it.
        let two = room.record.between.map(|[one, other]| [one.min(other), one.max(other)]);
        let two = two.into_iter().flatten().filter(|account| *account > after);
        let rest = room.members.after(after);
        let rest = rest.map(|(account, _)| *account).filter(|_| !room.is_direct());
        let Page { items: members, next: last } =
            page(two.chain(rest).map(|account| (account, account)), |account| {
                let known = self.accounts.get(account)?;
                let arrival = room.arrival(&known.account.name.folded());
                arrival.is_none_or(|arrival| arrival > present).then(|| Member {
                    author: known.author(),
                    guest: known.is_guest(),
                    online: arrival.is_some(),
                    color: known.account.color.clone(),
                    last_activity: None,
                    role: role_in(room, Some(account)),
                    muted: self.muted_in(room, Some(account)),
                })
            });
        (members, last.map(|account| Place::Away { present, account }))
    }

    /// The end of an account's mute in a room, unless it is over or has no effect.
    fn muted_in(&self, room: &Room, account: Option<AccountId>) -> Option<Time> {
        let until = room.record.muted(account?).filter(|until| self.now < *until);
        until.filter(|_| self.rank(room, account).is_none())
    }

    pub(super) fn is_guest(&self, account: AccountId) -> bool {
        self.accounts.get(account).is_none_or(AccountState::is_guest)
    }

    /// Moves a member's read marker forward, at most to the last message; returns its position.
    pub(super) fn mark_read(
        &mut self,
        account: AccountId,
        room: RoomId,
        seq: Seq,
    ) -> Result<Seq, Refusal> {
        self.own_room(account, room)?;
        self.charge(&[(Kind::Mark, 1)], None)?;
        let found = self.rooms.get_mut(room).ok_or(Refusal::RoomNotFound)?;
        let last = found.record.last;
        let membership = found.members.get_mut(&account).ok_or(Refusal::Forbidden)?;
        let seq = seq.min(last);
        if seq <= membership.read {
            return Ok(membership.read);
        }
        membership.read = seq;
        self.order.tell(Effect::Mark { room, account, seq });
        self.notify(account, room, EventKind::Read { seq });
        Ok(seq)
    }

    /// Adds a room to the lists of its members.
    pub(super) fn belong(&mut self, room: RoomId, direct: bool, members: Vec<AccountId>) {
        for account in members {
            if let Some(known) = self.accounts.get_mut(account) {
                known.belongs(room, direct);
            }
        }
    }

    /// Begins a membership in the tables. `false`: it exists already.
    pub(super) fn join_table(&mut self, account: AccountId, room: RoomId, seq: Seq) -> bool {
        let Some(known) = self.accounts.get_mut(account) else { return false };
        let Some(room) = self.rooms.get_mut(room) else { return false };
        if room.members.contains_key(&account) {
            return false;
        }
        let horizon = room.record.horizon_for(account);
        room.members.insert(account, Membership::new(seq, horizon));
        room.age(seq, account);
        known.belongs(room.record.id, room.is_direct());
        true
    }

    /// Begins the membership that comes with a new account or a new room.
    pub(super) fn belongs_from(&mut self, account: AccountId, room: RoomId, seq: Seq) {
        if self.join_table(account, room, seq) && room != LOBBY {
            self.streams_enter(account, room, seq);
        }
    }

    /// Applies [`Entry::MemberChanged`]. A change to the current state is not announced.
    pub(super) fn member_changed(
        &mut self,
        seq: Seq,
        room: RoomId,
        account: AccountId,
        (member, expelled): (bool, bool),
    ) -> Result<Answer, Refusal> {
        let found = self.rooms.get(room).ok_or(Refusal::RoomNotFound)?;
        if let Some(between) = found.record.between {
            return self.direct_changed(seq, room, between, (account, member));
        }
        let author = self.accounts.get(account).ok_or(Refusal::PersonNotFound)?.author();
        if member {
            if self.join_table(account, room, seq) {
                self.tell_member(seq, room, author, true);
                self.streams_enter(account, room, seq);
            }
            return self.show_room(room, Some(account));
        }
        if expelled {
            self.unsubscribe_person(account, room);
        }
        if self.put_out(seq, room, account) {
            self.tell_member(seq, room, author, false);
        }
        Ok(Answer::Done(()))
    }

    /// Ends a membership, and tells the account's streams that the room is gone. `false`: the
    /// account was not a member.
    pub(super) fn put_out(&mut self, seq: Seq, room: RoomId, account: AccountId) -> bool {
        let there = self.rooms.get(room).is_some_and(|room| room.has_member(Some(account)));
        if there {
            self.notify(account, room, EventKind::Gone { seq });
            self.streams_leave(account, room);
            self.end_membership(account, room);
        }
        there
    }

    /// Somebody in charge of a room expels a member, or a person who is only subscribed there.
    /// `Ok(None)`: the answer comes with the log's answer.
    pub(super) fn expel(
        &mut self,
        call: CallId,
        caller: Identity,
        room: RoomId,
        name: &str,
    ) -> Result<Option<Answer>, Refusal> {
        let (account, found, rank) = self.in_charge_of(caller, room, Rank::Moderator)?;
        let owner = found.record.owner == Some(account);
        if !owner && self.person_named(name).is_some() {
            self.subordinate(found, (account, rank), name)?;
        }
        let name = Folded::new(name);
        let Some(known) = self.accounts.by_name(&name) else {
            // A name without an account belongs to one subscription only.
            let subscription = found.subscription_of(&name).ok_or(Refusal::PersonNotFound)?;
            self.unsubscribe(subscription, Some(CloseReason::Expelled));
            return Ok(Some(Answer::Done(())));
        };
        let other = known.account.id;
        if other == account {
            return Err(Refusal::Forbidden); // An owner can leave instead.
        }
        if !found.has_member(Some(other)) {
            found.holder(&name).ok_or(Refusal::PersonNotFound)?;
            self.unsubscribe_person(other, room);
            return Ok(Some(Answer::Done(())));
        }
        let (member, expelled, with) = (false, true, None);
        let act = Entry::MemberChanged { room, account: other, member, expelled, with };
        self.propose_deed(call, Some(account), None, act)?;
        self.moves(other, room, false);
        Ok(None)
    }

    /// Ends an account's subscriptions in a room, except those of its streams.
    fn unsubscribe_person(&mut self, account: AccountId, room: RoomId) {
        let Some(known) = self.accounts.get(account) else { return };
        let here = (room, ProtocolId(0), SubscriptionId(0))
            ..=(room, ProtocolId(u8::MAX), SubscriptionId(u64::MAX));
        let subscriptions =
            known.subscriptions.range(here).map(|(_, _, subscription)| *subscription);
        let named = |subscription: &SubscriptionId| {
            self.subscriptions
                .get(subscription)
                .is_some_and(|subscribed| subscribed.account() == Some(account))
        };
        let subscriptions = subscriptions.filter(named).collect();
        self.unsubscribe_each(subscriptions, Some(CloseReason::Expelled), Then::Nothing);
    }

    pub(super) fn end_membership(&mut self, account: AccountId, room: RoomId) {
        if let Some(state) = self.rooms.get_mut(room)
            && let Some(member) = state.members.remove(&account)
        {
            state.since.remove(&(member.since, account));
            state.moderates_no_more(Some(account));
            if let Some(known) = self.accounts.get_mut(account) {
                known.belongs_no_more(room, state.is_direct());
            }
        }
        self.left(room);
    }

    fn tell_member(&mut self, seq: Seq, room: RoomId, author: Author, member: bool) {
        let kind = EventKind::Member { seq, member };
        let event = Event { room, time: self.told, author, color: None, kind };
        self.order.tell(Effect::Announce { event, by: None });
    }
}

/// An account's role in a room.
fn role_in(room: &Room, account: Option<AccountId>) -> Option<RoomRole> {
    let account = account?;
    if room.record.owner == Some(account) {
        return Some(RoomRole::Owner);
    }
    room.record.is_moderator(account).then_some(RoomRole::Moderator)
}

/// The account's membership in a room.
pub(super) fn marks_of(room: &Room, account: AccountId) -> Option<MembershipMarks> {
    let Membership { since, read, horizon } = *room.members.get(&account)?;
    Some(MembershipMarks { room: room.record.id, since, read, horizon })
}
