//! What all clients share: how far the test is, where to connect to, what was said and what of it
//! was acknowledged, and what has gone wrong.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::dice::Dice;

/// How far the test is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub enum Phase {
    /// Everybody does what they can while the server is killed and the network is bad.
    Storm,
    /// The server stays up and the network is good: everybody finishes what they are unsure of.
    Calm,
    /// Nobody is unsure any more: everybody waits for the last words in their rooms.
    CloseReason,
}

/// How far a client is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub enum Stage {
    /// At work.
    Busy,
    /// Connected, and sure of everything it has done.
    Settled,
    /// It has heard the last words, and is gone.
    Done,
}

/// A message as its sender knows it.
#[derive(Clone, Default, Debug)]
pub struct Sent {
    pub author: String,
    pub room: u64,
    /// What was said first, and what it was changed into, in this order.
    pub versions: Vec<Version>,
    /// The server has answered that it has it.
    pub acknowledged: bool,
    /// Its number, where the answer had it.
    pub seq: Option<u64>,
    /// The sender has asked for it to be deleted; and the server has answered that it is.
    pub delete_sent: bool,
    pub delete_acknowledged: bool,
}

/// One text of a message.
#[derive(Clone, Default, Debug)]
pub struct Version {
    pub text: String,
    pub acknowledged: bool,
    /// How often it was sent. More than once: the server may see the last copy at any time.
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
    /// The way through the bad network.
    pub proxy: u16,
    /// The server itself.
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

    /// A client says how far it is.
    pub fn report(&self, who: &str, stage: Stage) {
        self.stages.lock().expect("nobody panics with it").insert(who.to_owned(), stage);
    }

    /// Waits until all are so far; else those who are not.
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

    /// The `number`th thing that somebody says: a tag, and words up to `chars_max` characters.
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

    /// The server has answered that it has the message.
    pub fn acknowledged(&self, tag: &str) {
        self.amend(tag, |sent| {
            sent.acknowledged = true;
            sent.versions[0].acknowledged = true;
        });
    }

    /// Other words for a message are about to be sent for the first time.
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

    /// Something is wrong with the server.
    pub fn problem(&self, what: String) {
        self.problems.lock().expect("nobody panics with it").push(what);
    }

    /// A connection is over. That is no problem, unless the server said what no server may say.
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

/// A message begins with its tag, so that it is known whatever becomes of the rest.
pub fn tag(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// The last words begin so.
pub const FAREWELL: &str = "reason";
