//! The tables beside the log: what an entry changes in them.
//!
//! [`apply`] is the same fold as the core's own (`chat/apply.rs`), in SQL: an entry that does not
//! fit what came before it (a name that is taken, a room that is gone) changes nothing, and is no
//! error. A test holds the two against each other.

use rusqlite::{CachedStatement, Connection, params};

use crate::chat::{AccountId, Color, Entry, LOBBY, RoomFacts, RoomId, Seq, SessionId};
use crate::crypto::KeyHash;
use crate::store::entries::signed;
use crate::store::words;
use crate::time::Time;

/// Carries out one entry, in the caller's transaction. Whoever makes an account belongs to the
/// lobby, whoever makes a room to that; both have read all there is.
pub(super) fn apply(
    connection: &Connection,
    seq: Seq,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<()> {
    let sql = |sql: &str| connection.prepare_cached(sql);
    match entry {
        Entry::Said { .. }
        | Entry::Edited { .. }
        | Entry::Deleted { .. }
        | Entry::Reacted { .. } => words::apply(connection, seq, time, entry)?,
        Entry::AccountMade { account, name, key, color } => {
            let made = sql("INSERT INTO account (id, name, folded, key, color, created)
                 VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")?
            .execute(params![
                signed(account.0),
                name.as_str(),
                name.lowered(),
                key,
                color.as_ref().map(Color::as_str),
                time.0
            ])?;
            if made > 0 {
                enter(connection, seq, LOBBY, *account)?;
            }
        }
        Entry::AccountEnded { account } => account_ended(connection, time, *account)?,
        Entry::SessionBegun { session, account, key, remember, agent } => {
            let whose = (*session, *account);
            session_begun(connection, time, whose, key, *remember, agent)?;
        }
        Entry::SessionEnded { session } => {
            sql("DELETE FROM session WHERE id = ?")?.execute([signed(session.0)])?;
        }
        Entry::RoomMade { room, owner, facts } => {
            let made = room_made(connection, seq, time, (*room, *owner), facts)?;
            if let Some(owner) = owner.filter(|_| made) {
                enter(connection, seq, *room, owner)?;
            }
        }
        Entry::DirectMade { room, between } => {
            direct_made(connection, seq, time, *room, *between)?;
        }
        // A room for two is theirs for ever.
        Entry::MemberChanged { room, account, member } => {
            let open = "SELECT EXISTS (SELECT 1 FROM room
                 WHERE id = ? AND gone IS NULL AND between_a IS NULL)";
            let open = sql(open)?.query_row([signed(room.0)], |row| row.get(0))?;
            if open && *member {
                enter(connection, seq, *room, *account)?;
            } else if open {
                sql("DELETE FROM member WHERE room = ? AND account = ?")?
                    .execute([signed(room.0), signed(account.0)])?;
            }
        }
        Entry::RoomChanged { room, facts, generation } => {
            // OR IGNORE: a title that another room has leaves this one as it is.
            let mut update = sql("UPDATE OR IGNORE room SET title = ?, folded = ?,
                 description = ?, visibility = ?, password = ?, generation = ?, updated = ?
                 WHERE id = ? AND gone IS NULL AND between_a IS NULL")?;
            bind_facts(&mut update, facts)?;
            update.raw_bind_parameter(6, signed(*generation))?;
            update.raw_bind_parameter(7, time.0)?;
            update.raw_bind_parameter(8, signed(room.0))?;
            update.raw_execute()?;
        }
        // The hash of its password has no use any more; its members are those who have to be told.
        // The lobby does not go, nor does a room for two.
        Entry::RoomGone { room } => {
            sql("UPDATE room SET gone = ?, password = NULL
                 WHERE id = ? AND id <> ? AND gone IS NULL AND between_a IS NULL")?
            .execute(params![time.0, signed(room.0), signed(LOBBY.0)])?;
        }
    }
    Ok(())
}

/// An account that is there becomes a member, if it is none already.
fn enter(
    connection: &Connection,
    seq: Seq,
    room: RoomId,
    account: AccountId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO member (room, account, since, read)
             SELECT ?1, id, ?3, ?3 FROM account WHERE id = ?2 AND gone IS NULL
             ON CONFLICT DO NOTHING",
        )?
        .execute([signed(room.0), signed(account.0), signed(seq.0)])?;
    Ok(())
}

/// The name is free again, the number used up, and what was theirs is nobody's.
fn account_ended(connection: &Connection, time: Time, account: AccountId) -> rusqlite::Result<()> {
    let id = signed(account.0);
    let end = "UPDATE account SET gone = ?, key = NULL WHERE id = ? AND gone IS NULL";
    if connection.prepare_cached(end)?.execute([time.0, id])? > 0 {
        connection.prepare_cached("DELETE FROM session WHERE account = ?")?.execute([id])?;
        connection.prepare_cached("DELETE FROM member WHERE account = ?")?.execute([id])?;
        connection.prepare_cached("UPDATE room SET owner = NULL WHERE owner = ?")?.execute([id])?;
    }
    Ok(())
}

fn session_begun(
    connection: &Connection,
    time: Time,
    (session, account): (SessionId, AccountId),
    key: &KeyHash,
    remember: bool,
    agent: &str,
) -> rusqlite::Result<()> {
    // From a SELECT, so that an unknown account means no row, and not a violated foreign key.
    let begun = connection
        .prepare_cached(
            "INSERT INTO session (id, account, key, remember, agent, created, last_used)
             SELECT ?1, id, ?2, ?3, ?4, ?5, ?5 FROM account WHERE id = ?6 AND gone IS NULL
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![signed(session.0), key, remember, agent, time.0, signed(account.0)])?;
    if begun > 0 {
        connection
            .prepare_cached("UPDATE meta SET value = max(value, ?) WHERE key = 'last_session'")?
            .execute([signed(session.0)])?;
    }
    Ok(())
}

/// Whether there is such a room now.
fn room_made(
    connection: &Connection,
    seq: Seq,
    time: Time,
    (room, owner): (RoomId, Option<AccountId>),
    facts: &RoomFacts,
) -> rusqlite::Result<bool> {
    // As the core has it: a number is never used twice, not even that of a room that is gone.
    let mut insert = connection.prepare_cached(
        "INSERT INTO room (title, folded, description, visibility, password,
             id, owner, generation, created, updated, since)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?8, ?9
         WHERE ?6 > (SELECT coalesce(max(id), 0) FROM room)
         ON CONFLICT DO NOTHING",
    )?;
    bind_facts(&mut insert, facts)?;
    insert.raw_bind_parameter(6, signed(room.0))?;
    insert.raw_bind_parameter(7, owner.map(|account| signed(account.0)))?;
    insert.raw_bind_parameter(8, time.0)?;
    insert.raw_bind_parameter(9, signed(seq.0))?;
    Ok(insert.raw_execute()? > 0)
}

/// A room for two that are there, and two, and have none yet. What a room has that one for two does
/// not need is filled with what [`RoomFacts::of_direct`] says.
fn direct_made(
    connection: &Connection,
    seq: Seq,
    time: Time,
    room: RoomId,
    [a, b]: [AccountId; 2],
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO room (title, folded, description, visibility, password,
             id, generation, created, updated, since, between_a, between_b)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?8, ?9, ?10
         WHERE ?6 > (SELECT coalesce(max(id), 0) FROM room) AND ?9 <> ?10
             AND (SELECT count(*) FROM account WHERE id IN (?9, ?10) AND gone IS NULL) = 2
         ON CONFLICT DO NOTHING",
    )?;
    bind_facts(&mut insert, &RoomFacts::of_direct(room))?;
    insert.raw_bind_parameter(6, signed(room.0))?;
    insert.raw_bind_parameter(7, time.0)?;
    insert.raw_bind_parameter(8, signed(seq.0))?;
    insert.raw_bind_parameter(9, signed(a.0))?;
    insert.raw_bind_parameter(10, signed(b.0))?;
    if insert.raw_execute()? > 0 {
        enter(connection, seq, room, a)?;
        enter(connection, seq, room, b)?;
    }
    Ok(())
}

/// Parameters 1 to 5: title, folded title, description, visibility, password.
fn bind_facts(statement: &mut CachedStatement<'_>, facts: &RoomFacts) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, facts.title.as_str())?;
    statement.raw_bind_parameter(2, facts.title.lowered())?;
    statement.raw_bind_parameter(3, facts.description.as_str())?;
    statement.raw_bind_parameter(4, facts.visibility.as_str())?;
    statement.raw_bind_parameter(5, facts.password.as_deref())
}

/// A session was used; one that has ended stays ended.
pub(super) fn touch(
    connection: &Connection,
    session: SessionId,
    last_used: Time,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE session SET last_used = max(last_used, ?) WHERE id = ?")?
        .execute(params![last_used.0, signed(session.0)])?;
    Ok(())
}

/// A member has read so far; only forward, and only while they are one.
pub(super) fn mark(
    connection: &Connection,
    room: RoomId,
    account: AccountId,
    seq: Seq,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE member SET read = ?1 WHERE room = ?2 AND account = ?3 AND read < ?1",
        )?
        .execute([signed(seq.0), signed(room.0), signed(account.0)])?;
    Ok(())
}
