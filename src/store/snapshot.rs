//! The state that a core starts from, loaded from the tables beside the log.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use crate::chat::{
    Account, AccountId, BannedAddress, Color, DeletedRecord, Description, Grant, Guests,
    Invitation, MemberRecord, Moderation, Name, Policy, Recovery, Registration, Role, RoomId,
    RoomRecord, RoomSettings, Rules, Seq, Session, SessionId, Snapshot, Title, Visibility,
};
use crate::store::entries::{optional_text, text, unsigned};
use crate::time::Time;

/// Loads everything, each list ordered by number.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Snapshot> {
    let last_room = "SELECT ifnull(max(id), 0) FROM room WHERE id < 4294967296";
    let spent = "SELECT id AS number FROM room WHERE gone IS NOT NULL AND id >= 4294967296
        UNION SELECT link FROM room WHERE gone IS NOT NULL AND link IS NOT NULL ORDER BY number";
    let last_session = "SELECT value FROM meta WHERE key = 'last_session'";
    let number = |sql| connection.query_row(sql, [], |row| row.get(0)).map(unsigned);
    let accounts = "SELECT * FROM account WHERE gone IS NULL ORDER BY id";
    // The last message of each room is the last of its part of the index `log_said`.
    let rooms = "SELECT room.*, (
            SELECT max(log.seq) FROM log
            WHERE log.room = room.id AND log.kind = 'said' AND log.seq > room.since
                AND (kept IS NULL OR log.seq < kept)
        ) AS last FROM room WHERE gone IS NULL OR kept IS NOT NULL ORDER BY id";
    let mut rooms = rows(connection, rooms, |row| Ok((room(row)?, kept(row)?)))?;
    let members = "SELECT member.room, account, member.since, read, horizon FROM member
        LEFT JOIN room ON room.id = member.room WHERE room.gone IS NULL OR kept IS NOT NULL
        ORDER BY member.room, account";
    let mut members = rows(connection, members, member)?.into_iter().peekable();
    for (room, _) in &mut rooms {
        while let Some((_, member)) = members.next_if(|(of, _)| *of == room.id) {
            room.members.push(member);
        }
    }
    if members.next().is_some() {
        // A member of a room that does not exist.
        return Err(rusqlite::Error::QueryReturnedNoRows);
    }
    let moderation = moderation(connection)?;
    for (id, found) in moderation {
        let place = rooms.binary_search_by_key(&id, |(room, _)| room.id);
        let room = place.ok().and_then(|place| rooms.get_mut(place));
        // Restraints in a room that cannot be brought back went with it.
        let (room, _) = room.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        room.moderation = found.kept();
    }
    let (deleted, rooms): (Vec<_>, Vec<_>) =
        rooms.into_iter().partition(|(_, kept)| kept.is_some());
    let deleted = deleted.into_iter().filter_map(|(room, kept)| {
        let (deleted, by) = kept?;
        Some(DeletedRecord { room, deleted, by })
    });
    Ok(Snapshot {
        accounts: rows(connection, accounts, account)?,
        sessions: rows(connection, "SELECT * FROM session ORDER BY id", session)?,
        rooms: rooms.into_iter().map(|(room, _)| room).collect(),
        deleted: deleted.collect(),
        policy: policy(connection)?,
        banned: banned(connection)?,
        invitations: rows(connection, INVITATIONS, invitation)?,
        recoveries: rows(connection, "SELECT * FROM recovery ORDER BY account", recovery)?,
        muted: rows(connection, "SELECT * FROM muted WHERE room = 0 ORDER BY account", muted)?,
        blocks: rows(connection, "SELECT * FROM block ORDER BY account, blocked", block)?,
        last_account: number("SELECT ifnull(max(id), 0) FROM account")?,
        last_room: number(last_room)?,
        spent_rooms: rows(connection, spent, |row| Ok(RoomId(unsigned(row.get("number")?))))?,
        last_session: number(last_session)?,
        last: Seq(number("SELECT ifnull(max(seq), 0) FROM log")?),
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
        name: text(row, "name", Name::kept)?,
        key: row.get("key")?,
        color: optional_text(row, "color", Color::new)?,
        created: Time(row.get("created")?),
        role: optional_text(row, "role", Role::parse)?,
        banned: row.get("banned")?,
    })
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId(unsigned(row.get("id")?)),
        account: AccountId(unsigned(row.get("account")?)),
        key: row.get("key")?,
        remember: row.get("remember")?,
        agent: row.get("agent")?,
        created: Time(row.get("created")?),
        last_used: Time(row.get("last_used")?),
    })
}

/// In the order of the addresses, which is not that of their texts.
fn banned(connection: &Connection) -> rusqlite::Result<Vec<BannedAddress>> {
    let mut all = rows(connection, "SELECT address, until FROM banned", |row| {
        let address = text(row, "address", |text| text.parse().ok())?;
        Ok(BannedAddress { address, until: Time(row.get("until")?) })
    })?;
    all.sort_unstable_by_key(|one| one.address);
    Ok(all)
}

const INVITATIONS: &str = "SELECT * FROM invitation WHERE code IS NOT NULL ORDER BY id";

fn invitation(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    let number = |column| row.get::<_, i64>(column).map(unsigned);
    let maybe = |column| row.get::<_, Option<i64>>(column).map(|id| id.map(unsigned));
    let grant = Grant {
        code: row.get("code")?,
        by: maybe("maker")?.map(AccountId),
        room: maybe("room")?.map(RoomId),
        until: Time(row.get("until")?),
        uses: number("uses")?,
        registers: row.get("registers")?,
    };
    Ok(Invitation { id: Seq(number("id")?), grant, used: number("used")? })
}

fn recovery(row: &Row<'_>) -> rusqlite::Result<Recovery> {
    Ok(Recovery {
        account: AccountId(unsigned(row.get("account")?)),
        code: row.get("code")?,
        by: row.get::<_, Option<i64>>("maker")?.map(|by| AccountId(unsigned(by))),
        until: Time(row.get("until")?),
    })
}

fn policy(connection: &Connection) -> rusqlite::Result<Policy> {
    let mut select = connection.prepare("SELECT value FROM setting WHERE name = ?")?;
    let mut policy = Policy::default();
    let mut rows = select.query(["registration"])?;
    if let Some(row) = rows.next()? {
        policy.registration = text(row, "value", Registration::parse)?;
    }
    drop(rows);
    let mut rows = select.query(["guests"])?;
    if let Some(row) = rows.next()? {
        policy.guests = text(row, "value", Guests::parse)?;
    }
    Ok(policy)
}

fn block(row: &Row<'_>) -> rusqlite::Result<(AccountId, AccountId)> {
    let number = |column| row.get(column).map(unsigned).map(AccountId);
    Ok((number("account")?, number("blocked")?))
}

fn room(row: &Row<'_>) -> rusqlite::Result<RoomRecord> {
    let account =
        |column| row.get::<_, Option<i64>>(column).map(|id| id.map(|id| AccountId(unsigned(id))));
    let id = RoomId(unsigned(row.get("id")?));
    let between = account("between_a")?.zip(account("between_b")?).map(<[AccountId; 2]>::from);
    let settings = match between {
        Some(_) => RoomSettings::of_direct(id),
        None => room_settings(row)?,
    };
    Ok(RoomRecord {
        id,
        owner: account("owner")?,
        settings,
        password_generation: unsigned(row.get("generation")?),
        created: Time(row.get("created")?),
        updated: Time(row.get("updated")?),
        between,
        members: Vec::new(),
        last: Seq(row.get::<_, Option<i64>>("last")?.map_or(0, unsigned)),
        link: row.get::<_, Option<i64>>("link")?.map(|link| RoomId(unsigned(link))),
        opened: Seq(unsigned(row.get("opened")?)),
        orphaned: row.get("forsaken")?,
        moderation: None,
    })
}

/// What keeps order in rooms, of those that have anything of it.
fn moderation(connection: &Connection) -> rusqlite::Result<BTreeMap<RoomId, Moderation>> {
    let mut found: BTreeMap<RoomId, Moderation> = BTreeMap::new();
    let rules = "SELECT id, slow, read_only, locked FROM room
        WHERE (gone IS NULL OR kept IS NOT NULL) AND (slow <> 0 OR read_only <> 0 OR locked <> 0)";
    let rules = rows(connection, rules, |row| {
        let (slow_secs, read_only) = (row.get("slow")?, row.get("read_only")?);
        let rules = Rules { slow_secs, read_only, locked: row.get("locked")? };
        Ok((RoomId(unsigned(row.get("id")?)), rules))
    })?;
    for (room, rules) in rules {
        found.entry(room).or_default().rules = rules;
    }
    let moderators = "SELECT room, account, 0 AS until FROM member WHERE moderator = 1";
    for (room, (account, _)) in rows(connection, moderators, restrained)? {
        found.entry(room).or_default().moderators.insert(account);
    }
    for (room, (account, until)) in
        rows(connection, "SELECT * FROM muted WHERE room <> 0", restrained)?
    {
        found.entry(room).or_default().muted.insert(account, until);
    }
    for (room, (account, _)) in
        rows(connection, "SELECT room, account, 0 AS until FROM room_ban", restrained)?
    {
        found.entry(room).or_default().banned.insert(account);
    }
    Ok(found)
}

fn restrained(row: &Row<'_>) -> rusqlite::Result<(RoomId, (AccountId, Time))> {
    Ok((RoomId(unsigned(row.get("room")?)), muted(row)?))
}

fn muted(row: &Row<'_>) -> rusqlite::Result<(AccountId, Time)> {
    Ok((AccountId(unsigned(row.get("account")?)), Time(row.get("until")?)))
}

/// When a deleted room was deleted, and by which entry, if it can be brought back.
fn kept(row: &Row<'_>) -> rusqlite::Result<Option<(Time, Seq)>> {
    let by = row.get::<_, Option<i64>>("kept")?.map(|by| Seq(unsigned(by)));
    Ok(row.get::<_, Option<i64>>("gone")?.map(Time).zip(by))
}

fn room_settings(row: &Row<'_>) -> rusqlite::Result<RoomSettings> {
    Ok(RoomSettings {
        title: text(row, "title", Title::kept)?,
        description: text(row, "description", Description::new)?,
        visibility: text(row, "visibility", Visibility::parse)?,
        password: row.get("password")?,
    })
}

fn member(row: &Row<'_>) -> rusqlite::Result<(RoomId, MemberRecord)> {
    let number = |column| row.get(column).map(unsigned);
    let mark = |column| number(column).map(Seq);
    let (since, read, horizon) = (mark("since")?, mark("read")?, mark("horizon")?);
    let member = MemberRecord { account: AccountId(number("account")?), since, read, horizon };
    Ok((RoomId(number("room")?), member))
}
