//! Websocket (RFC 6455) after the handshake: bytes in, messages out, bytes back. No sockets.
//!
//! tungstenite unmasks, joins fragments, checks UTF-8 as it arrives, and answers pings and closes.
//! This module stands in front of it and lets exactly one frame in at a time. So it always knows
//! whether anything is left inside, and at the end of a message tungstenite's state is dropped with
//! all its buffers: an idle websocket holds no heap memory, however long its last message was.
//!
//! It never touches a socket or a clock: the connection owns the deadlines. It never queues output:
//! that goes into the caller's `out`. The connection calls it with the bytes it has read; the
//! codecs encode with [`text_frame_with`].

use std::io::{self, Cursor, ErrorKind, Read, Write};

use bytes::Bytes;
use tungstenite::Message;
pub use tungstenite::Utf8Bytes;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

use crate::limits::MESSAGE_BYTES_MAX;

#[cfg(test)]
mod tests;

/// Close codes that the server sends or receives (RFC 6455 section 7.4.1, and IANA's list).
pub mod code {
    /// A normal end.
    pub const NORMAL: u16 = 1000;
    /// The server is going down.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer broke the protocol.
    pub const PROTOCOL: u16 = 1002;
    /// The peer sent something other than text.
    pub const UNSUPPORTED: u16 = 1003;
    /// Never sent: stands for a close frame that carries no code.
    pub const NONE: u16 = 1005;
    /// A text message is not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// The peer broke a rule of the server.
    pub const POLICY: u16 = 1008;
    /// A message is longer than [`MESSAGE_BYTES_MAX`](crate::limits::MESSAGE_BYTES_MAX).
    pub const TOO_BIG: u16 = 1009;
    /// The server failed.
    pub const SERVER_ERROR: u16 = 1011;
    /// The peer may come back later.
    pub const TRY_AGAIN: u16 = 1013;
}

/// What a close frame says (RFC 6455 section 5.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CloseFrame {
    /// One that may be sent (section 7.4).
    pub code: u16,
    /// For a person; at most 123 bytes.
    pub reason: &'static str,
}

/// The longest frame header: two bytes, eight of length, four of mask (RFC 6455 section 5.2).
const HEADER_BYTES_MAX: usize = 14;
/// A close frame's payload is 125 bytes at most, of which two are the code (section 5.5).
const REASON_BYTES_MAX: usize = 123;
/// tungstenite first allocates so much for each message, and clears and reads so much at a time. It
/// covers nearly every chat message in one step; and a peer that announces 64 KiB and sends them
/// byte by byte makes us clear no more than that for each byte.
const READ_STEP_BYTES: usize = 512;

/// What the peer's bytes meant.
///
/// A payload is a view into the block that it was received into, and the only one. The block is at
/// most twice as long as the payload, but never shorter than 512 bytes: a caller that keeps a short
/// payload for long copies it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// A whole text message, at most `MESSAGE_BYTES_MAX` bytes.
    Text(Utf8Bytes),
    /// A whole binary message, at most `MESSAGE_BYTES_MAX` bytes.
    Binary(Bytes),
    /// A ping, which has been answered, or a pong: the peer is alive.
    Alive,
    /// The peer's close frame, answered if it was not an answer itself. The session is over.
    /// Without a code it is [`code::NONE`]; an invalid one reads as 1002.
    Closed {
        /// Why, as a number.
        code: u16,
        /// Why, as a text; at most 123 bytes, often empty.
        reason: Utf8Bytes,
    },
    /// The peer broke the protocol and was sent a close frame, unless ours was out already. The
    /// session is over.
    Failed(Failure),
}

/// Why a session failed (RFC 6455 section 7.1.7): the content of our close frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// One of 1002, 1007 and 1009.
    pub code: u16,
    /// A few words for the log and for the client's developer. Nothing of what was received.
    pub reason: &'static str,
}

/// The server's side of one websocket session.
///
/// Between messages it holds no heap memory. During one it may hold the fragments so far and the
/// current frame, each at most `MESSAGE_BYTES_MAX` plus the slack of a growing buffer.
#[derive(Default)]
pub struct Websocket {
    phase: Phase,
    /// The first bytes of a header that has not wholly arrived.
    header: [u8; HEADER_BYTES_MAX],
    header_len: u8,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// A message has begun and its last fragment has not come.
    fragmented: bool,
    /// Payload bytes received that have not come out yet.
    pending: u32,
    /// tungstenite's state for the current message; `None` between messages.
    context: Option<Box<WebSocketContext>>,
}

/// How far the closing handshake is (RFC 6455 section 7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Phase {
    #[default]
    Open,
    /// Our close frame is out. All but the peer's close frame is skipped.
    Closing,
    /// Nothing is read or written any more.
    Over,
}

/// A frame whose header has been accepted.
#[derive(Clone, Copy)]
struct Frame {
    is_close: bool,
    /// Bytes of payload still to come.
    left: u64,
}

/// tungstenite's socket: the available bytes of one frame, header first.
struct Exchange<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    out: &'a mut Vec<u8>,
}

impl Websocket {
    /// A conversation right after the handshake.
    pub fn new() -> Websocket {
        Websocket::default()
    }

    /// Takes bytes from the front of `input` until they give a result, and returns it.
    ///
    /// `None` means that all of `input` is taken and more is needed (or none at all, once
    /// [`is_over`](Self::is_over)). A caller that cannot go on keeps the rest of `input` and comes
    /// back. Answers (pong, close) are appended to `out`, at most 127 bytes a call.
    pub fn next(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Incoming> {
        loop {
            if self.phase == Phase::Over {
                *input = &[];
                return None;
            }
            match self.step(input, out) {
                Ok(Some(incoming)) => return Some(incoming),
                Ok(None) if input.is_empty() => return None,
                Ok(None) => continue,
                Err(failure) => return Some(self.fail(failure, out)),
            }
        }
    }

    /// Starts to close: appends our close frame to `out`, unless one was sent already.
    ///
    /// From here on messages are skipped; [`next`](Self::next) waits for the peer's close frame.
    /// A reason longer than 123 bytes is cut.
    ///
    /// # Panics
    /// When `code` must not be sent (RFC 6455 section 7.4): a mistake of the caller.
    pub fn close(&mut self, code: u16, reason: &str, out: &mut Vec<u8>) {
        assert!(matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999), "{code} is never sent");
        if self.phase != Phase::Open {
            return;
        }
        close_frame(code, reason, out);
        self.phase = Phase::Closing;
        // The current message is dropped; but a close frame may be half received.
        if !self.frame.is_some_and(|frame| frame.is_close) {
            self.context = None;
        }
    }

    /// Appends a ping, to which the peer answers with [`Incoming::Alive`]. Nothing once closing.
    pub fn ping(&self, out: &mut Vec<u8>) {
        if self.can_write() {
            header(OpCode::Control(Control::Ping), 0, out);
        }
    }

    /// Whether messages may still be sent. Nothing may follow a close frame (section 5.5.1).
    pub fn can_write(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether both close frames are exchanged, or the peer has forfeited its own. The caller
    /// writes `out` first; then it shuts the socket for writing and, so that the kernel does not
    /// throw our close frame away with a reset, reads and discards until the peer closes, too.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The bytes held for an incomplete message or frame, the slack of growing buffers included; 0:
    /// there is none.
    pub fn unfinished(&self) -> usize {
        const STATE: usize = 1024;
        let begun = self.context.is_some() || self.frame.is_some() || self.header_len > 0;
        if begun { STATE + 2 * self.pending as usize } else { 0 }
    }

    /// Takes what `input` has of one frame.
    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Incoming>, Failure> {
        let mut header = [0; HEADER_BYTES_MAX];
        let mut header_len = 0;
        let mut frame = match self.frame.take() {
            Some(frame) => frame,
            None => {
                let Some((frame, len)) = self.begin(input)? else { return Ok(None) };
                (header, header_len) = (self.header, len);
                frame
            }
        };
        let here = frame.left.min(input.len() as u64);
        frame.left -= here;
        // Not more than `input` has, so it is a `usize`.
        let (payload, rest) = input.split_at(here as usize);
        *input = rest;
        if frame.left > 0 {
            self.frame = Some(frame);
        }
        if self.phase == Phase::Closing && !frame.is_close {
            return Ok(None);
        }
        // No more than a read buffer at once, and `MESSAGE_BYTES_MAX` in all.
        self.pending = self.pending.saturating_add(payload.len() as u32);
        let mut exchange = Exchange { header: &header[..header_len], payload, out };
        let incoming = self.pass_on(&mut exchange, frame.left == 0);
        if self.context.is_none() {
            self.pending = 0;
        }
        incoming
    }

    /// Takes a header, or as much of it as there is: the new frame, and how many bytes of
    /// `self.header` are its header. What the header says is for tungstenite to judge.
    fn begin(&mut self, input: &mut &[u8]) -> Result<Option<(Frame, usize)>, Failure> {
        let had = usize::from(self.header_len);
        let take = input.len().min(HEADER_BYTES_MAX - had);
        self.header[had..had + take].copy_from_slice(&input[..take]);
        let mut cursor = Cursor::new(&self.header[..had + take]);
        let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(failure)? else {
            // A header of which `HEADER_BYTES_MAX` bytes are there is whole, so none is lost.
            self.header_len += take as u8;
            *input = &input[take..];
            return Ok(None);
        };
        let size = cursor.position() as usize;
        // RFC 6455 section 5.2: the length takes as few bytes as it can. tungstenite lets it pass.
        if size != header.len(length) {
            let reason = "a length is written in too many bytes";
            return Err(Failure { code: code::PROTOCOL, reason });
        }
        // Without this header `had` bytes were not enough, so it ends behind them.
        *input = &input[size - had..];
        self.header_len = 0;
        if let OpCode::Data(_) = header.opcode {
            self.fragmented = !header.is_final;
        }
        let is_close = header.opcode == OpCode::Control(Control::Close);
        Ok(Some((Frame { is_close, left: length }, size)))
    }

    /// Lets tungstenite see the bytes, and forgets it where nothing is left in it.
    fn pass_on(
        &mut self,
        exchange: &mut Exchange<'_>,
        frame_ends: bool,
    ) -> Result<Option<Incoming>, Failure> {
        let context = self.context.get_or_insert_with(context);
        let incoming = match context.read(exchange) {
            Ok(Message::Text(text)) => Some(Incoming::Text(text)),
            Ok(Message::Binary(bytes)) => Some(Incoming::Binary(bytes)),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                // The pong that it has made ready. Writing to a Vec cannot fail.
                let _ = context.flush(exchange);
                Some(Incoming::Alive)
            }
            Ok(Message::Close(close)) => {
                // RFC 6455 section 5.5.1: answered with its own code, unless it is an answer.
                if self.phase == Phase::Open {
                    let _ = context.flush(exchange);
                }
                self.phase = Phase::Over;
                let (code, reason) = match close {
                    Some(close) => (close.code.into(), close.reason),
                    None => (code::NONE, Utf8Bytes::default()),
                };
                Some(Incoming::Closed { code, reason })
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => return Err(failure(error)),
        };
        // It was given whole frames, nothing beyond the last of them, and no message is open: there
        // is nothing in it. (An error ends the conversation, so it is not there to be kept.)
        if self.phase == Phase::Over || frame_ends && !self.fragmented {
            self.context = None;
        }
        Ok(incoming)
    }

    /// RFC 6455 section 7.1.7, _Fail the WebSocket Connection_: a close frame with the reason, if
    /// none has been sent yet, and not a byte is looked at from here on.
    fn fail(&mut self, failure: Failure, out: &mut Vec<u8>) -> Incoming {
        if self.phase == Phase::Open {
            close_frame(failure.code, failure.reason, out);
        }
        self.phase = Phase::Over;
        self.context = None;
        Incoming::Failed(failure)
    }
}

impl Read for Exchange<'_> {
    /// The header comes alone. When tungstenite has seen it, it makes room for as many bytes as
    /// the payload has *beyond what it has already read*, so reading on would cost a second block.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let source = if self.header.is_empty() { &mut self.payload } else { &mut self.header };
        if source.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        source.read(buffer)
    }
}

impl Write for Exchange<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends one whole text frame, unmasked as a server's frames are (RFC 6455 section 5.1): the
/// same bytes serve every recipient. The payload must be UTF-8.
pub fn text_frame(payload: &[u8], out: &mut Vec<u8>) {
    debug_assert!(str::from_utf8(payload).is_ok(), "a text frame carries UTF-8");
    header(OpCode::Data(Data::Text), payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a text frame whose payload `write` appends; nothing, if that appends nothing. So the
/// payload needs no buffer of its own: it is moved only where its length takes more than one byte.
pub fn text_frame_with(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    const SHORT_BYTES: usize = 2;
    let start = out.len();
    out.extend_from_slice(&[0; SHORT_BYTES]);
    write(out);
    let length = out.len() - start - SHORT_BYTES;
    if length == 0 {
        return out.truncate(start);
    }
    debug_assert!(str::from_utf8(&out[start + SHORT_BYTES..]).is_ok(), "a text frame is UTF-8");
    let mut head = Vec::with_capacity(HEADER_BYTES_MAX);
    header(OpCode::Data(Data::Text), length, &mut head);
    if head.len() == SHORT_BYTES {
        out[start..start + SHORT_BYTES].copy_from_slice(&head);
    } else {
        drop(out.splice(start..start + SHORT_BYTES, head));
    }
}

/// Fresh state for one message. Nothing is buffered on the way out (`write_buffer_size`).
fn context() -> Box<WebSocketContext> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_STEP_BYTES)
        .write_buffer_size(0)
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .max_message_size(Some(MESSAGE_BYTES_MAX));
    Box::new(WebSocketContext::new(Role::Server, Some(config)))
}

/// tungstenite's errors as what the peer is told. Its own words may quote what was received.
fn failure(error: Error) -> Failure {
    let protocol = |reason| Failure { code: code::PROTOCOL, reason };
    match error {
        Error::Capacity(_) => Failure { code: code::TOO_BIG, reason: "a message is too long" },
        Error::Utf8(_) => Failure { code: code::NOT_UTF8, reason: "a text is not UTF-8" },
        Error::Protocol(error) => protocol(match error {
            ProtocolError::NonZeroReservedBits => "reserved bits are set",
            ProtocolError::InvalidOpcode(_) => "an opcode is reserved",
            ProtocolError::UnmaskedFrameFromClient => "a frame is not masked",
            ProtocolError::FragmentedControlFrame => "a control frame is fragmented",
            ProtocolError::ControlFrameTooBig => "a control frame is too long",
            ProtocolError::UnexpectedContinueFrame => "there is nothing to continue",
            ProtocolError::ExpectedFragment(_) => "a message begins inside another",
            ProtocolError::InvalidCloseSequence => "a close code is incomplete",
            _ => "protocol error",
        }),
        // The rest is about sockets, handshakes and calls that are not made here.
        _ => protocol("protocol error"),
    }
}

/// RFC 6455 section 5.5.1: two bytes of code, then the reason, together a control frame's payload.
fn close_frame(code: u16, reason: &str, out: &mut Vec<u8>) {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    header(OpCode::Control(Control::Close), 2 + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// The header of an unfragmented frame of ours.
fn header(opcode: OpCode, length: usize, out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    header.format(length as u64, out).expect("a Vec takes everything");
}
