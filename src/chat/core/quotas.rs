//! Quotas: how many lasting items may exist at once, however slowly they are made. Rate limits (see
//! `charge`) bound the speed; a quota refuses the entry that would make one item too many, no
//! matter which call asks for it.
//!
//! An account's quota counts the rooms that it owns. Rooms without an owner, and accounts
//! themselves, count for the address that made them, as long as they exist; those from before the
//! start of the server count for nobody, as addresses are not stored. Like the rate limits of
//! addresses, this does not apply to this machine itself.

use crate::chat::core::Chat;
use crate::chat::source::Source;
use crate::chat::state::purpose::Purpose;
use crate::chat::state::quotas::{Thing, less};
use crate::chat::types::AccountId;
use crate::chat::vocabulary::{Entry, Refusal};
use crate::limits::{OWNED_ROOMS_PER_ACCOUNT_MAX, OWNED_ROOMS_PER_GUEST_MAX};

impl Chat {
    /// Checks the quota for an entry.
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

    /// Whether an account has reached its limit of owned rooms, including rooms whose creation or
    /// return is pending.
    pub(super) fn owns_too_much(&self, owner: AccountId) -> bool {
        let guest = self.is_guest(owner);
        let max = if guest { OWNED_ROOMS_PER_GUEST_MAX } else { OWNED_ROOMS_PER_ACCOUNT_MAX };
        let making = self.quotas.making.get(&owner).copied().unwrap_or(0);
        let deleted = self.deleted.owned_by(owner);
        let returning = deleted.filter(|room| self.deleted.is_pending(*room)).count();
        self.rooms.owns(owner, max) + making + returning >= max
    }

    /// Counts a proposed entry.
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

    /// The log has decided about an entry: the pending count ends.
    pub(super) fn made(&mut self, entry: &Entry) {
        if let Entry::RoomMade { owner: Some(owner), .. } = entry {
            less(&mut self.quotas.making, *owner);
        }
    }
}
