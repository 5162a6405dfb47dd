//! Where a websocket frame begins and ends (RFC 6455 section 5.2), for every client that writes and
//! reads them by hand.

use std::ops::Range;

/// The head of a frame, up to where a mask would stand: `first` is its first byte.
pub fn frame_head(first: u8, length: usize, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut head = vec![first];
    match length {
        short @ 0..126 => head.push(mask | short as u8),
        middle @ 126..65_536 => {
            head.push(mask | 126);
            head.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            head.push(mask | 127);
            head.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    head
}

/// The first frame in `bytes`, its first byte and where its payload is, once it is there whole.
/// Its mask, if it has one, is skipped and not undone.
pub fn next_frame(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, start) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (usize::try_from(u64::from_be_bytes(length)).ok()?, 10)
        }
        short => (usize::from(short), 2),
    };
    let start: usize = start + if second & 0x80 == 0 { 0 } else { 4 };
    let end = start.checked_add(length)?;
    (bytes.len() >= end).then_some((first, start..end))
}
