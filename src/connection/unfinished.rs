//! The unfinished input of all connections of a thread: heads, bodies, websocket messages. Each is
//! bounded in size and time; together they have one budget. When it is used up, the connection that
//! holds most (of equals, the oldest) makes way, not the newcomer: it is the least likely to be an
//! ordinary client.

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
    /// Keyed by the connection's subscription.
    held: RefCell<HashMap<SubscriptionId, (usize, Rc<Connection>)>>,
}

impl Unfinished {
    /// A budget of `most` bytes.
    pub fn new(most: usize) -> Unfinished {
        Unfinished { most, used: Cell::new(0), held: RefCell::default() }
    }

    /// Notes that a connection holds `bytes` bytes now, maybe none.
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
        // Frees the capacity of a burst.
        if held.is_empty() {
            *held = HashMap::new();
        }
    }

    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.used.get()
    }
}
