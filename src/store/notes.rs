//! What the database says of itself where the chain does not reach, in `meta`: up to where the log
//! goes at least, and what the numbers of messages that are gone sum up to. So it is seen when the
//! last entries are cut off, or such a number is altered.
//!
//! The end of the log is not noted with each commit, which would cost one a page more, but every
//! [`END_NOTED_ENTRIES`] entries, at a start and at a stop, and when old messages go.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use crate::limits::END_NOTED_ENTRIES;
use crate::store::chain::{self, Link};
use crate::store::entries;

/// Of all numbers of messages that are gone: the sum, without carry, of a hash of each.
pub(super) type Sum = u128;

/// What stands in `meta`: the number of an entry (or of one that has gone), and its link.
type End = [u8; 24];

/// The columns of `spent`, as [`one_spent`] reads them.
const SPENT: &str = "account, client_id, seq, time, room, reply_to, hash";

/// Notes where the log ends now.
pub(super) fn note_end(connection: &Connection) -> rusqlite::Result<()> {
    let last: i64 = connection.prepare_cached(entries::LAST)?.query_row([], |row| row.get(0))?;
    match chain::link(connection, last)? {
        Some(link) => note_end_at(connection, last, link),
        None => Ok(()), // There is no entry yet.
    }
}

/// Likewise, where that is known; if the last note is old enough, whose number that is. Returns the
/// number of the note that counts then.
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

/// Likewise, by whoever has written the log.
pub(super) fn note_end_at(connection: &Connection, last: i64, link: Link) -> rusqlite::Result<()> {
    let mut end = [0; size_of::<End>()];
    end[..8].copy_from_slice(&last.to_le_bytes());
    end[8..].copy_from_slice(&link);
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('end', ?)")?
        .execute([end])?;
    Ok(())
}

/// The number of the entry that is missing at the end, if the log does not go as far as was noted.
pub(super) fn cut_off(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let end = "SELECT value FROM meta WHERE key = 'end'";
    let end: Option<End> = connection.query_row(end, [], |row| row.get(0)).optional()?;
    let Some(end) = end else { return Ok(Some(0)) };
    let (seq, link) = end.split_at(8);
    let seq = i64::from_le_bytes(seq.try_into().expect("8 of 24 bytes are 8"));
    let found = chain::link(connection, seq)?;
    Ok((found.as_ref().map(|found| &found[..]) != Some(link)).then_some(seq))
}

/// One more number is that of a message which is gone: the row of `spent` with these two.
pub(super) fn spend(connection: &Connection, account: i64, id: &str) -> rusqlite::Result<()> {
    let select = format!("SELECT {SPENT} FROM spent WHERE account = ? AND client_id = ?");
    let mut select = connection.prepare_cached(&select)?;
    let one = select.query_row(params![account, id], one_spent)?;
    note_spent(connection, noted_spent(connection)?.wrapping_add(one))
}

/// What they sum up to, as it is noted.
pub(super) fn noted_spent(connection: &Connection) -> rusqlite::Result<Sum> {
    let sum = "SELECT value FROM meta WHERE key = 'spent'";
    let sum = connection.prepare_cached(sum)?.query_row([], |row| row.get::<_, [u8; 16]>(0));
    Ok(Sum::from_le_bytes(sum.optional()?.unwrap_or_default()))
}

/// What they sum up to, as they are.
pub(super) fn sum_of_spent(connection: &Connection) -> rusqlite::Result<Sum> {
    let mut select = connection.prepare(&format!("SELECT {SPENT} FROM spent"))?;
    let mut sum: Sum = 0;
    for one in select.query_map([], one_spent)? {
        sum = sum.wrapping_add(one?);
    }
    Ok(sum)
}

/// Notes what they sum up to.
pub(super) fn note_spent(connection: &Connection, sum: Sum) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('spent', ?)")?
        .execute([sum.to_le_bytes()])?;
    Ok(())
}

fn one_spent(row: &Row<'_>) -> rusqlite::Result<Sum> {
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
