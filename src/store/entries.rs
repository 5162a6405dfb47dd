//! An entry as a row of the log, and back. Messages and the entries that change them have columns
//! of their own, because history and search read them; every other kind is rare and keeps its
//! fields as JSON in `body`.
//!
//! Both directions are side by side here, so that they stay inverse to each other.

mod codes;
mod deeds;

use std::fmt::Display;

use rusqlite::types::{Type, ValueRef};
use rusqlite::{CachedStatement, Connection, Row, RowIndex, params};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chat::{
    AccountId, Author, ClientId, Color, Description, Emoji, Entry, Name, RoomId, RoomSettings, Seq,
    SessionId, Title, Visibility,
};
use crate::crypto;
use crate::store::chain::{self, Chain, Fixed};
use crate::time::Time;

/// The columns that [`read`] expects, for any `SELECT` from the log. An edit itself keeps no text:
/// its row shows the text that its message has now.
pub const COLUMNS: &str = "seq, time, kind, room, account, name, color, client_id, reply_to,
    target, edited, CASE kind
        WHEN 'edited' THEN (SELECT said.body FROM log AS said WHERE said.seq = log.target)
        ELSE body END AS body, CASE kind
        WHEN 'edited' THEN (SELECT said.text FROM log AS said WHERE said.seq = log.target)
        ELSE text END AS text";

/// The number of the last entry, even if that entry is gone: numbers are not reused.
pub(super) const LAST: &str = "SELECT max((SELECT coalesce(max(seq), 0) FROM log),
    (SELECT value FROM meta WHERE key = 'pruned'))";

/// The `INSERT` of a message, prepared once for a transaction.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    connection.prepare_cached(
        "INSERT INTO log (seq, time, kind, room, account, name, color, text, client_id, reply_to,
             body, proof, hash)
         VALUES (?, ?, 'said', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
}

/// Appends one entry under its number, in the caller's transaction. `said` comes from [`prepare`].
pub(super) fn append(
    connection: &Connection,
    said: &mut CachedStatement<'_>,
    chain: &mut Chain,
    seq: Seq,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<()> {
    let number = signed(seq.0);
    if let Entry::Said { room, author, color, text, client_id, reply_to, calls } = entry {
        let fixed = Fixed {
            kind: "said",
            room: Some(signed(room.0)),
            account: author.account.map(|account| signed(account.0)),
            name: Some(author.name.as_str()),
            color: color.as_ref().map(Color::as_str),
            client_id: client_id.as_ref().map(ClientId::as_str),
            reply_to: reply_to.map(|seq| signed(seq.0)),
            ..Fixed::default()
        };
        let calls = calls_body(calls);
        let words = Some((&**text, calls.as_deref()));
        let (proof, link) = chain.add((number, time.0), &fixed, words);
        let Fixed { room, account, name, color, client_id, reply_to, .. } = fixed;
        said.execute(params![
            number, time.0, room, account, name, color, text, client_id, reply_to, calls, proof,
            link
        ])?;
        return Ok(());
    }
    let (kind, body) = kind_and_body(entry);
    let body = body.map(|body| body.to_string());
    let (act, aim) = (entry.act(), aim(entry));
    let calls = match act {
        Entry::Edited { calls, .. } => calls_body(calls),
        _ => None,
    };
    let words = match act {
        Entry::Edited { text, .. } => Some((&**text, calls.as_deref())),
        _ => None,
    };
    let first = match act {
        Entry::Edited { target, .. } | Entry::Deleted { target, .. } => {
            chain::first_said(connection, *target)?
        }
        _ => None,
    };
    let fixed = Fixed {
        kind,
        room: aim.map(|(room, _, _)| signed(room.0)),
        account: aim.and_then(|(_, _, by)| by.account).map(|account| signed(account.0)),
        name: aim.map(|(_, _, by)| by.name.as_str()),
        target: aim.map(|(_, target, _)| signed(target.0)),
        body: body.as_deref(),
        first,
        ..Fixed::default()
    };
    let (proof, link) = chain.add((number, time.0), &fixed, words);
    let Fixed { room, account, name, target, body, .. } = fixed;
    connection
        .prepare_cached(
            "INSERT INTO log (seq, time, kind, room, account, name, target, body, proof, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![number, time.0, kind, room, account, name, target, body, proof, link])?;
    Ok(())
}

/// The room, the message that the entry changes, and the author of the change.
pub(super) fn aim(entry: &Entry) -> Option<(RoomId, Seq, &Author)> {
    match entry.act() {
        Entry::Edited { room, target, by, .. }
        | Entry::Deleted { room, target, by, .. }
        | Entry::Reacted { room, target, by, .. } => Some((*room, *target, by)),
        _ => None,
    }
}

/// Reads a row of [`COLUMNS`] back: its number, when it was proposed, and the entry. A message has
/// its current text, a deleted message has none.
///
/// # Errors
/// [`rusqlite::Error::FromSqlConversionFailure`] for a row that this version cannot have written.
pub fn read(row: &Row<'_>) -> rusqlite::Result<(Seq, Time, Entry)> {
    let seq = Seq(unsigned(row.get("seq")?));
    let time = Time(row.get("time")?);
    let kind: Box<str> = row.get("kind")?;
    let words = || row.get::<_, Option<Box<str>>>("text").map(Option::unwrap_or_default);
    let room = || row.get("room").map(|id| RoomId(unsigned(id)));
    let target = || row.get("target").map(|seq| Seq(unsigned(seq)));
    let entry = match &*kind {
        "said" => Entry::Said {
            room: room()?,
            author: author(row)?,
            color: optional_text(row, "color", Color::new)?,
            text: words()?,
            client_id: optional_text(row, "client_id", ClientId::new)?,
            reply_to: row.get::<_, Option<i64>>("reply_to")?.map(|seq| Seq(unsigned(seq))),
            calls: calls(row)?,
        },
        "edited" => {
            let (room, target, by) = (room()?, target()?, author(row)?);
            Entry::Edited { room, target, by, text: words()?, calls: calls(row)? }
        }
        _ => {
            let body: String = row.get("body")?;
            let body: Value = serde_json::from_str(&body).map_err(|_| unreadable("body"))?;
            let flag = |field: &str| {
                body.get(field).and_then(Value::as_bool).ok_or_else(|| unreadable("body"))
            };
            let act = match &*kind {
                "deleted" => {
                    let (room, target, by) = (room()?, target()?, author(row)?);
                    Entry::Deleted { room, target, by, as_owner: flag("as_owner")? }
                }
                "reacted" => {
                    let emoji = body.get("emoji").and_then(Value::as_str).and_then(Emoji::kept);
                    let emoji = emoji.ok_or_else(|| unreadable("body"))?;
                    let (room, target, by) = (room()?, target()?, author(row)?);
                    Entry::Reacted { room, target, by, emoji, on: flag("on")? }
                }
                _ => from_body(&kind, &body).ok_or_else(|| unreadable("body"))?,
            };
            let act = codes::uninvited(&body, act).ok_or_else(|| unreadable("body"))?;
            deeds::unsigned(&body, act).ok_or_else(|| unreadable("body"))?
        }
    };
    Ok((seq, time, entry))
}

/// The `body` of a message: the accounts that its current text mentions. Usually none.
pub(super) fn calls_body(calls: &[AccountId]) -> Option<String> {
    let numbers: Vec<u64> = calls.iter().map(|account| account.0).collect();
    (!numbers.is_empty()).then(|| json!({"calls": numbers}).to_string())
}

/// The reverse of [`calls_body`].
pub(super) fn calls(row: &Row<'_>) -> rusqlite::Result<Box<[AccountId]>> {
    calls_in(row.get_ref("body")?)
}

/// The reverse of [`calls_body`], from the column itself.
pub(super) fn calls_in(body: ValueRef<'_>) -> rusqlite::Result<Box<[AccountId]>> {
    #[derive(Deserialize)]
    struct Body {
        calls: Vec<u64>,
    }
    let Some(body) = body.as_str_or_null()? else { return Ok(Box::default()) };
    let body: Body = serde_json::from_str(body).map_err(|_| unreadable("body"))?;
    Ok(body.calls.into_iter().map(AccountId).collect())
}

/// The author, from the columns `account` and `name`.
pub(super) fn author(row: &Row<'_>) -> rusqlite::Result<Author> {
    Ok(Author {
        account: row.get::<_, Option<i64>>("account")?.map(|id| AccountId(unsigned(id))),
        name: text(row, "name", Name::kept)?,
    })
}

/// Of an entry that is not a message: the name of its kind, and the fields that have no column.
fn kind_and_body(entry: &Entry) -> (&'static str, Option<Value>) {
    let (kind, body) = match entry {
        Entry::AccountMade { account, name, key, color } => {
            let key = key.as_ref().map(|key| crypto::hex(key));
            let color = color.as_ref().map(Color::as_str);
            let body = json!({"account": account.0, "name": name.as_str(), "key": key,
                "color": color});
            ("account_made", body)
        }
        Entry::AccountEnded { account } => ("account_ended", json!({"account": account.0})),
        Entry::SessionBegun { session, account, key, remember, agent } => {
            let key = crypto::hex(key);
            let body = json!({"session": session.0, "account": account.0, "key": key,
                "remember": remember, "agent": agent});
            ("session_begun", body)
        }
        Entry::SessionEnded { session } => ("session_ended", json!({"session": session.0})),
        Entry::KeyChanged { account, key, but } => {
            let but = but.map(|session| session.0);
            let body = json!({"account": account.0, "key": crypto::hex(key), "but": but});
            ("key_changed", body)
        }
        Entry::RoomMade { room, owner, settings } => {
            let owner = owner.map(|account| account.0);
            ("room_made", json!({"room": room.0, "owner": owner, "facts": settings_json(settings)}))
        }
        Entry::DirectMade { room, between, both } => {
            let between = between.map(|account| account.0);
            ("direct_made", json!({"room": room.0, "between": between, "both": both}))
        }
        Entry::MemberChanged { room, account, member, expelled, with: _ } => {
            let body = json!({"room": room.0, "account": account.0, "member": member,
                "expelled": expelled});
            ("member_changed", body)
        }
        Entry::BlockChanged { account, blocked, on } => {
            ("block_changed", json!({"account": account.0, "blocked": blocked.0, "on": on}))
        }
        Entry::RoomChanged { room, settings, password_generation, link, keep_members } => {
            let body = json!({"room": room.0, "facts": settings_json(settings),
                "generation": password_generation, "link": link.map(|link| link.0),
                "keep_members": keep_members});
            ("room_changed", body)
        }
        Entry::RoomGone { room, recoverable } => {
            ("room_gone", json!({"room": room.0, "recoverable": recoverable}))
        }
        Entry::RoomReturned { room, title } => {
            ("room_returned", json!({"room": room.0, "title": title.as_str()}))
        }
        Entry::RoomPurged { room } => ("room_purged", json!({"room": room.0})),
        // Mentions are stored with the text; those of an edit, in its message.
        Entry::Said { .. } => return ("said", None),
        Entry::Edited { .. } => return ("edited", None),
        Entry::Deleted { as_owner, .. } => ("deleted", json!({"as_owner": as_owner})),
        Entry::Reacted { emoji, on, .. } => ("reacted", json!({"emoji": emoji.as_str(), "on": on})),
        Entry::Deed { by, reason, act } => {
            let (kind, body) = kind_and_body(act);
            return (kind, Some(deeds::signed(body, *by, reason.as_ref())));
        }
        Entry::Invited { invitation, act } => {
            let (kind, body) = kind_and_body(act);
            return (kind, Some(codes::invited(body, *invitation)));
        }
        Entry::RoleChanged { .. }
        | Entry::PolicyChanged { .. }
        | Entry::BanChanged { .. }
        | Entry::AddressBanned { .. }
        | Entry::ModeratorChanged { .. }
        | Entry::Muted { .. }
        | Entry::RoomBanChanged { .. }
        | Entry::RulesChanged { .. }
        | Entry::OwnerChanged { .. }
        | Entry::MutesMoved { .. }
        | Entry::Cleared { .. } => {
            deeds::kind_and_body(entry).expect("the kinds that are not above")
        }
        Entry::InvitationMade { .. }
        | Entry::InvitationEnded { .. }
        | Entry::RecoveryMade { .. }
        | Entry::Recovered { .. } => codes::kind_and_body(entry).expect("the kinds of that file"),
    };
    (kind, Some(body))
}

/// The reverse of [`kind_and_body`], for kinds without columns of their own. `None` if the kind is
/// unknown or the body lacks a field. (Fields that the first schema did not have may be missing.)
fn from_body(kind: &str, body: &Value) -> Option<Entry> {
    let number = |field: &str| body.get(field)?.as_u64();
    let key = || crypto::unhex(body.get("key")?.as_str()?);
    let room = || number("room").map(RoomId);
    let account = || number("account").map(AccountId);
    let session = || number("session").map(SessionId);
    let room_settings = || settings_from_json(body.get("facts")?);
    let flag = |field: &str, old| body.get(field).and_then(Value::as_bool).unwrap_or(old);
    Some(match kind {
        "account_made" => {
            let name = Name::kept(body.get("name")?.as_str()?)?;
            let key = if body.get("key")?.is_null() { None } else { Some(key()?) };
            let color = match body.get("color") {
                None | Some(Value::Null) => None,
                Some(color) => Some(Color::new(color.as_str()?)?),
            };
            Entry::AccountMade { account: account()?, name, key, color }
        }
        "account_ended" => Entry::AccountEnded { account: account()? },
        "session_begun" => Entry::SessionBegun {
            session: session()?,
            account: account()?,
            key: key()?,
            remember: body.get("remember").is_some_and(|remember| remember == true),
            agent: body.get("agent").and_then(Value::as_str).unwrap_or_default().into(),
        },
        "session_ended" => Entry::SessionEnded { session: session()? },
        "key_changed" => Entry::KeyChanged {
            account: account()?,
            key: key()?,
            but: number("but").map(SessionId),
        },
        "room_made" => {
            let owner = match body.get("owner")? {
                Value::Null => None,
                owner => Some(AccountId(owner.as_u64()?)),
            };
            Entry::RoomMade { room: room()?, owner, settings: room_settings()? }
        }
        "direct_made" => {
            let one = |index| body.get("between")?.get(index)?.as_u64().map(AccountId);
            // In the first versions both were members from the start.
            let (between, both) = ([one(0)?, one(1)?], flag("both", true));
            Entry::DirectMade { room: room()?, between, both }
        }
        "member_changed" => {
            let member = body.get("member")?.as_bool()?;
            let expelled = flag("expelled", false);
            Entry::MemberChanged {
                room: room()?,
                account: account()?,
                member,
                expelled,
                with: None,
            }
        }
        "block_changed" => {
            let (blocked, on) = (AccountId(number("blocked")?), body.get("on")?.as_bool()?);
            Entry::BlockChanged { account: account()?, blocked, on }
        }
        "room_changed" => {
            let (password_generation, link) = (number("generation")?, number("link").map(RoomId));
            // Before this field existed, all members stayed.
            let keep_members = flag("keep_members", true);
            Entry::RoomChanged {
                room: room()?,
                settings: room_settings()?,
                password_generation,
                link,
                keep_members,
            }
        }
        "room_gone" => {
            // Before this field existed, a deleted room could not be brought back.
            Entry::RoomGone { room: room()?, recoverable: flag("recoverable", false) }
        }
        "room_returned" => {
            Entry::RoomReturned { room: room()?, title: Title::kept(body.get("title")?.as_str()?)? }
        }
        "room_purged" => Entry::RoomPurged { room: room()? },
        kind => return deeds::from_body(kind, body).or_else(|| codes::from_body(kind, body)),
    })
}

fn settings_json(settings: &RoomSettings) -> Value {
    json!({
        "title": settings.title.as_str(),
        "description": settings.description.as_str(),
        "visibility": settings.visibility.as_str(),
        "password": settings.password,
    })
}

fn settings_from_json(settings: &Value) -> Option<RoomSettings> {
    let text = |field: &str| settings.get(field)?.as_str();
    Some(RoomSettings {
        title: Title::kept(text("title")?)?,
        description: Description::new(text("description")?)?,
        visibility: Visibility::parse(text("visibility")?)?,
        password: match settings.get("password")? {
            Value::Null => None,
            password => Some(password.as_str()?.into()),
        },
    })
}

/// SQLite's integers are signed, ours are not. Numbers count up from 1, so the upper half is out of
/// reach; a number from there would still come back unchanged.
pub(super) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// The reverse of [`signed`].
pub(super) fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A text column that has to satisfy a rule of the core's types.
pub(super) fn text<T>(
    row: &Row<'_>,
    column: impl RowIndex + Display,
    parse: fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    optional_text(row, column, parse)?.ok_or_else(|| unreadable(column))
}

/// Like [`text`], for a column that may be NULL.
pub(super) fn optional_text<T>(
    row: &Row<'_>,
    column: impl RowIndex + Display,
    parse: fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| parse(text).ok_or_else(|| unreadable(column))).transpose()
}

/// The error for a column with an impossible value.
fn unreadable(column: impl Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        0,
        Type::Text,
        format!("the column {column} has what it cannot have").into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_there_and_back() {
        let hash = crypto::hash("key");
        assert_eq!(crypto::unhex(&crypto::hex(&hash)), Some(hash));
        let hex = crypto::hex(&hash);
        let (short, odd, wrong) = (&hex[2..], &hex[1..], hex.replace(&hex[..1], "g"));
        let long = format!("{hex}00");
        for bad in ["", short, odd, &wrong, &long] {
            assert_eq!(crypto::unhex(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_body_that_lacks_something_is_no_entry() {
        let settings = json!({"title": "Den", "description": "", "visibility": "secret",
            "password": null});
        let cases = [
            ("account_made", json!({"account": 1, "name": "Ann"})),
            ("account_made", json!({"account": 1, "name": "", "key": "00".repeat(32)})),
            ("session_ended", json!({"session": -1})),
            ("session_ended", json!([])),
            ("room_made", json!({"room": 1, "owner": null, "facts": settings})),
            ("room_gone", json!({"room": "1"})),
            ("shouted", json!({"room": 1})),
        ];
        for (kind, body) in cases {
            assert_eq!(from_body(kind, &body), None, "{kind} {body}");
        }
    }
}
