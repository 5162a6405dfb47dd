//! Order in rooms: moderators, mutes, bans from rooms, their rules, their next owners; and people
//! who would like to be in charge. Whoever has lost a right has lost it from that entry on.

use std::collections::BTreeSet;

use crate::chat::simulation::Simulation;
use crate::chat::simulation::book::Book;
use crate::chat::{
    AccountId, Action, Author, Call, Caller, CloseReason, Command, Effect, Entry, Folded, LOBBY,
    Name, Needs, Reason, Refusal, Role, RoomId, RoomRecord, RoomRef, Rules, RulesChange, Seq,
    SessionId, UNTIL_LIFTED, Visibility, call,
};
use crate::time::Time;

/// The role of a moderator ends with the membership.
pub fn keep_moderators(room: &mut RoomRecord) {
    let members: BTreeSet<AccountId> = room.members.iter().map(|member| member.account).collect();
    room.moderate(|found| found.moderators.retain(|account| members.contains(account)));
}

/// A room with people of every rank, in runs in which people in charge do much.
const STAGE: RoomId = RoomId(2);

impl Simulation {
    /// Mostly, in such a run.
    pub(super) fn the_stage(&mut self) -> Option<RoomId> {
        let there = self.orderly && self.book.rooms.contains_key(&STAGE);
        (there && self.dice.one_in(2)).then_some(STAGE)
    }

    /// An owner, a moderator, a member and a guest, each with a session.
    pub(super) fn set_the_stage(&mut self) {
        let mut entries = Vec::new();
        for (number, name) in (1..).zip(["ann", "bob", "cat", "dan"]) {
            let (account, name) = (AccountId(number), Name::new(name).expect("a name"));
            let key = Some(self.key()).filter(|_| number < 4);
            entries.push(Entry::AccountMade { account, name, key, color: None });
            let (session, key, agent) = (SessionId(number), self.key(), "".into());
            self.session_keys.push(key);
            entries.push(Entry::SessionBegun { session, account, key, remember: false, agent });
        }
        let mut settings = self.room_settings();
        let public = settings.visibility == Visibility::Public;
        settings.password = (!public).then(|| "hash".into());
        let (room, owner) = (STAGE, Some(AccountId(1)));
        entries.push(Entry::RoomMade { room, owner, settings });
        for account in (1..=4).map(AccountId) {
            let (member, expelled, with) = (true, false, None);
            entries.push(Entry::MemberChanged { room, account, member, expelled, with });
        }
        entries.push(Entry::ModeratorChanged { room, account: AccountId(2), on: true });
        for entry in entries {
            self.disk.write(None, self.clock, entry);
        }
        self.hear(u64::MAX);
    }

    /// Somebody who is restrained there, or whoever: comes back, speaks, or takes another name.
    fn somebody_is_restless(&mut self, room: RoomId) {
        let record = &self.book.rooms[&room];
        let found = record.moderation.iter();
        let restrained = found.flat_map(|found| found.banned.iter().chain(found.muted.keys()));
        let restrained: Vec<AccountId> =
            restrained.chain(self.book.muted.keys()).copied().collect();
        let caller = match self.dice.pick(&restrained) {
            Some(account) => self.caller_of(account),
            None => self.caller(),
        };
        match self.dice.below(4) {
            0 => {
                let access = self.access(&RoomRef::Id(room));
                self.asks(caller, |_| call::Enter { room, access });
            }
            1 => self.comes_as_a_guest(caller),
            2 => self.sits(RoomRef::Id(room), caller),
            _ => self.asks(caller, |it| {
                let text = format!("text {}", it.number()).into();
                call::Act(Action::Send { room, text, client_id: None, reply_to: None })
            }),
        }
    }

    /// Who is restrained and about to take another name.
    pub(super) fn to_take_along(&self, command: &Command) -> Option<AccountId> {
        let Command::Call { caller: Caller::Perhaps(key), call: Call::BeGuest(_), .. } = command
        else {
            return None;
        };
        let account = self.book.sessions.get(&self.live_session(key)?)?.account;
        let stands = |until: &Time| self.clock < *until;
        let here = |record: &RoomRecord| {
            record.has_banned(account) || record.muted(account).is_some_and(|until| stands(&until))
        };
        let restrained =
            self.book.muted.get(&account).is_some_and(stands) || self.book.rooms.values().any(here);
        restrained.then_some(account)
    }

    /// Nobody gets rid of mutes and bans by another name.
    pub(super) fn takes_along(from: AccountId, effects: &[Effect]) {
        let proposed = || {
            effects.iter().filter_map(|effect| match effect {
                Effect::Propose { entry, .. } => Some(entry),
                _ => None,
            })
        };
        let mut made = proposed().filter_map(|entry| match entry {
            Entry::AccountMade { account, .. } => Some(*account),
            _ => None,
        });
        if let Some(to) = made.next() {
            let along = |entry: &Entry| *entry == Entry::MutesMoved { from, to };
            assert!(proposed().any(along), "{from:?} is free as {to:?}");
        }
    }

    /// Mostly somebody in charge of the room, mostly about a member.
    pub(super) fn somebody_moderates(&mut self) {
        let room = self.some_room();
        if self.dice.one_in(3) {
            return self.somebody_is_restless(room);
        }
        let caller = self.somebody_in_charge_of(room);
        let reason = self.dice.one_in(3).then(|| Reason::new("because")).flatten();
        let name: Box<str> = self.somebody_of(room).as_str().into();
        let (on, secs) = (!self.dice.one_in(3), 1 + self.dice.below(90));
        let call: Call = match self.dice.below(14) {
            0..=1 => call::ChangeModerator { room, name, on, reason }.into(),
            2..=4 => {
                let secs = Some(secs).filter(|_| !self.dice.one_in(4));
                let room = Some(room).filter(|_| !self.dice.one_in(4));
                call::Mute { room, name, on, secs, reason }.into()
            }
            5..=6 => call::BanFromRoom { room, name, on, reason }.into(),
            7..=8 => {
                let change = self.some_rules();
                call::ChangeRules { room, change, reason }.into()
            }
            9 => call::Transfer { room, name, reason }.into(),
            10 => call::Moderation { room }.into(),
            11 => {
                let room = Some(room).filter(|_| !self.dice.one_in(4));
                call::Clear { room, name, secs, reason }.into()
            }
            12 => {
                let targets = (0..3).filter_map(|_| self.some_message(None)).collect();
                call::Erase { room: Some(room), name, targets }.into()
            }
            _ => call::Expel { room, name }.into(),
        };
        self.asks(caller, |_| call);
    }

    fn some_rules(&mut self) -> RulesChange {
        let slow = self.dice.pick(&[0, 0, 1, 30]).expect("one of four");
        RulesChange {
            slow_secs: self.dice.one_in(2).then_some(slow),
            read_only: self.dice.one_in(3).then(|| self.dice.one_in(3)),
            locked: self.dice.one_in(3).then(|| self.dice.one_in(3)),
        }
    }

    /// The owner or a moderator, an administrator, or anybody.
    fn somebody_in_charge_of(&mut self, room: RoomId) -> Caller {
        let record = &self.book.rooms[&room];
        let moderators = record.moderation.iter().flat_map(|found| &found.moderators);
        let mut able: Vec<AccountId> = record.owner.iter().chain(moderators).copied().collect();
        let roles = self.book.accounts.values().filter(|account| account.role.is_some());
        able.extend(roles.map(|account| account.id).take(2));
        match self.dice.pick(&able) {
            Some(account) if !self.dice.one_in(5) => self.caller_of(account),
            _ => self.caller(),
        }
    }

    /// Mostly a member of the room.
    fn somebody_of(&mut self, room: RoomId) -> Name {
        let members = self.book.rooms[&room].members.iter();
        let known = members.filter_map(|member| self.book.accounts.get(&member.account));
        let names: Vec<Name> = known.map(|account| account.name.clone()).collect();
        let other = self.name();
        self.dice.pick(&names).filter(|_| !self.dice.one_in(5)).unwrap_or(other)
    }

    /// A deed of another proposer.
    pub(super) fn a_strangers_order(&mut self) -> Entry {
        let (room, account) = (self.some_room(), AccountId(1 + self.dice.below(6)));
        match self.dice.below(6) {
            0 => Entry::ModeratorChanged { room, account, on: self.dice.one_in(2) },
            1 => {
                let until = Time(self.clock.0 + self.dice.below(60_000_000).cast_signed());
                let until = if self.dice.one_in(3) { UNTIL_LIFTED } else { until };
                let room = Some(room).filter(|_| !self.dice.one_in(3));
                Entry::Muted { room, account, until }
            }
            2 => Entry::RoomBanChanged { room, account, on: self.dice.one_in(2) },
            3 => {
                let rules = Rules::default().after(self.some_rules());
                Entry::RulesChanged { room, rules }
            }
            4 => Entry::MutesMoved { from: account, to: AccountId(1 + self.dice.below(6)) },
            _ => Entry::OwnerChanged { room, owner: account },
        }
    }

    /// Whoever is banned from a room is put out there with the entry that says so, under whatever
    /// name.
    pub(super) fn somebody_is_banned(
        &mut self,
        room: RoomId,
        account: AccountId,
    ) -> Vec<SessionId> {
        let sessions = &self.book.sessions;
        self.world.unsubscribe(|_, one| {
            let by = one.session.and_then(|id| sessions.get(&id)).map(|session| session.account);
            one.room == room && one.account.or(by) == Some(account)
        })
    }

    /// Whom a call expels, if its caller may.
    pub(super) fn expels(
        &self,
        account: Option<AccountId>,
        call: &Call,
    ) -> Option<(RoomId, Box<str>)> {
        let Call::Expel(call::Expel { room, name }) = call else { return None };
        account.filter(|account| self.book.moderates(*account, *room))?;
        Some((*room, name.clone()))
    }

    /// Whoever is no member is expelled without an entry.
    pub(super) fn somebody_goes_at_once(&mut self, effect: &Effect) {
        let Effect::Unsubscribe { subscription, reason: Some(CloseReason::Expelled), .. } = effect
        else {
            return;
        };
        let Some((room, name)) = &self.expelling else { return };
        let of = self.book.accounts.values().find(|known| known.name.folded() == Folded::new(name));
        let of = of.map(|known| known.id);
        let there = of.is_some_and(|account| self.book.is_member(account, *room));
        let Some(one) = self.world.members.get_mut(subscription) else { return };
        if one.room == *room && one.account == of && !there && one.standing {
            one.standing = false;
            let session = one.session;
            self.used(session);
        }
    }

    /// In slow mode nobody speaks twice within the time.
    pub(super) fn speaks(&mut self, entry: &Entry) {
        let Entry::Said { room, author: Author { account: Some(account), .. }, .. } = entry else {
            return;
        };
        let Some(record) = self.book.rooms.get(room) else { return };
        let secs = record.rules().slow_secs;
        if secs == 0 || self.book.moderates(*account, *room) {
            return;
        }
        let before = self.spoken.insert((*room, *account), self.now);
        let again = before.map(|before| before.plus_secs(secs.into()));
        assert!(again.is_none_or(|again| again <= self.now), "too soon in slow mode: {entry:?}");
    }

    /// The log has not taken a message.
    pub(super) fn unsaid(&mut self, entry: &Entry) {
        if let Entry::Said { room, author: Author { account: Some(account), .. }, .. } = entry {
            self.spoken.remove(&(*room, *account));
        }
    }
}

impl Book {
    fn has_role(&self, account: AccountId, least: Role) -> bool {
        self.accounts.get(&account).and_then(|known| known.role) >= Some(least)
    }

    /// The room of a deed, if it has rules of its own.
    fn orderly(&self, room: &RoomId) -> Option<&RoomRecord> {
        self.rooms.get(room).filter(|room| room.between.is_none())
    }

    /// Whether an account may do in a room what its moderators may.
    pub fn moderates(&self, account: AccountId, room: RoomId) -> bool {
        let Some(record) = self.orderly(&room) else { return false };
        self.has_role(account, Role::Administrator)
            || record.owner == Some(account)
            || record.is_moderator(account)
    }

    /// Whether somebody in charge has the role for a deed.
    pub fn may(&self, entry: &Entry) -> bool {
        let Entry::Deed { by: Some(by), .. } = entry else { return true };
        let (room, owner_only) = match entry.needs() {
            Needs::Role(least) => return self.has_role(*by, least),
            Needs::Owner(room) => (room, true),
            Needs::Moderator(room) => (room, false),
        };
        let owns = self.orderly(&room).is_some_and(|record| record.owner == Some(*by));
        if owns || self.has_role(*by, Role::Administrator) {
            return true;
        }
        let slow_only = match entry.act() {
            Entry::RulesChanged { rules, .. } => self.orderly(&room).is_some_and(|record| {
                let before = record.rules();
                Rules { slow_secs: before.slow_secs, ..*rules } == before
            }),
            _ => true,
        };
        !owner_only && slow_only && self.moderates(*by, room)
    }

    /// Why an author may not speak in a room at that time.
    pub fn silenced(&self, time: Time, entry: &Entry) -> Option<Refusal> {
        let (Entry::Said { room, author: by, .. }
        | Entry::Edited { room, by, .. }
        | Entry::Reacted { room, by, .. }) = entry
        else {
            return None;
        };
        let standing = |until: &Time| time < *until;
        let everywhere = by.account.and_then(|account| self.muted.get(&account)).copied();
        let ranked = by.account.is_some_and(|account| self.has_role(account, Role::Administrator));
        if let Some(until) = everywhere.filter(standing).filter(|_| !ranked) {
            return Some(Refusal::Muted { until, everywhere: true });
        }
        if by.account.is_some_and(|account| self.moderates(account, *room)) {
            return None;
        }
        let record = self.orderly(room)?;
        match by.account.and_then(|account| record.muted(account)).filter(standing) {
            Some(until) => Some(Refusal::Muted { until, everywhere: false }),
            None => record.rules().read_only.then_some(Refusal::ReadOnly),
        }
    }

    /// Whether somebody who is about to come into a room may: neither banned, nor new while it is
    /// locked.
    pub fn lets_enter(&self, entry: &Entry) -> bool {
        let Entry::MemberChanged { room, account, member: true, .. } = entry.act() else {
            return true;
        };
        let Some(record) = self.orderly(room) else { return true };
        let locked = record.rules().locked && record.owner != Some(*account);
        !record.has_banned(*account) && !locked
    }

    pub fn order_fits(&self, entry: &Entry) -> bool {
        let registered =
            |account| self.accounts.get(account).is_some_and(|known| known.key.is_some());
        match entry {
            Entry::ModeratorChanged { room, account, on } => {
                let able = registered(account) && self.is_member(*account, *room);
                let changes = |record: &RoomRecord| record.is_moderator(*account) != *on;
                (able || !on) && self.orderly(room).is_some_and(changes)
            }
            Entry::Muted { room, account, .. } => {
                self.accounts.contains_key(account)
                    && room.is_none_or(|room| self.orderly(&room).is_some())
            }
            Entry::RoomBanChanged { room, account, on } => {
                let may = |record: &RoomRecord| !(*on && record.owner == Some(*account));
                self.accounts.contains_key(account) && self.orderly(room).is_some_and(may)
            }
            Entry::RulesChanged { room, .. } => self.orderly(room).is_some(),
            Entry::OwnerChanged { room, owner } => {
                *room != LOBBY
                    && self.orderly(room).is_some()
                    && registered(owner)
                    && self.is_member(*owner, *room)
            }
            Entry::MutesMoved { from, to } => {
                from != to && self.accounts.contains_key(from) && self.accounts.contains_key(to)
            }
            _ => unreachable!("no entry about order"),
        }
    }

    pub fn order(&mut self, seq: Seq, time: Time, entry: &Entry) {
        let room = |book: &'_ mut Book, id: &RoomId, change: &dyn Fn(&mut RoomRecord)| {
            change(book.rooms.get_mut(id).expect("the entry fits"));
        };
        match entry {
            Entry::ModeratorChanged { room: id, account, on } => {
                self.standings.insert(seq);
                room(self, id, &|record| {
                    record.moderate(|found| {
                        found.moderators.remove(account);
                        found.moderators.extend(on.then_some(*account));
                    });
                });
            }
            Entry::Muted { room: Some(id), account, until } => {
                self.standings.insert(seq);
                room(self, id, &|record| {
                    record.moderate(|found| {
                        found.muted.insert(*account, *until);
                        found.muted.retain(|_, until| time < *until);
                    });
                });
            }
            Entry::Muted { room: None, account, until } => {
                self.muted.insert(*account, *until);
                self.muted.retain(|_, until| time < *until);
            }
            Entry::RoomBanChanged { room: id, account, on } => room(self, id, &|record| {
                record.moderate(|found| {
                    found.banned.remove(account);
                    found.banned.extend(on.then_some(*account));
                });
            }),
            Entry::RulesChanged { room: id, rules } => room(self, id, &|record| {
                record.moderate(|found| found.rules = *rules);
                record.updated = time;
            }),
            Entry::OwnerChanged { room: id, owner } => room(self, id, &|record| {
                (record.owner, record.updated, record.orphaned) = (Some(*owner), time, false);
            }),
            Entry::MutesMoved { from, to } => {
                let until = self.muted.get(from).copied();
                self.muted.extend(until.map(|until| (*to, until)));
                for record in self.rooms.values_mut() {
                    let (until, banned) = (record.muted(*from), record.has_banned(*from));
                    record.moderate(|found| {
                        found.muted.extend(until.map(|until| (*to, until)));
                        found.banned.extend(banned.then_some(*to));
                    });
                }
            }
            _ => {} // Invitations and lost keys: see `invited`.
        }
    }

    pub fn forget_restrained(&mut self, account: AccountId) {
        self.muted.remove(&account);
        let deleted = self.deleted.values_mut().map(|deleted| &mut deleted.room);
        for record in self.rooms.values_mut().chain(deleted) {
            record.forget_gone(|one| one != account);
        }
    }
}
