//! The write queue of one connection: the bytes that the kernel has not taken yet.
//!
//! A worker gathers a connection's frames of a round in its own buffer and writes them at once;
//! only the rest is queued here, and written when the socket is ready again. So nearly every queue
//! is empty most of the time, and an empty one holds no memory. It never grows beyond
//! [`OUTBOX_BYTES_MAX`], and it never touches a socket. The worker and the connection call it.
//!
//! A [`Budget`] counts the unsent bytes of all connections of a worker.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::limits::OUTBOX_BYTES_MAX;

/// A queue of bytes to write.
pub struct Outgoing {
    /// A ring, so that removing bytes from the front moves nothing.
    bytes: VecDeque<u8>,
    budget: Rc<Budget>,
}

/// The bytes that many connections hold together, and their bound. It only counts; a caller that is
/// about to hold more checks [`Budget::left`] first, and decides what to do.
pub struct Budget {
    most: usize,
    used: Cell<usize>,
}

/// Bytes that count for as long as this lives.
pub struct Held {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Budget {
    /// An unused budget of `most` bytes.
    pub const fn new(most: usize) -> Budget {
        Budget { most, used: Cell::new(0) }
    }

    /// The bytes left.
    pub fn left(&self) -> usize {
        self.most.saturating_sub(self.used.get())
    }

    /// The bytes held.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Holds bytes, even beyond the bound.
    pub fn hold(self: &Rc<Budget>, bytes: usize) -> Held {
        self.add(bytes);
        Held { budget: self.clone(), bytes }
    }

    fn add(&self, bytes: usize) {
        self.used.set(self.used.get() + bytes);
    }

    fn give_back(&self, bytes: usize) {
        self.used.set(self.used.get() - bytes);
    }
}

impl Held {
    /// The bytes held here.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds another number of bytes. `false`: that is more than before, and over the bound.
    pub fn set(&mut self, bytes: usize) -> bool {
        let fits = bytes.saturating_sub(self.bytes) <= self.budget.left();
        self.budget.add(bytes);
        self.budget.give_back(self.bytes);
        self.bytes = bytes;
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The client is too slow: the bytes do not fit. None of them is queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

impl Outgoing {
    /// An empty queue whose bytes count in `budget`; allocates nothing.
    pub fn new(budget: &Rc<Budget>) -> Outgoing {
        Outgoing { bytes: VecDeque::new(), budget: budget.clone() }
    }

    /// Queues all of `bytes`, or none if the queue would exceed `OUTBOX_BYTES_MAX`.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Full> {
        // The queue is never longer than the bound, so this does not go below zero.
        if bytes.len() > OUTBOX_BYTES_MAX - self.bytes.len() {
            return Err(Full);
        }
        self.bytes.extend(bytes);
        self.budget.add(bytes.len());
        Ok(())
    }

    /// The next bytes to write, empty only if the queue is. Not always all of them; write and
    /// [`advance`](Self::advance) until it is empty or the kernel takes no more.
    pub fn chunk(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    /// Forgets the first `count` bytes, which the kernel has taken.
    ///
    /// # Panics
    /// When fewer are queued: the caller has miscounted.
    pub fn advance(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.budget.give_back(count);
        if self.bytes.is_empty() {
            self.bytes = VecDeque::new();
        }
    }

    /// Forgets everything, as the peer is gone.
    pub fn clear(&mut self) {
        self.budget.give_back(self.bytes.len());
        self.bytes = VecDeque::new();
    }

    /// Bytes queued, at most `OUTBOX_BYTES_MAX`.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The budget left for all queues together.
    pub fn left_for_all(&self) -> usize {
        self.budget.left()
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Outgoing {
        Outgoing::new(&Rc::new(Budget::new(usize::MAX)))
    }

    #[test]
    fn a_budget_counts_all_holders_together() {
        let budget = Rc::new(Budget::new(10));
        let (mut one, mut other) = (Outgoing::new(&budget), Outgoing::new(&budget));
        one.push(b"abcd").unwrap();
        other.push(b"ef").unwrap();
        let held = budget.hold(3);
        assert_eq!(budget.left(), 1);
        // It counts; it does not refuse.
        other.push(b"ghi").unwrap();
        assert_eq!(budget.left(), 0);
        one.advance(3);
        drop(other);
        assert_eq!(budget.left(), 6);
        let mut held = held;
        assert!(held.set(6) && budget.left() == 3);
        assert!(held.set(5) && !held.set(10));
        assert!(held.set(9), "less than before");
        assert_eq!((held.bytes(), budget.used()), (9, 10));
        drop(held);
        one.clear();
        assert_eq!(budget.left(), 10);
    }

    #[test]
    fn keeps_the_order_across_the_end_of_the_ring() {
        let mut queue = queue();
        queue.push(b"abcdef").unwrap();
        queue.advance(4);
        // Longer than the free space behind the front, so that it wraps around.
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
        let mut queue = queue();
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
        let mut queue = queue();
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
        let mut queue = queue();
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
            let (mut queue, mut model, mut next) = (queue(), Vec::new(), 0_u8);
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
