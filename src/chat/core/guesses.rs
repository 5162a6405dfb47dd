//! Passwords that are tried: how often somebody may be wrong.
//!
//! A try is taken before the password is looked at, and put back if it was right, so that many at
//! once count, too. Each counts for its source, for the caller, and for the room:
//!
//! - Whoever has used up their own tries is refused before anything is looked at. For an account
//!   with a key its own tries are all that counts, so that nobody is shut out by a neighbour.
//! - A room whose tries are used up, because many guess at it, refuses nobody for that: but it is
//!   *wary*, and each source and caller then has only a few tries. Whoever knows the password needs
//!   one.

use crate::chat::core::Chat;
use crate::chat::state::limiter::{Kind, Subject, Take};
use crate::chat::types::{RoomId, RoomRef};
use crate::chat::vocabulary::Refusal;

impl Chat {
    /// Takes a try at a room's password, whether or not there is such a room.
    pub(super) fn guess(&mut self, room: &RoomRef) -> Result<(), Refusal> {
        if self.is_free() {
            return Ok(());
        }
        let (own, wary) = (self.own_guesses(Kind::Guess), self.own_guesses(Kind::GuessWary));
        let of_room = self.guesses_of(room);
        let now = self.limiter_now();
        let Some(limiter) = &mut self.limiter else { return Ok(()) };
        let is_wary = of_room.is_some_and(|take| limiter.wait(now, &take) > 0);
        let needed = if is_wary { [&own[..], &wary].concat() } else { own };
        limiter.take(now, &needed).map_err(super::charge::rate_limited)?;
        if !is_wary {
            limiter.owe(now, &wary);
        }
        limiter.owe(now, of_room.as_slice());
        Ok(())
    }

    /// The password was right: the try does not count.
    pub(super) fn guessed(&mut self, room: &RoomRef) {
        if self.is_free() {
            return;
        }
        let mut takes = self.own_guesses(Kind::Guess);
        takes.extend(self.own_guesses(Kind::GuessWary));
        takes.extend(self.guesses_of(room));
        self.refund(&takes);
    }

    fn own_guesses(&self, kind: Kind) -> Vec<Take> {
        let mut takes = self.takes(&[(kind, 1)], None);
        let account = self.origin.account.filter(|account| !self.is_guest(*account));
        if account.is_some() {
            takes.retain(|take| matches!(take.subject, Subject::Person(_)));
        }
        takes
    }

    fn guesses_of(&self, room: &RoomRef) -> Option<Take> {
        let RoomId(id) = self.rooms.find(room).ok()?.record.id;
        let (subject, kind) = (Subject::Room(RoomId(id)), Kind::Guess);
        kind.rates().room.map(|rate| Take { subject, kind, rate, count: 1 })
    }
}
