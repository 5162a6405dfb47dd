//! Long responses: made piece by piece, complete for every client, in every HTTP version.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::kit::TestServer;

/// A server with `count` rooms, the lobby included.
fn with_rooms(count: u64) -> TestServer {
    let server = TestServer::start();
    let mut http = server.http();
    for index in 1..count {
        let body = json!({"title": format!("Room {index}"), "description": "d".repeat(70),
            "visibility": "public"});
        let body = body.to_string();
        http.request("POST /chats", &format!("Content-Length: {}\r\n", body.len()));
        http.send(&body);
        assert_eq!(http.response().status, 201);
    }
    server
}

/// The room ids of a list.
fn ids(rooms: &Value) -> Vec<u64> {
    let rooms = rooms.as_array().expect("a list");
    rooms.iter().map(|room| room["id"].as_u64().expect("a number")).collect()
}

#[test]
fn a_long_list_comes_in_pieces_and_is_whole() {
    let server = with_rooms(300);
    let all: Vec<u64> = (1..=300).collect();
    let mut http = server.http();
    // The connection goes on after it, also with a pipelined request.
    http.request("GET /chats", "");
    http.request("GET /chats", "");
    for _ in 0..2 {
        let list = http.response();
        assert_eq!(list.header("transfer-encoding"), Some("chunked"));
        assert_eq!(list.header("content-length"), None);
        assert_eq!(list.header("vary"), Some("Accept"));
        assert_eq!(ids(&list.json()), all);
    }
    http.request("HEAD /chats", "");
    let head = http.response_to_head();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    http.request("GET /chats/1", "");
    assert_eq!(http.response().json()["id"], json!(1));
    // RFC 9112 section 6.1: HTTP/1.0 has no chunks; the connection's end ends the list.
    let mut old = server.http();
    old.send("GET /chats HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let mut text = String::new();
    old.stream.read_to_string(&mut text).expect("an end");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(!head.to_lowercase().contains("chunked"), "{head}");
    assert!(head.contains("\r\nConnection: close"), "{head}");
    assert_eq!(ids(&serde_json::from_str(body).expect("JSON")), all);
}

#[test]
fn a_short_list_says_how_long_it_is() {
    let server = with_rooms(3);
    let list = server.ask("GET /chats", "", "");
    assert!(list.header("content-length").is_some(), "{list:?}");
    assert_eq!(ids(&list.json()), [1, 2, 3]);
}

/// A client that hangs up within a list affects no other client.
#[test]
fn a_client_that_hangs_up_within_a_list_costs_nothing() {
    let server = with_rooms(300);
    for _ in 0..20 {
        let mut http = server.http();
        http.stream.write_all(b"GET /chats HTTP/1.1\r\nHost: h\r\n\r\n").expect("it fits");
        assert!(http.fill());
        drop(http);
    }
    assert_eq!(ids(&server.ask("GET /chats", "", "").json()).len(), 300);
}
