//! Deleting all messages of a person since a time: an entry that says so, for the audit, and one
//! for each message. Only the log has the messages: the protocol finds them there, in slices, and
//! hands each slice to the core.

use crate::chat::core::Chat;
use crate::chat::core::moderation::Rank;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::types::{AccountId, Author, CallId, Name, RoomId};
use crate::chat::vocabulary::{Entry, Refusal, Role, call};
use crate::limits::moderation::CLEARED_AT_ONCE_MAX;
use crate::time::Time;

impl Chat {
    /// The account that may delete all messages of a person, and that person.
    fn clears(
        &self,
        caller: Identity,
        room: Option<RoomId>,
        name: &str,
    ) -> Result<(AccountId, Author), Refusal> {
        let known = self.person_named(name);
        let Some(room) = room else {
            let by = self.in_charge(caller, Role::Administrator)?;
            let known = known.ok_or(Refusal::PersonNotFound)?;
            let under = known.account.role.is_none() || by == Some(known.account.id);
            let author = under.then(|| known.author()).ok_or(Refusal::Forbidden)?;
            return Ok((by.ok_or(Refusal::Unauthenticated)?, author));
        };
        let (by, found, rank) = self.in_charge_of(caller, room, Rank::Moderator)?;
        let Some(known) = known else {
            let name = Name::kept(name).ok_or(Refusal::PersonNotFound)?;
            return Ok((by, Author { account: None, name }));
        };
        if known.account.id != by {
            self.subordinate(found, (by, rank), name)?;
        }
        Ok((by, known.author()))
    }

    /// The answer comes with the log's answer.
    pub(super) fn clear(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::Clear,
    ) -> Result<(), Refusal> {
        let call::Clear { room, name, secs, reason } = call;
        let (by, author) = self.clears(caller, room, &name)?;
        let micros = i64::try_from(secs.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let since = Time(self.now.0.saturating_sub(micros));
        self.propose_deed(id, Some(by), reason, Entry::Cleared { room, author, since })
    }

    /// The answer comes with the log's answer to the last of them.
    pub(super) fn erase(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::Erase,
    ) -> Result<(), Refusal> {
        let call::Erase { room, name, mut targets } = call;
        let (account, _) = self.clears(caller, room, &name)?;
        let author = self.accounts.get(account).map(AccountState::author);
        let by = author.ok_or(Refusal::Unauthenticated)?;
        let open = |id: RoomId| self.rooms.get(id).is_some_and(|room| !room.is_direct());
        targets.retain(|(target, _)| room.is_none_or(|room| room == *target) && open(*target));
        targets.truncate(CLEARED_AT_ONCE_MAX);
        if !self.can_propose(targets.len()) {
            return Err(Refusal::Unavailable);
        }
        let last = targets.pop().ok_or(Refusal::MessageNotFound)?;
        let deleted = |(room, target)| {
            let by = by.clone();
            Entry::Deleted { room, target, by, as_owner: true }
        };
        // The first is charged, and the others with it: the slice has a bound.
        self.charge_entry(&deleted(last), &Purpose::Call(id, Some(account)))?;
        for target in targets {
            self.propose(deleted(target), Purpose::Own)?;
        }
        self.order.propose(self.now, deleted(last), Purpose::Call(id, Some(account)));
        Ok(())
    }
}
