//! What the writer counts, for `/metrics`. It publishes its counts after each commit, so that they
//! can be read also while the disk hangs.

use std::time::Duration;

use tokio::sync::watch;

use crate::chat::{Command, Entry, Seq};
use crate::counts::Histogram;

/// The writer's counts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CommitCounts {
    /// What transactions took, from their begin to the durable commit; failed ones included.
    pub commits: Histogram,
    /// Transactions that failed.
    pub failures: u64,
    /// Entries added to the log.
    pub entries: u64,
    /// The messages among them.
    pub messages: u64,
    /// The number of the last entry.
    pub last: Seq,
}

/// The writer's end.
pub(super) struct Ledger(watch::Sender<CommitCounts>);

impl Ledger {
    /// The counts of a writer whose log ends at that entry.
    pub fn new(last: Seq) -> Ledger {
        Ledger(watch::channel(CommitCounts { last, ..CommitCounts::default() }).0)
    }

    /// For the reader of the counts.
    pub fn published(&self) -> watch::Receiver<CommitCounts> {
        self.0.subscribe()
    }

    /// Counts a batch by its answers.
    pub fn add(&self, took: Duration, failed: bool, answers: &[Command]) {
        self.0.send_modify(|counts| {
            counts.commits.add(took);
            counts.failures += u64::from(failed);
            for answer in answers {
                if let Command::Logged { entry, seq, .. } = answer {
                    counts.entries += 1;
                    counts.messages += u64::from(matches!(entry, Entry::Said { .. }));
                    counts.last = *seq;
                }
            }
        });
    }
}
