//! What is too long for one command. A command takes so many steps itself; what is left over goes
//! on with each [`Command::Continue`](super::Command::Continue), in turn, so that the end of a
//! room, of a session with a thousand rooms, or of everything holds up nobody.
//!
//! What lasts changes at once all the same, with its entry: only seats, and those who wait, go by
//! and by.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Bound;

use crate::chat::accounts::Look;
use crate::chat::locking::Locking;
use crate::chat::numbered::looked;
use crate::chat::room::Room;
use crate::chat::types::{AccountId, CallId, Folded, RoomId, SeatId, Seq, SessionId};
use crate::chat::vocabulary::{Effect, Farewell, Followed, Refusal};
use crate::chat::{Chat, Held, Purpose};
use crate::time::Time;

/// What goes on.
pub(super) enum Work {
    /// These seats end, streams' own ones with all they have; then this happens.
    Unseat { seats: BTreeSet<SeatId>, farewell: Option<Farewell>, then: Then },
    /// A room that is gone loses its seats, and those who belonged to it, behind that one, lose the
    /// room.
    Empty { room: Box<Room>, after: AccountId },
    /// A guest is gone for good, and some of its rooms for two are left: they end, then the rest.
    EndAccount { account: AccountId, seq: Seq },
    /// Those who belong to a room that is back, behind that one, are told so.
    Return { room: RoomId, seq: Seq, after: AccountId },
    /// A room has closed, and who came in by what does not open it any more is out.
    Lock(Box<Locking>),
    /// A stream takes its seats in the rooms behind that one; then it is answered.
    Follow(Follower),
    /// What is free again is asked for again by those who waited for it.
    Wake(Awaited),
    /// Sessions and guests whose time has come are looked at; guests behind that one.
    Sweep { after: AccountId },
    /// Rooms that guests have left behind are looked at: see `orphans`.
    Tend { after: Option<RoomId> },
    /// What has its turn in the line behind the log is told.
    MoveUp,
    /// Everything ends.
    Close,
}

impl Work {
    /// Whether it is what an entry does, and so comes before what the next one does.
    pub fn is_of_an_entry(&self) -> bool {
        matches!(
            self,
            Work::Empty { .. } | Work::EndAccount { .. } | Work::Return { .. } | Work::Lock(_)
        )
    }
}

/// A stream that takes its seats.
pub(super) struct Follower {
    pub call: CallId,
    pub base: SeatId,
    pub session: Option<SessionId>,
    /// The last room in which it was to take one.
    pub after: RoomId,
    /// Those in which it has one.
    pub rooms: Vec<Followed>,
}

/// What happens when the last of some seats has ended.
pub(super) enum Then {
    /// Nothing more.
    Nothing,
    /// The name under which they were is free again.
    Free(Folded),
    /// The stream whose they were is not heard of any more; with a farewell: its connection is to
    /// be closed, behind the replies that it still waits for.
    Dismiss(SeatId, Option<Farewell>),
}

/// What an ask can wait for: the end of a change that is in flight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Awaited {
    /// A room is changed, or ends.
    Room(RoomId),
    /// Somebody comes to stay in a room, or leaves it for good.
    Membership(RoomId, AccountId),
    /// A room for two comes to be; the lower number first.
    Pair([AccountId; 2]),
    /// An account gets another key.
    Key(AccountId),
    /// An account blocks somebody, or does so no more.
    Block(AccountId),
}

impl Awaited {
    /// A room for two, whichever of them was named first.
    pub fn pair([one, other]: [AccountId; 2]) -> Awaited {
        Awaited::Pair([one.min(other), one.max(other)])
    }
}

/// Asks that wait, each list in the order of asking.
#[derive(Default)]
pub(super) struct Waits {
    lists: HashMap<Awaited, VecDeque<Held>>,
}

impl Waits {
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether somebody waits for it already: whoever comes now stands behind.
    pub fn is_waited_for(&self, what: Awaited) -> bool {
        self.lists.contains_key(&what)
    }

    pub fn add(&mut self, what: Awaited, held: Held) {
        self.lists.entry(what).or_default().push_back(held);
    }

    /// The first who waits for it.
    pub fn next(&mut self, what: Awaited) -> Option<Held> {
        let list = self.lists.get_mut(&what)?;
        let first = list.pop_front();
        if list.is_empty() {
            self.lists.remove(&what);
        }
        first
    }

    /// Somebody, whatever they wait for.
    fn any(&mut self) -> Option<Held> {
        let what = *self.lists.keys().next()?;
        self.next(what)
    }
}

impl Chat {
    /// Whether something goes on: [`Command::Continue`](super::Command::Continue) is wanted.
    pub fn is_busy(&self) -> bool {
        !self.work.is_empty()
    }

    /// Whether the log's next answer has to wait: more has its turn to be told than one command
    /// could, or an entry is not carried out to its end.
    pub fn is_behind(&self) -> bool {
        self.order.has_next() || self.work.iter().any(Work::is_of_an_entry)
    }

    /// Tells everything whose turn has come.
    pub(super) fn move_up(&mut self) {
        while self.order.has_next() {
            if !self.step() {
                return self.work.push_back(Work::MoveUp);
            }
            self.order.tell_next();
        }
    }

    /// A command begins: it may take so many steps.
    pub(super) fn refresh_steps(&mut self) {
        self.steps = self.steps_max;
    }

    /// A core whose commands take fewer steps, so that a few people show what thousands would.
    #[cfg(test)]
    pub(super) fn with_steps(mut self, steps_max: usize) -> Chat {
        self.steps_max = steps_max;
        self
    }

    /// Whether a stream is about to begin.
    #[cfg(test)]
    pub(super) fn is_following(&self) -> bool {
        self.work.iter().any(|work| matches!(work, Work::Follow(_)))
    }

    /// Takes a step, if this command may take one more.
    pub(super) fn step(&mut self) -> bool {
        looked();
        let may = self.steps > 0;
        self.steps = self.steps.saturating_sub(1);
        may
    }

    /// Goes on with what was too long, each in turn.
    pub(super) fn carry_on(&mut self) {
        while self.steps > 0
            && let Some(work) = self.work.pop_front()
        {
            match work {
                Work::Unseat { seats, farewell, then } => self.unseat_each(seats, farewell, then),
                Work::Empty { room, after } => self.go_on_emptying(room, after),
                Work::EndAccount { account, seq } => self.end_account(seq, account),
                Work::Return { room, seq, after } => self.go_on_returning(room, seq, after),
                Work::Lock(locking) => {
                    self.go_on_locking(*locking);
                    self.move_up();
                }
                Work::Follow(following) => self.go_on_following(following),
                Work::Wake(what) => self.wake(what),
                Work::Sweep { after } => self.sweep(after),
                Work::Tend { after } => self.tend_rooms(after),
                Work::MoveUp => self.move_up(),
                Work::Close => self.go_on_closing(),
            }
        }
    }

    /// Ends seats and streams.
    pub(super) fn unseat_each(
        &mut self,
        mut seats: BTreeSet<SeatId>,
        farewell: Option<Farewell>,
        then: Then,
    ) {
        while let Some(seat) = seats.first().copied() {
            if !self.step() {
                return self.work.push_back(Work::Unseat { seats, farewell, then });
            }
            seats.remove(&seat);
            if self.streams.contains_key(&seat) {
                self.end_stream(seat, farewell);
            } else {
                self.unseat(seat, farewell);
            }
        }
        match then {
            Then::Nothing => {}
            Then::Free(name) => self.accounts.release(&name),
            Then::Dismiss(seat, Some(farewell)) => {
                self.order.tell(Effect::Dismiss { seat, farewell });
            }
            Then::Dismiss(seat, None) => {
                self.order.set_heard(seat, None);
            }
        }
    }

    /// A room has gone: who sits there does no more, and nobody belongs to it.
    pub(super) fn empty(&mut self, room: Box<Room>) {
        self.go_on_emptying(room, AccountId(0));
    }

    fn go_on_emptying(&mut self, mut room: Box<Room>, mut after: AccountId) {
        while let Some(seat) = room.seats.first().copied() {
            if !self.step() {
                return self.work.push_back(Work::Empty { room, after });
            }
            room.seats.remove(&seat);
            let Some(sitting) = self.seats.get(&seat) else { continue };
            if let Some((author, present)) = sitting.bound() {
                room.forget(&author.name.folded(), present);
            }
            let streams = sitting.is_streams();
            self.unseat(seat, Some(Farewell::RoomGone).filter(|_| !streams));
        }
        let id = room.record.id;
        let next = |chat: &Chat, after| {
            let members = &chat.deleted.get(id).unwrap_or(&room).members;
            let rest = (Bound::Excluded(after), Bound::Unbounded);
            members.range(rest).next().map(|(account, _)| *account)
        };
        while let Some(account) = next(self, after) {
            if !self.step() {
                return self.work.push_back(Work::Empty { room, after });
            }
            after = account;
            if let Some(known) = self.accounts.get_mut(account) {
                known.belongs_no_more(id);
            }
        }
    }

    /// Looks at sessions whose time has come, and at guests who may have to go. (Those that a crash
    /// has left between their account and their session, or whose end could not be written down.)
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

    /// The end of everything, behind the entries that are in flight.
    pub(super) fn go_on_closing(&mut self) {
        while !self.held.is_empty() {
            if !self.step() {
                return self.work.push_back(Work::Close);
            }
            if let Some(held) = self.held.any() {
                self.answer(held.id, Err(Refusal::Unavailable));
            }
        }
        while let Some(base) = self.streams.keys().next().copied() {
            if !self.step() {
                return self.work.push_back(Work::Close);
            }
            self.end_stream(base, Some(Farewell::Closing));
        }
        while let Some(seat) = self.sitting.first().copied() {
            if !self.step() {
                return self.work.push_back(Work::Close);
            }
            self.unseat(seat, Some(Farewell::Closing));
        }
    }
}
