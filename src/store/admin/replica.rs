//! The tables beside the log, rebuilt from its entries in memory, to compare with those of a
//! database, row by row and column by column. The import rebuilds its tables here, too.

use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use crate::chat::{Entry, Seq};
use crate::store::{OpenError, messages, schema, tables};
use crate::time::Time;

/// The compared tables, each with the columns that are not: those that change without an entry.
const TABLES: [(&str, &[&str]); 14] = [
    ("account", &[]),
    ("session", &["last_used"]),
    ("room", &[]),
    ("member", &["read"]),
    ("lost", &[]),
    ("block", &[]),
    ("setting", &[]),
    ("banned", &[]),
    ("invitation", &[]),
    ("invited", &[]),
    ("recovery", &[]),
    ("muted", &[]),
    ("room_ban", &[]),
    ("reaction", &[]),
];

pub(super) struct Replica(Connection);

impl Replica {
    /// For an empty log, with the schema after these migrations.
    pub fn new(migrations: &[&str]) -> Result<Replica, OpenError> {
        let mut connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut connection, migrations, 0)?;
        connection.execute_batch("BEGIN")?;
        Ok(Replica(connection))
    }

    /// Its database.
    pub fn connection(&self) -> &Connection {
        &self.0
    }

    /// Applies the next entry.
    pub fn take(&self, seq: Seq, time: Time, entry: &Entry) -> rusqlite::Result<()> {
        apply(&self.0, seq, time, entry)
    }

    /// The first table that differs from that database's.
    pub fn difference(&self, connection: &Connection) -> rusqlite::Result<Option<&'static str>> {
        let tables = TABLES.map(|(table, but)| (table, but, ""));
        // (SQLite's `version` depends on how the index was written.)
        let index = ("words_config", &[][..], "WHERE k <> 'version'");
        for (table, but, which) in tables.into_iter().chain([index]) {
            let columns = self.columns(table, but)?.join(", ");
            let count = columns.split(", ").count();
            let order = (1..=count).map(|number| number.to_string()).collect::<Vec<_>>();
            let sql =
                format!("SELECT {columns} FROM {table} {which} ORDER BY {}", order.join(", "));
            let (mut ours, mut theirs) = (self.0.prepare(&sql)?, connection.prepare(&sql)?);
            let (mut ours, mut theirs) = (ours.query([])?, theirs.query([])?);
            loop {
                let one = ours.next()?.map(|row| values(row, count)).transpose()?;
                let other = theirs.next()?.map(|row| values(row, count)).transpose()?;
                if one != other {
                    return Ok(Some(table));
                }
                if one.is_none() {
                    break;
                }
            }
        }
        Ok(None)
    }

    fn columns(&self, table: &str, but: &[&str]) -> rusqlite::Result<Vec<String>> {
        let names = "SELECT name FROM pragma_table_info(?) ORDER BY pk = 0, pk, cid";
        let mut select = self.0.prepare(names)?;
        let names = select.query_map([table], |row| row.get::<_, String>(0))?;
        names.filter(|name| !name.as_ref().is_ok_and(|name| but.contains(&&**name))).collect()
    }
}

fn values(row: &Row<'_>, count: usize) -> rusqlite::Result<Vec<Value>> {
    (0..count).map(|index| row.get(index)).collect()
}

/// Applies an entry to the tables beside the log, if the log has the current texts already, or
/// none.
pub(super) fn apply(
    connection: &Connection,
    seq: Seq,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<()> {
    match entry.act() {
        Entry::Said { .. } | Entry::Edited { .. } => Ok(()),
        Entry::Deleted { target, .. } => messages::drop_reactions(connection, *target),
        _ => tables::apply(connection, seq, time, entry),
    }
}
