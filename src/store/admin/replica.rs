//! The tables beside the log as its entries make them, once more and in memory: what those of a
//! database are held against, row by row and column by column. And how an export's lines become
//! tables again.

use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use crate::chat::{Entry, Seq};
use crate::store::{OpenError, messages, schema, tables};
use crate::time::Time;

/// What is compared, and what of it is not: what changes without an entry.
const TABLES: [(&str, &[&str]); 7] = [
    ("account", &[]),
    ("session", &["last_used"]),
    ("room", &[]),
    ("member", &["read"]),
    ("lost", &[]),
    ("block", &[]),
    ("reaction", &[]),
];

pub(super) struct Replica(Connection);

impl Replica {
    /// Of a log without entries, in a database that has seen these migrations.
    pub fn new(migrations: &[&str]) -> Result<Replica, OpenError> {
        let mut connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut connection, migrations, 0)?;
        connection.execute_batch("BEGIN")?;
        Ok(Replica(connection))
    }

    /// The database that it is.
    pub fn connection(&self) -> &Connection {
        &self.0
    }

    /// What the next entry makes of it.
    pub fn take(&self, seq: Seq, time: Time, entry: &Entry) -> rusqlite::Result<()> {
        apply(&self.0, seq, time, entry)
    }

    /// The first table that is another here than in that database.
    pub fn difference(&self, connection: &Connection) -> rusqlite::Result<Option<&'static str>> {
        let tables = TABLES.map(|(table, but)| (table, but, ""));
        // (Its version says which of its ways SQLite has had to go.)
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

/// Carries out an entry in the tables beside the log, where the log has the words of now already,
/// or has none at all.
pub(super) fn apply(
    connection: &Connection,
    seq: Seq,
    time: Time,
    entry: &Entry,
) -> rusqlite::Result<()> {
    match entry {
        Entry::Said { .. } | Entry::Edited { .. } => Ok(()),
        Entry::Deleted { target, .. } => messages::drop_reactions(connection, *target),
        entry => tables::apply(connection, seq, time, entry),
    }
}
