//! The server's own resources: its description, its health, and the API documents. None of them
//! needs authentication.

use std::time::Duration;

use serde::Serialize;

use crate::chat::{Caller, Guests, PolicyInfo, Role, call};
use crate::http::{Request, Response};
use crate::limits::{
    BODY_BYTES_MAX, CLIENT_ID_BYTES_MAX, DESCRIPTION_CHARS_MAX, EMOJI_BYTES_MAX, MESSAGE_CHARS_MAX,
    NAME_CHARS_MAX, PAGE_MESSAGES_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, READY_DEADLINE_MS,
    TITLE_CHARS_MAX, TITLE_CHARS_MIN,
};
use crate::protocol::native::Answered;
use crate::protocol::native::asking;
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::identity::caller_account;
use crate::protocol::{Context, json_body};

/// OpenAPI 3.1.
pub(super) const OPENAPI: &str = include_str!("openapi.json");
/// AsyncAPI 3.0.
pub(super) const ASYNCAPI: &str = include_str!("asyncapi.json");

/// The feature names that a client may rely on; names are added, and never removed within v1.
const FEATURES: [&str; 8] =
    ["history", "search", "edit", "delete", "reactions", "read_markers", "direct", "typing"];

#[derive(Serialize)]
struct About<'a> {
    name: &'a str,
    version: &'a str,
    epoch: &'a str,
    seq: u64,
    registration: &'a str,
    guests: bool,
    guest_rooms: bool,
    /// The caller's; missing without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    features: [&'a str; 8],
    limits: Limits,
}

#[derive(Serialize)]
struct Limits {
    name_chars_max: usize,
    title_chars_min: usize,
    title_chars_max: usize,
    description_chars_max: usize,
    password_chars_min: usize,
    password_chars_max: usize,
    message_chars_max: usize,
    client_id_chars_max: usize,
    emoji_bytes_max: usize,
    page_messages_max: usize,
    body_bytes_max: usize,
}

const LIMITS: Limits = Limits {
    name_chars_max: NAME_CHARS_MAX,
    title_chars_min: TITLE_CHARS_MIN,
    title_chars_max: TITLE_CHARS_MAX,
    description_chars_max: DESCRIPTION_CHARS_MAX,
    password_chars_min: PASSWORD_CHARS_MIN,
    password_chars_max: PASSWORD_CHARS_MAX,
    message_chars_max: MESSAGE_CHARS_MAX,
    client_id_chars_max: CLIENT_ID_BYTES_MAX,
    emoji_bytes_max: EMOJI_BYTES_MAX,
    page_messages_max: PAGE_MESSAGES_MAX,
    body_bytes_max: BODY_BYTES_MAX,
};

/// Answers with the server's description.
pub(super) async fn about(context: &Context, request: &Request) -> Answered {
    let role = match asking::caller(context, request) {
        // (Anybody may ask, also with a login that has ended.)
        Ok(caller) => caller_account(context, caller).await.ok().and_then(|me| me.role),
        Err(_) => None,
    };
    let seq = context.hub.call(Caller::Nobody, call::Heard).await?;
    let PolicyInfo { policy, .. } = context.hub.call(Caller::Nobody, call::Policy).await?;
    let about = About {
        name: "Shanty",
        version: env!("CARGO_PKG_VERSION"),
        epoch: &context.epoch,
        seq: seq.0,
        registration: policy.registration.as_str(),
        guests: context.config.guests && policy.guests != Guests::Off,
        guest_rooms: policy.guests == Guests::On,
        role: role.map(Role::as_str),
        features: FEATURES,
        limits: LIMITS,
    };
    Ok(Response::new(200).json(json_body::text(&about)))
}

pub(super) async fn openapi(_: &Context, _: &Request) -> Answered {
    Ok(document(OPENAPI))
}

pub(super) async fn asyncapi(_: &Context, _: &Request) -> Answered {
    Ok(document(ASYNCAPI))
}

fn document(json: &'static str) -> Response {
    Response::new(200).json(json).header("Cache-Control", "no-cache")
}

/// Answers as long as the server runs.
pub(super) async fn alive(_: &Context, _: &Request) -> Answered {
    Ok(Response::new(200).text("ok\n"))
}

/// Whether the server can serve requests: the hub answers in time, and the disk can be read and
/// written.
pub(super) async fn ready(context: &Context, _: &Request) -> Answered {
    if let Err(what_to_do) = *context.health.borrow() {
        return Err(Failure::from(Code::Unavailable).saying(what_to_do));
    }
    let asked = async {
        context.hub.call(Caller::Nobody, call::Space).await?;
        context.readers.read(|reader| reader.last_seq()).await?;
        Ok(Response::new(200).text("ready\n"))
    };
    let deadline = Duration::from_millis(READY_DEADLINE_MS);
    let answered = tokio::time::timeout(deadline, asked).await;
    answered.unwrap_or_else(|_| Err(Code::Unavailable.into()))
}
