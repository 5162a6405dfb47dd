//! A stream of events for one client: entries of the log and live events, over a websocket or as a
//! response body that does not end (server-sent events, lines).
//!
//! It reads the log when the stream is behind, sends a ping when nothing else is sent, and a last
//! frame before it closes. The protocol's [`StreamScript`] writes the frames.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::codec::Disconnect;
use crate::connection::Shared;
use crate::connection::socket::{Connection, Ready};
use crate::hub::SubscriptionGuard;
use crate::limits::{STREAM_PING_MS, WRITE_STALL_MS};
use crate::log;
use crate::protocol::StreamScript;

/// Drives one stream.
pub(super) struct StreamDriver {
    script: Box<dyn StreamScript>,
    /// When frames were last sent, and how many bytes by then.
    spoke: Instant,
    told: usize,
}

impl StreamDriver {
    /// Starts a stream at the script's cursor; the log has the events since then.
    pub fn begin(script: Box<dyn StreamScript>, connection: &Connection) -> StreamDriver {
        connection.stream_from(script.cursor());
        connection.deliver(script.opening());
        StreamDriver { script, spoke: Instant::now(), told: connection.told_bytes() }
    }

    /// Reads the log, as far as there is room, if the stream is behind.
    pub async fn pump(&mut self, shared: &Shared, connection: &Connection) {
        while let Some(from) = connection.page_from().filter(|_| connection.closing().is_none()) {
            let Some(page) = self.script.page(&shared.service, from).await else {
                // The log cannot be read now; the client resumes from its cursor later.
                return connection.close(Disconnect::TryLater);
            };
            if connection.page(&page.bytes, page.upto, page.head) {
                connection.deliver(&self.script.caught_up(page.upto, &page.read));
            }
        }
    }

    /// When to ping, if nothing else is sent.
    pub fn due(&mut self, connection: &Connection) -> Instant {
        // Queued bytes count as activity: no ping is sent.
        if self.told != connection.told_bytes() || connection.is_stuck() {
            (self.told, self.spoke) = (connection.told_bytes(), Instant::now());
        }
        self.spoke + Duration::from_millis(STREAM_PING_MS)
    }

    /// Sends a ping when it is due. It moves an idle client's cursor.
    pub fn speak(&mut self, shared: &Shared, connection: &Connection) {
        if self.due(connection) > Instant::now() {
            return;
        }
        self.spoke = Instant::now();
        // A client with unread bytes needs no ping.
        if !connection.is_stuck() {
            connection.deliver(&self.script.ping(connection.passed(shared.head.get())));
        }
    }

    /// Sends the last frame, which says whether to come back.
    pub fn reason(&self, why: Disconnect, connection: &Connection) {
        connection.control(&self.script.bye(why));
    }
}

/// Serves a stream that is a response body, until either side ends it.
pub(super) async fn serve(
    shared: &Shared,
    connection: &Connection,
    subscription: SubscriptionGuard,
    script: Box<dyn StreamScript>,
    deadline: &mut Pin<&mut Sleep>,
) {
    connection.uncork();
    let mut driver = StreamDriver::begin(script, connection);
    let mut stuck: Option<(Instant, usize)> = None;
    while !connection.is_broken() {
        driver.pump(shared, connection).await;
        if let Some(closing) = connection.closing() {
            driver.reason(closing, connection);
            break;
        }
        stuck = match stuck {
            _ if !connection.is_stuck() => None,
            Some((since, before)) if connection.taken() == before => Some((since, before)),
            _ => Some((Instant::now(), connection.taken())),
        };
        let stall = stuck.map(|(since, _)| since + Duration::from_millis(WRITE_STALL_MS));
        let due = driver.due(connection);
        deadline.as_mut().reset(stall.map_or(due, |stall| stall.min(due)));
        match connection.wait(deadline, true, connection.is_stuck()).await {
            // The client sends nothing more after its request, so the end of its input ends the
            // stream.
            Ready::Read if connection.read(&mut shared.read_buffer.borrow_mut()) == Some(0) => {
                break;
            }
            Ready::Read | Ready::Nudge => {}
            Ready::Write => connection.flush(),
            Ready::Deadline if stall.is_some_and(|stall| stall <= Instant::now()) => {
                log!(Debug, "stream {}: takes nothing", connection.subscription);
                connection.give_up();
            }
            Ready::Deadline => driver.speak(shared, connection),
        }
    }
    drop(subscription);
}
