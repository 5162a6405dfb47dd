//! Piratchat: accounts with keys, sessions in a cookie, and one websocket into the lobby.
//!
//! It translates, and decides nothing that lasts. It sees a key when the key is made and when a
//! client sends it, and never keeps or logs it. Called by [`respond`](super::respond).

mod codec;
#[cfg(test)]
mod tests;

use codec::CODEC;
use serde::{Deserialize, Serialize};

use crate::chat::{
    Access, Caller, LOBBY, Page, Refusal, RoomRef, SessionInfo, SubscriptionId, call,
};
use crate::crypto;
use crate::http::{self, Reject, Request, Response};
use crate::hub::HubHandle;
use crate::protocol::lists::{Items, Listed, More};
use crate::protocol::routes::{Route, routes};
use crate::protocol::{Context, Outcome, Protocol, protocol_id};
use crate::protocol::{advice, cookies, give_up, json_body, lists, session};
use crate::time::Time;

/// The protocol's interface.
pub(super) static PROTOCOL: Protocol = Protocol {
    codecs: &[&CODEC],
    claims: |path| matches!(path, ["api" | "ws", ..]),
    routes: ROUTES,
    acts: |_, path| path == ["api", "logout"],
    dress,
    refused,
    foreign: || FOREIGN.into(),
    turned_away: |refusal| Failure::from(refusal).into(),
};

const ROUTES: &[Route] = routes! {
    Post "/api/register" => register(),
    Post "/api/login" => log_in(),
    Get "/api/logout" => log_out(),
    Post "/api/logout" => log_out(),
    Get "/api/online" => online(),
    Get "/api/user/@me" => me(),
    Get "/api/user/{name+}" => person(name),
    Stream "/ws" => websocket(),
};

/// A refusal: the status, and what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Failure {
    status: u16,
    says: &'static str,
    /// For a rate limit: the seconds to wait.
    retry_after_secs: u32,
}

impl Failure {
    const fn new(status: u16, says: &'static str) -> Failure {
        Failure { status, says, retry_after_secs: 1 }
    }
}

const BODY: Failure = Failure::new(422, "send a JSON object with exactly this one field, a string");
const NO_COOKIE: Failure = Failure::new(422, "the session cookie is missing; log in first");
const CLOSED: Failure =
    Failure::new(403, "this server accepts no new accounts; ask its owner for one");
const FOREIGN: Failure =
    Failure::new(403, "a page from another origin cannot act for its visitor here");

async fn register(context: &Context, request: &Request) -> Result<Response, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        username: String,
    }
    let Body { username } = json_body::object(&request.body).ok_or(BODY)?;
    if username.is_empty() {
        return Err(BODY);
    }
    let key = crypto::account_key();
    let (name, invitation) = (username.into(), None);
    let call = call::Register { name, key: crypto::hash(&key), invitation };
    context.hub.call(Caller::Nobody, call).await?;
    #[derive(Serialize)]
    struct Registered {
        key: String,
    }
    Ok(Response::new(201).json(json_body::text(&Registered { key })))
}

async fn log_in(context: &Context, request: &Request) -> Result<Response, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        key: String,
    }
    let Body { key } = json_body::object(&request.body).ok_or(BODY)?;
    if key.is_empty() {
        return Err(BODY);
    }
    let session = crypto::session_key();
    let call = call::Login {
        key: crypto::hash(&key),
        session: crypto::hash(&session),
        remember: false,
        agent: "".into(),
    };
    let SessionInfo { name, .. } = context.hub.call(Caller::Nobody, call).await?;
    give_up(context, request).await;
    let body = json_body::text(&Username { username: name.as_str() });
    Ok(cookies::give(Response::new(200), request, &session, context).json(body))
}

/// Always 200, for any cookie, except for a session whose end cannot be written to disk (503): a
/// false confirmation would mislead a user that leaves a shared computer.
async fn log_out(context: &Context, request: &Request) -> Result<Response, Failure> {
    if let Some(key) = session(context, request) {
        context.hub.call(Caller::Session(key), call::Logout).await?;
    }
    let response = cookies::take_away(Response::new(200), request, context);
    Ok(response.json(r#"{"status":true}"#))
}

async fn online(context: &Context, request: &Request) -> Result<Response, Failure> {
    let caller = caller(context, request)?;
    let list = Online { hub: context.hub.clone(), caller, after: 0 };
    Ok(lists::respond(Response::new(200), r#"{"online_clients":["#, list, "]}").await?)
}

/// The users in the global chat, as JSON.
struct Online {
    hub: HubHandle,
    caller: Caller,
    after: u64,
}

impl Online {
    async fn page(&mut self, items: &mut Items) -> Result<bool, Refusal> {
        let call = call::Present { room: LOBBY, after: self.after };
        let Page { items: present, next } = self.hub.call(self.caller.clone(), call).await?;
        present.iter().for_each(|person| items.push(&person.author.name.as_str()));
        self.after = next.unwrap_or(self.after);
        Ok(next.is_some())
    }
}

impl Listed for Online {
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a> {
        Box::pin(self.page(items))
    }
}

async fn me(context: &Context, request: &Request) -> Result<Response, Failure> {
    let me = context.hub.call(caller(context, request)?, call::Me).await?;
    Ok(Response::new(200).json(json_body::text(&Username { username: me.name.as_str() })))
}

async fn person(context: &Context, request: &Request, name: &str) -> Result<Response, Failure> {
    let caller = caller(context, request)?;
    let person = context.hub.call(caller, call::Person { name: name.into() }).await?;
    #[derive(Serialize)]
    struct Known<'a> {
        username: &'a str,
        online: bool,
        #[serde(serialize_with = "json_body::rfc3339")]
        created: Time,
    }
    let (username, online, created) = (person.name.as_str(), person.online, person.created);
    Ok(Response::new(200).json(json_body::text(&Known { username, online, created })))
}

async fn websocket(
    context: &Context,
    subscription: SubscriptionId,
    request: &Request,
) -> Result<Outcome, Response> {
    let handshake = http::websocket(request).map_err(dress)?;
    let caller = caller(context, request)?;
    let (protocol, room, access) = (protocol_id(&CODEC), RoomRef::Id(LOBBY), Access::Open);
    let call = call::Subscribe { subscription, protocol, room, access, claim: None, enter: true };
    let (subscription, _) =
        context.hub.subscribe(subscription, caller, call).await.map_err(Failure::from)?;
    let response = handshake.response(None);
    Ok(Outcome::Websocket { response, subscription, codec: &CODEC, script: None, known: true })
}

#[derive(Serialize)]
struct Username<'a> {
    username: &'a str,
}

fn caller(context: &Context, request: &Request) -> Result<Caller, Failure> {
    session(context, request).map(Caller::Session).ok_or(NO_COOKIE)
}

/// Gives an error of the HTTP layer Piratchat's body.
fn dress(response: Response) -> Response {
    match response.status {
        ..400 => response,
        status => response.json(error(advice(status))),
    }
}

/// The response to an unreadable request.
fn refused(reject: Reject) -> Response {
    Response::new(reject.status).json(error(reject.why))
}

fn error(says: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Error<'a> {
        error: &'a str,
    }
    json_body::text(&Error { error: says })
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Response {
        let response = Response::new(failure.status).json(error(failure.says));
        match failure.status {
            // RFC 9110 section 11.6.1: a 401 says how to log in. There is no registered scheme for
            // cookies, and an unknown one makes no browser ask for a password.
            401 => response.header("WWW-Authenticate", "Cookie cookie-name=\"session\""),
            429 | 503 => response.header("Retry-After", failure.retry_after_secs.to_string()),
            _ => response,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let (status, says) = match refusal {
            Refusal::Unauthenticated => (401, "the session is unknown or has ended; log in again"),
            Refusal::UnknownKey => (401, "no account has this key; check it, or register"),
            Refusal::RegistrationClosed => return CLOSED,
            Refusal::Banned => (403, "you are banned from this server; ask its administrators"),
            Refusal::BannedHere => (403, "you are banned from the chat; ask its moderators"),
            Refusal::Locked => (403, "the chat is locked; nobody new may join it now"),
            Refusal::Muted { .. } => (403, "you are muted; ask the server's administrators"),
            Refusal::GuestsOff => (403, "this server accepts no guests; register, and log in"),
            Refusal::NameInvalid => (400, "a username is 1 to 32 letters and digits (A-Z a-z 0-9)"),
            Refusal::NameTaken => (409, "this username is taken; choose another"),
            Refusal::NameInUse => (409, "this username is in use in the chat; try again later"),
            Refusal::AlreadySubscribed => {
                (409, "you are already connected; close that connection first")
            }
            Refusal::PersonNotFound => (404, "there is no such user; check the spelling"),
            Refusal::RoomNotFound => (404, "there is no such room"),
            Refusal::Forbidden
            | Refusal::InvitationVoid
            | Refusal::RecoveryVoid
            | Refusal::InvitationNotFound
            | Refusal::NotForGuests
            | Refusal::NotMember
            | Refusal::ReadOnly
            | Refusal::Blocked
            | Refusal::NoAccess => (403, "this is not yours to do"),
            Refusal::TitleTaken => (409, "this title is taken; choose another"),
            Refusal::QuotaReached => {
                (403, "this address has as many accounts as one can have; ask the server's owner")
            }
            Refusal::Full => (503, "the server has reached its limit for this; tell its owner"),
            Refusal::NoSpace => (503, "the server's disk is nearly full; tell its owner"),
            Refusal::Unavailable => (503, "the server cannot save this now; try again later"),
            Refusal::RateLimited { retry_after_ms } | Refusal::Slow { retry_after_ms } => {
                let retry_after_secs = retry_after_ms.div_ceil(1000).max(1);
                let says = "too many requests in a short time; wait a little, then try again";
                return Failure { retry_after_secs, ..Failure::new(429, says) };
            }
            // Refusals of events and rooms, which no request here has.
            Refusal::MessageNotFound
            | Refusal::ClientIdReused
            | Refusal::TooManyReactions
            | Refusal::SessionNotFound
            | Refusal::OtherName
            | Refusal::NameMissing
            | Refusal::NotPresent
            | Refusal::PasswordMissing
            | Refusal::PasswordForPublic
            | Refusal::MessageTooLong
            | Refusal::Malformed(_) => {
                (422, "the request lacks a required field, or has an invalid one; correct it")
            }
        };
        Failure::new(status, says)
    }
}
