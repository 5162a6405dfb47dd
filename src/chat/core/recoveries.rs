//! Lost keys: somebody with a higher role makes a link for an account, by which it gets a new key,
//! once and within a day. Its old key and all its sessions end with that.
//!
//! Nobody makes a link for an account with the same role, so that one stolen login does not take
//! all. The operator at the shell may, for everybody. The role is compared again where the entry
//! enters the log.

use crate::chat::core::Chat;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::types::{AccountId, CallId};
use crate::chat::vocabulary::{Answer, CloseReason, Entry, Recovery, Refusal, Role, call};
use crate::crypto::KeyHash;
use crate::limits::in_charge::RECOVERY_TTL_SECS;
use crate::time::Time;

impl Chat {
    /// Whether an account (`None`: the operator) may have another get a new key.
    fn outranks(&self, by: Option<AccountId>, account: AccountId) -> bool {
        let role = |account| self.accounts.get(account).and_then(|known| known.account.role);
        by.is_none_or(|by| role(by) > role(account))
    }

    /// The answer comes with the log's answer.
    pub(super) fn make_recovery(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::MakeRecovery,
    ) -> Result<(), Refusal> {
        let call::MakeRecovery { name, code, reason } = call;
        let by = self.in_charge(caller, Role::Administrator)?;
        let known = self.person_named(&name).ok_or(Refusal::PersonNotFound)?;
        let account = known.account.id;
        if known.is_guest() {
            return Err(Refusal::NotForGuests);
        }
        if known.account.banned {
            return Err(Refusal::Banned);
        }
        if !self.outranks(by, account) {
            return Err(Refusal::Forbidden);
        }
        if self.recoveries.is_full(account, self.now) {
            return Err(Refusal::Full);
        }
        let until = self.now.plus_secs(RECOVERY_TTL_SECS);
        let recovery = Recovery { account, code, by, until };
        self.propose_deed(id, by, reason, Entry::RecoveryMade { recovery })
    }

    /// The answer comes with the log's answer. A wrong code counts as a wrong password.
    pub(super) fn recover(
        &mut self,
        id: CallId,
        code: KeyHash,
        key: KeyHash,
    ) -> Result<(), Refusal> {
        let found = self.recoveries.by_code(&code).filter(|one| self.now < one.until);
        let account = found.map(|one| one.account);
        self.try_code(account.is_some())?;
        let account = account.ok_or(Refusal::RecoveryVoid)?;
        let known = self.accounts.get(account).ok_or(Refusal::RecoveryVoid)?;
        if known.pending_key {
            return Err(Refusal::Unavailable); // The same link was used a moment ago.
        }
        let entry = Entry::Recovered { account, key, code };
        self.propose(entry, Purpose::Call(id, Some(account)))?;
        if let Some(known) = self.accounts.get_mut(account) {
            known.pending_key = true;
        }
        Ok(())
    }

    /// Applies [`Entry::RecoveryMade`].
    pub(super) fn recovery_made(
        &mut self,
        time: Time,
        recovery: Recovery,
    ) -> Result<Answer, Refusal> {
        self.recoveries.end_over(time);
        let known = self.accounts.get(recovery.account).ok_or(Refusal::PersonNotFound)?;
        let fits = !known.is_guest() && !known.account.banned && time < recovery.until;
        if !fits || !self.outranks(recovery.by, recovery.account) {
            return Err(Refusal::Forbidden);
        }
        match self.recoveries.insert(recovery) {
            true => Ok(Answer::Done(())),
            false => Err(Refusal::Unavailable), // A random code never repeats.
        }
    }

    /// Applies [`Entry::Recovered`].
    pub(super) fn recovered(
        &mut self,
        time: Time,
        account: AccountId,
        key: KeyHash,
        code: &KeyHash,
    ) -> Result<Answer, Refusal> {
        let good = |one: &&Recovery| one.account == account && time < one.until;
        self.recoveries.by_code(code).filter(good).ok_or(Refusal::RecoveryVoid)?;
        if !self.accounts.change_key(account, key) {
            return Err(Refusal::Unavailable); // A random key never repeats.
        }
        self.recoveries.end(account);
        self.lock_out(account, None, CloseReason::SessionEnded);
        let known = self.accounts.get(account).ok_or(Refusal::RecoveryVoid)?;
        Ok(Answer::Person(self.show_person(known)))
    }
}
