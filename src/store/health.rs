//! Whether the database can be written: the writer says it, `/readyz` shows it.
//!
//! After a failure it says "yes" only once a write has succeeded. The server also reads it at its
//! end.

use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode};
use tokio::sync::watch;

use crate::limits::WRITE_PROBE_BYTES;
use crate::log;
use crate::store::PATIENCE;

/// The result of the last write; if it failed, what the operator can do.
pub type Health = watch::Receiver<Result<(), &'static str>>;

/// The writer's end.
pub(super) struct Pulse(watch::Sender<Result<(), &'static str>>);

impl Pulse {
    /// Tests a database that was just opened: can a message be written now?
    pub fn feel(connection: &Connection) -> (Pulse, Health) {
        let (pulse, health) = watch::channel(Ok(()));
        let pulse = Pulse(pulse);
        if let Err(error) = probe(connection) {
            pulse.failed(&error);
            log!(Warn, "the database cannot be written ({error}): refusing messages until it can");
        }
        (pulse, health)
    }

    pub fn is_failing(&self) -> bool {
        self.0.borrow().is_err()
    }

    /// Records a write that succeeded. `true` if the one before had failed.
    pub fn wrote(&self) -> bool {
        self.0.send_if_modified(|health| std::mem::replace(health, Ok(())).is_err())
    }

    /// Records a write that failed. `true` if the one before had succeeded.
    pub fn failed(&self, error: &Error) -> bool {
        self.0.send_replace(Err(what_to_do(error))).is_ok()
    }
}

/// Writes as many bytes as a long message takes and removes them again, without waiting for a lock.
/// A few bytes would still fit where no message does. (Deleted bytes are overwritten, see
/// `configure`, so the write does reach the disk.)
pub(super) fn probe(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let tried = connection.unchecked_transaction().and_then(|transaction| {
        let write = "INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', zeroblob(?))";
        transaction.execute(write, [WRITE_PROBE_BYTES])?;
        transaction.execute("DELETE FROM meta WHERE key = 'probe'", [])?;
        transaction.commit()
    });
    connection.busy_timeout(PATIENCE).and(tried)
}

fn what_to_do(error: &Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full: make room",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has the database locked: close that program"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "the database is not writable: let this server's user write it and its directory"
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "the database is damaged: restore it from a backup"
        }
        _ => "the disk cannot be written: check whether it is full or fails",
    }
}
