//! Accounts, sessions and guests.

use std::collections::BTreeSet;

use crate::chat::core::Chat;
use crate::chat::state::accounts::{AccountState, Live, Session};
use crate::chat::state::purpose::{Identity, Purpose, Who};
use crate::chat::state::quotas::Made;
use crate::chat::state::work::{Then, Work};
use crate::chat::types::{
    AccountId, CallId, Color, Folded, LOBBY, Name, Seq, SessionId, SubscriptionId,
};
use crate::chat::vocabulary::{Answer, CloseReason, Entry, Person, Refusal, SessionInfo};
use crate::crypto::KeyHash;
use crate::limits::{ACCOUNTS_MAX, AGENT_CHARS_MAX, SESSIONS_PER_ACCOUNT_MAX};

/// The session that a login begins.
pub(super) struct NewSession {
    pub key: KeyHash,
    pub remember: bool,
    pub agent: Box<str>,
}

impl Chat {
    pub(super) fn register(
        &mut self,
        call: CallId,
        caller: Identity,
        name: &str,
        key: KeyHash,
    ) -> Result<(), Refusal> {
        self.may_register(caller)?;
        let name = Name::for_account(name).ok_or(Refusal::NameInvalid)?;
        self.make_account(name, Some(key), None, Purpose::Call(call, None)).map(|_| ())
    }

    fn make_account(
        &mut self,
        name: Name,
        key: Option<KeyHash>,
        color: Option<Color>,
        purpose: Purpose,
    ) -> Result<AccountId, Refusal> {
        let folded = name.folded();
        self.end_if_away(&folded)?;
        // An anonymous client may use the name in a room: then no guest can have it. A registered
        // account can: registration is for good.
        let servers = folded == Name::of_server().folded();
        let used = key.is_none() && self.rooms.any_guest(&folded);
        let taken = self.accounts.will_be_taken(&folded) || used;
        if servers || taken || self.accounts.is_alike(&name, key.is_some()) {
            return Err(Refusal::NameTaken);
        }
        if self.accounts.len() >= ACCOUNTS_MAX {
            return Err(Refusal::Full);
        }
        let account = self.accounts.next_account();
        let looks = Folded::looks(name.as_str());
        self.propose(Entry::AccountMade { account, name, key, color }, purpose)?;
        self.accounts.reserve(folded.clone(), looks);
        self.free_name(&folded);
        Ok(account)
    }

    /// Proposes the end of an absent guest of that name, so that the name is free at once instead
    /// of after the next tick.
    fn end_if_away(&mut self, name: &Folded) -> Result<(), Refusal> {
        let Some(known) = self.accounts.by_name(name) else { return Ok(()) };
        if !self.accounts.is_away_for_good(known, self.running) {
            return Ok(());
        }
        let (account, sessions) = (known.account.id, known.sessions.clone());
        // Reserve the whole sequence, with the new account and session: all or nothing.
        if !self.can_propose(sessions.len() + 3) {
            return Err(Refusal::Unavailable);
        }
        for session in sessions {
            if self.accounts.session(session).is_some_and(|live| !live.pending_end) {
                self.end_session(session, Purpose::Own)?;
            }
        }
        self.propose(Entry::AccountEnded { account }, Purpose::Own)?;
        if let Some(known) = self.accounts.get_mut(account) {
            known.pending_end = true;
        }
        Ok(())
    }

    /// A guest is an account and its only session: two entries in sequence. Mutes and bans of the
    /// caller go on under the new name.
    pub(super) fn be_guest(
        &mut self,
        call: CallId,
        before: Identity,
        (name, color): (&str, Option<Color>),
        session: NewSession,
    ) -> Result<(), Refusal> {
        self.admit(None)?; // The caller may be registered; the guest is not.
        let name = Name::new(name).ok_or(Refusal::NameInvalid)?;
        if !self.can_propose(3) {
            return Err(Refusal::Unavailable); // All or none.
        }
        let account = self.make_account(name, None, color, Purpose::Guest(call))?;
        self.keep_restrained(before, account)?;
        self.begin_session(account, session, Purpose::Guest(call))
    }

    pub(super) fn login(
        &mut self,
        call: CallId,
        key: &KeyHash,
        session: NewSession,
    ) -> Result<(), Refusal> {
        let known = self.accounts.by_key(key).ok_or(Refusal::UnknownKey)?;
        if known.account.banned {
            return Err(Refusal::Banned);
        }
        let account = known.account.id;
        let beginning = self.accounts.beginning(account);
        let mut standing = self.longest_unused_first(known);
        let most = SESSIONS_PER_ACCOUNT_MAX.saturating_sub(beginning + 1);
        if beginning >= SESSIONS_PER_ACCOUNT_MAX {
            return Err(Refusal::Full); // All are pending; none can be ended.
        }
        standing.truncate(standing.len().saturating_sub(most));
        for session in standing {
            self.end_session(session, Purpose::Own)?;
        }
        self.begin_session(account, session, Purpose::Call(call, Some(account)))
    }

    fn begin_session(
        &mut self,
        account: AccountId,
        session: NewSession,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        let NewSession { key, remember, agent } = session;
        let agent = agent.chars().take(AGENT_CHARS_MAX).collect::<String>().into();
        let session = self.accounts.next_session();
        let entry = Entry::SessionBegun { session, account, key, remember, agent };
        self.propose(entry, purpose)?;
        self.accounts.begins(account);
        Ok(())
    }

    /// The sessions of an account whose end is not pending, the longest unused first, those with a
    /// subscription last.
    fn longest_unused_first(&self, known: &AccountState) -> Vec<SessionId> {
        let sessions = known.sessions.iter();
        let live = sessions.filter_map(|id| Some((*id, self.accounts.session(*id)?)));
        let mut standing: Vec<_> = live.filter(|(_, live)| !live.pending_end).collect();
        standing.sort_by_key(|(_, live)| (!live.subscriptions.is_empty(), live.used()));
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
            live.pending_end = true;
        }
        Ok(())
    }

    /// Proposes the end of a guest without a session. If the proposal fails, the next tick repeats
    /// it.
    pub(super) fn end_if_over(&mut self, account: AccountId) {
        let known = self.accounts.get(account);
        if known.is_some_and(|known| self.accounts.is_abandoned(known))
            && self.propose(Entry::AccountEnded { account }, Purpose::Own).is_ok()
            && let Some(known) = self.accounts.get_mut(account)
        {
            known.pending_end = true;
        }
    }

    pub(super) fn logout(
        &mut self,
        call: CallId,
        caller: Identity,
    ) -> Result<Option<Answer>, Refusal> {
        let Some(Who { account, session: Some(session) }) = caller else {
            return Ok(Some(Answer::Done(()))); // An account's own key has no session.
        };
        self.end_session(session, Purpose::Call(call, Some(account)))?;
        Ok(None)
    }

    /// Ends a guest whose client has moved to another session. The answer does not wait for the
    /// log: a later call of the client comes behind these entries anyway.
    pub(super) fn give_up(&mut self, caller: Identity) -> Result<(), Refusal> {
        let Some(Who { account, session: Some(session) }) = caller else { return Ok(()) };
        let known =
            self.accounts.get(account).filter(|known| known.is_guest() && !known.pending_end);
        if known.is_none() || self.accounts.session(session).is_none_or(|live| live.pending_end) {
            return Ok(());
        }
        if !self.can_propose(2) {
            return Err(Refusal::Unavailable); // Both or neither.
        }
        self.end_session(session, Purpose::Own)?;
        self.propose(Entry::AccountEnded { account }, Purpose::Own)?;
        if let Some(known) = self.accounts.get_mut(account) {
            known.pending_end = true;
        }
        Ok(())
    }

    pub(super) fn end_own_session(
        &mut self,
        call: CallId,
        caller: Identity,
        session: SessionId,
    ) -> Result<(), Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let live = self.accounts.session(session);
        live.filter(|live| live.account == account).ok_or(Refusal::SessionNotFound)?;
        self.end_session(session, Purpose::Call(call, Some(account)))
    }

    /// With the account's key in place of a session, no session stays.
    pub(super) fn change_key(
        &mut self,
        call: CallId,
        caller: Identity,
        key: KeyHash,
    ) -> Result<(), Refusal> {
        let Who { account, session } = caller.ok_or(Refusal::Unauthenticated)?;
        let known = self.accounts.get(account).ok_or(Refusal::Unauthenticated)?;
        if known.is_guest() {
            return Err(Refusal::Forbidden);
        }
        if known.pending_key {
            return Err(Refusal::Unavailable); // The caller's key may be about to change.
        }
        let entry = Entry::KeyChanged { account, key, but: session };
        self.propose(entry, Purpose::Call(call, Some(account)))?;
        if let Some(known) = self.accounts.get_mut(account) {
            known.pending_key = true;
        }
        Ok(())
    }

    pub(super) fn sessions(&self, caller: Identity) -> Result<Vec<SessionInfo>, Refusal> {
        let caller = caller.ok_or(Refusal::Unauthenticated)?;
        let known = self.accounts.get(caller.account).ok_or(Refusal::Unauthenticated)?;
        let mut ids = known.sessions.clone();
        ids.sort_unstable();
        let all = ids.into_iter().filter_map(|id| Some((id, self.accounts.session(id)?)));
        let fresh = all.filter(|(_, live)| !self.accounts.is_expired(live, self.running));
        let shown = fresh.map(|(id, live)| self.session_info(id, live, caller.session == Some(id)));
        Ok(shown.collect())
    }

    pub(super) fn session_info(&self, id: SessionId, live: &Live, current: bool) -> SessionInfo {
        let known = self.accounts.get(live.account).expect("a session's account is there");
        SessionInfo {
            id,
            name: known.account.name.clone(),
            guest: known.is_guest(),
            created: live.created,
            last_used: self.accounts.last_used(live),
            expires: self.accounts.expires(live),
            agent: live.agent.clone(),
            current,
        }
    }

    pub(super) fn me(&self, caller: Identity) -> Result<Person, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let known = self.accounts.get(account).ok_or(Refusal::PersonNotFound)?;
        Ok(self.show_person(known))
    }

    pub(super) fn person(&self, caller: Identity, name: &str) -> Result<Person, Refusal> {
        caller.ok_or(Refusal::Unauthenticated)?;
        let known = self.person_named(name).ok_or(Refusal::PersonNotFound)?;
        Ok(self.show_person(known))
    }

    pub(super) fn show_person(&self, known: &AccountState) -> Person {
        let (online, account) = (known.is_online(), &known.account);
        // Everybody belongs to the lobby, from their first entry to their last.
        let since = self.rooms.get(LOBBY).and_then(|lobby| lobby.members.get(&account.id));
        Person {
            name: account.name.clone(),
            guest: known.is_guest(),
            online,
            created: account.created,
            since: since.map_or(Seq(0), |member| member.since),
            role: account.role,
            banned: account.banned,
            muted: self.muted.get(&account.id).copied().filter(|until| self.now < *until),
        }
    }

    pub(super) fn session_begun(&mut self, session: Session) -> Result<Answer, Refusal> {
        let known = self.accounts.get(session.account).ok_or(Refusal::UnknownKey)?;
        if known.account.banned {
            return Err(Refusal::Banned);
        }
        let id = session.id;
        if !self.accounts.begin(session, self.running) {
            return Err(Refusal::Unavailable); // Another proposer took the number.
        }
        let live = self.accounts.session(id).ok_or(Refusal::Unavailable)?;
        Ok(Answer::Session(self.session_info(id, live, true)))
    }

    /// Only a guest's account ends, and only without a session. Its rooms get no entries about
    /// this: a missing account is no member, and the longest member inherits the guest's rooms.
    pub(super) fn account_ended(&mut self, seq: Seq, account: AccountId) {
        if !self.accounts.get(account).is_some_and(AccountState::is_over) {
            return;
        }
        self.end_account(seq, account);
    }

    pub(super) fn end_account(&mut self, seq: Seq, account: AccountId) {
        let through = self.end_direct_rooms(seq, account);
        let Some(known) = self.accounts.get_mut(account) else { return };
        if !through {
            known.pending_end = true; // Prevents a second proposal.
            return self.work.push_back(Work::EndAccount { account, seq });
        }
        let name = known.account.name.clone();
        let rooms: Vec<_> = known.rooms.keys().copied().collect();
        let subscriptions: BTreeSet<SubscriptionId> =
            known.subscriptions.iter().map(|(_, _, subscription)| *subscription).collect();
        let streams = known.streams.iter().copied();
        let subscriptions: BTreeSet<SubscriptionId> =
            subscriptions.into_iter().chain(streams).collect();
        for room in rooms {
            self.end_membership(account, room);
        }
        self.rooms.forget_restrained(account);
        self.muted.remove(&account);
        self.rooms.disown(account);
        self.quotas.end(Made::Account(account));
        self.purge_all_of(account);
        // The name stays reserved until the last subscription under it has ended, unless a new
        // owner has reserved it already.
        let folded = name.folded();
        let then = if subscriptions.is_empty() || self.accounts.is_reserved(&folded) {
            Then::Nothing
        } else {
            self.accounts.reserve(folded.clone(), Folded::looks(name.as_str()));
            Then::Free(folded)
        };
        self.unsubscribe_each(subscriptions, Some(CloseReason::SessionEnded), then);
        self.accounts.remove(account);
    }

    /// Locks out everybody with the old key: ends its subscriptions and sessions, also those that
    /// were pending until now.
    pub(super) fn key_changed(
        &mut self,
        account: AccountId,
        key: KeyHash,
        but: Option<SessionId>,
    ) -> Result<Answer, Refusal> {
        if !self.accounts.change_key(account, key) {
            return Err(Refusal::Unavailable); // A random key never repeats.
        }
        self.lock_out(account, but, CloseReason::SessionEnded);
        Ok(Answer::Done(()))
    }

    /// Ends the sessions of an account except one, and its connections with them.
    pub(super) fn lock_out(
        &mut self,
        account: AccountId,
        but: Option<SessionId>,
        reason: CloseReason,
    ) {
        let Some(known) = self.accounts.get(account) else { return };
        let stays = |by: Option<SessionId>| by.is_some() && by == but;
        let streams = known.streams.iter().copied();
        let mut going: BTreeSet<SubscriptionId> = streams
            .filter(|base| !self.streams.get(base).is_some_and(|stream| stays(stream.session)))
            .collect();
        let subscriptions = known.subscriptions.iter().map(|(_, _, subscription)| *subscription);
        going.extend(subscriptions.filter(|subscription| {
            !self
                .subscriptions
                .get(subscription)
                .is_some_and(|subscribed| stays(subscribed.session))
        }));
        for session in known.sessions.clone() {
            if Some(session) != but {
                self.accounts.end(session);
            }
        }
        self.unsubscribe_each(going, Some(reason), Then::Nothing);
    }

    pub(super) fn session_ended(&mut self, session: SessionId) {
        let Some(live) = self.accounts.end(session) else { return };
        self.unsubscribe_each(live.subscriptions, Some(CloseReason::SessionEnded), Then::Nothing);
        self.end_if_over(live.account);
    }
}
