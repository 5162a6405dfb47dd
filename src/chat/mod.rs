//! THE CORE: who is known, which rooms there are, who sits where, and what is said. A pure,
//! synchronous state machine: [`Chat::handle`] takes one [`Command`] and the time, and appends what
//! comes of it to a list of [`Effect`]s. Called by the hub, and by the simulation; by nobody else.
//!
//! It never does I/O, reads no clock, draws no randomness, and knows no wire format.
//!
//! # A fold over the log
//!
//! What lasts changes only in `apply`, by an entry that comes back from the log with its number.
//! To change something, the core *proposes* an entry and remembers for whom; when the entry is
//! back, it applies it, and only then answers and announces. What is in flight reserves its name or
//! title, but `apply` judges every entry by itself, whoever proposed it.
//!
//! # One order
//!
//! Who sits where changes at once, but what clients hear of it must not overtake a message that is
//! still on its way into the log: all effects go through the line of `state/order.rs`, which has
//! the rules.
//!
//! # Floors
//!
//! A file imports from lower floors only, or inside its own folder; a test holds us to it.
//!
//! | folder | what is there |
//! |---|---|
//! | `core/` | [`Chat`], a file for each topic: what happens |
//! | `state/` | tables, lists and queues, each with its own rules: what is there |
//! | `vocabulary/` | commands and effects, plain data: what is said to the core, and by it |
//! | `types.rs` | the nouns, as types that are valid once they exist |
//! | `text/`, `numbered.rs`, `source.rs` | what a text may be; maps by number; where a client is |

mod core;
mod numbered;
#[cfg(test)]
pub(crate) mod simulation;
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
pub use crate::chat::state::room::{DeletedRecord, MemberRecord, RoomRecord};
pub use crate::chat::state::snapshot::Snapshot;
pub use crate::chat::types::*;
pub use crate::chat::vocabulary::*;
