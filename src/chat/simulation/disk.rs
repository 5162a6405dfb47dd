//! The simulated log: late, in batches, sometimes full, and shared with a stranger. What is in
//! `log` outlives a crash, and nothing else does.

use std::collections::{HashMap, VecDeque};

use crate::chat::{Command, Entry, Seq, SessionId, Ticket};
use crate::time::Time;

#[derive(Default)]
pub struct Disk {
    /// Proposed, and not yet written.
    queue: VecDeque<(Ticket, Time, Entry)>,
    /// Written: entry n stands at index n - 1.
    pub log: Vec<(Time, Entry)>,
    /// What the core has not heard yet, in the order in which it must.
    answers: VecDeque<Command>,
    /// When sessions were used last, as far as somebody wrote it down.
    pub touches: HashMap<SessionId, Time>,
}

impl Disk {
    pub fn propose(&mut self, ticket: Ticket, time: Time, entry: Entry) {
        self.queue.push_back((ticket, time, entry));
    }

    /// Writes up to `count` entries. Nobody is told yet.
    pub fn commit(&mut self, count: u64) {
        for _ in 0..count {
            let Some((ticket, time, entry)) = self.queue.pop_front() else { return };
            self.write(Some(ticket), time, entry);
        }
    }

    /// Fails to write up to `count` entries.
    pub fn fail(&mut self, count: u64) {
        for _ in 0..count {
            let Some((ticket, _, entry)) = self.queue.pop_front() else { return };
            self.answers.push_back(Command::Unlogged { ticket, entry });
        }
    }

    pub fn write(&mut self, ticket: Option<Ticket>, time: Time, entry: Entry) {
        self.log.push((time, entry.clone()));
        let seq = Seq(self.log.len() as u64);
        self.answers.push_back(Command::Logged { ticket, seq, time, entry });
    }

    /// The next thing that the core hears from the log.
    pub fn answer(&mut self) -> Option<Command> {
        self.answers.pop_front()
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.answers.is_empty()
    }

    pub fn crash(&mut self) {
        self.queue.clear();
        self.answers.clear();
    }
}
