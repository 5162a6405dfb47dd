//! What the hub needs to know of a protocol: how it says what happened. One [`Dialect`] a door;
//! the hub holds them as trait objects, and so knows of no protocol by name.
//!
//! What is announced is encoded at most once for each door, and shared from there on: server
//! frames are not masked (RFC 6455 section 5.1), so the same bytes serve everybody.

mod envelope;

use bytes::{Bytes, BytesMut};

use crate::chat::{ClientId, Door, Event, Farewell, Receipt, Refusal, Seq, Tell};
pub use crate::dialect::envelope::Envelope;

/// Somebody's way to chat: a client's text in, commands out; events in, text out.
///
/// It has no state: what a connection is bound to, the core knows.
pub trait Dialect: Sync {
    /// What a client's message means. What means nothing is [`Tell::Garbled`], with the reason.
    fn decode(&self, text: &str) -> Tell;

    /// Appends the JSON that tells of an event; nothing, where this protocol has no word for it.
    fn event(&self, event: &Event, json: &mut Vec<u8>);

    /// Whether the seat through which an event came is told of it like everybody else.
    fn echoes(&self) -> bool;

    /// Whether comings and goings are told in measure, gathered over a second, and not one by one.
    fn gathers_presence(&self) -> bool {
        false
    }

    /// Appends the JSON that answers a client's message; nothing, where this protocol is silent.
    /// `mark`: the client's own number for it, where it gave one.
    fn reply(&self, reply: &Result<Receipt, Refusal>, mark: Option<&ClientId>, json: &mut Vec<u8>);

    /// How the JSON goes over the wire.
    fn envelope(&self) -> Envelope {
        Envelope::Websocket
    }
}

/// Every protocol's way in; a [`Door`] is an index into it.
pub type Dialects = &'static [&'static dyn Dialect];

/// How many doors there can be.
pub const DOORS_MAX: usize = 8;

/// A websocket close code and the reason sent with it (RFC 6455 section 7.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closing {
    /// 1000, 1001, 1008 or 1013.
    pub code: u16,
    /// For a person; at most 123 bytes.
    pub reason: &'static str,
}

impl Closing {
    /// The reader did not keep up; it may come back and is then told what it missed.
    pub const TOO_SLOW: Closing = Closing { code: 1013, reason: "you read too slowly; come back" };
    /// Its account has opened too many.
    pub const REPLACED: Closing =
        Closing { code: 1008, reason: "you have opened too many streams; this was the oldest" };
    /// The log could not be read for it just now.
    pub const TRY_LATER: Closing = Closing { code: 1013, reason: "too much to do; come back" };
    /// It has begun what it does not end, and the memory for that is used up.
    pub const UNFINISHED: Closing =
        Closing { code: 1013, reason: "too much is unfinished; send messages whole" };
    /// A message has begun and did not come to its end in time.
    pub const DRIPS: Closing = Closing { code: 1008, reason: "a message took too long to come" };
    /// It has never said a word, and others wait for its place.
    pub const NO_PLACE: Closing =
        Closing { code: 1013, reason: "others wait, and you have said nothing; come back" };
    /// The server stops while the handshake is under way.
    pub const GOING_AWAY: Closing = Closing { code: 1001, reason: "the server stops; come back" };
}

impl From<Farewell> for Closing {
    fn from(farewell: Farewell) -> Closing {
        let (code, reason) = match farewell {
            Farewell::SessionEnded => (1008, "your session has ended; log in again"),
            Farewell::RoomGone => (1000, "this room is gone"),
            Farewell::Replaced => return Closing::REPLACED,
            Farewell::Locked => (1008, "this room has a new password; ask for a new token"),
            Farewell::Expelled => (1008, "the owner of this room has put you out"),
            Farewell::GaveWay => (1008, "another connection came by your token; this one ends"),
            Farewell::Closing => return Closing::GOING_AWAY,
        };
        Closing { code, reason }
    }
}

/// One announcement as the people behind one door are told it.
#[derive(Clone, PartialEq, Debug)]
pub struct Copy {
    /// Which door.
    pub door: Door,
    /// Not empty.
    pub frame: Bytes,
    /// Whether the seat through which it came gets it, too.
    pub echo: bool,
}

/// Turns what happened into frames. Frames are cut off one growing block, so that a round of small
/// ones costs few allocations; a block lives until the last frame of it was written.
pub struct Encoder {
    dialects: Dialects,
    epoch: Box<str>,
    json: Vec<u8>,
    frame: Vec<u8>,
    block: BytesMut,
}

impl Encoder {
    /// The blocks that frames are cut from.
    const BLOCK_BYTES: usize = 16 * 1024;

    /// An encoder for these doors, and the log of that name.
    ///
    /// # Panics
    /// With more than [`DOORS_MAX`] of them.
    pub fn new(dialects: Dialects, epoch: &str) -> Encoder {
        assert!(dialects.len() <= DOORS_MAX, "the registry has more doors than there is room for");
        Encoder {
            dialects,
            epoch: epoch.into(),
            json: Vec::new(),
            frame: Vec::new(),
            block: BytesMut::new(),
        }
    }

    /// Whether those behind a door have comings and goings gathered.
    pub fn gathers(&self, door: Door) -> bool {
        self.dialects.get(usize::from(door.0)).is_some_and(|dialect| dialect.gathers_presence())
    }

    /// The copies of an event for the doors that somebody listens behind.
    pub fn event(&mut self, event: &Event, listens: impl Fn(Door) -> bool) -> Vec<Copy> {
        let mut copies = Vec::new();
        for door in (0u8..).map(Door).take(self.dialects.len()).filter(|door| listens(*door)) {
            let (echo, frame) = (self.dialect(door).echoes(), self.whisper(door, event));
            if !frame.is_empty() {
                copies.push(Copy { door, frame, echo });
            }
        }
        copies
    }

    /// The frame that answers a client's message; empty where the protocol is silent.
    pub fn reply(
        &mut self,
        door: Door,
        reply: &Result<Receipt, Refusal>,
        mark: Option<&ClientId>,
    ) -> Bytes {
        let dialect = self.dialect(door);
        self.frame(dialect.envelope(), None, |json| dialect.reply(reply, mark, json))
    }

    /// The frame that tells of an event behind one door; empty where it has no word for it.
    pub fn whisper(&mut self, door: Door, event: &Event) -> Bytes {
        let dialect = self.dialect(door);
        self.frame(dialect.envelope(), event.what.seq(), |json| dialect.event(event, json))
    }

    fn dialect(&self, door: Door) -> &'static dyn Dialect {
        self.dialects[usize::from(door.0)]
    }

    fn frame(
        &mut self,
        envelope: Envelope,
        seq: Option<Seq>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Bytes {
        self.json.clear();
        write(&mut self.json);
        if self.json.is_empty() {
            return Bytes::new();
        }
        self.frame.clear();
        envelope.wrap(&self.epoch, seq, &self.json, &mut self.frame);
        if self.frame.is_empty() {
            return Bytes::new();
        }
        if self.block.capacity() < self.frame.len() {
            self.block = BytesMut::with_capacity(self.frame.len().max(Encoder::BLOCK_BYTES));
        }
        self.block.extend_from_slice(&self.frame);
        self.block.split().freeze()
    }
}
