//! Deleted rooms in the tables beside the log: which can be brought back, and what goes with those
//! that cannot. The same fold as the core's (`chat/deleted.rs`). Called by
//! [`tables`](super::tables).

use rusqlite::{Connection, OptionalExtension, params};

use crate::chat::{AccountId, LOBBY, RoomId, Seq, Title};
use crate::store::entries::{signed, unsigned};
use crate::store::invitations;
use crate::store::tables::lose;
use crate::time::Time;

/// Deletes a room; never the lobby or a direct room. A room that cannot be brought back loses its
/// members and the hash of its password, which have no use any more.
pub(super) fn gone(
    connection: &Connection,
    (seq, time): (Seq, Time),
    room: RoomId,
    recoverable: bool,
) -> rusqlite::Result<()> {
    let gone = connection
        .prepare_cached(
            "UPDATE room SET gone = ?1, kept = (
                 SELECT ?2 FROM account
                 WHERE ?3 AND account.id = room.owner AND account.gone IS NULL)
             WHERE id = ?4 AND id <> ?5 AND gone IS NULL AND between_a IS NULL",
        )?
        .execute(params![time.0, signed(seq.0), recoverable, signed(room.0), signed(LOBBY.0)])?;
    if gone > 0 {
        invitations::end_of_room(connection, room)?;
        lose(connection, seq, room, None)?;
        wipe(connection, "id = ? AND gone IS NOT NULL AND kept IS NULL", signed(room.0))?;
    }
    Ok(())
}

/// Brings a deleted room back under a free title; its members belong to it from now on. Returns its
/// owner.
pub(super) fn returned(
    connection: &Connection,
    (seq, time): (Seq, Time),
    room: RoomId,
    title: &Title,
) -> rusqlite::Result<Option<AccountId>> {
    // OR IGNORE: if another room has the title, this room stays deleted.
    let owner = connection
        .prepare_cached(
            "UPDATE OR IGNORE room
             SET gone = NULL, kept = NULL, title = ?1, folded = ?2, updated = ?3
             WHERE id = ?4 AND kept IS NOT NULL RETURNING owner",
        )?
        .query_row(params![title.as_str(), title.lowered(), time.0, signed(room.0)], |row| {
            row.get::<_, Option<i64>>(0)
        });
    let Some(owner) = owner.optional()? else { return Ok(None) };
    connection
        .prepare_cached("UPDATE member SET since = ? WHERE room = ?")?
        .execute([signed(seq.0), signed(room.0)])?;
    Ok(owner.map(|owner| AccountId(unsigned(owner))))
}

/// Deletes a room for good.
pub(super) fn purge(connection: &Connection, room: RoomId) -> rusqlite::Result<()> {
    wipe(connection, "id = ? AND kept IS NOT NULL", signed(room.0))
}

/// Deletes for good the rooms that a guest, now gone, had deleted.
pub(super) fn purge_all_of(connection: &Connection, owner: AccountId) -> rusqlite::Result<()> {
    wipe(connection, "owner = ? AND kept IS NOT NULL", signed(owner.0))
}

/// Removes the members, mutes, bans and the password hash of these deleted rooms.
fn wipe(connection: &Connection, which: &str, number: i64) -> rusqlite::Result<()> {
    let members = format!("DELETE FROM member WHERE room IN (SELECT id FROM room WHERE {which})");
    connection.prepare_cached(&members)?.execute([number])?;
    for table in ["muted", "room_ban"] {
        let rows = format!("DELETE FROM {table} WHERE room IN (SELECT id FROM room WHERE {which})");
        connection.prepare_cached(&rows)?.execute([number])?;
    }
    let room = format!("UPDATE room SET kept = NULL, password = NULL WHERE {which}");
    connection.prepare_cached(&room)?.execute([number])?;
    Ok(())
}
