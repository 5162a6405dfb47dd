//! Two notes in `meta` for what the hash chain does not cover: where the log ends, and a checksum
//! of the client ids of removed messages. They reveal that the last entries were cut off or that a
//! client id was altered.
//!
//! Noting the end with each commit would cost the commit one more page. So it is noted every
//! [`END_NOTED_ENTRIES`] entries, at each start and stop, and when old messages go.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use crate::limits::END_NOTED_ENTRIES;
use crate::store::chain::{self, Link};
use crate::store::entries;

/// The checksum: the wrapping sum of a hash of each row in `spent`.
pub(super) type Sum = u128;

/// The value in `meta`: the number of an entry (which may have been removed), and its link.
type End = [u8; 24];

/// The columns of `spent` (client ids of removed messages), as [`row_sum`] reads them.
const SPENT: &str = "account, client_id, seq, time, room, reply_to, hash";

/// Notes where the log ends now.
pub(super) fn note_end(connection: &Connection) -> rusqlite::Result<()> {
    let last: i64 = connection.prepare_cached(entries::LAST)?.query_row([], |row| row.get(0))?;
    match chain::link(connection, last)? {
        Some(link) => note_end_at(connection, last, link),
        None => Ok(()), // There is no entry yet.
    }
}

/// Notes the end, if the last note (at entry `noted`) is old enough. Returns the entry that the
/// note covers afterwards.
pub(super) fn note_end_soon(
    connection: &Connection,
    noted: i64,
    last: i64,
    link: Link,
) -> rusqlite::Result<i64> {
    if last - noted < END_NOTED_ENTRIES {
        return Ok(noted);
    }
    note_end_at(connection, last, link)?;
    Ok(last)
}

/// Notes an end that the caller knows.
pub(super) fn note_end_at(connection: &Connection, last: i64, link: Link) -> rusqlite::Result<()> {
    let mut end = [0; size_of::<End>()];
    end[..8].copy_from_slice(&last.to_le_bytes());
    end[8..].copy_from_slice(&link);
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('end', ?)")?
        .execute([end])?;
    Ok(())
}

/// The number of the noted last entry, if the log does not reach it any more.
pub(super) fn cut_off(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let end = "SELECT value FROM meta WHERE key = 'end'";
    let end: Option<End> = connection.query_row(end, [], |row| row.get(0)).optional()?;
    let Some(end) = end else { return Ok(Some(0)) };
    let (seq, link) = end.split_at(8);
    let seq = i64::from_le_bytes(seq.try_into().expect("8 of 24 bytes are 8"));
    let found = chain::link(connection, seq)?;
    Ok((found.as_ref().map(|found| &found[..]) != Some(link)).then_some(seq))
}

/// Adds the row of `spent` with this key to the checksum.
pub(super) fn spend(connection: &Connection, account: i64, id: &str) -> rusqlite::Result<()> {
    let select = format!("SELECT {SPENT} FROM spent WHERE account = ? AND client_id = ?");
    let mut select = connection.prepare_cached(&select)?;
    let sum_of_row = select.query_row(params![account, id], row_sum)?;
    note_spent(connection, noted_spent(connection)?.wrapping_add(sum_of_row))
}

/// The checksum as noted.
pub(super) fn noted_spent(connection: &Connection) -> rusqlite::Result<Sum> {
    let sum = "SELECT value FROM meta WHERE key = 'spent'";
    let sum = connection.prepare_cached(sum)?.query_row([], |row| row.get::<_, [u8; 16]>(0));
    Ok(Sum::from_le_bytes(sum.optional()?.unwrap_or_default()))
}

/// The checksum of the rows as they are.
pub(super) fn sum_of_spent(connection: &Connection) -> rusqlite::Result<Sum> {
    let mut select = connection.prepare(&format!("SELECT {SPENT} FROM spent"))?;
    let mut sum: Sum = 0;
    for sum_of_row in select.query_map([], row_sum)? {
        sum = sum.wrapping_add(sum_of_row?);
    }
    Ok(sum)
}

/// Notes the checksum.
pub(super) fn note_spent(connection: &Connection, sum: Sum) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('spent', ?)")?
        .execute([sum.to_le_bytes()])?;
    Ok(())
}

fn row_sum(row: &Row<'_>) -> rusqlite::Result<Sum> {
    let mut bytes = Vec::new();
    chain::text_into(&mut bytes, row.get_ref(1)?.as_str()?);
    for number in [0, 2, 3, 4, 5] {
        let number: Option<i64> = row.get(number)?;
        bytes.push(u8::from(number.is_some()));
        bytes.extend(number.unwrap_or_default().to_le_bytes());
    }
    bytes.extend(row.get_ref(6)?.as_blob()?);
    Ok(Sum::from_le_bytes(chain::short(&Sha256::digest(&bytes).into())))
}
