//! Where one is: the rooms, by number, by title, and by the two whose they are. Plain tables with
//! their rules; the core that owns them decides who may do what, and in which order.

use std::collections::{HashMap, HashSet};

use crate::chat::room::{Room, RoomRecord};
use crate::chat::types::{AccountId, Folded, Numbered, RoomId, RoomRef};
use crate::chat::vocabulary::{Refusal, RoomFacts};
use crate::time::Time;

/// Two accounts, whichever was named first.
fn pair([one, other]: [AccountId; 2]) -> [AccountId; 2] {
    [one.min(other), one.max(other)]
}

#[derive(Default)]
pub(super) struct Rooms {
    rooms: Numbered<RoomId, Room>,
    /// All but those for two, which have no title of their own.
    by_title: HashMap<Folded, RoomId>,
    by_pair: HashMap<[AccountId; 2], RoomId>,
    /// Pairs whose room is proposed but not yet in the log.
    pairing: HashSet<[AccountId; 2]>,
    /// Titles that are proposed but not yet in the log.
    reserved: HashSet<Folded>,
    /// The highest number ever given to a proposal; and the highest of a room that came to be.
    last: u64,
    made: u64,
}

impl Rooms {
    /// How many there are, those in flight included.
    pub fn len(&self) -> usize {
        self.rooms.len() + self.reserved.len() + self.pairing.len()
    }

    /// A number for a new room.
    pub fn next(&mut self) -> RoomId {
        self.last += 1;
        RoomId(self.last)
    }

    /// No number up to this one is given any more, though its room may be gone.
    pub fn used_up_to(&mut self, last: u64) {
        self.last = self.last.max(last);
        self.made = self.made.max(last);
    }

    /// Whether `title` is a room's other than `except`, or about to be one's.
    pub fn is_taken(&self, title: &Folded, except: Option<RoomId>) -> bool {
        let owner = self.by_title.get(title).copied();
        owner.is_some_and(|room| Some(room) != except) || self.reserved.contains(title)
    }

    pub fn reserve(&mut self, title: Folded) {
        self.reserved.insert(title);
    }

    pub fn release(&mut self, title: &Folded) {
        self.reserved.remove(title);
    }

    pub fn reserve_pair(&mut self, between: [AccountId; 2]) {
        self.pairing.insert(pair(between));
    }

    pub fn release_pair(&mut self, between: [AccountId; 2]) {
        self.pairing.remove(&pair(between));
    }

    /// Whether the room of two is about to be.
    pub fn is_pairing(&self, between: [AccountId; 2]) -> bool {
        self.pairing.contains(&pair(between))
    }

    /// The room of two.
    pub fn of_pair(&self, between: [AccountId; 2]) -> Option<&Room> {
        self.by_pair.get(&pair(between)).and_then(|id| self.rooms.get(id))
    }

    /// Adds a room. `false`: its number, its title or its pair has one.
    pub fn insert(&mut self, record: RoomRecord) -> bool {
        let title = record.facts.title.folded();
        let taken = match record.between {
            Some(between) => self.by_pair.contains_key(&pair(between)),
            None => self.by_title.contains_key(&title),
        };
        if taken || self.rooms.contains_key(&record.id) {
            return false;
        }
        self.used_up_to(record.id.0);
        match record.between {
            Some(between) => self.by_pair.insert(pair(between), record.id),
            None => self.by_title.insert(title, record.id),
        };
        self.rooms.insert(record.id, Room::new(record));
        true
    }

    /// Carries out a change from the log. `None`: no such room, or the title is another's.
    pub fn change(
        &mut self,
        id: RoomId,
        facts: RoomFacts,
        generation: u64,
        time: Time,
    ) -> Option<&mut Room> {
        let title = facts.title.folded();
        if self.by_title.get(&title).is_some_and(|owner| *owner != id) {
            return None;
        }
        let room = self.rooms.get_mut(&id).filter(|room| !room.is_direct())?;
        self.by_title.remove(&room.record.facts.title.folded());
        self.by_title.insert(title, id);
        room.record.facts = facts;
        room.record.generation = generation;
        room.record.updated = time;
        Some(room)
    }

    /// What was an account's is nobody's.
    pub fn disown(&mut self, account: AccountId) {
        for room in self.rooms.values_mut().filter(|room| room.record.owner == Some(account)) {
            room.record.owner = None;
        }
    }

    pub fn remove(&mut self, id: RoomId) -> Option<Room> {
        let room = self.rooms.remove(&id)?;
        match room.record.between {
            Some(between) => self.by_pair.remove(&pair(between)),
            None => self.by_title.remove(&room.record.facts.title.folded()),
        };
        Some(room)
    }

    pub fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id)
    }

    pub fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        self.rooms.get_mut(&id)
    }

    pub fn find(&self, room: &RoomRef) -> Result<&Room, Refusal> {
        let id = match room {
            RoomRef::Id(id) => Some(*id),
            RoomRef::Title(title) => self.by_title.get(&Folded::new(title)).copied(),
        };
        let room = id.and_then(|id| self.rooms.get(&id)).filter(|room| !room.is_direct());
        room.ok_or(Refusal::RoomNotFound)
    }

    /// All of which `shown` is true, by number.
    pub fn all(&self, shown: impl Fn(&Room) -> bool) -> Vec<&Room> {
        let mut rooms: Vec<&Room> = self.rooms.values().filter(|room| shown(room)).collect();
        rooms.sort_unstable_by_key(|room| room.record.id);
        rooms
    }

    /// Whether somebody without an account uses the name in any room.
    pub fn any_guest(&self, name: &Folded) -> bool {
        self.rooms.values().any(|room| room.has_guest(name))
    }

    /// All rooms, by number.
    pub fn records(&self) -> Vec<RoomRecord> {
        let mut all: Vec<_> = self.rooms.values().map(Room::kept).collect();
        all.sort_unstable_by_key(|room| room.id);
        all
    }

    /// The highest number of a room that is or was.
    pub fn last_made(&self) -> u64 {
        self.made
    }
}

#[cfg(any(test, debug_assertions))]
impl Rooms {
    /// The index and the table say the same.
    pub fn check(&self) {
        assert_eq!(self.by_title.len() + self.by_pair.len(), self.rooms.len());
        for (id, room) in &self.rooms {
            if let Some(between) = room.record.between {
                assert_eq!(self.by_pair.get(&pair(between)), Some(id));
                continue;
            }
            assert_eq!(self.by_title.get(&room.record.facts.title.folded()), Some(id));
        }
    }

    /// The names in use are those of the seats, each with its account, how many are bound to it,
    /// and how many of those are present.
    pub fn check_names(&self, expected: &HashMap<(RoomId, Folded), (Option<AccountId>, u32, u32)>) {
        let mut found = 0;
        for (id, room) in &self.rooms {
            for (name, counts) in room.bound_names() {
                assert_eq!(expected.get(&(*id, name.clone())), Some(&counts), "{name:?} in {id:?}");
                found += 1;
            }
        }
        assert_eq!(found, expected.len(), "a seat's name is not in use");
    }

    /// No guest goes by the name of an account.
    pub fn check_guests(&self, is_registered: impl Fn(&Folded) -> bool) {
        let names = self.rooms.values().flat_map(Room::bound_names);
        let mut guests = names.filter(|(_, (account, ..))| account.is_none());
        let posing = guests.find(|(name, _)| is_registered(name));
        assert!(posing.is_none(), "{posing:?} is a guest under an account's name");
    }

    pub fn is_anything_in_flight(&self) -> bool {
        let changing = |room: &Room| room.changing || room.going || !room.moving.is_empty();
        !self.reserved.is_empty() || !self.pairing.is_empty() || self.rooms.values().any(changing)
    }
}
