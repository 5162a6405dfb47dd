//! Everything as lines of JSON, with sorted keys, so that the same log is always the same bytes.
//!
//! First a line that says what this is, and where the log ends; then one for each entry of the log,
//! in order, with its columns as they are (`src/store/migrations/` says what they mean; times are
//! microseconds since 1970, hashes hexadecimal, what is NULL is left out); then what is not in the
//! log: where entries are gone, when sessions were last used, how far members have read, the
//! numbers of messages that are gone. The last line counts the entries and has the SHA-256 of all
//! bytes before it: an export without it was cut off, and one that it does not fit was altered.
//! What names and protects this log (its epoch, its secret) is not in it, and all other tables can
//! be made from it.

use std::io::{self, Write};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::crypto;
use crate::store::{OpenError, chain, entries, notes};

/// Of the first line.
pub(super) const VERSION: u64 = 4;

/// The columns of the log, each by its name in a line.
pub(super) const COLUMNS: [&str; 17] = [
    "seq",
    "time",
    "kind",
    "room",
    "account",
    "name",
    "color",
    "text",
    "body",
    "client_id",
    "reply_to",
    "target",
    "edited",
    "deleted",
    "said_hash",
    "proof",
    "hash",
];

/// What is not in the log: the kind of its line, where it is, and what of it is written, in whose
/// order.
pub(super) const BESIDE: [(&str, &str, &[&str]); 4] = [
    ("gap", "gap", &["seq", "hash"]),
    ("session_used", "session", &["id", "last_used"]),
    ("room_read", "member", &["room", "account", "read"]),
    ("spent", "spent", &["account", "client_id", "seq", "time", "room", "reply_to", "hash"]),
];

/// Writes all lines. Returns how many entries there are.
pub(super) fn export(connection: &Connection, out: &mut impl Write) -> Result<u64, OpenError> {
    let out = &mut Summed { out, sum: Sha256::new() };
    connection.execute_batch("BEGIN")?; // All of one moment.
    let pruned = "SELECT value FROM meta WHERE key = 'pruned'";
    let pruned: i64 = connection.query_row(pruned, [], |row| row.get(0))?;
    let last: i64 = connection.query_row(entries::LAST, [], |row| row.get(0))?;
    let hash = chain::link(connection, last)?.map(|link| crypto::hex(&link));
    let spent = crypto::hex(&notes::noted_spent(connection)?.to_le_bytes());
    let first = json!({"kind": "shanty", "version": VERSION, "pruned": pruned, "last": last,
        "hash": hash, "spent": spent});
    line(out, &first)?;
    let entries = table(connection, out, None, "log", &COLUMNS, "seq")?;
    for (kind, name, columns) in BESIDE {
        table(connection, out, Some(kind), name, columns, &format!("{}, 2", columns[0]))?;
    }
    let sum = crypto::hex(&out.sum.finalize_reset());
    line(out, &json!({"kind": "end", "entries": entries, "sha256": sum}))?;
    connection.execute_batch("ROLLBACK")?;
    Ok(entries)
}

/// What is written, and the sum of it.
struct Summed<'a, W> {
    out: &'a mut W,
    sum: Sha256,
}

impl<W: Write> Write for Summed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn line(out: &mut impl Write, value: &Value) -> Result<(), OpenError> {
    Ok(out.write_all(format!("{value}\n").as_bytes())?)
}

fn table(
    connection: &Connection,
    out: &mut impl Write,
    kind: Option<&str>,
    name: &str,
    columns: &[&str],
    order: &str,
) -> Result<u64, OpenError> {
    let sql = format!("SELECT {} FROM {name} ORDER BY {order}", columns.join(", "));
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let mut fields = Map::new();
        if let Some(kind) = kind {
            fields.insert("kind".to_owned(), kind.into());
        }
        for (index, column) in columns.iter().enumerate() {
            if let Some(value) = value(row, index, column)? {
                fields.insert((*column).to_owned(), value);
            }
        }
        line(out, &Value::Object(fields))?;
        count += 1;
    }
    Ok(count)
}

/// `None`: there is nothing to say.
fn value(row: &Row<'_>, index: usize, column: &str) -> Result<Option<Value>, OpenError> {
    let damaged = || OpenError::Corrupt(format!("the column {column} cannot be read"));
    Ok(match row.get_ref(index)? {
        ValueRef::Null => None,
        ValueRef::Integer(0) if column == "deleted" => None,
        ValueRef::Integer(number) => Some(number.into()),
        ValueRef::Text(text) => {
            let text = str::from_utf8(text).map_err(|_| damaged())?;
            let body = column == "body";
            Some(if body {
                serde_json::from_str(text).map_err(|_| damaged())?
            } else {
                text.into()
            })
        }
        ValueRef::Blob(bytes) => Some(crypto::hex(bytes).into()),
        ValueRef::Real(_) => return Err(damaged()),
    })
}
