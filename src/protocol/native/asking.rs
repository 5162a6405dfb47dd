//! Authentication: the session or account key of a request, and the request's body.
//!
//! It must never let a page of a foreign origin act as its visitor: browsers send cookies with the
//! requests of every page. A bearer token comes from a program that knows it.

use crate::chat::{Caller, RoomId};
use crate::crypto;
use crate::http::{self, Request};
use crate::protocol::Context;
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::{self, Fields};

/// The caller of a request.
pub(super) fn caller(context: &Context, request: &Request) -> Result<Caller, Failure> {
    if request.has_bearer() {
        return bearer(request);
    }
    let key = context.session.ok_or(Code::Unauthenticated)?;
    // Changing requests were checked before they got here; this check is for reading ones.
    if !http::same_origin(request, &context.config.origins) {
        return Err(foreign());
    }
    Ok(Caller::Session(key))
}

/// The caller by a session or an account's key, or nobody: with a login that has ended, anybody is
/// nobody.
pub(super) fn caller_or_nobody(context: &Context, request: &Request) -> Caller {
    match caller(context, request) {
        Ok(Caller::Session(key)) => Caller::Perhaps(key),
        Ok(by_key @ Caller::Key(_)) => by_key,
        _ => Caller::Nobody,
    }
}

/// The caller, and the room of the path.
pub(super) fn about(
    context: &Context,
    request: &Request,
    room: &str,
) -> Result<(Caller, RoomId), Failure> {
    Ok((caller(context, request)?, fields::room(room)?))
}

/// The caller by the bearer key; its shape tells a session key from an account key.
pub(super) fn bearer(request: &Request) -> Result<Caller, Failure> {
    let key = request.bearer().ok_or(Code::Unauthenticated)?;
    match key.len() {
        _ if crypto::is_session_key(key) => Ok(Caller::Session(crypto::hash(key))),
        64 if key.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Caller::Key(crypto::hash(key)))
        }
        _ => Err(Code::Unauthenticated.into()),
    }
}

/// The refusal for a page of a foreign origin: it may neither use its visitor's cookie nor set
/// another.
pub(super) fn foreign() -> Failure {
    let says = "a page from another origin cannot act for its visitor here; use the server's own \
                page, or ask the server's owner to allow the origin";
    Failure::from(Code::Forbidden).saying(says)
}

/// The JSON object of a request's body. Other content types are refused, except those that programs
/// set by default above JSON: `curl -d` sends a form, and `fetch` plain text.
pub(super) fn fields(request: &Request) -> Result<Fields, Failure> {
    let is_object = || request.body.trim_ascii_start().first() == Some(&b'{');
    let takes = match media_type(request).to_ascii_lowercase().as_str() {
        "" | "application/json" | "text/json" => true,
        "text/plain" | "application/x-www-form-urlencoded" => is_object(),
        other => other.starts_with("application/") && other.ends_with("+json"),
    };
    if takes { Ok(Fields::read(&request.body)?) } else { Err(Code::MediaType.into()) }
}

/// The same; the body may be empty.
pub(super) fn fields_or_none(request: &Request) -> Result<Fields, Failure> {
    if request.body.trim_ascii().is_empty() { Ok(Fields::none()) } else { fields(request) }
}

/// The content type of a request, without parameters (RFC 9110 section 8.3.1).
pub(super) fn media_type(request: &Request) -> &str {
    let kind = request.header("content-type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim_ascii()
}
