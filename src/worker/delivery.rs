//! The delivery round: which connections of this thread receive an event, with one write to each.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;

use crate::chat::{Folded, Numbered, ProtocolId, RoomId, Seq, SubscriptionId};
use crate::codec::{Disconnect, Encoded, PROTOCOL_IDS_MAX};
use crate::connection::{Connection, RoundEvent};
use crate::hub::{self, Item};
use crate::limits::SLICE_BYTES;
use crate::log;

/// The connections of this thread, by subscription, from accept to close.
pub(super) type Connections<W> = Rc<RefCell<Numbered<SubscriptionId, Rc<W>>>>;

/// Every entry up to here has been announced on this thread.
pub(super) type Head = Rc<Cell<Seq>>;

/// A recipient: a [`Connection`], whose functions these are; in the simulation, its stand-in.
pub(super) trait Listener {
    /// The connection's own subscription.
    fn subscription(&self) -> SubscriptionId;
    /// The room of its subscription; `None` for a stream.
    fn room(&self) -> &Cell<Option<RoomId>>;
    /// Delivers the frames that all subscriptions of a protocol share. `false`: use `miss` instead.
    fn hear(&self, frames: &[u8]) -> bool;
    fn miss(&self, round: &[RoundEvent<'_>], scratch: &mut Vec<u8>);
    fn begin_stream(&self);
    fn freeze_stream(&self);
    fn gather(&self, seq: Option<Seq>, frame: &Bytes) -> bool;
    fn answer(&self, frame: &Bytes) -> bool;
    fn flush_stream(&self, scratch: &mut Vec<u8>);
    fn answered(&self);
    fn close(&self, closing: Disconnect);
}

impl Listener for Connection {
    fn subscription(&self) -> SubscriptionId {
        self.subscription
    }

    fn room(&self) -> &Cell<Option<RoomId>> {
        &self.room
    }

    fn hear(&self, frames: &[u8]) -> bool {
        self.hear(frames)
    }

    fn miss(&self, round: &[RoundEvent<'_>], scratch: &mut Vec<u8>) {
        self.miss(round, scratch);
    }

    fn begin_stream(&self) {
        self.begin_stream();
    }

    fn freeze_stream(&self) {
        self.freeze_stream();
    }

    fn gather(&self, seq: Option<Seq>, frame: &Bytes) -> bool {
        self.gather(seq, frame)
    }

    fn answer(&self, frame: &Bytes) -> bool {
        self.answer(frame)
    }

    fn flush_stream(&self, scratch: &mut Vec<u8>) {
        self.flush_stream(scratch);
    }

    fn answered(&self) {
        self.answered();
    }

    fn close(&self, closing: Disconnect) {
        self.close(closing);
    }
}

/// The subscriptions of this thread, and the current round's frames for them.
pub(super) struct Delivery<W> {
    connections: Connections<W>,
    rooms: Numbered<RoomId, Room<W>>,
    /// Each subscription's index in its room, so that no search is needed.
    places: Numbered<SubscriptionId, usize>,
    /// Rooms with pending frames.
    touched: Vec<RoomId>,
    /// Streams with gathered frames.
    fed: Vec<Rc<W>>,
    head: Head,
    /// The last entry of this round.
    latest: Seq,
    gather: Gather,
}

/// The subscriptions of this thread in one room, and the pending frames for them.
struct Room<W> {
    subscriptions: Vec<Subscribed<W>>,
    /// The streams in the room, with their subscription here.
    streams: Vec<(SubscriptionId, ProtocolId, Rc<W>)>,
    pending: Vec<Pending>,
    /// The most bytes of `pending` that one recipient gets.
    bytes: usize,
}

struct Subscribed<W> {
    connection: Rc<W>,
    protocol: ProtocolId,
    /// The index of the first pending item after it subscribed: it does not receive earlier ones.
    since: usize,
    /// Some pending items are for this subscription alone, or not for it.
    apart: bool,
}

/// A pending item, in order.
enum Pending {
    /// To every subscription, but maybe not the one that caused it.
    Announced {
        by: Option<SubscriptionId>,
        seq: Option<Seq>,
        moved: Option<(Folded, bool)>,
        copies: Vec<Encoded>,
    },
    /// To one subscription.
    Replied { subscription: SubscriptionId, frame: Bytes },
}

/// Reused buffers: one for each protocol's common frames, one for a single subscription's.
#[derive(Default)]
struct Gather {
    common: [Vec<u8>; PROTOCOL_IDS_MAX],
    single: Vec<u8>,
}

impl<W: Listener> Delivery<W> {
    pub fn new(connections: Connections<W>, head: Head) -> Delivery<W> {
        let (rooms, places) = (Numbered::default(), Numbered::default());
        let (touched, fed) = (Vec::new(), Vec::new());
        let (latest, gather) = (head.get(), Gather::default());
        Delivery { connections, rooms, places, touched, fed, head, latest, gather }
    }

    pub fn take(&mut self, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Subscribe { subscription, protocol, room } => {
                    self.subscription(subscription, protocol, room)
                }
                Item::Unsubscribe { subscription, room, closing } => {
                    self.unsubscribe(subscription, room, closing)
                }
                Item::Announce { room, seq, by, moved, copies } => {
                    self.latest = self.latest.max(seq.unwrap_or(self.latest));
                    self.gather(room, seq, by, &copies);
                    let bytes = copies.iter().map(|copy| copy.frame.len()).max().unwrap_or(0);
                    self.pend(room, bytes, Pending::Announced { by, seq, moved, copies });
                }
                Item::Notify { subscription, seq, frame } => {
                    self.latest = self.latest.max(seq.unwrap_or(self.latest));
                    if let Some(connection) = self.connection(subscription)
                        && connection.gather(seq, &frame)
                    {
                        self.fed.push(connection);
                    }
                }
                Item::Freeze { subscription } => {
                    if let Some(connection) = self.connection(subscription) {
                        connection.freeze_stream();
                    }
                }
                Item::CloseStream { subscription, closing } => {
                    if let Some(connection) = self.connection(subscription) {
                        connection.flush_stream(&mut self.gather.single);
                        connection.close(closing);
                    }
                }
                Item::Reply { subscription, frame } => self.reply(subscription, frame),
                Item::Head(seq) => self.latest = self.latest.max(seq),
                Item::Overrun => self.overrun(),
            }
        }
    }

    /// Ends the round: writes everything that is pending.
    pub fn flush(&mut self) {
        for room in std::mem::take(&mut self.touched) {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.flush(&mut self.gather);
            }
        }
        for connection in self.fed.drain(..) {
            connection.flush_stream(&mut self.gather.single);
        }
        self.head.set(self.latest);
    }

    /// The connection that a subscription belongs to.
    fn connection(&self, subscription: SubscriptionId) -> Option<Rc<W>> {
        self.connections.borrow().get(&hub::base_of(subscription)).cloned()
    }

    /// Gives an announcement to the streams in the room.
    fn gather(
        &mut self,
        room: RoomId,
        seq: Option<Seq>,
        by: Option<SubscriptionId>,
        copies: &[Encoded],
    ) {
        let Some(room) = self.rooms.get(&room) else { return };
        for (subscription, protocol, connection) in &room.streams {
            let copy = copies.iter().find(|copy| copy.protocol == *protocol);
            let Some(copy) = copy.filter(|copy| copy.echo || by != Some(*subscription)) else {
                continue;
            };
            if connection.gather(seq, &copy.frame) {
                self.fed.push(connection.clone());
            }
        }
    }

    fn subscription(&mut self, subscription: SubscriptionId, protocol: ProtocolId, room: RoomId) {
        // A connection that has ended leaves by itself, and the hub then unsubscribes it.
        let Some(connection) = self.connection(subscription) else { return };
        let stream = connection.subscription() != subscription;
        connection.room().set((!stream).then_some(room));
        let room = self.rooms.entry(room).or_default();
        if stream {
            connection.begin_stream();
            self.places.insert(subscription, room.streams.len());
            return room.streams.push((subscription, protocol, connection));
        }
        self.places.insert(subscription, room.subscriptions.len());
        room.subscriptions.push(Subscribed {
            connection,
            protocol,
            since: room.pending.len(),
            apart: false,
        });
    }

    fn unsubscribe(
        &mut self,
        subscription: SubscriptionId,
        id: RoomId,
        closing: Option<Disconnect>,
    ) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let Some(index) = self.places.remove(&subscription) else { return };
        if hub::base_of(subscription) != subscription {
            room.streams.swap_remove(index);
            if let Some((moved, _, _)) = room.streams.get(index) {
                self.places.insert(*moved, index);
            }
        } else {
            let subscribed = room.subscriptions.swap_remove(index);
            if let Some(moved) = room.subscriptions.get(index) {
                self.places.insert(moved.connection.subscription(), index);
            }
            if let Some(closing) = closing {
                // It still receives what was pending before.
                subscribed.connection.hear(self.gather.single(&room.pending, &subscribed));
                subscribed.connection.close(closing);
            }
        }
        if room.subscriptions.is_empty() && room.streams.is_empty() {
            self.rooms.remove(&id);
        }
    }

    /// A reply is ordered with the room's events: the sender first receives the earlier ones.
    fn reply(&mut self, subscription: SubscriptionId, frame: Bytes) {
        let Some(connection) = self.connection(subscription) else { return };
        connection.answered();
        if connection.room().get().is_none() && !frame.is_empty() && connection.answer(&frame) {
            self.fed.push(connection.clone());
        }
        if let Some(room) = connection.room().get().filter(|_| !frame.is_empty()) {
            self.pend(room, frame.len(), Pending::Replied { subscription, frame });
        }
    }

    fn pend(&mut self, id: RoomId, bytes: usize, pending: Pending) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.subscriptions.is_empty() {
            return;
        }
        if room.pending.is_empty() {
            self.touched.push(id);
        }
        room.pending.push(pending);
        room.bytes += bytes;
        if room.bytes >= SLICE_BYTES {
            room.flush(&mut self.gather);
        }
    }

    /// All subscriptions have missed something: every connection is closed, and its client may come
    /// back. Also connections without a subscription, as theirs may be among the dropped items.
    fn overrun(&mut self) {
        (self.rooms, self.places) = (Numbered::default(), Numbered::default());
        self.touched = Vec::new();
        let connections = self.connections.borrow();
        connections.values().for_each(|connection| connection.close(Disconnect::TooSlow));
        log!(Error, "{} connections were closed: their worker did not respond", connections.len());
    }
}

impl<W> Default for Room<W> {
    fn default() -> Room<W> {
        Room { subscriptions: Vec::new(), streams: Vec::new(), pending: Vec::new(), bytes: 0 }
    }
}

impl<W: Listener> Room<W> {
    /// Writes what is pending, once to each subscription.
    fn flush(&mut self, gather: &mut Gather) {
        self.set_apart();
        gather.common(&self.pending);
        for subscribed in &mut self.subscriptions {
            let heard = if subscribed.apart || subscribed.since > 0 {
                subscribed.connection.hear(gather.single(&self.pending, subscribed))
            } else {
                subscribed.connection.hear(&gather.common[usize::from(subscribed.protocol.0)])
            };
            if !heard {
                let pending = self.pending.iter().skip(subscribed.since);
                let round = pending.filter_map(|item| {
                    item.told(subscribed.connection.subscription(), subscribed.protocol)
                });
                subscribed.connection.miss(&round.collect::<Vec<_>>(), &mut gather.single);
            }
            (subscribed.apart, subscribed.since) = (false, 0);
        }
        self.pending.clear();
        self.bytes = 0;
    }

    /// Marks the subscriptions whose frames differ from those of the others.
    fn set_apart(&mut self) {
        let mut named: Vec<SubscriptionId> =
            self.pending.iter().filter_map(Pending::names).collect();
        if named.is_empty() {
            return;
        }
        named.sort_unstable();
        for subscribed in &mut self.subscriptions {
            subscribed.apart = named.binary_search(&subscribed.connection.subscription()).is_ok();
        }
    }
}

impl Pending {
    /// The subscription whose frames differ because of this item.
    fn names(&self) -> Option<SubscriptionId> {
        match self {
            Pending::Announced { by, copies, .. } => {
                by.filter(|_| copies.iter().any(|copy| !copy.echo))
            }
            Pending::Replied { subscription, .. } => Some(*subscription),
        }
    }

    /// The frame, with the data to send it later. `None`: it is not for this subscription.
    fn told(&self, subscription: SubscriptionId, protocol: ProtocolId) -> Option<RoundEvent<'_>> {
        let frame = self.frame(subscription, protocol);
        match self {
            Pending::Announced { seq, moved, copies, .. } => {
                let for_it = copies.iter().any(|copy| copy.protocol == protocol);
                for_it.then_some(RoundEvent { seq: *seq, moved: moved.as_ref(), frame })
            }
            Pending::Replied { .. } => {
                (!frame.is_empty()).then_some(RoundEvent { seq: None, moved: None, frame })
            }
        }
    }

    /// The frame for a subscription; may be empty.
    fn frame(&self, subscription: SubscriptionId, protocol: ProtocolId) -> &[u8] {
        match self {
            Pending::Announced { by, copies, .. } => {
                let copy = copies.iter().find(|copy| copy.protocol == protocol);
                let copy = copy.filter(|copy| copy.echo || *by != Some(subscription));
                copy.map_or(&[], |copy| &copy.frame)
            }
            Pending::Replied { subscription: to, frame } if *to == subscription => frame,
            Pending::Replied { .. } => &[],
        }
    }
}

impl Gather {
    /// Gathers, for each protocol, the frames of the subscriptions that are not set apart.
    fn common(&mut self, pending: &[Pending]) {
        self.common.iter_mut().for_each(Vec::clear);
        for pending in pending {
            if let Pending::Announced { copies, .. } = pending {
                for copy in copies {
                    self.common[usize::from(copy.protocol.0)].extend_from_slice(&copy.frame);
                }
            }
        }
    }

    /// Gathers one subscription's frames.
    fn single<W: Listener>(&mut self, pending: &[Pending], subscribed: &Subscribed<W>) -> &[u8] {
        self.single.clear();
        for pending in pending.iter().skip(subscribed.since) {
            self.single.extend_from_slice(
                pending.frame(subscribed.connection.subscription(), subscribed.protocol),
            );
        }
        &self.single
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_moves_without_recipients() {
        let head = Head::default();
        let mut delivery = Delivery::<Connection>::new(Connections::default(), head.clone());
        delivery.take(vec![Item::Head(Seq(9))]);
        delivery.flush();
        assert_eq!(head.get(), Seq(9));
    }
}
