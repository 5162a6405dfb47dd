//! The final check: is the log without gaps, does it hold every acknowledged message exactly once,
//! and does every client's view equal it? Reads the database directly, with the server up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::world::{Sent, World, tag};

/// The view of a client without resume, connection by connection.
pub struct Heard {
    name: String,
    room: u64,
    /// Whether it receives its own messages.
    echoes: bool,
    connections: Vec<Vec<Said>>,
}

/// Authors and texts.
#[derive(Clone, PartialEq, Debug)]
pub struct Said {
    pub author: String,
    pub text: String,
}

impl Heard {
    pub fn new(name: &str, room: u64, echoes: bool) -> Heard {
        Heard { name: name.to_owned(), room, echoes, connections: Vec::new() }
    }

    pub fn connected(&mut self) {
        self.connections.push(Vec::new());
    }

    pub fn message(&mut self, author: &str, text: &str) {
        let said = Said { author: author.to_owned(), text: text.to_owned() };
        self.connections.last_mut().expect("it is connected").push(said);
    }

    pub fn count(&self) -> usize {
        self.connections.iter().map(Vec::len).sum()
    }
}

/// A message in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    pub seq: u64,
    pub room: u64,
    pub author: String,
    /// `None`: it was deleted.
    pub text: Option<String>,
    pub client_id: Option<String>,
    pub reply_to: Option<u64>,
    pub tag: String,
}

/// An entry about something in a room.
pub struct Happened {
    pub seq: u64,
    pub room: u64,
    pub kind: String,
}

/// The log's messages, as the database has them.
pub struct Log {
    pub rows: Vec<Row>,
    pub happened: Vec<Happened>,
    /// In order: the message, the reaction, the account, and whether it was added or removed.
    pub reactions: Vec<(u64, String, String, bool)>,
    /// The sequence numbers of the edits of deleted messages.
    pub edits_of_deleted: BTreeSet<u64>,
    /// The number of entries of all kinds.
    pub entries: u64,
}

impl Log {
    /// Reads the log, and checks that it has no gaps and that SQLite's integrity check passes.
    pub fn read(database: &Path) -> Result<Log, String> {
        Log::query(database).map_err(|error| format!("the database: {error}"))?
    }

    fn query(database: &Path) -> rusqlite::Result<Result<Log, String>> {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let number = |sql: &str| {
            connection.query_row(sql, [], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
        };
        let (entries, last) =
            (number("SELECT count(*) FROM log")?, number("SELECT max(seq) FROM log")?);
        if entries != last {
            return Ok(Err(format!("{entries} entries, but the last has the number {last}")));
        }
        let health: String =
            connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if health != "ok" {
            return Ok(Err(format!("the database is damaged: {health}")));
        }
        let edits_of_deleted = connection
            .prepare(
                "SELECT edit.seq FROM log AS edit JOIN log AS said ON said.seq = edit.target
                 WHERE edit.kind = 'edited' AND said.deleted",
            )?
            .query_map([], |row| row.get(0).map(i64::cast_unsigned))?
            .collect::<rusqlite::Result<_>>()?;
        let (rows, happened, reactions) = (Vec::new(), Vec::new(), Vec::new());
        let mut log = Log { rows, happened, reactions, edits_of_deleted, entries };
        let mut select = connection.prepare(
            "SELECT seq, kind, room, name, text, client_id, reply_to, target, deleted, body
             FROM log WHERE room IS NOT NULL ORDER BY seq",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            if let Err(why) = log.take(row)? {
                return Ok(Err(why));
            }
        }
        Ok(Ok(log))
    }

    fn take(&mut self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<(), String>> {
        let number = |column: &str| row.get::<_, i64>(column).map(i64::cast_unsigned);
        let (seq, room, author) = (number("seq")?, number("room")?, row.get("name")?);
        let kind: String = row.get("kind")?;
        if kind == "said" {
            let text: Option<String> = row.get("text")?;
            let client_id: Option<String> = row.get("client_id")?;
            if text.is_none() != row.get::<_, bool>("deleted")? {
                return Ok(Err(format!("{seq} is deleted and has a text, or neither")));
            }
            let first = tag(text.as_deref().unwrap_or_default()).to_owned();
            let tag = client_id.clone().unwrap_or(first);
            let reply_to = row.get::<_, Option<i64>>("reply_to")?.map(i64::cast_unsigned);
            self.rows.push(Row { seq, room, author, text, client_id, reply_to, tag });
        } else if kind == "reacted" {
            let body: String = row.get("body")?;
            let body: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            let (Some(emoji), Some(on)) = (body["emoji"].as_str(), body["on"].as_bool()) else {
                return Ok(Err(format!("{seq}: what reaction is {body}?")));
            };
            self.reactions.push((number("target")?, emoji.to_owned(), author, on));
        }
        self.happened.push(Happened { seq, room, kind });
        Ok(Ok(()))
    }

    pub fn count(&self, kind: &str) -> usize {
        self.happened.iter().filter(|entry| entry.kind == kind).count()
    }

    /// Was every message sent, is each there once, and are all acknowledged ones there?
    pub fn against_ledger(&self, world: &World) {
        let ledger = world.ledger();
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &self.rows {
            let Some(sent) = ledger.get(&row.tag) else {
                world.problem(format!("the log has what nobody said: {row:?}"));
                continue;
            };
            if let Some(first) = found.insert(&row.tag, row.seq) {
                world.problem(format!("{} is in the log twice: {first}, {}", row.tag, row.seq));
            }
            if (&row.author, row.room) != (&sent.author, sent.room) {
                world.problem(format!("the log has {row:?}, sent was {sent:?}"));
            }
            if sent.seq.is_some_and(|seq| seq != row.seq) {
                world.problem(format!("{} was acknowledged as {:?}", row.tag, sent.seq));
            }
            if let Err(why) = last_text(row, sent) {
                world.problem(format!("{why}: the log has {row:?}, sent was {sent:?}"));
            }
        }
        for (tag, sent) in &ledger {
            if sent.acknowledged && !found.contains_key(&**tag) {
                world.problem(format!("{tag} was acknowledged and is lost: {sent:?}"));
            }
        }
    }

    /// Is each connection's view a stretch of the log, and are the stretches in its order?
    pub fn against_heard(&self, heard: &Heard, world: &World) {
        let ledger = world.ledger();
        let counts = |author: &str| heard.echoes || author != heard.name;
        // The room as this client should see it, and each message's position.
        let room: Vec<&Row> =
            self.rows.iter().filter(|row| row.room == heard.room && counts(&row.author)).collect();
        let places: BTreeMap<&str, usize> =
            room.iter().enumerate().map(|(place, row)| (&*row.tag, place)).collect();
        let problem = |what: String| world.problem(format!("{}: {what}", heard.name));
        let mut next = 0;
        for (number, connection) in heard.connections.iter().enumerate() {
            let mut fresh = true;
            for said in connection.iter().filter(|said| counts(&said.author)) {
                let tag = tag(&said.text);
                let Some(&place) = places.get(tag) else {
                    problem(format!("heard {tag}, which is not in the log"));
                    continue;
                };
                if place < next {
                    problem(format!("heard {tag} twice or too late (connection {number})"));
                } else if place > next && !fresh {
                    let missed: Vec<&str> = room[next..place].iter().map(|row| &*row.tag).collect();
                    problem(format!("missed {missed:?} before {tag} (connection {number})"));
                }
                let sent = ledger.get(tag).map(|sent| (&sent.author, &sent.versions[0].text));
                if sent != Some((&said.author, &said.text)) {
                    problem(format!("heard {said:?}, which is not what was said: {sent:?}"));
                }
                (next, fresh) = (place + 1, false);
            }
        }
    }
}

/// Is the log's text one that the message can have in the end?
fn last_text(row: &Row, sent: &Sent) -> Result<(), &'static str> {
    let Some(text) = &row.text else {
        return if sent.delete_sent { Ok(()) } else { Err("nobody has deleted this") };
    };
    if sent.delete_acknowledged {
        return Err("this was deleted");
    }
    let at = sent.versions.iter().position(|version| version.text == *text);
    let Some(at) = at else { return Err("these words are nobody's") };
    // A text that was sent more than once may have arrived last.
    let last = sent.versions.iter().rposition(|version| version.acknowledged).unwrap_or(0);
    match at >= last || (at > 0 && sent.versions[at].times > 1) {
        true => Ok(()),
        false => Err("an acknowledged change is lost"),
    }
}
