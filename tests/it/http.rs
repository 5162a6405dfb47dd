//! HTTP/1.1 over a live socket: valid and invalid requests, and that the next client is always
//! served.

use serde_json::json;

use crate::kit::{Http, TestServer};

/// Sends raw bytes on its own connection and reads one response, which must be the last.
fn last(server: &TestServer, bytes: impl AsRef<[u8]>) -> crate::kit::Response {
    let mut http = server.http();
    http.send(bytes);
    let response = http.response();
    assert_eq!(response.header("connection"), Some("close"), "{response:?}");
    assert!(http.is_over(), "the connection is closed after {}", response.status);
    response
}

fn is_served(http: &mut Http) {
    http.request("GET /chats/1", "");
    assert_eq!(http.response().status, 200);
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let server = TestServer::start();
    let mut http = server.http();
    for _ in 0..3 {
        is_served(&mut http);
    }
    http.request("POST /api/register", "Content-Length: 18\r\n");
    http.send(r#"{"username":"Ann"}"#);
    assert_eq!(http.response().status, 201);
    http.request("GET /nowhere", "");
    assert_eq!(http.response().status, 404);
    http.request("GET /chats/1", "Connection: close\r\n");
    let response = http.response();
    assert_eq!(response.header("connection"), Some("close"));
    assert!(http.is_over());
}

#[test]
fn http_1_0_closes_unless_asked_not_to() {
    let server = TestServer::start();
    let mut http = server.http();
    http.send("GET /chats/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(http.response().header("connection"), Some("keep-alive"));
    http.send("GET /chats/1 HTTP/1.0\r\n\r\n");
    assert_eq!(http.response().header("connection"), Some("close"));
    assert!(http.is_over());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start();
    let mut http = server.http();
    let mut all = String::new();
    for index in 0..50 {
        let body = json!({"username": format!("P{index}")}).to_string();
        let head = format!("Host: {}\r\nContent-Length: {}\r\n", http.host(), body.len());
        all += &format!("POST /api/register HTTP/1.1\r\n{head}\r\n{body}");
        all += &format!("GET /missing/{index} HTTP/1.1\r\nHost: {}\r\n\r\n", http.host());
    }
    http.send(all);
    for _ in 0..50 {
        assert_eq!(http.response().status, 201);
        assert_eq!(http.response().status, 404);
    }
}

#[test]
fn a_chunked_body_with_trailers_is_a_body() {
    let server = TestServer::start();
    let mut http = server.http();
    http.request("POST /api/register", "Transfer-Encoding: chunked\r\n");
    http.send("9;why=not\r\n{\"usernam\r\n");
    http.send("9\r\ne\":\"Ann\"}\r\n0\r\nX-Trailer: ignored\r\n\r\n");
    assert_eq!(http.response().status, 201);
    is_served(&mut http);
}

#[test]
fn a_client_that_expects_100_gets_it_before_it_sends() {
    let server = TestServer::start();
    let mut http = server.http();
    let expects = "Content-Length: 18\r\nExpect: 100-continue\r\n";
    http.request("POST /api/register", expects);
    assert_eq!(http.response().status, 100);
    http.send(r#"{"username":"Ann"}"#);
    assert_eq!(http.response().status, 201);
    // A client that sends the body at once gets no 100.
    let head = format!("POST /api/register HTTP/1.1\r\nHost: {}\r\n{expects}\r\n", http.host());
    http.send(format!(r#"{head}{{"username":"Bob"}}"#));
    assert_eq!(http.response().status, 201);
    http.request("POST /api/register", "Content-Length: 2\r\nExpect: miracles\r\n");
    assert_eq!(http.response().status, 417);
    assert!(http.is_over());
}

#[test]
fn head_is_get_without_its_content() {
    let server = TestServer::start();
    for path in ["/", "/chats", "/chats/1", "/nowhere"] {
        let mut http = server.http();
        http.request(&format!("GET {path}"), "");
        let get = http.response();
        http.request(&format!("HEAD {path}"), "");
        let head = http.response_to_head();
        assert_eq!(head.status, get.status, "{path}");
        for name in ["content-length", "content-type", "etag"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
        is_served(&mut http);
    }
}

#[test]
fn every_path_names_its_methods() {
    let server = TestServer::start();
    for (path, wrong, allowed) in [
        ("/api/register", "GET", "POST, OPTIONS"),
        ("/api/login", "DELETE", "POST, OPTIONS"),
        ("/api/logout", "PUT", "GET, HEAD, POST, OPTIONS"),
        ("/api/online", "POST", "GET, HEAD, OPTIONS"),
        ("/api/user/@me", "PATCH", "GET, HEAD, OPTIONS"),
        ("/ws", "POST", "GET, OPTIONS"),
        ("/chats", "DELETE", "GET, HEAD, POST, OPTIONS"),
        ("/chats/1", "POST", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/chats/1/token", "GET", "POST, OPTIONS"),
        ("/chats/1/token/renew", "POST", "GET, HEAD, OPTIONS"),
        ("/chats/1/ws", "DELETE", "GET, OPTIONS"),
        ("/", "POST", "GET, HEAD, OPTIONS"),
    ] {
        let refused = server.ask(&format!("{wrong} {path}"), "", "");
        assert_eq!(refused.status, 405, "{wrong} {path}");
        assert_eq!(refused.header("allow"), Some(allowed), "{wrong} {path}");
        let options = server.ask(&format!("OPTIONS {path}"), "", "");
        assert_eq!((options.status, options.header("allow")), (204, Some(allowed)), "{path}");
    }
    assert_eq!(server.ask("OPTIONS *", "", "").status, 204);
    for path in ["/nowhere", "/api", "/api/nowhere", "/chats/1/nowhere", "/chats/1/2/3/4", "/ws/"] {
        assert_eq!(server.ask(&format!("GET {path}"), "", "").status, 404, "{path}");
    }
}

#[test]
fn invalid_requests_get_their_status_and_the_next_client_is_served() {
    let server = TestServer::start();
    let mut bystander = server.http();
    is_served(&mut bystander);
    let host = "Host: h\r\n";
    let register = "POST /api/register HTTP/1.1\r\nHost: h\r\n";
    let long = "x".repeat(9000);
    let many: String = (0..100).map(|index| format!("X-{index}: 1\r\n")).collect();
    let cases: Vec<(u16, String)> = vec![
        (400, "\u{1}\u{2}\u{3}\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, format!("GET / HTTP/1.1\r\n{host}{host}\r\n")),
        (400, format!("GET  / HTTP/1.1\r\n{host}\r\n")),
        (400, format!("GET / HTTP/1.1\r\n{host}Broken header\r\n\r\n")),
        (400, format!("GET / HTTP/1.1\r\n{host}X: a\r\n folded\r\n\r\n")),
        (400, format!("{register}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")),
        (400, format!("{register}Content-Length: 5\r\nContent-Length: 6\r\n\r\n")),
        (400, format!("{register}Content-Length: -1\r\n\r\n")),
        (400, format!("{register}Transfer-Encoding: chunked\r\n\r\nzz\r\n")),
        (411, "POST /api/register HTTP/1.0\r\n\r\n".to_owned()),
        (413, format!("{register}Content-Length: 65537\r\n\r\n")),
        (413, format!("{register}Transfer-Encoding: chunked\r\n\r\n10001\r\n")),
        (414, format!("GET /{long} HTTP/1.1\r\n{host}\r\n")),
        (415, format!("{register}Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\n")),
        (417, format!("{register}Content-Length: 5\r\nExpect: 200-ok\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\n{host}{many}\r\n")),
        (431, format!("GET / HTTP/1.1\r\n{host}X: {long}{long}\r\n\r\n")),
        (501, format!("BREW / HTTP/1.1\r\n{host}\r\n")),
        (505, format!("GET / HTTP/2.0\r\n{host}\r\n")),
        (413, "POST /api/v1/rooms HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n".to_owned()),
        (431, format!("GET /api/v1/rooms HTTP/1.1\r\n{host}{many}\r\n")),
        (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    for (status, bytes) in cases {
        let shown: String = bytes.chars().take(80).collect();
        let refused = last(&server, bytes);
        assert_eq!(refused.status, status, "{shown:?}");
        let error = &refused.json()["error"];
        match status {
            // The path is known here, so the refusal has its protocol's format.
            _ if shown.starts_with("POST /api/register") => {
                assert!(error.is_string(), "{error} {shown:?}")
            }
            413 | 414 | 431 => assert_eq!(error["code"], "too_large", "{shown:?}"),
            _ => assert_eq!(error["code"], "bad_request", "{shown:?}"),
        }
        is_served(&mut server.http());
    }
    is_served(&mut bystander);
}

#[test]
fn unreadable_requests_are_refused_in_the_format_of_their_path() {
    let server = TestServer::start();
    let refused = |line: &str, length: &str| {
        last(&server, format!("{line} HTTP/1.1\r\nHost: h\r\n{length}\r\n\r\n"))
    };
    let much = "Content-Length: 65537";
    let why = "the body is too large; send less";
    refused("POST /api/register", much).expect(413, &json!({"error": why}));
    let numbered = json!({"code": 413, "error": "the request is too large; send less"});
    refused("POST /chats", much).expect(413, &json!({"status": false, "error": numbered}));
    let coded = json!({"error": {"code": "too_large", "message": why}});
    refused("POST /api/v1/rooms/1/messages", much).expect(413, &coded);
    refused("POST /r/1", much).expect(413, &coded);
    // A request that was answered before has no influence.
    let mut http = server.http();
    http.request("GET /chats/1", "");
    assert_eq!(http.response().status, 200);
    http.send("BREW /chats HTTP/1.1\r\nHost: h\r\n\r\n");
    let says =
        json!({"code": "bad_request", "message": "this server does not implement this method"});
    http.response().expect(501, &json!({"error": says}));
}

#[test]
fn a_bad_escape_in_the_path_is_a_400_and_the_connection_goes_on() {
    let server = TestServer::start();
    let mut http = server.http();
    for path in ["/chats/%zz", "/chats/%ff", "/chats/%00", "/chats/a%0d%0ab", "/%"] {
        http.request(&format!("GET {path}"), "");
        assert_eq!(http.response().status, 400, "{path}");
    }
    is_served(&mut http);
}

#[test]
fn a_websocket_path_without_a_websocket_is_a_426() {
    let server = TestServer::start();
    let handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for path in ["/ws", "/chats/1/ws"] {
        let plain = server.ask(&format!("GET {path}"), "", "");
        assert_eq!((plain.status, plain.header("upgrade")), (426, Some("websocket")), "{path}");
        let mut http = server.http();
        http.request(&format!("GET {path}"), &format!("{handshake}{key}"));
        assert_eq!(http.response().status, 426, "{path}: no version");
        let old = format!("{handshake}{key}Sec-WebSocket-Version: 8\r\n");
        http.request(&format!("GET {path}"), &old);
        let old = http.response();
        assert_eq!((old.status, old.header("sec-websocket-version")), (426, Some("13")));
        let bad = format!("{handshake}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n");
        http.request(&format!("GET {path}"), &bad);
        assert_eq!(http.response().status, 400, "{path}: a key that is none");
    }
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let server = TestServer::start();
    let mut http = server.http();
    let body = r#"{"username":"Ann"}"#;
    let request = format!(
        "POST /api/register HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for byte in request.bytes() {
        http.send([byte]);
    }
    assert_eq!(http.response().status, 201);
    // An extra empty line, as some clients send, and a client that hangs up in the middle.
    http.send("\r\nGET /chats/1 HTTP/1.1\r\nHost: h\r\n\r\nGET /cha");
    assert_eq!(http.response().status, 200);
    drop(http);
    is_served(&mut server.http());
}

#[test]
fn every_response_says_what_it_is_and_that_it_is_not_to_be_kept() {
    let server = TestServer::start();
    let json = server.ask("GET /chats", "", "");
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.header("cache-control"), Some("no-store"));
    assert_eq!(json.header("x-content-type-options"), Some("nosniff"));
    assert!(json.header("date").is_some_and(|date| date.ends_with(" GMT")));
}
