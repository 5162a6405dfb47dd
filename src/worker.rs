//! One thread: its connections, who of them sits in which room, and the delivery round.
//!
//! The hub sends one item for each announcement, not one for each recipient. Who hears it, the
//! worker knows. It gathers what a round brings and writes once to each connection: what counts is
//! how many frames share a write, as one small write costs more than everything else together.
//!
//! A worker does I/O and nothing else: it decides nothing, and never waits for a client. Started
//! by the server; everything on its thread shares by `Rc`, so there is no lock.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::chat::{Door, Folded, Numbered, RoomId, SeatId, Seq};
use crate::connection::{self, Shared, Slot, Slots, Told, Wire, Wires};
use crate::dialect::{Closing, Copy, DOORS_MAX};
use crate::hub::{self, Item, Rounds};
use crate::limits::{FAREWELL_MS, SLICE_BYTES};
use crate::log;
use crate::protocol::Service;

/// A connection that was accepted, and the place that it gives back at its end.
pub struct Arrival {
    /// The socket; it belongs to no runtime yet.
    pub stream: std::net::TcpStream,
    /// Its place.
    pub slot: Slot,
}

/// Up to here everything has been announced on this thread.
type Head = Rc<Cell<Seq>>;

/// Serves until `arrivals` is closed, every connection has ended, and the hub is gone.
pub async fn run(
    worker: usize,
    service: Service,
    arrivals: mpsc::Receiver<Arrival>,
    slots: Slots,
    mut rounds: Rounds,
) {
    let (wires, head) = (Wires::default(), Rc::new(Cell::new(Seq(0))));
    let shared = Shared::new(Rc::new(service), head.clone(), wires.clone(), slots);
    tokio::task::spawn_local(welcome(worker, shared, arrivals, wires.clone()));
    let mut delivery = Delivery::new(wires, head);
    while let Some(items) = rounds.recv().await {
        delivery.take(items);
        // Whatever else has come belongs into the same writes.
        while let Ok(items) = rounds.try_recv() {
            delivery.take(items);
        }
        delivery.flush();
    }
}

/// Starts a task for each connection that arrives; when no more do, has all of them end, and cuts
/// off those that do not.
async fn welcome(
    worker: usize,
    shared: Shared,
    mut arrivals: mpsc::Receiver<Arrival>,
    wires: Wires,
) {
    let shared = Rc::new(shared);
    let mut count = 0;
    let patience = Duration::from_millis(shared.pong_deadline_ms());
    while let Some(Arrival { stream, slot }) = arrivals.recv().await {
        // It may be gone before it is served.
        let Ok(stream) = prepared(stream, patience) else { continue };
        count += 1;
        let wire = Rc::new(shared.wire(hub::seat_id(worker, count), stream));
        wires.borrow_mut().insert(wire.seat, wire.clone());
        let registered = Registered { wires: wires.clone(), seat: wire.seat };
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            // Dropped at the end also when the connection panics, which costs only itself.
            let _here = registered;
            connection::serve(shared, wire, slot).await;
        });
    }
    shared.stop();
    for wire in wires.borrow().values() {
        wire.nudge();
    }
    // What connections share keeps the hub running: those that are left have it, and only those.
    drop(shared);
    tokio::time::sleep(Duration::from_millis(FAREWELL_MS)).await;
    let left = wires.borrow();
    if !left.is_empty() {
        log!(Warn, "{} connections did not end in time and were cut off", left.len());
    }
    for wire in left.values() {
        wire.cut_off();
    }
}

/// A socket as connections need it.
fn prepared(stream: std::net::TcpStream, patience: Duration) -> io::Result<TcpStream> {
    // Small frames are not to wait for one another (without it, 20 ms instead of 0.5).
    stream.set_nodelay(true)?;
    // A peer that has vanished without a word acknowledges nothing. The kernel itself would go on
    // sending it the same for a quarter of an hour. (Everything open says something twice a minute,
    // if only a ping.)
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(patience))?;
    TcpStream::from_std(stream)
}

/// A connection's entry in the table.
struct Registered {
    wires: Wires,
    seat: SeatId,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.wires.borrow_mut().remove(&self.seat);
    }
}

/// Who sits where, and what this round has for them.
struct Delivery {
    wires: Wires,
    rooms: Numbered<RoomId, Room>,
    /// Rooms with something pending.
    touched: Vec<RoomId>,
    /// Streams with something gathered.
    fed: Vec<Rc<Wire>>,
    head: Head,
    /// The last entry of this round.
    latest: Seq,
    gather: Gather,
}

/// The seats of this thread in one room, and what is to be told to them.
#[derive(Default)]
struct Room {
    seats: Vec<Seated>,
    /// The streams that hear it, by their seat here.
    streams: Vec<(SeatId, Door, Rc<Wire>)>,
    pending: Vec<Pending>,
    /// The bytes that one recipient gets of `pending`, at most.
    bytes: usize,
}

struct Seated {
    wire: Rc<Wire>,
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
        copies: Vec<Copy>,
    },
    /// To one seat.
    Replied { seat: SeatId, frame: Bytes },
}

/// Buffers that are filled again and again: one for what all of a door get, one for what one does.
#[derive(Default)]
struct Gather {
    common: [Vec<u8>; DOORS_MAX],
    single: Vec<u8>,
}

impl Delivery {
    fn new(wires: Wires, head: Head) -> Delivery {
        let (rooms, touched, fed) = (Numbered::default(), Vec::new(), Vec::new());
        let (latest, gather) = (head.get(), Gather::default());
        Delivery { wires, rooms, touched, fed, head, latest, gather }
    }

    fn take(&mut self, items: Vec<Item>) {
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
    fn flush(&mut self) {
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
    fn wire(&self, seat: SeatId) -> Option<Rc<Wire>> {
        self.wires.borrow().get(&hub::base_of(seat)).cloned()
    }

    /// Gives an announcement to the streams in the room.
    fn feed(&mut self, room: RoomId, seq: Option<Seq>, by: Option<SeatId>, copies: &[Copy]) {
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
        let stream = wire.seat != seat;
        wire.room.set((!stream).then_some(room));
        let room = self.rooms.entry(room).or_default();
        if stream {
            wire.begin_feed();
            return room.streams.push((seat, door, wire));
        }
        room.seats.push(Seated { wire, door, since: room.pending.len(), apart: false });
    }

    fn unseat(&mut self, seat: SeatId, id: RoomId, closing: Option<Closing>) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if let Some(index) = room.streams.iter().position(|(taken, _, _)| *taken == seat) {
            room.streams.swap_remove(index);
        }
        if let Some(index) = room.seats.iter().position(|seated| seated.wire.seat == seat) {
            let seated = room.seats.swap_remove(index);
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
        if wire.room.get().is_none() && !frame.is_empty() && wire.answer(&frame) {
            self.fed.push(wire.clone());
        }
        if let Some(room) = wire.room.get().filter(|_| !frame.is_empty()) {
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

    /// Everybody has missed something: nobody is told anything more, and all may come back.
    fn overrun(&mut self) {
        let rooms = std::mem::take(&mut self.rooms);
        let wires = rooms.into_values().flat_map(|room| {
            let streams = room.streams.into_iter().map(|(_, _, wire)| wire);
            room.seats.into_iter().map(|seated| seated.wire).chain(streams)
        });
        let closed = wires.map(|wire| wire.close(Closing::TOO_SLOW)).count();
        log!(Error, "{closed} connections were closed: their worker had stood still");
        self.touched.clear();
    }
}

impl Room {
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
                let round = pending.filter_map(|pending| pending.told(seated));
                seated.wire.miss(round, &mut gather.single);
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
            seated.apart = named.binary_search(&seated.wire.seat).is_ok();
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
    fn told<'a>(&'a self, seated: &Seated) -> Option<Told<'a>> {
        let frame = self.frame(seated.wire.seat, seated.door);
        match self {
            Pending::Announced { seq, moved, copies, .. } => {
                let for_it = copies.iter().any(|copy| copy.door == seated.door);
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
    fn single(&mut self, pending: &[Pending], seated: &Seated) -> &[u8] {
        self.single.clear();
        for pending in pending.iter().skip(seated.since) {
            self.single.extend_from_slice(pending.frame(seated.wire.seat, seated.door));
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
        let mut delivery = Delivery::new(Wires::default(), head.clone());
        delivery.take(vec![Item::Head(Seq(9))]);
        delivery.flush();
        assert_eq!(head.get(), Seq(9));
    }
}
