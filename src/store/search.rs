//! Finding messages by their words. Whatever somebody types is a search, and never an error.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rusqlite::{ErrorCode, params};

use crate::chat::{Folded, Name, RoomId, Seq};
use crate::limits::{
    PAGE_MESSAGES_MAX, READ_DEADLINE_MS, SEARCH_DEADLINE_MS, SEARCH_LOOKS_MAX, SEARCH_ROOMS_MAX,
};
use crate::store::entries::{signed, text, unsigned};
use crate::store::reader::number;
use crate::store::terms::Terms;
use crate::store::{Message, Reader, index};

/// What is searched for.
#[derive(Clone, PartialEq, Debug)]
pub struct Query {
    /// All of them are to be in the message, in any order; what is in quotes, one behind the other.
    /// A `*` behind the last one says that it may go on.
    pub words: String,
    /// In one of these rooms, and said after that entry.
    pub rooms: Vec<(RoomId, Seq)>,
    /// Said by somebody of that name.
    pub author: Option<Folded>,
    /// Older than that.
    pub before: Option<Seq>,
    /// So many, or [`PAGE_MESSAGES_MAX`].
    pub limit: usize,
}

/// What was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The newest first, each with a piece of it: plain text.
    pub messages: Vec<(Message, String)>,
    /// Where to go on: there are ones that are older than that, or may be. (Also where none was
    /// found: in very many messages that have the words, and fit in nothing else, a search ends
    /// before it is sure.)
    pub before: Option<Seq>,
}

/// How far a search has come.
struct Hits {
    found: Vec<Seq>,
    /// The last that was looked at.
    looked_at: Option<Seq>,
    looks: usize,
    deadline: Instant,
}

impl Reader {
    /// Finds messages. No words find nothing.
    ///
    /// # Errors
    /// When the database cannot be read; when it has taken too long before anything was found.
    pub fn search(&mut self, query: &Query) -> rusqlite::Result<Found> {
        let mut found = Found { messages: Vec::new(), before: None };
        let terms = Terms::of(&query.words);
        if terms.is_empty() || query.rooms.is_empty() {
            return Ok(found);
        }
        let deadline = Instant::now() + Duration::from_millis(SEARCH_DEADLINE_MS);
        self.break_off_at(deadline)?;
        // First the youngest, which are not in the index yet.
        let indexed = index::indexed(&self.connection)?;
        let before = query.before.map_or(i64::MAX, number);
        if before > indexed + 1 {
            self.young.grow(&self.connection)?;
        }
        let expression = self.expression(&terms, query)?;
        let mut hits = Hits { found: Vec::new(), looked_at: None, looks: 0, deadline };
        if before > indexed + 1 {
            found.before = self.matches("temp.young", &expression, query, before, &mut hits)?;
        }
        if found.before.is_none() {
            let before = before.min(indexed + 1);
            found.before = self.matches("main.words", &expression, query, before, &mut hits)?;
        }
        // What was found is told, however long that took.
        self.break_off_at(Instant::now() + Duration::from_millis(READ_DEADLINE_MS))?;
        for seq in hits.found {
            if let Some(message) = self.by_seq(seq)? {
                let piece = message.text.as_deref().map(|text| terms.snippet(text));
                found.messages.push((message, piece.unwrap_or_default()));
            }
        }
        Ok(found)
    }

    /// The terms, and what narrows them down. That is checked again with each message; here it
    /// spares looking at most, and at any that the caller may not read.
    fn expression(&self, terms: &Terms, query: &Query) -> rusqlite::Result<String> {
        let mut expression = terms.expression();
        let mut marks: Vec<String> = Vec::new();
        if query.rooms.len() <= SEARCH_ROOMS_MAX {
            marks.extend(query.rooms.iter().map(|(room, _)| index::room_mark(signed(room.0))));
        } else {
            let rooms: HashSet<i64> = query.rooms.iter().map(|(room, _)| signed(room.0)).collect();
            let mut closed = self.young.closed.clone();
            let mut select = self.sql("SELECT room FROM closed")?;
            for room in select.query_map([], |row| row.get(0))? {
                closed.insert(room?);
            }
            marks.push(index::PUBLIC.to_owned());
            marks.extend(rooms.intersection(&closed).map(|room| index::room_mark(*room)));
        }
        let marks: Vec<String> = marks.iter().map(|mark| format!("\"{mark}\"")).collect();
        expression.push_str(&format!(" AND (bag : ({}))", marks.join(" OR ")));
        if let Some(author) = &query.author {
            let mark = index::author_mark(author.as_str());
            expression.push_str(&format!(" AND (bag : \"{mark}\")"));
        }
        Ok(expression)
    }

    /// Adds the numbers of messages that fit, the newest first, up to the limit. Returns where
    /// to go on, if there may be more.
    fn matches(
        &self,
        index: &str,
        expression: &str,
        query: &Query,
        before: i64,
        hits: &mut Hits,
    ) -> rusqlite::Result<Option<Seq>> {
        let limit = query.limit.clamp(1, PAGE_MESSAGES_MAX);
        let after = |(room, after): &(RoomId, Seq)| (signed(room.0), *after);
        let rooms: HashMap<i64, Seq> = query.rooms.iter().map(after).collect();
        // CROSS JOIN: the index leads. It gives its rows in this order by itself.
        let (_, table) = index.split_once('.').unwrap_or(("", index));
        let sql = format!(
            "SELECT log.seq, log.room, log.name FROM {index} AS found
             CROSS JOIN main.log ON log.seq = found.rowid
             WHERE found.{table} MATCH ? AND found.rowid < ? ORDER BY found.rowid DESC"
        );
        let mut select = self.sql(&sql)?;
        let mut rows = select.query(params![expression, before])?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(None),
                Err(late) if is_late(&late) && hits.looked_at.is_some() => {
                    return Ok(hits.looked_at);
                }
                Err(error) => return Err(error),
            };
            if hits.looks == SEARCH_LOOKS_MAX || Instant::now() > hits.deadline {
                return Ok(hits.looked_at);
            }
            let seq = Seq(unsigned(row.get("seq")?));
            let fits = match &query.author {
                Some(author) => text(row, "name", Name::kept)?.folded() == *author,
                None => true,
            };
            let fits = fits && rooms.get(&row.get("room")?).is_some_and(|after| seq > *after);
            if fits && hits.found.len() == limit {
                // There is one more. Of what does not fit, nobody is told that it is there.
                return Ok(hits.found.last().copied());
            }
            (hits.looks, hits.looked_at) = (hits.looks + 1, Some(seq));
            hits.found.extend(fits.then_some(seq));
        }
    }
}

fn is_late(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}
