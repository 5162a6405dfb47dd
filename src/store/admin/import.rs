//! The reverse of `export`: fills a new database from lines. The log's rows are stored as they
//! were; the tables beside it are rebuilt from them, entry by entry, as the writer does.

use std::io::{BufRead, Read};

use rusqlite::types::Value as Column;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::chat::Entry;
use crate::crypto;
use crate::limits::IMPORT_LINE_BYTES_MAX;
use crate::store::admin::export::{BESIDE, COLUMNS, VERSION};
use crate::store::admin::recalled::Names;
use crate::store::admin::replica;
use crate::store::{self, OpenError, chain, entries, index, messages, notes};

/// Fills the database, in one transaction. Returns the number of entries.
///
/// # Errors
/// The number of the wrong line, and what is wrong.
pub(super) fn import(connection: &Connection, lines: impl BufRead) -> Result<u64, String> {
    let failed = |error: rusqlite::Error| OpenError::from(error).to_string();
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let entries = fill(connection, lines)?;
    let name_and_index = || -> rusqlite::Result<()> {
        store::baptise(connection)?;
        notes::note_end(connection)?;
        index::index_all(connection)?;
        connection.execute_batch("COMMIT")
    };
    name_and_index().map_err(failed)?;
    Ok(entries)
}

/// The oldest version that can be read; its chain is older, or missing.
const OLDEST: u64 = 2;

/// The error for an export that was cut off.
const CUT_OFF: &str = "the end is missing: export again";

fn fill(connection: &Connection, mut lines: impl BufRead) -> Result<u64, String> {
    let (mut line, mut sum) = (String::new(), Sha256::new());
    let (mut entries, mut ended, mut said) = (0, false, None);
    let mut names = None;
    for number in 1.. {
        let at = |message: String| format!("line {number}: {message}");
        line.clear();
        let most = IMPORT_LINE_BYTES_MAX as u64 + 1;
        let read = lines.by_ref().take(most).read_line(&mut line);
        if read.map_err(|error| at(error.to_string()))? == 0 {
            break;
        }
        if line.len() > IMPORT_LINE_BYTES_MAX {
            return Err(at("this line is longer than any line of an export".to_owned()));
        }
        let fields: Map<String, Value> = match serde_json::from_str(&line) {
            Ok(fields) => fields,
            Err(_) if !line.ends_with('\n') => return Err(CUT_OFF.to_owned()),
            Err(_) => return Err(at("this is not a JSON object".to_owned())),
        };
        let kind = fields.get("kind").and_then(Value::as_str).unwrap_or_default();
        let of_beside = BESIDE.iter().find(|(name, _, _)| *name == kind);
        if ended || (number == 1) != (kind == "shanty") {
            return Err(at("this is not an export of shanty".to_owned()));
        }
        match (kind, of_beside) {
            ("shanty", _) => {
                let first = begin(connection, &fields).map_err(at)?;
                names = first.ends.is_none().then(Names::default);
                said = Some(first);
            }
            ("end", _) => {
                ended = true;
                let sealed = fields.get("sha256").and_then(Value::as_str);
                if fields.get("entries").and_then(Value::as_u64) != Some(entries) {
                    return Err(at("entries are missing: export again".to_owned()));
                }
                if sealed != Some(&crypto::hex(&sum.finalize_reset())) {
                    let message = "this is not what was exported: it was altered, or damaged on \
                                   the way; export again";
                    return Err(message.to_owned());
                }
            }
            (_, Some((_, table, columns))) => {
                beside(connection, &fields, table, columns).map_err(at)?;
            }
            _ => {
                entry(connection, &fields, names.as_mut()).map_err(at)?;
                entries += 1;
            }
        }
        sum.update(&line);
    }
    let Some(said) = said.filter(|_| ended) else { return Err(CUT_OFF.to_owned()) };
    finish(connection, &said)?;
    Ok(entries)
}

/// The contents of the first line.
struct Said {
    /// The end of the log; `None` for older exports.
    ends: Option<(i64, String, String)>,
}

fn begin(connection: &Connection, fields: &Map<String, Value>) -> Result<Said, String> {
    let version = fields.get("version").and_then(Value::as_u64);
    if !version.is_some_and(|version| (OLDEST..=VERSION).contains(&version)) {
        return Err(
            "made by another version of shanty: import it with that version version".to_owned()
        );
    }
    let pruned = fields.get("pruned").and_then(Value::as_i64).ok_or("a number is missing")?;
    let set = connection.execute("UPDATE meta SET value = ? WHERE key = 'pruned'", [pruned]);
    set.map_err(|error| error.to_string())?;
    let text = |field: &str| fields.get(field).and_then(Value::as_str).map(str::to_owned);
    let last = fields.get("last").and_then(Value::as_i64);
    let ends = last.zip(text("hash")).zip(text("spent"));
    match ends.map(|((last, hash), spent)| (last, hash, spent)) {
        None if version == Some(VERSION) => {
            Err("the first line lacks the last entry's number or hash".to_owned())
        }
        ends => Ok(Said { ends }),
    }
}

/// Compares the lines with the first one. A log from before the chain gets its chain now.
fn finish(connection: &Connection, said: &Said) -> Result<(), String> {
    let failed = |error: rusqlite::Error| OpenError::from(error).to_string();
    let Some((last, hash, spent)) = &said.ends else {
        return chain::begin(connection).map_err(failed);
    };
    let link = chain::link(connection, *last).map_err(failed)?;
    let sum = notes::sum_of_spent(connection).map_err(failed)?;
    let whole = link.is_some_and(|link| crypto::hex(&link) == *hash)
        && crypto::hex(&sum.to_le_bytes()) == *spent;
    if !whole {
        return Err(
            "the hashes in the first line do not match the entries: export again".to_owned()
        );
    }
    notes::note_spent(connection, sum).map_err(failed)
}

/// The values of a line, in the order of the columns. `kind` is a column of the log only.
fn values(fields: &Map<String, Value>, columns: &[&str]) -> Result<Vec<Column>, String> {
    let known = |name: &String| name == "kind" || columns.contains(&name.as_str());
    if let Some(stranger) = fields.keys().find(|name| !known(name)) {
        return Err(format!("{stranger:?} is unknown"));
    }
    let value = |column: &&str| match (*column, fields.get(*column)) {
        ("deleted", None) => Ok(Column::Integer(0)),
        (_, None) => Ok(Column::Null),
        ("body", Some(body)) => Ok(Column::Text(body.to_string())),
        ("said_hash" | "hash" | "proof", Some(Value::String(hex))) => {
            bytes(hex).map(Column::Blob).ok_or_else(|| format!("{column:?} is not a hash"))
        }
        (_, Some(Value::String(text))) => Ok(Column::Text(text.clone())),
        (_, Some(Value::Number(number))) if number.is_i64() => {
            Ok(Column::Integer(number.as_i64().unwrap_or_default()))
        }
        _ => Err(format!("{column:?} has an invalid value")),
    };
    columns.iter().map(value).collect()
}

/// The reverse of [`crypto::hex`].
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |high, low| high << 4 | low)).collect())
}

/// Stores an entry. `names` resolves the mentions of an old export.
fn entry(
    connection: &Connection,
    fields: &Map<String, Value>,
    names: Option<&mut Names>,
) -> Result<(), String> {
    let values = values(fields, &COLUMNS)?;
    let seq = values[0].clone();
    let put = || -> rusqlite::Result<()> {
        let marks = ["?"; COLUMNS.len()].join(", ");
        let sql = format!("INSERT INTO log ({}) VALUES ({marks})", COLUMNS.join(", "));
        connection.prepare_cached(&sql)?.execute(params_from_iter(&values))?;
        let sql = format!("SELECT {}, deleted FROM log WHERE seq = ?", entries::COLUMNS);
        let ((seq, time, entry), deleted) = connection
            .prepare_cached(&sql)?
            .query_row([seq], |row| Ok((entries::read(row)?, row.get::<_, bool>("deleted")?)))?;
        match &entry {
            // The text is the current one already, and so is what is made from it.
            Entry::Said { room, calls, .. } if !deleted => {
                messages::mention(connection, *room, seq, calls)
            }
            entry => replica::apply(connection, seq, time, entry),
        }?;
        names.map_or(Ok(()), |names| names.follow(connection, seq, &entry))
    };
    put().map_err(|error| error.to_string())
}

fn beside(
    connection: &Connection,
    fields: &Map<String, Value>,
    table: &str,
    columns: &[&str],
) -> Result<(), String> {
    let values = values(fields, columns)?;
    // Sessions and members exist already: the log does not know their last column.
    let sql = match table {
        "session" => "UPDATE session SET last_used = ?2 WHERE id = ?1",
        "gap" => "INSERT INTO gap (seq, hash) VALUES (?, ?)",
        "member" => "UPDATE member SET read = ?3 WHERE room = ?1 AND account = ?2",
        _ => {
            "INSERT INTO spent (account, client_id, seq, time, room, reply_to, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?)"
        }
    };
    let mut statement = connection.prepare_cached(sql).map_err(|error| error.to_string())?;
    match statement.execute(params_from_iter(&values)) {
        Ok(1) => Ok(()),
        Ok(_) => Err("this line is about an unknown session, member or account".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
