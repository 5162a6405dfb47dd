//! Everything that can move the core, and everything that can come of it. Plain data: printable,
//! comparable, replayable. No wire format, no socket, no database shows through.

mod access;
pub mod call;
mod commands;
mod effects;
mod entries;
mod events;
mod tells;
mod texts;

pub use access::*;
pub use call::{Call, Typed};
pub use commands::*;
pub use effects::*;
pub use entries::*;
pub use events::*;
pub use tells::*;
pub use texts::message_text;
