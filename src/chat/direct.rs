//! Rooms for two: how they come to be, and whose they are.
//!
//! A room for two counts for the one who opened it, who is the first of the two. It ends with a
//! guest whose it is.

use crate::chat::accounts::Known;
use crate::chat::asks::Identity;
use crate::chat::types::{AccountId, Folded, Seq};
use crate::chat::vocabulary::{Answer, Entry, Refusal, What};
use crate::chat::{AskId, Chat, Purpose};
use crate::limits::{DIRECT_ROOMS_PER_ACCOUNT_MAX, ROOMS_MAX};

impl Chat {
    /// The two of whom somebody wants the room.
    pub(super) fn pair(&self, who: Identity, name: &str) -> Result<[AccountId; 2], Refusal> {
        let account = who.ok_or(Refusal::Unauthenticated)?.account;
        let other = self.person_named(name).ok_or(Refusal::PersonNotFound)?.account.id;
        // Nobody has a direct room with themselves.
        if other == account { Err(Refusal::PersonNotFound) } else { Ok([account, other]) }
    }

    /// Somebody by name, whatever its case: an account's or a guest's.
    pub(super) fn person_named(&self, name: &str) -> Option<&Known> {
        self.accounts.by_name(&Folded::new(name))
    }

    /// `Ok(None)`: the answer comes with the log's.
    pub(super) fn direct(
        &mut self,
        ask: AskId,
        who: Identity,
        name: &str,
        chance: u64,
    ) -> Result<Option<Answer>, Refusal> {
        let between = self.pair(who, name)?;
        if let Some(room) = self.rooms.of_pair(between) {
            let room = Box::new(self.info(room, Some(between[0]), true));
            return Ok(Some(Answer::Direct { room, made: false }));
        }
        // It counts for the one who opens it alone: strangers use up nothing of the other's.
        if self.rooms.len() >= ROOMS_MAX
            || self.rooms.opened_by(between[0]) >= DIRECT_ROOMS_PER_ACCOUNT_MAX
        {
            return Err(Refusal::Full);
        }
        let room = self.rooms.drawn(chance).ok_or(Refusal::Unavailable)?;
        let purpose = Purpose::Ask(ask, Some(between[0]));
        self.propose(Entry::DirectMade { room, between }, purpose)?;
        self.rooms.reserve_pair(between);
        Ok(None)
    }

    /// The rooms for two of a guest who is gone for good end: nobody could be answered there.
    pub(super) fn end_direct_rooms(&mut self, seq: Seq, account: AccountId) {
        let direct = self.accounts.get(account).map(|known| known.direct.clone());
        for id in direct.unwrap_or_default() {
            self.end_membership(account, id);
            let Some(room) = self.rooms.get(id) else { continue };
            let other = room.members.first_key_value().map(|(other, _)| *other);
            // Only streams hear a room for two.
            other.into_iter().for_each(|other| self.whisper(other, id, What::Gone { seq }));
            if let Some(room) = self.rooms.remove(id) {
                self.empty(Box::new(room));
            }
        }
    }
}
