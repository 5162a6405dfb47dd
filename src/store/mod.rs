//! THE STORE: the log on disk, and the tables made from it. One SQLite file, one [`Writer`].
//!
//! [`open`] makes or finds the database, brings its schema up to date and reads what a core starts
//! from. [`Writer::run`] then takes what the core proposes, gives it numbers, makes it durable and
//! hands it back. Called by the hub; knows neither the hub nor any protocol.
//!
//! It must never answer for an entry that is not in the log on disk, never give a number twice or
//! leave one out, and never let one entry's trouble become another's.
//!
//! [`Readers`] look at what was said long ago, off the writer's way.
//!
//! Reading order: `migrations/0001_first.sql` (what there is), [`entries`] (an entry as a row),
//! `chain` and `notes` (what proves it), `tables` (what it changes), `words` (what it does to
//! messages), `snapshot` (what a core starts from), `line` and `writer` (how it gets there), `pace`
//! (and when), `health` (whether it can), `retention` (what goes again), `readers`, `reader`,
//! `columns`; `fold`, `index`, `terms`, `searches`, `search` (finding words); `schema`; [`admin`]
//! (backups and what is like them).

pub mod admin;
mod chain;
mod columns;
pub mod deleted;
mod direct;
mod entries;
mod fold;
mod health;
mod index;
mod line;
mod memberships;
mod notes;
mod open_error;
mod pace;
mod reader;
mod readers;
mod retention;
mod schema;
mod search;
mod searches;
mod snapshot;
mod space;
mod tables;
mod terms;
mod words;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

pub use crate::store::health::Health;
#[cfg(test)]
pub(crate) use crate::store::line::line_of;
pub use crate::store::line::{Gone, Line, LineEnd, line};
pub use crate::store::open_error::OpenError;
pub use crate::store::reader::{
    Bound, Counts, Entries, Happened, LogRow, Message, MessagePage, Reader,
};
#[cfg(test)]
pub(crate) use crate::store::readers::{Bench, Gate};
pub use crate::store::readers::{ReadError, Readers};
pub use crate::store::retention::Retain;
pub use crate::store::search::{Found, Query};
pub use crate::store::space::Disk;
pub use crate::store::writer::{Job, Writer};
#[cfg(test)]
pub(crate) use crate::store::writer::{MaintenanceTask, Medium, write_all};

use crate::chat::{self, Seq, Snapshot};
use crate::config::Durability;
use crate::crypto;
use crate::limits::{BUSY_TIMEOUT_MS, PAGE_CACHE_KIB, WAL_BYTES_KEPT, WAL_PAGES_MAX};
use crate::log;
use crate::store::chain::Chain;
use crate::store::health::Pulse;
use crate::time::Time;

/// Where the database is, and how careful to be with it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file; it is made if it is not there, its directory is not.
    pub path: PathBuf,
    /// What an answer stands for.
    pub sync: Durability,
    /// Which messages stay.
    pub retain: Retain,
}

/// An open database: what a server starts from, and the writer that goes on from there.
pub struct Store {
    /// Everything that lasts.
    pub snapshot: Snapshot,
    /// Signs room tokens. Made on the first start. Not for any eyes.
    pub secret: [u8; 32],
    /// Names this log, so that a client that comes back with a number knows whether it is a number
    /// of the same log: 16 hex digits, made on the first start.
    pub epoch: String,
    /// The number of the last entry; 1 or more, because a log begins with [`chat::founding`].
    pub last_seq: Seq,
    /// To be run, on a thread that may block. While it lives, no other shanty opens the file.
    pub writer: Writer,
    /// To be asked for what the core does not keep.
    pub readers: Readers,
    /// Whether what the writer is given can be written.
    pub health: Health,
}

/// Opens the database, and makes it if it is not there. Blocks: on the disk, and on somebody who
/// has it locked for up to [`BUSY_TIMEOUT_MS`].
///
/// # Errors
/// Where the file cannot be had, or is not one of ours, or not one of this version; such a file is
/// left as it was. See [`OpenError`].
pub fn open(options: &Options) -> Result<Store, OpenError> {
    // Before SQLite, and dropped after it: the locks that SQLite takes are POSIX locks, and those
    // of a whole process end when it closes *any* of its handles to the file.
    let lock = lock(&options.path)?;
    let mut connection = connect(&options.path)?;
    let seen = schema::version(&connection)?;
    configure(&connection, options.sync, seen == 0)?;
    schema::migrate(&mut connection, &schema::MIGRATIONS, seen)?;
    found(&mut connection)?;
    let meta = "SELECT (SELECT value FROM meta WHERE key = 'secret'),
                       (SELECT value FROM meta WHERE key = 'epoch')";
    let (secret, epoch) = connection.query_row(meta, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let last = connection.query_row(entries::LAST, [], |row| row.get(0))?;
    let last_seq = Seq(entries::unsigned(last));
    let snapshot = snapshot::load(&connection)?;
    let unindexed = index::unindexed(&connection)?;
    let (pulse, health) = Pulse::feel(&connection);
    let readers = Readers::new(&fs::canonicalize(&options.path)?);
    let chain = Chain::at_the_end(&connection, last_seq)?;
    let last = (last_seq, chain, unindexed);
    let writer = Writer::new(connection, lock, last, options.retain, pulse, readers.clone());
    Ok(Store { snapshot, secret, epoch, last_seq, writer, readers, health })
}

/// Makes the file, for nobody else's eyes (it holds secrets; SQLite gives the files beside it the
/// same mode), and sees to it that we are the only shanty that has it open.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut how = OpenOptions::new();
    let file = how.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => {
            let empty = file.metadata()?.len() == 0;
            for ending in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(ending);
                hide(Path::new(&name), empty);
            }
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Hides a file that is there from everybody else: one that becomes the database now, or that the
/// whole machine may read, which nobody wants. A group's right to one that was the database before
/// was given on purpose. (Whoever does not own it cannot say who reads it.)
fn hide(file: &Path, is_new: bool) {
    let shown = if is_new { 0o077 } else { 0o007 };
    if fs::metadata(file).is_ok_and(|there| there.permissions().mode() & shown != 0) {
        let _ = fs::set_permissions(file, fs::Permissions::from_mode(0o600));
    }
}

fn connect(path: &Path) -> Result<Connection, OpenError> {
    // The canonical path begins with a slash, so that SQLite cannot take it for a `file:` URI.
    let path = fs::canonicalize(path)?;
    // One thread at a time has the connection: Rust sees to it, SQLite's own mutex need not.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    plan_once(&connection)?;
    Ok(connection)
}

/// A statement that is kept is planned once, whatever it is asked with. SQLite would plan those
/// that may use a partial index (`WHERE kind = 'said'`) once more each time that a value is bound
/// to them, which takes longer than to carry them out.
fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// How long somebody else's lock is waited for. (Tests do not want to wait so long for what they
/// know will not come.)
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 100 } else { BUSY_TIMEOUT_MS });

/// What SQLite forgets when it is closed, and the write-ahead log.
fn configure(connection: &Connection, sync: Durability, fresh: bool) -> Result<(), OpenError> {
    if fresh {
        // So that a log that is cut one day can give its pages back. Counts before the first table.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    // With a write-ahead log a commit is one append and one `fsync`, and readers do not wait.
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoWal);
    }
    let synchronous = match sync {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten, pages that become free included: words that were taken back
    // do not stay in the file. It costs where something is deleted, which is rare.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    // Negative: in KiB, and not in pages.
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // All that the writer ever says.
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// On the first start: makes what names and protects this log, and its first entry. On any other:
/// shows that the file can be written now, by writing down what is there already.
fn found(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let begun: bool =
        transaction.query_row("SELECT EXISTS (SELECT 1 FROM log)", [], |row| row.get(0))?;
    if !begun {
        baptise(&transaction)?;
        let (now, entry) = (Time::now(), chat::founding());
        let mut chain = Chain::at_the_end(&transaction, Seq(0))?;
        let mut said = entries::prepare(&transaction)?;
        entries::append(&transaction, &mut said, &mut chain, Seq(1), now, &entry)?;
        drop(said);
        tables::apply(&transaction, Seq(1), now, &entry)?;
    }
    if let Some(seq) = notes::cut_off(&transaction)?.filter(|_| begun) {
        log!(
            Error,
            "the end of the log was cut off or altered while the server was down: entry {seq} \
             has changed; restore a backup, unless you did this on purpose"
        );
    }
    notes::note_end(&transaction)?;
    transaction.execute("UPDATE meta SET value = value", [])?;
    transaction.commit()
}

/// Makes another name (epoch) and another secret for a log.
fn baptise(connection: &Connection) -> rusqlite::Result<()> {
    let keep = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)";
    connection.execute(keep, ("secret", crypto::random::<32>()))?;
    connection.execute(keep, ("epoch", crypto::hex(&crypto::random::<8>())))?;
    Ok(())
}
