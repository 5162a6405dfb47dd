//! Attacks by connections that hold a slot, never end, or do not read.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Statuses, Target};
use crate::client::{self, Line, ask, frame, from};

/// A hundred readers take a few kilobytes a second of long answers.
pub async fn slow_readers(target: Target) -> String {
    let (_, session) = client::account(target.port, "slow", 1).await.expect("an account");
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let (target, session) = (target.clone(), session.clone());
            tokio::task::spawn_local(async move { read_slowly(target, number, &session).await })
        })
        .collect();
    let mut statuses = Statuses::default();
    for task in tasks {
        statuses.count(task.await.expect("a reader"));
    }
    statuses.show()
}

async fn read_slowly(target: Target, number: usize, session: &str) -> &'static str {
    let end = target.end();
    let Ok(mut line) = Line::dial(target.port).await else { return "refused" };
    let _ = socket2::SockRef::from(&line.stream).set_recv_buffer_size(4_096);
    let (path, headers) = match number % 2 {
        0 => ("/chats", from(50 + number)),
        _ => ("/api/v1/rooms/1/messages?limit=200", session.to_owned()),
    };
    let text = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    if line.send(text.repeat(4).as_bytes()).await.is_err() {
        return "cut";
    }
    let mut buffer = [0; 400];
    while Instant::now() < end {
        sleep(Duration::from_millis(200)).await;
        match line.stream.try_read(&mut buffer) {
            Ok(0) => return "ended by the server",
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return "cut",
            _ => {}
        }
    }
    "still reading"
}

/// Websockets without an account take all the slots they get, send nothing, and stay.
pub async fn slots(target: Target) -> String {
    let (mut held, mut statuses) = (Vec::new(), Statuses::default());
    let end = target.end();
    for number in 0..900 {
        if Instant::now() > end {
            break;
        }
        // Four connections from each address.
        let Ok(mut line) = Line::dial(target.port).await else {
            statuses.count("refused");
            continue;
        };
        let from = from(1 + number / 4);
        let upgraded = line.upgrade("/chats/1/ws", &from);
        match tokio::time::timeout(Duration::from_millis(200), upgraded).await {
            Ok(Ok(answer)) => statuses.count(answer.status),
            Ok(Err(_)) => statuses.count("closed"),
            Err(_) => statuses.count("no answer"),
        }
        held.push(line);
    }
    let health = ask(target.port, "GET /healthz", &from(90_000), "").await;
    let health = health.map_or(0, |health| health.status);
    let member = client::account(target.port, "late", 90_001).await;
    let chats = match &member {
        Ok((_, session)) => match Line::dial(target.port).await {
            Ok(mut line) => {
                line.upgrade("/api/v1/events", session).await.map_or(0, |answer| answer.status)
            }
            Err(_) => 0,
        },
        Err(_) => 0,
    };
    tokio::time::sleep_until(end).await;
    let fault = if health == 200 && chats == 101 { "" } else { "FAULT " };
    format!("{fault}{}; /healthz {health}, a member's stream {chats}", statuses.show())
}

/// Heads sent a byte at a time, on many connections.
pub async fn slow_heads(target: Target) -> String {
    let (mut held, end) = (Vec::new(), target.end());
    let mut cut = 0;
    while Instant::now() < end {
        if held.len() < 1_500 {
            for _ in 0..50 {
                if let Ok(mut line) = Line::dial(target.port).await
                    && line.send(b"GET / HTTP/1.1\r\nHost: local").await.is_ok()
                {
                    held.push(line);
                }
            }
        }
        let mut left = Vec::new();
        for line in held {
            match line.stream.try_write(b"a") {
                Ok(_) => left.push(line),
                Err(_) => cut += 1,
            }
        }
        held = left;
        sleep(Duration::from_millis(50)).await;
    }
    let health =
        ask(target.port, "GET /healthz", "", "").await.map_or(0, |response| response.status);
    let fault = if health == 200 { "" } else { "FAULT " };
    format!("{fault}{} heads unfinished, {cut} cut; /healthz {health}", held.len())
}

/// Websocket messages, bodies and frames that never end.
pub async fn never_ending(target: Target) -> String {
    let (mut held, mut statuses) = (Vec::new(), Statuses::default());
    let end = target.end();
    for number in 0..500 {
        if Instant::now() > end {
            break;
        }
        let Ok(mut line) = Line::dial(target.port).await else { continue };
        let sent = match number % 3 {
            // Fragments without a last one.
            0 => match line.upgrade("/chats/1/ws", &from(1 + number)).await {
                Ok(_) => {
                    let mut bytes = frame(0x01, &[b'x'; 30_000]);
                    bytes.extend(frame(0x00, &[b'x'; 30_000]));
                    line.send(&bytes).await
                }
                Err(error) => Err(error),
            },
            // An incomplete frame.
            1 => match line.upgrade("/chats/1/ws", &from(1 + number)).await {
                Ok(_) => line.send(&frame(0x81, &[b'x'; 65_000])[..64_000]).await,
                Err(error) => Err(error),
            },
            // An incomplete body.
            _ => {
                let head =
                    "POST /chats HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65000\r\n\r\n";
                line.send(format!("{head}{}", "x".repeat(60_000)).as_bytes()).await
            }
        };
        statuses.count(if sent.is_ok() { "sent" } else { "cut" });
        held.push(line);
    }
    while Instant::now() < end {
        sleep(Duration::from_millis(100)).await;
    }
    statuses.show()
}

/// Pings as fast as possible, whose pongs the client never reads.
pub async fn pings(target: Target) -> String {
    let (mut statuses, end) = (Statuses::default(), target.end());
    let mut lines = Vec::new();
    for number in 0..8 {
        let Ok(mut line) = Line::dial(target.port).await else { continue };
        if line.upgrade("/chats/1/ws", &from(1 + number)).await.is_ok() {
            lines.push(line);
        }
    }
    let batch = frame(0x89, &[b'p'; 100]).repeat(100);
    while Instant::now() < end && !lines.is_empty() {
        let mut left = Vec::new();
        for line in lines {
            match line.stream.try_write(&batch) {
                Ok(_) => {
                    statuses.count("sent");
                    left.push(line);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => left.push(line),
                Err(_) => statuses.count("cut"),
            }
        }
        lines = left;
        sleep(Duration::from_millis(1)).await;
    }
    statuses.show()
}

/// Random bytes, and invalid frames, on one connection after the other.
pub async fn garbage(target: Target) -> String {
    let (mut statuses, end) = (Statuses::default(), target.end());
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    while Instant::now() < end {
        let bytes: Vec<u8> = (0..1 + random() % 300).map(|_| random() as u8).collect();
        let Ok(mut line) = Line::dial(target.port).await else { continue };
        if random().is_multiple_of(2) {
            let _ = line.upgrade("/chats/1/ws", &from(1 + (random() % 50) as usize)).await;
        }
        let _ = line.send(&bytes).await;
        statuses.count("tried");
    }
    statuses.show()
}
