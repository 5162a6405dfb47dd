//! The chain: each entry of the log has a hash that covers the one before it, all that the entry
//! says, and a commitment to its words. So whatever is altered, left out or put in between is
//! visible to whoever reads the log from its beginning ([`admin`](crate::store::admin)'s verify),
//! in a backup and in an export, too. Where the log ends, [`notes`](crate::store::notes) say.
//!
//! Words are not covered themselves but by a hash of a random salt and them, because they may go
//! and the chain has to stay. While an entry's words are there, its column `proof` has the salt;
//! when they go (they are edited, taken back, or too old), the salt goes with them, and `proof` has
//! what they hashed to. Without the salt nobody can try whether some words were those.
//!
//! Whose words these are: a message's own, until it is edited; then those of the last edit. What a
//! message first said is kept as a plain hash (`said_hash`) from its first change on; the entries
//! that change it cover that.
//!
//! Where retention has removed entries, the hash of the last of them is kept in the table `gap`, so
//! that the chain goes on from there.
//!
//! It is no signature: who can write the file and knows this program can make another chain. The
//! last hash, written down elsewhere, would show it.
//!
//! An entry costs two hashes of two blocks each, and what 32 more bytes cost SQLite: about a
//! twentieth of a commit of one message (`make bench`, part `chain`).

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use crate::chat::Seq;
use crate::crypto::{self, KeyHash};
use crate::limits::SALTS_DRAWN;
use crate::store::entries::signed;
use crate::store::notes;

/// What stands in the column `hash`: 128 bits, more than anybody can try.
pub(super) type Link = [u8; 16];
/// What stands in the column `proof` while the words are there.
pub(super) type Salt = [u8; 16];
/// What stands there when they are gone.
pub(super) type Commitment = [u8; 32];

/// An entry as the chain covers it: the columns of its row that never change.
#[derive(Default)]
pub(super) struct Fixed<'a> {
    pub kind: &'a str,
    pub room: Option<i64>,
    pub account: Option<i64>,
    pub name: Option<&'a str>,
    pub color: Option<&'a str>,
    pub client_id: Option<&'a str>,
    pub reply_to: Option<i64>,
    pub target: Option<i64>,
    pub body: Option<&'a str>,
    /// Of what changes a message: the hash of what that first said.
    pub first: Option<KeyHash>,
}

/// The end of the chain, where it goes on.
pub(super) struct Chain {
    last: Link,
    /// Drawn many at a time: to ask the system for each would take longer than the hashes.
    salts: Vec<Salt>,
    bytes: Vec<u8>,
    off: bool,
}

impl Chain {
    /// Behind the entry with that link.
    pub fn after(last: Link) -> Chain {
        Chain { last, salts: Vec::new(), bytes: Vec::new(), off: false }
    }

    /// Behind the last entry of a log.
    pub fn at_the_end(connection: &Connection, last: Seq) -> rusqlite::Result<Chain> {
        let link = link(connection, signed(last.0))?.unwrap_or_default();
        Ok(Chain::after(link))
    }

    /// The last link.
    pub fn last(&self) -> Link {
        self.last
    }

    /// What was added since that link is not in the log.
    pub fn back_to(&mut self, last: Link) {
        self.last = last;
    }

    /// Proves nothing from now on: for the benchmark, which measures what it costs.
    pub fn switch_off(&mut self) {
        self.off = true;
    }

    /// Goes on by an entry that is said now, and maybe has words and whom they call. Returns what
    /// stands in its columns `proof` and `hash`.
    pub fn add(
        &mut self,
        (seq, time): (i64, i64),
        fixed: &Fixed<'_>,
        words: Option<(&str, Option<&str>)>,
    ) -> (Option<Salt>, Option<Link>) {
        if self.off {
            return (None, None);
        }
        let salt = words.map(|_| self.salt());
        let commitment = salt
            .zip(words)
            .map(|(salt, (text, calls))| committed(&mut self.bytes, &salt, text, calls));
        (salt, Some(self.link((seq, time), fixed, commitment)))
    }

    fn salt(&mut self) -> Salt {
        loop {
            if let Some(salt) = self.salts.pop() {
                return salt;
            }
            let drawn = crypto::random::<{ SALTS_DRAWN * size_of::<Salt>() }>();
            let (salts, _) = drawn.as_chunks();
            self.salts.extend_from_slice(salts);
        }
    }

    /// Goes on by one entry, whose words are committed to so. Returns its link.
    pub fn link(
        &mut self,
        (seq, time): (i64, i64),
        fixed: &Fixed<'_>,
        words: Option<Commitment>,
    ) -> Link {
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.extend_from_slice(&self.last);
        bytes.extend_from_slice(&seq.to_le_bytes());
        bytes.extend_from_slice(&time.to_le_bytes());
        // What is there (a bit each), then each by itself: nothing can be taken for anything else.
        // Step by step, as it is done for every message: by iterators it takes four times as long.
        let mut there = 0_u16;
        let mut is_there = |it: bool| there = there << 1 | u16::from(it);
        let there_at = bytes.len();
        bytes.extend_from_slice(&[0; size_of::<u16>()]);
        for number in [fixed.room, fixed.account, fixed.reply_to, fixed.target] {
            is_there(number.is_some());
            if let Some(number) = number {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        text_into(bytes, fixed.kind);
        for text in [fixed.name, fixed.color, fixed.client_id, fixed.body] {
            is_there(text.is_some());
            if let Some(text) = text {
                text_into(bytes, text);
            }
        }
        for hash in [words.as_ref(), fixed.first.as_ref()] {
            is_there(hash.is_some());
            if let Some(hash) = hash {
                bytes.extend_from_slice(hash);
            }
        }
        bytes[there_at..][..size_of::<u16>()].copy_from_slice(&there.to_le_bytes());
        self.last = short(&Sha256::digest(&*bytes).into());
        self.last
    }
}

/// A text, in front of it its length.
pub(super) fn text_into(bytes: &mut Vec<u8>, text: &str) {
    // In sevens of bits: most texts are short.
    let mut length = text.len();
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(text.as_bytes());
}

/// The first 128 bits of a hash.
pub(super) fn short(hash: &[u8; 32]) -> [u8; 16] {
    let (half, _) = hash.split_at(16);
    half.try_into().expect("half of 32 bytes is 16")
}

/// What stands for words, and for whom they call (`calls`, as it stands in the message's `body`).
pub(super) fn commit(salt: &Salt, words: &str, calls: Option<&str>) -> Commitment {
    committed(&mut Vec::new(), salt, words, calls)
}

fn committed(bytes: &mut Vec<u8>, salt: &Salt, words: &str, calls: Option<&str>) -> Commitment {
    bytes.clear();
    bytes.extend_from_slice(salt);
    text_into(bytes, words);
    bytes.extend_from_slice(calls.unwrap_or_default().as_bytes());
    Sha256::digest(&*bytes).into()
}

/// The link of an entry that is there, or was the last of those that are gone.
pub(super) fn link(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Link>> {
    let there = "SELECT hash FROM log WHERE seq = ?1 UNION ALL
         SELECT hash FROM gap WHERE seq = ?1 LIMIT 1";
    let link = |row: &Row<'_>| row.get::<_, Option<Link>>(0);
    Ok(connection.prepare_cached(there)?.query_row([seq], link).optional()?.flatten())
}

/// The hash of what a message first said, which is about to be changed.
pub(super) fn first_said(
    connection: &Connection,
    message: Seq,
) -> rusqlite::Result<Option<KeyHash>> {
    let first = |row: &Row<'_>| match row.get("said_hash")? {
        None => Ok(row.get_ref("text")?.as_str_or_null()?.map(crypto::hash)),
        first => Ok(first),
    };
    let first = connection
        .prepare_cached("SELECT said_hash, text FROM log WHERE seq = ?")?
        .query_row([signed(message.0)], first);
    Ok(first.optional()?.flatten())
}

/// The words of a message go; they are these. `besides` is the entry that has others for it.
pub(super) fn words_go(
    connection: &Connection,
    message: i64,
    besides: i64,
    (words, calls): (&str, Option<&str>),
) -> rusqlite::Result<()> {
    let holder = "SELECT seq, proof FROM log
         WHERE (seq = ?1 OR target = ?1) AND seq <> ?2 AND octet_length(proof) = 16";
    let holder = connection
        .prepare_cached(holder)?
        .query_row([message, besides], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((seq, salt)): Option<(i64, Salt)> = holder else { return Ok(()) };
    connection
        .prepare_cached("UPDATE log SET proof = ? WHERE seq = ?")?
        .execute(params![commit(&salt, words, calls), seq])?;
    Ok(())
}

/// An entry has been removed that had this link.
pub(super) fn removed(connection: &Connection, seq: i64, link: Link) -> rusqlite::Result<()> {
    // Only where an entry follows, or none at all: where more are gone, the last of them counts.
    connection
        .prepare_cached(
            "INSERT INTO gap (seq, hash) SELECT ?1, ?2
             WHERE EXISTS (SELECT 1 FROM log WHERE seq = ?1 + 1)
                 OR NOT EXISTS (SELECT 1 FROM log WHERE seq > ?1)
                     AND NOT EXISTS (SELECT 1 FROM gap WHERE seq > ?1)",
        )?
        .execute(params![seq, link])?;
    connection.prepare_cached("DELETE FROM gap WHERE seq = ? - 1")?.execute([seq])?;
    Ok(())
}

/// What a change of a message covers beside its own row: for the `SELECT` of [`fixed`].
pub(super) const FIRST: &str = "CASE WHEN kind IN ('edited', 'deleted') THEN (
        SELECT said.said_hash FROM log AS said WHERE said.seq = log.target) END AS first";

/// The fixed columns of a row that has them by their names, and [`FIRST`].
pub(super) fn fixed<'a>(row: &'a Row<'_>) -> rusqlite::Result<Fixed<'a>> {
    let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?);
    let kind = row.get_ref("kind")?.as_str()?;
    Ok(Fixed {
        kind,
        room: row.get("room")?,
        account: row.get("account")?,
        name: text("name")?,
        color: text("color")?,
        client_id: text("client_id")?,
        reply_to: row.get("reply_to")?,
        target: row.get("target")?,
        // Of messages and edits it belongs to the words.
        body: if matches!(kind, "said" | "edited") { None } else { text("body")? },
        first: row.get("first")?,
    })
}

/// Makes the chain of a log that an old export has brought without one, or with an older one. What
/// words there were before those of now, nobody knows any more: what proved them stays, or else
/// they get a proof that fits none.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    let mut select = connection.prepare(&format!(
        "SELECT *, {FIRST}, CASE kind
             WHEN 'said' THEN iif(edited IS NULL, text, NULL)
             WHEN 'edited' THEN (
                 SELECT said.text FROM log AS said WHERE said.seq = log.target AND log.seq = (
                     SELECT max(last.seq) FROM log AS last
                     WHERE last.target = log.target AND last.kind = 'edited'))
             END AS words, CASE kind
             WHEN 'edited' THEN (SELECT said.body FROM log AS said WHERE said.seq = log.target)
             ELSE body END AS calls
         FROM log ORDER BY seq"
    ))?;
    let mut put = connection.prepare("UPDATE log SET proof = ?, hash = ? WHERE seq = ?")?;
    let mut gap = connection.prepare("INSERT OR REPLACE INTO gap (seq, hash) VALUES (?, ?)")?;
    let (mut chain, mut last) = (Chain::after(Link::default()), 0);
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, time): (i64, i64) = (row.get("seq")?, row.get("time")?);
        if seq != last + 1 {
            gap.execute(params![seq - 1, chain.last()])?;
        }
        let fixed = fixed(row)?;
        let words = row.get_ref("words")?.as_str_or_null()?;
        let calls = row.get_ref("calls")?.as_str_or_null()?;
        let has_words = matches!(fixed.kind, "said" | "edited");
        let (proof, link) = match words {
            None if has_words => {
                let old = row.get_ref("proof")?.as_blob_or_null()?;
                let old = old.and_then(|old| Commitment::try_from(old).ok());
                let gone = old.unwrap_or_else(crypto::random);
                (Some(gone.to_vec()), Some(chain.link((seq, time), &fixed, Some(gone))))
            }
            words => {
                let words = words.filter(|_| has_words).map(|words| (words, calls));
                let (salt, link) = chain.add((seq, time), &fixed, words);
                (salt.map(|salt| salt.to_vec()), link)
            }
        };
        put.execute(params![proof, link, seq])?;
        last = seq;
    }
    let ends = "SELECT value FROM meta WHERE key = 'pruned'";
    let pruned: i64 = connection.query_row(ends, [], |row| row.get(0))?;
    if pruned > last {
        gap.execute(params![pruned, chain.last()])?;
    }
    notes::note_spent(connection, notes::sum_of_spent(connection)?)?;
    notes::note_end(connection)
}
