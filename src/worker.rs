//! One thread: its connections, their subscriptions, and the delivery round.
//!
//! The hub sends one item for each announcement, not one for each recipient: the worker knows the
//! recipients. It gathers the frames of a round and writes once to each connection, because one
//! small write costs more than everything else together.
//!
//! A worker does I/O and nothing else: it makes no decisions, and never waits for a client. The
//! server starts it; everything on its thread is shared by `Rc`, so there is no lock.

mod delivery;
#[cfg(test)]
mod simulation;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::chat::{Seq, SubscriptionId};
use crate::connection::{self, Connections, Shared, Slot, Slots};
use crate::hub::{self, Rounds};
use crate::limits::DRAIN_MS;
use crate::log;
use crate::protocol::Service;
use crate::tls::Tls;
use crate::worker::delivery::Delivery;

/// An accepted connection, and the slot that it returns at its end.
pub struct NewConnection {
    /// The socket; it belongs to no runtime yet.
    pub stream: std::net::TcpStream,
    /// Its slot.
    pub slot: Slot,
    /// The certificates, if the server has any.
    pub tls: Option<Tls>,
}

/// Serves until `new_connections` is closed, every connection has ended, and the hub is gone.
pub async fn run(
    worker: usize,
    service: Service,
    new_connections: mpsc::Receiver<NewConnection>,
    slots: Slots,
    mut rounds: Rounds,
) {
    let (connections, head) = (Connections::default(), Rc::new(Cell::new(Seq(0))));
    let shared = Shared::new(Rc::new(service), head.clone(), connections.clone(), slots);
    tokio::task::spawn_local(accept(worker, shared, new_connections, connections.clone()));
    let mut delivery = Delivery::new(connections, head);
    while let Some(items) = rounds.recv().await {
        delivery.take(items);
        // All rounds that have arrived share the same writes.
        while let Ok(items) = rounds.try_recv() {
            delivery.take(items);
        }
        delivery.flush();
    }
}

/// Starts a task for each new connection; after the last one, asks all connections to end, and cuts
/// off those that do not end in time.
async fn accept(
    worker: usize,
    shared: Shared,
    mut new_connections: mpsc::Receiver<NewConnection>,
    connections: Connections,
) {
    let shared = Rc::new(shared);
    let mut count = 0;
    let patience = Duration::from_millis(shared.pong_deadline_ms());
    while let Some(NewConnection { stream, slot, tls }) = new_connections.recv().await {
        shared.turn().await;
        // The client may be gone already.
        let Ok(stream) = prepared(stream, patience) else { continue };
        count += 1;
        let connection =
            Rc::new(shared.connection(hub::subscription_id(worker, count), stream, tls));
        connections.borrow_mut().insert(connection.subscription, connection.clone());
        let registered =
            Registered { connections: connections.clone(), subscription: connection.subscription };
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            // Also dropped when the connection panics, which ends only that connection.
            let _registered = registered;
            connection::serve(shared, connection, slot).await;
        });
    }
    shared.stop();
    for connection in connections.borrow().values() {
        connection.nudge();
    }
    // The shared state keeps the hub running: from here on only the remaining connections hold it.
    drop(shared);
    tokio::time::sleep(Duration::from_millis(DRAIN_MS)).await;
    let left = connections.borrow();
    if !left.is_empty() {
        log!(Warn, "{} connections did not close in time and were cut off", left.len());
    }
    for connection in left.values() {
        connection.cut_off();
    }
}

/// Sets the options of an accepted socket.
fn prepared(stream: std::net::TcpStream, patience: Duration) -> io::Result<TcpStream> {
    // Small frames must not wait for one another (without it, 20 ms instead of 0.5).
    stream.set_nodelay(true)?;
    // A vanished peer acknowledges nothing, and the kernel alone would retransmit for a quarter of
    // an hour. (Every open connection sends something twice a minute, at least a ping.)
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(patience))?;
    TcpStream::from_std(stream)
}

/// A connection's entry in the table.
struct Registered {
    connections: Connections,
    subscription: SubscriptionId,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.borrow_mut().remove(&self.subscription);
    }
}
