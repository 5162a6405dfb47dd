//! Well-behaved clients of all three protocols in one room: each sends a message every few seconds
//! and receives all the others'. They check the server's promise: every acknowledged message
//! arrives once, in order; and they measure the latency.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Error, Result};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::client::{self, Line, PATIENCE};

/// The number of clients.
pub const PEOPLE: usize = 200;
/// The time between two messages of one client.
const PAUSE: Duration = Duration::from_secs(4);
/// Their addresses start here.
const ADDRESSES: usize = 1_000;

/// Their observations.
#[derive(Default)]
pub struct Seen {
    phase: usize,
    /// From the send to the acknowledgement, by phase.
    pub acks: Vec<Vec<Duration>>,
    /// From the send to each hearing, by phase.
    pub heard: Vec<Vec<Duration>>,
    /// The failures.
    pub faults: Vec<String>,
    /// The acknowledged messages of each.
    said: HashMap<usize, usize>,
}

/// A running crowd.
pub struct Crowd {
    pub seen: Rc<RefCell<Seen>>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<HashMap<usize, usize>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Native,
    Piratchat,
    ChitChat,
}

impl Crowd {
    /// Registers and connects all clients, and starts the talk.
    pub async fn gather(port: u16, start: Instant) -> Result<Crowd> {
        let (stop, stopped) = watch::channel(false);
        let seen = Rc::new(RefCell::new(Seen::default()));
        let mut lines = Vec::new();
        for number in 0..PEOPLE {
            let protocol =
                [Protocol::Native, Protocol::Piratchat, Protocol::Native, Protocol::ChitChat]
                    [number % 4];
            lines.push((protocol, connect(port, number, protocol).await?));
        }
        seen.borrow_mut().begin();
        let tasks = lines.into_iter().enumerate().map(|(number, (protocol, line))| {
            let (seen, stopped) = (seen.clone(), stopped.clone());
            let client =
                Client { number, protocol, line, start, seen, heard: HashMap::new(), count: 0 };
            tokio::task::spawn_local(client.live(stopped))
        });
        let tasks = tasks.collect();
        Ok(Crowd { seen, stop, tasks })
    }

    /// From here on samples belong to the next phase.
    pub fn next_phase(&self) {
        self.seen.borrow_mut().begin();
    }

    /// Stops all sends; then every client must have every acknowledged message.
    pub async fn end(self) -> Seen {
        let _ = self.stop.send(true);
        let mut views = Vec::new();
        for task in self.tasks {
            views.push(task.await.expect("a client"));
        }
        let mut seen = Rc::into_inner(self.seen).expect("all have ended").into_inner();
        for (number, view) in views.into_iter().enumerate() {
            for (author, said) in &seen.said {
                let heard = view.get(author).copied().unwrap_or(0);
                if number != *author && heard < *said {
                    let fault = format!("client {number} heard {heard} of {said} by {author}");
                    seen.faults.push(fault);
                }
            }
        }
        seen
    }
}

impl Seen {
    fn begin(&mut self) {
        self.acks.push(Vec::new());
        self.heard.push(Vec::new());
        self.phase = self.acks.len() - 1;
    }
}

async fn connect(port: u16, number: usize, protocol: Protocol) -> Result<Line> {
    let (name, address) = (format!("good{number}"), ADDRESSES + number);
    let mut line = Line::dial(port).await?;
    let from = client::from(address);
    let opened = match protocol {
        Protocol::ChitChat => line.upgrade("/chats/1/ws", &from).await?,
        Protocol::Piratchat => {
            let (_, session) = client::account(port, &name, address).await?;
            line.upgrade("/ws", &session).await?
        }
        Protocol::Native => {
            let (_, session) = client::account(port, &name, address).await?;
            line.upgrade("/api/v1/events?rooms=1", &session).await?
        }
    };
    if opened.status != 101 {
        return Err(Error::other(format!("{name} cannot connect: {opened:?}")));
    }
    if protocol == Protocol::ChitChat {
        line.say(&json!({"event_type": "join", "name": name}).to_string()).await?;
    }
    Ok(line)
}

struct Client {
    number: usize,
    protocol: Protocol,
    line: Line,
    start: Instant,
    seen: Rc<RefCell<Seen>>,
    /// The last received message of each.
    heard: HashMap<usize, usize>,
    /// Of the messages sent here.
    count: usize,
}

impl Client {
    async fn live(mut self, mut stopped: watch::Receiver<bool>) -> HashMap<usize, usize> {
        if let Err(error) = self.talk(&mut stopped).await {
            let at = self.start.elapsed();
            let fault = format!("client {} was lost at {at:.1?}: {error}", self.number);
            self.seen.borrow_mut().faults.push(fault);
        }
        self.heard
    }

    async fn talk(&mut self, stopped: &mut watch::Receiver<bool>) -> Result<()> {
        // Spread over time.
        let first = PAUSE.mul_f64((self.number as f64 + 1.0) / PEOPLE as f64);
        let mut next = tokio::time::Instant::now() + first;
        let mut pending: Option<Instant> = None;
        while !*stopped.borrow() {
            tokio::select! {
                _ = stopped.changed() => {}
                text = self.line.hear() => self.take(&text?, &mut pending)?,
                () = tokio::time::sleep_until(next), if pending.is_none() => {
                    next += PAUSE;
                    pending = Some(Instant::now());
                    self.say().await?;
                }
            }
            if pending.is_some_and(|since| since.elapsed() > PATIENCE) {
                return Err(Error::other("no acknowledgement"));
            }
        }
        // The last messages still arrive.
        while let Ok(text) = timeout(Duration::from_secs(2), self.line.hear()).await {
            self.take(&text?, &mut pending)?;
        }
        sleep(Duration::ZERO).await;
        Ok(())
    }

    async fn say(&mut self) -> Result<()> {
        let at = self.start.elapsed().as_micros();
        let text = format!("good {} {} {at}", self.number, self.count + 1);
        let id = format!("g{}-{}", self.number, self.count + 1);
        let event = match self.protocol {
            Protocol::Native => json!({"type": "send", "room": 1, "client_id": id, "text": text}),
            Protocol::Piratchat => json!({"message": text}),
            Protocol::ChitChat => {
                let name = format!("good{}", self.number);
                json!({"event_type": "send", "name": name, "msg": text})
            }
        };
        self.line.say(&event.to_string()).await
    }

    fn take(&mut self, text: &str, pending: &mut Option<Instant>) -> Result<()> {
        let json: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let acknowledged = json["type"] == "ack" || json["status"] == true;
        let refused = json["type"] == "error" || json["status"] == false;
        if refused {
            return Err(Error::other(format!("refused: {text}")));
        }
        if acknowledged {
            self.acknowledge(pending);
        }
        let words = ["text", "message", "msg"].iter().find_map(|field| json[field].as_str());
        let Some(words) = words.and_then(|words| words.strip_prefix("good ")) else {
            return Ok(());
        };
        let numbers: Vec<u64> = words.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [author, count, at] = numbers[..] else { return Ok(()) };
        let (author, count) = (author as usize, count as usize);
        if author == self.number {
            // ChitChat acknowledges a message by broadcasting it to its sender.
            if self.protocol == Protocol::ChitChat {
                self.acknowledge(pending);
            }
            return Ok(());
        }
        let last = self.heard.insert(author, count).unwrap_or(0);
        if count != last + 1 {
            return Err(Error::other(format!("heard {count} of {author} after {last}")));
        }
        let took = self.start.elapsed().saturating_sub(Duration::from_micros(at));
        let mut seen = self.seen.borrow_mut();
        let phase = seen.phase;
        seen.heard[phase].push(took);
        Ok(())
    }

    fn acknowledge(&mut self, pending: &mut Option<Instant>) {
        let Some(since) = pending.take() else { return };
        self.count += 1;
        let mut seen = self.seen.borrow_mut();
        let phase = seen.phase;
        seen.acks[phase].push(since.elapsed());
        seen.said.insert(self.number, self.count);
    }
}
