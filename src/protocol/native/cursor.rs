//! The cursor: `<epoch>:<seq>`, a position in one log.
//!
//! It must never apply a sequence number of another log, so the epoch is a part of it.

use std::fmt;

use crate::chat::Seq;

/// A position in the log that `epoch` names: the client has everything up to and including `seq`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The log's name.
    pub epoch: String,
    /// The last known sequence number.
    pub seq: Seq,
}

impl Cursor {
    /// Parses what [`Cursor`] displays. `None`: it is not a cursor.
    pub fn parse(text: &str) -> Option<Cursor> {
        let (epoch, seq) = text.split_once(':')?;
        let named = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
        named.then_some(())?;
        Some(Cursor { epoch: epoch.to_owned(), seq: Seq(number(seq)?) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// A number as sent: digits only (Rust's parser would accept a `+`), and within SQLite's signed
/// 64-bit range.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.filter(|number| i64::try_from(*number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::fuzz;

    #[test]
    fn cursors() {
        for (text, seq) in [("a1:0", 0), ("00ff:17", 17), ("x:9223372036854775807", u64::MAX >> 1)]
        {
            let cursor = Cursor::parse(text).expect("a cursor");
            assert_eq!((cursor.seq, &*cursor.to_string()), (Seq(seq), text));
        }
        let bad = ["", ":", "a", "a:", ":1", "a:+1", "a:-1", "a: 1", "a:1:2", "a b:1", "ä:1"];
        for bad in bad.into_iter().chain(["a:9223372036854775808", "a:99999999999999999999"]) {
            assert_eq!(Cursor::parse(bad), None, "{bad:?}");
        }
    }

    /// A parsed cursor displays as the same text.
    #[test]
    fn cursors_at_random() {
        fuzz(5_000, |dice| {
            let text = dice.text(&["00ff:17", "a1:0", "x:9223372036854775807"], &[":", "+", "0"]);
            if let Some(cursor) = Cursor::parse(&text) {
                assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor), "{text:?}");
            }
        });
    }
}
