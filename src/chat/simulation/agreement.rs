//! The book agrees with itself, and the core with the book.

use crate::chat::simulation::TTL_SECS;
use crate::chat::simulation::book::Book;
use crate::chat::{RoomId, Session, Snapshot, Visibility};
use crate::limits::{GUEST_REMEMBERED_TTL_SECS, REMEMBERED_TTL_SECS, SESSION_TOUCH_PARTS};

impl Book {
    /// Names and titles are unique without regard to case, and a room has a password exactly if it
    /// is not public.
    pub fn check(&self) {
        let mut names: Vec<_> =
            self.accounts.values().map(|account| account.name.folded()).collect();
        let mut titles: Vec<_> =
            self.rooms.values().map(|room| room.settings.title.folded()).collect();
        let counts = (names.len(), titles.len());
        names.sort_unstable();
        names.dedup();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(counts, (names.len(), titles.len()), "a name or a title exists twice");
        for room in self.rooms.values().filter(|room| room.between.is_none()) {
            let open = room.settings.visibility == Visibility::Public;
            assert_eq!(
                open,
                room.settings.password.is_none(),
                "a password does not match the visibility"
            );
        }
    }

    /// The core has exactly the state of the book.
    pub fn compare(&self, snapshot: &Snapshot) {
        assert!(self.accounts.values().eq(&snapshot.accounts), "accounts differ from the log");
        let sessions: Vec<_> = self.sessions.values().cloned().collect();
        assert_eq!(sessions, snapshot.sessions, "sessions differ from the log, or in their use");
        let rooms: Vec<_> = self.rooms.values().cloned().collect();
        assert_eq!(rooms, snapshot.rooms, "rooms differ from the log");
        assert!(self.blocks.iter().eq(&snapshot.blocks), "blocks differ from the log");
        assert_eq!(self.policy, snapshot.policy, "who may come in");
        let banned = snapshot.banned.iter().map(|one| (&one.address, &one.until));
        assert!(self.banned.iter().eq(banned), "banned addresses differ from the log");
        let muted: Vec<_> = self.muted.iter().map(|(one, until)| (*one, *until)).collect();
        assert_eq!(muted, snapshot.muted, "muted accounts differ from the log");
        self.compare_codes(snapshot);
        let deleted: Vec<_> = self.deleted.values().cloned().collect();
        assert_eq!(deleted, snapshot.deleted, "deleted rooms differ from the log");
        assert_eq!(self.last_account, snapshot.last_account, "the last account's number");
        assert_eq!(self.last_room, snapshot.last_room, "the last room's number");
        let spent: Vec<RoomId> = self.spent.iter().copied().collect();
        assert_eq!(spent, snapshot.spent_rooms, "numbers of rooms that are gone");
        assert_eq!(self.last, snapshot.last, "the last entry");
    }

    /// Seconds without use after which a session ends.
    pub fn ttl_of(&self, session: &Session) -> u64 {
        let guest =
            self.accounts.get(&session.account).is_some_and(|account| account.key.is_none());
        match session.remember {
            true if guest => GUEST_REMEMBERED_TTL_SECS,
            true => REMEMBERED_TTL_SECS,
            false => TTL_SECS,
        }
    }

    /// The step in which the store learns of a session's last use, in microseconds.
    pub fn grain_of(&self, session: &Session) -> i64 {
        (self.ttl_of(session) * 1_000_000 / SESSION_TOUCH_PARTS).cast_signed()
    }
}
