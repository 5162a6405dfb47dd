//! Takes a request's body out of the buffer: a length, or chunks (RFC 9112 section 7.1).
//!
//! It must never hold more than [`BODY_BYTES_MAX`] of a body, nor take a byte that follows it.
//! Called by the [`reader`](super::reader).

use bytes::{Buf, Bytes, BytesMut};

use super::head::Length;
use super::lines::{BlockScan, LineScan};
use super::{Headers, Reject};
use crate::limits::{BODY_BYTES_MAX, CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};

/// The refusal of a body over [`BODY_BYTES_MAX`], sent as soon as its size is known.
pub(super) const TOO_LARGE: Reject = Reject::new(413, "the body is too large; send less");

/// An arriving body.
pub(super) enum Body {
    /// A length in bytes; the bytes stay in the buffer until all have arrived.
    Exactly(usize),
    /// Chunks, and the content so far.
    Chunked(Step, Vec<u8>),
}

/// The next part of a chunked body.
pub(super) enum Step {
    Size(LineScan),
    Data(usize),
    DataEnd,
    Trailers(BlockScan),
}

impl Body {
    /// A body of which no byte has arrived.
    pub(super) fn new(length: Length) -> Body {
        match length {
            Length::Exactly(bytes) => Body::Exactly(bytes),
            Length::Chunked => Body::Chunked(Step::Size(LineScan::default()), Vec::new()),
        }
    }

    /// The bytes held outside the buffer.
    pub(super) fn held(&self) -> usize {
        match self {
            Body::Exactly(_) => 0,
            Body::Chunked(_, body) => body.capacity(),
        }
    }

    /// Takes the available bytes; returns the body once it is complete.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Reject> {
        match self {
            Body::Exactly(bytes) if buffer.len() < *bytes => Ok(None),
            Body::Exactly(bytes) => Ok(Some(buffer.split_to(*bytes).freeze())),
            Body::Chunked(step, body) => loop {
                match step.take(buffer, body)? {
                    Taken::Next(next) => *step = next,
                    Taken::NeedMore => return Ok(None),
                    Taken::All => return Ok(Some(Bytes::from(std::mem::take(body)))),
                }
            },
        }
    }
}

/// The result of one step.
enum Taken {
    NeedMore,
    Next(Step),
    All,
}

impl Step {
    fn take(&mut self, buffer: &mut BytesMut, body: &mut Vec<u8>) -> Result<Taken, Reject> {
        match self {
            Step::Size(scan) => {
                const TOO_LONG: Reject =
                    Reject::bad("the first line of a chunk is too long; send only the size");
                let Some(end) = scan.end(buffer, CHUNK_LINE_BYTES_MAX, TOO_LONG)? else {
                    return Ok(Taken::NeedMore);
                };
                let size = chunk_size(&buffer.split_to(end)[..end - b"\r\n".len()])?;
                if size > BODY_BYTES_MAX - body.len() {
                    return Err(TOO_LARGE);
                }
                // RFC 9112 section 7.1: the last chunk has size 0, and trailers follow it.
                Ok(Taken::Next(match size {
                    0 => Step::Trailers(BlockScan::default()),
                    _ => Step::Data(size),
                }))
            }
            Step::Data(missing) => {
                let here = buffer.len().min(*missing);
                body.extend_from_slice(&buffer.split_to(here));
                *missing -= here;
                Ok(if *missing == 0 { Taken::Next(Step::DataEnd) } else { Taken::NeedMore })
            }
            Step::DataEnd => match buffer[..] {
                [b'\r', b'\n', ..] => {
                    buffer.advance(b"\r\n".len());
                    Ok(Taken::Next(Step::Size(LineScan::default())))
                }
                [] | [b'\r'] => Ok(Taken::NeedMore),
                _ => Err(Reject::bad("a chunk is longer than its size; correct the size")),
            },
            Step::Trailers(scan) => {
                let Some(end) = scan.end(buffer, TRAILER_BYTES_MAX)? else {
                    return Ok(Taken::NeedMore);
                };
                // RFC 9110 section 6.5.1: a server may discard trailers. Malformed ones are refused
                // all the same, as a proxy before us may have read them differently.
                Headers::parse(&buffer.split_to(end))?;
                Ok(Taken::All)
            }
        }
    }
}

/// The size of a chunk (RFC 9112 section 7.1): hex digits, then nothing or extensions, which are
/// ignored.
fn chunk_size(line: &[u8]) -> Result<usize, Reject> {
    const MALFORMED: Reject = Reject::bad("a chunk size is malformed; write it in hex digits");
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extensions) = line.split_at(digits);
    // RFC 9112 section 7.1.1: whitespace may precede the semicolon, but does not replace it.
    if !matches!(extensions.trim_ascii_start().first(), Some(b';')) && !extensions.is_empty() {
        return Err(MALFORMED);
    }
    // A size that overflows is refused, too (RFC 9112 section 7.1 warns of it).
    str::from_utf8(digits)
        .ok()
        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        .ok_or(MALFORMED)
}
