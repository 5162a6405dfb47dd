//! THE CORE: who is known, which rooms there are, who sits where, and what is said. A pure,
//! synchronous state machine: [`Chat::handle`] takes one [`Command`] and the time, and appends what
//! comes of it to a list of [`Effect`]s. Called by the hub, and by the simulation; by nobody else.
//!
//! It never does I/O, reads no clock, draws no randomness, and knows no wire format.
//!
//! # A fold over the log
//!
//! What lasts changes only in `apply`, by an entry that comes back from the log with its number.
//! To change something, the core *proposes* an entry and remembers for whom; when the entry is
//! back, it applies it, and only then answers and announces. What is in flight reserves its name or
//! title, but `apply` judges every entry by itself, whoever proposed it.
//!
//! # One order
//!
//! Who sits where changes at once, but what is *told* of it must not overtake a message that is
//! still on its way into the log. So whatever is to be heard in a room waits in one line,
//! `waiting`, behind the entries that were proposed before it. Answers to asks do not: nobody can
//! tell their order from outside.

mod accounts;
mod apply;
mod asks;
mod blocks;
mod charge;
#[cfg(any(test, debug_assertions))]
mod check;
mod deleted;
mod direct;
mod guesses;
mod index;
mod limiter;
mod locking;
mod members;
mod mentions;
mod numbered;
mod orphans;
mod pages;
mod people;
mod quotas;
mod room;
mod rooms;
mod seats;
mod sight;
#[cfg(test)]
pub(crate) mod simulation;
mod snapshot;
mod source;
mod streams;
#[cfg(test)]
mod tests;
pub mod text;
mod types;
mod vocabulary;
mod words;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

pub use crate::chat::accounts::{Account, Session};
pub use crate::chat::room::{DeletedRecord, MemberRecord, RoomRecord};
pub use crate::chat::snapshot::Snapshot;
pub use crate::chat::source::Source;
pub use crate::chat::types::*;
pub use crate::chat::vocabulary::*;

use crate::chat::accounts::Accounts;
use crate::chat::apply::Came;
use crate::chat::asks::Identity;
use crate::chat::charge::Origin;
use crate::chat::deleted::Deleted;
use crate::chat::limiter::Limiter;
use crate::chat::locking::Turn;
use crate::chat::quotas::{Made, Quotas};
use crate::chat::rooms::Rooms;
use crate::chat::seats::Sitting;
use crate::chat::streams::Stream;
use crate::chat::work::{Waits, Work};
use crate::crypto::KeyHash;
use crate::limits::{PROPOSED_MAX, STEPS_MAX};
use crate::time::{Moment, Time};

/// What the core is told once, at the start.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A session ends so many seconds after its last use.
    pub session_ttl_secs: u64,
    /// Whether there are rate limits.
    pub limits: bool,
}

/// The core. See the module's documentation.
pub struct Chat {
    /// By the system's clock: what is written down and shown.
    now: Time,
    /// By the running clock: what lifetimes are counted by.
    running: Time,
    /// The running clock at the first command.
    started: Time,
    accounts: Accounts,
    rooms: Rooms,
    /// Rooms that were deleted, and can be brought back.
    deleted: Deleted,
    seats: Numbered<SeatId, Sitting>,
    /// Those of them that are no stream's; and those that were taken by a token, by who shows it
    /// and where, and when it was first issued.
    sitting: BTreeSet<SeatId>,
    by_token: HashMap<(RoomId, Folded, Time), SeatId>,
    /// Streams, by their own seats.
    streams: BTreeMap<SeatId, Stream>,
    last_stream: u64,
    /// The seats as they are known outside: between [`Effect::Seat`] and [`Effect::Unseat`]; and
    /// the streams' own, until their [`Effect::Dismiss`] or the end of their connection.
    heard: Numbered<SeatId, Door>,
    waiting: VecDeque<Waiting>,
    /// Where in it stands what is told now.
    turn: Turn,
    /// How many of `waiting` are proposals.
    proposed: usize,
    /// How many may be, see [`PROPOSED_MAX`].
    proposed_max: usize,
    last_ticket: u64,
    /// Asks about a room of which a change is in flight, for when that is over.
    held: Waits,
    /// What was too long for one command, and goes on; and how many steps this one has left.
    work: VecDeque<Work>,
    steps: usize,
    steps_max: usize,
    /// Who does what is done now, as far as it counts.
    origin: Origin,
    /// `None`: there are no rate limits.
    limiter: Option<Limiter>,
    quotas: Quotas,
    /// How much room the disk has.
    space: Space,
    closing: bool,
    /// The last entry that is applied.
    last: Seq,
    /// When what an entry changes happened: the time of the latest.
    told: Time,
    effects: Vec<Effect>,
}

/// What stands in the line behind the log.
enum Waiting {
    /// An entry that the log has not answered for yet, and who wants to know.
    Proposal { ticket: Ticket, purpose: Purpose },
    /// What may be told only after everything before it.
    Effect(Effect),
    /// The same of much that is still put together: see `locking`.
    Aside(VecDeque<Effect>),
}

/// For whom an entry was proposed.
enum Purpose {
    /// Somebody asked, as this account or as nobody.
    Ask(AskId, Option<AccountId>),
    /// Somebody who is to be a guest: first the account, for which nothing is answered; then the
    /// session.
    Guest(AskId),
    /// Somebody said something through a seat.
    Tell(Told),
    /// The core itself: something has expired.
    Own,
}

/// An ask that waits until a change is over.
struct Held {
    ask: AskId,
    origin: Origin,
    who: Identity,
    /// The account's key, where it was shown itself.
    key: Option<KeyHash>,
    what: Ask,
}

/// A tell that waits for the log.
struct Told {
    /// Who gets the reply; of a stream, its own seat.
    seat: SeatId,
    door: Door,
    /// The seat in the room.
    by: SeatId,
    /// It is by this that the room will know that its author is here.
    came: bool,
    mark: Option<ClientId>,
}

/// The entry that every log begins with: the lobby.
///
/// # Panics
/// Never: the texts are valid, as a test shows.
pub fn founding() -> Entry {
    let title = Title::new("Public Chat").expect("a valid title");
    let description = "This is the default chat, available to everyone!";
    let description = Description::new(description).expect("a valid description");
    let visibility = Visibility::Public;
    let facts = RoomFacts { title, description, visibility, password: None };
    Entry::RoomMade { room: LOBBY, owner: None, facts }
}

impl Chat {
    /// A core that knows what lasts, and nobody who is present.
    pub fn new(settings: Settings, snapshot: Snapshot) -> Chat {
        let mut chat = Chat {
            now: Time(0),
            running: Time(i64::MIN),
            started: Time(i64::MIN),
            accounts: Accounts::new(settings.session_ttl_secs),
            rooms: Rooms::default(),
            deleted: Deleted::default(),
            seats: Numbered::default(),
            sitting: BTreeSet::new(),
            by_token: HashMap::new(),
            streams: BTreeMap::new(),
            last_stream: 0,
            heard: Numbered::default(),
            waiting: VecDeque::new(),
            turn: Turn::Last,
            proposed: 0,
            proposed_max: PROPOSED_MAX,
            last_ticket: 0,
            held: Waits::default(),
            work: VecDeque::new(),
            steps: 0,
            steps_max: STEPS_MAX,
            origin: Origin::OWN,
            limiter: charge::limiter(settings.limits),
            quotas: Quotas::default(),
            space: Space::Enough,
            closing: false,
            last: snapshot.last,
            told: Time(0),
            effects: Vec::new(),
        };
        chat.restore(snapshot);
        chat
    }

    /// With another bound than [`PROPOSED_MAX`]: for the simulation, in which all are small.
    pub(crate) fn within(self, proposed_max: usize) -> Chat {
        Chat { proposed_max, ..self }
    }

    /// Carries out one command and appends what comes of it to `effects`, in order.
    ///
    /// Order comes from the log: `now.wall` may be earlier than it was, `now.running` may not.
    pub fn handle(&mut self, now: impl Into<Moment>, command: Command, effects: &mut Vec<Effect>) {
        let now = now.into();
        (self.now, self.running) = (now.wall, self.running.max(now.running));
        if self.started == Time(i64::MIN) {
            self.started = self.running;
            self.deleted.start(self.running);
        }
        std::mem::swap(&mut self.effects, effects);
        self.refresh_steps();
        match command {
            Command::Ask { ask, source, caller, what } => self.ask(ask, source, caller, what),
            Command::Tell { seat, tell } => self.tell(seat, tell),
            Command::Leave { seat } => self.leave(seat),
            Command::Logged { ticket, seq, time, entry } => {
                self.logged(ticket, seq, time, entry);
            }
            Command::Repeated { ticket, entry, seq, time, same } => {
                let by = entry.author().cloned();
                let (color, calls) = (None, Box::default());
                let found = Answer::Acted { seq, time, repeated: true, by, color, calls };
                let outcome = if same { Ok(found) } else { Err(Refusal::ClientIdReused) };
                self.not_logged(ticket, &entry, outcome);
            }
            Command::Unlogged { ticket, entry, refusal } => {
                self.not_logged(ticket, &entry, Err(refusal));
            }
            Command::Space(space) => self.space = space,
            Command::Tick => self.tick(),
            Command::Continue => self.carry_on(),
            Command::Close => self.close(),
        }
        if !self.rooms.untended.is_empty() && !self.is_tending() {
            self.tend_rooms(None);
        }
        std::mem::swap(&mut self.effects, effects);
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.now, running: self.running }
    }

    /// The last entry that is applied; what came of it has been told.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// Whether nothing is waiting for the log.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Proposes an entry, if there is room for one more.
    fn propose(&mut self, entry: Entry, purpose: Purpose) -> Result<(), Refusal> {
        if !self.can_propose(1) {
            return Err(Refusal::Unavailable);
        }
        self.find_space(&entry, &purpose)?;
        self.find_quota(&entry, &purpose)?;
        self.charge_entry(&entry, &purpose)?;
        self.count(&entry, &purpose);
        self.line_up(entry, purpose);
        Ok(())
    }

    /// Proposes what was paid for, behind everything that was proposed before.
    fn line_up(&mut self, entry: Entry, purpose: Purpose) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.proposed += 1;
        self.waiting.push_back(Waiting::Proposal { ticket, purpose });
        self.effects.push(Effect::Propose { ticket, time: self.now, entry });
    }

    /// Whether there is room in the line for so many more.
    fn can_propose(&self, count: usize) -> bool {
        !self.closing && self.proposed + count <= self.proposed_max
    }

    /// Whether so much waits for the log that nobody new is to be seated.
    fn is_congested(&self) -> bool {
        self.waiting.len() > 2 * self.proposed_max
    }

    /// Tells something in its turn: behind every entry that was proposed before.
    fn tell_in_turn(&mut self, effect: Effect) {
        match &mut self.turn {
            Turn::Aside(effects) => effects.push_back(effect),
            Turn::Last if !self.waiting.is_empty() => {
                self.waiting.push_back(Waiting::Effect(effect));
            }
            Turn::Now | Turn::Last => self.tell_now(effect),
        }
    }

    /// Tells something whose turn it is, except to seats that are not there any more.
    fn tell_now(&mut self, mut effect: Effect) {
        match &mut effect {
            Effect::Seat { seat, door, .. } => {
                self.heard.insert(*seat, *door);
            }
            Effect::Unseat { seat, .. } | Effect::Dismiss { seat, .. } => {
                self.heard.remove(seat);
            }
            Effect::Reply { seat, .. } if !self.heard.contains_key(seat) => return,
            Effect::Announce { by, .. } => {
                *by = by.filter(|(seat, _)| self.heard.contains_key(seat));
            }
            _ => {}
        }
        self.effects.push(effect);
    }

    fn answer(&mut self, ask: AskId, answer: Result<Answer, Refusal>) {
        self.effects.push(Effect::Answer { ask, answer });
    }

    /// The log has an entry: what it changes is changed, and who waited for it is told.
    fn logged(&mut self, ticket: Option<Ticket>, seq: Seq, time: Time, entry: Entry) {
        let purpose = ticket.map_or(Purpose::Own, |ticket| self.settle(ticket));
        let (by, asker) = match &purpose {
            Purpose::Tell(told) => (Some((told.by, told.door)), None),
            Purpose::Ask(_, asker) => (None, *asker),
            Purpose::Guest(_) | Purpose::Own => (None, None),
        };
        if ticket.is_some() {
            self.release(&entry); // What others proposed has reserved nothing here.
        }
        let freed = entry.awaited();
        let begun = matches!(entry, Entry::SessionBegun { .. });
        let made = Made::of(&entry).filter(|_| ticket.is_some());
        let outcome = self.apply(seq, time, entry, Came { by, asker });
        if let Some(made) = made.filter(|_| outcome.is_err()) {
            self.quotas.end(made);
        }
        self.conclude(purpose, begun, outcome);
        self.move_up();
        if let Some(freed) = freed {
            self.wake(freed);
        }
    }

    /// An entry is not in the log, or was there before: what it reserved is free again, and who
    /// waited is told.
    fn not_logged(&mut self, ticket: Ticket, entry: &Entry, outcome: Result<Answer, Refusal>) {
        let purpose = self.settle(ticket);
        self.release(entry);
        if let Some(made) = Made::of(entry) {
            self.quotas.end(made);
        }
        if let (Purpose::Tell(told), Err(_)) = (&purpose, &outcome)
            && told.came
        {
            self.came_silently(told.by, told.door, entry);
        }
        self.conclude(purpose, matches!(entry, Entry::SessionBegun { .. }), outcome);
        if let Entry::SessionBegun { account, .. } = entry {
            self.end_if_over(*account); // A guest's: the account is in the log, but nobody has it.
        }
        self.move_up();
        if let Some(freed) = entry.awaited() {
            self.wake(freed);
        }
    }

    /// Tells whoever an entry was proposed for what came of it.
    fn conclude(&mut self, purpose: Purpose, begun: bool, outcome: Result<Answer, Refusal>) {
        match purpose {
            Purpose::Ask(ask, _) => self.answer(ask, outcome),
            // Without the account, which may have been lost, there is no session either.
            Purpose::Guest(ask) if begun => {
                self.answer(ask, outcome.map_err(|_| Refusal::Unavailable));
            }
            Purpose::Tell(Told { seat, door, mark, .. }) => {
                let reply = outcome.map(|answer| match answer {
                    Answer::Acted { seq, time, repeated, .. } => {
                        Receipt::Logged { seq, time, repeated }
                    }
                    _ => Receipt::Noted,
                });
                self.tell_now(Effect::Reply { seat, door, reply, mark });
            }
            Purpose::Guest(_) | Purpose::Own => {}
        }
    }

    /// Somebody is here since a message that is lost: then the room hears that, at least.
    fn came_silently(&mut self, seat: SeatId, door: Door, entry: &Entry) {
        let Entry::Said { room, author, color, .. } = entry.clone() else { return };
        let event = Event { room, time: self.now, author, color, what: What::Joined };
        self.tell_now(Effect::Announce { event, by: Some((seat, door)) });
    }

    /// Takes a proposal off the head of the line; what stands before it is told first.
    ///
    /// # Panics
    /// When the log answers out of order: then nothing that follows could be trusted.
    fn settle(&mut self, ticket: Ticket) -> Purpose {
        loop {
            match self.waiting.pop_front() {
                Some(Waiting::Effect(effect)) => self.tell_now(effect),
                Some(Waiting::Aside(effects)) => {
                    effects.into_iter().for_each(|it| self.tell_now(it))
                }
                Some(Waiting::Proposal { ticket: first, purpose }) if first == ticket => {
                    self.proposed -= 1;
                    return purpose;
                }
                _ => panic!("the log answered for {ticket:?}, which is not the first in line"),
            }
        }
    }

    fn tick(&mut self) {
        self.accounts.tick(self.now);
        // One that is not through yet goes on.
        if !self.work.iter().any(|work| matches!(work, Work::Sweep { .. })) {
            self.sweep(AccountId(0));
        }
        if !self.is_tending() {
            self.tend_rooms(Some(RoomId(0)));
        }
        self.purge_old();
    }

    fn close(&mut self) {
        self.closing = true;
        self.go_on_closing();
    }
}
