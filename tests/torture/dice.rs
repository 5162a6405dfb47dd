//! A small generator of numbers, so that a seed gives the same plan again.

#[path = "../kit/splitmix.rs"]
mod splitmix;

use std::thread;
use std::time::Duration;

/// Where the next number comes from.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    /// Everybody has their own, so that what one does changes no other's numbers.
    pub fn new(seed: u64, whose: u64) -> Dice {
        let mut dice = Dice(seed ^ whose.wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    pub fn next(&mut self) -> u64 {
        splitmix::next(&mut self.0)
    }

    /// From `least` to `most`, both included.
    pub fn from(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// Yes, so many times of a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.next() % 1000 < per_mille
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[(self.next() % of.len() as u64) as usize]
    }

    pub fn ms(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.from(least, most))
    }

    pub fn sleep(&mut self, least_ms: u64, most_ms: u64) {
        thread::sleep(self.ms(least_ms, most_ms));
    }

    /// Something to say: mostly short, at times long, with what JSON and terminals trip over.
    pub fn words(&mut self, chars_max: usize) -> String {
        const PARTS: [&str; 8] =
            ["rum", "ahoy", "\"quoted\"", "back\\slash", "ärgerlich", "⚓🏴", "two\nlines", "{}"];
        let chars = match self.from(0, 19) {
            0 => self.from(0, chars_max as u64),
            1 => chars_max as u64,
            _ => self.from(0, 60.min(chars_max as u64)),
        };
        let mut text = String::new();
        let mut length = 0;
        while length < chars as usize {
            let part = *self.pick(&PARTS);
            text.push_str(part);
            text.push(' ');
            length += part.chars().count() + 1;
        }
        text.chars().take(chars as usize).collect::<String>().trim_end().to_owned()
    }
}
