//! Invitations and links for lost keys in the tables beside the log: the same fold as the core's
//! (`chat/core/invitations.rs`, `chat/core/recoveries.rs`), in SQL; and the lists that people read.
//!
//! An entry that came by a code is checked *before* it is logged, so that the log has none that a
//! code did not admit.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::chat::{
    AccountId, Entry, Grant, InvitationsScope, Name, Recovery, Refusal, RoomId, Seq, Title,
};
use crate::crypto::KeyHash;
use crate::limits::in_charge::INVITATIONS_ENDED;
use crate::store::entries::{optional_text, signed, text, unsigned};
use crate::store::messages::{self, Outcome};
use crate::store::moderation::role_of;
use crate::store::reader::Reader;
use crate::store::tables::{account_made, enter};
use crate::time::Time;

/// Checks an entry against the log, in the caller's transaction.
pub(super) fn check(
    connection: &Connection,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<Outcome> {
    match entry {
        Entry::Invited { invitation, act } => {
            let admits = match (standing(connection, time, *invitation)?, &**act) {
                (Some(to), Entry::MemberChanged { room, .. }) => to == Some(*room),
                (found, _) => found.is_some(),
            };
            match admits {
                true => messages::check(connection, time, act),
                false => Ok(Outcome::Refused(Refusal::InvitationVoid)),
            }
        }
        Entry::Recovered { account, code, .. }
            if !is_recovery(connection, time, *account, code)? =>
        {
            Ok(Outcome::Refused(Refusal::RecoveryVoid))
        }
        entry => messages::check(connection, time, entry),
    }
}

/// An invitation that can be used, by the room to which it admits.
fn standing(
    connection: &Connection,
    time: Time,
    invitation: Seq,
) -> rusqlite::Result<Option<Option<RoomId>>> {
    let good = "SELECT room FROM invitation WHERE id = ? AND code IS NOT NULL AND until > ?";
    let room = |row: &Row<'_>| row.get::<_, Option<i64>>("room");
    let mut select = connection.prepare_cached(good)?;
    let room = select.query_row([signed(invitation.0), time.0], room).optional()?;
    Ok(room.map(|room| room.map(|room| RoomId(unsigned(room)))))
}

/// A new invitation. Of those that are over, [`INVITATIONS_ENDED`] end.
pub(super) fn made(
    connection: &Connection,
    (seq, time): (Seq, Time),
    grant: &Grant,
) -> rusqlite::Result<()> {
    let over = "UPDATE invitation SET code = NULL WHERE id IN (
        SELECT id FROM invitation WHERE code IS NOT NULL AND until <= ?
        ORDER BY until, id LIMIT ?)";
    connection.prepare_cached(over)?.execute([time.0, INVITATIONS_ENDED as i64])?;
    let Grant { code, by, room, until, uses, registers } = grant;
    let make = "INSERT INTO invitation (id, code, maker, room, created, until, uses, registers)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
        WHERE ?6 > ?5 AND ?7 > 0
            AND (?4 IS NULL OR EXISTS (
                SELECT 1 FROM room WHERE id = ?4 AND gone IS NULL AND between_a IS NULL))
            AND (?3 IS NULL OR EXISTS (SELECT 1 FROM account WHERE id = ?3 AND gone IS NULL))
        ON CONFLICT DO NOTHING";
    connection.prepare_cached(make)?.execute(params![
        signed(seq.0),
        code,
        by.map(|account| signed(account.0)),
        room.map(|room| signed(room.0)),
        time.0,
        until.0,
        signed(*uses),
        registers
    ])?;
    Ok(())
}

pub(super) fn ended(connection: &Connection, invitation: Seq) -> rusqlite::Result<()> {
    let end = "UPDATE invitation SET code = NULL WHERE id = ?";
    connection.prepare_cached(end)?.execute([signed(invitation.0)])?;
    Ok(())
}

/// The room closes, gets a new password, or is gone.
pub(super) fn end_of_room(connection: &Connection, room: RoomId) -> rusqlite::Result<()> {
    let end = "UPDATE invitation SET code = NULL WHERE room = ? AND code IS NOT NULL";
    connection.prepare_cached(end)?.execute([signed(room.0)])?;
    Ok(())
}

/// Somebody came by an invitation. What changes nothing is no use.
pub(super) fn came(
    connection: &Connection,
    (seq, time): (Seq, Time),
    invitation: Seq,
    act: &Entry,
) -> rusqlite::Result<()> {
    let Some(to) = standing(connection, time, invitation)? else { return Ok(()) };
    let came = match act {
        Entry::AccountMade { account, key: Some(_), .. } => {
            account_made(connection, (seq, time), act)?.then_some(*account)
        }
        Entry::MemberChanged { room, account, member: true, .. } if to == Some(*room) => {
            enter(connection, seq, *room, *account)?.then_some(*account)
        }
        _ => None,
    };
    let Some(account) = came else { return Ok(()) };
    let used = "UPDATE invitation SET used = used + 1, code = iif(used + 1 < uses, code, NULL)
        WHERE id = ?";
    connection.prepare_cached(used)?.execute([signed(invitation.0)])?;
    let came = "INSERT INTO invited (invitation, seq, account) VALUES (?, ?, ?)";
    let row = [signed(invitation.0), signed(seq.0), signed(account.0)];
    connection.prepare_cached(came)?.execute(row)?;
    Ok(())
}

/// A role has changed, or the account is banned (`lost`: it may invite no more).
pub(super) fn role_changed(
    connection: &Connection,
    account: AccountId,
    lost: bool,
) -> rusqlite::Result<()> {
    if lost {
        let end = "UPDATE invitation SET code = NULL WHERE maker = ? AND code IS NOT NULL";
        connection.prepare_cached(end)?.execute([signed(account.0)])?;
    }
    end_recovery(connection, account)?;
    let end = "DELETE FROM recovery WHERE maker = ?";
    connection.prepare_cached(end)?.execute([signed(account.0)])?;
    Ok(())
}

/// A new link for an account, in place of the earlier one. Those that are over end.
pub(super) fn recovery_made(
    connection: &Connection,
    time: Time,
    recovery: &Recovery,
) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM recovery WHERE until <= ?")?.execute([time.0])?;
    let Recovery { account, code, by, until } = recovery;
    if let Some(by) = by
        && role_of(connection, *by)? <= role_of(connection, *account)?
    {
        return Ok(());
    }
    // Only in place of the account's own: a conflict with another's code changes nothing.
    let make = "INSERT INTO recovery (account, code, maker, until)
        SELECT ?1, ?2, ?3, ?4
        WHERE ?4 > ?5
            AND EXISTS (SELECT 1 FROM account
                WHERE id = ?1 AND gone IS NULL AND key IS NOT NULL AND banned = 0)
            AND NOT EXISTS (SELECT 1 FROM recovery WHERE code = ?2 AND account <> ?1)
        ON CONFLICT (account) DO UPDATE
        SET code = excluded.code, maker = excluded.maker, until = excluded.until";
    let by = by.map(|by| signed(by.0));
    let row = params![signed(account.0), code, by, until.0, time.0];
    connection.prepare_cached(make)?.execute(row)?;
    Ok(())
}

/// Whether an account can get a new key by this code.
pub(super) fn is_recovery(
    connection: &Connection,
    time: Time,
    account: AccountId,
    code: &KeyHash,
) -> rusqlite::Result<bool> {
    let good = "SELECT 1 FROM recovery WHERE account = ? AND code = ? AND until > ?";
    connection.prepare_cached(good)?.exists(params![signed(account.0), code, time.0])
}

pub(super) fn end_recovery(connection: &Connection, account: AccountId) -> rusqlite::Result<()> {
    let end = "DELETE FROM recovery WHERE account = ?";
    connection.prepare_cached(end)?.execute([signed(account.0)])?;
    Ok(())
}

/// An invitation, for those who may see it.
#[derive(Clone, PartialEq, Debug)]
pub struct InvitationRow {
    /// Its number.
    pub id: Seq,
    /// Who invites; `None`: the operator at the shell.
    pub by: Option<Name>,
    /// The room to which it admits, and the room's title now.
    pub room: Option<(RoomId, Title)>,
    /// When it was made.
    pub created: Time,
    /// Its end.
    pub until: Time,
    /// How often it can be used in all.
    pub uses: u64,
    /// How often it was used.
    pub used: u64,
    /// Whether it can be used no more; it may also be over.
    pub ended: bool,
    /// Who came by it, and when; the latest first.
    pub came: Vec<(Name, Time)>,
}

/// A page of invitations.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct InvitationPage {
    /// The latest first.
    pub rows: Vec<InvitationRow>,
    /// The next page ends before this one; `None`: this is the last page.
    pub next: Option<Seq>,
}

impl Reader {
    /// The invitations before this one that the scope includes, at most `limit`; each with those
    /// who came by it last, at most `came_max`.
    pub fn invitations(
        &self,
        scope: InvitationsScope,
        before: Seq,
        (limit, came_max): (usize, usize),
    ) -> rusqlite::Result<InvitationPage> {
        let InvitationsScope { account, all, room, upto } = scope;
        let which = match (room, all) {
            (Some(_), true) => "room = ?2 AND ?3 IS NOT NULL",
            (Some(_), false) => "room = ?2 AND maker = ?3",
            // Not those of others to rooms: a room may be hidden.
            (None, true) => "?2 IS NULL AND (room IS NULL OR maker = ?3)",
            (None, false) => "?2 IS NULL AND maker = ?3",
        };
        let sql = format!(
            "SELECT invitation.*, (SELECT name FROM account WHERE id = maker) AS name,
                 (SELECT title FROM room WHERE room.id = invitation.room) AS title
             FROM invitation WHERE id < ?1 AND {which} ORDER BY id DESC LIMIT ?4"
        );
        let before = signed(before.0.min(upto.0.saturating_add(1)));
        let (room, account) = (room.map(|room| signed(room.0)), signed(account.0));
        let mut select = self.connection.prepare_cached(&sql)?;
        let rows = select.query_map(params![before, room, account, limit as i64], invitation)?;
        let mut rows: Vec<InvitationRow> = rows.collect::<rusqlite::Result<_>>()?;
        for row in &mut rows {
            row.came = self.came_by(row.id, upto, came_max)?;
        }
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.id);
        Ok(InvitationPage { rows, next })
    }

    fn came_by(
        &self,
        invitation: Seq,
        upto: Seq,
        limit: usize,
    ) -> rusqlite::Result<Vec<(Name, Time)>> {
        let came = "SELECT account.name, log.time FROM invited
            JOIN account ON account.id = invited.account JOIN log ON log.seq = invited.seq
            WHERE invitation = ? AND invited.seq <= ? ORDER BY invited.seq DESC LIMIT ?";
        let row = |row: &Row<'_>| Ok((text(row, "name", Name::kept)?, Time(row.get("time")?)));
        let mut select = self.connection.prepare_cached(came)?;
        let which = [signed(invitation.0), signed(upto.0), limit as i64];
        select.query_map(which, row)?.collect()
    }
}

fn invitation(row: &Row<'_>) -> rusqlite::Result<InvitationRow> {
    let number = |column| row.get::<_, i64>(column).map(unsigned);
    let room = row.get::<_, Option<i64>>("room")?.map(|room| RoomId(unsigned(room)));
    let title = optional_text(row, "title", Title::kept)?;
    Ok(InvitationRow {
        id: Seq(number("id")?),
        by: optional_text(row, "name", Name::kept)?,
        room: room.zip(title),
        created: Time(row.get("created")?),
        until: Time(row.get("until")?),
        uses: number("uses")?,
        used: number("used")?,
        ended: row.get::<_, Option<KeyHash>>("code")?.is_none(),
        came: Vec::new(),
    })
}
