//! The tests that need more than one module: the house rules, and the running server.

#[cfg(feature = "acme")]
mod acme;
mod answers;
mod auth_header;
mod backups;
mod below;
mod bounds;
mod chitchat;
mod clock;
mod configuring;
mod disk;
mod doctor;
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
mod metrics;
mod names;
mod native;
mod overload;
mod piratchat;
mod places;
mod proxy_header;
mod readme;
mod running;
mod secrets;
mod service;
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
