//! What must be true of a core between any two commands, whatever happened to it. Called by the
//! tests and by the fuzz targets; not compiled into what is released.

use std::collections::HashMap;

use crate::chat::core::Chat;
use crate::chat::state::quotas::Made;
use crate::chat::types::SeatId;
use crate::chat::vocabulary::Effect;

impl Chat {
    /// Holds the core's tables against each other.
    ///
    /// # Panics
    /// When they do not agree.
    pub fn check(&self) {
        self.accounts.check();
        self.rooms.check();
        self.deleted.check();
        if self.is_busy() {
            return; // What goes on has taken away the one and not the other.
        }
        self.order.check();
        self.check_seats();
        self.check_streams();
        if self.is_settled() {
            self.quotas.check(|made| match made {
                Made::Account(account) => self.accounts.get(account).is_some(),
                Made::Room(room) => self.rooms.get(room).is_some(),
            });
            assert!(self.held.is_empty(), "somebody waits for a change that is over");
            assert!(!self.accounts.is_anything_in_flight(), "an account's reservation was left");
            assert!(!self.rooms.is_anything_in_flight(), "a room's reservation was left");
            assert!(!self.deleted.is_anything_in_flight(), "a deleted room's reservation was left");
        }
    }

    /// Every seat stands behind its name, its account and its session, and is or will be heard.
    fn check_seats(&self) {
        let mut heard: HashMap<SeatId, bool> =
            self.order.heard().map(|seat| (*seat, true)).collect();
        for effect in self.order.waiting() {
            match effect {
                Effect::Dismiss { seat, .. } => {
                    assert_eq!(heard.remove(seat), Some(true), "{seat:?} was no stream");
                }
                Effect::Seat { seat, .. } => {
                    assert_eq!(heard.insert(*seat, true), None, "{seat:?} is seated twice");
                }
                Effect::Unseat { seat, .. } => {
                    assert_eq!(heard.insert(*seat, false), Some(true), "{seat:?} was not seated");
                }
                _ => {}
            }
        }
        for (seat, will_be) in heard {
            let there = self.seats.contains_key(&seat) || self.streams.contains_key(&seat);
            assert_eq!(will_be, there, "{seat:?} in the end");
        }
        let apart = self.seats.values().filter(|sitting| !sitting.is_streams()).count();
        assert!(self.sitting.iter().all(|seat| self.seats.contains_key(seat)));
        assert_eq!(self.sitting.len(), apart, "a seat is not listed");
        let tokens = |seat: &SeatId| self.seats.get(seat).is_some_and(|one| one.by_token());
        assert!(self.by_token.values().all(tokens), "a token has a seat that is not there");
        let (mut accounts, mut sessions) = (HashMap::new(), HashMap::new());
        let mut names = HashMap::new();
        for stream in self.streams.values() {
            *accounts.entry(stream.account).or_insert(0) += 1;
            if let Some(session) = stream.session {
                *sessions.entry(session).or_insert(0) += 1;
            }
        }
        for (seat, sitting) in &self.seats {
            assert!(self.rooms.get(sitting.room).is_some(), "{seat:?} sits in no room");
            let room = self.rooms.get(sitting.room).expect("a room that is");
            assert!(room.seats.contains(seat), "{seat:?} is not its room's");
            if sitting.is_streams() {
                if let Some((author, present)) = sitting.bound() {
                    let key = (sitting.room, author.name.folded());
                    let counts = names.entry(key).or_insert((author.account, 0, 0));
                    counts.1 += 1;
                    counts.2 += u32::from(present);
                }
                continue;
            }
            if let Some(account) = sitting.holder {
                *accounts.entry(account).or_insert(0) += 1;
            }
            if let Some(session) = sitting.session {
                *sessions.entry(session).or_insert(0) += 1;
            }
            if let Some((author, present)) = sitting.bound() {
                let key = (sitting.room, author.name.folded());
                let counts = names.entry(key).or_insert((author.account, 0, 0));
                assert_eq!(counts.0, author.account, "{author:?} shares a name");
                counts.1 += 1;
                counts.2 += u32::from(present);
                assert!(author.account.is_some() || counts.1 == 1, "two guests of one name");
            }
        }
        self.accounts.check_seats(&accounts, &sessions);
        self.rooms.check_names(&names);
        self.rooms.check_guests(|name| self.accounts.by_name(name).is_some());
    }
}
