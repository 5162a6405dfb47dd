//! A map by numbers, in which whoever goes through it is counted, in tests: so that a command that
//! looks at all of something is found without a clock.

use std::collections::HashMap;
use std::collections::hash_map;
use std::hash::{BuildHasherDefault, Hasher};
use std::iter::Inspect;
use std::ops::{Deref, DerefMut};

/// A map by numbers that this server has given out itself. As nobody else chooses them, none can
/// make them collide, and finding one need not cost a keyed hash.
#[derive(Debug)]
pub struct Numbered<K, V>(HashMap<K, V, BuildHasherDefault<Spread>>);

/// Spreads the bits of a number (Fibonacci hashing: Knuth, TAOCP section 6.4), the upper half
/// folded onto the lower.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<K, V> Numbered<K, V> {
    /// Goes through all of it.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().inspect(|_| looked())
    }

    /// Goes through all keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys().inspect(|_| looked())
    }

    /// Goes through all values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().inspect(|_| looked())
    }

    /// Goes through all values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.values_mut().inspect(|_| looked())
    }

    /// Takes it apart.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.0.into_values().inspect(|_| looked())
    }
}

impl<K, V> Default for Numbered<K, V> {
    fn default() -> Numbered<K, V> {
        Numbered(HashMap::default())
    }
}

impl<K, V> Deref for Numbered<K, V> {
    type Target = HashMap<K, V, BuildHasherDefault<Spread>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K, V> DerefMut for Numbered<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<'a, K, V> IntoIterator for &'a Numbered<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Inspect<hash_map::Iter<'a, K, V>, fn(&(&'a K, &'a V))>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().inspect(|_| looked())
    }
}

#[cfg(test)]
thread_local! {
    static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// One thing was looked at of many. Counted in tests, on the thread of the test.
pub fn looked() {
    #[cfg(test)]
    LOOKS.with(|looks| looks.set(looks.get() + 1));
}

/// How many things were looked at since the last time that this was asked.
#[cfg(test)]
pub(super) fn looks() -> u64 {
    LOOKS.with(std::cell::Cell::take)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of subscriptions differ in the middle, those of all else at the end; a map looks
    /// at the lowest bits first, and at the highest.
    #[test]
    fn numbers_are_spread_at_both_ends() {
        for shift in [0, 16, 48] {
            let hashes: Vec<u64> = (1..=1024_u64)
                .map(|number| {
                    let mut spread = Spread::default();
                    spread.write_u64(number << shift);
                    spread.finish()
                })
                .collect();
            let distinct = |part: fn(u64) -> u64| {
                hashes.iter().map(|hash| part(*hash)).collect::<std::collections::HashSet<_>>()
            };
            // Drawn at random, 647 of 1,024 would be met.
            let (low, high) = (distinct(|hash| hash % 1024), distinct(|hash| hash >> 54));
            assert!(low.len() > 500 && high.len() > 500, "{shift}: {} {}", low.len(), high.len());
        }
    }
}
