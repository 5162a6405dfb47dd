//! The clients' shared state: the phase of the test, the address, the sent and acknowledged
//! messages, and the failures.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::dice::Dice;

/// The phase of the test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub enum Phase {
    /// The clients work while the server is killed and the network is bad.
    Storm,
    /// The server stays up and the network is good: the clients finish their unsure messages.
    Calm,
    /// Every client is sure, and waits for the last messages in its rooms.
    LastMessages,
}

/// The progress of a client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub enum Stage {
    /// At work.
    Busy,
    /// Connected, and sure of everything it has done.
    Settled,
    /// It has the last messages, and has ended.
    Done,
}

/// A message as its sender knows it.
#[derive(Clone, Default, Debug)]
pub struct Sent {
    pub author: String,
    pub room: u64,
    /// The first text and its edits, in order.
    pub versions: Vec<Version>,
    /// The server has acknowledged it.
    pub acknowledged: bool,
    /// Its sequence number, if the answer had it.
    pub seq: Option<u64>,
    /// Whether the sender has requested its deletion; and whether the server has acknowledged that.
    pub delete_sent: bool,
    pub delete_acknowledged: bool,
}

/// One text of a message.
#[derive(Clone, Default, Debug)]
pub struct Version {
    pub text: String,
    pub acknowledged: bool,
    /// The number of sends. After more than one, the server may process the last copy at any time.
    pub times: u64,
}

/// Numbers for the summary.
#[derive(Default)]
pub struct Counts {
    pub repeats: AtomicU64,
    pub resumes: AtomicU64,
    pub reconnects: AtomicU64,
    pub freezes: AtomicU64,
    pub thrown_out: AtomicU64,
}

/// See the module.
pub struct World {
    /// The proxy's address.
    pub proxy: u16,
    /// The server's address.
    pub server: u16,
    pub seed: u64,
    pub counts: Counts,
    phase: Mutex<Phase>,
    stages: Mutex<BTreeMap<String, Stage>>,
    ledger: Mutex<BTreeMap<String, Sent>>,
    problems: Mutex<Vec<String>>,
}

impl World {
    pub fn new(proxy: u16, server: u16, seed: u64) -> World {
        World {
            proxy,
            server,
            seed,
            counts: Counts::default(),
            phase: Mutex::new(Phase::Storm),
            stages: Mutex::default(),
            ledger: Mutex::default(),
            problems: Mutex::default(),
        }
    }

    pub fn phase(&self) -> Phase {
        *self.phase.lock().expect("nobody panics with it")
    }

    pub fn storms(&self) -> bool {
        self.phase() == Phase::Storm
    }

    pub fn enter(&self, phase: Phase) {
        *self.phase.lock().expect("nobody panics with it") = phase;
    }

    /// Reports a client's progress.
    pub fn report(&self, who: &str, stage: Stage) {
        self.stages.lock().expect("nobody panics with it").insert(who.to_owned(), stage);
    }

    /// Waits until all clients have that progress; returns those that do not.
    pub fn wait_for_all(&self, stage: Stage, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        loop {
            let stages = self.stages.lock().expect("nobody panics with it").clone();
            let late: Vec<_> = stages.iter().filter(|(_, at)| **at < stage).collect();
            if late.is_empty() || !self.problems().is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("not {stage:?} after {patience:?}: {late:?}"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The `number`th text of a client: a tag, and words up to `chars_max` characters.
    pub fn words(
        &self,
        dice: &mut Dice,
        (author, number): (&str, u64),
        room: u64,
        chars_max: usize,
    ) -> String {
        let tag = format!("{author}-{number}");
        let words = dice.words(chars_max - tag.len() - 1);
        let text = format!("{tag} {words}").trim_end().to_owned();
        self.sends(&tag, author, room, &text);
        text
    }

    /// A message is about to be sent for the first time.
    pub fn sends(&self, tag: &str, author: &str, room: u64, text: &str) {
        let version = Version { text: text.to_owned(), acknowledged: false, times: 1 };
        let (author, versions) = (author.to_owned(), vec![version]);
        let sent = Sent { author, room, versions, ..Sent::default() };
        let before = self.ledger.lock().expect("nobody panics with it").insert(tag.into(), sent);
        assert!(before.is_none(), "a tag is used once");
    }

    /// The server has acknowledged the message.
    pub fn acknowledged(&self, tag: &str) {
        self.amend(tag, |sent| {
            sent.acknowledged = true;
            sent.versions[0].acknowledged = true;
        });
    }

    /// An edit is about to be sent for the first time.
    pub fn edits(&self, tag: &str, text: &str) {
        let version = Version { text: text.to_owned(), acknowledged: false, times: 1 };
        self.amend(tag, |sent| sent.versions.push(version));
    }

    pub fn amend(&self, tag: &str, change: impl FnOnce(&mut Sent)) {
        let mut ledger = self.ledger.lock().expect("nobody panics with it");
        match ledger.get_mut(tag) {
            Some(sent) => change(sent),
            None => self.problem(format!("{tag} was never sent")),
        }
    }

    pub fn ledger(&self) -> BTreeMap<String, Sent> {
        self.ledger.lock().expect("nobody panics with it").clone()
    }

    /// Reports a failure of the server.
    pub fn problem(&self, problem: String) {
        self.problems.lock().expect("nobody panics with it").push(problem);
    }

    /// A connection has ended, which is only a failure if the server sent a wrong error.
    pub fn lost(&self, who: &str, error: &Error) {
        self.counts.reconnects.fetch_add(1, Relaxed);
        match error.kind() {
            ErrorKind::InvalidData => self.problem(format!("{who}: {error}")),
            ErrorKind::ConnectionAborted => drop(self.counts.thrown_out.fetch_add(1, Relaxed)),
            _ => {}
        }
    }

    pub fn problems(&self) -> Vec<String> {
        self.problems.lock().expect("nobody panics with it").clone()
    }
}

/// A message starts with its tag, which identifies every version.
pub fn tag(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// The prefix of the last messages.
pub const LAST: &str = "last";
