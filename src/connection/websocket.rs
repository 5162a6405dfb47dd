//! The websocket phase of a connection (RFC 6455): frames in, tells out to the hub, pings, and the
//! closing handshake. The worker, not this task, writes a room's events.

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::chat::{ClientEvent, Seq};
use crate::codec::{Codec, Disconnect};
use crate::connection::Shared;
use crate::connection::http::Upgrade;
use crate::connection::slots::Stage;
use crate::connection::socket::{Connection, Ready};
use crate::connection::stream::StreamDriver;
use crate::hub::SubscriptionGuard;
use crate::limits::{CLOSE_DEADLINE_MS, MESSAGE_DEADLINE_MS, WRITE_STALL_MS};
use crate::log;
use crate::protocol;
use crate::ws::{CloseFrame, Incoming, Websocket};

/// One open websocket.
struct Session<'a> {
    shared: &'a Shared,
    connection: &'a Rc<Connection>,
    codec: &'static dyn Codec,
    /// Dropped when the session ends, which makes the hub unsubscribe it.
    subscription: Option<SubscriptionGuard>,
    websocket: Websocket,
    /// Drives a stream. (Boxed: most websockets have none.)
    driver: Option<Box<StreamDriver>>,
    /// Input that was read and must wait: at most one read buffer.
    rest: Vec<u8>,
    /// A decoded tell that found the hub's inbox full.
    held: Option<ClientEvent>,
    /// The peer's last sign of life.
    alive: Instant,
    /// A ping was sent since then.
    pinged: bool,
    /// Since when the kernel has taken no queued bytes, and the bytes it had taken by then.
    stuck: Option<(Instant, usize)>,
    /// When our close frame was queued.
    closed: Option<Instant>,
    /// When the message began that is not complete yet.
    unfinished: Option<Instant>,
}

/// Serves a websocket until both close frames are exchanged, or the peer is gone.
pub(super) async fn serve(
    shared: &Shared,
    connection: &Rc<Connection>,
    upgrade: Upgrade,
    deadline: &mut Pin<&mut Sleep>,
) {
    let Upgrade { subscription, codec, script, early } = upgrade;
    let mut session = Session {
        shared,
        connection,
        codec,
        subscription: Some(subscription),
        websocket: Websocket::new(),
        driver: script.map(|script| Box::new(StreamDriver::begin(script, connection))),
        rest: early.to_vec(),
        held: None,
        alive: Instant::now(),
        pinged: false,
        stuck: None,
        closed: None,
        unfinished: None,
    };
    drop(early);
    deadline.as_mut().reset(Instant::now());
    while !session.is_over() {
        let paused = Instant::now();
        session.catch_up().await;
        session.has_not_listened(paused);
        session.turn(deadline).await;
    }
}

impl Session<'_> {
    fn is_over(&self) -> bool {
        self.websocket.is_over() || self.connection.is_broken()
    }

    /// Continues with the waiting input, as far as the hub's back-pressure allows.
    async fn catch_up(&mut self) {
        if let (Some(subscription), Some(event)) = (&self.subscription, self.held.take()) {
            subscription.tell(event).await;
        }
        if let Some(driver) = self.driver.as_mut().filter(|_| self.closed.is_none()) {
            Box::pin(driver.pump(self.shared, self.connection)).await;
        }
        while let Some((from, own)) = self.connection.lags_from().filter(|_| self.closed.is_none())
        {
            Box::pin(self.make_up(from, own)).await;
        }
        if !self.rest.is_empty() && self.connection.may_tell() {
            let rest = std::mem::take(&mut self.rest);
            self.take(&rest);
        }
    }

    /// Reads the room's messages back that a lagging client has missed.
    async fn make_up(&self, from: Option<Seq>, own: Vec<Seq>) {
        let (Some(from), Some(room)) = (from, self.connection.room.get()) else {
            return self.connection.make_up(&[], Seq(0), Seq(0));
        };
        match protocol::missed(&self.shared.service, self.codec, room, from, &own).await {
            Some(missed) => self.connection.make_up(&missed.bytes, missed.upto, missed.head),
            None => self.connection.close(Disconnect::TryLater),
        }
    }

    /// Waits for one event, and handles it.
    async fn turn(&mut self, deadline: &mut Pin<&mut Sleep>) {
        if self.is_over() {
            return;
        }
        if let Some(closing) = self.connection.closing()
            && self.closed.is_none()
        {
            self.close(closing);
        }
        self.watch_progress();
        let due = self.due();
        // Resetting a timer is expensive, so an early timer is left to fire and is reset then.
        if due < deadline.deadline() || deadline.is_elapsed() {
            deadline.as_mut().reset(due);
        }
        let read = self.rest.is_empty() && self.held.is_none() && self.connection.may_tell();
        let paused = Instant::now();
        let write = self.connection.is_stuck() && self.connection.batch_due().is_none();
        match self.connection.wait(deadline, read, write).await {
            Ready::Read => self.read(),
            Ready::Write => self.connection.flush(),
            Ready::Nudge => {}
            Ready::Deadline => self.deadline(read),
        }
        if !read {
            self.has_not_listened(paused);
        }
    }

    /// Nothing was read since `since` (the client's messages wait for the disk or the hub), so the
    /// peer's silence does not count.
    fn has_not_listened(&mut self, since: Instant) {
        self.alive += since.elapsed();
    }

    fn read(&mut self) {
        let shared = self.shared;
        let mut buffer = shared.read_buffer.borrow_mut();
        match self.connection.read(&mut buffer) {
            None => {}
            Some(0) => self.vanish("disconnected without a close frame"),
            Some(count) => {
                self.alive = Instant::now();
                self.pinged = false;
                self.take(&buffer[..count]);
            }
        }
    }

    /// Takes input, message by message, until it is used up or must wait.
    fn take(&mut self, mut input: &[u8]) {
        let shared = self.shared;
        let mut out = shared.control.borrow_mut();
        out.clear();
        let before = self.unfinished.take();
        let mut whole = false;
        while let Some(incoming) = self.websocket.next(&mut input, &mut out) {
            if matches!(incoming, Incoming::Text(_) | Incoming::Binary(_)) {
                whole = true;
                self.connection.enter(Stage::Busy);
            }
            let goes_on = match incoming {
                Incoming::Text(text) => self.tell(self.codec.decode(&text)),
                Incoming::Binary(_) => {
                    let CloseFrame { code, reason } = self.codec.close(Disconnect::NotText);
                    self.websocket.close(code, reason, &mut out);
                    self.connection.end();
                    self.closed = Some(Instant::now());
                    self.subscription = None;
                    true
                }
                Incoming::Alive => true,
                Incoming::Closed { .. } => {
                    self.subscription = None;
                    true
                }
                Incoming::Failed(failure) => {
                    log!(
                        Debug,
                        "subscription {}: {} {}",
                        self.connection.subscription,
                        failure.code,
                        failure.reason
                    );
                    self.subscription = None;
                    true
                }
            };
            if !goes_on {
                self.rest = input.to_vec();
                break;
            }
        }
        if self.websocket.is_over() {
            self.connection.end();
        }
        self.connection.control(&out);
        let bytes = self.websocket.unfinished();
        if bytes > 0 {
            self.unfinished = Some(before.filter(|_| !whole).unwrap_or_else(Instant::now));
        }
        if bytes > 0 || before.is_some() {
            shared.unfinished.note(self.connection, bytes);
        }
    }

    /// Hands a tell to the hub. `false`: the next one must wait.
    fn tell(&mut self, event: ClientEvent) -> bool {
        let Some(subscription) = &self.subscription else { return true };
        let more = self.connection.told();
        match subscription.try_tell(event) {
            Ok(()) => more,
            Err(event) => {
                self.held = Some(event);
                false
            }
        }
    }

    /// Starts the closing handshake, after the queued bytes.
    fn close(&mut self, why: Disconnect) {
        let CloseFrame { code, reason } = self.codec.close(why);
        log!(Debug, "subscription {}: closed, {code}: {reason}", self.connection.subscription);
        let mut out = Vec::new();
        if let Some(driver) = &self.driver {
            driver.reason(why, self.connection);
        }
        self.websocket.close(code, reason, &mut out);
        self.connection.end();
        self.connection.control(&out);
        self.closed = Some(Instant::now());
        self.subscription = None;
        (self.rest, self.held, self.unfinished) = (Vec::new(), None, None);
        self.shared.unfinished.note(self.connection, 0);
    }

    /// Ends the session without a closing handshake, as the peer is gone.
    fn vanish(&mut self, why: &str) {
        log!(Debug, "subscription {}: {why}", self.connection.subscription);
        self.connection.give_up();
    }

    /// Notes whether the kernel takes queued bytes.
    fn watch_progress(&mut self) {
        let taken = self.connection.taken();
        self.stuck = match self.stuck {
            _ if !self.connection.is_stuck() => None,
            Some((since, before)) if taken == before => Some((since, before)),
            _ => Some((Instant::now(), taken)),
        };
    }

    /// The next deadline.
    fn due(&mut self) -> Instant {
        let config = &self.shared.service.config;
        let after = |since: Instant, millis: u64| since + Duration::from_millis(millis);
        let sign = if self.pinged { config.pong_deadline_ms } else { config.ping_interval_ms };
        let mut due = after(self.alive, sign);
        if let Some((since, _)) = self.stuck {
            due = due.min(after(since, WRITE_STALL_MS));
            due = due.min(self.connection.batch_due().unwrap_or(due));
        }
        if let Some(driver) = &mut self.driver {
            due = due.min(driver.due(self.connection));
        }
        if let Some(since) = self.closed {
            due = due.min(after(since, CLOSE_DEADLINE_MS));
        } else if let Some(since) = self.unfinished {
            due = due.min(after(since, MESSAGE_DEADLINE_MS));
        }
        due
    }

    fn deadline(&mut self, listens: bool) {
        let config = &self.shared.service.config;
        let now = Instant::now();
        let past = |since: Instant, millis: u64| since + Duration::from_millis(millis) <= now;
        if self.closed.is_some_and(|since| past(since, CLOSE_DEADLINE_MS)) {
            return self.vanish("did not answer our close frame");
        }
        if self.stuck.is_some_and(|(since, _)| past(since, WRITE_STALL_MS)) {
            return match self.closed {
                None => self.close(Disconnect::TooSlow),
                Some(_) => self.vanish("takes nothing"),
            };
        }
        if listens && past(self.alive, config.pong_deadline_ms) {
            return self.vanish("did not answer pings");
        }
        if self.closed.is_none()
            && self.unfinished.is_some_and(|since| past(since, MESSAGE_DEADLINE_MS))
        {
            return self.close(Disconnect::Drips);
        }
        if let Some(driver) = self.driver.as_mut().filter(|_| self.closed.is_none()) {
            driver.speak(self.shared, self.connection);
        }
        if past(self.alive, config.ping_interval_ms) && !self.pinged {
            self.pinged = listens; // Without reading, the pong cannot be seen.
            let mut out = Vec::new();
            self.websocket.ping(&mut out);
            self.connection.control(&out);
        }
    }
}
