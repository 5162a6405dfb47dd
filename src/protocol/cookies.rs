//! The cookie of a session: how it is given, taken away, and found among what a browser sends.
//!
//! It must never take the first cookie of a name for the right one: anybody who has a host or a
//! page beside this server can have browsers send one of theirs, too (RFC 6265 section 8.6).

use crate::chat::{Caller, call};
use crate::crypto::{self, KeyHash};
use crate::http::{Request, Response};
use crate::hub::HubHandle;
use crate::limits::{COOKIE_TTL_SECS, COOKIES_TRIED_MAX};
use crate::time::Time;

/// The name that everybody knows.
const PLAIN: &str = "session";
/// Browsers take a cookie of this name over TLS only, for this host and all of its paths, and so
/// from nobody but this host (RFC 6265bis section 4.1.3.2).
const HOST_ONLY: &str = "__Host-session";

/// Says that this browser takes cookies whose name begins with `__Host-` from this log's server.
/// From then on a plain `session` is somebody else's: this server has never given it that alone.
/// Whoever is logged out keeps it; below a path, where browsers refuse it, all stays as it was. It
/// names the log, because another server below a path of this host sees it, too.
const MARK: &str = "__Host-shanty";

/// Gives the client the cookie of a session that begins now.
pub(super) fn give(response: Response, request: &Request, key: &str, epoch: &str) -> Response {
    let expires = Time::now().plus_secs(COOKIE_TTL_SECS);
    mark(set(response, request, key, expires), request, epoch)
}

/// Marks the browser that came over TLS, unless it has shown the mark.
pub(super) fn mark(response: Response, request: &Request, epoch: &str) -> Response {
    if !over_tls(request) || is_marked(request, epoch) {
        return response;
    }
    let expires = Time::now().plus_secs(COOKIE_TTL_SECS).http_date();
    let line = format!("{MARK}={epoch}; Path=/; HttpOnly; SameSite=Lax; Expires={expires}; Secure");
    response.header("Set-Cookie", line)
}

fn is_marked(request: &Request, epoch: &str) -> bool {
    request.cookies(MARK).any(|log| log == epoch)
}

/// Takes it away: an expiry that has passed (RFC 6265 section 4.1.2.1).
pub(super) fn take_away(response: Response, request: &Request) -> Response {
    set(response, request, "", Time(0))
}

/// Over TLS it goes out under both names. Below a path, to which a proxy keeps the cookie, browsers
/// refuse the one whose name forbids that, and have the other; and programs know the plain one.
/// Where they have both, the one counts that nobody else can have set.
pub(super) fn set(response: Response, request: &Request, key: &str, expires: Time) -> Response {
    let expires = expires.http_date();
    let line = |name: &str, secure: &str| {
        format!("{name}={key}; Path=/; HttpOnly; SameSite=Lax; Expires={expires}{secure}")
    };
    if !over_tls(request) {
        return response.header("Set-Cookie", line(PLAIN, ""));
    }
    let response = response.header("Set-Cookie", line(HOST_ONLY, "; Secure"));
    response.header("Set-Cookie", line(PLAIN, "; Secure"))
}

/// Whether the client came over TLS. It ends in a proxy before us, which says so; of several
/// proxies the first stands before the client. Whoever makes the header up only keeps their own
/// cookie off plain HTTP, so nobody has to be trusted.
fn over_tls(request: &Request) -> bool {
    let proxied = request.headers.list("x-forwarded-proto").next();
    // RFC 7239 section 5.4.
    let forwarded = request.headers.list("forwarded").next().and_then(|element| {
        let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let proto = pairs.find(|(name, _)| name.trim_ascii().eq_ignore_ascii_case("proto"))?;
        Some(proto.1.trim_ascii().trim_matches('"'))
    });
    [proxied, forwarded].into_iter().flatten().any(|scheme| scheme.eq_ignore_ascii_case("https"))
}

/// The hash of the session key that a request shows in a cookie. Of several the first counts that
/// is known; where none is, the first, which is then refused as any that is not known. A browser
/// that is [marked](MARK) shows none but the one that nobody else can have set.
pub(super) async fn shown(hub: &HubHandle, request: &Request, epoch: &str) -> Option<KeyHash> {
    let mut keys: Vec<&str> = Vec::new();
    let plain = request.cookies(PLAIN).filter(|_| !is_marked(request, epoch));
    for key in request.cookies(HOST_ONLY).chain(plain) {
        if keys.len() < COOKIES_TRIED_MAX && !key.is_empty() && !keys.contains(&key) {
            keys.push(key);
        }
    }
    let keys: Box<[KeyHash]> = keys.into_iter().map(crypto::hash).collect();
    let first = keys.first().copied();
    if keys.len() < 2 {
        return first;
    }
    match hub.call(Caller::Nobody, call::KnownKey { keys }).await {
        Ok(known) => known.or(first),
        // The next call is refused for the same reason.
        Err(_) => first,
    }
}
