//! Every test that needs more than one module: the house rules, and the running server.

mod answers;
mod bounds;
mod chitchat;
mod clock;
mod defects;
mod disk;
mod durability;
mod edge;
mod http;
mod kit;
mod limits;
mod logging;
mod native;
mod overload;
mod piratchat;
mod readme;
mod running;
mod stopping;
mod talk;
mod tending;
mod texts;
mod tidy;
mod transcripts;
mod vanishing;
mod web;
mod websocket;
