//! Who may come in: the policy, and what it means at every door.
//!
//! A *guest* is everybody without a registered account: a guest's account, and whoever uses a name
//! of a room's own. What the command line fixes overrides the log.

use std::ops::Bound;

use crate::chat::core::Chat;
use crate::chat::source::Source;
use crate::chat::state::purpose::{Identity, account_of};
use crate::chat::state::work::Work;
use crate::chat::types::{AccountId, CallId, SubscriptionId};
use crate::chat::vocabulary::{
    Answer, Call, CloseReason, Entry, Field, Guests, Policy, PolicyInfo, Refusal, Registration,
    Role, call,
};

impl Chat {
    pub(super) fn policy(&self) -> PolicyInfo {
        PolicyInfo { policy: self.policy.under(self.fixed), fixed: self.fixed }
    }

    fn guests(&self) -> Guests {
        self.policy().policy.guests
    }

    /// Admits an account, or somebody without one, to rooms.
    pub(super) fn admit(&self, account: Option<AccountId>) -> Result<(), Refusal> {
        let off = self.guests() == Guests::Off;
        if off && self.is_unregistered(account) { Err(Refusal::GuestsOff) } else { Ok(()) }
    }

    fn is_unregistered(&self, account: Option<AccountId>) -> bool {
        account.is_none_or(|account| self.is_guest(account))
    }

    /// Admits a caller to a call.
    pub(super) fn admit_call(&self, caller: Identity, call: &Call) -> Result<(), Refusal> {
        let account = account_of(caller);
        if self.is_shut_out(self.origin.source, account) {
            return Err(Refusal::Banned); // Since the call came, and waited.
        }
        if self.guests() == Guests::On || self.origin.operator || !self.is_unregistered(account) {
            return Ok(());
        }
        match call {
            // The ways to an account, the way out, and what the protocols ask for themselves.
            Call::Register(_)
            | Call::Login(_)
            | Call::Introduce(_)
            | Call::Vouch(_)
            | Call::Logout(_)
            | Call::EndSession(_)
            | Call::GiveUp(_)
            | Call::Policy(_)
            | Call::KnownKey(_)
            | Call::Vacant(_)
            | Call::Heard(_)
            | Call::Guess(_)
            | Call::Guessed(_)
            | Call::LookAtInvitation(_)
            | Call::Recover(_)
            | Call::Space(_) => Ok(()),
            // A token may be an account's.
            Call::PasswordState(call::PasswordState { name: None, .. })
            | Call::Renew(_)
            | Call::Subscribe(_) => Ok(()),
            Call::MakeRoom(_) if self.guests() == Guests::Rooms => Err(Refusal::NotForGuests),
            _ => self.admit(account),
        }
    }

    pub(super) fn may_register(&self, caller: Identity) -> Result<(), Refusal> {
        match self.policy().policy.registration {
            Registration::Open => Ok(()),
            Registration::Invite if self.in_charge(caller, Role::Administrator).is_ok() => Ok(()),
            Registration::Invite | Registration::Closed => Err(Refusal::RegistrationClosed),
        }
    }

    /// `Ok(None)`: the answer comes with the log's answer. What is so already needs no entry.
    pub(super) fn change_policy(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::ChangePolicy,
    ) -> Result<Option<Answer>, Refusal> {
        let by = self.in_charge(caller, Role::Administrator)?;
        let call::ChangePolicy { registration, guests, reason } = call;
        let fixed = self.fixed;
        if registration.is_some() && fixed.registration.is_some() {
            return Err(Refusal::Malformed(Field::Called("registration")));
        }
        if guests.is_some() && fixed.guests.is_some() {
            return Err(Refusal::Malformed(Field::Called("guests")));
        }
        let policy = Policy {
            registration: registration.unwrap_or(self.policy.registration),
            guests: guests.unwrap_or(self.policy.guests),
        };
        if policy == self.policy {
            return Ok(Some(Answer::Policy(self.policy())));
        }
        self.propose_deed(id, by, reason, Entry::PolicyChanged { policy })?;
        self.pending_policy = true;
        Ok(None)
    }

    /// Applies [`Entry::PolicyChanged`]. Guests who may stay no longer are put out.
    pub(super) fn policy_changed(&mut self, policy: Policy) -> Answer {
        self.policy = policy;
        if self.guests() == Guests::Off {
            self.put_out_all(SubscriptionId(0));
        }
        Answer::Policy(self.policy())
    }

    /// Whether a connection is about to end, because its client may stay no longer.
    pub(super) fn is_going(&self, source: Source, account: Option<AccountId>) -> bool {
        let out = self.admit(account).is_err() || self.is_shut_out(source, account);
        out && self.work.iter().any(|work| matches!(work, Work::PutOut { .. }))
    }

    /// Ends the connections, after that one, of clients who may stay no longer. The log waits until
    /// all have ended.
    pub(super) fn put_out_all(&mut self, mut after: SubscriptionId) {
        loop {
            let rest = (Bound::Excluded(after), Bound::Unbounded);
            let subscribed = self.subscribed.range(rest).next().copied();
            let stream = self.streams.range(rest).next().map(|(base, _)| *base);
            // (Their numbers differ.)
            let Some(next) = subscribed.into_iter().chain(stream).min() else { return };
            if !self.step() {
                return self.work.push_back(Work::PutOut { after });
            }
            after = next;
            let (source, account) = match (self.streams.get(&next), self.subscriptions.get(&next)) {
                (Some(stream), _) => (stream.source, Some(stream.account)),
                (None, Some(subscribed)) => (subscribed.source, subscribed.account()),
                (None, None) => continue,
            };
            let reason = match self.admit(account) {
                _ if self.is_shut_out(source, account) => CloseReason::Banned,
                Err(_) => CloseReason::GuestsOff,
                Ok(()) => continue,
            };
            if self.streams.contains_key(&next) {
                self.end_stream(next, Some(reason));
            } else {
                self.unsubscribe(next, Some(reason));
            }
        }
    }
}
