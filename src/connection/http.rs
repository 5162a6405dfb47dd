//! The HTTP phase of a connection: one request after the other, each answered before the next is
//! read (RFC 9112 section 9.3.2), until one becomes a websocket or a stream, or either side closes.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::codec::{Codec, Disconnect};
use crate::connection::Shared;
use crate::connection::answer::{self, patience};
use crate::connection::slots::{Place, Stage};
use crate::connection::socket::{Connection, Ready};
use crate::crypto;
use crate::http::{self, Framing, Method, Phase, Reader, Reject, Request, Response};
use crate::hub::SubscriptionGuard;
use crate::limits::edge::HSTS_SECS;
use crate::limits::{
    BODY_DEADLINE_MS, HEAD_DEADLINE_MS, IDLE_DEADLINE_MS, RESERVE_DEADLINE_MS, RETRY_AFTER_MS,
};
use crate::log;
use crate::protocol::{self, Outcome, StreamScript};
use crate::time::Time;

/// The next phase of the connection. The response, or its head, has been sent.
pub(super) enum Next {
    /// A websocket.
    Websocket(Upgrade),
    /// The body of a response that does not end.
    Stream {
        /// The stream's subscription.
        subscription: SubscriptionGuard,
        /// The frames that the stream sends.
        script: Box<dyn StreamScript>,
    },
}

/// The start of a websocket.
pub(super) struct Upgrade {
    /// The connection's subscription.
    pub subscription: SubscriptionGuard,
    /// The protocol's codec.
    pub codec: &'static dyn Codec,
    /// For a stream: the frames that it sends besides those of its rooms.
    pub script: Option<Box<dyn StreamScript>>,
    /// Input after the request.
    pub early: Bytes,
}

/// Serves requests. `None`: close the connection.
pub(super) async fn serve(
    shared: &Shared,
    connection: &Rc<Connection>,
    place: &mut Place,
) -> Option<Next> {
    let mut deadline = pin!(tokio::time::sleep(Duration::ZERO));
    let mut reader = Reader::new();
    if !place.is_the_peers(shared, connection) {
        let framing = Framing::refused(Time::now());
        let response = retry_after(protocol::unread(&shared.service, "", None, NO_PLACE));
        let response = identified(response, &request_id());
        answer::send(shared, connection, response, framing, &mut deadline).await;
        return None;
    }
    loop {
        let arrived = next(shared, connection, place, &mut reader, &mut deadline).await;
        let id = request_id();
        match arrived {
            Ok(None) => return None,
            Ok(Some(mut request)) => {
                connection.enter(Stage::Busy);
                request.secure = connection.is_secure();
                let outcome = match protocol::enter(&shared.service, &mut request) {
                    Some(elsewhere) => Outcome::Response(elsewhere),
                    None => admitted(shared, connection, place, &request).await,
                };
                let outcome = strict(shared, &request, outcome);
                let framing = framing(shared, place, &request);
                match outcome {
                    Outcome::Response(response) => {
                        let (Request { method, path, .. }, status) = (&request, response.status);
                        log!(Debug, request: &id, "{method} {path} {status}");
                        let response = identified(response, &id);
                        if !answer::send(shared, connection, response, framing, &mut deadline).await
                        {
                            return None;
                        }
                    }
                    Outcome::Stream { response, subscription, script } => {
                        log!(Debug, request: &id, "{} {} streams", request.method, request.path);
                        let response = identified(response, &id);
                        let open = answer::send_head(
                            shared,
                            connection,
                            &response,
                            framing,
                            &mut deadline,
                        );
                        if !open.await {
                            return None;
                        }
                        return Some(Next::Stream { subscription, script });
                    }
                    Outcome::Websocket { response, subscription, codec, script, known } => {
                        log!(Debug, request: &id, "{} {} 101", request.method, request.path);
                        let response = identified(response, &id);
                        if !answer::send(shared, connection, response, framing, &mut deadline).await
                        {
                            return None;
                        }
                        if !known {
                            connection.enter(Stage::Silent);
                        }
                        if !known && shared.slots.are_crowded() {
                            connection.batch();
                        }
                        connection.uncork();
                        let early = reader.leftover();
                        let upgrade = Upgrade { subscription, codec, script, early };
                        return Some(Next::Websocket(upgrade));
                    }
                }
            }
            Err(reject) => {
                log!(Debug, request: &id, "refused with {}: {}", reject.status, reject.why);
                let (path, origin) = (reader.path(), reader.origin());
                let response = protocol::unread(&shared.service, path, origin.as_deref(), reject);
                let response = match response.status {
                    503 => retry_after(response),
                    _ => response,
                };
                let (framing, response) =
                    (Framing::refused(Time::now()), identified(response, &id));
                answer::send(shared, connection, response, framing, &mut deadline).await;
                return None;
            }
        }
    }
}

/// A name for a request, by which its answer is found in the log. Random, and nothing that a client
/// says is in it: it can neither be chosen nor count anything.
fn request_id() -> String {
    crypto::hex(&crypto::random::<8>())
}

/// The response to the request of that id.
fn identified(response: Response, id: &str) -> Response {
    response.header("X-Request-Id", id)
}

/// The refusal when all slots are taken.
const NO_PLACE: Reject = Reject::new(503, "all connections are taken; try again in a moment");

/// Whether the request is a health check or asks for metrics, and is answered even if slots or
/// memory are short.
fn is_health(request: &Request) -> bool {
    matches!(request.path.as_str(), "/healthz" | "/readyz" | "/metrics")
}

/// Answers a request if its connection has a slot, and may keep it if it stays open.
async fn admitted(
    shared: &Shared,
    connection: &Connection,
    place: &mut Place,
    request: &Request,
) -> Outcome {
    if connection.declines_tls() && !is_health(request) {
        return Outcome::Response(redirect(shared, request));
    }
    if !is_health(request) && !place.settle(shared, connection).await {
        return refused(shared, request, NO_PLACE);
    }
    let outcome = respond(shared, connection, request).await;
    let known = match outcome {
        Outcome::Response(_) => return outcome,
        Outcome::Websocket { known, .. } => known,
        Outcome::Stream { .. } => true,
    };
    let source = protocol::source(&shared.service, connection.from(), request);
    if place.stays(shared, connection, source, known) {
        outcome
    } else {
        refused(shared, request, NO_PLACE)
    }
}

/// The way to the same resource through TLS.
fn redirect(shared: &Shared, request: &Request) -> Response {
    let config = &shared.service.config;
    let authority = request.header("host").unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    // A client that names a port has come to the listener of TLS, if it is not that of redirects.
    let of_redirects = config.http_redirect.map(|address| address.port());
    let port = port.filter(|port| Some(*port) != of_redirects).unwrap_or(config.listen.port());
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        let why = "this server speaks HTTPS: use an address that begins with https://";
        return Response::new(400).text(why);
    }
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let query = if request.query.is_empty() { "" } else { "?" };
    let base = &config.base_path;
    let target = format!("https://{host}{port}{base}{}{query}{}", request.path, request.query);
    Response::new(308).header("Location", target)
}

/// With `--hsts`, tells browsers to use TLS from now on (RFC 6797 section 7.1).
fn strict(shared: &Shared, request: &Request, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Response(response) if request.secure && shared.service.config.hsts => {
            let age = format!("max-age={HSTS_SECS}");
            Outcome::Response(response.header("Strict-Transport-Security", age))
        }
        outcome => outcome,
    }
}

/// A 503 in the format of the protocol that the path belongs to.
fn refused(shared: &Shared, request: &Request, reject: Reject) -> Outcome {
    let origin = request.header("origin");
    let response = protocol::unread(&shared.service, &request.path, origin, reject);
    Outcome::Response(retry_after(response))
}

/// Answers a request while there is memory for the response. If there is none, the request is
/// refused before it has any effect; a GET or HEAD may also be refused after the lookup, as it has
/// no effect.
async fn respond(shared: &Shared, connection: &Connection, request: &Request) -> Outcome {
    const FULL: Reject = Reject::new(
        503,
        "the memory for answers is used up, because other clients read too slowly; try again later",
    );
    let health = is_health(request);
    if shared.unsent.left() == 0 && !health {
        return refused(shared, request, FULL);
    }
    let outcome =
        protocol::respond(&shared.service, connection.from(), connection.subscription, request)
            .await;
    match &outcome {
        Outcome::Response(response)
            if matches!(request.method, Method::Get | Method::Head)
                && answer::weight(response) > shared.unsent.left()
                && !health =>
        {
            refused(shared, request, FULL)
        }
        _ => outcome,
    }
}

/// Adds `Retry-After`.
fn retry_after(response: Response) -> Response {
    response.header("Retry-After", RETRY_AFTER_MS.div_ceil(1000).to_string())
}

/// The framing that the request wants; but a stopping server, or a connection of the reserve, is
/// not kept alive.
fn framing(shared: &Shared, place: &Place, request: &Request) -> Framing {
    let framing = Framing::of(request, Time::now());
    let goes_on = !shared.stopping.get() && !place.is_of_the_reserve();
    Framing { keep_alive: framing.keep_alive && goes_on, ..framing }
}

/// Reads the next request. `Ok(None)`: there is none, and the peer waits for no response.
async fn next(
    shared: &Shared,
    connection: &Rc<Connection>,
    place: &Place,
    reader: &mut Reader,
    deadline: &mut Pin<&mut Sleep>,
) -> Result<Option<Request>, Reject> {
    // The deadline runs from the start of its phase; otherwise a client could drip bytes for ever.
    let mut phase = None;
    let mut noted = false;
    loop {
        match reader.next()? {
            http::Next::Request(request) => {
                if std::mem::take(&mut noted) {
                    shared.unfinished.note(connection, 0);
                }
                return Ok(Some(request));
            }
            http::Next::Continue => {
                if !answer::write(shared, connection, [http::CONTINUE, b""], deadline).await {
                    return Ok(None);
                }
                phase = None;
            }
            http::Next::More => {}
        }
        if reader.phase() == Phase::Idle && shared.stopping.get() {
            return Ok(None);
        }
        let current = (reader.phase(), shared.stopping.get());
        if phase.replace(current) != Some(current) {
            let (millis, stage) = match reader.phase() {
                Phase::Idle => (IDLE_DEADLINE_MS, Stage::Idle),
                Phase::Head => (HEAD_DEADLINE_MS, Stage::Asking),
                Phase::Body => (BODY_DEADLINE_MS, Stage::Asking),
            };
            connection.enter(stage);
            let hurry = if place.is_of_the_reserve() { RESERVE_DEADLINE_MS } else { u64::MAX };
            let millis = millis.min(hurry);
            deadline.as_mut().reset(Instant::now() + patience(shared, millis));
        }
        if reader.phase() != Phase::Idle {
            shared.unfinished.note(connection, reader.held());
            noted = true;
        }
        if connection.closing() == Some(Disconnect::Unfinished) {
            return Err(Reject::new(503, "too much incomplete input; send complete requests"));
        }
        match connection.wait(deadline, true, connection.is_stuck()).await {
            Ready::Deadline if reader.phase() == Phase::Idle => return Ok(None),
            // RFC 9110 section 15.5.9.
            Ready::Deadline => return Err(Reject::new(408, "the request took too long")),
            Ready::Read => {
                shared.turns.take().await;
                let mut buffer = shared.read_buffer.borrow_mut();
                match connection.read(&mut buffer) {
                    Some(0) => return Ok(None),
                    Some(count) => reader.feed(&buffer[..count]),
                    None => {}
                }
            }
            Ready::Write | Ready::Nudge if connection.is_broken() => return Ok(None),
            Ready::Write => connection.flush(),
            Ready::Nudge => {}
        }
    }
}
