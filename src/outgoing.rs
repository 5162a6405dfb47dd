//! The write queue of one connection: what the kernel has not taken yet.
//!
//! A worker gathers what a connection gets in one round in a buffer of its own and writes it at
//! once; only the rest comes in here, and is written when the socket is ready again. So nearly
//! every queue is empty nearly always, and an empty one holds no memory. It never grows beyond
//! [`OUTBOX_BYTES_MAX`], and it never touches a socket. The worker and the connection call it.

use std::collections::VecDeque;

use crate::limits::OUTBOX_BYTES_MAX;

/// Bytes in the order in which they are to be written.
#[derive(Default)]
pub struct Outgoing {
    /// A ring, so that taking a little from the front moves nothing.
    bytes: VecDeque<u8>,
}

/// The reader is too slow: the bytes would not have fitted. None of them has been queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

impl Outgoing {
    /// An empty queue; allocates nothing.
    pub const fn new() -> Outgoing {
        Outgoing { bytes: VecDeque::new() }
    }

    /// Queues all of `bytes`, or none where they would make it more than `OUTBOX_BYTES_MAX`.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Full> {
        // The queue is never longer than the bound, so this does not go below zero.
        if bytes.len() > OUTBOX_BYTES_MAX - self.bytes.len() {
            return Err(Full);
        }
        self.bytes.extend(bytes);
        Ok(())
    }

    /// What to write next: a piece from the front, empty only if the queue is. Not always all of
    /// it; write and [`advance`](Self::advance) until it is empty or the kernel takes no more.
    pub fn chunk(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    /// Forgets the first `count` bytes, which the kernel has taken.
    ///
    /// # Panics
    /// When there are not so many: the caller has counted wrongly.
    pub fn advance(&mut self, count: usize) {
        self.bytes.drain(..count);
        if self.bytes.is_empty() {
            self.bytes = VecDeque::new();
        }
    }

    /// Bytes queued, at most `OUTBOX_BYTES_MAX`.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_across_the_end_of_the_ring() {
        let mut queue = Outgoing::new();
        queue.push(b"abcdef").unwrap();
        queue.advance(4);
        // Longer than what is free behind the front, so that it goes around.
        queue.push(b"ghijkl").unwrap();
        let mut written = Vec::new();
        while !queue.is_empty() {
            written.extend_from_slice(queue.chunk());
            queue.advance(queue.chunk().len());
        }
        assert_eq!(written, b"efghijkl");
    }

    #[test]
    fn takes_all_or_nothing_at_the_bound() {
        let mut queue = Outgoing::new();
        queue.push(&vec![1; OUTBOX_BYTES_MAX - 1]).unwrap();
        assert_eq!(queue.push(&[2, 3]), Err(Full));
        assert_eq!(queue.len(), OUTBOX_BYTES_MAX - 1);
        queue.push(&[2]).unwrap();
        assert_eq!(queue.push(&[3]), Err(Full));
        queue.push(&[]).unwrap();
        queue.advance(1);
        queue.push(&[3]).unwrap();
        assert_eq!(queue.len(), OUTBOX_BYTES_MAX);
    }

    #[test]
    fn holds_no_memory_when_empty() {
        let mut queue = Outgoing::new();
        assert_eq!(queue.bytes.capacity(), 0);
        queue.push(&vec![0; OUTBOX_BYTES_MAX]).unwrap();
        queue.advance(OUTBOX_BYTES_MAX - 1);
        assert!(queue.bytes.capacity() > 0);
        queue.advance(1);
        assert_eq!(queue.bytes.capacity(), 0);
    }

    #[test]
    #[should_panic]
    fn cannot_advance_past_the_end() {
        let mut queue = Outgoing::new();
        queue.push(b"ab").unwrap();
        queue.advance(3);
    }

    /// Random pushes and advances against the simplest thing that could be right.
    #[test]
    fn behaves_like_a_plain_vec() {
        for seed in 1..=20_u64 {
            let mut random = seed;
            let mut draw = |below: usize| {
                // xorshift64: the test needs variety, not quality.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random >> 16) as usize % below
            };
            let (mut queue, mut model, mut next) = (Outgoing::new(), Vec::new(), 0_u8);
            for step in 0..150 {
                let count = [draw(8), draw(5_000), draw(OUTBOX_BYTES_MAX * 2)][draw(3)];
                if draw(2) == 0 {
                    let bytes: Vec<u8> = (0..count).map(|i| next.wrapping_add(i as u8)).collect();
                    let fits = model.len() + count <= OUTBOX_BYTES_MAX;
                    assert_eq!(queue.push(&bytes).is_ok(), fits, "seed {seed}, step {step}");
                    if fits {
                        model.extend_from_slice(&bytes);
                        next = next.wrapping_add(count as u8);
                    }
                } else {
                    let count = count.min(queue.chunk().len());
                    assert!(model.starts_with(queue.chunk()), "seed {seed}, step {step}");
                    queue.advance(count);
                    model.drain(..count);
                }
                assert_eq!(queue.len(), model.len(), "seed {seed}, step {step}");
                assert_eq!(queue.is_empty(), queue.chunk().is_empty(), "seed {seed}, step {step}");
            }
        }
    }
}
