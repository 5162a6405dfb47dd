//! Serves the page: files that are compiled into the binary, with a content security policy that
//! forbids everything that they do not need.
//!
//! It knows nothing about chat: the page uses the native protocol like any client. Every address in
//! the page is relative, so a proxy can serve it below any path. Called by
//! [`route`](super::route), and by ChitChat, whose `/chats` answers with the page or with JSON.

use serde::Serialize;

use crate::http::{Method, Request, Response};
use crate::protocol::{advice, json_body, unrouted};

/// A file of the page, prepared by `build.rs`.
struct File {
    /// The path of its URL, without the leading slash.
    path: &'static str,
    kind: &'static str,
    /// Changes with the content.
    tag: &'static str,
    plain: &'static [u8],
    /// The content, compressed; `None` for pictures, which are compressed already.
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// The page loads nothing from other servers and no inline script or style, and no other page can
/// frame it. So even if a message became markup by mistake, its scripts would not run (Content
/// Security Policy Level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// A file in the folder whose name is a hash never changes, so browsers do not revalidate it
/// (RFC 8246); a year is the longest usual lifetime.
const LASTING: &str = "public, max-age=31536000, immutable";
/// A file with a fixed name may change, so browsers revalidate it (RFC 9111 section 5.2.2.4).
const CHANGING: &str = "no-cache";

/// Answers a request whose path belongs to no protocol.
pub(super) fn respond(request: &Request, path: &[&str]) -> Response {
    let path = path.join("/");
    match (request.method, FILES.iter().find(|file| file.path == path)) {
        (Method::Get | Method::Head, Some(file)) => file.response(request),
        (_, Some(_)) => dress(unrouted(request, &[Method::Get, Method::Head, Method::Options])),
        (_, None) => dress(unrouted(request, &[])),
    }
}

/// Gives an error a body that says what to do.
fn dress(response: Response) -> Response {
    #[derive(Serialize)]
    struct Error<'a> {
        error: &'a str,
    }
    match response.status {
        ..400 => response,
        status => response.json(json_body::text(&Error { error: advice(status) })),
    }
}

impl File {
    fn response(&self, request: &Request) -> Response {
        let gzip = self.gzip.filter(|_| request.accepts_gzip());
        // RFC 9110 section 8.8.3.3: each encoding has its own tag.
        let etag = format!("\"{}{}\"", self.tag, if gzip.is_some() { "-gzip" } else { "" });
        // RFC 9110 section 13.1.2: weak comparison, and `*` matches any existing file.
        let known = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag;
        let mut response = if request.headers.list("if-none-match").any(known) {
            Response::new(304)
        } else if let Some(gzip) = gzip {
            Response::new(200).content(self.kind, gzip).header("Content-Encoding", "gzip")
        } else {
            Response::new(200).content(self.kind, self.plain)
        };
        // RFC 9110 section 12.5.5: also on the unencoded response and on a 304.
        if self.gzip.is_some() {
            response = response.header("Vary", "Accept-Encoding");
        }
        let lasting = self.path.contains('/');
        response
            .header("ETag", etag)
            .header("Cache-Control", if lasting { LASTING } else { CHANGING })
            .header("Content-Security-Policy", POLICY)
            .header("Referrer-Policy", "no-referrer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PAGE_BYTES_MAX;

    /// The text files, with their paths.
    fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
        let texts = FILES.iter().filter(|file| file.kind != "image/png");
        texts.map(|file| (file.path, str::from_utf8(file.plain).expect("text")))
    }

    /// The page turns no text into markup, requests nothing from other servers, and has nothing
    /// inline, which the policy forbids.
    #[test]
    fn every_file_keeps_to_text_and_to_itself() {
        let markup = ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("];
        let inline =
            ["<script>", "<style", " style=\"", " onclick=\"", "src=\"http", "href=\"http"];
        let others = ["url(http", "import(\"http", "from \"http", "fetch(\"http", "@import"];
        let harmful = markup.iter().chain(&inline).chain(&others);
        for (path, text) in texts() {
            // The name of a namespace, which no browser requests.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for harm in harmful.clone() {
                assert!(!text.contains(harm), "{path}: {harm}");
            }
        }
    }

    /// A proxy may serve the page below a path, where an address from the root leads elsewhere.
    #[test]
    fn every_address_is_relative() {
        for (path, text) in texts() {
            for root in ["=\"/", "= \"/", "url(/", "\"/#", "`/#", "`/${address"] {
                assert!(!text.contains(root), "{path}: {root}");
            }
            for name in ["api", "web", "chats", "sw.js", "manifest"] {
                for quote in ['"', '`'] {
                    assert!(!text.contains(&format!("{quote}/{name}")), "{path}: /{name}");
                }
            }
        }
    }

    /// Every file that the page loads exists, and the service worker caches every file.
    #[test]
    fn nothing_is_missing() {
        let inside: Vec<_> = FILES.iter().filter_map(|file| file.path.rsplit_once('/')).collect();
        let names: Vec<&str> = inside.iter().map(|(_, name)| *name).collect();
        let places = ["from \"./", "import \"./", &format!("\"{}/", inside[0].0)];
        let mut found = 0;
        for (path, text) in texts() {
            for name in places.iter().flat_map(|place| text.split(place).skip(1)) {
                let name = name.split('"').next().expect("a first part");
                // The service worker also names the folder itself.
                assert!(name.is_empty() || names.contains(&name), "{path}: {name}");
                found += 1;
            }
        }
        assert!(found > 50, "{found}");
        let worker = texts().find(|(path, _)| *path == "sw.js").expect("a service worker").1;
        for name in names {
            assert!(worker.contains(&format!("\"{name}\"")), "{name} is not cached");
        }
    }

    /// `make size` shows this test's output.
    #[test]
    fn the_page_is_small() {
        let mut sum = 0;
        println!("  plain   served  file");
        for File { path, plain, gzip, .. } in &FILES {
            let served = gzip.map_or(plain.len(), <[u8]>::len);
            sum += served;
            println!("{:>7}  {served:>7}  /{path}", plain.len());
        }
        println!("          {sum:>6}  of at most {PAGE_BYTES_MAX} bytes");
        assert!(sum <= PAGE_BYTES_MAX, "the page is too large: {sum} bytes");
    }
}
