//! The cookie of a session: setting it, expiring it, and finding it among the cookies that a
//! browser sends.
//!
//! It must never trust the first cookie of that name: a host or a page beside this server can make
//! browsers send another one (RFC 6265 section 8.6).

use crate::chat::{Caller, call};
use crate::crypto::{self, KeyHash};
use crate::http::{Request, Response};
use crate::limits::{COOKIE_TTL_SECS, COOKIES_TRIED_MAX};
use crate::protocol::{Context, Service, base_path};
use crate::time::Time;

/// The plain name.
const PLAIN: &str = "session";
/// Browsers accept a cookie of this name over TLS only, for this host and all of its paths, and so
/// from this host only (RFC 6265bis section 4.1.3.2).
const HOST_ONLY: &str = "__Host-session";

/// Marks a browser that accepts `__Host-` cookies from this log's server. From then on a plain
/// `session` cookie without a `__Host-` one comes from elsewhere, as this server never sends such a
/// browser the plain one alone. The mark survives a logout. Below a path, where browsers refuse it,
/// nothing changes. It names the log, because another server below a path of this host sees it,
/// too.
const MARK: &str = "__Host-shanty";

/// Sets the cookie of a session that begins now.
pub(super) fn give(
    response: Response,
    request: &Request,
    key: &str,
    service: &Service,
) -> Response {
    let expires = Time::now().plus_secs(COOKIE_TTL_SECS);
    let path = base_path::cookie_path(&service.config);
    mark(set(response, request, &path, key, expires), request, service)
}

/// Marks a browser that came over TLS, unless it has sent the mark, or the server itself stands
/// below a path.
pub(super) fn mark(response: Response, request: &Request, service: &Service) -> Response {
    let below = !service.config.base_path.is_empty();
    if below || !over_tls(request) || is_marked(request, service) {
        return response;
    }
    let expires = Time::now().plus_secs(COOKIE_TTL_SECS).http_date();
    let epoch = &service.epoch;
    let line = format!("{MARK}={epoch}; Path=/; HttpOnly; SameSite=Lax; Expires={expires}; Secure");
    response.header("Set-Cookie", line)
}

/// Whether the browser is marked. (Below a path it may be from an earlier time.)
fn is_marked(request: &Request, service: &Service) -> bool {
    let below = !service.config.base_path.is_empty();
    !below && request.cookies(MARK).any(|log| log == service.epoch)
}

/// Removes the cookie: its expiry has passed (RFC 6265 section 4.1.2.1).
pub(super) fn take_away(response: Response, request: &Request, service: &Service) -> Response {
    set(response, request, &base_path::cookie_path(&service.config), "", Time(0))
}

/// Over TLS the cookie is set under both names. Below a path, to which a proxy restricts the
/// cookie, browsers refuse the `__Host-` name and keep the plain one, which programs also use. If a
/// browser has both, the `__Host-` one counts, as no other host can have set it. Where the server
/// itself stands below a path, it sets the plain one only.
pub(super) fn set(
    response: Response,
    request: &Request,
    path: &str,
    key: &str,
    expires: Time,
) -> Response {
    let expires = expires.http_date();
    let line = |name: &str, secure: &str| {
        format!("{name}={key}; Path={path}; HttpOnly; SameSite=Lax; Expires={expires}{secure}")
    };
    if !over_tls(request) {
        return response.header("Set-Cookie", line(PLAIN, ""));
    }
    let response = match path {
        "/" => response.header("Set-Cookie", line(HOST_ONLY, "; Secure")),
        _ => response,
    };
    response.header("Set-Cookie", line(PLAIN, "; Secure"))
}

/// Whether the client came over TLS, which ends here, or in a proxy that states it; of several
/// proxies the first is the client's. A client that forges the header only keeps its own cookie off
/// plain HTTP, so the header needs no trust.
fn over_tls(request: &Request) -> bool {
    let proxied = request.headers.list("x-forwarded-proto").next();
    // RFC 7239 section 5.4.
    let forwarded = request.headers.list("forwarded").next().and_then(|element| {
        let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let proto = pairs.find(|(name, _)| name.trim_ascii().eq_ignore_ascii_case("proto"))?;
        Some(proto.1.trim_ascii().trim_matches('"'))
    });
    let mut schemes = [proxied, forwarded].into_iter().flatten();
    request.secure || schemes.any(|scheme| scheme.eq_ignore_ascii_case("https"))
}

/// The hash of the session key in a request's cookie. Of several cookies the first known one
/// counts; if none is known, the first, which is then refused as unknown. From a [marked](MARK)
/// browser only the `__Host-` cookie counts.
pub(super) async fn shown(context: &Context, request: &Request) -> Option<KeyHash> {
    let plain = request.cookies(PLAIN).filter(|_| !is_marked(request, context));
    let mut sent: Vec<&str> =
        request.cookies(HOST_ONLY).chain(plain).filter(|key| !key.is_empty()).collect();
    sent.dedup(); // Over TLS a browser sends the same key under both names.
    let first = sent.first().map(|key| crypto::hash(key));
    let keys = sent.into_iter().filter(|key| crypto::is_session_key(key));
    let keys: Box<[KeyHash]> = keys.take(COOKIES_TRIED_MAX).map(crypto::hash).collect();
    if keys.len() < 2 {
        return keys.first().copied().or(first);
    }
    match context.hub.call(Caller::Nobody, call::KnownKey { keys }).await {
        Ok(known) => known.or(first),
        // The next call is refused for the same reason.
        Err(_) => first,
    }
}
