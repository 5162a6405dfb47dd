//! Everything that is somebody's wire format. Takes a request, finds whose it is, and says what is
//! to become of it. Called by connections, one request at a time.
//!
//! To add a protocol, add its folder, with a [`Protocol`] that says all that the others know of it,
//! and its line in [`PROTOCOLS`] (and its `mod` line, and a feature of that name in `Cargo.toml`);
//! to take one away, delete them. Nothing else knows of it, as a test shows that builds without
//! each. The page in the browser speaks the native protocol: without that it is served, and of no
//! use.
//!
//! Every protocol routes in one style: a `match` of method and path, a route a line, and beside it
//! the methods of each path, for whoever comes with another.

#[cfg(feature = "chitchat")]
mod chitchat;
mod closing;
mod cookies;
mod json_body;
mod lagging;
mod lists;
#[cfg(feature = "native")]
mod native;
mod origins;
pub mod passwords;
#[cfg(feature = "piratchat")]
mod piratchat;
mod source;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
pub mod web;

use std::net::IpAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;

use crate::chat::{Caller, ProtocolId, Refusal, RoomId, RoomRef, Source, SubscriptionId, call};
use crate::codec::{Codec, Codecs};
use crate::config::Config;
use crate::crypto::{self, KeyHash};
use crate::http::{self, Method, Reject, Request, Response};
use crate::hub::{HubHandle, SubscriptionGuard};
#[cfg(test)]
pub(crate) use crate::protocol::lagging::of_page;
pub use crate::protocol::lagging::{Missed, missed};
#[cfg(all(test, feature = "native"))]
pub(crate) use crate::protocol::native::{Excerpt, LINES, Lines};
use crate::protocol::passwords::{Busy, Passwords, Place};
pub use crate::protocol::stream::{PageRead, StreamPage, StreamScript};
use crate::store::{Health, Readers};

/// The protocols, native first: a path is that one's that claims it first, and what is nobody's is
/// refused in the words of the first.
pub(crate) static PROTOCOLS: &[&Protocol] = &[
    #[cfg(feature = "native")]
    &native::PROTOCOL,
    #[cfg(feature = "piratchat")]
    &piratchat::PROTOCOL,
    #[cfg(feature = "chitchat")]
    &chitchat::PROTOCOL,
];

/// One protocol, as far as the others know it. It is stated in its folder.
pub(crate) struct Protocol {
    /// What is spoken on connections that stay, in each of its forms.
    codecs: &'static [&'static dyn Codec],
    /// Whether a path is its own. The path may be one that could not be decoded.
    claims: fn(path: &[&str]) -> bool,
    /// Answers a request for such a path.
    respond: for<'a> fn(&'a Context, SubscriptionId, &'a Request, &'a [&'a str]) -> Responding<'a>,
    /// Whether a GET for such a path does something in its visitor's name.
    acts: fn(request: &Request, path: &[&str]) -> bool,
    /// The answer to what could not be read as a request.
    refused: fn(Reject) -> Response,
    /// The answer to a page of another origin that would act for its visitor.
    foreign: fn() -> Response,
}

/// An answer on its way.
type Responding<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// The codecs of all protocols. A [`ProtocolId`], the id of a protocol's form, is an index into it.
pub fn codecs() -> Codecs {
    PROTOCOLS.iter().flat_map(|protocol| protocol.codecs).copied().collect()
}

/// The id of a protocol's form.
fn protocol_id(codec: &dyn Codec) -> ProtocolId {
    let mut all = PROTOCOLS.iter().flat_map(|protocol| protocol.codecs);
    let index = all.position(|one| one.name() == codec.name());
    ProtocolId(u8::try_from(index.expect("a protocol lists its codecs")).expect("there are a few"))
}

/// The protocol that a path belongs to.
fn protocol_of(path: &[&str]) -> Option<&'static Protocol> {
    PROTOCOLS.iter().copied().find(|protocol| (protocol.claims)(path))
}

/// The same, or the first protocol for what is nobody's.
fn protocol_for(path: &[&str]) -> &'static Protocol {
    protocol_of(path).unwrap_or(PROTOCOLS[0])
}

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
    /// What signs tokens, as [`signing_secret`] makes it.
    pub secret: Box<str>,
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

/// What signs tokens: the text that was set, or else the random bytes that the database keeps,
/// written as hex. So it is a text in either case: it can be handed to whoever is to verify tokens,
/// and set as `SECRET_KEY` without a token losing its worth.
pub fn signing_secret(set: Option<&str>, kept: &[u8; 32]) -> Box<str> {
    set.map_or_else(|| crypto::hex(kept), str::to_owned).into()
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
        subscription: SubscriptionGuard,
        /// What is spoken.
        codec: &'static dyn Codec,
        /// A stream's: the frames that it sends besides those of its rooms.
        script: Option<Box<dyn StreamScript>>,
        /// Whether it is somebody's who is logged in.
        known: bool,
    },
    /// It is answered with a head whose body is a stream.
    Stream {
        /// The head.
        response: Response,
        /// The right to hear.
        subscription: SubscriptionGuard,
        /// The frames that the stream sends.
        script: Box<dyn StreamScript>,
    },
}

/// Answers a request from that address. `subscription` is a number never used before, for a
/// subscription that may come of it. HEAD is answered as GET; whoever sends the response leaves out
/// the content.
pub async fn respond(
    service: &Rc<Service>,
    from: IpAddr,
    subscription: SubscriptionId,
    request: &Request,
) -> Outcome {
    let readable =
        |response| origins::readable(&service.config.origins, request.header("origin"), response);
    match answer(service, from, subscription, request).await {
        Outcome::Response(response) => Outcome::Response(readable(response)),
        Outcome::Stream { response, subscription, script } => {
            Outcome::Stream { response: readable(response), subscription, script }
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

async fn answer(
    service: &Rc<Service>,
    from: IpAddr,
    subscription: SubscriptionId,
    request: &Request,
) -> Outcome {
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
    route(&context, subscription, request, &path).await
}

/// Finds whose a request is.
async fn route(
    context: &Context,
    subscription: SubscriptionId,
    request: &Request,
    path: &[&str],
) -> Outcome {
    if let Some(protocol) = protocol_of(path) {
        return (protocol.respond)(context, subscription, request, path).await;
    }
    let page = web::respond(request, path);
    // Who opens the page is marked before it asks for anything.
    let opens = path.len() <= 1;
    Outcome::Response(if opens { cookies::mark(page, request, &context.epoch) } else { page })
}

/// The answer to what could not be read as a request, in the words of the protocol that its path
/// belongs to.
fn refused(path: &str, reject: Reject) -> Response {
    let path: Vec<&str> = path.split('/').skip(1).collect();
    (protocol_for(&path).refused)(reject)
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
        400 => "the request is malformed; correct it and try again",
        404 => "this path does not exist; check the spelling",
        405 => "this path does not accept this method; use one that the Allow header lists",
        408 => "the request took too long to arrive; send all of it at once",
        411 => "the request does not say its length; send a Content-Length",
        413 | 414 | 431 => "the request is too large; send less",
        415 => "the server does not support this content encoding; send the content without one",
        421 => "this server does not have this host name; check the address",
        417 => "the server does not support this expectation; leave the Expect header out",
        426 => "this path is a websocket; connect with a websocket client, version 13",
        429 => "too many requests in a short time; wait a little, then try again",
        _ => "the server cannot answer this request; check it and try again",
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
