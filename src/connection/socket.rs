//! One socket and its unsent bytes. Two tasks on the same thread share it: the connection's task,
//! which reads and waits, and the worker, which delivers.
//!
//! Either task writes at once (but see `CROWDED_PERCENT`); only the bytes that the kernel does not
//! take are queued, and then the connection's task is woken to write them when the socket is ready.
//! Nothing here waits, except [`Connection::wait`].
//!
//! # When a client stops reading
//!
//! 1. The kernel's buffer fills, and the rest goes into the [`Outgoing`] queue of this connection.
//! 2. Frames that do not fit its bound are not queued: the connection is behind, which costs a
//!    number (`stream_cursor.rs`; for a room's subscription, `lag.rs`), and later reads what it
//!    missed from the log.
//! 3. When the kernel takes nothing for ten seconds (`WRITE_STALL_MS`), the connection is closed.
//!
//! So no other client waits for a slow one, and its memory is bounded.

mod hearing;
mod streaming;
mod transport;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::chat::{RoomId, SubscriptionId};
use crate::codec::Disconnect;
use crate::connection::slots::Stage;
pub(crate) use crate::connection::socket::hearing::Hearing;
pub use crate::connection::socket::hearing::RoundEvent;
use crate::connection::socket::transport::Transport;
use crate::connection::stream_cursor::StreamCursor;
use crate::limits::{
    BATCH_MS, CONTROL_RESERVE_BYTES, OUTBOX_BYTES_MAX, STREAM_OUTBOX_BYTES_MAX, UNANSWERED_MAX,
};
use crate::outgoing::{Budget, Outgoing};
use crate::protocol::Peer;
use crate::tls::Tls;

/// The phase of the connection, which decides what it may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flow {
    /// HTTP. A room's frames wait until the 101 is out.
    Corked,
    /// A websocket is open.
    Open,
    /// Our close frame is queued: nothing follows it (RFC 6455 section 5.5.1).
    Ended,
}

/// See the module's documentation.
pub struct Connection {
    /// The subscription that this connection can take, which is also its key in the worker's table.
    pub subscription: SubscriptionId,
    /// The room of its subscription, as the worker delivers to it; `None` for a stream, which has
    /// many.
    pub room: Cell<Option<RoomId>>,
    /// The stage, and since when.
    pub(super) stage: Cell<(Stage, Instant)>,
    /// A stream's cursor, and this round's frames for it.
    stream_cursor: RefCell<Option<Box<StreamCursor>>>,
    /// Whether a subscription of one room has missed anything.
    hearing: Hearing,
    transport: Transport,
    /// What a proxy has said before the first byte, if anything: the client, and whether it came
    /// through TLS.
    introduced: Cell<(Option<Peer>, bool)>,
    outgoing: RefCell<Outgoing>,
    told_bytes: Cell<usize>,
    flow: Cell<Flow>,
    /// Frames are queued, and written together, not before this time. `None`: written at once.
    batch: Cell<Option<Instant>>,
    /// Why the task will close the connection.
    closing: Cell<Option<Disconnect>>,
    /// The socket failed; there is nothing left to do.
    broken: Cell<bool>,
    /// The number of tells that the hub has not answered.
    unanswered: Cell<u32>,
    /// The task must look at state that does not show at the socket.
    nudged: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

/// The reasons why a connection's task wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// Input, or its end.
    Read,
    /// The socket takes queued bytes.
    Write,
    /// Another task of this thread changed the connection's state: check everything.
    Nudge,
    /// The deadline has come.
    Deadline,
}

impl Connection {
    /// A connection over a socket that has just been accepted; its queued bytes count in `unsent`.
    pub fn new(
        subscription: SubscriptionId,
        stream: TcpStream,
        tls: Option<Tls>,
        unsent: &Rc<Budget>,
    ) -> Connection {
        Connection {
            subscription,
            room: Cell::new(None),
            stage: Cell::new((Stage::Idle, Instant::now())),
            stream_cursor: RefCell::new(None),
            hearing: Hearing::new(unsent),
            transport: Transport::new(stream, tls),
            introduced: Cell::new((None, false)),
            outgoing: RefCell::new(Outgoing::new(unsent)),
            told_bytes: Cell::new(0),
            flow: Cell::new(Flow::Corked),
            batch: Cell::new(None),
            closing: Cell::new(None),
            broken: Cell::new(false),
            unanswered: Cell::new(0),
            nudged: Cell::new(false),
            task: RefCell::new(None),
        }
    }

    /// The peer; its address is unspecified if it is gone already.
    pub(super) fn from(&self) -> Peer {
        let address = || self.transport.peer().unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        self.introduced.get().0.unwrap_or_else(|| Peer::Socket(address()))
    }

    /// A proxy says who the client is, unless it is the proxy itself; `secure`: the client came to
    /// the proxy through TLS.
    pub(super) fn introduce(&self, client: Option<Peer>, secure: bool) {
        self.introduced.set((client, secure));
    }

    /// Whether TLS protects the connection, from the client on.
    pub(super) fn is_secure(&self) -> bool {
        self.transport.is_secure() || self.introduced.get().1
    }

    /// Whether the client speaks plain HTTP to a server that has certificates.
    pub(super) fn declines_tls(&self) -> bool {
        self.transport.declines_tls()
    }

    /// Writes frames, and queues the bytes that the kernel does not take. A client with
    /// `OUTBOX_BYTES_MAX` queued is closed: it can reconnect. From then on no frame is sent,
    /// although a shorter one might fit: the client's frames must have no gap.
    pub fn deliver(&self, frames: &[u8]) {
        let over = self.flow.get() == Flow::Ended || self.closing.get().is_some();
        if over || frames.is_empty() || self.broken.get() {
            return;
        }
        self.told_bytes.set(self.told_bytes.get().wrapping_add(frames.len()));
        let mut outgoing = self.outgoing.borrow_mut();
        let mut rest = frames;
        if outgoing.is_empty() && self.writes_at_once() {
            self.begin_batch();
            match self.transport.write([frames, b""], true) {
                Ok(count) => rest = &frames[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return self.fail(),
            }
        }
        if rest.is_empty() {
            if self.transport.is_stuck() {
                self.nudge();
            }
            return;
        }
        let was_empty = outgoing.is_empty();
        let fits = outgoing.len() + rest.len() <= OUTBOX_BYTES_MAX - CONTROL_RESERVE_BYTES;
        if !fits || outgoing.push(rest).is_err() {
            drop(outgoing);
            return self.close(Disconnect::TooSlow);
        }
        if was_empty {
            self.nudge(); // The task must also wait for room in the kernel.
        }
    }

    /// The hub has answered a tell, with or without a frame.
    pub fn answered(&self) {
        let unanswered = self.unanswered.get();
        self.unanswered.set(unanswered.saturating_sub(1));
        if unanswered == UNANSWERED_MAX {
            self.nudge();
        }
    }

    /// Asks the task to close the connection, after the queued bytes. The first reason counts.
    pub fn close(&self, closing: Disconnect) {
        if self.closing.get().is_none() {
            self.closing.set(Some(closing));
        }
        self.nudge();
    }

    /// Why the connection will be closed, if it will.
    pub(super) fn closing(&self) -> Option<Disconnect> {
        self.closing.get()
    }

    /// Enters another stage. A client that sends something receives frames at once again.
    pub(super) fn enter(&self, stage: Stage) {
        self.stage.set((stage, Instant::now()));
        if stage == Stage::Busy {
            self.batch.set(None);
        }
    }

    /// From now on delivers frames in batches, `BATCH_MS` apart; the first after a pause at once.
    pub(super) fn batch(&self) {
        self.batch.set(Some(Instant::now()));
    }

    /// When the next batch may be written, if it must wait.
    pub(super) fn batch_due(&self) -> Option<Instant> {
        self.batch.get().filter(|due| *due > Instant::now())
    }

    /// Writes a batch that waits, before its time.
    fn end_batch(&self) {
        if self.batch_due().is_some() {
            self.flush();
            self.batch.set(Some(Instant::now()));
        }
    }

    /// Whether frames go to the kernel at once when none is queued.
    fn writes_at_once(&self) -> bool {
        self.flow.get() == Flow::Open && self.batch_due().is_none()
    }

    fn begin_batch(&self) {
        if self.batch.get().is_some() {
            self.batch.set(Some(Instant::now() + Duration::from_millis(BATCH_MS)));
        }
    }

    /// Whether the connection is about to end.
    pub(super) fn is_leaving(&self) -> bool {
        self.broken.get() || self.closing.get().is_some() || self.flow.get() == Flow::Ended
    }

    /// Whether nothing can be read or written any more.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// The peer is gone.
    pub(super) fn give_up(&self) {
        self.broken.set(true);
    }

    /// Ends the connection at once; queued bytes are lost.
    pub fn cut_off(&self) {
        self.fail();
    }

    fn fail(&self) {
        self.broken.set(true);
        self.nudge();
    }

    /// Wakes the task to check everything.
    pub fn nudge(&self) {
        self.nudged.set(true);
        if let Some(task) = self.task.borrow_mut().take() {
            task.wake();
        }
    }

    /// Counts one more tell. `false`: the next one must wait.
    pub(super) fn told(&self) -> bool {
        self.unanswered.set(self.unanswered.get() + 1);
        self.may_tell()
    }

    /// Whether the hub has answered enough for one more tell, and the client has read enough of the
    /// answers: one that sends faster than it reads is slowed by TCP, not closed.
    pub(super) fn may_tell(&self) -> bool {
        let reads = self.outgoing.borrow().len() <= STREAM_OUTBOX_BYTES_MAX;
        reads && self.unanswered.get() < UNANSWERED_MAX
    }

    /// Sends the frames that were delivered during the handshake, after the 101.
    pub(super) fn uncork(&self) {
        self.flow.set(Flow::Open);
        self.flush();
    }

    /// Queues control frames (pong, ping, close), for which there is reserved room, and writes.
    pub(super) fn control(&self, frames: &[u8]) {
        if frames.is_empty() {
            return;
        }
        // A peer that pings and never reads its pongs is cut off.
        if self.outgoing.borrow_mut().push(frames).is_err() {
            return self.fail();
        }
        self.flush();
    }

    /// Delivers no further frame: the close frame is queued, or the peer is gone.
    pub(super) fn end(&self) {
        self.flow.set(Flow::Ended);
    }

    /// Whether bytes are queued that the kernel has not taken.
    pub(super) fn is_stuck(&self) -> bool {
        !self.outgoing.borrow().is_empty() || self.transport.is_stuck()
    }

    /// The number of frame bytes ever delivered, which shows whether anything was sent.
    pub(super) fn told_bytes(&self) -> usize {
        self.told_bytes.get()
    }

    /// The number of bytes that the kernel has ever taken, which shows progress.
    pub(super) fn taken(&self) -> usize {
        self.transport.taken()
    }

    /// Writes as many queued bytes as the kernel takes.
    pub(super) fn flush(&self) {
        self.begin_batch();
        let mut outgoing = self.outgoing.borrow_mut();
        let failed = loop {
            let written = match outgoing.chunk() {
                [] => break self.transport.flush(),
                chunk => self.transport.write([chunk, b""], true),
            };
            match written {
                Ok(count) => outgoing.advance(count),
                Err(error) => break Err(error),
            }
        };
        if failed.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            outgoing.clear();
            self.broken.set(true);
        }
    }

    /// Reads the available input. `None`: there is none; `Some(0)` is its end.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        self.received(self.transport.read(buffer))
    }

    /// The same from the socket itself, before TLS begins.
    pub(super) fn read_plain(&self, buffer: &mut [u8]) -> Option<usize> {
        self.received(self.transport.read_plain(buffer))
    }

    fn received(&self, read: io::Result<usize>) -> Option<usize> {
        match read {
            Ok(count) => Some(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => {
                self.broken.set(true);
                Some(0)
            }
        }
    }

    /// Writes without queueing, as much as the kernel takes; 0 when it takes nothing.
    pub(super) fn write(&self, parts: [&[u8]; 2]) -> usize {
        self.count(self.transport.write(parts, true))
    }

    /// The same, even if the kernel has not signalled that there is room.
    pub(super) fn push(&self, parts: [&[u8]; 2]) -> usize {
        self.count(self.transport.write(parts, false))
    }

    fn count(&self, written: io::Result<usize>) -> usize {
        match written {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.broken.set(true);
                0
            }
        }
    }

    /// Shuts the writing side; reading goes on.
    pub(super) fn shut(&self) {
        self.transport.shut();
    }

    /// Waits for the first of: input (if `read`), room to write (if `write`), a nudge, the
    /// deadline. Cancel-safe; only the connection's task calls it.
    pub(super) async fn wait(
        &self,
        deadline: &mut Pin<&mut Sleep>,
        read: bool,
        write: bool,
    ) -> Ready {
        poll_fn(|context| {
            if self.nudged.take() || self.broken.get() {
                return Poll::Ready(Ready::Nudge);
            }
            if write && self.transport.poll_write_ready(context).is_ready() {
                return Poll::Ready(Ready::Write);
            }
            if read && self.transport.poll_read_ready(context).is_ready() {
                return Poll::Ready(Ready::Read);
            }
            if deadline.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ready::Deadline);
            }
            let mut task = self.task.borrow_mut();
            if !task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
                *task = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}
