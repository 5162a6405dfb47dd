//! Whose page a request comes from, as browsers say it: in `Origin` (RFC 6454, the Fetch standard)
//! and in `Sec-Fetch-Site` (Fetch Metadata); and under which name the server is asked.
//!
//! It must never take what a browser says of a foreign page for nothing said. What follows from it
//! the protocols decide.

use super::Request;
use super::head::host_and_port;

/// Whose page asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page<'a> {
    /// No page, as far as one can see: a program, or what a person has typed.
    None,
    /// One of this server's own.
    Own,
    /// One of an origin that is on the list, which is written so.
    Listed(&'a str),
    /// One of somebody else's.
    Foreign,
}

/// Whose page asks. `listed`: origins such as `https://chat.example`.
///
/// The scheme is not compared, since a proxy in front of us may have ended the TLS; but a browser
/// that says that the request is not one within its origin is believed.
pub fn page<'a>(request: &'a Request, listed: &[String]) -> Page<'a> {
    let crosses = crosses(request);
    let mut origins = request.header_all("origin");
    let origin = match (origins.next(), origins.next()) {
        // A picture, a link, a form of an old browser.
        (None, _) if crosses => return Page::Foreign,
        (None, _) if request.header("sec-fetch-site") == Some("same-origin") => return Page::Own,
        (None, _) => return Page::None,
        (Some(origin), None) => origin,
        (Some(_), Some(_)) => return Page::Foreign,
    };
    // `null` is a page that hides where it comes from: nobody can list that.
    if origin != "null" && listed.iter().any(|listed| listed.eq_ignore_ascii_case(origin)) {
        return Page::Listed(origin);
    }
    if !crosses && is_own(request, origin) { Page::Own } else { Page::Foreign }
}

/// Whether the page that asks may speak for its visitor (RFC 6455 section 10.2): it came from the
/// host that it asks, or from an origin on the list, such as `https://chat.example`. No Origin is
/// no browser, so nobody is being used; `null` is a page that hides where it came from.
pub fn same_origin(request: &Request, listed: &[String]) -> bool {
    page(request, listed) != Page::Foreign
}

/// Whether the server is asked under one of these names (lower case): `chat.example` at any port,
/// `chat.example:8080` at that one. None is named where all will do.
pub fn is_called(request: &Request, names: &[String]) -> bool {
    if names.is_empty() {
        return true;
    }
    // RFC 9112 section 3.2: there is one, unless the peer speaks HTTP/1.0.
    let Some((host, port)) = request.header("host").and_then(host_and_port) else { return false };
    // A dot at the end stands for the root of all names.
    let host = host.strip_suffix('.').unwrap_or(host);
    names.iter().any(|name| {
        let Some((wanted, at)) = host_and_port(name) else { return false };
        wanted.eq_ignore_ascii_case(host) && (at.is_none() || at == port)
    })
}

/// Whether the browser says that the request comes from another origin. `none` is what a person has
/// typed or chosen. A word that is not known is one of the future, and not one of ours.
fn crosses(request: &Request) -> bool {
    request.header_all("sec-fetch-site").any(|site| !matches!(site, "same-origin" | "none"))
}

/// Whether an origin is the place that is asked.
fn is_own(request: &Request, origin: &str) -> bool {
    // RFC 6454 section 7: an origin is a scheme, a host and a port, or `null`.
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let port_by_default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    let place = |authority| {
        let (host, port) = host_and_port(authority)?;
        Some((host.to_ascii_lowercase(), port.unwrap_or(port_by_default)))
    };
    let asked = request.header("host").and_then(place);
    asked.is_some() && asked == place(authority)
}
