//! Where the counts of all parts of the server are found. The server makes it; `/metrics` asks.

use tokio::sync::watch;

use crate::counts::Ask;
use crate::store::{CommitCounts, Measured};
use crate::time::Time;

/// The timed backups.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct BackupCounts {
    /// Backups made and verified.
    pub made: u64,
    /// Backups that failed.
    pub failures: u64,
    /// The moment of the newest one, also from before the start.
    pub last: Option<Time>,
}

/// The lines to those who count, besides the hub.
#[derive(Clone)]
pub struct Counters {
    /// The workers.
    pub workers: Vec<Ask>,
    /// The writer's counts, after its last commit.
    pub commits: watch::Receiver<CommitCounts>,
    /// The disk, a second ago at most; `None`: the system does not say.
    pub disk: watch::Receiver<Option<Measured>>,
    /// The timed backups; `None`: there are none.
    pub backups: Option<watch::Receiver<BackupCounts>>,
    /// When the server started.
    pub started: Time,
}

#[cfg(test)]
impl Counters {
    /// Those of a server without workers.
    pub fn none() -> Counters {
        let (commits, disk) = (watch::channel(CommitCounts::default()).1, watch::channel(None).1);
        Counters { workers: Vec::new(), commits, disk, backups: None, started: Time(0) }
    }
}
