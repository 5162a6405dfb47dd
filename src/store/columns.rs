//! Reads a message, and its mentions, from a row of the log. Called by the reader.

use std::collections::HashMap;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, OptionalExtension, Row, Statement};

use crate::chat::{AccountId, Author, ClientId, Color, Name, RoomId, Seq};
use crate::store::Message;
use crate::store::entries::{self, optional_text, signed, text, unsigned};
use crate::time::Time;

/// Positions of a message's columns in the rows of a statement. Looking up each by its name, in
/// every row, would take longer than reading it.
pub(super) struct Columns {
    seq: usize,
    time: usize,
    room: usize,
    account: usize,
    name: usize,
    color: usize,
    text: usize,
    client_id: usize,
    reply_to: usize,
    edited: usize,
    body: usize,
}

impl Columns {
    pub fn of(statement: &Statement<'_>) -> rusqlite::Result<Columns> {
        let at = |name| statement.column_index(name);
        Ok(Columns {
            seq: at("seq")?,
            time: at("time")?,
            room: at("room")?,
            account: at("account")?,
            name: at("name")?,
            color: at("color")?,
            text: at("text")?,
            client_id: at("client_id")?,
            reply_to: at("reply_to")?,
            edited: at("edited")?,
            body: at("body")?,
        })
    }

    /// A message, without its reactions.
    pub fn message(&self, row: &Row<'_>, names: &mut Names<'_>) -> rusqlite::Result<Message> {
        let number = |column| row.get(column).map(unsigned);
        let optional = |column| row.get::<_, Option<i64>>(column).map(|value| value.map(unsigned));
        let account = optional(self.account)?.map(AccountId);
        let name = text(row, self.name, Name::kept)?;
        Ok(Message {
            seq: Seq(number(self.seq)?),
            room: RoomId(number(self.room)?),
            author: Author { account, name },
            color: optional_text(row, self.color, Color::new)?,
            text: row.get(self.text)?,
            time: Time(row.get(self.time)?),
            client_id: optional_text(row, self.client_id, ClientId::new)?,
            reply_to: optional(self.reply_to)?.map(Seq),
            edited: row.get::<_, Option<i64>>(self.edited)?.map(Time),
            calls: names.called(row.get_ref(self.body)?)?,
            reactions: Vec::new(),
        })
    }
}

/// The names of mentioned accounts. Each is looked up once: the messages of a page mostly mention
/// the same people.
pub(super) struct Names<'a> {
    /// Maps an account's number to its name.
    select: CachedStatement<'a>,
    known: HashMap<AccountId, Option<Name>>,
}

impl Names<'_> {
    /// The statement for [`Names`].
    pub const SELECT: &'static str = "SELECT name FROM account WHERE id = ?";

    pub fn by(select: CachedStatement<'_>) -> Names<'_> {
        Names { select, known: HashMap::new() }
    }

    /// The names that a message with this `body` mentions; maybe none.
    pub fn called(&mut self, body: ValueRef<'_>) -> rusqlite::Result<Vec<Name>> {
        let mut called = Vec::new();
        for account in entries::calls_in(body)? {
            if !self.known.contains_key(&account) {
                let name = |row: &Row<'_>| text(row, "name", Name::kept);
                let name = self.select.query_row([signed(account.0)], name).optional()?;
                self.known.insert(account, name);
            }
            called.extend(self.known.get(&account).cloned().flatten());
        }
        Ok(called)
    }
}
