//! Checks the disk's free space, and tells the core when it changes.

use std::sync::Arc;
use std::time::Duration;

use crate::chat::{Command, Space};
use crate::hub::LogHandle;
use crate::limits::DISK_PROBE_MS;
use crate::log;
use crate::store::Disk;

/// Checks periodically, until the task is aborted. `known`: the last state told to the core.
pub(super) async fn watch(disk: Disk, core: Arc<LogHandle>, mut known: Space) {
    loop {
        tokio::time::sleep(Duration::from_millis(DISK_PROBE_MS)).await;
        look(&disk, &core, &mut known).await;
    }
}

/// Checks once, on a blocking thread, as a disk may be slow, and tells the core of a change. A disk
/// whose free space is unknown counts as having room: a failing write will show.
pub(super) async fn look(disk: &Disk, core: &Arc<LogHandle>, known: &mut Space) {
    let disk = disk.clone();
    let look = move || disk.space().unwrap_or(Space::Enough);
    let Ok(space) = tokio::task::spawn_blocking(look).await else { return };
    if std::mem::replace(known, space) == space {
        return;
    }
    core.answer(vec![Command::Space(space)]).await;
    match space {
        Space::Enough => log!(Info, "the disk has enough free space again"),
        Space::Little => {
            log!(Warn, "the disk is filling up: messages from guests are refused (--disk-free)");
        }
        Space::Least => {
            log!(
                Error,
                "the disk is nearly full: all messages are refused; free some space (--disk-free)"
            );
        }
    }
}
