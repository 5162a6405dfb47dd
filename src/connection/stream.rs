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
use crate::connection::wire::{Ready, Wire};
use crate::hub::SubscriptionGuard;
use crate::limits::{STREAM_PING_MS, WRITE_STALL_MS};
use crate::log;
use crate::protocol::StreamScript;

/// Keeps one stream supplied.
pub(super) struct Feeder {
    script: Box<dyn StreamScript>,
    /// When something was last told, and how much had been told then.
    spoke: Instant,
    told: usize,
}

impl Feeder {
    /// Begins a stream: what was told of its rooms meanwhile is not lost, as the log has it.
    pub fn begin(script: Box<dyn StreamScript>, wire: &Wire) -> Feeder {
        wire.feed_from(script.cursor());
        wire.deliver(script.opening());
        Feeder { script, spoke: Instant::now(), told: wire.told_bytes() }
    }

    /// Reads the log as far as there is room for it, if the stream is behind.
    pub async fn pump(&mut self, shared: &Shared, wire: &Wire) {
        while let Some(from) = wire.page_from().filter(|_| wire.closing().is_none()) {
            let Some(page) = self.script.page(&shared.service, from).await else {
                // The log cannot be read now; the stream is where it was, and is resumed later.
                return wire.close(Disconnect::TryLater);
            };
            if wire.page(&page.bytes, page.upto, page.head) {
                wire.deliver(&self.script.caught_up(page.upto, &page.read));
            }
        }
    }

    /// When to speak up, if nothing else is told.
    pub fn due(&mut self, wire: &Wire) -> Instant {
        // While it is still being written what was told, nothing is to be said (nor looked for).
        if self.told != wire.told_bytes() || wire.is_stuck() {
            (self.told, self.spoke) = (wire.told_bytes(), Instant::now());
        }
        self.spoke + Duration::from_millis(STREAM_PING_MS)
    }

    /// Speaks up, if it is time. An idle client's cursor moves with it.
    pub fn speak(&mut self, shared: &Shared, wire: &Wire) {
        if self.due(wire) > Instant::now() {
            return;
        }
        self.spoke = Instant::now();
        // A reader who does not read what there is needs no more of it.
        if !wire.is_stuck() {
            wire.deliver(&self.script.ping(wire.passed(shared.head.get())));
        }
    }

    /// The last words, which say whether to come back.
    pub fn reason(&self, why: Disconnect, wire: &Wire) {
        wire.control(&self.script.bye(why));
    }
}

/// Serves a stream that is the body of a response, until either side ends it.
pub(super) async fn serve(
    shared: &Shared,
    wire: &Wire,
    subscription: SubscriptionGuard,
    script: Box<dyn StreamScript>,
    deadline: &mut Pin<&mut Sleep>,
) {
    wire.uncork();
    let mut feeder = Feeder::begin(script, wire);
    let mut stuck: Option<(Instant, usize)> = None;
    while !wire.is_broken() {
        feeder.pump(shared, wire).await;
        if let Some(closing) = wire.closing() {
            feeder.reason(closing, wire);
            break;
        }
        stuck = match stuck {
            _ if !wire.is_stuck() => None,
            Some((since, before)) if wire.taken() == before => Some((since, before)),
            _ => Some((Instant::now(), wire.taken())),
        };
        let stall = stuck.map(|(since, _)| since + Duration::from_millis(WRITE_STALL_MS));
        let due = feeder.due(wire);
        deadline.as_mut().reset(stall.map_or(due, |stall| stall.min(due)));
        match wire.wait(deadline, true, wire.is_stuck()).await {
            // There is nothing to say to us any more, and nobody listens when it ends.
            Ready::Read if wire.read(&mut shared.read_buffer.borrow_mut()) == Some(0) => break,
            Ready::Read | Ready::Nudge => {}
            Ready::Write => wire.flush(),
            Ready::Deadline if stall.is_some_and(|stall| stall <= Instant::now()) => {
                log!(Debug, "stream {}: takes nothing", wire.subscription);
                wire.give_up();
            }
            Ready::Deadline => feeder.speak(shared, wire),
        }
    }
    drop(subscription);
}
