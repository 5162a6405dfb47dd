//! Random inputs for parsers. For the tests only.
//!
//! Each round has its own seed, which a failure prints. The ordinary run has a few thousand rounds;
//! `make fuzz` runs for `FUZZ_SECS`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Marsaglia's xorshift64, which is random enough here.
pub(crate) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        // Neighbouring seeds must give different sequences, and the state must not be 0.
        Dice((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len())]
    }

    /// One of the seeds, or several joined, damaged: bytes are changed, removed, inserted, doubled;
    /// and `words` are inserted that mean something to the parser.
    pub fn bytes(&mut self, seeds: &[&str], words: &[&str]) -> Vec<u8> {
        let mut input = Vec::new();
        for _ in 0..=self.roll(3) {
            input.extend_from_slice(self.one_of(seeds).as_bytes());
        }
        for _ in 0..self.roll(6) {
            let at = self.roll(input.len() + 1);
            let end = (at + self.roll(12)).min(input.len());
            let word = if words.is_empty() { "" } else { self.one_of(words) };
            match self.roll(6) {
                0 if at < input.len() => input[at] = self.roll(256) as u8,
                0 => input.push(self.roll(256) as u8),
                1 => drop(input.splice(at..at, word.bytes())),
                2 => drop(input.splice(at..end, word.bytes())),
                3 => input.truncate(at),
                4 => drop(input.drain(at..end)),
                _ => drop(input.splice(at..at, input[at..end].to_vec())),
            }
        }
        input
    }

    /// The same as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(&mut self, seeds: &[&str], words: &[&str]) -> String {
        String::from_utf8_lossy(&self.bytes(seeds, words)).into_owned()
    }
}

/// Runs `round` `rounds` times or for `FUZZ_SECS`, each with its own dice. `FUZZ_SEED` runs one
/// round.
///
/// # Panics
/// When a round panics; its seed is printed first.
pub(crate) fn fuzz(rounds: u64, mut round: impl FnMut(&mut Dice)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let mut run = |seed: u64| {
        let outcome = catch_unwind(AssertUnwindSafe(|| round(&mut Dice::new(seed))));
        if let Err(panic) = outcome {
            eprintln!("seed {seed}; again: FUZZ_SEED={seed} and the name of this test");
            resume_unwind(panic);
        }
    };
    if let Some(seed) = number("FUZZ_SEED") {
        return run(seed);
    }
    (0..rounds).for_each(&mut run);
    let Some(secs) = number("FUZZ_SECS") else { return };
    let start = Instant::now();
    // The first seed comes from the clock, so that each run tries other seeds.
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let first = passed.as_secs() << 30;
    let mut seed = first;
    while start.elapsed() < Duration::from_secs(secs) {
        run(seed);
        seed += 1;
    }
    println!("{} rounds more, from seed {first} on", seed - first);
}
