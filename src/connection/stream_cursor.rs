//! How a stream gets its events: live, as long as the client keeps up; from the log, otherwise.
//!
//! A stream keeps one number, its cursor: everything up to it that the stream may see has been
//! queued. While it is *live*, the worker gathers announcements and queues them once a round. If
//! they do not fit, nothing more is queued: the stream is *behind*, which costs a number and not a
//! queue. Its connection then reads the log from the cursor on, page by page, and is live again
//! when a page reaches up to everything that was announced meanwhile. So missed and live events
//! join without a gap and without a repetition.

use bytes::Bytes;

use crate::chat::Seq;

/// See the module's documentation.
pub(crate) struct StreamCursor {
    cursor: Seq,
    /// While behind: the last entry that was announced and not gathered.
    behind: Option<Seq>,
    gathered: Vec<Piece>,
    /// The cursor before the gathered frames.
    before: Seq,
    /// The stream is about to end: it receives its rooms' events no more.
    frozen: bool,
}

/// One frame of a round.
struct Piece {
    frame: Bytes,
    /// It replies to the client's own message, so it is never left out.
    reply: bool,
}

impl StreamCursor {
    /// A new stream, which begins with the log.
    pub fn new() -> StreamCursor {
        let none = Seq(0);
        let (behind, gathered) = (Some(none), Vec::new());
        StreamCursor { cursor: none, behind, gathered, before: none, frozen: false }
    }

    /// Sets the cursor to begin at. Announcements since the subscriptions were taken are noted
    /// already.
    pub fn begin_at(&mut self, cursor: Seq) {
        (self.cursor, self.before) = (cursor, cursor);
    }

    /// Everything up to here that the stream may see has been queued.
    pub fn cursor(&self) -> Seq {
        self.cursor
    }

    /// Whether the stream must read the log.
    pub fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// Gathers only replies from here on, and leaves the cursor where it is, except for pages of
    /// the log: a stream that is about to end loses the subscriptions that bring its events.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Gathers an announcement. `true`: it is the first piece of a round.
    pub fn gather(&mut self, seq: Option<Seq>, frame: &Bytes) -> bool {
        if self.frozen {
            return false;
        }
        match (&mut self.behind, seq) {
            (Some(noted), Some(seq)) => {
                *noted = (*noted).max(seq);
                return false;
            }
            // An event that is not in the log is skipped while the stream is behind.
            (Some(_), None) => return false,
            // A page of the log had it already.
            (None, Some(seq)) if seq <= self.cursor => return false,
            (None, Some(seq)) => self.cursor = seq,
            (None, None) => {}
        }
        self.push(Piece { frame: frame.clone(), reply: false })
    }

    /// Gathers the reply to the client's own message.
    pub fn answer(&mut self, frame: &Bytes) -> bool {
        self.push(Piece { frame: frame.clone(), reply: true })
    }

    fn push(&mut self, piece: Piece) -> bool {
        self.gathered.push(piece);
        self.gathered.len() == 1
    }

    /// Ends a round: appends the gathered frames to `out`. If they are more than `room` bytes,
    /// appends only the replies, and the stream is behind from the cursor before this round.
    pub fn flush(&mut self, room: usize, out: &mut Vec<u8>) {
        let bytes: usize = self.gathered.iter().map(|piece| piece.frame.len()).sum();
        let fits = bytes <= room;
        if !fits && self.behind.is_none() {
            self.behind = Some(self.cursor);
            self.cursor = self.before;
        }
        for piece in self.gathered.drain(..).filter(|piece| fits || piece.reply) {
            out.extend_from_slice(&piece.frame);
        }
        self.before = self.cursor;
        if self.gathered.capacity() > StreamCursor::IDLE_PIECES {
            self.gathered = Vec::new();
        }
    }

    /// The pieces that an idle stream keeps capacity for.
    const IDLE_PIECES: usize = 8;

    /// A page of the log was queued that reaches up to `upto`, in a log that had `head` entries.
    /// `true`: it was the last page, and the stream is live.
    pub fn page(&mut self, upto: Seq, head: Seq) -> bool {
        self.cursor = self.cursor.max(upto);
        self.before = self.cursor;
        let live = upto >= head && self.behind.is_some_and(|noted| noted <= upto);
        if live {
            self.behind = None;
        }
        live
    }

    /// Moves the cursor of a live stream to `head`, as no entry up to it is left for this stream.
    pub fn pass(&mut self, head: Seq) {
        if self.behind.is_none() && !self.frozen {
            self.cursor = self.cursor.max(head);
            self.before = self.cursor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn flushed(cursor: &mut StreamCursor, room: usize) -> String {
        let mut out = Vec::new();
        cursor.flush(room, &mut out);
        String::from_utf8(out).expect("what was put in")
    }

    fn live() -> StreamCursor {
        let mut cursor = StreamCursor::new();
        cursor.begin_at(Seq(10));
        assert!(cursor.page(Seq(10), Seq(10)));
        cursor
    }

    #[test]
    fn live_frames_pass_in_order_and_once() {
        let mut cursor = live();
        assert!(cursor.gather(Some(Seq(11)), &frame("a")));
        assert!(!cursor.gather(None, &frame("b")));
        assert!(!cursor.gather(Some(Seq(11)), &frame("again")));
        assert!(!cursor.gather(Some(Seq(7)), &frame("old")));
        assert!(!cursor.answer(&frame("c")));
        assert_eq!(flushed(&mut cursor, 9), "abc");
        assert_eq!((cursor.cursor(), cursor.is_behind()), (Seq(11), false));
    }

    #[test]
    fn frames_that_do_not_fit_are_read_from_the_log() {
        let mut cursor = live();
        cursor.gather(Some(Seq(11)), &frame("fits"));
        assert_eq!(flushed(&mut cursor, 9), "fits");
        cursor.gather(Some(Seq(12)), &frame("does not"));
        cursor.answer(&frame("ok"));
        assert_eq!(flushed(&mut cursor, 9), "ok");
        assert_eq!((cursor.cursor(), cursor.is_behind()), (Seq(11), true));
        cursor.gather(Some(Seq(13)), &frame("later"));
        cursor.gather(None, &frame("typing"));
        assert_eq!(flushed(&mut cursor, 99), "");
        // A page that was read before the last announcement is not the last page.
        assert!(!cursor.page(Seq(12), Seq(12)));
        assert!(!cursor.page(Seq(13), Seq(20)));
        assert!(cursor.page(Seq(20), Seq(20)));
        // The announcement of an entry of the page comes late, and is not sent twice.
        assert!(!cursor.gather(Some(Seq(20)), &frame("known")));
        assert!(cursor.gather(Some(Seq(21)), &frame("new")));
        assert_eq!(flushed(&mut cursor, 9), "new");
    }

    #[test]
    fn a_stream_that_is_about_to_end_stays_where_it_is() {
        let mut cursor = live();
        cursor.gather(Some(Seq(11)), &frame("told"));
        cursor.freeze();
        // It is still subscribed to some of its rooms, and no longer to others.
        assert!(!cursor.gather(Some(Seq(13)), &frame("not told")));
        cursor.answer(&frame("ok"));
        cursor.pass(Seq(14));
        assert_eq!(flushed(&mut cursor, 9), "toldok");
        assert_eq!(cursor.cursor(), Seq(11));
    }

    #[test]
    fn an_idle_cursor_moves_with_the_log() {
        let mut cursor = live();
        cursor.pass(Seq(15));
        assert_eq!(cursor.cursor(), Seq(15));
        let mut cursor = StreamCursor::new();
        cursor.begin_at(Seq(3));
        cursor.pass(Seq(15));
        assert_eq!(cursor.cursor(), Seq(3), "a stream that is behind has not seen it");
    }
}
