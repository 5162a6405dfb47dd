//! The floor of acknowledged messages: SQLite itself, on the same disk, through the same library.
//!
//! Rows like the server's log, in WAL mode and with `synchronous=FULL`, so that a finished commit
//! survives a loss of power; one row a commit, and many.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::{Outcome, Words, wire};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE log (
        seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, room INTEGER NOT NULL,
        author TEXT NOT NULL, text TEXT NOT NULL
    ) STRICT;
";

/// Commits for `seconds` and reports `rows_per_second`.
pub fn run(words: &Words) -> Outcome<()> {
    let mut database = Connection::open(words.text("db")?)?;
    database.execute_batch(SCHEMA)?;
    let rows_a_commit = words.count("rows")?;
    let stretch = Duration::from_secs_f64(words.number("seconds")?);
    let start = Instant::now();
    let mut rows: u64 = 0;
    while start.elapsed() < stretch {
        let transaction = database.transaction()?;
        let mut insert = transaction
            .prepare_cached("INSERT INTO log (time, room, author, text) VALUES (?, 1, ?, ?)")?;
        for _ in 0..rows_a_commit {
            let time = i64::try_from(start.elapsed().as_nanos())?;
            insert.execute(params![time, wire::name(0), wire::words(rows)])?;
            rows += 1;
        }
        drop(insert);
        transaction.commit()?;
    }
    let rate = rows as f64 / start.elapsed().as_secs_f64();
    print!("{}", Words::default().with("rows_per_second", rate).lines());
    Ok(())
}
