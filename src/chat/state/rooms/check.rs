//! The rooms' indexes agree with the rooms; tests only.

use std::collections::{BTreeSet, HashMap};

use crate::chat::state::room::Room;
use crate::chat::state::rooms::{Rooms, pair};
use crate::chat::types::{AccountId, Folded, RoomId};

impl Rooms {
    /// The indexes agree with the table.
    pub fn check(&self) {
        assert_eq!(self.by_title.len() + self.by_pair.len(), self.rooms.len());
        for (id, room) in self.rooms.iter() {
            if let Some(between) = room.record.between {
                assert_eq!(self.by_pair.get(&pair(between)), Some(id));
                assert!(
                    between.iter().all(|account| self.paired.contains(&(*account, *id))),
                    "{id:?}"
                );
                assert!(!room.members.is_empty(), "{id:?} has no member");
                continue;
            }
            let title = room.record.settings.title.folded();
            assert!(self.by_title.all(&title).any(|room| room == *id), "{id:?}");
            let link = room.record.link;
            assert!(link.is_none_or(|link| self.by_link.get(&link) == Some(id)));
        }
        assert_eq!(self.paired.len(), 2 * self.by_pair.len(), "rooms for two by account");
        let pairs = self.by_pair.len() + self.pairing.len();
        assert_eq!(self.opened.values().sum::<usize>(), pairs, "rooms for two by opener");
        let linked = self.rooms.values().filter(|room| room.record.link.is_some()).count();
        assert_eq!(self.by_link.len(), linked);
        assert!(self.spent.iter().all(|number| !self.rooms.contains_key(number)));
        for (id, room) in self.rooms.iter() {
            let lists = (self.listed.contains(id), self.open.contains(id));
            assert_eq!(lists, (room.is_listed(), room.is_public()), "{id:?}");
            let owner = room.record.owner;
            assert!(owner.is_none_or(|owner| self.owned.contains(&(owner, *id))), "{id:?}");
            room.check_present();
            room.check_moderation();
        }
        let restrained: BTreeSet<(AccountId, RoomId)> = self
            .rooms
            .values()
            .filter_map(|room| Some((room.record.id, room.record.moderation.as_ref()?)))
            .flat_map(|(id, found)| {
                found.muted.keys().chain(&found.banned).map(move |account| (*account, id))
            })
            .collect();
        assert_eq!(self.restrained, restrained, "who is muted or banned, by account");
        let gone = |id: &RoomId| !self.rooms.contains_key(id);
        let orphaned = self.rooms.values().filter(|room| room.record.orphaned);
        let mut orphaned = orphaned.map(|room| room.record.id);
        assert!(orphaned.all(|id| self.orphans.contains(&id)), "an orphan is not listed");
        assert!(!self.orphans.iter().any(gone), "a deleted room is listed as an orphan");
        assert!(
            self.unchecked_orphans.is_subset(&self.orphans),
            "a room that is no orphan is checked"
        );
        assert!(!self.listed.iter().chain(&self.open).any(gone), "a deleted room is listed");
        let owners = self.rooms.values().filter(|room| room.record.owner.is_some()).count();
        assert_eq!(self.owned.len(), owners, "an account owns another's room");
    }

    /// All rooms.
    pub fn all(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    /// The names in use are those of the subscriptions, each with its account, its number of bound
    /// subscriptions, and how many of them are present.
    pub fn check_names(&self, expected: &HashMap<(RoomId, Folded), (Option<AccountId>, u32, u32)>) {
        let mut found = 0;
        for (id, room) in self.rooms.iter() {
            for (name, counts) in room.bound_names() {
                assert_eq!(expected.get(&(*id, name.clone())), Some(&counts), "{name:?} in {id:?}");
                found += 1;
            }
        }
        assert_eq!(found, expected.len(), "a subscription's name is not in use");
    }

    /// No anonymous client uses the name of an account.
    pub fn check_guests(&self, is_registered: impl Fn(&Folded) -> bool) {
        let names = self.rooms.values().flat_map(Room::bound_names);
        let mut guests = names.filter(|(_, (account, ..))| account.is_none());
        let posing = guests.find(|(name, _)| is_registered(name));
        assert!(posing.is_none(), "{posing:?} is an anonymous client with an account's name");
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
