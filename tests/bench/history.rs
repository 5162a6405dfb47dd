//! The server's cost of a page of history, over one persistent connection: 50 messages, plain ones
//! and rich ones (each with a mention, some with a reaction), beside a request that reads nothing.
//!
//! `--before PATH` names another server, measured in turns with this one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::report::{Budget, Unit, cell, judge, row, table};
use crate::{Outcome, proc, wire};

const MESSAGES: u64 = 400;
const PAGES: u32 = 1_500;
/// Processor time for a page of 50.
const PAGE_MICROS_MAX: f64 = 150.0;

/// The requests, and their names.
const ASKED: [(&str, &str); 4] = [
    ("nothing: GET /healthz", "/healthz"),
    ("50 plain messages", "/api/v1/rooms/2/messages?limit=50"),
    ("50 in the middle", "/api/v1/rooms/2/messages?limit=50&around=300"),
    ("50 lively ones", "/api/v1/rooms/3/messages?limit=50"),
];

/// A persistent connection.
struct Line {
    stream: TcpStream,
    cookie: String,
    read: Vec<u8>,
}

impl Line {
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Outcome<()> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.cookie,
            body.len()
        );
        self.stream.write_all(request.as_bytes())?;
        self.read.clear();
        loop {
            let mut part = [0; 64 * 1024];
            let count = self.stream.read(&mut part)?;
            self.read.extend_from_slice(&part[..count]);
            let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") else {
                if count == 0 {
                    return Err("the server hung up".into());
                }
                continue;
            };
            let head = String::from_utf8_lossy(&self.read[..at]).to_ascii_lowercase();
            if !head.starts_with("http/1.1 2") {
                return Err(format!("{method} {path}: {head}").into());
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(Ok(0), str::parse)?;
            if self.read.len() >= at + 4 + length {
                return Ok(());
            }
        }
    }
}

/// A server's port and process, with a room of plain messages and one of rich ones.
pub struct Asked {
    line: Line,
    pid: u32,
}

impl Asked {
    pub fn prepare(port: u16, pid: u32) -> Outcome<Asked> {
        let account = wire::post(port, "/api/register", &json!({"username": "mia"}))?;
        let login = wire::post(port, "/api/login", &json!({"key": account.field("key")?}))?;
        let cookie = login.cookie().ok_or("a login without a cookie")?.to_owned();
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut line = Line { stream, cookie, read: Vec::new() };
        for title in ["Plain", "Lively"] {
            let room = json!({"title": title, "visibility": "public"});
            line.ask("POST", "/api/v1/rooms", &room.to_string())?;
        }
        for number in 0..MESSAGES {
            let (room, words) = (2 + number % 2, wire::words(number));
            let text = if room == 3 { format!("@mia, {words}") } else { words };
            let path = format!("/api/v1/rooms/{room}/messages");
            line.ask("POST", &path, &json!({"text": text}).to_string())?;
            if room == 3 && number % 8 == 1 {
                let said = String::from_utf8_lossy(&line.read).into_owned();
                let body = said.split_once("\r\n\r\n").ok_or("no body")?.1;
                let said: serde_json::Value = serde_json::from_str(body)?;
                let path = format!("{path}/{}/reactions/%F0%9F%91%8D", said["seq"]);
                line.ask("PUT", &path, "")?;
            }
        }
        Ok(Asked { line, pid })
    }

    /// The server's processor time for each of these requests.
    fn cost(&mut self, path: &str) -> Outcome<f64> {
        self.line.ask("GET", path, "")?;
        let before = proc::cpu_time(self.pid)?;
        for _ in 0..PAGES {
            self.line.ask("GET", path, "")?;
        }
        Ok((proc::cpu_time(self.pid)? - before).as_secs_f64() * 1e6 / f64::from(PAGES))
    }
}

/// The median of the turns counts.
pub fn run(servers: &mut [Asked]) -> Outcome<()> {
    const TURNS: usize = 5;
    table("A page of history, processor time of the server", &["server", "before"]);
    for (figure, path) in ASKED {
        let mut costs: Vec<Vec<f64>> = servers.iter().map(|_| Vec::new()).collect();
        for _ in 0..TURNS {
            for (server, costs) in servers.iter_mut().zip(&mut costs) {
                costs.push(server.cost(path)?);
            }
        }
        let middle = |costs: &mut Vec<f64>| {
            costs.sort_by(f64::total_cmp);
            costs[TURNS / 2]
        };
        let cells: Vec<f64> = costs.iter_mut().map(middle).collect();
        let told: Vec<String> = cells.iter().map(|cost| cell(Unit::Micros, Some(*cost))).collect();
        row(&format!("  {figure}"), &told);
        if path.starts_with("/api") {
            judge(figure, Unit::Micros, cells.first().copied(), Budget::AtMost(PAGE_MICROS_MAX));
        }
    }
    Ok(())
}
