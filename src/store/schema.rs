//! The schema's version, and upgrades: numbered migrations, compiled in, each run once and in one
//! transaction. Called by `open`.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior};

use crate::store::OpenError;

/// `application_id` in the header of every Shanty database: "Shnt" in ASCII. The first migration
/// writes it.
const APPLICATION_ID: i64 = 0x5368_6e74;

/// All migrations, in order. Append only; never edit one after a release, because a database stores
/// only the number of the last one that it has run.
pub(super) const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_in_charge.sql"),
    include_str!("migrations/0003_invitations.sql"),
    include_str!("migrations/0004_moderation.sql"),
];

/// Schema numbers before the first migration here. Development versions made twelve schemas, step
/// by step, before there was a release; the first migration makes the thirteenth at once. So a
/// database that the last of those versions has opened is accepted.
const BEFORE: usize = 12;

/// The schema's number after `seen` migrations: `user_version` in the database's header.
pub(super) fn number(seen: usize) -> usize {
    BEFORE + seen
}

/// How many migrations the database has run; 0 if it is empty. Writes nothing, so that a foreign
/// file stays unchanged.
pub(super) fn version(connection: &Connection) -> Result<usize, OpenError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    let known = self::number(MIGRATIONS.len());
    match (application, usize::try_from(version)) {
        (0, Ok(0)) if tables == 0 => Ok(0),
        (APPLICATION_ID, Ok(found)) if found > known => Err(OpenError::Newer { found, known }),
        (APPLICATION_ID, Ok(found)) if found <= BEFORE => Err(OpenError::Unreleased { found }),
        (APPLICATION_ID, Ok(found)) => Ok(found - BEFORE),
        _ => Err(OpenError::Foreign),
    }
}

/// Runs the migrations that a database with `seen` of them lacks.
pub(super) fn migrate(
    connection: &mut Connection,
    migrations: &[&str],
    seen: usize,
) -> rusqlite::Result<()> {
    for (index, sql) in migrations.iter().enumerate().skip(seen) {
        // `user_version` is part of the transaction: after a crash, a migration has been run and
        // counted, or neither.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number(index + 1) as i64)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The first difference to `ours`, the schema that the migrations make; `None` if there is none.
/// Additions count, too: a foreign trigger would run with every entry.
pub(super) fn difference(
    connection: &Connection,
    ours: &Connection,
) -> Result<Option<String>, OpenError> {
    let (ours, mut theirs) = (objects(ours)?, objects(connection)?);
    for (name, sql) in ours {
        match theirs.remove(&name) {
            Some(found) if found == sql => {}
            Some(_) => return Ok(Some(format!("{name} has another definition than shanty's"))),
            None => return Ok(Some(format!("{name} is missing"))),
        }
    }
    Ok(theirs.into_keys().next().map(|name| format!("{name} is not part of shanty's schema")))
}

/// All objects of a schema: type and name, and the SQL that made each, without comments and spaces.
/// (The tables that `ANALYZE` leaves change nothing.)
pub(super) fn objects(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut select = connection.prepare(
        "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema
         WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4')",
    )?;
    let bare = |sql: String| {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or(""));
        lines.flat_map(str::split_whitespace).collect::<String>()
    };
    let object = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, bare(row.get(1)?)));
    select.query_map([], object)?.collect()
}
