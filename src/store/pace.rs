//! When to commit: at once, or after a pause in which more comes that one `fsync` can cover.

use std::time::Duration;

use crate::limits::{COMMIT_INTERVAL_MS, COMMIT_PROBE_MS};

/// Commits that come close upon each other start at least this far apart, where that gathers.
const INTERVAL: Duration = Duration::from_millis(COMMIT_INTERVAL_MS);
/// Between two tries, where it does not.
const PROBE: Duration = Duration::from_millis(COMMIT_PROBE_MS);
/// Pauses in a row that must gather nothing before they are given up. Traffic is uneven: one
/// interval with a single write in it says little.
const PATIENCE: u8 = 3;

/// Decides how long a commit waits for company.
///
/// A commit costs the same for one entry and for a hundred, and so does the broadcast that follows
/// it. So under traffic a short pause pays: many writes share one commit. But a sender who waits
/// for each acknowledgement before sending the next would only be slowed by it: nothing comes
/// while we pause, *because* we pause. Nobody can tell the two apart from outside, so it is tried:
///
/// - A write that comes an [`INTERVAL`] or more after the last commit is committed at once.
/// - One that comes sooner waits for the rest of the interval, as long as pausing gathers: as long
///   as one of the last [`PATIENCE`] such commits had more than one entry.
/// - Where it does not gather, only one in each [`PROBE`] is made to wait, to see if it does now.
///   Two entries in one commit, pause or no pause, show that there is more than one sender.
///
/// Pure: time comes in as the time since any one start, and the caller does the sleeping. (A sleep
/// and not a wait for the next arrival: being woken for each is what the pause is to save.)
#[derive(Default)]
pub(super) struct Pace {
    /// When the last commit began.
    last: Option<Duration>,
    /// Pauses that may still gather nothing before they are given up; 0: they are.
    patience: u8,
    /// When the next try is due.
    probe: Duration,
    /// Whether the commit that is about to begin was made to wait.
    paused: bool,
}

impl Pace {
    /// Something is there to be committed: how long to wait for more.
    pub(super) fn pause(&mut self, now: Duration) -> Duration {
        let rest = self.last.map_or(Duration::ZERO, |last| (last + INTERVAL).saturating_sub(now));
        let close = !rest.is_zero();
        let gathers = self.patience > 0;
        self.paused = close && (gathers || now >= self.probe);
        if self.paused && !gathers {
            self.probe = now + PROBE;
        }
        if self.paused { rest } else { Duration::ZERO }
    }

    /// A commit of so many entries begins.
    pub(super) fn begin(&mut self, now: Duration, entries: usize) {
        self.last = Some(now);
        if entries > 1 {
            self.patience = PATIENCE;
        } else if self.paused {
            self.patience = self.patience.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: Duration = Duration::from_micros(300);
    const SECOND: Duration = Duration::from_secs(1);

    /// A writer whose commits take 300 µs, and its clock.
    #[derive(Default)]
    struct Simulated {
        pace: Pace,
        now: Duration,
    }

    impl Simulated {
        /// One simulated second of a write each `every`. Returns how many commits there were.
        fn stream(&mut self, every: Duration) -> usize {
            let (end, mut next, mut commits) = (self.now + SECOND, self.now, 0);
            while self.now < end {
                self.now = self.now.max(next); // Asleep until the next write comes.
                self.now += self.pace.pause(self.now);
                let mut entries = 0;
                while next <= self.now {
                    (next, entries) = (next + every, entries + 1);
                }
                self.pace.begin(self.now, entries);
                self.now += COMMIT;
                commits += 1;
            }
            commits
        }

        /// One simulated second of somebody who sends the next when the last is committed. Returns
        /// how many they sent.
        fn lock_step(&mut self) -> u128 {
            let (end, mut entries) = (self.now + SECOND, 0);
            while self.now < end {
                self.now += self.pace.pause(self.now);
                self.pace.begin(self.now, 1);
                self.now += COMMIT;
                entries += 1;
            }
            entries
        }
    }

    #[test]
    fn a_stream_of_writes_shares_commits() {
        for micros in [20, 100, 500, 1_000, 1_900] {
            let mut writer = Simulated::default();
            // At first the writer has to find out; from then on, 250 a second.
            writer.stream(Duration::from_micros(micros));
            let commits = writer.stream(Duration::from_micros(micros));
            assert!((200..=251).contains(&commits), "{micros} µs apart: {commits} commits");
        }
    }

    #[test]
    fn a_write_now_and_then_never_waits() {
        let mut pace = Pace::default();
        for beat in 0..100 {
            let now = INTERVAL * beat;
            assert_eq!(pace.pause(now), Duration::ZERO, "at {now:?}");
            pace.begin(now, 1 + beat as usize % 3);
        }
    }

    #[test]
    fn one_who_waits_for_every_answer_is_hardly_slowed() {
        let undisturbed = SECOND.as_micros() / COMMIT.as_micros();
        let mut writer = Simulated::default();
        let entries = writer.lock_step();
        assert!(entries * 100 > undisturbed * 97, "{entries} of {undisturbed}");
        // And not for long after company has gone.
        writer.stream(Duration::from_micros(100));
        let entries = writer.lock_step();
        assert!(entries * 100 > undisturbed * 96, "{entries} of {undisturbed}");
    }

    #[test]
    fn a_stream_is_noticed_after_a_lonely_time() {
        let mut writer = Simulated::default();
        writer.lock_step();
        // A write each millisecond: no commit has two of them but by a pause. So it takes a try,
        // after a quarter of a second and as many commits; then there is one in 4 ms.
        let commits = writer.stream(Duration::from_millis(1));
        assert!((250..=250 + 190).contains(&commits), "{commits} commits");
    }
}
