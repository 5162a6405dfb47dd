//! The request side of one connection: takes bytes in any pieces, and returns whole requests.
//!
//! It must never continue after a refusal, nor hold memory between requests. `connection/http.rs`
//! calls it: that owns the socket, does what [`Next`] says, and enforces the deadline of each
//! [`Phase`].

use bytes::{Bytes, BytesMut};

use super::body::Body;
use super::head::{Head, LINE_BYTES_MAX, RequestLine, TOO_LONG};
use super::lines::{BlockScan, LineScan};
use super::{Headers, Reject, Request};
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};

const _: () = assert!(LINE_BYTES_MAX < HEAD_BYTES_MAX, "a request line is part of a head");

/// Turns a peer's bytes into requests.
///
/// [`feed`](Reader::feed) it only when [`next`](Reader::next) has returned [`Next::More`]: then the
/// buffer holds at most one head or one body (`HEAD_BYTES_MAX`, `BODY_BYTES_MAX`) and one read. It
/// returns several requests in the buffer (pipelining) one at a time.
#[derive(Default)]
pub struct Reader {
    buffer: BytesMut,
    state: State,
    path: String,
    /// The path of the refused request.
    origin: Option<String>,
}

/// The caller's next action.
#[derive(Debug)]
pub enum Next {
    /// Read from the socket, and feed the bytes.
    More,
    /// Send [`CONTINUE`](super::CONTINUE), then call `next` again. At most once for a request, and
    /// never when a part of the body has arrived (RFC 9110 section 10.1.1).
    Continue,
    /// Answer this request. Call `next` again after the answer, and only if the connection is kept
    /// alive.
    Request(Request),
}

/// The phase, which decides the deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Before a request: `IDLE_DEADLINE_MS`; the peer may close the connection.
    Idle,
    /// In a head: `HEAD_DEADLINE_MS`.
    Head,
    /// In a body: `BODY_DEADLINE_MS`.
    Body,
}

enum State {
    /// In the request line, or in `empty` lines before it.
    Line { scan: LineScan, empty: usize },
    /// In the header lines, for which this many bytes are left.
    Fields { line: RequestLine, scan: BlockScan, bytes_max: usize },
    /// In the body.
    Body { request: Request, body: Body, expects_continue: bool },
    /// At the end.
    Refused(Reject),
}

impl Reader {
    /// A reader before its first byte; holds nothing on the heap.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes all bytes that were read from the socket.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next request, or the action that leads to it. After a refusal it always returns that
    /// refusal.
    #[allow(clippy::should_implement_trait, reason = "there is no end, and there are errors")]
    pub fn next(&mut self) -> Result<Next, Reject> {
        let next = self.advance();
        if let Err(reject) = next {
            self.state = State::Refused(reject);
            self.buffer.clear();
        }
        if self.buffer.is_empty() {
            // Release the memory: most connections are idle most of the time.
            self.buffer = BytesMut::new();
        }
        next
    }

    /// The phase, which decides the deadline.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Line { .. } if self.buffer.is_empty() => Phase::Idle,
            State::Line { .. } | State::Fields { .. } | State::Refused(_) => Phase::Head,
            State::Body { .. } => Phase::Body,
        }
    }

    /// The path, as sent, of the current or the refused request: its protocol decides the format of
    /// the refusal. Empty if none has been read.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The `Origin` of the current or the refused request, as far as it has arrived: a browser
    /// hides every response from a page, even a refusal, unless it allows the page's origin.
    pub fn origin(&self) -> Option<String> {
        match &self.state {
            State::Line { .. } => None,
            State::Fields { .. } => origin_in(&self.buffer),
            State::Body { request, .. } => request.header("origin").map(str::to_owned),
            State::Refused(_) => self.origin.clone(),
        }
    }

    /// The input after the last request: after an upgrade, the first bytes of the new protocol.
    pub fn leftover(self) -> Bytes {
        self.buffer.freeze()
    }

    /// The bytes held on the heap for an incomplete request.
    pub fn held(&self) -> usize {
        let body = match &self.state {
            State::Body { body, .. } => body.held(),
            _ => 0,
        };
        self.buffer.capacity() + body
    }

    fn advance(&mut self) -> Result<Next, Reject> {
        loop {
            match std::mem::take(&mut self.state) {
                State::Line { mut scan, empty } => {
                    let Some(end) = scan.end(&self.buffer, LINE_BYTES_MAX, TOO_LONG)? else {
                        self.state = State::Line { scan, empty };
                        return Ok(Next::More);
                    };
                    let line = self.buffer.split_to(end);
                    self.state = after_line(&line[..end - b"\r\n".len()], empty)?;
                    if let State::Fields { line, .. } = &self.state {
                        line.path().clone_into(&mut self.path);
                    }
                }
                State::Fields { line, mut scan, bytes_max } => {
                    let end = scan.end(&self.buffer, bytes_max);
                    let Some(end) = end.inspect_err(|_| self.origin = origin_in(&self.buffer))?
                    else {
                        self.state = State::Fields { line, scan, bytes_max };
                        return Ok(Next::More);
                    };
                    let block = self.buffer.split_to(end);
                    let head = Headers::parse(&block).and_then(|headers| Head::new(line, headers));
                    let Head { request, length, expects_continue } =
                        head.inspect_err(|_| self.origin = origin_in(&block))?;
                    let body = Body::new(length);
                    self.state = State::Body { request, body, expects_continue };
                }
                State::Body { request, mut body, expects_continue } => {
                    // RFC 9110 section 10.1.1: no 100 once a part of the content has arrived.
                    let ask = expects_continue && self.buffer.is_empty();
                    let taken = body.take(&mut self.buffer).inspect_err(|_| {
                        self.origin = request.header("origin").map(str::to_owned);
                    });
                    if let Some(body) = taken? {
                        self.path = String::new();
                        return Ok(Next::Request(Request { body, ..request }));
                    }
                    self.state = State::Body { request, body, expects_continue: false };
                    return Ok(if ask { Next::Continue } else { Next::More });
                }
                State::Refused(reject) => return Err(reject),
            }
        }
    }
}

impl Default for State {
    fn default() -> State {
        State::Line { scan: LineScan::default(), empty: 0 }
    }
}

/// The value of the first `Origin` line in a block that may be incomplete or malformed.
fn origin_in(block: &[u8]) -> Option<String> {
    let mut lines = block.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let whole = line.ends_with('\r') && name.eq_ignore_ascii_case("origin");
        whole.then(|| value.trim_ascii().to_owned())
    })
}

/// The state after the first line, which is given without its CRLF and follows `empty` empty lines.
fn after_line(line: &[u8], empty: usize) -> Result<State, Reject> {
    if !line.is_empty() {
        let bytes_max = HEAD_BYTES_MAX - line.len() - b"\r\n".len();
        let line = RequestLine::parse(line)?;
        return Ok(State::Fields { line, scan: BlockScan::default(), bytes_max });
    }
    // RFC 9112 section 2.2: a few empty lines before a request are skipped, because some clients
    // send an uncounted line end after a body.
    if empty == HEADERS_MAX {
        return Err(Reject::bad("too many empty lines precede the request; send none"));
    }
    Ok(State::Line { scan: LineScan::default(), empty: empty + 1 })
}
