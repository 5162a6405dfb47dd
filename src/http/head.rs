//! Checks a request's head: the request line (RFC 9112 section 3), where the body ends (section 6),
//! and whether the connection persists (section 9.3).
//!
//! It must never accept a head that leaves two possible ends of the message. Called by the
//! [`reader`](super::reader); the address parser also by [`upgrade`](super::upgrade).

use std::net::Ipv6Addr;

use bytes::Bytes;

use super::{Headers, Method, Reject, Request, Version, is_token};
use crate::limits::{BODY_BYTES_MAX, TARGET_BYTES_MAX};

/// The longest valid request line: the longest method, target and version, and CRLF.
pub(super) const LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + b"OPTIONS  HTTP/1.1\r\n".len();

/// The refusal of a request line longer than [`LINE_BYTES_MAX`], and of a too long target.
pub(super) const TOO_LONG: Reject = Reject::new(414, "the request target is too long; shorten it");

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
    /// After this many bytes; 0 without a body.
    Exactly(usize),
    /// After the last chunk.
    Chunked,
}

/// A valid head: a request without its body.
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
        const MALFORMED: Reject =
            Reject::bad("the request line is malformed; send method, target and version");
        let visible = line.iter().all(|byte| (b' '..=b'~').contains(byte));
        let line = str::from_utf8(line).ok().filter(|_| visible).ok_or(MALFORMED)?;
        // RFC 9112 section 3: one space between the parts. Section 2.2 lets a server accept other
        // whitespace here, but section 11.2 warns of request smuggling.
        let mut parts = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MALFORMED);
        };
        if !is_token(method) {
            return Err(MALFORMED);
        }
        // Check the version before the method, so that the preface of HTTP/2 ("PRI * HTTP/2.0")
        // gets the right error.
        let version = parse_version(version)?;
        // RFC 9110 section 15.6.2: 501 is for a method that no resource of the server supports.
        let method = Method::from_token(method).ok_or(Reject::new(
            501,
            "this server does not implement this method; use another one",
        ))?;
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
        // RFC 9110 section 8.4: an unsupported content coding is a 415.
        let identity = |coding: &str| coding.eq_ignore_ascii_case("identity");
        if has_body && !headers.list("content-encoding").all(identity) {
            return Err(Reject::new(
                415,
                "this content encoding is not supported; send the body without one",
            ));
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
        // RFC 9110 section 4.2.1: a host must not be empty.
        None => !host.is_empty() && host.bytes().all(legal),
    };
    valid.then_some((host, port))
}

/// RFC 9112 section 2.3: `HTTP/` in capitals, a digit, a dot, a digit.
fn parse_version(version: &str) -> Result<Version, Reject> {
    match version.as_bytes() {
        b"HTTP/1.0" => Ok(Version::Http10),
        // RFC 9110 section 2.5: a higher minor version is answered as the highest that we know.
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Ok(Version::Http11),
        // RFC 9110 section 15.6.6.
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(Reject::new(505, "this server does not speak this version; use HTTP/1.1"))
        }
        _ => Err(Reject::bad("the version is malformed; send HTTP/1.1")),
    }
}

/// The authority, if the target names one, and the path with its query.
fn parse_target(method: Method, target: &str) -> Result<(Option<&str>, &str), Reject> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(TOO_LONG);
    }
    // RFC 9112 section 3.2: a request target has no fragment.
    if target.contains('#') {
        return Err(Reject::bad("the request target has a fragment; remove it"));
    }
    // RFC 9112 section 3.2.1, origin-form.
    if target.starts_with('/') {
        return Ok((None, target));
    }
    // RFC 9112 section 3.2.4, asterisk-form: the server as a whole, for OPTIONS only.
    if target == "*" && method == Method::Options {
        return Ok((None, target));
    }
    // RFC 9112 section 3.2.2, absolute-form. The only other form, authority-form, is for CONNECT.
    let absolute = target.split_once("://").filter(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    });
    let Some((_, rest)) = absolute else {
        return Err(Reject::bad("the request target is on another server; send a path"));
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if host_and_port(authority).is_none() {
        return Err(Reject::bad("the authority in the request target is malformed; correct it"));
    }
    Ok((Some(authority), path))
}

/// RFC 9112 section 3.2: 400 for no Host in HTTP/1.1, for more than one, and for an invalid one.
fn check_host(version: Version, headers: &Headers) -> Result<(), Reject> {
    let mut hosts = headers.all("host");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host_and_port(host).is_some() => Ok(()),
        (None, None) if version == Version::Http10 => Ok(()),
        (None, None) => Err(Reject::bad("the Host header is missing; add it")),
        (_, Some(_)) => Err(Reject::bad("there are several Host headers; send one")),
        (Some(_), None) => Err(Reject::bad("the Host header is invalid; send a host name")),
    }
}

/// RFC 9112 section 6.3: the rules for a request, in the strictest reading.
fn body_length(method: Method, version: Version, headers: &Headers) -> Result<Length, Reject> {
    let announced = content_length(headers)?;
    if headers.get("transfer-encoding").is_some() {
        // RFC 9112 section 6.1: both headers together are used for request smuggling.
        if announced.is_some() {
            return Err(Reject::bad("send either Content-Length or Transfer-Encoding, not both"));
        }
        check_transfer_encoding(version, headers)?;
        return Ok(Length::Chunked);
    }
    match announced {
        Some(bytes) => Ok(Length::Exactly(bytes)),
        // RFC 9112 section 6.3, rule 7: without both headers there is no body. In HTTP/1.0 the
        // methods with a body required a length (RFC 1945 section 7.2.2); a client without one may
        // have meant "until the connection closes".
        None if version == Version::Http10
            && matches!(method, Method::Post | Method::Put | Method::Patch) =>
        {
            Err(Reject::new(411, "the length of the body is missing; send a Content-Length"))
        }
        None => Ok(Length::Exactly(0)),
    }
}

/// RFC 9110 section 8.6: digits; a repeated header must repeat the value.
fn content_length(headers: &Headers) -> Result<Option<usize>, Reject> {
    let mut values = headers.list("content-length");
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|value| value != first) {
        return Err(Reject::bad("the Content-Length headers differ; send one"));
    }
    let digits = first.bytes().all(|byte| byte.is_ascii_digit());
    match first.parse() {
        Ok(bytes) if digits => Ok(Some(bytes)),
        _ => Err(Reject::bad("the Content-Length is malformed; send digits")),
    }
}

/// RFC 9112 section 6.1: `chunked`, once, and no other coding.
fn check_transfer_encoding(version: Version, headers: &Headers) -> Result<(), Reject> {
    if version == Version::Http10 {
        return Err(Reject::bad("HTTP/1.0 has no Transfer-Encoding; send a Content-Length"));
    }
    let codings: Vec<&str> = headers.list("transfer-encoding").collect();
    let is_chunked = |coding: &&str| coding.eq_ignore_ascii_case("chunked");
    // RFC 9112 section 6.3, rule 4: unless `chunked` is the last coding, the length is unknown.
    if !codings.last().is_some_and(is_chunked) {
        return Err(Reject::bad("chunked is not the last Transfer-Encoding; send it last"));
    }
    match codings.len() {
        1 => Ok(()),
        // RFC 9112 section 7: `chunked` must not be applied twice.
        _ if codings.iter().filter(|coding| is_chunked(coding)).count() > 1 => {
            Err(Reject::bad("the Transfer-Encoding has chunked twice; send it once"))
        }
        _ if codings.contains(&"") => {
            Err(Reject::bad("a Transfer-Encoding is empty; send chunked"))
        }
        // RFC 9112 section 6.1: an unknown coding is a 501.
        _ => Err(Reject::new(501, "this Transfer-Encoding is not supported; send chunked")),
    }
}

/// RFC 9110 section 10.1.1: whether the client waits for `100 Continue`. An unknown expectation is
/// a 417; HTTP/1.0 has no expectations.
fn expectation(version: Version, headers: &Headers) -> Result<bool, Reject> {
    if version == Version::Http10 {
        return Ok(false);
    }
    if headers.list("expect").all(|expected| expected.eq_ignore_ascii_case("100-continue")) {
        return Ok(headers.get("expect").is_some());
    }
    Err(Reject::new(417, "this expectation is not supported; remove the Expect header"))
}

/// RFC 9112 section 9.3: `close` ends the connection; otherwise HTTP/1.1 keeps it alive, HTTP/1.0
/// only on request.
fn persists(version: Version, headers: &Headers) -> bool {
    let wish = |token| headers.list_contains("connection", token);
    !wish("close") && (version == Version::Http11 || wish("keep-alive"))
}
