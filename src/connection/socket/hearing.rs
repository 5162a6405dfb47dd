//! How a subscription of one room hears it: at once, as long as its reader keeps up; where it does
//! not, it lags, and what it misses is read back from the log.
//!
//! The worker gives it each round; its own task reads the log.

use std::cell::RefCell;

use crate::chat::{Folded, Seq};
use crate::codec::Disconnect;
use crate::connection::lag::{Lag, TooMuch};
use crate::connection::socket::{Connection, Flow};
use crate::limits::{CONTROL_RESERVE_BYTES, OUTBOX_BYTES_MAX};

/// Something of a round, as one subscription is told it.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The number of the entry, where it is one.
    pub seq: Option<Seq>,
    /// Who it says is here, or is not.
    pub moved: Option<&'a (Folded, bool)>,
    /// Empty: this subscription did it, and knows.
    pub frame: &'a [u8],
}

/// What a subscription has missed, if anything. It knows no socket: the simulation has it, too.
#[derive(Default)]
pub(crate) struct Hearing(RefCell<Option<Box<Lag>>>);

impl Hearing {
    /// Whether the subscription hears each round at once: it has missed nothing.
    pub fn is_prompt(&self) -> bool {
        self.0.borrow().is_none()
    }

    /// A round of which the subscription may have missed something before, or misses something now.
    /// What is to be queued is put into `out`. `accepts`: whether so many bytes may be. `true`: the
    /// log is to be read for what is left.
    pub fn miss(
        &self,
        round: &[Told<'_>],
        accepts: impl Fn(usize) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<bool, TooMuch> {
        out.clear();
        let mut lag = self.0.borrow_mut();
        let known = lag.as_ref().and_then(|lag| lag.caught_up());
        if let Some(known) = known {
            let new = |told: &&Told<'_>| told.seq.is_none_or(|seq| seq > known);
            round.iter().filter(new).for_each(|told| out.extend_from_slice(told.frame));
            if accepts(out.len()) {
                // What is announced from here on is younger than what was read back.
                if round.iter().any(|told| told.seq.is_some_and(|seq| seq > known)) {
                    *lag = None;
                }
                return Ok(false);
            }
            out.clear();
        }
        let missed = match &mut *lag {
            Some(missed) if known.is_none() => missed,
            other => other.insert(Box::default()),
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

    /// From where the log is to be read for what was missed (`None`: from nowhere, only who came
    /// and went was), and what of it is the subscription's own. `None`: nothing is left.
    pub fn to_read(&self) -> Option<(Option<Seq>, Vec<Seq>)> {
        let lag = self.0.borrow();
        let lag = lag.as_ref().filter(|lag| lag.caught_up().is_none())?;
        Some(lag.to_read().map_or((None, Vec::new()), |(from, own)| (Some(from), own.to_vec())))
    }

    /// A page of the log was queued; see [`Lag::page`]. What is to be queued behind it.
    pub fn made_up(&self, upto: Seq, head: Seq) -> Vec<u8> {
        let moved = self.0.borrow_mut().as_mut().and_then(|lag| lag.page(upto, head));
        moved.unwrap_or_default()
    }
}

impl Connection {
    /// Whether so much may be queued for a subscription of one room: always if nothing is, for then
    /// the kernel takes most of it.
    fn accepts(&self, bytes: usize) -> bool {
        let outgoing = self.outgoing.borrow();
        let most = OUTBOX_BYTES_MAX - CONTROL_RESERVE_BYTES;
        outgoing.is_empty() || outgoing.len() + bytes <= most && bytes <= outgoing.left_for_all()
    }

    /// Delivers what all subscriptions of a protocol hear in a round. `false`: it does not fit, or
    /// this subscription has missed something before; so it is to be given what was told with
    /// [`Connection::miss`].
    pub fn hear(&self, frames: &[u8]) -> bool {
        if !self.hearing.is_prompt() || !(self.is_leaving() || self.accepts(frames.len())) {
            return false;
        }
        self.deliver(frames);
        true
    }

    /// Gives a subscription a round of which it may have missed something before, or misses
    /// something now.
    pub fn miss(&self, round: &[Told<'_>], out: &mut Vec<u8>) {
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

    /// From where the log is to be read for a subscription that has missed something, and what of
    /// it is the subscription's own; if there is room for a page.
    pub(in crate::connection) fn lags_from(&self) -> Option<(Option<Seq>, Vec<Seq>)> {
        let is_open = self.is_calm() && !self.is_leaving() && self.flow.get() == Flow::Open;
        is_open.then(|| self.hearing.to_read())?
    }

    /// Queues what was read back for a subscription, as far as the log goes.
    pub(in crate::connection) fn make_up(&self, bytes: &[u8], upto: Seq, head: Seq) {
        self.deliver(bytes);
        let moved = self.hearing.made_up(upto, head);
        self.deliver(&moved);
    }
}
