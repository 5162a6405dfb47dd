//! Tests of the store as a whole, and what they share: a directory of their own, entries to write,
//! and a source of chance that can be repeated.

mod folding;
mod opening;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use crate::chat::{
    AccountId, Author, Chat, Color, Command, Description, Entry, Name, RoomFacts, RoomId, Seq,
    SessionId, Settings, Snapshot, Ticket, Title, Visibility,
};
use crate::crypto;
use crate::store::{OpenError, Options, Store, Sync, Write, entries, open};
use crate::time::Time;

/// A directory of one test, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("shanty-store-{}-{number}", process::id()));
        fs::create_dir(&path).expect("a new directory");
        Scratch(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("shanty.db")
    }

    fn try_open(&self) -> Result<Store, OpenError> {
        // What is tested here does not depend on `fsync`, and is faster without.
        open(&Options { path: self.file(), sync: Sync::Normal })
    }

    fn open(&self) -> Store {
        self.try_open().expect("the database opens")
    }

    /// What somebody else would see who has the file open.
    fn other_program(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).expect("it opens")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Everything in the log of a database.
fn log_of(path: &Path) -> Vec<(Seq, Time, Entry)> {
    let connection = rusqlite::Connection::open(path).expect("it opens");
    let sql = format!("SELECT {} FROM log ORDER BY seq", entries::COLUMNS);
    let mut select = connection.prepare(&sql).expect("the log is there");
    let rows = select.query_map([], entries::read).expect("it can be read");
    rows.map(|row| row.expect("every row can be read")).collect()
}

/// What the core makes of a log.
fn fold(log: impl IntoIterator<Item = (Seq, Time, Entry)>) -> Snapshot {
    let mut chat = Chat::new(Settings { session_ttl_secs: 3_600 }, Snapshot::default());
    for (seq, time, entry) in log {
        chat.handle(time, Command::Logged { ticket: None, seq, time, entry }, &mut Vec::new());
    }
    chat.snapshot()
}

/// A xorshift generator: a seed gives the same sequence always.
struct Chance(u64);

impl Chance {
    /// One of 0, 1, …, `sides - 1`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn said(room: u64, text: &str) -> Entry {
    let author = Author { account: None, name: Name::new("Guest").expect("a name") };
    Entry::Said { room: RoomId(room), author, color: Color::new("#123456"), text: text.into() }
}

fn account_made(account: u64, name: &str, key: &str) -> Entry {
    let name = Name::new(name).expect("a name");
    Entry::AccountMade { account: AccountId(account), name, key: crypto::hash(key) }
}

fn session_begun(session: u64, account: u64, key: &str) -> Entry {
    let (session, account) = (SessionId(session), AccountId(account));
    Entry::SessionBegun { session, account, key: crypto::hash(key) }
}

fn facts(title: &str) -> RoomFacts {
    RoomFacts {
        title: Title::new(title).expect("a title"),
        description: Description::default(),
        visibility: Visibility::Public,
        password: None,
    }
}

fn room_made(room: u64, title: &str) -> Entry {
    Entry::RoomMade { room: RoomId(room), owner: None, facts: facts(title) }
}

fn write(ticket: u64, entry: Entry) -> Write {
    Write::Entry { ticket: Ticket(ticket), time: Time(1_000_000 + ticket.cast_signed()), entry }
}

/// What the writer answers for [`write()`] when it is logged.
fn logged(ticket: u64, seq: u64, entry: Entry) -> Command {
    let time = Time(1_000_000 + ticket.cast_signed());
    Command::Logged { ticket: Some(Ticket(ticket)), seq: Seq(seq), time, entry }
}

fn unlogged(ticket: u64, entry: Entry) -> Command {
    Command::Unlogged { ticket: Ticket(ticket), entry }
}
