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
use tokio::time::timeout;

use crate::chat::{AccountId, Command, Entry, Refusal, RoomId, Seq, SessionId, Ticket};
use crate::limits::{COMMIT_ENTRIES_MAX, WRITE_PROBE_MS};
use crate::log;
use crate::store::chain::Chain;
use crate::store::health::Pulse;
use crate::store::index::{self, Unindexed};
use crate::store::line::Riders;
use crate::store::pace::Pace;
use crate::store::retention::Pruner;
use crate::store::words::{self, Verdict};
use crate::store::{LineEnd, Readers, Retain, entries, health, notes, tables};
use crate::time::Time;

/// What is to be written.
#[derive(Debug)]
pub enum Job {
    /// An entry that the core has proposed; answered exactly once.
    Entry {
        /// Comes back with the answer.
        ticket: Ticket,
        /// When it was proposed; kept with it.
        time: Time,
        /// Comes back with the answer, too.
        entry: Entry,
    },
    /// When these sessions were last used. Rides along with a commit.
    Touch(Vec<(SessionId, Time)>),
    /// How far a member has read a room; only forward. Rides along, likewise.
    Mark {
        /// Which room.
        room: RoomId,
        /// Who.
        account: AccountId,
        /// The last message that was read.
        seq: Seq,
    },
}

impl Job {
    /// What only rides along; not an entry.
    fn rider(&self) -> Option<Job> {
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
    /// Goes on behind that entry.
    chain: Chain,
    /// The entry up to which the log goes, as it was noted last.
    noted: Seq,
    /// What cannot be found by the full-text index yet: see [`index`].
    unindexed: Unindexed,
    start: Instant,
    /// Whether the last transaction failed: whoever wants to know is told, and the log once.
    pulse: Pulse,
    /// Removes old messages, where that is wanted.
    pub(super) pruner: Option<Pruner>,
    /// Those who have to be gone before the writer closes the database.
    readers: Readers,
    /// Keeps other shanties out. It stands below `connection` because fields are dropped in their
    /// order, and it has to outlive SQLite's own locks: see `open`.
    _lock: File,
}

/// What is written to: the database; in the simulation, what stands for it.
pub(crate) trait Medium {
    /// The time since some start.
    fn now(&self) -> Duration;
    /// Lets so much time pass.
    async fn pause(&mut self, pause: Duration);
    /// Writes a batch, and says what came of each of its entries, in their order.
    async fn write(&mut self, batch: Vec<Job>) -> Vec<Command>;
    /// Whether the last that was to be written could not be.
    fn is_failing(&self) -> bool;
    /// Waits for a while, then tries whether something can be written again: whoever keeps away
    /// until it can gives us nothing to write.
    async fn probe(&mut self);
    /// What there is to do while nothing is to be written.
    fn chore(&self) -> MaintenanceTask;
    /// Does some of that, in no time that anybody would notice.
    fn work(&mut self);
}

/// When there is something to do beside writing.
pub(crate) enum MaintenanceTask {
    Never,
    /// Unless something is to be written before.
    In(Duration),
    /// Before anything is written.
    Now,
}

/// Writes what comes until the inbox is closed and empty; see [`Writer::run`].
pub(crate) async fn write_all(
    disk: &mut impl Medium,
    mut inbox: LineEnd,
    mut answer: impl AsyncFnMut(Vec<Command>),
) {
    let mut pace = Pace::default();
    let mut queue = VecDeque::new();
    // What rode along with a batch that could not be written.
    let mut late = Riders::new();
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
        let riders: Vec<Job> = batch.iter().filter_map(Job::rider).collect();
        let answers = disk.write(batch).await;
        if disk.is_failing() {
            riders.into_iter().for_each(|rider| late.put(rider));
        }
        // Said also where there is nothing to say: there is room in the line again.
        answer(answers).await;
    }
    while !late.is_empty() {
        disk.write(late.take().collect()).await;
        if disk.is_failing() {
            break; // What people have read is not worth waiting for a disk that is not well.
        }
    }
}

/// What is to be written next. Until it comes, old messages go.
async fn next(disk: &mut impl Medium, inbox: &mut LineEnd) -> Option<Vec<Job>> {
    while disk.is_failing() {
        match inbox.try_recv() {
            Ok(writes) => return Some(writes),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => disk.probe().await,
        }
    }
    loop {
        match disk.chore() {
            MaintenanceTask::Never => return inbox.recv().await,
            MaintenanceTask::In(rest) => {
                if let Ok(writes) = timeout(rest, inbox.recv()).await {
                    return writes;
                }
            }
            MaintenanceTask::Now => {}
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
        self.commit(batch)
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

    fn chore(&self) -> MaintenanceTask {
        match self.pruner.as_ref().map(Pruner::rest) {
            None => MaintenanceTask::Never,
            Some(Some(rest)) => MaintenanceTask::In(rest),
            Some(None) => MaintenanceTask::Now,
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
        let noted = last;
        Writer {
            connection,
            last,
            chain,
            noted,
            unindexed,
            start,
            pulse,
            pruner,
            readers,
            _lock: lock,
        }
    }

    /// Writes what comes until the inbox is closed and empty. It blocks its thread, on the disk and
    /// in pauses, so it is to have one for itself, and to be waited for there; with retention, in a
    /// runtime with a clock.
    ///
    /// After each transaction `answer` is called once, with one [`Command::Logged`] for each entry,
    /// or, where it could not be written or speaks of a message that is not there, one
    /// [`Command::Unlogged`], or, where the log has it already, one [`Command::Repeated`], in the
    /// order of proposing. (Of a reaction that is on its message already, or not there to be taken
    /// off, `Repeated` tells the entry that put it there, or the message.) Numbers follow each
    /// other without a gap, whatever fails. A failure ends nothing: the next transaction is tried
    /// as if nothing had been.
    pub async fn run(mut self, inbox: LineEnd, answer: impl AsyncFnMut(Vec<Command>)) {
        write_all(&mut self, inbox, answer).await;
        self.close();
    }

    /// Writes a log that proves nothing, for the benchmark: no check will call it sound.
    #[doc(hidden)]
    pub fn without_chain(&mut self) {
        self.chain.switch_off();
    }

    fn wrote(&self) {
        if self.pulse.wrote() {
            log!(Info, "the database can be written again");
        }
    }

    /// Leaves one file behind instead of three. If that fails, nothing is lost: the next start
    /// finds the write-ahead log and goes on from there.
    pub(super) fn close(self) {
        self.readers.close();
        // As this writer knows it, and not as the file says by now: somebody may have cut it.
        let last = entries::signed(self.last.0);
        if let Err(error) = notes::note_end_at(&self.connection, last, self.chain.last()) {
            log!(Warn, "cannot record the end of the log: {error}");
        }
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.connection.query_row(checkpoint, [], |_| Ok(())) {
            log!(Warn, "cannot move the write-ahead log into the database: {error}");
        }
    }

    /// Writes a batch, in one transaction if it can, and says what came of each of its entries.
    pub(super) fn commit(&mut self, batch: Vec<Job>) -> Vec<Command> {
        match self.transact(&batch) {
            Ok(Done { verdicts, unindexed, noted }) => {
                (self.unindexed, self.noted) = (unindexed, noted);
                self.wrote();
                self.judged(batch, verdicts)
            }
            Err(error) if is_of_one_entry(&error) => {
                if batch.len() > 1 {
                    // One of them is at fault, and the others shall not suffer: each by itself.
                    return batch.into_iter().flat_map(|one| self.commit(vec![one])).collect();
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

    /// All of the batch, or nothing.
    ///
    /// When COMMIT itself fails, has it perhaps been durable all the same? For this process: no.
    /// SQLite counts a commit only after the last write and `fsync` have succeeded; before that no
    /// connection sees its pages. (What may go wrong later, moving the write-ahead log into the
    /// file, does not make COMMIT fail.) So what is rolled back here is not in the log, and its
    /// numbers are free. For the next process: almost never. The pages may lie in the write-ahead
    /// log, complete, if only the `fsync` failed; the next commit overwrites them, but if the
    /// machine or the process dies before there is one, the next start finds them, and entries
    /// that were refused are in the log after all. That is in order, too: the log is the truth, it
    /// has no gap, and nobody was told that they were *in* it.
    fn transact(&mut self, batch: &[Job]) -> rusqlite::Result<Done> {
        let before = self.chain.last();
        let done = self.transact_unguarded(batch);
        // Some errors (a full disk) have ended the transaction, others (a lock) have left it open.
        // If it cannot be rolled back, the next BEGIN fails, and it is tried again.
        if done.is_err() {
            self.chain.back_to(before);
            if !self.connection.is_autocommit() {
                let _ = execute(&self.connection, "ROLLBACK");
            }
        }
        done
    }

    fn transact_unguarded(&mut self, batch: &[Job]) -> rusqlite::Result<Done> {
        // IMMEDIATE: whoever else writes is waited for here, and not in the middle.
        execute(&self.connection, "BEGIN IMMEDIATE")?;
        let (mut seq, mut verdicts) = (self.last, Vec::with_capacity(batch.len()));
        let mut unindexed = self.unindexed;
        let mut said = entries::prepare(&self.connection)?;
        for write in batch {
            match write {
                Job::Entry { time, entry, .. } => {
                    let verdict = words::judge(&self.connection, entry)?;
                    if verdict == Verdict::Taken {
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
                    verdicts.push(verdict);
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
        Ok(Done { verdicts, unindexed, noted: Seq(entries::unsigned(noted)) })
    }

    /// The answers for a batch that was carried out. Entries are moved, not copied.
    fn judged(&mut self, batch: Vec<Job>, verdicts: Vec<Verdict>) -> Vec<Command> {
        let mut answers = Vec::with_capacity(verdicts.len());
        let proposals = batch.into_iter().filter_map(|write| match write {
            Job::Entry { ticket, time, entry } => Some((ticket, time, entry)),
            Job::Touch(_) | Job::Mark { .. } => None,
        });
        for ((ticket, time, entry), verdict) in proposals.zip(verdicts) {
            answers.push(match verdict {
                Verdict::Taken => {
                    self.last.0 += 1;
                    let (ticket, seq) = (Some(ticket), self.last);
                    Command::Logged { ticket, seq, time, entry }
                }
                Verdict::Repeated { seq, time, same } => {
                    Command::Repeated { ticket, entry, seq, time, same }
                }
                Verdict::Refused(refusal) => Command::Unlogged { ticket, entry, refusal },
            });
        }
        answers
    }
}

/// What a transaction has come to.
struct Done {
    /// What is said to each entry.
    verdicts: Vec<Verdict>,
    /// How far the index goes then.
    unindexed: Unindexed,
    /// Up to where it is noted that the log goes.
    noted: Seq,
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// The answers for a batch of which nothing is in the log.
fn unlogged(batch: Vec<Job>) -> Vec<Command> {
    let refused = |write| match write {
        Job::Entry { ticket, entry, .. } => {
            Some(Command::Unlogged { ticket, entry, refusal: Refusal::Unavailable })
        }
        Job::Touch(_) | Job::Mark { .. } => None,
    };
    batch.into_iter().filter_map(refused).collect()
}

/// Whether an error is about what was to be written, and not about the disk or the lock: another
/// entry may do better. The tables are written so that no entry of the core's gets here.
fn is_of_one_entry(error: &rusqlite::Error) -> bool {
    use ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    let code = error.sqlite_error_code();
    code.is_none_or(|code| matches!(code, ConstraintViolation | TooBig | TypeMismatch))
}
