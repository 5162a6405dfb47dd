//! Asks: each is answered exactly once, at once or when the log has what it takes.

use crate::chat::accounts::Known;
use crate::chat::types::{AccountId, Name, RoomRef, SessionId, Visibility};
use crate::chat::vocabulary::{
    Access, Answer, Ask, Caller, Effect, Entry, Lock, Person, Refusal, RoomChange, RoomFacts,
};
use crate::chat::{AskId, Chat, Purpose};
use crate::crypto::KeyHash;
use crate::limits::{ACCOUNTS_MAX, ROOMS_MAX, SESSIONS_PER_ACCOUNT_MAX};

/// Who asks, once the core has looked.
pub(super) type Identity = Option<(AccountId, SessionId)>;

impl Chat {
    pub(super) fn ask(&mut self, ask: AskId, caller: Caller, what: Ask) {
        let who = match self.identify(caller) {
            Ok(who) => who,
            // One whose session has ended is logged out already.
            Err(_) if what == Ask::Logout => None,
            Err(refusal) => return self.answer(ask, Err(refusal)),
        };
        self.ask_as(ask, who, what);
    }

    fn ask_as(&mut self, ask: AskId, who: Identity, what: Ask) {
        if self.must_wait(&what) {
            self.held.push((ask, who, what));
            return;
        }
        // `Ok(None)`: the answer comes with the entry that was proposed.
        let outcome = match what {
            Ask::Register { name, key } => self.register(ask, &name, key).map(|()| None),
            Ask::Login { key, session, .. } => self.login(ask, &key, session).map(|()| None),
            Ask::Logout => self.logout(ask, who),
            Ask::Me => self.me(who).map(Some),
            Ask::Person { name } => self.person(who, &name).map(Some),
            Ask::Present { room } => {
                let room = self.rooms.get(room).ok_or(Refusal::RoomNotFound);
                room.map(|room| Some(Answer::Present(room.present())))
            }
            Ask::Rooms { .. } => Ok(Some(Answer::Rooms(self.rooms.listed()))),
            Ask::Room { room } => {
                self.rooms.find(&room).map(|room| Some(Answer::Room(Box::new(room.info()))))
            }
            Ask::Lock { room, name } => self.lock(who, &room, name).map(Some),
            Ask::Renew { room, claim } => {
                self.claimed(Some(claim), who).and_then(|_| self.lock(who, &room, None)).map(Some)
            }
            Ask::MakeRoom { facts } => self.make_room(ask, who, facts).map(|()| None),
            Ask::ChangeRoom { room, access, change } => {
                self.change_room(ask, who, &room, access, change).map(|()| None)
            }
            Ask::RemoveRoom { room, access } => {
                self.remove_room(ask, who, &room, access).map(|()| None)
            }
            Ask::BeGuest { .. }
            | Ask::Sessions
            | Ask::EndSession { .. }
            | Ask::View { .. }
            | Ask::Readable
            | Ask::Direct { .. }
            | Ask::Enter { .. }
            | Ask::Exit { .. }
            | Ask::Members { .. }
            | Ask::Act(_)
            | Ask::Read { .. }
            | Ask::Follow { .. } => Err(Refusal::Unavailable),
            Ask::Sit { seat, door, room, access, claim, enter } => {
                self.sit(seat, door, &room, access, claim, enter, who).map(Some)
            }
        };
        match outcome {
            Ok(Some(answer)) => self.answer(ask, Ok(answer)),
            Ok(None) => {}
            Err(refusal) => self.answer(ask, Err(refusal)),
        }
    }

    /// Whether a change of the same room is still in flight: a second change must see the first.
    fn must_wait(&self, what: &Ask) -> bool {
        let (Ask::ChangeRoom { room, .. } | Ask::RemoveRoom { room, .. }) = what else {
            return false;
        };
        self.rooms.find(room).is_ok_and(|room| room.changing)
    }

    /// A change of a room is over: those who waited for that ask again, each as who they were when
    /// they asked, but for whom has logged out since.
    pub(super) fn ask_held(&mut self) {
        for (ask, who, what) in std::mem::take(&mut self.held) {
            let who = who.filter(|(_, session)| self.accounts.session(*session).is_some());
            self.ask_as(ask, who, what);
        }
    }

    fn identify(&mut self, caller: Caller) -> Result<Identity, Refusal> {
        let (key, needed) = match caller {
            Caller::Nobody | Caller::Key(_) => return Ok(None),
            Caller::Session(key) => (key, true),
            Caller::Perhaps(key) => (key, false),
        };
        let Some(session) = self.accounts.session_by_key(&key, self.now) else {
            return if needed { Err(Refusal::Unauthenticated) } else { Ok(None) };
        };
        self.use_session(session);
        Ok(self.accounts.session(session).map(|live| (live.account, session)))
    }

    /// Notes that a session was used just now.
    pub(super) fn use_session(&mut self, session: SessionId) {
        if self.accounts.touch(session, self.now) {
            self.effects.push(Effect::Touch { used: vec![(session, self.now)] });
        }
    }

    fn register(&mut self, ask: AskId, name: &str, key: KeyHash) -> Result<(), Refusal> {
        let name = Name::for_account(name).ok_or(Refusal::NameInvalid)?;
        let folded = name.folded();
        // A guest who uses the name now is not to wake up as somebody else.
        if self.accounts.is_taken(&folded) || self.rooms.any_guest(&folded) {
            return Err(Refusal::NameTaken);
        }
        if self.accounts.len() >= ACCOUNTS_MAX {
            return Err(Refusal::Full);
        }
        let account = self.accounts.next_account();
        let entry = Entry::AccountMade { account, name, key: Some(key), color: None };
        self.propose(entry, Purpose::Ask(ask))?;
        self.accounts.reserve(folded);
        Ok(())
    }

    fn login(&mut self, ask: AskId, key: &KeyHash, session: KeyHash) -> Result<(), Refusal> {
        let known = self.accounts.by_key(key).ok_or(Refusal::UnknownKey)?;
        let (account, beginning) = (known.account.id, known.beginning);
        let mut standing = self.longest_unused_first(known);
        let most = SESSIONS_PER_ACCOUNT_MAX.saturating_sub(beginning + 1);
        if beginning >= SESSIONS_PER_ACCOUNT_MAX {
            return Err(Refusal::Full); // All in flight: there is none that could make way.
        }
        standing.truncate(standing.len().saturating_sub(most));
        for session in standing {
            self.end_session(session, Purpose::Own)?;
        }
        let id = self.accounts.next_session();
        let entry = Entry::SessionBegun {
            session: id,
            account,
            key: session,
            remember: false,
            agent: "".into(),
        };
        self.propose(entry, Purpose::Ask(ask))?;
        if let Some(known) = self.accounts.get_mut(account) {
            known.beginning += 1;
        }
        Ok(())
    }

    /// The sessions of an account whose end is not yet proposed; those that hold a seat come last.
    fn longest_unused_first(&self, known: &Known) -> Vec<SessionId> {
        let sessions = known.sessions.iter();
        let live = sessions.filter_map(|id| Some((*id, self.accounts.session(*id)?)));
        let mut standing: Vec<_> = live.filter(|(_, live)| !live.ending).collect();
        standing.sort_by_key(|(_, live)| (live.seats > 0, live.last_used));
        standing.into_iter().map(|(id, _)| id).collect()
    }

    /// Proposes the end of a session.
    pub(super) fn end_session(
        &mut self,
        session: SessionId,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        self.propose(Entry::SessionEnded { session }, purpose)?;
        if let Some(live) = self.accounts.session_mut(session) {
            live.ending = true;
        }
        Ok(())
    }

    fn logout(&mut self, ask: AskId, who: Identity) -> Result<Option<Answer>, Refusal> {
        let Some((_, session)) = who else { return Ok(Some(Answer::Done)) };
        self.end_session(session, Purpose::Ask(ask))?;
        Ok(None)
    }

    fn me(&self, who: Identity) -> Result<Answer, Refusal> {
        let (account, _) = who.ok_or(Refusal::Unauthenticated)?;
        self.accounts.get(account).map(show).ok_or(Refusal::PersonNotFound)
    }

    fn person(&self, who: Identity, name: &str) -> Result<Answer, Refusal> {
        who.ok_or(Refusal::Unauthenticated)?;
        let name = Name::for_account(name).ok_or(Refusal::PersonNotFound)?;
        self.accounts.by_name(&name.folded()).map(show).ok_or(Refusal::PersonNotFound)
    }

    fn lock(&self, who: Identity, room: &RoomRef, name: Option<Name>) -> Result<Answer, Refusal> {
        let room = self.rooms.find(room)?;
        if let Some(name) = name {
            let folded = name.folded();
            let caller = who.map(|(account, _)| account);
            let owner = self.accounts.by_name(&folded).map(|known| known.account.id);
            let anothers = self.accounts.is_taken(&folded) && (owner.is_none() || owner != caller);
            let holder = room.holder(&folded);
            let held = holder.is_some_and(|one| one.account.is_none() || one.account != caller);
            if anothers || held {
                return Err(Refusal::NameInUse);
            }
        }
        let record = &room.record;
        let password = record.facts.password.clone();
        let (generation, granted) = (record.generation, self.now);
        Ok(Answer::Lock(Lock { room: record.id, password, generation, granted }))
    }

    fn make_room(&mut self, ask: AskId, who: Identity, facts: RoomFacts) -> Result<(), Refusal> {
        let folded = facts.title.folded();
        if self.rooms.is_taken(&folded, None) {
            return Err(Refusal::TitleTaken);
        }
        match (facts.visibility, &facts.password) {
            (Visibility::Public, Some(_)) => return Err(Refusal::PasswordForPublic),
            (Visibility::Private | Visibility::Hidden, None) => {
                return Err(Refusal::PasswordMissing);
            }
            _ => {}
        }
        if self.rooms.len() >= ROOMS_MAX {
            return Err(Refusal::Full);
        }
        let room = self.rooms.next();
        let owner = who.map(|(account, _)| account);
        self.propose(Entry::RoomMade { room, owner, facts }, Purpose::Ask(ask))?;
        self.rooms.reserve(folded);
        Ok(())
    }

    fn change_room(
        &mut self,
        ask: AskId,
        who: Identity,
        room: &RoomRef,
        access: Access,
        change: RoomChange,
    ) -> Result<(), Refusal> {
        let room = self.rooms.find(room)?;
        let id = room.record.id;
        room.may_change(who.map(|(account, _)| account), access)?;
        let (facts, generation) = room.changed(change)?;
        let folded = facts.title.folded();
        let renamed = folded != room.record.facts.title.folded();
        if self.rooms.is_taken(&folded, Some(id)) {
            return Err(Refusal::TitleTaken);
        }
        self.propose(Entry::RoomChanged { room: id, facts, generation }, Purpose::Ask(ask))?;
        if renamed {
            self.rooms.reserve(folded);
        }
        if let Some(room) = self.rooms.get_mut(id) {
            room.changing = true;
        }
        Ok(())
    }

    fn remove_room(
        &mut self,
        ask: AskId,
        who: Identity,
        room: &RoomRef,
        access: Access,
    ) -> Result<(), Refusal> {
        let room = self.rooms.find(room)?;
        let id = room.record.id;
        room.may_change(who.map(|(account, _)| account), access)?;
        self.propose(Entry::RoomGone { room: id }, Purpose::Ask(ask))?;
        if let Some(room) = self.rooms.get_mut(id) {
            (room.changing, room.going) = (true, true);
        }
        Ok(())
    }
}

fn show(known: &Known) -> Answer {
    let online = !known.seats.is_empty();
    let account = &known.account;
    Answer::Person(Person {
        name: account.name.clone(),
        guest: account.key.is_none(),
        online,
        created: account.created,
    })
}
