//! The hub's and the connections' view of a protocol: how it decodes a client's messages and
//! encodes events. There is one [`Codec`] for each protocol id; the hub holds them as trait
//! objects, so it knows no protocol by name and no wire format: a codec writes finished frames.
//!
//! An announcement is encoded at most once for each protocol id, and shared from there on: server
//! frames are not masked (RFC 6455 section 5.1), so the same bytes serve everybody.

use bytes::{Bytes, BytesMut};

use crate::chat::{ClientEvent, ClientId, CloseReason, Event, ProtocolId, Receipt, Refusal};
use crate::ws::CloseFrame;

/// One protocol: decodes a client's text into tells, encodes events into frames.
///
/// It has no state: the core knows each connection's subscription.
pub trait Codec: Sync {
    /// The codec's unique name: lower-case letters and `-`.
    fn name(&self) -> &'static str;

    /// Decodes a client's message. An invalid message is [`ClientEvent::Garbled`], with the reason.
    fn decode(&self, text: &str) -> ClientEvent;

    /// Appends the frame of an event; nothing, if this protocol does not show it. `epoch` names the
    /// log, for protocols whose frames carry a cursor.
    fn event(&self, epoch: &str, event: &Event, frame: &mut Vec<u8>);

    /// Appends the reply to a client's message; nothing, if this protocol sends none. `mark`: the
    /// client id of the message, where the client gave one.
    fn reply(&self, reply: &Result<Receipt, Refusal>, mark: Option<&ClientId>, frame: &mut Vec<u8>);

    /// The close frame for a reason.
    fn close(&self, why: Disconnect) -> CloseFrame;

    /// Whether the subscription that caused an event receives it like all others.
    fn echoes(&self) -> bool;

    /// Whether joins and leaves are gathered over a second instead of sent one by one.
    fn gathers_presence(&self) -> bool {
        false
    }
}

/// The codecs of all protocols; a [`ProtocolId`] is an index into it.
pub type Codecs = Vec<&'static dyn Codec>;

/// The most protocol ids there can be.
pub const PROTOCOL_IDS_MAX: usize = 8;

/// Why the server closes a connection. The protocol chooses the words for the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disconnect {
    /// The core ended the subscription.
    Ended(CloseReason),
    /// The client reads too slowly; it may reconnect and then gets what it missed.
    TooSlow,
    /// The log cannot be read now.
    TryLater,
    /// The client holds an incomplete message, and the memory for such input is used up.
    Unfinished,
    /// A message did not end in time.
    Drips,
    /// The client sent a message that is not text.
    NotText,
    /// The client has never sent a message, and others wait for a connection slot.
    NoPlace,
}

/// One announcement, encoded for the clients of one protocol id.
#[derive(Clone, PartialEq, Debug)]
pub struct Encoded {
    /// The protocol id.
    pub protocol: ProtocolId,
    /// Not empty.
    pub frame: Bytes,
    /// Whether the subscription that caused the event receives it, too.
    pub echo: bool,
}

/// Encodes events and replies. Frames are cut from one growing block, so that a round of small
/// frames costs few allocations; a block lives until its last frame is written.
pub struct Encoder {
    codecs: Codecs,
    epoch: Box<str>,
    frame: Vec<u8>,
    block: BytesMut,
}

impl Encoder {
    /// The size of a block.
    const BLOCK_BYTES: usize = 16 * 1024;

    /// An encoder for these protocols, and the log that `epoch` names.
    ///
    /// # Panics
    /// With more than [`PROTOCOL_IDS_MAX`] codecs.
    pub fn new(codecs: Codecs, epoch: &str) -> Encoder {
        assert!(codecs.len() <= PROTOCOL_IDS_MAX, "there are more codecs than there is room for");
        Encoder { codecs, epoch: epoch.into(), frame: Vec::new(), block: BytesMut::new() }
    }

    /// Whether a protocol gathers presence.
    pub fn gathers(&self, protocol: ProtocolId) -> bool {
        self.codecs.get(usize::from(protocol.0)).is_some_and(|codec| codec.gathers_presence())
    }

    /// An event, encoded for each protocol that listens.
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

    /// The reply to a client's message; empty where the protocol sends none.
    pub fn reply(
        &mut self,
        protocol: ProtocolId,
        reply: &Result<Receipt, Refusal>,
        mark: Option<&ClientId>,
    ) -> Bytes {
        self.codec(protocol).reply(reply, mark, &mut self.frame);
        self.cut()
    }

    /// An event for one client; empty where its protocol does not show it.
    pub fn direct(&mut self, protocol: ProtocolId, event: &Event) -> Bytes {
        self.codec(protocol).event(&self.epoch, event, &mut self.frame);
        self.cut()
    }

    fn codec(&self, protocol: ProtocolId) -> &'static dyn Codec {
        self.codecs[usize::from(protocol.0)]
    }

    /// The written frame, as bytes that can be shared.
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
