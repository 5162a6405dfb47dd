//! When to commit: at once, or after a pause in which more comes that one `fsync` can cover.

use std::time::Duration;

use crate::limits::{COMMIT_INTERVAL_MS, COMMIT_PROBE_EAGER_MS, COMMIT_PROBE_PACED_MS};

/// Paced commits start at least this far apart.
const INTERVAL: Duration = Duration::from_millis(COMMIT_INTERVAL_MS);
/// Commits that are measured together: fewer, and chance decides.
const COURSE_COMMITS: u32 = 16;
/// So many times as much must get through without pauses for them to be given up: they save so
/// much that a little more throughput is not worth as many commits.
const GAIN: f64 = 1.6;

/// Decides how long a commit waits for company.
///
/// A commit costs the same for one entry and for a hundred, and so does the broadcast that follows
/// it. So under traffic that comes by itself a short pause pays: the same gets through with far
/// fewer commits. But senders who wait for each acknowledgement before they send the next would
/// only be slowed by it: nothing comes while we pause, *because* we pause. Nobody can tell the two
/// apart by looking; so it is tried. While writes come close upon each other, one way is in use,
/// and its throughput is measured; now and then the other way is tried for a short course. Pausing
/// is given up where clearly more gets through without.
///
/// A write that comes an interval or more after the last commit never waits.
///
/// Pure: time comes in as the time since any one start, and the caller does the sleeping. (A sleep
/// and not a wait for the next arrival: being woken for each is what the pause is to save.)
#[derive(Default)]
pub(super) struct Pace {
    /// When the last commit began.
    last: Option<Duration>,
    /// Whether pausing is the way in use.
    paced: bool,
    /// Entries a second that it got through, when last measured.
    rate: f64,
    /// The other way is being tried.
    trial: bool,
    /// When the next try is due.
    probe: Duration,
    course: Course,
}

/// Commits that follow each other closely, and what they got through.
#[derive(Default)]
struct Course {
    start: Duration,
    commits: u32,
    entries: usize,
}

impl Pace {
    /// Something is there to be committed: how long to wait for more.
    pub(super) fn pause(&mut self, now: Duration) -> Duration {
        let rest = self.last.map_or(Duration::ZERO, |last| (last + INTERVAL).saturating_sub(now));
        if self.paced != self.trial { rest } else { Duration::ZERO }
    }

    /// A commit of so many entries begins.
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

        /// Some simulated seconds of senders who send the next when their last is committed, each a
        /// little later than the one before. Returns how many commits there were in a second.
        fn lock_step(&mut self, senders: usize, seconds: u32) -> u128 {
            let (end, mut commits) = (self.now + seconds * SECOND, 0);
            while self.now < end {
                // Half of them are heard in time for the next commit, and after a pause, all.
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
            // At first the writer has to find out; from then on, 250 a second, and a try.
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
    fn those_who_wait_for_every_answer_are_hardly_slowed() {
        let undisturbed = SECOND.as_micros() / COMMIT.as_micros();
        for senders in [1, 2, 16, 256] {
            let mut writer = Simulated::default();
            let commits = writer.lock_step(senders, 8);
            assert!(commits * 100 > undisturbed * 96, "{senders}: {commits} of {undisturbed}");
            // And not for long after others have gone who did not wait.
            writer.stream(Duration::from_micros(100));
            let commits = writer.lock_step(senders, 8);
            assert!(commits * 100 > undisturbed * 80, "{senders}: {commits} of {undisturbed}");
        }
    }

    #[test]
    fn a_stream_is_noticed_after_a_lonely_time() {
        let mut writer = Simulated::default();
        writer.lock_step(1, 2);
        // It takes until the next try; from then on there is a commit in 4 ms.
        for _ in 0..5 {
            writer.stream(Duration::from_millis(1));
        }
        let commits = writer.stream(Duration::from_millis(1));
        assert!((250..=270).contains(&commits), "{commits} commits");
    }
}
