//! What the server counts about itself: the numbers, and how they are added up.
//!
//! Every count has one owner, which alone changes it: the hub, the writer of the log, each worker.
//! So counting takes no lock, and no atomic that cores would fight over. `/metrics` asks each owner
//! for a copy. Nothing here knows how counts are shown.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// The upper bounds of the buckets of a [`Histogram`], in microseconds; one more bucket has no
/// bound.
pub const BOUNDS_MICROS: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000,
];

/// How often something took how long.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Histogram {
    /// The number of values up to each bound and above the one before; the last: above all.
    pub buckets: [u64; BOUNDS_MICROS.len() + 1],
    /// The sum of all values, in microseconds.
    pub micros: u64,
}

impl Histogram {
    /// Adds a value.
    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[BOUNDS_MICROS.partition_point(|bound| *bound < micros)] += 1;
        self.micros = self.micros.saturating_add(micros);
    }

    fn merge(&mut self, other: &Histogram) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.micros = self.micros.saturating_add(other.micros);
    }
}

/// A count for each of a few kinds. Looking one up takes a few comparisons: kinds come from the
/// program, never from a client.
#[derive(Clone, PartialEq, Debug)]
pub struct ByKind<K>(Vec<(K, u64)>);

impl<K> Default for ByKind<K> {
    fn default() -> ByKind<K> {
        ByKind(Vec::new())
    }
}

impl<K: Copy + PartialEq> ByKind<K> {
    /// Adds to a kind's count.
    pub fn add(&mut self, kind: K, count: u64) {
        *self.of(kind) += count;
    }

    /// Takes one away from a kind's count.
    pub fn take(&mut self, kind: K) {
        let count = self.of(kind);
        *count = count.saturating_sub(1);
    }

    /// All kinds that were ever counted.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> {
        self.0.iter().copied()
    }

    fn of(&mut self, kind: K) -> &mut u64 {
        let known = self.0.iter().position(|(known, _)| *known == kind);
        let index = known.unwrap_or_else(|| {
            self.0.push((kind, 0));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }

    fn merge(&mut self, other: &ByKind<K>) {
        other.iter().for_each(|(kind, count)| self.add(kind, count));
    }
}

/// A kind of connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// `http`, `websocket` or `stream`.
    pub transport: &'static str,
    /// The protocol of a websocket; empty otherwise.
    pub protocol: &'static str,
}

/// What one worker counts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WorkerCounts {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections that are open.
    pub connections: ByKind<Kind>,
    /// Responses by status.
    pub responses: ByKind<u16>,
    /// Connections from trusted proxies that were closed for want of a PROXY header, by reason.
    pub proxy_headers_refused: ByKind<&'static str>,
    /// Events handed to connections; each recipient counts.
    pub deliveries: u64,
    /// Events that slow readers get later, from the log.
    pub deferred: u64,
    /// From the first event of a round at the hub to the last write of the round.
    pub fan_out: Histogram,
    /// Bytes that wait for slow readers now.
    pub unsent_bytes: usize,
}

impl WorkerCounts {
    /// Adds another worker's counts.
    pub fn merge(&mut self, other: &WorkerCounts) {
        self.accepted += other.accepted;
        self.connections.merge(&other.connections);
        self.responses.merge(&other.responses);
        self.proxy_headers_refused.merge(&other.proxy_headers_refused);
        self.deliveries += other.deliveries;
        self.deferred += other.deferred;
        self.fan_out.merge(&other.fan_out);
        self.unsent_bytes += other.unsent_bytes;
    }
}

/// Asks a worker for its counts.
pub type Ask = mpsc::Sender<oneshot::Sender<WorkerCounts>>;

/// Where a worker hears that it is asked.
pub type Asked = mpsc::Receiver<oneshot::Sender<WorkerCounts>>;

/// Both ends of the line by which a worker is asked.
pub fn line() -> (Ask, Asked) {
    mpsc::channel(1)
}

/// The sum of all workers' counts. `None`: a worker has ended.
pub async fn ask_all(workers: &[Ask]) -> Option<WorkerCounts> {
    let mut sum = WorkerCounts::default();
    for worker in workers {
        let (answer, answered) = oneshot::channel();
        worker.send(answer).await.ok()?;
        sum.merge(&answered.await.ok()?);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bucket_of_the_first_bound_that_it_does_not_exceed() {
        for (micros, bucket) in
            [(0, 0), (100, 0), (101, 1), (1_000, 3), (1_001, 4), (5_000_000, 14), (5_000_001, 15)]
        {
            let mut histogram = Histogram::default();
            histogram.add(Duration::from_micros(micros));
            let mut expected = [0; 16];
            expected[bucket] = 1;
            assert_eq!((histogram.buckets, histogram.micros), (expected, micros));
        }
        let mut histogram = Histogram::default();
        histogram.add(Duration::MAX);
        histogram.add(Duration::MAX);
        assert_eq!((histogram.buckets[15], histogram.micros), (2, u64::MAX), "nothing wraps");
    }

    #[test]
    fn workers_add_up() {
        let mut one = WorkerCounts { accepted: 2, deliveries: 3, ..WorkerCounts::default() };
        one.responses.add(200, 2);
        one.responses.add(404, 1);
        let mut two = WorkerCounts { accepted: 5, unsent_bytes: 7, ..WorkerCounts::default() };
        two.responses.add(404, 1);
        two.fan_out.add(Duration::from_micros(1));
        one.merge(&two);
        assert_eq!((one.accepted, one.deliveries, one.unsent_bytes), (7, 3, 7));
        assert_eq!(one.responses.iter().collect::<Vec<_>>(), [(200, 2), (404, 2)]);
        assert_eq!((one.fan_out.buckets[0], one.fan_out.micros), (1, 1));
        one.responses.take(404);
        one.responses.take(500);
        let left: Vec<_> = one.responses.iter().collect();
        assert_eq!(left, [(200, 2), (404, 1), (500, 0)], "a count never wraps");
    }
}
