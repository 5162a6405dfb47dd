//! What all connections of a thread hold of input that is not whole yet: heads, bodies, websocket
//! messages. Each is bounded by itself and in time; together they have one budget. Where it is used
//! up, whoever holds most makes way (of equals, the oldest connection), not whoever comes: the one
//! that holds most is the least likely to be somebody who merely speaks.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::chat::SubscriptionId;
use crate::codec::Disconnect;
use crate::connection::socket::Connection;

/// See the module's documentation.
pub(super) struct Unfinished {
    most: usize,
    used: Cell<usize>,
    /// By the connection's subscription.
    held: RefCell<HashMap<SubscriptionId, (usize, Rc<Connection>)>>,
}

impl Unfinished {
    /// Nobody has begun anything.
    pub fn new(most: usize) -> Unfinished {
        Unfinished { most, used: Cell::new(0), held: RefCell::default() }
    }

    /// This connection holds so many bytes now, maybe none.
    pub fn note(&self, connection: &Rc<Connection>, bytes: usize) {
        let mut held = self.held.borrow_mut();
        let before = match bytes {
            0 => held.remove(&connection.subscription),
            _ => held.insert(connection.subscription, (bytes, connection.clone())),
        };
        let before = before.map_or(0, |(bytes, _)| bytes);
        self.used.set(self.used.get() + bytes - before);
        while self.used.get() > self.most {
            let most = held
                .iter()
                .max_by_key(|(subscription, (bytes, _))| (*bytes, u64::MAX - subscription.0));
            let Some((&subscription, _)) = most else { return };
            let Some((bytes, connection)) = held.remove(&subscription) else { return };
            self.used.set(self.used.get() - bytes);
            connection.close(Disconnect::Unfinished);
        }
        // What a burst has made it grow to is not kept.
        if held.is_empty() {
            *held = HashMap::new();
        }
    }

    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.used.get()
    }
}
