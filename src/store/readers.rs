//! The way to what was said: a gate that lets a few read at once, off the event loop and beside the
//! writer, who does not notice.
//!
//! Each read opens the database for itself and closes it again. That costs a fraction of a
//! millisecond, and leaves nothing to be owned, shared or locked in between.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{PAGE_CACHE_KIB, READ_WAIT_MS, READERS_IN_TURN_MAX, READERS_MAX};
use crate::log;
use crate::store::Reader;

/// The gate. Its clones share it.
#[derive(Clone)]
pub struct Readers {
    path: Arc<Path>,
    /// How long one waits for one's turn.
    pub(super) patience: Duration,
    /// One permit for each that reads.
    running: Arc<Semaphore>,
    /// One permit for each that reads in turn.
    in_turn: Arc<Semaphore>,
}

/// Why nothing was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// It was not its turn for too long; try again.
    Busy,
    /// The disk or the database failed; it was logged.
    Failed,
}

impl Readers {
    /// A gate that nobody has passed yet, before the database with that canonical path.
    pub(super) fn new(path: &Path) -> Readers {
        Readers {
            path: path.into(),
            patience: Duration::from_millis(READ_WAIT_MS),
            running: Arc::new(Semaphore::new(READERS_MAX)),
            in_turn: Arc::new(Semaphore::new(READERS_IN_TURN_MAX)),
        }
    }

    /// Reads, on a thread that may block, when it is its turn. All that one job reads is of one
    /// moment: it is one transaction, and sees everything that was answered before it began.
    ///
    /// After a restart everybody comes back at once and wants the rooms: better late than refused.
    /// Those who wait are no more than there are connections.
    ///
    /// # Errors
    /// When it is not its turn within [`READ_WAIT_MS`], or when the database cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unread> {
        let turn = self.running.clone().acquire_owned();
        let turn = tokio::time::timeout(self.patience, turn).await;
        let turn = turn.map_err(|_| Unread::Busy)?.map_err(|_| Unread::Busy)?;
        self.work(turn, job).await
    }

    /// Reads like [`Readers::read`], for streams: in turn, however long that takes, because one
    /// that was refused may not come again. They hold up nobody who asks for a page.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn read_in_turn<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unread> {
        let turn = self.in_turn.clone().acquire_owned().await.map_err(|_| Unread::Busy)?;
        self.work(turn, job).await
    }

    async fn work<T: Send + 'static>(
        &self,
        turn: OwnedSemaphorePermit,
        job: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unread> {
        let path = self.path.clone();
        // The job keeps its permit to its end, also when whoever asked has hung up.
        let work = tokio::task::spawn_blocking(move || {
            let _held = turn;
            connect(&path).and_then(|reader| job(&reader))
        });
        match work.await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(error)) => {
                log!(Warn, "the database cannot be read: {error}");
                Err(Unread::Failed)
            }
            // The runtime is shutting down, or the job has panicked; that was told where it did.
            Err(_) => Err(Unread::Failed),
        }
    }
}

/// A reader with its transaction begun; closing it ends that.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Reader> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.execute_batch("BEGIN")?;
    Ok(Reader { connection })
}
