//! Reads of the log: a few open readers, each on its own thread, off the event loop and beside the
//! writer, without slowing it down.
//!
//! A reader is opened on first use, keeps its statements prepared, and is closed after a minute
//! without use. A reader that fails is closed at once, and the next read opens another. There are
//! readers for pages of history, one for streams that catch up, and one for searches (see
//! [`searches`]), so that none delays the others.
//!
//! [`searches`]: crate::store::searches

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::limits::{
    PAGE_CACHE_KIB, READ_DEADLINE_MS, READ_STEPS, READ_WAIT_MS, READER_IDLE_MS, READERS_CLOSE_MS,
    READERS_IN_TURN_MAX, READERS_MAX, SEARCH_DEADLINE_MS,
};
use crate::log;
use crate::store::index::Young;
use crate::store::searches::Line;
use crate::store::{Reader, plan_once};

/// The entrance to all readers. Clones share them.
#[derive(Clone)]
pub struct Readers {
    /// How long a read waits for its turn.
    pub(super) patience: Duration,
    /// How long a read may take.
    pub(super) deadline: Duration,
    pages: Arc<Gate<Desk>>,
    streams: Arc<Gate<Desk>>,
    pub(super) searches: Arc<Desk>,
}

/// Why nothing was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// Its turn did not come in time; try again.
    Busy,
    /// It took too long, and was aborted; try again later, or ask for less.
    Late,
    /// The same person has started a newer search.
    Superseded,
    /// The disk or the database failed; the log has the error.
    Failed,
}

/// Readers of one kind, and the queue for them.
pub(crate) struct Gate<D> {
    /// One permit for each reader.
    turns: Arc<Semaphore>,
    lanes: Box<[Lane<D>]>,
}

/// One reader; the holder of its permit may use it.
struct Lane<D> {
    free: Arc<Semaphore>,
    desk: D,
}

/// Where jobs run: on a thread that has the database open, or in a simulation.
pub(crate) trait Bench {
    /// What a job reads.
    type Reader;

    /// Runs a job, aborts it after `deadline`, and passes the result to `done`. If the job cannot
    /// run, it is dropped, and `done` with it.
    fn hand<T: Send + 'static>(
        &self,
        deadline: Duration,
        job: impl FnOnce(&Self::Reader) -> rusqlite::Result<T> + Send + 'static,
        done: impl FnOnce(Result<T, ReadError>) + Send + 'static,
    );
}

/// A job for a reader's thread.
pub(super) type Job = Box<dyn FnOnce(&mut Shelf) + Send>;

/// The queue to a reader's thread, which starts with the first job.
pub(super) struct Desk {
    path: Arc<Path>,
    line: OnceLock<Sender<Job>>,
}

/// The state of a reader's thread.
pub(super) struct Shelf {
    path: Arc<Path>,
    reader: Option<Reader>,
    /// Searches that wait until no more of them arrive.
    pub(super) waiting: Line,
}

impl Readers {
    /// Unused readers of the database at that canonical path.
    pub(super) fn new(path: &Path) -> Readers {
        let path: Arc<Path> = path.into();
        Readers {
            patience: Duration::from_millis(READ_WAIT_MS),
            deadline: Duration::from_millis(READ_DEADLINE_MS),
            pages: Arc::new(Gate::new((0..READERS_MAX).map(|_| Desk::new(&path)))),
            streams: Arc::new(Gate::new((0..READERS_IN_TURN_MAX).map(|_| Desk::new(&path)))),
            searches: Arc::new(Desk::new(&path)),
        }
    }

    /// Runs a job on a reader's thread, when it is its turn. A job is one transaction: it reads one
    /// moment, and sees everything that was answered before it began.
    ///
    /// Reads wait, because after a restart all clients come back at once and want their rooms: late
    /// is better than refused. No more of them wait than there are connections.
    ///
    /// # Errors
    /// If its turn does not come within [`READ_WAIT_MS`], if it takes longer than
    /// [`READ_DEADLINE_MS`], or if the database cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.pages.read(self.patience, self.deadline, job).await
    }

    /// Like [`Readers::read`], for streams: waits for its turn however long that takes, because a
    /// stream that is refused may not come back. Streams do not delay pages.
    ///
    /// # Errors
    /// If it takes longer than [`READ_DEADLINE_MS`], or the database cannot be read.
    pub async fn read_in_turn<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.streams.read_in_turn(self.deadline, job).await
    }

    /// The readers that are busy and how many there are: for pages, for streams.
    pub fn busy(&self) -> [(usize, usize); 2] {
        [self.pages.busy(), self.streams.busy()]
    }

    /// Closes all open readers, so that the writer closes the database last: only then is it one
    /// file again. (A later read opens a reader again.)
    pub(super) fn close(&self) {
        let desks = self.pages.lanes.iter().chain(&self.streams.lanes).map(|lane| &lane.desk);
        let closing: Vec<_> = desks.chain([&*self.searches]).filter_map(Desk::close).collect();
        let by = Instant::now() + Duration::from_millis(READERS_CLOSE_MS);
        for closed in closing {
            // A reader that is still busy is left behind, and with it an empty file or two.
            let _ = closed.recv_timeout(by.saturating_duration_since(Instant::now()));
        }
    }
}

impl<D: Bench> Gate<D> {
    /// A gate before these readers, each of which runs one job at a time.
    pub fn new(desks: impl Iterator<Item = D>) -> Gate<D> {
        let lanes = desks.map(|desk| Lane { free: Arc::new(Semaphore::new(1)), desk });
        let lanes: Box<[Lane<D>]> = lanes.collect();
        Gate { turns: Arc::new(Semaphore::new(lanes.len())), lanes }
    }

    /// Reads when it is its turn, or gives up after `patience`: see [`Readers::read`].
    pub async fn read<T: Send + 'static>(
        &self,
        patience: Duration,
        deadline: Duration,
        job: impl FnOnce(&D::Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let turn = tokio::time::timeout(patience, self.turn()).await;
        self.work(turn.map_err(|_| ReadError::Busy)??, deadline, job).await
    }

    /// Reads when it is its turn: see [`Readers::read_in_turn`].
    pub async fn read_in_turn<T: Send + 'static>(
        &self,
        deadline: Duration,
        job: impl FnOnce(&D::Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let turn = self.turn().await?;
        self.work(turn, deadline, job).await
    }

    fn busy(&self) -> (usize, usize) {
        let all = self.lanes.len();
        (all.saturating_sub(self.turns.available_permits()), all)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, ReadError> {
        self.turns.clone().acquire_owned().await.map_err(|_| ReadError::Busy)
    }

    async fn work<T: Send + 'static>(
        &self,
        turn: OwnedSemaphorePermit,
        deadline: Duration,
        job: impl FnOnce(&D::Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let free = self.lanes.iter().find_map(|lane| {
            let held = lane.free.clone().try_acquire_owned().ok()?;
            Some((&lane.desk, held))
        });
        let (desk, held) = free.expect("a lane is let go of before the turn that it was taken in");
        let (answer, answered) = oneshot::channel();
        desk.hand(deadline, job, move |read| {
            // The job keeps its permits to its end, even if its caller has hung up.
            let (turn, held) = (turn, held);
            let _ = answer.send(read);
            drop(held);
            drop(turn);
        });
        // A job that panicked gives no answer; the panic was logged where it happened.
        answered.await.unwrap_or(Err(ReadError::Failed))
    }
}

impl Bench for Desk {
    type Reader = Reader;

    fn hand<T: Send + 'static>(
        &self,
        deadline: Duration,
        job: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
        done: impl FnOnce(Result<T, ReadError>) + Send + 'static,
    ) {
        self.send(Box::new(move |shelf| done(shelf.read(deadline, |reader| job(reader)))));
    }
}

impl Desk {
    pub(super) fn new(path: &Arc<Path>) -> Desk {
        Desk { path: path.clone(), line: OnceLock::new() }
    }

    /// Queues a job. If the thread is gone, the job is dropped, and gives no answer.
    pub(super) fn send(&self, job: Job) {
        let line = self.line.get_or_init(|| {
            let (line, jobs) = mpsc::channel();
            let shelf = Shelf { path: self.path.clone(), reader: None, waiting: Line::default() };
            let name = "reader".to_owned();
            if let Err(error) = thread::Builder::new().name(name).spawn(|| shelf.serve(jobs)) {
                log!(Error, "cannot start a reader of the database: {error}");
            }
            line
        });
        let _ = line.send(job);
    }

    /// Has the reader closed, if there is one; the returned channel reports when it is.
    fn close(&self) -> Option<mpsc::Receiver<()>> {
        let line = self.line.get()?;
        let (closed, when_closed) = mpsc::channel();
        line.send(Box::new(move |shelf| {
            shelf.reader = None;
            let _ = closed.send(());
        }))
        .ok()?;
        Some(when_closed)
    }
}

impl Shelf {
    /// Runs jobs until all senders are gone.
    fn serve(mut self, jobs: mpsc::Receiver<Job>) {
        let idle = Duration::from_millis(READER_IDLE_MS);
        loop {
            let job = if !self.waiting.is_empty() {
                // First every search that has arrived joins the queue.
                jobs.try_recv().map_or_else(|_| Ok(self.waiting.next()), |job| Ok(Some(job)))
            } else if self.reader.is_some() {
                jobs.recv_timeout(idle).map(Some)
            } else {
                jobs.recv().map(Some).map_err(|_| RecvTimeoutError::Disconnected)
            };
            match job {
                // A panic ends the read that it happens in, and its reader.
                Ok(Some(job)) => {
                    if catch_unwind(AssertUnwindSafe(|| job(&mut self))).is_err() {
                        self.reader = None;
                    }
                }
                Ok(None) => {}
                Err(RecvTimeoutError::Timeout) => self.reader = None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Runs a job in a transaction, with a deadline.
    pub(super) fn read<T>(
        &mut self,
        deadline: Duration,
        job: impl FnOnce(&mut Reader) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        // If anything fails, the reader is dropped.
        let reader = self.reader.take().map_or_else(|| connect(&self.path), Ok);
        let read = reader.and_then(|mut reader| {
            reader.begin(deadline)?;
            let read = job(&mut reader)?;
            reader.end()?;
            self.reader = Some(reader);
            Ok(read)
        });
        read.map_err(|error| failed(&error))
    }
}

fn failed(error: &rusqlite::Error) -> ReadError {
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        return ReadError::Late;
    }
    log!(Warn, "the database cannot be read: {error}");
    ReadError::Failed
}

impl Reader {
    /// Begins a transaction: all reads see one moment, and abort at the deadline.
    pub(super) fn begin(&mut self, deadline: Duration) -> rusqlite::Result<()> {
        self.break_off_at(Instant::now() + deadline)?;
        self.execute("BEGIN")
    }

    pub(super) fn break_off_at(&mut self, deadline: Instant) -> rusqlite::Result<()> {
        let late = move || Instant::now() > deadline;
        self.connection.progress_handler(READ_STEPS, Some(late))
    }

    /// Ends the transaction. A search's index in memory stays.
    pub(super) fn end(&self) -> rusqlite::Result<()> {
        self.execute("COMMIT")
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.sql(sql)?.execute([]).map(|_| ())
    }
}

/// Opens a reader, outside of any transaction.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Reader> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    plan_once(&connection)?;
    // All that a reader ever asks.
    connection.set_prepared_statement_cache_capacity(64);
    let searches_for = Duration::from_millis(SEARCH_DEADLINE_MS);
    Ok(Reader { connection, young: Young::default(), searches_for })
}
