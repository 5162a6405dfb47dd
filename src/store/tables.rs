//! The tables beside the log: what an entry changes in them, and what a core starts from.
//!
//! [`apply`] is the same fold as the core's own (`chat/apply.rs`), in SQL: an entry that does not
//! fit what came before it (a name that is taken, a room that is gone) changes nothing, and is no
//! error. A test holds the two against each other.

use rusqlite::{CachedStatement, Connection, Row, params};

use crate::chat::{
    Account, AccountId, Description, Entry, LOBBY, Name, RoomFacts, RoomId, RoomRecord, Seq,
    Session, SessionId, Snapshot, Title, Visibility,
};
use crate::crypto::KeyHash;
use crate::store::entries::{signed, text, unsigned};
use crate::time::Time;

/// Carries out one entry, in the caller's transaction.
pub(super) fn apply(connection: &Connection, time: Time, entry: &Entry) -> rusqlite::Result<()> {
    let sql = |sql: &str| connection.prepare_cached(sql);
    match entry {
        // Messages are in the log, and nowhere else.
        Entry::Said { .. } => {}
        Entry::AccountEnded { .. }
        | Entry::DirectMade { .. }
        | Entry::MemberChanged { .. }
        | Entry::Edited { .. }
        | Entry::Deleted { .. }
        | Entry::Reacted { .. } => {}
        Entry::AccountMade { account, name, key, .. } => {
            sql("INSERT INTO account (id, name, folded, key, created) VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT DO NOTHING")?
            .execute(params![
                signed(account.0),
                name.as_str(),
                name.folded().as_str(),
                key,
                time.0
            ])?;
        }
        Entry::SessionBegun { session, account, key, .. } => {
            session_begun(connection, time, *session, *account, key)?;
        }
        Entry::SessionEnded { session } => {
            sql("DELETE FROM session WHERE id = ?")?.execute([signed(session.0)])?;
        }
        Entry::RoomMade { room, owner, facts } => {
            room_made(connection, time, *room, *owner, facts)?;
        }
        Entry::RoomChanged { room, facts, generation } => {
            // OR IGNORE: a title that another room has leaves this one as it is.
            let mut update =
                sql("UPDATE OR IGNORE room SET title = ?, folded = ?, description = ?,
                     visibility = ?, password = ?, generation = ?, updated = ?
                 WHERE id = ? AND gone IS NULL")?;
            bind_facts(&mut update, facts)?;
            update.raw_bind_parameter(6, signed(*generation))?;
            update.raw_bind_parameter(7, time.0)?;
            update.raw_bind_parameter(8, signed(room.0))?;
            update.raw_execute()?;
        }
        // The hash of its password has no use any more. The lobby does not go.
        Entry::RoomGone { room } => {
            sql("UPDATE room SET gone = ?, password = NULL
                 WHERE id = ? AND id <> ? AND gone IS NULL")?
            .execute(params![time.0, signed(room.0), signed(LOBBY.0)])?;
        }
    }
    Ok(())
}

fn session_begun(
    connection: &Connection,
    time: Time,
    session: SessionId,
    account: AccountId,
    key: &KeyHash,
) -> rusqlite::Result<()> {
    // From a SELECT, so that an unknown account means no row, and not a violated foreign key.
    let begun = connection
        .prepare_cached(
            "INSERT INTO session (id, account, key, last_used)
             SELECT ?, id, ?, ? FROM account WHERE id = ?
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![signed(session.0), key, time.0, signed(account.0)])?;
    if begun > 0 {
        connection
            .prepare_cached("UPDATE meta SET value = max(value, ?) WHERE key = 'last_session'")?
            .execute([signed(session.0)])?;
    }
    Ok(())
}

fn room_made(
    connection: &Connection,
    time: Time,
    room: RoomId,
    owner: Option<AccountId>,
    facts: &RoomFacts,
) -> rusqlite::Result<()> {
    // As the core has it: a number is never used twice, not even that of a room that is gone.
    let mut insert = connection.prepare_cached(
        "INSERT INTO room (title, folded, description, visibility, password,
             id, owner, generation, created, updated)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?8
         WHERE ?6 > (SELECT coalesce(max(id), 0) FROM room)
         ON CONFLICT DO NOTHING",
    )?;
    bind_facts(&mut insert, facts)?;
    insert.raw_bind_parameter(6, signed(room.0))?;
    insert.raw_bind_parameter(7, owner.map(|account| signed(account.0)))?;
    insert.raw_bind_parameter(8, time.0)?;
    insert.raw_execute()?;
    Ok(())
}

/// Parameters 1 to 5: title, folded title, description, visibility, password.
fn bind_facts(statement: &mut CachedStatement<'_>, facts: &RoomFacts) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, facts.title.as_str())?;
    statement.raw_bind_parameter(2, facts.title.folded().as_str())?;
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

/// Everything that lasts, each list by number.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Snapshot> {
    let last_room = "SELECT ifnull(max(id), 0) FROM room";
    let last_session = "SELECT value FROM meta WHERE key = 'last_session'";
    let number = |sql| connection.query_row(sql, [], |row| row.get(0)).map(unsigned);
    Ok(Snapshot {
        accounts: rows(
            connection,
            "SELECT id, name, key, created FROM account ORDER BY id",
            account,
        )?,
        sessions: rows(
            connection,
            "SELECT id, account, key, last_used FROM session ORDER BY id",
            session,
        )?,
        rooms: rows(connection, "SELECT * FROM room WHERE gone IS NULL ORDER BY id", room)?,
        last_account: number("SELECT ifnull(max(id), 0) FROM account")?,
        last_room: number(last_room)?,
        last_session: number(last_session)?,
    })
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], read)?.collect()
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: AccountId(unsigned(row.get("id")?)),
        name: text(row, "name", Name::new)?,
        key: Some(row.get("key")?),
        color: None,
        created: Time(row.get("created")?),
    })
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId(unsigned(row.get("id")?)),
        account: AccountId(unsigned(row.get("account")?)),
        key: row.get("key")?,
        remember: false,
        agent: "".into(),
        created: Time(0),
        last_used: Time(row.get("last_used")?),
    })
}

fn room(row: &Row<'_>) -> rusqlite::Result<RoomRecord> {
    let facts = RoomFacts {
        title: text(row, "title", Title::new)?,
        description: text(row, "description", Description::new)?,
        visibility: text(row, "visibility", Visibility::parse)?,
        password: row.get("password")?,
    };
    Ok(RoomRecord {
        id: RoomId(unsigned(row.get("id")?)),
        owner: row.get::<_, Option<i64>>("owner")?.map(|id| AccountId(unsigned(id))),
        facts,
        generation: unsigned(row.get("generation")?),
        created: Time(row.get("created")?),
        updated: Time(row.get("updated")?),
        between: None,
        members: Vec::new(),
        last: Seq(0),
    })
}
