//! What all lives share: numbers for new names, the accounts, and what was noticed.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::dice::Dice;

/// Names, titles and messages are made of a few words, so that searches find something.
const WORDS: [&str; 8] = ["land", "ahoy", "storm", "anchor", "rum", "parrot", "treasure", "sail"];
/// So many addresses take turns.
const ADDRESSES: usize = 50_000;

/// See the module's documentation.
pub struct World {
    pub port: u16,
    keys: Vec<String>,
    dice: RefCell<Dice>,
    count: Cell<usize>,
    over: Cell<bool>,
    noticed: RefCell<Noticed>,
}

/// What happened since the last look.
#[derive(Default)]
pub struct Noticed {
    /// From each send to its acknowledgement.
    pub acks: Vec<Duration>,
    /// Lives that ended as they should.
    pub lives: usize,
    /// Requests that were to wait, or that the server refused for want of room.
    pub refused: usize,
    /// What should not have happened.
    pub faults: Vec<String>,
}

impl World {
    /// `keys`: of the accounts.
    pub fn new(port: u16, keys: Vec<String>, dice: Dice) -> World {
        let (dice, noticed) = (RefCell::new(dice), RefCell::default());
        World { port, keys, dice, count: Cell::new(0), over: Cell::new(false), noticed }
    }

    /// A number that was never used before.
    pub fn number(&self) -> usize {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    /// The address of a life.
    pub fn address(&self, number: usize) -> usize {
        10_000 + number % ADDRESSES
    }

    /// A number below `sides`.
    pub fn roll(&self, sides: usize) -> usize {
        self.dice.borrow_mut().from(0, sides as u64 - 1) as usize
    }

    pub fn word(&self) -> &'static str {
        WORDS[self.roll(WORDS.len())]
    }

    /// The key of some account.
    pub fn key(&self) -> &str {
        &self.keys[self.roll(self.keys.len())]
    }

    /// A moment's thought.
    pub fn pause(&self) -> Duration {
        Duration::from_millis(50 + self.roll(1_500) as u64)
    }

    /// No life begins any more.
    pub fn end(&self) {
        self.over.set(true);
    }

    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    pub fn acknowledged(&self, took: Duration) {
        self.noticed.borrow_mut().acks.push(took);
    }

    pub fn refused(&self) {
        self.noticed.borrow_mut().refused += 1;
    }

    pub fn lived(&self, outcome: std::io::Result<()>) {
        let mut noticed = self.noticed.borrow_mut();
        match outcome {
            Ok(()) => noticed.lives += 1,
            Err(error) => noticed.faults.push(error.to_string()),
        }
    }

    /// Takes what was noticed since the last time.
    pub fn noticed(&self) -> Noticed {
        self.noticed.take()
    }
}
