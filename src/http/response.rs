//! A response and its encoding (RFC 9112 sections 4 and 6).
//!
//! It must never let a value begin a new header line, nor send a wrong content length. Built by the
//! protocols, encoded by `connection/answer.rs`.

use bytes::Bytes;
use std::fmt;
use std::pin::Pin;

use super::{Method, Reject, Request, Version, is_token};
use crate::time::Time;

/// The interim response for [`Next::Continue`](super::Next::Continue) (RFC 9110 section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

const JSON: &str = "application/json";

/// A response: status, headers, content. The default content is empty.
#[derive(Debug)]
pub struct Response {
    /// The status code, 101 or 200 to 599.
    pub status: u16,
    headers: Vec<(&'static str, String)>,
    kind: Option<&'static str>,
    body: Bytes,
    rest: Option<Rest>,
    close: bool,
}

/// The rest of a long body, made piece by piece while the client reads, so that a slow client costs
/// the memory of one piece. A protocol makes the pieces; the connection takes the next piece when
/// the kernel has taken the one before.
pub trait Pieces: Send {
    /// Makes the next piece; a few KiB. Not called again after [`Piece::Last`] or
    /// [`Piece::Failed`].
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Piece> + '_>>;
}

/// The next piece of a body.
#[derive(PartialEq, Eq, Debug)]
pub enum Piece {
    /// More pieces follow.
    More(Bytes),
    /// The last piece.
    Last(Bytes),
    /// The piece cannot be made. The head has been sent, so the connection ends before the body is
    /// complete, and the client notices that (RFC 9112 section 8).
    Failed,
}

/// The [`Pieces`] that are not made yet.
pub struct Rest(Box<dyn Pieces>);

impl Rest {
    /// The next piece.
    pub async fn next(&mut self) -> Piece {
        self.0.next().await
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

/// How to send the response, by the request and the state of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framing {
    /// The peer's HTTP version.
    pub version: Version,
    /// Whether the request is a HEAD: then the content is not sent (RFC 9110 section 9.3.2).
    pub head_only: bool,
    /// Whether the connection is kept alive after the response.
    pub keep_alive: bool,
    /// For the `Date` header.
    pub now: Time,
}

impl Framing {
    /// The framing by the request alone. A stopping server clears `keep_alive`.
    pub fn of(request: &Request, now: Time) -> Framing {
        let Request { method, version, keep_alive, .. } = *request;
        Framing { version, head_only: method == Method::Head, keep_alive, now }
    }

    /// The framing of the response to an unreadable request, which ends the connection.
    pub fn refused(now: Time) -> Framing {
        Framing { version: Version::Http11, head_only: false, keep_alive: false, now }
    }

    /// Appends the bytes before a piece of a body of unknown length (RFC 9112 section 7.1): the end
    /// of the previous chunk, if there is one, and this chunk's size. Appends nothing for an empty
    /// piece, as a chunk of size 0 ends the body, and in HTTP/1.0, which has no chunks: its bodies
    /// end with the connection.
    pub fn before_piece(&self, first: bool, length: usize, out: &mut Vec<u8>) {
        if length > 0 && self.version == Version::Http11 {
            let end = if first { "" } else { "\r\n" };
            out.extend_from_slice(format!("{end}{length:x}\r\n").as_bytes());
        }
    }

    /// The bytes after the last piece; there was at least one piece.
    pub fn after_pieces(&self) -> &'static [u8] {
        if self.version == Version::Http11 { b"\r\n0\r\n\r\n" } else { b"" }
    }
}

impl Response {
    /// A response without content.
    pub fn new(status: u16) -> Response {
        let (headers, kind, body) = (Vec::new(), None, Bytes::new());
        Response { status, headers, kind, body, rest: None, close: false }
    }

    /// A 405, with the methods that the resource allows (RFC 9110 section 15.5.6).
    pub fn method_not_allowed(allowed: &[Method]) -> Response {
        Response::new(405).text("method not allowed\n").allow(allowed)
    }

    /// The answer to OPTIONS (RFC 9110 section 9.3.7): a 204 with the methods of the resource.
    pub fn options(allowed: &[Method]) -> Response {
        Response::new(204).allow(allowed)
    }

    /// Content of type JSON. Nobody may cache it, unless a `Cache-Control` is set.
    pub fn json(self, body: impl Into<Bytes>) -> Response {
        self.content(JSON, body)
    }

    /// Content of type plain text, in UTF-8.
    pub fn text(self, body: impl Into<Bytes>) -> Response {
        self.content("text/plain; charset=utf-8", body)
    }

    /// Content of type HTML, in UTF-8.
    pub fn html(self, body: impl Into<Bytes>) -> Response {
        self.content("text/html; charset=utf-8", body)
    }

    /// Content of any type.
    pub fn content(mut self, kind: &'static str, body: impl Into<Bytes>) -> Response {
        self.kind = Some(kind);
        (self.body, self.rest) = (body.into(), None);
        self
    }

    /// Content of type JSON: `body`, which is not empty, then `rest`.
    pub fn json_and_rest(self, body: impl Into<Bytes>, rest: impl Pieces + 'static) -> Response {
        Response { rest: Some(Rest(Box::new(rest))), ..self.json(body) }
    }

    /// The content; of content in pieces, the first piece.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Takes the pieces after [`body`](Response::body), if there are any.
    pub fn take_rest(&mut self) -> Option<Rest> {
        self.rest.take()
    }

    /// Adds a header line, even if one of that name exists. A character that could end the line or
    /// do harm in it (RFC 9110 section 5.5: CR, LF, NUL; here every control character except the
    /// tab) becomes a space.
    ///
    /// # Panics
    /// If the name is not a token, or is one that `encode` writes itself. Names are never made from
    /// input, so this is a mistake of the program.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        const OURS: [&str; 4] = ["content-length", "content-type", "date", "transfer-encoding"];
        assert!(is_token(name), "{name:?} is not the name of a header");
        assert!(!OURS.iter().any(|our| name.eq_ignore_ascii_case(our)), "{name} is set by encode");
        let harmful = |char: char| char.is_control() && char != '\t';
        let mut value = value.into();
        if value.contains(harmful) {
            value = value.replace(harmful, " ");
        }
        self.headers.push((name, value));
        self
    }

    /// Changes the values of a header that was added.
    pub fn rewrite(&mut self, name: &str, change: impl Fn(String) -> String) {
        let all = self.headers.iter_mut().filter(|(known, _)| *known == name);
        all.for_each(|(_, value)| *value = change(std::mem::take(value)));
    }

    /// Ends the connection after this response.
    pub fn close(mut self) -> Response {
        self.close = true;
        self
    }

    /// Appends the head of a response whose whole content is [`body`](Response::body). `true`: the
    /// connection is kept alive after the response.
    #[must_use = "it says whether to close"]
    pub fn encode_head(&self, out: &mut Vec<u8>, how: &Framing) -> bool {
        let keep_alive = how.keep_alive && !self.close;
        self.encode_status_and_headers(out, how.now);
        // RFC 9110 section 8.6: a 1xx or a 204 must not have a Content-Length, and a 304 needs
        // none. A response to HEAD has the one of GET.
        if !self.is_bodiless() {
            line(out, "Content-Length", &self.body.len().to_string());
        }
        // A 101 brings its own Connection line.
        if self.status >= 200 {
            connection(out, how.version, keep_alive);
        }
        out.extend_from_slice(b"\r\n");
        keep_alive
    }

    /// The content to send after that head; empty if the status or the request allows none.
    pub fn content_for(&self, how: &Framing) -> &[u8] {
        if self.is_bodiless() || how.head_only { &[] } else { &self.body }
    }

    fn is_bodiless(&self) -> bool {
        matches!(self.status, 100..=199 | 204 | 304)
    }

    /// Appends the whole response, with a copy of its content: for short responses and for tests.
    ///
    /// # Panics
    /// When its content has a [rest](Response::take_rest).
    #[must_use = "it says whether to close"]
    pub fn encode(&self, out: &mut Vec<u8>, how: &Framing) -> bool {
        assert!(self.rest.is_none(), "a content that comes in pieces cannot be encoded as one");
        let keep_alive = self.encode_head(out, how);
        out.extend_from_slice(self.content_for(how));
        keep_alive
    }

    /// The response with all its pieces as one content, for tests.
    #[cfg(test)]
    pub async fn gathered(mut self) -> Response {
        let Some(mut rest) = self.rest.take() else { return self };
        let mut body = self.body.to_vec();
        loop {
            match rest.next().await {
                Piece::More(bytes) => body.extend_from_slice(&bytes),
                Piece::Last(bytes) => {
                    body.extend_from_slice(&bytes);
                    return Response { body: body.into(), ..self };
                }
                Piece::Failed => panic!("a piece cannot be made"),
            }
        }
    }

    /// Appends the head of a response whose content comes piece by piece, each behind the bytes of
    /// [`Framing::before_piece`]. `true`: the connection is kept alive after the response; in
    /// HTTP/1.0 such a body ends with the connection (RFC 9112 section 6.3, rule 8).
    #[must_use = "it says whether to close"]
    pub fn encode_head_streaming(&self, out: &mut Vec<u8>, how: &Framing) -> bool {
        self.encode_status_and_headers(out, how.now);
        let chunked = how.version == Version::Http11;
        if chunked {
            line(out, "Transfer-Encoding", "chunked");
        }
        let keep_alive = chunked && how.keep_alive && !self.close;
        connection(out, how.version, keep_alive);
        out.extend_from_slice(b"\r\n");
        keep_alive
    }

    fn allow(self, allowed: &[Method]) -> Response {
        let names: Vec<&str> = allowed.iter().map(|method| method.as_str()).collect();
        self.header("Allow", names.join(", "))
    }

    fn encode_status_and_headers(&self, out: &mut Vec<u8>, now: Time) {
        // RFC 9110 section 2.5: our highest version, also in a response to HTTP/1.0.
        let status = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        out.extend_from_slice(status.as_bytes());
        // RFC 9110 section 6.6.1: a server with a clock sends a Date; in a 1xx it is optional.
        line(out, "Date", &now.http_date());
        if let Some(kind) = self.kind {
            line(out, "Content-Type", kind);
            self.default_line(out, "X-Content-Type-Options", "nosniff");
        }
        if self.kind == Some(JSON) {
            self.default_line(out, "Cache-Control", "no-store");
        }
        for (name, value) in &self.headers {
            line(out, name, value);
        }
    }

    /// Appends a header line, unless the response has one of that name.
    fn default_line(&self, out: &mut Vec<u8>, name: &str, value: &str) {
        if !self.headers.iter().any(|(set, _)| set.eq_ignore_ascii_case(name)) {
            line(out, name, value);
        }
    }
}

/// The reason in plain text, and the connection closes.
impl From<Reject> for Response {
    fn from(reject: Reject) -> Response {
        Response::new(reject.status).text(format!("{}\n", reject.why)).close()
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// RFC 9112 sections 9.3 and 9.6: the header states only what is not the version's default.
fn connection(out: &mut Vec<u8>, version: Version, keep_alive: bool) {
    match (keep_alive, version) {
        (false, _) => line(out, "Connection", "close"),
        (true, Version::Http10) => line(out, "Connection", "keep-alive"),
        (true, Version::Http11) => {}
    }
}

/// The reason phrase (RFC 9110 section 15). It is for people only, so it may be empty.
fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}
