//! What is done to words: a message that is sent once more, edited, taken back, given a reaction.
//! An entry of these kinds is judged *before* it is logged, because only the log knows the
//! messages.
//!
//! # Who may delete a message
//!
//! Its author and the owner of its room ([`judge`]). Only the log knows the author; the core has
//! checked before that the account is a member of the room, and says `as_owner` where the account
//! owns it (`chat/core/messages.rs`). Only the author may edit.
//!
//! # Words that are gone
//!
//! A message that is taken back loses its words in the log, in the index and in `mention`; the
//! entries that edited it never had any. `secure_delete` makes SQLite overwrite the place where
//! they stood. In the write-ahead log they last until it is moved into the file and overwritten (at
//! every stop, and after some thousand pages); in backups for as long as those are kept. A hash of
//! the first words stays, to tell a repeated send from another message under the same number.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::chat::{AccountId, Author, ClientId, Emoji, Entry, Field, Refusal, RoomId, Seq};
use crate::crypto::{self, KeyHash};
use crate::limits::{REACTION_KINDS_MAX, REACTIONS_MAX, REACTIONS_PER_PERSON_MAX};
use crate::store::entries::{self, aim, signed, unsigned};
use crate::store::{chain, index};
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
                Ok(Verdict::Refused(Refusal::Malformed(Field::ReplyTo)))
            }
            _ => Ok(Verdict::Taken),
        };
    }
    if let Entry::MemberChanged { with: Some(message), .. } = entry {
        return Ok(match judge(connection, message)? {
            Verdict::Taken => Verdict::Taken,
            Verdict::Repeated { .. } | Verdict::Refused(_) => {
                Verdict::Refused(Refusal::Malformed(Field::Whole)) // Nobody waits for it.
            }
        });
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
        // Who changes nothing has edited nothing.
        Entry::Edited { text, .. } if says(connection, target, text)? => {
            Ok(Verdict::Repeated { seq: target, time, same: true })
        }
        Entry::Reacted { emoji, on, .. } => {
            judge_reaction(connection, (target, time), by, emoji, *on)
        }
        _ => Ok(Verdict::Taken),
    }
}

/// Whether a message has these words now.
fn says(connection: &Connection, target: Seq, text: &str) -> rusqlite::Result<bool> {
    let same = "SELECT 1 FROM log WHERE seq = ? AND text = ?";
    connection.prepare_cached(same)?.exists(params![signed(target.0), text])
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

/// A reaction that is there already, or that was not there to be taken off, changes nothing: it is
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
            refuse_reaction(connection, target, by, emoji)?.map_or(Verdict::Taken, Verdict::Refused)
        }
    })
}

/// Why one more reaction cannot be put on a message, if it cannot.
fn refuse_reaction(
    connection: &Connection,
    target: Seq,
    by: &Author,
    emoji: &Emoji,
) -> rusqlite::Result<Option<Refusal>> {
    let counts = format!(
        "SELECT count(*), count(DISTINCT {BARE}), coalesce(sum({BARE} = ?2), 0),
             coalesce(sum(account IS ?3 AND (?3 IS NOT NULL OR name = ?4)), 0)
         FROM reaction WHERE target = ?1"
    );
    let [all, kinds, same, own] =
        connection.prepare_cached(&counts)?.query_row(reaction_key(target, by, emoji), |row| {
            let count = |index| row.get::<_, i64>(index).map(|count| unsigned(count) as usize);
            Ok([count(0)?, count(1)?, count(2)?, count(3)?])
        })?;
    let new_kind = same == 0 && kinds >= REACTION_KINDS_MAX;
    Ok(match () {
        () if new_kind || own >= REACTIONS_PER_PERSON_MAX => Some(Refusal::TooManyReactions),
        () if all >= REACTIONS_MAX => Some(Refusal::Full),
        () => None,
    })
}

/// A reaction in the table without variation selectors: the first versions have kept any spelling.
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
        Entry::Said { room, calls, .. } => mention(connection, *room, seq, calls),
        Entry::Edited { room, target, text, calls, .. } => {
            rewrite(connection, seq, *target, Some((text, time, calls)))?;
            mention(connection, *room, *target, calls)
        }
        Entry::Deleted { target, .. } => {
            rewrite(connection, seq, *target, None)?;
            drop_reactions(connection, *target)
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

/// A message that is deleted bears no reactions.
pub(super) fn drop_reactions(connection: &Connection, target: Seq) -> rusqlite::Result<()> {
    let reactions = "DELETE FROM reaction WHERE target = ?";
    connection.prepare_cached(reactions)?.execute([signed(target.0)]).map(|_| ())
}

/// An entry gives a message other words, since when, or none any more: in the log and in the index.
/// Nobody is called by it then.
fn rewrite(
    connection: &Connection,
    by: Seq,
    target: Seq,
    words: Option<(&str, Time, &[AccountId])>,
) -> rusqlite::Result<()> {
    let target = signed(target.0);
    let (said, calls): (Option<Box<str>>, Option<Box<str>>) = connection
        .prepare_cached("SELECT text, body FROM log WHERE seq = ?")?
        .query_row([target], |row| Ok((row.get(0)?, row.get(1)?)))?;
    forget(connection, Seq(unsigned(target)))?;
    if let Some(said) = &said {
        chain::words_go(connection, target, signed(by.0), (said, calls.as_deref()))?;
    }
    connection
        .prepare_cached(
            "UPDATE log SET text = ?2, edited = ?3, deleted = ?2 IS NULL,
                 said_hash = coalesce(said_hash, ?4), body = ?5 WHERE seq = ?1",
        )?
        .execute(params![
            target,
            words.map(|(text, ..)| text),
            words.map(|(_, time, _)| time.0),
            said.map(|said| crypto::hash(&said)),
            words.and_then(|(.., calls)| entries::calls_body(calls)),
        ])?;
    if words.is_some() {
        index::put(connection, target)?;
    }
    Ok(())
}

/// Takes a message out of what is made from its words, while the log still has them.
pub(super) fn forget(connection: &Connection, target: Seq) -> rusqlite::Result<()> {
    let target = signed(target.0);
    index::take_out(connection, target)?;
    connection.prepare_cached("DELETE FROM mention WHERE seq = ?")?.execute([target])?;
    Ok(())
}

/// Notes who is called by a message.
pub(super) fn mention(
    connection: &Connection,
    room: RoomId,
    seq: Seq,
    calls: &[AccountId],
) -> rusqlite::Result<()> {
    for account in calls {
        connection
            .prepare_cached("INSERT OR IGNORE INTO mention (account, room, seq) VALUES (?, ?, ?)")?
            .execute([signed(account.0), signed(room.0), signed(seq.0)])?;
    }
    Ok(())
}
