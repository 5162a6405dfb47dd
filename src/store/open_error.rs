//! Why a database could not be opened, for the person who has to fix it.

use std::{error, fmt, io};

use rusqlite::{ErrorCode, ffi};

/// Why a database could not be opened. Displays as one line that says what to do. The line does not
/// name the file: the caller prints that first.
#[derive(Debug)]
pub enum OpenError {
    /// The directory of the file does not exist.
    NoDirectory,
    /// The path is a directory.
    IsDirectory,
    /// The file, or its directory, is not writable.
    NotWritable,
    /// Another shanty has it open.
    InUse,
    /// Another program has it locked.
    Locked,
    /// The file is no database.
    NotADatabase,
    /// The file is another program's database.
    Foreign,
    /// The database is damaged; the text says where, as far as known.
    Corrupt(String),
    /// The schema is newer than this program.
    Newer {
        /// The number of its schema.
        found: usize,
        /// The newest number that this version knows.
        known: usize,
    },
    /// The schema is one of those made before there was a release.
    Unreleased {
        /// The number of its schema.
        found: usize,
    },
    /// The disk, or the quota, is full.
    Full,
    /// The database cannot be read without writing beside it, which is not permitted there.
    Unmoved,
    /// The reader of the output has gone.
    Unheard,
    /// The file system has no shared memory between programs, which the write-ahead log needs.
    NoWal,
    /// Any other error, in the words of the system or of SQLite.
    Other(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::NoDirectory => f.write_str("no such directory: make it, or choose another"),
            OpenError::IsDirectory => f.write_str("this is a directory: name a file"),
            OpenError::NotWritable => f.write_str(
                "not writable: let this user write the file and its directory, or choose another",
            ),
            OpenError::InUse => f.write_str("another shanty is using the file: stop it first"),
            OpenError::Locked => {
                f.write_str("another program has locked the file: close it, then try again")
            }
            OpenError::NotADatabase => f.write_str("this file is not a database: choose another"),
            OpenError::Foreign => {
                f.write_str("this is another program's database: choose another file")
            }
            OpenError::Corrupt(fault) => {
                write!(f, "the database is damaged ({fault}): restore it from a backup")
            }
            OpenError::Newer { found, known } => write!(
                f,
                "made by a newer shanty (schema {found}, this one knows {known}): use the newer one"
            ),
            OpenError::Unreleased { found } => write!(
                f,
                "made by a development version (schema {found}): start the last commit that has \
                 src/store/migrations/0013_notes.sql on it once, then this one"
            ),
            OpenError::Unmoved => f.write_str(
                "not writable, and its last entries are in a second file beside it (-wal): copy \
                 both files to a directory that you can write, and name the copy",
            ),
            OpenError::Unheard => f.write_str("the reader of the output has closed it"),
            OpenError::Full => f.write_str("the disk is full: free some space, then try again"),
            OpenError::NoWal => f.write_str(
                "this file system (a network share?) does not support SQLite's write-ahead log: \
                 choose a local disk",
            ),
            OpenError::Other(fault) => write!(f, "cannot be opened: {fault}"),
        }
    }
}

impl error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> OpenError {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::NotFound | Kind::NotADirectory => OpenError::NoDirectory,
            Kind::IsADirectory => OpenError::IsDirectory,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => OpenError::NotWritable,
            Kind::BrokenPipe => OpenError::Unheard,
            Kind::StorageFull | Kind::QuotaExceeded => OpenError::Full,
            _ => OpenError::Other(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> OpenError {
        use rusqlite::Error as Why;
        let Some(code) = error.sqlite_error_code() else {
            return match error {
                // A row is missing or has a value that we cannot have written.
                Why::FromSqlConversionFailure(..)
                | Why::InvalidColumnType(..)
                | Why::QueryReturnedNoRows => OpenError::Corrupt(error.to_string()),
                _ => OpenError::Other(error.to_string()),
            };
        };
        match code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => OpenError::Locked,
            ErrorCode::NotADatabase => OpenError::NotADatabase,
            ErrorCode::DatabaseCorrupt => OpenError::Corrupt(error.to_string()),
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                OpenError::NotWritable
            }
            ErrorCode::DiskFull => OpenError::Full,
            // The shared-memory file of readers and writer could not grow: this is how SQLite
            // reports a full disk at that moment.
            _ if error.sqlite_error().is_some_and(is_shared_memory_size) => OpenError::Full,
            _ => OpenError::Other(error.to_string()),
        }
    }
}

fn is_shared_memory_size(error: &ffi::Error) -> bool {
    error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
}
