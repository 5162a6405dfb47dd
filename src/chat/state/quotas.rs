//! The counts of the quotas.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::net::IpAddr;

use crate::chat::source::Source;
use crate::chat::types::{AccountId, RoomId};
use crate::chat::vocabulary::Entry;
use crate::limits::rates::SITE_ADDRESSES;
use crate::limits::{ACCOUNTS_PER_ADDRESS_MAX, FREE_ROOMS_PER_ADDRESS_MAX, GUESTS_PER_ADDRESS_MAX};

/// An item that counts for an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Made {
    Account(AccountId),
    Room(RoomId),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Thing {
    Guest,
    Account,
    /// A room without an owner.
    Room,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Whence {
    Source(Source),
    /// An IPv6 network of 48 bits.
    Site(IpAddr),
}

/// Existing items by their maker; pending ones included.
#[derive(Default)]
pub struct Quotas {
    /// The rooms that accounts are creating.
    pub making: HashMap<AccountId, usize>,
    pub makers: HashMap<Made, (Source, Thing)>,
    pub counts: HashMap<(Whence, Thing), usize>,
}

impl Thing {
    /// The item that an entry makes, if it counts for an address.
    pub fn of(entry: &Entry) -> Option<(Made, Thing)> {
        match entry.act() {
            Entry::AccountMade { account, key: None, .. } => {
                Some((Made::Account(*account), Thing::Guest))
            }
            Entry::AccountMade { account, .. } => Some((Made::Account(*account), Thing::Account)),
            Entry::RoomMade { room, owner: None, .. } => Some((Made::Room(*room), Thing::Room)),
            _ => None,
        }
    }

    pub fn max(self) -> usize {
        match self {
            Thing::Guest => GUESTS_PER_ADDRESS_MAX,
            Thing::Account => ACCOUNTS_PER_ADDRESS_MAX,
            Thing::Room => FREE_ROOMS_PER_ADDRESS_MAX,
        }
    }
}

/// The address and its network, each with its multiple of one address's quota.
pub fn whence(source: Source) -> impl Iterator<Item = (Whence, usize)> {
    let site = source.site().map(|site| (Whence::Site(site), SITE_ADDRESSES as usize));
    std::iter::once((Whence::Source(source), 1)).chain(site)
}

impl Quotas {
    pub fn is_full(&self, source: Source, thing: Thing) -> bool {
        let count = |from| self.counts.get(&(from, thing)).copied().unwrap_or(0);
        whence(source).any(|(from, times)| count(from) >= times * thing.max())
    }

    pub fn begin(&mut self, source: Source, made: Made, thing: Thing) {
        self.makers.insert(made, (source, thing));
        for (from, _) in whence(source) {
            *self.counts.entry((from, thing)).or_insert(0) += 1;
        }
    }

    /// The item is gone, or its entry has failed.
    pub fn end(&mut self, made: Made) {
        let Some((source, thing)) = self.makers.remove(&made) else { return };
        whence(source).for_each(|(from, _)| less(&mut self.counts, (from, thing)));
    }

    /// The counts agree with the existing items.
    #[cfg(any(test, debug_assertions))]
    pub fn check(&self, is_there: impl Fn(Made) -> bool) {
        let mut counts = HashMap::new();
        for (made, (source, thing)) in &self.makers {
            assert!(is_there(*made), "{made:?} counts but does not exist");
            for (from, _) in whence(*source) {
                *counts.entry((from, *thing)).or_insert(0) += 1;
            }
        }
        assert_eq!(counts, self.counts);
        assert!(self.making.is_empty(), "a room is pending for ever");
    }
}

/// Subtracts one and removes a zero.
pub fn less<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Slot::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

impl Made {
    /// The item that an entry makes, if it counts for an address.
    pub fn of(entry: &Entry) -> Option<Made> {
        Thing::of(entry).map(|(made, _)| made)
    }
}
