//! Clients of `/api/v1`: their identities and actions. They repeat unsure actions until they know,
//! so unlike the older protocols' clients they end up sure of everything.

pub mod check;
pub mod reader;
pub mod sender;
pub mod talker;
pub mod view;

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::wire::{self, Request};
use crate::world::World;

const SIGNS: [&str; 4] = ["👍", "⚓", "❤️", "🦜"];
/// Other users' messages to react to.
const SEEN_MAX: usize = 32;

/// A user with an account or a guest's session, and its rooms.
#[derive(Clone)]
pub struct Person {
    pub name: String,
    /// The authentication header.
    proof: (&'static str, String),
    pub rooms: Vec<u64>,
}

impl Person {
    /// Makes an account and authenticates by its key, a session's key, or a session's cookie; or is
    /// a guest.
    pub fn new(world: &World, name: &str, kind: u64, rooms: &[u64]) -> Person {
        let post = |path: &str, body: Value| {
            let request = Request::new("POST", path).json(&body);
            let answer = wire::ask(world.server, &request).expect("the server is up");
            assert_eq!(answer.status, 201, "{path}: {}", answer.show());
            answer.json()
        };
        let text = |value: &Value| value.as_str().expect("a key").to_owned();
        let session = if kind == 3 {
            text(&post("/api/v1/guests", json!({ "name": name }))["session"])
        } else {
            let key = text(&post("/api/v1/accounts", json!({ "name": name }))["key"]);
            match kind {
                0 => key,
                _ => text(&post("/api/v1/sessions", json!({ "key": key }))["session"]),
            }
        };
        let proof = match kind {
            1 => ("Cookie", format!("session={session}")),
            _ => ("Authorization", format!("Bearer {session}")),
        };
        let person = Person { name: name.to_owned(), proof, rooms: rooms.to_vec() };
        for room in rooms {
            let path = format!("/api/v1/rooms/{room}/membership");
            let request = person.authenticate(Request::new("PUT", path));
            let answer = wire::ask(world.server, &request).expect("the server is up");
            assert_eq!(answer.status, 200, "membership: {}", answer.show());
        }
        person
    }

    pub fn authenticate(&self, request: Request) -> Request {
        request.header(self.proof.0, &self.proof.1)
    }
}

/// One action of a user.
#[derive(Clone, Debug)]
pub enum Op {
    Send {
        room: u64,
        text: String,
        reply_to: Option<u64>,
    },
    /// For the user's own message, known by its tag.
    Edit {
        own: Own,
        text: String,
    },
    Delete {
        own: Own,
    },
    /// `own`: the message is the user's own, so it must exist.
    React {
        room: u64,
        target: u64,
        emoji: &'static str,
        on: bool,
        own: Option<Own>,
    },
}

/// An own message without a pending action.
#[derive(Clone, Debug)]
pub struct Own {
    pub tag: String,
    room: u64,
    pub seq: u64,
    /// The number of edits, which is also the current version.
    edits: usize,
}

/// A user's messages and pending actions.
pub struct Author<'a> {
    pub world: &'a World,
    pub dice: Dice,
    pub person: Person,
    sent: u64,
    own: Vec<Own>,
    /// Other users' messages, by room and sequence number.
    seen: VecDeque<(u64, u64)>,
}

impl<'a> Author<'a> {
    pub fn new(world: &'a World, person: Person, number: u64) -> Author<'a> {
        let dice = Dice::new(world.seed, 300 + number);
        Author { world, dice, person, sent: 0, own: Vec::new(), seen: VecDeque::new() }
    }

    pub fn saw(&mut self, room: u64, seq: u64) {
        self.seen.push_back((room, seq));
        if self.seen.len() > SEEN_MAX {
            self.seen.pop_front();
        }
    }

    /// Draws the next action and notes it in the ledger.
    pub fn next(&mut self) -> Op {
        let taken = !self.own.is_empty() && self.dice.chance(400);
        let own = taken.then(|| {
            let index = self.dice.from(0, self.own.len() as u64 - 1);
            self.own.swap_remove(index as usize)
        });
        let Some(mut own) = own else {
            if self.dice.chance(150) && !self.seen.is_empty() {
                let (room, target) =
                    self.seen[self.dice.from(0, self.seen.len() as u64 - 1) as usize];
                return self.react(room, target, None);
            }
            let words = if self.dice.chance(900) { 100 } else { 4000 };
            return self.say(words);
        };
        match self.dice.from(0, 9) {
            0..=4 => {
                own.edits += 1;
                let words = self.dice.words(500);
                let text = format!("{} edit {} {words}", own.tag, own.edits).trim_end().to_owned();
                self.world.edits(&own.tag, &text);
                Op::Edit { own, text }
            }
            5..=6 => {
                self.world.amend(&own.tag, |sent| sent.delete_sent = true);
                Op::Delete { own }
            }
            _ => self.react(own.room, own.seq, Some(own)),
        }
    }

    fn react(&mut self, room: u64, target: u64, own: Option<Own>) -> Op {
        let (emoji, on) = (*self.dice.pick(&SIGNS), self.dice.chance(650));
        Op::React { room, target, emoji, on, own }
    }

    fn say(&mut self, chars_max: usize) -> Op {
        let room = *self.dice.pick(&self.person.rooms);
        self.say_in(room, chars_max)
    }

    fn say_in(&mut self, room: u64, chars_max: usize) -> Op {
        self.sent += 1;
        let said = (&*self.person.name, self.sent);
        let text = self.world.words(&mut self.dice, said, room, chars_max);
        let answered = self.seen.iter().find(|(of, _)| *of == room).map(|(_, seq)| *seq);
        let reply_to = answered.filter(|_| self.dice.chance(100));
        Op::Send { room, text, reply_to }
    }

    /// A message of the greatest length, in characters of three bytes.
    pub fn shout(&mut self, room: u64) -> Op {
        let Op::Send { mut text, .. } = self.say_in(room, 100) else { unreachable!("it says") };
        let tag = crate::world::tag(&text).to_owned();
        let missing = 4000 - text.chars().count();
        text.extend(std::iter::repeat_n('⚓', missing));
        // After a space, so that the tag stays intact.
        if !text.contains(' ') {
            text.replace_range(tag.len()..tag.len() + 3, " ");
        }
        self.world.amend(&tag, |sent| sent.versions[0].text.clone_from(&text));
        Op::Send { room, text, reply_to: None }
    }

    /// The action is about to be sent again.
    pub fn repeats(&self, op: &Op) {
        if let Op::Edit { own, .. } = op {
            self.world.amend(&own.tag, |sent| sent.versions[own.edits].times += 1);
        }
    }

    /// The server has acknowledged it. `seq`: the sequence number of a sent message.
    pub fn succeeded(&mut self, op: Op, seq: Option<u64>) {
        match op {
            Op::Send { room, text, .. } => {
                let tag = crate::world::tag(&text).to_owned();
                self.world.amend(&tag, |sent| sent.seq = seq);
                self.world.acknowledged(&tag);
                let seq = seq.unwrap_or_default();
                self.own.push(Own { tag, room, seq, edits: 0 });
            }
            Op::Edit { own, .. } => {
                self.world.amend(&own.tag, |sent| sent.versions[own.edits].acknowledged = true);
                self.own.push(own);
            }
            Op::Delete { own } => {
                self.world.amend(&own.tag, |sent| sent.delete_acknowledged = true);
            }
            Op::React { own, .. } => self.own.extend(own),
        }
    }

    /// The server answers that the message does not exist (any more).
    pub fn not_found(&mut self, op: Op, repeated: bool) {
        match op {
            // The first attempt found it, and its answer was lost.
            Op::Delete { .. } if repeated => self.succeeded(op, None),
            // Its author has deleted it.
            Op::React { own: None, .. } => {}
            op => self.problem(&format!("not found: {op:?}")),
        }
    }

    pub fn problem(&self, problem: &str) {
        self.world.problem(format!("{}: {problem}", self.person.name));
    }
}
