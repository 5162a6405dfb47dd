//! Looking after a database: backup, verify, restore, export, import. Called by `main`, in a
//! process of its own, beside a server that may be running.
//!
//! It must never change a database that is in use, never leave half a file under a name that
//! somebody asked for, never call a copy good that it has not read, and never take over what
//! somebody else has put into a database beside what is ours.

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

/// Does it, and says so in one line on standard output; where that is for the export itself, on
/// standard error.
///
/// # Errors
/// One plain line that says what is wrong, and what to do.
pub fn maintain(db: &Path, chore: &MaintenanceTask) -> Result<(), String> {
    let said = match chore {
        MaintenanceTask::Backup(file) => backup(db, file)?,
        MaintenanceTask::Verify(file) => verify(file.as_deref().unwrap_or(db))?,
        MaintenanceTask::Restore { from, force } => restore(db, from, *force)?,
        MaintenanceTask::Export(Some(file)) => export_file(db, file)?,
        MaintenanceTask::Export(None) => {
            return match export_lines(db) {
                // Who reads no further than they want (`| head`) is not told of it.
                Err(OpenError::Unheard) => Ok(()),
                Err(error) => Err(at(db)(error)),
                Ok(said) => {
                    eprintln!("{said}");
                    Ok(())
                }
            };
        }
        MaintenanceTask::Import { from: Some(file), force } => {
            let lines = File::open(file).map_err(|error| at(file)(missing(error)))?;
            import(db, &file.display().to_string(), BufReader::new(lines), *force)?
        }
        MaintenanceTask::Import { from: None, force } => {
            import(db, "standard input", io::stdin().lock(), *force)?
        }
    };
    tell(&said);
    Ok(())
}

fn tell(said: &str) {
    if cfg!(test) {
        return println!("{said}"); // Shown where a test fails, and not otherwise.
    }
    // Whoever closed our standard output does not want to read this.
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
            // An older one becomes one of ours.
            let store = store::open(&plain(fresh))?;
            // It is another log now: clients that were ahead of the backup have to start afresh.
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

/// What names a file in front of what is wrong with it.
fn at(path: &Path) -> impl Fn(OpenError) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// Of a file that is to be read.
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

/// Opens a database of ours for reading, beside whoever writes it. It is opened for writing,
/// because only then SQLite tidies up behind a crash and behind itself; but nothing is written.
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
        let what = format!("made by an older shanty (schema {found}, this one knows {known})");
        return Err(OpenError::Other(format!(
            "{what}: start this one on it, or restore it, first"
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

/// Opens a database where nothing can be written, and so nobody else writes: on a file system that
/// is mounted for reading. SQLite could not make there what readers and a writer share, and has to
/// be told that it needs none.
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

/// Copies a database, as it is at this moment, into a file that is there and empty.
///
/// VACUUM INTO and not SQLite's backup API: that starts again whenever somebody writes, and copies
/// what is free and what was in the write-ahead log's mode. This reads one snapshot, keeps nobody
/// from writing, and leaves one file that is as small as it can be.
fn copy(source: &Connection, file: &Path) -> Result<(), OpenError> {
    let path = fs::canonicalize(file)?;
    let name = path.to_str().ok_or_else(|| {
        OpenError::Other("the name is not valid UTF-8: choose another".to_owned())
    })?;
    source.execute("VACUUM INTO ?", [name])?;
    File::open(&path)?.sync_all()?;
    Ok(())
}

/// Makes a file that must not be there, for nobody else's eyes. Where its content cannot be made,
/// it goes again.
fn make(file: &Path, fill: impl FnOnce(&File) -> Result<String, String>) -> Result<String, String> {
    let made = empty(file)?;
    let filled = fill(&made).and_then(|said| {
        sync_directory(file).map_err(|error| at(file)(error.into()))?;
        Ok(said)
    });
    if filled.is_err() {
        let _ = fs::remove_file(file); // What is wrong is told already.
    }
    filled
}

/// Builds a database beside the place where it belongs, and puts it there only when it is whole.
fn replace(
    db: &Path,
    force: bool,
    build: impl FnOnce(&Path) -> Result<String, String>,
) -> Result<String, String> {
    // Of a link, the file that it leads to.
    let place = fs::canonicalize(db).unwrap_or_else(|_| db.to_owned());
    let there = fs::symlink_metadata(&place).is_ok();
    if there && !force {
        let what =
            "there is already a database: choose another with --db, or replace it with --force";
        return Err(format!("{}: {what}", db.display()));
    }
    // Kept to the end: no server shall begin with what is on its way out.
    let held = there.then(|| store::lock(&place)).transpose().map_err(at(db))?;
    let fresh = beside(&place, ".new");
    let remove = |path: &Path| match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error.into())),
        _ => Ok(()),
    };
    // Left by one that was cut off.
    for path in [fresh.clone(), beside(&fresh, "-wal"), beside(&fresh, "-shm")] {
        remove(&path)?;
    }
    let built = build(&fresh);
    let said = built.and_then(|said| {
        if let Some(old) = &held {
            keep_owner(old, &fresh).map_err(at(db))?;
        }
        // What SQLite keeps beside the old database must not be taken for the new one's.
        remove(&beside(&place, "-wal"))?;
        remove(&beside(&place, "-shm"))?;
        let placed = fs::rename(&fresh, &place).and_then(|()| sync_directory(&place));
        placed.map_err(|error| at(db)(error.into()))?;
        Ok(said)
    });
    if said.is_err() {
        for path in [fresh.clone(), beside(&fresh, "-wal"), beside(&fresh, "-shm")] {
            let _ = fs::remove_file(path); // What is wrong is told already.
        }
    }
    said
}

/// Gives a file to whom another belongs, so that the user who runs the server can open it, though
/// somebody else has restored it. (Whoever reads it is nobody else's matter: see [`empty`].)
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

/// A new name lasts only when its directory is on the disk, too.
fn sync_directory(file: &Path) -> io::Result<()> {
    let path = fs::canonicalize(file)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// A new file, for nobody else's eyes.
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
