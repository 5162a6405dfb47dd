//! Ended memberships: what a stream that resumes may still see.

use crate::chat::{AccountId, RoomId, Seq};
use crate::store::Reader;
use crate::store::entries::{signed, unsigned};
use crate::store::reader::number;

impl Reader {
    /// The memberships of an account that ended between two entries, and by which entry: it left,
    /// was expelled, or the room was closed or deleted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn lost(
        &self,
        account: AccountId,
        after: Seq,
        upto: Seq,
    ) -> rusqlite::Result<Vec<(Seq, RoomId)>> {
        let mut select =
            self.sql("SELECT seq, room FROM lost WHERE account = ? AND seq > ? AND seq <= ?")?;
        let lost = |row: &rusqlite::Row<'_>| {
            Ok((Seq(unsigned(row.get("seq")?)), RoomId(unsigned(row.get("room")?))))
        };
        select.query_map([signed(account.0), number(after), number(upto)], lost)?.collect()
    }
}
