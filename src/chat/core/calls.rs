//! Calls: the core answers each exactly once, at once or when the log has the entry.

use crate::chat::core::Chat;
use crate::chat::core::people::NewSession;
use crate::chat::source::Source;
use crate::chat::state::purpose::{Identity, Origin, Who, account_of};
use crate::chat::state::room::{Room, RoomRecord};
use crate::chat::state::waits::{Awaited, WaitingCall};
use crate::chat::state::work::Work;
use crate::chat::types::{CallId, LOBBY, RoomId, RoomRef, Seq, SessionId, Title};
use crate::chat::vocabulary::Call;
use crate::chat::vocabulary::{
    Access, Answer, Caller, Effect, Field, Page, PasswordState, Present, Refusal, Role, RoomInfo,
    Space, call,
};
use crate::crypto::KeyHash;
use crate::limits::TOKEN_LIFE_SECS;

impl Chat {
    pub(super) fn call(&mut self, id: CallId, source: Source, caller: Caller, call: Call) {
        let key = match caller {
            Caller::Key(key) => Some(key),
            _ => None,
        };
        let operator = caller == Caller::Operator;
        let identified = self.identify(caller);
        let account = identified.ok().flatten().map(|caller| caller.account);
        self.origin = Origin { source, account, subscription: None, operator };
        if self.is_shut_out(source, account) {
            return self.answer(id, Err(Refusal::Banned));
        }
        if let Err(refusal) = self.charge_call(&call) {
            return self.answer(id, Err(refusal));
        }
        match identified {
            Ok(caller) => self.call_as(id, caller, key, call),
            // The caller of a logout with an ended session is logged out already.
            Err(_) if call == Call::Logout(call::Logout) => self.call_as(id, None, key, call),
            Err(refusal) => self.answer(id, Err(refusal)),
        }
    }

    fn call_as(&mut self, id: CallId, caller: Identity, key: Option<KeyHash>, call: Call) {
        if let Some(awaited) = self.awaits(caller, &call)
            && self.must_wait(awaited)
        {
            let origin = self.origin;
            return self.waits.add(awaited, WaitingCall { id, origin, caller, key, call });
        }
        self.call_now(id, caller, call);
    }

    /// Checks a waiting caller again: its session has not ended, and its key is still the account's
    /// key. An anonymous caller stays anonymous.
    fn is_still(&self, caller: Identity, key: Option<KeyHash>) -> Result<(), Refusal> {
        let Some(Who { account, session }) = caller else { return Ok(()) };
        if self.is_banned(account) {
            return Err(Refusal::Banned);
        }
        let known =
            |key| self.accounts.by_key(key).is_some_and(|known| known.account.id == account);
        match (session, key) {
            (Some(session), _) if self.accounts.session(session).is_some() => Ok(()),
            (None, Some(key)) if known(&key) => Ok(()),
            (None, Some(_)) => Err(Refusal::UnknownKey),
            _ => Err(Refusal::Unauthenticated),
        }
    }

    fn call_now(&mut self, id: CallId, caller: Identity, call: Call) {
        use Answer::Done;
        if let Err(refusal) = self.admit_call(caller, &call) {
            return self.answer(id, Err(refusal));
        }
        // `Ok(None)`: the answer comes with the proposed entry.
        let outcome = match call {
            Call::Register(call) => self.register(id, caller, call).map(|()| None),
            Call::Login(call::Login { key, session, remember, agent }) => {
                let session = NewSession { key: session, remember, agent };
                self.login(id, &key, session).map(|()| None)
            }
            Call::BeGuest(call::BeGuest { name, color, session, remember, agent }) => {
                let session = NewSession { key: session, remember, agent };
                self.be_guest(id, caller, (&name, color), session).map(|()| None)
            }
            Call::Introduce(call) => self.introduce(id, &call.name, call.key),
            Call::Vouch(call::Vouch { name, session, agent }) => {
                let session = NewSession { key: session, remember: false, agent };
                self.vouch(id, &name, session)
            }
            Call::Sessions(_) => self.sessions(caller).map(Answer::Sessions).map(Some),
            Call::EndSession(call) => self.end_own_session(id, caller, call.session).map(|()| None),
            Call::Logout(_) => self.logout(id, caller),
            Call::GiveUp(_) => self.give_up(caller).map(Done).map(Some),
            Call::ChangeKey(call) => self.change_key(id, caller, call.key).map(|()| None),
            Call::Me(_) => self.me(caller).map(Answer::Person).map(Some),
            Call::Person(call) => self.person(caller, &call.name).map(Answer::Person).map(Some),
            Call::Block(call) => self.block(id, caller, &call.name, call.on),
            Call::Blocked(call) => self.blocked(caller, call.after).map(Answer::Blocked).map(Some),
            Call::Present(call) => self.present(caller, call).map(Answer::Present).map(Some),
            Call::Rooms(call) => Ok(Some(Answer::Rooms(self.list_rooms(caller, call)))),
            Call::Marks(call) => self.marks(caller, call.after).map(Answer::Marks).map(Some),
            Call::Room(call) => self.show_named(caller, call).map(Answer::Room).map(Some),
            Call::Vacant(call) => self.vacant(&call.title, call.but).map(Done).map(Some),
            Call::View(call) => self.view(caller, call.room).map(Answer::Room).map(Some),
            Call::KnownKey(call) => Ok(Some(Answer::KnownKey(self.known_key(&call.keys)))),
            Call::Heard(_) => Ok(Some(Answer::Heard(self.last))),
            Call::Guess(call) => self.guess(&call.room).map(Done).map(Some),
            Call::Guessed(call) => {
                self.guessed(&call.room);
                Ok(Some(Done(())))
            }
            Call::Search(_) => Ok(Some(Done(()))), // Only charged: see `charge`.
            Call::Space(_) if self.space == Space::Least => Err(Refusal::NoSpace),
            Call::Space(_) => Ok(Some(Done(()))),
            Call::Readable(call) => Ok(Some(Answer::Readable(self.readable(caller, call.after)))),
            Call::Direct(call) => self.direct(id, caller, &call.name, call.chance),
            Call::Enter(call) => self.enter_room(id, caller, call.room, call.access),
            Call::Exit(call) => self.exit_room(id, caller, call.room),
            Call::Expel(call) => self.expel(id, caller, call.room, &call.name),
            Call::Members(call) => self.members(caller, call).map(Answer::Members).map(Some),
            Call::Act(call::Act(action)) => self.act(id, caller, action).map(|()| None),
            Call::Read(call) => self.read(caller, call.room, call.seq).map(Answer::Read).map(Some),
            Call::OpenStream(call) => self.open_stream(id, call, caller).map(|()| None),
            Call::PasswordState(call) => {
                self.password_state(caller, call).map(Answer::PasswordState).map(Some)
            }
            Call::MayChange(call) => {
                self.may_change(caller, call).map(Answer::PasswordState).map(Some)
            }
            Call::Renew(call) => self.renew(caller, call).map(Answer::PasswordState).map(Some),
            Call::MakeRoom(call) => {
                self.make_room(id, caller, call.settings, call.chance).map(|()| None)
            }
            Call::ChangeRoom(call) => self.change_room(id, caller, call),
            Call::RemoveRoom(call) => {
                self.remove_room(id, caller, &call.room, call.access).map(|()| None)
            }
            Call::Deleted(_) => self.list_deleted(caller).map(Answer::Deleted).map(Some),
            Call::RestoreRoom(call) => {
                self.restore_room(id, caller, call.room, call.title).map(|()| None)
            }
            Call::Subscribe(call) => self.subscribe(call, caller).map(Done).map(Some),
            Call::ChangeRole(call) => self.change_role(id, caller, call),
            Call::Policy(_) => Ok(Some(Answer::Policy(self.policy()))),
            Call::ChangePolicy(call) => self.change_policy(id, caller, call),
            Call::Audit(_) => {
                self.in_charge(caller, Role::Administrator).map(|_| Some(Answer::Heard(self.last)))
            }
            Call::Ban(call) => self.ban(id, caller, call),
            Call::BanAddress(call) => self.ban_address(id, caller, call),
            Call::Banned(call) => self.banned(caller, call.after).map(Answer::Blocked).map(Some),
            Call::BannedAddresses(_) => {
                self.list_banned_addresses(caller).map(Answer::Addresses).map(Some)
            }
            Call::Demolish(call) => {
                self.demolish(id, caller, call.room, call.reason).map(|()| None)
            }
            Call::Suppress(call) => self.suppress(id, caller, call).map(|()| None),
            Call::ChangeModerator(call) => self.change_moderator(id, caller, call),
            Call::Mute(call) => self.mute(id, caller, call),
            Call::BanFromRoom(call) => self.ban_from_room(id, caller, call),
            Call::ChangeRules(call) => self.change_rules(id, caller, call),
            Call::Transfer(call) => self.transfer(id, caller, call),
            Call::Moderation(call) => {
                self.list_moderation(caller, call.room).map(Answer::Moderation).map(Some)
            }
            Call::Muted(_) => self.list_muted(caller).map(Answer::Muted).map(Some),
            Call::Clear(call) => self.clear(id, caller, call).map(|()| None),
            Call::Erase(call) => self.erase(id, caller, call).map(|()| None),
            Call::Setup(call) => self.set_up(id, caller, &call.token).map(|()| None),
            Call::Invite(call) => self.invite(id, caller, call).map(|()| None),
            Call::LookAtInvitation(call) => {
                self.look_at_invitation(&call.code).map(Answer::InvitationView).map(Some)
            }
            Call::AcceptInvitation(call) => self.accept_invitation(id, caller, &call.code),
            Call::EndInvitation(call) => self.end_invitation(id, caller, call).map(|()| None),
            Call::Invitations(call) => {
                self.invitations_scope(caller, call.room).map(Answer::Invitations).map(Some)
            }
            Call::MakeRecovery(call) => self.make_recovery(id, caller, call).map(|()| None),
            Call::Recover(call) => self.recover(id, call.code, call.key).map(|()| None),
        };
        match outcome {
            Ok(Some(answer)) => self.answer(id, Ok(answer)),
            Ok(None) => {}
            Err(refusal) => self.answer(id, Err(refusal)),
        }
    }

    /// The pending change for which a call waits: a second change must see the result of the first.
    fn awaits(&self, caller: Identity, call: &Call) -> Option<Awaited> {
        match call {
            Call::ChangeRoom(call::ChangeRoom { room, .. })
            | Call::RemoveRoom(call::RemoveRoom { room, .. }) => {
                self.rooms.find(room).ok().map(|room| Awaited::Room(room.record.id))
            }
            Call::Demolish(call::Demolish { room, .. })
            | Call::ChangeModerator(call::ChangeModerator { room, .. })
            | Call::Mute(call::Mute { room: Some(room), .. })
            | Call::ChangeRules(call::ChangeRules { room, .. })
            | Call::Transfer(call::Transfer { room, .. }) => Some(Awaited::Room(*room)),
            Call::BanFromRoom(call) => Some(self.awaits_ban(call)),
            Call::Enter(call::Enter { room, .. }) | Call::Exit(call::Exit { room }) => {
                caller.map(|caller| Awaited::Membership(*room, caller.account))
            }
            Call::AcceptInvitation(call) => {
                let room = self.invitations.by_code(&call.code)?.grant.room.unwrap_or(LOBBY);
                caller.map(|caller| Awaited::Membership(room, caller.account))
            }
            Call::Expel(call) => {
                let other = self.person_named(&call.name)?.account.id;
                Some(Awaited::Membership(call.room, other))
            }
            Call::Direct(call) => Some(self.awaits_pair(self.pair(caller, &call.name).ok()?)),
            Call::Block(_) => caller.map(|caller| Awaited::Block(caller.account)),
            Call::ChangePolicy(_) => Some(Awaited::Policy),
            Call::RestoreRoom(call) => {
                self.deleted.find(caller?.account, call.room).map(Awaited::Room)
            }
            // A login must not use a key that is about to change.
            Call::Login(call) => {
                self.accounts.by_key(&call.key).map(|known| Awaited::Key(known.account.id))
            }
            _ => None,
        }
    }

    /// Whether such a change is proposed but not yet in the log.
    fn is_in_flight(&self, awaited: Awaited) -> bool {
        match awaited {
            Awaited::Room(id) => {
                let pending_change = self.rooms.get(id).is_some_and(|room| room.pending_change);
                pending_change || self.deleted.is_pending(id)
            }
            Awaited::Membership(room, account) => {
                self.rooms.get(room).is_some_and(|room| room.pending_moves.contains_key(&account))
            }
            Awaited::Key(account) => {
                self.accounts.get(account).is_some_and(|known| known.pending_key)
            }
            Awaited::Block(account) => {
                self.accounts.get(account).is_some_and(|known| known.blocking)
            }
            Awaited::Policy => self.pending_policy,
            Awaited::Pair(between) => self.rooms.is_pairing(between),
        }
    }

    /// A change is over: resumes the calls that waited for it, each with the caller's identity at
    /// the time of the call; refuses a caller whose identity is gone. The first resumed call that
    /// changes the item again makes the others wait.
    pub(super) fn wake(&mut self, awaited: Awaited) {
        while self.waits.is_waited_for(awaited) && !self.is_in_flight(awaited) {
            if !self.step() {
                return self.work.push_back(Work::Wake(awaited));
            }
            let Some(waiting) = self.waits.next(awaited) else { return };
            let WaitingCall { id, origin, caller, key, call } = waiting;
            self.origin = origin;
            if let Err(refusal) = self.is_still(caller, key) {
                self.answer(id, Err(refusal));
                continue;
            }
            match self.awaits(caller, &call) {
                // Another such change has begun meanwhile, or the item is gone.
                Some(next) if next != awaited && self.must_wait(next) => {
                    self.waits.add(next, WaitingCall { id, origin, caller, key, call });
                }
                _ => self.call_now(id, caller, call),
            }
        }
    }

    fn must_wait(&self, awaited: Awaited) -> bool {
        self.is_in_flight(awaited) || self.waits.is_waited_for(awaited)
    }

    fn known_key(&self, keys: &[KeyHash]) -> Option<KeyHash> {
        let is_known = |key: &&KeyHash| self.accounts.session_by_key(key, self.running).is_some();
        keys.iter().find(is_known).copied()
    }

    fn identify(&mut self, caller: Caller) -> Result<Identity, Refusal> {
        let (key, needed) = match caller {
            Caller::Nobody | Caller::Operator => return Ok(None),
            Caller::Key(key) => {
                let known = self.accounts.by_key(&key).ok_or(Refusal::UnknownKey)?;
                if known.account.banned {
                    return Err(Refusal::Banned);
                }
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

    /// Records that a session is in use now.
    pub(super) fn use_session(&mut self, session: SessionId) {
        if self.accounts.touch(session, self.moment()) {
            self.order.tell(Effect::Touch { used: vec![(session, self.now)] });
        }
    }

    /// The people present in a room, for viewers who may know.
    fn present(
        &self,
        caller: Identity,
        call: call::Present,
    ) -> Result<Page<Present, u64>, Refusal> {
        let viewer = account_of(caller);
        let room = self.visible(viewer, call.room)?;
        let shown = self.may_see_inside(room, viewer, Access::Open);
        Ok(if shown { room.present(call.after) } else { Page::default() })
    }

    fn show_named(&self, caller: Identity, call: call::Room) -> Result<Box<RoomInfo>, Refusal> {
        let call::Room { ref room, access } = call;
        let viewer = account_of(caller);
        let fits = self.rooms.find(room).is_ok_and(|found| self.fits(found, access));
        let access = if fits { access } else { Access::Open };
        let room = self.find_visible(viewer, room, access)?;
        let inside = self.may_see_inside(room, viewer, access);
        Ok(Box::new(self.info_with_people(room, viewer, inside)))
    }

    fn vacant(&self, title: &Title, but: Option<RoomId>) -> Result<(), Refusal> {
        let taken = self.rooms.is_taken(&title.folded(), but);
        if taken { Err(Refusal::TitleTaken) } else { Ok(()) }
    }

    fn read(&mut self, caller: Identity, room: RoomId, seq: Seq) -> Result<Seq, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        self.mark_read(account, room, seq)
    }

    /// Also answers for a room that the viewer cannot see: its password is the way in.
    fn password_state(
        &self,
        caller: Identity,
        call: call::PasswordState,
    ) -> Result<PasswordState, Refusal> {
        let call::PasswordState { ref room, name, access } = call;
        let viewer = account_of(caller);
        let seen = self.find_visible(viewer, room, access).is_ok();
        let room = self.rooms.find(room)?;
        let mut own = false;
        if let Some(name) = name {
            let folded = name.folded();
            let caller = caller.map(|caller| caller.account);
            let owner = self.accounts.by_name(&folded).map(|known| known.account.id);
            let taken = self.accounts.is_taken(&folded);
            let anothers = if taken {
                owner.is_none() || owner != caller
            } else if !name.is_valid() {
                return Err(Refusal::Malformed(Field::Name));
            } else {
                self.accounts.is_alike(&name, false)
            };
            let holder = room.holder(&folded);
            let held =
                holder.is_some_and(|holder| holder.account.is_none() || holder.account != caller);
            if anothers || held {
                return Err(Refusal::NameInUse);
            }
            own = owner.is_some_and(|owner| !self.is_guest(owner));
        }
        Ok(self.password_state_of(room, caller, seen, own))
    }

    fn renew(&self, caller: Identity, call: call::Renew) -> Result<PasswordState, Refusal> {
        let call::Renew { ref room, claim, access } = call;
        let room = self.find_visible(account_of(caller), room, access)?;
        self.admits(room, access)?;
        if claim.first.plus_secs(TOKEN_LIFE_SECS) <= self.now {
            return Err(Refusal::NoAccess); // The password proof is too old.
        }
        let author = self.claimed(Some(claim), caller)?;
        let account = author.and_then(|author| author.account);
        let own = account.is_some_and(|account| !self.is_guest(account));
        Ok(self.password_state_of(room, caller, true, own))
    }

    /// Checks that the caller may change or delete a room; returns its password state.
    fn may_change(
        &self,
        caller: Identity,
        call: call::MayChange,
    ) -> Result<PasswordState, Refusal> {
        let room = self.changeable(caller, &call.room, call.access)?;
        Ok(self.password_state_of(room, caller, true, false))
    }

    pub(super) fn changeable(
        &self,
        caller: Identity,
        room: &RoomRef,
        access: Access,
    ) -> Result<&Room, Refusal> {
        let viewer = account_of(caller);
        let room = match (access, room) {
            (Access::Member, RoomRef::Id(room)) => {
                let room = self.visible(viewer, *room)?;
                if room.record.owner.is_none() && !room.has_member(viewer) {
                    return Err(Refusal::Forbidden);
                }
                room
            }
            _ => self.find_visible(viewer, room, access)?,
        };
        if room.is_direct() || !self.has_role(viewer, Role::Administrator) {
            room.may_change(viewer, self.admits(room, access).is_ok())?;
        }
        Ok(room)
    }

    /// `own`: the name belongs to a registered account, which has it for ever, so the grant may be
    /// dated a second later. It must be: a token has whole seconds, and an account that registers
    /// and gets its token within one second would get a token no younger than itself.
    fn password_state_of(
        &self,
        room: &Room,
        caller: Identity,
        seen: bool,
        own: bool,
    ) -> PasswordState {
        let RoomRecord { id, password_generation, ref settings, .. } = room.record;
        let granted = self.now.plus_secs(u64::from(own));
        let session = caller.and_then(|caller| self.accounts.session(caller.session?));
        let (number, session) = (room.number(), session.map(|live| live.key));
        let (title, password) = (settings.title.clone(), settings.password.clone());
        let quiet = !self.may_see(room, account_of(caller), Access::Open);
        PasswordState {
            room: id,
            number,
            title,
            seen,
            quiet,
            session,
            password,
            password_generation,
            granted,
        }
    }
}
