//! Turns for bursts: new connections, requests, the ends of connections. A thread grants
//! `TURNS_PER_ROUND` turns in one round of its event loop; further tasks wait for the next round,
//! in order. So a thousand clients that connect, request or leave at once delay no chat: between
//! two rounds every other socket is read, and the hub and the delivery get their turn.

use std::cell::Cell;

use tokio::sync::Semaphore;

use crate::limits::TURNS_PER_ROUND;

/// The turns of one thread.
pub(super) struct Turns {
    left: Semaphore,
    /// A task waits to begin the next round.
    ending: Cell<bool>,
}

impl Turns {
    pub fn new() -> Turns {
        Turns { left: Semaphore::new(TURNS_PER_ROUND), ending: Cell::new(false) }
    }

    /// Waits for a turn.
    pub async fn take(&self) {
        // The semaphore is never closed.
        if let Ok(turn) = self.left.acquire().await {
            turn.forget();
        }
        if self.left.available_permits() == 0 && !self.ending.replace(true) {
            // The task that took the last turn begins the next round: tokio resumes a task that
            // yields only after it has polled all sockets. (In a drop, as the connection may be cut
            // off while it waits here.)
            let _next = NextRound(self);
            tokio::task::yield_now().await;
        }
    }
}

struct NextRound<'a>(&'a Turns);

impl Drop for NextRound<'_> {
    fn drop(&mut self) {
        self.0.ending.set(false);
        // The task that begins the round uses one of its turns.
        self.0.left.add_permits(TURNS_PER_ROUND - 1);
    }
}
