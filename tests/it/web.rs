//! The page's files over a live socket: two encodings with their own tags, caching, and the
//! security headers.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::kit::{Response, TestServer};

const GZIP: &str = "Accept-Encoding: gzip, deflate, br\r\n";

fn get(server: &TestServer, path: &str, headers: &str) -> Response {
    server.ask(&format!("GET {path}"), headers, "")
}

/// Every path of the page's files, as the page and its service worker name them.
fn paths(server: &TestServer) -> Vec<String> {
    let worker = get(server, "/sw.js", "").text();
    let list = worker.split_once("const FILES = [").expect("a list").1.split_once(']').expect("").0;
    let folder = worker.split_once("const FOLDER = \"").expect("a folder").1;
    let folder = folder.split_once('"').expect("its end").0;
    assert!(get(server, "/", "").text().contains(folder), "the page and {folder} are one version");
    let inside = list.split(", ").map(|name| format!("/{folder}{}", name.trim_matches('"')));
    let outside = ["/", "/sw.js", "/manifest.webmanifest"].map(str::to_owned);
    let paths: Vec<String> = outside.into_iter().chain(inside).collect();
    assert!(paths.len() > 25, "{paths:?}");
    paths
}

#[test]
fn each_encoding_is_negotiated_and_has_a_tag_of_its_own() {
    let server = TestServer::start();
    let mut compressed = 0;
    for path in paths(&server) {
        let plain = get(&server, &path, "");
        let etag = plain.header("etag").expect("a tag").to_owned();
        assert_eq!((plain.status, plain.header("content-encoding")), (200, None), "{path}");
        assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong one: {etag}");
        let refused = get(&server, &path, "Accept-Encoding: gzip;q=0, *\r\n");
        assert_eq!(refused.header("etag"), Some(&*etag), "{path}");
        assert_eq!(refused.body, plain.body, "{path}");

        let small = get(&server, &path, GZIP);
        assert_eq!(small.header("content-type"), plain.header("content-type"), "{path}");
        if path.ends_with(".png") {
            assert_eq!((small.header("content-encoding"), small.header("vary")), (None, None));
            assert_eq!(small.body, plain.body, "{path}");
            continue;
        }
        compressed += 1;
        assert_eq!(small.header("content-encoding"), Some("gzip"), "{path}");
        assert_ne!(small.header("etag"), Some(&*etag), "{path}");
        assert!(small.body.len() < plain.body.len(), "{path}");
        for response in [&plain, &small, &refused] {
            assert_eq!(response.header("vary"), Some("Accept-Encoding"), "{path}");
        }
        let mut unpacked = Vec::new();
        GzDecoder::new(&small.body[..]).read_to_end(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, plain.body, "{path}");
    }
    assert!(compressed > 20, "{compressed}");
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let server = TestServer::start();
    for path in paths(&server) {
        for encoding in ["", GZIP] {
            let first = get(&server, &path, encoding);
            let etag = first.header("etag").expect("a tag");
            for tag in [etag, "*", &format!("\"other\", W/{etag}")] {
                let headers = format!("{encoding}If-None-Match: {tag}\r\n");
                let again = get(&server, &path, &headers);
                assert_eq!((again.status, again.body.len()), (304, 0), "{path} {tag}");
                // RFC 9110 section 15.4.5: the headers that a 200 would have had.
                for name in ["etag", "cache-control", "vary"] {
                    assert_eq!(again.header(name), first.header(name), "{path} {name}");
                }
            }
            let other = format!("{encoding}If-None-Match: \"other\", {}x\r\n", etag);
            assert_eq!(get(&server, &path, &other).status, 200, "{path}");
        }
    }
    // The tag of one encoding does not match the other.
    let plain = get(&server, "/", "");
    let headers = format!("{GZIP}If-None-Match: {}\r\n", plain.header("etag").expect("a tag"));
    assert_eq!(get(&server, "/", &headers).status, 200);
}

#[test]
fn head_tells_what_get_would() {
    let server = TestServer::start();
    for path in paths(&server) {
        for encoding in ["", GZIP] {
            let get = get(&server, &path, encoding);
            let mut http = server.http();
            http.request(&format!("HEAD {path}"), encoding);
            let head = http.response_to_head();
            let telling = |response: &Response| {
                let own = ["date", "connection", "x-request-id"];
                let told = |line: &&(String, String)| !own.contains(&line.0.as_str());
                response.headers.iter().filter(told).cloned().collect::<Vec<_>>()
            };
            assert_eq!((head.status, telling(&head)), (200, telling(&get)), "{path}");
        }
    }
}

#[test]
fn what_a_hash_names_is_kept_for_good_and_the_rest_is_asked_about() {
    let server = TestServer::start();
    for path in paths(&server) {
        let kept = get(&server, &path, GZIP).header("cache-control").map(str::to_owned);
        let wanted = match path.starts_with("/web/") {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        assert_eq!(kept.as_deref(), Some(wanted), "{path}");
    }
    // Another version's path is a 404, which is not cached.
    let other = get(&server, "/web/0000000000000000/app.js", "");
    assert_eq!((other.status, other.header("cache-control")), (404, Some("no-store")));
}

#[test]
fn everything_is_locked() {
    let server = TestServer::start();
    let mut paths = paths(&server);
    paths.push("/chats".to_owned());
    for path in paths {
        let response = get(&server, &path, "Accept: text/html\r\n");
        let policy = response.header("content-security-policy").expect("a policy");
        for word in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(word), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        let kind = response.header("content-type").expect("a type");
        let right = match path.rsplit_once('.').map_or("html", |path| path.1) {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "png" => "image/png",
            "svg" => "image/svg+xml",
            "webmanifest" => "application/manifest+json",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(kind, right, "{path}");
    }
    // A file that is not a page is not rendered as one, either.
    for path in ["/healthz", "/api/v1/openapi.json", "/api/v1/asyncapi.json", "/nowhere"] {
        let response = get(&server, path, "Accept: text/html\r\n");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(!response.header("content-type").expect("a type").contains("html"), "{path}");
    }
}

/// Below a proxy's path, only the browser knows the server's root.
#[test]
fn an_entrance_leads_to_the_page_wherever_that_is() {
    let server = TestServer::start();
    for (room, to) in [
        ("1", "../../#/room/1"),
        ("123456789012345678901234567890", "../../#/room/123456789012345678901234567890"),
        ("crow%20nest", "../../"),
        ("1%22%3E", "../../"),
    ] {
        let response = get(&server, &format!("/chats/{room}/entrance"), "");
        assert_eq!((response.status, response.header("location")), (302, Some(to)), "{room}");
    }
}
