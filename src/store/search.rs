//! Finding messages by their words. Whatever somebody types is a search, and never an error.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use crate::chat::{Folded, Name, RoomId, Seq};
use crate::limits::{
    PAGE_MESSAGES_MAX, SEARCH_LOOKS_MAX, SEARCH_PREFIX_CHARS_MIN, SEARCH_ROOMS_MAX,
    SEARCH_WORDS_MAX, SNIPPET_CHARS,
};
use crate::store::entries::{signed, text, unsigned};
use crate::store::reader::number;
use crate::store::{Message, Reader, words};

/// What is searched for.
#[derive(Clone, PartialEq, Debug)]
pub struct Query {
    /// All of them are to be in the message, in any order. A `*` behind the last one says that it
    /// may go on; one that is not ASCII may anyway, as not every script has spaces.
    pub words: String,
    /// In one of these rooms.
    pub rooms: Vec<RoomId>,
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
    /// Where to go on: there may be ones that are older than that. (Also where none was found: in
    /// very many messages that have the words, and fit in nothing else, a search ends before it is
    /// sure.)
    pub before: Option<Seq>,
}

impl Reader {
    /// Finds messages. No words find nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn search(&self, query: &Query) -> rusqlite::Result<Found> {
        let mut found = Found { messages: Vec::new(), before: None };
        let terms = terms(&query.words);
        if terms.is_empty() || query.rooms.is_empty() {
            return Ok(found);
        }
        let expression = expression(&terms, query);
        let limit = query.limit.clamp(1, PAGE_MESSAGES_MAX);
        // First the youngest, which are not in the index yet.
        let indexed = words::indexed(&self.connection)?;
        let before = query.before.map_or(i64::MAX, number);
        let mut hits = Vec::new();
        if before > indexed + 1 {
            index_apart(&self.connection, indexed, i64::MAX)?;
            found.before =
                self.matches("temp.apart", &expression, query, before, limit, &mut hits)?;
            self.connection.execute_batch("DROP TABLE temp.apart")?;
        }
        if found.before.is_none() {
            found.before =
                self.matches("main.words", &expression, query, before, limit, &mut hits)?;
        }
        for seq in hits {
            if let Some(message) = self.by_seq(seq)? {
                let piece = message.text.as_deref().map(|text| snippet(text, &terms));
                found.messages.push((message, piece.unwrap_or_default()));
            }
        }
        Ok(found)
    }

    /// Adds the numbers of messages that fit, the newest first, up to `limit`. Returns where
    /// to go on, if there may be more.
    fn matches(
        &self,
        index: &str,
        expression: &str,
        query: &Query,
        before: i64,
        limit: usize,
        hits: &mut Vec<Seq>,
    ) -> rusqlite::Result<Option<Seq>> {
        let rooms: HashSet<i64> = query.rooms.iter().map(|room| signed(room.0)).collect();
        // CROSS JOIN: the index leads. It gives its rows in this order by itself.
        let (_, table) = index.split_once('.').unwrap_or(("", index));
        let sql = format!(
            "SELECT log.seq, log.room, log.name FROM {index} AS found
             CROSS JOIN main.log ON log.seq = found.rowid
             WHERE found.{table} MATCH ? AND found.rowid < ? ORDER BY found.rowid DESC"
        );
        let mut select = self.connection.prepare(&sql)?;
        let mut rows = select.query(params![expression, before])?;
        let (mut looks, mut looked_at) = (0, hits.last().copied());
        while let Some(row) = rows.next()? {
            if hits.len() == limit || looks == SEARCH_LOOKS_MAX {
                return Ok(looked_at);
            }
            let seq = Seq(unsigned(row.get("seq")?));
            (looks, looked_at) = (looks + 1, Some(seq));
            let fits = match &query.author {
                Some(author) => text(row, "name", Name::kept)?.folded() == *author,
                None => true,
            };
            if fits && rooms.contains(&row.get("room")?) {
                hits.push(seq);
            }
        }
        Ok(None)
    }
}

/// Puts the messages after one number, and up to another, into an index of their own, in memory,
/// made in the same way as the one for all: `temp.apart`.
pub(super) fn index_apart(
    connection: &Connection,
    after: i64,
    upto: i64,
) -> rusqlite::Result<usize> {
    connection.execute_batch(
        "CREATE VIRTUAL TABLE temp.apart USING fts5 (
             room, name, text, tokenize = 'unicode61 remove_diacritics 2')",
    )?;
    connection
        .prepare_cached(
            "INSERT INTO temp.apart (rowid, room, name, text)
             SELECT seq, room, name, text FROM main.log
             WHERE seq > ? AND seq <= ? AND kind = 'said' AND deleted = 0",
        )?
        .execute([after, upto])
}

/// The words of a search: what stands between spaces and has a letter or a digit in it.
fn terms(words: &str) -> Vec<String> {
    let clean = |word: &str| word.chars().filter(|c| !c.is_control() && *c != '"').collect();
    let words = words.split(|c: char| c.is_whitespace() || c.is_control());
    let words = words.filter(|word| word.chars().any(char::is_alphanumeric));
    words.map(clean).take(SEARCH_WORDS_MAX).collect()
}

/// The search in FTS5's language. Each term is a string of that language, in which nothing has a
/// meaning but `"`, which is not in a term; so there is no syntax to be wrong.
fn expression(terms: &[String], query: &Query) -> String {
    let mut all: Vec<String> = terms.iter().map(|term| format!("\"{term}\"")).collect();
    // What a word may go on with has to be gathered from the whole index: some 20 ms for a common
    // word among a million messages. So it is done only where it is wanted.
    let starred = query.words.trim_end().ends_with('*');
    let long = |term: &String| starred && term.len() >= SEARCH_PREFIX_CHARS_MIN;
    if terms.last().is_some_and(|term| !term.is_ascii() || long(term))
        && let Some(last) = all.last_mut()
    {
        last.push_str(" *");
    }
    let mut expression = format!("(text : ({}))", all.join(" "));
    // What narrows it down is checked again with each message; this only spares looking at most.
    if query.rooms.len() <= SEARCH_ROOMS_MAX {
        let rooms: Vec<String> = query.rooms.iter().map(|room| format!("\"{room}\"")).collect();
        expression.push_str(&format!(" AND (room : ({}))", rooms.join(" OR ")));
    }
    let plain = |author: &&Folded| author.as_str().bytes().all(|b| b.is_ascii_alphanumeric());
    if let Some(author) = query.author.as_ref().filter(plain).filter(|a| !a.as_str().is_empty()) {
        expression.push_str(&format!(" AND (name : \"{}\")", author.as_str()));
    }
    expression
}

/// The part of a message around the first of the terms that stands in it as it was typed (but for
/// its case); else its beginning. On one line.
fn snippet(message: &str, terms: &[String]) -> String {
    let letters: Vec<char> =
        message.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let low = |c: char| c.to_lowercase().next().unwrap_or(c);
    let lower: Vec<char> = letters.iter().copied().map(low).collect();
    let place = |term: &String| {
        let term: Vec<char> = term.chars().map(low).collect();
        lower.windows(term.len()).position(|window| *window == *term)
    };
    let hit = terms.iter().filter_map(place).min().unwrap_or(0);
    let start = hit.saturating_sub(SNIPPET_CHARS / 4);
    // What would be left out at the end is rather shown at the beginning.
    let start = start.min(letters.len().saturating_sub(SNIPPET_CHARS));
    let end = (start + SNIPPET_CHARS).min(letters.len());
    let piece: String = letters[start..end].iter().collect();
    let (before, after) = (start > 0, end < letters.len());
    format!("{}{}{}", if before { "…" } else { "" }, piece.trim(), if after { "…" } else { "" })
}
