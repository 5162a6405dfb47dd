//! Maintenance of a database: backup, verify, restore, export, import, and the operator's commands
//! about people in charge. `main` calls it in a process of its own, perhaps beside a running
//! server.
//!
//! It never changes a database that is in use, never leaves half a file under the requested name,
//! never calls a copy good that it has not read, and never takes over foreign objects from a
//! database.

pub mod acting;
mod export;
mod import;
mod recalled;
mod replica;
#[cfg(test)]
mod tests;
mod verify;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use percent_encoding::NON_ALPHANUMERIC;
use rusqlite::{Connection, OpenFlags};

use crate::config::{Durability, MaintenanceTask};
use crate::store::{self, OpenError, Options, Retain, schema};
use crate::time::Time;

/// Runs a command. Reports in one line on standard output or, if that carries the export, on
/// standard error.
///
/// # Errors
/// One plain line that says what is wrong, and what to do.
pub fn maintain(db: &Path, task: &MaintenanceTask) -> Result<(), String> {
    let said = match task {
        MaintenanceTask::Backup(file) => backup(db, file)?,
        MaintenanceTask::Verify(file) => verify(file.as_deref().unwrap_or(db))?,
        MaintenanceTask::Restore { from, force } => restore(db, from, *force)?,
        MaintenanceTask::Export(Some(file)) => export_file(db, file)?,
        MaintenanceTask::Export(None) => {
            return match export_lines(db) {
                // A reader that stops early (`| head`) is no error.
                Err(OpenError::Unheard) => Ok(()),
                Err(error) => Err(at(db)(error)),
                Ok(said) => {
                    let _ = writeln!(io::stderr(), "{said}"); // See `tell`.
                    Ok(())
                }
            };
        }
        MaintenanceTask::Import { from: Some(file), force } => {
            let lines = File::open(file).map_err(|error| at(file)(missing(error)))?;
            import(db, &file.display().to_string(), BufReader::new(lines), *force)?
        }
        MaintenanceTask::Admin { task, page } => acting::act(db, task, page)?,
        MaintenanceTask::Import { from: None, force } => {
            import(db, "standard input", io::stdin().lock(), *force)?
        }
    };
    tell(&said);
    Ok(())
}

fn tell(said: &str) {
    if cfg!(test) {
        return println!("{said}"); // Captured by the test, and shown only if it fails.
    }
    // If standard output is closed, nobody wants the line.
    let _ = writeln!(io::stdout(), "{said}");
}

fn backup(db: &Path, file: &Path) -> Result<String, String> {
    let source = look(db, false).map_err(at(db))?;
    make(file, |_| {
        copy(&source, file).map_err(at(file))?;
        let sound = verify(file)?;
        Ok(format!("{sound}; it is the backup of {}", db.display()))
    })
}

fn verify(file: &Path) -> Result<String, String> {
    let connection = look(file, false).map_err(at(file))?;
    let sound = verify::verify(&connection).map_err(at(file))?;
    Ok(format!("{}: sound, {sound}", file.display()))
}

/// The quick part of `verify`, also beside a running server: SQLite's quick check, the schema, and
/// whether the end of the log is there. Returns a summary, and the time of the newest entry.
///
/// # Errors
/// One plain line that says what is wrong, and what to do.
pub fn examine(db: &Path) -> Result<(String, Time), String> {
    let connection = look(db, false).map_err(at(db))?;
    verify::quickly(&connection).map_err(at(db))
}

#[cfg(test)]
pub(super) fn sound(file: &Path) -> Result<String, String> {
    verify(file)
}

fn restore(db: &Path, from: &Path, force: bool) -> Result<String, String> {
    let source = look(from, true).map_err(at(from))?;
    let version = schema::version(&source).map_err(at(from))?;
    let ours = replica::Replica::new(&schema::MIGRATIONS[..version]).map_err(at(from))?;
    verify::objects(&source, &ours).map_err(at(from))?;
    drop(ours);
    if version == schema::MIGRATIONS.len() {
        verify(from)?;
    }
    replace(db, force, |fresh| {
        empty(fresh)?;
        copy(&source, fresh).map_err(at(fresh))?;
        let renamed = || -> Result<(), OpenError> {
            // Upgrades a backup of an older version.
            let store = store::open(&plain(fresh))?;
            // A new epoch: clients that were ahead of the backup have to start afresh.
            store::baptise(&store.writer.connection)?;
            store.writer.close();
            Ok(())
        };
        renamed().map_err(at(from))?;
        verify(fresh)?;
        Ok(format!("{}: restored from {}", db.display(), from.display()))
    })
}

fn export(db: &Path, out: &mut impl Write) -> Result<String, OpenError> {
    let entries = export::export(&look(db, false)?, out)?;
    Ok(format!("{}: exported, {entries} entries", db.display()))
}

fn export_lines(db: &Path) -> Result<String, OpenError> {
    let mut out = BufWriter::new(io::stdout().lock());
    let said = export(db, &mut out)?;
    out.flush()?;
    Ok(said)
}

fn export_file(db: &Path, file: &Path) -> Result<String, String> {
    make(file, |made| {
        let mut out = BufWriter::new(made);
        let said = export(db, &mut out).map_err(at(db))?;
        let written = out.into_inner().map_err(io::IntoInnerError::into_error);
        let kept = written.and_then(|made| made.sync_all());
        kept.map_err(|error| at(file)(error.into()))?;
        Ok(said)
    })
}

fn import(db: &Path, name: &str, lines: impl BufRead, force: bool) -> Result<String, String> {
    replace(db, force, |fresh| {
        empty(fresh)?;
        let mut connection = store::connect(fresh).map_err(at(fresh))?;
        let mut migrated = || -> Result<(), OpenError> {
            store::configure(&connection, Durability::Normal, true)?;
            schema::migrate(&mut connection, &schema::MIGRATIONS, 0)?;
            Ok(())
        };
        migrated().map_err(at(fresh))?;
        let entries =
            import::import(&connection, lines).map_err(|error| format!("{name}: {error}"))?;
        drop(connection);
        verify(fresh)
            .map_err(|error| format!("{name}: this is not a complete export ({error})"))?;
        Ok(format!("{}: made from {name}, {entries} entries", db.display()))
    })
}

/// Puts the file's name in front of an error.
fn at(path: &Path) -> impl Fn(OpenError) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// The error for a file to be read.
fn missing(error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::NotFound => {
            OpenError::Other("there is no such file: check the name".to_owned())
        }
        _ => error.into(),
    }
}

fn plain(path: &Path) -> Options {
    Options { path: path.to_owned(), sync: Durability::Full, retain: Retain::default() }
}

/// Opens a Shanty database to read it, perhaps beside a running server. The connection may write,
/// because only then SQLite recovers from a crash and cleans up; but nothing writes.
fn look(path: &Path, older: bool) -> Result<Connection, OpenError> {
    let there = fs::metadata(path).map_err(missing)?;
    if there.is_dir() {
        return Err(OpenError::IsDirectory);
    }
    if !there.is_file() {
        return Err(OpenError::NotADatabase);
    }
    let (connection, found) = match open(path, store::connect) {
        Err(OpenError::NotWritable) => open(path, connect_unwritten)?,
        opened => opened?,
    };
    let known = schema::MIGRATIONS.len();
    if found == 0 {
        return Err(OpenError::NotADatabase);
    }
    if found < known && !older {
        let (found, known) = (schema::number(found), schema::number(known));
        let message = format!("made by an older shanty (schema {found}, this one knows {known})");
        return Err(OpenError::Other(format!(
            "{message}: start this one on it, or restore it, first"
        )));
    }
    Ok(connection)
}

fn open(
    path: &Path,
    connect: fn(&Path) -> Result<Connection, OpenError>,
) -> Result<(Connection, usize), OpenError> {
    let connection = connect(path)?;
    let found = schema::version(&connection)?;
    Ok((connection, found))
}

/// Opens a database on a read-only file system, where nobody can write. SQLite cannot create the
/// memory there that readers and a writer share, and has to be told that it needs none.
fn connect_unwritten(path: &Path) -> Result<Connection, OpenError> {
    let wal = fs::metadata(beside(path, "-wal"));
    if wal.is_ok_and(|wal| wal.len() > 0) {
        return Err(OpenError::Unmoved);
    }
    let path = fs::canonicalize(path)?;
    let name = percent_encoding::percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?)
}

/// Copies a database, as it is at this moment, into an existing empty file.
///
/// VACUUM INTO and not SQLite's backup API: that starts again at every write, and copies free pages
/// and the write-ahead log's mode. VACUUM INTO reads one snapshot, keeps nobody from writing, and
/// leaves one file of the least size.
fn copy(source: &Connection, file: &Path) -> Result<(), OpenError> {
    let path = fs::canonicalize(file)?;
    let name = path.to_str().ok_or_else(|| {
        OpenError::Other("the name is not valid UTF-8: choose another".to_owned())
    })?;
    source.execute("VACUUM INTO ?", [name])?;
    File::open(&path)?.sync_all()?;
    Ok(())
}

/// Creates a file that must not exist, readable by its owner only. If filling it fails, the file is
/// removed.
fn make(file: &Path, fill: impl FnOnce(&File) -> Result<String, String>) -> Result<String, String> {
    let made = empty(file)?;
    let filled = fill(&made).and_then(|said| {
        sync_directory(file).map_err(|error| at(file)(error.into()))?;
        Ok(said)
    });
    if filled.is_err() {
        let _ = fs::remove_file(file); // The first error is the one to report.
    }
    filled
}

/// Builds a database beside its place, and moves it there only when it is complete.
fn replace(
    db: &Path,
    force: bool,
    build: impl FnOnce(&Path) -> Result<String, String>,
) -> Result<String, String> {
    // For a link, the file that it leads to.
    let place = fs::canonicalize(db).unwrap_or_else(|_| db.to_owned());
    let there = fs::symlink_metadata(&place).is_ok();
    if there && !force {
        let message =
            "there is already a database: choose another with --db, or replace it with --force";
        return Err(format!("{}: {message}", db.display()));
    }
    // Held to the end: no server may start with the old database.
    let held = there.then(|| store::lock(&place)).transpose().map_err(at(db))?;
    let fresh = beside(&place, ".new");
    let remove = |path: &Path| match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error.into())),
        _ => Ok(()),
    };
    // Leftovers of a restore that was cut off.
    for path in [fresh.clone(), beside(&fresh, "-wal"), beside(&fresh, "-shm")] {
        remove(&path)?;
    }
    let built = build(&fresh);
    let said = built.and_then(|said| {
        if let Some(old) = &held {
            keep_owner(old, &fresh).map_err(at(db))?;
        }
        // SQLite must not take files beside the old database for the new one's.
        remove(&beside(&place, "-wal"))?;
        remove(&beside(&place, "-shm"))?;
        let placed = fs::rename(&fresh, &place).and_then(|()| sync_directory(&place));
        placed.map_err(|error| at(db)(error.into()))?;
        Ok(said)
    });
    if said.is_err() {
        for path in [fresh.clone(), beside(&fresh, "-wal"), beside(&fresh, "-shm")] {
            let _ = fs::remove_file(path); // The first error is the one to report.
        }
    }
    said
}

/// Gives the new file the owner of the old one, so that the server's user can open it after another
/// user has restored it. (Its mode stays as [`empty`] made it.)
fn keep_owner(old: &File, fresh: &Path) -> Result<(), OpenError> {
    let (old, new) = (old.metadata()?, fs::metadata(fresh)?);
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        let given = chown(fresh, Some(old.uid()), Some(old.gid()));
        given.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => OpenError::Other(
                "the old file belongs to another user: run this command as that user".to_owned(),
            ),
            _ => error.into(),
        })?;
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// A new name is durable only when its directory is synced, too.
fn sync_directory(file: &Path) -> io::Result<()> {
    let path = fs::canonicalize(file)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// Creates a file, readable by its owner only.
fn empty(file: &Path) -> Result<File, String> {
    let mut how = OpenOptions::new();
    let made = how.write(true).create_new(true).mode(0o600).open(file);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{}: this file exists already: choose another", file.display())
        }
        _ => at(file)(error.into()),
    })
}
