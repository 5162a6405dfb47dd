//! What is done to words: a message that is sent once more, edited, taken back, given a sign. An
//! entry of these kinds is judged *before* it is logged, because only the log knows the messages.
//!
//! # Finding words
//!
//! The table `words` is a full-text index of all messages up to a mark, `indexed`. A message is not
//! put there when it is said: a segment of the index for each commit costs more than the commit.
//! Instead, the commit that finds [`INDEX_ENTRIES`] or more entries since the mark takes all of
//! them into the index, at once and in its own transaction. So the index needs no commit of its
//! own, and a search never has more than that many messages to look at one by one.
//!
//! # Words that are gone
//!
//! A message that is taken back loses its words in the log, in the index and in `mention`; the
//! entries that edited it never had any. `secure_delete` makes SQLite overwrite the place where
//! they stood. In the write-ahead log they last until it is moved into the file and begun anew (at
//! every stop, and after some thousand pages); in backups for as long as those are kept. A hash of
//! the first words stays, to tell a repeated send from another message under the same number.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::chat::{
    AccountId, Author, ClientId, Emoji, Entry, Field, Refusal, RoomId, Seq, mentions,
};
use crate::crypto::{self, KeyHash};
use crate::limits::{INDEX_ENTRIES, REACTIONS_MAX};
use crate::store::entries::{aim, signed, unsigned};
use crate::time::Time;

/// What the log says to an entry.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Verdict {
    /// It is taken. (That does not mean that it changes anything.)
    Taken,
    /// It is there already.
    Repeated { seq: Seq, time: Time, same: bool },
    /// It has no place in the log.
    Refused(Refusal),
}

/// Judges an entry by the log as it is, in the caller's transaction.
pub(super) fn judge(connection: &Connection, entry: &Entry) -> rusqlite::Result<Verdict> {
    if let Entry::Said { room, author, text, client_id, reply_to, .. } = entry {
        // What was sent before is not judged again, though the message that it answers be gone.
        if let Some((account, id)) = author.account.zip(client_id.as_ref())
            && let Some(found) = sent(connection, (account, id), *room, text, *reply_to)?
        {
            return Ok(found);
        }
        return match reply_to {
            // One that was taken back is still there to be answered.
            Some(answered) if place(connection, *room, *answered)?.is_none() => {
                Ok(Verdict::Refused(Refusal::Malformed(Field::Called("reply_to"))))
            }
            _ => Ok(Verdict::Taken),
        };
    }
    let Some((room, target, by)) = aim(entry) else { return Ok(Verdict::Taken) };
    let Some((author, time, deleted)) = place(connection, room, target)? else {
        return Ok(Verdict::Refused(Refusal::MessageNotFound));
    };
    let own = author.is_some() && author == by.account;
    match entry {
        Entry::Deleted { as_owner, .. } if !own && !as_owner => {
            Ok(Verdict::Refused(Refusal::Forbidden))
        }
        Entry::Deleted { .. } if deleted => taken_back(connection, target),
        _ if deleted => Ok(Verdict::Refused(Refusal::MessageNotFound)),
        Entry::Edited { .. } if !own => Ok(Verdict::Refused(Refusal::Forbidden)),
        Entry::Reacted { emoji, on, .. } => {
            judge_reaction(connection, (target, time), by, emoji, *on)
        }
        _ => Ok(Verdict::Taken),
    }
}

/// What its author has sent under that number before: the same, or something else. It may be gone
/// since (see `retention`), and is the same all the same.
fn sent(
    connection: &Connection,
    (account, id): (AccountId, &ClientId),
    room: RoomId,
    text: &str,
    reply_to: Option<Seq>,
) -> rusqlite::Result<Option<Verdict>> {
    let verdict = |row: &Row<'_>| {
        let first: Option<KeyHash> = row.get("said_hash")?;
        let same_text = match first {
            Some(first) => first == crypto::hash(text),
            None => row.get_ref("text")?.as_str_or_null()? == Some(text),
        };
        let same_place = row.get::<_, i64>("room")? == signed(room.0);
        let answered = row.get::<_, Option<i64>>("reply_to")?;
        let same = same_text && same_place && answered == reply_to.map(|seq| signed(seq.0));
        let (seq, time) = (Seq(unsigned(row.get("seq")?)), Time(row.get("time")?));
        Ok(Verdict::Repeated { seq, time, same })
    };
    let there = "SELECT seq, time, room, text, reply_to, said_hash FROM log
         WHERE account = ? AND client_id = ?";
    let gone = "SELECT seq, time, room, NULL AS text, reply_to, hash AS said_hash FROM spent
         WHERE account = ? AND client_id = ?";
    for sql in [there, gone] {
        let key = params![signed(account.0), id.as_str()];
        let found = connection.prepare_cached(sql)?.query_row(key, verdict).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// What is taken back once more stays so: it is answered with the entry that did it.
fn taken_back(connection: &Connection, target: Seq) -> rusqlite::Result<Verdict> {
    let by = connection
        .prepare_cached("SELECT seq, time FROM log WHERE target = ? AND kind = 'deleted'")?
        .query_row([signed(target.0)], |row| {
            let (seq, time) = (Seq(unsigned(row.get(0)?)), Time(row.get(1)?));
            Ok(Verdict::Repeated { seq, time, same: true })
        });
    // Where retention has taken that entry, the message goes next.
    Ok(by.optional()?.unwrap_or(Verdict::Refused(Refusal::MessageNotFound)))
}

/// The account behind a message of a room, when it was said, and whether it was taken back.
fn place(
    connection: &Connection,
    room: RoomId,
    target: Seq,
) -> rusqlite::Result<Option<(Option<AccountId>, Time, bool)>> {
    connection
        .prepare_cached(
            "SELECT account, time, deleted FROM log WHERE seq = ? AND kind = 'said' AND room = ?",
        )?
        .query_row([signed(target.0), signed(room.0)], |row| {
            let account = row.get::<_, Option<i64>>("account")?;
            let account = account.map(|id| AccountId(unsigned(id)));
            Ok((account, Time(row.get("time")?), row.get("deleted")?))
        })
        .optional()
}

/// A sign that is there already, or that was not there to be taken off, changes nothing: it is
/// answered like a message that is sent once more, with the entry that put it there or, where there
/// is none, with the message itself.
fn judge_reaction(
    connection: &Connection,
    (target, said): (Seq, Time),
    by: &Author,
    emoji: &Emoji,
    on: bool,
) -> rusqlite::Result<Verdict> {
    let there = format!(
        "SELECT log.seq, log.time FROM reaction JOIN log ON log.seq = reaction.seq
         WHERE reaction.target = ?1 AND {BARE} = ?2 AND reaction.account IS ?3
             AND (?3 IS NOT NULL OR reaction.name = ?4)"
    );
    let there = connection
        .prepare_cached(&there)?
        .query_row(reaction_key(target, by, emoji), |row| {
            Ok((Seq(unsigned(row.get(0)?)), Time(row.get(1)?)))
        })
        .optional()?;
    Ok(match (there, on) {
        (Some((seq, time)), true) => Verdict::Repeated { seq, time, same: true },
        (None, false) => Verdict::Repeated { seq: target, time: said, same: true },
        (Some(_), false) => Verdict::Taken,
        (None, true) => {
            let count = "SELECT count(*) FROM reaction WHERE target = ?";
            let mut count = connection.prepare_cached(count)?;
            let count: i64 = count.query_row([signed(target.0)], |row| row.get(0))?;
            let full = usize::try_from(count).is_ok_and(|count| count >= REACTIONS_MAX);
            if full { Verdict::Refused(Refusal::Full) } else { Verdict::Taken }
        }
    })
}

/// A sign in the table without variation selectors: the first versions have kept any spelling.
const BARE: &str = "replace(replace(emoji, char(65038), ''), char(65039), '')";

fn reaction_key<'a>(
    target: Seq,
    by: &'a Author,
    emoji: &Emoji,
) -> (i64, String, Option<i64>, &'a str) {
    let account = by.account.map(|account| signed(account.0));
    (signed(target.0), emoji.bare(), account, by.name.as_str())
}

/// Carries out an entry that was [`Verdict::Taken`], as far as it is about words.
pub(super) fn apply(
    connection: &Connection,
    seq: Seq,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<()> {
    match entry {
        Entry::Said { room, text, .. } => mention(connection, *room, seq, text),
        Entry::Edited { room, target, text, .. } => {
            rewrite(connection, *target, Some((text, time)))?;
            mention(connection, *room, *target, text)
        }
        Entry::Deleted { target, .. } => {
            rewrite(connection, *target, None)?;
            connection
                .prepare_cached("DELETE FROM reaction WHERE target = ?")?
                .execute([signed(target.0)])?;
            Ok(())
        }
        Entry::Reacted { target, by, emoji, on: true, .. } => {
            let (target, _, account, name) = reaction_key(*target, by, emoji);
            connection
                .prepare_cached(
                    "INSERT INTO reaction (target, emoji, account, name, seq)
                     VALUES (?, ?, ?, ?, ?)",
                )?
                .execute((target, emoji.as_str(), account, name, signed(seq.0)))?;
            Ok(())
        }
        Entry::Reacted { target, by, emoji, on: false, .. } => {
            let off = format!(
                "DELETE FROM reaction WHERE target = ?1 AND {BARE} = ?2 AND account IS ?3
                     AND (?3 IS NOT NULL OR name = ?4)"
            );
            connection.prepare_cached(&off)?.execute(reaction_key(*target, by, emoji))?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Gives a message other words, since when, or none any more: in the log and in the index. Nobody
/// is called by it then.
fn rewrite(
    connection: &Connection,
    target: Seq,
    words: Option<(&str, Time)>,
) -> rusqlite::Result<()> {
    let target = signed(target.0);
    let said: Option<Box<str>> = connection
        .prepare_cached("SELECT text FROM log WHERE seq = ?")?
        .query_row([target], |row| row.get(0))?;
    let indexed = target <= indexed(connection)?;
    forget(connection, Seq(unsigned(target)))?;
    connection
        .prepare_cached(
            "UPDATE log SET text = ?2, edited = ?3, deleted = ?2 IS NULL,
                 said_hash = coalesce(said_hash, ?4) WHERE seq = ?1",
        )?
        .execute(params![
            target,
            words.map(|(text, _)| text),
            words.map(|(_, time)| time.0),
            said.map(|said| crypto::hash(&said)),
        ])?;
    if indexed && words.is_some() {
        connection
            .prepare_cached(
                "INSERT INTO words (rowid, room, name, text)
                 SELECT seq, room, name, text FROM log WHERE seq = ?",
            )?
            .execute([target])?;
    }
    Ok(())
}

/// Takes a message out of what is made from its words, while the log still has them.
pub(super) fn forget(connection: &Connection, target: Seq) -> rusqlite::Result<()> {
    let target = signed(target.0);
    if target <= indexed(connection)? {
        connection
            .prepare_cached(
                "INSERT INTO words (words, rowid, room, name, text)
                 SELECT 'delete', seq, room, name, text FROM log WHERE seq = ? AND deleted = 0",
            )?
            .execute([target])?;
    }
    connection.prepare_cached("DELETE FROM mention WHERE seq = ?")?.execute([target])?;
    Ok(())
}

/// Notes who is called by a message.
pub(super) fn mention(
    connection: &Connection,
    room: RoomId,
    seq: Seq,
    text: &str,
) -> rusqlite::Result<()> {
    for name in mentions(text) {
        connection
            .prepare_cached("INSERT OR IGNORE INTO mention (name, room, seq) VALUES (?, ?, ?)")?
            .execute(params![name.folded().as_str(), signed(room.0), signed(seq.0)])?;
    }
    Ok(())
}

/// Up to where the messages are in the index.
pub(super) fn indexed(connection: &Connection) -> rusqlite::Result<i64> {
    let indexed = "SELECT value FROM meta WHERE key = 'indexed'";
    connection.prepare_cached(indexed)?.query_row([], |row| row.get(0))
}

/// Takes the messages up to `last` into the index, if there are enough of them. Returns up to where
/// they are there now.
pub(super) fn index(connection: &Connection, indexed: i64, last: Seq) -> rusqlite::Result<i64> {
    let last = signed(last.0);
    if last - indexed < INDEX_ENTRIES {
        return Ok(indexed);
    }
    connection
        .prepare_cached(
            "INSERT INTO words (rowid, room, name, text)
             SELECT seq, room, name, text FROM log
             WHERE seq > ? AND kind = 'said' AND deleted = 0 ORDER BY seq",
        )?
        .execute([indexed])?;
    connection
        .prepare_cached("UPDATE meta SET value = ? WHERE key = 'indexed'")?
        .execute([last])?;
    Ok(last)
}
