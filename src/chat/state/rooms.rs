//! Where one is: the rooms, by number, by title, and by the two whose they are. Plain tables with
//! their rules; the core that owns them decides who may do what, and in which order.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use crate::chat::numbered::Numbered;
use crate::chat::state::index::Index;
use crate::chat::state::room::{Room, RoomRecord};
use crate::chat::types::{AccountId, Author, Folded, RoomId, RoomRef, Seq, SubscriptionId, Title};
use crate::chat::vocabulary::{Refusal, RoomSettings};
use crate::time::Time;

/// Two accounts, whichever was named first.
fn pair([one, other]: [AccountId; 2]) -> [AccountId; 2] {
    [one.min(other), one.max(other)]
}

#[derive(Default)]
pub struct Rooms {
    rooms: Numbered<RoomId, Room>,
    /// All but those for two, which have no title of their own.
    by_title: Index<RoomId>,
    by_pair: HashMap<[AccountId; 2], RoomId>,
    /// Those for two of each of the two, also of who has left it.
    paired: BTreeSet<(AccountId, RoomId)>,
    /// The numbers by which those are found that are hidden, and were not always.
    by_link: HashMap<RoomId, RoomId>,
    /// Numbers that were drawn for rooms that are gone.
    spent: HashSet<RoomId>,
    /// Those that are in lists of rooms, and of these the public ones.
    listed: BTreeSet<RoomId>,
    open: BTreeSet<RoomId>,
    /// What is an account's.
    owned: BTreeSet<(AccountId, RoomId)>,
    /// What guests have left behind: what is nobody's since, and what has another owner, of which
    /// nobody is told yet.
    pub orphans: BTreeSet<RoomId>,
    /// Those of them to which something has happened.
    pub untended: BTreeSet<RoomId>,
    /// Names that somebody without an account uses, and in which rooms.
    guests: HashMap<Folded, BTreeSet<RoomId>>,
    /// How many rooms for two an account has opened, those in flight included.
    opened: HashMap<AccountId, usize>,
    /// Pairs whose room is proposed but not yet in the log, and who opens it.
    pairing: HashMap<[AccountId; 2], AccountId>,
    /// Titles that are proposed but not yet in the log.
    reserved: HashSet<Folded>,
    /// The highest number ever given to a proposal; and the highest of a room that came to be. Of
    /// those that are not drawn.
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

    /// A number that nobody can guess; `None`: it is a room's, or was one.
    pub fn drawn(&self, chance: u64) -> Option<RoomId> {
        Some(RoomId::drawn(chance)).filter(|number| !self.is_used(*number))
    }

    /// Whether a number is or was a room's. (Not one that is only proposed.)
    pub fn is_used(&self, number: RoomId) -> bool {
        let counted = !number.is_drawn() && number.0 <= self.made;
        counted
            || self.rooms.contains_key(&number)
            || self.by_link.contains_key(&number)
            || self.spent.contains(&number)
    }

    /// These were drawn for rooms that are gone.
    pub fn spend(&mut self, numbers: impl IntoIterator<Item = RoomId>) {
        self.spent.extend(numbers);
    }

    /// The numbers that were drawn for rooms that are gone, in order.
    pub fn spent(&self) -> Vec<RoomId> {
        let mut spent: Vec<RoomId> = self.spent.iter().copied().collect();
        spent.sort_unstable();
        spent
    }

    /// No number up to this one is given any more, though its room may be gone.
    pub fn used_up_to(&mut self, last: u64) {
        self.last = self.last.max(last);
        self.made = self.made.max(last);
    }

    /// Whether `title` is a room's other than `except`, or about to be one's.
    pub fn is_taken(&self, title: &Folded, except: Option<RoomId>) -> bool {
        let another = self.by_title.all(title).any(|room| Some(room) != except);
        another || self.reserved.contains(title)
    }

    pub fn reserve(&mut self, title: Folded) {
        self.reserved.insert(title);
    }

    pub fn release(&mut self, title: &Folded) {
        self.reserved.remove(title);
    }

    /// The first of the two is the one who opens it.
    pub fn reserve_pair(&mut self, between: [AccountId; 2]) {
        if self.pairing.insert(pair(between), between[0]).is_none() {
            self.opens(between[0]);
        }
    }

    pub fn release_pair(&mut self, between: [AccountId; 2]) {
        if let Some(opener) = self.pairing.remove(&pair(between)) {
            self.opens_no_more(opener);
        }
    }

    /// How many rooms for two an account has opened, those in flight included.
    pub fn opened_by(&self, account: AccountId) -> usize {
        self.opened.get(&account).copied().unwrap_or(0)
    }

    fn opens(&mut self, account: AccountId) {
        *self.opened.entry(account).or_insert(0) += 1;
    }

    fn opens_no_more(&mut self, account: AccountId) {
        if let Slot::Occupied(mut opened) = self.opened.entry(account) {
            *opened.get_mut() -= 1;
            if *opened.get() == 0 {
                opened.remove();
            }
        }
    }

    /// Whether the room of two is about to be.
    pub fn is_pairing(&self, between: [AccountId; 2]) -> bool {
        self.pairing.contains_key(&pair(between))
    }

    /// The room of two.
    pub fn of_pair(&self, between: [AccountId; 2]) -> Option<&Room> {
        self.by_pair.get(&pair(between)).and_then(|id| self.rooms.get(id))
    }

    /// The first room for two that is an account's, whether or not it has left it.
    pub fn paired_with(&self, account: AccountId) -> Option<RoomId> {
        let first = self.paired.range((account, RoomId(0))..).next();
        first.filter(|(one, _)| *one == account).map(|(_, room)| *room)
    }

    /// Whether a room other than `except` has the title, as the log judges it: by case alone. (Who
    /// proposes a title has been told if another was the same in more than that.)
    pub fn has_title(&self, title: &Title, except: RoomId) -> bool {
        let (folded, lowered) = (title.folded(), title.lowered());
        let mut same = self.by_title.all(&folded).filter(|room| *room != except);
        same.any(|room| self.rooms[&room].record.settings.title.lowered() == lowered)
    }

    /// Adds a room. `false`: its number, its title or its pair has one.
    pub fn insert(&mut self, record: RoomRecord) -> bool {
        let title = record.settings.title.folded();
        let taken = match record.between {
            Some(between) => self.by_pair.contains_key(&pair(between)),
            None => self.has_title(&record.settings.title, record.id),
        };
        if taken || self.rooms.contains_key(&record.id) {
            return false;
        }
        if !record.id.is_drawn() {
            self.used_up_to(record.id.0);
        }
        if let Some(link) = record.link {
            self.by_link.insert(link, record.id);
        }
        match record.between {
            Some(between) => {
                self.by_pair.insert(pair(between), record.id);
                self.paired.extend(between.map(|account| (account, record.id)));
                self.opens(between[0]);
            }
            None => self.by_title.insert(title, record.id),
        }
        let id = record.id;
        self.owned.extend(record.owner.map(|owner| (owner, id)));
        self.orphans.extend(record.forsaken.then_some(id));
        self.rooms.insert(id, Room::new(record));
        self.list(id);
        true
    }

    /// The reverse of [`Rooms::remove`], of a room whose title is free.
    pub fn bring_back(&mut self, room: Room) {
        let (id, link, owner) = (room.record.id, room.record.link, room.record.owner);
        for number in link.into_iter().chain([id]) {
            self.spent.remove(&number);
        }
        self.by_link.extend(link.map(|link| (link, id)));
        self.by_title.insert(room.record.settings.title.folded(), id);
        self.owned.extend(owner.map(|owner| (owner, id)));
        self.rooms.insert(id, room);
        self.list(id);
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

    /// Binds one more subscription to a name in a room. Refused where another person has it there.
    pub fn bind(
        &mut self,
        id: RoomId,
        author: &Author,
        subscription: SubscriptionId,
        now: Time,
    ) -> Result<(), Refusal> {
        self.rooms.get_mut(&id).ok_or(Refusal::RoomNotFound)?.bind(author, subscription, now)?;
        if author.account.is_none() {
            self.guests.entry(author.name.folded()).or_default().insert(id);
        }
        Ok(())
    }

    /// The reverse of [`Rooms::bind`]; the subscription is not present any more.
    pub fn unbind(&mut self, id: RoomId, author: &Author) {
        let name = author.name.folded();
        if let Some(room) = self.rooms.get_mut(&id) {
            room.unbind(&name);
        }
        // (A name without an account is one subscription's only.)
        if author.account.is_none()
            && let Slot::Occupied(mut used) = self.guests.entry(name)
        {
            used.get_mut().remove(&id);
            if used.get().is_empty() {
                used.remove();
            }
        }
    }

    /// Carries out a change from the log. `None`: no such room, or the title or the number by
    /// which it is to be found is another's.
    pub fn change(
        &mut self,
        id: RoomId,
        (settings, generation, link): (RoomSettings, u64, Option<RoomId>),
        (seq, time): (Seq, Time),
    ) -> Option<&mut Room> {
        let title = settings.title.folded();
        let room = self.rooms.get(&id).filter(|room| !room.is_direct())?;
        let link = link.filter(|_| room.record.link.is_none());
        if self.has_title(&settings.title, id) || link.is_some_and(|link| self.is_used(link)) {
            return None;
        }
        if let Some(link) = link {
            self.by_link.insert(link, id);
        }
        let room = self.rooms.get_mut(&id)?;
        self.by_title.remove(&room.record.settings.title.folded(), id);
        self.by_title.insert(title, id);
        if !room.record.forsaken {
            self.orphans.remove(&id); // Whose it is, this tells.
            self.untended.remove(&id);
        }
        let was_open = room.is_public();
        let record = &mut room.record;
        record.settings = settings;
        record.generation = generation;
        record.updated = time;
        record.link = record.link.or(link);
        if room.is_public() && !was_open {
            room.record.opened = seq;
        }
        self.list(id);
        self.rooms.get_mut(&id)
    }

    /// What was an account's, which is no member any more, is the longest member's; where there is
    /// none, nobody's.
    pub fn disown(&mut self, account: AccountId) {
        while let Some(room) = self.owned_by(account) {
            let longest = self.rooms.get(&room).and_then(|room| room.since.first());
            let longest = longest.map(|(_, account)| *account);
            self.own(room, longest);
            if let Some(room) = self.rooms.get_mut(&room) {
                room.record.forsaken = longest.is_none();
            }
            self.orphans.insert(room);
            self.untended.insert(room);
        }
    }

    /// How many rooms are an account's, up to a number.
    pub fn owns(&self, account: AccountId, most: usize) -> usize {
        let own = (account, RoomId(0))..=(account, RoomId(u64::MAX));
        self.owned.range(own).take(most).count()
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
        self.orphans.remove(&id);
        self.untended.remove(&id);
        self.owned.remove(&(room.record.owner.unwrap_or(AccountId(0)), id));
        let drawn = Some(id).filter(|id| id.is_drawn());
        self.spent.extend(drawn.into_iter().chain(room.record.link));
        if let Some(link) = room.record.link {
            self.by_link.remove(&link);
        }
        match room.record.between {
            Some(between) => {
                self.by_pair.remove(&pair(between));
                between.iter().for_each(|account| {
                    self.paired.remove(&(*account, id));
                });
                self.opens_no_more(between[0]);
            }
            None => self.by_title.remove(&room.record.settings.title.folded(), id),
        }
        Some(room)
    }

    /// A change of a room is proposed, or its end.
    pub fn lock(&mut self, id: RoomId, going: bool) {
        if let Some(room) = self.rooms.get_mut(&id) {
            (room.pending_change, room.pending_end) = (true, going);
        }
    }

    pub fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id)
    }

    pub fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        self.rooms.get_mut(&id)
    }

    /// A room by its own number, by the one by which it is known outside, or by its title. Who may
    /// see it is another question: see `sight`.
    pub fn find(&self, room: &RoomRef) -> Result<&Room, Refusal> {
        let id = match room {
            RoomRef::Id(id) => Some(self.by_link.get(id).copied().unwrap_or(*id)),
            RoomRef::Title(title) => self.by_title.get(Folded::new(title).as_str()),
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

    /// The subscriptions of those without an account who use the name.
    pub fn guests_called(&self, name: &Folded) -> Vec<SubscriptionId> {
        let rooms = self.guests.get(name).into_iter().flatten();
        rooms.filter_map(|room| self.rooms.get(room)?.subscription_of(name)).collect()
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
                assert!(between.iter().all(|one| self.paired.contains(&(*one, *id))), "{id:?}");
                assert!(!room.members.is_empty(), "{id:?} has been left by both");
                continue;
            }
            let title = room.record.settings.title.folded();
            assert!(self.by_title.all(&title).any(|one| one == *id), "{id:?}");
            let link = room.record.link;
            assert!(link.is_none_or(|link| self.by_link.get(&link) == Some(id)));
        }
        assert_eq!(self.paired.len(), 2 * self.by_pair.len(), "rooms for two, by whose they are");
        let pairs = self.by_pair.len() + self.pairing.len();
        assert_eq!(self.opened.values().sum::<usize>(), pairs, "rooms for two, by who opened them");
        let linked = self.rooms.values().filter(|room| room.record.link.is_some()).count();
        assert_eq!(self.by_link.len(), linked);
        assert!(self.spent.iter().all(|number| !self.rooms.contains_key(number)));
        for (id, room) in &self.rooms {
            let lists = (self.listed.contains(id), self.open.contains(id));
            assert_eq!(lists, (room.is_listed(), room.is_public()), "{id:?}");
            let owner = room.record.owner;
            assert!(owner.is_none_or(|owner| self.owned.contains(&(owner, *id))), "{id:?}");
            room.check_present();
        }
        let gone = |id: &RoomId| !self.rooms.contains_key(id);
        let forsaken = self.rooms.values().filter(|room| room.record.forsaken);
        let mut forsaken = forsaken.map(|room| room.record.id);
        assert!(forsaken.all(|id| self.orphans.contains(&id)), "forsaken, and not looked at");
        assert!(!self.orphans.iter().any(gone), "a room that is gone is looked at");
        assert!(self.untended.is_subset(&self.orphans), "a room is looked at without need");
        assert!(!self.listed.iter().chain(&self.open).any(gone), "a room that is gone is listed");
        let owners = self.rooms.values().filter(|room| room.record.owner.is_some()).count();
        assert_eq!(self.owned.len(), owners, "an account owns what is not its own");
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    /// The names in use are those of the subscriptions, each with its account, how many are bound
    /// to it, and how many of those are present.
    pub fn check_names(&self, expected: &HashMap<(RoomId, Folded), (Option<AccountId>, u32, u32)>) {
        let mut found = 0;
        for (id, room) in &self.rooms {
            for (name, counts) in room.bound_names() {
                assert_eq!(expected.get(&(*id, name.clone())), Some(&counts), "{name:?} in {id:?}");
                found += 1;
            }
        }
        assert_eq!(found, expected.len(), "a subscription's name is not in use");
    }

    /// No guest goes by the name of an account.
    pub fn check_guests(&self, is_registered: impl Fn(&Folded) -> bool) {
        let names = self.rooms.values().flat_map(Room::bound_names);
        let mut guests = names.filter(|(_, (account, ..))| account.is_none());
        let posing = guests.find(|(name, _)| is_registered(name));
        assert!(posing.is_none(), "{posing:?} is a guest under an account's name");
        let names = self.rooms.values().flat_map(Room::bound_names);
        let guests = names.filter(|(_, (account, ..))| account.is_none()).count();
        assert_eq!(
            self.guests.values().map(BTreeSet::len).sum::<usize>(),
            guests,
            "guests by name"
        );
    }

    pub fn is_anything_in_flight(&self) -> bool {
        let pending_change =
            |room: &Room| room.pending_change || room.pending_end || !room.pending_moves.is_empty();
        !self.reserved.is_empty()
            || !self.pairing.is_empty()
            || self.rooms.values().any(pending_change)
    }
}
