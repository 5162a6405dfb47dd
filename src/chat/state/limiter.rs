//! Token buckets: the rate limits of connections, persons, addresses and rooms.
//!
//! Each bucket is one number, the moment at which it is full again (the generic cell rate
//! algorithm): taking tokens moves that moment on, and a move too far ahead of now is refused. The
//! limiter knows nothing of the action; time is an argument, and must not run back. The table is
//! bounded; nearly full buckets are dropped first. Only the core calls it, for all workers.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::chat::source::Source;
use crate::chat::types::{AccountId, RoomId, SubscriptionId};
use crate::limits::rates::{self, BUCKETS_LOOKED_AT, BUCKETS_MAX, BUCKETS_SWEPT, Rate, Rates};

/// The kind of an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Call,
    ClientEvent,
    Message,
    Change,
    Bytes,
    DayBytes,
    Typing,
    Mark,
    Presence,
    Open,
    Login,
    Make,
    DayMake,
    Membership,
    Search,
    Guess,
    GuessWary,
}

impl Kind {
    /// The rates of its buckets.
    pub fn rates(self) -> &'static Rates {
        match self {
            Kind::Call => &rates::CALL,
            Kind::ClientEvent => &rates::CLIENT_EVENT,
            Kind::Message => &rates::MESSAGE,
            Kind::Change => &rates::CHANGE,
            Kind::Bytes => &rates::BYTES,
            Kind::DayBytes => &rates::DAY_BYTES,
            Kind::Typing => &rates::TYPING,
            Kind::Mark => &rates::MARK,
            Kind::Presence => &rates::PRESENCE,
            Kind::Open => &rates::OPEN,
            Kind::Login => &rates::LOGIN,
            Kind::Make => &rates::MAKE,
            Kind::DayMake => &rates::DAY_MAKE,
            Kind::Membership => &rates::MEMBERSHIP,
            Kind::Search => &rates::SEARCH,
            Kind::Guess => &rates::GUESS,
            Kind::GuessWary => &rates::GUESS_WARY,
        }
    }
}

/// The owner of buckets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    Connection(SubscriptionId),
    Person(AccountId),
    Source(Source),
    /// An IPv6 network of 48 bits.
    Site(IpAddr),
    Room(RoomId),
}

/// A number of tokens from one bucket.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    pub subject: Subject,
    pub kind: Kind,
    pub rate: Rate,
    pub count: u64,
}

/// The buckets of one subject that are not full, and when each will be, in nanoseconds of the
/// limiter's clock. Most subjects use a few kinds; after a while only those with long rates stay.
struct Row {
    subject: Subject,
    buckets: Vec<(Kind, u64)>,
}

impl Row {
    /// The moment at which all are full, and the row can be dropped.
    fn full_at(&self) -> u64 {
        self.buckets.iter().map(|(_, full_at)| *full_at).max().unwrap_or(0)
    }

    /// A bucket, if it is kept.
    fn get(&self, kind: Kind) -> Option<u64> {
        self.buckets.iter().find(|(other, _)| *other == kind).map(|(_, full_at)| *full_at)
    }

    fn bucket(&mut self, kind: Kind) -> &mut u64 {
        let found = self.buckets.iter().position(|(other, _)| *other == kind);
        let place = found.unwrap_or_else(|| {
            self.buckets.push((kind, 0));
            self.buckets.len() - 1
        });
        &mut self.buckets[place].1
    }

    /// Drops full buckets.
    fn sweep(&mut self, now: u64) {
        let before = self.buckets.len();
        self.buckets.retain(|(_, full_at)| *full_at > now);
        if self.buckets.len() < before {
            self.buckets.shrink_to_fit();
        }
    }
}

/// See the module's documentation.
#[derive(Default)]
pub struct Limiter {
    rows: Vec<Row>,
    /// The index in `rows` of each subject.
    places: HashMap<Subject, usize>,
    /// Moves over `rows`, to find rows to drop.
    hand: usize,
}

impl Limiter {
    /// Takes tokens from all of these buckets, or from none.
    ///
    /// # Errors
    /// The nanoseconds until the emptiest bucket has enough tokens.
    pub fn take(&mut self, now: u64, takes: &[Take]) -> Result<(), u64> {
        let waits = takes.iter().map(|take| self.wait(now, take));
        match waits.max() {
            None | Some(0) => {}
            Some(wait) => return Err(wait),
        }
        for take in takes {
            let full_at = self.bucket(now, take.subject, take.kind);
            *full_at = (*full_at).max(now).saturating_add(cost(take));
        }
        Ok(())
    }

    /// Takes tokens even from an empty bucket: its debt may reach one more burst.
    pub fn owe(&mut self, now: u64, takes: &[Take]) {
        for take in takes {
            let most = now.saturating_add(2 * take.rate.burst * take.rate.every_nanos);
            let full_at = self.bucket(now, take.subject, take.kind);
            *full_at = (*full_at).max(now).saturating_add(cost(take)).min(most.max(*full_at));
        }
    }

    /// Refunds tokens that turned out not to count.
    pub fn refund(&mut self, takes: &[Take]) {
        for take in takes {
            if let Some(place) = self.places.get(&take.subject) {
                let full_at = self.rows[*place].bucket(take.kind);
                *full_at = full_at.saturating_sub(cost(take));
            }
        }
    }

    /// The nanoseconds until these tokens are available; 0: now.
    pub fn wait(&self, now: u64, take: &Take) -> u64 {
        let place = self.places.get(&take.subject);
        let full_at = place.and_then(|place| self.rows[*place].get(take.kind)).unwrap_or(0);
        let room = take.rate.burst.saturating_mul(take.rate.every_nanos);
        // A full bucket grants even more than it holds, and is then in debt.
        let needed = cost(take).min(room);
        full_at.max(now).saturating_add(needed).saturating_sub(now.saturating_add(room))
    }

    /// Drops rows whose buckets are all full, of `BUCKETS_SWEPT` rows at most, and returns the
    /// memory of a table that has become half empty.
    pub fn sweep(&mut self, now: u64) {
        for _ in 0..BUCKETS_SWEPT.min(self.rows.len()) {
            let place = self.hand % self.rows.len().max(1);
            let Some(row) = self.rows.get_mut(place) else { break };
            row.sweep(now);
            match row.buckets.is_empty() {
                true => self.forget(place), // Another row takes its place.
                false => self.hand = place + 1,
            }
        }
        let rows = self.rows.len();
        if rows < self.rows.capacity() / 2 {
            self.rows.shrink_to(rows + rows / 8);
            self.places.shrink_to(rows);
        }
    }

    fn bucket(&mut self, now: u64, subject: Subject, kind: Kind) -> &mut u64 {
        let place = match self.places.get(&subject) {
            Some(place) => *place,
            None => self.insert(now, subject),
        };
        self.rows[place].bucket(kind)
    }

    fn insert(&mut self, now: u64, subject: Subject) -> usize {
        // Drops full buckets little by little, so that the table shrinks while it is used.
        for _ in 0..2 {
            if self.advance().is_some_and(|place| self.rows[place].full_at() <= now) {
                self.forget(self.hand);
            }
        }
        if self.rows.len() >= BUCKETS_MAX {
            let looked_at: Vec<usize> =
                (0..BUCKETS_LOOKED_AT).filter_map(|_| self.advance()).collect();
            let least = looked_at.into_iter().min_by_key(|place| self.rows[*place].full_at());
            least.into_iter().for_each(|place| self.forget(place));
        }
        self.rows.push(Row { subject, buckets: Vec::new() });
        self.places.insert(subject, self.rows.len() - 1);
        self.rows.len() - 1
    }

    /// Moves the hand to the next row; `None`: the table is empty.
    fn advance(&mut self) -> Option<usize> {
        self.hand = (self.hand + 1) % self.rows.len().max(1);
        (!self.rows.is_empty()).then_some(self.hand)
    }

    fn forget(&mut self, place: usize) {
        let row = self.rows.swap_remove(place);
        self.places.remove(&row.subject);
        if let Some(moved) = self.rows.get(place) {
            self.places.insert(moved.subject, place);
        }
    }
}

/// How far taking moves the moment at which a bucket is full.
fn cost(take: &Take) -> u64 {
    take.count.saturating_mul(take.rate.every_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// A burst of ten, then one a second.
    const RATE: Rate = Rate { burst: 10, every_nanos: SECOND };

    fn person(number: u64, count: u64) -> Take {
        Take { subject: Subject::Person(AccountId(number)), kind: Kind::Make, rate: RATE, count }
    }

    #[test]
    fn many_at_once_and_then_one_at_a_time() {
        let (mut limiter, mut now) = (Limiter::default(), 1_000 * SECOND);
        let (ann, bob) = (person(1, 1), person(2, 1));
        for _ in 0..RATE.burst {
            assert_eq!(limiter.take(now, &[ann]), Ok(()));
        }
        assert_eq!(limiter.take(now, &[ann]), Err(SECOND));
        assert_eq!(limiter.take(now + SECOND / 4, &[ann]), Err(SECOND / 4 * 3));
        assert_eq!(limiter.take(now, &[bob]), Ok(()), "each person has a bucket");
        let other = Take { kind: Kind::Login, ..ann };
        assert_eq!(limiter.take(now, &[other]), Ok(()), "each kind has a bucket");
        now += SECOND;
        assert_eq!(limiter.take(now, &[ann]), Ok(()));
        assert_eq!(limiter.take(now, &[ann]), Err(SECOND));
        limiter.refund(&[ann]);
        assert_eq!(limiter.take(now, &[ann]), Ok(()));
        // Even after a long pause a bucket holds no more than its burst.
        now += 1_000_000 * SECOND;
        assert_eq!(limiter.take(now, &[person(1, 10)]), Ok(()));
        assert_eq!(limiter.take(now, &[ann]), Err(SECOND));
        // A full bucket grants more than its burst, and then is in debt.
        now += 10 * SECOND;
        assert_eq!(limiter.take(now, &[person(1, 30)]), Ok(()));
        assert_eq!(limiter.take(now, &[ann]), Err(21 * SECOND));
    }

    #[test]
    fn all_or_none() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.take(0, &[person(1, 10)]), Ok(()));
        assert_eq!(limiter.take(0, &[person(2, 5), person(1, 2)]), Err(2 * SECOND));
        assert_eq!(limiter.take(0, &[person(2, 10)]), Ok(()), "nothing was taken from it");
    }

    #[test]
    fn the_table_is_bounded_and_the_most_indebted_stay() {
        let mut limiter = Limiter::default();
        let stubborn = person(0, 1);
        while limiter.take(0, &[stubborn]).is_ok() {}
        for number in 1..4 * BUCKETS_MAX as u64 {
            assert_eq!(limiter.take(0, &[person(number, 1)]), Ok(()));
            assert!(limiter.rows.len() <= BUCKETS_MAX);
        }
        assert_eq!(limiter.rows.len(), limiter.places.len());
        assert!(limiter.take(0, &[stubborn]).is_err(), "the largest debt is kept");
        // When all debts are paid, the table shrinks while it is used.
        let later = 100 * SECOND;
        for number in 0..BUCKETS_MAX as u64 {
            assert_eq!(limiter.take(later, &[person(number, 1)]), Ok(()));
        }
        let before = limiter.rows.len();
        let later = 200 * SECOND;
        for number in 0..1_000 {
            assert_eq!(limiter.take(later, &[person(1_000_000 + number, 1)]), Ok(()));
        }
        assert!(limiter.rows.len() <= before - 900, "{} of {before}", limiter.rows.len());
        for (place, row) in limiter.rows.iter().enumerate() {
            assert_eq!(limiter.places.get(&row.subject), Some(&place));
        }
    }

    #[test]
    fn what_an_attack_has_filled_is_given_back_when_it_is_over() {
        let mut limiter = Limiter::default();
        let debtor = person(0, RATE.burst);
        for number in 1..BUCKETS_MAX as u64 {
            assert_eq!(limiter.take(0, &[person(number, 1)]), Ok(()));
        }
        assert_eq!(limiter.take(0, &[debtor]), Ok(()));
        assert_eq!((limiter.rows.len(), limiter.rows.capacity()), (BUCKETS_MAX, BUCKETS_MAX));
        for _ in 0..=BUCKETS_MAX.div_ceil(BUCKETS_SWEPT) {
            limiter.sweep(SECOND / 2);
        }
        assert_eq!(limiter.rows.len(), BUCKETS_MAX, "no debt is paid");
        for _ in 0..=BUCKETS_MAX.div_ceil(BUCKETS_SWEPT) {
            limiter.sweep(SECOND);
        }
        assert_eq!(limiter.rows.len(), 1);
        assert!(limiter.rows.capacity() < 10 && limiter.places.capacity() < 10);
        assert_eq!(limiter.take(SECOND, &[debtor]), Err(9 * SECOND), "this one stays");
        limiter.sweep(100 * SECOND);
        assert_eq!((limiter.rows.len(), limiter.places.len()), (0, 0));
        limiter.sweep(100 * SECOND);
    }
}
