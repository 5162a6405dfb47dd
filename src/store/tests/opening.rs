//! Opening: first starts, later starts, and every wrong kind of file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::chat::{LOBBY, founding};
use crate::config::Durability;
use crate::store::{connect, found, schema};

/// The error's text, so that tests show what the operator reads.
pub(crate) fn refusal(scratch: &Scratch) -> String {
    match scratch.try_open() {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_first_start_makes_a_log_with_the_lobby() {
    let scratch = Scratch::new();
    let store = scratch.open();
    assert_eq!(store.last_seq, Seq(1));
    assert!(store.epoch.len() == 16 && store.epoch.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_ne!(store.secret, [0; 32]);
    let Snapshot { accounts, sessions, rooms, last_account, last_room, last_session, last, .. } =
        &store.snapshot;
    assert!(accounts.is_empty() && sessions.is_empty() && *last_account == 0);
    assert_eq!((rooms.len(), rooms[0].id, *last_room, *last_session), (1, LOBBY, 1, 0));
    assert_eq!(*last, Seq(1));
    let log = log_of(&scratch.file());
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].2, founding());
    assert_eq!(fold(log), store.snapshot);
}

#[test]
fn a_restart_finds_everything_as_it_was() {
    let scratch = Scratch::new();
    let Store { secret, epoch, mut writer, .. } = scratch.open();
    let entries = [
        account_made(1, "Ann", "a"),
        session_begun(1, 1, "s1"),
        session_begun(7, 1, "s7"),
        room_made(2, "Den"),
        room_made(3, "Attic"),
        Entry::RoomGone { room: RoomId(3), recoverable: true },
        Entry::SessionEnded { session: SessionId(7) },
    ];
    writer.commit((1..).zip(entries).map(|(ticket, entry)| write(ticket, entry)).collect());
    drop(writer);
    let again = scratch.open();
    assert_eq!((again.secret, again.epoch, again.last_seq), (secret, epoch, Seq(8)));
    assert_eq!(again.snapshot, fold(log_of(&scratch.file())));
    // Ended sessions and rooms are absent, but their numbers are not reused.
    assert_eq!((again.snapshot.last_room, again.snapshot.last_session), (3, 7));
    assert_eq!((again.snapshot.rooms.len(), again.snapshot.sessions.len()), (2, 1));
    drop(again.writer);
    assert_eq!(scratch.open().snapshot, again.snapshot);
}

#[test]
fn nobody_else_may_read_the_files() {
    let scratch = Scratch::new();
    let _store = scratch.open();
    for name in ["shanty.db", "shanty.db-wal", "shanty.db-shm"] {
        let mode = fs::metadata(scratch.0.join(name)).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn the_settings_are_as_promised() {
    let scratch = Scratch::new();
    for (sync, synchronous) in [(Durability::Full, 2), (Durability::Normal, 1)] {
        let store = open(&Options { path: scratch.file(), sync, retain: Retain::default() })
            .expect("it opens");
        let connection = &store.writer.connection;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(pragma("synchronous"), Ok(synchronous));
        assert_eq!(pragma("foreign_keys"), Ok(1));
        assert_eq!(pragma("cache_size"), Ok(-768));
        assert_eq!(pragma("secure_delete"), Ok(1));
        assert_eq!(pragma("auto_vacuum"), Ok(2));
        assert_eq!(pragma("journal_size_limit"), Ok(4 * 1024 * 1024));
        let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get(0));
        assert_eq!(mode, Ok("wal".to_owned()));
    }
}

#[test]
fn a_path_is_a_path_and_a_link_the_file_it_leads_to() {
    // SQLite would take this path for a URI, and open a database without a file.
    assert!(connect(Path::new("file::memory:")).is_err());
    let scratch = Scratch::new();
    let odd = Options {
        path: scratch.0.join("file:odd?mode=memory"),
        sync: Durability::Normal,
        retain: Retain::default(),
    };
    drop(open(&odd).expect("it opens"));
    assert!(odd.path.metadata().is_ok_and(|file| file.len() > 0));
    symlink(&odd.path, scratch.file()).expect("a link");
    let _store = scratch.open();
    assert!(matches!(open(&odd), Err(OpenError::InUse)), "the same file by another name");
}

#[test]
fn a_missing_directory_and_a_directory_are_refused() {
    let scratch = Scratch::new();
    let at = |path| {
        open(&Options { path, sync: Durability::Full, retain: Retain::default() })
            .err()
            .map(|why| why.to_string())
    };
    let expected = "no such directory: make it, or choose another";
    assert_eq!(at(scratch.0.join("nowhere/shanty.db")).as_deref(), Some(expected));
    assert!(!scratch.0.join("nowhere").exists());
    let expected = "this is a directory: name a file";
    assert_eq!(at(scratch.0.clone()).as_deref(), Some(expected));
    File::create(scratch.0.join("file")).expect("a file");
    assert!(at(scratch.0.join("file/shanty.db")).is_some_and(|why| why.contains("directory")));
}

#[test]
fn errors_of_the_system_say_what_to_do() {
    // Tests may run as root, who ignores a file's mode; so the system's errors are simulated.
    let says = |kind| OpenError::from(io::Error::from(kind)).to_string();
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem] {
        assert!(says(kind).starts_with("not writable: "), "{kind}");
    }
    assert!(says(io::ErrorKind::StorageFull).starts_with("the disk is full: "));
    // SQLite's error on a disk with room for one page, but not for eight.
    for code in [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_IOERR_SHMSIZE] {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert!(matches!(OpenError::from(error), OpenError::Full), "{code}");
    }
    // Even root cannot write into a running program.
    let path = "/proc/self/exe".into();
    let why = open(&Options { path, sync: Durability::Full, retain: Retain::default() })
        .err()
        .map(|why| why.to_string());
    assert!(why.is_some_and(|why| why.starts_with("cannot be opened: ")));
}

#[test]
fn a_file_that_cannot_be_written_is_refused_at_the_start() {
    let scratch = Scratch::new();
    drop(scratch.open());
    // SQLite's error if the file can be opened, but not written.
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let mut connection =
        rusqlite::Connection::open_with_flags(scratch.file(), read_only).expect("it opens");
    let why = found(&mut connection).map_err(OpenError::from);
    assert!(matches!(why, Err(OpenError::NotWritable)), "{why:?}");
}

#[test]
fn one_shanty_at_a_time() {
    let scratch = Scratch::new();
    let first = scratch.open();
    assert_eq!(refusal(&scratch), "another shanty is using the file: stop it first");
    drop(first.snapshot);
    drop(first.writer);
    scratch.open();
}

#[test]
fn another_program_has_it_locked() {
    let scratch = Scratch::new();
    drop(scratch.open());
    let other = scratch.other_program();
    other.execute_batch("BEGIN EXCLUSIVE").expect("nobody else is there");
    let expected = "another program has locked the file: close it, then try again";
    assert_eq!(refusal(&scratch), expected);
    other.execute_batch("ROLLBACK").expect("it was begun");
    scratch.open();
}

#[test]
fn a_file_of_another_kind_is_left_alone() {
    let scratch = Scratch::new();
    for garbage in ["x".repeat(10_000), "short".into(), "SQLite format 3\0 and so on".into()] {
        fs::write(scratch.file(), &garbage).expect("it can be written");
        let why = refusal(&scratch);
        assert!(why.starts_with("this file is not a database: "), "{why}");
        assert_eq!(fs::read_to_string(scratch.file()).ok(), Some(garbage));
    }
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    for theirs in ["CREATE TABLE t (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"] {
        let scratch = Scratch::new();
        scratch.other_program().execute_batch(theirs).expect("it is theirs");
        let before = fs::read(scratch.file()).expect("it is there");
        let why = refusal(&scratch);
        assert!(why.starts_with("this is another program's database: "), "{theirs}: {why}");
        assert_eq!(fs::read(scratch.file()).ok(), Some(before), "{theirs}");
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let scratch = Scratch::new();
    drop(scratch.open());
    scratch.other_program().pragma_update(None, "user_version", 999).expect("it is set");
    let known = schema::number(schema::MIGRATIONS.len());
    let expected =
        format!("made by a newer shanty (schema 999, this one knows {known}): use the newer one");
    assert_eq!(refusal(&scratch), expected);
}

#[test]
fn damage_is_found_at_the_start() {
    let damages = [
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 999",
        "INSERT INTO account (id, name, folded, key, created) VALUES (1, '', '', x'00', 0)",
        "UPDATE room SET title = '1'",
        "UPDATE room SET visibility = 'secret'",
        "DELETE FROM meta WHERE key = 'secret'",
        "UPDATE meta SET value = x'00' WHERE key = 'secret'",
        "DELETE FROM meta WHERE key = 'last_session'",
        "DELETE FROM meta WHERE key = 'indexed'",
        "INSERT INTO member VALUES (99, 1, 1, 1, 0, 0)",
    ];
    for damage in damages {
        let scratch = Scratch::new();
        drop(scratch.open());
        scratch.other_program().execute_batch(damage).expect("it is damaged");
        let why = refusal(&scratch);
        assert!(why.starts_with("the database is damaged ("), "{damage}: {why}");
    }
    let scratch = Scratch::new();
    drop(scratch.open());
    let file = File::options().write(true).open(scratch.file()).expect("it is there");
    file.set_len(4096).expect("it is cut");
    let why = refusal(&scratch);
    assert!(why.starts_with("the database is damaged ("), "cut: {why}");
}

#[test]
fn migrations_run_once_each() {
    let mut connection = rusqlite::Connection::open_in_memory().expect("memory");
    let version = |connection: &rusqlite::Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
    };
    let all = ["CREATE TABLE one (x)", "CREATE TABLE two (x)", "CREATE TABLE three (x); oops"];
    assert_eq!(schema::migrate(&mut connection, &all[..1], 0), Ok(()));
    assert_eq!(version(&connection), Ok(schema::number(1) as i64));
    assert_eq!(schema::migrate(&mut connection, &all[..2], 1), Ok(()));
    assert_eq!(schema::migrate(&mut connection, &all[..2], 2), Ok(()));
    assert_eq!(version(&connection), Ok(schema::number(2) as i64));
    // A failed migration leaves nothing behind.
    assert!(schema::migrate(&mut connection, &all, 2).is_err());
    assert_eq!(version(&connection), Ok(schema::number(2) as i64));
    assert!(connection.prepare("SELECT x FROM three").is_err());
    assert!(connection.prepare("SELECT x FROM one, two USING (x)").is_ok());
}

#[test]
fn a_start_that_was_cut_short_is_made_good() {
    // The schema exists, but the process died before the log began.
    let scratch = Scratch::new();
    let mut other = scratch.other_program();
    schema::migrate(&mut other, &schema::MIGRATIONS, 0).expect("it is empty");
    drop(other);
    let store = scratch.open();
    assert_eq!((store.last_seq, store.snapshot.rooms.len()), (Seq(1), 1));
}
