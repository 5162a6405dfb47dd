//! The header lines of a request: parsed by `httparse`, kept in order, looked up by name.
//!
//! It must never hold a value with a control character other than a tab.
//! [`head`](super::head) and [`body`](super::body) call it to parse; all others, to look up a name.

use super::Reject;
use crate::limits::HEADERS_MAX;

/// Names and values, in their order. Names compare without case (RFC 9110 section 5.1).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Parses a block of lines up to and including the empty line. The caller has limited its
    /// length and checked its line ends: `httparse` alone would accept a bare LF and folded lines
    /// (obs-fold).
    pub(super) fn parse(block: &[u8]) -> Result<Headers, Reject> {
        let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
        // RFC 9112 section 5.1: the name is a token, without whitespace before the colon.
        let Ok(httparse::Status::Complete((_, lines))) = httparse::parse_headers(block, &mut slots)
        else {
            return Err(Reject::bad("a header line is malformed; write `name: value`"));
        };
        // RFC 9110 section 5.5: bytes from 0x80 on are opaque data. What is not UTF-8 means nothing
        // to this server, but the rest of the value does: another site's cookie must not make its
        // visitor's own unreadable.
        let text = |value| String::from_utf8_lossy(value).into_owned();
        Ok(Headers(lines.iter().map(|line| (line.name.to_owned(), text(line.value))).collect()))
    }

    /// The value of the first line of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all lines of that name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |line| line.0.eq_ignore_ascii_case(name)).map(|line| &*line.1)
    }

    /// The elements of a comma-separated list, from all lines of that name (RFC 9110 section 5.3),
    /// without the whitespace around them; empty elements included.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(|value| value.split(',')).map(|part| part.trim_matches([' ', '\t']))
    }

    /// Whether a comma-separated list has that element; case does not count.
    pub fn list_contains(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|part| part.eq_ignore_ascii_case(token))
    }

    /// Replaces all lines of that name by one line.
    pub(super) fn replace(&mut self, name: &str, value: &str) {
        self.0.retain(|line| !line.0.eq_ignore_ascii_case(name));
        self.0.push((name.to_owned(), value.to_owned()));
    }
}
