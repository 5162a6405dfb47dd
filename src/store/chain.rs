//! The hash chain: each entry of the log has a hash over the hash before it, all that the entry
//! says, and a commitment to its text. So reading the log from its beginning reveals every
//! alteration, omission and insertion ([`admin`](crate::store::admin)'s verify), in a backup and in
//! an export, too. [`notes`](crate::store::notes) say where the log ends.
//!
//! The chain does not cover a text itself but a hash of a random salt and the text, because the
//! text may be removed and the chain has to stay. While an entry has its text, its column `proof`
//! holds the salt. When the text goes (edited, deleted, or too old), the salt goes with it, and
//! `proof` holds the commitment. Without the salt nobody can guess the text and test the guess.
//!
//! The current text belongs to the message until the first edit, then to the last edit. From its
//! first change on, a plain hash of what a message first said is kept (`said_hash`); the entries
//! that change the message cover it.
//!
//! Where retention has removed entries, the table `gap` keeps the hash of the last of them, so that
//! the chain continues from there.
//!
//! The chain is no signature: a person who can write the file and knows this program can make
//! another chain. The last hash, written down elsewhere, would reveal it.
//!
//! An entry costs two hashes of two blocks each, and the storage of 32 bytes: about a twentieth of
//! a commit of one message (`make bench`, part `chain`).

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use crate::chat::Seq;
use crate::crypto::{self, KeyHash};
use crate::limits::SALTS_DRAWN;
use crate::store::entries::signed;
use crate::store::notes;

/// The column `hash`: 128 bits, more than anybody can try.
pub(super) type Link = [u8; 16];
/// The column `proof` while the entry has its text.
pub(super) type Salt = [u8; 16];
/// The column `proof` when the text is gone.
pub(super) type Commitment = [u8; 32];

/// The part of an entry that the chain covers: the columns that never change.
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
    /// For an edit or a deletion: the hash of what its message first said.
    pub first: Option<KeyHash>,
}

/// The end of the chain, to append to.
pub(super) struct Chain {
    last: Link,
    /// Drawn many at a time: asking the system for each would take longer than the hashes.
    salts: Vec<Salt>,
    bytes: Vec<u8>,
    off: bool,
}

impl Chain {
    /// Continues after an entry with that link.
    pub fn after(last: Link) -> Chain {
        Chain { last, salts: Vec::new(), bytes: Vec::new(), off: false }
    }

    /// Continues after the last entry of a log.
    pub fn at_the_end(connection: &Connection, last: Seq) -> rusqlite::Result<Chain> {
        let link = link(connection, signed(last.0))?.unwrap_or_default();
        Ok(Chain::after(link))
    }

    /// The last link.
    pub fn last(&self) -> Link {
        self.last
    }

    /// Forgets the entries added after that link: their transaction failed.
    pub fn back_to(&mut self, last: Link) {
        self.last = last;
    }

    /// Switches the chain off, for the benchmark, which measures its cost.
    pub fn switch_off(&mut self) {
        self.off = true;
    }

    /// Adds a new entry, with its text and its `calls`, if it has a text. Returns its columns
    /// `proof` and `hash`.
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

    /// Adds an entry whose commitment is known. Returns its link.
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
        // A bit for each field that is present, then the fields, each self-delimiting: no two
        // entries hash the same bytes. A plain loop, because this runs for every message: with
        // iterators it takes four times as long.
        let mut there = 0_u16;
        let mut is_there = |present: bool| there = there << 1 | u16::from(present);
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

/// Appends a text, preceded by its length.
pub(super) fn text_into(bytes: &mut Vec<u8>, text: &str) {
    // Seven bits a byte: most texts are short.
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

/// The commitment to a text and its mentions (`calls`, as the message's `body` has them).
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

/// The link of an entry that exists, or is the last of some that are gone.
pub(super) fn link(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Link>> {
    let there = "SELECT hash FROM log WHERE seq = ?1 UNION ALL
         SELECT hash FROM gap WHERE seq = ?1 LIMIT 1";
    let link = |row: &Row<'_>| row.get::<_, Option<Link>>(0);
    Ok(connection.prepare_cached(there)?.query_row([seq], link).optional()?.flatten())
}

/// The hash of what a message first said; call it before a change.
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

/// Replaces the salt of a text that is about to go by its commitment. `besides` is the entry that
/// brings the new text.
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

/// Keeps the link of an entry that was just removed.
pub(super) fn removed(connection: &Connection, seq: i64, link: Link) -> rusqlite::Result<()> {
    // Only where an entry follows, or none at all: of neighbours that are gone the last counts.
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

/// What an edit or a deletion covers besides its own row: for the `SELECT` of [`fixed`].
pub(super) const FIRST: &str = "CASE WHEN kind IN ('edited', 'deleted') THEN (
        SELECT said.said_hash FROM log AS said WHERE said.seq = log.target) END AS first";

/// The fixed columns of a row, by their names, and [`FIRST`].
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
        // For messages and edits it belongs to the text.
        body: if matches!(kind, "said" | "edited") { None } else { text("body")? },
        first: row.get("first")?,
    })
}

/// Builds the chain of a log from an old export that has none, or an older one. Earlier texts are
/// lost: their commitments stay, or else they get a random one, which fits no text.
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
