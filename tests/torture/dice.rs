//! A small random number generator (SplitMix64), so that a seed repeats a plan. It must never make
//! secrets.

use std::thread;
use std::time::Duration;

/// The state.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    /// Each client has its own, so that one client's draws do not change another's.
    pub fn new(seed: u64, whose: u64) -> Dice {
        let mut dice = Dice(seed ^ whose.wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`, both included.
    pub fn from(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// True with a probability in thousandths.
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

    /// A message text: mostly short, sometimes long, with characters that trip JSON and terminals.
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
