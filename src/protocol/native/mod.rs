//! `/api/v1`, the server's own protocol, for the web client, bots and `curl`. Rooms, history,
//! search, and one stream of all events of the caller's rooms.
//!
//! It translates, checks what needs no other state, and leaves the rest to the core; the readers
//! look up history. Called by [`route`](super::route).
//!
//! To add a request, add its line to [`ROUTES`], its function to the file of its topic (`identity`,
//! `rooms`, `messages` …), and its description to `openapi.json`; tests compare routes and
//! description. A decision that needs the core's state is a new call in `chat/vocabulary/call.rs`.
//!
//! Reading order: this file for the routes; `asking` for authentication; `errors` for refusals;
//! then `identity`, `in_charge`, `bans`, `moderation`, `invitations`, `recovery`, `audit`, `rooms`,
//! `messages` and `search`, a topic each. `json` and `fields` are output and input; `codec`,
//! `framing`, `frames` and `events` are the stream.

mod asking;
mod audit;
mod bans;
mod codec;
mod cursor;
mod errors;
mod events;
mod fields;
mod frames;
mod framing;
mod identity;
mod in_charge;
mod invitations;
mod json;
mod members;
mod messages;
mod metrics;
mod moderation;
mod pages;
mod recovery;
mod requirements;
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

/// The protocol's interface.
pub(super) static PROTOCOL: Protocol = Protocol {
    codecs: &[&codec::CODEC, &codec::SSE, &codec::LINES, &codec::PLAIN],
    claims: |path| {
        matches!(path, ["api", "v1", ..] | ["r", _] | ["healthz" | "readyz" | "metrics"])
    },
    routes: ROUTES,
    // A stream makes its user present; with a key it may be opened from any origin.
    acts: |request, path| {
        matches!(path, ["api", "v1", "events"] | ["r", _]) && request.bearer().is_none()
    },
    dress: Failure::dress,
    refused: Failure::refused,
    foreign: || asking::foreign().into(),
    turned_away: |refusal| Failure::from(refusal).into(),
};

/// All routes. A test compares them with the documents that the server serves.
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

    Put "/api/v1/users/{name}/ban" => bans::ban(name),
    Delete "/api/v1/users/{name}/ban" => bans::lift(name),
    Put "/api/v1/users/{name}/mute" => moderation::mute_everywhere(name),
    Delete "/api/v1/users/{name}/mute" => moderation::unmute_everywhere(name),
    Delete "/api/v1/users/{name}/messages" => moderation::clear_everywhere(name),
    Get "/api/v1/mutes/users" => moderation::muted(),
    Get "/api/v1/audit" => audit::page(),
    Get "/api/v1/bans/users" => bans::users(),
    Get "/api/v1/bans/addresses" => bans::addresses(),
    Put "/api/v1/bans/addresses/{address}" => bans::ban_address(address),
    Delete "/api/v1/bans/addresses/{address}" => bans::lift_address(address),
    Get "/api/v1/server/settings" => in_charge::settings(),
    Patch "/api/v1/server/settings" => in_charge::change_settings(),
    Post "/api/v1/setup" => in_charge::set_up(),
    Get "/api/v1/invitations" => invitations::list(),
    Post "/api/v1/invitations" => invitations::make(),
    Delete "/api/v1/invitations/{id}" => invitations::end(id),
    Post "/api/v1/invitation" => invitations::look(),
    Put "/api/v1/invitation/membership" => invitations::accept(),
    Post "/api/v1/users/{name}/recovery" => recovery::make(name),
    Post "/api/v1/recovery" => recovery::recover(),
    Put "/api/v1/users/{name}/role" => in_charge::give_role(name),
    Delete "/api/v1/users/{name}/role" => in_charge::take_role(name),

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
    Delete "/api/v1/rooms/{room}/members/{name}/messages" => moderation::clear(room, name),
    Get "/api/v1/rooms/{room}/moderation" => moderation::list(room),
    Put "/api/v1/rooms/{room}/moderators/{name}" => moderation::appoint(room, name),
    Delete "/api/v1/rooms/{room}/moderators/{name}" => moderation::dismiss(room, name),
    Put "/api/v1/rooms/{room}/mutes/{name}" => moderation::mute(room, name),
    Delete "/api/v1/rooms/{room}/mutes/{name}" => moderation::unmute(room, name),
    Put "/api/v1/rooms/{room}/bans/{name}" => moderation::ban(room, name),
    Delete "/api/v1/rooms/{room}/bans/{name}" => moderation::lift_ban(room, name),
    Put "/api/v1/rooms/{room}/owner" => moderation::transfer(room),
    Put "/api/v1/rooms/{room}/read" => rooms::read(room),

    Get "/api/v1/rooms/{room}/messages" => messages::page(room),
    Post "/api/v1/rooms/{room}/messages" => messages::say(room),
    Get "/api/v1/rooms/{room}/messages/{message}" => messages::show(room, message),
    // A message is created under its client id, and addressed by its sequence number afterwards.
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
    Get "/metrics" => metrics::show(),
};

/// The result of a request.
type Answered = Result<Response, Failure>;
