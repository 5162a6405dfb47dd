//! The chain: each entry of the log has a hash that covers the one before it, all that the entry
//! says, and a commitment to its words. So whatever is altered, left out or put in between is
//! visible to whoever reads the log from its beginning ([`admin`](crate::store::admin)'s verify),
//! in a backup and in an export, too.
//!
//! Words are not covered themselves but by a hash of a random salt and them, because they may go
//! and the chain has to stay. While an entry's words are there, its column `proof` has the salt;
//! when they go (they are edited, taken back, or too old), the salt goes with them, and `proof` has
//! what they hashed to. Without the salt nobody can try whether some words were those.
//!
//! Whose words these are: a message's own, until it is edited; then those of the last edit.
//!
//! Where retention has removed entries, the hash of the last of them is kept in the table `gap`, so
//! that the chain goes on from there.
//!
//! It is no signature: who can write the file and knows this program can make another chain. The
//! last hash, written down elsewhere, would show it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use crate::chat::Seq;
use crate::crypto;
use crate::store::entries::{signed, unsigned};

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
}

/// The end of the chain, where it goes on.
#[derive(Clone)]
pub(super) struct Chain {
    last: Link,
    /// Salts are made from it. It is drawn for one commit, and kept nowhere.
    seed: [u8; 32],
    bytes: Vec<u8>,
}

impl Chain {
    /// Behind the entry with that link.
    pub fn after(last: Link) -> Chain {
        Chain { last, seed: crypto::random(), bytes: Vec::new() }
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

    /// A salt for the words of an entry.
    pub fn salt(&self, seq: Seq) -> Salt {
        let hash = Sha256::new().chain_update(self.seed).chain_update(seq.0.to_le_bytes());
        short(&hash.finalize().into())
    }

    /// Goes on by one entry. Returns its link.
    pub fn link(
        &mut self,
        seq: i64,
        time: i64,
        fixed: &Fixed<'_>,
        words: Option<Commitment>,
    ) -> Link {
        let Fixed { kind, room, account, name, color, client_id, reply_to, target, body } = fixed;
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.extend(self.last);
        bytes.extend(seq.to_le_bytes());
        bytes.extend(time.to_le_bytes());
        for number in [room, account, reply_to, target] {
            bytes.push(u8::from(number.is_some()));
            bytes.extend(number.unwrap_or_default().to_le_bytes());
        }
        for text in [Some(*kind), *name, *color, *client_id, *body] {
            bytes.push(u8::from(text.is_some()));
            let text = text.unwrap_or_default();
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.push(u8::from(words.is_some()));
        bytes.extend(words.unwrap_or_default());
        self.last = short(&Sha256::digest(&*bytes).into());
        self.last
    }
}

fn short(hash: &[u8; 32]) -> [u8; 16] {
    let (half, _) = hash.split_at(16);
    half.try_into().expect("half of 32 bytes is 16")
}

/// What stands for words, and for whom they call (`calls`, as it stands in the message's `body`).
pub(super) fn commit(salt: &Salt, words: &str, calls: Option<&str>) -> Commitment {
    let length = (words.len() as u64).to_le_bytes();
    let hash = Sha256::new().chain_update(salt).chain_update(length).chain_update(words);
    hash.chain_update(calls.unwrap_or_default()).finalize().into()
}

/// The link of an entry that is there, or was the last of those that are gone.
pub(super) fn link(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Link>> {
    let there = "SELECT hash FROM log WHERE seq = ?1 UNION ALL
         SELECT hash FROM gap WHERE seq = ?1 LIMIT 1";
    connection.prepare_cached(there)?.query_row([seq], |row| row.get(0)).optional()
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

/// The fixed columns of a row that has them by their names.
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
    })
}

/// Makes the chain of a log that has none yet. What words there were before those of now, nobody
/// knows any more: they get a proof that fits none.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    let mut select = connection.prepare(
        "SELECT *, CASE kind
             WHEN 'said' THEN iif(edited IS NULL, text, NULL)
             WHEN 'edited' THEN (
                 SELECT said.text FROM log AS said WHERE said.seq = log.target AND log.seq = (
                     SELECT max(last.seq) FROM log AS last
                     WHERE last.target = log.target AND last.kind = 'edited'))
             END AS words, CASE kind
             WHEN 'edited' THEN (SELECT said.body FROM log AS said WHERE said.seq = log.target)
             ELSE body END AS calls
         FROM log ORDER BY seq",
    )?;
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
        let salt = chain.salt(Seq(unsigned(seq)));
        let (proof, commitment) = match words {
            Some(words) => (Some(salt.to_vec()), Some(commit(&salt, words, calls))),
            None if has_words => {
                let unknown: Commitment = crypto::random();
                (Some(unknown.to_vec()), Some(unknown))
            }
            None => (None, None),
        };
        let link = chain.link(seq, time, &fixed, commitment);
        put.execute(params![proof, link, seq])?;
        last = seq;
    }
    let ends = "SELECT value FROM meta WHERE key = 'pruned'";
    let pruned: i64 = connection.query_row(ends, [], |row| row.get(0))?;
    if pruned > last {
        gap.execute(params![pruned, chain.last()])?;
    }
    Ok(())
}
