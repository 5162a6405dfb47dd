//! Asks: each is answered exactly once, at once or when the log has what it takes.

use crate::chat::charge::Origin;
use crate::chat::people::NewSession;
use crate::chat::room::{Room, RoomRecord};
use crate::chat::types::{AccountId, Name, RoomId, RoomRef, Seq, SessionId, Visibility};
use crate::chat::vocabulary::{
    Access, Answer, Ask, Caller, Claim, Effect, Entry, Lock, Refusal, RoomChange, RoomFacts, Space,
};
use crate::chat::{AskId, Chat, Held, Purpose, Source};
use crate::crypto::KeyHash;
use crate::limits::{ROOMS_MAX, ROOMS_PER_ACCOUNT_MAX};

/// Who asks, once the core has looked.
pub(super) type Identity = Option<Who>;

/// Somebody who could prove it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who {
    pub account: AccountId,
    /// `None`: it was shown by the account's own key.
    pub session: Option<SessionId>,
}

impl Chat {
    pub(super) fn ask(&mut self, ask: AskId, source: Source, caller: Caller, what: Ask) {
        let identified = self.identify(caller);
        let account = identified.ok().flatten().map(|who| who.account);
        self.origin = Origin { source, account, seat: None };
        if let Err(refusal) = self.charge_ask(&what) {
            return self.answer(ask, Err(refusal));
        }
        match identified {
            Ok(who) => self.ask_as(ask, who, what),
            // One whose session has ended is logged out already.
            Err(_) if what == Ask::Logout => self.ask_as(ask, None, what),
            Err(refusal) => self.answer(ask, Err(refusal)),
        }
    }

    fn ask_as(&mut self, ask: AskId, who: Identity, what: Ask) {
        if self.must_wait(who, &what) {
            let origin = self.origin;
            self.held.push(Held { ask, origin, who, what });
            return;
        }
        // `Ok(None)`: the answer comes with the entry that was proposed.
        let outcome = match what {
            Ask::Register { name, key } => self.register(ask, &name, key).map(|()| None),
            Ask::Login { key, session, remember, agent } => {
                let session = NewSession { key: session, remember, agent };
                self.login(ask, &key, session).map(|()| None)
            }
            Ask::BeGuest { name, color, session, remember, agent } => {
                let session = NewSession { key: session, remember, agent };
                self.be_guest(ask, &name, color, session).map(|()| None)
            }
            Ask::Sessions => self.sessions(who).map(Some),
            Ask::EndSession { session } => self.end_own_session(ask, who, session).map(|()| None),
            Ask::Logout => self.logout(ask, who),
            Ask::Me => self.me(who).map(Some),
            Ask::Person { name } => self.person(who, &name).map(Some),
            Ask::Present { room, after } => self.present(who, room, after).map(Some),
            Ask::Rooms { mine, after } => Ok(Some(self.list_rooms(who, mine, after))),
            Ask::Marks { after } => self.marks(who, after).map(Some),
            Ask::Room { room } => self.rooms.find(&room).map(|room| {
                let asker = who.map(|who| who.account);
                Some(Answer::Room(Box::new(self.info_with_people(room, asker))))
            }),
            Ask::View { room } => self.view(who, room).map(Some),
            Ask::KnownKey { keys } => Ok(Some(self.known_key(&keys))),
            Ask::Heard => Ok(Some(Answer::Heard(self.last))),
            Ask::Guess { room } => self.guess(&room).map(|()| Some(Answer::Done)),
            Ask::Guessed { room } => {
                self.guessed(&room);
                Ok(Some(Answer::Done))
            }
            Ask::Search => Ok(Some(Answer::Done)),
            Ask::Space if self.space == Space::Least => Err(Refusal::NoSpace),
            Ask::Space => Ok(Some(Answer::Done)),
            Ask::Readable { after } => Ok(Some(self.readable(who, after))),
            Ask::Direct { name } => self.direct(ask, who, &name),
            Ask::Enter { room, access } => self.enter_room(ask, who, room, access),
            Ask::Exit { room } => self.exit_room(ask, who, room),
            Ask::Members { room, after } => self.members(who, room, after).map(Some),
            Ask::Act(action) => self.act(ask, who, action).map(|()| None),
            Ask::Read { room, seq } => self.read(who, room, seq).map(Some),
            Ask::Follow { seat, door, only } => self.follow(seat, door, only, who).map(Some),
            Ask::Lock { room, name } => self.lock(who, &room, name).map(Some),
            Ask::MayChange { room, access } => self.rooms.find(&room).and_then(|room| {
                room.may_change(who.map(|who| who.account), access)?;
                Ok(Some(Answer::Done))
            }),
            Ask::Renew { room, claim } => self.renew(who, &room, claim).map(Some),
            Ask::MakeRoom { facts } => self.make_room(ask, who, facts).map(|()| None),
            Ask::ChangeRoom { room, access, change } => {
                self.change_room(ask, who, &room, access, change).map(|()| None)
            }
            Ask::RemoveRoom { room, access } => {
                self.remove_room(ask, who, &room, access).map(|()| None)
            }
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

    /// Whether a change of the same thing is still in flight: a second change must see the first.
    fn must_wait(&self, who: Identity, what: &Ask) -> bool {
        match what {
            Ask::ChangeRoom { room, .. } | Ask::RemoveRoom { room, .. } => {
                self.rooms.find(room).is_ok_and(|room| room.changing)
            }
            Ask::Enter { room, .. } | Ask::Exit { room } => {
                let room = self.rooms.get(*room);
                room.zip(who).is_some_and(|(room, who)| room.moving.contains(&who.account))
            }
            Ask::Direct { name } => {
                self.pair(who, name).is_ok_and(|between| self.rooms.is_pairing(between))
            }
            _ => false,
        }
    }

    /// A change of a room is over: those who waited for that ask again, each as who they were when
    /// they asked, but for whom has logged out since.
    pub(super) fn ask_held(&mut self) {
        for Held { ask, origin, who, what } in std::mem::take(&mut self.held) {
            self.origin = origin;
            let who = who.filter(|who| match who.session {
                Some(session) => self.accounts.session(session).is_some(),
                None => self.accounts.get(who.account).is_some(),
            });
            self.ask_as(ask, who, what);
        }
    }

    fn known_key(&self, keys: &[KeyHash]) -> Answer {
        let is_known = |key: &&KeyHash| self.accounts.session_by_key(key, self.running).is_some();
        Answer::KnownKey(keys.iter().find(is_known).copied())
    }

    fn identify(&mut self, caller: Caller) -> Result<Identity, Refusal> {
        let (key, needed) = match caller {
            Caller::Nobody => return Ok(None),
            Caller::Key(key) => {
                let known = self.accounts.by_key(&key).ok_or(Refusal::UnknownKey)?;
                return Ok(Some(Who { account: known.account.id, session: None }));
            }
            Caller::Session(key) => (key, true),
            Caller::Perhaps(key) => (key, false),
        };
        let Some(session) = self.accounts.session_by_key(&key, self.running) else {
            return if needed { Err(Refusal::Unauthenticated) } else { Ok(None) };
        };
        self.use_session(session);
        let live = self.accounts.session(session);
        Ok(live.map(|live| Who { account: live.account, session: Some(session) }))
    }

    /// Notes that a session was used just now.
    pub(super) fn use_session(&mut self, session: SessionId) {
        if self.accounts.touch(session, self.moment()) {
            self.effects.push(Effect::Touch { used: vec![(session, self.now)] });
        }
    }

    /// Who is present. Of a room for two only the two may know.
    fn present(&self, who: Identity, room: RoomId, after: u64) -> Result<Answer, Refusal> {
        let room = self.rooms.get(room).ok_or(Refusal::RoomNotFound)?;
        let inside = who.is_some_and(|who| room.members.contains_key(&who.account));
        let shown = inside || !room.is_direct();
        let (present, next) = room.present(after);
        if shown { Ok(Answer::Present { present, next }) } else { Err(Refusal::RoomNotFound) }
    }

    fn read(&mut self, who: Identity, room: RoomId, seq: Seq) -> Result<Answer, Refusal> {
        let account = who.ok_or(Refusal::Unauthenticated)?.account;
        self.mark_read(account, room, seq).map(Answer::Read)
    }

    fn lock(&self, who: Identity, room: &RoomRef, name: Option<Name>) -> Result<Answer, Refusal> {
        let room = self.rooms.find(room)?;
        let mut own = false;
        if let Some(name) = name {
            let folded = name.folded();
            let caller = who.map(|who| who.account);
            let owner = self.accounts.by_name(&folded).map(|known| known.account.id);
            let taken = self.accounts.is_taken(&folded);
            let anothers = if taken {
                owner.is_none() || owner != caller
            } else {
                self.accounts.is_alike(&name, false)
            };
            let holder = room.holder(&folded);
            let held = holder.is_some_and(|one| one.account.is_none() || one.account != caller);
            if anothers || held {
                return Err(Refusal::NameInUse);
            }
            own = owner.is_some_and(|owner| !self.is_guest(owner));
        }
        Ok(Answer::Lock(self.lock_of(room, own)))
    }

    fn renew(&self, who: Identity, room: &RoomRef, claim: Claim) -> Result<Answer, Refusal> {
        let author = self.claimed(Some(claim), who)?;
        let account = author.and_then(|author| author.account);
        let own = account.is_some_and(|account| !self.is_guest(account));
        Ok(Answer::Lock(self.lock_of(self.rooms.find(room)?, own)))
    }

    /// `own`: for a registered account that was found to have the name, and will for ever; so what
    /// it is granted may be dated a second later. And has to be: a token tells whole seconds, and
    /// in the very second of its registration an account would get one that is not younger.
    fn lock_of(&self, room: &Room, own: bool) -> Lock {
        let RoomRecord { id, generation, ref facts, .. } = room.record;
        let granted = self.now.plus_secs(u64::from(own));
        Lock { room: id, password: facts.password.clone(), generation, granted }
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
        let owner = who.map(|who| who.account);
        let known = owner.and_then(|owner| self.accounts.get(owner));
        if known.is_some_and(|one| one.rooms.len() + one.entering >= ROOMS_PER_ACCOUNT_MAX) {
            return Err(Refusal::Full); // Its maker will be a member of it.
        }
        let room = self.rooms.next();
        self.propose(Entry::RoomMade { room, owner, facts }, Purpose::Ask(ask, owner))?;
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
        let asker = who.map(|who| who.account);
        room.may_change(asker, access)?;
        let (facts, generation) = room.changed(change)?;
        let folded = facts.title.folded();
        let renamed = folded != room.record.facts.title.folded();
        if renamed && self.rooms.is_taken(&folded, Some(id)) {
            return Err(Refusal::TitleTaken);
        }
        self.propose(Entry::RoomChanged { room: id, facts, generation }, Purpose::Ask(ask, asker))?;
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
        let asker = who.map(|who| who.account);
        room.may_change(asker, access)?;
        self.propose(Entry::RoomGone { room: id }, Purpose::Ask(ask, asker))?;
        if let Some(room) = self.rooms.get_mut(id) {
            (room.changing, room.going) = (true, true);
        }
        Ok(())
    }
}
