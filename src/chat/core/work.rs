//! Work that is too long for one command. A command takes a limited number of steps itself; each
//! [`Command::Continue`](super::Command::Continue) does a share of the rest, in turn, so that the
//! end of a room, of a session with a thousand rooms, or of the server holds up nobody.
//!
//! Lasting state still changes at once, with its entry: only subscriptions and waiting calls are
//! handled bit by bit.

use std::collections::BTreeSet;

use crate::chat::core::Chat;
use crate::chat::numbered::looked;
use crate::chat::state::accounts::Look;
use crate::chat::state::purpose::Purpose;
use crate::chat::state::room::Room;
use crate::chat::state::work::{Then, Work};
use crate::chat::types::{AccountId, SessionId, SubscriptionId};
use crate::chat::vocabulary::{CloseReason, Effect, Refusal};
use crate::time::Time;

impl Chat {
    /// Whether work is left: the core needs [`Command::Continue`](super::Command::Continue).
    pub fn is_busy(&self) -> bool {
        !self.work.is_empty()
    }

    /// Whether the log's next reply must wait: effects that are due have not all been issued, or an
    /// entry is not completely applied.
    pub fn is_behind(&self) -> bool {
        self.order.has_next() || self.work.iter().any(Work::is_of_an_entry)
    }

    /// Issues all effects that are due.
    pub(super) fn move_up(&mut self) {
        while self.order.has_next() {
            if !self.step() {
                return self.work.push_back(Work::MoveUp);
            }
            self.order.tell_next();
        }
    }

    /// A command begins, with its full number of steps.
    pub(super) fn refresh_steps(&mut self) {
        self.steps = self.steps_max;
    }

    /// A core with fewer steps a command, so that a few people can stand for thousands.
    #[cfg(test)]
    pub(in crate::chat) fn with_steps(mut self, steps_max: usize) -> Chat {
        self.steps_max = steps_max;
        self
    }

    /// Whether a stream is still opening.
    #[cfg(test)]
    pub(in crate::chat) fn is_opening(&self) -> bool {
        self.work.iter().any(|work| matches!(work, Work::OpenStream(_)))
    }

    /// Takes a step, if this command has one left.
    pub(super) fn step(&mut self) -> bool {
        looked();
        let may = self.steps > 0;
        self.steps = self.steps.saturating_sub(1);
        may
    }

    /// Continues the unfinished work, each item in turn.
    pub(super) fn carry_on(&mut self) {
        while self.steps > 0
            && let Some(work) = self.work.pop_front()
        {
            match work {
                Work::Unsubscribe { subscriptions, reason, then } => {
                    self.unsubscribe_each(subscriptions, reason, then)
                }
                Work::Empty { room, after } => self.go_on_emptying(room, after),
                Work::EndAccount { account, seq } => self.end_account(seq, account),
                Work::Return { room, seq, after } => self.go_on_returning(room, seq, after),
                Work::CloseRoom(closing) => {
                    self.go_on_closing_room(*closing);
                    self.move_up();
                }
                Work::OpenStream(opening) => self.go_on_opening(opening),
                Work::Wake(awaited) => self.wake(awaited),
                Work::Sweep { after } => self.sweep(after),
                Work::CheckOrphans { after } => self.check_orphans(after),
                Work::PutOut { after } => self.put_out_all(after),
                Work::MoveUp => self.move_up(),
                Work::Close => self.go_on_closing(),
            }
        }
    }

    /// Ends subscriptions and streams, then does `then`.
    pub(super) fn unsubscribe_each(
        &mut self,
        mut subscriptions: BTreeSet<SubscriptionId>,
        reason: Option<CloseReason>,
        then: Then,
    ) {
        while let Some(subscription) = subscriptions.first().copied() {
            if !self.step() {
                return self.work.push_back(Work::Unsubscribe { subscriptions, reason, then });
            }
            subscriptions.remove(&subscription);
            if self.streams.contains_key(&subscription) {
                self.end_stream(subscription, reason);
            } else {
                self.unsubscribe(subscription, reason);
            }
        }
        match then {
            Then::Nothing => {}
            Then::Free(name) => self.accounts.release(&name),
            Then::CloseStream(subscription, Some(reason)) => {
                self.order.tell(Effect::CloseStream { subscription, reason });
            }
            Then::CloseStream(subscription, None) => {
                self.order.set_heard(subscription, None);
            }
        }
    }

    /// A room was deleted: ends its subscriptions and memberships.
    pub(super) fn empty(&mut self, room: Box<Room>) {
        self.go_on_emptying(room, AccountId(0));
    }

    fn go_on_emptying(&mut self, mut room: Box<Room>, mut after: AccountId) {
        while let Some(subscription) = room.subscriptions.first().copied() {
            if !self.step() {
                return self.work.push_back(Work::Empty { room, after });
            }
            room.subscriptions.remove(&subscription);
            let Some(subscribed) = self.subscriptions.get(&subscription) else { continue };
            if let Some((author, present)) = subscribed.bound() {
                room.forget(&author.name.folded(), present);
            }
            let streams = subscribed.is_streams();
            self.unsubscribe(subscription, Some(CloseReason::RoomGone).filter(|_| !streams));
        }
        let id = room.record.id;
        let next = |chat: &Chat, after| {
            let members = &chat.deleted.get(id).unwrap_or(&room).members;
            members.after(after).next().map(|(account, _)| *account)
        };
        while let Some(account) = next(self, after) {
            if !self.step() {
                return self.work.push_back(Work::Empty { room, after });
            }
            after = account;
            if let Some(known) = self.accounts.get_mut(account) {
                known.belongs_no_more(id, room.is_direct());
            }
        }
    }

    /// Checks sessions that are due, and guests who may be over. (A crash may have separated an
    /// account from its session, or their end could not be stored.)
    pub(super) fn sweep(&mut self, mut after: AccountId) {
        let mut used = Vec::new();
        while let Some(session) = self.accounts.next_due(self.running) {
            if !self.step() {
                self.touched(used);
                return self.work.push_back(Work::Sweep { after });
            }
            match self.accounts.look_at(session, self.moment()) {
                Look::Later => {}
                Look::Used => used.push((session, self.now)),
                Look::Expired if self.end_session(session, Purpose::Own).is_err() => break,
                Look::Expired => {}
            }
        }
        self.touched(used);
        while let Some(guest) = self.accounts.next_over(after) {
            if !self.step() {
                return self.work.push_back(Work::Sweep { after });
            }
            after = guest;
            self.end_if_over(guest);
        }
    }

    fn touched(&mut self, used: Vec<(SessionId, Time)>) {
        if !used.is_empty() {
            self.order.tell(Effect::Touch { used });
        }
    }

    /// The shutdown, behind the pending entries.
    pub(super) fn go_on_closing(&mut self) {
        while !self.waits.is_empty() {
            if !self.step() {
                return self.work.push_back(Work::Close);
            }
            if let Some(call) = self.waits.any() {
                self.answer(call.id, Err(Refusal::Unavailable));
            }
        }
        while let Some(base) = self.streams.keys().next().copied() {
            if !self.step() {
                return self.work.push_back(Work::Close);
            }
            self.end_stream(base, Some(CloseReason::ShuttingDown));
        }
        while let Some(subscription) = self.subscribed.first().copied() {
            if !self.step() {
                return self.work.push_back(Work::Close);
            }
            self.unsubscribe(subscription, Some(CloseReason::ShuttingDown));
        }
    }
}
