//! What should last, in the plainest words: a second fold over the log, without indexes, without
//! anything in flight, as slow as it likes. The core must agree with it after every entry.

use std::collections::BTreeMap;

use crate::chat::{
    Account, AccountId, Entry, Folded, LOBBY, Name, RoomId, RoomRecord, RoomRef, Session,
    SessionId, Snapshot, Visibility,
};
use crate::crypto::KeyHash;
use crate::time::Time;

#[derive(Default)]
pub struct Book {
    pub accounts: BTreeMap<AccountId, Account>,
    pub sessions: BTreeMap<SessionId, Session>,
    pub rooms: BTreeMap<RoomId, RoomRecord>,
    pub last_room: u64,
    pub last_session: u64,
    /// The last use of each session, as the disk has it.
    pub noted: BTreeMap<SessionId, Time>,
}

impl Book {
    /// Whether an entry fits what came before it. One that does not must change nothing.
    pub fn fits(&self, entry: &Entry) -> bool {
        let titled = |title: &Folded, room| {
            let mut others = self.rooms.values().filter(|other| other.id != room);
            others.any(|other| other.facts.title.folded() == *title)
        };
        match entry {
            Entry::AccountMade { account, name, key } => {
                let clash = |one: &Account| one.key == *key || one.name.folded() == name.folded();
                !self.accounts.contains_key(account) && !self.accounts.values().any(clash)
            }
            Entry::SessionBegun { session, account, key } => {
                let known = self.sessions.values().any(|one| one.id == *session || one.key == *key);
                self.accounts.contains_key(account) && !known
            }
            Entry::SessionEnded { session } => self.sessions.contains_key(session),
            Entry::RoomMade { room, facts, .. } => {
                room.0 > self.last_room && !titled(&facts.title.folded(), *room)
            }
            Entry::RoomChanged { room, facts, .. } => {
                self.rooms.contains_key(room) && !titled(&facts.title.folded(), *room)
            }
            Entry::RoomGone { room } => *room != LOBBY && self.rooms.contains_key(room),
            Entry::Said { room, .. } => self.rooms.contains_key(room),
        }
    }

    pub fn apply(&mut self, time: Time, entry: &Entry) {
        if !self.fits(entry) {
            return;
        }
        match entry.clone() {
            Entry::AccountMade { account: id, name, key } => {
                self.accounts.insert(id, Account { id, name, key, created: time });
            }
            Entry::SessionBegun { session: id, account, key } => {
                self.sessions.insert(id, Session { id, account, key, last_used: time });
                self.last_session = self.last_session.max(id.0);
                self.noted.insert(id, time);
            }
            Entry::SessionEnded { session } => {
                self.sessions.remove(&session);
            }
            Entry::RoomMade { room: id, owner, facts } => {
                let (created, updated) = (time, time);
                let record = RoomRecord { id, owner, facts, generation: 0, created, updated };
                self.rooms.insert(id, record);
                self.last_room = id.0;
            }
            Entry::RoomChanged { room, facts, generation } => {
                if let Some(record) = self.rooms.get_mut(&room) {
                    (record.facts, record.generation) = (facts, generation);
                    record.updated = time;
                }
            }
            Entry::RoomGone { room } => {
                self.rooms.remove(&room);
            }
            Entry::Said { .. } => {}
        }
    }

    /// No number is proposed that something in the log has, or had.
    pub fn is_new(&self, entry: &Entry) -> bool {
        match entry {
            Entry::AccountMade { account, .. } => !self.accounts.contains_key(account),
            Entry::SessionBegun { session, .. } => session.0 > self.last_session,
            Entry::RoomMade { room, .. } => room.0 > self.last_room,
            _ => true,
        }
    }

    pub fn account_named(&self, name: &Name) -> Option<&Account> {
        self.accounts.values().find(|account| account.name.folded() == name.folded())
    }

    pub fn session_with(&self, key: &KeyHash) -> Option<&Session> {
        self.sessions.values().find(|session| session.key == *key)
    }

    pub fn find(&self, room: &RoomRef) -> Option<&RoomRecord> {
        self.rooms.values().find(|record| match room {
            RoomRef::Id(id) => record.id == *id,
            RoomRef::Title(title) => record.facts.title.folded() == Folded::new(title),
        })
    }

    /// Whether a change ends what tokens and open doors let in before.
    pub fn locks(&self, entry: &Entry) -> bool {
        let Entry::RoomChanged { room, facts, generation } = entry else { return false };
        let Some(before) = self.rooms.get(room) else { return false };
        let was_open = before.facts.visibility == Visibility::Public;
        let is_open = facts.visibility == Visibility::Public;
        self.fits(entry) && !is_open && (was_open || before.generation != *generation)
    }

    /// Names and titles are unique whatever their case, and only what is not public has a password.
    pub fn check(&self) {
        let mut names: Vec<_> = self.accounts.values().map(|one| one.name.folded()).collect();
        let mut titles: Vec<_> = self.rooms.values().map(|one| one.facts.title.folded()).collect();
        let counts = (names.len(), titles.len());
        names.sort_unstable();
        names.dedup();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(counts, (names.len(), titles.len()), "a name or a title is there twice");
        for room in self.rooms.values() {
            let open = room.facts.visibility == Visibility::Public;
            assert_eq!(open, room.facts.password.is_none(), "a password too many or too few");
        }
    }

    /// The core has exactly what the book has.
    pub fn compare(&self, snapshot: &Snapshot) {
        assert!(self.accounts.values().eq(&snapshot.accounts), "accounts differ from the log");
        let sessions: Vec<_> = self.sessions.values().cloned().collect();
        assert_eq!(sessions, snapshot.sessions, "sessions differ from the log, or in their use");
        assert!(self.rooms.values().eq(&snapshot.rooms), "rooms differ from the log");
        assert_eq!(self.last_room, snapshot.last_room, "the last room's number");
    }
}
