//! Everything that is somebody's wire format. Takes a request, finds whose it is, and says what is
//! to become of it. Called by connections, one request at a time.
//!
//! To add a protocol, add its folder, its line in [`DIALECTS`] and its line in [`respond`]; to take
//! one away, delete them. Nothing below this floor knows of it.
//!
//! Every protocol routes in one style: a `match` of method and path, a route a line, and beside it
//! the methods of each path, for whoever comes with another.

mod bodies;
pub mod chitchat;
mod cookies;
mod lagging;
mod lists;
pub mod native;
mod origins;
pub mod passwords;
pub mod piratchat;
mod source;
#[cfg(test)]
pub(crate) mod tests;
pub mod web;

use std::net::IpAddr;
use std::ops::Deref;
use std::rc::Rc;

use crate::chat::{Caller, Door, Refusal, RoomId, RoomRef, SeatId, Source, call};
use crate::config::Config;
use crate::crypto::KeyHash;
use crate::dialect::{Dialect, Dialects};
use crate::http::{self, Method, Reject, Request, Response};
use crate::hub::{HubHandle, Seat};
use crate::protocol::chitchat::Tokens;
#[cfg(test)]
pub(crate) use crate::protocol::lagging::of_page;
pub use crate::protocol::lagging::{Missed, missed};
pub use crate::protocol::native::Script;
use crate::protocol::passwords::{Busy, Passwords, Place};
use crate::store::{Health, Readers};

/// The doors. A [`Door`] is an index into this.
pub const DIALECTS: Dialects = &[
    &piratchat::DIALECT,
    &chitchat::DIALECT,
    &native::DIALECT,
    &native::SSE,
    &native::LINES,
    &native::PLAIN,
];

/// Piratchat's `/ws`.
pub(crate) const PIRATCHAT: Door = Door(0);
/// ChitChat's `/chats/<room>/ws`.
pub(crate) const CHITCHAT: Door = Door(1);
/// The websocket form of `/api/v1/events`.
pub(crate) const NATIVE: Door = Door(2);
/// The same as server-sent events.
pub(crate) const NATIVE_SSE: Door = Door(3);
/// The same as lines of JSON.
pub(crate) const NATIVE_LINES: Door = Door(4);
/// `/r/<room>`.
pub(crate) const NATIVE_PLAIN: Door = Door(5);

/// What a path allows that one can only read.
const READ: &[Method] = &[Method::Get, Method::Head, Method::Options];
/// What a path allows that one can only post to.
const POST: &[Method] = &[Method::Post, Method::Options];
/// What a path allows that becomes a websocket.
const UPGRADE: &[Method] = &[Method::Get, Method::Options];

/// What all requests of one worker share.
pub struct Service {
    /// The way to the core.
    pub hub: HubHandle,
    /// What was set at the start.
    pub config: Config,
    /// Signs and checks room tokens.
    pub tokens: Tokens,
    /// Hashes and checks room passwords, off the event loop.
    pub passwords: Passwords,
    /// Reads old messages, off the event loop.
    pub readers: Readers,
    /// Whether what is said can be written down.
    pub health: Health,
    /// Names the log.
    pub epoch: String,
}

/// What one request needs to be answered: what all share, and a way to the core that says from
/// where it comes.
pub struct Context {
    /// The way to the core; it stands before that of the service, which is this machine's own.
    pub hub: HubHandle,
    /// From where the request comes.
    source: Source,
    /// The hash of the session key that the request shows in a cookie.
    session: Option<KeyHash>,
    service: Rc<Service>,
}

impl Deref for Context {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl Context {
    /// Where who asks for that room waits for a password's turn.
    fn place(&self, room: Option<RoomId>) -> Place {
        Place { source: self.source, room }
    }

    /// The hash of a password, where there is one, for that room or for one to be made.
    ///
    /// # Errors
    /// When too many are waiting.
    async fn hash_any(
        &self,
        room: Option<RoomId>,
        password: Option<String>,
    ) -> Result<Option<Box<str>>, Busy> {
        self.passwords.hash_any(self.place(room), password).await
    }

    /// The same for a room that is there, where it is not the password that the room has.
    ///
    /// # Errors
    /// When too many are waiting.
    async fn hash_new(
        &self,
        room: RoomId,
        password: Option<String>,
        before: Option<Box<str>>,
    ) -> Result<Option<Box<str>>, Busy> {
        self.passwords.hash_new(self.place(Some(room)), password, before).await
    }

    /// Whether a password opens a room, unless the caller has tried too many that did not. Its
    /// hash may be of no room at all.
    ///
    /// # Errors
    /// When there were too many tries, or too many passwords wait to be looked at.
    async fn unlock(
        &self,
        caller: Caller,
        room: RoomRef,
        password: &str,
        hash: Box<str>,
    ) -> Result<bool, Refusal> {
        self.hub.call(caller.clone(), call::Guess { room: room.clone() }).await?;
        let place = self.place(match &room {
            RoomRef::Id(room) => Some(*room),
            RoomRef::Title(_) => None,
        });
        let verified = self.passwords.verify(place, password.to_owned(), hash).await;
        if verified != Ok(false) {
            self.hub.call(caller, call::Guessed { room }).await?;
        }
        verified.map_err(|Busy| Refusal::Unavailable)
    }
}

impl Service {
    /// What is needed by whoever comes from there without a cookie.
    pub fn context(self: &Rc<Self>, source: Source) -> Context {
        let hub = self.hub.from_source(source);
        Context { hub, source, session: None, service: self.clone() }
    }
}

/// What becomes of a request.
pub enum Outcome {
    /// It is answered.
    Response(Response),
    /// It is answered with 101, and what follows on this connection is a websocket.
    Websocket {
        /// The 101.
        response: Response,
        /// The right to chat.
        seat: Seat,
        /// What is spoken.
        dialect: &'static dyn Dialect,
        /// A stream's: the frames that it sends besides those of its rooms.
        script: Option<Script>,
        /// Whether it is somebody's who is logged in.
        known: bool,
    },
    /// It is answered with a head whose body is a stream.
    Stream {
        /// The head.
        response: Response,
        /// The right to hear.
        seat: Seat,
        /// The frames that the stream sends.
        script: Script,
    },
}

/// Answers a request from that address. `seat` is a number never used before, for a seat that may
/// come of it. HEAD is answered as GET; whoever sends the response leaves out the content.
pub async fn respond(
    service: &Rc<Service>,
    from: IpAddr,
    seat: SeatId,
    request: &Request,
) -> Outcome {
    let readable =
        |response| origins::readable(&service.config.origins, request.header("origin"), response);
    match answer(service, from, seat, request).await {
        Outcome::Response(response) => Outcome::Response(readable(response)),
        Outcome::Stream { response, seat, script } => {
            Outcome::Stream { response: readable(response), seat, script }
        }
        // To a websocket a browser applies no such rule; it says who asks, and that is looked at.
        websocket @ Outcome::Websocket { .. } => websocket,
    }
}

/// The answer to what could not be read as a request, but had that path and `Origin`, as far as
/// they came. Whether the connection goes on after it, the caller knows.
pub fn unread(service: &Service, path: &str, origin: Option<&str>, reject: Reject) -> Response {
    origins::readable(&service.config.origins, origin, refused(path, reject))
}

/// Where a request comes from.
pub fn source(service: &Service, from: IpAddr, request: &Request) -> Source {
    source::of(from, &request.headers, &service.config.trusted_proxies)
}

/// Whether a peer of that address may speak for others: then only its requests say where they come
/// from.
pub fn is_proxy(service: &Service, from: IpAddr) -> bool {
    source::is_trusted(from.to_canonical(), &service.config.trusted_proxies)
}

async fn answer(service: &Rc<Service>, from: IpAddr, seat: SeatId, request: &Request) -> Outcome {
    let segments = match request.segments() {
        Ok(segments) => segments,
        Err(reject) => return Outcome::Response(refused(&request.path, reject)),
    };
    let path: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    if let Some(response) = origins::admit(service, request, &path) {
        return Outcome::Response(response);
    }
    // RFC 9110 section 9.3.7: an asterisk asks about the server as a whole.
    if request.path == "*" {
        return Outcome::Response(Response::options(&Method::ALL));
    }
    let source = source::of(from, &request.headers, &service.config.trusted_proxies);
    let mut context = service.context(source);
    context.session = cookies::shown(&context.hub, request, &context.epoch).await;
    route(&context, seat, request, &path).await
}

/// Finds whose a request is.
async fn route(context: &Context, seat: SeatId, request: &Request, path: &[&str]) -> Outcome {
    match *path {
        ["api", "v1", ..] | ["r", _] | ["healthz" | "readyz"] => {
            native::respond(context, seat, request, path).await
        }
        ["api", ..] | ["ws"] => piratchat::respond(context, seat, request, path).await,
        ["chats", ..] => chitchat::respond(context, seat, request, path).await,
        // Who opens the page is marked before it asks for anything.
        [] | [_] => {
            let page = web::respond(request, path);
            Outcome::Response(cookies::mark(page, request, &context.epoch))
        }
        _ => Outcome::Response(web::respond(request, path)),
    }
}

/// The answer to what could not be read as a request, in the words of the protocol that its path
/// belongs to; ours where that is not known, or is nobody's.
fn refused(path: &str, reject: Reject) -> Response {
    let mut segments = path.split('/').skip(1);
    match (segments.next(), segments.next()) {
        (Some("api"), Some("v1")) => native::refused(reject),
        (Some("api" | "ws"), _) => piratchat::refused(reject),
        (Some("chats"), _) => chitchat::refused(reject),
        _ => native::refused(reject),
    }
}

/// The method that routes are found by.
fn method(request: &Request) -> Method {
    // RFC 9110 section 9.3.2: HEAD is GET whose content is not sent.
    if request.method == Method::Head { Method::Get } else { request.method }
}

/// What becomes of a request that no route took. `allowed`: the methods of its path, none if there
/// is no such path.
fn unrouted(request: &Request, allowed: &[Method]) -> Response {
    match allowed {
        [] => Response::new(404),
        _ if request.method == Method::Options => Response::options(allowed),
        _ => Response::method_not_allowed(allowed),
    }
}

/// What to do about an error that comes from HTTP itself, for a person.
fn advice(status: u16) -> &'static str {
    match status {
        400 => "this request is malformed; correct it and try again",
        404 => "there is nothing at this path; check its spelling",
        405 => "this path takes other methods; they are listed in the Allow header",
        408 => "this request took too long to come; send all of it at once",
        411 => "this request does not say how long it is; send a Content-Length",
        413 | 414 | 431 => "this is more than the server takes; send less",
        415 => "the content is encoded in a way that is not understood here; send it as it is",
        421 => "this server is not called that; ask it by its name",
        417 => "what is expected here cannot be promised; leave the Expect header out",
        426 => "this path is a websocket; connect with a websocket client, version 13",
        429 => "this was too much in a short time; wait a little, then go on",
        _ => "this request cannot be answered; check it and try again",
    }
}

/// The answer to a request gives its client another cookie: the guest whose cookie it has shown is
/// nobody's from now on, and ends, so that the name is free. (Where that cannot be proposed now, it
/// ends when the session does.)
async fn give_up(context: &Context, request: &Request) {
    if let Some(key) = session(context, request) {
        let _ = context.service.hub.call(Caller::Perhaps(key), call::GiveUp).await;
    }
}

/// The hash of the session key that a request shows. None if it shows none, and none to a page of a
/// foreign origin: it may not act as its visitor (the cookie's SameSite does not cover neighbours
/// on the same host).
fn session(context: &Context, request: &Request) -> Option<KeyHash> {
    context.session.filter(|_| http::same_origin(request, &context.config.origins))
}
