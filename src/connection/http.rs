//! The HTTP phase of a connection: one request after the other, each answered before the next is
//! looked at (RFC 9112 section 9.3.2), until one becomes a websocket or either side has enough.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::connection::Shared;
use crate::connection::wire::{Ready, Wire};
use crate::dialect::Dialect;
use crate::http::{self, Framing, Next, Phase, Reader, Reject, Request, Response};
use crate::hub::Seat;
use crate::limits::{
    BODY_DEADLINE_MS, CLOSE_DEADLINE_MS, HEAD_DEADLINE_MS, IDLE_DEADLINE_MS, WRITE_STALL_MS,
};
use crate::log;
use crate::protocol::{self, Outcome};
use crate::time::Time;

/// What a websocket begins with. The 101 is sent.
pub(super) struct Upgrade {
    /// The right to chat.
    pub seat: Seat,
    /// What is spoken.
    pub dialect: &'static dyn Dialect,
    /// What came behind the request.
    pub early: Bytes,
}

/// Serves requests. `None`: the connection is to be closed.
pub(super) async fn serve(shared: &Shared, wire: &Wire) -> Option<Upgrade> {
    let mut deadline = pin!(tokio::time::sleep(Duration::ZERO));
    let mut reader = Reader::new();
    loop {
        match next(shared, wire, &mut reader, &mut deadline).await {
            Ok(None) => return None,
            Ok(Some(request)) => {
                let outcome = protocol::respond(&shared.context, wire.seat, &request).await;
                let framing = framing(shared, &request);
                match outcome {
                    Outcome::Response(response) => {
                        log!(Debug, "{} {} {}", request.method, request.path, response.status);
                        if !send(shared, wire, &response, framing, &mut deadline).await {
                            return None;
                        }
                    }
                    Outcome::Websocket { response, seat, dialect } => {
                        log!(Debug, "{} {} 101", request.method, request.path);
                        if !send(shared, wire, &response, framing, &mut deadline).await {
                            return None;
                        }
                        wire.uncork();
                        return Some(Upgrade { seat, dialect, early: reader.leftover() });
                    }
                }
            }
            Err(reject) => {
                log!(Debug, "refused with {}: {}", reject.status, reject.why);
                let framing = Framing::refused(Time::now());
                send(shared, wire, &Response::from(reject), framing, &mut deadline).await;
                return None;
            }
        }
    }
}

/// As the request wants it; but a server that stops keeps no connection alive.
fn framing(shared: &Shared, request: &Request) -> Framing {
    let framing = Framing::of(request, Time::now());
    Framing { keep_alive: framing.keep_alive && !shared.stopping.get(), ..framing }
}

/// So long, unless the server stops: who takes their time then would hold up the end, and with it
/// the process (a request that is half sent could wait for longer than `GRACE_MS`).
fn patience(shared: &Shared, millis: u64) -> Duration {
    let hurry = if shared.stopping.get() { CLOSE_DEADLINE_MS } else { u64::MAX };
    Duration::from_millis(millis.min(hurry))
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
            Next::Request(request) => return Ok(Some(request)),
            Next::Continue => {
                if !write(shared, wire, http::CONTINUE, deadline).await {
                    return Ok(None);
                }
                phase = None;
            }
            Next::More => {}
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

/// Sends a response. `false`: the connection does not go on.
async fn send(
    shared: &Shared,
    wire: &Wire,
    response: &Response,
    framing: Framing,
    deadline: &mut Pin<&mut Sleep>,
) -> bool {
    let mut bytes = Vec::new();
    let goes_on = response.encode(&mut bytes, &framing);
    write(shared, wire, &bytes, deadline).await && goes_on
}

/// Writes everything. `false`: the peer is gone, or has taken nothing for too long.
async fn write(
    shared: &Shared,
    wire: &Wire,
    mut bytes: &[u8],
    deadline: &mut Pin<&mut Sleep>,
) -> bool {
    loop {
        let count = wire.write(bytes);
        bytes = &bytes[count..];
        if bytes.is_empty() {
            return true;
        }
        if count > 0 {
            continue;
        }
        deadline.as_mut().reset(Instant::now() + patience(shared, WRITE_STALL_MS));
        if wire.is_broken() || wire.wait(deadline, false, true).await == Ready::Deadline {
            return false;
        }
    }
}
