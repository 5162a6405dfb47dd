//! Mentions for an old export whose messages do not store them: found in the texts by the core's
//! rule, with the names that accounts had then.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::chat::{AccountId, Entry, Name, RoomId, Seq, called};
use crate::store::entries::{self, signed};
use crate::store::messages;

/// The owner of each name, as far as the log has been read.
#[derive(Default)]
pub(super) struct Names {
    whose: HashMap<String, AccountId>,
    names: HashMap<AccountId, String>,
}

impl Names {
    /// Follows an entry that is stored and applied. A message has its current text, so each edit
    /// decides again, and the last edit counts.
    pub fn follow(
        &mut self,
        connection: &Connection,
        seq: Seq,
        entry: &Entry,
    ) -> rusqlite::Result<()> {
        match entry.act() {
            Entry::AccountMade { account, .. } | Entry::AccountEnded { account } => {
                self.look(connection, *account)
            }
            Entry::Said { calls, .. } if calls.is_empty() => self.decide(connection, seq),
            Entry::Edited { target, .. } => self.decide(connection, *target),
            _ => Ok(()),
        }
    }

    /// Updates an account's name, if the account exists.
    fn look(&mut self, connection: &Connection, account: AccountId) -> rusqlite::Result<()> {
        if let Some(name) = self.names.remove(&account) {
            self.whose.remove(&name);
        }
        let name = connection
            .prepare_cached("SELECT name FROM account WHERE id = ? AND gone IS NULL")?
            .query_row([signed(account.0)], |row| entries::text(row, "name", Name::kept))
            .optional()?;
        if let Some(name) = name {
            let name = name.folded().as_str().to_owned();
            self.whose.insert(name.clone(), account);
            self.names.insert(account, name);
        }
        Ok(())
    }

    fn decide(&self, connection: &Connection, message: Seq) -> rusqlite::Result<()> {
        let words = "SELECT text, room FROM log WHERE seq = ? AND kind = 'said'";
        let words = connection
            .prepare_cached(words)?
            .query_row([signed(message.0)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((Some(text), room)): Option<(Option<String>, i64)> = words else {
            return Ok(());
        };
        let calls = called(&text, |name| self.whose.get(name).copied());
        connection
            .prepare_cached("UPDATE log SET body = ? WHERE seq = ?")?
            .execute(params![entries::calls_body(&calls), signed(message.0)])?;
        connection
            .prepare_cached("DELETE FROM mention WHERE seq = ?")?
            .execute([signed(message.0)])?;
        let room = RoomId(entries::unsigned(room));
        messages::mention(connection, room, message, &calls)
    }
}
