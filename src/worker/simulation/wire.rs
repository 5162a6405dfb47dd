//! The substitute for a connection's socket, and the protocol that it speaks: plain lines.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::chat::{
    ClientEvent, ClientId, Event, EventKind, Receipt, Refusal, RoomId, Seq, SubscriptionId,
};
use crate::codec::{Codec, Disconnect};
use crate::connection::{Hearing, RoundEvent, StreamCursor};
use crate::limits::UNSENT_BYTES_MAX;
use crate::outgoing::Budget;
use crate::protocol::StreamScript;
use crate::worker::delivery::{Head, Listener};
use crate::ws::CloseFrame;

/// One connection as its worker sees it.
pub struct SimulatedSocket {
    subscription: SubscriptionId,
    room: Cell<Option<RoomId>>,
    /// A stream's cursor, and this round's frames for it.
    stream: RefCell<Option<StreamCursor>>,
    /// Delivered frames that the client has not read.
    outbox: RefCell<Vec<u8>>,
    outbox_max: usize,
    hearing: Hearing,
    closing: Cell<Option<Disconnect>>,
    pub unanswered: Cell<u32>,
    pub nudged: Notify,
}

impl SimulatedSocket {
    pub fn new(subscription: SubscriptionId, outbox_max: usize) -> SimulatedSocket {
        SimulatedSocket {
            subscription,
            room: Cell::new(None),
            stream: RefCell::new(None),
            outbox: RefCell::default(),
            outbox_max,
            hearing: Hearing::new(&Rc::new(Budget::new(UNSENT_BYTES_MAX))),
            closing: Cell::new(None),
            unanswered: Cell::new(0),
            nudged: Notify::new(),
        }
    }

    /// Takes the frames that were delivered since the last call.
    pub fn read(&self) -> String {
        String::from_utf8(self.outbox.take()).expect("text")
    }

    pub fn is_closed(&self) -> bool {
        self.closing.get().is_some()
    }

    fn accepts(&self, bytes: usize) -> bool {
        let waiting = self.outbox.borrow().len();
        waiting == 0 || waiting + bytes <= self.outbox_max
    }

    /// Queues frames that do not come from a room.
    pub fn queue(&self, frames: &[u8]) {
        self.deliver(frames);
    }

    /// Sets a stream's cursor: the client has everything up to it.
    pub fn stream_from(&self, cursor: Seq) {
        self.begin_stream();
        self.stream.borrow_mut().as_mut().expect("it has begun").begin_at(cursor);
    }

    /// Where to read the log for a stream from; see [`Connection`](crate::connection::Connection).
    pub fn page_from(&self) -> Option<Seq> {
        let stream = self.stream.borrow();
        let stream = stream.as_ref().filter(|stream| stream.is_behind())?;
        let waiting = self.outbox.borrow().len();
        let is_calm = waiting == 0 || waiting < self.outbox_max / 4;
        (is_calm && !self.is_closed()).then(|| stream.cursor())
    }

    /// Queues a page of the log. `true`: the stream is live from here on.
    pub fn page(&self, bytes: &[u8], upto: Seq, head: Seq) -> bool {
        self.deliver(bytes);
        self.stream.borrow_mut().as_mut().is_some_and(|stream| stream.page(upto, head))
    }

    /// Sends a ping unless other frames wait; the cursor of a live stream moves with it.
    pub fn ping(&self, script: &dyn StreamScript, head: &Head) {
        if self.outbox.borrow().is_empty() {
            let mut stream = self.stream.borrow_mut();
            let stream = stream.as_mut().expect("it is a stream");
            stream.pass(head.get());
            self.deliver(&script.ping(stream.cursor()));
        }
    }

    fn deliver(&self, frames: &[u8]) {
        if !self.is_closed() && !frames.is_empty() {
            self.outbox.borrow_mut().extend_from_slice(frames);
            self.nudged.notify_one();
        }
    }

    pub fn room_id(&self) -> Option<RoomId> {
        self.room.get()
    }

    /// Where to read the log from; see [`Connection`](crate::connection::Connection).
    pub fn lags_from(&self) -> Option<(Option<Seq>, Vec<Seq>)> {
        let is_open = self.outbox.borrow().is_empty() && !self.is_closed();
        is_open.then(|| self.hearing.to_read())?
    }

    /// Queues a page that was read back.
    pub fn make_up(&self, bytes: &[u8], upto: Seq, head: Seq) {
        self.deliver(bytes);
        let moved = self.hearing.made_up(upto, head);
        self.deliver(&moved);
    }
}

impl Listener for SimulatedSocket {
    fn subscription(&self) -> SubscriptionId {
        self.subscription
    }

    fn room(&self) -> &Cell<Option<RoomId>> {
        &self.room
    }

    fn hear(&self, frames: &[u8]) -> bool {
        if !self.hearing.is_prompt() || !(self.is_closed() || self.accepts(frames.len())) {
            return false;
        }
        self.deliver(frames);
        true
    }

    fn miss(&self, round: &[RoundEvent<'_>], out: &mut Vec<u8>) {
        if self.is_closed() {
            return;
        }
        match self.hearing.miss(round, |bytes| self.accepts(bytes), out) {
            Ok(lags) => {
                self.deliver(out);
                if lags {
                    self.nudged.notify_one();
                }
            }
            Err(_) => self.close(Disconnect::TooSlow),
        }
    }

    fn begin_stream(&self) {
        self.stream.borrow_mut().get_or_insert_with(StreamCursor::new);
    }

    fn freeze_stream(&self) {
        if let Some(stream) = self.stream.borrow_mut().as_mut() {
            stream.freeze();
        }
    }

    fn gather(&self, seq: Option<Seq>, frame: &Bytes) -> bool {
        self.stream.borrow_mut().as_mut().is_some_and(|stream| stream.gather(seq, frame))
    }

    fn answer(&self, frame: &Bytes) -> bool {
        self.stream.borrow_mut().as_mut().is_some_and(|stream| stream.answer(frame))
    }

    fn flush_stream(&self, out: &mut Vec<u8>) {
        out.clear();
        let room = self.outbox_max.saturating_sub(self.outbox.borrow().len());
        let behind = self.stream.borrow_mut().as_mut().is_some_and(|stream| {
            stream.flush(room, out);
            stream.is_behind()
        });
        self.deliver(out);
        if behind {
            self.nudged.notify_one();
        }
    }

    fn answered(&self) {
        self.unanswered.set(self.unanswered.get().checked_sub(1).expect("answered twice"));
        self.nudged.notify_one();
    }

    fn close(&self, closing: Disconnect) {
        self.closing.set(Some(closing));
        self.nudged.notify_one();
    }
}

/// `said ROOM SEQ TEXT`, `other ROOM`, `ok SEQ MARK`, `noted MARK`, `no WHY MARK`.
pub struct Plain;

impl Codec for Plain {
    fn decode(&self, _: &str) -> ClientEvent {
        unreachable!("the simulation decodes nothing")
    }

    fn name(&self) -> &'static str {
        "plain"
    }

    fn event(&self, _: &str, event: &Event, out: &mut Vec<u8>) {
        let room = event.room.0;
        let line = match &event.kind {
            EventKind::Said { seq, text, .. } => format!("said {room} {} {text}\n", seq.0),
            _ => format!("other {room}\n"),
        };
        out.extend_from_slice(line.as_bytes());
    }

    fn echoes(&self) -> bool {
        true
    }

    fn reply(&self, reply: &Result<Receipt, Refusal>, mark: Option<&ClientId>, out: &mut Vec<u8>) {
        let mark = mark.map_or("-", ClientId::as_str);
        let line = match reply {
            Ok(Receipt::Logged { seq, .. }) => format!("ok {} {mark}\n", seq.0),
            Ok(Receipt::Noted | Receipt::Known(_)) => format!("noted {mark}\n"),
            Err(refusal) => {
                let why = format!("{refusal:?}").replace(' ', "");
                format!("no {why} {mark}\n")
            }
        };
        out.extend_from_slice(line.as_bytes());
    }

    fn close(&self, _: Disconnect) -> CloseFrame {
        unreachable!("nobody in the simulation is told why")
    }
}
