//! Quotas: how much of what lasts may be there at once, however slowly it is made. Rates (see
//! `charge`) bound how fast; a quota is decided by the entry that would make one more, whichever
//! way it is asked for.
//!
//! An account answers for the rooms that it owns. What nobody owns, and accounts themselves, count
//! for the address that made them, as long as they are there; of what was made before the start
//! that is not known, as addresses are not written down. Like the rates of addresses, this does not
//! hold for this machine itself.

use crate::chat::core::Chat;
use crate::chat::source::Source;
use crate::chat::state::purpose::Purpose;
use crate::chat::state::quotas::{Thing, less};
use crate::chat::types::AccountId;
use crate::chat::vocabulary::{Entry, Refusal};
use crate::limits::{OWNED_ROOMS_PER_ACCOUNT_MAX, OWNED_ROOMS_PER_GUEST_MAX};

impl Chat {
    /// Whether there may be what an entry makes.
    pub(super) fn find_quota(&self, entry: &Entry, purpose: &Purpose) -> Result<(), Refusal> {
        let full = match entry {
            _ if matches!(purpose, Purpose::Own) => false,
            Entry::RoomMade { owner: Some(owner), .. } => self.owns_too_much(*owner),
            entry => Thing::of(entry).is_some_and(|(_, thing)| {
                self.counts_by_address() && self.quotas.is_full(self.origin.source, thing)
            }),
        };
        if full { Err(Refusal::QuotaReached) } else { Ok(()) }
    }

    fn counts_by_address(&self) -> bool {
        !self.is_free() && self.origin.source != Source::Local
    }

    /// Whether an account owns as many rooms as it may, those included that it is about to make or
    /// to bring back.
    pub(super) fn owns_too_much(&self, owner: AccountId) -> bool {
        let guest = self.is_guest(owner);
        let max = if guest { OWNED_ROOMS_PER_GUEST_MAX } else { OWNED_ROOMS_PER_ACCOUNT_MAX };
        let making = self.quotas.making.get(&owner).copied().unwrap_or(0);
        let deleted = self.deleted.owned_by(owner);
        let returning = deleted.filter(|room| self.deleted.is_pending(*room)).count();
        self.rooms.owns(owner, max) + making + returning >= max
    }

    /// It is proposed, and counts from now on.
    pub(super) fn count(&mut self, entry: &Entry, purpose: &Purpose) {
        if matches!(purpose, Purpose::Own) {
            return;
        }
        if let Entry::RoomMade { owner: Some(owner), .. } = entry {
            *self.quotas.making.entry(*owner).or_insert(0) += 1;
        }
        if let Some((made, thing)) = Thing::of(entry).filter(|_| self.counts_by_address()) {
            self.quotas.begin(self.origin.source, made, thing);
        }
    }

    /// The log has answered for an entry: what it makes is there, or will not be.
    pub(super) fn made(&mut self, entry: &Entry) {
        if let Entry::RoomMade { owner: Some(owner), .. } = entry {
            less(&mut self.quotas.making, *owner);
        }
    }
}
