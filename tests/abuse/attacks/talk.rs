//! Attacks by messages: on websockets, and in bulk.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{Statuses, Target};
use crate::client::{self, Line, ask, from, request};
use crate::frames::client_frame;

/// Sixteen guests write long messages as fast as they can.
pub async fn fill_the_disk(target: Target) -> String {
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let target = target.clone();
            tokio::task::spawn_local(async move { write(target, number).await })
        })
        .collect();
    let mut statuses = Statuses::default();
    for task in tasks {
        for status in task.await.expect("a guest") {
            statuses.count(status);
        }
    }
    statuses.show()
}

async fn write(target: Target, number: usize) -> Vec<u16> {
    let (mut found, end) = (Vec::new(), target.end());
    let Ok(session) = client::guest(target.port, &format!("writer {number}"), 1).await else {
        return found;
    };
    // In its own room: the lobby has its own limits.
    let room = json!({"title": format!("room {number}"), "visibility": "public"}).to_string();
    let made = ask(target.port, "POST /api/v1/rooms", &session, &room).await;
    let room = made.ok().and_then(|made| made.json()["id"].as_u64()).unwrap_or(1);
    let body = json!({"text": "x".repeat(3_900)}).to_string();
    let one = request(&format!("POST /api/v1/rooms/{room}/messages"), &session, &body);
    while Instant::now() < end {
        let Ok(mut line) = Line::dial(target.port).await else { continue };
        while Instant::now() < end {
            if line.send(one.repeat(8).as_bytes()).await.is_err() {
                break;
            }
            for _ in 0..8 {
                let Ok(answer) = line.answer().await else { break };
                found.push(answer.status);
            }
        }
    }
    found
}

/// One user adds a thousand kinds of reaction to a message; then another user adds one.
pub async fn reactions(target: Target) -> String {
    let (_, one) = client::account(target.port, "reactor", 1).await.expect("an account");
    let (_, other) = client::account(target.port, "other", 2).await.expect("an account");
    let said = ask(target.port, "POST /api/v1/rooms/1/messages", &one, r#"{"text":"look"}"#).await;
    let seq = said.expect("an answer").json()["seq"].as_u64().expect("a number");
    let mut line = Line::dial(target.port).await.expect("a connection");
    let (mut statuses, end) = (Statuses::default(), target.end());
    for code in (0x1F300..0x1F5FF_u32).chain(0x1F600..0x1F64F) {
        if Instant::now() > end {
            break;
        }
        let Some(emoji) = char::from_u32(code) else { continue };
        let path = format!("PUT {}", path_of(seq, emoji));
        let Ok(answer) = line.ask(&path, &one, "").await else { break };
        statuses.count(answer.status);
    }
    let path = format!("PUT {}", path_of(seq, '\u{1F44D}'));
    let put = ask(target.port, &path, &other, "").await.map_or(0, |put| put.status);
    let fault = if put == 200 { "" } else { "FAULT " };
    format!("{fault}{}; another's: {put}", statuses.show())
}

fn path_of(seq: u64, emoji: char) -> String {
    let mut bytes = [0; 4];
    let escaped: String =
        emoji.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/api/v1/rooms/1/messages/{seq}/reactions/{escaped}")
}

/// One websocket without an account joins and leaves as fast as it can.
pub async fn join_and_leave(target: Target) -> String {
    let join = json!({"event_type": "join", "name": "door"}).to_string();
    let leave = json!({"event_type": "leave", "name": "door"}).to_string();
    chatter(target, "/chats/1/ws", &from(1), &[join, leave]).await
}

/// One account sends typing events all the time.
pub async fn typing(target: Target) -> String {
    let (_, session) = client::account(target.port, "typist", 1).await.expect("an account");
    let typing = json!({"type": "typing", "room": 1}).to_string();
    chatter(target, "/api/v1/events", &session, &[typing]).await
}

/// Sends the same frame again and again, and discards the answers.
async fn chatter(target: Target, path: &str, headers: &str, words: &[String]) -> String {
    let (mut said, mut heard, mut lost) = (0_usize, Statuses::default(), 0);
    let end = target.end();
    let mut batch = Vec::new();
    for _ in 0..64 {
        for word in words {
            batch.extend(client_frame(0x81, word.as_bytes()));
        }
    }
    while Instant::now() < end {
        let Ok(mut line) = Line::dial(target.port).await else { continue };
        match line.upgrade(path, headers).await {
            Ok(answer) if answer.status == 101 => {}
            Ok(answer) => {
                heard.count(format!("upgrade {}", answer.status));
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            Err(_) => continue,
        }
        while Instant::now() < end {
            if line.send(&batch).await.is_err() {
                lost += 1;
                break;
            }
            said += 64 * words.len();
            let mut open = true;
            while let Ok(text) = timeout(Duration::from_millis(1), line.hear()).await {
                match text {
                    Ok(text) if text.contains("rate_limited") || text.contains("\"code\":305") => {
                        heard.count("rate limited");
                    }
                    Ok(_) => heard.count("others"),
                    Err(_) => {
                        open = false;
                        break;
                    }
                }
            }
            if !open {
                lost += 1;
                break;
            }
        }
    }
    format!("{said} events sent; heard {}; {lost} times closed", heard.show())
}

/// Several accounts search for long phrases at once.
pub async fn searches(target: Target) -> String {
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let target = target.clone();
            tokio::task::spawn_local(async move { search(target, number).await })
        })
        .collect();
    let mut statuses = Statuses::default();
    for task in tasks {
        for status in task.await.expect("a client") {
            statuses.count(status);
        }
    }
    // History can still be read.
    let (_, reader) = client::account(target.port, "reader", 99).await.expect("an account");
    let page = ask(target.port, "GET /api/v1/rooms/1/messages", &reader, "").await;
    let page = page.map_or(0, |page| page.status);
    let fault = if page == 200 { "" } else { "FAULT " };
    format!("{fault}{}; a page of history: {page}", statuses.show())
}

async fn search(target: Target, number: usize) -> Vec<u16> {
    let name = format!("searcher{number}");
    let Ok((_, session)) = client::account(target.port, &name, 20 + number).await else {
        return Vec::new();
    };
    // Long messages to be found.
    let text = "a b ".repeat(900);
    for _ in 0..5 {
        let body = json!({"text": text}).to_string();
        let _ = ask(target.port, "POST /api/v1/rooms/1/messages", &session, &body).await;
    }
    let phrase = format!("%22{}%22", "a+b+".repeat(700).trim_end_matches('+'));
    let queries = [phrase, "a+b+a+b".repeat(100), "a*+b*+%22b+a+b+a%22".to_owned()];
    let (mut found, end) = (Vec::new(), target.end());
    while Instant::now() < end {
        let Ok(mut line) = Line::dial(target.port).await else { continue };
        for query in queries.iter().cycle() {
            let path = format!("GET /api/v1/search?q={query}");
            let Ok(answer) = line.ask(&path, &session, "").await else { break };
            found.push(answer.status);
            if Instant::now() > end {
                break;
            }
        }
    }
    found
}
