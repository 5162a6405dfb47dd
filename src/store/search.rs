//! Full-text search. Any text is a valid search, and never an error.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rusqlite::{ErrorCode, params};

use crate::chat::{Folded, Name, RoomId, Seq};
use crate::limits::{
    PAGE_MESSAGES_MAX, READ_DEADLINE_MS, SEARCH_LOOKS_MAX, SEARCH_ROOMS_MAX,
    SEARCH_SMALL_ROOMS_MESSAGES_MAX, SEARCH_WALK_BYTES_MAX, SEARCH_WALK_MESSAGES_MAX,
};
use crate::store::entries::{signed, text, unsigned};
use crate::store::reader::number;
use crate::store::terms::Terms;
use crate::store::{Message, Reader, index};

/// A search.
#[derive(Clone, PartialEq, Debug)]
pub struct Query {
    /// The message must have all of these words, in any order, and those in quotes as a phrase. A
    /// `*` after the last word makes it a prefix.
    pub words: String,
    /// The message must be in one of these rooms, and after that entry.
    pub rooms: Vec<(RoomId, Seq)>,
    /// Its author must have this name.
    pub author: Option<Folded>,
    /// It must be older than this.
    pub before: Option<Seq>,
    /// The size of the page, at most [`PAGE_MESSAGES_MAX`].
    pub limit: usize,
}

/// A page of results.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The newest first, each with a snippet: plain text.
    pub messages: Vec<(Message, String)>,
    /// Where to continue: there are or may be older results. (Also with an empty page: a search
    /// ends early if very many messages have the words and fail the other conditions.)
    pub before: Option<Seq>,
}

/// The progress of a search.
struct Hits {
    /// Matching messages, the newest first.
    found: Vec<Seq>,
    /// The last one that was looked at.
    looked_at: Option<Seq>,
    looks: usize,
    /// Bytes of messages whose text was read one by one.
    walked: usize,
    deadline: Instant,
}

/// The rooms of a search, for the index.
struct Rooms {
    /// In FTS5's query language.
    expression: String,
    /// They have so few messages that they narrow a search down more than its words do.
    are_small: bool,
}

/// One query to an index.
struct Search<'a> {
    index: &'a str,
    /// In FTS5's query language.
    expression: String,
    /// Terms to check in the text of each message that the expression finds.
    walk: Option<&'a Terms>,
    query: &'a Query,
}

/// Why a query ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// No more matches.
    Through,
    /// The page is full, and there is one more match.
    Full(Seq),
    /// The time or the number of looks is up, at this message.
    Late(Seq),
}

impl Reader {
    /// Finds messages. A search without words finds nothing.
    ///
    /// # Errors
    /// If the database cannot be read, or the deadline passes before anything is found.
    pub fn search(&mut self, query: &Query) -> rusqlite::Result<Found> {
        let mut found = Found { messages: Vec::new(), before: None };
        let terms = Terms::of(&query.words);
        if terms.is_empty() || query.rooms.is_empty() {
            return Ok(found);
        }
        let deadline = Instant::now() + self.searches_for;
        self.break_off_at(deadline)?;
        // First the youngest messages, which are not in the index on disk yet.
        let indexed = index::indexed(&self.connection)?;
        let before = query.before.map_or(i64::MAX, number);
        if before > indexed + 1 {
            self.young.grow(&self.connection)?;
        }
        let rooms = self.rooms(query)?;
        let mut hits = Hits { found: Vec::new(), looked_at: None, looks: 0, walked: 0, deadline };
        let mut end = End::Through;
        if before > indexed + 1 {
            let expression = expression(&terms, query, &rooms);
            let young = Search { index: "temp.young", expression, walk: None, query };
            end = self.matches(&young, before, &mut hits)?;
        }
        if end == End::Through {
            let before = before.min(indexed + 1);
            end = self.in_index((&terms, query, &rooms), before, &mut hits)?;
        }
        found.before = match end {
            End::Through => None,
            End::Full(seq) | End::Late(seq) => Some(seq),
        };
        // Whatever was found is returned, however long that took.
        self.break_off_at(Instant::now() + Duration::from_millis(READ_DEADLINE_MS))?;
        for seq in hits.found {
            if let Some(message) = self.by_seq(seq)? {
                let piece = message.text.as_deref().map(|text| terms.snippet(text));
                found.messages.push((message, piece.unwrap_or_default()));
            }
        }
        Ok(found)
    }

    /// Searches the index on disk. For a prefix, FTS5 has to gather all words that begin so before
    /// it returns the first message: 37 ms for the most frequent of a million. So messages that
    /// match without the prefix are read one by one first, newest first; if that finds few, words
    /// with the prefix are rare.
    fn in_index(
        &self,
        (terms, query, rooms): (&Terms, &Query, &Rooms),
        mut before: i64,
        hits: &mut Hits,
    ) -> rusqlite::Result<End> {
        let (index, (open, others)) = ("main.words", terms.clone().apart());
        if !open.is_empty() {
            let expression = expression(&others, query, rooms);
            let walk = Search { index, expression, walk: Some(&open), query };
            let looks = std::mem::take(&mut hits.looks);
            match self.matches(&walk, before, hits)? {
                End::Late(seq) => before = before.min(signed(seq.0)),
                end => return Ok(end),
            }
            (hits.looks, hits.walked) = (looks, 0);
        }
        let expression = expression(terms, query, rooms);
        self.matches(&Search { index, expression, walk: None, query }, before, hits)
    }

    /// Restricts the index to the rooms. Each message is checked again; this only spares looking at
    /// messages that the caller may not read.
    fn rooms(&self, query: &Query) -> rusqlite::Result<Rooms> {
        let (marks, are_small) = if query.rooms.len() <= SEARCH_ROOMS_MAX {
            let mark = |(room, _): &(RoomId, Seq)| index::room_mark(signed(room.0));
            (query.rooms.iter().map(mark).collect(), self.are_small(query)?)
        } else {
            let rooms: HashSet<i64> = query.rooms.iter().map(|(room, _)| signed(room.0)).collect();
            let mut closed = self.young.closed.clone();
            let mut select = self.sql("SELECT room FROM closed")?;
            for room in select.query_map([], |row| row.get(0))? {
                closed.insert(room?);
            }
            let mut marks = vec![index::PUBLIC.to_owned()];
            marks.extend(rooms.intersection(&closed).map(|room| index::room_mark(*room)));
            (marks, false)
        };
        let marks: Vec<String> = marks.iter().map(|mark| format!("\"{mark}\"")).collect();
        Ok(Rooms { expression: format!("(bag : ({}))", marks.join(" OR ")), are_small })
    }

    fn are_small(&self, query: &Query) -> rusqlite::Result<bool> {
        let count = "SELECT count(*) FROM (
            SELECT 1 FROM main.log WHERE kind = 'said' AND room = ? LIMIT ?)";
        let mut count = self.sql(count)?;
        let mut left = SEARCH_SMALL_ROOMS_MESSAGES_MAX as i64 + 1;
        for (room, _) in &query.rooms {
            left -= count.query_row(params![signed(room.0), left], |row| row.get::<_, i64>(0))?;
        }
        Ok(left > 0)
    }

    /// Adds the numbers of matching messages, the newest first, up to the limit.
    fn matches(&self, search: &Search<'_>, before: i64, hits: &mut Hits) -> rusqlite::Result<End> {
        let Search { index, expression, walk, query } = search;
        let limit = query.limit.clamp(1, PAGE_MESSAGES_MAX);
        let after = |(room, after): &(RoomId, Seq)| (signed(room.0), *after);
        let rooms: HashMap<i64, Seq> = query.rooms.iter().map(after).collect();
        // CROSS JOIN: the index leads, and returns its rows in this order by itself.
        let (_, table) = index.split_once('.').unwrap_or(("", index));
        let words = walk.map_or("", |_| ", log.text");
        let sql = format!(
            "SELECT log.seq, log.room, log.name{words} FROM {index} AS found
             CROSS JOIN main.log ON log.seq = found.rowid
             WHERE found.{table} MATCH ? AND found.rowid < ? ORDER BY found.rowid DESC"
        );
        let looks_max = walk.map_or(SEARCH_LOOKS_MAX, |_| SEARCH_WALK_MESSAGES_MAX);
        let mut select = self.sql(&sql)?;
        let mut rows = select.query(params![expression, before])?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(End::Through),
                Err(late) if is_late(&late) && hits.looked_at.is_some() => {
                    return Ok(hits.looked_at.map_or(End::Through, End::Late));
                }
                Err(error) => return Err(error),
            };
            let late = hits.looks >= looks_max || hits.walked > SEARCH_WALK_BYTES_MAX;
            if let Some(seq) = hits.looked_at
                && (late || Instant::now() > hits.deadline)
            {
                return Ok(End::Late(seq));
            }
            let seq = Seq(unsigned(row.get("seq")?));
            let fits = match &query.author {
                Some(author) => text(row, "name", Name::kept)?.folded() == *author,
                None => true,
            };
            let mut fits = fits && rooms.get(&row.get("room")?).is_some_and(|after| seq > *after);
            if let Some(terms) = walk.filter(|_| fits) {
                let words = row.get_ref("text")?.as_str_or_null()?.unwrap_or_default();
                hits.walked += words.len();
                fits = terms.are_in(words);
            }
            if fits && hits.found.len() == limit {
                // One more exists. Messages that do not match stay unmentioned.
                return Ok(hits.found.last().map_or(End::Through, |last| End::Full(*last)));
            }
            (hits.looks, hits.looked_at) = (hits.looks + 1, Some(seq));
            hits.found.extend(fits.then_some(seq));
        }
    }
}

/// The whole query in FTS5's language.
fn expression(terms: &Terms, query: &Query, rooms: &Rooms) -> String {
    let author = query.author.as_ref().map(|author| {
        let mark = index::author_mark(author.as_str());
        format!("(bag : \"{mark}\")")
    });
    let words: Vec<String> = terms.expressions().chain(author).collect();
    let (words, rooms, are_small) = (words.join(" AND "), &rooms.expression, rooms.are_small);
    match () {
        () if words.is_empty() => rooms.clone(),
        () if are_small => format!("{words} AND {rooms}"),
        // For an AND, FTS5 leaps between the places of all terms, and so through a whole large room
        // for words that never meet. The terms inside an OR (here with a word that never occurs)
        // have to meet before the AND around it goes on.
        () => format!("(({words}) OR \".\") AND {rooms}"),
    }
}

fn is_late(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}
