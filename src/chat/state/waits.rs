//! Calls that wait for the end of a pending change.

use std::collections::{HashMap, VecDeque};

use crate::chat::state::purpose::{Identity, Origin};
use crate::chat::types::{AccountId, CallId, RoomId};
use crate::chat::vocabulary::Call;
use crate::crypto::KeyHash;

/// The pending change for which a call waits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Awaited {
    /// A change or the end of a room.
    Room(RoomId),
    /// A membership change of an account in a room.
    Membership(RoomId, AccountId),
    /// The creation of a room for two; the lower number first.
    Pair([AccountId; 2]),
    /// A key change of an account.
    Key(AccountId),
    /// A change of an account's blocks.
    Block(AccountId),
    /// A change of who may come in.
    Policy,
}

impl Awaited {
    /// The pair in either order.
    pub fn pair([one, other]: [AccountId; 2]) -> Awaited {
        Awaited::Pair([one.min(other), one.max(other)])
    }
}

/// The waiting calls, each list in the order of the calls.
#[derive(Default)]
pub struct Waits {
    pub lists: HashMap<Awaited, VecDeque<WaitingCall>>,
}

impl Waits {
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether a call waits for it already: later calls queue behind.
    pub fn is_waited_for(&self, awaited: Awaited) -> bool {
        self.lists.contains_key(&awaited)
    }

    pub fn add(&mut self, awaited: Awaited, call: WaitingCall) {
        self.lists.entry(awaited).or_default().push_back(call);
    }

    /// The first call that waits for it.
    pub fn next(&mut self, awaited: Awaited) -> Option<WaitingCall> {
        let list = self.lists.get_mut(&awaited)?;
        let first = list.pop_front();
        if list.is_empty() {
            self.lists.remove(&awaited);
        }
        first
    }

    /// Any waiting call.
    pub fn any(&mut self) -> Option<WaitingCall> {
        let awaited = *self.lists.keys().next()?;
        self.next(awaited)
    }
}

/// A call that waits for the end of a pending change.
pub struct WaitingCall {
    pub id: CallId,
    pub origin: Origin,
    pub caller: Identity,
    /// The account's key, if the caller has shown it instead of a session's.
    pub key: Option<KeyHash>,
    pub call: Call,
}
