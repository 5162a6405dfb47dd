//! A message out of a row of the log. Called by the reader.

use rusqlite::{Row, Statement};

use crate::chat::{AccountId, Author, ClientId, Color, Name, RoomId, Seq};
use crate::store::Message;
use crate::store::entries::{names, optional_text, text, unsigned};
use crate::time::Time;

/// Where the columns of a message stand in the rows of a statement. To look each up by its name, in
/// every row, would take longer than to read it.
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
    calls: usize,
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
            calls: at("calls")?,
        })
    }

    /// A message, without its reactions.
    pub fn message(&self, row: &Row<'_>) -> rusqlite::Result<Message> {
        let number = |column| row.get(column).map(unsigned);
        let optional = |column| row.get::<_, Option<i64>>(column).map(|it| it.map(unsigned));
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
            calls: names(row.get_ref(self.calls)?)?,
            reactions: Vec::new(),
        })
    }
}
