//! One socket: HTTP requests until it closes or becomes a websocket, then the websocket, until it
//! ends. The connection's task reads, decodes and waits; the worker delivers the frames.
//!
//! The task awaits cancel-safe things only (the socket, a nudge, a deadline) and does the rest in
//! plain code. Its read buffer belongs to the thread, not to the connection. The HTTP phase lives
//! in a box that is dropped at the upgrade, so an idle websocket holds almost no memory. It never
//! decides what a request means: the protocols do.

mod answer;
mod http;
mod lag;
mod proxy_header;
mod slots;
mod socket;
mod stream;
mod stream_cursor;
#[cfg(test)]
mod tests;
mod turns;
mod unfinished;
mod websocket;

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::chat::{Seq, SubscriptionId};
use crate::connection::http::Next;
pub use crate::connection::proxy_header::LOCAL_HEADER;
use crate::connection::slots::{Addresses, Place};
pub use crate::connection::slots::{Connections, Gate, Slot, Slots};
#[cfg(test)]
pub(crate) use crate::connection::socket::Hearing;
use crate::connection::socket::Ready;
pub use crate::connection::socket::{Connection, RoundEvent};
#[cfg(test)]
pub(crate) use crate::connection::stream_cursor::StreamCursor;
use crate::connection::turns::Turns;
use crate::connection::unfinished::Unfinished;
use crate::counts::{Kind, WorkerCounts};
use crate::limits::{CLOSE_DEADLINE_MS, INPUT_BYTES_MAX, READ_BUFFER_BYTES, UNSENT_BYTES_MAX};
use crate::outgoing::Budget;
use crate::protocol::Service;
use crate::tls::Tls;

/// The state that all connections of one thread share.
pub struct Shared {
    service: Rc<Service>,
    read_buffer: RefCell<Box<[u8]>>,
    /// Control frames that a websocket's reading side writes.
    control: RefCell<Vec<u8>>,
    stopping: Cell<bool>,
    /// Every entry up to here has been announced on this thread.
    head: Rc<Cell<Seq>>,
    /// The bytes queued for all connections of this thread, and the bodies of responses in
    /// progress.
    unsent: Rc<Budget>,
    unfinished: Unfinished,
    turns: Turns,
    slots: Slots,
    addresses: Addresses,
    /// All connections of this thread.
    connections: Connections,
    counts: Rc<RefCell<WorkerCounts>>,
}

/// A served connection. Its drop, for whatever reason, releases its unfinished input.
struct Present<'a>(&'a Shared, &'a Rc<Connection>);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.unfinished.note(self.1, 0);
    }
}

impl Shared {
    /// The state for one thread.
    pub fn new(
        service: Rc<Service>,
        head: Rc<Cell<Seq>>,
        connections: Connections,
        slots: Slots,
    ) -> Shared {
        let workers = service.config.workers.max(1);
        let most = service.config.connections_per_address.div_ceil(workers);
        Shared {
            service,
            unsent: Rc::new(Budget::new(UNSENT_BYTES_MAX / workers)),
            unfinished: Unfinished::new(INPUT_BYTES_MAX / workers),
            turns: Turns::new(),
            slots,
            addresses: Addresses::new(most),
            connections,
            read_buffer: RefCell::new(vec![0; READ_BUFFER_BYTES].into()),
            control: RefCell::new(Vec::new()),
            stopping: Cell::new(false),
            head,
            counts: Rc::default(),
        }
    }

    /// What the worker has counted, and the budget of its unsent bytes.
    pub fn counted(&self) -> (Rc<RefCell<WorkerCounts>>, Rc<Budget>) {
        (self.counts.clone(), self.unsent.clone())
    }

    /// Counts something.
    pub fn count(&self, add: impl FnOnce(&mut WorkerCounts)) {
        add(&mut self.counts.borrow_mut());
    }

    /// A peer without a sign of life for this long is taken to be gone.
    pub fn pong_deadline_ms(&self) -> u64 {
        self.service.config.pong_deadline_ms
    }

    /// A new connection of this thread; `tls`: the certificates, if the server has any.
    pub fn connection(
        &self,
        subscription: SubscriptionId,
        stream: TcpStream,
        tls: Option<Tls>,
    ) -> Connection {
        Connection::new(subscription, stream, tls, &self.unsent)
    }

    /// Waits until another connection may start.
    pub async fn turn(&self) {
        self.turns.take().await;
    }

    /// Keeps no connection alive for another request from here on. The caller nudges the idle ones.
    pub fn stop(&self) {
        self.stopping.set(true);
    }
}

/// An open connection among those of its kind, to its drop.
struct Counted<'a> {
    shared: &'a Shared,
    kind: Kind,
}

impl<'a> Counted<'a> {
    fn new(shared: &'a Shared, transport: &'static str, protocol: &'static str) -> Counted<'a> {
        let kind = Kind { transport, protocol };
        shared.count(|counts| counts.connections.add(kind, 1));
        Counted { shared, kind }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.shared.count(|counts| counts.connections.take(self.kind));
    }
}

/// Serves one connection to its end.
pub async fn serve(shared: Rc<Shared>, connection: Rc<Connection>, slot: Slot) {
    let mut deadline = pin!(tokio::time::sleep(Duration::ZERO));
    let (present, mut place) = (Present(&shared, &connection), Place::new(slot));
    let http = Counted::new(&shared, "http", "");
    // Boxed: an idle websocket must not pay for the phases before it.
    let introduced = Box::pin(proxy_header::take(&shared, &connection, &place)).await;
    let next = match introduced {
        true => Box::pin(http::serve(&shared, &connection, &mut place)).await,
        false => None,
    };
    drop(http);
    match next {
        None => {}
        Some(Next::Websocket(upgrade)) => {
            let _counted = Counted::new(&shared, "websocket", upgrade.codec.name());
            websocket::serve(&shared, &connection, upgrade, &mut deadline).await;
        }
        // Boxed: an idle websocket must not pay for a stream's state.
        Some(Next::Stream { subscription, script }) => {
            let _counted = Counted::new(&shared, "stream", "");
            Box::pin(stream::serve(&shared, &connection, subscription, script, &mut deadline))
                .await;
        }
    }
    shared.turns.take().await;
    drop(present);
    connection.end();
    // A slot of the reserve is returned at once.
    if !place.is_of_the_reserve() {
        linger(&shared, &connection, &mut deadline).await;
    }
}

/// Lets the peer read the last bytes. Closing a socket with unread input makes the kernel send a
/// reset, which can destroy bytes in flight (RFC 9112 section 9.6): so our side is shut first, and
/// further input is discarded until a deadline.
async fn linger(
    shared: &Shared,
    connection: &Connection,
    deadline: &mut std::pin::Pin<&mut Sleep>,
) {
    deadline.as_mut().reset(Instant::now() + Duration::from_millis(CLOSE_DEADLINE_MS));
    let mut shut = false;
    while !connection.is_broken() {
        connection.flush();
        if !shut && !connection.is_stuck() {
            connection.shut();
            shut = true;
        }
        match connection.wait(deadline, true, !shut).await {
            Ready::Deadline => return,
            Ready::Read if connection.read(&mut shared.read_buffer.borrow_mut()) == Some(0) => {
                return;
            }
            Ready::Read | Ready::Write | Ready::Nudge => {}
        }
    }
}
