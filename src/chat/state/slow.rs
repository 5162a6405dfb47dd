//! Slow mode: who has spoken last when, in rooms where a person must wait between two messages.
//! Only memory has it: after a restart each may speak at once.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::chat::types::{AccountId, Folded, RoomId};
use crate::limits::moderation::{SLOW_SECS_MAX, SLOW_SPEAKERS_MAX};
use crate::time::Time;

/// A person, as slow mode tells people apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Speaker {
    Account(AccountId),
    /// Everybody without an account from one address.
    Address(IpAddr),
    /// A name without an account, on this machine or behind a proxy that names no address.
    Name(Folded),
}

/// See the module's documentation. Times are of the monotonic clock.
#[derive(Default)]
pub struct Slow {
    said: HashMap<(RoomId, Speaker), Time>,
    by_age: BTreeSet<(Time, RoomId, Speaker)>,
}

impl Slow {
    /// When somebody may speak again, who must be silent for so many seconds.
    pub fn again(&self, room: RoomId, speaker: &Speaker, secs: u32) -> Option<Time> {
        let said = self.said.get(&(room, speaker.clone()))?;
        Some(said.plus_secs(secs.into()))
    }

    /// Somebody speaks now.
    pub fn spoke(&mut self, room: RoomId, speaker: Speaker, now: Time) {
        self.forget(room, &speaker);
        let longest = Time(now.0.saturating_sub(i64::from(SLOW_SECS_MAX) * 1_000_000));
        // Forgets two who need not wait for each who must: the tables shrink while they are used.
        for _ in 0..2 {
            let full = self.said.len() >= SLOW_SPEAKERS_MAX;
            let Some((said, room, first)) = self.by_age.first() else { break };
            if full || *said < longest {
                let (room, first) = (*room, first.clone());
                self.forget(room, &first);
            }
        }
        self.by_age.insert((now, room, speaker.clone()));
        self.said.insert((room, speaker), now);
    }

    /// What somebody said is not in the log.
    pub fn forget(&mut self, room: RoomId, speaker: &Speaker) {
        if let Some(said) = self.said.remove(&(room, speaker.clone())) {
            self.by_age.remove(&(said, room, speaker.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(number: u64) -> Speaker {
        Speaker::Account(AccountId(number))
    }

    #[test]
    fn each_waits_in_each_room_by_itself() {
        let (mut slow, room, now) = (Slow::default(), RoomId(2), Time(5_000_000));
        slow.spoke(room, speaker(1), now);
        assert_eq!(slow.again(room, &speaker(1), 8), Some(now.plus_secs(8)));
        assert_eq!(slow.again(room, &speaker(1), 2), Some(now.plus_secs(2)), "by today's rule");
        assert_eq!(slow.again(RoomId(3), &speaker(1), 8), None);
        assert_eq!(slow.again(room, &speaker(2), 8), None);
        slow.forget(room, &speaker(1));
        assert_eq!(slow.again(room, &speaker(1), 8), None);
        assert!(slow.by_age.is_empty());
    }

    #[test]
    fn so_many_wait() {
        let (mut slow, room) = (Slow::default(), RoomId(2));
        for number in 0..SLOW_SPEAKERS_MAX as u64 + 9 {
            slow.spoke(room, speaker(number), Time(number as i64));
            assert!(slow.said.len() <= SLOW_SPEAKERS_MAX && slow.by_age.len() == slow.said.len());
        }
        assert_eq!(slow.again(room, &speaker(8), 60), None, "the first need not wait");
        assert!(slow.again(room, &speaker(SLOW_SPEAKERS_MAX as u64 + 8), 60).is_some());
        let later = Time(0).plus_secs(2 * u64::from(SLOW_SECS_MAX));
        for number in 0..1_000 {
            slow.spoke(RoomId(3), speaker(number), later);
        }
        assert!(slow.said.len() <= SLOW_SPEAKERS_MAX - 900, "{}", slow.said.len());
    }
}
