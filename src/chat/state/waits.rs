//! Calls that wait until a change is over that is in flight.

use std::collections::{HashMap, VecDeque};

use crate::chat::state::purpose::{Identity, Origin};
use crate::chat::types::{AccountId, CallId, RoomId};
use crate::chat::vocabulary::Call;
use crate::crypto::KeyHash;

/// What a call can wait for: the end of a change that is in flight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Awaited {
    /// A room is changed, or ends.
    Room(RoomId),
    /// Somebody comes to stay in a room, or leaves it for good.
    Membership(RoomId, AccountId),
    /// A room for two comes to be; the lower number first.
    Pair([AccountId; 2]),
    /// An account gets another key.
    Key(AccountId),
    /// An account blocks somebody, or does so no more.
    Block(AccountId),
}

impl Awaited {
    /// A room for two, whichever of them was named first.
    pub fn pair([one, other]: [AccountId; 2]) -> Awaited {
        Awaited::Pair([one.min(other), one.max(other)])
    }
}

/// Calls that wait, each list in the order of calling.
#[derive(Default)]
pub struct Waits {
    pub lists: HashMap<Awaited, VecDeque<Held>>,
}

impl Waits {
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether somebody waits for it already: whoever comes now stands behind.
    pub fn is_waited_for(&self, what: Awaited) -> bool {
        self.lists.contains_key(&what)
    }

    pub fn add(&mut self, what: Awaited, held: Held) {
        self.lists.entry(what).or_default().push_back(held);
    }

    /// The first who waits for it.
    pub fn next(&mut self, what: Awaited) -> Option<Held> {
        let list = self.lists.get_mut(&what)?;
        let first = list.pop_front();
        if list.is_empty() {
            self.lists.remove(&what);
        }
        first
    }

    /// Somebody, whatever they wait for.
    pub fn any(&mut self) -> Option<Held> {
        let what = *self.lists.keys().next()?;
        self.next(what)
    }
}

/// A call that waits until a change is over.
pub struct Held {
    pub id: CallId,
    pub origin: Origin,
    pub caller: Identity,
    /// The account's key, where it was shown itself.
    pub key: Option<KeyHash>,
    pub call: Call,
}
