//! Measures the disk, publishes the result, and tells the core when the free space changes.

use std::time::Duration;

use tokio::sync::watch;

use crate::chat::{Command, Space};
use crate::hub::LogHandle;
use crate::limits::DISK_PROBE_MS;
use crate::log;
use crate::store::{Disk, Measured};

/// Watches one disk.
pub(super) struct Watch {
    disk: Disk,
    core: LogHandle,
    /// The last state told to the core.
    known: Space,
    /// For `/metrics`.
    measured: watch::Sender<Option<Measured>>,
}

impl Watch {
    /// A watch that has not looked yet. `measured` gets what it sees.
    pub fn new(disk: Disk, core: LogHandle, measured: watch::Sender<Option<Measured>>) -> Watch {
        Watch { disk, core, known: Space::Enough, measured }
    }

    /// Checks periodically, until the task is aborted.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(Duration::from_millis(DISK_PROBE_MS)).await;
            self.look().await;
        }
    }

    /// Checks once, on a blocking thread, as a disk may be slow, and tells the core of a change. A
    /// disk whose free space is unknown counts as having room: a failing write will show.
    pub async fn look(&mut self) {
        let disk = self.disk.clone();
        let look = move || disk.measure().ok();
        let Ok(measured) = tokio::task::spawn_blocking(look).await else { return };
        self.measured.send_replace(measured);
        let space = measured.map_or(Space::Enough, |measured| measured.space);
        if std::mem::replace(&mut self.known, space) == space {
            return;
        }
        self.core.answer(vec![Command::Space(space)]).await;
        match space {
            Space::Enough => log!(Info, "the disk has enough free space again"),
            Space::Little => {
                log!(
                    Warn,
                    "the disk is filling up: messages from guests are refused (--disk-free)"
                );
            }
            Space::Least => {
                log!(
                    Error,
                    "the disk is nearly full: all messages are refused; free some space \
                     (--disk-free)"
                );
            }
        }
    }
}
