//! Power failures, and the state that must survive them.

use std::collections::{HashMap, HashSet};

use crate::chat::simulation::world::World;
use crate::chat::simulation::{SETTINGS, Simulation};
use crate::chat::{
    CallId, Caller, Chat, Command, Effect, Entry, LOBBY, Refusal, Seq, Snapshot, Source, call,
};

impl Simulation {
    /// The power fails. Only the log survives: it has everything that was acknowledged and nothing
    /// that was refused.
    pub(super) fn crash(&mut self) {
        if self.loud {
            println!("{:>4} crash, after {} entries", self.step, self.disk.log.len());
        }
        self.come_to_rest();
        self.book.compare(&self.chat.snapshot());
        self.world.check_refused(&self.disk.log);
        self.check_said_once();
        self.disk.crash();
        let before = std::mem::take(&mut self.book);
        let mut folded = Chat::new(SETTINGS, Snapshot::default());
        let mut effects = Vec::new();
        for (index, (time, entry)) in self.disk.log.iter().cloned().enumerate() {
            let (ticket, seq) = (None, Seq(index as u64 + 1));
            self.book.apply(seq, time, &entry);
            folded.handle(time, Command::Logged { ticket, seq, time, entry }, &mut effects);
        }
        // (A guest whose last session has ended is over: its end is proposed again.)
        let only_said =
            |effect: &Effect| matches!(effect, Effect::Announce { .. } | Effect::Propose { .. });
        assert!(effects.iter().all(only_said), "old events are announced again");
        let mut restored = folded.snapshot();
        folded = Chat::new(SETTINGS, restored.clone());
        folded.check();
        self.book.compare(&folded.snapshot());
        assert!(self.book.rooms.contains_key(&LOBBY), "the lobby is always there");
        for room in &mut restored.rooms {
            for member in &mut room.members {
                if let Some(seq) = self.disk.marks.get(&(room.id, member.account)) {
                    member.read = member.read.max(*seq);
                    self.book.mark(member.account, room.id, *seq);
                }
            }
        }
        self.restart(restored);
        for (id, kept) in &self.book.sessions {
            // (A session whose beginning is on disk, but was not announced, has no use.)
            let Some((used, noted)) = before.used.get(id).zip(before.noted.get(id)) else {
                continue;
            };
            let lost = used.0 - noted.0;
            assert!(
                lost < self.book.grain_of(kept),
                "the store does not know of the use of {id:?}"
            );
        }
    }

    /// A message that was sent several times with one client id is in the log once.
    fn check_said_once(&self) {
        let mut said = HashSet::new();
        for (_, entry) in &self.disk.log {
            if let Entry::Said { author, client_id: Some(id), .. } = entry {
                assert!(said.insert((author.account, id)), "{entry:?} is there twice");
            }
        }
    }

    /// Restarts from the store's tables, with the last uses as stored.
    fn restart(&mut self, mut snapshot: Snapshot) {
        for session in &mut snapshot.sessions {
            let noted = self.disk.touches.get(&session.id).copied().unwrap_or(session.last_used);
            session.last_used = session.last_used.max(noted);
        }
        // At every start both clocks agree.
        self.now = self.clock;
        let snapshot = snapshot.used_before(self.clock);
        for session in &snapshot.sessions {
            if let Some(kept) = self.book.sessions.get_mut(&session.id) {
                kept.last_used = session.last_used;
                self.book.used.insert(session.id, session.last_used);
                self.book.noted.insert(session.id, session.last_used);
            }
        }
        self.check_acknowledged(&snapshot);
        self.chat = Chat::new(SETTINGS, snapshot).with_steps(self.steps);
        self.chat.check();
        self.book.compare(&self.chat.snapshot());
        self.world = World::default();
        self.spoken.clear();
        self.clients.crash();
    }

    /// Accounts with an acknowledged registration can log in; accounts that were refused, or have a
    /// new key since, cannot.
    fn check_acknowledged(&self, snapshot: &Snapshot) {
        let mut probe = Chat::new(SETTINGS, snapshot.clone());
        let mut effects = Vec::new();
        for (index, (key, _)) in self.registered.iter().enumerate() {
            let mut session = *key;
            session[31] = 1; // A key without an account.
            let (remember, agent) = (false, "".into());
            let call = call::Login { key: *key, session, remember, agent };
            let (ask, caller) = (CallId(index as u64), Caller::Nobody);
            probe.handle(
                self.clock,
                Command::Call { id: ask, source: Source::Own, caller, call: call.into() },
                &mut effects,
            );
        }
        let mut refused = HashMap::new();
        for effect in effects {
            if let Effect::Answer { id: ask, answer } = effect {
                refused.insert(ask, answer);
            }
        }
        for (index, (key, acknowledged)) in self.registered.iter().enumerate() {
            let answer = refused.get(&CallId(index as u64));
            let unknown = answer == Some(&Err(Refusal::UnknownKey));
            let acknowledged = *acknowledged && !self.book.replaced.contains(key);
            assert_eq!(acknowledged, !unknown, "an account exists exactly if acknowledged");
        }
    }
}
