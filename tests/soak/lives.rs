//! What people do, each for a few seconds: one function for each kind. Each opens and closes
//! everything that it uses.

use std::io::{Error, Result};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

use crate::client::{self, Line, PATIENCE};
use crate::world::World;

/// The kinds of lives, by name.
pub async fn live(world: &World) -> Result<()> {
    let number = world.number();
    match world.roll(12) {
        0..=3 => guest(world, number).await,
        4 | 5 => pirate(world, number).await,
        6 | 7 => chitchat(world, number).await,
        8 => room(world, number).await,
        9 | 10 => listener(world, number).await,
        _ => reader(world, number).await,
    }
}

/// An answer with one of these statuses; another is a fault, unless the server asks to wait.
async fn expect(
    world: &World,
    line: &str,
    headers: &str,
    body: &str,
    statuses: &[u16],
) -> Result<Value> {
    let answer = client::ask(world.port, line, headers, body).await?;
    match answer.status {
        429 | 503 => world.refused(),
        status if !statuses.contains(&status) => {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(Error::other(format!("{line}: {status} {body:.200}")));
        }
        _ => {}
    }
    Ok(answer.json())
}

/// The next frame for which `wanted` says so.
async fn hear(line: &mut Line, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let listening = async {
        loop {
            let frame: Value = serde_json::from_str(&line.hear().await?).unwrap_or(Value::Null);
            if wanted(&frame) {
                return Ok(frame);
            }
        }
    };
    timeout(PATIENCE, listening).await.unwrap_or_else(|_| Err(Error::other("nothing is heard")))
}

/// Sends one frame of the native protocol. Returns the number of its entry; `None`: refused.
async fn tell(world: &World, line: &mut Line, frame: Value) -> Result<Option<u64>> {
    let (id, began) = (frame["client_id"].clone(), Instant::now());
    line.say(&frame.to_string()).await?;
    let answers = ["ack", "error"];
    let is_answer = |frame: &Value| {
        frame["client_id"] == id && answers.contains(&frame["type"].as_str().unwrap_or_default())
    };
    let answer = hear(line, is_answer).await?;
    if answer["type"] == "error" {
        world.refused();
        return Ok(None);
    }
    world.acknowledged(began.elapsed());
    Ok(answer["seq"].as_u64())
}

/// A guest comes, talks, changes and deletes what it said, and leaves the name.
async fn guest(world: &World, number: usize) -> Result<()> {
    let begun = client::guest(world.port, &format!("guest{number}"), world.address(number)).await;
    let Ok(session) = begun else {
        world.refused();
        return Ok(());
    };
    let mut line = Line::dial(world.port).await?;
    let opened = line.upgrade("/api/v1/events?rooms=1", &session).await?;
    if opened.status == 101 {
        for index in 0..1 + world.roll(4) {
            let id = |what: &str| format!("{what}{number}-{index}");
            let text = format!("{} said the guest {number}", world.word());
            let send = json!({"type": "send", "room": 1, "client_id": id("s"), "text": text});
            let Some(seq) = tell(world, &mut line, send).await? else { continue };
            line.say(&json!({"type": "typing", "room": 1}).to_string()).await?;
            let change = match world.roll(4) {
                0 => json!({"type": "edit", "room": 1, "target": seq, "client_id": id("e"),
                    "text": format!("{} edited", world.word())}),
                1 => json!({"type": "delete", "room": 1, "target": seq, "client_id": id("d")}),
                2 => json!({"type": "react", "room": 1, "target": seq, "client_id": id("r"),
                    "emoji": "👍", "on": true}),
                _ => continue,
            };
            tell(world, &mut line, change).await?;
            sleep(world.pause()).await;
        }
    }
    // Some vanish without a word; their sessions expire.
    if world.roll(4) > 0 {
        expect(world, "DELETE /api/v1/sessions/current", &session, "", &[204, 401]).await?;
    }
    Ok(())
}

/// A login of an account, through Piratchat.
async fn login(world: &World, number: usize) -> Result<Option<String>> {
    let from = client::from(world.address(number));
    let body = format!(r#"{{"key":"{}"}}"#, world.key());
    let begun = client::ask(world.port, "POST /api/login", &from, &body).await?;
    if begun.cookie().is_none() {
        world.refused();
    }
    Ok(begun.cookie().map(|cookie| format!("Cookie: {cookie}\r\n{from}")))
}

async fn pirate(world: &World, number: usize) -> Result<()> {
    let Some(session) = login(world, number).await? else { return Ok(()) };
    let mut line = Line::dial(world.port).await?;
    if line.upgrade("/ws", &session).await?.status == 101 {
        for _ in 0..1 + world.roll(3) {
            let began = Instant::now();
            let text = format!("{} said the pirate {number}", world.word());
            line.say(&json!({"message": text}).to_string()).await?;
            hear(&mut line, |frame| frame["status"].is_boolean()).await?;
            world.acknowledged(began.elapsed());
            sleep(world.pause()).await;
        }
    }
    if world.roll(3) > 0 {
        expect(world, "GET /api/logout", &session, "", &[200]).await?;
    }
    Ok(())
}

async fn chitchat(world: &World, number: usize) -> Result<()> {
    let (name, from) = (format!("jack{number}"), client::from(world.address(number)));
    let mut line = Line::dial(world.port).await?;
    if line.upgrade("/chats/1/ws", &from).await?.status != 101 {
        world.refused();
        return Ok(());
    }
    line.say(&json!({"event_type": "join", "name": name}).to_string()).await?;
    let text = format!("{} said {name}", world.word());
    let began = Instant::now();
    line.say(&json!({"event_type": "send", "name": name, "msg": text}).to_string()).await?;
    let own = |frame: &Value| frame["msg"] == text || frame["status"] == false;
    hear(&mut line, own).await?;
    world.acknowledged(began.elapsed());
    sleep(world.pause()).await;
    Ok(())
}

/// A room with a password, from its first day to its last.
async fn room(world: &World, number: usize) -> Result<()> {
    let Some(session) = login(world, number).await? else { return Ok(()) };
    let room = json!({"title": format!("Den {number}"), "description": "for a while",
        "visibility": "private", "password": "land in sight"});
    let made = expect(world, "POST /api/v1/rooms", &session, &room.to_string(), &[201]).await?;
    let Some(id) = made["id"].as_u64() else { return Ok(()) };
    let key = json!({"name": format!("ann{number}"), "secret": "land in sight"}).to_string();
    let from = client::from(world.address(number));
    let given = expect(world, &format!("POST /chats/{id}/token"), &from, &key, &[201]).await?;
    if let Some(token) = given["token"].as_str() {
        let mut line = Line::dial(world.port).await?;
        let bearer = format!("Authorization: Bearer {token}\r\n{from}");
        if line.upgrade(&format!("/chats/{id}/ws"), &bearer).await?.status == 101 {
            let name = format!("ann{number}");
            line.say(&json!({"event_type": "join", "name": name}).to_string()).await?;
            line.say(&json!({"event_type": "send", "name": name, "msg": "here"}).to_string())
                .await?;
            hear(&mut line, |frame| frame["msg"] == "here" || frame["status"] == false).await?;
        }
    }
    expect(world, &format!("DELETE /api/v1/rooms/{id}"), &session, "", &[204]).await?;
    expect(world, "DELETE /api/v1/sessions/current", &session, "", &[204]).await.map(drop)
}

/// A stream in one of its forms, which ends and resumes.
async fn listener(world: &World, number: usize) -> Result<()> {
    let Some(session) = login(world, number).await? else { return Ok(()) };
    let mut since = String::new();
    for _ in 0..2 {
        let mut line = Line::dial(world.port).await?;
        let form = if world.roll(2) == 0 { "Accept: text/event-stream\r\n" } else { "" };
        let (ask, headers) = (format!("GET /api/v1/events{since}"), format!("{form}{session}"));
        let opened = line.ask(&ask, &headers, "").await?;
        if opened.status != 200 {
            world.refused();
            break;
        }
        let end = tokio::time::Instant::now() + Duration::from_millis(500) + world.pause();
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = tokio::time::timeout_at(end, line.stream.read(&mut buffer)).await {
            if read? == 0 {
                break;
            }
        }
        let about = expect(world, "GET /api/v1/server", &session, "", &[200]).await?;
        let seq = about["seq"].as_u64().unwrap_or(1).saturating_sub(20);
        since = format!("?since={}:{seq}", about["epoch"].as_str().unwrap_or_default());
    }
    expect(world, "DELETE /api/v1/sessions/current", &session, "", &[204]).await.map(drop)
}

/// Pages of history, lists and searches.
async fn reader(world: &World, number: usize) -> Result<()> {
    let Some(session) = login(world, number).await? else { return Ok(()) };
    let word = world.word();
    for path in [
        "/api/v1/rooms",
        "/api/v1/rooms/1/messages?limit=200",
        "/api/v1/rooms/1/members",
        &format!("/api/v1/search?q={word}"),
        "/api/v1/me",
        "/chats",
        "/api/online",
        "/",
    ] {
        expect(world, &format!("GET {path}"), &session, "", &[200]).await?;
        sleep(world.pause() / 8).await;
    }
    expect(world, "DELETE /api/v1/sessions/current", &session, "", &[204]).await.map(drop)
}
