//! Quotas: how much of what lasts may be there at once, however slowly it is made. Rates (see
//! `charge`) bound how fast; a quota is decided by the entry that would make one more, whichever
//! way it is asked for.
//!
//! An account answers for the rooms that it owns. What nobody owns, and accounts themselves, count
//! for the address that made them, as long as they are there; of what was made before the start
//! that is not known, as addresses are not written down. Like the rates of addresses, this does not
//! hold for this machine itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::net::IpAddr;

use crate::chat::source::Source;
use crate::chat::types::{AccountId, RoomId};
use crate::chat::vocabulary::{Entry, Refusal};
use crate::chat::{Chat, Purpose};
use crate::limits::rates::SITE_ADDRESSES;
use crate::limits::{
    ACCOUNTS_PER_ADDRESS_MAX, FREE_ROOMS_PER_ADDRESS_MAX, GUESTS_PER_ADDRESS_MAX,
    OWNED_ROOMS_PER_ACCOUNT_MAX, OWNED_ROOMS_PER_GUEST_MAX,
};

/// What counts for an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Made {
    Account(AccountId),
    Room(RoomId),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Thing {
    Guest,
    Account,
    /// A room that nobody owns.
    Room,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Whence {
    Source(Source),
    /// An IPv6 network of 48 bits.
    Site(IpAddr),
}

/// What is there, by who has made it; what is in flight included.
#[derive(Default)]
pub(super) struct Quotas {
    /// Rooms that accounts are about to make.
    making: HashMap<AccountId, usize>,
    makers: HashMap<Made, (Source, Thing)>,
    counts: HashMap<(Whence, Thing), usize>,
}

impl Thing {
    /// How many of it one address may have there, if it is such a thing.
    fn of(entry: &Entry) -> Option<(Made, Thing)> {
        match entry {
            Entry::AccountMade { account, key: None, .. } => {
                Some((Made::Account(*account), Thing::Guest))
            }
            Entry::AccountMade { account, .. } => Some((Made::Account(*account), Thing::Account)),
            Entry::RoomMade { room, owner: None, .. } => Some((Made::Room(*room), Thing::Room)),
            _ => None,
        }
    }

    fn max(self) -> usize {
        match self {
            Thing::Guest => GUESTS_PER_ADDRESS_MAX,
            Thing::Account => ACCOUNTS_PER_ADDRESS_MAX,
            Thing::Room => FREE_ROOMS_PER_ADDRESS_MAX,
        }
    }
}

/// All that an address counts as, each with how much more than one it may.
fn whence(source: Source) -> impl Iterator<Item = (Whence, usize)> {
    let site = source.site().map(|site| (Whence::Site(site), SITE_ADDRESSES as usize));
    std::iter::once((Whence::Source(source), 1)).chain(site)
}

impl Quotas {
    fn is_full(&self, source: Source, thing: Thing) -> bool {
        let count = |from| self.counts.get(&(from, thing)).copied().unwrap_or(0);
        whence(source).any(|(from, times)| count(from) >= times * thing.max())
    }

    fn begin(&mut self, source: Source, made: Made, thing: Thing) {
        self.makers.insert(made, (source, thing));
        for (from, _) in whence(source) {
            *self.counts.entry((from, thing)).or_insert(0) += 1;
        }
    }

    /// It is not there any more, or never came to be.
    pub fn end(&mut self, made: Made) {
        let Some((source, thing)) = self.makers.remove(&made) else { return };
        whence(source).for_each(|(from, _)| less(&mut self.counts, (from, thing)));
    }

    /// The counts are those of what is there; `is_there` says what is.
    #[cfg(any(test, debug_assertions))]
    pub fn check(&self, is_there: impl Fn(Made) -> bool) {
        let mut counts = HashMap::new();
        for (made, (source, thing)) in &self.makers {
            assert!(is_there(*made), "{made:?} counts, and is not there");
            for (from, _) in whence(*source) {
                *counts.entry((from, *thing)).or_insert(0) += 1;
            }
        }
        assert_eq!(counts, self.counts);
        assert!(self.making.is_empty(), "a room is made for ever");
    }
}

/// One less, and no zero is kept.
fn less<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Slot::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

impl Made {
    /// What an entry makes that counts for an address.
    pub fn of(entry: &Entry) -> Option<Made> {
        Thing::of(entry).map(|(made, _)| made)
    }
}

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
        if full { Err(Refusal::Full) } else { Ok(()) }
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
        let returning = deleted.filter(|room| self.deleted.is_changing(*room)).count();
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
