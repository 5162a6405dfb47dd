//! Tests of the whole store, and their helpers: a scratch directory, sample entries, and a
//! repeatable random generator.

mod chaining;
mod folding;
mod gates;
mod messages;
mod migrating;
mod model;
mod opening;
mod reading;
mod retaining;
mod searching;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, process};

use crate::chat::{
    AccountId, Author, ClientId, Color, Command, Description, Emoji, Entry, Name, Refusal, RoomId,
    RoomSettings, Seq, SessionId, Snapshot, Ticket, Title, Visibility,
};
use crate::config::Durability;
use crate::crypto;
use crate::store::{
    Job, OpenError, Options, Reader, Retain, Store, Writer, entries, open, readers,
};
use crate::time::Time;

use model::fold;

/// A directory for one test, removed with it.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("shanty-store-{}-{number}", process::id()));
        fs::create_dir(&path).expect("a new directory");
        Scratch(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("shanty.db")
    }

    fn try_open(&self) -> Result<Store, OpenError> {
        // These tests do not depend on `fsync`, and are faster without.
        open(&Options { path: self.file(), sync: Durability::Normal, retain: Retain::default() })
    }

    pub(crate) fn open(&self) -> Store {
        self.try_open().expect("the database opens")
    }

    /// A reader at this moment.
    fn reader(&self) -> Reader {
        let mut reader = readers::connect(&self.file()).expect("it opens");
        reader.searches_for = Duration::from_secs(60);
        reader.begin(Duration::from_secs(60)).expect("it can begin");
        reader
    }

    /// A connection as another program would open it.
    fn other_program(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).expect("it opens")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All entries in the log of a database.
fn log_of(path: &Path) -> Vec<(Seq, Time, Entry)> {
    let connection = rusqlite::Connection::open(path).expect("it opens");
    let sql = format!("SELECT {} FROM log ORDER BY seq", entries::COLUMNS);
    let mut select = connection.prepare(&sql).expect("the log is there");
    let rows = select.query_map([], entries::read).expect("it can be read");
    rows.map(|row| row.expect("every row can be read")).collect()
}

/// A xorshift generator: a seed always gives the same sequence.
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

pub(crate) fn said(room: u64, text: &str) -> Entry {
    let author = Author { account: None, name: Name::new("Guest").expect("a name") };
    let (room, color, text) = (RoomId(room), Color::new("#123456"), text.into());
    let (client_id, reply_to, calls) = (None, None, Box::default());
    Entry::Said { room, author, color, text, client_id, reply_to, calls }
}

pub(crate) fn account_made(account: u64, name: &str, key: &str) -> Entry {
    let name = Name::new(name).expect("a name");
    let (account, key) = (AccountId(account), Some(crypto::hash(key)));
    Entry::AccountMade { account, name, key, color: None }
}

pub(crate) fn session_begun(session: u64, account: u64, key: &str) -> Entry {
    let (session, account) = (SessionId(session), AccountId(account));
    let (key, agent) = (crypto::hash(key), format!("agent of {key}").into());
    Entry::SessionBegun { session, account, key, remember: account.0 % 2 == 0, agent }
}

fn room_settings(title: &str) -> RoomSettings {
    RoomSettings {
        title: Title::new(title).expect("a title"),
        description: Description::default(),
        visibility: Visibility::Public,
        password: None,
    }
}

pub(crate) fn room_made(room: u64, title: &str) -> Entry {
    Entry::RoomMade { room: RoomId(room), owner: None, settings: room_settings(title) }
}

pub(crate) fn write(ticket: u64, entry: Entry) -> Job {
    Job::Entry { ticket: Ticket(ticket), time: Time(1_000_000 + ticket.cast_signed()), entry }
}

/// What the writer answers for [`write()`] when it is logged.
fn logged(ticket: u64, seq: u64, entry: Entry) -> Command {
    let time = Time(1_000_000 + ticket.cast_signed());
    Command::Logged { ticket: Some(Ticket(ticket)), seq: Seq(seq), time, entry }
}

fn unlogged(ticket: u64, entry: Entry) -> Command {
    refused(ticket, entry, Refusal::Unavailable)
}

fn refused(ticket: u64, entry: Entry, refusal: Refusal) -> Command {
    Command::Unlogged { ticket: Ticket(ticket), entry, refusal }
}

/// An author, by the number of the account.
fn person(account: u64) -> Author {
    let name = format!("Person{account}");
    Author { account: Some(AccountId(account)), name: Name::new(&name).expect("a name") }
}

/// The mentions in a text, as the core would find them: `@Person2` is account 2.
fn calls(text: &str) -> Box<[AccountId]> {
    let words = text.split_whitespace().filter_map(|word| word.strip_prefix("@Person"));
    words.filter_map(|number| number.trim_end_matches(',').parse().ok().map(AccountId)).collect()
}

/// A message of an account.
pub(crate) fn says(account: u64, room: u64, text: &str) -> Entry {
    let (room, author, calls) = (RoomId(room), person(account), calls(text));
    let (text, client_id, reply_to) = (text.into(), None, None);
    Entry::Said { room, author, color: None, text, client_id, reply_to, calls }
}

/// The same with a client id.
pub(crate) fn sends(account: u64, room: u64, id: &str, text: &str) -> Entry {
    let mut entry = says(account, room, text);
    if let Entry::Said { client_id, .. } = &mut entry {
        *client_id = ClientId::new(id);
    }
    entry
}

pub(crate) fn edits(account: u64, room: u64, target: u64, text: &str) -> Entry {
    let (room, target, by, calls) = (RoomId(room), Seq(target), person(account), calls(text));
    Entry::Edited { room, target, by, text: text.into(), calls }
}

pub(crate) fn deletes(account: u64, room: u64, target: u64, as_owner: bool) -> Entry {
    let (room, target, by) = (RoomId(room), Seq(target), person(account));
    Entry::Deleted { room, target, by, as_owner }
}

pub(crate) fn reacts(account: u64, room: u64, target: u64, reaction: &str, on: bool) -> Entry {
    let (room, target, by) = (RoomId(room), Seq(target), person(account));
    Entry::Reacted { room, target, by, emoji: Emoji::new(reaction).expect("a reaction"), on }
}

/// Writes an entry, and returns its number.
pub(crate) fn put(writer: &mut Writer, entry: Entry) -> u64 {
    match writer.commit(vec![write(1, entry)]).pop() {
        Some(Command::Logged { seq, .. }) => seq.0,
        other => panic!("{other:?}"),
    }
}

/// The same for an entry proposed at that time.
pub(crate) fn put_at(writer: &mut Writer, time: Time, entry: Entry) -> u64 {
    match writer.commit(vec![Job::Entry { ticket: Ticket(1), time, entry }]).pop() {
        Some(Command::Logged { seq, .. }) => seq.0,
        other => panic!("{other:?}"),
    }
}

/// Writes an entry that is refused, and returns the reason.
fn refusal_of(writer: &mut Writer, entry: Entry) -> Refusal {
    match writer.commit(vec![write(1, entry)]).pop() {
        Some(Command::Unlogged { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    }
}
