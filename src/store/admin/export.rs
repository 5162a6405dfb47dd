//! Exports everything as lines of JSON with sorted keys: the same log always gives the same bytes.
//!
//! The first line names the format and the end of the log. Then follows a line for each entry of
//! the log, in order, with its columns as they are (see `src/store/migrations/`; times are
//! microseconds since 1970, hashes hexadecimal, NULLs are left out). Then follows what is not in
//! the log: where entries are gone, last uses of sessions, read markers, client ids of removed
//! messages. The last line has the number of entries and the SHA-256 of all bytes before it: an
//! export without that line was cut off, one with another sum was altered.
//!
//! The log's epoch and secret are not exported; all other tables can be rebuilt from the log.

use std::io::{self, Write};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::crypto;
use crate::store::{OpenError, chain, entries, notes};

/// The version in the first line.
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

/// The state outside the log: the kind of the line, the table, and its columns, of which the first
/// is the order.
pub(super) const BESIDE: [(&str, &str, &[&str]); 4] = [
    ("gap", "gap", &["seq", "hash"]),
    ("session_used", "session", &["id", "last_used"]),
    ("room_read", "member", &["room", "account", "read"]),
    ("spent", "spent", &["account", "client_id", "seq", "time", "room", "reply_to", "hash"]),
];

/// Writes all lines. Returns the number of entries.
pub(super) fn export(connection: &Connection, out: &mut impl Write) -> Result<u64, OpenError> {
    let out = &mut Summed { out, sum: Sha256::new() };
    connection.execute_batch("BEGIN")?; // All reads see one moment.
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

/// A writer that hashes what it writes.
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

/// `None` for NULL.
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
