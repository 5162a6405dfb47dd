//! Pages of other origins, in every protocol; and the host names that the server answers to.

use super::{Reply, Server, UPGRADE, serve, serve_with};
use crate::config::Config;

/// Every changing request, at least one for each protocol.
const CHANGES: [&str; 19] = [
    "POST /api/register",
    "POST /api/login",
    "POST /api/logout",
    "GET /api/logout",
    "HEAD /api/logout",
    "POST /chats",
    "PUT /chats/2",
    "DELETE /chats/2",
    "POST /chats/1/token",
    "POST /api/v1/accounts",
    "POST /api/v1/sessions",
    "POST /api/v1/guests",
    "POST /api/v1/rooms",
    "PATCH /api/v1/rooms/2",
    "DELETE /api/v1/sessions/current",
    "POST /r/1",
    "POST /",
    "GET /api/v1/events",
    "GET /r/1",
];

const SOCKETS: [&str; 3] = ["GET /ws", "GET /chats/1/ws", "GET /api/v1/events"];

/// The headers of a browser for a foreign page.
const FOREIGN: [&str; 9] = [
    "Origin: https://evil.example",
    "Origin: null",
    "Origin: http://chat.example.evil.example",
    "Origin: http://chat.example:81",
    "Origin: http://chat.example\nOrigin: https://evil.example",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-site",
    // The http:// page of this very host, which anyone on the network path can have written.
    "Origin: http://chat.example\nSec-Fetch-Site: cross-site",
    "Origin: https://evil.example\nSec-Fetch-Site: same-origin",
];

fn is_refused(line: &str, headers: &str, reply: &Reply) {
    assert_eq!(reply.status, 403, "{line} {headers:?}: {}", reply.body);
    assert!(reply.header("Set-Cookie").is_none(), "{line} {headers:?}");
    if line.starts_with("HEAD") {
        return;
    }
    let json: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
    let path = line.split_once(' ').expect("a path").1;
    let own_words = match path.split('/').nth(1) {
        Some("chats") => json["error"]["code"] == 301 && json["status"] == false,
        Some("api") if !path.starts_with("/api/v1") => json["error"].is_string(),
        Some("ws") => json["error"].is_string(),
        _ => json["error"]["code"] == "forbidden",
    };
    assert!(own_words, "{line}: {json}");
}

#[test]
fn forbidden_requests_of_foreign_pages() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        for foreign in FOREIGN {
            for cookie in ["", &ann] {
                let headers = format!("{cookie}{foreign}");
                for line in CHANGES {
                    is_refused(line, &headers, &server.send(line, &headers, "{}").await);
                }
                for line in SOCKETS {
                    let headers = format!("{UPGRADE}{headers}");
                    is_refused(line, &headers, &server.send(line, &headers, "").await);
                }
            }
        }
        // None of them had an effect.
        assert_eq!(server.send("GET /api/user/@me", &ann, "").await.status, 200);
        assert_eq!(server.send("GET /api/online", &ann, "").await.body, r#"{"online_clients":[]}"#);
        // Reading requests pass, and so does a preflight.
        for line in ["GET /chats", "GET /", "GET /api/v1/server", "OPTIONS /chats"] {
            for foreign in FOREIGN {
                let reply = server.send(line, foreign, "").await;
                assert!(reply.status < 300, "{line} {foreign}");
                assert!(reply.header("Access-Control-Allow-Origin").is_none(), "{line} {foreign}");
            }
        }
    });
}

#[test]
fn pages_that_are_not_foreign() {
    serve(async |server| {
        for (index, own) in [
            "",
            "Origin: http://chat.example",
            "Origin: HTTP://Chat.Example:80",
            "Sec-Fetch-Site: none",
            "Sec-Fetch-Site: same-origin",
            "Origin: http://chat.example\nSec-Fetch-Site: same-origin",
        ]
        .into_iter()
        .enumerate()
        {
            let body = format!(r#"{{"username":"ann{index}"}}"#);
            let key = server.send("POST /api/register", own, &body).await;
            assert_eq!(key.status, 201, "{own:?}");
            let body = format!(r#"{{"key":"{}"}}"#, key.text("key"));
            assert_eq!(server.send("POST /api/login", own, &body).await.status, 200, "{own:?}");
            assert_eq!(server.send("GET /api/logout", own, "").await.status, 200, "{own:?}");
            let socket = format!("{UPGRADE}{own}");
            assert_eq!(server.send("GET /chats/1/ws", &socket, "").await.status, 101, "{own:?}");
        }
        // A link to a room, followed from another site.
        let link = "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nAccept: text/html";
        assert_eq!(server.send("GET /chats/1/entrance", link, "").await.status, 302);
        assert_eq!(server.send("GET /", link, "").await.status, 200);
    });
}

fn listing(origins: &[&str]) -> Config {
    Config { origins: origins.iter().map(|&one| one.to_owned()).collect(), ..Config::default() }
}

fn cors(reply: &Reply) -> Option<(&str, bool)> {
    let origin = reply.header("Access-Control-Allow-Origin")?;
    Some((origin, reply.header("Access-Control-Allow-Credentials") == Some("true")))
}

fn varies(reply: &Reply, by: &str) -> bool {
    reply.head.lines().any(|line| line.eq_ignore_ascii_case(&format!("Vary: {by}")))
}

#[test]
fn permissions_of_listed_pages() {
    let config = listing(&["https://friend.example", "http://localhost:3000"]);
    serve_with(config, u64::MAX, async |server: Server| {
        let ann = server.account("Ann").await;
        // Errors and streams among them, for whatever it may send.
        for (line, status) in [
            ("GET /api/v1/me", 200),
            ("GET /api/v1/events", 200),
            ("GET /r/1", 200),
            ("GET /chats", 200),
            ("GET /api/online", 200),
            ("GET /nothing", 404),
            ("GET /api/v1/nothing", 404),
            ("GET /chats/nothing", 404),
            ("GET /%zz", 400),
            ("GET /ws", 426),
            ("PUT /chats", 405),
            ("POST /api/v1/rooms", 400),
            ("POST /api/login", 422),
            ("OPTIONS /chats", 204),
            ("OPTIONS *", 204),
        ] {
            for origin in ["https://friend.example", "http://localhost:3000"] {
                let headers = format!("{ann}Origin: {origin}\nSec-Fetch-Site: cross-site");
                let reply = server.send(line, &headers, "").await;
                assert_eq!(reply.status, status, "{line} {}", reply.body);
                assert_eq!(cors(&reply), Some((origin, true)), "{line}");
                assert!(varies(&reply, "Origin"), "{line}");
                let shown = reply.header("Access-Control-Expose-Headers").expect("headers");
                assert!(shown.contains("Retry-After"), "{shown}");
            }
            // Other origins get nothing, and no cache mixes up the answers.
            for other in [
                "",
                "Origin: https://evil.example",
                "Origin: null",
                "Origin: https://friend.example.evil.example",
                "Origin: http://friend.example",
            ] {
                let reply = server.send(line, other, "").await;
                assert_eq!(cors(&reply), None, "{line} {other}");
                assert!(varies(&reply, "Origin"), "{line} {other}");
            }
        }
        let socket = format!("{UPGRADE}{ann}Origin: https://friend.example");
        assert_eq!(server.send("GET /ws", &socket, "").await.status, 101);
    });
    serve(async |server| {
        let headers = "Origin: https://friend.example";
        let reply = server.send("GET /chats", headers, "").await;
        assert_eq!(cors(&reply), None);
        assert!(!varies(&reply, "Origin"), "nobody is listed");
    });
}

#[test]
fn a_listed_page_asks_beforehand() {
    serve_with(listing(&["https://friend.example"]), u64::MAX, async |server| {
        let asks = "Access-Control-Request-Method: PUT\n\
            Access-Control-Request-Headers: authorization,content-type,idempotency-key";
        for path in ["/api/v1/rooms/1/messages/x", "/chats/1", "/api/login", "/nothing", "/r/1"] {
            let line = format!("OPTIONS {path}");
            let headers = format!("Origin: https://friend.example\n{asks}");
            let reply = server.send(&line, &headers, "").await;
            assert_eq!(reply.status, 204, "{path}");
            assert_eq!(cors(&reply), Some(("https://friend.example", true)), "{path}");
            let methods = reply.header("Access-Control-Allow-Methods").expect("methods");
            for method in ["PUT", "PATCH", "DELETE", "POST", "GET"] {
                assert!(methods.split(", ").any(|name| name == method), "{methods}");
            }
            let headers = reply.header("Access-Control-Allow-Headers");
            assert_eq!(headers, Some("authorization,content-type,idempotency-key"));
            assert_eq!(reply.header("Access-Control-Max-Age"), Some("600"));
            assert!(varies(&reply, "Origin"), "{path}");
            let reply =
                server.send(&line, &format!("Origin: https://evil.example\n{asks}"), "").await;
            assert_eq!(cors(&reply), None, "{path}");
            assert!(reply.header("Access-Control-Allow-Methods").is_none(), "{path}");
        }
    });
}

#[test]
fn the_names_that_the_server_answers_to() {
    let hosts = ["other.example", "chat.example:8080"].map(str::to_owned);
    let config = Config { hosts: hosts.into(), ..Config::default() };
    // The tests' Host is `chat.example`, without a port.
    serve_with(config, u64::MAX, async |server| {
        for (line, words) in [
            ("GET /api/v1/server", r#"{"error":{"code":"bad_request","message":""#),
            ("POST /api/register", r#"{"error":""#),
            ("GET /chats", r#"{"status":false,"error":{"code":421,"error":""#),
            ("GET /", r#"{"error":{"code":"bad_request","message":""#),
            ("OPTIONS *", r#"{"error":{"code":"bad_request","message":""#),
        ] {
            let reply = server.send(line, "", "{}").await;
            assert_eq!(reply.status, 421, "{line}");
            assert!(reply.body.starts_with(words), "{line}: {}", reply.body);
        }
        // Its health is no secret, and a monitor may know only the address.
        assert_eq!(server.send("GET /healthz", "", "").await.status, 200);
        assert_eq!(server.send("GET /readyz", "", "").await.status, 200);
    });
    let config = Config { hosts: vec!["chat.example".into()], ..Config::default() };
    serve_with(config, u64::MAX, async |server| {
        assert_eq!(server.send("GET /chats", "", "").await.status, 200);
    });
}
