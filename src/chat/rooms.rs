//! Where one is: rooms, and who is present in them. Plain tables with their rules; the core that
//! owns them decides who may do what, and in which order.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};

use crate::chat::types::{
    AccountId, Author, Color, Folded, LOBBY, Numbered, RoomId, RoomRef, Seq, Visibility,
};
use crate::chat::vocabulary::{Access, Present, Refusal, RoomChange, RoomFacts};
use crate::time::Time;

/// A room, as the core keeps it and as it is restored.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomRecord {
    /// Its number.
    pub id: RoomId,
    /// Whose; `None`: nobody's, or the server's.
    pub owner: Option<AccountId>,
    /// What it is made of.
    pub facts: RoomFacts,
    /// Counts its passwords, so that a token knows which one it was made for.
    pub generation: u64,
    /// When it was made.
    pub created: Time,
    /// When it was last changed.
    pub updated: Time,
    /// The two whose room it is, where it is one for two. Its facts are then of no account.
    pub between: Option<[AccountId; 2]>,
    /// Who belongs to it, by account.
    pub members: Vec<MemberRecord>,
    /// The last message; 0 where there is none.
    pub last: Seq,
}

impl RoomRecord {
    /// A room that is made now, without members and messages.
    pub(super) fn new(
        id: RoomId,
        time: Time,
        owner: Option<AccountId>,
        facts: RoomFacts,
    ) -> RoomRecord {
        RoomRecord {
            id,
            owner,
            facts,
            generation: 0,
            created: time,
            updated: time,
            between: None,
            members: Vec::new(),
            last: Seq(0),
        }
    }
}

/// Somebody's membership of a room, as it is restored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MemberRecord {
    /// Who.
    pub account: AccountId,
    /// The entry by which they became a member.
    pub since: Seq,
    /// The last message that they have read, as far as the disk knows.
    pub read: Seq,
}

/// A live room: its record, and who is in it.
#[derive(Debug)]
pub(super) struct Room {
    pub record: RoomRecord,
    /// A change or the end of it is proposed; a second one waits until that is in the log.
    pub changing: bool,
    /// Its end is proposed.
    pub going: bool,
    /// Who belongs to it. (The record's own list is filled in only when it is handed out.)
    pub members: HashMap<AccountId, Membership>,
    /// Whose coming or going is proposed; a second one waits until that is in the log.
    pub moving: HashSet<AccountId>,
    names: HashMap<Folded, Occupant>,
    arrivals: u64,
}

/// What a room knows of a member.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Membership {
    /// The entry by which it began.
    pub since: Seq,
    /// The last message that was read.
    pub read: Seq,
}

impl Membership {
    /// One has nothing to catch up on where one has just come.
    pub fn new(since: Seq) -> Membership {
        Membership { since, read: since }
    }
}

/// A name in use in a room.
#[derive(Debug)]
struct Occupant {
    author: Author,
    color: Option<Color>,
    last_activity: Time,
    /// Orders the present by when they came.
    arrival: u64,
    /// Seats bound to the name, present or not.
    bound: u32,
    /// Those of them that are present.
    present: u32,
}

impl Room {
    fn new(mut record: RoomRecord) -> Room {
        let members = std::mem::take(&mut record.members);
        let keep = |MemberRecord { account, since, read }| (account, Membership { since, read });
        Room {
            record,
            changing: false,
            going: false,
            members: members.into_iter().map(keep).collect(),
            moving: HashSet::new(),
            names: HashMap::new(),
            arrivals: 0,
        }
    }

    pub fn is_direct(&self) -> bool {
        self.record.between.is_some()
    }

    pub fn is_public(&self) -> bool {
        self.record.facts.visibility == Visibility::Public
    }

    /// As it is kept: with its members, by account.
    pub fn kept(&self) -> RoomRecord {
        let keep = |(account, one): (&AccountId, &Membership)| MemberRecord {
            account: *account,
            since: one.since,
            read: one.read,
        };
        let mut members: Vec<MemberRecord> = self.members.iter().map(keep).collect();
        members.sort_unstable_by_key(|member| member.account);
        RoomRecord { members, ..self.record.clone() }
    }

    /// Binds one more seat to a name. Refused where another person has it.
    pub fn bind(&mut self, author: &Author, now: Time) -> Result<(), Refusal> {
        match self.names.entry(author.name.folded()) {
            Slot::Occupied(taken) => {
                let occupant = taken.into_mut();
                // A name without an account behind it is one seat's only.
                if author.account.is_none() || occupant.author.account != author.account {
                    return Err(Refusal::NameInUse);
                }
                occupant.bound += 1;
            }
            Slot::Vacant(free) => {
                free.insert(Occupant {
                    author: author.clone(),
                    color: None,
                    last_activity: now,
                    arrival: 0,
                    bound: 1,
                    present: 0,
                });
            }
        }
        Ok(())
    }

    /// The reverse of [`Room::bind`]; the seat is not present any more.
    pub fn unbind(&mut self, name: &Folded) {
        if let Slot::Occupied(mut taken) = self.names.entry(name.clone()) {
            taken.get_mut().bound -= 1;
            if taken.get().bound == 0 {
                taken.remove();
            }
        }
    }

    /// A bound seat becomes present. `true`: nobody was, under that name.
    pub fn enter(&mut self, name: &Folded, now: Time) -> bool {
        let Some(occupant) = self.names.get_mut(name) else { return false };
        occupant.present += 1;
        occupant.last_activity = now;
        if occupant.present == 1 {
            self.arrivals += 1;
            occupant.arrival = self.arrivals;
        }
        occupant.present == 1
    }

    /// A present seat goes. `true`: nobody is left under that name.
    pub fn leave(&mut self, name: &Folded) -> bool {
        let Some(occupant) = self.names.get_mut(name) else { return false };
        occupant.present -= 1;
        occupant.present == 0
    }

    /// Somebody did something; `color` stays as it was when none is given. Returns the colour.
    pub fn act(&mut self, name: &Folded, color: Option<Color>, now: Time) -> Option<Color> {
        let occupant = self.names.get_mut(name)?;
        occupant.last_activity = now;
        if color.is_some() {
            occupant.color = color;
        }
        occupant.color.clone()
    }

    /// Whether somebody is present under a name.
    pub fn is_present(&self, name: &Folded) -> bool {
        self.names.get(name).is_some_and(|occupant| occupant.present > 0)
    }

    /// Whether somebody without an account uses the name.
    fn has_guest(&self, name: &Folded) -> bool {
        self.names.get(name).is_some_and(|occupant| occupant.author.account.is_none())
    }

    /// Who uses a name here, account or guest.
    pub fn holder(&self, name: &Folded) -> Option<&Author> {
        self.names.get(name).map(|occupant| &occupant.author)
    }

    /// Who is present, in the order of arriving.
    pub fn present(&self) -> Vec<Present> {
        let mut here: Vec<&Occupant> = self.names.values().filter(|one| one.present > 0).collect();
        here.sort_unstable_by_key(|occupant| occupant.arrival);
        let show = |one: &Occupant| Present {
            author: one.author.clone(),
            color: one.color.clone(),
            last_activity: one.last_activity,
        };
        here.into_iter().map(show).collect()
    }

    /// Whether one may come in.
    pub fn admit(&self, access: Access) -> Result<(), Refusal> {
        let generation = self.record.generation;
        let fits = access == Access::Token { generation };
        let open = self.record.facts.visibility == Visibility::Public;
        if open || fits { Ok(()) } else { Err(Refusal::NoAccess) }
    }

    /// Whether one may change it: the lobby and a room for two nobody; any other its owner; where
    /// it has none, anybody if it is public, and else its members; what is not public, also
    /// whoever has its token.
    pub fn may_change(&self, caller: Option<AccountId>, access: Access) -> Result<(), Refusal> {
        let record = &self.record;
        if record.id == LOBBY || self.is_direct() {
            return Err(Refusal::Forbidden);
        }
        let free = record.owner.is_none();
        let own = !free && record.owner == caller;
        let member = caller.is_some_and(|caller| self.members.contains_key(&caller));
        match record.facts.visibility {
            _ if own => Ok(()),
            Visibility::Public if free => Ok(()),
            Visibility::Public => Err(Refusal::Forbidden),
            Visibility::Private | Visibility::Hidden if free && member => Ok(()),
            Visibility::Private | Visibility::Hidden => self.admit(access),
        }
    }

    /// What the room would be after a change, and the generation of its password then.
    pub fn changed(&self, change: RoomChange) -> Result<(RoomFacts, u64), Refusal> {
        let RoomRecord { facts, generation, .. } = self.record.clone();
        let visibility = change.visibility.unwrap_or(facts.visibility);
        let public = visibility == Visibility::Public;
        if public && change.password.is_some() {
            return Err(Refusal::PasswordForPublic);
        }
        let fresh = change.password.is_some();
        let password = change.password.or(facts.password).filter(|_| !public);
        if !public && password.is_none() {
            return Err(Refusal::PasswordMissing);
        }
        let facts = RoomFacts {
            title: change.title.unwrap_or(facts.title),
            description: change.description.unwrap_or(facts.description),
            visibility,
            password,
        };
        Ok((facts, generation + u64::from(fresh)))
    }
}

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
            for (name, one) in &room.names {
                let counts = (one.author.account, one.bound, one.present);
                assert_eq!(expected.get(&(*id, name.clone())), Some(&counts), "{name:?} in {id:?}");
                found += 1;
            }
        }
        assert_eq!(found, expected.len(), "a seat's name is not in use");
    }

    /// No guest goes by the name of an account.
    pub fn check_guests(&self, is_registered: impl Fn(&Folded) -> bool) {
        let names = self.rooms.values().flat_map(|room| &room.names);
        let mut guests = names.filter(|(_, one)| one.author.account.is_none());
        let posing = guests.find(|(name, _)| is_registered(name));
        assert!(posing.is_none(), "{posing:?} is a guest under an account's name");
    }

    pub fn is_anything_in_flight(&self) -> bool {
        let changing = |room: &Room| room.changing || room.going || !room.moving.is_empty();
        !self.reserved.is_empty() || !self.pairing.is_empty() || self.rooms.values().any(changing)
    }
}
