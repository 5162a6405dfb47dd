//! The tests that need more than one module: the house rules, and the running server.

mod answers;
mod bounds;
mod chitchat;
mod clock;
mod disk;
mod durability;
mod edge;
#[path = "../kit/frames.rs"]
mod frames;
mod hearing;
mod http;
mod kit;
mod lasting;
mod limits;
mod logging;
mod maintenance;
mod memory;
mod names;
mod native;
mod overload;
mod piratchat;
mod places;
mod readme;
mod running;
mod secrets;
mod slow;
mod stopping;
mod texts;
mod tidy;
mod tls;
mod tokens;
mod transcripts;
mod vanishing;
mod variants;
mod web;
mod websocket;
