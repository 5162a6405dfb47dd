//! Whether the database can be written: said by the one who writes, for whoever wants to know.
//!
//! It must never claim that it can before something has been written again. Told by the writer,
//! shown by `/readyz` and, where it ends so, by the server.

use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode};
use tokio::sync::watch;

use crate::limits::WRITE_PROBE_BYTES;
use crate::log;
use crate::store::PATIENCE;

/// What the last attempt to write came to; if it failed, what there is to do about it.
pub type Health = watch::Receiver<Result<(), &'static str>>;

/// The writer's end of it.
pub(super) struct Pulse(watch::Sender<Result<(), &'static str>>);

impl Pulse {
    /// Of a database that has just been opened: whether a message could be written now.
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

    /// Something was written. `true`: which had failed before.
    pub fn wrote(&self) -> bool {
        self.0.send_if_modified(|health| std::mem::replace(health, Ok(())).is_err())
    }

    /// It could not be. `true`: it could before.
    pub fn failed(&self, error: &Error) -> bool {
        self.0.send_replace(Err(what_to_do(error))).is_ok()
    }
}

/// Writes as much as a long message takes, and takes it away again, without waiting for anybody's
/// lock. A few bytes would still fit where no message does. (What is deleted is overwritten, see
/// `configure`, so it does reach the disk.)
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
