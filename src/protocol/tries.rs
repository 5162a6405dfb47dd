//! How often one address may try: passwords of rooms that are wrong, and accounts, guests and rooms
//! that are made without end.
//!
//! It must never tell people apart who are behind one address, so it is generous; and it knows
//! nothing of what is tried but where and how it ended. Each worker counts by itself, in a table of
//! bounded size. Called by [`respond`](super::respond).

use std::collections::HashMap;

use crate::chat::Source;
use crate::http::{Method, Reject};
use crate::limits::{TRIES_ADDRESSES_MAX, TRIES_MAX, TRY_MS};
use crate::time::Time;

/// What somebody is told who has tried too often.
pub(super) const TOO_OFTEN: Reject =
    Reject::new(429, "too much was tried from this address; wait a little, then try again");

const TRY_MICROS: i64 = TRY_MS.cast_signed() * 1_000;
/// What an address owes that has no try left.
const DEBT_MAX: i64 = TRIES_MAX.cast_signed() * TRY_MICROS;

/// Something that is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Try {
    /// To get into a room; counted when it fails.
    Enter,
    /// To make what lasts; counted when it is made.
    Make,
}

impl Try {
    /// What a request tries, if it is counted.
    pub fn of(method: Method, path: &[&str]) -> Option<Try> {
        match (method, path) {
            (Method::Post, ["chats", _, "token"])
            | (Method::Put, ["api", "v1", "rooms", _, "membership"]) => Some(Try::Enter),
            (Method::Post, ["api", "register"] | ["chats"])
            | (Method::Post, ["api", "v1", "accounts" | "guests" | "rooms"]) => Some(Try::Make),
            _ => None,
        }
    }

    /// Whether it counts, by how it ended.
    pub fn counts(self, status: u16) -> bool {
        match self {
            Try::Enter => matches!(status, 401 | 403),
            Try::Make => status == 201,
        }
    }
}

/// Who has tried how much, lately.
#[derive(Default)]
pub struct Tries {
    /// When all of an address's tries will be forgotten: each adds the time after which one more
    /// is granted.
    forgotten: HashMap<Source, Time>,
}

impl Tries {
    /// Takes one try. `false`: there is none left now.
    pub(super) fn take(&mut self, source: Source, now: Time) -> bool {
        let known = self.forgotten.get(&source).map_or(0, |until| until.0 - now.0);
        // A clock that was set back is not to make anybody wait for longer than the others.
        let debt = known.clamp(0, DEBT_MAX) + TRY_MICROS;
        if debt > DEBT_MAX {
            return false;
        }
        if known == 0 && self.forgotten.len() >= TRIES_ADDRESSES_MAX {
            self.make_room(now);
        }
        self.forgotten.insert(source, Time(now.0 + debt));
        true
    }

    /// Gives back one that was taken and does not count.
    pub(super) fn give_back(&mut self, source: Source) {
        if let Some(until) = self.forgotten.get_mut(&source) {
            until.0 -= TRY_MICROS;
        }
    }

    /// Forgets whoever has all their tries again or, if nobody has, who is nearest to it.
    fn make_room(&mut self, now: Time) {
        self.forgotten.retain(|_, until| *until > now);
        if self.forgotten.len() >= TRIES_ADDRESSES_MAX
            && let Some((&source, _)) = self.forgotten.iter().min_by_key(|(_, until)| **until)
        {
            self.forgotten.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn from(number: u32) -> Source {
        Source::of(Ipv4Addr::from(number).into())
    }

    #[test]
    fn many_at_once_and_then_one_at_a_time() {
        let (mut tries, ann, bob) = (Tries::default(), from(7), from(8));
        let mut now = Time(1_000);
        for _ in 0..TRIES_MAX {
            assert!(tries.take(ann, now));
        }
        assert!(!tries.take(ann, now) && tries.take(bob, now));
        now.0 += TRY_MICROS;
        assert!(tries.take(ann, now) && !tries.take(ann, now));
        tries.give_back(ann);
        assert!(tries.take(ann, now) && !tries.take(ann, now));
        // A clock that is set back costs nobody more than all their tries.
        now.0 -= 1_000 * DEBT_MAX;
        assert!(!tries.take(ann, now));
        now.0 += 1_000 * DEBT_MAX + 2 * DEBT_MAX;
        for _ in 0..TRIES_MAX {
            assert!(tries.take(ann, now));
        }
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let mut tries = Tries::default();
        let stubborn = from(7);
        while tries.take(stubborn, Time(0)) {}
        for index in 0..TRIES_ADDRESSES_MAX as u32 + 10 {
            assert!(tries.take(from(0x0a00_0000 + index), Time(0)));
        }
        assert_eq!(tries.forgotten.len(), TRIES_ADDRESSES_MAX);
        assert!(!tries.take(stubborn, Time(0)), "those who tried most are remembered longest");
        assert!(tries.take(from(1), Time(DEBT_MAX)));
        assert_eq!(tries.forgotten.len(), 1, "all others have their tries again");
    }
}
