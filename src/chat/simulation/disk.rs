//! The simulated log: late, in batches, sometimes full, and shared with another proposer. Only
//! `log` survives a crash.

use std::collections::{HashMap, VecDeque};

use crate::chat::simulation::book::Book;
use crate::chat::{
    AccountId, ClientId, Command, Entry, Field, Refusal, RoomId, Seq, SessionId, Ticket,
};
use crate::time::Time;

#[derive(Default)]
pub struct Disk {
    /// Proposed, but not written.
    queue: VecDeque<(Ticket, Time, Entry)>,
    /// Written: entry n is at index n - 1.
    pub log: Vec<(Time, Entry)>,
    /// What the written entries make.
    now: Book,
    /// Replies that the core has not heard, in order.
    answers: VecDeque<Command>,
    /// The stored last uses of sessions.
    pub touches: HashMap<SessionId, Time>,
    /// The stored read markers of members.
    pub marks: HashMap<(RoomId, AccountId), Seq>,
}

/// Whether the command is a reply of the log.
pub fn answers(command: &Command) -> bool {
    use Command::{Logged, Repeated, Unlogged};
    matches!(command, Logged { .. } | Repeated { .. } | Unlogged { .. })
}

impl Disk {
    pub fn propose(&mut self, ticket: Ticket, time: Time, entry: Entry) {
        self.queue.push_back((ticket, time, entry));
    }

    /// Writes up to `count` entries. Their replies wait.
    pub fn commit(&mut self, count: u64) {
        for _ in 0..count {
            let Some((ticket, time, entry)) = self.queue.pop_front() else { return };
            self.now.codes.now = time;
            match self.judge(time, &entry) {
                Ok(None) => self.write(Some(ticket), time, entry),
                Ok(Some((seq, time, same))) => {
                    self.answers.push_back(Command::Repeated { ticket, entry, seq, time, same });
                }
                Err(refusal) => {
                    self.answers.push_back(Command::Unlogged { ticket, entry, refusal });
                }
            }
        }
    }

    /// Fails to write up to `count` entries.
    pub fn fail(&mut self, count: u64) {
        for _ in 0..count {
            let Some((ticket, _, entry)) = self.queue.pop_front() else { return };
            self.answers.push_back(Command::Unlogged {
                ticket,
                entry,
                refusal: Refusal::Unavailable,
            });
        }
    }

    /// Checks what only the log knows: used client ids, existing messages and their authors.
    fn judge(&self, time: Time, entry: &Entry) -> Result<Option<(Seq, Time, bool)>, Refusal> {
        if let Some(refusal) = self.now.silenced(time, entry) {
            return Err(refusal);
        }
        match entry.act() {
            _ if !self.now.may(entry) => Err(Refusal::Forbidden),
            _ if !self.now.code_stands(entry) => Err(Refusal::InvitationVoid),
            Entry::Said { room, author, client_id, reply_to, .. } => {
                let before = client_id.as_ref().and_then(|id| self.said(author.account, id, entry));
                let astray = |seq| self.message(*room, seq).is_none();
                if before.is_none() && reply_to.is_some_and(astray) {
                    return Err(Refusal::Malformed(Field::ReplyTo));
                }
                Ok(before)
            }
            Entry::Edited { room, target, by, .. } => {
                self.living(*room, *target, |author| author == by.account).map(|()| None)
            }
            Entry::Deleted { room, target, by, as_owner } => {
                let charge = by.account.is_some_and(|by| self.now.moderates(by, *room));
                let may = |author| (*as_owner && charge) || author == by.account;
                let author = self.message(*room, *target).ok_or(Refusal::MessageNotFound)?;
                let gone = self.gone(*target).map(|(seq, time)| (seq, time, true));
                if may(author) { Ok(gone) } else { Err(Refusal::Forbidden) }
            }
            Entry::Reacted { room, target, .. } => {
                self.living(*room, *target, |_| true).map(|()| None)
            }
            Entry::MemberChanged { with: Some(message), .. } => match self.judge(time, message) {
                Ok(None) => Ok(None),
                _ => Err(Refusal::Malformed(Field::Whole)),
            },
            _ => Ok(None),
        }
    }

    fn said(
        &self,
        account: Option<AccountId>,
        id: &ClientId,
        entry: &Entry,
    ) -> Option<(Seq, Time, bool)> {
        let (index, (time, before)) = self.log.iter().enumerate().find(|(_, (_, entry))| {
            matches!(entry, Entry::Said { author, client_id: Some(used), .. }
                if author.account == account && used == id)
        })?;
        let same = match (before, entry) {
            (
                Entry::Said { room, text, reply_to, .. },
                Entry::Said { room: room2, text: text2, reply_to: reply2, .. },
            ) => (room, text, reply_to) == (room2, text2, reply2),
            _ => false,
        };
        Some((Seq(index as u64 + 1), *time, same))
    }

    /// The author of a message; `None` if the room has no such message.
    fn message(&self, room: RoomId, target: Seq) -> Option<Option<AccountId>> {
        let index = usize::try_from(target.0).expect("an index").wrapping_sub(1);
        match self.log.get(index)? {
            (_, Entry::Said { room: said, author, .. }) if *said == room => Some(author.account),
            _ => None,
        }
    }

    /// The entry that deleted a message.
    fn gone(&self, target: Seq) -> Option<(Seq, Time)> {
        let entries = (1..).map(Seq).zip(&self.log);
        let mut by = entries.filter_map(|(seq, (time, entry))| match entry.act() {
            Entry::Deleted { target: of, .. } if *of == target => Some((seq, *time)),
            _ => None,
        });
        by.next()
    }

    fn living(
        &self,
        room: RoomId,
        target: Seq,
        may: impl Fn(Option<AccountId>) -> bool,
    ) -> Result<(), Refusal> {
        let author = self.message(room, target).filter(|_| self.gone(target).is_none());
        let author = author.ok_or(Refusal::MessageNotFound)?;
        if may(author) { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    pub fn write(&mut self, ticket: Option<Ticket>, time: Time, entry: Entry) {
        self.log.push((time, entry.clone()));
        let seq = Seq(self.log.len() as u64);
        self.now.apply(seq, time, &entry);
        self.answers.push_back(Command::Logged { ticket, seq, time, entry });
    }

    /// Whether another proposer writes an entry: of those that came by a code, one that has an
    /// effect.
    pub fn takes(&mut self, time: Time, entry: &Entry) -> bool {
        self.now.codes.now = time;
        let invited = matches!(entry, Entry::Invited { .. });
        self.now.code_stands(entry) && (!invited || self.now.fits(entry))
    }

    /// The next reply for the core.
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
