//! The way to what was said: a gate that lets a few read at once, off the event loop and beside the
//! writer, who does not notice.
//!
//! Each read opens the database for itself and closes it again. That costs a fraction of a
//! millisecond, and leaves nothing to be owned, shared or locked in between.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::limits::{PAGE_CACHE_KIB, READERS_IN_TURN_MAX, READERS_MAX, READS_WAITING_MAX};
use crate::log;
use crate::store::Reader;

/// The gate. Its clones share it.
#[derive(Clone)]
pub struct Readers {
    path: Arc<Path>,
    /// One permit for each that reads or waits.
    admitted: Arc<Semaphore>,
    /// One permit for each that reads.
    running: Arc<Semaphore>,
    /// One permit for each that reads in turn.
    in_turn: Arc<Semaphore>,
}

/// Why nothing was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// Too many are waiting already; try again.
    Busy,
    /// The disk or the database failed; it was logged.
    Failed,
}

impl Readers {
    /// A gate that nobody has passed yet, before the database with that canonical path.
    pub(super) fn new(path: &Path) -> Readers {
        Readers {
            path: path.into(),
            admitted: Arc::new(Semaphore::new(READERS_MAX + READS_WAITING_MAX)),
            running: Arc::new(Semaphore::new(READERS_MAX)),
            in_turn: Arc::new(Semaphore::new(READERS_IN_TURN_MAX)),
        }
    }

    /// Reads, on a thread that may block. All that one job reads is of one moment: it is one
    /// transaction, and sees everything that was answered before it began.
    ///
    /// # Errors
    /// When too many are waiting, or when the database cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unread> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| Unread::Busy)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| Unread::Busy)?;
        self.work((admitted, running), job).await
    }

    /// Reads like [`Readers::read`], for streams: in turn, however many wait. After a restart all
    /// of them come back at once, and one that was refused may not come again. They are no more
    /// than there are connections, and hold up nobody who asks for a page.
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
        permits: impl Send + 'static,
        job: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unread> {
        let path = self.path.clone();
        // The job keeps its permits to its end, also when whoever asked has hung up.
        let work = tokio::task::spawn_blocking(move || {
            let _held = permits;
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
