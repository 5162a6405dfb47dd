//! How accepted connections get to the workers: round-robin, skipping workers that do not take
//! theirs.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::limits::ARRIVALS_MAX;

/// The senders to all workers.
pub(super) struct Dispatcher<T> {
    workers: Vec<mpsc::Sender<T>>,
    /// The worker that got the last connection.
    last: usize,
}

impl<T> Dispatcher<T> {
    pub fn new() -> Dispatcher<T> {
        Dispatcher { workers: Vec::new(), last: 0 }
    }

    /// Adds a worker, and returns its receiver.
    pub fn add(&mut self) -> mpsc::Receiver<T> {
        let (worker, new_connections) = mpsc::channel(ARRIVALS_MAX);
        self.workers.push(worker);
        new_connections
    }

    /// Gives a connection to the next worker with room. A stuck worker is skipped, and keeps the
    /// connections in its queue. When all are stuck this waits for any of them; nothing is accepted
    /// meanwhile, and clients wait in the backlog.
    pub async fn hand_over(&mut self, mut new_connection: T) {
        loop {
            for _ in 0..self.workers.len() {
                self.last = (self.last + 1) % self.workers.len();
                match self.workers[self.last].try_send(new_connection) {
                    Ok(()) => return,
                    Err(TrySendError::Full(back) | TrySendError::Closed(back)) => {
                        new_connection = back
                    }
                }
            }
            self.room().await;
        }
    }

    /// Waits until some worker has room. (If a worker has failed, the server notices and ends.)
    async fn room(&self) {
        let open = self.workers.iter().filter(|worker| !worker.is_closed());
        let mut rooms: Vec<_> = open.map(|worker| Box::pin(worker.reserve())).collect();
        if rooms.is_empty() {
            return pending().await;
        }
        poll_fn(|context| {
            let mut rooms = rooms.iter_mut().map(|room| Pin::new(room).poll(context));
            if rooms.any(|poll| poll.is_ready()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Three workers' queues, and their receivers.
    fn dispatcher() -> (Dispatcher<usize>, Vec<mpsc::Receiver<usize>>) {
        let mut dispatcher = Dispatcher::new();
        let new_connections = (0..3).map(|_| dispatcher.add()).collect();
        (dispatcher, new_connections)
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(test);
    }

    #[test]
    fn each_worker_has_its_turn() {
        run(async {
            let (mut dispatcher, mut new_connections) = dispatcher();
            for number in 0..12 {
                dispatcher.hand_over(number).await;
            }
            for (worker, new_connections) in new_connections.iter_mut().enumerate() {
                let came: Vec<usize> =
                    std::iter::from_fn(|| new_connections.try_recv().ok()).collect();
                let first = [2, 0, 1][worker];
                assert_eq!(came, [first, first + 3, first + 6, first + 9]);
            }
        });
    }

    #[test]
    fn a_stuck_worker_delays_no_connection() {
        run(async {
            let (mut dispatcher, mut new_connections) = dispatcher();
            let mut came = 0;
            for number in 0..1_000 {
                // Nothing here waits: a deadline of no time at all is met.
                let handed = timeout(Duration::ZERO, dispatcher.hand_over(number)).await;
                assert!(handed.is_ok(), "{number} is not handed over");
                came += new_connections[1..]
                    .iter_mut()
                    .filter_map(|receiver| receiver.try_recv().ok())
                    .count();
            }
            assert_eq!(came, 1_000 - ARRIVALS_MAX, "all but those in its line are served");
        });
    }

    #[test]
    fn when_all_workers_are_stuck_the_next_waits_for_any() {
        run(async {
            let (mut dispatcher, mut new_connections) = dispatcher();
            for number in 0..3 * ARRIVALS_MAX {
                dispatcher.hand_over(number).await;
            }
            {
                let next = dispatcher.hand_over(999);
                tokio::pin!(next);
                // A caller that selects on something else, a signal say, stays responsive.
                assert!(timeout(Duration::from_millis(1), &mut next).await.is_err());
                new_connections[2].try_recv().expect("a connection");
                next.await;
            }
            drop(new_connections);
            let never = timeout(Duration::from_millis(1), dispatcher.hand_over(1_000)).await;
            assert!(never.is_err(), "without workers it waits for ever");
        });
    }
}
