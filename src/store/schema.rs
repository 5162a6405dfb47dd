//! Which database this is, and how an old one becomes a new one: numbered migrations, compiled in,
//! each run once and in one transaction. Called by `open`.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::OpenError;

/// In the header of every database of ours; "Shnt" in ASCII. The first migration writes it.
const APPLICATION_ID: i64 = 0x5368_6e74;

/// What made the schema what it is, in order. Appended to, and never edited after a release: a
/// database remembers only how many of them it has seen.
pub(super) const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_words.sql"),
    include_str!("migrations/0003_retention.sql"),
    include_str!("migrations/0004_gone.sql"),
    include_str!("migrations/0005_index.sql"),
    include_str!("migrations/0006_seen.sql"),
];

/// How many migrations the database has seen; 0 if it is empty. Writes nothing, so that a file
/// which is not ours stays as it is.
pub(super) fn version(connection: &Connection) -> Result<usize, OpenError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    let known = MIGRATIONS.len();
    match (application, usize::try_from(version)) {
        (0, Ok(0)) if tables == 0 => Ok(0),
        (APPLICATION_ID, Ok(found)) if found > known => Err(OpenError::Newer { found, known }),
        (APPLICATION_ID, Ok(found)) => Ok(found),
        _ => Err(OpenError::Foreign),
    }
}

/// Runs those migrations that a database with `seen` of them has not had yet.
pub(super) fn migrate(
    connection: &mut Connection,
    migrations: &[&str],
    seen: usize,
) -> rusqlite::Result<()> {
    for (number, sql) in (1_i64..).zip(migrations).skip(seen) {
        // `user_version` lies in the database's header and is part of the transaction: after a
        // crash, a migration has been run and counted, or neither.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
