//! Who belonged where, and until when: what a stream that comes back is judged by.

use crate::chat::{AccountId, RoomId, Seq};
use crate::store::Reader;
use crate::store::entries::{signed, unsigned};
use crate::store::reader::number;

impl Reader {
    /// The rooms to which an account ceased to belong between two entries, and by which: it left,
    /// was put out, or the room closed or went.
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
