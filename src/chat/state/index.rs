//! An index from folded texts to items. Nearly every text has one item; a log of the first versions
//! may have two names that are equal by today's rules: a look-up finds the first of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use crate::chat::types::Folded;

pub struct Index<I> {
    first: HashMap<Folded, I>,
    /// The later items, of the few texts that have several.
    more: HashMap<Folded, Vec<I>>,
}

impl<I> Default for Index<I> {
    fn default() -> Index<I> {
        Index { first: HashMap::new(), more: HashMap::new() }
    }
}

impl<I: Copy + PartialEq> Index<I> {
    /// The first item of a folded text.
    pub fn get(&self, folded: &str) -> Option<I> {
        self.first.get(folded).copied()
    }

    /// All items of a folded text, the first one first.
    pub fn all(&self, folded: &Folded) -> impl Iterator<Item = I> {
        let more = self.more.get(folded).map_or(&[][..], Vec::as_slice);
        self.first.get(folded).into_iter().chain(more).copied()
    }

    pub fn insert(&mut self, folded: Folded, item: I) {
        match self.first.entry(folded) {
            Slot::Occupied(taken) => self.more.entry(taken.key().clone()).or_default().push(item),
            Slot::Vacant(free) => {
                free.insert(item);
            }
        }
    }

    /// The next item becomes the first.
    pub fn remove(&mut self, folded: &Folded, item: I) {
        let mut left: Vec<I> = self.all(folded).filter(|other| *other != item).collect();
        self.first.remove(folded);
        self.more.remove(folded);
        if !left.is_empty() {
            self.first.insert(folded.clone(), left.remove(0));
        }
        if !left.is_empty() {
            self.more.insert(folded.clone(), left);
        }
    }

    /// The number of items of all texts.
    #[cfg(any(test, debug_assertions))]
    pub fn len(&self) -> usize {
        self.first.len() + self.more.values().map(Vec::len).sum::<usize>()
    }
}
