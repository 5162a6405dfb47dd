//! Turns for what comes in bursts: new connections, requests, the ends of connections. A thread
//! gives so many in one round of its event loop; whoever comes beyond that waits for the next
//! round, in order. So a thousand who connect, ask or go at once hold up nobody who chats: between
//! two rounds everybody else's socket is read, and the hub and the delivery have their turn.

use std::cell::Cell;

use tokio::sync::Semaphore;

use crate::limits::TURNS_PER_ROUND;

/// The turns of one thread.
pub(super) struct Turns {
    left: Semaphore,
    /// Somebody waits for the next round, in order to begin it.
    ending: Cell<bool>,
}

impl Turns {
    pub fn new() -> Turns {
        Turns { left: Semaphore::new(TURNS_PER_ROUND), ending: Cell::new(false) }
    }

    /// Waits for a turn.
    pub async fn take(&self) {
        // It is never closed.
        if let Ok(turn) = self.left.acquire().await {
            turn.forget();
        }
        if self.left.available_permits() == 0 && !self.ending.replace(true) {
            // One of those who took the last turns begins the next round: tokio goes on with a task
            // that yields only after it has looked at all sockets. (In a drop, as a connection may
            // be cut off while it waits here.)
            let _next = NextRound(self);
            tokio::task::yield_now().await;
        }
    }
}

struct NextRound<'a>(&'a Turns);

impl Drop for NextRound<'_> {
    fn drop(&mut self) {
        self.0.ending.set(false);
        // Whoever begins the round has one of its turns.
        self.0.left.add_permits(TURNS_PER_ROUND - 1);
    }
}
