//! Shanty: a small home for your crew's chat. One binary, one SQLite file, one port.

pub mod crypto;
pub mod limits;
pub mod logger;
pub mod time;

pub mod chat;
pub mod config;
pub mod http;
pub mod outgoing;
pub mod ws;

pub mod dialect;
pub mod store;

pub mod hub;

pub mod protocol;

pub mod connection;

pub mod worker;

pub mod server;
