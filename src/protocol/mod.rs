//! Everything that is somebody's wire format. Takes a request, finds whose it is, and says what is
//! to become of it. Called by connections, one request at a time.
//!
//! To add a protocol, add its folder, its line in [`DIALECTS`] and its line in [`respond`]; to take
//! one away, delete them. Nothing below this floor knows of it.

pub mod chitchat;
pub mod passwords;
pub mod piratchat;
pub mod web;

use crate::chat::{Door, SeatId};
use crate::config::Config;
use crate::dialect::{Dialect, Dialects};
use crate::http::{Request, Response};
use crate::hub::{HubHandle, Seat};
use crate::protocol::chitchat::Tokens;
use crate::protocol::passwords::Passwords;

/// The doors. A [`Door`] is an index into this.
pub const DIALECTS: Dialects = &[&piratchat::DIALECT, &chitchat::DIALECT];

/// Piratchat's `/ws`.
pub(crate) const PIRATCHAT: Door = Door(0);
/// ChitChat's `/chats/<room>/ws`.
pub(crate) const CHITCHAT: Door = Door(1);

/// What the protocols of one worker need to answer requests.
pub struct Context {
    /// The way to the core.
    pub hub: HubHandle,
    /// What was set at the start.
    pub config: Config,
    /// Signs and checks room tokens.
    pub tokens: Tokens,
    /// Hashes and checks room passwords, off the event loop.
    pub passwords: Passwords,
}

/// What becomes of a request.
pub enum Outcome {
    /// It is answered.
    Response(Response),
    /// It is answered with 101, and what follows on this connection is a websocket.
    Websocket {
        /// The 101.
        response: Response,
        /// The right to chat.
        seat: Seat,
        /// What is spoken.
        dialect: &'static dyn Dialect,
    },
}
