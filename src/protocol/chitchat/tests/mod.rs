//! ChitChat's wire format, as tables.

mod dialect;
mod rooms;
mod tokens;
mod websocket;
