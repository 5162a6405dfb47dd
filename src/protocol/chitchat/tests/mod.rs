//! ChitChat's wire format, as tables.

mod codec;
mod rooms;
mod tokens;
mod websocket;
