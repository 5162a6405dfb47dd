//! The line from the core to the writer: what is to be written waits in it, in order, for as long
//! as the disk takes.
//!
//! Nothing that was put into it can be taken out again but at its end, by the writer, who answers
//! for every entry, in order. So nobody else can: the core is never told of an entry out of turn.
//!
//! Entries are as many as the core lets be in flight
//! ([`PROPOSED_MAX`](crate::limits::PROPOSED_MAX)). How far somebody has read, and when a session
//! was used, are not answered for, and anybody can make as many of those as there are requests: so
//! of them only the latest waits, one for each member of a room and one for each session.
//!
//! Putting into it never waits; what the writer does not take yet stays on this side. After each
//! commit the writer speaks up, and then more is handed over.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use tokio::sync::mpsc;

use crate::chat::{AccountId, Entry, RoomId, Seq, SessionId, Ticket};
use crate::limits::{BATCHES_MAX, COMMIT_ENTRIES_MAX, MARKS_WAITING_MAX, TOUCHES_WAITING_MAX};
use crate::log;
use crate::store::Job;
use crate::time::Time;

/// The writer's end: what it takes, it answers for.
pub type LineEnd = mpsc::Receiver<Vec<Job>>;

/// The end where one puts things in.
pub struct Line {
    entries: VecDeque<Job>,
    riders: Riders,
    batches: mpsc::Sender<Vec<Job>>,
    /// How many batches were handed over since one with riders.
    plain: usize,
}

/// What rides along with entries: how far members have read, and when sessions were used. Of each
/// only the latest counts, and nobody waits for it.
pub(super) struct Riders {
    marks: Latest<(RoomId, AccountId), Seq>,
    touches: Latest<SessionId, Time>,
}

/// The writer is not there any more: nothing will ever be written or answered for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

/// A line with both its ends.
pub fn line() -> (Line, LineEnd) {
    line_of(BATCHES_MAX)
}

/// A line that takes so many batches at a time.
pub(crate) fn line_of(batches_max: usize) -> (Line, LineEnd) {
    let (batches, end) = mpsc::channel(batches_max);
    let line = Line { entries: VecDeque::new(), riders: Riders::new(), batches, plain: 0 };
    (line, end)
}

impl Line {
    /// An entry is to be written. The caller counts those that are not answered for.
    pub fn propose(&mut self, ticket: Ticket, time: Time, entry: Entry) {
        self.entries.push_back(Job::Entry { ticket, time, entry });
    }

    /// A member has read so far.
    pub fn mark(&mut self, room: RoomId, account: AccountId, seq: Seq) {
        self.riders.put(Job::Mark { room, account, seq });
    }

    /// These sessions were used.
    pub fn touch(&mut self, used: Vec<(SessionId, Time)>) {
        self.riders.put(Job::Touch(used));
    }

    /// Hands over as much as the writer takes now.
    ///
    /// # Errors
    /// When the writer is gone.
    pub fn hand_over(&mut self) -> Result<(), Gone> {
        while !self.is_empty() && self.batches.capacity() > 0 {
            // One batch with riders is enough to wait there: of those that come meanwhile only the
            // latest counts.
            let there = self.batches.max_capacity() - self.batches.capacity();
            let riders = there <= self.plain;
            if self.entries.is_empty() && !riders {
                break;
            }
            // There is room, as nobody else hands over.
            let batch = self.batch(riders);
            self.batches.try_send(batch).map_err(|_| Gone)?;
        }
        if self.batches.is_closed() { Err(Gone) } else { Ok(()) }
    }

    /// Hands over everything, however long that takes: nothing more will come.
    pub async fn finish(mut self) {
        while !self.is_empty() {
            let Ok(permit) = self.batches.clone().reserve_owned().await else { return };
            permit.send(self.batch(true));
        }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.riders.is_empty()
    }

    /// What one commit takes.
    fn batch(&mut self, riders: bool) -> Vec<Job> {
        let count = self.entries.len().min(COMMIT_ENTRIES_MAX);
        let mut batch: Vec<Job> = self.entries.drain(..count).collect();
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
        self.plain += 1;
        if riders && !self.riders.is_empty() {
            batch.extend(self.riders.take());
            self.plain = 0;
        }
        batch
    }
}

impl Riders {
    pub fn new() -> Riders {
        let (marks, touches) = (MARKS_WAITING_MAX, TOUCHES_WAITING_MAX);
        Riders { marks: Latest::new(marks), touches: Latest::new(touches) }
    }

    /// Takes what is no entry. Beyond [`MARKS_WAITING_MAX`] and [`TOUCHES_WAITING_MAX`] it is not
    /// written down.
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
            Job::Entry { .. } => unreachable!("an entry rides along with nothing"),
        }
    }

    /// As many as one commit takes.
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

/// Of each thing the latest that is known (both kinds only ever grow), in the order in which they
/// first came.
struct Latest<K, V> {
    known: HashMap<K, V>,
    order: VecDeque<K>,
    max: usize,
    /// So many were left out since all were taken the last time.
    left_out: usize,
}

/// What came of one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Put {
    Kept,
    /// There are as many as there can be. This is to be said, and how many followed it when all
    /// are taken: two lines, however many were left out.
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

    /// How many were left out, once all that was kept is taken.
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

    /// A batch in words: entries by ticket, marks, and touches by session.
    fn words(batch: &[Job]) -> Vec<String> {
        let word = |write: &Job| match write {
            Job::Entry { ticket, .. } => format!("{}", ticket.0),
            Job::Mark { account, seq, .. } => format!("{} read {}", account.0, seq.0),
            Job::Touch(used) => format!("{} used", used.len()),
        };
        batch.iter().map(word).collect()
    }

    fn taken(end: &mut LineEnd) -> Vec<String> {
        end.try_recv().map(|batch| words(&batch)).unwrap_or_default()
    }

    #[test]
    fn of_marks_and_touches_only_the_latest_waits() {
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
        // When the writer has taken the first, what has gathered since follows.
        line.hand_over().expect("a writer");
        assert_eq!(taken(&mut end).len(), 999);
    }

    #[test]
    fn what_the_writer_does_not_take_waits_in_order() {
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
    fn there_is_an_end_to_what_waits() {
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
        assert_eq!(first, Some(Seq(2)), "of one that waits the latest is known all the same");
    }

    #[test]
    fn what_is_left_out_is_said_twice_however_much_it_is() {
        let mut latest = Latest::new(2);
        let said: Vec<Put> = (0..1_000).map(|key| latest.put(key, 1)).collect();
        let count = |what| said.iter().filter(|put| **put == what).count();
        assert_eq!((count(Put::Kept), count(Put::FirstLeftOut)), (2, 1));
        assert_eq!(latest.put(1, 2), Put::Kept, "one that waits is known");
        latest.take(1);
        assert_eq!((latest.caught_up(), latest.put(7, 1)), (None, Put::Kept));
        assert_eq!(latest.put(8, 1), Put::LeftOut, "it is the same episode");
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
