//! The step from HTTP to a websocket (RFC 6455 section 4.2).
//!
//! It must never choose the subprotocol, nor read a frame. Called by the protocols for the requests
//! to their websocket paths.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

use super::{Method, Reject, Request, Response, Version, is_token};

/// A valid request for a websocket; the protocol may accept it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handshake {
    accept: String,
    /// The subprotocols that the client offers, as written, in its order of preference. A JSON web
    /// token is a valid subprotocol: base64url and dots are characters of a token.
    pub protocols: Vec<String>,
}

impl Handshake {
    /// The 101 response (RFC 6455 section 4.2.2). `subprotocol` is one of the offered ones: a
    /// browser that has offered some fails the connection unless the server names one (section
    /// 4.1).
    pub fn response(&self, subprotocol: Option<&str>) -> Response {
        let response = switch(Response::new(101)).header("Sec-WebSocket-Accept", &*self.accept);
        match subprotocol {
            Some(name) => response.header("Sec-WebSocket-Protocol", name),
            None => response,
        }
    }
}

/// Checks a request for a websocket (RFC 6455 section 4.2.1), or returns the refusal: 405 unless it
/// is a GET, 426 if it does not request a websocket of version 13, 400 for the rest.
pub fn websocket(request: &Request) -> Result<Handshake, Response> {
    if request.method != Method::Get {
        return Err(Response::method_not_allowed(&[Method::Get]));
    }
    // RFC 9110 section 7.8: an Upgrade in HTTP/1.0 is ignored. Section 15.5.22: a 426 names the
    // protocol to upgrade to.
    if request.version == Version::Http10 || !request.list_contains("upgrade", "websocket") {
        return Err(switch(Response::new(426))
            .text("this path is a websocket; connect with a websocket client\n"));
    }
    if !request.list_contains("connection", "upgrade") {
        return Err(Reject::bad("the header `Connection: Upgrade` is missing; add it").into());
    }
    // RFC 6455 section 4.4: the server states the versions that it speaks.
    if !request.header_all("sec-websocket-version").eq(["13"]) {
        let response = Response::new(426).header("Sec-WebSocket-Version", "13");
        return Err(switch(response).text("use websocket version 13\n"));
    }
    let mut keys = request.header_all("sec-websocket-key");
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(Reject::bad("send exactly one Sec-WebSocket-Key").into());
    };
    if !BASE64_STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
        return Err(Reject::bad("the Sec-WebSocket-Key is invalid; send 16 bytes in base64").into());
    }
    let offered = request.headers.list("sec-websocket-protocol");
    let protocols: Vec<String> = offered.filter(|name| !name.is_empty()).map(Into::into).collect();
    if !protocols.iter().all(|name| is_token(name)) {
        return Err(
            Reject::bad("the Sec-WebSocket-Protocol is malformed; send a list of tokens").into()
        );
    }
    Ok(Handshake { accept: accept(key), protocols })
}

/// The headers that name the new protocol.
fn switch(response: Response) -> Response {
    response.header("Upgrade", "websocket").header("Connection", "Upgrade")
}

/// RFC 6455 section 4.2.2, step 5.4: proves that the server has read the websocket's key.
fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(hash.finalize())
}
