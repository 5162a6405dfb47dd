//! Attempts at passwords and codes: how often a client may be wrong.
//!
//! An attempt is charged before the password is checked, and refunded if it was right, so that
//! parallel attempts count, too. Each counts for its source, for the caller, and for the room:
//!
//! - A caller that has used up its own attempts is refused before any check. For an account with a
//!   key only its own attempts count, so that a neighbour cannot lock it out.
//! - A room whose attempts are used up, because many clients guess, refuses nobody for that: but it
//!   becomes *wary*, and each source and caller then has only a few attempts. A caller that knows
//!   the password needs one.

use crate::chat::core::Chat;
use crate::chat::state::limiter::{Kind, Subject, Take};
use crate::chat::types::{RoomId, RoomRef};
use crate::chat::vocabulary::Refusal;

impl Chat {
    /// Charges an attempt at a room's password, whether or not the room exists.
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

    /// Refunds the attempt: the password was right.
    pub(super) fn guessed(&mut self, room: &RoomRef) {
        if self.is_free() {
            return;
        }
        let mut takes = self.own_guesses(Kind::Guess);
        takes.extend(self.own_guesses(Kind::GuessWary));
        takes.extend(self.guesses_of(room));
        self.refund(&takes);
    }

    /// Charges an attempt at a secret code, and refunds it if the code was right. (Codes have so
    /// many random bits that nobody finds one; the attempts of one source are bounded all the
    /// same.)
    pub(super) fn try_code(&mut self, right: bool) -> Result<(), Refusal> {
        if self.is_free() {
            return Ok(());
        }
        let (takes, now) = (self.own_guesses(Kind::Guess), self.limiter_now());
        let Some(limiter) = &mut self.limiter else { return Ok(()) };
        limiter.take(now, &takes).map_err(super::charge::rate_limited)?;
        if right {
            self.refund(&takes);
        }
        Ok(())
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
