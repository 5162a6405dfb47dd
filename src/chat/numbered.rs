//! A map by numbers that counts its look-ups in tests: so tests find a command that goes through a
//! whole table, without a clock.

use std::collections::HashMap;
use std::collections::hash_map;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::iter::Inspect;
use std::ops::{Deref, DerefMut, Index};

/// A map by numbers that this server itself assigns. As no client chooses them, no client can make
/// them collide, and a look-up need not cost a keyed hash.
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
    /// All items.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().inspect(|_| looked())
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys().inspect(|_| looked())
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().inspect(|_| looked())
    }

    /// All values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.values_mut().inspect(|_| looked())
    }

    /// Takes the map apart.
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

/// A map by numbers of large values, each in an allocation of its own: so a map that grows moves
/// only pointers, and its free places are small.
#[derive(Debug)]
pub struct NumberedLarge<K, V>(Numbered<K, Box<V>>);

impl<K: Eq + Hash, V> NumberedLarge<K, V> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key).map(Box::as_mut)
    }

    pub fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, Box::new(value));
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key).map(|value| *value)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().map(Box::as_ref)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value.as_ref()))
    }
}

impl<K, V> Default for NumberedLarge<K, V> {
    fn default() -> NumberedLarge<K, V> {
        NumberedLarge(Numbered::default())
    }
}

impl<K: Eq + Hash, V> Index<&K> for NumberedLarge<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        &self.0[key]
    }
}

#[cfg(test)]
thread_local! {
    static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts one item of many, in tests, on the thread of the test.
pub fn looked() {
    #[cfg(test)]
    LOOKS.with(|looks| looks.set(looks.get() + 1));
}

/// The items counted since the last call.
#[cfg(test)]
pub(super) fn looks() -> u64 {
    LOOKS.with(std::cell::Cell::take)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of subscriptions differ in the middle bits, all others in the low bits; a map
    /// uses the lowest bits first, and the highest.
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
            // Of random numbers 647 of 1,024 would differ.
            let (low, high) = (distinct(|hash| hash % 1024), distinct(|hash| hash >> 54));
            assert!(low.len() > 500 && high.len() > 500, "{shift}: {} {}", low.len(), high.len());
        }
    }
}
