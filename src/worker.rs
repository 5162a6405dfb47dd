//! One thread: its connections, who of them sits in which room, and the delivery round.
//!
//! The hub sends one item for each announcement, not one for each recipient. Who hears it, the
//! worker knows. It gathers what a round brings and writes once to each connection: what counts is
//! how many frames share a write, as one small write costs more than everything else together.
//!
//! A worker does I/O and nothing else: it decides nothing, and never waits for a client. Started
//! by the server; everything on its thread shares by `Rc`, so there is no lock.

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
use crate::limits::FAREWELL_MS;
use crate::log;
use crate::protocol::Service;
use crate::worker::delivery::Delivery;

/// A connection that was accepted, and the place that it gives back at its end.
pub struct NewConnection {
    /// The socket; it belongs to no runtime yet.
    pub stream: std::net::TcpStream,
    /// Its place.
    pub slot: Slot,
}

/// Serves until `arrivals` is closed, every connection has ended, and the hub is gone.
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
        // Whatever else has come belongs into the same writes.
        while let Ok(items) = rounds.try_recv() {
            delivery.take(items);
        }
        delivery.flush();
    }
}

/// Starts a task for each connection that arrives; when no more do, has all of them end, and cuts
/// off those that do not.
async fn accept(
    worker: usize,
    shared: Shared,
    mut new_connections: mpsc::Receiver<NewConnection>,
    connections: Connections,
) {
    let shared = Rc::new(shared);
    let mut count = 0;
    let patience = Duration::from_millis(shared.pong_deadline_ms());
    while let Some(NewConnection { stream, slot }) = new_connections.recv().await {
        shared.turn().await;
        // It may be gone before it is served.
        let Ok(stream) = prepared(stream, patience) else { continue };
        count += 1;
        let connection = Rc::new(shared.connection(hub::subscription_id(worker, count), stream));
        connections.borrow_mut().insert(connection.subscription, connection.clone());
        let registered =
            Registered { connections: connections.clone(), subscription: connection.subscription };
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            // Dropped at the end also when the connection panics, which costs only itself.
            let _here = registered;
            connection::serve(shared, connection, slot).await;
        });
    }
    shared.stop();
    for connection in connections.borrow().values() {
        connection.nudge();
    }
    // What connections share keeps the hub running: those that are left have it, and only those.
    drop(shared);
    tokio::time::sleep(Duration::from_millis(FAREWELL_MS)).await;
    let left = connections.borrow();
    if !left.is_empty() {
        log!(Warn, "{} connections did not close in time and were cut off", left.len());
    }
    for connection in left.values() {
        connection.cut_off();
    }
}

/// A socket as connections need it.
fn prepared(stream: std::net::TcpStream, patience: Duration) -> io::Result<TcpStream> {
    // Small frames are not to wait for one another (without it, 20 ms instead of 0.5).
    stream.set_nodelay(true)?;
    // A peer that has vanished without a word acknowledges nothing. The kernel itself would go on
    // sending it the same for a quarter of an hour. (Everything open says something twice a minute,
    // if only a ping.)
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
