//! Websocket (RFC 6455) after the handshake: turns a peer's bytes into messages, and writes frames.
//! It has no socket.
//!
//! tungstenite unmasks, joins fragments, checks UTF-8 as it arrives, and answers pings and closes.
//! This module gives it exactly one frame at a time. So it always knows whether tungstenite holds
//! anything, and at the end of a message it drops tungstenite's state with all its buffers: an idle
//! websocket holds no heap memory, however long its last message was.
//!
//! It never touches a socket or a clock: the connection owns the deadlines. It never queues output,
//! but appends it to the caller's `out`. The connection calls it with the bytes that it has read;
//! the codecs encode with [`text_frame_with`].

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
    /// Never sent: stands for a close frame without a code.
    pub const NONE: u16 = 1005;
    /// A text message is not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// The peer broke a rule of the server.
    pub const POLICY: u16 = 1008;
    /// A message is longer than [`MESSAGE_BYTES_MAX`](crate::limits::MESSAGE_BYTES_MAX).
    pub const TOO_BIG: u16 = 1009;
    /// The server failed.
    pub const SERVER_ERROR: u16 = 1011;
    /// The peer may reconnect later.
    pub const TRY_AGAIN: u16 = 1013;
}

/// The content of a close frame (RFC 6455 section 5.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CloseFrame {
    /// A code that may be sent (section 7.4).
    pub code: u16,
    /// For a person; at most 123 bytes.
    pub reason: &'static str,
}

/// The longest frame header: two bytes, eight of length, four of mask (RFC 6455 section 5.2).
const HEADER_BYTES_MAX: usize = 14;
/// A close frame's payload is 125 bytes at most, of which two are the code (section 5.5).
const REASON_BYTES_MAX: usize = 123;
/// tungstenite first allocates this much for each message, and clears and reads this much at a
/// time. Nearly every chat message fits; and for a peer that announces 64 KiB and sends them byte
/// by byte, we clear no more than this for each byte.
const READ_STEP_BYTES: usize = 512;

/// A result of the peer's bytes.
///
/// A payload is the only view into the block that it was received into. The block is at most twice
/// as long as the payload, but never shorter than 512 bytes: a caller that keeps a short payload
/// for long copies it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// A whole text message, at most `MESSAGE_BYTES_MAX` bytes.
    Text(Utf8Bytes),
    /// A whole binary message, at most `MESSAGE_BYTES_MAX` bytes.
    Binary(Bytes),
    /// A ping, which was answered, or a pong: the peer is alive.
    Alive,
    /// The peer's close frame; it was answered unless it is an answer itself. The session is over.
    /// A missing code is [`code::NONE`]; an invalid one reads as 1002.
    Closed {
        /// Why, as a number.
        code: u16,
        /// Why, as a text; at most 123 bytes, often empty.
        reason: Utf8Bytes,
    },
    /// The peer broke the protocol, and got a close frame unless ours had been sent already. The
    /// session is over.
    Failed(SessionError),
}

/// Why a session failed (RFC 6455 section 7.1.7): the content of our close frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionError {
    /// One of 1002, 1007 and 1009.
    pub code: u16,
    /// A few words for the log and for the client's developer; they contain no received bytes.
    pub reason: &'static str,
}

/// The server's side of one websocket session.
///
/// Between messages it holds no heap memory. During one it may hold the fragments so far and the
/// current frame, each at most `MESSAGE_BYTES_MAX` plus the slack of a growing buffer.
#[derive(Default)]
pub struct Websocket {
    phase: Phase,
    /// The first bytes of an incomplete header.
    header: [u8; HEADER_BYTES_MAX],
    header_len: u8,
    /// The frame whose payload arrives now.
    frame: Option<Frame>,
    /// Whether a message has begun whose last fragment has not arrived.
    fragmented: bool,
    /// The received payload bytes of the incomplete message.
    pending: u32,
    /// tungstenite's state for the current message; `None` between messages.
    context: Option<Box<WebSocketContext>>,
}

/// The state of the closing handshake (RFC 6455 section 7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Phase {
    #[default]
    Open,
    /// Our close frame was sent. All frames except the peer's close frame are skipped.
    Closing,
    /// Nothing is read or written any more.
    Over,
}

/// A frame whose header has been accepted.
#[derive(Clone, Copy)]
struct Frame {
    is_close: bool,
    /// The payload bytes that have not arrived.
    left: u64,
}

/// tungstenite's socket: the available bytes of one frame, header first.
struct Exchange<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    out: &'a mut Vec<u8>,
}

impl Websocket {
    /// A session right after the handshake.
    pub fn new() -> Websocket {
        Websocket::default()
    }

    /// Takes bytes from the front of `input` until they give a result, and returns it.
    ///
    /// `None`: all of `input` is taken, and more is needed (unless the session
    /// [`is_over`](Self::is_over)). A caller that must pause keeps the rest of `input` and calls
    /// again later. Answers (pong, close) are appended to `out`, at most 127 bytes a call.
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
        // The current message is dropped; but a half-received frame may be a close frame.
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

    /// Whether both close frames are exchanged, or the session has failed. The caller writes `out`
    /// first and shuts the socket for writing. Then it reads and discards until the peer closes,
    /// too: otherwise the kernel sends a reset, which can destroy our close frame.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The bytes held for an incomplete message or frame, including the slack of growing buffers; 0
    /// without one.
    pub fn unfinished(&self) -> usize {
        const STATE: usize = 1024;
        let begun = self.context.is_some() || self.frame.is_some() || self.header_len > 0;
        if begun { STATE + 2 * self.pending as usize } else { 0 }
    }

    /// Takes the bytes of one frame from `input`.
    fn step(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Incoming>, SessionError> {
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
        // At most a read buffer at once, and `MESSAGE_BYTES_MAX` in all.
        self.pending = self.pending.saturating_add(payload.len() as u32);
        let mut exchange = Exchange { header: &header[..header_len], payload, out };
        let incoming = self.pass_on(&mut exchange, frame.left == 0);
        if self.context.is_none() {
            self.pending = 0;
        }
        incoming
    }

    /// Takes a header, or a part of it. Returns the new frame, and the length of its header in
    /// `self.header`. tungstenite validates the header.
    fn begin(&mut self, input: &mut &[u8]) -> Result<Option<(Frame, usize)>, SessionError> {
        let had = usize::from(self.header_len);
        let take = input.len().min(HEADER_BYTES_MAX - had);
        self.header[had..had + take].copy_from_slice(&input[..take]);
        let mut cursor = Cursor::new(&self.header[..had + take]);
        let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(failure)? else {
            // A header has `HEADER_BYTES_MAX` bytes at most, so none is lost.
            self.header_len += take as u8;
            *input = &input[take..];
            return Ok(None);
        };
        let size = cursor.position() as usize;
        // RFC 6455 section 5.2: the length must use the shortest form. tungstenite does not check
        // it.
        if size != header.len(length) {
            let reason = "a length is written in too many bytes";
            return Err(SessionError { code: code::PROTOCOL, reason });
        }
        // `had` bytes were not enough, so the header ends behind them.
        *input = &input[size - had..];
        self.header_len = 0;
        if let OpCode::Data(_) = header.opcode {
            self.fragmented = !header.is_final;
        }
        let is_close = header.opcode == OpCode::Control(Control::Close);
        Ok(Some((Frame { is_close, left: length }, size)))
    }

    /// Gives the bytes to tungstenite, and drops its state when it holds nothing.
    fn pass_on(
        &mut self,
        exchange: &mut Exchange<'_>,
        frame_ends: bool,
    ) -> Result<Option<Incoming>, SessionError> {
        let context = self.context.get_or_insert_with(context);
        let incoming = match context.read(exchange) {
            Ok(Message::Text(text)) => Some(Incoming::Text(text)),
            Ok(Message::Binary(bytes)) => Some(Incoming::Binary(bytes)),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                // Writes the pong that tungstenite has prepared. Writing to a Vec cannot fail.
                let _ = context.flush(exchange);
                Some(Incoming::Alive)
            }
            Ok(Message::Close(close)) => {
                // RFC 6455 section 5.5.1: answer with the same code, unless it is an answer.
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
        // tungstenite got whole frames only, and no message is open: it holds nothing. (An error
        // ends the session, so its state is not needed then.)
        if self.phase == Phase::Over || frame_ends && !self.fragmented {
            self.context = None;
        }
        Ok(incoming)
    }

    /// RFC 6455 section 7.1.7, _Fail the WebSocket Connection_: sends a close frame with the
    /// reason, unless one was sent already, and ignores all further bytes.
    fn fail(&mut self, failure: SessionError, out: &mut Vec<u8>) -> Incoming {
        if self.phase == Phase::Open {
            close_frame(failure.code, failure.reason, out);
        }
        self.phase = Phase::Over;
        self.context = None;
        Incoming::Failed(failure)
    }
}

impl Read for Exchange<'_> {
    /// Returns the header alone. After the header tungstenite allocates the payload's length *minus
    /// the bytes it has already read*, so reading more at once would cost a second block.
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
/// payload needs no buffer of its own; only a long one is moved, as its length takes more bytes.
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

/// Fresh state for one message. Output is not buffered (`write_buffer_size`).
fn context() -> Box<WebSocketContext> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_STEP_BYTES)
        .write_buffer_size(0)
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .max_message_size(Some(MESSAGE_BYTES_MAX));
    Box::new(WebSocketContext::new(Role::Server, Some(config)))
}

/// The close frame for an error of tungstenite, whose own message may quote received bytes.
fn failure(error: Error) -> SessionError {
    let protocol = |reason| SessionError { code: code::PROTOCOL, reason };
    match error {
        Error::Capacity(_) => SessionError { code: code::TOO_BIG, reason: "a message is too long" },
        Error::Utf8(_) => SessionError { code: code::NOT_UTF8, reason: "a text is not UTF-8" },
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
        // All others concern sockets, handshakes, or calls that this module does not make.
        _ => protocol("protocol error"),
    }
}

/// The payload of a close frame (RFC 6455 section 5.5.1): two bytes of code, then the reason.
fn close_frame(code: u16, reason: &str, out: &mut Vec<u8>) {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    header(OpCode::Control(Control::Close), 2 + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// The header of an unfragmented frame from the server.
fn header(opcode: OpCode, length: usize, out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    header.format(length as u64, out).expect("a Vec takes everything");
}
