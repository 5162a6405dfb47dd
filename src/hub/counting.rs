//! What the hub counts, for `/metrics`: commands, refusals, and how long the queues around it are.

use tokio::sync::oneshot;

use crate::chat::{Field, Refusal};
use crate::counts::ByKind;
use crate::hub::Hub;

/// The hub's counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct HubCounts {
    /// Commands that the core has handled.
    pub commands: u64,
    /// Refusals by their reason; what a reason says in detail is left out.
    pub refusals: ByKind<Refusal>,
    /// Commands that wait for the hub.
    pub inbox: usize,
    /// Calls that are not answered yet.
    pub calls: usize,
    /// Entries proposed and not yet in the log.
    pub proposed: usize,
    /// Rounds that the workers have not taken yet.
    pub rounds: usize,
}

impl Hub {
    /// Answers a request for the counts.
    pub(super) fn show_counts(&self, asker: oneshot::Sender<HubCounts>) {
        let counts = HubCounts {
            inbox: self.inbox.len(),
            calls: self.waiters.len(),
            proposed: self.chat.proposed(),
            rounds: self.workers.iter().map(|worker| worker.waiting()).sum(),
            ..self.counts.clone()
        };
        let _ = asker.send(counts); // The asker may be gone.
    }

    /// Counts a refusal, if it is one.
    pub(super) fn count_refusal(&mut self, refusal: Option<&Refusal>) {
        if let Some(refusal) = refusal {
            self.counts.refusals.add(reason(*refusal), 1);
        }
    }
}

/// The same refusal without its details, so that there are few kinds.
fn reason(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::RateLimited { .. } => Refusal::RateLimited { retry_after_ms: 0 },
        Refusal::Malformed(_) => Refusal::Malformed(Field::Whole),
        other => other,
    }
}
