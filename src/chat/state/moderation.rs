//! What keeps order in a room: its rules, its moderators, who is muted and who is banned there.
//! Most rooms have nothing of it, so it is out of line.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::state::room::{Room, RoomRecord};
use crate::chat::state::rooms::Rooms;
use crate::chat::types::{AccountId, RoomId};
use crate::chat::vocabulary::Rules;
use crate::time::Time;

/// What keeps order in a room.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Moderation {
    /// How people talk there.
    pub rules: Rules,
    /// The moderators; members.
    pub moderators: BTreeSet<AccountId>,
    /// The muted accounts, each with the end of its mute; those that are over go with the next.
    pub muted: BTreeMap<AccountId, Time>,
    /// The accounts that are banned from the room.
    pub banned: BTreeSet<AccountId>,
}

impl Moderation {
    /// `None`: nothing of it.
    pub fn kept(self) -> Option<Box<Moderation>> {
        (self != Moderation::default()).then(|| Box::new(self))
    }
}

impl RoomRecord {
    /// How people talk there.
    pub fn rules(&self) -> Rules {
        self.moderation.as_ref().map(|found| found.rules).unwrap_or_default()
    }

    /// Whether an account is a moderator.
    pub fn is_moderator(&self, account: AccountId) -> bool {
        self.moderation.as_ref().is_some_and(|found| found.moderators.contains(&account))
    }

    /// The end of an account's mute, which may be over.
    pub fn muted(&self, account: AccountId) -> Option<Time> {
        self.moderation.as_ref()?.muted.get(&account).copied()
    }

    /// Whether an account is banned from it.
    pub fn has_banned(&self, account: AccountId) -> bool {
        self.moderation.as_ref().is_some_and(|found| found.banned.contains(&account))
    }

    /// Changes what keeps order; what has become nothing takes no memory.
    pub fn moderate(&mut self, change: impl FnOnce(&mut Moderation)) {
        let mut moderation = self.moderation.take().map(|found| *found).unwrap_or_default();
        change(&mut moderation);
        self.moderation = moderation.kept();
    }

    /// Forgets accounts that are gone.
    pub fn forget_gone(&mut self, is_there: impl Fn(AccountId) -> bool) {
        if self.moderation.is_some() {
            self.moderate(|found| {
                found.muted.retain(|account, _| is_there(*account));
                found.banned.retain(|account| is_there(*account));
            });
        }
    }
}

impl Room {
    /// The role of a moderator ends with the membership; `None`: with all memberships but the
    /// owner's.
    pub fn moderates_no_more(&mut self, account: Option<AccountId>) {
        let owner = self.record.owner;
        if self.record.moderation.is_some() {
            self.record.moderate(|found| match account {
                Some(account) => drop(found.moderators.remove(&account)),
                None => found.moderators.retain(|account| Some(*account) == owner),
            });
        }
    }
}

impl Rooms {
    /// Mutes an account in a room until a time; forgets the mutes there that are over.
    pub fn mute(&mut self, id: RoomId, account: AccountId, until: Time, now: Time) {
        let Some(room) = self.get_mut(id) else { return };
        let mut over = vec![account];
        room.record.moderate(|found| {
            found.muted.insert(account, until);
            let gone = found.muted.extract_if(.., |_, until| *until <= now);
            over.extend(gone.map(|(account, _)| account));
        });
        over.into_iter().for_each(|account| self.note_restrained(id, account));
    }

    /// Bans an account from a room, or lifts the ban.
    pub fn ban(&mut self, id: RoomId, account: AccountId, on: bool) {
        let Some(room) = self.get_mut(id) else { return };
        room.record.moderate(|found| {
            if on {
                found.banned.insert(account)
            } else {
                found.banned.remove(&account)
            };
        });
        self.note_restrained(id, account);
    }

    fn note_restrained(&mut self, id: RoomId, account: AccountId) {
        let record = self.get(id).map(|room| &room.record);
        let is = record.is_some_and(|one| one.muted(account).is_some() || one.has_banned(account));
        if is {
            self.restrained.insert((account, id));
        } else {
            self.restrained.remove(&(account, id));
        }
    }

    /// The rooms in which an account is muted or banned.
    pub fn restraining(&self, account: AccountId) -> Vec<RoomId> {
        let all = (account, RoomId(0))..=(account, RoomId(u64::MAX));
        self.restrained.range(all).map(|(_, room)| *room).collect()
    }

    /// A room comes to the table, or goes: lists the accounts that are muted or banned there.
    pub fn list_restrained(&mut self, room: &RoomRecord, there: bool) {
        let Some(found) = &room.moderation else { return };
        for account in found.muted.keys().chain(&found.banned) {
            if there {
                self.restrained.insert((*account, room.id));
            } else {
                self.restrained.remove(&(*account, room.id));
            }
        }
    }

    /// An account is gone, with its mutes and bans.
    pub fn forget_restrained(&mut self, account: AccountId) {
        for id in self.restraining(account) {
            self.restrained.remove(&(account, id));
            if let Some(room) = self.get_mut(id) {
                room.record.forget_gone(|one| one != account);
            }
        }
    }

    /// What mutes and bans one account concerns another, too.
    pub fn move_restraints(&mut self, from: AccountId, to: AccountId) {
        for id in self.restraining(from) {
            let Some(room) = self.get_mut(id) else { continue };
            room.record.moderate(|found| {
                if let Some(until) = found.muted.get(&from).copied() {
                    found.muted.insert(to, until);
                }
                if found.banned.contains(&from) {
                    found.banned.insert(to);
                }
            });
            self.note_restrained(id, to);
        }
    }
}
