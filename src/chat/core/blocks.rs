//! Blocks between two accounts. If one has blocked the other, neither can send in their room for
//! two, and neither can open one. The refusal does not say which of the two has blocked. Everybody
//! sees the mentions of a message; but a mention of a person who has blocked the author does not
//! count for that person: see `Reader::counts`.
//!
//! Blocks last, one entry each. A block of a guest that has ended has no effect, as account numbers
//! are never reused; it disappears when its account next blocks another account.

use std::ops::Bound;

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::pages::page;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::state::room::Room;
use crate::chat::types::{AccountId, CallId};
use crate::chat::vocabulary::{Action, Answer, Entry, Field, Page, Person, Refusal};
use crate::limits::BLOCKED_PER_ACCOUNT_MAX;

impl Chat {
    /// Whether one of the two has blocked the other.
    pub(super) fn is_blocked(&self, [one, other]: [AccountId; 2]) -> bool {
        let blocks = |blocker, other: AccountId| {
            self.accounts
                .get(blocker)
                .is_some_and(|known: &AccountState| known.blocked.contains(&other))
        };
        blocks(one, other) || blocks(other, one)
    }

    /// Refuses messages between two accounts if one has blocked the other. Deletions and removed
    /// reactions are allowed.
    pub(super) fn refuse_blocked(&self, room: &Room, action: &Action) -> Result<(), Refusal> {
        let takes = matches!(action, Action::Delete { .. } | Action::React { on: false, .. });
        match room.record.between {
            Some(between) if !takes && self.is_blocked(between) => Err(Refusal::Blocked),
            _ => Ok(()),
        }
    }

    /// Blocks or unblocks an account. `Ok(None)`: the answer comes with the log's answer.
    pub(super) fn block(
        &mut self,
        call: CallId,
        caller: Identity,
        name: &str,
        on: bool,
    ) -> Result<Option<Answer>, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let blocked = self.person_named(name).ok_or(Refusal::PersonNotFound)?.account.id;
        if blocked == account {
            return Err(Refusal::Malformed(Field::Name));
        }
        let known = self.accounts.get(account).ok_or(Refusal::Unauthenticated)?;
        if known.blocked.contains(&blocked) == on {
            return Ok(Some(Answer::Done(())));
        }
        let is_there = |account: &&AccountId| self.accounts.get(**account).is_some();
        if on
            && known.blocked.len() >= BLOCKED_PER_ACCOUNT_MAX
            && known.blocked.iter().filter(is_there).count() >= BLOCKED_PER_ACCOUNT_MAX
        {
            return Err(Refusal::QuotaReached);
        }
        let entry = Entry::BlockChanged { account, blocked, on };
        self.propose(entry, Purpose::Call(call, Some(account)))?;
        if let Some(known) = self.accounts.get_mut(account) {
            known.blocking = true;
        }
        Ok(None)
    }

    /// The accounts that the caller has blocked: a page.
    pub(super) fn blocked(
        &self,
        caller: Identity,
        after: AccountId,
    ) -> Result<Page<Person, AccountId>, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let known = self.accounts.get(account).ok_or(Refusal::Unauthenticated)?;
        let rest = known.blocked.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(page(rest.map(|id| (*id, *id)), |id| Some(self.show_person(self.accounts.get(id)?))))
    }

    /// Applies [`Entry::BlockChanged`].
    pub(super) fn block_changed(
        &mut self,
        account: AccountId,
        blocked: AccountId,
        on: bool,
    ) -> Result<Answer, Refusal> {
        let there = self.accounts.get(blocked).is_some() && account != blocked;
        let Some(known) = self.accounts.get(account).filter(|_| there || !on) else {
            return Err(Refusal::PersonNotFound);
        };
        let mut blocks = known.blocked.clone();
        if on {
            blocks.retain(|account| self.accounts.get(*account).is_some());
            blocks.insert(blocked);
        } else {
            blocks.remove(&blocked);
        }
        if let Some(known) = self.accounts.get_mut(account) {
            known.blocked = blocks;
        }
        Ok(Answer::Done(()))
    }
}
