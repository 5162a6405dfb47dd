//! What a connection knows of a stream: where it begins, what it has missed, and the frames that it
//! sends beside those of its rooms. The protocol of the stream has the rest.

use std::pin::Pin;
use std::rc::Rc;

use crate::chat::{RoomId, Seq};
use crate::codec::Disconnect;
use crate::protocol::Service;

/// The frames that a stream sends beside those of its rooms.
pub trait StreamScript {
    /// Everything up to here the client knows.
    fn cursor(&self) -> Seq;

    /// The frames that the stream begins with.
    fn opening(&self) -> &[u8];

    /// What the stream is told of the log from `from` on, as far as it fits a page. `None`: the log
    /// cannot be read now.
    fn page<'a>(&'a self, service: &'a Rc<Service>, from: Seq) -> PageRead<'a>;

    /// All that was missed has been told, up to `seq`; so far the client has read its rooms.
    fn caught_up(&self, seq: Seq, read: &[(RoomId, Seq)]) -> Vec<u8>;

    /// The stream lives, and everything up to `seq` has been told.
    fn ping(&self, seq: Seq) -> Vec<u8>;

    /// The last frame.
    fn bye(&self, why: Disconnect) -> Vec<u8>;
}

/// A page that is being read.
pub type PageRead<'a> = Pin<Box<dyn Future<Output = Option<StreamPage>> + 'a>>;

/// A page of the log, as the stream is told of it.
pub struct StreamPage {
    /// Whole frames.
    pub bytes: Vec<u8>,
    /// How far it reaches.
    pub upto: Seq,
    /// The last entry that there was, as far as the core had heard of it.
    pub head: Seq,
    /// How far the client has read its rooms; of the last page only.
    pub read: Vec<(RoomId, Seq)>,
}
