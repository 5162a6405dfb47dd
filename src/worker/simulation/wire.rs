//! What stands for a connection's socket, and the protocol that is spoken over it: lines that say
//! what they mean.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::chat::{
    ClientEvent, ClientId, Event, Receipt, Refusal, RoomId, Seq, SubscriptionId, What,
};
use crate::codec::{Codec, Disconnect};
use crate::connection::{Hearing, Told};
use crate::worker::delivery::Listener;
use crate::ws::CloseFrame;

/// One connection, as its worker sees it.
pub struct Ear {
    subscription: SubscriptionId,
    room: Cell<Option<RoomId>>,
    /// What a stream is told in this round.
    gathered: RefCell<Vec<u8>>,
    /// Delivered, and not yet read.
    outbox: RefCell<Vec<u8>>,
    outbox_max: usize,
    hearing: Hearing,
    closing: Cell<Option<Disconnect>>,
    pub unanswered: Cell<u32>,
    pub nudged: Notify,
}

impl Ear {
    pub fn new(subscription: SubscriptionId, outbox_max: usize) -> Ear {
        Ear {
            subscription,
            room: Cell::new(None),
            gathered: RefCell::default(),
            outbox: RefCell::default(),
            outbox_max,
            hearing: Hearing::default(),
            closing: Cell::new(None),
            unanswered: Cell::new(0),
            nudged: Notify::new(),
        }
    }

    /// What was delivered since the last time.
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

    fn deliver(&self, frames: &[u8]) {
        if !self.is_closed() && !frames.is_empty() {
            self.outbox.borrow_mut().extend_from_slice(frames);
            self.nudged.notify_one();
        }
    }

    pub fn room_id(&self) -> Option<RoomId> {
        self.room.get()
    }

    /// From where the log is to be read, as [`Connection`](crate::connection::Connection) has it.
    pub fn lags_from(&self) -> Option<(Option<Seq>, Vec<Seq>)> {
        let is_open = self.outbox.borrow().is_empty() && !self.is_closed();
        is_open.then(|| self.hearing.to_read())?
    }

    /// Queues what was read back.
    pub fn make_up(&self, bytes: &[u8], upto: Seq, head: Seq) {
        self.deliver(bytes);
        let moved = self.hearing.made_up(upto, head);
        self.deliver(&moved);
    }
}

impl Listener for Ear {
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

    fn miss(&self, round: &[Told<'_>], out: &mut Vec<u8>) {
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

    fn begin_feed(&self) {}

    fn gather(&self, _: Option<Seq>, frame: &Bytes) -> bool {
        self.answer(frame)
    }

    fn answer(&self, frame: &Bytes) -> bool {
        let mut gathered = self.gathered.borrow_mut();
        gathered.extend_from_slice(frame);
        gathered.len() == frame.len()
    }

    /// It is not read back for a stream here: one that is too slow is closed.
    fn flush_feed(&self, _: &mut Vec<u8>) {
        let gathered = self.gathered.take();
        if self.accepts(gathered.len()) {
            self.deliver(&gathered);
        } else {
            self.close(Disconnect::TooSlow);
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
        unreachable!("nobody in the simulation decodes")
    }

    fn name(&self) -> &'static str {
        "plain"
    }

    fn event(&self, _: &str, event: &Event, out: &mut Vec<u8>) {
        let room = event.room.0;
        let line = match &event.what {
            What::Said { seq, text, .. } => format!("said {room} {} {text}\n", seq.0),
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
