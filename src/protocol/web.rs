//! The page in the browser: files that are compiled in, served with everything locked that they do
//! not need.
//!
//! It knows no chat: the page talks to the other protocols like any client. Every address in it is
//! relative, so that all of it may stand below a path of a proxy's. Called by
//! [`route`](super::route), and by ChitChat for the path where the page stands beside JSON.

use serde::Serialize;

use crate::http::{Method, Request, Response};
use crate::protocol::{advice, json_body, unrouted};

/// A file of the page, as `build.rs` has prepared it.
struct File {
    /// Where it is served, without the leading slash.
    path: &'static str,
    kind: &'static str,
    /// Changes when the bytes do.
    tag: &'static str,
    plain: &'static [u8],
    /// The same, compressed; none of pictures, which are so by themselves.
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Only what comes from here, nothing inline, and no frame around it: text from strangers that got
/// into the page as markup all the same would still not run (Content Security Policy Level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// What lies in the folder that a hash names is not even asked for again (RFC 8246); a year is for
/// good, as HTTP has no word for that.
const LASTING: &str = "public, max-age=31536000, immutable";
/// What changes under its name is asked about each time (RFC 9111 section 5.2.2.4).
const CHANGING: &str = "no-cache";

/// Answers what is no protocol's.
pub(super) fn respond(request: &Request, path: &[&str]) -> Response {
    let path = path.join("/");
    match (request.method, FILES.iter().find(|file| file.path == path)) {
        (Method::Get | Method::Head, Some(file)) => file.response(request),
        (_, Some(_)) => dress(unrouted(request, &[Method::Get, Method::Head, Method::Options])),
        (_, None) => dress(unrouted(request, &[])),
    }
}

/// Says what to do about an error.
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
        // RFC 9110 section 8.8.3.3: each encoding has a tag of its own.
        let etag = format!("\"{}{}\"", self.tag, if gzip.is_some() { "-gzip" } else { "" });
        // RFC 9110 section 13.1.2: weak comparison, and `*` stands for whatever there is.
        let known = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag;
        let mut response = if request.headers.list("if-none-match").any(known) {
            Response::new(304)
        } else if let Some(gzip) = gzip {
            Response::new(200).content(self.kind, gzip).header("Content-Encoding", "gzip")
        } else {
            Response::new(200).content(self.kind, self.plain)
        };
        // RFC 9110 section 12.5.5: also with the form that was not encoded, and with a 304.
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

    /// The files that are text, by name.
    fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
        let texts = FILES.iter().filter(|file| file.kind != "image/png");
        texts.map(|file| (file.path, str::from_utf8(file.plain).expect("text")))
    }

    /// Text from others must not become markup, nobody else is asked for anything, and nothing is
    /// inline, for the policy forbids it.
    #[test]
    fn every_file_keeps_to_text_and_to_itself() {
        let markup = ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("];
        let inline =
            ["<script>", "<style", " style=\"", " onclick=\"", "src=\"http", "href=\"http"];
        let others = ["url(http", "import(\"http", "from \"http", "fetch(\"http", "@import"];
        let harmful = markup.iter().chain(&inline).chain(&others);
        for (path, text) in texts() {
            // The name of a vocabulary, which nobody is asked for.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for harm in harmful.clone() {
                assert!(!text.contains(harm), "{path}: {harm}");
            }
        }
    }

    /// Below a path of a proxy's, an address from the root would be somebody else's.
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

    /// Whatever the page asks for is there, and the service worker keeps all of it.
    #[test]
    fn nothing_is_missing() {
        let inside: Vec<_> = FILES.iter().filter_map(|file| file.path.rsplit_once('/')).collect();
        let names: Vec<&str> = inside.iter().map(|(_, name)| *name).collect();
        let places = ["from \"./", "import \"./", &format!("\"{}/", inside[0].0)];
        let mut found = 0;
        for (path, text) in texts() {
            for name in places.iter().flat_map(|place| text.split(place).skip(1)) {
                let name = name.split('"').next().expect("a first part");
                // The worker names the folder itself.
                assert!(name.is_empty() || names.contains(&name), "{path}: {name}");
                found += 1;
            }
        }
        assert!(found > 50, "{found}");
        let worker = texts().find(|(path, _)| *path == "sw.js").expect("a service worker").1;
        for name in names {
            assert!(worker.contains(&format!("\"{name}\"")), "{name} is not kept");
        }
    }

    /// `make size` shows what this prints.
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
