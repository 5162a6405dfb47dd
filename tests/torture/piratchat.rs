//! A Piratchat client: one websocket into the lobby, a few messages in flight, acknowledged in
//! order. Its protocol has no resume and no idempotent send, so what it misses while it is away
//! stays missed, and an unsure message stays unsure; but one connection receives everything sent
//! meanwhile.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::verify::Heard;
use crate::wire::{self, Answer, Line, PATIENCE, Request, Websocket};
use crate::world::{LAST, Phase, Stage, World, tag};

/// See [`IN_FLIGHT_MAX`](crate::chitchat): the same.
const IN_FLIGHT_MAX: usize = 8;
const LOBBY: u64 = 1;

pub struct Client<'a> {
    world: &'a World,
    dice: Dice,
    name: String,
    key: String,
    cookie: String,
    sent: u64,
    heard: Heard,
    done: bool,
}

impl<'a> Client<'a> {
    /// Registers and logs in, before the storm.
    pub fn new(world: &'a World, number: u64) -> Client<'a> {
        let name = format!("pirate{number}");
        let register = Request::new("POST", "/api/register").json(&json!({ "username": name }));
        let key = wire::ask(world.server, &register).expect("the server is up").json();
        let key = key["key"].as_str().expect("a key").to_owned();
        let answer = wire::ask(world.server, &log_in(&key)).expect("the server is up");
        world.report(&name, Stage::Busy);
        Client {
            world,
            dice: Dice::new(world.seed, 100 + number),
            heard: Heard::new(&name, LOBBY, false),
            name,
            key,
            cookie: cookie(&answer).expect("a cookie"),
            sent: 0,
            done: false,
        }
    }

    /// Runs until it has the last messages.
    pub fn run(mut self) -> Heard {
        while !self.done && self.world.problems().is_empty() {
            if self.world.storms() && self.dice.chance(100) {
                self.log_in_again();
            }
            let request = Request::new("GET", "/ws").header("Cookie", &self.cookie);
            let opened = Line::dial(self.world.proxy).and_then(|line| line.websocket(request));
            match opened {
                Ok(Ok(socket)) => self.converse(socket),
                // The server has not noticed the end of the last connection yet.
                Ok(Err(answer)) if answer.status == 409 => self.dice.sleep(10, 50),
                Ok(Err(answer)) => self.problem(&format!("/ws: {}", answer.show())),
                Err(error) => self.world.lost(&self.name, &error),
            }
            self.dice.sleep(1, 60);
        }
        self.world.report(&self.name, Stage::Done);
        self.heard
    }

    /// Another session; the old one stays valid, and has to work, too.
    fn log_in_again(&mut self) {
        match wire::ask(self.world.proxy, &log_in(&self.key)) {
            Ok(answer) if answer.status == 200 => match cookie(&answer) {
                Some(cookie) => self.cookie = cookie,
                None => self.problem("a login without a cookie"),
            },
            Ok(answer) => self.problem(&format!("login: {}", answer.show())),
            Err(error) => self.world.lost(&self.name, &error),
        }
    }

    fn converse(&mut self, mut socket: Websocket) {
        self.heard.connected();
        let mut unsure: VecDeque<(String, Instant)> = VecDeque::new();
        loop {
            let phase = self.world.phase();
            if phase == Phase::Storm {
                if unsure.len() < IN_FLIGHT_MAX && self.dice.chance(250) {
                    let text = self.words();
                    unsure.push_back((tag(&text).to_owned(), Instant::now()));
                    if let Err(error) = socket.say(&json!({ "message": text })) {
                        return self.world.lost(&self.name, &error);
                    }
                }
                if self.dice.chance(3) {
                    self.world.counts.freezes.fetch_add(1, Relaxed);
                    self.dice.sleep(100, 1500);
                }
                if self.dice.chance(3) {
                    return if self.dice.chance(500) {
                        socket.close()
                    };
                }
            } else if unsure.is_empty() {
                self.world.report(&self.name, Stage::Settled);
            }
            match socket.hear() {
                Ok(Some(text)) => self.hear(&text, &mut unsure),
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
        self.world.words(&mut self.dice, (&self.name, self.sent), LOBBY, 300)
    }

    fn hear(&mut self, text: &str, unsure: &mut VecDeque<(String, Instant)>) {
        let told: Value = serde_json::from_str(text).unwrap_or_default();
        match (&told["status"], &told["message"], &told["event"]) {
            (Value::Bool(true), ..) => match unsure.pop_front() {
                Some((tag, _)) => self.world.acknowledged(&tag),
                None => self.problem("an acknowledgement of nothing"),
            },
            (_, Value::String(said), _) => {
                self.done |= self.world.phase() == Phase::LastMessages && said.starts_with(LAST);
                let author = told["author"].as_str().unwrap_or_default();
                self.heard.message(author, said);
            }
            (_, _, Value::String(_)) => {}
            _ => self.problem(&format!("heard {text}")),
        }
    }

    fn problem(&self, problem: &str) {
        self.world.problem(format!("{}: {problem}", self.name));
    }
}

fn log_in(key: &str) -> Request {
    Request::new("POST", "/api/login").json(&json!({ "key": key }))
}

fn cookie(answer: &Answer) -> Option<String> {
    Some(answer.header("set-cookie")?.split(';').next()?.to_owned())
}
