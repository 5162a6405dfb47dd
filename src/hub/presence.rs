//! Rate-limited presence. For the protocols that gather presence, a user's join or leave in a room
//! is announced at most once a second; where many users join and leave, all moves of a second are
//! announced at its end. A user who joins and leaves within the second is not announced.
//!
//! It keeps the announced and the gathered names for a second; time is an argument. Called by the
//! hub.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::chat::{Event, EventKind, Folded, Numbered, RoomId};
use crate::limits::{PRESENCE_AT_ONCE, PRESENCE_GATHER_MS, PRESENCE_GATHERED_MAX};

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Presence {
    rooms: Numbered<RoomId, Moves>,
}

/// One room's current second.
struct Moves {
    ends: Instant,
    /// The names announced in this second.
    told: HashSet<Folded>,
    /// The events to announce at its end, by name.
    gathered: BTreeMap<Folded, Event>,
}

/// Whether an event is a join or a leave.
pub(super) fn is_a_move(event: &Event) -> bool {
    matches!(event.kind, EventKind::Joined | EventKind::Left)
}

impl Presence {
    /// Takes a join or leave. `true`: announce it now; otherwise it is gathered, and announced
    /// later if it still holds.
    pub fn note(&mut self, now: Instant, event: &Event) -> bool {
        let name = event.author.name.folded();
        let moves = self.rooms.entry(event.room).or_insert_with(|| Moves::beginning(now));
        match moves.gathered.remove(&name) {
            // The user was away, or present, for less than a second.
            Some(before) if before.kind != event.kind => return false,
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

    /// The gathered events whose second is over.
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

    /// When the next events are due.
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

    fn event(name: &str, kind: EventKind) -> Event {
        let author = Author { account: None, name: Name::new(name).expect("a name") };
        Event { room: LOBBY, time: Time(0), author, color: None, kind }
    }

    fn names(events: &[Event]) -> Vec<(&str, bool)> {
        let show = |event: &Event| {
            (event.author.name.as_str().to_owned(), event.kind == EventKind::Joined)
        };
        let all: Vec<(String, bool)> = events.iter().map(show).collect();
        all.into_iter().map(|(name, here)| (&*String::leak(name), here)).collect()
    }

    #[test]
    fn a_join_is_announced_at_once_and_a_flapping_user_once_a_second() {
        let (mut presence, mut now) = (Presence::default(), Instant::now());
        let second = Duration::from_millis(PRESENCE_GATHER_MS);
        assert!(presence.note(now, &event("ann", EventKind::Joined)));
        assert!(presence.note(now, &event("bob", EventKind::Joined)));
        let mut told = 0;
        for round in 0..100 {
            told += usize::from(presence.note(now, &event("bob", EventKind::Left)));
            // Less than a second away counts as present.
            assert!(!presence.note(now, &event("bob", EventKind::Joined)), "{round}");
        }
        assert!(!presence.note(now, &event("bob", EventKind::Left)));
        assert_eq!((told, presence.due(now + second / 2).len()), (0, 0));
        now += second;
        assert_eq!(names(&presence.due(now)), [("bob", false)]);
        // Bob was announced just now.
        assert!(!presence.note(now, &event("bob", EventKind::Joined)));
        assert!(presence.note(now, &event("cyd", EventKind::Joined)));
        now += second;
        assert_eq!(names(&presence.due(now)), [("bob", true)]);
        now += second;
        assert_eq!((presence.due(now).len(), presence.next()), (0, None), "all is quiet");
        assert!(presence.note(now, &event("bob", EventKind::Left)));
    }

    #[test]
    fn many_joins_are_announced_at_the_end_of_the_second() {
        let (mut presence, now) = (Presence::default(), Instant::now());
        let many: Vec<Event> =
            (0..100).map(|number| event(&format!("n{number}"), EventKind::Joined)).collect();
        let told = many.iter().filter(|event| presence.note(now, event)).count();
        assert_eq!(told, PRESENCE_AT_ONCE);
        let next = presence.next().expect("the end of the second");
        assert_eq!(next, now + Duration::from_millis(PRESENCE_GATHER_MS));
        assert_eq!(presence.due(next).len(), many.len() - told);
        // The number of gathered events is bounded.
        for number in 0..PRESENCE_GATHERED_MAX {
            presence.note(next, &event(&format!("m{number}"), EventKind::Joined));
        }
        assert_eq!(presence.due(next).len(), PRESENCE_GATHERED_MAX);
    }
}
