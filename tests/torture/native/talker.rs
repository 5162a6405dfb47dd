//! A websocket that sends and listens: it has many actions in flight, gets the replies in order,
//! and after a cut repeats the unanswered ones, in the same order.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use serde_json::{Value, json};

use crate::native::reader::{begin, reason};
use crate::native::view::View;
use crate::native::{Author, Op};
use crate::wire::{Line, PATIENCE, Request, Websocket};
use crate::world::{Stage, tag};

const IN_FLIGHT_MAX: usize = 20;
/// Together these long messages exceed what the server queues for a stalled reader.
const BURST: usize = 40;

pub struct Talker<'a> {
    author: Author<'a>,
    view: View,
    ops: u64,
    unsure: VecDeque<Unsure>,
    goodbyes: BTreeSet<u64>,
}

/// Sent and not answered.
struct Unsure {
    op: Op,
    client_id: String,
    since: Instant,
    repeated: bool,
}

impl<'a> Talker<'a> {
    pub fn new(author: Author<'a>) -> Talker<'a> {
        author.world.report(&author.person.name, Stage::Busy);
        let view = begin(author.world, &author.person, &[]);
        Talker { author, view, ops: 0, unsure: VecDeque::new(), goodbyes: BTreeSet::new() }
    }

    /// Runs until it has the last messages of all its rooms.
    pub fn run(mut self) -> View {
        let world = self.author.world;
        while !self.done() {
            world.counts.resumes.fetch_add(1, Relaxed);
            self.view.connected();
            let path = format!("/api/v1/events?since={}", self.view.since());
            let request = self.author.person.authenticate(Request::new("GET", path));
            match Line::dial(world.proxy).and_then(|line| line.websocket(request)) {
                Ok(Ok(socket)) => self.converse(socket),
                Ok(Err(answer)) if matches!(answer.status, 429 | 503) => {}
                Ok(Err(answer)) => self.author.problem(&format!("stream: {}", answer.show())),
                Err(error) => world.lost(&self.author.person.name, &error),
            }
            self.author.dice.sleep(1, 60);
        }
        world.report(&self.author.person.name, Stage::Done);
        self.view
    }

    fn done(&self) -> bool {
        let heard = self.view.rooms.iter().all(|room| self.goodbyes.contains(room));
        heard || !self.author.world.problems().is_empty()
    }

    fn converse(&mut self, mut socket: Websocket) {
        let world = self.author.world;
        let name = self.author.person.name.clone();
        for unsure in &mut self.unsure {
            (unsure.repeated, unsure.since) = (true, Instant::now());
            self.author.repeats(&unsure.op);
            world.counts.repeats.fetch_add(1, Relaxed);
            if let Err(error) = socket.say(&frame(&unsure.op, &unsure.client_id)) {
                return world.lost(&name, &error);
            }
        }
        loop {
            let storms = world.storms();
            if storms {
                if let Err(error) = self.talk(&mut socket) {
                    return world.lost(&name, &error);
                }
                if self.author.dice.chance(3) {
                    world.counts.freezes.fetch_add(1, Relaxed);
                    self.author.dice.sleep(100, 1500);
                }
                if self.author.dice.chance(3) {
                    return if self.author.dice.chance(500) {
                        socket.close()
                    };
                }
            } else if self.unsure.is_empty() && self.view.caught_up {
                world.report(&name, Stage::Settled);
            }
            match socket.hear() {
                Ok(Some(text)) => self.hear(&text),
                Ok(None) => {}
                Err(error) => return world.lost(&name, &error),
            }
            if self.done() {
                return socket.close();
            }
            if self.unsure.front().is_some_and(|action| action.since.elapsed() > PATIENCE * 2) {
                return;
            }
        }
    }

    fn talk(&mut self, socket: &mut Websocket) -> std::io::Result<()> {
        if self.unsure.len() >= IN_FLIGHT_MAX || !self.author.dice.chance(300) {
            return Ok(());
        }
        let burst = self.author.dice.chance(4);
        let room = *self.author.dice.pick(&self.author.person.rooms);
        for _ in 0..if burst { BURST } else { 1 } {
            let op = match burst {
                true => self.author.shout(room),
                false => self.author.next(),
            };
            self.ops += 1;
            let client_id = match &op {
                Op::Send { text, .. } => tag(text).to_owned(),
                _ => format!("{}-op-{}", self.author.person.name, self.ops),
            };
            let say = frame(&op, &client_id);
            self.unsure.push_back(Unsure { op, client_id, since: Instant::now(), repeated: false });
            socket.say(&say)?;
        }
        Ok(())
    }

    fn hear(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        if let Err(why) = self.view.fold(&frame) {
            let since = self.view.since();
            let text: String = text.chars().take(400).collect();
            return self.author.problem(&format!("at {since}: {why}: {text}"));
        }
        if frame["type"] == "bye" {
            self.author.world.counts.thrown_out.fetch_add(1, Relaxed);
        }
        if frame["type"] == "message"
            && let (Some(room), Some(seq)) = (frame["room"].as_u64(), frame["seq"].as_u64())
        {
            self.author.saw(room, seq);
        }
        if frame["type"] == "ack" || frame["type"] == "error" {
            self.answered(&frame);
        }
        if let Some(room) = reason(self.author.world, &frame) {
            self.goodbyes.insert(room);
        }
    }

    /// Replies come in the order of the messages.
    fn answered(&mut self, frame: &Value) {
        let Some(first) = self.unsure.pop_front() else {
            return self.author.problem(&format!("an answer to nothing: {frame}"));
        };
        if frame["client_id"] != *first.client_id {
            let waits = &first.client_id;
            return self.author.problem(&format!("{frame} is not what {waits} waits for"));
        }
        match (frame["type"].as_str(), frame["error"]["code"].as_str()) {
            (Some("ack"), _) => self.author.succeeded(first.op, frame["seq"].as_u64()),
            (_, Some("message_not_found")) => self.author.not_found(first.op, first.repeated),
            _ => self.author.problem(&format!("{frame} for {:?}", first.op)),
        }
    }
}

fn frame(op: &Op, client_id: &str) -> Value {
    match op {
        Op::Send { room, text, reply_to: None } => {
            json!({ "type": "send", "room": room, "client_id": client_id, "text": text })
        }
        Op::Send { room, text, reply_to } => json!({
            "type": "send", "room": room, "client_id": client_id, "text": text,
            "reply_to": reply_to
        }),
        Op::Edit { own, text } => json!({
            "type": "edit", "room": own.room, "target": own.seq, "text": text,
            "client_id": client_id
        }),
        Op::Delete { own } => json!({
            "type": "delete", "room": own.room, "target": own.seq, "client_id": client_id
        }),
        Op::React { room, target, emoji, on, .. } => json!({
            "type": "react", "room": room, "target": target, "emoji": emoji, "on": on,
            "client_id": client_id
        }),
    }
}
