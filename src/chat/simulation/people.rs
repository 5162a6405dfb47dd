//! People's actions: anything, in any order, mostly with existing names and keys.

use crate::chat::simulation::Simulation;
use crate::chat::simulation::book::Book;
use crate::chat::simulation::clients::Client;
use crate::chat::simulation::in_charge::VOUCHED;
use crate::chat::simulation::picture::Follows;
use crate::chat::simulation::world::{Asked, Hearing, Member, View};
use crate::chat::{
    Access, AccountId, Action, Call, CallId, Caller, ClientEvent, ClientId, Command, Emoji, Entry,
    LOBBY, NameClaim, Place, ProtocolId, Refusal, RoomId, RoomRecord, RoomRef, Seq, SessionId,
    Source, StreamEvent, SubscriptionId, call,
};
use crate::crypto::KeyHash;
use crate::time::Time;

/// The verified caller.
pub struct Shown {
    session: Option<SessionId>,
    account: Option<AccountId>,
    /// The caller's key is invalid, and the call needs a valid one.
    refused: Option<Refusal>,
}

impl Simulation {
    pub(super) fn somebody_acts(&mut self) {
        if self.orderly && self.dice.one_in(5) {
            return self.somebody_moderates();
        }
        match self.dice.below(64) {
            0..=1 => self.somebody_has_to_do_with_a_code(),
            2..=15 => self.somebody_tells(),
            16..=24 => self.somebody_sits(),
            30..=31 => self.asks(Caller::Nobody, |it| {
                let name = it.name();
                call::Register { name: name.as_str().into(), key: it.key(), invitation: None }
            }),
            32 if self.dice.one_in(2) => self.asks(Caller::Nobody, |it| {
                let (name, mut key) = (it.name(), it.key());
                key[31] = VOUCHED;
                // A person's session always has the same key.
                let mut session = [255; 32];
                let bytes = name.as_str().as_bytes();
                session[..bytes.len()].copy_from_slice(bytes);
                it.session_keys.push(session);
                let name = name.as_str().into();
                match it.dice.one_in(3) {
                    true => Call::from(call::Introduce { name, key }),
                    false => call::Vouch { name, session, agent: "a proxy".into() }.into(),
                }
            }),
            32..=34 => self.asks(Caller::Nobody, |it| {
                let keys: Vec<KeyHash> =
                    it.book.accounts.values().filter_map(|account| account.key).collect();
                let session = it.key();
                it.session_keys.push(session);
                let key = it.dice.pick(&keys).unwrap_or(session);
                let (remember, agent) = (it.dice.one_in(6), "a client".into());
                call::Login { key, session, remember, agent }
            }),
            35 => self.somebody_asks(|_| call::Logout),
            36 if self.dice.one_in(2) => self.somebody_blocks(),
            36 => self.somebody_asks(|it| {
                let name = it.name();
                call::Person { name: name.as_str().into() }
            }),
            37 => self.somebody_rules(),
            25..=29 => self.somebody_leaves(),
            38 => self.somebody_asks(|it| {
                let room = it.room();
                let access = it.access(&room);
                call::Room { room, access }
            }),
            39 => self.somebody_asks(|it| {
                let (room, name) = (it.room(), it.dice.one_in(2).then(|| it.name()));
                let access = it.access(&room);
                call::PasswordState { room, name, access }
            }),
            40..=42 => self.somebody_asks(|it| {
                let (settings, chance) = (it.room_settings(), it.dice.below(u64::MAX));
                call::MakeRoom { settings, chance }
            }),
            43..=45 => self.somebody_asks(|it| {
                let room = it.room();
                let (access, change) = (it.access(&room), it.change());
                let chance = it.dice.below(u64::MAX);
                call::ChangeRoom { room, access, change, chance }
            }),
            46 => self.somebody_asks(|it| {
                let room = it.room();
                let access = it.access(&room);
                call::RemoveRoom { room, access }
            }),
            62 if self.dice.one_in(2) => self.somebody_restores(),
            47 => self.somebody_asks(|it| call::Rooms {
                mine: it.dice.one_in(2),
                after: RoomId(it.dice.below(4)),
            }),
            48..=51 => self.somebody_follows(),
            52..=56 => self.somebody_streams(),
            57 => self.somebody_comes(),
            58 => self.somebody_asks(|it| {
                let room = it.some_room();
                let access = it.access(&RoomRef::Id(room));
                call::Enter { room, access }
            }),
            59 => self.somebody_goes(),
            60 => self.somebody_asks(|it| {
                let (name, chance) = (it.name().as_str().into(), it.dice.below(u64::MAX));
                call::Direct { name, chance }
            }),
            61 => self.somebody_asks(|it| call::Act(it.action(None))),
            62 => self.somebody_asks(|it| call::Read { room: it.some_room(), seq: it.some_seq() }),
            _ if self.dice.one_in(4) => self.somebody_is_put_out(),
            _ if self.dice.one_in(4) => self.somebody_blocks(),
            _ => self.somebody_asks::<Call>(|it| match it.dice.below(9) {
                8 => call::Policy.into(),
                7 => call::Me.into(),
                6 => call::GiveUp.into(),
                5 => call::ChangeKey { key: it.key() }.into(),
                4 => call::Readable { after: RoomId(0) }.into(),
                0 => call::Members { room: it.some_room(), after: Place::Present(0) }.into(),
                1 => call::Sessions.into(),
                2 => call::EndSession { session: SessionId(it.dice.below(9)) }.into(),
                _ => call::View { room: it.some_room() }.into(),
            }),
        }
    }

    /// As a guest, perhaps under another name than before.
    fn somebody_comes(&mut self) {
        let caller = self.caller();
        self.comes_as_a_guest(caller);
    }

    pub(super) fn comes_as_a_guest(&mut self, caller: Caller) {
        let before = match caller {
            Caller::Session(key) => Caller::Perhaps(key),
            _ => Caller::Nobody,
        };
        self.asks(before, |it| {
            let session = it.key();
            it.session_keys.push(session);
            let (name, color) = (it.name().as_str().into(), it.color());
            let (remember, agent) = (it.dice.one_in(6), "".into());
            call::BeGuest { name, color, session, remember, agent }
        });
    }

    /// Mostly a room of the caller.
    fn somebody_restores(&mut self) {
        let deleted: Vec<(RoomId, Option<AccountId>)> = self
            .book
            .deleted
            .values()
            .map(|deleted| (deleted.room.id, deleted.room.owner))
            .collect();
        let (room, owner) = self.dice.pick(&deleted).unwrap_or((self.some_room(), None));
        let caller = match owner.filter(|_| !self.dice.one_in(4)) {
            Some(owner) => self.caller_of(owner),
            None => self.caller(),
        };
        let title = self.dice.one_in(2).then(|| self.room_settings().title);
        let list = self.dice.one_in(4);
        self.asks(caller, |_| {
            if list { Call::from(call::Deleted) } else { call::RestoreRoom { room, title }.into() }
        });
    }

    pub(super) fn some_room(&mut self) -> RoomId {
        if let Some(room) = self.the_stage() {
            return room;
        }
        let rooms: Vec<RoomId> = self.book.rooms.keys().copied().collect();
        self.dice.pick(&rooms).expect("the lobby")
    }

    pub(super) fn some_seq(&mut self) -> Seq {
        Seq(1 + self.dice.below(self.disk.log.len() as u64 + 1))
    }

    /// A message, mostly the caller's own.
    pub(super) fn some_message(&mut self, by: Option<AccountId>) -> Option<(RoomId, Seq)> {
        let said = |(index, (_, entry)): (usize, &(Time, Entry))| match entry {
            Entry::Said { room, author, .. } if by.is_none() || author.account == by => {
                Some((*room, Seq(index as u64 + 1)))
            }
            _ => None,
        };
        let all: Vec<(RoomId, Seq)> = self.disk.log.iter().enumerate().filter_map(said).collect();
        let recent = all.len().saturating_sub(3);
        self.dice.pick(&all[recent..])
    }

    /// An action of an account on messages, mostly an allowed one.
    fn action(&mut self, by: Option<AccountId>) -> Action {
        let own = if self.dice.one_in(4) { None } else { by };
        let any = (self.some_room(), self.some_seq());
        let (room, target) =
            self.some_message(own).filter(|_| !any.1.0.is_multiple_of(8)).unwrap_or(any);
        match self.dice.below(10) {
            0..=1 => {
                let text = format!("other words {}", self.number()).into();
                Action::Edit { room, target, text }
            }
            2..=3 => Action::Delete { room, target },
            4 => {
                let emoji = Emoji::new("👍").expect("a reaction");
                Action::React { room, target, emoji, on: self.dice.below(3) > 0 }
            }
            _ => {
                // Few ids and texts, so that they repeat, equal or not.
                let id = self.dice.below(12);
                let client_id = ClientId::new(&format!("id{id}")).filter(|_| id < 9);
                let text = format!("words {id} {}", self.dice.below(8) / 7).into();
                let room = if self.dice.one_in(2) { LOBBY } else { self.some_room_of(by) };
                let reply_to = (id % 4 == 3).then_some(target);
                Action::Send { room, text, client_id, reply_to }
            }
        }
    }

    /// Mostly a room of the caller; also one for two that the caller has left.
    fn some_room_of(&mut self, account: Option<AccountId>) -> RoomId {
        let two =
            |room: &RoomRecord, account| room.between.is_some_and(|two| two.contains(&account));
        let own = |room: &&RoomRecord| {
            account
                .is_some_and(|account| self.book.is_member(account, room.id) || two(room, account))
        };
        let rooms: Vec<RoomId> = self.book.rooms.values().filter(own).map(|room| room.id).collect();
        let usual = self.some_room();
        self.dice.pick(&rooms).filter(|_| !self.dice.one_in(8)).unwrap_or(usual)
    }

    /// A client begins to follow, or continues; or a second client follows from where another
    /// began.
    fn somebody_follows(&mut self) {
        let away: Vec<usize> = self
            .clients
            .0
            .iter()
            .enumerate()
            .filter(|(_, client)| client.is_away())
            .map(|(index, _)| index)
            .collect();
        let follows = |client: &Client| (client.follows.clone(), client.start);
        let all: Vec<(Follows, Seq)> = self.clients.0.iter().map(follows).collect();
        let (again, like) = match self.dice.below(8) {
            0..=3 => (self.dice.pick(&away), None),
            4..=5 => (None, self.dice.pick(&all)),
            _ => (None, None),
        };
        let known = again.map(|index| all[index].clone()).or(like.clone());
        let base = SubscriptionId(self.number() * 65_536);
        let only = match &known {
            Some((follows, _)) => follows.only.clone(),
            None => self.dice.one_in(4).then(|| vec![LOBBY, self.some_room()]),
        };
        let caller = match &known {
            Some((follows, _)) => self.caller_of(follows.account),
            None => self.caller(),
        };
        let caller = match caller {
            Caller::Perhaps(key) => Caller::Session(key),
            other => other,
        };
        let call: Call =
            call::OpenStream { subscription: base, protocol: ProtocolId(2), only: only.clone() }
                .into();
        let shown = self.judge(&caller, &call);
        let Shown { session, account, .. } = shown;
        if let Some(account) = account {
            let standing = !self.world.closed;
            self.world.streams.insert(base, View::new(account, session, only.clone(), standing));
        }
        self.ask(caller, call, shown);
        let Some(account) = account.filter(|_| self.world.streams.contains_key(&base)) else {
            return;
        };
        if let Some(index) = again {
            return self.clients.0[index].connect(base);
        }
        let start = like.map_or(Seq(self.disk.log.len() as u64), |(_, start)| start);
        let mut client = Client::new(Follows { account, only }, start);
        client.connect(base);
        self.clients.0.push(client);
    }

    /// A given account, by any of its keys.
    pub(super) fn caller_of(&mut self, account: AccountId) -> Caller {
        let own = self.book.sessions.values().filter(|session| session.account == account);
        let mut callers: Vec<Caller> = own.map(|session| Caller::Session(session.key)).collect();
        let key = self.book.accounts.get(&account).and_then(|known| known.key);
        callers.extend(key.map(Caller::Key));
        self.dice.pick(&callers).unwrap_or(Caller::Nobody)
    }

    fn somebody_streams(&mut self) {
        let there = self.world.streams.iter().filter(|(_, stream)| !stream.left);
        let there: Vec<SubscriptionId> = there.map(|(base, _)| *base).collect();
        let Some(subscription) = self.dice.pick(&there) else { return };
        let account = self.world.streams[&subscription].account;
        let event = match self.dice.below(8) {
            0 => return self.give(Command::Leave { subscription }),
            1 => ClientEvent::Stream(StreamEvent::Typing { room: self.some_room() }),
            2 => ClientEvent::Stream(StreamEvent::Read {
                room: self.some_room(),
                seq: self.some_seq(),
            }),
            3 => ClientEvent::garbled(Refusal::MessageTooLong),
            _ => ClientEvent::Stream(StreamEvent::Act {
                action: self.action(Some(account)),
                mark: None,
            }),
        };
        self.give(Command::ClientEvent { subscription, event });
    }

    pub(super) fn caller(&mut self) -> Caller {
        // Mostly a live session; sometimes any, sometimes an unknown key.
        let standing: Vec<KeyHash> =
            self.book.sessions.values().map(|session| session.key).collect();
        let key = match self.dice.below(10) {
            0 => Some(self.key()),
            1 => self.dice.pick(&self.session_keys),
            _ => self.dice.pick(&standing),
        };
        if self.dice.one_in(12) {
            let keys = self.book.accounts.values().filter_map(|account| account.key);
            let keys: Vec<KeyHash> = keys.chain(key).collect();
            return self.dice.pick(&keys).map_or(Caller::Nobody, Caller::Key);
        }
        match (self.dice.below(5), key) {
            (0, _) | (_, None) => Caller::Nobody,
            (1, Some(key)) => Caller::Perhaps(key),
            (_, Some(key)) => Caller::Session(key),
        }
    }

    pub(super) fn somebody_asks<C: Into<Call>>(&mut self, make: impl FnOnce(&mut Simulation) -> C) {
        let caller = self.caller();
        self.asks(caller, make);
    }

    pub(super) fn asks<C: Into<Call>>(
        &mut self,
        caller: Caller,
        make: impl FnOnce(&mut Simulation) -> C,
    ) {
        let call = make(self).into();
        let shown = self.judge(&caller, &call);
        self.ask(caller, call, shown);
    }

    /// The verified caller, and whether the call must be refused for an invalid key.
    fn judge(&mut self, caller: &Caller, call: &Call) -> Shown {
        let of = |session: Option<SessionId>, book: &Book| {
            session.and_then(|id| book.sessions.get(&id)).map(|session| session.account)
        };
        let (session, account, needed) = match caller {
            Caller::Nobody | Caller::Operator => (None, None, None),
            Caller::Key(key) => {
                let mut all = self.book.accounts.values();
                let known = all.find(|known| known.key == Some(*key));
                match known {
                    Some(known) if known.banned => (None, None, Some(Refusal::Banned)),
                    known => (None, known.map(|known| known.id), Some(Refusal::UnknownKey)),
                }
            }
            Caller::Session(key) => {
                let session = self.live_session(key);
                (session, of(session, &self.book), Some(Refusal::Unauthenticated))
            }
            Caller::Perhaps(key) => {
                let session = self.live_session(key);
                (session, of(session, &self.book), None)
            }
        };
        self.used(session);
        let refused = needed.filter(|_| account.is_none() && *call != Call::Logout(call::Logout));
        Shown { session, account, refused }
    }

    fn ask(&mut self, caller: Caller, call: Call, shown: Shown) {
        let ask = CallId(self.number());
        let Shown { session, account, refused } = shown;
        let sources = [Source::Local, Source::Unknown, Source::of(self.an_address())];
        let source = self.dice.pick(&sources).expect("one of three");
        let out = self.is_shut_out(source, account);
        let refused = if out { Some(Refusal::Banned) } else { refused };
        match &call {
            Call::Subscribe(call::Subscribe { subscription, .. }) => {
                let member = self.world.members.get_mut(subscription);
                member.expect("a connection that asks").source = source;
            }
            Call::OpenStream(call::OpenStream { subscription, .. }) => {
                if let Some(stream) = self.world.streams.get_mut(subscription) {
                    stream.source = source;
                }
            }
            _ => {}
        }
        self.expelling = self.expels(account, &call);
        let opens = match &call {
            Call::Room(call::Room { room, access }) => self.opens(room, *access),
            _ => false,
        };
        self.world.asks.insert(ask, Asked { call: call.clone(), session, account, refused, opens });
        self.give(Command::Call { id: ask, source, caller, call });
    }

    /// Whether this access opens a room. (A session in use does not expire.)
    fn opens(&self, room: &RoomRef, access: Access) -> bool {
        let alive = access.session().is_none_or(|key| self.live_session(&key).is_some());
        let fits = |room| self.book.opens(room, access);
        alive && self.book.find(room).is_some_and(fits)
    }

    fn somebody_sits(&mut self) {
        let (room, caller) = (self.room(), self.caller());
        self.sits(room, caller);
    }

    pub(super) fn sits(&mut self, room: RoomRef, caller: Caller) {
        let subscription = SubscriptionId(self.number());
        let protocol = ProtocolId(u8::try_from(self.dice.below(3)).expect("a protocol"));
        let enter = self.dice.one_in(3);
        let access = self.access(&room);
        let claim = (self.dice.one_in(4) || access.session().is_some()).then(|| {
            let granted = Time(self.clock.0 - self.dice.below(60_000_000).cast_signed());
            let first = Time(self.number().cast_signed());
            NameClaim { name: self.name(), granted, first }
        });
        let call: Call = call::Subscribe {
            subscription,
            protocol,
            room: room.clone(),
            access,
            claim: claim.clone(),
            enter,
        }
        .into();
        let shown = self.judge(&caller, &call);
        let (session, who) = (shown.session, shown.account);
        let held = access.session().and_then(|key| self.live_session(&key));
        let opens = self.opens(&room, access);
        let token = matches!(access, Access::Token { .. });
        let (claim, held) = (claim.filter(|_| opens || !token), held.filter(|_| opens));
        let name_of = |account: AccountId| Some(self.book.accounts.get(&account)?.name.clone());
        let (account, name) = match claim {
            None => (who, who.and_then(name_of)),
            Some(claim) => {
                (self.book.account_named(&claim.name).map(|account| account.id), Some(claim.name))
            }
        };
        let name = name.or_else(|| Some(self.name()));
        let room = self.book.find(&room).map_or(RoomId(0), |room| room.id);
        let session = held.or(session.filter(|_| account.is_some() && who == account));
        let (standing, left, hearing) = (false, false, Hearing::NotYet);
        let tells = Default::default();
        let source = Source::Local; // Chosen when it asks.
        let member = Member {
            source,
            protocol,
            room,
            account,
            session,
            name,
            opens,
            standing,
            hearing,
            left,
            tells,
        };
        self.world.members.insert(subscription, member);
        self.ask(caller, call, shown);
    }
}
