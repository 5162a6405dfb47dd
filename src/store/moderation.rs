//! Order in rooms, in the tables beside the log: the same fold as `chat/core/moderation.rs`, in
//! SQL; and what the log asks before it takes an entry: whether somebody in charge has the role
//! here, where the log has come to, and whether an author may speak.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::chat::{AccountId, Author, Entry, LOBBY, Needs, Refusal, Role, RoomId, Rules, Seq};
use crate::store::Reader;
use crate::store::entries::{self, signed, unsigned};
use crate::time::Time;

/// Whether an account has the role that its deed needs.
pub(super) fn may(connection: &Connection, by: AccountId, entry: &Entry) -> rusqlite::Result<bool> {
    let role = role_of(connection, by)?;
    let (room, owner_only) = match entry.needs() {
        Needs::Role(least) => return Ok(role >= Some(least)),
        Needs::Owner(room) => (room, true),
        Needs::Moderator(room) => (room, false),
    };
    if role >= Some(Role::Administrator) {
        return Ok(true);
    }
    let (owner, moderator) = ranks(connection, room, by)?;
    let slow_only = match entry.act() {
        Entry::RulesChanged { rules, .. } => {
            let same = "SELECT 1 FROM room WHERE id = ? AND read_only = ? AND locked = ?";
            let rules = params![signed(room.0), rules.read_only, rules.locked];
            connection.prepare_cached(same)?.exists(rules)?
        }
        _ => true,
    };
    Ok(owner || (moderator && !owner_only && slow_only))
}

/// Whether an account may do in a room what its moderators may.
pub(super) fn moderates(
    connection: &Connection,
    room: RoomId,
    by: AccountId,
) -> rusqlite::Result<bool> {
    let (owner, moderator) = ranks(connection, room, by)?;
    Ok(owner || moderator || role_of(connection, by)? >= Some(Role::Administrator))
}

/// Whether an account owns a room, and whether it is a moderator there.
fn ranks(connection: &Connection, room: RoomId, by: AccountId) -> rusqlite::Result<(bool, bool)> {
    let ranks = "SELECT owner IS ?2, EXISTS (SELECT 1 FROM member
             WHERE room = ?1 AND account = ?2 AND moderator = 1)
         FROM room WHERE id = ?1 AND gone IS NULL AND between_a IS NULL";
    let ranks = connection
        .prepare_cached(ranks)?
        .query_row([signed(room.0), signed(by.0)], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(ranks.optional()?.unwrap_or_default())
}

/// The role of an account on the server.
pub(super) fn role_of(
    connection: &Connection,
    account: AccountId,
) -> rusqlite::Result<Option<Role>> {
    connection
        .prepare_cached("SELECT role FROM account WHERE id = ? AND gone IS NULL")?
        .query_row([signed(account.0)], |row| entries::optional_text(row, "role", Role::parse))
        .optional()
        .map(Option::flatten)
}

/// Why somebody may not speak in a room now; `None`: may. Nearly always the two indexes are empty,
/// and that is all.
pub(super) fn silenced(
    connection: &Connection,
    time: Time,
    room: RoomId,
    author: &Author,
) -> rusqlite::Result<Option<Refusal>> {
    let account = author.account.map(|account| signed(account.0));
    let mute = "SELECT room, until FROM muted WHERE account = ?1 AND room IN (0, ?2) AND until > ?3
         ORDER BY room LIMIT 1";
    let mute = match account {
        Some(account) => connection
            .prepare_cached(mute)?
            .query_row([account, signed(room.0), time.0], |row| {
                Ok((row.get::<_, i64>(0)? == 0, Time(row.get(1)?)))
            })
            .optional()?,
        None => None,
    };
    let refusal = match mute {
        Some((everywhere, until)) => Refusal::Muted { until, everywhere },
        None => {
            let read_only = "SELECT 1 FROM room INDEXED BY room_read_only
                 WHERE id = ? AND read_only = 1";
            if !connection.prepare_cached(read_only)?.exists([signed(room.0)])? {
                return Ok(None);
            }
            Refusal::ReadOnly
        }
    };
    let exempt = match (author.account, refusal) {
        (None, _) => false,
        // A mute on the whole server holds in one's own rooms, too.
        (Some(account), Refusal::Muted { everywhere: true, .. }) => {
            role_of(connection, account)?.is_some()
        }
        (Some(account), _) => moderates(connection, room, account)?,
    };
    Ok(Some(refusal).filter(|_| !exempt))
}

/// Applies an entry about order in rooms. Any other entry changes nothing.
pub(super) fn apply(connection: &Connection, time: Time, entry: &Entry) -> rusqlite::Result<()> {
    let sql = |sql: &str| connection.prepare_cached(sql);
    // A room that is there, and is not for two.
    const OPEN: &str = "SELECT 1 FROM room WHERE id = ?1 AND gone IS NULL AND between_a IS NULL";
    const THERE: &str = "SELECT 1 FROM account WHERE id = ?2 AND gone IS NULL";
    match entry {
        Entry::ModeratorChanged { room, account, on } => {
            let change = format!(
                "UPDATE member SET moderator = ?3 WHERE room = ?1 AND account = ?2
                     AND EXISTS ({OPEN}) AND (?3 = 0 OR EXISTS ({THERE} AND key IS NOT NULL))"
            );
            sql(&change)?.execute(params![signed(room.0), signed(account.0), on])?;
        }
        Entry::Muted { room, account, until } => {
            let number = room.map_or(0, |room| signed(room.0));
            let row = params![number, signed(account.0), until.0];
            let mute = format!(
                "INSERT OR REPLACE INTO muted (room, account, until)
                 SELECT ?1, ?2, ?3 WHERE (?1 = 0 OR EXISTS ({OPEN})) AND EXISTS ({THERE})"
            );
            if sql(&mute)?.execute(row)? > 0 {
                let over = "DELETE FROM muted WHERE room = ? AND until <= ?";
                sql(over)?.execute([number, time.0])?;
            }
        }
        Entry::RoomBanChanged { room, account, on: true } => {
            let ban = format!(
                "INSERT OR IGNORE INTO room_ban (room, account) SELECT ?1, ?2
                 WHERE EXISTS ({OPEN} AND owner IS NOT ?2) AND EXISTS ({THERE})"
            );
            sql(&ban)?.execute([signed(room.0), signed(account.0)])?;
        }
        Entry::RoomBanChanged { room, account, on: false } => {
            let lift = format!(
                "DELETE FROM room_ban WHERE room = ?1 AND account = ?2
                     AND EXISTS ({OPEN}) AND EXISTS ({THERE})"
            );
            sql(&lift)?.execute([signed(room.0), signed(account.0)])?;
        }
        Entry::RulesChanged { room, rules } => {
            let Rules { slow_secs, read_only, locked } = rules;
            let change = "UPDATE room SET slow = ?2, read_only = ?3, locked = ?4, updated = ?5
                 WHERE id = ?1 AND gone IS NULL AND between_a IS NULL";
            sql(change)?.execute(params![signed(room.0), slow_secs, read_only, locked, time.0])?;
        }
        Entry::OwnerChanged { room, owner } => {
            let change = format!(
                "UPDATE room SET owner = ?2, forsaken = 0, updated = ?3
                 WHERE id = ?1 AND id <> ?4 AND gone IS NULL AND between_a IS NULL
                     AND EXISTS (SELECT 1 FROM member WHERE room = ?1 AND account = ?2)
                     AND EXISTS ({THERE} AND key IS NOT NULL)"
            );
            let (lobby, owner) = (signed(LOBBY.0), signed(owner.0));
            sql(&change)?.execute([signed(room.0), owner, time.0, lobby])?;
        }
        Entry::MutesMoved { from, to } => {
            let pair = [signed(from.0), signed(to.0)];
            // Deleted rooms keep what they had.
            let both = format!(
                "?1 <> ?2 AND EXISTS ({THERE})
                 AND EXISTS (SELECT 1 FROM account WHERE id = ?1 AND gone IS NULL)"
            );
            let mutes = format!(
                "INSERT OR REPLACE INTO muted (room, account, until)
                 SELECT room, ?2, until FROM muted WHERE account = ?1 AND {both}
                     AND (room = 0 OR room IN (SELECT id FROM room WHERE gone IS NULL))"
            );
            sql(&mutes)?.execute(pair)?;
            let bans = format!(
                "INSERT OR IGNORE INTO room_ban (room, account)
                 SELECT room, ?2 FROM room_ban WHERE account = ?1 AND {both}
                     AND room IN (SELECT id FROM room WHERE gone IS NULL)"
            );
            sql(&bans)?.execute(pair)?;
        }
        _ => {}
    }
    Ok(())
}

/// An account is gone.
pub(super) fn forget(connection: &Connection, account: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM muted WHERE account = ?")?.execute([account])?;
    connection.prepare_cached("DELETE FROM room_ban WHERE account = ?")?.execute([account])?;
    Ok(())
}

/// Messages to delete.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Clearable {
    /// The last first.
    pub targets: Vec<(RoomId, Seq)>,
    /// The rest is before this entry; `None`: this is all.
    pub next: Option<Seq>,
}

impl Reader {
    /// The messages of an author since a time and before an entry, in one room or in all but those
    /// for two. Looks at `looks` entries, and finds at most `count` messages.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn clearable(
        &self,
        room: Option<RoomId>,
        author: &Author,
        (since, before): (Time, Seq),
        (looks, count): (usize, usize),
    ) -> rusqlite::Result<Clearable> {
        let inside = "SELECT seq, room, time, account, name, deleted, 'said' AS kind
             FROM log INDEXED BY log_said WHERE kind = 'said' AND room = ?3 AND seq < ?1
             ORDER BY seq DESC LIMIT ?2";
        let everywhere = "SELECT seq, room, time, account, name, deleted, kind
             FROM log WHERE seq < ?1 AND ?3 IS NULL ORDER BY seq DESC LIMIT ?2";
        let mut select = self.sql(if room.is_some() { inside } else { everywhere })?;
        let before = i64::try_from(before.0).unwrap_or(i64::MAX);
        let room = room.map(|room| signed(room.0));
        let mut rows = select.query(params![before, looks as i64, room])?;
        let (mut found, mut looked) = (Clearable::default(), 0);
        while let Some(row) = rows.next()? {
            let seq = Seq(unsigned(row.get("seq")?));
            looked += 1;
            let full = looked == looks || found.targets.len() == count;
            if Time(row.get("time")?) < since {
                return Ok(found);
            }
            if is_by(row, author)? {
                found.targets.push((RoomId(unsigned(row.get("room")?)), seq));
            }
            if full || found.targets.len() == count {
                found.next = Some(seq);
                return Ok(found);
            }
        }
        Ok(found)
    }
}

fn is_by(row: &Row<'_>, author: &Author) -> rusqlite::Result<bool> {
    if row.get_ref("kind")?.as_str()? != "said" || row.get("deleted")? {
        return Ok(false);
    }
    let by = entries::author(row)?;
    Ok(match author.account {
        Some(account) => by.account == Some(account),
        None => by.account.is_none() && by.name.folded() == author.name.folded(),
    })
}
