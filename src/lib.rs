//! Shanty: a small home for your crew's chat. One binary, one SQLite file, one port.

pub mod chat;
pub mod crypto;
pub mod limits;
pub mod logger;
pub mod store;
pub mod time;
