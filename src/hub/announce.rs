//! Which subscriptions an event of a room goes to, and when: all of them at once, but joins and
//! leaves, for the protocols that gather presence, when [`Presence`](super::presence::Presence)
//! releases them.

use tokio::time::Instant;

use crate::chat::{Event, EventKind, ProtocolId, RoomId, SubscriptionId};
use crate::codec::PROTOCOL_IDS_MAX;
use crate::hub::{Hub, Item, presence};

impl Hub {
    /// Announces an event to every subscription of its room; a join or leave goes to the protocols
    /// that gather presence only when it is due.
    pub(super) fn announce(&mut self, event: &Event, by: Option<SubscriptionId>) {
        let gathers =
            |protocol: ProtocolId| presence::is_a_move(event) && self.encoder.gathers(protocol);
        let wanted = self.protocols(event.room).any(gathers);
        if !wanted || self.presence.note(Instant::now(), event) {
            return self.announce_to(event, by, |_| true);
        }
        self.announce_to(event, by, |gathers| !gathers);
    }

    /// Announces the gathered joins and leaves that are due to the protocols that gather presence.
    pub(super) fn announce_gathered(&mut self) {
        for event in self.presence.due(Instant::now()) {
            self.announce_to(&event, None, |gathers| gathers);
        }
    }

    /// The protocols that have a subscription in the room.
    fn protocols(&self, room: RoomId) -> impl Iterator<Item = ProtocolId> {
        let audience = self.audiences.get(&room).map_or(&[][..], Vec::as_slice);
        let listens =
            |protocol: &ProtocolId| audience.iter().any(|of| of[usize::from(protocol.0)] > 0);
        (0..PROTOCOL_IDS_MAX as u8).map(ProtocolId).filter(listens)
    }

    fn announce_to(
        &mut self,
        event: &Event,
        by: Option<SubscriptionId>,
        wanted: impl Fn(bool) -> bool,
    ) {
        let mut protocols: Vec<ProtocolId> = self.protocols(event.room).collect();
        protocols.retain(|protocol| wanted(self.encoder.gathers(*protocol)));
        let copies = self.encoder.event(event, |protocol| protocols.contains(&protocol));
        let Some(audience) = self.audiences.get(&event.room).filter(|_| !copies.is_empty()) else {
            return;
        };
        let moved = match event.kind {
            EventKind::Joined => Some((event.author.name.folded(), true)),
            EventKind::Left => Some((event.author.name.folded(), false)),
            _ => None,
        };
        let (room, seq) = (event.room, event.kind.seq());
        let item = Item::Announce { room, seq, by, moved, copies };
        let listens = |of: &[u32; PROTOCOL_IDS_MAX]| of.iter().any(|count| *count > 0);
        let mut last = None;
        for (worker, _) in audience.iter().enumerate().filter(|(_, of)| listens(of)) {
            if let Some(worker) = last.replace(worker) {
                self.workers[worker].push(item.clone());
            }
        }
        if let Some(worker) = last {
            self.workers[worker].push(item);
        }
    }
}
