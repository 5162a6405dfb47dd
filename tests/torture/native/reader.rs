//! A listener of the stream in one of its three forms, which freezes, leaves, and resumes.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dice::Dice;
use crate::native::Person;
use crate::native::view::View;
use crate::wire::{self, Answer, Feed, Line, Request, Websocket};
use crate::world::{LAST, Phase, Stage, World};

/// The form of the stream.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Form {
    Websocket,
    /// Server-sent events, resumed as browsers do it: the same address, and `Last-Event-ID`.
    Events,
    /// Lines of JSON.
    Lines,
}

pub struct Reader<'a> {
    world: &'a World,
    dice: Dice,
    person: Person,
    form: Form,
    /// A freeze that is longer than the server tolerates.
    sleepy: bool,
    /// `&rooms=…`, if it wants some rooms only.
    filter: String,
    view: View,
    /// Server-sent events: the id of the last complete event that had one, and the incomplete next
    /// one. (The id of an incomplete event must not count.)
    id: Option<String>,
    next_id: Option<String>,
    data: String,
    goodbyes: BTreeSet<u64>,
    /// Its history in the calm phase, for reports.
    latest: String,
}

/// An open stream.
enum Stream {
    Socket(Websocket),
    Feed(Feed),
}

impl<'a> Reader<'a> {
    /// Finds the log's position, to begin there.
    pub fn new(
        world: &'a World,
        number: u64,
        person: Person,
        form: Form,
        only: &[u64],
    ) -> Reader<'a> {
        let name = format!("{} {form:?}", person.name);
        world.report(&name, Stage::Busy);
        let view = begin(world, &person, only);
        let rooms: Vec<String> = only.iter().map(u64::to_string).collect();
        let filter = if only.is_empty() { "" } else { "&rooms=" };
        Reader {
            world,
            dice: Dice::new(world.seed, 400 + number),
            form,
            sleepy: false,
            filter: format!("{filter}{}", rooms.join(",")),
            view,
            id: None,
            next_id: None,
            data: String::new(),
            goodbyes: BTreeSet::new(),
            latest: String::new(),
            person,
        }
    }

    pub fn sleepy(self) -> Reader<'a> {
        Reader { sleepy: true, ..self }
    }

    /// Runs until it has the last messages of all its rooms.
    pub fn run(mut self) -> View {
        while !self.done() {
            self.world.counts.resumes.fetch_add(1, Relaxed);
            self.view.connected();
            self.data.clear();
            self.next_id = None;
            match self.open() {
                Ok(Ok(stream)) => {
                    self.note("open");
                    self.listen(stream);
                }
                Ok(Err(answer)) if matches!(answer.status, 429 | 503) => {}
                Ok(Err(answer)) => self.problem(&answer.show(), "the stream"),
                Err(error) => self.world.lost(&self.person.name, &error),
            }
            self.dice.sleep(1, 60);
        }
        if !self.done_well() && !self.latest.is_empty() {
            let (name, form, cursor) = (&self.person.name, self.form, self.view.cursor);
            println!("{name} ({form:?}) has come to {cursor}: {}", self.latest);
        }
        self.report(Stage::Done);
        self.view
    }

    fn done(&self) -> bool {
        self.done_well() || !self.world.problems().is_empty()
    }

    fn done_well(&self) -> bool {
        self.view.rooms.iter().all(|room| self.goodbyes.contains(room))
    }

    fn open(&mut self) -> io::Result<Result<Stream, Answer>> {
        let line = Line::dial(self.world.proxy)?;
        let since = match self.form {
            Form::Events => format!("{}:{}", self.view.epoch, self.view.begin),
            _ => self.view.since(),
        };
        let path = format!("/api/v1/events?since={since}{}", self.filter);
        let request = self.person.authenticate(Request::new("GET", path));
        Ok(match self.form {
            Form::Websocket => line.websocket(request)?.map(Stream::Socket),
            Form::Lines => line.feed(&request)?.map(Stream::Feed),
            Form::Events => {
                let mut request = request.header("Accept", "text/event-stream");
                if let Some(id) = &self.id {
                    // It moves with the events that have an id, and so may lag.
                    request = request.header("Last-Event-ID", id);
                }
                line.feed(&request)?.map(Stream::Feed)
            }
        })
    }

    fn listen(&mut self, mut stream: Stream) {
        let mut last = Instant::now();
        let mut whim = Instant::now() + self.dice.ms(50, 4000);
        loop {
            let heard = match &mut stream {
                Stream::Socket(socket) => socket.hear(),
                Stream::Feed(feed) => feed.hear(),
            };
            match heard {
                Ok(Some(text)) => {
                    last = Instant::now();
                    self.hear(&text);
                }
                Ok(None) => {}
                Err(error) => {
                    self.note(&error.to_string());
                    return self.world.lost(&self.person.name, &error);
                }
            }
            if self.done() {
                return;
            }
            let storms = self.world.storms();
            if storms && Instant::now() > whim {
                if self.dice.chance(400) {
                    return;
                }
                self.world.counts.freezes.fetch_add(1, Relaxed);
                self.dice.sleep(100, if self.sleepy { 6000 } else { 1000 });
                whim = Instant::now() + self.dice.ms(50, 4000);
            }
            if !storms && self.view.caught_up {
                self.report(Stage::Settled);
            }
            // Nothing may have been sent; but the connection may be one that is delayed for long.
            let patience = if storms { 2 } else { 6 };
            if last.elapsed() > Duration::from_secs(patience) {
                return self.note("nothing comes");
            }
        }
    }

    fn hear(&mut self, text: &str) {
        if self.form != Form::Events {
            return self.frame(text);
        }
        // The HTML standard, section 9.2.6.
        match text.split_once(": ").unwrap_or((text, "")) {
            ("", "") if !self.data.is_empty() => {
                let data = std::mem::take(&mut self.data);
                let id = self.next_id.take();
                self.check_id(&data, id.as_deref());
                self.id = id.or(self.id.take());
                self.frame(&data);
            }
            ("data", more) => self.data.push_str(more),
            ("id", id) => self.next_id = Some(id.to_owned()),
            _ => {} // Comments, and whatever else may be added.
        }
    }

    fn frame(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        if frame["type"] == "bye" {
            self.world.counts.thrown_out.fetch_add(1, Relaxed);
        }
        if let Err(why) = self.view.fold(&frame) {
            return self.problem(text, &why);
        }
        if let Some(room) = reason(self.world, &frame) {
            self.goodbyes.insert(room);
        }
    }

    /// A logged event's id is its cursor.
    fn check_id(&self, data: &str, id: Option<&str>) {
        let frame: Value = serde_json::from_str(data).unwrap_or_default();
        let cursor = frame["seq"].as_u64().map(|seq| format!("{}:{seq}", self.view.epoch));
        if id != cursor.as_deref() {
            self.problem(data, &format!("its id is {id:?}"));
        }
    }

    fn note(&mut self, frame: &str) {
        if !self.world.storms() {
            self.latest += &format!("at {}: {frame}; ", self.view.cursor);
        }
    }

    fn report(&self, stage: Stage) {
        self.world.report(&format!("{} {:?}", self.person.name, self.form), stage);
    }

    fn problem(&self, frame: &str, why: &str) {
        let (name, form, since) = (&self.person.name, self.form, self.view.since());
        let frame: String = frame.chars().take(400).collect();
        self.world.problem(format!("{name} ({form:?}, at {since}): {why}: {frame}"));
    }
}

/// A view that begins now.
pub fn begin(world: &World, person: &Person, only: &[u64]) -> View {
    let answer = wire::ask(world.server, &Request::new("GET", "/api/v1/server"));
    let about = answer.expect("the server is up").json();
    let epoch = about["epoch"].as_str().expect("an epoch");
    let rooms = if only.is_empty() { &person.rooms } else { only };
    View::new(&person.name, rooms, epoch, about["seq"].as_u64().expect("a seq"))
}

/// The room whose last words these are.
pub fn reason(world: &World, frame: &Value) -> Option<u64> {
    let last = frame["type"] == "message" && world.phase() == Phase::LastMessages;
    let said = last && frame["text"].as_str().is_some_and(|text| text.starts_with(LAST));
    frame["room"].as_u64().filter(|_| said)
}
