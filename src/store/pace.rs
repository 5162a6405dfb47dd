//! When to commit: at once, or after a short pause, so that one `fsync` covers more entries.

use std::time::Duration;

use crate::limits::{COMMIT_INTERVAL_MS, COMMIT_PROBE_EAGER_MS, COMMIT_PROBE_PACED_MS};

/// The least time between the starts of two paced commits.
const INTERVAL: Duration = Duration::from_millis(COMMIT_INTERVAL_MS);
/// Commits that are measured together. With fewer, chance decides.
const COURSE_COMMITS: u32 = 16;
/// The writer gives up pauses only if its throughput without them is higher by this factor: pauses
/// save many commits, and a little more throughput is not worth those.
const GAIN: f64 = 1.6;

/// Decides how long a commit waits for more entries.
///
/// A commit costs the same for one entry and for a hundred, and so does the broadcast after it. So
/// if entries arrive independently, a short pause pays: as much gets through with far fewer
/// commits. But a sender that waits for each acknowledgement before it sends the next message
/// (lock-step) is only slowed down: nothing arrives during the pause, *because* of the pause.
///
/// The arrivals look the same in both cases, so the writer measures. While entries arrive in quick
/// succession, one mode (with or without pauses) is in use, and its throughput is measured. Now and
/// then the other mode is tried for [`COURSE_COMMITS`] commits. Pauses are off only while clearly
/// more gets through without them.
///
/// An entry that arrives [`COMMIT_INTERVAL_MS`] or more after the last commit never waits.
///
/// # Why not simpler
///
/// Messages acknowledged a second, lock-step senders, on a shared and noisy machine with 2 cores:
///
/// | senders | as it is | always 4 ms apart | never a pause |
/// |--:|--:|--:|--:|
/// | 1 | 1,499 | 197 | 1,739 |
/// | 16 | 6,262 | 3,167 | 7,580 |
/// | 256 | 23,975 | 22,515 | 17,829 |
///
/// A fixed pause slows down few senders most; no pause costs many senders a quarter.
///
/// Pure: the caller passes the time since an arbitrary start, and does the sleeping. (It sleeps
/// instead of waiting for the next arrival: the pause is there to save a wake-up for each.)
#[derive(Default)]
pub(super) struct Pace {
    /// The start of the last commit.
    last: Option<Duration>,
    /// Whether pauses are the mode in use.
    paced: bool,
    /// Entries a second in the mode in use, when last measured.
    rate: f64,
    /// The other mode is being tried.
    trial: bool,
    /// When the next trial is due.
    probe: Duration,
    course: Course,
}

/// Commits in quick succession, and their entries.
#[derive(Default)]
struct Course {
    start: Duration,
    commits: u32,
    entries: usize,
}

impl Pace {
    /// How long to wait for more before committing what is there.
    pub(super) fn pause(&mut self, now: Duration) -> Duration {
        let rest = self.last.map_or(Duration::ZERO, |last| (last + INTERVAL).saturating_sub(now));
        if self.paced != self.trial { rest } else { Duration::ZERO }
    }

    /// A commit of `entries` entries starts.
    pub(super) fn begin(&mut self, now: Duration, entries: usize) {
        let follows = self.last.is_some_and(|last| now <= last + 2 * INTERVAL);
        self.last = Some(now);
        if !follows {
            (self.trial, self.course) = (false, Course { start: now, ..Course::default() });
            return;
        }
        self.course.commits += 1;
        self.course.entries += entries;
        if self.course.commits < COURSE_COMMITS {
            return;
        }
        let seconds = (now - self.course.start).as_secs_f64().max(f64::MIN_POSITIVE);
        let rate = self.course.entries as f64 / seconds;
        self.course = Course { start: now, ..Course::default() };
        if self.trial {
            let (paced, eager) = if self.paced { (self.rate, rate) } else { (rate, self.rate) };
            self.paced = eager <= GAIN * paced;
            let wait = if self.paced { COMMIT_PROBE_PACED_MS } else { COMMIT_PROBE_EAGER_MS };
            (self.trial, self.probe) = (false, now + Duration::from_millis(wait));
        } else {
            self.rate = rate;
            self.trial = now >= self.probe;
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
        /// One second in which a write arrives each `every`. Returns the number of commits.
        fn stream(&mut self, every: Duration) -> usize {
            let (end, mut next, mut commits) = (self.now + SECOND, self.now, 0);
            while self.now < end {
                self.now = self.now.max(next); // Asleep until the next write arrives.
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

        /// Some seconds of senders that each send the next message when the last is committed, all
        /// a little apart. Returns the commits a second.
        fn lock_step(&mut self, senders: usize, seconds: u32) -> u128 {
            let (end, mut commits) = (self.now + seconds * SECOND, 0);
            while self.now < end {
                // Half of them arrive in time for the next commit; after a pause, all of them.
                let pause = self.pace.pause(self.now);
                let entries = if pause.is_zero() { senders.div_ceil(2) } else { senders };
                self.now += pause;
                self.pace.begin(self.now, entries);
                self.now += COMMIT;
                commits += 1;
            }
            commits / u128::from(seconds)
        }
    }

    #[test]
    fn a_stream_of_writes_shares_commits() {
        for micros in [20, 100, 500, 1_000, 1_900] {
            let mut writer = Simulated::default();
            // The first second includes learning; then 250 commits a second, and a trial.
            writer.stream(Duration::from_micros(micros));
            let commits = writer.stream(Duration::from_micros(micros));
            assert!((200..=270).contains(&commits), "{micros} µs apart: {commits} commits");
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
    fn lock_step_senders_are_hardly_slowed() {
        let undisturbed = SECOND.as_micros() / COMMIT.as_micros();
        for senders in [1, 2, 16, 256] {
            let mut writer = Simulated::default();
            let commits = writer.lock_step(senders, 8);
            assert!(commits * 100 > undisturbed * 96, "{senders}: {commits} of {undisturbed}");
            // Nor for long after independent senders have stopped.
            writer.stream(Duration::from_micros(100));
            let commits = writer.lock_step(senders, 8);
            assert!(commits * 100 > undisturbed * 80, "{senders}: {commits} of {undisturbed}");
        }
    }

    #[test]
    fn a_stream_is_noticed_after_lock_step() {
        let mut writer = Simulated::default();
        writer.lock_step(1, 2);
        // Until the next trial; from then on one commit in 4 ms.
        for _ in 0..5 {
            writer.stream(Duration::from_millis(1));
        }
        let commits = writer.stream(Duration::from_millis(1));
        assert!((250..=270).contains(&commits), "{commits} commits");
    }
}
