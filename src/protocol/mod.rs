//! All wire formats. Finds the protocol of a request, and returns its outcome. Called by
//! connections, one request at a time.
//!
//! To add a protocol, add its folder, with a [`Protocol`] that describes it to the others, and its
//! line in [`PROTOCOLS`] (and its `mod` line, and a feature of that name in `Cargo.toml`); to
//! remove one, delete them. Nothing else knows of it: a test builds the server without each. The
//! web client speaks the native protocol: without that protocol it is served, but does not work.
//!
//! Every protocol has one table of its [`routes`]. To add a request, write its handler, and its
//! line in that table.

mod base_path;
#[cfg(feature = "chitchat")]
mod chitchat;
mod closing;
mod cookies;
mod counters;
mod json_body;
mod lagging;
mod lists;
#[cfg(feature = "native")]
mod native;
mod origins;
pub mod passwords;
#[cfg(feature = "piratchat")]
mod piratchat;
mod routes;
mod source;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod vouched;
pub mod web;

use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;

use crate::chat::{
    Caller, FixedPolicy, Guests, ProtocolId, Refusal, Registration, RoomId, RoomRef, Settings,
    Source, SubscriptionId, call,
};
use crate::codec::{Codec, Codecs};
use crate::config::Config;
use crate::crypto::{self, KeyHash};
use crate::http::{self, Method, Reject, Request, Response};
use crate::hub::{HubHandle, SubscriptionGuard};
pub use crate::protocol::counters::{BackupCounts, Counters};
#[cfg(test)]
pub(crate) use crate::protocol::lagging::of_page;
pub use crate::protocol::lagging::{Missed, missed};
#[cfg(all(test, feature = "native"))]
pub(crate) use crate::protocol::native::{Excerpt, LINES, Lines};
use crate::protocol::passwords::{Busy, Passwords, Place};
use crate::protocol::routes::{Route, Routed};
pub use crate::protocol::source::Peer;
pub use crate::protocol::stream::{PageRead, StreamPage, StreamScript};
use crate::store::{Health, Readers};

/// The protocols, native first: the first that claims a path gets it, and an unclaimed path is
/// refused in the format of the first.
pub(crate) static PROTOCOLS: &[&Protocol] = &[
    #[cfg(feature = "native")]
    &native::PROTOCOL,
    #[cfg(feature = "piratchat")]
    &piratchat::PROTOCOL,
    #[cfg(feature = "chitchat")]
    &chitchat::PROTOCOL,
];

/// One protocol's interface to the others. Its folder defines it.
pub(crate) struct Protocol {
    /// The codecs of its persistent connections, one for each form.
    codecs: &'static [&'static dyn Codec],
    /// Whether a path belongs to it, with a route or without one: it decides the format of the
    /// error, too, so the routes do not suffice. The path may be one that could not be decoded.
    claims: fn(path: &[&str]) -> bool,
    /// Its routes.
    routes: &'static [Route],
    /// Whether a GET for such a path acts in its visitor's name; depends on the request's headers,
    /// too.
    acts: fn(request: &Request, path: &[&str]) -> bool,
    /// Gives an error that comes from HTTP itself the body that the protocol's errors have.
    dress: fn(Response) -> Response,
    /// The response to an unreadable request.
    refused: fn(Reject) -> Response,
    /// The response to a foreign page that would act for its visitor.
    foreign: fn() -> Response,
    /// The response to a person whom the core does not let in.
    turned_away: fn(Refusal) -> Response,
}

/// The future of an outcome.
type Responding<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// The codecs of all protocols. A [`ProtocolId`], the id of a protocol's form, is an index into it.
pub fn codecs() -> Codecs {
    PROTOCOLS.iter().flat_map(|protocol| protocol.codecs).copied().collect()
}

/// The id of a protocol's form.
fn protocol_id(codec: &dyn Codec) -> ProtocolId {
    let mut all = PROTOCOLS.iter().flat_map(|protocol| protocol.codecs);
    let index = all.position(|other| other.name() == codec.name());
    ProtocolId(u8::try_from(index.expect("a protocol lists its codecs")).expect("there are a few"))
}

/// The protocol that a path belongs to.
fn protocol_of(path: &[&str]) -> Option<&'static Protocol> {
    PROTOCOLS.iter().copied().find(|protocol| (protocol.claims)(path))
}

/// The same; the first protocol for an unclaimed path.
fn protocol_for(path: &[&str]) -> &'static Protocol {
    protocol_of(path).unwrap_or(PROTOCOLS[0])
}

/// The state that all requests of one worker share.
pub struct Service {
    /// The handle of the core.
    pub hub: HubHandle,
    /// The settings.
    pub config: Config,
    /// The secret that signs tokens; see [`signing_secret`].
    pub secret: Box<str>,
    /// Hashes and checks room passwords, off the event loop.
    pub passwords: Passwords,
    /// Reads old messages, off the event loop.
    pub readers: Readers,
    /// Whether the database can be written.
    pub health: Health,
    /// The log's name.
    pub epoch: String,
    /// What the server counts about itself.
    pub counters: Counters,
}

/// One request's context: the shared state, and a handle of the core with the request's source.
pub struct Context {
    /// The handle of the core; it shadows the service's own, whose source is this machine.
    pub hub: HubHandle,
    /// The request's source.
    source: Source,
    /// The hash of the session key in the request's cookie; or of the session of the person whom a
    /// trusted proxy names.
    session: Option<KeyHash>,
    /// Whether a proxy names the person.
    vouched: bool,
    service: Rc<Service>,
}

impl Deref for Context {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl Context {
    /// The place in the password queue for that room.
    fn place(&self, room: Option<RoomId>) -> Place {
        Place { source: self.source, room }
    }

    /// Hashes a password, if there is one, for that room or for a new one.
    ///
    /// # Errors
    /// When too many passwords wait.
    async fn hash_any(
        &self,
        room: Option<RoomId>,
        password: Option<String>,
    ) -> Result<Option<Box<str>>, Busy> {
        self.passwords.hash_any(self.place(room), password).await
    }

    /// The same for an existing room, unless it is the room's current password.
    ///
    /// # Errors
    /// When too many passwords wait.
    async fn hash_new(
        &self,
        room: RoomId,
        password: Option<String>,
        before: Option<Box<str>>,
    ) -> Result<Option<Box<str>>, Busy> {
        self.passwords.hash_new(self.place(Some(room)), password, before).await
    }

    /// Whether a password opens a room, unless the caller has tried too many wrong ones. Its hash
    /// may be of no room at all.
    ///
    /// # Errors
    /// After too many tries, or when too many passwords wait.
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
    /// The context for a request from that source without a cookie.
    pub fn context(self: &Rc<Self>, source: Source) -> Context {
        let hub = self.hub.from_source(source);
        Context { hub, source, session: None, vouched: false, service: self.clone() }
    }
}

/// The core's settings, from the operator's. `setup`: the token that makes the first owner.
///
/// # Panics
/// Never: the command line accepts only texts that the core knows.
pub fn settings(config: &Config, setup: Option<&str>) -> Settings {
    let known = "a value that the command line has checked";
    let registration = config.registration.map(|text| Registration::parse(text).expect(known));
    let guests = config.guest_policy.map(|text| Guests::parse(text).expect(known));
    Settings {
        setup: setup.map(crypto::hash),
        fixed: FixedPolicy { registration, guests },
        ..Settings::new(config.session_ttl_secs, config.limits)
    }
}

/// The secret that signs tokens: the configured text, or the database's random bytes as hex. So it
/// is a text in either case: the operator can give it to a verifier of tokens, or set it as
/// `SECRET_KEY` without invalidating tokens.
pub fn signing_secret(set: Option<&str>, kept: &[u8; 32]) -> Box<str> {
    set.map_or_else(|| crypto::hex(kept), str::to_owned).into()
}

/// What becomes of a request.
pub enum Outcome {
    /// A response.
    Response(Response),
    /// A 101, and a websocket follows on this connection.
    Websocket {
        /// The 101 response.
        response: Response,
        /// The connection's subscription.
        subscription: SubscriptionGuard,
        /// The protocol's codec.
        codec: &'static dyn Codec,
        /// For a stream: the frames that it sends besides those of its rooms.
        script: Option<Box<dyn StreamScript>>,
        /// Whether the client is logged in.
        known: bool,
    },
    /// A head whose body is a stream.
    Stream {
        /// The head.
        response: Response,
        /// The stream's subscription.
        subscription: SubscriptionGuard,
        /// The frames that the stream sends.
        script: Box<dyn StreamScript>,
    },
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Outcome {
        Outcome::Response(response)
    }
}

/// Answers a request from that address. `subscription` is a fresh id for a subscription that the
/// request may take. HEAD is answered as GET; the caller omits the content.
pub async fn respond(
    service: &Rc<Service>,
    from: Peer,
    subscription: SubscriptionId,
    request: &Request,
) -> Outcome {
    let readable = |response| {
        let response = base_path::complete(&service.config, response);
        origins::readable(&service.config.origins, request.header("origin"), response)
    };
    match answer(service, from, subscription, request).await {
        Outcome::Response(response) => Outcome::Response(readable(response)),
        Outcome::Stream { response, subscription, script } => {
            Outcome::Stream { response: readable(response), subscription, script }
        }
        // Browsers do not apply CORS to websockets; the Origin is checked instead.
        websocket @ Outcome::Websocket { .. } => websocket,
    }
}

/// Takes the base path off a request that has been read. Returns the response, if the request is
/// for nothing below that path.
pub fn enter(service: &Service, request: &mut Request) -> Option<Response> {
    base_path::enter(&service.config, request)
}

/// The response to an unreadable request, with its path and `Origin` as far as they were read. The
/// caller knows whether the connection goes on.
pub fn unread(service: &Service, path: &str, origin: Option<&str>, reject: Reject) -> Response {
    let path = base_path::inside(&service.config, path);
    origins::readable(&service.config.origins, origin, refused(path, reject))
}

/// The source of a request.
pub fn source(service: &Service, from: Peer, request: &Request) -> Source {
    source::of(from, &request.headers, &service.config.trusted_proxies)
}

/// Whether a peer is a trusted proxy: then it, or its requests, name the clients.
pub fn is_proxy(service: &Service, from: Peer) -> bool {
    from.is_trusted(&service.config.trusted_proxies)
}

/// The source that a connection counts for until a request names another; `None`: as many of them
/// as there are slots.
pub fn slot_source(service: &Service, from: Peer) -> Option<Source> {
    let source = from.source();
    (source != Source::Local && !is_proxy(service, from)).then_some(source)
}

async fn answer(
    service: &Rc<Service>,
    from: Peer,
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
    // The page itself is for everybody; and who watches over the server is no person.
    let watches = matches!(path[..], ["healthz" | "readyz" | "metrics"]);
    if protocol_of(&path).is_some() && !watches {
        match vouched::session(&context, from, request, &path).await {
            Ok(session) => context.session = session,
            Err(response) => return Outcome::Response(response),
        }
        context.vouched = context.session.is_some();
    }
    if !context.vouched {
        context.session = cookies::shown(&context, request).await;
    }
    route(&context, subscription, request, &path).await
}

/// Finds the protocol of a request.
async fn route(
    context: &Context,
    subscription: SubscriptionId,
    request: &Request,
    path: &[&str],
) -> Outcome {
    if let Some(Protocol { routes, dress, .. }) = protocol_of(path) {
        return match routes::find(routes, request.method, path) {
            Some(route) => (route.handle)(Routed { context, subscription, request, path }).await,
            None => Outcome::Response(dress(unrouted(request, &routes::allowed(routes, path)))),
        };
    }
    let page = web::respond(request, path);
    // Opening the page marks the browser before its first request to a protocol.
    let opens = path.len() <= 1;
    Outcome::Response(if opens { cookies::mark(page, request, context) } else { page })
}

/// The response to an unreadable request, in the format of its path's protocol.
fn refused(path: &str, reject: Reject) -> Response {
    let path: Vec<&str> = path.split('/').skip(1).collect();
    (protocol_for(&path).refused)(reject)
}

/// The response to a request without a route. `allowed`: the methods of its path, none if the path
/// does not exist.
fn unrouted(request: &Request, allowed: &[Method]) -> Response {
    match allowed {
        [] => Response::new(404),
        _ if request.method == Method::Options => Response::options(allowed),
        _ => Response::method_not_allowed(allowed),
    }
}

/// Advice for an error of the HTTP layer, for a person.
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

/// The response replaces its client's cookie: the guest of the old cookie is orphaned, and ends, so
/// that the name is free. (If that cannot be proposed now, the guest ends with the session.)
async fn give_up(context: &Context, request: &Request) {
    if let Some(key) = session(context, request) {
        let _ = context.service.hub.call(Caller::Perhaps(key), call::GiveUp).await;
    }
}

/// The hash of a request's session key. `None` without one, and for a page of a foreign origin: it
/// may not act as its visitor (SameSite does not cover neighbours on the same host).
fn session(context: &Context, request: &Request) -> Option<KeyHash> {
    context.session.filter(|_| http::same_origin(request, &context.config.origins))
}
