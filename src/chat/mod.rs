//! THE CORE: accounts, rooms, subscriptions and messages. A pure, synchronous state machine:
//! [`Chat::handle`] takes one [`Command`] and the time, and appends the resulting [`Effect`]s to a
//! list. Only the hub and the simulation call it.
//!
//! It never does I/O, reads no clock, draws no randomness, and knows no wire format.
//!
//! # A fold over the log
//!
//! Lasting state changes only in `apply`, by an entry that comes back from the log with its number.
//! To change something, the core *proposes* an entry and remembers the call that asked for it; when
//! the entry is back, the core applies it, and only then answers and announces. A pending entry
//! reserves its name or title, but `apply` judges every entry by itself, no matter which core
//! proposed it.
//!
//! # One order
//!
//! Subscriptions change at once, but their events must not overtake a message that is still on its
//! way into the log: all effects go through the queue of `state/order.rs`, which states the rules.
//!
//! # Floors
//!
//! A file imports from lower floors only, or inside its own folder; a test enforces this.
//!
//! | folder | contents |
//! |---|---|
//! | `core/` | behaviour: [`Chat`], a file for each topic |
//! | `state/` | data: tables, lists and queues, each with its own rules |
//! | `vocabulary/` | the core's input and output as plain data: commands and effects |
//! | `types.rs` | the nouns, as types that are valid once they exist |
//! | `text/`, `numbered.rs`, `small.rs`, `source.rs` | valid texts; maps; a client's address |

mod core;
mod numbered;
#[cfg(test)]
pub(crate) mod simulation;
mod small;
mod source;
mod state;
#[cfg(test)]
mod tests;
pub mod text;
mod types;
mod vocabulary;

pub use crate::chat::core::{Chat, MemberView, Settings, Shown, founding, is_member_change_told};
pub use crate::chat::numbered::Numbered;
pub use crate::chat::source::Source;
pub use crate::chat::state::accounts::{Account, Session};
pub use crate::chat::state::mentions::called;
pub use crate::chat::state::moderation::Moderation;
pub use crate::chat::state::room::{DeletedRecord, MemberRecord, RoomRecord};
pub use crate::chat::state::snapshot::Snapshot;
pub use crate::chat::types::*;
pub use crate::chat::vocabulary::*;
