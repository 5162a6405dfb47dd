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
#[cfg(any(test, debug_assertions))]
mod check;
mod rooms;
mod seats;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod types;
mod vocabulary;

use std::collections::{HashMap, VecDeque};

pub use crate::chat::accounts::{Account, Session};
pub use crate::chat::rooms::{MemberRecord, RoomRecord};
pub use crate::chat::types::*;
pub use crate::chat::vocabulary::*;

use crate::chat::accounts::Accounts;
use crate::chat::asks::Identity;
use crate::chat::rooms::Rooms;
use crate::chat::seats::Sitting;
use crate::limits::PROPOSED_MAX;
use crate::time::Time;

/// Everything that lasts, as the tables beside the log have it: where a core starts from.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    /// All accounts.
    pub accounts: Vec<Account>,
    /// The sessions that have not ended.
    pub sessions: Vec<Session>,
    /// The rooms that are not gone.
    pub rooms: Vec<RoomRecord>,
    /// The highest room number ever given.
    pub last_room: u64,
    /// The highest session number ever given.
    pub last_session: u64,
}

/// What the core is told once, at the start.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A session ends so many seconds after its last use.
    pub session_ttl_secs: u64,
}

/// The core. See the module's documentation.
pub struct Chat {
    now: Time,
    accounts: Accounts,
    rooms: Rooms,
    seats: HashMap<SeatId, Sitting>,
    /// The seats as they are known outside: between [`Effect::Seat`] and [`Effect::Unseat`].
    heard: HashMap<SeatId, Door>,
    waiting: VecDeque<Waiting>,
    /// How many of `waiting` are proposals.
    proposed: usize,
    last_ticket: u64,
    /// Asks about a room of which a change is in flight, for when that is over.
    held: Vec<(AskId, Identity, Ask)>,
    closing: bool,
    effects: Vec<Effect>,
}

/// What stands in the line behind the log.
enum Waiting {
    /// An entry that the log has not answered for yet, and who wants to know.
    Proposal { ticket: Ticket, purpose: Purpose },
    /// What may be told only after everything before it.
    Effect(Effect),
}

/// For whom an entry was proposed.
enum Purpose {
    /// Somebody asked.
    Ask(AskId),
    /// Somebody said something through a seat. `came`: it is by this that the room will know that
    /// its author is here.
    Tell { seat: SeatId, door: Door, came: bool },
    /// The core itself: something has expired.
    Own,
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
            accounts: Accounts::new(settings.session_ttl_secs),
            rooms: Rooms::default(),
            seats: HashMap::new(),
            heard: HashMap::new(),
            waiting: VecDeque::new(),
            proposed: 0,
            last_ticket: 0,
            held: Vec::new(),
            closing: false,
            effects: Vec::new(),
        };
        for account in snapshot.accounts {
            chat.accounts.insert(account);
        }
        for session in snapshot.sessions {
            chat.accounts.begin(session);
        }
        for room in snapshot.rooms {
            chat.rooms.insert(room);
        }
        chat.rooms.used_up_to(snapshot.last_room);
        chat.accounts.used_up_to(snapshot.last_session);
        chat
    }

    /// Carries out one command and appends what comes of it to `effects`, in order.
    pub fn handle(&mut self, now: Time, command: Command, effects: &mut Vec<Effect>) {
        // A clock that is set back does not make the core's time run backwards.
        self.now = self.now.max(now);
        std::mem::swap(&mut self.effects, effects);
        match command {
            Command::Ask { ask, caller, what } => self.ask(ask, caller, what),
            Command::Tell { seat, tell } => self.tell(seat, tell),
            Command::Leave { seat } => self.unseat(seat, None),
            Command::Logged { ticket, seq, time, entry } => {
                self.logged(ticket, seq, time, entry);
            }
            Command::Repeated { ticket, entry, .. } | Command::Unlogged { ticket, entry, .. } => {
                self.unlogged(ticket, &entry)
            }
            Command::Tick => self.tick(),
            Command::Close => self.close(),
        }
        std::mem::swap(&mut self.effects, effects);
    }

    /// Everything that lasts, each table by number: what another core can start from.
    pub fn snapshot(&self) -> Snapshot {
        let (accounts, sessions) = (self.accounts.records(), self.accounts.sessions());
        let (last_room, last_session) = (self.rooms.last_made(), self.accounts.last_session());
        Snapshot { accounts, sessions, rooms: self.rooms.records(), last_room, last_session }
    }

    /// Whether nothing is waiting for the log.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Proposes an entry, if there is room for one more.
    fn propose(&mut self, entry: Entry, purpose: Purpose) -> Result<(), Refusal> {
        if self.closing || self.proposed >= PROPOSED_MAX {
            return Err(Refusal::Unavailable);
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.proposed += 1;
        self.waiting.push_back(Waiting::Proposal { ticket, purpose });
        self.effects.push(Effect::Propose { ticket, time: self.now, entry });
        Ok(())
    }

    /// Tells something in its turn: behind every entry that was proposed before.
    fn tell_in_turn(&mut self, effect: Effect) {
        if self.waiting.is_empty() {
            self.tell_now(effect);
        } else {
            self.waiting.push_back(Waiting::Effect(effect));
        }
    }

    /// Tells something whose turn it is, except to seats that are not there any more.
    fn tell_now(&mut self, mut effect: Effect) {
        match &mut effect {
            Effect::Seat { seat, door, .. } => {
                self.heard.insert(*seat, *door);
            }
            Effect::Unseat { seat, .. } => {
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
        let by = match purpose {
            Purpose::Tell { seat, door, .. } => Some((seat, door)),
            Purpose::Ask(_) | Purpose::Own => None,
        };
        if ticket.is_some() {
            self.release(&entry); // What others proposed has reserved nothing here.
        }
        let changed = entry.changes_a_room();
        let outcome = self.apply(seq, time, entry, by);
        match purpose {
            Purpose::Ask(ask) => self.answer(ask, outcome),
            Purpose::Tell { seat, door, .. } => {
                let reply = outcome.map(|_| Receipt::Logged { seq, time, repeated: false });
                self.tell_now(Effect::Reply { seat, door, reply, mark: None });
            }
            Purpose::Own => {}
        }
        self.move_up();
        if changed {
            self.ask_held();
        }
    }

    /// The log could not take an entry: what it reserved is free again, and who waited is told.
    fn unlogged(&mut self, ticket: Ticket, entry: &Entry) {
        let purpose = self.settle(ticket);
        self.release(entry);
        match purpose {
            Purpose::Ask(ask) => self.answer(ask, Err(Refusal::Unavailable)),
            Purpose::Tell { seat, door, came } => {
                if came {
                    self.came_silently(seat, door, entry);
                }
                let reply = Err(Refusal::Unavailable);
                self.tell_now(Effect::Reply { seat, door, reply, mark: None });
            }
            Purpose::Own => {}
        }
        self.move_up();
        if entry.changes_a_room() {
            self.ask_held();
        }
    }

    /// Somebody is here since a message that is lost: then the room hears that, at least.
    fn came_silently(&mut self, seat: SeatId, door: Door, entry: &Entry) {
        let Entry::Said { room, author, color, .. } = entry.clone() else { return };
        let event = Event { room, time: self.now, author, color, what: What::Joined };
        self.tell_now(Effect::Announce { event, by: Some((seat, door)) });
    }

    /// Takes a proposal off the head of the line.
    ///
    /// # Panics
    /// When the log answers out of order: then nothing that follows could be trusted.
    fn settle(&mut self, ticket: Ticket) -> Purpose {
        match self.waiting.pop_front() {
            Some(Waiting::Proposal { ticket: first, purpose }) if first == ticket => {
                self.proposed -= 1;
                purpose
            }
            _ => panic!("the log answered for {ticket:?}, which is not the first in line"),
        }
    }

    /// Tells everything whose turn has come.
    fn move_up(&mut self) {
        while let Some(Waiting::Effect(_)) = self.waiting.front() {
            if let Some(Waiting::Effect(effect)) = self.waiting.pop_front() {
                self.tell_now(effect);
            }
        }
    }

    fn tick(&mut self) {
        let used = self.accounts.touch_seated(self.now);
        if !used.is_empty() {
            self.effects.push(Effect::Touch { used });
        }
        for session in self.accounts.expired(self.now) {
            if self.end_session(session, Purpose::Own).is_err() {
                return; // The rest at the next tick.
            }
        }
    }

    fn close(&mut self) {
        self.closing = true;
        for (ask, _, _) in std::mem::take(&mut self.held) {
            self.answer(ask, Err(Refusal::Unavailable));
        }
        let mut seats: Vec<SeatId> = self.seats.keys().copied().collect();
        seats.sort_unstable();
        for seat in seats {
            self.unseat(seat, Some(Farewell::Closing));
        }
    }
}
