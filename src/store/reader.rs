//! Queries on the log: pages of a room, one message, unread counts, missed entries. The protocols
//! and the streams call it through [`crate::store::Readers`].
//!
//! Every answer is bounded in rows and, where rows can be long, in bytes.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::chat::{
    AccountId, Author, ClientId, Color, Emoji, Entry, MembershipMarks, Name, RoomId, Seq,
};
use crate::limits::{
    ENTRIES_PAGE_BYTES, ENTRIES_PAGE_MAX, PAGE_BYTES, PAGE_MESSAGES_MAX, REACTIONS_MAX,
    UNREAD_LOOKS_MAX, UNREAD_MAX,
};
use crate::store::columns::{Columns, Names};
use crate::store::entries::{self, signed, text, unsigned};
use crate::store::index::Young;
use crate::time::Time;

/// A view of the log: within one read, it shows one moment.
pub struct Reader {
    pub(super) connection: Connection,
    /// The search's index in memory.
    pub(super) young: Young,
    /// How long a search looks before it says where to go on: [`SEARCH_DEADLINE_MS`], but in tests,
    /// where a machine that has much else to do is to find the same.
    pub(super) searches_for: Duration,
}

/// A message as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// Its number.
    pub seq: Seq,
    /// Its room.
    pub room: RoomId,
    /// Its author.
    pub author: Author,
    /// The colour to show it in.
    pub color: Option<Color>,
    /// The text; `None` if the message is deleted.
    pub text: Option<Box<str>>,
    /// When it was sent.
    pub time: Time,
    /// The author's client id for it.
    pub client_id: Option<ClientId>,
    /// The message that it answers.
    pub reply_to: Option<Seq>,
    /// When it was last edited; `None` if never.
    pub edited: Option<Time>,
    /// The people whom the text mentions.
    pub calls: Vec<Name>,
    /// The emoji on it, each with the people who put it there, the first one first.
    pub reactions: Vec<(Emoji, Vec<Name>)>,
}

/// The position of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// The end of the room.
    Newest,
    /// Right before this number.
    Before(Seq),
    /// Right after this number.
    After(Seq),
    /// With this number in the middle.
    Around(Seq),
}

/// A page of messages.
#[derive(Clone, PartialEq, Debug)]
pub struct MessagePage {
    /// The oldest first.
    pub messages: Vec<Message>,
    /// The room has older ones.
    pub more_before: bool,
    /// The room has younger ones.
    pub more_after: bool,
}

/// Unread counts of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Messages, [`UNREAD_MAX`] at most; a person's own and deleted ones do not count.
    pub unread: u64,
    /// Those of them that mention the person.
    pub mentions: u64,
}

/// A part of the log, for a client that missed it.
#[derive(Clone, PartialEq, Debug)]
pub struct Entries {
    /// In the order of the log.
    pub rows: Vec<LogRow>,
    /// The number that this part reaches, which may be above that of its last row.
    pub upto: Seq,
    /// The number of the last entry of the log.
    pub head: Seq,
    /// The log is whole from this number on.
    pub oldest: Seq,
}

/// An entry, as it looks now.
#[derive(Clone, PartialEq, Debug)]
pub struct LogRow {
    /// Its number.
    pub seq: Seq,
    /// When it was proposed.
    pub time: Time,
    /// Its effect.
    pub kind: RowKind,
}

/// The effect of an entry: see [`LogRow`].
#[derive(Clone, PartialEq, Debug)]
pub enum RowKind {
    /// A message, as it is now, without its reactions.
    Said(Box<Message>),
    /// A message was edited.
    Edited {
        /// The room.
        room: RoomId,
        /// The message.
        target: Seq,
        /// The editor.
        by: Author,
        /// The text that the message has now, perhaps from a later edit; `None`: deleted since.
        text: Option<Box<str>>,
        /// The people whom that text mentions.
        calls: Vec<Name>,
    },
    /// Any other entry.
    Other(Entry),
}

/// The columns that [`Columns`] expects, and whether the message has reactions: most have none, and
/// need no second statement.
const MESSAGE: &str = "seq, time, room, account, name, color, text, client_id, reply_to, edited,
    body,
    EXISTS (SELECT 1 FROM reaction WHERE reaction.target = log.seq) AS has_reactions";

/// The position of that last column.
const HAS_REACTIONS: usize = 11;

/// A message without its reactions, and whether it has any.
type Found = (Message, bool);

impl MessagePage {
    /// Cuts the page to [`PAGE_BYTES`]: the messages nearest to `middle` stay, at least one.
    fn fitting(mut self, middle: usize) -> MessagePage {
        let (mut from, mut to, mut bytes) = (middle, middle, 0);
        let (mut older, mut younger) = (from > 0, to < self.messages.len());
        while older || younger {
            // The side with fewer messages is next.
            let forward = younger && (!older || to - middle <= middle - from);
            let next = if forward { to } else { from - 1 };
            bytes += self.messages[next].weight();
            if bytes > PAGE_BYTES && from < to {
                break;
            }
            if forward {
                to += 1
            } else {
                from -= 1
            }
            (older, younger) = (from > 0, to < self.messages.len());
        }
        self.more_before |= from > 0;
        self.more_after |= to < self.messages.len();
        self.messages.truncate(to);
        self.messages.drain(..from);
        self
    }
}

impl Message {
    /// Its size as JSON, or a little more: escapes are counted, and names have none.
    pub fn weight(&self) -> usize {
        const FRAME: usize = 512;
        let escaped = |text: &str| -> usize {
            let byte = |byte| match byte {
                b'"' | b'\\' => 2,
                0..0x20 => 6,
                _ => 1,
            };
            text.bytes().map(byte).sum()
        };
        let reactions = self.reactions.iter().map(|(emoji, names)| {
            let names: usize = names.iter().map(|name| name.as_str().len() + 3).sum();
            emoji.as_str().len() + names + 6
        });
        let calls: usize = self.calls.iter().map(|name| name.as_str().len() + 3).sum();
        self.text.as_deref().map_or(0, escaped) + reactions.sum::<usize>() + calls + FRAME
    }
}

impl Reader {
    /// The number of the last entry.
    ///
    /// # Errors
    /// If the database cannot be read; the same for all others here.
    pub fn last_seq(&self) -> rusqlite::Result<Seq> {
        self.sql(entries::LAST)?.query_row([], |row| row.get(0).map(|seq| Seq(unsigned(seq))))
    }

    /// A page of a room's messages after the entry `floor`: `limit` messages, at most
    /// [`PAGE_MESSAGES_MAX`], at least one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn page(
        &self,
        (room, floor): (RoomId, Seq),
        bound: Bound,
        limit: usize,
    ) -> rusqlite::Result<MessagePage> {
        let limit = limit.clamp(1, PAGE_MESSAGES_MAX);
        // One more than needed, to see whether there are more.
        let (mut older, mut younger) = match bound {
            Bound::Newest => {
                (self.before((room, floor), Seq(i64::MAX as u64), limit + 1)?, Vec::new())
            }
            Bound::Before(seq) => (self.before((room, floor), seq, limit + 1)?, Vec::new()),
            Bound::After(seq) => (Vec::new(), self.after(room, seq.max(floor), limit + 1)?),
            Bound::Around(seq) => {
                let half = limit / 2;
                let at = Seq(seq.0.saturating_sub(1)).max(floor);
                let younger = self.after(room, at, limit - half + 1)?;
                (self.before((room, floor), seq, half + 1)?, younger)
            }
        };
        let (old, young) = match bound {
            Bound::Newest | Bound::Before(_) => (limit, 0),
            Bound::After(_) => (0, limit),
            Bound::Around(_) => (limit / 2, limit - limit / 2),
        };
        let more_before = match bound {
            Bound::After(seq) => {
                !self.before((room, floor), Seq(seq.0.saturating_add(1)), 1)?.is_empty()
            }
            _ => older.len() > old,
        };
        let more_after = match bound {
            Bound::Newest => false,
            Bound::Before(seq) => {
                let at = Seq(seq.0.saturating_sub(1)).max(floor);
                !self.after(room, at, 1)?.is_empty()
            }
            _ => younger.len() > young,
        };
        older.truncate(old);
        younger.truncate(young);
        let middle = older.len();
        let mut found: Vec<Found> = older.into_iter().rev().chain(younger).collect();
        self.add_reactions(&mut found)?;
        let messages = found.into_iter().map(|(message, _)| message).collect();
        Ok(MessagePage { messages, more_before, more_after }.fitting(middle))
    }

    fn before(
        &self,
        (room, floor): (RoomId, Seq),
        seq: Seq,
        limit: usize,
    ) -> rusqlite::Result<Vec<Found>> {
        let sql = format!(
            "SELECT {MESSAGE} FROM log WHERE room = ? AND kind = 'said' AND seq < ? AND seq > ?
             ORDER BY seq DESC LIMIT ?"
        );
        let parameters = params![signed(room.0), number(seq), number(floor), limit as i64];
        let mut select = self.sql(&sql)?;
        let columns = Columns::of(&select)?;
        let mut names = self.names()?;
        select.query_map(parameters, |row| found(&columns, row, &mut names))?.collect()
    }

    fn after(&self, room: RoomId, seq: Seq, limit: usize) -> rusqlite::Result<Vec<Found>> {
        let sql = format!(
            "SELECT {MESSAGE} FROM log WHERE room = ? AND kind = 'said' AND seq > ?
             ORDER BY seq LIMIT ?"
        );
        let parameters = params![signed(room.0), number(seq), limit as i64];
        let mut select = self.sql(&sql)?;
        let columns = Columns::of(&select)?;
        let mut names = self.names()?;
        select.query_map(parameters, |row| found(&columns, row, &mut names))?.collect()
    }

    /// One message of a room. `None`: it does not exist, or is in another room.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn message(&self, room: RoomId, seq: Seq) -> rusqlite::Result<Option<Message>> {
        Ok(self.by_seq(seq)?.filter(|message| message.room == room))
    }

    /// What is left of a message that retention has removed, by the name of its author (as
    /// [`Name::lowered`] has it; the account must exist) and its client id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn spent(&self, lowered: &str, id: &ClientId) -> rusqlite::Result<Option<Message>> {
        let mut select = self.sql(
            "SELECT spent.*, account.name, NULL AS color, NULL AS text, NULL AS edited,
                 NULL AS body
             FROM account JOIN spent ON spent.account = account.id
             WHERE account.folded = ? AND account.gone IS NULL AND client_id = ?",
        )?;
        let columns = Columns::of(&select)?;
        let mut names = self.names()?;
        let message = |row: &rusqlite::Row<'_>| columns.message(row, &mut names);
        select.query_row([lowered, id.as_str()], message).optional()
    }

    /// A message by its number, reactions included.
    pub(super) fn by_seq(&self, seq: Seq) -> rusqlite::Result<Option<Message>> {
        let sql = format!("SELECT {MESSAGE} FROM log WHERE seq = ? AND kind = 'said'");
        let mut select = self.sql(&sql)?;
        let columns = Columns::of(&select)?;
        let mut names = self.names()?;
        let one = |row: &rusqlite::Row<'_>| found(&columns, row, &mut names);
        let found = select.query_row([number(seq)], one).optional()?;
        let mut found: Vec<Found> = found.into_iter().collect();
        self.add_reactions(&mut found)?;
        Ok(found.pop().map(|(message, _)| message))
    }

    fn add_reactions(&self, found: &mut [Found]) -> rusqlite::Result<()> {
        let mut select =
            self.sql("SELECT emoji, name FROM reaction WHERE target = ? ORDER BY seq LIMIT ?")?;
        // Respelling an emoji takes longer than reading it, and few are distinct.
        let mut spelled: HashMap<Emoji, Emoji> = HashMap::new();
        for (message, _) in found.iter_mut().filter(|(_, has_reactions)| *has_reactions) {
            let mut rows = select.query([number(message.seq), REACTIONS_MAX as i64])?;
            let mut respelled = false;
            while let Some(row) = rows.next()? {
                let kept = text(row, "emoji", Emoji::kept)?;
                let spelling = spelled.entry(kept.clone()).or_insert_with_key(Emoji::respelled);
                let (emoji, name) = (spelling.clone(), text(row, "name", Name::kept)?);
                respelled |= emoji != kept;
                match message.reactions.iter_mut().find(|(known, _)| *known == emoji) {
                    // The same person, in another spelling that the first versions stored.
                    Some((_, names)) if respelled && names.contains(&name) => {}
                    Some((_, names)) => names.push(name),
                    None => message.reactions.push((emoji, vec![name])),
                }
            }
        }
        Ok(())
    }

    /// Unread counts of each of these rooms, for the account of that name (as [`Name::lowered`] has
    /// it) that has read each room up to the given number. Mentions by blocked accounts do not
    /// count.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn counts(&self, lowered: &str, rooms: &[(RoomId, Seq)]) -> rusqlite::Result<Vec<Counts>> {
        let account = "SELECT id FROM account WHERE folded = ? AND gone IS NULL";
        let me = self.sql(account)?.query_row([lowered], |row| row.get::<_, i64>(0));
        let me = me.optional()?.unwrap_or(0); // 0 is nobody's number.
        let mut said = self.sql(
            "SELECT count(*) FROM (
                SELECT 1 FROM (
                    SELECT account, deleted FROM log
                    WHERE room = ?1 AND kind = 'said' AND seq > ?2 ORDER BY seq DESC LIMIT ?5)
                WHERE deleted = 0 AND account IS NOT ?3 LIMIT ?4)",
        )?;
        let mut calls = self.sql(
            "SELECT count(*) FROM (
                SELECT 1 FROM (
                    SELECT seq FROM mention
                    WHERE account = ?3 AND room = ?1 AND seq > ?2 ORDER BY seq DESC LIMIT ?5)
                    AS called CROSS JOIN log ON log.seq = called.seq
                WHERE log.account IS NOT ?3 AND NOT EXISTS (
                    SELECT 1 FROM block WHERE block.account = ?3 AND block.blocked = log.account)
                LIMIT ?4)",
        )?;
        let (most, looks) = (UNREAD_MAX as i64, UNREAD_LOOKS_MAX as i64);
        let count = |(room, read): &(RoomId, Seq)| {
            let (room, read) = (signed(room.0), number(*read));
            let unread = said.query_row(params![room, read, me, most, looks], |row| row.get(0))?;
            let mentions =
                calls.query_row(params![room, read, me, most, looks], |row| row.get(0))?;
            Ok(Counts { unread: unsigned(unread), mentions: unsigned(mentions) })
        };
        rooms.iter().map(count).collect()
    }

    /// A part of the log, right after a number: `rows_max` rows, at most [`ENTRIES_PAGE_MAX`],
    /// fewer if they are long, at least one if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn entries(&self, after: Seq, rows_max: usize) -> rusqlite::Result<Entries> {
        let (head, oldest) = self.ends()?;
        let rows_max = rows_max.clamp(1, ENTRIES_PAGE_MAX);
        let sql =
            format!("SELECT {} FROM log WHERE seq > ? ORDER BY seq LIMIT ?", entries::COLUMNS);
        let mut select = self.sql(&sql)?;
        let columns = Columns::of(&select)?;
        let mut names = self.names()?;
        let mut found = select.query([number(after), rows_max as i64])?;
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut upto = head;
        while let Some(row) = found.next()? {
            bytes += row.get_ref("text")?.as_bytes_or_null()?.map_or(0, <[u8]>::len);
            rows.push(read(row, &columns, &mut names)?);
            if bytes > ENTRIES_PAGE_BYTES || rows.len() == rows_max {
                upto = rows.last().map_or(head, |row| row.seq);
                break;
            }
        }
        Ok(Entries { rows, upto, head, oldest })
    }

    /// The number of the last entry, and the number from which on the log is whole.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ends(&self) -> rusqlite::Result<(Seq, Seq)> {
        let pruned = "SELECT value FROM meta WHERE key = 'pruned'";
        let pruned: i64 = self.sql(pruned)?.query_row([], |row| row.get(0))?;
        Ok((self.last_seq()?, Seq(unsigned(pruned) + 1)))
    }

    /// An account's memberships in existing rooms.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn memberships(&self, account: AccountId) -> rusqlite::Result<Vec<MembershipMarks>> {
        let mut select = self.sql(
            "SELECT room, member.since, read FROM member
             JOIN room ON room.id = member.room AND room.gone IS NULL WHERE account = ?",
        )?;
        let followed = |row: &rusqlite::Row<'_>| {
            let number = |column| row.get(column).map(unsigned);
            let (room, since, read) = (number("room")?, number("since")?, number("read")?);
            Ok(MembershipMarks { room: RoomId(room), since: Seq(since), read: Seq(read) })
        };
        select.query_map([signed(account.0)], followed)?.collect()
    }

    /// The name that an account has or had.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn name(&self, account: AccountId) -> rusqlite::Result<Option<Name>> {
        let mut select = self.sql("SELECT name FROM account WHERE id = ?")?;
        select.query_row([signed(account.0)], |row| text(row, "name", Name::kept)).optional()
    }

    fn names(&self) -> rusqlite::Result<Names<'_>> {
        self.sql(Names::SELECT).map(Names::by)
    }

    pub(super) fn sql(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }
}

/// A number that a client may have chosen: those beyond SQLite's integers become the highest.
pub(super) fn number(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

fn found(
    columns: &Columns,
    row: &rusqlite::Row<'_>,
    names: &mut Names<'_>,
) -> rusqlite::Result<Found> {
    Ok((columns.message(row, names)?, row.get(HAS_REACTIONS)?))
}

fn read(
    row: &rusqlite::Row<'_>,
    columns: &Columns,
    names: &mut Names<'_>,
) -> rusqlite::Result<LogRow> {
    let kind = row.get_ref("kind")?.as_str()?;
    if kind == "said" {
        let message = columns.message(row, names)?;
        let (seq, time) = (message.seq, message.time);
        return Ok(LogRow { seq, time, kind: RowKind::Said(Box::new(message)) });
    }
    let (seq, time, entry) = entries::read(row)?;
    let kind = match entry {
        Entry::Edited { room, target, by, .. } => {
            let calls = names.called(row.get_ref("body")?)?;
            RowKind::Edited { room, target, by, text: row.get("text")?, calls }
        }
        entry => RowKind::Other(entry),
    };
    Ok(LogRow { seq, time, kind })
}
