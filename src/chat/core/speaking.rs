//! Who may speak, and who may come in: mutes, read-only rooms, slow mode, bans from a room, locks.
//! Every way to speak passes here, on every protocol: messages, edits, reactions. (The log asks
//! about mutes and read-only rooms again, in its own order: a message behind the entry that forbids
//! it is not taken.) Deleting one's own messages is always allowed.

use crate::chat::core::Chat;
use crate::chat::source::Source;
use crate::chat::state::room::Room;
use crate::chat::state::slow::Speaker;
use crate::chat::types::{AccountId, Author, RoomId};
use crate::chat::vocabulary::{Entry, Refusal, Role};

impl Chat {
    /// Refuses an account that is muted on the whole server.
    pub(super) fn refuse_muted(&self, account: Option<AccountId>) -> Result<(), Refusal> {
        let until = account.and_then(|account| self.muted.get(&account)).copied();
        match until.filter(|until| self.now < *until) {
            Some(until) if !self.has_role(account, Role::Administrator) => {
                Err(Refusal::Muted { until, everywhere: true })
            }
            _ => Ok(()),
        }
    }

    /// Refuses somebody who may not speak in a room now. `account`: of the author, or of the
    /// session behind another name.
    pub(super) fn refuse_silenced(
        &self,
        room: &Room,
        account: Option<AccountId>,
    ) -> Result<(), Refusal> {
        self.refuse_muted(account)?;
        let Some(found) = &room.record.moderation else { return Ok(()) };
        if self.rank(room, account).is_some() {
            return Ok(());
        }
        let until = account.and_then(|account| found.muted.get(&account)).copied();
        match until.filter(|until| self.now < *until) {
            Some(until) => Err(Refusal::Muted { until, everywhere: false }),
            None if found.rules.read_only => Err(Refusal::ReadOnly),
            None => Ok(()),
        }
    }

    /// In slow mode, the author of a message who must be silent after it. `None`: need not.
    pub(super) fn in_slow_mode(
        &self,
        room: RoomId,
        author: &Author,
    ) -> Result<Option<Speaker>, Refusal> {
        let Some(found) = self.rooms.get(room) else { return Ok(None) };
        let secs = found.record.rules().slow_secs;
        if secs == 0 || self.rank(found, author.account).is_some() {
            return Ok(None);
        }
        let speaker = self.speaker(author);
        let again = self.slow.again(room, &speaker, secs);
        match again.map(|again| again.0.saturating_sub(self.running.0)) {
            Some(wait) if wait > 0 => {
                let retry_after_ms = u32::try_from(wait.div_euclid(1_000) + 1).unwrap_or(u32::MAX);
                Err(Refusal::Slow { retry_after_ms })
            }
            _ => Ok(Some(speaker)),
        }
    }

    fn speaker(&self, author: &Author) -> Speaker {
        match (author.account, self.origin.source) {
            (Some(account), _) => Speaker::Account(account),
            (None, Source::Address(address)) => Speaker::Address(address),
            (None, _) => Speaker::Name(author.name.folded()),
        }
    }

    /// The message is proposed.
    pub(super) fn spoke(&mut self, room: RoomId, speaker: Option<Speaker>) {
        if let Some(speaker) = speaker {
            self.slow.spoke(room, speaker, self.running);
        }
    }

    /// The log has not taken a message: its author need not wait for it.
    pub(super) fn has_not_spoken(&mut self, entry: &Entry) {
        if let Entry::Said { room, author: Author { account: Some(account), .. }, .. } = entry {
            self.slow.forget(*room, &Speaker::Account(*account));
        }
    }

    /// Refuses somebody who may not come into a room, although it is open to them: the account is
    /// banned from it, or new while it is locked.
    pub(super) fn refuse_entry(
        &self,
        room: &Room,
        account: Option<AccountId>,
    ) -> Result<(), Refusal> {
        let Some(found) = &room.record.moderation else { return Ok(()) };
        if account.is_some_and(|account| found.banned.contains(&account)) {
            return Err(Refusal::BannedHere);
        }
        let own = account.is_some() && room.record.owner == account;
        if found.rules.locked && !own && !room.has_member(account) {
            return Err(Refusal::Locked);
        }
        Ok(())
    }
}
