//! A whole request, and its accessors.
//!
//! It must never decide what a request means: it only splits paths, queries, cookies and lists.
//! Built by [`head`](super::head), read by the protocols.

use std::borrow::Cow;

use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::{Headers, Method, Reject, Version};

/// A request with its whole body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as sent, percent-encoded; it begins with `/`, or is `*` for OPTIONS.
    pub path: String,
    /// The query after the `?`, as sent; empty if there is none.
    pub query: String,
    /// The peer's HTTP version.
    pub version: Version,
    /// The header lines. `Host` is the authority of the target, if the target has one.
    pub headers: Headers,
    /// At most `BODY_BYTES_MAX` bytes; without chunk framing and trailers.
    pub body: Bytes,
    /// Whether the request came through the TLS of this server; the connection sets it.
    pub secure: bool,
    /// Whether the peer wants the connection to be kept alive (RFC 9112 section 9.3).
    pub keep_alive: bool,
}

impl Request {
    /// The path's segments, each percent-decoded: `/a/b%2Fc` is `a` and `b/c`, `/` has none, `/a/`
    /// is `a` and an empty segment. `.` and `..` are ordinary names, as there are no directories
    /// here. An invalid escape, invalid UTF-8 and a control character are a 400.
    pub fn segments(&self) -> Result<Vec<Cow<'_, str>>, Reject> {
        match self.path.strip_prefix('/').unwrap_or(&self.path) {
            "" => Ok(Vec::new()),
            parts => parts.split('/').map(decode).collect(),
        }
    }

    /// The query's names and values, decoded by the URL standard: `+` is a space, and invalid UTF-8
    /// becomes U+FFFD.
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

    /// Whether a comma-separated header has that element; case does not count.
    pub fn list_contains(&self, name: &str, token: &str) -> bool {
        self.headers.list_contains(name, token)
    }

    /// The values of the cookies of that name, without quotes around them (RFC 6265 section 4.2).
    /// The client sends the more specific ones first (section 5.4); but of two equally specific
    /// ones, one that another server has set may come first.
    pub fn cookies(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.headers.all("cookie").flat_map(|line| line.split(';'));
        pairs.filter_map(move |pair| {
            let (key, value) = pair.split_once('=')?;
            let value = (key.trim_ascii() == name).then_some(value.trim_ascii())?;
            let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            Some(bare.unwrap_or(value))
        })
    }

    /// Whether there is a `Bearer` authorization, valid or not. Other schemes concern a proxy
    /// before us that asks for a password.
    pub fn has_bearer(&self) -> bool {
        self.bearers().next().is_some()
    }

    /// The token of `Authorization: Bearer …` (RFC 6750 section 2.1). `None` if there are several,
    /// or if the token is not one word.
    pub fn bearer(&self) -> Option<&str> {
        let mut bearers = self.bearers();
        let (Some(token), None) = (bearers.next(), bearers.next()) else {
            return None;
        };
        let token = token.trim_start_matches(' ');
        (!token.is_empty() && !token.contains([' ', '\t'])).then_some(token)
    }

    /// The value after `Bearer` of each such line; the scheme's case does not count (RFC 9110
    /// section 11.1).
    fn bearers(&self) -> impl Iterator<Item = &str> {
        self.headers.all("authorization").filter_map(|credentials| {
            let (scheme, token) = credentials.split_once(' ').unwrap_or((credentials, ""));
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        })
    }

    /// Whether to answer with a page (RFC 9110 section 12.5.1): `Accept` names `text/html`, and
    /// does not prefer JSON. Scripts send `*/*` or no `Accept`, and get JSON.
    pub fn prefers_html(&self) -> bool {
        self.prefers("text/html", "application/json")
    }

    /// Whether `Accept` names a media type, and no range that covers `other` has a higher weight
    /// (RFC 9110 section 12.5.1).
    pub fn prefers(&self, kind: &str, to: &str) -> bool {
        let range = to.split_once('/').map(|(family, _)| format!("{family}/*"));
        // The most specific range that covers it counts.
        let other = [Some(to), range.as_deref(), Some("*/*")];
        let other = other.into_iter().flatten().find_map(|range| self.weight("accept", range));
        let wanted = self.weight("accept", kind);
        wanted.is_some_and(|wanted| wanted > 0.0 && wanted >= other.unwrap_or(0.0))
    }

    /// Whether to answer with gzip, if a gzip form exists (RFC 9110 section 12.5.3): the header
    /// accepts it by its name, its old name (section 8.4.1.3) or `*`, and does not prefer the
    /// identity encoding. Without the header the response is not encoded.
    pub fn accepts_gzip(&self) -> bool {
        let weight = |coding| self.weight("accept-encoding", coding);
        let gzip = weight("gzip").or_else(|| weight("x-gzip")).or_else(|| weight("*"));
        let identity = weight("identity").unwrap_or(0.0);
        gzip.is_some_and(|gzip| gzip > 0.0 && gzip >= identity)
    }

    /// The weight of an element of an `Accept…` header (RFC 9110 section 12.4.2): 1 without a
    /// weight, 0 for a malformed one. `None` if the header does not have the element.
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
        return Err(Reject::bad("an escape in the path is malformed; write % and two hex digits"));
    }
    match percent_decode_str(part).decode_utf8() {
        Ok(text) if !text.chars().any(char::is_control) => Ok(text),
        Ok(_) => Err(Reject::bad("the path contains a control character; remove it")),
        Err(_) => Err(Reject::bad("the path is not UTF-8; send UTF-8")),
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
