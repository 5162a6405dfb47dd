//! Chance that can be had again: the same seed throws the same dice.

#[path = "../../../tests/kit/splitmix.rs"]
mod splitmix;

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn throw(&mut self) -> u64 {
        splitmix::next(&mut self.0)
    }

    /// A number from 0 to `end - 1`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.throw() % end
    }

    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let last = from.len() as u64;
        (last > 0).then(|| from[usize::try_from(self.below(last)).expect("an index")].clone())
    }
}
