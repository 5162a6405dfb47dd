//! The server returns the memory of finished work.

use std::time::Duration;

use serde_json::json;

use crate::kit::ws::TEXT;
use crate::kit::{TestServer, Ws, until};

/// The server's resident memory, in KiB.
fn resident(server: &TestServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("the process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Websockets with unfinished messages, and a few without between them.
fn unfinished_messages(server: &TestServer) -> [Vec<Ws>; 2] {
    let (mut burst, mut kept) = (Vec::new(), Vec::new());
    for number in 0..250 {
        let mut ws = server.ws("/chats/1/ws", "");
        ws.frame(TEXT, false, &[b'a'; 40_000]);
        burst.push(ws);
        if number % 50 == 49 {
            kept.push(server.ws("/chats/1/ws", ""));
        }
    }
    [burst, kept]
}

/// Most of the burst's memory lies below memory that stays in use, where the allocator keeps it.
#[test]
fn the_memory_of_unfinished_input_is_returned() {
    let server = TestServer::start();
    let before = resident(&server);
    let [burst, kept] = unfinished_messages(&server);
    until("the burst has arrived", || resident(&server) > before + 8 * 1024);
    // The server looks at its memory every ten seconds, also in the middle of a burst.
    std::thread::sleep(Duration::from_secs(11));
    drop(burst);
    until("the memory is given back", || resident(&server) < before + 4 * 1024);
    drop(kept);
}

/// A burst that comes and goes before the server has looked at its memory twice.
#[test]
fn the_memory_of_an_early_burst_is_returned() {
    let server = TestServer::start();
    let before = resident(&server);
    let [burst, kept] = unfinished_messages(&server);
    until("the burst has arrived", || resident(&server) > before + 8 * 1024);
    drop(burst);
    until("the memory is given back", || resident(&server) < before + 4 * 1024);
    drop(kept);
}

#[test]
fn the_memory_of_password_hashing_is_returned() {
    let server = TestServer::start();
    let room = json!({"title": "Den", "visibility": "private", "password": "long enough"});
    assert_eq!(server.send("POST /chats", &room).status, 201);
    let guess = |number: usize| {
        let body = json!({"secret": format!("wrong {number}"), "name": "Bob"});
        server.send("POST /chats/2/token", &body).status
    };
    assert_eq!(guess(0), 401);
    let before = resident(&server);
    std::thread::scope(|scope| {
        for lot in 0..8 {
            let guess = &guess;
            scope.spawn(move || (0..12).for_each(|number| assert_eq!(guess(lot + number), 401)));
        }
    });
    until("the memory is given back", || resident(&server) < before + 8 * 1024);
}
