//! What the hub and the connections need to know of a protocol: how it decodes what a client sends
//! and encodes what happened. One [`Codec`] for each protocol id; the hub holds them as trait
//! objects, and so knows no protocol by name, and no wire format: a codec writes finished frames.
//!
//! An announcement is encoded at most once for each protocol id, and shared from there on: server
//! frames are not masked (RFC 6455 section 5.1), so the same bytes serve everybody.

use bytes::{Bytes, BytesMut};

use crate::chat::{ClientId, CloseReason, Event, ProtocolId, Receipt, Refusal, Tell};
use crate::ws::CloseFrame;

/// One protocol's way to chat: a client's text in, commands out; events in, frames out.
///
/// It has no state: what a connection is bound to, the core knows.
pub trait Codec: Sync {
    /// Names it among all codecs: lower-case letters and `-`.
    fn name(&self) -> &'static str;

    /// What a client's message means. What means nothing is [`Tell::Garbled`], with the reason.
    fn decode(&self, text: &str) -> Tell;

    /// Appends the frame that tells of an event; nothing, where this protocol has no word for it.
    /// `epoch` names the log, for protocols whose frames carry a cursor.
    fn event(&self, epoch: &str, event: &Event, frame: &mut Vec<u8>);

    /// Appends the frame that answers a client's message; nothing, where this protocol is silent.
    /// `mark`: the client's own number for it, where it gave one.
    fn reply(&self, reply: &Result<Receipt, Refusal>, mark: Option<&ClientId>, frame: &mut Vec<u8>);

    /// How a client is told that its connection is closed.
    fn close(&self, why: Disconnect) -> CloseFrame;

    /// Whether the subscription through which an event came is told of it like everybody else.
    fn echoes(&self) -> bool;

    /// Whether comings and goings are told in measure, gathered over a second, and not one by one.
    fn gathers_presence(&self) -> bool {
        false
    }
}

/// The codecs of all protocols; a [`ProtocolId`] is an index into it.
pub type Codecs = Vec<&'static dyn Codec>;

/// How many protocol ids there can be.
pub const PROTOCOL_IDS_MAX: usize = 8;

/// Why the server closes a connection. What the client is told, its protocol says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disconnect {
    /// The core ends it.
    Ended(CloseReason),
    /// The client reads too slowly; it may come back and is then told what it missed.
    TooSlow,
    /// The log cannot be read for it now.
    TryLater,
    /// It has begun a message and not ended it, and the memory for such input is used up.
    Unfinished,
    /// A message has begun and did not end in time.
    Drips,
    /// It has sent a message that is not text.
    NotText,
    /// It has never said anything, and others wait for its place.
    NoPlace,
}

/// One announcement, encoded for the clients of one protocol id.
#[derive(Clone, PartialEq, Debug)]
pub struct Encoded {
    /// Which protocol id.
    pub protocol: ProtocolId,
    /// Not empty.
    pub frame: Bytes,
    /// Whether the subscription through which it came gets it, too.
    pub echo: bool,
}

/// Encodes what happened. Frames are cut off one growing block, so that a round of small ones costs
/// few allocations; a block lives until its last frame was written.
pub struct Encoder {
    codecs: Codecs,
    epoch: Box<str>,
    frame: Vec<u8>,
    block: BytesMut,
}

impl Encoder {
    /// The blocks that frames are cut from.
    const BLOCK_BYTES: usize = 16 * 1024;

    /// An encoder for these protocols, and the log of that name.
    ///
    /// # Panics
    /// With more than [`PROTOCOL_IDS_MAX`] of them.
    pub fn new(codecs: Codecs, epoch: &str) -> Encoder {
        assert!(codecs.len() <= PROTOCOL_IDS_MAX, "there are more codecs than there is room for");
        Encoder { codecs, epoch: epoch.into(), frame: Vec::new(), block: BytesMut::new() }
    }

    /// Whether the clients of a protocol id have comings and goings gathered.
    pub fn gathers(&self, protocol: ProtocolId) -> bool {
        self.codecs.get(usize::from(protocol.0)).is_some_and(|codec| codec.gathers_presence())
    }

    /// An event, encoded for each protocol id that somebody listens by.
    pub fn event(&mut self, event: &Event, listens: impl Fn(ProtocolId) -> bool) -> Vec<Encoded> {
        let mut encoded = Vec::new();
        for protocol in
            (0u8..).map(ProtocolId).take(self.codecs.len()).filter(|protocol| listens(*protocol))
        {
            let (echo, frame) = (self.codec(protocol).echoes(), self.direct(protocol, event));
            if !frame.is_empty() {
                encoded.push(Encoded { protocol, frame, echo });
            }
        }
        encoded
    }

    /// The frame that answers a client's message; empty where the protocol is silent.
    pub fn reply(
        &mut self,
        protocol: ProtocolId,
        reply: &Result<Receipt, Refusal>,
        mark: Option<&ClientId>,
    ) -> Bytes {
        self.codec(protocol).reply(reply, mark, &mut self.frame);
        self.cut()
    }

    /// The frame that tells one client of an event; empty where its protocol has no word for it.
    pub fn direct(&mut self, protocol: ProtocolId, event: &Event) -> Bytes {
        self.codec(protocol).event(&self.epoch, event, &mut self.frame);
        self.cut()
    }

    fn codec(&self, protocol: ProtocolId) -> &'static dyn Codec {
        self.codecs[usize::from(protocol.0)]
    }

    /// What was written, as bytes that can be shared.
    fn cut(&mut self) -> Bytes {
        if self.frame.is_empty() {
            return Bytes::new();
        }
        if self.block.capacity() < self.frame.len() {
            self.block = BytesMut::with_capacity(self.frame.len().max(Encoder::BLOCK_BYTES));
        }
        self.block.extend_from_slice(&self.frame);
        self.frame.clear();
        self.block.split().freeze()
    }
}
