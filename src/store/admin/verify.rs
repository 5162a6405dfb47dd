//! Whether a database is sound: by SQLite's own check, and by its log. The log is read once, from
//! its first entry; a core applies it, and the result is compared with the tables.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::{Connection, Row};

use crate::chat::{Author, Chat, Command, Effect, Emoji, Entry, Refusal, Seq, Settings, Snapshot};
use crate::limits::SESSION_TTL_SECS;
use crate::store::admin::replica::Replica;
use crate::store::chain::{self, Chain, Link};
use crate::store::index::{self, Indexed};
use crate::store::{OpenError, entries, notes, schema, snapshot};
use crate::time::Time;

/// Checks a database. Returns a short summary of its contents.
///
/// # Errors
/// [`OpenError::Corrupt`] with the first fault, or the reason why it cannot be read.
pub(super) fn verify(connection: &Connection) -> Result<String, OpenError> {
    // For the temporary tables of the comparisons.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // One transaction: all reads see one moment.
    connection.execute_batch("BEGIN")?;
    let said = all(connection);
    connection.execute_batch("ROLLBACK")?;
    said
}

/// Checks what takes no time in a large log. Returns a summary, and the time of the newest entry.
///
/// # Errors
/// As [`verify`].
pub(super) fn quickly(connection: &Connection) -> Result<(String, Time), OpenError> {
    connection.execute_batch("BEGIN")?;
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if answer != "ok" {
        return wrong(answer.replace('\n', " "));
    }
    objects(connection, &Replica::new(&schema::MIGRATIONS)?)?;
    meta(connection)?;
    if let Some(seq) = notes::cut_off(connection)? {
        return wrong(format!("the end of the log is missing: entry {seq} has changed"));
    }
    let newest = "SELECT seq, time FROM log ORDER BY seq DESC LIMIT 1";
    let newest =
        connection.query_row(newest, [], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    connection.execute_batch("ROLLBACK")?;
    Ok((format!("whole at a quick look, with entries up to {}", newest.0), Time(newest.1)))
}

fn wrong<T>(fault: String) -> Result<T, OpenError> {
    Err(OpenError::Corrupt(fault))
}

pub(super) fn all(connection: &Connection) -> Result<String, OpenError> {
    let ask = "PRAGMA integrity_check(1)";
    let answer: String = connection.query_row(ask, [], |row| row.get(0))?;
    if answer != "ok" {
        return wrong(answer.replace('\n', " "));
    }
    let replica = Replica::new(&schema::MIGRATIONS)?;
    objects(connection, &replica)?;
    if connection.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return wrong("a session without an account".to_owned());
    }
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    meta(connection)?;
    let pruned = number("SELECT value FROM meta WHERE key = 'pruned'")?;
    let count = Log::read(connection, Seq(entries::unsigned(pruned)), replica)?;
    if let Some(seq) = notes::cut_off(connection)? {
        return wrong(format!("the end of the log is missing: entry {seq} has changed"));
    }
    if notes::noted_spent(connection)? != notes::sum_of_spent(connection)? {
        return wrong("the list of removed messages has changed".to_owned());
    }
    self::index(connection)?;
    let (accounts, rooms) = (
        number("SELECT count(*) FROM account WHERE gone IS NULL")?,
        number("SELECT count(*) FROM room WHERE gone IS NULL")?,
    );
    Ok(format!("{count} entries, {accounts} accounts, {rooms} rooms"))
}

/// Checks that each single value exists exactly once, and no other does.
fn meta(connection: &Connection) -> Result<(), OpenError> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let named = number(
        "SELECT count(*) FROM meta WHERE (key = 'secret' AND length(value) = 32
             AND typeof(value) = 'blob') OR (key = 'epoch' AND length(value) = 16)",
    )?;
    if named != 2 {
        return wrong("the log's epoch or secret is missing".to_owned());
    }
    let known = number(
        "SELECT count(*) FROM meta WHERE typeof(value) = iif(key IN ('end', 'spent'), 'blob',
             'integer') AND key IN ('end', 'spent', 'last_session', 'indexed', 'pruned',
             'replayed')",
    )?;
    if known != 6 || number("SELECT count(*) FROM meta")? != known + named {
        return wrong("a table that should have one row has others".to_owned());
    }
    let beyond = number(
        "SELECT count(*) FROM meta WHERE key = 'indexed'
             AND value > (SELECT coalesce(max(seq), 0) FROM log)
             AND value > (SELECT value FROM meta WHERE key = 'pruned')",
    )?;
    if beyond != 0 {
        return wrong("the full-text index goes beyond the log".to_owned());
    }
    Ok(())
}

/// Compares a database's schema with that of `replica`.
///
/// # Errors
/// [`OpenError::Corrupt`] with the first object that is extra, different, or missing.
pub(super) fn objects(connection: &Connection, replica: &Replica) -> Result<(), OpenError> {
    match schema::difference(connection, replica.connection())? {
        Some(fault) => wrong(fault.replace('\n', " ")),
        None => Ok(()),
    }
}

/// What the log has said so far.
struct Log {
    pruned: Seq,
    last: Seq,
    /// How often entries are missing between two others, or at the end.
    gaps: i64,
    core: Core,
    replica: Replica,
    /// The reactions, by message, emoji and person: the entry that put each there. (Or several: the
    /// first versions counted each spelling as a reaction of its own.)
    reactions: HashMap<(Seq, String, Whose), Vec<Seq>>,
    /// Changed messages: when last, and what the change left.
    changed: HashMap<Seq, (Time, Left)>,
    chain: Chain,
}

/// What the last change of a message left of its text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// A text with a valid proof.
    Words,
    /// A text without a proof.
    Unproved,
}

/// An account, or a name without one.
type Whose = (Option<u64>, Option<Box<str>>);

fn whose(by: &Author) -> Whose {
    let name = || by.name.as_str().into();
    by.account.map_or_else(|| (None, Some(name())), |account| (Some(account.0), None))
}

impl Log {
    fn read(connection: &Connection, pruned: Seq, replica: Replica) -> Result<u64, OpenError> {
        let (reactions, changed) = (HashMap::new(), HashMap::new());
        let chain = Chain::after(Link::default());
        let (core, last) = (Core::new(), Seq(0));
        let mut log = Log { pruned, last, gaps: 0, core, replica, reactions, changed, chain };
        let mut count = 0;
        let columns = entries::COLUMNS;
        // Columns that only messages may fill.
        let sql = format!(
            "SELECT {columns}, deleted, proof, hash, {}, kind <> 'said' AND (
                 log.text IS NOT NULL OR edited IS NOT NULL OR deleted <> 0
                 OR said_hash IS NOT NULL OR kind = 'edited' AND log.body IS NOT NULL) AS filled
             FROM log ORDER BY seq",
            chain::FIRST
        );
        let mut select = connection.prepare(&sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, time, entry) = entries::read(row)?;
            if seq.0 > log.last.0 + 1 && seq.0 - 1 > pruned.0 {
                let first = log.last.0.max(pruned.0) + 1;
                return wrong(format!("entry {first} of the log is missing"));
            }
            let proved = log.link(connection, row, seq, time)?;
            log.last = seq;
            count += 1;
            log.take(seq, time, &entry, proved);
            log.replica.take(seq, time, &entry)?;
            log.core.apply(seq, time, entry);
        }
        log.hold_against(connection)?;
        Ok(count)
    }

    /// Adds an entry to the chain. Returns whether it has a text with a valid proof.
    fn link(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
        seq: Seq,
        time: Time,
    ) -> Result<bool, OpenError> {
        let number = entries::signed(seq.0);
        if seq.0 != self.last.0 + 1 {
            let before = chain::link(connection, number - 1)?;
            let Some(before) = before else {
                return wrong(format!("entry {} of the log is missing", self.last.0 + 1));
            };
            self.chain = Chain::after(before);
            self.gaps += 1;
        }
        let fixed = chain::fixed(row)?;
        let has_words = matches!(fixed.kind, "said" | "edited");
        let text = row.get_ref("text").and_then(|text| Ok(text.as_str_or_null()?))?;
        let proof = row.get_ref("proof").and_then(|proof| Ok(proof.as_blob_or_null()?))?;
        let salt = proof.and_then(|proof| chain::Salt::try_from(proof).ok());
        let words = match (salt, text) {
            (Some(salt), Some(text)) => {
                let calls = row.get_ref("body").and_then(|body| Ok(body.as_str_or_null()?))?;
                Some(chain::commit(&salt, text, calls))
            }
            _ => proof.and_then(|proof| chain::Commitment::try_from(proof).ok()),
        };
        let own = row.get::<_, Option<i64>>("edited")?.is_none() && !row.get("deleted")?;
        let whole = has_words == words.is_some() && has_words == proof.is_some();
        let unproved = fixed.kind == "said" && own && salt.is_none();
        let hash: Option<Link> = row.get("hash")?;
        let filled: bool = row.get("filled")?;
        let link = self.chain.link((number, time.0), &fixed, words);
        if !whole || unproved || filled || Some(link) != hash {
            return wrong(format!("entry {seq} has changed since it was logged"));
        }
        Ok(salt.is_some())
    }

    fn take(&mut self, seq: Seq, time: Time, entry: &Entry, proved: bool) {
        match entry.act() {
            Entry::Edited { target, .. } => {
                let left = if proved { Left::Words } else { Left::Unproved };
                self.changed.insert(*target, (time, left));
            }
            Entry::Deleted { target, .. } => {
                self.changed.insert(*target, (time, Left::Nothing));
                self.reactions.retain(|(on, _, _), _| on != target);
            }
            Entry::Reacted { target, by, emoji, on, .. } => {
                let reaction = (*target, emoji.bare(), whose(by));
                if *on {
                    self.reactions.entry(reaction).or_default().push(seq);
                } else {
                    self.reactions.remove(&reaction);
                }
            }
            _ => {}
        }
    }

    fn hold_against(mut self, connection: &Connection) -> Result<(), OpenError> {
        let (found, expected) = (comparable(snapshot::load(connection)?), self.core.snapshot());
        let Snapshot { accounts, sessions, rooms, deleted, blocks, policy, banned, .. } = &expected;
        let Snapshot { invitations, recoveries, muted, .. } = &expected;
        for (tables, same) in [
            ("accounts", *accounts == found.accounts),
            ("sessions", *sessions == found.sessions),
            ("rooms or memberships", *rooms == found.rooms),
            ("blocks", *blocks == found.blocks),
            ("deleted rooms", *deleted == found.deleted),
            ("settings of the server", *policy == found.policy),
            ("banned addresses", *banned == found.banned),
            ("invitations", *invitations == found.invitations),
            ("links for lost keys", *recoveries == found.recoveries),
            ("muted accounts", *muted == found.muted),
            ("last numbers", expected == found),
        ] {
            if !same {
                return wrong(format!("the {tables} differ from the log"));
            }
        }
        let ends = "SELECT (SELECT count(*) FROM gap), (SELECT coalesce(max(seq), 0) FROM gap)";
        let ends = connection.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let gaps = self.gaps + i64::from(self.pruned > self.last);
        if ends != (gaps, entries::signed(self.pruned.0)) {
            return wrong("the list of removed entries has changed".to_owned());
        }
        self.messages(connection)?;
        let mut select = connection.prepare("SELECT * FROM reaction")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let target = Seq(entries::unsigned(row.get("target")?));
            let emoji = entries::text(row, "emoji", Emoji::kept)?;
            let reaction = (target, emoji.bare(), whose(&entries::author(row)?));
            let seq = Seq(entries::unsigned(row.get("seq")?));
            let mut known = self.reactions.remove(&reaction).unwrap_or_default();
            let Some(at) = known.iter().position(|other| *other == seq) else {
                return wrong(format!("message {target} has a reaction that is not in the log"));
            };
            known.swap_remove(at);
            if !known.is_empty() {
                self.reactions.insert(reaction, known);
            }
        }
        let lost = connection.query_row(
            "SELECT count(*) FROM reaction LEFT JOIN log ON log.seq = reaction.target
             WHERE log.kind IS NOT 'said' OR log.deleted = 1",
            [],
            |row| row.get::<_, i64>(0),
        )?;
        if lost > 0 {
            return wrong("a reaction belongs to no message".to_owned());
        }
        if let Some((target, _, _)) = self.reactions.keys().next() {
            return wrong(format!("message {target} lacks a reaction"));
        }
        let replayed = "SELECT value FROM meta WHERE key = 'replayed'";
        if !connection.query_row(replayed, [], |row| row.get(0))? {
            return Ok(());
        }
        match self.replica.difference(connection)? {
            Some(table) => wrong(format!("the table {table} differs from the log")),
            None => Ok(()),
        }
    }

    /// Checks the messages' own columns, and their mentions.
    fn messages(&self, connection: &Connection) -> Result<(), OpenError> {
        let mut select = connection.prepare(
            "SELECT seq, room, text, body, edited, deleted, said_hash IS NULL AS first,
                 octet_length(proof) = 16 AS own
             FROM log WHERE kind = 'said' ORDER BY seq",
        )?;
        let mut call = connection
            .prepare("SELECT 1 FROM mention WHERE account = ? AND room = ? AND seq = ?")?;
        let mut calls = 0;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (number, room): (i64, i64) = (row.get("seq")?, row.get("room")?);
            let seq = Seq(entries::unsigned(number));
            let text: Option<Box<str>> = row.get("text")?;
            let edited: Option<i64> = row.get("edited")?;
            let (deleted, first): (bool, bool) = (row.get("deleted")?, row.get("first")?);
            let own = row.get::<_, Option<bool>>("own")?.unwrap_or_default();
            let state_known = match self.changed.get(&seq) {
                Some((_, Left::Nothing)) => deleted && edited.is_none(),
                Some((time, Left::Words)) => edited == Some(time.0) && !deleted,
                Some((_, Left::Unproved)) => false,
                // Retention may have removed the entry that changed it, and removes the message
                // next.
                None if first => edited.is_none() && !deleted,
                None => seq <= self.pruned && !own && edited.is_some() != deleted,
            };
            if text.is_none() != deleted || !state_known {
                return wrong(format!("message {seq} differs from the log"));
            }
            for account in entries::calls(row)? {
                calls += 1;
                if !call.exists((entries::signed(account.0), room, number))? {
                    return wrong(format!(
                        "message {seq} mentions somebody who is not in the table of mentions"
                    ));
                }
            }
        }
        let known = "SELECT count(*) FROM mention";
        let known: i64 = connection.query_row(known, [], |row| row.get(0))?;
        if known == calls { Ok(()) } else { wrong("a mention belongs to no message".to_owned()) }
    }
}

/// Checks that the full-text index has the words of the messages up to its mark, and no others.
/// (SQLite's own check covers the index's structure.) Compares sums over every word in every place.
/// The mark of a public room stands last and cannot be recomputed; but if it is missing, the room
/// must be in `closed`.
fn index(connection: &Connection) -> Result<(), OpenError> {
    let mut wanted = 0_u64;
    let (found, public) = found(connection)?;
    let mut noted = connection.prepare("SELECT 1 FROM closed WHERE room = ?")?;
    let mut select = connection.prepare(
        "SELECT seq, room, name, text FROM log WHERE kind = 'said' AND deleted = 0 AND seq <= ?",
    )?;
    let mut rows = select.query([index::indexed(connection)?])?;
    while let Some(row) = rows.next()? {
        let (seq, name, text) = (row.get(0)?, row.get_ref(2)?.as_str(), row.get_ref(3)?.as_str());
        if !public.contains(&seq) && !noted.exists([row.get::<_, i64>(1)?])? {
            return wrong(format!("message {seq} is missing in the full-text index"));
        }
        let indexed = Indexed::of(row.get(1)?, name.unwrap_or(""), text.unwrap_or(""), false);
        let words = indexed.words.iter().map(|word| word.text);
        for (place, word) in (0..).zip(words) {
            wanted = wanted.wrapping_add(place_hash(word.as_bytes(), seq, b"text", place));
        }
        for (place, word) in (0..).zip(indexed.bag.split(' ')) {
            wanted = wanted.wrapping_add(place_hash(word.as_bytes(), seq, b"bag", place));
        }
    }
    if wanted == found {
        return Ok(());
    }
    wrong("the full-text index differs from the messages".to_owned())
}

/// The sum of everything in the index, in any order; and the messages that it marks as public.
fn found(connection: &Connection) -> Result<(u64, HashSet<i64>), OpenError> {
    connection.execute_batch(
        "CREATE VIRTUAL TABLE temp.places USING fts5vocab ('main', 'words', 'instance')",
    )?;
    let (mut sum, mut public) = (0_u64, HashSet::new());
    {
        let places = "SELECT term, doc, col, offset FROM temp.places";
        let mut select = connection.prepare(places)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let text = |column| row.get_ref(column).and_then(|text| Ok(text.as_bytes()?));
            let (doc, place) = (row.get(1)?, row.get(3)?);
            if text(0)? == index::PUBLIC.as_bytes() {
                public.insert(doc);
                continue;
            }
            sum = sum.wrapping_add(place_hash(text(0)?, doc, text(2)?, place));
        }
    }
    connection.execute_batch("DROP TABLE temp.places")?;
    Ok((sum, public))
}

fn place_hash(word: &[u8], message: i64, column: &[u8], place: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (word, message, column, place).hash(&mut hasher);
    hasher.finish()
}

/// A core that applies the log, and proposes nothing.
struct Core {
    chat: Chat,
    effects: Vec<Effect>,
}

impl Core {
    fn new() -> Core {
        let settings = Settings::new(SESSION_TTL_SECS, false);
        Core { chat: Chat::new(settings, Snapshot::default()), effects: Vec::new() }
    }

    fn apply(&mut self, seq: Seq, time: Time, entry: Entry) {
        while self.chat.is_behind() {
            self.chat.handle(time, Command::Continue, &mut self.effects);
        }
        let logged = Command::Logged { ticket: None, seq, time, entry };
        self.chat.handle(time, logged, &mut self.effects);
        // Its own proposals (the end of a guest, or of a room) are refused, in order, as every
        // proposal is answered: the log decides.
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                if let Effect::Propose { ticket, entry, .. } = effect {
                    let refusal = Refusal::Unavailable;
                    let refused = Command::Unlogged { ticket, entry, refusal };
                    self.chat.handle(time, refused, &mut self.effects);
                }
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        comparable(self.chat.snapshot())
    }
}

/// Removes what is not in the log: last uses, and read markers.
fn comparable(mut snapshot: Snapshot) -> Snapshot {
    for session in &mut snapshot.sessions {
        session.last_used = Time(0);
    }
    let deleted = snapshot.deleted.iter_mut().map(|deleted| &mut deleted.room);
    for member in snapshot.rooms.iter_mut().chain(deleted).flat_map(|room| &mut room.members) {
        member.read = Seq(0);
    }
    snapshot
}
