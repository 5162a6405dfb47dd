//! A whole request, and its accessors.
//!
//! It must never decide what a request means: it takes apart paths, queries, cookies and lists,
//! nothing more. Built by [`head`](super::head), read by the protocols.

use std::borrow::Cow;

use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::{Headers, Method, Reject, Version};

/// A request with all of its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as sent, so still percent-encoded; it begins with `/`, or is `*` for OPTIONS.
    pub path: String,
    /// What follows the `?`, as sent; empty if there is none.
    pub query: String,
    /// The peer's HTTP version.
    pub version: Version,
    /// The header lines. `Host` names the authority even where the target named another.
    pub headers: Headers,
    /// At most `BODY_BYTES_MAX` bytes; without chunks, trailers gone.
    pub body: Bytes,
    /// Whether it came through TLS of this server; the connection knows.
    pub secure: bool,
    /// Whether the peer wants the connection to go on after the answer (RFC 9112 section 9.3).
    pub keep_alive: bool,
}

impl Request {
    /// The path's parts between slashes, each percent-decoded: `/a/b%2Fc` is `a` and `b/c`, `/` is
    /// nothing, `/a/` is `a` and an empty part. `.` and `..` are names like any other, for there
    /// are no directories here. 400 for an escape that is none, for what is not UTF-8 afterwards,
    /// and for a control character.
    pub fn segments(&self) -> Result<Vec<Cow<'_, str>>, Reject> {
        match self.path.strip_prefix('/').unwrap_or(&self.path) {
            "" => Ok(Vec::new()),
            parts => parts.split('/').map(decode).collect(),
        }
    }

    /// The query's names and values, decoded as the URL standard has it (`+` is a space; what is
    /// not UTF-8 becomes U+FFFD).
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query.as_bytes())
    }

    /// The value of the first header line of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The values of all header lines of that name.
    pub fn header_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.all(name)
    }

    /// Whether a comma-separated header has that element, without regard to case.
    pub fn list_contains(&self, name: &str, token: &str) -> bool {
        self.headers.list_contains(name, token)
    }

    /// The values of the cookies of that name, without the quotes they may have (RFC 6265 section
    /// 4.2). The client sorts the more specific ones to the front (section 5.4); but of two that
    /// are the same to it, one of another's may come first.
    pub fn cookies(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.headers.all("cookie").flat_map(|line| line.split(';'));
        pairs.filter_map(move |pair| {
            let (key, value) = pair.split_once('=')?;
            let value = (key.trim_ascii() == name).then_some(value.trim_ascii())?;
            let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            Some(bare.unwrap_or(value))
        })
    }

    /// Whether there is a `Bearer` authorization, valid or not. Other schemes are for a proxy
    /// before us that asks for a password.
    pub fn has_bearer(&self) -> bool {
        self.bearers().next().is_some()
    }

    /// The token of `Authorization: Bearer …` (RFC 6750 section 2.1). None where there are several
    /// or the token is not one word.
    pub fn bearer(&self) -> Option<&str> {
        let mut bearers = self.bearers();
        let (Some(token), None) = (bearers.next(), bearers.next()) else {
            return None;
        };
        let token = token.trim_start_matches(' ');
        (!token.is_empty() && !token.contains([' ', '\t'])).then_some(token)
    }

    /// The value after `Bearer` in each line that has it; the scheme has no case (RFC 9110 section
    /// 11.1).
    fn bearers(&self) -> impl Iterator<Item = &str> {
        self.headers.all("authorization").filter_map(|credentials| {
            let (scheme, token) = credentials.split_once(' ').unwrap_or((credentials, ""));
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        })
    }

    /// Whether to answer with a page (RFC 9110 section 12.5.1): `text/html` is accepted by name,
    /// and JSON, by whatever range covers it, is not liked better. Scripts say `*/*` or nothing,
    /// and get JSON.
    pub fn prefers_html(&self) -> bool {
        self.prefers("text/html", "application/json")
    }

    /// Whether a media type is accepted by name and another, by whatever range covers it, is not
    /// liked better (RFC 9110 section 12.5.1).
    pub fn prefers(&self, kind: &str, to: &str) -> bool {
        let range = to.split_once('/').map(|(family, _)| format!("{family}/*"));
        // The most specific range that covers it counts.
        let other = [Some(to), range.as_deref(), Some("*/*")];
        let other = other.into_iter().flatten().find_map(|range| self.weight("accept", range));
        let wanted = self.weight("accept", kind);
        wanted.is_some_and(|wanted| wanted > 0.0 && wanted >= other.unwrap_or(0.0))
    }

    /// Whether to answer with gzip, if a gzip form exists (RFC 9110 section 12.5.3): it is
    /// accepted, by its name, its old name (section 8.4.1.3) or `*`, and the identity encoding is
    /// not preferred. Without the header the answer is not encoded.
    pub fn accepts_gzip(&self) -> bool {
        let weight = |coding| self.weight("accept-encoding", coding);
        let gzip = weight("gzip").or_else(|| weight("x-gzip")).or_else(|| weight("*"));
        let identity = weight("identity").unwrap_or(0.0);
        gzip.is_some_and(|gzip| gzip > 0.0 && gzip >= identity)
    }

    /// The weight that an element of an `Accept…` header has (RFC 9110 section 12.4.2): 1 unless
    /// given, 0 where malformed. None if it is not there.
    fn weight(&self, header: &str, name: &str) -> Option<f32> {
        let mut elements = self.headers.list(header).map(weighted);
        elements.find(|element| element.0.eq_ignore_ascii_case(name)).map(|element| element.1)
    }
}

fn decode(part: &str) -> Result<Cow<'_, str>, Reject> {
    // RFC 3986 section 2.1: a percent sign is followed by two hex digits.
    let escape =
        |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !part.split('%').skip(1).all(escape) {
        return Err(Reject::bad("a malformed escape in the path"));
    }
    match percent_decode_str(part).decode_utf8() {
        Ok(text) if !text.chars().any(char::is_control) => Ok(text),
        Ok(_) => Err(Reject::bad("a control character in the path")),
        Err(_) => Err(Reject::bad("a path that is not UTF-8")),
    }
}

fn weighted(element: &str) -> (&str, f32) {
    let mut parts = element.split(';').map(str::trim_ascii);
    let name = parts.next().unwrap_or("");
    let mut parameters = parts.filter_map(|part| part.split_once('='));
    let quality = match parameters.find(|(name, _)| name.eq_ignore_ascii_case("q")) {
        Some((_, value)) => value.parse().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0),
        None => 1.0,
    };
    (name, quality)
}
