//! The state that a log means, by the core: the tables are compared with it.

use std::collections::HashSet;

use super::*;
use crate::chat::{Chat, Settings};

/// The snapshot from which a core would restart after this log.
pub(super) fn fold(log: impl IntoIterator<Item = (Seq, Time, Entry)>) -> Snapshot {
    let settings = Settings::new(3_600, false);
    let mut core = Chat::new(settings, Snapshot::default());
    let mut effects = Vec::new();
    // A number is used once; for an account that is gone, only the tables remember that.
    let mut known = HashSet::new();
    for (seq, time, entry) in log {
        let ticket = None;
        let entry = match entry {
            Entry::AccountMade { account, .. } if known.contains(&account) => {
                Entry::SessionEnded { session: SessionId(u64::MAX) } // Changes nothing.
            }
            entry => entry,
        };
        let made = matches!(entry, Entry::AccountMade { .. });
        core.handle(time, Command::Logged { ticket, seq, time, entry }, &mut effects);
        if made {
            known.extend(core.snapshot().accounts.iter().map(|account| account.id));
        }
        effects.clear(); // Nobody writes its proposals here.
    }
    core.snapshot()
}
