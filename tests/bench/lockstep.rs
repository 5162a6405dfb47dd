//! Acknowledged messages: each sender waits until its message is durable, then sends the next. It
//! measures the path to the disk and back, and how well commits are shared.
//!
//! Over Piratchat all are in one room, and the sender gets `{"status":true}`. Over ChitChat each
//! has its own room, and receives its own message: the same, without the fan-out.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::flock::Flock;
use crate::load::{Mark, make_room, percentile, pid, port};
use crate::wire::{chitchat_join, chitchat_send, client_text, name, post, upgrade, words};
use crate::{Outcome, Words};

/// Acknowledgements in either protocol, up to the deciding bytes.
const PIRATCHAT_ACK: &[u8] = br#"{"status":true"#;
const CHITCHAT_ECHO: &[u8] = br#"{"event_type":"send""#;
/// The broadcast to others in Piratchat's room.
const PIRATCHAT_TOLD: [&[u8]; 2] = [br#"{"message""#, br#"{"event""#];

/// Reports `acks` in `seconds`, and the time of one.
pub fn run(words: &Words) -> Outcome<Words> {
    let piratchat = words.text("dialect")? == "piratchat";
    let (mut flock, frames) = if piratchat { pirates(words)? } else { hermits(words)? };
    // A floor acknowledges in its own format, in either protocol.
    let ack = if piratchat || words.count("join")? == 0 { PIRATCHAT_ACK } else { CHITCHAT_ECHO };
    let pid = pid(words)?;
    let warm = Instant::now() + Duration::from_secs_f64(words.number("warm")?);
    let end = warm + Duration::from_secs_f64(words.number("seconds")?);
    let mut sent_at = vec![Instant::now(); flock.len()];
    let mut ready: Vec<usize> = (0..flock.len()).collect();
    let mut times: Vec<u32> = Vec::new();
    let mut begun = None;
    let (mut unexpected, mut sent, mut acks) = (0u64, 0u64, 0u64);
    let end_mark = loop {
        let now = Instant::now();
        if begun.is_none() && now >= warm {
            begun = Some(Mark::set(pid)?);
            times.clear();
        }
        if now >= end {
            break Mark::set(pid)?;
        }
        for index in ready.drain(..) {
            sent_at[index] = Instant::now();
            flock.send(index, &frames[index]);
            sent += 1;
        }
        flock.pump(Duration::from_millis(10), |index, _, text| {
            if text.starts_with(ack) {
                let micros = sent_at[index].elapsed().as_micros();
                times.push(u32::try_from(micros).unwrap_or(u32::MAX));
                ready.push(index);
                acks += 1;
            } else if !(piratchat && PIRATCHAT_TOLD.iter().any(|told| text.starts_with(told))) {
                unexpected += 1;
            }
        })?;
    };
    let begun = begun.ok_or("nothing was measured")?;
    times.sort_unstable();
    let verdict = match (unexpected, sent - acks) {
        // At the end each sender may wait for one.
        (0, waiting) if waiting <= flock.len() as u64 && acks > 0 => "exact".to_owned(),
        (odd, waiting) => format!("{acks} acks, {waiting} missing, {odd} unexpected texts"),
    };
    Ok(begun
        .until(&end_mark)
        .with("acks", times.len())
        .with("p50_us", percentile(&times, 50))
        .with("p99_us", percentile(&times, 99))
        .with("verdict", verdict))
}

/// Accounts with a session and a websocket each, all in room 1, and the frame that each sends.
fn pirates(words: &Words) -> Outcome<(Flock, Vec<Vec<u8>>)> {
    let (port, mut flock) = (port(words)?, Flock::new()?);
    for index in 0..words.count("members")? {
        let account = post(port, "/api/register", &json!({ "username": name(index) }))?;
        let login = post(port, "/api/login", &json!({ "key": account.field("key")? }))?;
        let cookie = login.cookie().ok_or("a login without a cookie")?;
        flock.add(upgrade(port, "/ws", Some(cookie))?)?;
    }
    flock.settle()?;
    let frame = client_text(&json!({ "message": self::words(0) }).to_string());
    let frames = vec![frame; flock.len()];
    Ok((flock, frames))
}

/// Guests with a room each, and the frame that each sends.
fn hermits(words: &Words) -> Outcome<(Flock, Vec<Vec<u8>>)> {
    let (port, mut flock, mut frames) = (port(words)?, Flock::new()?, Vec::new());
    for index in 0..words.count("members")? {
        let path = make_room(port, &format!("Cell {index}"))?;
        flock.add(upgrade(port, &path, None)?)?;
        if words.count("join")? == 1 {
            flock.send(index, &chitchat_join(&name(index)));
        }
        frames.push(chitchat_send(&name(index), &self::words(0)));
    }
    flock.settle()?;
    Ok((flock, frames))
}
