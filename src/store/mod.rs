//! THE STORE: the log on disk, and the tables made from it. One SQLite file, one [`Writer`].
//!
//! [`open`] creates or finds the database, brings its schema up to date and loads the snapshot that
//! a core starts from. [`Writer::run`] then takes the entries that the core proposes, numbers them,
//! makes them durable and hands them back. The hub calls the store; the store knows neither the hub
//! nor any protocol.
//!
//! The store never acknowledges an entry that is not in the log on disk, never gives a number twice
//! or skips one, and never lets the failure of one entry affect another.
//!
//! [`Readers`] read the history beside the writer, without slowing it down.
//!
//! Reading order: `migrations/0001_first.sql` (the tables), [`entries`] (an entry as a row),
//! `chain` and `notes` (the proof that the log is whole), `tables` (what an entry changes),
//! `messages` (what an entry does to messages), `snapshot` (what a core starts from), `line` and
//! `writer` (the way to the disk), `pace` (when to commit), `health` (whether the disk can be
//! written), `counts`, `retention` (old messages go), `readers`, `reader`, `columns`, `audit` (what
//! people in charge have done), `invitations`; `fold`, `index`, `terms`, `searches`, `search`
//! (full-text search); `schema`; [`admin`] (backup, verify, restore, export, import).

pub mod admin;
mod audit;
mod chain;
mod columns;
mod counts;
pub mod deleted;
mod direct;
mod entries;
mod fold;
mod health;
mod index;
mod invitations;
mod line;
mod memberships;
mod messages;
mod moderation;
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
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

pub use crate::store::audit::{AuditPage, AuditRow};
pub use crate::store::counts::CommitCounts;
pub use crate::store::health::Health;
pub use crate::store::invitations::{InvitationPage, InvitationRow};
#[cfg(test)]
pub(crate) use crate::store::line::line_of;
pub use crate::store::line::{Gone, Line, LineEnd, line};
pub use crate::store::moderation::Clearable;
pub use crate::store::open_error::OpenError;
pub use crate::store::reader::{
    Bound, Counts, Entries, LogRow, Message, MessagePage, Reader, RowKind,
};
#[cfg(test)]
pub(crate) use crate::store::readers::{Bench, Gate};
pub use crate::store::readers::{ReadError, Readers};
pub use crate::store::retention::Retain;
pub use crate::store::search::{Found, Query};
pub use crate::store::space::{Disk, Measured};
pub use crate::store::writer::{Job, Writer};
#[cfg(test)]
pub(crate) use crate::store::writer::{MaintenanceDue, Medium, write_all};

use crate::chat::{self, Seq, Snapshot};
use crate::config::Durability;
use crate::crypto;
use crate::limits::{BUSY_TIMEOUT_MS, PAGE_CACHE_KIB, WAL_BYTES_KEPT, WAL_PAGES_MAX};
use crate::log;
use crate::store::chain::Chain;
use crate::store::health::Pulse;
use crate::time::Time;

/// Where the database is, how durable a commit is, and which messages stay.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file. It is created if it does not exist; its directory is not.
    pub path: PathBuf,
    /// What an acknowledgement guarantees.
    pub sync: Durability,
    /// Which messages retention keeps.
    pub retain: Retain,
}

/// An open database: the state that a server starts from, and the writer that appends to the log.
pub struct Store {
    /// Everything that outlives a restart.
    pub snapshot: Snapshot,
    /// Signs room tokens. Made on the first start; never shown or logged.
    pub secret: [u8; 32],
    /// Names this log: 16 hex digits, made on the first start. A client that resumes from a number
    /// learns from it whether the number belongs to this log.
    pub epoch: String,
    /// The number of the last entry; 1 or more, because a log begins with [`chat::founding`].
    pub last_seq: Seq,
    /// Run it on a thread that may block. While it lives, no other shanty can open the file.
    pub writer: Writer,
    /// Answer what the core does not keep.
    pub readers: Readers,
    /// Whether the writer can write.
    pub health: Health,
}

/// Opens the database, and creates it if it does not exist. Blocks: on the disk, and up to
/// [`BUSY_TIMEOUT_MS`] on another program that has the file locked.
///
/// # Errors
/// If the file cannot be opened, is not a Shanty database, or has a schema that this version does
/// not know; such a file stays unchanged. See [`OpenError`].
pub fn open(options: &Options) -> Result<Store, OpenError> {
    // Taken before SQLite opens the file and dropped after SQLite closes it: SQLite's locks are
    // POSIX locks, and a process loses all of them when it closes *any* of its handles to the file.
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

/// Creates the file, readable by its owner only (it holds secrets; SQLite gives the files beside it
/// the same mode), and takes the lock that keeps every other shanty out.
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

/// Takes a file's permissions away from everyone but its owner, if the file is new or if everybody
/// on the machine may read it. A group's permission on an older database was given on purpose and
/// stays. (A process that does not own the file cannot change its mode.)
fn hide(file: &Path, is_new: bool) {
    let shown = if is_new { 0o077 } else { 0o007 };
    if fs::metadata(file).is_ok_and(|there| there.permissions().mode() & shown != 0) {
        let _ = fs::set_permissions(file, fs::Permissions::from_mode(0o600));
    }
}

fn connect(path: &Path) -> Result<Connection, OpenError> {
    // The canonical path begins with a slash, so that SQLite cannot take it for a `file:` URI.
    let path = fs::canonicalize(path)?;
    // Rust's ownership ensures one thread at a time, so SQLite's own mutex is not needed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    plan_once(&connection)?;
    Ok(connection)
}

/// Has SQLite plan a cached statement once, whatever values are bound. Otherwise SQLite plans each
/// statement that may use a partial index (`WHERE kind = 'said'`) again for each bound value, which
/// takes longer than running it.
fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// How long to wait for another program's lock. (Tests wait less: they know that it stays.)
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 100 } else { BUSY_TIMEOUT_MS });

/// Sets what SQLite does not store in the file, and the write-ahead log.
fn configure(connection: &Connection, sync: Durability, fresh: bool) -> Result<(), OpenError> {
    if fresh {
        // Lets retention give pages back to the disk. Takes effect only before the first table.
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
    // SQLite overwrites deleted rows and freed pages, so deleted texts do not stay in the file.
    // This costs only where something is deleted, which is rare.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    // Negative means KiB, not pages.
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // Enough for every statement of the writer.
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// On the first start: makes the log's epoch, its secret and its first entry. On any later start:
/// proves that the file can be written now, by rewriting a value.
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

/// Gives the log a new epoch and a new secret.
fn baptise(connection: &Connection) -> rusqlite::Result<()> {
    let keep = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)";
    connection.execute(keep, ("secret", crypto::random::<32>()))?;
    connection.execute(keep, ("epoch", crypto::hex(&crypto::random::<8>())))?;
    Ok(())
}
