//! Everything that can move the core, and everything that can come of it. Plain data: printable,
//! comparable, replayable. No wire format, no socket, no database shows through.

mod access;
pub mod call;
mod client_events;
mod commands;
mod effects;
mod entries;
mod events;
mod texts;

pub use access::*;
pub use call::{Call, Typed};
pub use client_events::*;
pub use commands::*;
pub use effects::*;
pub use entries::*;
pub use events::*;
pub use texts::message_text;
