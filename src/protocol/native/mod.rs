//! `/api/v1`, the server's own protocol: what the web client, bots and `curl` speak. Rooms,
//! history, search, and one stream of everything that happens in one's rooms.
//!
//! It translates, checks what can be checked without knowing others, and leaves the rest to the
//! core; what is old it lets the readers look up. Called by [`route`](super::route).
//!
//! To add a request, add its line to [`ROUTES`], its function to the file of its topic (`identity`,
//! `rooms`, `messages` …), and its description to `openapi.json`; tests compare routes and
//! description. What only the core can decide is a call of its own in `chat/vocabulary/call.rs`.
//!
//! Reading order: here, what there is; `asking`, who asks; `errors`, how one is refused; then
//! `identity`, `rooms`, `members`, `messages` and `search`, a theme each. `json` and `fields` are
//! what goes out and comes in; `codec`, `framing`, `frames` and `events` the stream.

mod asking;
mod codec;
mod cursor;
mod errors;
mod events;
mod fields;
mod frames;
mod framing;
mod identity;
mod json;
mod members;
mod messages;
mod pages;
mod rooms;
mod search;
mod server;
#[cfg(test)]
mod tests;

use cursor::Cursor;
use errors::Failure;
#[cfg(test)]
pub(crate) use {
    codec::LINES,
    events::{Excerpt, Lines},
};

use crate::http::Response;
use crate::protocol::Protocol;
use crate::protocol::routes::{Route, routes};

/// This protocol, as the others know it.
pub(super) static PROTOCOL: Protocol = Protocol {
    codecs: &[&codec::CODEC, &codec::SSE, &codec::LINES, &codec::PLAIN],
    claims: |path| matches!(path, ["api", "v1", ..] | ["r", _] | ["healthz" | "readyz"]),
    routes: ROUTES,
    // A stream makes one present; it may be heard from anywhere by whoever has a key.
    acts: |request, path| {
        matches!(path, ["api", "v1", "events"] | ["r", _]) && request.bearer().is_none()
    },
    dress: Failure::dress,
    refused: Failure::refused,
    foreign: || asking::foreign().into(),
};

/// Every route. What is not here is not there: a test holds the documents that are served to it.
const ROUTES: &[Route] = routes! {
    Get "/api/v1/server" => server::about(),
    Get "/api/v1/openapi.json" => server::openapi(),
    Get "/api/v1/asyncapi.json" => server::asyncapi(),

    Post "/api/v1/accounts" => identity::register(),
    Get "/api/v1/sessions" => identity::sessions(),
    Post "/api/v1/sessions" => identity::log_in(),
    Delete "/api/v1/sessions/{id}" => identity::end_session(id),
    Post "/api/v1/guests" => identity::be_guest(),
    Get "/api/v1/me" => identity::me(),
    Post "/api/v1/me/key" => identity::change_key(),
    Get "/api/v1/me/blocked" => identity::blocked(),
    Put "/api/v1/me/blocked/{name}" => identity::block(name),
    Delete "/api/v1/me/blocked/{name}" => identity::unblock(name),
    Get "/api/v1/me/deleted" => rooms::deleted(),
    Get "/api/v1/users/{name}" => identity::person(name),
    Put "/api/v1/users/{name}/room" => rooms::direct(name),

    Get "/api/v1/rooms" => rooms::list(),
    Post "/api/v1/rooms" => rooms::make(),
    Get "/api/v1/rooms/{room}" => rooms::show(room),
    Patch "/api/v1/rooms/{room}" => rooms::change(room),
    Delete "/api/v1/rooms/{room}" => rooms::remove(room),
    Post "/api/v1/rooms/{room}/restore" => rooms::restore(room),
    Put "/api/v1/rooms/{room}/membership" => rooms::enter(room),
    Delete "/api/v1/rooms/{room}/membership" => rooms::exit(room),
    Get "/api/v1/rooms/{room}/members" => members::list(room),
    Delete "/api/v1/rooms/{room}/members/{name}" => rooms::expel(room, name),
    Put "/api/v1/rooms/{room}/read" => rooms::read(room),

    Get "/api/v1/rooms/{room}/messages" => messages::page(room),
    Post "/api/v1/rooms/{room}/messages" => messages::say(room),
    Get "/api/v1/rooms/{room}/messages/{message}" => messages::show(room, message),
    // A message is made under its client id, and from then on known by its number.
    Put "/api/v1/rooms/{room}/messages/{message}" => messages::put(room, message),
    Patch "/api/v1/rooms/{room}/messages/{message}" => messages::edit(room, message),
    Delete "/api/v1/rooms/{room}/messages/{message}" => messages::delete(room, message),
    Put "/api/v1/rooms/{room}/messages/{message}/reactions/{emoji}"
        => messages::react(room, message, emoji),
    Delete "/api/v1/rooms/{room}/messages/{message}/reactions/{emoji}"
        => messages::unreact(room, message, emoji),
    Get "/api/v1/search" => search::search(),

    Stream "/api/v1/events" => events::all(),
    Stream "/r/{room}" => events::room(room),
    Post "/r/{room}" => messages::say_text(room),
    Get "/healthz" => server::alive(),
    Get "/readyz" => server::ready(),
};

/// What a request is answered with.
type Answered = Result<Response, Failure>;
