//! People in charge: who has a role on the server, and who gives it.
//!
//! Whatever somebody does for the sake of a role is an [`Entry::Deed`], which says who did it and
//! why. The core asks for the role when the call comes. The log asks again, in its own order, so
//! that a deed behind the entry that takes the role has no effect.
//!
//! The first owner comes by a token that only the operator knows, or from the operator's shell.

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::types::{AccountId, CallId};
use crate::chat::vocabulary::{Answer, Entry, Reason, Refusal, Role, call};
use crate::crypto::KeyHash;

/// The way to the first owner.
pub(super) struct Setup {
    token: KeyHash,
    /// Somebody has used it; the log has not decided yet.
    pending: bool,
}

impl Setup {
    pub fn new(token: KeyHash) -> Setup {
        Setup { token, pending: false }
    }
}

impl Chat {
    /// The account that acts for the sake of its role; `None`: the operator at the shell.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without that role.
    pub(super) fn in_charge(
        &self,
        caller: Identity,
        least: Role,
    ) -> Result<Option<AccountId>, Refusal> {
        if self.origin.operator {
            return Ok(None);
        }
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        if self.has_role(Some(account), least) {
            Ok(Some(account))
        } else {
            Err(Refusal::Forbidden)
        }
    }

    /// Whether an account has a role, or a higher one.
    pub(super) fn has_role(&self, account: Option<AccountId>, least: Role) -> bool {
        let known = account.and_then(|account| self.accounts.get(account));
        known.and_then(|known| known.account.role) >= Some(least)
    }

    /// Proposes a deed of somebody in charge.
    pub(super) fn propose_deed(
        &mut self,
        call: CallId,
        by: Option<AccountId>,
        reason: Option<Reason>,
        act: Entry,
    ) -> Result<(), Refusal> {
        let entry = Entry::Deed { by, reason, act: Box::new(act) };
        self.propose(entry, Purpose::Call(call, by))
    }

    /// `Ok(None)`: the answer comes with the log's answer. A role that the account has already
    /// needs no entry.
    pub(super) fn change_role(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::ChangeRole,
    ) -> Result<Option<Answer>, Refusal> {
        let call::ChangeRole { name, role, reason } = call;
        let by = self.in_charge(caller, Role::Owner)?;
        let known = self.person_named(&name).ok_or(Refusal::PersonNotFound)?;
        let (account, before) = (known.account.id, known.account.role);
        if known.is_guest() {
            return Err(Refusal::NotForGuests);
        }
        if known.account.banned && role.is_some() {
            return Err(Refusal::Banned);
        }
        // An owner who could be put out by another would be at the mercy of a stolen login.
        if by.is_some() && before == Some(Role::Owner) && role != before {
            return Err(Refusal::Forbidden);
        }
        if before == role {
            return Ok(Some(Answer::Done(())));
        }
        self.propose_deed(id, by, reason, Entry::RoleChanged { account, role })?;
        Ok(None)
    }

    /// The first owner of the server. The answer comes with the log's answer.
    pub(super) fn set_up(
        &mut self,
        call: CallId,
        caller: Identity,
        token: &KeyHash,
    ) -> Result<(), Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let known = self.accounts.get(account).ok_or(Refusal::Unauthenticated)?;
        let guest = known.is_guest();
        let setup = self.setup.as_mut().filter(|setup| setup.token == *token);
        let setup = setup.ok_or(Refusal::Forbidden)?;
        if guest {
            return Err(Refusal::NotForGuests);
        }
        if setup.pending {
            return Err(Refusal::Unavailable); // Somebody else holds the same link.
        }
        setup.pending = true;
        let act = Entry::RoleChanged { account, role: Some(Role::Owner) };
        let proposed = self.propose_deed(call, None, Reason::new("by the setup link"), act);
        if let (Err(_), Some(setup)) = (&proposed, &mut self.setup) {
            setup.pending = false;
        }
        proposed
    }

    /// The log has decided about a role.
    pub(super) fn setup_decided(&mut self, role: Option<Role>) {
        if let Some(setup) = self.setup.as_mut().filter(|_| role == Some(Role::Owner)) {
            setup.pending = false;
        }
    }

    /// Applies [`Entry::RoleChanged`].
    pub(super) fn role_changed(
        &mut self,
        account: AccountId,
        role: Option<Role>,
    ) -> Result<Answer, Refusal> {
        let may = |known: &&mut AccountState| {
            !(known.is_guest() || known.account.banned && role.is_some())
        };
        let known = self.accounts.get_mut(account).filter(may);
        known.ok_or(Refusal::PersonNotFound)?.account.role = role;
        if role.is_none() {
            self.invitations.end_of_maker(account);
        }
        self.recoveries.end(account);
        self.recoveries.end_of_maker(account);
        if role == Some(Role::Owner) {
            self.setup = None;
        }
        Ok(Answer::Done(()))
    }
}
