//! `/api/v1`, the server's own protocol: what the web client, bots and `curl` speak. Rooms,
//! history, search, and one stream of everything that happens in one's rooms.
//!
//! It translates, checks what can be checked without knowing others, and leaves the rest to the
//! core; what is old it lets the readers look up. Called by [`route`](super::route).
//!
//! To add a request, add its path to [`PATHS`], its line to [`route`](self::route), its function to
//! the file of its topic (`identity`, `rooms`, `messages` …), and its description to
//! `openapi.json`; tests compare the three. What only the core can decide is a call of its own in
//! `chat/vocabulary/call.rs`.
//!
//! Reading order: here, what there is; `asking`, who asks; `errors`, how one is refused; then
//! `identity`, `rooms`, `messages` and `search`, a theme each. `json` and `fields` are
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
mod messages;
mod pages;
mod rooms;
mod search;
mod server;
#[cfg(test)]
mod tests;

use cursor::Cursor;
use errors::{Code, Failure};
#[cfg(test)]
pub(crate) use {
    codec::LINES,
    events::{Excerpt, Lines},
};

use crate::chat::SubscriptionId;
use crate::http::{Method, Request, Response};
use crate::protocol::{Context, Outcome, POST, Protocol, READ, method, unrouted};

/// This protocol, as the others know it.
pub(super) static PROTOCOL: Protocol = Protocol {
    codecs: &[&codec::CODEC, &codec::SSE, &codec::LINES, &codec::PLAIN],
    claims: |path| matches!(path, ["api", "v1", ..] | ["r", _] | ["healthz" | "readyz"]),
    respond: |context, subscription, request, path| {
        Box::pin(respond(context, subscription, request, path))
    },
    // A stream makes one present; it may be heard from anywhere by whoever has a key.
    acts: |request, path| {
        matches!(path, ["api", "v1", "events"] | ["r", _]) && request.bearer().is_none()
    },
    refused: Failure::refused,
    foreign: || asking::foreign().into(),
};

/// Every path, and what can be done there. What is not here is not there: a test holds the routes
/// below and the documents that are served to it.
const PATHS: [(&str, &[Method]); 29] = {
    use Method::{Delete, Get, Head, Options, Patch, Post, Put};
    [
        ("/api/v1/server", READ),
        ("/api/v1/openapi.json", READ),
        ("/api/v1/asyncapi.json", READ),
        ("/api/v1/accounts", POST),
        ("/api/v1/sessions", &[Get, Head, Post, Options]),
        ("/api/v1/sessions/{id}", &[Delete, Options]),
        ("/api/v1/guests", POST),
        ("/api/v1/me", READ),
        ("/api/v1/me/key", POST),
        ("/api/v1/me/blocked", READ),
        ("/api/v1/me/blocked/{name}", &[Put, Delete, Options]),
        ("/api/v1/me/deleted", READ),
        ("/api/v1/users/{name}", READ),
        ("/api/v1/users/{name}/room", &[Put, Options]),
        ("/api/v1/rooms", &[Get, Head, Post, Options]),
        ("/api/v1/rooms/{room}", &[Get, Head, Patch, Delete, Options]),
        ("/api/v1/rooms/{room}/restore", POST),
        ("/api/v1/rooms/{room}/membership", &[Put, Delete, Options]),
        ("/api/v1/rooms/{room}/members", READ),
        ("/api/v1/rooms/{room}/members/{name}", &[Delete, Options]),
        ("/api/v1/rooms/{room}/read", &[Put, Options]),
        ("/api/v1/rooms/{room}/messages", &[Get, Head, Post, Options]),
        ("/api/v1/rooms/{room}/messages/{message}", MESSAGE),
        ("/api/v1/rooms/{room}/messages/{message}/reactions/{emoji}", &[Put, Delete, Options]),
        ("/api/v1/search", READ),
        ("/api/v1/events", &[Get, Options]),
        ("/r/{room}", &[Get, Post, Options]),
        ("/healthz", READ),
        ("/readyz", READ),
    ]
};

/// A message is made under its client id, and from then on known by its number.
const MESSAGE: &[Method] =
    &[Method::Get, Method::Head, Method::Put, Method::Patch, Method::Delete, Method::Options];

/// What a request is answered with.
type Answered = Result<Response, Failure>;

/// Answers what is this protocol's.
async fn respond(
    context: &Context,
    subscription: SubscriptionId,
    request: &Request,
    path: &[&str],
) -> Outcome {
    let allowed = allowed(path);
    let how = method(request);
    if !allowed.contains(&request.method) || how == Method::Options {
        return Outcome::Response(Failure::dress(unrouted(request, allowed)));
    }
    let answered = match (how, path) {
        (Method::Get, ["api", "v1", "events"]) => {
            return stream(events::events(context, subscription, request, None).await);
        }
        (Method::Get, ["r", room]) => {
            return stream(events::events(context, subscription, request, Some(room)).await);
        }
        (Method::Post, ["r", room]) => messages::protocol(context, request, room).await,
        (_, ["api", "v1", path @ ..]) => route(context, request, how, path).await,
        (_, ["healthz"]) => Ok(Response::new(200).text("ok\n")),
        _ => server::ready(context).await,
    };
    Outcome::Response(answered.unwrap_or_else(Response::from))
}

async fn route(context: &Context, request: &Request, method: Method, path: &[&str]) -> Answered {
    use Method::{Delete, Get, Patch, Post, Put};
    match (method, path) {
        (Get, ["server"]) => server::about(context).await,
        (Get, ["openapi.json"]) => Ok(server::document(server::OPENAPI)),
        (Get, ["asyncapi.json"]) => Ok(server::document(server::ASYNCAPI)),

        (Post, ["accounts"]) => identity::register(context, request).await,
        (Post, ["sessions"]) => identity::log_in(context, request).await,
        (Get, ["sessions"]) => identity::sessions(context, request).await,
        (Delete, ["sessions", id]) => identity::end_session(context, request, id).await,
        (Post, ["guests"]) => identity::be_guest(context, request).await,
        (Get, ["me"]) => identity::me(context, request).await,
        (Post, ["me", "key"]) => identity::change_key(context, request).await,
        (Get, ["me", "blocked"]) => identity::blocked(context, request).await,
        (Put | Delete, ["me", "blocked", name]) => {
            identity::block(context, request, name, method == Put).await
        }
        (Get, ["me", "deleted"]) => rooms::deleted(context, request).await,
        (Get, ["users", name]) => identity::person(context, request, name).await,
        (Put, ["users", name, "room"]) => rooms::direct(context, request, name).await,

        (Get, ["rooms"]) => rooms::list(context, request).await,
        (Post, ["rooms"]) => rooms::make(context, request).await,
        (Get, ["rooms", room]) => rooms::show(context, request, room).await,
        (Patch, ["rooms", room]) => rooms::change(context, request, room).await,
        (Delete, ["rooms", room]) => rooms::remove(context, request, room).await,
        (Post, ["rooms", room, "restore"]) => rooms::restore(context, request, room).await,
        (Put, ["rooms", room, "membership"]) => rooms::enter(context, request, room).await,
        (Delete, ["rooms", room, "membership"]) => rooms::exit(context, request, room).await,
        (Get, ["rooms", room, "members"]) => rooms::members(context, request, room).await,
        (Delete, ["rooms", room, "members", name]) => {
            rooms::expel(context, request, room, name).await
        }
        (Put, ["rooms", room, "read"]) => rooms::read(context, request, room).await,

        (Get, ["rooms", room, "messages"]) => messages::page(context, request, room).await,
        (Post, ["rooms", room, "messages"]) => messages::say(context, request, room).await,
        (Put, ["rooms", room, "messages", id]) => messages::put(context, request, room, id).await,
        (Get, ["rooms", room, "messages", seq]) => {
            messages::show(context, request, room, seq).await
        }
        (Patch, ["rooms", room, "messages", seq]) => {
            messages::edit(context, request, room, seq).await
        }
        (Delete, ["rooms", room, "messages", seq]) => {
            messages::delete(context, request, room, seq).await
        }
        (Put | Delete, ["rooms", room, "messages", seq, "reactions", emoji]) => {
            let on = method == Put;
            messages::react(context, request, [room, seq, emoji], on).await
        }
        (Get, ["search"]) => search::search(context, request).await,
        _ => Err(Code::NotFound.into()),
    }
}

fn stream(begun: Result<Outcome, Failure>) -> Outcome {
    begun.unwrap_or_else(|failure| Outcome::Response(failure.into()))
}

/// The methods of a path; none if there is no such path.
fn allowed(path: &[&str]) -> &'static [Method] {
    let found = PATHS.iter().find(|(template, _)| fits(template, path));
    found.map_or(&[], |(_, methods)| methods)
}

/// Whether a path is one of that form, in which `{x}` stands for anything.
fn fits(template: &str, path: &[&str]) -> bool {
    let parts = template.split('/').skip(1);
    let same = |(part, segment): (&str, &&str)| part.starts_with('{') || part == *segment;
    parts.clone().count() == path.len() && parts.zip(path).all(same)
}
