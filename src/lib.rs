//! Shanty: a small home for your crew's chat. One binary, one SQLite file, one port.

pub mod chat;
pub mod config;
pub mod dialect;
pub mod hub;
pub mod store;
pub mod crypto;
pub mod limits;
pub mod logger;
pub mod time;

pub mod http;
