//! What a stream is told: live, as long as its reader keeps up; from the log, where it does not.
//!
//! A stream knows one number, its cursor: everything up to there that it may see has been queued.
//! While it is *live*, the worker gathers what is announced and queues it once a round. When that
//! would not fit, nothing more is queued: the stream is *behind*, which costs a number and not a
//! queue. Its connection then reads the log from the cursor on, page by page, and is live again
//! when a page reaches up to everything that was announced meanwhile. So what was missed and what
//! is live join without a gap and without a repetition.

use bytes::Bytes;

use crate::chat::Seq;

/// See the module's documentation.
pub(super) struct StreamCursor {
    cursor: Seq,
    /// While behind: the last entry that was announced and not gathered.
    behind: Option<Seq>,
    gathered: Vec<Piece>,
    /// Where the cursor was before what is gathered.
    before: Seq,
}

/// One frame of a round.
struct Piece {
    frame: Bytes,
    /// It answers a message of the client's own: it is never left out.
    reply: bool,
}

impl StreamCursor {
    /// A stream that has been told nothing yet, and will begin with the log.
    pub fn new() -> StreamCursor {
        let none = Seq(0);
        StreamCursor { cursor: none, behind: Some(none), gathered: Vec::new(), before: none }
    }

    /// Says where it begins. What was announced since its subscriptions were taken is noted
    /// already.
    pub fn begin_at(&mut self, cursor: Seq) {
        (self.cursor, self.before) = (cursor, cursor);
    }

    /// Everything up to here that the stream may see has been queued.
    pub fn cursor(&self) -> Seq {
        self.cursor
    }

    /// Whether the log is to be read.
    pub fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// Takes what is announced. `true`: it is the first piece of a round.
    pub fn gather(&mut self, seq: Option<Seq>, frame: &Bytes) -> bool {
        match (&mut self.behind, seq) {
            (Some(noted), Some(seq)) => {
                *noted = (*noted).max(seq);
                return false;
            }
            // What is not in the log is of no use to who is not up to date.
            (Some(_), None) => return false,
            // A page of the log has had it already.
            (None, Some(seq)) if seq <= self.cursor => return false,
            (None, Some(seq)) => self.cursor = seq,
            (None, None) => {}
        }
        self.push(Piece { frame: frame.clone(), reply: false })
    }

    /// Takes the answer to a message of the client's own.
    pub fn answer(&mut self, frame: &Bytes) -> bool {
        self.push(Piece { frame: frame.clone(), reply: true })
    }

    fn push(&mut self, piece: Piece) -> bool {
        self.gathered.push(piece);
        self.gathered.len() == 1
    }

    /// Ends a round: appends what was gathered to `out`, and says nothing; if it is more than
    /// `room` bytes, only the answers, and the stream is behind from what was before it.
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

    /// What an idle stream keeps room for.
    const IDLE_PIECES: usize = 8;

    /// A page of the log was queued, which reaches up to `upto`, in a log that had `head` entries.
    /// `true`: that was the last, and the stream is live.
    pub fn page(&mut self, upto: Seq, head: Seq) -> bool {
        self.cursor = self.cursor.max(upto);
        self.before = self.cursor;
        let live = upto >= head && self.behind.is_some_and(|noted| noted <= upto);
        if live {
            self.behind = None;
        }
        live
    }

    /// Everything up to `head` has passed by: where nothing of it was for this stream, the cursor
    /// moves all the same.
    pub fn pass(&mut self, head: Seq) {
        if self.behind.is_none() {
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

    fn flushed(feed: &mut StreamCursor, room: usize) -> String {
        let mut out = Vec::new();
        feed.flush(room, &mut out);
        String::from_utf8(out).expect("what was put in")
    }

    fn live() -> StreamCursor {
        let mut feed = StreamCursor::new();
        feed.begin_at(Seq(10));
        assert!(feed.page(Seq(10), Seq(10)));
        feed
    }

    #[test]
    fn live_frames_pass_in_order_and_once() {
        let mut feed = live();
        assert!(feed.gather(Some(Seq(11)), &frame("a")));
        assert!(!feed.gather(None, &frame("b")));
        assert!(!feed.gather(Some(Seq(11)), &frame("again")));
        assert!(!feed.gather(Some(Seq(7)), &frame("old")));
        assert!(!feed.answer(&frame("c")));
        assert_eq!(flushed(&mut feed, 9), "abc");
        assert_eq!((feed.cursor(), feed.is_behind()), (Seq(11), false));
    }

    #[test]
    fn what_does_not_fit_is_read_from_the_log() {
        let mut feed = live();
        feed.gather(Some(Seq(11)), &frame("fits"));
        assert_eq!(flushed(&mut feed, 9), "fits");
        feed.gather(Some(Seq(12)), &frame("does not"));
        feed.answer(&frame("ok"));
        assert_eq!(flushed(&mut feed, 9), "ok");
        assert_eq!((feed.cursor(), feed.is_behind()), (Seq(11), true));
        feed.gather(Some(Seq(13)), &frame("later"));
        feed.gather(None, &frame("typing"));
        assert_eq!(flushed(&mut feed, 99), "");
        // A page that was read before the last announcement is not the last page.
        assert!(!feed.page(Seq(12), Seq(12)));
        assert!(!feed.page(Seq(13), Seq(20)));
        assert!(feed.page(Seq(20), Seq(20)));
        // The announcement of what the page had comes late, and is not told twice.
        assert!(!feed.gather(Some(Seq(20)), &frame("known")));
        assert!(feed.gather(Some(Seq(21)), &frame("new")));
        assert_eq!(flushed(&mut feed, 9), "new");
    }

    #[test]
    fn an_idle_cursor_moves_with_the_log() {
        let mut feed = live();
        feed.pass(Seq(15));
        assert_eq!(feed.cursor(), Seq(15));
        let mut feed = StreamCursor::new();
        feed.begin_at(Seq(3));
        feed.pass(Seq(15));
        assert_eq!(feed.cursor(), Seq(3), "who is behind has not seen it");
    }
}
