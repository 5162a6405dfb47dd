//! A stream of events: what the log and the live rooms have for one reader, over a websocket or as
//! the body of a response that does not end (server-sent events, lines).
//!
//! It reads the log when the stream is behind, says that it is alive when nothing else is said, and
//! says goodbye. What a frame looks like, the protocol's [`StreamScript`] knows.

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

/// Keeps one stream supplied.
pub(super) struct StreamDriver {
    script: Box<dyn StreamScript>,
    /// When something was last told, and how much had been told then.
    spoke: Instant,
    told: usize,
}

impl StreamDriver {
    /// Begins a stream: what was told of its rooms meanwhile is not lost, as the log has it.
    pub fn begin(script: Box<dyn StreamScript>, connection: &Connection) -> StreamDriver {
        connection.feed_from(script.cursor());
        connection.deliver(script.opening());
        StreamDriver { script, spoke: Instant::now(), told: connection.told_bytes() }
    }

    /// Reads the log as far as there is room for it, if the stream is behind.
    pub async fn pump(&mut self, shared: &Shared, connection: &Connection) {
        while let Some(from) = connection.page_from().filter(|_| connection.closing().is_none()) {
            let Some(page) = self.script.page(&shared.service, from).await else {
                // The log cannot be read now; the stream is where it was, and is resumed later.
                return connection.close(Disconnect::TryLater);
            };
            if connection.page(&page.bytes, page.upto, page.head) {
                connection.deliver(&self.script.caught_up(page.upto, &page.read));
            }
        }
    }

    /// When to speak up, if nothing else is told.
    pub fn due(&mut self, connection: &Connection) -> Instant {
        // While it is still being written what was told, nothing is to be said (nor looked for).
        if self.told != connection.told_bytes() || connection.is_stuck() {
            (self.told, self.spoke) = (connection.told_bytes(), Instant::now());
        }
        self.spoke + Duration::from_millis(STREAM_PING_MS)
    }

    /// Speaks up, if it is time. An idle client's cursor moves with it.
    pub fn speak(&mut self, shared: &Shared, connection: &Connection) {
        if self.due(connection) > Instant::now() {
            return;
        }
        self.spoke = Instant::now();
        // A reader who does not read what there is needs no more of it.
        if !connection.is_stuck() {
            connection.deliver(&self.script.ping(connection.passed(shared.head.get())));
        }
    }

    /// The last words, which say whether to come back.
    pub fn reason(&self, why: Disconnect, connection: &Connection) {
        connection.control(&self.script.bye(why));
    }
}

/// Serves a stream that is the body of a response, until either side ends it.
pub(super) async fn serve(
    shared: &Shared,
    connection: &Connection,
    subscription: SubscriptionGuard,
    script: Box<dyn StreamScript>,
    deadline: &mut Pin<&mut Sleep>,
) {
    connection.uncork();
    let mut feeder = StreamDriver::begin(script, connection);
    let mut stuck: Option<(Instant, usize)> = None;
    while !connection.is_broken() {
        feeder.pump(shared, connection).await;
        if let Some(closing) = connection.closing() {
            feeder.reason(closing, connection);
            break;
        }
        stuck = match stuck {
            _ if !connection.is_stuck() => None,
            Some((since, before)) if connection.taken() == before => Some((since, before)),
            _ => Some((Instant::now(), connection.taken())),
        };
        let stall = stuck.map(|(since, _)| since + Duration::from_millis(WRITE_STALL_MS));
        let due = feeder.due(connection);
        deadline.as_mut().reset(stall.map_or(due, |stall| stall.min(due)));
        match connection.wait(deadline, true, connection.is_stuck()).await {
            // There is nothing to say to us any more, and nobody listens when it ends.
            Ready::Read if connection.read(&mut shared.read_buffer.borrow_mut()) == Some(0) => {
                break;
            }
            Ready::Read | Ready::Nudge => {}
            Ready::Write => connection.flush(),
            Ready::Deadline if stall.is_some_and(|stall| stall <= Instant::now()) => {
                log!(Debug, "stream {}: takes nothing", connection.subscription);
                connection.give_up();
            }
            Ready::Deadline => feeder.speak(shared, connection),
        }
    }
    drop(subscription);
}
