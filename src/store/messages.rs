//! What entries do to messages: a message is sent again, edited, deleted, or gets a reaction. An
//! entry of these kinds is checked *before* it is logged, because only the log has the messages.
//!
//! # Who may delete a message
//!
//! Its author, and whoever is in charge of its room ([`check`]). Only the log knows the author; the
//! core has checked before that the account is a member of the room, and says `as_owner` if the
//! account is in charge there (`chat/core/messages.rs`); the log asks again. Only the author may
//! edit.
//!
//! A deed of somebody in charge (`Entry::Deed`) is refused unless the account has the role here,
//! where the log has come to; and so is what an author says who is muted here: see `moderation`.
//!
//! # Deleted texts
//!
//! A deleted message loses its text in the log, in the index and in `mention`; the entries that
//! edited it never had a text. `secure_delete` makes SQLite overwrite the bytes. The write-ahead
//! log keeps them until it is moved into the file and overwritten (at every stop, and after some
//! thousand pages); backups keep them as long as they exist. A hash of the first text stays, to
//! tell a repeated send from another message with the same client id.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::chat::{AccountId, Author, ClientId, Emoji, Entry, Field, Refusal, RoomId, Seq};
use crate::crypto::{self, KeyHash};
use crate::limits::{REACTION_KINDS_MAX, REACTIONS_MAX, REACTIONS_PER_PERSON_MAX};
use crate::store::entries::{self, aim, signed, unsigned};
use crate::store::{chain, index, moderation};
use crate::time::Time;

/// What the log answers to an entry.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Outcome {
    /// To be logged. (It may still change nothing.)
    Accepted,
    /// Already in the log.
    Repeated { seq: Seq, time: Time, same: bool },
    /// Not to be logged.
    Refused(Refusal),
}

/// Checks an entry against the log, in the caller's transaction.
pub(super) fn check(
    connection: &Connection,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<Outcome> {
    if let Entry::Deed { by, act, .. } = entry {
        return match by {
            Some(by) if !moderation::may(connection, *by, entry)? => {
                Ok(Outcome::Refused(Refusal::Forbidden))
            }
            _ => check(connection, time, act),
        };
    }
    if let Entry::Said { room, author: by, .. }
    | Entry::Edited { room, by, .. }
    | Entry::Reacted { room, by, .. } = entry
        && let Some(refusal) = moderation::silenced(connection, time, *room, by)?
    {
        return Ok(Outcome::Refused(refusal));
    }
    if let Entry::Said { room, author, text, client_id, reply_to, .. } = entry {
        // A repeated send is accepted even if the message that it answers is gone since.
        if let Some((account, id)) = author.account.zip(client_id.as_ref())
            && let Some(found) = sent_before(connection, (account, id), *room, text, *reply_to)?
        {
            return Ok(found);
        }
        return match reply_to {
            // A deleted message can still be answered.
            Some(answered) if find(connection, *room, *answered)?.is_none() => {
                Ok(Outcome::Refused(Refusal::Malformed(Field::ReplyTo)))
            }
            _ => Ok(Outcome::Accepted),
        };
    }
    if let Entry::MemberChanged { with: Some(message), .. } = entry {
        return Ok(match check(connection, time, message)? {
            Outcome::Accepted => Outcome::Accepted,
            Outcome::Repeated { .. } | Outcome::Refused(_) => {
                Outcome::Refused(Refusal::Malformed(Field::Whole)) // Nobody waits for it.
            }
        });
    }
    let Some((room, target, by)) = aim(entry) else { return Ok(Outcome::Accepted) };
    let Some((author, said, deleted)) = find(connection, room, target)? else {
        return Ok(Outcome::Refused(Refusal::MessageNotFound));
    };
    let own = author.is_some() && author == by.account;
    match entry {
        Entry::Deleted { as_owner, .. }
            if !(own || *as_owner && in_charge(connection, room, by)?) =>
        {
            Ok(Outcome::Refused(Refusal::Forbidden))
        }
        Entry::Deleted { .. } if deleted => deleted_before(connection, target),
        _ if deleted => Ok(Outcome::Refused(Refusal::MessageNotFound)),
        Entry::Edited { .. } if !own => Ok(Outcome::Refused(Refusal::Forbidden)),
        // An edit that changes nothing is not logged.
        Entry::Edited { text, .. } if has_text(connection, target, text)? => {
            Ok(Outcome::Repeated { seq: target, time: said, same: true })
        }
        Entry::Reacted { emoji, on, .. } => {
            check_reaction(connection, (target, said), by, emoji, *on)
        }
        _ => Ok(Outcome::Accepted),
    }
}

/// Whether an account may delete the messages of others in a room.
fn in_charge(connection: &Connection, room: RoomId, by: &Author) -> rusqlite::Result<bool> {
    match by.account {
        Some(account) => moderation::moderates(connection, room, account),
        None => Ok(false),
    }
}

/// Whether a message has this text now.
fn has_text(connection: &Connection, target: Seq, text: &str) -> rusqlite::Result<bool> {
    let same = "SELECT 1 FROM log WHERE seq = ? AND text = ?";
    connection.prepare_cached(same)?.exists(params![signed(target.0), text])
}

/// What the author has sent with this client id before: the same message, or another. A message
/// that retention has removed since still counts (see `retention`).
fn sent_before(
    connection: &Connection,
    (account, id): (AccountId, &ClientId),
    room: RoomId,
    text: &str,
    reply_to: Option<Seq>,
) -> rusqlite::Result<Option<Outcome>> {
    let outcome = |row: &Row<'_>| {
        let first: Option<KeyHash> = row.get("said_hash")?;
        let same_text = match first {
            Some(first) => first == crypto::hash(text),
            None => row.get_ref("text")?.as_str_or_null()? == Some(text),
        };
        let same_place = row.get::<_, i64>("room")? == signed(room.0);
        let answered = row.get::<_, Option<i64>>("reply_to")?;
        let same = same_text && same_place && answered == reply_to.map(|seq| signed(seq.0));
        let (seq, time) = (Seq(unsigned(row.get("seq")?)), Time(row.get("time")?));
        Ok(Outcome::Repeated { seq, time, same })
    };
    let there = "SELECT seq, time, room, text, reply_to, said_hash FROM log
         WHERE account = ? AND client_id = ?";
    let gone = "SELECT seq, time, room, NULL AS text, reply_to, hash AS said_hash FROM spent
         WHERE account = ? AND client_id = ?";
    for sql in [there, gone] {
        let key = params![signed(account.0), id.as_str()];
        let found = connection.prepare_cached(sql)?.query_row(key, outcome).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Deleting is idempotent: the answer names the entry that deleted the message.
fn deleted_before(connection: &Connection, target: Seq) -> rusqlite::Result<Outcome> {
    let by = connection
        .prepare_cached("SELECT seq, time FROM log WHERE target = ? AND kind = 'deleted'")?
        .query_row([signed(target.0)], |row| {
            let (seq, time) = (Seq(unsigned(row.get(0)?)), Time(row.get(1)?));
            Ok(Outcome::Repeated { seq, time, same: true })
        });
    // Retention has removed that entry already, and removes the message next.
    Ok(by.optional()?.unwrap_or(Outcome::Refused(Refusal::MessageNotFound)))
}

/// The account that wrote a message of a room, when, and whether it is deleted.
fn find(
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

/// A reaction that is already there, or one to remove that is not there, changes nothing. The
/// answer is that of a repeated send: it names the entry that put the reaction there or, if there
/// is none, the message.
fn check_reaction(
    connection: &Connection,
    (target, said): (Seq, Time),
    by: &Author,
    emoji: &Emoji,
    on: bool,
) -> rusqlite::Result<Outcome> {
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
        (Some((seq, time)), true) => Outcome::Repeated { seq, time, same: true },
        (None, false) => Outcome::Repeated { seq: target, time: said, same: true },
        (Some(_), false) => Outcome::Accepted,
        (None, true) => refuse_reaction(connection, target, by, emoji)?
            .map_or(Outcome::Accepted, Outcome::Refused),
    })
}

/// Why a message cannot bear one more reaction; `None` if it can.
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

/// A stored emoji without variation selectors: the first versions stored any spelling.
const BARE: &str = "replace(replace(emoji, char(65038), ''), char(65039), '')";

fn reaction_key<'a>(
    target: Seq,
    by: &'a Author,
    emoji: &Emoji,
) -> (i64, String, Option<i64>, &'a str) {
    let account = by.account.map(|account| signed(account.0));
    (signed(target.0), emoji.bare(), account, by.name.as_str())
}

/// Carries out an entry that was [`Outcome::Accepted`], as far as it concerns messages.
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

/// A deleted message has no reactions.
pub(super) fn drop_reactions(connection: &Connection, target: Seq) -> rusqlite::Result<()> {
    let reactions = "DELETE FROM reaction WHERE target = ?";
    connection.prepare_cached(reactions)?.execute([signed(target.0)]).map(|_| ())
}

/// Replaces a message's text, or removes it (`None`), in the log and in the index. Also removes its
/// mentions.
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

/// Removes a message from the index and from `mention`, while the log still has its text.
pub(super) fn forget(connection: &Connection, target: Seq) -> rusqlite::Result<()> {
    let target = signed(target.0);
    index::take_out(connection, target)?;
    connection.prepare_cached("DELETE FROM mention WHERE seq = ?")?.execute([target])?;
    Ok(())
}

/// Stores whom a message mentions.
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
