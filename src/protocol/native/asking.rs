//! Who asks: what a request shows of a session or an account, and whether it may.
//!
//! It must never let a page of a foreign origin act as its visitor: browsers send cookies by
//! themselves, whoever's page it is. What comes as a bearer was put there by somebody who knows it.

use crate::chat::{Caller, RoomId};
use crate::crypto;
use crate::http::{self, Request};
use crate::protocol::Context;
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields;

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
    let says = "a page from another origin cannot act here for its visitor; use the server's own \
                page, or have its owner allow this origin";
    Failure::from(Code::Forbidden).saying(says)
}
