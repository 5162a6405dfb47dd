//! Where one is: rooms, and who is present in them. Plain tables with their rules; the core that
//! owns them decides who may do what, and in which order.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use crate::chat::types::{
    AccountId, Author, Color, Folded, LOBBY, Numbered, RoomId, RoomRef, Seq, Visibility,
};
use crate::chat::vocabulary::{Access, Present, Refusal, RoomChange, RoomFacts};
use crate::limits::ANSWER_ITEMS_MAX;
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
    pub members: BTreeMap<AccountId, Membership>,
    /// Whose coming or going is proposed; a second one waits until that is in the log.
    pub moving: HashSet<AccountId>,
    names: HashMap<Folded, Occupant>,
    /// Who is present, by when they came.
    here: BTreeMap<u64, Folded>,
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
            here: BTreeMap::new(),
            arrivals: 0,
        }
    }

    pub fn is_direct(&self) -> bool {
        self.record.between.is_some()
    }

    pub fn is_public(&self) -> bool {
        self.record.facts.visibility == Visibility::Public
    }

    /// Whether it is in lists of rooms.
    fn is_listed(&self) -> bool {
        self.record.facts.visibility != Visibility::Hidden
    }

    /// As it is kept: with its members, by account.
    pub fn kept(&self) -> RoomRecord {
        let keep = |(account, one): (&AccountId, &Membership)| MemberRecord {
            account: *account,
            since: one.since,
            read: one.read,
        };
        let members = self.members.iter().map(keep).collect();
        RoomRecord { members, ..self.record.clone() }
    }

    /// Binds one more seat to a name. Refused where another person has it.
    fn bind(&mut self, author: &Author, now: Time) -> Result<(), Refusal> {
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

    /// The reverse of [`Room::bind`]; the seat is not present any more. Returns who the name was,
    /// where no other seat is bound to it.
    fn unbind(&mut self, name: &Folded) -> Option<Author> {
        let occupant = self.names.get_mut(name)?;
        occupant.bound -= 1;
        let last = occupant.bound == 0;
        if last { self.names.remove(name).map(|occupant| occupant.author) } else { None }
    }

    /// A bound seat becomes present. `true`: nobody was, under that name.
    pub fn enter(&mut self, name: &Folded, now: Time) -> bool {
        let Some(occupant) = self.names.get_mut(name) else { return false };
        occupant.present += 1;
        occupant.last_activity = now;
        if occupant.present == 1 {
            self.arrivals += 1;
            occupant.arrival = self.arrivals;
            self.here.insert(self.arrivals, name.clone());
        }
        occupant.present == 1
    }

    /// A present seat goes. `true`: nobody is left under that name.
    pub fn leave(&mut self, name: &Folded) -> bool {
        let Some(occupant) = self.names.get_mut(name) else { return false };
        occupant.present -= 1;
        if occupant.present == 0 {
            self.here.remove(&occupant.arrival);
        }
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

    /// When somebody came who is present under a name.
    pub fn arrival(&self, name: &Folded) -> Option<u64> {
        self.names.get(name).filter(|one| one.present > 0).map(|one| one.arrival)
    }

    /// Who uses a name here, account or guest.
    pub fn holder(&self, name: &Folded) -> Option<&Author> {
        self.names.get(name).map(|occupant| &occupant.author)
    }

    /// How many have arrived so far, by which those who did can be told from those who will.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// How many are present.
    pub fn online(&self) -> usize {
        self.here.len()
    }

    /// A page of those who are present, in the order of arriving; and after whom the next begins.
    pub fn present(&self, after: u64) -> (Vec<Present>, Option<u64>) {
        let here = self.here.range((Bound::Excluded(after), Bound::Unbounded));
        page(here.map(|(arrival, name)| (*arrival, name)), |name| {
            let one = self.names.get(name)?;
            let (author, color) = (one.author.clone(), one.color.clone());
            Some(Present { author, color, last_activity: one.last_activity })
        })
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

/// At most [`ANSWER_ITEMS_MAX`] of a list, as `show` shows them; and behind what the next page
/// begins, if there is more.
pub(super) fn page<K: Copy, V, T>(
    mut all: impl Iterator<Item = (K, V)>,
    show: impl Fn(V) -> Option<T>,
) -> (Vec<T>, Option<K>) {
    let (mut shown, mut last) = (Vec::new(), None);
    for (place, one) in all.by_ref().take(ANSWER_ITEMS_MAX) {
        last = Some(place);
        shown.extend(show(one));
    }
    let more = all.next().is_some();
    (shown, last.filter(|_| more))
}

/// Two lists of numbers that only grow, as one.
pub(super) fn merged<'a>(
    one: impl Iterator<Item = &'a RoomId>,
    other: impl Iterator<Item = &'a RoomId>,
) -> impl Iterator<Item = (RoomId, RoomId)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || {
        let next = match (one.peek(), other.peek()) {
            (Some(first), Some(second)) => **first.min(second),
            (first, second) => **first.or(second)?,
        };
        one.next_if(|room| **room == next);
        other.next_if(|room| **room == next);
        Some((next, next))
    })
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
    /// Those that are in lists of rooms, and of these the public ones.
    listed: BTreeSet<RoomId>,
    open: BTreeSet<RoomId>,
    /// What is an account's.
    owned: BTreeSet<(AccountId, RoomId)>,
    /// Names that somebody without an account uses, and in how many rooms.
    guests: HashMap<Folded, usize>,
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
        let id = record.id;
        self.owned.extend(record.owner.map(|owner| (owner, id)));
        self.rooms.insert(id, Room::new(record));
        self.list(id);
        true
    }

    /// Puts a room into the lists that its visibility says.
    fn list(&mut self, id: RoomId) {
        let room = self.rooms.get(&id);
        let put = |into: &mut BTreeSet<RoomId>, fits: bool| {
            if fits { into.insert(id) } else { into.remove(&id) }
        };
        put(&mut self.listed, room.is_some_and(Room::is_listed));
        put(&mut self.open, room.is_some_and(Room::is_public));
    }

    /// Binds one more seat to a name in a room. Refused where another person has it there.
    pub fn bind(&mut self, id: RoomId, author: &Author, now: Time) -> Result<(), Refusal> {
        self.rooms.get_mut(&id).ok_or(Refusal::RoomNotFound)?.bind(author, now)?;
        if author.account.is_none() {
            *self.guests.entry(author.name.folded()).or_insert(0) += 1;
        }
        Ok(())
    }

    /// The reverse of [`Rooms::bind`]; the seat is not present any more.
    pub fn unbind(&mut self, id: RoomId, name: &Folded) {
        let gone = self.rooms.get_mut(&id).and_then(|room| room.unbind(name));
        if gone.is_some_and(|author| author.account.is_none())
            && let Slot::Occupied(mut used) = self.guests.entry(name.clone())
        {
            *used.get_mut() -= 1;
            if *used.get() == 0 {
                used.remove();
            }
        }
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
        self.list(id);
        self.rooms.get_mut(&id)
    }

    /// What was an account's is nobody's.
    pub fn disown(&mut self, account: AccountId) {
        while let Some(room) = self.owned_by(account) {
            self.own(room, None);
        }
    }

    /// The first room that is an account's.
    pub fn owned_by(&self, account: AccountId) -> Option<RoomId> {
        let first = self.owned.range((account, RoomId(0))..).next();
        first.filter(|(owner, _)| *owner == account).map(|(_, room)| *room)
    }

    /// A room is somebody else's now, or nobody's.
    pub fn own(&mut self, id: RoomId, owner: Option<AccountId>) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut room.record.owner, owner) {
            self.owned.remove(&(before, id));
        }
        self.owned.extend(owner.map(|owner| (owner, id)));
    }

    pub fn remove(&mut self, id: RoomId) -> Option<Room> {
        let room = self.rooms.remove(&id)?;
        self.list(id);
        self.owned.remove(&(room.record.owner.unwrap_or(AccountId(0)), id));
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

    /// Those that are in lists of rooms, after one; only the public ones, or all.
    pub fn listed(&self, after: RoomId, open: bool) -> impl Iterator<Item = &RoomId> {
        let all = if open { &self.open } else { &self.listed };
        all.range((Bound::Excluded(after), Bound::Unbounded))
    }

    /// Whether somebody without an account uses the name in any room.
    pub fn any_guest(&self, name: &Folded) -> bool {
        self.guests.contains_key(name)
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
        for (id, room) in &self.rooms {
            let lists = (self.listed.contains(id), self.open.contains(id));
            assert_eq!(lists, (room.is_listed(), room.is_public()), "{id:?}");
            let owner = room.record.owner;
            assert!(owner.is_none_or(|owner| self.owned.contains(&(owner, *id))), "{id:?}");
            let here = room.here.iter().all(|(at, name)| room.arrival(name) == Some(*at));
            let present = room.names.values().filter(|one| one.present > 0).count();
            assert!(here && present == room.here.len(), "{id:?} has others present");
        }
        let gone = |id: &RoomId| !self.rooms.contains_key(id);
        assert!(!self.listed.iter().chain(&self.open).any(gone), "a room that is gone is listed");
        let owners = self.rooms.values().filter(|room| room.record.owner.is_some()).count();
        assert_eq!(self.owned.len(), owners, "an account owns what is not its own");
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
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
        let names = self.rooms.values().flat_map(|room| room.names.values());
        let guests = names.filter(|one| one.author.account.is_none()).count();
        assert_eq!(self.guests.values().sum::<usize>(), guests, "guests by name");
    }

    pub fn is_anything_in_flight(&self) -> bool {
        let changing = |room: &Room| room.changing || room.going || !room.moving.is_empty();
        !self.reserved.is_empty() || !self.pairing.is_empty() || self.rooms.values().any(changing)
    }
}
