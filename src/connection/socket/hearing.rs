//! How a subscription of one room receives its events: at once, as long as the client keeps up; a
//! subscription that lags reads what it missed back from the log.
//!
//! The worker delivers each round; the connection's task reads the log.

use std::cell::RefCell;
use std::rc::Rc;

use crate::chat::{Folded, Seq};
use crate::codec::Disconnect;
use crate::connection::lag::{Lag, TooMuch};
use crate::connection::socket::{Connection, Flow};
use crate::limits::{CONTROL_RESERVE_BYTES, OUTBOX_BYTES_MAX};
use crate::outgoing::Budget;

/// One event of a round, as one subscription receives it.
#[derive(Clone, Copy)]
pub struct RoundEvent<'a> {
    /// The entry's sequence number; `None` for an event that is not in the log.
    pub seq: Option<Seq>,
    /// The folded name of the user who joined (`true`) or left (`false`).
    pub moved: Option<&'a (Folded, bool)>,
    /// The encoded frame; empty: this subscription caused the event, and gets no echo.
    pub frame: &'a [u8],
}

/// The missed events of a subscription, if any. It knows no socket, so the simulation uses it, too.
pub(crate) struct Hearing {
    lag: RefCell<Option<Box<Lag>>>,
    unsent: Rc<Budget>,
}

impl Hearing {
    /// Nothing is missed. What will be missed counts in `unsent`, as far as it is kept.
    pub fn new(unsent: &Rc<Budget>) -> Hearing {
        Hearing { lag: RefCell::new(None), unsent: unsent.clone() }
    }

    /// Whether the subscription gets each round at once: it has missed nothing.
    pub fn is_prompt(&self) -> bool {
        self.lag.borrow().is_none()
    }

    /// Takes a round that the subscription may miss, now or because of an earlier one. Appends the
    /// bytes to queue to `out`. `accepts`: whether this many bytes may be queued. `true`: read the
    /// rest from the log.
    pub fn miss(
        &self,
        round: &[RoundEvent<'_>],
        accepts: impl Fn(usize) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<bool, TooMuch> {
        out.clear();
        let mut lag = self.lag.borrow_mut();
        let known = lag.as_ref().and_then(|lag| lag.caught_up());
        if let Some(known) = known {
            let new = |told: &&RoundEvent<'_>| told.seq.is_none_or(|seq| seq > known);
            round.iter().filter(new).for_each(|told| out.extend_from_slice(told.frame));
            if accepts(out.len()) {
                // Later announcements are newer than what was read back.
                if round.iter().any(|told| told.seq.is_some_and(|seq| seq > known)) {
                    *lag = None;
                }
                return Ok(false);
            }
            out.clear();
        }
        let missed = match &mut *lag {
            Some(missed) if known.is_none() => missed,
            other => other.insert(Box::new(Lag::new(&self.unsent))),
        };
        for told in round.iter().filter(|told| told.seq.is_none_or(|seq| Some(seq) > known)) {
            match (told.seq, told.moved) {
                (Some(seq), _) => missed.miss_said(seq, told.frame.is_empty())?,
                (None, Some((who, here))) if !told.frame.is_empty() => {
                    missed.miss_moved(who, *here, told.frame)?;
                }
                (None, Some(_)) => {}
                (None, None) => out.extend_from_slice(told.frame),
            }
        }
        Ok(true)
    }

    /// Where to read the log from (an inner `None`: only joins and leaves were missed), and which
    /// entries are the subscription's own. `None`: nothing is left.
    pub fn to_read(&self) -> Option<(Option<Seq>, Vec<Seq>)> {
        let lag = self.lag.borrow();
        let lag = lag.as_ref().filter(|lag| lag.caught_up().is_none())?;
        Some(lag.to_read().map_or((None, Vec::new()), |(from, own)| (Some(from), own.to_vec())))
    }

    /// A page of the log was queued; see [`Lag::page`]. Returns the bytes to queue after it.
    pub fn made_up(&self, upto: Seq, head: Seq) -> Vec<u8> {
        let moved = self.lag.borrow_mut().as_mut().and_then(|lag| lag.page(upto, head));
        moved.unwrap_or_default()
    }
}

impl Connection {
    /// Whether this many bytes may be queued for a subscription of one room: always if they are
    /// written at once, because then the kernel takes most of them.
    fn accepts(&self, bytes: usize) -> bool {
        let outgoing = self.outgoing.borrow();
        let most = OUTBOX_BYTES_MAX - CONTROL_RESERVE_BYTES;
        outgoing.is_empty() && self.writes_at_once()
            || outgoing.len() + bytes <= most && bytes <= outgoing.left_for_all()
    }

    /// Delivers the frames that all subscriptions of a protocol share in a round. `false`: they do
    /// not fit, or this subscription lags already, so the worker gives it the round with
    /// [`Connection::miss`].
    pub fn hear(&self, frames: &[u8]) -> bool {
        if !self.hearing.is_prompt() {
            return false;
        }
        if !self.is_leaving() && !self.accepts(frames.len()) {
            // A batch ends early where there is no room for it.
            self.end_batch();
            if !self.accepts(frames.len()) {
                return false;
            }
        }
        self.deliver(frames);
        true
    }

    /// Takes a round that the subscription may miss, now or because of an earlier one.
    pub fn miss(&self, round: &[RoundEvent<'_>], out: &mut Vec<u8>) {
        if self.is_leaving() {
            return;
        }
        match self.hearing.miss(round, |bytes| self.accepts(bytes), out) {
            Ok(lags) => {
                self.deliver(out);
                if lags {
                    self.nudge();
                }
            }
            Err(TooMuch) => self.close(Disconnect::TooSlow),
        }
    }

    /// Where to read the log from for a lagging subscription, and which entries are the
    /// subscription's own; `None` without room for a page.
    pub(in crate::connection) fn lags_from(&self) -> Option<(Option<Seq>, Vec<Seq>)> {
        let is_open = self.is_calm() && !self.is_leaving() && self.flow.get() == Flow::Open;
        is_open.then(|| self.hearing.to_read())?
    }

    /// Queues a page that was read back for a lagging subscription.
    pub(in crate::connection) fn make_up(&self, bytes: &[u8], upto: Seq, head: Seq) {
        self.deliver(bytes);
        let moved = self.hearing.made_up(upto, head);
        self.deliver(&moved);
    }
}
