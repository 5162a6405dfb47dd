//! Checks a request's head: the request line (RFC 9112 section 3), and from the headers where the
//! body ends (section 6) and whether the connection goes on (section 9.3).
//!
//! It must never let two answers be possible to "where does this message end?". Called by the
//! [`reader`](super::reader); the address parser also by [`upgrade`](super::upgrade).

use std::net::Ipv6Addr;

use bytes::Bytes;

use super::{Headers, Method, Reject, Request, Version, is_token};
use crate::limits::{BODY_BYTES_MAX, TARGET_BYTES_MAX};

/// The longest request line that can be good: the longest method, target and version, and CRLF.
pub(super) const LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + b"OPTIONS  HTTP/1.1\r\n".len();

/// The refusal of a request line longer than [`LINE_BYTES_MAX`], and of a target that is too long.
pub(super) const TOO_LONG: Reject = Reject::new(414, "the request target is too long");

/// The first line of a request.
#[derive(Debug)]
pub(super) struct RequestLine {
    method: Method,
    version: Version,
    /// From an absolute-form target only.
    authority: Option<String>,
    path: String,
    query: String,
}

/// Where the body ends.
#[derive(Debug)]
pub(super) enum Length {
    /// After a length in bytes; 0 without a body.
    Exactly(usize),
    /// After the chunk that says so.
    Chunked,
}

/// A valid head: a request that lacks only its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) request: Request,
    pub(super) length: Length,
    /// The client waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
}

impl RequestLine {
    /// The path as sent.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Parses a request line without its CRLF.
    pub(super) fn parse(line: &[u8]) -> Result<RequestLine, Reject> {
        const MALFORMED: Reject = Reject::bad("a malformed request line");
        let visible = line.iter().all(|byte| (b' '..=b'~').contains(byte));
        let line = str::from_utf8(line).ok().filter(|_| visible).ok_or(MALFORMED)?;
        // RFC 9112 section 3: one space between the parts; section 2.2 lets a server be lenient
        // about whitespace here, and section 11.2 tells what comes of it.
        let mut parts = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MALFORMED);
        };
        if !is_token(method) {
            return Err(MALFORMED);
        }
        // The version is checked before the method, so that the preface of HTTP/2 ("PRI *
        // HTTP/2.0") gets the right error.
        let version = parse_version(version)?;
        // RFC 9110 section 15.6.2: 501 is for a method that the server knows for no resource.
        let method = Method::from_token(method)
            .ok_or(Reject::new(501, "this server does not implement this method"))?;
        let (authority, path_and_query) = parse_target(method, target)?;
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        // RFC 9112 section 3.2.1: an empty path is sent as "/".
        let path = if path.is_empty() { "/" } else { path };
        Ok(RequestLine {
            method,
            version,
            authority: authority.map(str::to_owned),
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }
}

impl Head {
    /// Checks the headers of a request.
    pub(super) fn new(line: RequestLine, mut headers: Headers) -> Result<Head, Reject> {
        check_host(line.version, &headers)?;
        let length = body_length(line.method, line.version, &headers)?;
        let expects_continue = expectation(line.version, &headers)?;
        let has_body = !matches!(length, Length::Exactly(0));
        // RFC 9110 section 8.4: a content coding that is not acceptable is a 415.
        let identity = |coding: &str| coding.eq_ignore_ascii_case("identity");
        if has_body && !headers.list("content-encoding").all(identity) {
            return Err(Reject::new(415, "content encodings are not supported"));
        }
        if let Length::Exactly(bytes) = length
            && bytes > BODY_BYTES_MAX
        {
            return Err(super::body::TOO_LARGE);
        }
        let keep_alive = persists(line.version, &headers);
        // RFC 9112 section 3.2.2: the authority of an absolute-form target replaces Host.
        if let Some(authority) = &line.authority {
            headers.replace("host", authority);
        }
        let RequestLine { method, version, path, query, .. } = line;
        let body = Bytes::new();
        let secure = false;
        let request = Request { method, path, query, version, headers, body, secure, keep_alive };
        Ok(Head { request, length, expects_continue })
    }
}

/// Splits `host[:port]` (RFC 3986 sections 3.2.2 and 3.2.3) if it is well-formed. No user
/// information: RFC 9110 section 4.2.4 warns of it.
pub(super) fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon of "[::1]" belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    let port = match port {
        "" => None,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        _ => return None,
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    let valid = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
        // RFC 9110 section 4.2.1: an empty host is invalid.
        None => !host.is_empty() && host.bytes().all(legal),
    };
    valid.then_some((host, port))
}

/// RFC 9112 section 2.3: `HTTP/` in capitals, a digit, a dot, a digit.
fn parse_version(version: &str) -> Result<Version, Reject> {
    match version.as_bytes() {
        b"HTTP/1.0" => Ok(Version::Http10),
        // RFC 9110 section 2.5: a higher minor version is served as the highest we know.
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Ok(Version::Http11),
        // RFC 9110 section 15.6.6.
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(Reject::new(505, "this server speaks HTTP/1.1"))
        }
        _ => Err(Reject::bad("a malformed version")),
    }
}

/// The authority, if the target names one, and the path with its query.
fn parse_target(method: Method, target: &str) -> Result<(Option<&str>, &str), Reject> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(TOO_LONG);
    }
    // RFC 9112 section 3.2: a fragment is never sent.
    if target.contains('#') {
        return Err(Reject::bad("a fragment in the request target"));
    }
    // RFC 9112 section 3.2.1, origin-form.
    if target.starts_with('/') {
        return Ok((None, target));
    }
    // RFC 9112 section 3.2.4, asterisk-form: the server as a whole, for OPTIONS only.
    if target == "*" && method == Method::Options {
        return Ok((None, target));
    }
    // RFC 9112 section 3.2.2, absolute-form. What remains is authority-form, for CONNECT only.
    let absolute = target.split_once("://").filter(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    });
    let Some((_, rest)) = absolute else {
        return Err(Reject::bad("a request target that is not of this server"));
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if host_and_port(authority).is_none() {
        return Err(Reject::bad("a malformed authority in the request target"));
    }
    Ok((Some(authority), path))
}

/// RFC 9112 section 3.2: 400 for no Host in HTTP/1.1, for more than one, and for an invalid one.
fn check_host(version: Version, headers: &Headers) -> Result<(), Reject> {
    let mut hosts = headers.all("host");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host_and_port(host).is_some() => Ok(()),
        (None, None) if version == Version::Http10 => Ok(()),
        (None, None) => Err(Reject::bad("the Host header is missing")),
        (_, Some(_)) => Err(Reject::bad("more than one Host header")),
        (Some(_), None) => Err(Reject::bad("an invalid Host header")),
    }
}

/// RFC 9112 section 6.3: the rules for a request, strictest reading.
fn body_length(method: Method, version: Version, headers: &Headers) -> Result<Length, Reject> {
    let announced = content_length(headers)?;
    if headers.get("transfer-encoding").is_some() {
        // RFC 9112 section 6.1: both together is how requests are smuggled.
        if announced.is_some() {
            return Err(Reject::bad("both Content-Length and Transfer-Encoding"));
        }
        check_transfer_encoding(version, headers)?;
        return Ok(Length::Chunked);
    }
    match announced {
        Some(bytes) => Ok(Length::Exactly(bytes)),
        // RFC 9112 section 6.3, rule 7: neither means no body. In HTTP/1.0 the methods that carry
        // one needed a length (RFC 1945 section 7.2.2); the client may have meant "until I close".
        None if version == Version::Http10
            && matches!(method, Method::Post | Method::Put | Method::Patch) =>
        {
            Err(Reject::new(411, "a Content-Length is needed"))
        }
        None => Ok(Length::Exactly(0)),
    }
}

/// RFC 9110 section 8.6: digits; a repeated value only if it is the same.
fn content_length(headers: &Headers) -> Result<Option<usize>, Reject> {
    let mut values = headers.list("content-length");
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|value| value != first) {
        return Err(Reject::bad("Content-Lengths that differ"));
    }
    let digits = first.bytes().all(|byte| byte.is_ascii_digit());
    match first.parse() {
        Ok(bytes) if digits => Ok(Some(bytes)),
        _ => Err(Reject::bad("a malformed Content-Length")),
    }
}

/// RFC 9112 section 6.1: `chunked`, once, and no other coding.
fn check_transfer_encoding(version: Version, headers: &Headers) -> Result<(), Reject> {
    if version == Version::Http10 {
        return Err(Reject::bad("Transfer-Encoding in HTTP/1.0"));
    }
    let codings: Vec<&str> = headers.list("transfer-encoding").collect();
    let is_chunked = |coding: &&str| coding.eq_ignore_ascii_case("chunked");
    // RFC 9112 section 6.3, rule 4: without chunked at the end the length cannot be known.
    if !codings.last().is_some_and(is_chunked) {
        return Err(Reject::bad("a Transfer-Encoding that does not end in chunked"));
    }
    match codings.len() {
        1 => Ok(()),
        // RFC 9112 section 7: chunked is never applied twice.
        _ if codings.iter().filter(|coding| is_chunked(coding)).count() > 1 => {
            Err(Reject::bad("chunked twice"))
        }
        _ if codings.contains(&"") => Err(Reject::bad("an empty Transfer-Encoding")),
        // RFC 9112 section 6.1: a coding that is not understood is a 501.
        _ => Err(Reject::new(501, "the only supported Transfer-Encoding is chunked")),
    }
}

/// RFC 9110 section 10.1.1: whether the client waits for `100 Continue`. 417 for an expectation
/// that is not known; none at all in HTTP/1.0.
fn expectation(version: Version, headers: &Headers) -> Result<bool, Reject> {
    if version == Version::Http10 {
        return Ok(false);
    }
    if headers.list("expect").all(|expected| expected.eq_ignore_ascii_case("100-continue")) {
        return Ok(headers.get("expect").is_some());
    }
    Err(Reject::new(417, "this expectation cannot be met"))
}

/// RFC 9112 section 9.3: `close` ends the connection, HTTP/1.1 keeps it, HTTP/1.0 if asked to.
fn persists(version: Version, headers: &Headers) -> bool {
    let wish = |token| headers.list_contains("connection", token);
    !wish("close") && (version == Version::Http11 || wish("keep-alive"))
}
