//! Stands in for what the store and the core will give: readers of old messages, and the names that
//! a text calls. The types are theirs, to the letter; the readers know of no message. Goes away
//! with the merge: `stand_in::` becomes `store::`, and `mentions` comes from the core.

use crate::chat::{Author, ClientId, Color, Emoji, Folded, Name, RoomId, Seq};
use crate::time::Time;

/// The way to the readers.
#[derive(Clone, Default)]
pub struct Readers;

/// One reader.
pub struct Reader;

/// Why nothing could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// Too many are reading.
    Busy,
    /// The disk failed.
    Failed,
}

/// Where a page lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// At the end.
    Newest,
    /// Before that message.
    Before(Seq),
    /// After that message.
    After(Seq),
    /// With that message in the middle.
    Around(Seq),
}

/// A message.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each is its own name")]
pub struct Message {
    pub seq: Seq,
    pub room: RoomId,
    pub author: Author,
    pub color: Option<Color>,
    /// `None`: taken back.
    pub text: Option<Box<str>>,
    pub time: Time,
    pub client_id: Option<ClientId>,
    pub reply_to: Option<Seq>,
    pub edited: Option<Time>,
    pub reactions: Vec<(Emoji, Vec<Name>)>,
}

/// A page of messages, the oldest first.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each is its own name")]
pub struct Page {
    pub messages: Vec<Message>,
    pub more_before: bool,
    pub more_after: bool,
}

/// What is searched for.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each is its own name")]
pub struct Query {
    pub words: String,
    pub rooms: Vec<RoomId>,
    pub author: Option<Folded>,
    pub before: Option<Seq>,
    pub limit: usize,
}

/// What was found, the newest first, each with the piece of it that fits.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each is its own name")]
pub struct Found {
    pub messages: Vec<(Message, String)>,
    pub more: bool,
}

/// What is new in a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "each is its own name")]
pub struct Counts {
    pub unread: u64,
    pub mentions: u64,
}

impl Readers {
    /// Reads.
    ///
    /// # Errors
    /// Not yet.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> T + Send + 'static,
    ) -> Result<T, Unread> {
        Ok(read(&Reader))
    }
}

#[allow(missing_docs, reason = "each is its own name")]
impl Reader {
    pub fn last_seq(&self) -> Seq {
        Seq(0)
    }

    pub fn page(&self, _: RoomId, _: Bound, _: usize) -> Page {
        Page { messages: Vec::new(), more_before: false, more_after: false }
    }

    pub fn message(&self, _: RoomId, _: Seq) -> Option<Message> {
        None
    }

    pub fn search(&self, _: &Query) -> Found {
        Found { messages: Vec::new(), more: false }
    }

    pub fn counts(&self, _: &Folded, rooms: &[(RoomId, Seq)]) -> Vec<Counts> {
        vec![Counts::default(); rooms.len()]
    }
}

/// The names that a text calls with an `@`.
pub fn mentions(text: &str) -> Vec<Name> {
    let called = text.split('@').skip(1);
    let words = called.filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next());
    words.filter_map(Name::for_account).collect()
}
