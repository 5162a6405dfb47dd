//! The page in the browser: files that are compiled in, served with everything locked that they do
//! not need.
//!
//! It knows no chat: the page talks to the other protocols like any client. Called by
//! [`respond`](super::respond), and by ChitChat for the paths where the page stands beside JSON.

use std::sync::LazyLock;

use crate::crypto;
use crate::http::{Method, Request, Response};
use crate::protocol::{READ, method, piratchat, unrouted};

/// A file of the page.
struct File {
    /// Where it is served, without the leading slash.
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    /// RFC 9110 section 8.8.3: changes when the bytes do.
    etag: String,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const MANIFEST: &str = "application/manifest+json";
const SVG: &str = "image/svg+xml";

/// A file with the place that it is served at.
macro_rules! file {
    ($name:literal, $kind:expr) => {
        File::new(concat!("web/", $name), $kind, include_bytes!(concat!("web/", $name)))
    };
}

/// Everything that is served. The first is the page itself.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    vec![
        File::new("", HTML, include_bytes!("web/index.html")),
        file!("style.css", CSS),
        file!("room.css", CSS),
        file!("icon.svg", SVG),
        file!("api.js", SCRIPT),
        file!("app.js", SCRIPT),
        file!("banner.js", SCRIPT),
        file!("composer.js", SCRIPT),
        file!("dialogs.js", SCRIPT),
        file!("dom.js", SCRIPT),
        file!("door.js", SCRIPT),
        file!("emoji.js", SCRIPT),
        file!("gate.js", SCRIPT),
        file!("log.js", SCRIPT),
        file!("manifest.webmanifest", MANIFEST),
        file!("markdown.js", SCRIPT),
        file!("notice.js", SCRIPT),
        file!("outbox.js", SCRIPT),
        file!("people.js", SCRIPT),
        file!("rooms.js", SCRIPT),
        file!("settings.js", SCRIPT),
        file!("state.js", SCRIPT),
        file!("stream.js", SCRIPT),
        file!("tools.js", SCRIPT),
        file!("windows.js", SCRIPT),
    ]
});

/// Only what comes from here, nothing inline, and no frame around it: text from strangers that got
/// into the page as markup all the same would still not run (Content Security Policy Level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// Answers what is no protocol's.
pub(super) fn respond(request: &Request, path: &[&str]) -> Response {
    let path = path.join("/");
    match (method(request), FILES.iter().find(|file| file.path == path)) {
        (Method::Get, Some(file)) => file.response(request),
        (_, file) => piratchat::dress(unrouted(request, file.map_or(&[], |_| READ))),
    }
}

/// The page, wherever it is asked for.
pub(super) fn page(request: &Request) -> Response {
    FILES[0].response(request)
}

impl File {
    fn new(path: &'static str, kind: &'static str, bytes: &'static [u8]) -> File {
        let hash = crypto::hash(&String::from_utf8_lossy(bytes));
        File { path, kind, bytes, etag: format!("\"{}\"", crypto::hex(&hash[..12])) }
    }

    fn response(&self, request: &Request) -> Response {
        // RFC 9110 section 13.1.2: weak comparison, and `*` stands for whatever there is.
        let known = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == self.etag;
        let fresh = request.headers.list("if-none-match").any(known);
        let response = match fresh {
            true => Response::new(304),
            false => Response::new(200).content(self.kind, self.bytes),
        };
        response
            .header("ETag", &*self.etag)
            .header("Cache-Control", "no-cache")
            .header("Content-Security-Policy", POLICY)
            .header("Referrer-Policy", "no-referrer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text from others must not become markup, nobody else is asked for anything, and nothing is
    /// inline, for the policy forbids it.
    #[test]
    fn every_file_keeps_to_text_and_to_itself() {
        let markup = ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("];
        let inline =
            ["<script>", "<style", " style=\"", " onclick=\"", "src=\"http", "href=\"http"];
        let others = ["url(http", "import(\"http", "from \"http", "fetch(\"http", "@import"];
        let harmful = markup.iter().chain(&inline).chain(&others);
        for file in FILES.iter() {
            let text = str::from_utf8(file.bytes).expect("text");
            // The name of a vocabulary, which nobody is asked for.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for harm in harmful.clone() {
                assert!(!text.contains(harm), "{}: {harm}", file.path);
            }
        }
    }

    /// Whatever the page asks for is there.
    #[test]
    fn nothing_is_missing() {
        let there = |path: &str| FILES.iter().any(|file| file.path == path);
        for file in FILES.iter() {
            let text = str::from_utf8(file.bytes).expect("text");
            for import in text.split("from \"./").skip(1) {
                let name = import.split('"').next().expect("a first part");
                assert!(there(&format!("web/{name}")), "{}: {name}", file.path);
            }
            for link in text.split("=\"/web/").skip(1) {
                let name = link.split('"').next().expect("a first part");
                assert!(there(&format!("web/{name}")), "{}: {name}", file.path);
            }
        }
    }
}
