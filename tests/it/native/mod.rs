//! `/api/v1` on the running server: accounts, rooms, messages, and the stream in all its forms.

mod bans;
mod blocking;
mod deleted;
mod direct;
mod identity;
mod in_charge;
mod invitations;
mod messages;
mod moderation;
mod moving;
mod opening;
mod resume;
mod rooms;
mod slow;
mod stream;

use serde_json::{Value, json};

use crate::kit::{Heard, Http, Response, TestServer, Ws};

/// A user with a session.
#[derive(Clone)]
pub struct User {
    /// The account's key; a guest has none.
    pub key: String,
    pub session: String,
}

impl User {
    /// A header line.
    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.session)
    }
}

/// A response's JSON, and its status.
pub type Answer = (u16, Value);

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

pub fn answer(response: &Response) -> Answer {
    let body = if response.body.is_empty() { Value::Null } else { response.json() };
    (response.status, body)
}

impl TestServer {
    /// Makes an account here, and a session.
    pub fn user(&self, name: &str) -> User {
        let made = answer(&self.send("POST /api/v1/accounts", &json!({"name": name})));
        assert_eq!((made.0, &made.1["name"]), (201, &json!(name)), "{made:?}");
        self.session(&text(&made.1["key"]))
    }

    /// A session of an account.
    pub fn session(&self, key: &str) -> User {
        let (status, body) = answer(&self.send("POST /api/v1/sessions", &json!({"key": key})));
        assert_eq!(status, 201, "{body}");
        User { key: key.to_owned(), session: text(&body["session"]) }
    }

    /// A request as a user; a null body is sent as none. The path is what follows `/api/v1`.
    pub fn api(&self, who: &User, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        answer(&self.ask(&format!("{method} /api/v1{path}"), &who.bearer(), &body))
    }

    pub fn get(&self, who: &User, path: &str) -> Value {
        let (status, body) = self.api(who, "GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Makes a room, whose maker is a member.
    pub fn make(&self, who: &User, settings: &Value) -> u64 {
        let (status, body) = self.api(who, "POST", "/rooms", settings);
        assert_eq!(status, 201, "{body}");
        number(&body["id"])
    }

    pub fn public(&self, who: &User, title: &str) -> u64 {
        self.make(who, &json!({"title": title, "visibility": "public"}))
    }

    pub fn enter(&self, who: &User, room: u64) {
        let path = format!("/rooms/{room}/membership");
        let (status, body) = self.api(who, "PUT", &path, &Value::Null);
        assert_eq!(status, 200, "{body}");
    }

    /// Sends a message, and returns it.
    pub fn tell(&self, who: &User, room: u64, text: &str) -> Value {
        let path = format!("/rooms/{room}/messages");
        let (status, body) = self.api(who, "POST", &path, &json!({"text": text}));
        assert_eq!(status, 201, "{body}");
        body
    }

    /// Expects a refusal.
    pub fn refused(&self, who: &User, request: (&str, &str, &Value), expected: (u16, &str)) {
        let (status, body) = self.api(who, request.0, request.1, request.2);
        let code = body["error"]["code"].as_str().unwrap_or_default();
        assert_eq!((status, code), expected, "{request:?} {body}");
        assert!(body["error"]["message"].as_str().is_some_and(|said| said.len() > 10), "{body}");
    }

    /// Opens a stream and reads its first frame.
    pub fn stream(&self, who: &User, form: Form, query: &str) -> Stream {
        Stream::open(self.port(), &who.bearer(), form, query)
    }

    /// Opens a stream, and waits until it is live.
    pub fn live(&self, who: &User, form: Form) -> Stream {
        let mut stream = self.stream(who, form, "");
        stream.expect("caught_up");
        stream
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Form {
    Ws,
    Sse,
    Lines,
}

pub const FORMS: [Form; 3] = [Form::Ws, Form::Sse, Form::Lines];

/// A stream in any form.
pub struct Stream {
    pub form: Form,
    pub ws: Ws,
    pub epoch: String,
    /// The sequence number of the frame `open`.
    pub from: u64,
    /// The last sequence number received.
    pub seq: u64,
    /// The last `id:`.
    pub id: String,
}

impl Stream {
    pub fn open(port: u16, headers: &str, form: Form, query: &str) -> Stream {
        let mut http = Http::connect(port);
        let path = format!("/api/v1/events{query}");
        let ws = if form == Form::Ws {
            Ws::upgrade(http, &path, headers).unwrap_or_else(|no| panic!("{no:?}"))
        } else {
            let (accept, kind) = match form {
                Form::Sse => ("Accept: text/event-stream\r\n", "text/event-stream"),
                _ => ("", "application/x-ndjson"),
            };
            http.request(&format!("GET {path}"), &format!("{headers}{accept}"));
            let response = head(&mut http);
            assert_eq!(response.status, 200, "{response:?} {:?}", http.buffer);
            assert_eq!(response.header("content-type"), Some(kind));
            assert_eq!(response.header("cache-control"), Some("no-store"));
            Ws { http, response }
        };
        let (epoch, id) = (String::new(), String::new());
        let mut stream = Stream { form, ws, epoch, from: 0, seq: 0, id };
        let open = stream.frame().expect("a first frame");
        assert_eq!(open["type"], "open", "{open}");
        stream.epoch = text(&open["epoch"]);
        stream.from = number(&open["seq"]);
        assert!(open["me"].is_string(), "{open}");
        if form == Form::Sse {
            assert_eq!(stream.id, stream.cursor());
        }
        stream
    }

    /// The cursor to resume from.
    pub fn cursor(&self) -> String {
        format!("{}:{}", self.epoch, self.seq.max(self.from))
    }

    pub fn since(&self) -> String {
        format!("?since={}", self.cursor())
    }

    /// The next frame of any kind; `None` at the end of the stream. Checks that sequence numbers
    /// only grow, and that an event's id is its cursor.
    pub fn frame(&mut self) -> Option<Value> {
        let json = match self.form {
            Form::Ws => loop {
                match self.ws.hear() {
                    Heard::Text(text) => break text,
                    Heard::Ping(payload) => self.ws.frame(crate::kit::ws::PONG, true, &payload),
                    Heard::End => return None,
                    other => panic!("{other:?}"),
                }
            },
            Form::Lines => self.piece(b"\n")?,
            Form::Sse => {
                let event = self.piece(b"\n\n")?;
                let (mut data, mut id) = (String::new(), None);
                for line in event.lines() {
                    match line.split_once(": ").expect("a field") {
                        ("id", is) => id = Some(is.to_owned()),
                        ("data", is) => data.push_str(is),
                        other => panic!("{other:?}"),
                    }
                }
                let json: Value = serde_json::from_str(&data).expect("JSON");
                let numbered = json["seq"].as_u64();
                let named = id.as_deref().and_then(|id| id.split_once(':'));
                assert_eq!(named.map(|(_, seq)| seq.to_owned()), numbered.map(|n| n.to_string()));
                self.id = id.unwrap_or(std::mem::take(&mut self.id));
                data
            }
        };
        let frame: Value =
            serde_json::from_str(&json).unwrap_or_else(|_| panic!("not JSON {json}"));
        let kind = text(&frame["type"]);
        if let Some(seq) = frame["seq"].as_u64() {
            match kind.as_str() {
                "open" | "reset" => self.seq = seq,
                "ack" => {}
                "caught_up" | "ping" => {
                    assert!(seq >= self.seq, "{frame} after {}", self.seq);
                    self.seq = seq;
                }
                _ => {
                    assert!(seq > self.seq, "{frame} after {}", self.seq);
                    self.seq = seq;
                }
            }
        }
        Some(frame)
    }

    fn piece(&mut self, end: &[u8]) -> Option<String> {
        let http = &mut self.ws.http;
        loop {
            if let Some(at) = http.buffer.windows(end.len()).position(|bytes| bytes == end) {
                let piece: Vec<u8> = http.buffer.drain(..at + end.len()).take(at).collect();
                return Some(String::from_utf8(piece).expect("UTF-8"));
            }
            if !http.fill() {
                assert!(http.buffer.is_empty(), "it ends in the middle: {:?}", http.buffer);
                return None;
            }
        }
    }

    /// The next frame that is neither presence nor a read marker.
    pub fn next(&mut self) -> Value {
        loop {
            let frame = self.frame().expect("a frame, not the end");
            if !matches!(text(&frame["type"]).as_str(), "presence" | "typing" | "read") {
                return frame;
            }
        }
    }

    /// The next such frame is of this kind.
    pub fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The next frame of this kind, whatever comes before it.
    pub fn find(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().unwrap_or_else(|| panic!("no {kind}"));
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// All logged frames before `caught_up`.
    pub fn missed(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next();
            if frame["type"] == "caught_up" {
                return frames;
            }
            frames.push(frame);
        }
    }

    /// Messages' texts up to the one that says `last`.
    pub fn texts_until(&mut self, last: &str) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            let frame = self.find("message");
            texts.push(text(&frame["text"]));
            if texts.last().is_some_and(|said| said == last) {
                return texts;
            }
        }
    }

    /// Expects `bye` with that reason, and then the form's end.
    pub fn expect_bye(&mut self, why: &str, close: u16) {
        let bye = self.find("bye");
        assert_eq!(bye["code"], why, "{bye}");
        assert!(bye["retry_after_ms"].is_u64(), "{bye}");
        match self.form {
            Form::Ws => self.ws.expect_close(close),
            _ => assert_eq!(self.frame(), None),
        }
    }

    pub fn say(&mut self, frame: &Value) {
        self.ws.say(frame);
    }

    /// Sends a message on the websocket; returns its sequence number.
    pub fn send(&mut self, room: u64, id: &str, text: &str) -> u64 {
        let frame = json!({"type": "send", "room": room, "client_id": id, "text": text});
        self.say(&frame);
        let ack = self.find("ack");
        assert_eq!(ack["client_id"], id, "{ack}");
        number(&ack["seq"])
    }
}

/// Sends many messages on one websocket without waiting for each answer.
pub fn talk(
    server: &TestServer,
    who: &User,
    room: u64,
    texts: impl Iterator<Item = String>,
) -> u64 {
    let mut ws = server.stream(who, Form::Ws, "?rooms=999999");
    let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let run = run.expect("after 1970").as_nanos();
    let (mut open, mut last) = (0, 0);
    for (index, text) in texts.enumerate() {
        let id = format!("t{run}-{index}");
        ws.say(&json!({"type": "send", "room": room, "client_id": id, "text": text}));
        open += 1;
        if open == 24 {
            while open > 8 {
                last = number(&ws.find("ack")["seq"]);
                open -= 1;
            }
        }
    }
    for _ in 0..open {
        last = number(&ws.find("ack")["seq"]);
    }
    last
}

/// The head of a response whose body has no length; the body stays in the buffer.
pub fn head(http: &mut Http) -> Response {
    while !http.buffer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        assert!(http.fill(), "a head");
    }
    let sized = String::from_utf8_lossy(&http.buffer).to_ascii_lowercase();
    let sized = sized.split("\r\n\r\n").next().is_some_and(|head| head.contains("content-length"));
    let response = if sized { http.read_response(false) } else { http.read_response(true) };
    response.expect("a head")
}
