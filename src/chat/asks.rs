//! Asks: each is answered exactly once, at once or when the log has what it takes.

use crate::chat::accounts::Known;
use crate::chat::charge::Origin;
use crate::chat::people::NewSession;
use crate::chat::room::{Room, RoomRecord};
use crate::chat::types::{AccountId, Name, RoomId, RoomRef, Seq, SessionId, Title, Visibility};
use crate::chat::vocabulary::{
    Access, Answer, Ask, Caller, Claim, Effect, Entry, Lock, Refusal, RoomChange, RoomFacts, Space,
};
use crate::chat::work::{Awaited, Work};
use crate::chat::{AskId, Chat, Held, Purpose, Source};
use crate::crypto::KeyHash;
use crate::limits::{ROOMS_MAX, TOKEN_LIFE_SECS};

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
        let key = match caller {
            Caller::Key(key) => Some(key),
            _ => None,
        };
        let identified = self.identify(caller);
        let account = identified.ok().flatten().map(|who| who.account);
        self.origin = Origin { source, account, seat: None };
        if let Err(refusal) = self.charge_ask(&what) {
            return self.answer(ask, Err(refusal));
        }
        match identified {
            Ok(who) => self.ask_as(ask, who, key, what),
            // One whose session has ended is logged out already.
            Err(_) if what == Ask::Logout => self.ask_as(ask, None, key, what),
            Err(refusal) => self.answer(ask, Err(refusal)),
        }
    }

    fn ask_as(&mut self, ask: AskId, who: Identity, key: Option<KeyHash>, what: Ask) {
        if let Some(awaited) = self.awaits(who, &what)
            && self.must_wait(awaited)
        {
            let origin = self.origin;
            return self.held.add(awaited, Held { ask, origin, who, key, what });
        }
        self.ask_now(ask, who, what);
    }

    /// Whoever has waited is still who they were when they asked: their session has not ended, and
    /// their key is still that of their account. Nobody was somebody, and stays it.
    fn is_still(&self, who: Identity, key: Option<KeyHash>) -> Result<(), Refusal> {
        let Some(Who { account, session }) = who else { return Ok(()) };
        let known = |key| self.accounts.by_key(key).is_some_and(|one| one.account.id == account);
        match (session, key) {
            (Some(session), _) if self.accounts.session(session).is_some() => Ok(()),
            (None, Some(key)) if known(&key) => Ok(()),
            (None, Some(_)) => Err(Refusal::UnknownKey),
            _ => Err(Refusal::Unauthenticated),
        }
    }

    fn ask_now(&mut self, ask: AskId, who: Identity, what: Ask) {
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
            Ask::GiveUp => self.give_up(who).map(Some),
            Ask::ChangeKey { key } => self.change_key(ask, who, key).map(|()| None),
            Ask::Me => self.me(who).map(Some),
            Ask::Person { name } => self.person(who, &name).map(Some),
            Ask::Block { name, on } => self.block(ask, who, &name, on),
            Ask::Blocked { after } => self.blocked(who, after).map(Some),
            Ask::Present { room, after } => self.present(who, room, after).map(Some),
            Ask::Rooms { mine, after } => Ok(Some(self.list_rooms(who, mine, after))),
            Ask::Marks { after } => self.marks(who, after).map(Some),
            Ask::Room { room, access } => self.show_named(who, &room, access).map(Some),
            Ask::Vacant { title, but } => self.vacant(&title, but).map(Some),
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
            Ask::Direct { name, chance } => self.direct(ask, who, &name, chance),
            Ask::Enter { room, access } => self.enter_room(ask, who, room, access),
            Ask::Exit { room } => self.exit_room(ask, who, room),
            Ask::Expel { room, name } => self.expel(ask, who, room, &name),
            Ask::Members { room, after } => self.members(who, room, after).map(Some),
            Ask::Act(action) => self.act(ask, who, action).map(|()| None),
            Ask::Read { room, seq } => self.read(who, room, seq).map(Some),
            Ask::Follow { seat, door, only } => {
                self.follow(ask, seat, door, only, who).map(|()| None)
            }
            Ask::Lock { room, name, access } => self.lock(who, &room, name, access).map(Some),
            Ask::MayChange { room, access } => self.may_change(who, &room, access).map(Some),
            Ask::Renew { room, claim, access } => self.renew(who, &room, claim, access).map(Some),
            Ask::MakeRoom { facts, chance } => {
                self.make_room(ask, who, facts, chance).map(|()| None)
            }
            Ask::ChangeRoom { room, access, change, chance } => {
                self.change_room(ask, who, &room, access, (change, chance))
            }
            Ask::RemoveRoom { room, access } => {
                self.remove_room(ask, who, &room, access).map(|()| None)
            }
            Ask::Deleted => self.list_deleted(who).map(Some),
            Ask::RestoreRoom { room, title } => {
                self.restore_room(ask, who, room, title).map(|()| None)
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

    /// What an ask must find settled: a second change must see the first.
    fn awaits(&self, who: Identity, what: &Ask) -> Option<Awaited> {
        match what {
            Ask::ChangeRoom { room, .. } | Ask::RemoveRoom { room, .. } => {
                self.rooms.find(room).ok().map(|room| Awaited::Room(room.record.id))
            }
            Ask::Enter { room, .. } | Ask::Exit { room } => {
                who.map(|who| Awaited::Membership(*room, who.account))
            }
            Ask::Expel { room, name } => {
                let other = self.person_named(name)?.account.id;
                Some(Awaited::Membership(*room, other))
            }
            Ask::Direct { name, .. } => Some(self.awaits_pair(self.pair(who, name).ok()?)),
            Ask::Block { .. } => who.map(|who| Awaited::Block(who.account)),
            Ask::RestoreRoom { room, .. } => {
                self.deleted.find(who?.account, *room).map(Awaited::Room)
            }
            // By a key that is about to be none, nobody logs in.
            Ask::Login { key, .. } => {
                self.accounts.by_key(key).map(|known| Awaited::Key(known.account.id))
            }
            _ => None,
        }
    }

    /// Whether a change of it is proposed, and not yet in the log.
    fn is_in_flight(&self, what: Awaited) -> bool {
        match what {
            Awaited::Room(id) => {
                let changing = self.rooms.get(id).is_some_and(|room| room.changing);
                changing || self.deleted.is_changing(id)
            }
            Awaited::Membership(room, account) => {
                self.rooms.get(room).is_some_and(|room| room.moving.contains_key(&account))
            }
            Awaited::Key(account) => {
                self.accounts.get(account).is_some_and(|known| known.changing_key)
            }
            Awaited::Block(account) => {
                self.accounts.get(account).is_some_and(|known| known.blocking)
            }
            Awaited::Pair(between) => self.rooms.is_pairing(between),
        }
    }

    /// A change is over: those who waited for that ask again, each as who they were when they
    /// asked; who is not any more is refused. The first who changes it makes the others wait.
    pub(super) fn wake(&mut self, what: Awaited) {
        while self.held.is_waited_for(what) && !self.is_in_flight(what) {
            if !self.step() {
                return self.work.push_back(Work::Wake(what));
            }
            let Some(held) = self.held.next(what) else { return };
            let Held { ask, origin, who, key, what: asked } = held;
            self.origin = origin;
            if let Err(refusal) = self.is_still(who, key) {
                self.answer(ask, Err(refusal));
                continue;
            }
            match self.awaits(who, &asked) {
                // Another change of the kind has begun meanwhile, or what it changes is gone.
                Some(next) if next != what && self.must_wait(next) => {
                    self.held.add(next, Held { ask, origin, who, key, what: asked });
                }
                _ => self.ask_now(ask, who, asked),
            }
        }
    }

    fn must_wait(&self, what: Awaited) -> bool {
        self.is_in_flight(what) || self.held.is_waited_for(what)
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
            self.order.tell(Effect::Touch { used: vec![(session, self.now)] });
        }
    }

    /// Who is present, for those who may know.
    fn present(&self, who: Identity, room: RoomId, after: u64) -> Result<Answer, Refusal> {
        let asker = account_of(who);
        let room = self.visible(asker, room)?;
        let shown = self.may_see_inside(room, asker, Access::Open);
        let (present, next) = if shown { room.present(after) } else { Default::default() };
        Ok(Answer::Present { present, next })
    }

    fn show_named(&self, who: Identity, room: &RoomRef, access: Access) -> Result<Answer, Refusal> {
        let asker = account_of(who);
        let fits = self.rooms.find(room).is_ok_and(|found| self.fits(found, access));
        let access = if fits { access } else { Access::Open };
        let room = self.find_visible(asker, room, access)?;
        let inside = self.may_see_inside(room, asker, access);
        Ok(Answer::Room(Box::new(self.info_with_people(room, asker, inside))))
    }

    fn vacant(&self, title: &Title, but: Option<RoomId>) -> Result<Answer, Refusal> {
        let taken = self.rooms.is_taken(&title.folded(), but);
        if taken { Err(Refusal::TitleTaken) } else { Ok(Answer::Done) }
    }

    fn read(&mut self, who: Identity, room: RoomId, seq: Seq) -> Result<Answer, Refusal> {
        let account = who.ok_or(Refusal::Unauthenticated)?.account;
        self.mark_read(account, room, seq).map(Answer::Read)
    }

    /// Also of a room that the asker does not see: to show its password is how one comes to see
    /// it.
    fn lock(
        &self,
        who: Identity,
        room: &RoomRef,
        name: Option<Name>,
        access: Access,
    ) -> Result<Answer, Refusal> {
        let asker = account_of(who);
        let seen = self.find_visible(asker, room, access).is_ok();
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
        Ok(Answer::Lock(self.lock_of(room, who, seen, own)))
    }

    fn renew(
        &self,
        who: Identity,
        room: &RoomRef,
        claim: Claim,
        access: Access,
    ) -> Result<Answer, Refusal> {
        let room = self.find_visible(account_of(who), room, access)?;
        self.admits(room, access)?;
        if claim.first.plus_secs(TOKEN_LIFE_SECS) <= self.now {
            return Err(Refusal::NoAccess); // So long ago somebody has shown the password.
        }
        let author = self.claimed(Some(claim), who)?;
        let account = author.and_then(|author| author.account);
        let own = account.is_some_and(|account| !self.is_guest(account));
        Ok(Answer::Lock(self.lock_of(room, who, true, own)))
    }

    /// Whether somebody may change a room, or end it; if so, what its password is.
    fn may_change(&self, who: Identity, room: &RoomRef, access: Access) -> Result<Answer, Refusal> {
        let room = self.changeable(who, room, access)?;
        Ok(Answer::Lock(self.lock_of(room, who, true, false)))
    }

    fn changeable(&self, who: Identity, room: &RoomRef, access: Access) -> Result<&Room, Refusal> {
        let asker = account_of(who);
        let room = self.find_visible(asker, room, access)?;
        room.may_change(asker, self.admits(room, access).is_ok())?;
        Ok(room)
    }

    /// `own`: for a registered account that was found to have the name, and will for ever; so what
    /// it is granted may be dated a second later. And has to be: a token tells whole seconds, and
    /// in the very second of its registration an account would get one that is not younger.
    fn lock_of(&self, room: &Room, who: Identity, seen: bool, own: bool) -> Lock {
        let RoomRecord { id, generation, ref facts, .. } = room.record;
        let granted = self.now.plus_secs(u64::from(own));
        let session = who.and_then(|who| self.accounts.session(who.session?));
        let (number, session) = (room.number(), session.map(|live| live.key));
        let password = facts.password.clone();
        let quiet = !self.may_see(room, account_of(who), Access::Open);
        Lock { room: id, number, seen, quiet, session, password, generation, granted }
    }

    fn make_room(
        &mut self,
        ask: AskId,
        who: Identity,
        facts: RoomFacts,
        chance: u64,
    ) -> Result<(), Refusal> {
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
        if known.is_some_and(Known::is_full) {
            return Err(Refusal::Full); // Its maker will be a member of it.
        }
        let room = match facts.visibility {
            Visibility::Hidden => self.rooms.drawn(chance).ok_or(Refusal::Unavailable)?,
            Visibility::Public | Visibility::Private => self.rooms.next(),
        };
        self.propose(Entry::RoomMade { room, owner, facts }, Purpose::Ask(ask, owner))?;
        self.rooms.reserve(folded);
        Ok(())
    }

    /// `Ok(None)`: the answer comes with the log's. What is so already is no change.
    fn change_room(
        &mut self,
        ask: AskId,
        who: Identity,
        room: &RoomRef,
        access: Access,
        (change, chance): (RoomChange, u64),
    ) -> Result<Option<Answer>, Refusal> {
        let room = self.changeable(who, room, access)?;
        let (id, asker, keep_members) = (room.record.id, account_of(who), change.keep_members);
        let (facts, generation) = room.changed(change)?;
        if (&facts, generation) == (&room.record.facts, room.record.generation) {
            return self.show_room(id, asker).map(Some);
        }
        let folded = facts.title.folded();
        let renamed = folded != room.record.facts.title.folded();
        if renamed && self.rooms.is_taken(&folded, Some(id)) {
            return Err(Refusal::TitleTaken);
        }
        let counted = room.record.link.is_none() && !id.is_drawn();
        let link = match facts.visibility {
            Visibility::Hidden if counted => {
                Some(self.rooms.drawn(chance).ok_or(Refusal::Unavailable)?)
            }
            _ => None,
        };
        let entry = Entry::RoomChanged { room: id, facts, generation, link, keep_members };
        self.propose(entry, Purpose::Ask(ask, asker))?;
        if renamed {
            self.rooms.reserve(folded);
        }
        if let Some(room) = self.rooms.get_mut(id) {
            room.changing = true;
        }
        Ok(None)
    }

    fn remove_room(
        &mut self,
        ask: AskId,
        who: Identity,
        room: &RoomRef,
        access: Access,
    ) -> Result<(), Refusal> {
        let (room, asker) = (self.changeable(who, room, access)?, account_of(who));
        let (id, recoverable) = (room.record.id, room.record.owner.is_some());
        self.propose(Entry::RoomGone { room: id, recoverable }, Purpose::Ask(ask, asker))?;
        if let Some(room) = self.rooms.get_mut(id) {
            (room.changing, room.going) = (true, true);
        }
        Ok(())
    }
}

/// Whose account it is that asks.
pub(super) fn account_of(who: Identity) -> Option<AccountId> {
    who.map(|who| who.account)
}
