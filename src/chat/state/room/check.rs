//! A room's tables agree with each other; tests only.

use crate::chat::state::room::{Occupant, Room};
use crate::chat::types::{AccountId, Folded};

impl Room {
    /// The names in use, each with its account, its number of bound subscriptions, and how many of
    /// them are present.
    pub fn bound_names(&self) -> impl Iterator<Item = (&Folded, (Option<AccountId>, u32, u32))> {
        let counts =
            |occupant: &Occupant| (occupant.author.account, occupant.bound, occupant.present);
        self.names.iter().map(move |(name, occupant)| (name, counts(occupant)))
    }

    /// The list of arrivals agrees with the names.
    pub fn check_present(&self) {
        let listed = self.here.iter().all(|(at, name)| self.arrival(name) == Some(*at));
        let present = self.names.values().filter(|occupant| occupant.present > 0).count();
        assert!(listed && present == self.here.len(), "{:?} lists other people", self.record.id);
    }

    /// Moderators are members, and nothing takes no memory.
    pub fn check_moderation(&self) {
        let Some(found) = &self.record.moderation else { return };
        assert_ne!(**found, Default::default(), "{:?} keeps nothing", self.record.id);
        assert!(found.moderators.iter().all(|one| self.members.contains_key(one)));
    }
}
