//! The queue from the core to the writer: jobs wait in it, in order, as long as the disk takes.
//!
//! Only the writer takes entries out, at the end, and answers each of them in order. So the core
//! never gets an answer out of turn.
//!
//! The core bounds the entries in flight ([`PROPOSED_MAX`](crate::limits::PROPOSED_MAX)). Read
//! markers and uses of sessions are not answered, and every request can cause one: so only the
//! latest waits, one for each member of a room and one for each session.
//!
//! Adding a job never waits; what the writer does not take yet stays on this side. After each
//! commit the writer calls the hub, and the hub hands over more.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use tokio::sync::mpsc;

use crate::chat::{AccountId, Entry, RoomId, Seq, SessionId, Ticket};
use crate::limits::{BATCHES_MAX, COMMIT_ENTRIES_MAX, MARKS_WAITING_MAX, TOUCHES_WAITING_MAX};
use crate::log;
use crate::store::Job;
use crate::time::Time;

/// The writer's end: the writer answers every entry that it takes from here.
pub type LineEnd = mpsc::Receiver<Vec<Job>>;

/// The core's end.
pub struct Line {
    entries: VecDeque<Job>,
    coalesced: Coalesced,
    batches: mpsc::Sender<Vec<Job>>,
    /// Batches handed over since the last one with coalesced jobs.
    plain: usize,
}

/// Jobs that ride along with entries: read markers and uses of sessions. Only the latest of each
/// counts, and nobody waits for an answer.
pub(super) struct Coalesced {
    marks: Latest<(RoomId, AccountId), Seq>,
    touches: Latest<SessionId, Time>,
}

/// The writer has stopped: nothing will be written or answered any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

/// A queue of [`BATCHES_MAX`] batches: both its ends.
pub fn line() -> (Line, LineEnd) {
    line_of(BATCHES_MAX)
}

/// A queue of `batches_max` batches.
pub(crate) fn line_of(batches_max: usize) -> (Line, LineEnd) {
    let (batches, end) = mpsc::channel(batches_max);
    let line = Line { entries: VecDeque::new(), coalesced: Coalesced::new(), batches, plain: 0 };
    (line, end)
}

impl Line {
    /// Adds an entry. The caller bounds the entries that are not answered yet.
    pub fn propose(&mut self, ticket: Ticket, time: Time, entry: Entry) {
        self.entries.push_back(Job::Entry { ticket, time, entry });
    }

    /// Adds a read marker.
    pub fn mark(&mut self, room: RoomId, account: AccountId, seq: Seq) {
        self.coalesced.put(Job::Mark { room, account, seq });
    }

    /// Adds the last uses of sessions.
    pub fn touch(&mut self, used: Vec<(SessionId, Time)>) {
        self.coalesced.put(Job::Touch(used));
    }

    /// Hands over as many batches as the writer's end has room for.
    ///
    /// # Errors
    /// If the writer has stopped.
    pub fn hand_over(&mut self) -> Result<(), Gone> {
        while !self.is_empty() && self.batches.capacity() > 0 {
            // One waiting batch with coalesced jobs is enough: only the latest marks and touches
            // count.
            let queued = self.batches.max_capacity() - self.batches.capacity();
            let with_coalesced = queued <= self.plain;
            if self.entries.is_empty() && !with_coalesced {
                break;
            }
            // There is room: nobody else sends.
            let batch = self.batch(with_coalesced);
            self.batches.try_send(batch).map_err(|_| Gone)?;
        }
        if self.batches.is_closed() { Err(Gone) } else { Ok(()) }
    }

    /// Hands over everything, however long that takes. Call it when no more jobs come.
    pub async fn finish(mut self) {
        while !self.is_empty() {
            let Ok(permit) = self.batches.clone().reserve_owned().await else { return };
            permit.send(self.batch(true));
        }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.coalesced.is_empty()
    }

    /// Takes what one commit takes.
    fn batch(&mut self, with_coalesced: bool) -> Vec<Job> {
        let count = self.entries.len().min(COMMIT_ENTRIES_MAX);
        let mut batch: Vec<Job> = self.entries.drain(..count).collect();
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
        self.plain += 1;
        if with_coalesced && !self.coalesced.is_empty() {
            batch.extend(self.coalesced.take());
            self.plain = 0;
        }
        batch
    }
}

impl Coalesced {
    pub fn new() -> Coalesced {
        let (marks, touches) = (MARKS_WAITING_MAX, TOUCHES_WAITING_MAX);
        Coalesced { marks: Latest::new(marks), touches: Latest::new(touches) }
    }

    /// Adds a job that is no entry. Beyond [`MARKS_WAITING_MAX`] and [`TOUCHES_WAITING_MAX`] it is
    /// dropped.
    pub fn put(&mut self, write: Job) {
        match write {
            Job::Mark { room, account, seq } => {
                if self.marks.put((room, account), seq) == Put::FirstLeftOut {
                    log!(Warn, "the disk is slow: some read markers are not saved");
                }
            }
            Job::Touch(used) => {
                for (session, time) in used {
                    if self.touches.put(session, time) == Put::FirstLeftOut {
                        log!(Warn, "the disk is slow: some uses of sessions are not saved");
                    }
                }
            }
            Job::Entry { .. } => unreachable!("entries are never coalesced"),
        }
    }

    /// Takes as many as one commit takes.
    pub fn take(&mut self) -> impl Iterator<Item = Job> + use<> {
        let read = self.marks.take(COMMIT_ENTRIES_MAX).into_iter();
        let read = read.map(|((room, account), seq)| Job::Mark { room, account, seq });
        let used = self.touches.take(COMMIT_ENTRIES_MAX);
        if let Some(count) = self.marks.caught_up() {
            log!(Warn, "the disk has caught up; {count} read markers were not saved");
        }
        if let Some(count) = self.touches.caught_up() {
            log!(Warn, "the disk has caught up; {count} uses of sessions were not saved");
        }
        read.chain((!used.is_empty()).then_some(Job::Touch(used)))
    }

    pub fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.touches.is_empty()
    }
}

/// The latest value for each key (values only grow), in the order in which the keys first came.
struct Latest<K, V> {
    known: HashMap<K, V>,
    order: VecDeque<K>,
    max: usize,
    /// Values left out since the queue was last empty.
    left_out: usize,
}

/// What happened to a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Put {
    Kept,
    /// The queue is full, for the first time in this episode. The caller logs it now, and the
    /// number of values left out at the end: two lines, however many were left out.
    FirstLeftOut,
    LeftOut,
}

impl<K: Copy + Eq + Hash, V: Copy + Ord> Latest<K, V> {
    fn new(max: usize) -> Latest<K, V> {
        Latest { known: HashMap::new(), order: VecDeque::new(), max, left_out: 0 }
    }

    fn put(&mut self, key: K, value: V) -> Put {
        if let Some(known) = self.known.get_mut(&key) {
            *known = value.max(*known);
            return Put::Kept;
        }
        if self.order.len() >= self.max {
            self.left_out += 1;
            return if self.left_out == 1 { Put::FirstLeftOut } else { Put::LeftOut };
        }
        self.known.insert(key, value);
        self.order.push_back(key);
        Put::Kept
    }

    /// The number of values left out, once everything kept is taken.
    fn caught_up(&mut self) -> Option<usize> {
        let over = self.order.is_empty() && self.left_out > 0;
        over.then(|| std::mem::take(&mut self.left_out))
    }

    fn take(&mut self, count: usize) -> Vec<(K, V)> {
        let count = count.min(self.order.len());
        let keys = self.order.drain(..count);
        let taken = keys.filter_map(|key| self.known.remove_entry(&key)).collect();
        if self.order.is_empty() {
            (self.known, self.order) = (HashMap::new(), VecDeque::new());
        }
        taken
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::said;

    fn propose(line: &mut Line, ticket: u64) {
        line.propose(Ticket(ticket), Time(1), said(1, "hello"));
    }

    fn mark(line: &mut Line, account: u64, seq: u64) {
        line.mark(RoomId(1), AccountId(account), Seq(seq));
    }

    /// A batch as text: entries by ticket, marks, and touches by session.
    fn described(batch: &[Job]) -> Vec<String> {
        let describe = |write: &Job| match write {
            Job::Entry { ticket, .. } => format!("{}", ticket.0),
            Job::Mark { account, seq, .. } => format!("{} read {}", account.0, seq.0),
            Job::Touch(used) => format!("{} used", used.len()),
        };
        batch.iter().map(describe).collect()
    }

    fn taken(end: &mut LineEnd) -> Vec<String> {
        end.try_recv().map(|batch| described(&batch)).unwrap_or_default()
    }

    #[test]
    fn only_the_latest_mark_and_touch_waits() {
        let (mut line, mut end) = line_of(2);
        for seq in 1..100 {
            mark(&mut line, 1, seq);
            mark(&mut line, 2, 2 * seq);
            line.touch(vec![(SessionId(1), Time(7)), (SessionId(2), Time(7))]);
        }
        propose(&mut line, 1);
        line.hand_over().expect("a writer");
        assert_eq!(taken(&mut end), ["1", "1 read 99", "2 read 198", "2 used"]);
        assert!(taken(&mut end).is_empty());
    }

    #[test]
    fn marks_fill_no_place_of_an_entry() {
        let (mut line, mut end) = line_of(4);
        for round in 0..1_000 {
            mark(&mut line, round, 1);
            line.hand_over().expect("a writer");
        }
        for ticket in 1..=3 {
            propose(&mut line, ticket);
            line.hand_over().expect("a writer");
        }
        assert_eq!(taken(&mut end), ["0 read 1"]);
        assert_eq!([taken(&mut end), taken(&mut end), taken(&mut end)], [["1"], ["2"], ["3"]]);
        // When the writer has taken the first batch, the marks gathered since follow.
        line.hand_over().expect("a writer");
        assert_eq!(taken(&mut end).len(), 999);
    }

    #[test]
    fn entries_not_taken_wait_in_order() {
        let (mut line, mut end) = line_of(1);
        let all: Vec<String> = (1..=3 * COMMIT_ENTRIES_MAX).map(|n| n.to_string()).collect();
        for ticket in 1..=all.len() as u64 {
            propose(&mut line, ticket);
            line.hand_over().expect("a writer");
        }
        let mut written = Vec::new();
        while written.len() < all.len() {
            let batch = taken(&mut end);
            assert!((1..=COMMIT_ENTRIES_MAX).contains(&batch.len()), "{}", batch.len());
            written.extend(batch);
            line.hand_over().expect("a writer");
        }
        assert_eq!(written, all);
    }

    #[test]
    fn waiting_marks_and_touches_are_bounded() {
        let (mut line, mut end) = line_of(1);
        for account in 0..=MARKS_WAITING_MAX as u64 {
            mark(&mut line, account, 1);
        }
        mark(&mut line, 0, 2);
        line.touch((0..=TOUCHES_WAITING_MAX as u64).map(|id| (SessionId(id), Time(1))).collect());
        let (mut marks, mut touches, mut first) = (0, 0, None);
        while !line.is_empty() {
            line.hand_over().expect("a writer");
            for write in end.try_recv().expect("a batch") {
                match write {
                    Job::Mark { seq, .. } => {
                        marks += 1;
                        first.get_or_insert(seq);
                    }
                    Job::Touch(used) => touches += used.len(),
                    Job::Entry { .. } => unreachable!("none was proposed"),
                }
            }
        }
        assert_eq!((marks, touches), (MARKS_WAITING_MAX, TOUCHES_WAITING_MAX));
        assert_eq!(first, Some(Seq(2)), "a waiting marker is still updated");
    }

    #[test]
    fn values_left_out_are_reported_twice_however_many() {
        let mut latest = Latest::new(2);
        let said: Vec<Put> = (0..1_000).map(|key| latest.put(key, 1)).collect();
        let count = |kind| said.iter().filter(|put| **put == kind).count();
        assert_eq!((count(Put::Kept), count(Put::FirstLeftOut)), (2, 1));
        assert_eq!(latest.put(1, 2), Put::Kept, "a waiting key is updated");
        latest.take(1);
        assert_eq!((latest.caught_up(), latest.put(7, 1)), (None, Put::Kept));
        assert_eq!(latest.put(8, 1), Put::LeftOut, "still the same episode");
        assert_eq!(latest.take(9), [(1, 2), (7, 1)]);
        assert_eq!((latest.caught_up(), latest.caught_up()), (Some(999), None));
        latest.put(1, 1);
        latest.put(2, 1);
        assert_eq!(latest.put(3, 1), Put::FirstLeftOut, "another episode");
    }

    #[test]
    fn a_writer_that_is_gone_is_noticed() {
        let (mut line, end) = line();
        drop(end);
        assert_eq!(line.hand_over(), Err(Gone));
        propose(&mut line, 1);
        assert_eq!(line.hand_over(), Err(Gone));
    }
}
