//! A ChitChat client: a guest on a websocket in one room. It receives its own messages, which
//! acknowledges them. Like Piratchat, its protocol has no resume and no idempotent send.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::verify::Heard;
use crate::wire::{Line, PATIENCE, Request, Websocket};
use crate::world::{LAST, Phase, Stage, World, tag};

/// Messages in flight. (More would only lengthen the wait.)
const IN_FLIGHT_MAX: usize = 8;

pub struct Client<'a> {
    world: &'a World,
    dice: Dice,
    name: String,
    room: u64,
    sent: u64,
    heard: Heard,
    done: bool,
}

/// The state of one connection.
#[derive(Clone, Copy, PartialEq)]
enum Joined {
    No,
    Asked(Instant),
    Yes,
}

impl<'a> Client<'a> {
    pub fn new(world: &'a World, number: u64, room: u64) -> Client<'a> {
        let name = format!("guest{number}");
        world.report(&name, Stage::Busy);
        let dice = Dice::new(world.seed, 200 + number);
        let heard = Heard::new(&name, room, true);
        Client { world, dice, name, room, sent: 0, heard, done: false }
    }

    /// Runs until it has the last messages.
    pub fn run(mut self) -> Heard {
        while !self.done && self.world.problems().is_empty() {
            let request = Request::new("GET", format!("/chats/{}/ws", self.room));
            let opened = Line::dial(self.world.proxy).and_then(|line| line.websocket(request));
            match opened {
                Ok(Ok(socket)) => self.converse(socket),
                Ok(Err(answer)) => self.problem(&format!("/chats/…/ws: {}", answer.show())),
                Err(error) => self.world.lost(&self.name, &error),
            }
            self.dice.sleep(1, 60);
        }
        self.world.report(&self.name, Stage::Done);
        self.heard
    }

    fn converse(&mut self, mut socket: Websocket) {
        self.heard.connected();
        let mut unsure: VecDeque<(String, Instant)> = VecDeque::new();
        let mut joined = Joined::No;
        loop {
            let phase = self.world.phase();
            let say = match joined {
                Joined::No => {
                    joined = Joined::Asked(Instant::now());
                    Some(json!({ "event_type": "join", "name": self.name }))
                }
                Joined::Asked(since) if since.elapsed() > PATIENCE => return,
                Joined::Yes if phase == Phase::Storm => {
                    if self.dice.chance(3) {
                        self.world.counts.freezes.fetch_add(1, Relaxed);
                        self.dice.sleep(100, 1500);
                    }
                    if self.dice.chance(3) {
                        return if self.dice.chance(500) {
                            socket.close()
                        };
                    }
                    let speaks = unsure.len() < IN_FLIGHT_MAX && self.dice.chance(250);
                    speaks.then(|| {
                        let text = self.words();
                        unsure.push_back((tag(&text).to_owned(), Instant::now()));
                        json!({ "event_type": "send", "name": self.name, "msg": text })
                    })
                }
                _ => None,
            };
            if let Some(say) = say
                && let Err(error) = socket.say(&say)
            {
                return self.world.lost(&self.name, &error);
            }
            if phase > Phase::Storm && unsure.is_empty() && joined == Joined::Yes {
                self.world.report(&self.name, Stage::Settled);
            }
            match socket.hear() {
                Ok(Some(text)) => self.hear(&text, &mut unsure, &mut joined),
                Ok(None) => {}
                Err(error) => return self.world.lost(&self.name, &error),
            }
            if self.done || !self.world.problems().is_empty() {
                return socket.close();
            }
            if unsure.front().is_some_and(|(_, since)| since.elapsed() > PATIENCE) {
                return; // They stay unsure: this protocol cannot ask about them.
            }
        }
    }

    fn words(&mut self) -> String {
        self.sent += 1;
        self.world.words(&mut self.dice, (&self.name, self.sent), self.room, 4000)
    }

    fn hear(&mut self, text: &str, unsure: &mut VecDeque<(String, Instant)>, joined: &mut Joined) {
        let told: Value = serde_json::from_str(text).unwrap_or_default();
        let field = |name: &str| told[name].as_str().unwrap_or_default();
        let (name, said) = (field("name"), field("msg"));
        match field("event_type") {
            "join" if name == self.name => *joined = Joined::Yes,
            "join" | "leave" => {}
            "send" => {
                if told["room_id"] != self.room {
                    self.problem(&format!("heard of another room: {text}"));
                }
                self.done |= self.world.phase() == Phase::LastMessages && said.starts_with(LAST);
                self.heard.message(name, said);
                if name == self.name {
                    self.hear_myself(tag(said), unsure);
                }
            }
            // The server has not noticed the end of the last connection yet.
            _ if told["error"]["code"] == 202 && *joined != Joined::Yes => {
                std::thread::sleep(Duration::from_millis(50));
                *joined = Joined::No;
            }
            _ => self.problem(&format!("heard {text}")),
        }
    }

    /// In the order of sending. A message in flight when an earlier connection ended can still
    /// arrive, and is acknowledged by that.
    fn hear_myself(&mut self, tag: &str, unsure: &mut VecDeque<(String, Instant)>) {
        self.world.acknowledged(tag);
        match unsure.iter().position(|(one, _)| one == tag) {
            Some(0) => drop(unsure.pop_front()),
            Some(_) => self.problem(&format!("heard {tag} before {}", unsure[0].0)),
            None => {}
        }
    }

    fn problem(&self, problem: &str) {
        self.world.problem(format!("{}: {problem}", self.name));
    }
}
