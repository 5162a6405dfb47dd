//! HTTP/1.1 (RFC 9110, RFC 9112) and the websocket handshake (RFC 6455 section 4), without sockets.
//!
//! Bytes go in, values come out, and the other way round: a [`Reader`] turns what a peer sends into
//! [`Request`]s, a [`Response`] turns itself into bytes. Nothing here reads, writes, waits or asks
//! the clock, so every rule can be tested with a string, cut anywhere. `connection.rs` owns the
//! socket and the deadlines and calls this; the protocols look into requests and build responses.
//!
//! It must never guess. Where two readers of the same bytes could disagree about where a message
//! ends, one of them can be made to see a request that the other does not (RFC 9112 section 11.2);
//! so what is not plainly well-formed is refused, and after a refusal the connection closes.
//!
//! Reading order: [`reader`](Reader) drives it all, `lines` finds line ends, `head` judges the
//! request line and the framing, `body` takes the body, `headers` and `request` answer questions;
//! then `response`, `origin` for whose page asks, and `upgrade` for the step to websockets.

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

/// The methods that some resource may have (RFC 9110 section 9.3). Any other is a 501.
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

    /// The method as it stands in a request line and in `Allow`.
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

/// The version that the peer speaks. HTTP/1.2 and later minors count as 1.1, the highest that we
/// speak (RFC 9110 section 2.5); another major is a 505.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// No persistent connections unless asked for, no chunked bodies, no `100 Continue`.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Why a request is refused, and the status for it. The connection closes after it: the end of a
/// refused message is unknown, or not worth reading up to.
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

    /// A refusal of what is malformed: 400.
    const fn bad(why: &'static str) -> Reject {
        Reject::new(400, why)
    }
}

/// `token` of RFC 9110 section 5.6.2: what names of methods, headers and subprotocols are made of.
fn is_token(text: &str) -> bool {
    let special = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || special(byte))
}
