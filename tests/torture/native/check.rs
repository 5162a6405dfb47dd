//! The final check of the native protocol: does the server's history equal the database, and does
//! every view equal both? History is read page by page, from the newest and from the oldest.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::native::Person;
use crate::native::view::{KINDS, Message, View};
use crate::verify::Log;
use crate::wire::{self, Request};
use crate::world::World;

/// Odd, so that pages end at varying places.
const PAGE: usize = 97;

/// A room's history as the API returns it, oldest first.
pub fn history(world: &World, who: &Person, room: u64) -> Result<Vec<(u64, Message)>, String> {
    let mut forward: Vec<(u64, Message)> = Vec::new();
    loop {
        let after = forward.last().map_or(0, |(seq, _)| *seq);
        let (part, more) = page(world, who, room, &format!("after={after}"))?;
        forward.extend(part);
        if !more.1 {
            break;
        }
    }
    let mut backward: Vec<(u64, Message)> = Vec::new();
    loop {
        let bound = backward.last().map(|(seq, _)| format!("before={seq}"));
        let (part, more) = page(world, who, room, &bound.unwrap_or_default())?;
        backward.extend(part.into_iter().rev());
        if !more.0 {
            break;
        }
    }
    backward.reverse();
    match forward == backward {
        true => Ok(forward),
        false => Err(format!("room {room}: its history depends on where one begins to read")),
    }
}

/// The messages of a page, and whether there are more before and after.
type Page = (Vec<(u64, Message)>, (bool, bool));

fn page(world: &World, who: &Person, room: u64, bound: &str) -> Result<Page, String> {
    let path = format!("/api/v1/rooms/{room}/messages?limit={PAGE}&{bound}");
    let answer = wire::ask(world.server, &who.authenticate(Request::new("GET", &*path)));
    let answer = answer.map_err(|error| format!("{path}: {error}"))?;
    let json = answer.json();
    let wrong = || format!("{path}: {}", answer.show());
    let read = |one: &Value| Some((one["seq"].as_u64()?, Message::read(one)?));
    let messages = json["messages"].as_array().ok_or_else(wrong)?.iter().map(read);
    let messages: Option<Vec<(u64, Message)>> = messages.collect();
    let (before, after) = (json["more_before"].as_bool(), json["more_after"].as_bool());
    let more = before.zip(after).ok_or_else(wrong)?;
    Ok((messages.ok_or_else(wrong)?, more))
}

/// Does the API's history of a room equal the database?
pub fn against_log(room: u64, history: &[(u64, Message)], log: &Log, world: &World) {
    let expected: Vec<(u64, Message)> = log
        .rows
        .iter()
        .filter(|row| row.room == room)
        .map(|row| {
            let mut message = Message {
                room,
                author: row.author.clone(),
                client_id: row.client_id.clone(),
                reply_to: row.reply_to,
                text: row.text.clone(),
                ..Message::default()
            };
            for (_, emoji, by, on) in log.reactions.iter().filter(|reaction| reaction.0 == row.seq)
            {
                message.react(emoji, by, *on);
            }
            if message.text.is_none() {
                message.delete();
            }
            (row.seq, message)
        })
        .collect();
    compare(&format!("the history of room {room}"), &expected, history, world);
}

/// Was every event of the rooms sent, in order, and does the result equal the history?
pub fn against_view(
    view: &View,
    log: &Log,
    histories: &BTreeMap<u64, Vec<(u64, Message)>>,
    world: &World,
) {
    let last = view.told.last().map_or(view.begin, |(seq, _)| *seq);
    let mine = |room: u64, seq: u64| view.rooms.contains(&room) && view.begin < seq && seq <= last;
    // An edited and then deleted message has no text any more: a client that missed the edit gets
    // the deletion only, others get both.
    let wordless = |seq: u64, kind: &str| kind == "edited" && log.edits_of_deleted.contains(&seq);
    let expected: Vec<(u64, &str)> = log
        .happened
        .iter()
        .filter(|entry| {
            mine(entry.room, entry.seq) && KINDS.iter().any(|(_, kind)| entry.kind == *kind)
        })
        .map(|entry| (entry.seq, &*entry.kind))
        .filter(|event| !wordless(event.0, event.1) || view.told.binary_search(event).is_ok())
        .collect();
    let name = &view.name;
    if let Some(at) = differ(&expected, &view.told) {
        let (has, told) = (expected.get(at), view.told.get(at));
        world.problem(format!("{name}: after {at} frames the log has {has:?}, told was {told:?}"));
    }
    let all = histories.values().flatten();
    let mut expected: Vec<(u64, Message)> =
        all.filter(|(seq, message)| mine(message.room, *seq)).cloned().collect();
    expected.sort_by_key(|(seq, _)| *seq);
    let view: Vec<(u64, Message)> =
        view.messages.iter().map(|(seq, message)| (*seq, message.clone())).collect();
    compare(name, &expected, &view, world);
}

fn compare(name: &str, expected: &[(u64, Message)], found: &[(u64, Message)], world: &World) {
    if let Some(at) = differ(expected, found) {
        let (expected, found) = (expected.get(at), found.get(at));
        world.problem(format!("{name}: message {at}:\n  expected {expected:?}\n  is {found:?}"));
    }
}

/// The first place where two lists differ.
fn differ<T: PartialEq>(one: &[T], other: &[T]) -> Option<usize> {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    (same < one.len().max(other.len())).then_some(same)
}
