//! Every test that needs more than one module: the house rules, and the running server.

mod chitchat;
mod http;
mod kit;
mod piratchat;
mod tidy;
mod websocket;
