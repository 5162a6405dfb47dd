//! How a response is sent: head and content are written as they are, without copying them together;
//! a long content piece by piece, each made when the kernel has taken the one before.
//!
//! A client that takes less than `ANSWER_BYTES_MIN` in `ANSWER_WINDOW_MS` is cut off: it would hold
//! the response's memory, and a slot, for as long as it likes.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::connection::Shared;
use crate::connection::socket::{Connection, Ready};
use crate::http::{Framing, Piece, Response, Rest, Version};
use crate::limits::{ANSWER_BYTES_MIN, ANSWER_WINDOW_MS, CLOSE_DEADLINE_MS};

/// The deadline; shorter while the server stops, so that a slow client does not delay the end of
/// the process (a half-sent request could wait for longer than `GRACE_MS`).
pub(super) fn patience(shared: &Shared, millis: u64) -> Duration {
    let hurry = if shared.stopping.get() { CLOSE_DEADLINE_MS } else { u64::MAX };
    Duration::from_millis(millis.min(hurry))
}

/// The bytes of the shared budget that a response takes while it is sent.
pub(super) fn weight(response: &Response) -> usize {
    let body = response.body();
    // Shared content is in memory anyway: a file of the page, a document.
    if body.is_unique() { body.len() } else { 0 }
}

/// Sends a response. `false`: close the connection.
pub(super) async fn send(
    shared: &Shared,
    connection: &Connection,
    mut response: Response,
    framing: Framing,
    deadline: &mut Pin<&mut Sleep>,
) -> bool {
    let _held = shared.unsent.hold(weight(&response));
    if let Some(rest) = response.take_rest() {
        return send_pieces(shared, connection, response, rest, framing, deadline).await;
    }
    let mut head = Vec::new();
    let goes_on = response.encode_head(&mut head, &framing);
    let parts = [&head, response.content_for(&framing)];
    write(shared, connection, parts, deadline).await && goes_on
}

/// Sends a response whose content is made piece by piece.
async fn send_pieces(
    shared: &Shared,
    connection: &Connection,
    response: Response,
    mut rest: Rest,
    framing: Framing,
    deadline: &mut Pin<&mut Sleep>,
) -> bool {
    let mut before = Vec::new();
    let goes_on = response.encode_head_streaming(&mut before, &framing);
    if framing.head_only {
        return write(shared, connection, [&before, b""], deadline).await && goes_on;
    }
    framing.before_piece(true, response.body().len(), &mut before);
    let first = response.body().clone();
    drop(response); // Each piece is freed before the next one is made.
    if !write(shared, connection, [&before, &first], deadline).await {
        return false;
    }
    drop(first);
    loop {
        let (piece, last) = match rest.next().await {
            Piece::More(piece) => (piece, false),
            Piece::Last(piece) => (piece, true),
            Piece::Failed => return false,
        };
        before.clear();
        framing.before_piece(false, piece.len(), &mut before);
        if !write(shared, connection, [&before, &piece], deadline).await {
            return false;
        }
        if last {
            return write(shared, connection, [framing.after_pieces(), b""], deadline).await
                && goes_on;
        }
    }
}

/// Sends the head of a response whose body ends with the connection (RFC 9112 section 6.3, last
/// rule): a stream's frames are the same bytes for every client, so they are not chunked. `false`:
/// the response has no body, as for HEAD.
pub(super) async fn send_head(
    shared: &Shared,
    connection: &Connection,
    response: &Response,
    framing: Framing,
    deadline: &mut Pin<&mut Sleep>,
) -> bool {
    let mut head = Vec::new();
    let until_close = Framing { version: Version::Http10, keep_alive: false, ..framing };
    let _ = response.encode_head_streaming(&mut head, &until_close);
    write(shared, connection, [&head, b""], deadline).await && !framing.head_only
}

/// Writes both parts. `false`: the peer is gone, or takes too little.
pub(super) async fn write(
    shared: &Shared,
    connection: &Connection,
    mut parts: [&[u8]; 2],
    deadline: &mut Pin<&mut Sleep>,
) -> bool {
    // What the kernel had taken when the deadline was set, and whether the server was stopping.
    let (mut before, mut window) = (0, None);
    loop {
        let count = connection.write(parts);
        skip(&mut parts, count);
        let is_done = parts.iter().all(|part| part.is_empty()) && !connection.is_stuck();
        if is_done || connection.is_broken() {
            return !connection.is_broken();
        }
        if count > 0 {
            continue;
        }
        let stopping = shared.stopping.get();
        if window.replace(stopping) != Some(stopping) {
            deadline.as_mut().reset(Instant::now() + patience(shared, ANSWER_WINDOW_MS));
            before = connection.taken();
        }
        if connection.wait(deadline, false, true).await == Ready::Deadline {
            // The kernel signals room when a third of its buffer is free, which takes long for a
            // slow reader. It accepts smaller writes all the same.
            if !stopping {
                let count = connection.push(parts);
                skip(&mut parts, count);
            }
            let least = if stopping { 1 } else { ANSWER_BYTES_MIN };
            if connection.taken().wrapping_sub(before) < least {
                return false;
            }
            window = None;
        }
    }
}

/// Takes `count` bytes from the front of the parts.
fn skip(parts: &mut [&[u8]; 2], count: usize) {
    let first = count.min(parts[0].len());
    *parts = [&parts[0][first..], &parts[1][count - first..]];
}
