//! The sessions that are in use: each request and each open subscription is a use.

use crate::chat::SessionId;
use crate::chat::simulation::Simulation;
use crate::chat::simulation::world::{View, World};
use crate::crypto::KeyHash;

impl Simulation {
    /// These sessions are in use now.
    pub(super) fn used(&mut self, sessions: impl IntoIterator<Item = SessionId>) {
        for session in sessions {
            if let Some(live) = self.book.sessions.get_mut(&session) {
                live.last_used = self.clock;
                self.book.used.insert(session, self.now);
            }
        }
    }

    /// The session with that key, unless it has expired: a session ends a lifetime after its last
    /// use, and a subscription keeps it in use.
    pub(super) fn live_session(&self, key: &KeyHash) -> Option<SessionId> {
        let session = self.book.session_with(key)?;
        let fresh = self.book.used[&session.id].plus_secs(self.book.ttl_of(session)) > self.now;
        (fresh || self.world.is_held(session.id)).then_some(session.id)
    }
}

impl World {
    /// Whether a subscription or stream keeps the session in use.
    pub fn is_held(&self, session: SessionId) -> bool {
        let streams = |stream: &View| stream.standing && stream.session == Some(session);
        self.members.values().any(|member| member.standing && member.session == Some(session))
            || self.streams.values().any(streams)
    }
}
