//! The items that the hub sends to the workers, and the lines to them.

use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::chat::{Folded, ProtocolId, RoomId, Seq, SubscriptionId};
use crate::codec::{Disconnect, Encoded};
use crate::hub::Bounds;
use crate::log;

/// One thing that a worker does; it handles them in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// The subscription receives the room's events from here on.
    Subscribe {
        /// The subscription.
        subscription: SubscriptionId,
        /// The subscription's protocol.
        protocol: ProtocolId,
        /// The room.
        room: RoomId,
        /// A stream hears of no change of a message up to this entry.
        horizon: Seq,
    },
    /// The subscription receives no more events of the room.
    Unsubscribe {
        /// The subscription.
        subscription: SubscriptionId,
        /// The room.
        room: RoomId,
        /// Why its connection is closed; `None`: the connection is gone already.
        closing: Option<Disconnect>,
    },
    /// An event for every subscription of the room.
    Announce {
        /// The room.
        room: RoomId,
        /// The entry's sequence number; `None` for an event that is not in the log.
        seq: Option<Seq>,
        /// The message that the event changes.
        target: Option<Seq>,
        /// The subscription that caused the event.
        by: Option<SubscriptionId>,
        /// The folded name of the user who joined (`true`) or left (`false`).
        moved: Option<(Folded, bool)>,
        /// One for each protocol that shows the event.
        copies: Vec<Encoded>,
    },
    /// An event for one stream.
    Notify {
        /// The stream's subscription in the room.
        subscription: SubscriptionId,
        /// The entry's sequence number; `None` for an event that is not in the log.
        seq: Option<Seq>,
        /// The encoded event.
        frame: Bytes,
    },
    /// Freezes a stream that is about to end: it receives replies, and nothing else.
    Freeze {
        /// The stream's own subscription.
        subscription: SubscriptionId,
    },
    /// Closes a stream's connection.
    CloseStream {
        /// The connection's own subscription.
        subscription: SubscriptionId,
        /// Why.
        closing: Disconnect,
    },
    /// The reply to the oldest unanswered tell of one subscription.
    Reply {
        /// The subscription.
        subscription: SubscriptionId,
        /// The encoded reply; empty where the protocol sends none.
        frame: Bytes,
    },
    /// All entries up to here have been announced, even if none had a recipient on this worker.
    Head(Seq),
    /// The hub dropped this worker's items, as the worker did not take its rounds for too long:
    /// every subscription has missed something.
    Overrun,
}

/// The items of a round, in order.
pub struct Round {
    /// The items.
    pub items: Vec<Item>,
    /// When the first of them came about.
    pub since: Instant,
}

impl IntoIterator for Round {
    type Item = Item;
    type IntoIter = std::vec::IntoIter<Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

/// One worker's end of the line from the hub.
pub type Rounds = mpsc::Receiver<Round>;

/// The hub's end of the line to one worker.
pub(super) struct WorkerLine {
    rounds: mpsc::Sender<Round>,
    items: Vec<Item>,
    /// When the first of the items came about.
    since: Instant,
    items_max: usize,
}

/// The subscription id of a worker's `count`th connection, unique across workers. The core uses the
/// low 16 bits for the subscriptions that a stream has in rooms.
pub fn subscription_id(worker: usize, count: u64) -> SubscriptionId {
    SubscriptionId((worker as u64) << 48 | count << 16)
}

/// The connection's own subscription, of any of its subscriptions.
pub fn base_of(subscription: SubscriptionId) -> SubscriptionId {
    SubscriptionId(subscription.0 & !0xffff)
}

pub(super) fn worker_of(subscription: SubscriptionId) -> usize {
    (subscription.0 >> 48) as usize
}

impl WorkerLine {
    pub fn new(bounds: Bounds) -> (WorkerLine, Rounds) {
        let (sender, rounds) = mpsc::channel(bounds.rounds);
        let (items, since, items_max) = (Vec::new(), Instant::now(), bounds.round_items);
        (WorkerLine { rounds: sender, items, since, items_max }, rounds)
    }

    pub fn push(&mut self, item: Item) {
        if self.items.is_empty() {
            self.since = Instant::now();
        }
        self.items.push(item);
    }

    /// Whether items wait because the worker's line is full.
    pub fn is_held_up(&self) -> bool {
        !self.items.is_empty()
    }

    /// The rounds that the worker has not taken yet.
    pub fn waiting(&self) -> usize {
        let queued = self.rounds.max_capacity() - self.rounds.capacity();
        queued + usize::from(self.is_held_up())
    }

    pub fn hand_over(&mut self) {
        if self.items.is_empty() {
            return;
        }
        match self.rounds.try_reserve() {
            Ok(permit) => {
                permit.send(Round { items: std::mem::take(&mut self.items), since: self.since });
            }
            // The worker has enough rounds to do; new items join the next round that fits.
            Err(_) if self.items.len() <= self.items_max => {}
            Err(_) => {
                log!(Error, "a worker does not respond: its connections are closed");
                self.items.clear();
                self.items.push(Item::Overrun);
            }
        }
    }
}
