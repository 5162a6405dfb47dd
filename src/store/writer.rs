//! The one writer: commits proposed entries, many in one transaction, and returns each entry to the
//! hub when it is in the log on disk.
//!
//! # Why `kill -9` cannot lose an acknowledged message
//!
//! The hub acknowledges a message only after this writer has returned its entry, and the writer
//! returns an entry only after SQLite's commit. By then SQLite has written it to its write-ahead
//! log, which the kernel keeps when the process dies. With `--sync full` the commit also waits for
//! `fsync`, so the entry survives a power cut. At the next start SQLite reads its write-ahead log,
//! and the core starts from what is in the database.

use std::collections::VecDeque;
use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::chat::{AccountId, Command, Entry, Refusal, RoomId, Seq, SessionId, Ticket};
use crate::limits::{COMMIT_ENTRIES_MAX, WRITE_PROBE_MS};
use crate::log;
use crate::store::chain::Chain;
use crate::store::counts::{CommitCounts, Ledger};
use crate::store::health::Pulse;
use crate::store::index::{self, Unindexed};
use crate::store::line::Coalesced;
use crate::store::messages::{self, Outcome};
use crate::store::pace::Pace;
use crate::store::retention::Pruner;
use crate::store::{LineEnd, Readers, Retain, entries, health, notes, tables};
use crate::time::Time;

/// One item for the writer.
#[derive(Debug)]
pub enum Job {
    /// An entry that the core has proposed; the writer answers it exactly once.
    Entry {
        /// Returned with the answer.
        ticket: Ticket,
        /// When the core proposed it; stored with it.
        time: Time,
        /// Returned with the answer.
        entry: Entry,
    },
    /// When these sessions were last used. Written with the next commit; never answered.
    Touch(Vec<(SessionId, Time)>),
    /// How far a member has read a room; only moves forward. Written with the next commit; never
    /// answered.
    Mark {
        /// The room.
        room: RoomId,
        /// The member.
        account: AccountId,
        /// The last message that the member has read.
        seq: Seq,
    },
}

impl Job {
    /// A copy of a job that is never answered; `None` for an entry.
    fn coalesced(&self) -> Option<Job> {
        match self {
            Job::Entry { .. } => None,
            Job::Touch(used) => Some(Job::Touch(used.clone())),
            Job::Mark { room, account, seq } => {
                Some(Job::Mark { room: *room, account: *account, seq: *seq })
            }
        }
    }
}

/// The database's one writer. Made by [`crate::store::open`].
pub struct Writer {
    pub(super) connection: Connection,
    /// The number of the last entry in the log.
    last: Seq,
    /// The hash chain after that entry.
    chain: Chain,
    /// The last entry that the note of the log's end covers.
    noted: Seq,
    /// What the full-text index does not contain yet: see [`index`].
    unindexed: Unindexed,
    start: Instant,
    /// Whether the last transaction failed. Watchers are told, and the log once for each episode.
    pulse: Pulse,
    ledger: Ledger,
    /// Removes old messages, if retention is on.
    pub(super) pruner: Option<Pruner>,
    /// Closed before the writer closes the database.
    readers: Readers,
    /// Keeps other shanties out. Declared below `connection` because fields are dropped in order,
    /// and the lock has to outlive SQLite's own locks: see `open`.
    _lock: File,
}

/// What the writing loop writes to: the database or, in the simulation, its substitute.
pub(crate) trait Medium {
    /// The time since an arbitrary start.
    fn now(&self) -> Duration;
    /// Sleeps for `pause`.
    async fn pause(&mut self, pause: Duration);
    /// Writes a batch. Returns one answer for each of its entries, in order.
    async fn write(&mut self, batch: Vec<Job>) -> Vec<Command>;
    /// Whether the last write failed.
    fn is_failing(&self) -> bool;
    /// Waits, then tests whether a write succeeds again. Needed because clients that stay away
    /// until it does give the writer nothing to write.
    async fn probe(&mut self);
    /// When there is maintenance to do while nothing waits to be written.
    fn maintenance_due(&self) -> MaintenanceDue;
    /// Does one short step of maintenance.
    fn work(&mut self);
}

/// When maintenance is due.
pub(crate) enum MaintenanceDue {
    Never,
    /// After this time, unless something to write comes first.
    In(Duration),
    /// Before the next write.
    Now,
}

/// Writes all jobs until the inbox is closed and empty; see [`Writer::run`].
pub(crate) async fn write_all(
    disk: &mut impl Medium,
    mut inbox: LineEnd,
    mut answer: impl AsyncFnMut(Vec<Command>),
) {
    let mut pace = Pace::default();
    let mut queue = VecDeque::new();
    // Marks and touches of a batch that failed; they go with the next one.
    let mut late = Coalesced::new();
    loop {
        if queue.is_empty() {
            let Some(writes) = next(disk, &mut inbox).await else { break };
            queue.extend(writes);
        }
        if queue.len() < COMMIT_ENTRIES_MAX {
            disk.pause(pace.pause(disk.now())).await;
        }
        while queue.len() < COMMIT_ENTRIES_MAX {
            let Ok(writes) = inbox.try_recv() else { break };
            queue.extend(writes);
        }
        let count = queue.len().min(COMMIT_ENTRIES_MAX);
        pace.begin(disk.now(), count);
        let batch: Vec<Job> = queue.drain(..count).chain(late.take()).collect();
        let coalesced: Vec<Job> = batch.iter().filter_map(Job::coalesced).collect();
        let answers = disk.write(batch).await;
        if disk.is_failing() {
            coalesced.into_iter().for_each(|job| late.put(job));
        }
        // Called also with no answers: it tells the hub that the line has room again.
        answer(answers).await;
    }
    while !late.is_empty() {
        disk.write(late.take().collect()).await;
        if disk.is_failing() {
            break; // Read markers are not worth waiting for a disk that fails.
        }
    }
}

/// Waits for the next jobs, and does maintenance meanwhile.
async fn next(disk: &mut impl Medium, inbox: &mut LineEnd) -> Option<Vec<Job>> {
    while disk.is_failing() {
        match inbox.try_recv() {
            Ok(writes) => return Some(writes),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => disk.probe().await,
        }
    }
    loop {
        match disk.maintenance_due() {
            MaintenanceDue::Never => return inbox.recv().await,
            MaintenanceDue::In(rest) => {
                if let Ok(writes) = timeout(rest, inbox.recv()).await {
                    return writes;
                }
            }
            MaintenanceDue::Now => {}
        }
        disk.work();
    }
}

impl Medium for Writer {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    async fn pause(&mut self, pause: Duration) {
        thread::sleep(pause);
    }

    async fn write(&mut self, batch: Vec<Job>) -> Vec<Command> {
        let begun = Instant::now();
        let answers = self.commit(batch);
        self.ledger.add(begun.elapsed(), self.pulse.is_failing(), &answers);
        answers
    }

    fn is_failing(&self) -> bool {
        self.pulse.is_failing()
    }

    async fn probe(&mut self) {
        thread::sleep(Duration::from_millis(WRITE_PROBE_MS));
        if health::probe(&self.connection).is_ok() {
            self.wrote();
        }
    }

    fn maintenance_due(&self) -> MaintenanceDue {
        match self.pruner.as_ref().map(Pruner::rest) {
            None => MaintenanceDue::Never,
            Some(Some(rest)) => MaintenanceDue::In(rest),
            Some(None) => MaintenanceDue::Now,
        }
    }

    fn work(&mut self) {
        if let Some(pruner) = &mut self.pruner {
            pruner.work(&self.connection);
        }
    }
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        lock: File,
        (last, chain, unindexed): (Seq, Chain, Unindexed),
        retain: Retain,
        pulse: Pulse,
        readers: Readers,
    ) -> Writer {
        let pruner = Pruner::new(retain);
        let start = Instant::now();
        let (noted, ledger) = (last, Ledger::new(last));
        Writer {
            connection,
            last,
            chain,
            noted,
            unindexed,
            start,
            pulse,
            ledger,
            pruner,
            readers,
            _lock: lock,
        }
    }

    /// Writes all jobs until the inbox is closed and empty. It blocks its thread, on the disk and
    /// in pauses, so give it a thread of its own and await it there; with retention, in a runtime
    /// with a timer.
    ///
    /// After each transaction it calls `answer` once, with one command for each entry, in the order
    /// of proposing: [`Command::Logged`]; [`Command::Unlogged`], if the entry could not be written
    /// or names a message that does not exist; or [`Command::Repeated`], if the log already has it.
    /// (For a reaction that is already on its message, `Repeated` names the entry that put it
    /// there; for one to remove that is not there, the message.) Numbers follow each other without
    /// a gap, whatever fails. A failure ends nothing: the next transaction starts afresh.
    pub async fn run(mut self, inbox: LineEnd, answer: impl AsyncFnMut(Vec<Command>)) {
        write_all(&mut self, inbox, answer).await;
        self.close();
    }

    /// The counts of what it writes.
    pub fn counts(&self) -> watch::Receiver<CommitCounts> {
        self.ledger.published()
    }

    /// Switches the hash chain off, for the benchmark: `verify` rejects such a log.
    #[doc(hidden)]
    pub fn without_chain(&mut self) {
        self.chain.switch_off();
    }

    fn wrote(&self) {
        if self.pulse.wrote() {
            log!(Info, "the database can be written again");
        }
    }

    /// Leaves one file instead of three. If that fails, nothing is lost: the next start recovers
    /// the write-ahead log.
    pub(super) fn close(self) {
        self.readers.close();
        // The end as this writer knows it; somebody may have truncated the file meanwhile.
        let last = entries::signed(self.last.0);
        if let Err(error) = notes::note_end_at(&self.connection, last, self.chain.last()) {
            log!(Warn, "cannot record the end of the log: {error}");
        }
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.connection.query_row(checkpoint, [], |_| Ok(())) {
            log!(Warn, "cannot move the write-ahead log into the database: {error}");
        }
    }

    /// Writes a batch, in one transaction if possible. Returns one answer for each entry.
    pub(super) fn commit(&mut self, batch: Vec<Job>) -> Vec<Command> {
        match self.transact(&batch) {
            Ok(Done { outcomes, unindexed, noted }) => {
                (self.unindexed, self.noted) = (unindexed, noted);
                self.wrote();
                self.answers(batch, outcomes)
            }
            Err(error) if is_of_one_entry(&error) => {
                if batch.len() > 1 {
                    // One entry is at fault: writing each by itself spares the others.
                    return batch.into_iter().flat_map(|job| self.commit(vec![job])).collect();
                }
                log!(Error, "a log entry cannot be written, and is refused: {error}");
                unlogged(batch)
            }
            Err(error) => {
                if self.pulse.failed(&error) {
                    log!(
                        Warn,
                        "the database cannot be written ({error}): refusing messages until it can"
                    );
                }
                unlogged(batch)
            }
        }
    }

    /// Writes all of the batch, or nothing.
    ///
    /// Can a COMMIT that fails be durable all the same? For this process: no. SQLite counts a
    /// commit only after the last write and `fsync` have succeeded; before that no connection sees
    /// its pages. (Moving the write-ahead log into the file may fail later, but does not make
    /// COMMIT fail.) So a batch that is rolled back here is not in the log, and its numbers are
    /// free. For the next process: almost never. If only the `fsync` failed, the pages may lie
    /// complete in the write-ahead log. The next commit overwrites them; but if the machine or the
    /// process dies first, the next start finds them, and refused entries are in the log after all.
    /// That breaks no promise: the log is the truth, it has no gap, and nobody was told that these
    /// entries were *in* it.
    fn transact(&mut self, batch: &[Job]) -> rusqlite::Result<Done> {
        let before = self.chain.last();
        let done = self.transact_unguarded(batch);
        // Some errors (a full disk) end the transaction, others (a lock) leave it open. If ROLLBACK
        // fails, the next BEGIN fails too, and is tried again.
        if done.is_err() {
            self.chain.back_to(before);
            if !self.connection.is_autocommit() {
                let _ = execute(&self.connection, "ROLLBACK");
            }
        }
        done
    }

    fn transact_unguarded(&mut self, batch: &[Job]) -> rusqlite::Result<Done> {
        // IMMEDIATE: waits for other programs' locks here, and not in the middle.
        execute(&self.connection, "BEGIN IMMEDIATE")?;
        let (mut seq, mut outcomes) = (self.last, Vec::with_capacity(batch.len()));
        let mut unindexed = self.unindexed;
        let mut said = entries::prepare(&self.connection)?;
        for write in batch {
            match write {
                Job::Entry { time, entry, .. } => {
                    let outcome = messages::check(&self.connection, *time, entry)?;
                    if outcome == Outcome::Accepted {
                        seq.0 += 1;
                        if let Entry::Said { text, .. } | Entry::Edited { text, .. } = entry {
                            unindexed.bytes += text.len();
                        }
                        entries::append(
                            &self.connection,
                            &mut said,
                            &mut self.chain,
                            seq,
                            *time,
                            entry,
                        )?;
                        tables::apply(&self.connection, seq, *time, entry)?;
                    }
                    outcomes.push(outcome);
                }
                Job::Mark { room, account, seq } => {
                    tables::mark(&self.connection, *room, *account, *seq)?;
                }
                Job::Touch(used) => {
                    for (session, last_used) in used {
                        tables::touch(&self.connection, *session, *last_used)?;
                    }
                }
            }
        }
        let unindexed = index::index(&self.connection, unindexed, entries::signed(seq.0))?;
        let (noted, last) = (entries::signed(self.noted.0), entries::signed(seq.0));
        let noted = notes::note_end_soon(&self.connection, noted, last, self.chain.last())?;
        execute(&self.connection, "COMMIT")?;
        Ok(Done { outcomes, unindexed, noted: Seq(entries::unsigned(noted)) })
    }

    /// The answers for a batch that was committed. Entries are moved, not copied.
    fn answers(&mut self, batch: Vec<Job>, outcomes: Vec<Outcome>) -> Vec<Command> {
        let mut answers = Vec::with_capacity(outcomes.len());
        let proposals = batch.into_iter().filter_map(|write| match write {
            Job::Entry { ticket, time, entry } => Some((ticket, time, entry)),
            Job::Touch(_) | Job::Mark { .. } => None,
        });
        for ((ticket, time, entry), outcome) in proposals.zip(outcomes) {
            answers.push(match outcome {
                Outcome::Accepted => {
                    self.last.0 += 1;
                    let (ticket, seq) = (Some(ticket), self.last);
                    Command::Logged { ticket, seq, time, entry }
                }
                Outcome::Repeated { seq, time, same } => {
                    Command::Repeated { ticket, entry, seq, time, same }
                }
                Outcome::Refused(refusal) => Command::Unlogged { ticket, entry, refusal },
            });
        }
        answers
    }
}

/// The result of a transaction.
struct Done {
    /// One for each entry, in order.
    outcomes: Vec<Outcome>,
    /// What the index does not contain afterwards.
    unindexed: Unindexed,
    /// The last entry that the note of the log's end covers afterwards.
    noted: Seq,
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// The answers for a batch that was not written.
fn unlogged(batch: Vec<Job>) -> Vec<Command> {
    let refused = |write| match write {
        Job::Entry { ticket, entry, .. } => {
            Some(Command::Unlogged { ticket, entry, refusal: Refusal::Unavailable })
        }
        Job::Touch(_) | Job::Mark { .. } => None,
    };
    batch.into_iter().filter_map(refused).collect()
}

/// Whether an error concerns the entry, and not the disk or a lock, so that other entries may
/// succeed. The tables are written so that no entry of the core causes one.
fn is_of_one_entry(error: &rusqlite::Error) -> bool {
    use ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    let code = error.sqlite_error_code();
    code.is_none_or(|code| matches!(code, ConstraintViolation | TooBig | TypeMismatch))
}
