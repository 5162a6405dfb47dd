//! Token buckets: how much somebody may still do now, by connection, person, address and room.
//!
//! Each bucket is one number, the moment at which it is full again (the generic cell rate
//! algorithm): taking moves it on, and what would move it too far ahead of now is refused. It knows
//! nothing of what is done; time is an argument, and must not run back. The table is bounded; what
//! goes first are buckets that are nearly full. Called by the core alone, for all workers.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::chat::source::Source;
use crate::chat::types::{AccountId, RoomId, SubscriptionId};
use crate::limits::rates::{self, BUCKETS_LOOKED_AT, BUCKETS_MAX, Rate, Rates};

/// What is limited.
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
    const COUNT: usize = 17;

    /// The buckets that it takes from.
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

/// Whose buckets they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    Connection(SubscriptionId),
    Person(AccountId),
    Source(Source),
    /// An IPv6 network of 48 bits.
    Site(IpAddr),
    Room(RoomId),
}

/// So much out of one bucket.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    pub subject: Subject,
    pub kind: Kind,
    pub rate: Rate,
    pub count: u64,
}

/// All buckets of one subject: when each is full again, in nanoseconds of the limiter's time.
struct Row {
    subject: Subject,
    full_at: [u64; Kind::COUNT],
}

impl Row {
    /// When all of them are full, and it can be forgotten.
    fn full_at(&self) -> u64 {
        self.full_at.iter().copied().max().unwrap_or(0)
    }
}

/// See the module's documentation.
#[derive(Default)]
pub struct Limiter {
    rows: Vec<Row>,
    /// Where in `rows` each subject is.
    places: HashMap<Subject, usize>,
    /// Moves over `rows`, to find what can be forgotten.
    hand: usize,
}

impl Limiter {
    /// Takes from all of these buckets, or from none.
    ///
    /// # Errors
    /// In how many nanoseconds there will be enough in the one that has least.
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

    /// Takes also what is not there, up to as much again as the bucket holds.
    pub fn owe(&mut self, now: u64, takes: &[Take]) {
        for take in takes {
            let most = now.saturating_add(2 * take.rate.burst * take.rate.every_nanos);
            let full_at = self.bucket(now, take.subject, take.kind);
            *full_at = (*full_at).max(now).saturating_add(cost(take)).min(most.max(*full_at));
        }
    }

    /// Puts back what was taken and turned out not to count.
    pub fn refund(&mut self, takes: &[Take]) {
        for take in takes {
            if let Some(place) = self.places.get(&take.subject) {
                let full_at = &mut self.rows[*place].full_at[take.kind as usize];
                *full_at = full_at.saturating_sub(cost(take));
            }
        }
    }

    /// In how many nanoseconds this can be taken; 0: now.
    pub fn wait(&self, now: u64, take: &Take) -> u64 {
        let place = self.places.get(&take.subject);
        let full_at = place.map_or(0, |place| self.rows[*place].full_at[take.kind as usize]);
        let room = take.rate.burst.saturating_mul(take.rate.every_nanos);
        // More than a full bucket holds is granted by a full one, which is then in debt.
        let needed = cost(take).min(room);
        full_at.max(now).saturating_add(needed).saturating_sub(now.saturating_add(room))
    }

    fn bucket(&mut self, now: u64, subject: Subject, kind: Kind) -> &mut u64 {
        let place = match self.places.get(&subject) {
            Some(place) => *place,
            None => self.insert(now, subject),
        };
        &mut self.rows[place].full_at[kind as usize]
    }

    fn insert(&mut self, now: u64, subject: Subject) -> usize {
        // What is full again goes by and by, so that the table shrinks while it is used.
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
        self.rows.push(Row { subject, full_at: [0; Kind::COUNT] });
        self.places.insert(subject, self.rows.len() - 1);
        self.rows.len() - 1
    }

    /// Moves the hand on to the next row; `None`: there is none.
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

/// By how much taking moves the moment at which a bucket is full.
fn cost(take: &Take) -> u64 {
    take.count.saturating_mul(take.rate.every_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// Ten at once, then one a second.
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
        assert_eq!(limiter.take(now, &[bob]), Ok(()), "each has a bucket");
        let other = Take { kind: Kind::Login, ..ann };
        assert_eq!(limiter.take(now, &[other]), Ok(()), "each kind has a bucket");
        now += SECOND;
        assert_eq!(limiter.take(now, &[ann]), Ok(()));
        assert_eq!(limiter.take(now, &[ann]), Err(SECOND));
        limiter.refund(&[ann]);
        assert_eq!(limiter.take(now, &[ann]), Ok(()));
        // However long nobody comes, a bucket holds no more than its burst.
        now += 1_000_000 * SECOND;
        assert_eq!(limiter.take(now, &[person(1, 10)]), Ok(()));
        assert_eq!(limiter.take(now, &[ann]), Err(SECOND));
        // What is more than the burst is granted by a full bucket, and paid for afterwards.
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
        assert!(limiter.take(0, &[stubborn]).is_err(), "who owes most is remembered");
        // When all have settled their debts, the table shrinks as it is used.
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
}
