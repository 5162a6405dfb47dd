//! All rooms, by number, by title, and by pair of accounts: plain tables with their rules. The core
//! that owns them decides about access and order.

#[cfg(any(test, debug_assertions))]
mod check;

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use crate::chat::numbered::NumberedLarge;
use crate::chat::state::index::Index;
use crate::chat::state::room::{Room, RoomRecord};
use crate::chat::types::{AccountId, Author, Folded, RoomId, RoomRef, Seq, SubscriptionId, Title};
use crate::chat::vocabulary::{Refusal, RoomSettings};
use crate::time::Time;

/// The lower account first.
fn pair([one, other]: [AccountId; 2]) -> [AccountId; 2] {
    [one.min(other), one.max(other)]
}

#[derive(Default)]
pub struct Rooms {
    rooms: NumberedLarge<RoomId, Room>,
    /// All rooms except those for two, which have no title of their own.
    by_title: Index<RoomId>,
    by_pair: HashMap<[AccountId; 2], RoomId>,
    /// The rooms for two by each of their accounts, even after that account has left.
    paired: BTreeSet<(AccountId, RoomId)>,
    /// The public numbers of rooms that became hidden later.
    by_link: HashMap<RoomId, RoomId>,
    /// Random numbers of rooms that are gone.
    spent: HashSet<RoomId>,
    /// Rooms that lists show, then the public ones among them.
    listed: BTreeSet<RoomId>,
    open: BTreeSet<RoomId>,
    /// Rooms by owner.
    owned: BTreeSet<(AccountId, RoomId)>,
    /// Rooms that guests have left behind: without an owner since, or with a new owner of whom the
    /// room has not heard.
    pub orphans: BTreeSet<RoomId>,
    /// Orphans to check because of a change.
    pub unchecked_orphans: BTreeSet<RoomId>,
    /// The rooms in which each account is muted or banned.
    pub restrained: BTreeSet<(AccountId, RoomId)>,
    /// Names that anonymous clients use, with their rooms.
    guests: HashMap<Folded, BTreeSet<RoomId>>,
    /// The number of rooms for two that an account has opened, pending ones included.
    opened: HashMap<AccountId, usize>,
    /// Pairs whose room is pending, with the account that opens it.
    pairing: HashMap<[AccountId; 2], AccountId>,
    /// Titles of pending rooms and changes.
    reserved: HashSet<Folded>,
    /// The highest number of any proposal, then the highest of a room in the log; random numbers
    /// excluded.
    last: u64,
    made: u64,
}

impl Rooms {
    /// The number of rooms, pending ones included.
    pub fn len(&self) -> usize {
        self.rooms.len() + self.reserved.len() + self.pairing.len()
    }

    /// A number for a new room.
    pub fn next(&mut self) -> RoomId {
        self.last += 1;
        RoomId(self.last)
    }

    /// A random number; `None`: it is or was a room's.
    pub fn drawn(&self, chance: u64) -> Option<RoomId> {
        Some(RoomId::drawn(chance)).filter(|number| !self.is_used(*number))
    }

    /// Whether a number is or was a room's. (A pending room does not count.)
    pub fn is_used(&self, number: RoomId) -> bool {
        let counted = !number.is_drawn() && number.0 <= self.made;
        counted
            || self.rooms.contains_key(&number)
            || self.by_link.contains_key(&number)
            || self.spent.contains(&number)
    }

    /// Marks random numbers of rooms that are gone as used.
    pub fn spend(&mut self, numbers: impl IntoIterator<Item = RoomId>) {
        self.spent.extend(numbers);
    }

    /// The random numbers of rooms that are gone, in order.
    pub fn spent(&self) -> Vec<RoomId> {
        let mut spent: Vec<RoomId> = self.spent.iter().copied().collect();
        spent.sort_unstable();
        spent
    }

    /// Reserves all numbers up to this one, even if their room is gone.
    pub fn used_up_to(&mut self, last: u64) {
        self.last = self.last.max(last);
        self.made = self.made.max(last);
    }

    /// Whether a room other than `except`, or a pending one, has the title.
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

    /// `between[0]` opens the room.
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

    /// The number of rooms for two that an account has opened, pending ones included.
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

    /// Whether the pair's room is pending.
    pub fn is_pairing(&self, between: [AccountId; 2]) -> bool {
        self.pairing.contains_key(&pair(between))
    }

    /// The room for two of this pair.
    pub fn of_pair(&self, between: [AccountId; 2]) -> Option<&Room> {
        self.by_pair.get(&pair(between)).and_then(|id| self.rooms.get(id))
    }

    /// The first room for two of an account, even if the account has left it.
    pub fn paired_with(&self, account: AccountId) -> Option<RoomId> {
        let first = self.paired.range((account, RoomId(0))..).next();
        first.filter(|(owner, _)| *owner == account).map(|(_, room)| *room)
    }

    /// Whether a room other than `except` has the title by the log's rule: only case does not
    /// count. (The proposer's check uses the stricter folded title.)
    pub fn has_title(&self, title: &Title, except: RoomId) -> bool {
        let (folded, lowered) = (title.folded(), title.lowered());
        let mut same = self.by_title.all(&folded).filter(|room| *room != except);
        same.any(|room| self.rooms[&room].record.settings.title.lowered() == lowered)
    }

    /// Adds a room. `false`: its number, title or pair exists already.
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
        self.orphans.extend(record.orphaned.then_some(id));
        self.list_restrained(&record, true);
        self.rooms.insert(id, Room::new(record));
        self.list(id);
        true
    }

    /// The reverse of [`Rooms::remove`], for a room whose title is free.
    pub fn bring_back(&mut self, room: Room) {
        let (id, link, owner) = (room.record.id, room.record.link, room.record.owner);
        for number in link.into_iter().chain([id]) {
            self.spent.remove(&number);
        }
        self.by_link.extend(link.map(|link| (link, id)));
        self.by_title.insert(room.record.settings.title.folded(), id);
        self.owned.extend(owner.map(|owner| (owner, id)));
        self.list_restrained(&room.record, true);
        self.rooms.insert(id, room);
        self.list(id);
    }

    /// Puts a room into the lists of its visibility.
    fn list(&mut self, id: RoomId) {
        let room = self.rooms.get(&id);
        let put = |into: &mut BTreeSet<RoomId>, fits: bool| {
            if fits { into.insert(id) } else { into.remove(&id) }
        };
        put(&mut self.listed, room.is_some_and(Room::is_listed));
        put(&mut self.open, room.is_some_and(Room::is_public));
    }

    /// Binds another subscription to a name in a room. Refused if another person has the name.
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

    /// The reverse of [`Rooms::bind`]; the subscription must not be present.
    pub fn unbind(&mut self, id: RoomId, author: &Author) {
        let name = author.name.folded();
        if let Some(room) = self.rooms.get_mut(&id) {
            room.unbind(&name);
        }
        // (A name without an account has only one subscription.)
        if author.account.is_none()
            && let Slot::Occupied(mut used) = self.guests.entry(name)
        {
            used.get_mut().remove(&id);
            if used.get().is_empty() {
                used.remove();
            }
        }
    }

    /// Applies a change from the log. `None`: the room does not exist, or another room has the
    /// title or the public number.
    pub fn change(
        &mut self,
        id: RoomId,
        (settings, password_generation, link): (RoomSettings, u64, Option<RoomId>),
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
        if !room.record.orphaned {
            self.orphans.remove(&id); // This entry announces the owner.
            self.unchecked_orphans.remove(&id);
        }
        let was_open = room.is_public();
        let record = &mut room.record;
        record.settings = settings;
        record.password_generation = password_generation;
        record.updated = time;
        record.link = record.link.or(link);
        if room.is_public() && !was_open {
            room.record.opened = seq;
        }
        self.list(id);
        self.rooms.get_mut(&id)
    }

    /// The longest member of each room of an account that is gone inherits the room; without
    /// members it has no owner.
    pub fn disown(&mut self, account: AccountId) {
        while let Some(room) = self.owned_by(account) {
            let longest = self.rooms.get(&room).and_then(|room| room.since.first());
            let longest = longest.map(|(_, account)| *account);
            self.own(room, longest);
            if let Some(room) = self.rooms.get_mut(&room) {
                room.record.orphaned = longest.is_none();
            }
            self.orphans.insert(room);
            self.unchecked_orphans.insert(room);
        }
    }

    /// The number of rooms that an account owns, at most `most`.
    pub fn owns(&self, account: AccountId, most: usize) -> usize {
        let own = (account, RoomId(0))..=(account, RoomId(u64::MAX));
        self.owned.range(own).take(most).count()
    }

    /// The first room that an account owns.
    pub fn owned_by(&self, account: AccountId) -> Option<RoomId> {
        let first = self.owned.range((account, RoomId(0))..).next();
        first.filter(|(owner, _)| *owner == account).map(|(_, room)| *room)
    }

    /// Gives a room to a member, by an entry that announces the owner.
    pub fn transfer(&mut self, id: RoomId, owner: AccountId, time: Time) {
        self.own(id, Some(owner));
        if let Some(room) = self.rooms.get_mut(&id) {
            (room.record.orphaned, room.record.updated) = (false, time);
        }
        self.orphans.remove(&id);
        self.unchecked_orphans.remove(&id);
    }

    /// Changes a room's owner; `None`: no owner.
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
        self.list_restrained(&room.record, false);
        self.orphans.remove(&id);
        self.unchecked_orphans.remove(&id);
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

    /// A change of a room is proposed; `ends`: its end.
    pub fn mark_pending(&mut self, id: RoomId, ends: bool) {
        if let Some(room) = self.rooms.get_mut(&id) {
            (room.pending_change, room.pending_end) = (true, ends);
        }
    }

    pub fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id)
    }

    pub fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        self.rooms.get_mut(&id)
    }

    /// A room by its own number, its public number, or its title. `sight` decides who may see it.
    pub fn find(&self, room: &RoomRef) -> Result<&Room, Refusal> {
        let id = match room {
            RoomRef::Id(id) => Some(self.by_link.get(id).copied().unwrap_or(*id)),
            RoomRef::Title(title) => self.by_title.get(Folded::new(title).as_str()),
        };
        let room = id.and_then(|id| self.rooms.get(&id)).filter(|room| !room.is_direct());
        room.ok_or(Refusal::RoomNotFound)
    }

    /// The rooms that lists show, after `after`; `open`: only public ones.
    pub fn listed(&self, after: RoomId, open: bool) -> impl Iterator<Item = &RoomId> {
        let all = if open { &self.open } else { &self.listed };
        all.range((Bound::Excluded(after), Bound::Unbounded))
    }

    /// Whether an anonymous client uses the name in any room.
    pub fn any_guest(&self, name: &Folded) -> bool {
        self.guests.contains_key(name)
    }

    /// The subscriptions of anonymous clients with this name.
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

    /// The highest number of any room, past or present; random numbers excluded.
    pub fn last_made(&self) -> u64 {
        self.made
    }
}
