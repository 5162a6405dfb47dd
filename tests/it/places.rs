//! Connection slots, when they are short: which connections keep theirs, which make way, and that
//! health checks are always answered.

use serde_json::json;

use crate::kit::{Http, Response, TestServer, Ws, until};

/// Expects a good health check on a connection beyond all slots.
fn is_well(server: &TestServer) {
    for path in ["/healthz", "/readyz"] {
        let mut http = server.http();
        http.request(&format!("GET {path}"), "");
        let response = http.response();
        assert_eq!(response.status, 200, "{path}: {response:?}");
    }
}

fn is_refused(response: &Response) {
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.header("retry-after"), Some("1"));
}

#[test]
fn strangers_leave_a_quarter_to_people_and_health_is_answered_when_all_is_full() {
    let server = TestServer::with(&["--connections", "50", "--limits", "off"]);
    let people: Vec<_> = (0..13).map(|n| server.account(&format!("P{n}"))).collect();
    let (mut strangers, mut refused) = (Vec::new(), 0);
    for _ in 0..50 {
        match server.try_ws("/chats/1/ws", "") {
            Ok(ws) => strangers.push(ws),
            Err(response) => {
                is_refused(&response);
                assert_eq!(response.json()["error"]["code"], json!(503));
                refused += 1;
            }
        }
    }
    assert_eq!((strangers.len(), refused), (38, 12));
    is_well(&server);
    // A client that is logged in gets a slot, in every protocol.
    let mut open: Vec<Ws> = people[..8].iter().map(|account| server.pirate(account)).collect();
    for one in &people[8..12] {
        open.push(server.ws("/chats/1/ws", &format!("Cookie: {}\r\n", one.cookie)));
    }
    // Now no slot is left, even for those; but the health check is answered.
    is_well(&server);
    let mut late = server.http();
    let cookie = format!("Cookie: {}\r\n", people[12].cookie);
    late.send(crate::kit::ws::handshake(&late.host(), "/ws", &cookie));
    is_refused(&late.response());
    is_well(&server);
    // A connection that ends frees a slot for a stranger ...
    strangers.pop().expect("one of 38").bye();
    until("a place is free", || server.try_ws("/chats/1/ws", "").is_ok());
    // ... and no existing connection was affected.
    open[0].say(&json!({"message": "still here"}));
    while open[0].hear() != crate::kit::Heard::Text(r#"{"status":true}"#.to_owned()) {}
}

#[test]
fn idle_connections_make_way_the_oldest_first() {
    let server = TestServer::with(&["--connections", "4"]);
    let mut idle: Vec<Http> = (0..2).map(|_| server.http()).collect();
    // It had one request, and no other.
    let mut kept = server.http();
    kept.request("GET /chats/1", "");
    assert_eq!(kept.response().status, 200);
    let mut slow = server.http();
    slow.send("GET /chats/1 HTT");
    for round in 0..2 {
        let mut next = server.http();
        next.request("GET /chats/1", "");
        assert_eq!(next.response().status, 200);
        assert!(idle[round].is_over(), "the oldest has made way");
        idle.push(next); // It keeps the place.
    }
    let mut next = server.http();
    next.request("GET /chats/1", "");
    assert_eq!(next.response().status, 200);
    assert!(kept.is_over());
    is_well(&server);
}

#[test]
fn an_address_has_a_bounded_number_of_slots_and_this_machine_all() {
    let server = TestServer::with(&["--per-address", "3"]);
    let from = |last: u8| format!("X-Forwarded-For: 203.0.113.{last}\r\n");
    let mut open: Vec<Ws> = (0..3).map(|_| server.ws("/chats/1/ws", &from(1))).collect();
    is_refused(&server.try_ws("/chats/1/ws", &from(1)).err().expect("one too many"));
    open.extend((0..3).map(|_| server.ws("/chats/1/ws", &from(2))));
    open.extend((0..5).map(|_| server.ws("/chats/1/ws", "")));
    // A closed connection keeps no slot.
    assert_eq!(server.ask("GET /chats/1", &from(1), "").status, 200);
    open.remove(0).bye();
    until("a place is free", || server.try_ws("/chats/1/ws", &from(1)).is_ok());
}
