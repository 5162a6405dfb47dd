//! What ends, and what must be true when nothing waits any more.

use crate::chat::simulation::world::{Hearing, Member, World};
use crate::chat::{Entry, Folded, RoomId, SessionId, SubscriptionId};
use crate::time::Time;

impl World {
    /// When nothing waits for the log, everybody has what they are owed, and exactly those hear a
    /// room who have a subscription by the rules.
    pub fn check_settled(&self) {
        assert!(self.asks.is_empty(), "an ask was never answered");
        for (base, stream) in &self.streams {
            assert!(
                stream.standing || stream.subscriptions.is_empty(),
                "{base:?} hears all the same"
            );
            assert!(stream.standing || stream.left || stream.dismissed, "{base:?} hangs");
            assert!(!stream.standing || stream.tells.is_empty(), "{base:?} waits for a reply");
        }
        for (subscription, member) in &self.members {
            let hears = member.hearing == Hearing::Now;
            assert_eq!(hears, member.standing, "{subscription:?} hears what it should not, or not");
            assert!(!hears || member.tells.is_empty(), "{subscription:?} waits for a reply");
        }
    }

    /// A roster rebuilt from events is what the core answers, and there are no ghosts in it.
    pub fn check_roster(&self, room: RoomId, present: &[Folded]) {
        let heard = self.rosters.get(&room).map_or(&[][..], |roster| roster);
        assert_eq!(heard, present, "who is present in {room:?}");
        let inside = |member: &&Member| member.room == room && member.standing;
        let subscriptions = self.members.values().filter(inside).count();
        let streams = self.streams.values().flat_map(|one| one.subscriptions.values());
        let subscriptions = subscriptions + streams.filter(|other| **other == room).count();
        assert!(present.len() <= subscriptions, "there are ghosts in {room:?}");
    }

    /// No message that was refused is in the log.
    pub fn check_refused(&self, log: &[(Time, Entry)]) {
        for (_, entry) in log {
            if let Entry::Said { text, .. } = entry {
                assert!(!self.refused_texts.contains(text), "{text:?} was refused, but is there");
            }
        }
    }

    /// Subscriptions end, by the rules. Returns the sessions that were used until now.
    pub fn unsubscribe(
        &mut self,
        who: impl Fn(&SubscriptionId, &Member) -> bool,
    ) -> Vec<SessionId> {
        let standing = self.members.iter_mut().filter(|(_, member)| member.standing);
        let going = standing.filter(|(subscription, member)| who(subscription, member));
        let ended = going.filter_map(|(_, member)| {
            member.standing = false;
            member.session
        });
        ended.collect()
    }
}
