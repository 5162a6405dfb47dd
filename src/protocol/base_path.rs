//! The path below which the server stands (`--base-path`), for proxies that keep it: it is taken
//! off every request, and put before every address that starts at the root.
//!
//! Nothing else knows of it: the protocols' paths begin at `/`, and the page's addresses are
//! relative. Called by connections, by [`respond`](super::respond) and for cookies.

use crate::config::Config;
use crate::http::{Reject, Request, Response};
use crate::protocol::refused;

/// These answer at the root, too: who watches over the server asks the port itself.
const AT_THE_ROOT: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Takes the base path off a request's path. Returns the response to a request that is not below
/// it.
pub(super) fn enter(config: &Config, request: &mut Request) -> Option<Response> {
    let base = &*config.base_path;
    if base.is_empty() || request.path == "*" || AT_THE_ROOT.contains(&&*request.path) {
        return None;
    }
    match below(base, &request.path) {
        // The page's addresses are relative, so its own has to end with a slash.
        Some("") => {
            let query = if request.query.is_empty() { "" } else { "?" };
            let location = format!("{base}/{query}{}", request.query);
            Some(Response::new(308).header("Location", location))
        }
        Some(path) => {
            request.path = path.to_owned();
            None
        }
        None => {
            const ELSEWHERE: Reject = Reject::new(404, "this path does not exist");
            let response = refused(&request.path, ELSEWHERE);
            Some(if request.prefers_html() { response.text(lost(base)) } else { response })
        }
    }
}

/// For a person at the wrong door: most likely a proxy takes the path off, or its address lacks it.
fn lost(base: &str) -> String {
    format!("This server is at {base}/ (--base-path). A proxy before it has to keep this path.\n")
}

/// The path below the base path; the same path, if it is not below.
pub(super) fn inside<'a>(config: &Config, path: &'a str) -> &'a str {
    below(&config.base_path, path).unwrap_or(path)
}

fn below<'a>(base: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Completes the addresses in a response's headers.
pub(super) fn complete(config: &Config, mut response: Response) -> Response {
    let base = &*config.base_path;
    if base.is_empty() {
        return response;
    }
    response.rewrite("Location", |location| match location.starts_with('/') {
        true => format!("{base}{location}"),
        false => location,
    });
    response.rewrite("Link", |links| links.replace("</", &format!("<{base}/")));
    response
}

/// The path of a cookie.
pub(super) fn cookie_path(config: &Config) -> String {
    format!("{}/", config.base_path)
}
