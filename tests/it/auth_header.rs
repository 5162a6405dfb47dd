//! Logins by a header of a trusted proxy: believed from it, and from nobody else.

use std::thread;

use serde_json::json;

use crate::kit::{Response, TestServer};

const BY_HEADER: [&str; 4] = ["--auth-header", "Remote-User", "--trusted-proxy", "127.0.0.1"];

fn as_(name: &str) -> String {
    format!("X-Forwarded-For: 203.0.113.7\r\nRemote-User: {name}\r\n")
}

fn code(response: &Response) -> (u16, String) {
    (response.status, response.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn whom_the_proxy_names_is_logged_in_at_every_door() {
    let mut server = TestServer::with(&BY_HEADER);
    let me = server.ask("GET /api/v1/me", &as_("ann"), "");
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!((&me.json()["name"], &me.json()["by_proxy"]), (&json!("ann"), &json!(true)));
    assert_eq!(me.header("set-cookie"), None, "no cookie is needed");
    let user = server.ask("GET /api/user/@me", &as_("ann"), "");
    assert_eq!(user.json(), json!({"username": "ann"}));
    let mut pirate = server.ws("/ws", &as_("ann"));
    let mut stream = server.ws("/api/v1/events", &as_("bob"));
    assert_eq!(stream.json()["me"], "bob");
    let said = server.ask("POST /r/1", &as_("bob"), "hello");
    assert_eq!(said.status, 201, "{said:?}");
    while stream.json()["text"] != "hello" {}
    while pirate.json()["message"] != "hello" {}
    // ChitChat's rooms get an owner.
    let den = json!({"title": "Den", "description": "", "visibility": "public"}).to_string();
    let made = server.ask("POST /chats", &as_("ann"), &den);
    let room = made.json()["id"].as_u64().expect("a room");
    let owner = server.ask(&format!("GET /api/v1/rooms/{room}"), &as_("bob"), "");
    assert_eq!(owner.json()["owner"], "ann");
    // The accounts are in the log, once each, and outlast the server.
    assert_eq!(server.stop().code, Some(0));
    let made = server.log().iter().filter(|row| row.kind == "account_made").count();
    assert_eq!(made, 2);
    server.go_on();
    let sessions = server.ask("GET /api/v1/sessions", &as_("ann"), "").json();
    assert_eq!(sessions["sessions"].as_array().expect("a list").len(), 1, "{sessions}");
    // A bot gets a key of the account.
    let key = server.ask("POST /api/v1/me/key", &as_("ann"), "").json();
    let bearer = format!("Authorization: Bearer {}\r\n", key["key"].as_str().expect("a key"));
    let me = server.ask("GET /api/v1/me", &bearer, "").json();
    assert_eq!((&me["name"], &me["by_proxy"]), (&json!("ann"), &json!(null)));
}

#[test]
fn nobody_else_gets_anything_by_the_header() {
    // This machine is no trusted proxy.
    let elsewhere = ["--auth-header", "Remote-User", "--trusted-proxy", "10.0.0.1"];
    for flags in [&elsewhere[..], &[]] {
        let mut server = TestServer::with(flags);
        for headers in [as_("ann"), format!("{}X-Real-IP: 10.0.0.1\r\n", as_("ann"))] {
            let me = server.ask("GET /api/v1/me", &headers, "");
            assert_eq!(code(&me), (401, "unauthenticated".to_owned()));
        }
        assert!(server.try_ws("/ws", &as_("ann")).is_err());
        assert_eq!(server.stop().code, Some(0));
        assert!(server.log().iter().all(|row| row.kind != "account_made"));
    }
    // Who asks for the server's health is no person.
    let mut server = TestServer::with(&BY_HEADER);
    assert_eq!(server.ask("GET /readyz", &as_("ann"), "").status, 200);
    assert_eq!(server.stop().code, Some(0));
    assert!(server.log().iter().all(|row| row.kind != "account_made"));
    // Nor does a client whose proxy forwards its bytes, and not its requests.
    let server = TestServer::with(&[&BY_HEADER[..], &["--proxy-protocol"]].concat());
    let client = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\0\x09\0\x50";
    let mut http = server.http();
    http.send(client);
    http.request("GET /api/v1/me", &as_("ann"));
    assert_eq!(http.response().status, 401);
    // Another header means nothing, and an empty one names nobody.
    let server = TestServer::with(&BY_HEADER);
    for headers in ["Remote_User: ann\r\n", "X-Remote-User: ann\r\n", "Remote-User:\r\n"] {
        assert_eq!(server.ask("GET /api/v1/me", headers, "").status, 401, "{headers}");
    }
}

#[test]
fn names_that_cannot_be_are_refused_with_the_reason() {
    let server = TestServer::with(&[&BY_HEADER[..], &["--registration", "open"]].concat());
    server.account("Ann");
    for name in ["ann", "ann@example.org", "a b", &"x".repeat(33), "zo\u{eb}"] {
        let me = server.ask("GET /api/v1/me", &as_(name), "");
        assert_eq!(code(&me), (403, "forbidden".to_owned()), "{name}");
        let says = me.json()["error"]["message"].as_str().expect("a sentence").to_owned();
        assert!(says.contains("ask the server's owner"), "{says}");
        assert_eq!(server.ask("GET /", &as_(name), "").status, 200, "the page can say so");
    }
    // A proxy that adds its line to the client's is found out.
    let two = format!("{}Remote-User: bob\r\n", as_("ann"));
    assert_eq!(code(&server.ask("GET /api/v1/me", &two, "")), (403, "forbidden".to_owned()));
    // The proxy's word counts more than a cookie that a browser still has.
    let cookie = server.account("Carl").cookie;
    let both = format!("{}Cookie: {cookie}\r\n", as_("Bob"));
    assert_eq!(server.ask("GET /api/v1/me", &both, "").json()["name"], "Bob");
}

#[test]
fn foreign_pages_and_log_outs() {
    let server = TestServer::with(&BY_HEADER);
    let foreign = format!("{}Origin: https://evil.example\r\n", as_("ann"));
    let cross = format!("{}Sec-Fetch-Site: cross-site\r\n", as_("ann"));
    for headers in [&foreign, &cross] {
        for line in ["POST /r/1", "POST /api/v1/me/key", "DELETE /api/v1/sessions/current"] {
            assert_eq!(server.ask(line, headers, "x").status, 403, "{line}");
        }
        assert!(server.try_ws("/ws", headers).is_err_and(|refused| refused.status == 403));
    }
    assert_eq!(server.ask("GET /api/v1/me", &foreign, "").status, 403);
    // A log-out ends the session and its streams; the next request begins another.
    let mut stream = server.ws("/api/v1/events", &as_("ann"));
    assert_eq!(server.ask("DELETE /api/v1/sessions/current", &as_("ann"), "").status, 204);
    while stream.json()["type"] != "bye" {}
    assert_eq!(server.ask("GET /api/v1/me", &as_("ann"), "").status, 200);
    // Only the proxy lets people in.
    let body = json!({"name": "zoe"}).to_string();
    let made = server.ask("POST /api/v1/accounts", "", &body);
    assert_eq!(code(&made), (403, "registration_closed".to_owned()));
}

#[test]
fn many_first_requests_at_once_make_one_account() {
    let server = TestServer::with(&[&BY_HEADER[..], &["--workers", "2"]].concat());
    let port = server.port();
    let clients: Vec<_> = (0..16)
        .map(|_| {
            thread::spawn(move || {
                crate::kit::http::ask(port, "GET /api/v1/me", &as_("ann"), "").status
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().expect("a client"), 200);
    }
    let made = server.log().iter().filter(|row| row.kind == "account_made").count();
    assert_eq!(made, 1);
}
