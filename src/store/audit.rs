//! The audit: what people in charge have done, read back from the log, the latest first.

use rusqlite::{OptionalExtension, Row};

use crate::chat::{AccountId, Author, Entry, Grant, Name, Reason, Recovery, RoomId, Seq, Title};
use crate::store::entries::{self, signed, text};
use crate::store::reader::Reader;
use crate::time::Time;

/// A deed, with the names of whom and what it concerns.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditRow {
    /// The entry's number.
    pub seq: Seq,
    /// When it was proposed.
    pub time: Time,
    /// Who has done it; `None`: the operator at the shell.
    pub by: Option<Name>,
    /// Why.
    pub reason: Option<Reason>,
    /// What was done.
    pub act: Entry,
    /// The account that it concerns, or the author of the message.
    pub user: Option<Name>,
    /// The title of the room that it concerns, as it is now.
    pub title: Option<Title>,
}

/// A page of the audit.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AuditPage {
    /// The latest first.
    pub rows: Vec<AuditRow>,
    /// The next page ends before this entry; `None`: this is the last page.
    pub next: Option<Seq>,
}

impl Reader {
    /// The deeds before an entry, at most `limit`. What people in charge do to their own messages
    /// is no deed, and is left out.
    pub fn audit(&self, before: Seq, limit: usize) -> rusqlite::Result<AuditPage> {
        let columns = entries::COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM log INDEXED BY log_deed
             WHERE kind <> 'said' AND json_extract(body, '$.deed') IS NOT NULL AND seq < ?
             ORDER BY seq DESC LIMIT ?"
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let before = i64::try_from(before.0).unwrap_or(i64::MAX);
        let found = select.query_map((before, limit as i64), entries::read)?;
        let (mut page, mut count) = (AuditPage::default(), 0);
        for entry in found {
            let (seq, time, entry) = entry?;
            count += 1;
            page.next = (count == limit).then_some(seq);
            page.rows.extend(self.deed(seq, time, entry)?);
        }
        Ok(page)
    }

    fn deed(&self, seq: Seq, time: Time, entry: Entry) -> rusqlite::Result<Option<AuditRow>> {
        let Entry::Deed { by, reason, act } = entry else { return Ok(None) };
        let author = match *act {
            Entry::Deleted { target, .. } => self.author_of(target)?,
            _ => None,
        };
        if by.is_some() && author.as_ref().is_some_and(|author| author.account == by) {
            return Ok(None);
        }
        let user = match *act {
            Entry::RoleChanged { account, .. }
            | Entry::BanChanged { account, .. }
            | Entry::MemberChanged { account, .. }
            | Entry::ModeratorChanged { account, .. }
            | Entry::Muted { account, .. }
            | Entry::RoomBanChanged { account, .. }
            | Entry::OwnerChanged { owner: account, .. }
            | Entry::RecoveryMade { recovery: Recovery { account, .. } } => self.name(account)?,
            Entry::Cleared { ref author, .. } => Some(author.name.clone()),
            _ => author.map(|author| author.name),
        };
        let title = match *act {
            Entry::Deleted { room, .. }
            | Entry::RoomGone { room, .. }
            | Entry::MemberChanged { room, .. }
            | Entry::ModeratorChanged { room, .. }
            | Entry::Muted { room: Some(room), .. }
            | Entry::RoomBanChanged { room, .. }
            | Entry::RulesChanged { room, .. }
            | Entry::OwnerChanged { room, .. }
            | Entry::Cleared { room: Some(room), .. }
            | Entry::RoomChanged { room, .. } => self.title(room)?,
            // (Not of a hidden room, which others in charge need not know.)
            Entry::InvitationMade { grant: Grant { room: Some(room), .. } } => {
                self.listed_title(room)?
            }
            _ => None,
        };
        let by = by.map(|by: AccountId| self.name(by)).transpose()?.flatten();
        Ok(Some(AuditRow { seq, time, by, reason, act: *act, user, title }))
    }

    fn author_of(&self, message: Seq) -> rusqlite::Result<Option<Author>> {
        let said = "SELECT account, name FROM log WHERE seq = ? AND kind = 'said'";
        let mut select = self.connection.prepare_cached(said)?;
        select.query_row([signed(message.0)], entries::author).optional()
    }

    fn listed_title(&self, room: RoomId) -> rusqlite::Result<Option<Title>> {
        let title = |row: &Row<'_>| text(row, "title", Title::kept);
        let listed = "SELECT title FROM room WHERE id = ? AND visibility <> 'hidden'";
        let mut select = self.connection.prepare_cached(listed)?;
        select.query_row([signed(room.0)], title).optional()
    }

    fn title(&self, room: RoomId) -> rusqlite::Result<Option<Title>> {
        let title = |row: &Row<'_>| text(row, "title", Title::kept);
        let mut select = self.connection.prepare_cached("SELECT title FROM room WHERE id = ?")?;
        select.query_row([signed(room.0)], title).optional()
    }
}
