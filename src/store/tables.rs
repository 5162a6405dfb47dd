//! The tables beside the log: what an entry changes in them.
//!
//! [`apply`] is the same fold as the core's own (`chat/apply.rs`), in SQL: an entry that does not
//! fit the state before it (a name that is taken, a room that is gone) changes nothing, and is no
//! error. A test compares the two.

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::chat::{
    AccountId, Color, Entry, LOBBY, Role, RoomId, RoomSettings, Seq, SessionId, Visibility,
};
use crate::crypto::KeyHash;
use crate::store::entries::signed;
use crate::store::{deleted, direct, invitations, messages, moderation};
use crate::time::Time;

/// Carries out one entry, in the caller's transaction. A new account joins the lobby, the owner of
/// a new room joins that room; both start with everything read.
pub(super) fn apply(
    connection: &Connection,
    seq: Seq,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<()> {
    let sql = |sql: &str| connection.prepare_cached(sql);
    if let Entry::Invited { invitation, act } = entry {
        return invitations::came(connection, (seq, time), *invitation, act);
    }
    match entry.act() {
        entry @ (Entry::Said { .. }
        | Entry::Edited { .. }
        | Entry::Deleted { .. }
        | Entry::Reacted { .. }) => messages::apply(connection, seq, time, entry)?,
        Entry::AccountMade { .. } => {
            account_made(connection, (seq, time), entry.act())?;
        }
        Entry::AccountEnded { account } => account_ended(connection, (seq, time), *account)?,
        Entry::SessionBegun { session, account, key, remember, agent } => {
            let whose = (*session, *account);
            session_begun(connection, time, whose, key, *remember, agent)?;
        }
        Entry::SessionEnded { session } => {
            sql("DELETE FROM session WHERE id = ?")?.execute([signed(session.0)])?;
        }
        Entry::KeyChanged { account, key, but } => key_changed(connection, *account, key, *but)?,
        Entry::BlockChanged { account, blocked, on } => {
            block_changed(connection, *account, *blocked, *on)?;
        }
        Entry::RoleChanged { account, role } => {
            let change = "UPDATE account SET role = ?1 WHERE id = ?2 AND key IS NOT NULL
                AND (banned = 0 OR ?1 IS NULL)";
            let whose = params![role.map(Role::as_str), signed(account.0)];
            if sql(change)?.execute(whose)? > 0 {
                invitations::role_changed(connection, *account, role.is_none())?;
            }
        }
        Entry::InvitationMade { grant } => invitations::made(connection, (seq, time), grant)?,
        Entry::InvitationEnded { invitation } => invitations::ended(connection, *invitation)?,
        Entry::RecoveryMade { recovery } => {
            invitations::recovery_made(connection, time, recovery)?;
        }
        Entry::Recovered { account, key, code } => {
            if invitations::is_recovery(connection, time, *account, code)? {
                key_changed(connection, *account, key, None)?;
            }
        }
        Entry::PolicyChanged { policy } => {
            let rows = [
                ("registration", policy.registration.as_str()),
                ("guests", policy.guests.as_str()),
            ];
            for row in rows {
                sql("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)")?.execute(row)?;
            }
        }
        Entry::BanChanged { account, on } => ban_changed(connection, *account, *on)?,
        Entry::AddressBanned { banned } => {
            let row = params![banned.address.to_string(), banned.until.0];
            sql("INSERT OR REPLACE INTO banned (address, until) VALUES (?, ?)")?.execute(row)?;
            sql("DELETE FROM banned WHERE until <= ?")?.execute([time.0])?;
        }
        entry @ (Entry::ModeratorChanged { .. }
        | Entry::Muted { .. }
        | Entry::RoomBanChanged { .. }
        | Entry::RulesChanged { .. }
        | Entry::OwnerChanged { .. }
        | Entry::MutesMoved { .. }) => moderation::apply(connection, time, entry)?,
        // A deed is not about another; the deletions come by themselves.
        Entry::Deed { .. } | Entry::Cleared { .. } | Entry::Invited { .. } => {}
        Entry::RoomMade { room, owner, settings } => {
            let made = room_made(connection, seq, time, (*room, *owner), settings)?;
            if let Some(owner) = owner.filter(|_| made) {
                enter(connection, seq, *room, owner)?;
            }
        }
        Entry::DirectMade { room, between, both } => {
            direct::made(connection, (seq, time), *room, *between, *both)?;
        }
        // Only its two members can join a direct room.
        Entry::MemberChanged { room, account, member, expelled: _, with: _ } => {
            let open = "SELECT EXISTS (SELECT 1 FROM room
                 WHERE id = ?1 AND gone IS NULL
                     AND (between_a IS NULL OR ?2 IN (between_a, between_b)))";
            let whose = [signed(room.0), signed(account.0)];
            let open = sql(open)?.query_row(whose, |row| row.get(0))?;
            if open && *member {
                enter(connection, seq, *room, *account)?;
            } else if open {
                lose(connection, seq, *room, Some(*account))?;
                sql("DELETE FROM member WHERE room = ? AND account = ?")?.execute(whose)?;
                direct::end_if_left(connection, time, *room)?;
            }
        }
        Entry::RoomChanged { room, settings, password_generation, link, keep_members } => {
            let change = (settings, *password_generation, *link);
            room_changed(connection, (seq, time), *room, change, *keep_members)?;
        }
        Entry::RoomGone { room, recoverable } => {
            deleted::gone(connection, (seq, time), *room, *recoverable)?;
        }
        Entry::RoomReturned { room, title } => {
            if let Some(owner) = deleted::returned(connection, (seq, time), *room, title)? {
                enter(connection, seq, *room, owner)?;
            }
        }
        Entry::RoomPurged { room } => deleted::purge(connection, *room)?,
    }
    Ok(())
}

/// Makes an account. Returns whether it is new.
pub(super) fn account_made(
    connection: &Connection,
    (seq, time): (Seq, Time),
    entry: &Entry,
) -> rusqlite::Result<bool> {
    let Entry::AccountMade { account, name, key, color } = entry else { return Ok(false) };
    let made = connection
        .prepare_cached(
            "INSERT INTO account (id, name, folded, key, color, created)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )?
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
    Ok(made > 0)
}

/// Makes an existing account a member. Returns whether it was none before.
pub(super) fn enter(
    connection: &Connection,
    seq: Seq,
    room: RoomId,
    account: AccountId,
) -> rusqlite::Result<bool> {
    let entered = connection
        .prepare_cached(
            "INSERT INTO member (room, account, since, read, horizon)
             SELECT ?1, id, ?3, ?3, coalesce((
                 SELECT opened FROM room
                 WHERE room.id = ?1 AND visibility = 'public' AND owner IS NOT ?2), 0)
             FROM account WHERE id = ?2 AND gone IS NULL
             ON CONFLICT DO NOTHING",
        )?
        .execute([signed(room.0), signed(account.0), signed(seq.0)])?;
    Ok(entered > 0)
}

/// Records that an account (`None`: every member) loses its membership by this entry, so that its
/// streams learn of it.
pub(super) fn lose(
    connection: &Connection,
    seq: Seq,
    room: RoomId,
    account: Option<AccountId>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO lost (account, seq, room)
             SELECT account, ?1, room FROM member
             WHERE room = ?2 AND (?3 IS NULL OR account = ?3)",
        )?
        .execute(params![
            signed(seq.0),
            signed(room.0),
            account.map(|account| signed(account.0))
        ])?;
    Ok(())
}

/// A change that closes the room ends all memberships but the owner's, unless `keep_members`.
fn room_changed(
    connection: &Connection,
    (seq, time): (Seq, Time),
    room: RoomId,
    (settings, password_generation, link): (&RoomSettings, u64, Option<RoomId>),
    keep_members: bool,
) -> rusqlite::Result<()> {
    let before = connection
        .prepare_cached("SELECT visibility = 'public', generation, owner FROM room WHERE id = ?")?
        .query_row([signed(room.0)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let before: Option<(bool, i64, Option<i64>)> = before.optional()?;
    // OR IGNORE: a title that another room has leaves this room as it is.
    let mut update = connection.prepare_cached(
        "UPDATE OR IGNORE room SET title = ?1, folded = ?2,
             description = ?3, visibility = ?4, password = ?5, generation = ?6, updated = ?7,
             opened = iif(?4 = 'public' AND visibility <> 'public', ?9, opened),
             link = coalesce(link, ?10)
         WHERE id = ?8 AND gone IS NULL AND between_a IS NULL
             AND (?10 IS NULL OR link IS NOT NULL
                 OR NOT EXISTS (SELECT 1 FROM room WHERE id = ?10 OR link = ?10))",
    )?;
    bind_settings(&mut update, settings)?;
    update.raw_bind_parameter(6, signed(password_generation))?;
    update.raw_bind_parameter(7, time.0)?;
    update.raw_bind_parameter(8, signed(room.0))?;
    update.raw_bind_parameter(9, signed(seq.0))?;
    update.raw_bind_parameter(10, link.map(|link| signed(link.0)))?;
    let changed = update.raw_execute()? > 0;
    let public = settings.visibility == Visibility::Public;
    let Some((was_open, before, owner)) = before.filter(|_| changed) else { return Ok(()) };
    if public || !(was_open || before != signed(password_generation)) {
        return Ok(());
    }
    invitations::end_of_room(connection, room)?;
    if !keep_members {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO lost (account, seq, room)
                 SELECT account, ?1, room FROM member WHERE room = ?2 AND account IS NOT ?3",
            )?
            .execute(params![signed(seq.0), signed(room.0), owner])?;
        connection
            .prepare_cached("DELETE FROM member WHERE room = ?1 AND account IS NOT ?2")?
            .execute(params![signed(room.0), owner])?;
    }
    Ok(())
}

/// Only for a guest without a session. The name becomes free, the number stays used, and each room
/// of the guest goes to its longest member. Direct rooms end, and the other member is told.
fn account_ended(
    connection: &Connection,
    (seq, time): (Seq, Time),
    account: AccountId,
) -> rusqlite::Result<()> {
    let id = signed(account.0);
    let end = "UPDATE account SET gone = ?1 WHERE id = ?2 AND gone IS NULL AND key IS NULL
        AND NOT EXISTS (SELECT 1 FROM session WHERE account = ?2)";
    if connection.prepare_cached(end)?.execute([time.0, id])? > 0 {
        direct::end_all(connection, (seq, time), account)?;
        deleted::purge_all_of(connection, account)?;
        connection.prepare_cached("DELETE FROM member WHERE account = ?")?.execute([id])?;
        connection.prepare_cached("DELETE FROM lost WHERE account = ?")?.execute([id])?;
        connection.prepare_cached("DELETE FROM block WHERE account = ?")?.execute([id])?;
        moderation::forget(connection, id)?;
        connection
            .prepare_cached(
                "UPDATE room SET owner = (
                     SELECT account FROM member WHERE member.room = room.id
                     ORDER BY member.since, account LIMIT 1), forsaken = NOT EXISTS (
                     SELECT 1 FROM member WHERE member.room = room.id)
                 WHERE owner = ?",
            )?
            .execute([id])?;
    }
    Ok(())
}

/// Both accounts must exist and differ. Each new block removes the account's blocks of accounts
/// that are gone.
fn block_changed(
    connection: &Connection,
    account: AccountId,
    blocked: AccountId,
    on: bool,
) -> rusqlite::Result<()> {
    let pair = [signed(account.0), signed(blocked.0)];
    if !on {
        let end = "DELETE FROM block WHERE account = ? AND blocked = ?";
        connection.prepare_cached(end)?.execute(pair)?;
        return Ok(());
    }
    let begin = "INSERT INTO block (account, blocked) SELECT ?1, ?2
        WHERE ?1 <> ?2
            AND (SELECT count(*) FROM account WHERE id IN (?1, ?2) AND gone IS NULL) = 2
        ON CONFLICT DO UPDATE SET blocked = blocked";
    if connection.prepare_cached(begin)?.execute(pair)? > 0 {
        let gone = "DELETE FROM block WHERE account = ? AND NOT EXISTS (
            SELECT 1 FROM account WHERE account.id = block.blocked AND account.gone IS NULL)";
        connection.prepare_cached(gone)?.execute([pair[0]])?;
    }
    Ok(())
}

/// Only for an account with a key; no other account may have, or have had, the new key.
fn key_changed(
    connection: &Connection,
    account: AccountId,
    key: &KeyHash,
    but: Option<SessionId>,
) -> rusqlite::Result<()> {
    let change = "UPDATE account SET key = ?1 WHERE id = ?2 AND gone IS NULL AND key IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM account WHERE key = ?1)";
    if connection.prepare_cached(change)?.execute(params![key, signed(account.0)])? > 0 {
        connection
            .prepare_cached("DELETE FROM session WHERE account = ? AND id IS NOT ?")?
            .execute(params![signed(account.0), but.map(|session| signed(session.0))])?;
        invitations::end_recovery(connection, account)?;
    }
    Ok(())
}

/// Only for an account without a role. Its sessions end.
fn ban_changed(connection: &Connection, account: AccountId, on: bool) -> rusqlite::Result<()> {
    let change = "UPDATE account SET banned = ?1
        WHERE id = ?2 AND gone IS NULL AND banned <> ?1 AND (?1 = 0 OR role IS NULL)";
    let whose = params![on, signed(account.0)];
    if connection.prepare_cached(change)?.execute(whose)? > 0 && on {
        let end = "DELETE FROM session WHERE account = ?";
        connection.prepare_cached(end)?.execute([signed(account.0)])?;
        invitations::role_changed(connection, account, true)?;
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
             SELECT ?1, id, ?2, ?3, ?4, ?5, ?5 FROM account
             WHERE id = ?6 AND gone IS NULL AND banned = 0
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

/// Returns whether the room was made.
fn room_made(
    connection: &Connection,
    seq: Seq,
    time: Time,
    (room, owner): (RoomId, Option<AccountId>),
    settings: &RoomSettings,
) -> rusqlite::Result<bool> {
    // As in the core: a number is never reused, not even that of a room that is gone.
    let mut insert = connection.prepare_cached(
        "INSERT INTO room (title, folded, description, visibility, password,
             id, owner, generation, created, updated, since, opened)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?8, ?9, iif(?4 = 'public', ?9, 0)
         WHERE iif(?6 < ?10, ?6 > (SELECT coalesce(max(id), 0) FROM room WHERE id < ?10),
             NOT EXISTS (SELECT 1 FROM room WHERE link = ?6))
         ON CONFLICT DO NOTHING",
    )?;
    bind_settings(&mut insert, settings)?;
    insert.raw_bind_parameter(6, signed(room.0))?;
    insert.raw_bind_parameter(7, owner.map(|account| signed(account.0)))?;
    insert.raw_bind_parameter(8, time.0)?;
    insert.raw_bind_parameter(9, signed(seq.0))?;
    insert.raw_bind_parameter(10, signed(RoomId::DRAWN_MIN))?;
    Ok(insert.raw_execute()? > 0)
}

/// Parameters 1 to 5: title, folded title, description, visibility, password.
pub(super) fn bind_settings(
    statement: &mut CachedStatement<'_>,
    settings: &RoomSettings,
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, settings.title.as_str())?;
    statement.raw_bind_parameter(2, settings.title.lowered())?;
    statement.raw_bind_parameter(3, settings.description.as_str())?;
    statement.raw_bind_parameter(4, settings.visibility.as_str())?;
    statement.raw_bind_parameter(5, settings.password.as_deref())
}

/// Stores the last use of a session; an ended session stays ended.
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

/// Stores how far a member has read; only forward, and only for members.
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
