//! An entry as a row of the log, and back. A message has columns of its own, because history and
//! search look at them; every other kind is rare and keeps what it needs as JSON in `body`.
//!
//! Both directions are here, side by side, so that they stay each other's inverse.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde_json::{Value, json};

use crate::chat::{
    AccountId, Author, Color, Description, Entry, Name, RoomFacts, RoomId, Seq, SessionId, Title,
    Visibility,
};
use crate::crypto::{self, KeyHash};
use crate::time::Time;

/// The columns that [`read`] expects, in its order: for the `SELECT` of whoever reads the log.
pub const COLUMNS: &str = "seq, time, kind, room, account, name, color, text, body";

/// Appends one entry under its number, in the caller's transaction.
pub(super) fn append(
    connection: &Connection,
    seq: Seq,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<()> {
    let mut insert;
    if let Entry::Said { room, author, color, text, .. } = entry {
        insert = connection.prepare_cached(
            "INSERT INTO log (seq, time, kind, room, account, name, color, text)
             VALUES (?, ?, 'said', ?, ?, ?, ?, ?)",
        )?;
        insert.execute(params![
            signed(seq.0),
            time.0,
            signed(room.0),
            author.account.map(|account| signed(account.0)),
            author.name.as_str(),
            color.as_ref().map(Color::as_str),
            text,
        ])?;
    } else {
        let (kind, body) = kind_and_body(entry);
        insert = connection
            .prepare_cached("INSERT INTO log (seq, time, kind, body) VALUES (?, ?, ?, ?)")?;
        insert.execute(params![signed(seq.0), time.0, kind, body.to_string()])?;
    }
    Ok(())
}

/// Reads a row of [`COLUMNS`] back: the number, when it was proposed, and the entry.
///
/// # Errors
/// [`rusqlite::Error::FromSqlConversionFailure`] for a row that this version cannot have written.
pub fn read(row: &Row<'_>) -> rusqlite::Result<(Seq, Time, Entry)> {
    let seq = Seq(unsigned(row.get("seq")?));
    let time = Time(row.get("time")?);
    let kind: String = row.get("kind")?;
    if kind == "said" {
        let author = Author {
            account: row.get::<_, Option<i64>>("account")?.map(|id| AccountId(unsigned(id))),
            name: text(row, "name", Name::new)?,
        };
        let room = RoomId(unsigned(row.get("room")?));
        let color = optional_text(row, "color", Color::new)?;
        return Ok((
            seq,
            time,
            Entry::Said {
                room,
                author,
                color,
                text: row.get("text")?,
                client_id: None,
                reply_to: None,
            },
        ));
    }
    let body: String = row.get("body")?;
    let body = serde_json::from_str(&body).map_err(|_| unreadable("body"))?;
    let entry = from_body(&kind, &body).ok_or_else(|| unreadable("body"))?;
    Ok((seq, time, entry))
}

/// An entry that is not a message: the name of its kind, and what is needed to carry it out again.
fn kind_and_body(entry: &Entry) -> (&'static str, Value) {
    match entry {
        Entry::AccountMade { account, name, key, .. } => {
            let key = key.as_ref().map_or(&[][..], |key| key);
            let key = crypto::hex(key);
            ("account_made", json!({"account": account.0, "name": name.as_str(), "key": key}))
        }
        Entry::SessionBegun { session, account, key, .. } => {
            let key = crypto::hex(key);
            ("session_begun", json!({"session": session.0, "account": account.0, "key": key}))
        }
        Entry::SessionEnded { session } => ("session_ended", json!({"session": session.0})),
        Entry::RoomMade { room, owner, facts } => {
            let owner = owner.map(|account| account.0);
            ("room_made", json!({"room": room.0, "owner": owner, "facts": facts_json(facts)}))
        }
        Entry::RoomChanged { room, facts, generation } => {
            let facts = facts_json(facts);
            ("room_changed", json!({"room": room.0, "facts": facts, "generation": generation}))
        }
        Entry::RoomGone { room } => ("room_gone", json!({"room": room.0})),
        Entry::AccountEnded { .. }
        | Entry::DirectMade { .. }
        | Entry::MemberChanged { .. }
        | Entry::Edited { .. }
        | Entry::Deleted { .. }
        | Entry::Reacted { .. } => unreachable!("not yet"),
        Entry::Said { .. } => unreachable!("a message has columns, and no body"),
    }
}

/// The reverse of [`kind_and_body`]. `None`: there is no such kind, or its body lacks something.
fn from_body(kind: &str, body: &Value) -> Option<Entry> {
    let number = |field: &str| body.get(field)?.as_u64();
    let key = || unhex(body.get("key")?.as_str()?);
    let room = || number("room").map(RoomId);
    let account = || number("account").map(AccountId);
    let session = || number("session").map(SessionId);
    let facts = || facts_from_json(body.get("facts")?);
    Some(match kind {
        "account_made" => {
            let name = Name::new(body.get("name")?.as_str()?)?;
            Entry::AccountMade { account: account()?, name, key: Some(key()?), color: None }
        }
        "session_begun" => Entry::SessionBegun {
            session: session()?,
            account: account()?,
            key: key()?,
            remember: false,
            agent: "".into(),
        },
        "session_ended" => Entry::SessionEnded { session: session()? },
        "room_made" => {
            let owner = match body.get("owner")? {
                Value::Null => None,
                owner => Some(AccountId(owner.as_u64()?)),
            };
            Entry::RoomMade { room: room()?, owner, facts: facts()? }
        }
        "room_changed" => {
            let generation = number("generation")?;
            Entry::RoomChanged { room: room()?, facts: facts()?, generation }
        }
        "room_gone" => Entry::RoomGone { room: room()? },
        _ => return None,
    })
}

fn facts_json(facts: &RoomFacts) -> Value {
    json!({
        "title": facts.title.as_str(),
        "description": facts.description.as_str(),
        "visibility": facts.visibility.as_str(),
        "password": facts.password,
    })
}

fn facts_from_json(facts: &Value) -> Option<RoomFacts> {
    let text = |field: &str| facts.get(field)?.as_str();
    Some(RoomFacts {
        title: Title::new(text("title")?)?,
        description: Description::new(text("description")?)?,
        visibility: Visibility::parse(text("visibility")?)?,
        password: match facts.get("password")? {
            Value::Null => None,
            password => Some(password.as_str()?.into()),
        },
    })
}

/// The reverse of [`crypto::hex`], for a hash.
fn unhex(text: &str) -> Option<KeyHash> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let bytes: Vec<u8> = digits?.chunks(2).map(|pair| pair.iter().fold(0, join)).collect();
    bytes.try_into().ok().filter(|_| text.len() == 64)
}

fn join(high: u8, low: &u8) -> u8 {
    (high << 4) | low
}

/// SQLite's integers have a sign and ours have none. Numbers are counted up from 1, so the upper
/// half is out of reach; if one came from there all the same, it would still come back as it was.
pub(super) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// The reverse of [`signed`].
pub(super) fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A text column that has to keep a rule of the core's types.
pub(super) fn text<T>(
    row: &Row<'_>,
    column: &'static str,
    parse: fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    optional_text(row, column, parse)?.ok_or_else(|| unreadable(column))
}

/// Like [`text`], where there may be none.
fn optional_text<T>(
    row: &Row<'_>,
    column: &'static str,
    parse: fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| parse(text).ok_or_else(|| unreadable(column))).transpose()
}

/// A column has what it cannot have.
fn unreadable(column: &'static str) -> rusqlite::Error {
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
        assert_eq!(unhex(&crypto::hex(&hash)), Some(hash));
        let hex = crypto::hex(&hash);
        let (short, odd, wrong) = (&hex[2..], &hex[1..], hex.replace(&hex[..1], "g"));
        let long = format!("{hex}00");
        for bad in ["", short, odd, &wrong, &long] {
            assert_eq!(unhex(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_body_that_lacks_something_is_no_entry() {
        let facts = json!({"title": "Den", "description": "", "visibility": "secret",
            "password": null});
        let cases = [
            ("account_made", json!({"account": 1, "name": "Ann"})),
            ("account_made", json!({"account": 1, "name": "", "key": "00".repeat(32)})),
            ("session_ended", json!({"session": -1})),
            ("session_ended", json!([])),
            ("room_made", json!({"room": 1, "owner": null, "facts": facts})),
            ("room_gone", json!({"room": "1"})),
            ("shouted", json!({"room": 1})),
        ];
        for (kind, body) in cases {
            assert_eq!(from_body(kind, &body), None, "{kind} {body}");
        }
    }
}
