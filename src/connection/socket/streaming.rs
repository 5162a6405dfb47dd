//! A stream's side of a connection: its cursor, and the frames of a round.

use bytes::Bytes;

use crate::chat::Seq;
use crate::connection::socket::{Connection, Flow};
use crate::connection::stream_cursor::StreamCursor;
use crate::limits::STREAM_OUTBOX_BYTES_MAX;

impl Connection {
    /// Gathers a frame for a stream, until [`Connection::flush_stream`]. `true`: it is the first of
    /// a round.
    pub fn gather(&self, seq: Option<Seq>, frame: &Bytes) -> bool {
        self.stream_cursor.borrow_mut().as_mut().is_some_and(|stream| stream.gather(seq, frame))
    }

    /// Gathers the reply to a message of the stream's client. `true` as for [`Connection::gather`].
    pub fn answer(&self, frame: &Bytes) -> bool {
        self.stream_cursor.borrow_mut().as_mut().is_some_and(|stream| stream.answer(frame))
    }

    /// Writes the frames that a stream gathered in this round; if too much is queued already, the
    /// stream's task reads them from the log later.
    pub fn flush_stream(&self, scratch: &mut Vec<u8>) {
        scratch.clear();
        let behind = self.stream_cursor.borrow_mut().as_mut().is_some_and(|stream| {
            stream.flush(self.room_for_more(), scratch);
            stream.is_behind()
        });
        self.deliver(scratch);
        if behind {
            self.nudge();
        }
    }

    /// Bytes that a stream may queue before it is behind.
    fn room_for_more(&self) -> usize {
        let outgoing = self.outgoing.borrow();
        STREAM_OUTBOX_BYTES_MAX.saturating_sub(outgoing.len()).min(outgoing.left_for_all())
    }

    /// Makes the connection a stream, with its first subscription or before it.
    pub fn begin_stream(&self) {
        self.stream_cursor.borrow_mut().get_or_insert_with(|| Box::new(StreamCursor::new()));
    }

    /// Freezes the stream's cursor: the stream is about to end.
    pub fn freeze_stream(&self) {
        if let Some(stream) = self.stream_cursor.borrow_mut().as_mut() {
            stream.freeze();
        }
    }

    /// Sets the cursor: the stream has everything up to `cursor`.
    pub(in crate::connection) fn stream_from(&self, cursor: Seq) {
        self.begin_stream();
        if let Some(stream) = self.stream_cursor.borrow_mut().as_mut() {
            stream.begin_at(cursor);
        }
    }

    /// Where to read the log from, if the stream is behind and there is room for a page.
    pub(in crate::connection) fn page_from(&self) -> Option<Seq> {
        let stream = self.stream_cursor.borrow();
        let stream = stream.as_ref().filter(|stream| stream.is_behind())?;
        // A closing connection delivers no page, so none is read.
        let over = self.closing.get().is_some() || self.broken.get();
        (self.is_calm() && !over && self.flow.get() == Flow::Open).then(|| stream.cursor())
    }

    /// Whether there is room for a page of the log. A connection with an empty queue does not add
    /// to the bytes that the others hold.
    pub(super) fn is_calm(&self) -> bool {
        let outgoing = self.outgoing.borrow();
        outgoing.is_empty()
            || outgoing.len() < STREAM_OUTBOX_BYTES_MAX / 4 && outgoing.left_for_all() > 0
    }

    /// Queues a page of the log. `true`: the stream is live from here on.
    pub(in crate::connection) fn page(&self, bytes: &[u8], upto: Seq, head: Seq) -> bool {
        self.deliver(bytes);
        self.stream_cursor.borrow_mut().as_mut().is_some_and(|stream| stream.page(upto, head))
    }

    /// Moves a live stream's cursor to `head`, as no entry up to it is left for the stream; returns
    /// the cursor.
    pub(in crate::connection) fn passed(&self, head: Seq) -> Seq {
        let mut stream = self.stream_cursor.borrow_mut();
        stream.as_mut().map_or(Seq(0), |stream| {
            stream.pass(head);
            stream.cursor()
        })
    }
}
