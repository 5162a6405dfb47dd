//! Places for connections, and who makes way where they are short.
//!
//! A place is taken before a connection is accepted, so that callers beyond the bound wait in the
//! kernel's backlog. But who asks, and for what, only their request says. So where there has been
//! no place for a while, a few callers more are let into a *reserve*, and their heads are read: who
//! asks whether the server is well is answered there; the others get a place as soon as somebody
//! makes way for them, or are told to come back.
//!
//! - What stays open for people who are not logged in may take three quarters of all places.
//! - Whoever holds a place and asks for nothing makes way first, the oldest before the others: an
//!   HTTP connection on which nothing was asked for a moment, a request that comes slowly; then a
//!   websocket of nobody who is logged in, which has not said a word for a minute.
//! - One address has a bounded number of places. (Each worker counts its share: connections go to
//!   the workers in turn.) Behind a proxy that is the address that the proxy names, as soon as it
//!   does, and for what stays open.

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
    RESERVE_CONNECTIONS, RESERVE_DEADLINE_MS, SILENT_GRACE_MS, SLOT_GRACE_MS, SLOT_PATIENCE_MS,
    SLOT_RETRY_MS,
};
use crate::protocol;

/// The connections of one thread, by subscription, from accept to close.
pub type Connections = Rc<RefCell<Numbered<SubscriptionId, Rc<Connection>>>>;

/// The places of all workers.
#[derive(Clone)]
pub struct Slots {
    places: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    /// Of the places, those that may be held for people who are not logged in.
    strangers: Arc<Semaphore>,
}

/// The place of one connection.
pub struct Slot {
    permit: OwnedSemaphorePermit,
    /// It is one of the reserve.
    pub(super) reserve: bool,
    /// It is one of those that strangers may hold, too.
    stranger: Option<OwnedSemaphorePermit>,
}

/// Lets connections in, one after the other.
pub struct Gate {
    slots: Slots,
    /// There has been no place for a while.
    short: bool,
}

/// What a connection does, as far as it matters to whoever waits for its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Nothing is asked.
    Idle,
    /// A request is on its way.
    Asking,
    /// A websocket of nobody who is logged in, which has said nothing.
    Silent,
    /// Anything else: it keeps its place.
    Busy,
}

impl Slots {
    /// So many places.
    pub fn new(connections: usize) -> Slots {
        let strangers = connections - connections / 4;
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Slots {
            places: semaphore(connections),
            reserve: semaphore(RESERVE_CONNECTIONS),
            strangers: semaphore(strangers),
        }
    }

    /// The way in.
    pub fn gate(&self) -> Gate {
        Gate { slots: self.clone(), short: false }
    }

    /// Gives a connection of the reserve a place like any other, if one is or becomes free in that
    /// time.
    pub(super) async fn settle(&self, slot: &mut Slot, time: Duration) -> bool {
        if slot.reserve {
            let place = tokio::time::timeout(time, self.places.clone().acquire_owned()).await;
            let Ok(Ok(place)) = place else { return false };
            (slot.permit, slot.reserve) = (place, false);
        }
        true
    }

    /// Lets a connection stay open for somebody who is not logged in.
    pub(super) fn admit_stranger(&self, slot: &mut Slot) -> bool {
        slot.stranger = self.strangers.clone().try_acquire_owned().ok();
        slot.stranger.is_some()
    }
}

/// The place of a connection that is served.
pub(super) struct Place {
    slot: Slot,
    /// It counts for an address.
    address: Option<Rc<()>>,
}

impl Place {
    /// One that counts for no address yet.
    pub fn new(slot: Slot) -> Place {
        Place { slot, address: None }
    }

    /// Whether it is only lent, until the request was looked at.
    pub fn is_of_the_reserve(&self) -> bool {
        self.slot.reserve
    }

    /// Counts for the address at the other end. `false`: it has all the places that it may have.
    /// A proxy has as many as it likes, and this machine itself.
    pub fn is_the_peers(&mut self, shared: &Shared, connection: &Connection) -> bool {
        let from = connection.from();
        let source = Source::of(from);
        if source == Source::Local || protocol::is_proxy(&shared.service, from) {
            return true;
        }
        self.address = shared.addresses.take(source);
        self.address.is_some()
    }

    /// Becomes a place like any other, for which somebody else makes way.
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

    /// Whether the connection may stay open for whoever asks from there.
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
    /// Waits for the place of one more connection. Dropped in between, it has taken none.
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

/// Has one connection of a thread make way, if there is one that has to.
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

/// How many places each address has.
pub(super) struct Addresses {
    most: usize,
    /// Each place holds one more of these.
    places: RefCell<HashMap<Source, Rc<()>>>,
}

impl Addresses {
    /// Nobody has one.
    pub fn new(most: usize) -> Addresses {
        Addresses { most, places: RefCell::default() }
    }

    /// Takes one for as long as what is returned lives. `None`: the address has all it may have.
    pub fn take(&self, source: Source) -> Option<Rc<()>> {
        let mut places = self.places.borrow_mut();
        // Whoever has gone is forgotten when the table has doubled.
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
    fn an_address_has_so_many_places() {
        let addresses = Addresses::new(2);
        let source = |last| Source::of([203, 0, 113, last].into());
        let (one, two) = (addresses.take(source(1)), addresses.take(source(1)));
        assert!(one.is_some() && two.is_some() && addresses.take(source(1)).is_none());
        assert!(addresses.take(source(2)).is_some());
        drop(one);
        let three = addresses.take(source(1));
        assert!(three.is_some() && addresses.take(source(1)).is_none());
        // Thousands that come and go leave nothing.
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
