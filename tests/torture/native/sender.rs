//! Sends, edits, deletes and reacts over HTTP, one request after the other, and repeats each until
//! it knows the outcome.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::native::{Author, Op};
use crate::wire::{Answer, Line, Request};
use crate::world::{Phase, Stage, tag};

pub struct Sender<'a> {
    author: Author<'a>,
    line: Option<Line>,
}

impl<'a> Sender<'a> {
    pub fn new(author: Author<'a>) -> Sender<'a> {
        author.world.report(&author.person.name, Stage::Busy);
        Sender { author, line: None }
    }

    /// Runs until every client is sure.
    pub fn run(mut self) {
        let world = self.author.world;
        while world.storms() && world.problems().is_empty() {
            let op = self.author.next();
            self.carry_out(op);
            self.author.dice.sleep(0, 30);
        }
        world.report(&self.author.person.name, Stage::Settled);
        while world.phase() < Phase::LastMessages && world.problems().is_empty() {
            thread::sleep(Duration::from_millis(20));
        }
        world.report(&self.author.person.name, Stage::Done);
    }

    fn carry_out(&mut self, op: Op) {
        let world = self.author.world;
        let mut request = self.request(&op);
        let mut repeated = false;
        while world.problems().is_empty() {
            match self.ask(&request) {
                Ok(answer) if matches!(answer.status, 429 | 503) => self.author.dice.sleep(20, 100),
                Ok(answer) => {
                    let doubts = repeated || self.author.dice.chance(950);
                    self.judge(op.clone(), &answer, repeated);
                    if doubts || !matches!(op, Op::Send { .. }) {
                        return;
                    }
                    // The answer may be lost: a repetition gets the same answer again; and a reused
                    // client id gets a conflict.
                    return self.repeat_in_vain(&op, &request, &answer.json());
                }
                Err(error) => {
                    world.lost(&self.author.person.name, &error);
                    world.counts.repeats.fetch_add(1, Relaxed);
                    self.author.dice.sleep(0, 60);
                }
            }
            repeated = true;
            self.author.repeats(&op);
            request = self.request(&op); // The same thing can be said in several ways.
        }
    }

    fn ask(&mut self, request: &Request) -> std::io::Result<Answer> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => Line::dial(self.author.world.proxy)?,
        };
        let answer = line.ask(request)?;
        let closes = answer.header("connection").is_some_and(|say| say.contains("close"));
        self.line = (!closes && self.author.dice.chance(980)).then_some(line);
        Ok(answer)
    }

    fn request(&mut self, op: &Op) -> Request {
        let request = match op {
            Op::Send { room, text, reply_to } => {
                let path = format!("/api/v1/rooms/{room}/messages");
                let id = tag(text);
                let body = json!({ "text": text, "reply_to": reply_to });
                // Plain text has no reply_to, and loses a line end.
                let kinds = if reply_to.is_none() { 3 } else { 2 };
                match self.author.dice.from(1, kinds) {
                    1 => Request::new("PUT", format!("{path}/{id}")).json(&body),
                    2 => Request::new("POST", path).header("Idempotency-Key", id).json(&body),
                    _ => {
                        let request = Request::new("POST", path).header("Idempotency-Key", id);
                        request.text(text.clone())
                    }
                }
            }
            Op::Edit { own, text } => {
                let path = format!("/api/v1/rooms/{}/messages/{}", own.room, own.seq);
                Request::new("PATCH", path).json(&json!({ "text": text }))
            }
            Op::Delete { own } => {
                let path = format!("/api/v1/rooms/{}/messages/{}", own.room, own.seq);
                Request::new("DELETE", path)
            }
            Op::React { room, target, emoji, on, .. } => {
                let emoji = percent_encoding::utf8_percent_encode(
                    emoji,
                    percent_encoding::NON_ALPHANUMERIC,
                );
                let path = format!("/api/v1/rooms/{room}/messages/{target}/reactions/{emoji}");
                Request::new(if *on { "PUT" } else { "DELETE" }, path)
            }
        };
        self.author.person.authenticate(request)
    }

    fn judge(&mut self, op: Op, answer: &Answer, repeated: bool) {
        let message = answer.json();
        let (status, code) = (answer.status, &message["error"]["code"]);
        let wrong = match (&op, status) {
            (Op::Send { .. }, 200) if !repeated => Some("a first send was a repetition"),
            (Op::Send { room, text, .. }, 200 | 201) => {
                let same = message["text"] == *text
                    && message["room"] == *room
                    && message["client_id"] == tag(text)
                    && message["author"] == self.author.person.name;
                (!same).then_some("answered with another message")
            }
            (Op::Edit { own, text }, 200) => {
                let same = message["seq"] == own.seq && message["text"] == *text;
                (!same && !repeated && own.edits == 1).then_some("answered with other words")
            }
            (Op::React { .. }, 200) | (Op::Delete { .. }, 204) => None,
            (_, 404) if code == "message_not_found" => return self.author.not_found(op, repeated),
            _ => Some("refused"),
        };
        match wrong {
            Some(why) => self.author.problem(&format!("{why}: {op:?}: {}", answer.show())),
            None => {
                let seq = message["seq"].as_u64();
                self.author.succeeded(op, seq);
            }
        }
    }

    fn repeat_in_vain(&mut self, op: &Op, request: &Request, message: &Value) {
        let Op::Send { room, text, .. } = op else { return };
        self.author.world.counts.repeats.fetch_add(1, Relaxed);
        if let Ok(again) = self.ask(request)
            && again.status < 500
            && (again.status != 200 || again.json()["seq"] != message["seq"])
        {
            let (before, now) = (message, again.show());
            self.author.problem(&format!("repeated, {before} became {now}"));
        }
        let path = format!("/api/v1/rooms/{room}/messages/{}", tag(text));
        let other = Request::new("PUT", path).json(&json!({ "text": "something else" }));
        let other = self.author.person.authenticate(other);
        if let Ok(answer) = self.ask(&other)
            && answer.status < 500
            && (answer.status != 409 || answer.json()["error"]["code"] != "client_id_reused")
        {
            self.author.problem(&format!("a client id was used twice: {}", answer.show()));
        }
    }
}
