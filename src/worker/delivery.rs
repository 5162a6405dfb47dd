//! The delivery round: who of a thread's connections hears what, and one write to each of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;

use crate::chat::{Door, Folded, Numbered, RoomId, SeatId, Seq};
use crate::codec::{Disconnect, Encoded, PROTOCOL_IDS_MAX};
use crate::connection::{Told, Wire};
use crate::hub::{self, Item};
use crate::limits::SLICE_BYTES;
use crate::log;

/// The connections of this thread, by seat, from accept to close.
pub(super) type Wires<W> = Rc<RefCell<Numbered<SeatId, Rc<W>>>>;

/// Up to here everything has been announced on this thread.
pub(super) type Head = Rc<Cell<Seq>>;

/// What is delivered to: a [`Wire`], whose functions these are; in the simulation, what stands for
/// one.
pub(super) trait Listener {
    /// The connection's own seat.
    fn seat(&self) -> SeatId;
    /// The room that it sits in, if it is no stream.
    fn room(&self) -> &Cell<Option<RoomId>>;
    /// What all of a door hear in a round. `false`: it is to be given with `miss`.
    fn hear(&self, frames: &[u8]) -> bool;
    fn miss(&self, round: &[Told<'_>], scratch: &mut Vec<u8>);
    fn begin_feed(&self);
    fn freeze_feed(&self);
    fn gather(&self, seq: Option<Seq>, frame: &Bytes) -> bool;
    fn answer(&self, frame: &Bytes) -> bool;
    fn flush_feed(&self, scratch: &mut Vec<u8>);
    fn answered(&self);
    fn close(&self, closing: Disconnect);
}

impl Listener for Wire {
    fn seat(&self) -> SeatId {
        self.seat
    }

    fn room(&self) -> &Cell<Option<RoomId>> {
        &self.room
    }

    fn hear(&self, frames: &[u8]) -> bool {
        self.hear(frames)
    }

    fn miss(&self, round: &[Told<'_>], scratch: &mut Vec<u8>) {
        self.miss(round, scratch);
    }

    fn begin_feed(&self) {
        self.begin_feed();
    }

    fn freeze_feed(&self) {
        self.freeze_feed();
    }

    fn gather(&self, seq: Option<Seq>, frame: &Bytes) -> bool {
        self.gather(seq, frame)
    }

    fn answer(&self, frame: &Bytes) -> bool {
        self.answer(frame)
    }

    fn flush_feed(&self, scratch: &mut Vec<u8>) {
        self.flush_feed(scratch);
    }

    fn answered(&self) {
        self.answered();
    }

    fn close(&self, closing: Disconnect) {
        self.close(closing);
    }
}

/// Who sits where, and what this round has for them.
pub(super) struct Delivery<W> {
    wires: Wires<W>,
    rooms: Numbered<RoomId, Room<W>>,
    /// Where in its room each seat is, so that nobody has to be looked for.
    places: Numbered<SeatId, usize>,
    /// Rooms with something pending.
    touched: Vec<RoomId>,
    /// Streams with something gathered.
    fed: Vec<Rc<W>>,
    head: Head,
    /// The last entry of this round.
    latest: Seq,
    gather: Gather,
}

/// The seats of this thread in one room, and what is to be told to them.
struct Room<W> {
    seats: Vec<Seated<W>>,
    /// The streams that hear it, by their seat here.
    streams: Vec<(SeatId, Door, Rc<W>)>,
    pending: Vec<Pending>,
    /// The bytes that one recipient gets of `pending`, at most.
    bytes: usize,
}

struct Seated<W> {
    wire: Rc<W>,
    door: Door,
    /// It came when so much was pending, which it does not hear.
    since: usize,
    /// Some of what is pending is for this seat alone, or not for it.
    apart: bool,
}

/// What is to be told, in order.
enum Pending {
    /// To everybody but maybe the seat it came through.
    Announced {
        by: Option<SeatId>,
        seq: Option<Seq>,
        moved: Option<(Folded, bool)>,
        copies: Vec<Encoded>,
    },
    /// To one seat.
    Replied { seat: SeatId, frame: Bytes },
}

/// Buffers that are filled again and again: one for what all of a door get, one for what one does.
#[derive(Default)]
struct Gather {
    common: [Vec<u8>; PROTOCOL_IDS_MAX],
    single: Vec<u8>,
}

impl<W: Listener> Delivery<W> {
    pub fn new(wires: Wires<W>, head: Head) -> Delivery<W> {
        let (rooms, places) = (Numbered::default(), Numbered::default());
        let (touched, fed) = (Vec::new(), Vec::new());
        let (latest, gather) = (head.get(), Gather::default());
        Delivery { wires, rooms, places, touched, fed, head, latest, gather }
    }

    pub fn take(&mut self, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Seat { seat, door, room } => self.seat(seat, door, room),
                Item::Unseat { seat, room, closing } => self.unseat(seat, room, closing),
                Item::Announce { room, seq, by, moved, copies } => {
                    self.latest = self.latest.max(seq.unwrap_or(self.latest));
                    self.feed(room, seq, by, &copies);
                    let bytes = copies.iter().map(|copy| copy.frame.len()).max().unwrap_or(0);
                    self.pend(room, bytes, Pending::Announced { by, seq, moved, copies });
                }
                Item::Whisper { seat, seq, frame } => {
                    self.latest = self.latest.max(seq.unwrap_or(self.latest));
                    if let Some(wire) = self.wire(seat)
                        && wire.gather(seq, &frame)
                    {
                        self.fed.push(wire);
                    }
                }
                Item::Freeze { seat } => {
                    if let Some(wire) = self.wire(seat) {
                        wire.freeze_feed();
                    }
                }
                Item::Dismiss { seat, closing } => {
                    if let Some(wire) = self.wire(seat) {
                        wire.flush_feed(&mut self.gather.single);
                        wire.close(closing);
                    }
                }
                Item::Reply { seat, frame } => self.reply(seat, frame),
                Item::Head(seq) => self.latest = self.latest.max(seq),
                Item::Overrun => self.overrun(),
            }
        }
    }

    /// Ends the round: everything that is pending is written.
    pub fn flush(&mut self) {
        for room in std::mem::take(&mut self.touched) {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.flush(&mut self.gather);
            }
        }
        for wire in self.fed.drain(..) {
            wire.flush_feed(&mut self.gather.single);
        }
        self.head.set(self.latest);
    }

    /// The connection that a seat belongs to.
    fn wire(&self, seat: SeatId) -> Option<Rc<W>> {
        self.wires.borrow().get(&hub::base_of(seat)).cloned()
    }

    /// Gives an announcement to the streams in the room.
    fn feed(&mut self, room: RoomId, seq: Option<Seq>, by: Option<SeatId>, copies: &[Encoded]) {
        let Some(room) = self.rooms.get(&room) else { return };
        for (seat, door, wire) in &room.streams {
            let copy = copies.iter().find(|copy| copy.door == *door);
            let Some(copy) = copy.filter(|copy| copy.echo || by != Some(*seat)) else { continue };
            if wire.gather(seq, &copy.frame) {
                self.fed.push(wire.clone());
            }
        }
    }

    fn seat(&mut self, seat: SeatId, door: Door, room: RoomId) {
        // A connection that has ended already says so to the hub, which then unseats it.
        let Some(wire) = self.wire(seat) else { return };
        let stream = wire.seat() != seat;
        wire.room().set((!stream).then_some(room));
        let room = self.rooms.entry(room).or_default();
        if stream {
            wire.begin_feed();
            self.places.insert(seat, room.streams.len());
            return room.streams.push((seat, door, wire));
        }
        self.places.insert(seat, room.seats.len());
        room.seats.push(Seated { wire, door, since: room.pending.len(), apart: false });
    }

    fn unseat(&mut self, seat: SeatId, id: RoomId, closing: Option<Disconnect>) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let Some(index) = self.places.remove(&seat) else { return };
        if hub::base_of(seat) != seat {
            room.streams.swap_remove(index);
            if let Some((moved, _, _)) = room.streams.get(index) {
                self.places.insert(*moved, index);
            }
        } else {
            let seated = room.seats.swap_remove(index);
            if let Some(moved) = room.seats.get(index) {
                self.places.insert(moved.wire.seat(), index);
            }
            if let Some(closing) = closing {
                // It still hears what was said before.
                seated.wire.hear(self.gather.single(&room.pending, &seated));
                seated.wire.close(closing);
            }
        }
        if room.seats.is_empty() && room.streams.is_empty() {
            self.rooms.remove(&id);
        }
    }

    /// A reply stands in line with what the room is told: who said something hears first what was
    /// said before.
    fn reply(&mut self, seat: SeatId, frame: Bytes) {
        let Some(wire) = self.wire(seat) else { return };
        wire.answered();
        if wire.room().get().is_none() && !frame.is_empty() && wire.answer(&frame) {
            self.fed.push(wire.clone());
        }
        if let Some(room) = wire.room().get().filter(|_| !frame.is_empty()) {
            self.pend(room, frame.len(), Pending::Replied { seat, frame });
        }
    }

    fn pend(&mut self, id: RoomId, bytes: usize, pending: Pending) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.seats.is_empty() {
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

    /// Everybody has missed something: nobody is told anything more, and all may come back. Also
    /// those who sit nowhere yet, as their seats may be among what was thrown away.
    fn overrun(&mut self) {
        (self.rooms, self.places) = (Numbered::default(), Numbered::default());
        self.touched = Vec::new();
        let wires = self.wires.borrow();
        wires.values().for_each(|wire| wire.close(Disconnect::TooSlow));
        log!(Error, "{} connections were closed: their worker had stood still", wires.len());
    }
}

impl<W> Default for Room<W> {
    fn default() -> Room<W> {
        Room { seats: Vec::new(), streams: Vec::new(), pending: Vec::new(), bytes: 0 }
    }
}

impl<W: Listener> Room<W> {
    /// Writes what is pending, once to each seat.
    fn flush(&mut self, gather: &mut Gather) {
        self.set_apart();
        gather.common(&self.pending);
        for seated in &mut self.seats {
            let heard = if seated.apart || seated.since > 0 {
                seated.wire.hear(gather.single(&self.pending, seated))
            } else {
                seated.wire.hear(&gather.common[usize::from(seated.door.0)])
            };
            if !heard {
                let pending = self.pending.iter().skip(seated.since);
                let round = pending.filter_map(|it| it.told(seated.wire.seat(), seated.door));
                seated.wire.miss(&round.collect::<Vec<_>>(), &mut gather.single);
            }
            (seated.apart, seated.since) = (false, 0);
        }
        self.pending.clear();
        self.bytes = 0;
    }

    /// Marks the seats for which what is pending differs from what the others get.
    fn set_apart(&mut self) {
        let mut named: Vec<SeatId> = self.pending.iter().filter_map(Pending::names).collect();
        if named.is_empty() {
            return;
        }
        named.sort_unstable();
        for seated in &mut self.seats {
            seated.apart = named.binary_search(&seated.wire.seat()).is_ok();
        }
    }
}

impl Pending {
    /// The seat that does not get what the others get.
    fn names(&self) -> Option<SeatId> {
        match self {
            Pending::Announced { by, copies, .. } => {
                by.filter(|_| copies.iter().any(|copy| !copy.echo))
            }
            Pending::Replied { seat, .. } => Some(*seat),
        }
    }

    /// The same, with what it takes to make up for it later. `None`: it is not for this seat.
    fn told(&self, seat: SeatId, door: Door) -> Option<Told<'_>> {
        let frame = self.frame(seat, door);
        match self {
            Pending::Announced { seq, moved, copies, .. } => {
                let for_it = copies.iter().any(|copy| copy.door == door);
                for_it.then_some(Told { seq: *seq, moved: moved.as_ref(), frame })
            }
            Pending::Replied { .. } => {
                (!frame.is_empty()).then_some(Told { seq: None, moved: None, frame })
            }
        }
    }

    /// What a seat gets of it.
    fn frame(&self, seat: SeatId, door: Door) -> &[u8] {
        match self {
            Pending::Announced { by, copies, .. } => {
                let copy = copies.iter().find(|copy| copy.door == door);
                let copy = copy.filter(|copy| copy.echo || *by != Some(seat));
                copy.map_or(&[], |copy| &copy.frame)
            }
            Pending::Replied { seat: to, frame } if *to == seat => frame,
            Pending::Replied { .. } => &[],
        }
    }
}

impl Gather {
    /// Gathers what all of a door get who are not set apart.
    fn common(&mut self, pending: &[Pending]) {
        self.common.iter_mut().for_each(Vec::clear);
        for pending in pending {
            if let Pending::Announced { copies, .. } = pending {
                for copy in copies {
                    self.common[usize::from(copy.door.0)].extend_from_slice(&copy.frame);
                }
            }
        }
    }

    /// Gathers what one seat gets.
    fn single<W: Listener>(&mut self, pending: &[Pending], seated: &Seated<W>) -> &[u8] {
        self.single.clear();
        for pending in pending.iter().skip(seated.since) {
            self.single.extend_from_slice(pending.frame(seated.wire.seat(), seated.door));
        }
        &self.single
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_moves_also_where_nobody_hears() {
        let head = Head::default();
        let mut delivery = Delivery::<Wire>::new(Wires::default(), head.clone());
        delivery.take(vec![Item::Head(Seq(9))]);
        delivery.flush();
        assert_eq!(head.get(), Seq(9));
    }
}
