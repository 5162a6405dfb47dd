//! What the hub has the workers do, and the lines to them.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::chat::{Folded, ProtocolId, RoomId, Seq, SubscriptionId};
use crate::codec::{Disconnect, Encoded};
use crate::hub::Bounds;
use crate::log;

/// What a worker has to do, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// From here on the subscription hears the room.
    Subscribe {
        /// Which subscription.
        subscription: SubscriptionId,
        /// Through which protocol.
        protocol: ProtocolId,
        /// Which room.
        room: RoomId,
    },
    /// From here on the subscription hears nothing.
    Unsubscribe {
        /// Which subscription.
        subscription: SubscriptionId,
        /// Which room.
        room: RoomId,
        /// How its connection is to be closed; `None`: it is gone already.
        closing: Option<Disconnect>,
    },
    /// To everybody who hears the room.
    Announce {
        /// Which room.
        room: RoomId,
        /// The number of the entry, where it is one.
        seq: Option<Seq>,
        /// The subscription through which it came.
        by: Option<SubscriptionId>,
        /// Who it says is here from now on, or is not.
        moved: Option<(Folded, bool)>,
        /// One for each protocol that has a word for it.
        copies: Vec<Encoded>,
    },
    /// To one stream.
    Notify {
        /// Its subscription in the room.
        subscription: SubscriptionId,
        /// The number of the entry, where it is one.
        seq: Option<Seq>,
        /// What it is told.
        frame: Bytes,
    },
    /// A stream's connection is to be closed.
    CloseStream {
        /// Its own subscription.
        subscription: SubscriptionId,
        /// How.
        closing: Disconnect,
    },
    /// To one subscription, whose oldest unanswered tell is answered by it.
    Reply {
        /// Which subscription.
        subscription: SubscriptionId,
        /// The answer; empty where the protocol is silent.
        frame: Bytes,
    },
    /// All entries up to here have been announced, whether or not somebody here was to hear them.
    Head(Seq),
    /// This worker did not come for so long that what it should have done was thrown away: every
    /// subscription that it has missed something.
    Overrun,
}

/// One worker's end of the line from the hub.
pub type Rounds = mpsc::Receiver<Vec<Item>>;

/// The hub's end of the line to one worker.
pub(super) struct WorkerLine {
    rounds: mpsc::Sender<Vec<Item>>,
    items: Vec<Item>,
    items_max: usize,
}

/// The id of the subscription of a worker's `count`th connection: no two workers ever make the
/// same. The last 16 bits are left to the core, for the subscriptions that a stream has in rooms.
pub fn subscription_id(worker: usize, count: u64) -> SubscriptionId {
    SubscriptionId((worker as u64) << 48 | count << 16)
}

/// The subscription of the connection that a subscription belongs to.
pub fn base_of(subscription: SubscriptionId) -> SubscriptionId {
    SubscriptionId(subscription.0 & !0xffff)
}

pub(super) fn worker_of(subscription: SubscriptionId) -> usize {
    (subscription.0 >> 48) as usize
}

impl WorkerLine {
    pub fn new(bounds: Bounds) -> (WorkerLine, Rounds) {
        let (sender, rounds) = mpsc::channel(bounds.rounds);
        (WorkerLine { rounds: sender, items: Vec::new(), items_max: bounds.round_items }, rounds)
    }

    pub fn push(&mut self, item: Item) {
        self.items.push(item);
    }

    /// Whether there is something that the worker could not be handed yet.
    pub fn is_held_up(&self) -> bool {
        !self.items.is_empty()
    }

    pub fn hand_over(&mut self) {
        if self.items.is_empty() {
            return;
        }
        match self.rounds.try_reserve() {
            Ok(permit) => permit.send(std::mem::take(&mut self.items)),
            // It has rounds enough to do; what is new joins the next one that fits.
            Err(_) if self.items.len() <= self.items_max => {}
            Err(_) => {
                log!(Error, "a worker does not respond: its connections are closed");
                self.items.clear();
                self.items.push(Item::Overrun);
            }
        }
    }
}
