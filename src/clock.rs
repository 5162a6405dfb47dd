//! The clock of the core. People and the network set the system's clock; this decides what may
//! follow such a step. Read by the hub.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::CLOCK_STEP_SMOOTHED_MS;
use crate::log;
use crate::time::{Moment, Time};

/// Tells the core the time, from the system's clock, which may leap, and from the time passed since
/// the start, which does not.
pub struct Clock {
    system: Box<dyn Fn() -> Time + Send>,
    started: Time,
    running: Instant,
    shown: Time,
}

impl Clock {
    /// A clock that starts when the system's clock says `wall`.
    pub fn new(wall: Time) -> Clock {
        Clock { system: Box::new(Time::now), ..Clock::by(Box::new(move || wall)) }
    }

    /// A clock that reads `system` instead of the system's clock.
    pub(crate) fn by(system: Box<dyn Fn() -> Time + Send>) -> Clock {
        let wall = system();
        Clock { system, started: wall, running: Instant::now(), shown: wall }
    }

    /// Both clocks now. Logs when the system's clock was set back.
    pub fn now(&mut self) -> Moment {
        let (now, back) = self.read((self.system)(), self.running.elapsed());
        if let Some(back) = back {
            let secs = back.as_secs();
            log!(
                Warn,
                "the system's clock was set back by {secs} s; message times follow it, \
                        and the order of messages does not change"
            );
        }
        now
    }

    /// The moment at which the system's clock says `wall` and `passed` has gone by since the start.
    ///
    /// A step back of up to [`CLOCK_STEP_SMOOTHED_MS`] is smoothed: time stands still until the
    /// system's clock has caught up. A longer step back is believed, and returned for the log.
    fn read(&mut self, wall: Time, passed: Duration) -> (Moment, Option<Duration>) {
        let back = Duration::from_micros(self.shown.0.saturating_sub(wall.0).max(0).unsigned_abs());
        let believed = back > Duration::from_millis(CLOCK_STEP_SMOOTHED_MS);
        if believed || back.is_zero() {
            self.shown = wall;
        }
        let passed = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let running = Time(self.started.0.saturating_add(passed));
        (Moment { wall: self.shown, running }, believed.then_some(back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_step_back_is_smoothed_and_a_long_one_is_believed() {
        const SECOND: i64 = 1_000_000;
        let mut clock = Clock::new(Time(1_000 * SECOND));
        let mut read = |wall: i64, passed: u64| {
            let (now, back) = clock.read(Time(wall * SECOND), Duration::from_secs(passed));
            (now.wall.0 / SECOND, now.running.0 / SECOND, back.map(|back| back.as_secs()))
        };
        assert_eq!(read(1_001, 1), (1_001, 1_001, None));
        assert_eq!(read(1_000, 2), (1_001, 1_002, None), "stands still");
        assert_eq!(read(941, 3), (1_001, 1_003, None), "a minute at most");
        assert_eq!(read(1_002, 4), (1_002, 1_004, None), "goes on");
        assert_eq!(read(22_602, 5), (22_602, 1_005, None), "six hours ahead");
        assert_eq!(read(1_003, 6), (1_003, 1_006, Some(21_599)), "and back, said once");
        assert_eq!(read(1_004, 7), (1_004, 1_007, None));
        // Many short steps back add up to a long one.
        assert_eq!(read(970, 8), (1_004, 1_008, None));
        assert_eq!(read(940, 9), (940, 1_009, Some(64)));
    }

    #[test]
    fn a_clock_at_the_ends_of_time() {
        let mut clock = Clock::new(Time(i64::MAX));
        assert_eq!(clock.read(Time(i64::MIN), Duration::MAX).0.wall, Time(i64::MIN));
        assert_eq!(clock.read(Time(i64::MAX), Duration::MAX).0, Moment::from(Time(i64::MAX)));
    }
}
