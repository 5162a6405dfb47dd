//! Finds the ends of lines and of blocks of lines, strictly, and remembers its position.
//!
//! It must never accept a line end other than CRLF, look at a byte twice, or let a line exceed its
//! limit. The byte at one position decides every refusal, so it does not matter in which pieces the
//! bytes arrive. Called by the [`reader`](super::reader) for heads, and by [`body`](super::body)
//! for chunks and trailers.

use super::Reject;
use crate::limits::HEADERS_MAX;

const TOO_LARGE: Reject = Reject::new(431, "the header lines are too large; send less");

/// The state of the search for a line's end.
#[derive(Default)]
pub(super) struct LineScan {
    at: usize,
}

impl LineScan {
    /// The index after the next CRLF; `None` if more bytes are needed. A line longer than `most`
    /// bytes is refused with `beyond`. Call it again with more bytes, or for the next line.
    pub(super) fn end(
        &mut self,
        bytes: &[u8],
        most: usize,
        beyond: Reject,
    ) -> Result<Option<usize>, Reject> {
        while let Some(byte) = bytes.get(self.at) {
            if self.at >= most {
                return Err(beyond);
            }
            match byte {
                b'\r' => match bytes.get(self.at + 1) {
                    None => return Ok(None),
                    Some(b'\n') if self.at + 2 > most => return Err(beyond),
                    Some(b'\n') => {
                        self.at += 2;
                        return Ok(Some(self.at));
                    }
                    // RFC 9112 section 2.2: a bare CR makes the element invalid.
                    Some(_) => return Err(Reject::bad("a CR has no LF; end each line with CR LF")),
                },
                // RFC 9112 section 2.2 lets a recipient accept a bare LF as a line end. But a proxy
                // before us may not accept it, and then the two disagree.
                b'\n' => return Err(Reject::bad("an LF has no CR; end each line with CR LF")),
                // RFC 9110 section 5.5: control characters are invalid and dangerous.
                0..=8 | 0x0b..=0x1f | 0x7f => {
                    return Err(Reject::bad("the head contains a control character; remove it"));
                }
                _ => self.at += 1,
            }
        }
        Ok(None)
    }
}

/// The state of the search for the empty line that ends a block of header or trailer lines.
#[derive(Default)]
pub(super) struct BlockScan {
    line: LineScan,
    line_start: usize,
    lines: usize,
}

impl BlockScan {
    /// The length of the block with its empty line; `None` if more bytes are needed. Beyond `most`
    /// bytes or [`HEADERS_MAX`] lines: 431.
    pub(super) fn end(&mut self, bytes: &[u8], most: usize) -> Result<Option<usize>, Reject> {
        loop {
            // RFC 9112 section 2.2 (before the first header) and section 5.2 (obs-fold, after it):
            // a line that begins with whitespace is refused.
            if matches!(bytes.get(self.line_start), Some(b' ' | b'\t')) {
                return Err(Reject::bad(
                    "a header line begins with whitespace; begin it with a name",
                ));
            }
            let Some(end) = self.line.end(bytes, most, TOO_LARGE)? else {
                return Ok(None);
            };
            if end - self.line_start == b"\r\n".len() {
                return Ok(Some(end));
            }
            self.line_start = end;
            self.lines += 1;
            if self.lines > HEADERS_MAX {
                return Err(Reject::new(431, "there are too many header lines; send fewer"));
            }
        }
    }
}
