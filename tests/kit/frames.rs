//! Websocket frames (RFC 6455 section 5.2) for the clients of several test targets.

use std::ops::Range;

/// Any key works, as no server here is attacked through a proxy: the server only has to unmask.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x96];

/// The header of a frame without its mask. `first`: its first byte, with the opcode.
pub fn header(first: u8, length: usize, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(mask | length as u8),
        126..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes
}

/// A frame as a client sends it: masked.
pub fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len(), true);
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The first whole frame in `bytes`: its first byte, and the range of its payload. `None`: it is
/// incomplete. A mask is skipped, and not undone.
#[inline]
pub fn next_frame(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, mut start) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (usize::try_from(u64::from_be_bytes(length)).ok()?, 10)
        }
        short => (usize::from(short), 2),
    };
    start += if second & 0x80 == 0 { 0 } else { MASK.len() };
    let end = start.checked_add(length)?;
    (bytes.len() >= end).then_some((first, start..end))
}
