//! A fair queue: addresses take turns, and so do the rooms of one address.
//!
//! Nobody waits for more than one turn of each other address, however many jobs those have
//! (start-time fair queuing, with turns of equal length); when the queue overflows, the longest
//! lane loses a job. It knows nothing of the jobs.

use std::collections::HashMap;
use std::hash::Hash;

use crate::chat::Source;

/// A lane within an address: a room's number, or 0 for a new room.
pub(super) type Lane = u64;

/// The waiting jobs, in order of arrival.
pub(super) struct Queue<T> {
    waiting: Vec<(Source, Lane, T)>,
    sources: Turns<Source>,
    /// The lanes of the addresses that have a job, or recently had one.
    lanes: HashMap<Source, Turns<Lane>>,
}

/// The number of turns that each key has had. A new key starts with as many as the key of the last
/// turn.
struct Turns<K> {
    now: u64,
    had: HashMap<K, u64>,
}

impl<T> Queue<T> {
    pub fn new() -> Queue<T> {
        Queue { waiting: Vec::new(), sources: Turns::new(), lanes: HashMap::new() }
    }

    /// The number of waiting jobs.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Appends a job.
    pub fn push(&mut self, source: Source, lane: Lane, job: T) {
        let mut others = self.waiting.iter().filter(|(other, _, _)| *other == source).peekable();
        if others.peek().is_none() {
            self.sources.join(source);
        }
        let lanes = self.lanes.entry(source).or_insert_with(Turns::new);
        if !others.any(|(_, other, _)| *other == lane) {
            lanes.join(lane);
        }
        self.waiting.push((source, lane, job));
    }

    /// Takes the job whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let source = self.sources.next(self.waiting.iter().map(|(source, _, _)| *source))?;
        let own = self.waiting.iter().filter(|(other, _, _)| *other == source);
        let lane = self.lanes.get_mut(&source)?.next(own.map(|(_, lane, _)| *lane))?;
        let mut all = self.waiting.iter();
        let first = all.position(|(other, of, _)| (*other, *of) == (source, lane))?;
        let (_, _, job) = self.waiting.remove(first);
        self.forget();
        Some(job)
    }

    /// Takes the last job of the longest lane of the address with the most jobs.
    pub fn pop_excess(&mut self) -> Option<T> {
        let source = most(self.waiting.iter().map(|(source, _, _)| *source))?;
        let own = self.waiting.iter().filter(|(other, _, _)| *other == source);
        let lane = most(own.map(|(_, lane, _)| *lane))?;
        let mut all = self.waiting.iter();
        let last = all.rposition(|(other, of, _)| (*other, *of) == (source, lane))?;
        let (_, _, job) = self.waiting.remove(last);
        Some(job)
    }

    /// Removes abandoned jobs.
    pub fn retain(&mut self, is_wanted: impl Fn(&T) -> bool) {
        self.waiting.retain(|(_, _, job)| is_wanted(job));
    }

    /// Forgets keys whose state is the same as a new key's.
    fn forget(&mut self) {
        let waits = |source: &Source| self.waiting.iter().any(|(other, _, _)| other == source);
        self.sources.forget(waits);
        let known = &self.sources.had;
        self.lanes.retain(|source, _| known.contains_key(source));
        for (source, lanes) in &mut self.lanes {
            let mut own = self.waiting.iter().filter(|(other, _, _)| other == source);
            lanes.forget(|lane| own.any(|(_, other, _)| other == lane));
        }
    }
}

impl<K: Copy + Eq + Hash> Turns<K> {
    fn new() -> Turns<K> {
        Turns { now: 0, had: HashMap::new() }
    }

    /// A key without a waiting job gets one: unused turns are not saved up.
    fn join(&mut self, who: K) {
        let had = self.had.entry(who).or_insert(0);
        *had = self.now.max(*had);
    }

    /// Takes a turn: the waiting key with the fewest turns; of several the first.
    fn next(&mut self, waiting: impl Iterator<Item = K>) -> Option<K> {
        let next = waiting.min_by_key(|who| self.had.get(who).copied().unwrap_or(0))?;
        let had = self.had.entry(next).or_insert(0);
        self.now = *had;
        *had += 1;
        Some(next)
    }

    fn forget(&mut self, mut waits: impl FnMut(&K) -> bool) {
        let now = self.now;
        self.had.retain(|who, had| *had > now || waits(who));
    }
}

/// The most frequent key; of several the last.
fn most<K: Copy + Eq + Hash>(all: impl Iterator<Item = K> + Clone) -> Option<K> {
    let mut counts = HashMap::new();
    for key in all.clone() {
        *counts.entry(key).or_insert(0) += 1;
    }
    all.max_by_key(|key| counts[key])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u32) -> Source {
        Source::of(std::net::Ipv4Addr::from(0x0a00_0000 + number).into())
    }

    fn all(queue: &mut Queue<&'static str>) -> String {
        std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn addresses_and_their_rooms_take_turns() {
        let mut queue = Queue::new();
        for job in ["a1", "a2", "a3", "a4"] {
            queue.push(at(1), 7, job);
        }
        queue.push(at(1), 8, "r1");
        queue.push(at(2), 7, "b1");
        queue.push(at(2), 7, "b2");
        assert_eq!(all(&mut queue), "a1 b1 r1 b2 a2 a3 a4");
        assert!(queue.sources.had.len() <= 1 && queue.lanes.len() <= 1, "it keeps nothing");
    }

    /// A key that asks again as soon as it is answered gets no more turns than one with many
    /// waiting jobs.
    #[test]
    fn new_addresses_do_not_overtake_waiting_ones() {
        let mut queue = Queue::new();
        for job in ["b1", "b2", "b3"] {
            queue.push(at(9), 1, job);
        }
        queue.push(at(1), 1, "1");
        queue.push(at(2), 1, "2");
        let mut served = Vec::new();
        for _ in 0..9 {
            let next = queue.pop().expect("somebody waits");
            served.push(next);
            match next {
                "1" => queue.push(at(1), 1, "1"),
                "2" => queue.push(at(2), 1, "2"),
                _ => {}
            }
        }
        assert_eq!(served.join(" "), "b1 1 2 b2 1 2 b3 1 2");
    }

    /// The same holds for the rooms of one address, whatever turns other addresses had meanwhile.
    #[test]
    fn a_new_room_waits_for_one_turn_of_each() {
        let mut queue = Queue::new();
        for _ in 0..50 {
            queue.push(at(1), 1, "x");
            assert_eq!(queue.pop(), Some("x"));
        }
        for job in ["a1", "a2", "a3"] {
            queue.push(at(2), 1, job);
        }
        assert_eq!(queue.pop(), Some("a1"));
        queue.push(at(2), 2, "new");
        queue.push(at(2), 3, "newer");
        assert_eq!(all(&mut queue), "new newer a2 a3");
    }

    #[test]
    fn the_longest_line_gives_way() {
        let mut queue = Queue::new();
        for job in ["a1", "a2", "a3"] {
            queue.push(at(1), 1, job);
        }
        queue.push(at(1), 2, "r1");
        for job in ["b1", "b2", "b3"] {
            queue.push(at(2), 1, job);
        }
        queue.push(at(3), 1, "c1");
        let excess = std::iter::from_fn(|| queue.pop_excess()).collect::<Vec<_>>().join(" ");
        assert_eq!(excess, "a3 b3 a2 b2 r1 c1 b1 a1");
        queue.push(at(1), 1, "gone");
        queue.push(at(1), 1, "stays");
        queue.retain(|job| *job != "gone");
        assert_eq!((queue.len(), all(&mut queue)), (1, "stays".to_owned()));
    }
}
