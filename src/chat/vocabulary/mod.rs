//! The core's input (commands) and output (effects). Plain data: printable, comparable, replayable.
//! It shows no wire format, no socket, no database.

mod access;
pub mod call;
mod client_events;
mod commands;
mod deeds;
mod effects;
mod entries;
mod events;
mod grants;
mod inviting;
mod moderating;
mod moderation;
mod policy;
mod refusals;
mod roles;
mod signing_in;
mod texts;

pub use access::*;
pub use call::{Call, Typed};
pub use client_events::*;
pub use commands::*;
pub use effects::*;
pub use entries::*;
pub use events::*;
pub use grants::*;
pub use moderation::*;
pub use policy::*;
pub use refusals::*;
pub use roles::*;
pub use texts::message_text;
