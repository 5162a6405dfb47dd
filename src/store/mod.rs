//! The store: one writer of SQLite.

use crate::chat::{Entry, SessionId, Ticket};
use crate::time::Time;

/// What the writer is handed.
pub enum Write {
    /// An entry for the log.
    Entry {
        /// Comes back with the entry.
        ticket: Ticket,
        /// When it was proposed.
        time: Time,
        /// The entry.
        entry: Entry,
    },
    /// Sessions that were used, and when.
    Touch(Vec<(SessionId, Time)>),
}
