//! Overload: readers that do not read, senders that do not stop, more connections than slots, more
//! passwords than cores. Well-behaved clients notice nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use shanty::limits::PASSWORD_WAITING_MAX;

use crate::kit::ws::{TEXT, frame};
use crate::kit::{Heard, Http, TestServer, Ws, clean, joined, left, said, send, until};

#[test]
fn a_reader_that_never_reads_is_dropped_and_the_others_get_everything_promptly() {
    let server = TestServer::start();
    let mut talker = server.guest(1, "Talker");
    let mut listener = server.guest(1, "Listener");
    talker.expect(&joined(1, "Listener"));
    let mut stalled = server.guest(1, "Stalled");
    talker.expect(&joined(1, "Stalled"));
    listener.expect(&joined(1, "Stalled"));
    // More than the kernel's buffers on both sides (megabytes on ours, as it does not read) and the
    // server's outbox together.
    let text = "x".repeat(4000);
    let (mut slowest, mut dropped) = (Duration::ZERO, false);
    let begin = Instant::now();
    // A client that takes nothing is closed after ten seconds; one that reads a little is supplied
    // from the log.
    for index in (0..).take_while(|_| begin.elapsed() < Duration::from_secs(40)) {
        let start = Instant::now();
        talker.say(&send("Talker", &format!("{index} {}", &text[..3990])));
        // Everything, except the stalled client's leave, which may come at any time.
        for ws in [&mut talker, &mut listener] {
            let mut heard = ws.json();
            if heard["event_type"] == json!("leave") {
                assert_eq!(heard["name"], json!("Stalled"));
                dropped = true;
                heard = ws.json();
            }
            let msg = heard["msg"].as_str().expect("a message");
            assert!(msg.starts_with(&format!("{index} ")), "in order, none left out");
        }
        slowest = slowest.max(start.elapsed());
        if dropped {
            break;
        }
    }
    assert!(dropped, "somebody who takes nothing is still waited for");
    assert!(slowest < Duration::from_secs(2), "a message took {slowest:?}");
    // When it reads at last, it gets messages in order, then a close frame, or a reset.
    let mut next = 0;
    while stalled_hear(&mut stalled.http, &mut next) {}
    assert!(next > 0, "it had got the first messages");
    let again = server.guest(1, "Stalled");
    drop(again);
}

/// Reads one frame of a dropped reader. `true`: the next message; `false`: a close with 1013, or a
/// reset.
fn stalled_hear(http: &mut Http, next: &mut usize) -> bool {
    while http.buffer.len() < 4 {
        if !http.fill() {
            return false;
        }
    }
    if http.buffer[0] == 0x88 {
        assert_eq!(&http.buffer[2..4], 1013_u16.to_be_bytes());
        return false;
    }
    let (start, length) = match http.buffer[1] {
        126 => (4, usize::from(http.buffer[2]) << 8 | usize::from(http.buffer[3])),
        length => (2, usize::from(length)),
    };
    assert!(http.buffer[0] == 0x81 && http.buffer[1] < 127, "a text of some length");
    let end = start + length;
    while http.buffer.len() < end {
        if !http.fill() {
            return false;
        }
    }
    let event: serde_json::Value = serde_json::from_slice(&http.buffer[start..end]).expect("JSON");
    let msg = event["msg"].as_str().expect("a message");
    assert!(msg.starts_with(&format!("{next} ")), "{next}: {:.10}", msg);
    http.buffer.drain(..end);
    *next += 1;
    true
}

/// A dropped client can resume only if its frames have no gap.
#[test]
fn the_frames_of_a_dropped_reader_have_no_gap() {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    let mut stalled = server.guest(1, "Stalled");
    witness.expect(&joined(1, "Stalled"));
    let mut talker = server.guest(1, "Talker");
    witness.expect(&joined(1, "Talker"));
    // Long and short messages in one packet, so that a short one that fits follows a long one that
    // does not.
    let mut stream = talker.http.stream.try_clone().expect("a second handle");
    // One packet at a time, so that the witness is never too slow.
    let (heard, go_on) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        for round in 0..400 {
            let mut packet = Vec::new();
            for index in round * 10..round * 10 + 10 {
                let length = if index % 2 == 0 { 15_000 } else { 10 };
                let text = format!("{index} {}", "\u{1F600}".repeat(length / 4));
                packet.extend(frame(TEXT, true, send("Talker", &text).to_string().as_bytes()));
            }
            let written = std::io::Write::write_all(&mut stream, &packet);
            if written.is_err() || (0..10).any(|_| go_on.recv().is_err()) {
                return; // It is over.
            }
        }
    });
    // No other client may be slow: the talker is read, too.
    let reader = std::thread::spawn(move || {
        while talker.http.fill() {
            talker.http.buffer.clear();
        }
    });
    while witness.json()["event_type"] != json!("leave") {
        let _ = heard.send(()); // The sender may be done.
    }
    drop(heard);
    let mut next = 0;
    stalled.expect(&joined(1, "Talker"));
    while stalled_hear(&mut stalled.http, &mut next) {}
    assert!(next > 0, "it had got the first messages");
    drop(server);
    reader.join().expect("it was read");
    sender.join().expect("it was sent");
}

#[test]
fn connections_beyond_the_bound_wait_and_are_then_served() {
    let server = TestServer::with(&["--connections", "3"]);
    let first = server.guest(1, "First");
    let second = server.guest(1, "Second");
    let third = server.http();
    let mut fourth = server.http();
    fourth.request("GET /chats/1", "Connection: close\r\n");
    // It waits while the three are connected ...
    fourth.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a deadline");
    let mut byte = [0];
    let early = std::io::Read::read(&mut fourth.stream, &mut byte);
    assert!(early.is_err(), "the fourth was served: {early:?}");
    fourth.stream.set_read_timeout(Some(crate::kit::PATIENCE)).expect("a deadline");
    // ... and is served as soon as one of them goes.
    drop(third);
    assert_eq!(fourth.response().status, 200);
    drop(fourth);
    first.bye();
    // Many more, one by one and all at once: every one is served.
    let waiting: Vec<Http> = (0..30)
        .map(|_| {
            let mut http = server.http();
            http.request("GET /chats/1", "Connection: close\r\n");
            http
        })
        .collect();
    for mut http in waiting {
        assert_eq!(http.response().status, 200);
    }
    second.bye();
}

#[test]
fn with_few_descriptors_connections_wait_and_the_database_works() {
    let mut server = TestServer::of(|db| {
        let mut command = clean(std::process::Command::new("sh"));
        let script = "ulimit -n 70; exec \"$@\"";
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_shanty")]);
        command.args(["--listen", "127.0.0.1:0", "--db", db]);
        command
    });
    let ann = server.account("Ann");
    let mut callers: Vec<Http> = (0..90).map(|_| server.http()).collect();
    // Thirty are served, one of them from the log; the others wait in the backlog, and no request
    // fails.
    let cookie = format!("Cookie: {}\r\n", ann.cookie);
    callers[0].request("GET /api/v1/rooms/1/messages", &cookie);
    assert_eq!(callers[0].response().status, 200);
    for http in &mut callers {
        http.request("GET /chats/1", "Connection: close\r\n");
    }
    for mut http in callers {
        assert_eq!(http.response().status, 200);
    }
    let end = server.stop();
    assert_eq!(end.code, Some(0));
    assert!(
        end.stderr.contains("30 connections at once: for more, set ulimit -n 10064"),
        "{end:?}"
    );
    assert!(!end.stderr.contains("cannot accept"), "{end:?}");
}

#[test]
fn thousands_of_messages_at_once_are_acknowledged_in_order() {
    const COUNT: usize = 3000;
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut at_bob = server.pirate(&bob);
    let mut at_ann = server.pirate(&ann);
    at_bob.expect_text(r#"{"event":"join","username":"Ann"}"#);
    let mut bytes = Vec::new();
    for index in 0..COUNT {
        // Every tenth is invalid, so that the order shows.
        let text = match index % 10 {
            9 => "bad".to_owned(),
            _ => json!({"message": format!("{index}")}).to_string(),
        };
        bytes.extend(frame(TEXT, true, text.as_bytes()));
    }
    let mut writer = at_ann.http.stream.try_clone().expect("a second handle");
    let thread = std::thread::spawn(move || {
        std::io::Write::write_all(&mut writer, &bytes).expect("the server reads on");
    });
    for index in 0..COUNT {
        match index % 10 {
            9 => at_ann.expect_text(r#"{"status":false,"code":"invalid_message"}"#),
            _ => at_ann.expect_ack(),
        }
    }
    thread.join().expect("all was sent");
    for index in (0..COUNT).filter(|index| index % 10 != 9) {
        at_bob.expect_text(&format!(r#"{{"message":"{index}","author":"Ann"}}"#));
    }
}

#[test]
fn a_sender_that_does_not_stop_does_not_hold_up_the_others() {
    let server = TestServer::start();
    let flood = server.pirate(&server.account("Flood"));
    let mut calm =
        server.guest(server.room(&json!({"title": "Calm", "visibility": "public"})), "Ann");
    let stream = flood.http.stream.try_clone().expect("a second handle");
    let thread = std::thread::spawn(move || {
        let text = json!({"message": "x".repeat(300)}).to_string();
        let bytes = frame(TEXT, true, text.as_bytes()).repeat(50);
        // Until the other handle is shut down. It never reads its acknowledgements.
        while std::io::Write::write_all(&mut &stream, &bytes).is_ok() {}
    });
    for index in 0..100 {
        let start = Instant::now();
        let text = format!("calm {index}");
        calm.say(&send("Ann", &text));
        calm.expect(&said(2, "Ann", &text));
        assert!(start.elapsed() < Duration::from_secs(3), "{index}: {:?}", start.elapsed());
    }
    flood.vanish();
    thread.join().expect("it stops");
}

#[test]
fn passwords_beyond_the_gate_are_503_and_nobody_else_waits() {
    let server = TestServer::start();
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = server.room(&den);
    let count = PASSWORD_WAITING_MAX + 40;
    let mut callers: Vec<Http> = (0..count).map(|_| server.http()).collect();
    let body = json!({"secret": "not the secret", "name": "Eve"}).to_string();
    let length = format!("Content-Length: {}\r\n", body.len());
    for http in &mut callers {
        http.request(&format!("POST /chats/{room}/token"), &length);
        http.send(&body);
    }
    // Chat works meanwhile.
    let mut ws = server.guest(1, "Ann");
    let start = Instant::now();
    ws.say(&send("Ann", "hello"));
    ws.expect(&said(1, "Ann", "hello"));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let mut refused = 0;
    for http in &mut callers {
        let response = http.response();
        match response.status {
            401 => assert_eq!(response.json()["error"]["code"], json!(304)),
            503 => {
                assert_eq!(response.header("retry-after"), Some("1"));
                assert_eq!(response.json()["error"]["code"], json!(503));
                refused += 1;
            }
            _ => panic!("{response:?}"),
        }
    }
    assert!((1..=40).contains(&refused), "{refused} of {count} were refused");
    server.token(room, "open sesame", "Ann");
}

#[test]
fn a_client_that_pings_and_never_reads_is_dropped() {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    let other = server.guest(1, "Other");
    witness.expect(&joined(1, "Other"));
    let stream = other.http.stream.try_clone().expect("a second handle");
    let thread = std::thread::spawn(move || {
        let bytes = frame(crate::kit::ws::PING, true, &[0; 125]).repeat(500);
        while std::io::Write::write_all(&mut &stream, &bytes).is_ok() {}
    });
    witness.expect(&left(1, "Other"));
    drop(other);
    thread.join().expect("it was cut off");
}

#[test]
fn many_come_and_go_at_once_and_all_are_accounted_for() {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    std::thread::scope(|scope| {
        for crowd in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for index in 0..40 {
                    let mut ws = server.ws("/chats/1/ws", "");
                    let name = format!("C{crowd}x{index}");
                    ws.say(&json!({"event_type": "join", "name": name}));
                    while ws.json()["name"] != json!(name) {}
                    match index % 3 {
                        0 => ws.vanish(),
                        1 => drop(ws),
                        _ => ws.bye(),
                    }
                }
            });
        }
    });
    let mut here = std::collections::BTreeSet::new();
    let mut gone = 0;
    while gone < 160 {
        let heard = witness.json();
        let name = heard["name"].as_str().expect("a name").to_owned();
        match heard["event_type"].as_str() {
            Some("join") => assert!(here.insert(name), "{heard}: twice"),
            Some("leave") => {
                assert!(here.remove(&name), "{heard}: not here");
                gone += 1;
            }
            _ => panic!("{heard}"),
        }
    }
    let users = server.ask("GET /chats/1", "", "").json()["users"].clone();
    assert_eq!(users.as_array().map(Vec::len), Some(1), "{users}");
    witness.say(&send("Witness", "alone"));
    assert!(matches!(witness.hear(), Heard::Text(_)));
}

#[test]
fn messages_that_never_end_do_not_hold_memory_for_ever() {
    let server = TestServer::start();
    let mut crowd: Vec<Ws> = (0..300).map(|_| server.ws("/chats/1/ws", "")).collect();
    let begun = frame(TEXT, false, "x".repeat(60_000).as_bytes());
    for ws in &mut crowd {
        ws.http.send(&begun);
    }
    // A client with complete messages is served.
    let mut ann = server.guest(1, "Ann");
    ann.say(&send("Ann", "hello"));
    ann.expect(&said(1, "Ann", "hello"));
    // 36 MB were begun (and take twice as much while they grow), so most of them had to make way.
    const REASON: &str = "too much incomplete input; send complete messages";
    let closed = |ws: &mut Ws| {
        ws.http.stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a deadline");
        loop {
            let mut some = [0; 4096];
            match std::io::Read::read(&mut ws.http.stream, &mut some) {
                Ok(count) if count > 0 => ws.http.buffer.extend_from_slice(&some[..count]),
                Ok(_) => return true,
                Err(_) => {
                    return ws
                        .http
                        .buffer
                        .windows(4)
                        .any(|b| b == [0x88, 2 + REASON.len() as u8, 0x03, 0xf5]);
                }
            }
        }
    };
    until("most make way", || crowd.iter_mut().map(closed).filter(|gone| *gone).count() > 100);
}
