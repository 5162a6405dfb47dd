//! Connection slots, and the choice of the connection that makes way when they are short.
//!
//! A slot is taken before a connection is accepted, so connections beyond the bound wait in the
//! kernel's backlog. But the server knows the client and its request only after it has read the
//! head. So when no slot has been free for a while, a few more connections are accepted into a
//! *reserve*, and their heads are read: a health check is answered there; the others get a slot as
//! soon as another connection makes way, or a 503 with `Retry-After`.
//!
//! - Websockets of clients that are not logged in may take three quarters of all slots.
//! - An inactive connection makes way first, the oldest before the others: an HTTP connection
//!   without a request for a moment, a request that arrives slowly; then a websocket of a client
//!   that is not logged in and has sent nothing for a minute.
//! - While many of the former are taken, a new websocket among them receives in batches until it
//!   sends something.
//! - One address has a bounded number of slots. (Each worker counts its share: connections go to
//!   the workers in turn.) Behind a proxy that is the address that the proxy names, as soon as a
//!   request names it, and for connections that stay open.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::chat::{Numbered, Source, SubscriptionId};
use crate::codec::Disconnect;
use crate::connection::Shared;
use crate::connection::socket::Connection;
use crate::limits::{
    CROWDED_PERCENT, RESERVE_CONNECTIONS, RESERVE_DEADLINE_MS, SILENT_GRACE_MS, SLOT_GRACE_MS,
    SLOT_PATIENCE_MS, SLOT_RETRY_MS,
};
use crate::protocol;

/// The connections of one thread, by subscription, from accept to close.
pub type Connections = Rc<RefCell<Numbered<SubscriptionId, Rc<Connection>>>>;

/// The slots of all workers.
#[derive(Clone)]
pub struct Slots {
    places: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    /// The slots that clients without a login may hold.
    strangers: Arc<Semaphore>,
    /// They are not crowded while at least this many of their slots are free.
    uncrowded: usize,
}

/// The slot of one connection.
pub struct Slot {
    permit: OwnedSemaphorePermit,
    /// It belongs to the reserve.
    pub(super) reserve: bool,
    /// The permit of a client that is not logged in.
    stranger: Option<OwnedSemaphorePermit>,
}

/// Hands out slots, one after the other.
pub struct Gate {
    slots: Slots,
    /// No slot has been free for a while.
    short: bool,
}

/// A connection's stage, which decides whether the connection makes way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// HTTP, without a request.
    Idle,
    /// A request is arriving.
    Asking,
    /// A websocket of a client that is not logged in and has sent nothing.
    Silent,
    /// Anything else: it keeps its slot.
    Busy,
}

impl Slots {
    /// Slots for `connections` connections.
    pub fn new(connections: usize) -> Slots {
        let strangers = connections - connections / 4;
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Slots {
            places: semaphore(connections),
            reserve: semaphore(RESERVE_CONNECTIONS),
            strangers: semaphore(strangers),
            uncrowded: strangers - strangers * CROWDED_PERCENT / 100,
        }
    }

    /// Whether clients without a login hold more than `CROWDED_PERCENT` of their slots.
    pub(super) fn are_crowded(&self) -> bool {
        self.strangers.available_permits() < self.uncrowded
    }

    /// The gate for accepting.
    pub fn gate(&self) -> Gate {
        Gate { slots: self.clone(), short: false }
    }

    /// Gives a connection of the reserve an ordinary slot, if one becomes free within `time`.
    pub(super) async fn settle(&self, slot: &mut Slot, time: Duration) -> bool {
        if slot.reserve {
            let place = tokio::time::timeout(time, self.places.clone().acquire_owned()).await;
            let Ok(Ok(place)) = place else { return false };
            (slot.permit, slot.reserve) = (place, false);
        }
        true
    }

    /// Takes a stranger's permit. `false`: there is none left.
    pub(super) fn admit_stranger(&self, slot: &mut Slot) -> bool {
        slot.stranger = self.strangers.clone().try_acquire_owned().ok();
        slot.stranger.is_some()
    }
}

/// The slot of a served connection.
pub(super) struct Place {
    slot: Slot,
    /// The address that the connection counts for.
    address: Option<Rc<()>>,
}

impl Place {
    /// A slot that counts for no address yet.
    pub fn new(slot: Slot) -> Place {
        Place { slot, address: None }
    }

    /// Whether the slot belongs to the reserve, and is lent for one request only.
    pub fn is_of_the_reserve(&self) -> bool {
        self.slot.reserve
    }

    /// Counts the connection for the peer's address. `false`: that address has no slot left. A
    /// proxy and this machine itself have no bound.
    pub fn is_the_peers(&mut self, shared: &Shared, connection: &Connection) -> bool {
        let Some(source) = protocol::slot_source(&shared.service, connection.from()) else {
            return true;
        };
        self.address = shared.addresses.take(source);
        self.address.is_some()
    }

    /// Waits for an ordinary slot, and has other connections make way for it.
    pub async fn settle(&mut self, shared: &Shared, connection: &Connection) -> bool {
        let end = Instant::now() + Duration::from_millis(RESERVE_DEADLINE_MS);
        while self.slot.reserve {
            make_way(&shared.connections, connection);
            let settled = shared.slots.settle(&mut self.slot, Duration::from_millis(SLOT_RETRY_MS));
            if !settled.await && (Instant::now() >= end || shared.stopping.get()) {
                return false;
            }
        }
        true
    }

    /// Whether the connection may stay open for a client from `source`; `known`: it is logged in.
    pub fn stays(
        &mut self,
        shared: &Shared,
        connection: &Connection,
        source: Source,
        known: bool,
    ) -> bool {
        if self.address.is_none() && source != Source::Local {
            self.address = shared.addresses.take(source);
            if self.address.is_none() {
                return false;
            }
        }
        if known || shared.slots.admit_stranger(&mut self.slot) {
            return true;
        }
        make_way(&shared.connections, connection);
        false
    }
}

impl Gate {
    /// Waits for the next slot. Cancel-safe: a dropped call has taken none.
    pub async fn next(&mut self) -> Option<Slot> {
        let Slots { places, reserve, .. } = &self.slots;
        let place = |permit| Some(Slot { permit, reserve: false, stranger: None });
        if !self.short {
            let patience = Duration::from_millis(SLOT_PATIENCE_MS);
            match tokio::time::timeout(patience, places.clone().acquire_owned()).await {
                Ok(permit) => return place(permit.ok()?),
                Err(_) => self.short = true,
            }
        }
        tokio::select! {
            biased;
            permit = places.clone().acquire_owned() => {
                self.short = false;
                place(permit.ok()?)
            }
            permit = reserve.clone().acquire_owned() => {
                Some(Slot { permit: permit.ok()?, reserve: true, stranger: None })
            }
        }
    }
}

/// Makes one inactive connection of a thread make way, if there is one.
pub(super) fn make_way(connections: &Connections, but: &Connection) {
    let now = Instant::now();
    let (grace, silence) =
        (Duration::from_millis(SLOT_GRACE_MS), Duration::from_millis(SILENT_GRACE_MS));
    let connections = connections.borrow();
    let waiting = connections.values().filter(|connection| {
        connection.subscription != but.subscription && !connection.is_leaving()
    });
    let ranked = waiting.filter_map(|connection| {
        let (stage, since) = connection.stage.get();
        let age = now.saturating_duration_since(since);
        let (rank, grace) = match stage {
            Stage::Idle => (0, grace),
            Stage::Asking => (1, grace),
            Stage::Silent => (2, silence),
            Stage::Busy => return None,
        };
        (age >= grace).then_some((rank, since, connection))
    });
    let Some((rank, _, connection)) = ranked.min_by_key(|(rank, since, _)| (*rank, *since)) else {
        return;
    };
    if rank < 2 { connection.cut_off() } else { connection.close(Disconnect::NoPlace) }
}

/// The number of slots of each address.
pub(super) struct Addresses {
    most: usize,
    /// Each slot holds one more strong reference.
    places: RefCell<HashMap<Source, Rc<()>>>,
}

impl Addresses {
    /// At most `most` slots for each address.
    pub fn new(most: usize) -> Addresses {
        Addresses { most, places: RefCell::default() }
    }

    /// Takes a slot for as long as the returned value lives. `None`: the address has no slot left.
    pub fn take(&self, source: Source) -> Option<Rc<()>> {
        let mut places = self.places.borrow_mut();
        // Addresses without connections are removed when the table has doubled.
        if places.len() == places.capacity() {
            places.retain(|_, place| Rc::strong_count(place) > 1);
        }
        let place = places.entry(source).or_default();
        (Rc::strong_count(place) <= self.most).then(|| place.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bounded_number_of_slots() {
        let addresses = Addresses::new(2);
        let source = |last| Source::of([203, 0, 113, last].into());
        let (one, two) = (addresses.take(source(1)), addresses.take(source(1)));
        assert!(one.is_some() && two.is_some() && addresses.take(source(1)).is_none());
        assert!(addresses.take(source(2)).is_some());
        drop(one);
        let three = addresses.take(source(1));
        assert!(three.is_some() && addresses.take(source(1)).is_none());
        // Thousands of connections leave nothing behind.
        for last in 0..=255 {
            assert!(last == 1 || addresses.take(source(last)).is_some());
        }
        assert!(addresses.places.borrow().len() < 100);
        assert!(addresses.take(source(1)).is_none());
    }

    #[tokio::test]
    async fn strangers_have_three_quarters() {
        let slots = Slots::new(8);
        let mut gate = slots.gate();
        let mut held = Vec::new();
        for index in 0..8 {
            let mut slot = gate.next().await.expect("a place");
            assert!(!slot.reserve);
            assert_eq!(slots.admit_stranger(&mut slot), index < 6);
            held.push(slot);
        }
        let mut more = gate.next().await.expect("one of the reserve");
        assert!(more.reserve);
        assert!(!slots.settle(&mut more, Duration::ZERO).await);
        held.pop();
        assert!(slots.settle(&mut more, Duration::ZERO).await && !more.reserve);
    }
}
