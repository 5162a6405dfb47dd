//! A connection's view of a stream: where it begins, the pages of missed events, and the frames
//! that it sends beside those of its rooms. The stream's protocol implements it.

use std::pin::Pin;
use std::rc::Rc;

use crate::chat::{RoomId, Seq};
use crate::codec::Disconnect;
use crate::protocol::Service;

/// The frames that a stream sends beside those of its rooms.
pub trait StreamScript {
    /// The client knows everything up to here.
    fn cursor(&self) -> Seq;

    /// The first frames of the stream.
    fn opening(&self) -> &[u8];

    /// Reads a page of the log from `from` on, as the stream shows it. `None`: the log cannot be
    /// read now.
    fn page<'a>(&'a self, service: &'a Rc<Service>, from: Seq) -> PageRead<'a>;

    /// The frame after the last page, which reached up to `seq`; `read`: the client's read markers.
    fn caught_up(&self, seq: Seq, read: &[(RoomId, Seq)]) -> Vec<u8>;

    /// A ping: everything up to `seq` was sent.
    fn ping(&self, seq: Seq) -> Vec<u8>;

    /// The last frame.
    fn bye(&self, why: Disconnect) -> Vec<u8>;
}

/// The future of a page.
pub type PageRead<'a> = Pin<Box<dyn Future<Output = Option<StreamPage>> + 'a>>;

/// A page of the log in the stream's frames.
pub struct StreamPage {
    /// Whole frames.
    pub bytes: Vec<u8>,
    /// The last entry that the page covers.
    pub upto: Seq,
    /// The log's last entry that the core had handled when the page was read.
    pub head: Seq,
    /// The client's read markers by room; on the last page only.
    pub read: Vec<(RoomId, Seq)>,
}
