//! HTTP/1.1 (RFC 9110, RFC 9112) and the websocket handshake (RFC 6455 section 4), without sockets.
//!
//! A [`Reader`] turns a peer's bytes into [`Request`]s, a [`Response`] turns itself into bytes.
//! Nothing here reads, writes, waits or asks the clock, so every rule can be tested with a string,
//! cut anywhere. `connection/` owns the socket and the deadlines and calls this; the protocols read
//! requests and build responses.
//!
//! It must never guess. If two readers of the same bytes can disagree about the end of a message,
//! an attacker can make one of them see a request that the other does not see (RFC 9112 section
//! 11.2). So a request that is not well-formed is refused, and then the connection closes.
//!
//! Reading order: [`reader`](Reader) calls the others; `lines` finds line ends, `head` checks the
//! request line and the framing, `body` takes the body; `headers` and `request` are accessors; then
//! `response`, `origin` (the page that sends a request), and `upgrade` (the websocket handshake).

mod body;
mod head;
mod headers;
mod lines;
mod origin;
mod reader;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod upgrade;

use std::fmt;

pub use headers::Headers;
pub use origin::{Page, is_called, page, same_origin};
pub use reader::{Next, Phase, Reader};
pub use request::Request;
pub use response::{CONTINUE, Framing, Piece, Pieces, Response, Rest};
pub use upgrade::{Handshake, websocket};

/// The supported methods (RFC 9110 section 9.3). Any other is a 501.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each is its own name")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 7] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Options,
    ];

    /// The method as written in a request line and in `Allow`.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }

    /// RFC 9110 section 9.1: the method is case-sensitive.
    fn from_token(token: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.as_str() == token)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The peer's HTTP version. HTTP/1.2 and later minor versions count as 1.1, the highest that we
/// speak (RFC 9110 section 2.5); another major version is a 505.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// No persistent connections unless asked for, no chunked bodies, no `100 Continue`.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A refused request: the status and the reason. Then the connection closes, because the end of a
/// refused message is unknown or far away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reject {
    /// A 4xx or 5xx status code.
    pub status: u16,
    /// For a person; it never repeats what the client sent.
    pub why: &'static str,
}

impl Reject {
    /// A refusal with any status.
    pub const fn new(status: u16, why: &'static str) -> Reject {
        Reject { status, why }
    }

    /// The refusal of a malformed request: 400.
    const fn bad(why: &'static str) -> Reject {
        Reject::new(400, why)
    }
}

/// Whether a text is a `token` (RFC 9110 section 5.6.2), as are the names of methods, headers and
/// subprotocols.
fn is_token(text: &str) -> bool {
    let special = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || special(byte))
}
