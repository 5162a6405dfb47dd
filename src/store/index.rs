//! The full-text index of the messages: what it holds of a message, and when a message gets there.
//!
//! The table `words` holds all messages up to a mark, `indexed`. A new message is not indexed at
//! once: a segment of the index for each commit would cost more than the commit. Instead, the
//! commit that finds [`INDEX_ENTRIES`] entries or [`INDEX_BYTES`] of text since the mark indexes
//! them all in its own transaction. For younger messages, the reader that searches has its own
//! index in memory, and adds to it what came since its last search: see [`Young`].
//!
//! For each message the index holds its words, in order ([`fold`]), and beside them, in `bag`, what
//! narrows a search down: `.7`, its room; `@ann`, its author; each letter of scripts without
//! spaces; and `.p`, if its room was public when it was indexed. So a search in all rooms of a
//! person is for `.p` and for those of the rooms that have messages without it (the table
//! `closed`): messages in other closed rooms are not even looked at.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write;

use rusqlite::{Connection, Params, params};

use crate::limits::{INDEX_BYTES, INDEX_ENTRIES};
use crate::store::fold::{self, Words};

/// Marks a message of a public room.
pub(super) const PUBLIC: &str = ".p";

/// What the index does not contain yet.
#[derive(Clone, Copy, Default)]
pub(super) struct Unindexed {
    /// The index contains everything up to this number.
    pub after: i64,
    /// Bytes of text since then.
    pub bytes: usize,
}

/// What the index holds of a message.
pub(super) struct Indexed {
    pub words: Words,
    pub bag: String,
}

impl Indexed {
    pub fn of(room: i64, name: &str, text: &str, public: bool) -> Indexed {
        let words = Words::of(text);
        let mut bag = format!("{} {}", room_mark(room), author_mark(name));
        let letters: BTreeSet<char> = words.letters_apart.iter().map(|(c, _)| *c).collect();
        for letter in letters {
            bag.extend([' ', letter]);
        }
        if public {
            let _ = write!(bag, " {PUBLIC}"); // Writing to a string cannot fail.
        }
        Indexed { words, bag }
    }
}

/// A room's mark in the bag.
pub(super) fn room_mark(room: i64) -> String {
    format!(".{room}")
}

/// An author's mark in the bag. Some names share one.
pub(super) fn author_mark(name: &str) -> String {
    format!("@{}", fold::name(name))
}

/// Messages, with the columns that are indexed.
const MESSAGES: &str = "SELECT seq, room, name, text, EXISTS (
        SELECT 1 FROM main.room WHERE room.id = log.room AND gone IS NULL AND visibility = 'public'
    ) AS public FROM main.log WHERE kind = 'said' AND deleted = 0";

/// Adds messages to an index. Returns their rooms, without the public ones.
fn add(
    connection: &Connection,
    index: &str,
    which: &str,
    parameters: impl Params,
) -> rusqlite::Result<HashSet<i64>> {
    let select = format!("{MESSAGES} AND {which} ORDER BY seq");
    let insert = format!("INSERT INTO {index} (rowid, text, bag) VALUES (?, ?, ?)");
    let mut insert = connection.prepare_cached(&insert)?;
    let mut select = connection.prepare_cached(&select)?;
    let (mut rows, mut closed) = (select.query(parameters)?, HashSet::new());
    while let Some(row) = rows.next()? {
        let (seq, room, public): (i64, i64, bool) = (row.get(0)?, row.get(1)?, row.get(4)?);
        let (name, text) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
        let indexed = Indexed::of(room, name, text, public);
        insert.execute(params![seq, indexed.words.text(), indexed.bag])?;
        if !public {
            closed.insert(room);
        }
    }
    Ok(closed)
}

fn add_to_all(
    connection: &Connection,
    which: &str,
    parameters: impl Params,
) -> rusqlite::Result<()> {
    let note = "INSERT OR IGNORE INTO closed (room) VALUES (?)";
    for room in add(connection, "main.words", which, parameters)? {
        connection.prepare_cached(note)?.execute([room])?;
    }
    Ok(())
}

/// The mark up to which messages are indexed.
pub(super) fn indexed(connection: &Connection) -> rusqlite::Result<i64> {
    let indexed = "SELECT value FROM meta WHERE key = 'indexed'";
    connection.prepare_cached(indexed)?.query_row([], |row| row.get(0))
}

/// What the index does not contain, at the start.
pub(super) fn unindexed(connection: &Connection) -> rusqlite::Result<Unindexed> {
    let after = indexed(connection)?;
    let bytes = "SELECT coalesce(sum(octet_length(text)), 0) FROM log WHERE seq > ?";
    let bytes: i64 = connection.query_row(bytes, [after], |row| row.get(0))?;
    Ok(Unindexed { after, bytes: usize::try_from(bytes).unwrap_or(usize::MAX) })
}

/// Indexes the messages up to `last`, if there are enough of them.
pub(super) fn index(
    connection: &Connection,
    unindexed: Unindexed,
    last: i64,
) -> rusqlite::Result<Unindexed> {
    if last - unindexed.after < INDEX_ENTRIES && unindexed.bytes < INDEX_BYTES {
        return Ok(unindexed);
    }
    index_upto(connection, unindexed.after, last)?;
    Ok(Unindexed { after: last, bytes: 0 })
}

/// Indexes the messages from `after` (exclusive) to `last`.
pub(super) fn index_upto(connection: &Connection, after: i64, last: i64) -> rusqlite::Result<()> {
    add_to_all(connection, "seq > ? AND seq <= ?", [after, last])?;
    connection
        .prepare_cached("UPDATE meta SET value = ? WHERE key = 'indexed'")?
        .execute([last])?;
    Ok(())
}

/// Indexes all messages, into an empty index.
pub(super) fn index_all(connection: &Connection) -> rusqlite::Result<()> {
    let last = "SELECT coalesce(max(seq), 0) FROM log";
    index_upto(connection, 0, connection.query_row(last, [], |row| row.get(0))?)
}

/// Indexes a message whose text has changed, if it is below the mark.
pub(super) fn put(connection: &Connection, target: i64) -> rusqlite::Result<()> {
    if target <= indexed(connection)? {
        add_to_all(connection, "seq = ?", [target])?;
    }
    Ok(())
}

/// Removes a message from the index, while the log still has its text: FTS5 must be told exactly
/// what it holds of the message.
pub(super) fn take_out(connection: &Connection, target: i64) -> rusqlite::Result<()> {
    if target > indexed(connection)? {
        return Ok(());
    }
    let public = "SELECT 1 FROM words WHERE words MATCH 'bag : \".p\"' AND rowid = ?";
    let public = connection.prepare_cached(public)?.exists([target])?;
    let select = format!("{MESSAGES} AND seq = ?");
    let mut select = connection.prepare_cached(&select)?;
    let mut rows = select.query([target])?;
    if let Some(row) = rows.next()? {
        let (name, text) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
        let indexed = Indexed::of(row.get(1)?, name, text, public);
        connection
            .prepare_cached(
                "INSERT INTO words (words, rowid, text, bag) VALUES ('delete', ?, ?, ?)",
            )?
            .execute(params![target, indexed.words.text(), indexed.bag])?;
    }
    Ok(())
}

/// An index of the messages that are too young for the index on disk: `temp.young`, which belongs
/// to one reader and ends with it.
#[derive(Default)]
pub(super) struct Young {
    /// It contains messages younger than this number ...
    after: i64,
    /// ... up to this one. 0: the table does not exist.
    upto: i64,
    /// Those of its rooms that are not public.
    pub closed: HashSet<i64>,
}

impl Young {
    /// Adds what came since, and drops what the index on disk now contains.
    pub fn grow(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let indexed = indexed(connection)?;
        if self.upto == 0 || self.after != indexed {
            // The tokenizer is that of `words`, see the migrations.
            connection.execute_batch(
                "DROP TABLE IF EXISTS temp.young;
                 CREATE VIRTUAL TABLE temp.young USING fts5 (text, bag, content = '',
                     contentless_delete = 1, tokenize = \"ascii tokenchars '.@'\")",
            )?;
            *self = Young { after: indexed, upto: indexed, closed: HashSet::new() };
        }
        let last = "SELECT coalesce(max(seq), 0) FROM main.log";
        let last: i64 = connection.prepare_cached(last)?.query_row([], |row| row.get(0))?;
        if last <= self.upto {
            return Ok(());
        }
        let changed: Vec<i64> = connection
            .prepare_cached(
                "SELECT DISTINCT target FROM main.log
                 WHERE seq > ?1 AND kind IN ('edited', 'deleted') AND target > ?2 AND target <= ?1",
            )?
            .query_map([self.upto, self.after], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for target in changed {
            connection
                .prepare_cached("DELETE FROM temp.young WHERE rowid = ?")?
                .execute([target])?;
            self.closed.extend(add(connection, "temp.young", "seq = ?", [target])?);
        }
        let new = add(connection, "temp.young", "seq > ? AND seq <= ?", [self.upto, last])?;
        self.closed.extend(new);
        self.upto = last;
        Ok(())
    }
}
