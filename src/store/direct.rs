//! Direct rooms in the tables beside the log: the same fold as `chat/direct.rs`, in SQL.

use rusqlite::{Connection, params};

use crate::chat::{AccountId, RoomId, RoomSettings, Seq};
use crate::store::Reader;
use crate::store::entries::signed;
use crate::store::tables::{bind_settings, enter};
use crate::time::Time;

/// Makes a direct room, if both accounts exist, differ and share none yet. Columns that a direct
/// room does not need get the values of [`RoomSettings::of_direct`].
pub(super) fn made(
    connection: &Connection,
    (seq, time): (Seq, Time),
    room: RoomId,
    [a, b]: [AccountId; 2],
    both: bool,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO room (title, folded, description, visibility, password,
             id, generation, created, updated, since, between_a, between_b)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?8, ?9, ?10
         WHERE iif(?6 < ?11, ?6 > (SELECT coalesce(max(id), 0) FROM room WHERE id < ?11),
                 NOT EXISTS (SELECT 1 FROM room WHERE link = ?6))
             AND ?9 <> ?10
             AND (SELECT count(*) FROM account WHERE id IN (?9, ?10) AND gone IS NULL) = 2
         ON CONFLICT DO NOTHING",
    )?;
    bind_settings(&mut insert, &RoomSettings::of_direct(room))?;
    insert.raw_bind_parameter(6, signed(room.0))?;
    insert.raw_bind_parameter(7, time.0)?;
    insert.raw_bind_parameter(8, signed(seq.0))?;
    insert.raw_bind_parameter(9, signed(a.0))?;
    insert.raw_bind_parameter(10, signed(b.0))?;
    insert.raw_bind_parameter(11, signed(RoomId::DRAWN_MIN))?;
    if insert.raw_execute()? > 0 {
        enter(connection, seq, room, a)?;
        if both {
            enter(connection, seq, room, b)?;
        }
    }
    Ok(())
}

/// Ends a direct room that both members have left. (Any other room stays.)
pub(super) fn end_if_left(
    connection: &Connection,
    time: Time,
    room: RoomId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE room SET gone = ?1 WHERE id = ?2 AND between_a IS NOT NULL AND gone IS NULL
                 AND NOT EXISTS (SELECT 1 FROM member WHERE room = ?2)",
        )?
        .execute([time.0, signed(room.0)])?;
    Ok(())
}

/// Ends the direct rooms of a guest that has ended. The other account, if it is still a member, is
/// told.
pub(super) fn end_all(
    connection: &Connection,
    (seq, time): (Seq, Time),
    account: AccountId,
) -> rusqlite::Result<()> {
    let theirs = "SELECT id FROM room WHERE between_a = ?2 AND between_a IS NOT NULL
             AND gone IS NULL
         UNION ALL SELECT id FROM room WHERE between_b = ?2 AND between_b IS NOT NULL
             AND gone IS NULL";
    let lost = format!(
        "INSERT OR IGNORE INTO lost (account, seq, room)
         SELECT account, ?1, room FROM member WHERE account <> ?2 AND room IN ({theirs})"
    );
    let id = signed(account.0);
    connection.prepare_cached(&lost)?.execute([signed(seq.0), id])?;
    let members = format!("DELETE FROM member WHERE ?1 IS NOT NULL AND room IN ({theirs})");
    connection.prepare_cached(&members)?.execute([time.0, id])?;
    let gone = format!("UPDATE room SET gone = ?1 WHERE id IN ({theirs})");
    connection.prepare_cached(&gone)?.execute(params![time.0, id])?;
    Ok(())
}

impl Reader {
    /// Whether a room is a direct room.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_for_two(&self, room: RoomId) -> rusqlite::Result<bool> {
        let two = "SELECT 1 FROM room WHERE id = ? AND between_a IS NOT NULL";
        self.sql(two)?.exists([signed(room.0)])
    }
}
