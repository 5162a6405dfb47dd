//! The missed events of a subscription whose client reads more slowly than its room talks. They
//! cost a number and not a queue: messages are read back from the log, in order. Of joins and
//! leaves only the outcome is kept: a user who has joined and left meanwhile is not announced.
//!
//! (A stream, which has many rooms, uses a [`StreamCursor`](super::stream_cursor::StreamCursor).
//! The frames of the protocols of one room have no cursor by which a client could resume, so they
//! use this.)

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;

use crate::chat::{Folded, Seq};
use crate::limits::{LAG_BYTES_MAX, LAG_MOVE_BYTES, LAG_OWN_MAX};
use crate::outgoing::{Budget, Held};

/// See the module's documentation.
pub(crate) struct Lag {
    /// Every entry up to here has been queued. `None`: no entry was missed.
    cursor: Option<Seq>,
    /// The last missed entry.
    noted: Seq,
    /// The subscription's own messages among them, which were acknowledged.
    own: Vec<Seq>,
    /// The users whose presence changed: whether the user is present now, and the frame for it.
    moved: BTreeMap<Folded, (bool, Bytes)>,
    /// Their bytes count as unsent.
    held: Held,
    /// Everything missed up to here was sent; a late announcement of an entry up to here is
    /// skipped.
    caught_up: Option<Seq>,
}

/// More was missed than may be kept, so the client must reconnect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooMuch;

impl Lag {
    /// Nothing is missed yet.
    pub fn new(unsent: &Rc<Budget>) -> Lag {
        Lag {
            cursor: None,
            noted: Seq(0),
            own: Vec::new(),
            moved: BTreeMap::new(),
            held: unsent.hold(0),
            caught_up: None,
        }
    }

    /// The entry up to which everything was sent; `None` while entries are missed.
    pub fn caught_up(&self) -> Option<Seq> {
        self.caught_up
    }

    /// Where to read the log from, and which entries to skip. `None`: there is nothing to read.
    pub fn to_read(&self) -> Option<(Seq, &[Seq])> {
        self.cursor.map(|cursor| (cursor, &self.own[..]))
    }

    /// Notes a missed message; `own`: it came through this subscription.
    pub fn miss_said(&mut self, seq: Seq, own: bool) -> Result<(), TooMuch> {
        self.cursor.get_or_insert(Seq(seq.0.saturating_sub(1)));
        self.noted = self.noted.max(seq);
        if own {
            self.own.push(seq);
        }
        if self.own.len() > LAG_OWN_MAX { Err(TooMuch) } else { Ok(()) }
    }

    /// Notes a missed join or leave.
    pub fn miss_moved(&mut self, who: &Folded, here: bool, frame: &[u8]) -> Result<(), TooMuch> {
        let mut bytes = self.held.bytes();
        if let Some((before, known)) = self.moved.remove(who) {
            bytes -= known.len() + LAG_MOVE_BYTES;
            if before != here {
                self.held.set(bytes);
                return Ok(()); // The client's roster is right again.
            }
        }
        bytes += frame.len() + LAG_MOVE_BYTES;
        // A copy, because the frame is a part of a larger block.
        self.moved.insert(who.clone(), (here, Bytes::copy_from_slice(frame)));
        let frames = bytes - self.moved.len() * LAG_MOVE_BYTES;
        if self.held.set(bytes) && frames <= LAG_BYTES_MAX { Ok(()) } else { Err(TooMuch) }
    }

    /// A page of the log was queued that reaches up to `upto`, in a log that had `head` entries. If
    /// it was the last, everything was sent, and this returns the frames of the joins and leaves.
    pub fn page(&mut self, upto: Seq, head: Seq) -> Option<Vec<u8>> {
        if self.cursor.is_some() {
            self.cursor = self.cursor.max(Some(upto));
        }
        self.own.retain(|seq| *seq > upto);
        if upto < head || self.noted > upto {
            return None;
        }
        let moved = std::mem::take(&mut self.moved);
        self.held.set(0);
        (self.cursor, self.noted, self.own) = (None, Seq(0), Vec::new());
        self.caught_up = Some(upto);
        // Leaves go first: a user who joined may have taken a freed place.
        let frames = [false, true].into_iter().flat_map(|came| {
            let moved = moved.values().filter(move |(here, _)| *here == came);
            moved.flat_map(|(_, frame)| frame.iter().copied())
        });
        Some(frames.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag() -> Lag {
        Lag::new(&Rc::new(Budget::new(usize::MAX)))
    }

    fn told(frames: Option<Vec<u8>>) -> Option<String> {
        frames.map(|frames| String::from_utf8(frames).expect("what was put in"))
    }

    #[test]
    fn missed_messages_are_read_back_until_none_is_left() {
        let mut lag = lag();
        assert_eq!(lag.to_read(), None);
        lag.miss_said(Seq(11), false).unwrap();
        lag.miss_said(Seq(14), true).unwrap();
        assert_eq!(lag.to_read(), Some((Seq(10), &[Seq(14)][..])));
        // A page that was read before the last announcement is not the last.
        assert_eq!(lag.page(Seq(13), Seq(13)), None);
        assert_eq!(lag.page(Seq(14), Seq(20)), None);
        assert_eq!(lag.to_read(), Some((Seq(14), &[][..])));
        assert_eq!(told(lag.page(Seq(20), Seq(20))).as_deref(), Some(""));
        assert_eq!((lag.caught_up(), lag.to_read()), (Some(Seq(20)), None));
    }

    #[test]
    fn only_the_net_joins_and_leaves_are_sent() {
        let mut lag = lag();
        let mut moves = |moves: &[(&str, bool)]| {
            for (who, here) in moves {
                let frame = format!("{}{who} ", if *here { '+' } else { '-' });
                lag.miss_moved(&Folded::new(who), *here, frame.as_bytes()).unwrap();
            }
            told(lag.page(Seq(1), Seq(1))).expect("nothing else is missing")
        };
        assert_eq!(moves(&[("ann", true), ("bob", false)]), "-bob +ann ");
        assert_eq!(moves(&[("ann", true), ("Ann", false), ("bob", false), ("bob", true)]), "");
        assert_eq!(moves(&[("ann", true), ("ann", false), ("ann", true)]), "+ann ");
    }

    #[test]
    fn a_lag_is_bounded() {
        let mut lag = lag();
        let own = (1..).take_while(|seq| lag.miss_said(Seq(*seq), true).is_ok()).count();
        assert_eq!(own, LAG_OWN_MAX);
        let frame = [b'x'; 100];
        let move_of = |n: u64| Folded::new(&format!("n{n}"));
        let moved = (1..).take_while(|n| lag.miss_moved(&move_of(*n), true, &frame).is_ok());
        assert_eq!(moved.count(), LAG_BYTES_MAX / 100);
    }

    #[test]
    fn the_lags_of_all_readers_are_bounded() {
        let budget = Rc::new(Budget::new(10_000));
        let mut lags: Vec<_> = (0..20).map(|_| Lag::new(&budget)).collect();
        let who = |n: usize| Folded::new(&format!("n{n}"));
        let mut miss = |lag: usize, n| lags[lag].miss_moved(&who(n), true, &[b'x'; 372]);
        assert!((0..20).all(|n| miss(n, n).is_ok()));
        assert_eq!(miss(7, 1), Err(TooMuch), "20 of 500 bytes each");
        assert!(miss(3, 3).is_ok(), "known");
        lags[7] = Lag::new(&budget);
        assert_eq!(budget.left(), 500);
        lags[3].page(Seq(1), Seq(1)).expect("all of it");
        assert_eq!(budget.left(), 1_000);
    }
}
