//! Who asks: what a request shows of a session or an account, and whether it may.
//!
//! It must never let a page of a foreign origin act as its visitor: browsers send cookies by
//! themselves, whoever's page it is. What comes as a bearer was put there by somebody who knows it.

use crate::chat::{Caller, RoomId};
use crate::crypto;
use crate::http::{self, Request};
use crate::protocol::Context;
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::{self, Fields};

/// Who asks.
pub(super) fn caller(context: &Context, request: &Request) -> Result<Caller, Failure> {
    if request.has_bearer() {
        return bearer(request);
    }
    let key = context.session.ok_or(Code::Unauthenticated)?;
    // What changes something has been looked at before it got here; this is for what only reads.
    if !http::same_origin(request, &context.config.origins) {
        return Err(foreign());
    }
    Ok(Caller::Session(key))
}

/// Who asks, and about which room.
pub(super) fn about(
    context: &Context,
    request: &Request,
    room: &str,
) -> Result<(Caller, RoomId), Failure> {
    Ok((caller(context, request)?, fields::room(room)?))
}

/// Who asks by a key that they put there themselves. Which of the two it is, its shape says.
pub(super) fn bearer(request: &Request) -> Result<Caller, Failure> {
    let key = request.bearer().ok_or(Code::Unauthenticated)?;
    match key.len() {
        32 if key.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(Caller::Session(crypto::hash(key)))
        }
        64 if key.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Caller::Key(crypto::hash(key)))
        }
        _ => Err(Code::Unauthenticated.into()),
    }
}

/// What a page of a foreign origin is told: it may neither use its visitor's cookie nor give them
/// another.
pub(super) fn foreign() -> Failure {
    let says = "a page from another origin cannot act for its visitor here; use the server's own \
                page, or ask the server's owner to allow the origin";
    Failure::from(Code::Forbidden).saying(says)
}

/// The JSON object that a request brings. Other types of content are refused, but for those that
/// programs write by themselves above JSON: `curl -d` calls it a form, and `fetch` plain text.
pub(super) fn fields(request: &Request) -> Result<Fields, Failure> {
    let is_object = || request.body.trim_ascii_start().first() == Some(&b'{');
    let takes = match media_type(request).to_ascii_lowercase().as_str() {
        "" | "application/json" | "text/json" => true,
        "text/plain" | "application/x-www-form-urlencoded" => is_object(),
        other => other.starts_with("application/") && other.ends_with("+json"),
    };
    if takes { Ok(Fields::read(&request.body)?) } else { Err(Code::MediaType.into()) }
}

/// The same where the object may be left out.
pub(super) fn fields_or_none(request: &Request) -> Result<Fields, Failure> {
    if request.body.trim_ascii().is_empty() { Ok(Fields::none()) } else { fields(request) }
}

/// What a request says that its body is, without parameters (RFC 9110 section 8.3.1).
pub(super) fn media_type(request: &Request) -> &str {
    let kind = request.header("content-type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim_ascii()
}
