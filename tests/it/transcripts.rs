//! Sessions as text, replayed against the running server: a client's requests and messages, and the
//! expected answers, readable without Rust.
//!
//! A line is one step; `#` starts a comment, and `$X` is the value kept as X.
//!
//! | step | means |
//! |---|---|
//! | `account Ann` | registers and logs in |
//! | `ask GET /path as Ann with T: body` | a request; all after the path may be left out |
//! | `= 200 body` | its answer |
//! | `keep token as X` | keeps a field of the answer |
//! | `open ann /path as Ann with T` | opens a websocket, which is called `ann` from here on |
//! | `refused ann /path … = 403 body` | it is not opened |
//! | `ann > text` | sends a text |
//! | `ann < json` | hears this next |
//! | `ann closes`, `ann vanishes` | ends it, with or without a word |
//! | `ann closed 1001` | is closed, with that code |
//! | `restart` | SIGTERM, and the server starts again |
//!
//! Expected JSON must be equal, field by field; `"*"` is any value.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::kit::{Account, Response, TestServer, Ws};

/// A session in progress.
struct Play {
    server: TestServer,
    accounts: HashMap<String, Account>,
    sockets: HashMap<String, Ws>,
    kept: HashMap<String, String>,
    answer: Option<Response>,
}

#[test]
fn piratchat_evening() {
    replay("piratchat-evening");
}

#[test]
fn chitchat_private_room() {
    replay("chitchat-private-room");
}

#[test]
fn both_dialects_in_room_1() {
    replay("both-dialects-in-room-1");
}

#[test]
fn every_transcript_is_replayed() {
    let source = include_str!("transcripts.rs");
    for entry in fs::read_dir(folder()).expect("the transcripts") {
        let path = entry.expect("a transcript").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        assert!(source.contains(&format!("replay(\"{name}\")")), "{name} has no test");
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts")
}

fn replay(name: &str) {
    let text = fs::read_to_string(folder().join(format!("{name}.txt"))).expect("a transcript");
    let mut play = Play {
        server: TestServer::start(),
        accounts: HashMap::new(),
        sockets: HashMap::new(),
        kept: HashMap::new(),
        answer: None,
    };
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            // Printed only if a step fails.
            println!("{name}.txt:{number}: {line}");
            play.step(&play.filled_in(line));
        }
    }
}

impl Play {
    fn filled_in(&self, line: &str) -> String {
        let fill = |line: String, (name, value): (&String, &String)| {
            line.replace(&format!("${name}"), value)
        };
        self.kept.iter().fold(line.to_owned(), fill)
    }

    fn step(&mut self, line: &str) {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        match first {
            "account" => {
                self.accounts.insert(rest.to_owned(), self.server.account(rest));
            }
            "ask" => {
                let (request, body) = rest.split_once(": ").unwrap_or((rest, ""));
                let (line, headers) = self.request(request);
                self.answer = Some(self.server.ask(&line, &headers, body));
            }
            "=" => check(self.answer.as_ref().expect("an answer"), rest),
            "keep" => {
                let (field, name) = rest.split_once(" as ").expect("keep FIELD as NAME");
                let json = self.answer.as_ref().expect("an answer").json();
                let value = json[field].as_str().map_or(json[field].to_string(), str::to_owned);
                self.kept.insert(name.to_owned(), value);
            }
            "open" => {
                let (name, request) = rest.split_once(' ').expect("open NAME PATH");
                let (path, headers) = self.request(request);
                self.sockets.insert(name.to_owned(), self.server.ws(&path, &headers));
            }
            "refused" => {
                let (request, expected) = rest.split_once(" = ").expect("refused PATH = STATUS");
                let (path, headers) = self.request(request);
                let refusal = self.server.try_ws(&path, &headers).err();
                check(&refusal.expect("it was let in"), expected);
            }
            "restart" => {
                self.sockets.clear();
                assert_eq!(self.server.stop().code, Some(0));
                self.server.go_on();
            }
            name => self.socket_step(name, rest),
        }
    }

    fn socket_step(&mut self, name: &str, rest: &str) {
        let (step, argument) = rest.split_once(' ').unwrap_or((rest, ""));
        let ws = self.sockets.get_mut(name).unwrap_or_else(|| panic!("nobody is called {name}"));
        match step {
            ">" => ws.text(argument),
            "<" => {
                let (heard, expected) = (ws.json(), parse(argument));
                assert!(matches(&heard, &expected), "heard {heard}");
            }
            "closed" => {
                ws.expect_close(argument.parse().expect("a code"));
                self.sockets.remove(name);
            }
            "closes" => self.sockets.remove(name).expect("it is there").bye(),
            "vanishes" => self.sockets.remove(name).expect("it is there").vanish(),
            _ => panic!("what is {step:?}?"),
        }
    }

    /// Takes `as NAME` and `with TOKEN` off a request, as headers.
    fn request(&self, request: &str) -> (String, String) {
        let (rest, token) = request.split_once(" with ").unwrap_or((request, ""));
        let (line, name) = rest.split_once(" as ").unwrap_or((rest, ""));
        let mut headers = String::new();
        if !name.is_empty() {
            headers += &format!("Cookie: {}\r\n", self.accounts[name].cookie);
        }
        if !token.is_empty() {
            headers += &format!("Authorization: Bearer {token}\r\n");
        }
        (line.to_owned(), headers)
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text} is no JSON: {error}"))
}

fn check(response: &Response, expected: &str) {
    let (status, body) = expected.split_once(' ').unwrap_or((expected, ""));
    assert_eq!(response.status.to_string(), status, "{response:?}");
    if !body.is_empty() {
        assert!(matches(&response.json(), &parse(body)), "answered {}", response.text());
    }
}

/// Whether the values are equal, where `"*"` is anything.
fn matches(heard: &Value, expected: &Value) -> bool {
    match (heard, expected) {
        (_, Value::String(any)) if any == "*" => true,
        (Value::Object(heard), Value::Object(expected)) => {
            let fits = |(key, value)| heard.get(key).is_some_and(|heard| matches(heard, value));
            heard.len() == expected.len() && expected.iter().all(fits)
        }
        (Value::Array(heard), Value::Array(expected)) => {
            let mut pairs = heard.iter().zip(expected);
            heard.len() == expected.len() && pairs.all(|(heard, one)| matches(heard, one))
        }
        _ => heard == expected,
    }
}
