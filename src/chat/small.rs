//! A sorted map that is small most of the time: a room for two has two members, and there may be
//! ten thousand such rooms. A B-tree allocates a leaf for eleven items with its first item; this
//! allocates what its items need, nothing when it is empty, and becomes a B-tree beyond [`FEW`]
//! items.

use std::collections::BTreeMap;
use std::ops::Bound;

/// The items that are kept in a sorted list.
const FEW: usize = 8;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct SmallMap<K, V>(Items<K, V>);

#[derive(Clone, Debug)]
#[expect(clippy::box_collection, reason = "so a small map is no larger than a list")]
enum Items<K, V> {
    Few(Vec<(K, V)>),
    Many(Box<BTreeMap<K, V>>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> SmallMap<K, V> {
        SmallMap(Items::Few(Vec::new()))
    }
}

impl<K: Ord + Copy, V> SmallMap<K, V> {
    pub fn len(&self) -> usize {
        match &self.0 {
            Items::Few(few) => few.len(),
            Items::Many(many) => many.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        match &self.0 {
            Items::Few(few) => find(few, key).ok().map(|place| &few[place].1),
            Items::Many(many) => many.get(key),
        }
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match &mut self.0 {
            Items::Few(few) => find(few, key).ok().map(|place| &mut few[place].1),
            Items::Many(many) => many.get_mut(key),
        }
    }

    /// Inserts or replaces an item, and returns the earlier value.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match &mut self.0 {
            Items::Few(few) => match find(few, &key) {
                Ok(place) => return Some(std::mem::replace(&mut few[place].1, value)),
                Err(place) if few.len() < FEW => {
                    few.reserve_exact(1);
                    few.insert(place, (key, value));
                }
                Err(_) => {
                    let mut many = BTreeMap::from_iter(few.drain(..));
                    many.insert(key, value);
                    self.0 = Items::Many(Box::new(many));
                }
            },
            Items::Many(many) => return many.insert(key, value),
        }
        None
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        match &mut self.0 {
            Items::Few(few) => {
                let removed = find(few, key).ok().map(|place| few.remove(place).1);
                if few.is_empty() {
                    *few = Vec::new();
                }
                removed
            }
            Items::Many(many) => {
                let removed = many.remove(key);
                // Half of it, so that a map at the border does not change back and forth.
                if many.len() <= FEW / 2 {
                    self.0 = Items::Few(std::mem::take(&mut **many).into_iter().collect());
                }
                removed
            }
        }
    }

    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match &self.0 {
            Items::Few(few) => (&few[..], None),
            Items::Many(many) => (&[][..], Some(many.iter())),
        };
        few.iter().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    /// The items after that key.
    pub fn after(&self, key: K) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match &self.0 {
            Items::Few(few) => (&few[few.partition_point(|(other, _)| *other <= key)..], None),
            Items::Many(many) => {
                (&[][..], Some(many.range((Bound::Excluded(key), Bound::Unbounded))))
            }
        };
        few.iter().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let (mut few, mut many) = (None, None);
        match &mut self.0 {
            Items::Few(list) => few = Some(list.iter_mut()),
            Items::Many(tree) => many = Some(tree.values_mut()),
        }
        few.into_iter().flatten().map(|(_, value)| value).chain(many.into_iter().flatten())
    }
}

impl<K: Ord + Copy, V> FromIterator<(K, V)> for SmallMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> SmallMap<K, V> {
        let mut map = SmallMap::default();
        items.into_iter().for_each(|(key, value)| drop(map.insert(key, value)));
        map
    }
}

fn find<K: Ord, V>(few: &[(K, V)], key: &K) -> Result<usize, usize> {
    few.binary_search_by(|(other, _)| other.cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random changes, against the map that it replaces.
    #[test]
    fn behaves_like_a_map() {
        let (mut map, mut model) = (SmallMap::default(), BTreeMap::new());
        let (mut random, mut sizes) = (1_u64, [false; 2]);
        for step in 0..20_000_u64 {
            // xorshift64: the test needs variety, not quality.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let key = random % 24;
            // Grows and shrinks in turns, over the border and back to nothing.
            match (random >> 32) % 8 < if step % 400 < 200 { 6 } else { 2 } {
                true => assert_eq!(map.insert(key, step), model.insert(key, step)),
                false => assert_eq!(map.remove(&key), model.remove(&key)),
            }
            if let Some(value) = map.get_mut(&key) {
                *value += 1;
                model.entry(key).and_modify(|value| *value += 1);
            }
            sizes[usize::from(matches!(map.0, Items::Many(_)))] = true;
            assert!(map.iter().eq(model.iter()) && map.keys().eq(model.keys()));
            let rest = model.range((Bound::Excluded(key), Bound::Unbounded));
            assert!(map.after(key).eq(rest));
            assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
            assert_eq!(map.first_key_value(), model.first_key_value());
            assert_eq!(map.contains_key(&key), model.contains_key(&key));
            assert!(map.values_mut().map(|value| *value).eq(model.values().copied()));
        }
        assert_eq!(sizes, [true; 2]);
        assert!(model.clone().into_iter().collect::<SmallMap<_, _>>().iter().eq(model.iter()));
    }
}
