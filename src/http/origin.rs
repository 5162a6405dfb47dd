//! The origin of the page that sends a request, as browsers state it in `Origin` (RFC 6454, the
//! Fetch standard) and in `Sec-Fetch-Site` (Fetch Metadata); and the host name that the request
//! addresses.
//!
//! It must never mistake a foreign page for a program. The protocols decide about the request.

use super::Request;
use super::head::host_and_port;

/// The page that sends a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page<'a> {
    /// No page, as far as the server can see: a program, or a URL that a person has typed.
    None,
    /// A page of this server.
    Own,
    /// A page of a listed origin, with the origin as written.
    Listed(&'a str),
    /// Any other page.
    Foreign,
}

/// The page that sends a request. `listed`: origins such as `https://chat.example`.
///
/// The scheme is not compared, because a proxy before us may have ended the TLS. But if the browser
/// states that the request comes from another origin, that counts.
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
    // `null` is a page that hides its origin, so it cannot be listed.
    if origin != "null" && listed.iter().any(|listed| listed.eq_ignore_ascii_case(origin)) {
        return Page::Listed(origin);
    }
    if !crosses && is_own(request, origin) { Page::Own } else { Page::Foreign }
}

/// Whether the page may act for its visitor (RFC 6455 section 10.2): it is a page of the host that
/// the request addresses, or of a listed origin such as `https://chat.example`. A request without
/// `Origin` comes from a program, which has no visitor to protect; `null` is a page that hides its
/// origin.
pub fn same_origin(request: &Request, listed: &[String]) -> bool {
    page(request, listed) != Page::Foreign
}

/// Whether the request names one of these hosts (lower case): `chat.example` at any port,
/// `chat.example:8080` at that port only. An empty list allows every name.
pub fn is_called(request: &Request, names: &[String]) -> bool {
    if names.is_empty() {
        return true;
    }
    // RFC 9112 section 3.2: only a request in HTTP/1.0 may lack it.
    let Some((host, port)) = request.header("host").and_then(host_and_port) else { return false };
    // A final dot stands for the root of all names.
    let host = host.strip_suffix('.').unwrap_or(host);
    names.iter().any(|name| {
        let Some((wanted, at)) = host_and_port(name) else { return false };
        wanted.eq_ignore_ascii_case(host) && (at.is_none() || at == port)
    })
}

/// Whether the browser states that the request comes from another origin. `none` is a URL that a
/// person has typed or chosen. An unknown value counts as another origin.
fn crosses(request: &Request) -> bool {
    request.header_all("sec-fetch-site").any(|site| !matches!(site, "same-origin" | "none"))
}

/// Whether an origin is the host that the request addresses.
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
