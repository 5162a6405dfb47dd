//! Pages of other origins: what they may not do, and what listed origins may (CORS, the Fetch
//! standard section 3.2). And the host names that the server answers to.
//!
//! A browser sends its visitor's cookie with the requests of any page, and stores the cookies of
//! the response. So the requests of foreign pages are refused here, for all protocols, before the
//! cookie is used. It must never let a page read a response that its origin is not listed for.
//! Called by [`respond`](super::respond), and by connections for unreadable requests.

use crate::http::{self, Method, Page, Reject, Request, Response};
use crate::limits::PREFLIGHT_SECS;
use crate::protocol::{Service, protocol_for, protocol_of, refused};

/// Returns the response to a request that is refused before routing, and to a listed page's
/// preflight.
pub(super) fn admit(service: &Service, request: &Request, path: &[&str]) -> Option<Response> {
    let config = &service.config;
    // Health checks address the server by its IP, and reveal nothing else.
    let is_health = matches!(path, ["healthz" | "readyz"]);
    if !is_health && !http::is_called(request, &config.hosts) {
        const NOBODY: Reject =
            Reject::new(421, "this server does not have this host name; check the address");
        return Some(refused(&request.path, NOBODY));
    }
    match http::page(request, &config.origins) {
        Page::Foreign if changes(request, path) => Some((protocol_for(path).foreign)()),
        Page::Listed(_) => preflight(request),
        Page::Foreign | Page::Own | Page::None => None,
    }
}

/// Whether a request changes something for its visitor, or for others.
fn changes(request: &Request, path: &[&str]) -> bool {
    match request.method {
        Method::Options => false,
        Method::Get | Method::Head => {
            let stays = request.list_contains("upgrade", "websocket");
            stays || protocol_of(path).is_some_and(|protocol| (protocol.acts)(request, path))
        }
        Method::Post | Method::Put | Method::Patch | Method::Delete => true,
    }
}

/// The response to a preflight. It does not depend on whether the path exists: the request itself
/// gets that answer, which the page can read.
fn preflight(request: &Request) -> Option<Response> {
    let asked = request.header("access-control-request-method").is_some();
    if request.method != Method::Options || !asked {
        return None;
    }
    let response = Response::new(204)
        .header("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
        .header("Access-Control-Max-Age", PREFLIGHT_SECS.to_string())
        .header("Vary", "Access-Control-Request-Headers");
    let headers = request.header("access-control-request-headers");
    Some(match headers.filter(|names| !names.is_empty()) {
        // With credentials there is no wildcard, so the requested names are returned.
        Some(names) => response.header("Access-Control-Allow-Headers", names),
        None => response,
    })
}

/// Lets a listed page read a response. When any origin is listed, no response may be cached for
/// another origin.
pub(super) fn readable(listed: &[String], origin: Option<&str>, response: Response) -> Response {
    if listed.is_empty() {
        return response;
    }
    let response = response.header("Vary", "Origin");
    let is_listed = |origin: &&str| {
        *origin != "null" && listed.iter().any(|entry| entry.eq_ignore_ascii_case(origin))
    };
    match origin.filter(is_listed) {
        Some(origin) => response
            .header("Access-Control-Allow-Origin", origin)
            .header("Access-Control-Allow-Credentials", "true")
            .header(
                "Access-Control-Expose-Headers",
                "Allow, Link, Location, Retry-After, X-Request-Id",
            ),
        None => response,
    }
}
