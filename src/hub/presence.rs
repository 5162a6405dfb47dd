//! Who comes and goes, told in measure: for the protocols that want it so, somebody's coming or
//! going in a room is told at most once a second, and where many come and go, all that happened in
//! a second is told at its end. Who came and went again meanwhile is not told of.
//!
//! It keeps who was told of, and who is to be, for a second; time is an argument. Called by the
//! hub.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::chat::{Event, Folded, Numbered, RoomId, What};
use crate::limits::{PRESENCE_AT_ONCE, PRESENCE_GATHER_MS, PRESENCE_GATHERED_MAX};

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Presence {
    rooms: Numbered<RoomId, Moves>,
}

/// One room's second.
struct Moves {
    ends: Instant,
    /// Of whom it was told in this second.
    told: HashSet<Folded>,
    /// What is to be told at its end, by name.
    gathered: BTreeMap<Folded, Event>,
}

/// Whether an event is somebody's coming or going.
pub(super) fn is_a_move(event: &Event) -> bool {
    matches!(event.what, What::Joined | What::Left)
}

impl Presence {
    /// Takes a coming or going. `true`: it is to be told now; else it will be, if it is still so.
    pub fn note(&mut self, now: Instant, event: &Event) -> bool {
        let name = event.author.name.folded();
        let moves = self.rooms.entry(event.room).or_insert_with(|| Moves::beginning(now));
        match moves.gathered.remove(&name) {
            // They were away for less than a second, or here.
            Some(before) if before.what != event.what => return false,
            Some(_) => {}
            None if moves.told.len() < PRESENCE_AT_ONCE && moves.told.insert(name.clone()) => {
                return true;
            }
            None => {}
        }
        moves.gathered.insert(name, event.clone());
        if moves.gathered.len() >= PRESENCE_GATHERED_MAX {
            moves.ends = now;
        }
        false
    }

    /// What is to be told now, as its second is over.
    pub fn due(&mut self, now: Instant) -> Vec<Event> {
        let over = self.rooms.iter().filter(|(_, moves)| moves.ends <= now);
        let over: Vec<RoomId> = over.map(|(room, _)| *room).collect();
        let mut due = Vec::new();
        for room in over {
            let Slot::Occupied(mut moves) = self.rooms.entry(room) else { continue };
            let gathered = std::mem::take(&mut moves.get_mut().gathered);
            if gathered.is_empty() {
                moves.remove();
                continue;
            }
            let told = gathered.keys().cloned().collect();
            moves.insert(Moves { told, ..Moves::beginning(now) });
            due.extend(gathered.into_values());
        }
        due
    }

    /// When something will be due.
    pub fn next(&self) -> Option<Instant> {
        self.rooms.values().map(|moves| moves.ends).min()
    }
}

impl Moves {
    fn beginning(now: Instant) -> Moves {
        let ends = now + Duration::from_millis(PRESENCE_GATHER_MS);
        Moves { ends, told: HashSet::new(), gathered: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Author, LOBBY, Name};
    use crate::time::Time;

    fn event(name: &str, what: What) -> Event {
        let author = Author { account: None, name: Name::new(name).expect("a name") };
        Event { room: LOBBY, time: Time(0), author, color: None, what }
    }

    fn names(events: &[Event]) -> Vec<(&str, bool)> {
        let show =
            |event: &Event| (event.author.name.as_str().to_owned(), event.what == What::Joined);
        let all: Vec<(String, bool)> = events.iter().map(show).collect();
        all.into_iter().map(|(name, here)| (&*String::leak(name), here)).collect()
    }

    #[test]
    fn one_who_comes_is_told_of_at_once_and_one_who_flutters_once_a_second() {
        let (mut presence, mut now) = (Presence::default(), Instant::now());
        let second = Duration::from_millis(PRESENCE_GATHER_MS);
        assert!(presence.note(now, &event("ann", What::Joined)));
        assert!(presence.note(now, &event("bob", What::Joined)));
        let mut told = 0;
        for round in 0..100 {
            told += usize::from(presence.note(now, &event("bob", What::Left)));
            // Who is away for less than a second was not away.
            assert!(!presence.note(now, &event("bob", What::Joined)), "{round}");
        }
        assert!(!presence.note(now, &event("bob", What::Left)));
        assert_eq!((told, presence.due(now + second / 2).len()), (0, 0));
        now += second;
        assert_eq!(names(&presence.due(now)), [("bob", false)]);
        // He was told of just now.
        assert!(!presence.note(now, &event("bob", What::Joined)));
        assert!(presence.note(now, &event("cyd", What::Joined)));
        now += second;
        assert_eq!(names(&presence.due(now)), [("bob", true)]);
        now += second;
        assert_eq!((presence.due(now).len(), presence.next()), (0, None), "all is quiet");
        assert!(presence.note(now, &event("bob", What::Left)));
    }

    #[test]
    fn where_many_come_all_of_a_second_is_told_at_its_end() {
        let (mut presence, now) = (Presence::default(), Instant::now());
        let many: Vec<Event> =
            (0..100).map(|number| event(&format!("n{number}"), What::Joined)).collect();
        let told = many.iter().filter(|one| presence.note(now, one)).count();
        assert_eq!(told, PRESENCE_AT_ONCE);
        let next = presence.next().expect("the end of the second");
        assert_eq!(next, now + Duration::from_millis(PRESENCE_GATHER_MS));
        assert_eq!(presence.due(next).len(), many.len() - told);
        // However many, no more than so many wait.
        for number in 0..PRESENCE_GATHERED_MAX {
            presence.note(next, &event(&format!("m{number}"), What::Joined));
        }
        assert_eq!(presence.due(next).len(), PRESENCE_GATHERED_MAX);
    }
}
