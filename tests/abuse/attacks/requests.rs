//! Attacks by complete requests: their cost, and the tables that they fill.

use std::io::Result;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{Statuses, Target};
use crate::client::{self, Line, ask, from, request};

/// The number of rooms in a list.
const ROOMS: usize = 5_000;

/// The database is locked for a second, while one account moves its read marker as fast as it can;
/// then it sends a message.
pub async fn marks_while_locked(target: Target) -> String {
    let (_, session) = client::account(target.port, "marker", 1).await.expect("an account");
    let database = target.database.clone();
    let lock = std::thread::spawn(move || {
        let other = Connection::open(database).expect("the database");
        other.busy_timeout(Duration::from_secs(5)).expect("a setting");
        other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
        std::thread::sleep(Duration::from_secs(2));
        other.execute_batch("ROLLBACK").expect("no lock");
    });
    let tasks: Vec<_> =
        (0..4).map(|_| tokio::task::spawn_local(mark(target.clone(), session.clone()))).collect();
    let mut statuses = Statuses::default();
    for task in tasks {
        for (status, count) in task.await.expect("a client") {
            statuses.add(status, count);
        }
    }
    lock.join().expect("somebody else");
    // (The markers have used up the account's rate limit.)
    let (_, other) = client::account(target.port, "other", 2).await.expect("an account");
    let body = r#"{"text":"and a word"}"#;
    let said = ask(target.port, "POST /api/v1/rooms/1/messages", &other, body).await;
    let said = said.map_or(0, |said| said.status);
    let fault = if said == 201 { "" } else { "FAULT " };
    format!("{fault}{}; a message in the end: {said}", statuses.show())
}

/// One at a time, so that each is its own round.
async fn mark(target: Target, session: String) -> Vec<(u16, usize)> {
    let (mut found, end) = (std::collections::BTreeMap::new(), target.end());
    let mut seq = 0;
    while Instant::now() < end {
        let Ok(mut line) = Line::dial(target.port).await else { break };
        while Instant::now() < end {
            seq += 1;
            let body = format!(r#"{{"seq":{seq}}}"#);
            let Ok(answer) = line.ask("PUT /api/v1/rooms/1/read", &session, &body).await else {
                break;
            };
            *found.entry(answer.status).or_default() += 1;
        }
    }
    found.into_iter().collect()
}

/// A few thousand rooms, and messages in one.
pub async fn make_rooms(target: Target) -> String {
    let (_, session) = client::account(target.port, "maker", 1).await.expect("an account");
    let mut line = Line::dial(target.port).await.expect("a connection");
    let description = "d".repeat(70);
    for first in (0..ROOMS).step_by(100) {
        let mut burst = String::new();
        for number in first..first + 100 {
            let title = format!("{} {number}", "t".repeat(60));
            let room = json!({"title": title, "description": description, "visibility": "public"});
            burst += &request("POST /chats", "", &room.to_string());
        }
        line.send(burst.as_bytes()).await.expect("a connection");
        for _ in 0..100 {
            assert_eq!(line.answer().await.expect("an answer").status, 201);
        }
    }
    for _ in 0..300 {
        let body = json!({"text": "w".repeat(3_900)}).to_string();
        let said = line.ask("POST /api/v1/rooms/1/messages", &session, &body).await;
        assert_eq!(said.expect("an answer").status, 201);
    }
    String::new()
}

/// Four clients request the list of all rooms, again and again.
pub async fn list_rooms(target: Target) -> String {
    let tasks: Vec<_> =
        (0..4).map(|one| tokio::task::spawn_local(list(target.clone(), one))).collect();
    let mut statuses = Statuses::default();
    for task in tasks {
        for status in task.await.expect("a client") {
            statuses.count(status);
        }
    }
    statuses.show()
}

async fn list(target: Target, number: usize) -> Vec<u16> {
    let (mut found, end) = (Vec::new(), target.end());
    while Instant::now() < end {
        let Ok(mut line) = Line::dial(target.port).await else { continue };
        while Instant::now() < end {
            let Ok(answer) = line.ask("GET /chats", &from(10 + number), "").await else { break };
            found.push(answer.status);
            if answer.status == 429 {
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
    found
}

/// Guests from many addresses write to one person, each in a room of the two.
pub async fn direct_rooms(target: Target) -> String {
    let (_, victim) = client::account(target.port, "victim", 1).await.expect("an account");
    let (mut statuses, end) = (Statuses::default(), target.end());
    let mut number = 0;
    while Instant::now() < end {
        number += 1;
        let one = stranger(target.port, number, &mut statuses).await;
        if one.is_err() {
            statuses.count("lost");
        }
    }
    // The victim can still make a room, join another, and receive messages.
    let room = json!({"title": "of the victim", "visibility": "public"}).to_string();
    let made = ask(target.port, "POST /api/v1/rooms", &victim, &room).await;
    let made = made.map_or(0, |made| made.status);
    let Ok((_, friend)) = client::account(target.port, "friend", 900_000).await else {
        return format!("FAULT nobody can register any more; {}", statuses.show());
    };
    let direct = ask(target.port, "PUT /api/v1/users/victim/room", &friend, "{}").await;
    let direct = direct.map_or(0, |direct| direct.status);
    if made == 201 && matches!(direct, 200 | 201) {
        format!("{} strangers: {}", number, statuses.show())
    } else {
        format!("FAULT the victim makes a room: {made}, is written to: {direct}")
    }
}

async fn stranger(port: u16, number: usize, statuses: &mut Statuses) -> Result<()> {
    let address = 10_000 + number / 8; // Eight behind each address.
    let mut line = Line::dial(port).await?;
    let body = format!(r#"{{"name":"stranger {number}"}}"#);
    let begun = line.ask("POST /api/v1/guests", &from(address), &body).await?;
    statuses.count(format!("guest {}", begun.status));
    let Some(cookie) = begun.cookie() else { return Ok(()) };
    let session = format!("Cookie: {cookie}\r\n{}", from(address));
    let opened = line.ask("PUT /api/v1/users/victim/room", &session, "{}").await?;
    statuses.count(format!("room {}", opened.status));
    if let Some(room) = opened.json()["id"].as_u64() {
        let said = format!("POST /api/v1/rooms/{room}/messages");
        let said = line.ask(&said, &session, r#"{"text":"hello"}"#).await?;
        statuses.count(format!("message {}", said.status));
    }
    Ok(())
}

/// Two dozen connections enter their own room again and again, which hashes a password each time;
/// meanwhile a user tries to enter another room.
pub async fn passwords(target: Target) -> String {
    let room = |title: &str| {
        json!({"title": title, "visibility": "private", "password": "a long password"}).to_string()
    };
    for (title, address) in [("of the attacker", 1), ("of the others", 2)] {
        let made = ask(target.port, "POST /chats", &from(address), &room(title)).await;
        assert_eq!(made.expect("an answer").status, 201);
    }
    let hammers: Vec<_> = (0..24)
        .map(|number| {
            let target = target.clone();
            tokio::task::spawn_local(async move { hammer(target, number).await })
        })
        .collect();
    let (mut entered, mut refused, end) = (0, Statuses::default(), target.end());
    let mut longest = Duration::ZERO;
    let mut number = 0;
    while Instant::now() < end {
        number += 1;
        let body = json!({"name": format!("friend {number}"), "secret": "a long password"});
        let asked = Instant::now();
        let line = "POST /chats/of%20the%20others/token";
        match ask(target.port, line, &from(100 + number), &body.to_string()).await {
            Ok(answer) if answer.status == 201 => entered += 1,
            Ok(answer) => refused.count(answer.status),
            Err(error) => refused.count(error),
        }
        longest = longest.max(asked.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    for hammer in hammers {
        hammer.await.expect("an attacker");
    }
    let fault = if entered * 2 < number { "FAULT " } else { "" };
    format!(
        "{fault}{entered} of {number} got in, {longest:.1?} at most; refused: {}",
        refused.show()
    )
}

async fn hammer(target: Target, number: usize) {
    let end = target.end();
    while Instant::now() < end {
        let body = json!({"name": format!("a{number}"), "secret": "a long password"}).to_string();
        let line = "POST /chats/of%20the%20attacker/token";
        let _ = timeout(target.span, ask(target.port, line, &from(1), &body)).await;
    }
}

/// A client guesses the passwords of a hidden room, from one address that claims to be many.
pub async fn guessing(target: Target) -> String {
    let room = json!({"title": "cellar", "visibility": "hidden", "password": "a long password"});
    let (_, owner) = client::account(target.port, "owner", 1).await.expect("an account");
    let made = ask(target.port, "POST /api/v1/rooms", &owner, &room.to_string()).await;
    let id = made.expect("an answer").json()["id"].as_u64().expect("a room");
    let (_, session) = client::account(target.port, "guesser", 2).await.expect("an account");
    let mut line = Line::dial(target.port).await.expect("a connection");
    let (mut statuses, end, mut number) = (Statuses::default(), target.end(), 0);
    while Instant::now() < end {
        number = (number + 1) % 60_000;
        let body = format!(r#"{{"password":"guess {number:08}"}}"#);
        let path = format!("PUT /api/v1/rooms/{id}/membership");
        // The last address is the one that the proxy has seen; those before it are lies.
        let session = session.replace(
            "X-Forwarded-For: ",
            &format!("X-Forwarded-For: 127.0.0.1, 10.9.{}.{}, ", number / 250 % 250, number % 250),
        );
        let Ok(answer) = line.ask(&path, &session, &body).await else {
            line = Line::dial(target.port).await.expect("a connection");
            continue;
        };
        statuses.count(answer.status);
    }
    if statuses.of(429) == 0 {
        return format!("FAULT nobody stops a guesser: {}", statuses.show());
    }
    let (friends, body) = (from(500), r#"{"name":"friend","secret":"a long password"}"#);
    let friend = ask(target.port, &format!("POST /chats/{id}/token"), &friends, body).await;
    let friend = friend.map_or(0, |friend| friend.status);
    let fault = if friend == 201 { "" } else { "FAULT " };
    format!("{fault}{}; a friend with the password: {friend}", statuses.show())
}
