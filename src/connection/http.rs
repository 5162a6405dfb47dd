//! The HTTP phase of a connection: one request after the other, each answered before the next is
//! looked at (RFC 9112 section 9.3.2), until one becomes a websocket or either side has enough.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::connection::Shared;
use crate::connection::answer::{self, patience};
use crate::connection::wire::{Ready, Wire};
use crate::dialect::Dialect;
use crate::http::{self, Framing, Method, Phase, Reader, Reject, Request};
use crate::hub::Seat;
use crate::limits::{BODY_DEADLINE_MS, HEAD_DEADLINE_MS, IDLE_DEADLINE_MS, RETRY_AFTER_MS};
use crate::log;
use crate::protocol::{self, Outcome, Script};
use crate::time::Time;

/// What the connection becomes. The response, or its head, is sent.
pub(super) enum Next {
    /// A websocket.
    Websocket(Upgrade),
    /// The body of a response that does not end.
    Stream {
        /// The right to hear.
        seat: Seat,
        /// What is told.
        script: Script,
    },
}

/// What a websocket begins with.
pub(super) struct Upgrade {
    /// The right to chat.
    pub seat: Seat,
    /// What is spoken.
    pub dialect: &'static dyn Dialect,
    /// What is told besides what the room says; a stream's.
    pub script: Option<Script>,
    /// What came behind the request.
    pub early: Bytes,
}

/// Serves requests. `None`: the connection is to be closed.
pub(super) async fn serve(shared: &Shared, wire: &Wire) -> Option<Next> {
    let mut deadline = pin!(tokio::time::sleep(Duration::ZERO));
    let mut reader = Reader::new();
    loop {
        match next(shared, wire, &mut reader, &mut deadline).await {
            Ok(None) => return None,
            Ok(Some(request)) => {
                let outcome = respond(shared, wire, &request).await;
                let framing = framing(shared, &request);
                match outcome {
                    Outcome::Response(response) => {
                        log!(Debug, "{} {} {}", request.method, request.path, response.status);
                        if !answer::send(shared, wire, response, framing, &mut deadline).await {
                            return None;
                        }
                    }
                    Outcome::Stream { response, seat, script } => {
                        log!(Debug, "{} {} streams", request.method, request.path);
                        let open =
                            answer::send_head(shared, wire, &response, framing, &mut deadline);
                        if !open.await {
                            return None;
                        }
                        return Some(Next::Stream { seat, script });
                    }
                    Outcome::Websocket { response, seat, dialect, script } => {
                        log!(Debug, "{} {} 101", request.method, request.path);
                        if !answer::send(shared, wire, response, framing, &mut deadline).await {
                            return None;
                        }
                        wire.uncork();
                        let early = reader.leftover();
                        let upgrade = Upgrade { seat, dialect, script, early };
                        return Some(Next::Websocket(upgrade));
                    }
                }
            }
            Err(reject) => {
                log!(Debug, "refused with {}: {}", reject.status, reject.why);
                let (path, origin) = (reader.path(), reader.origin());
                let response = protocol::unread(&shared.service, path, origin.as_deref(), reject);
                let framing = Framing::refused(Time::now());
                answer::send(shared, wire, response, framing, &mut deadline).await;
                return None;
            }
        }
    }
}

/// Answers a request, as long as there is memory for the answer. Whoever cannot be sent one is told
/// so before anything is done for it; or after it was looked up, if that has changed nothing.
async fn respond(shared: &Shared, wire: &Wire, request: &Request) -> Outcome {
    const FULL: Reject =
        Reject::new(503, "others read too slowly, and the memory for answers is used up");
    let refused = || {
        let origin = request.header("origin");
        let response = protocol::unread(&shared.service, &request.path, origin, FULL);
        let seconds = RETRY_AFTER_MS.div_ceil(1000).to_string();
        Outcome::Response(response.header("Retry-After", seconds))
    };
    let health = matches!(request.path.as_str(), "/healthz" | "/readyz");
    if shared.unsent.left() == 0 && !health {
        return refused();
    }
    let outcome = protocol::respond(&shared.service, wire.from(), wire.seat, request).await;
    match &outcome {
        Outcome::Response(response)
            if matches!(request.method, Method::Get | Method::Head)
                && answer::weight(response) > shared.unsent.left()
                && !health =>
        {
            refused()
        }
        _ => outcome,
    }
}

/// As the request wants it; but a server that stops keeps no connection alive.
fn framing(shared: &Shared, request: &Request) -> Framing {
    let framing = Framing::of(request, Time::now());
    Framing { keep_alive: framing.keep_alive && !shared.stopping.get(), ..framing }
}

/// Reads the next request. `Ok(None)`: there is none, and nobody waits for an answer.
async fn next(
    shared: &Shared,
    wire: &Wire,
    reader: &mut Reader,
    deadline: &mut Pin<&mut Sleep>,
) -> Result<Option<Request>, Reject> {
    // A deadline runs from the beginning of its phase, or one could drip bytes for ever.
    let mut phase = None;
    loop {
        match reader.next()? {
            http::Next::Request(request) => return Ok(Some(request)),
            http::Next::Continue => {
                if !answer::write(shared, wire, [http::CONTINUE, b""], deadline).await {
                    return Ok(None);
                }
                phase = None;
            }
            http::Next::More => {}
        }
        if reader.phase() == Phase::Idle && shared.stopping.get() {
            return Ok(None);
        }
        let here = (reader.phase(), shared.stopping.get());
        if phase.replace(here) != Some(here) {
            let millis = match reader.phase() {
                Phase::Idle => IDLE_DEADLINE_MS,
                Phase::Head => HEAD_DEADLINE_MS,
                Phase::Body => BODY_DEADLINE_MS,
            };
            deadline.as_mut().reset(Instant::now() + patience(shared, millis));
        }
        match wire.wait(deadline, true, false).await {
            Ready::Deadline if reader.phase() == Phase::Idle => return Ok(None),
            // RFC 9110 section 15.5.9.
            Ready::Deadline => return Err(Reject::new(408, "the request took too long")),
            Ready::Read => {
                let mut buffer = shared.read_buffer.borrow_mut();
                match wire.read(&mut buffer) {
                    Some(0) => return Ok(None),
                    Some(count) => reader.feed(&buffer[..count]),
                    None => {}
                }
            }
            Ready::Write | Ready::Nudge if wire.is_broken() => return Ok(None),
            Ready::Write | Ready::Nudge => {}
        }
    }
}
