//! The end of subscriptions, and invariants when nothing is pending.

use crate::chat::simulation::world::{Hearing, Member, World};
use crate::chat::{Entry, Folded, RoomId, SessionId, SubscriptionId};
use crate::time::Time;

impl World {
    /// When nothing waits for the log, every call and tell has its answer, and exactly the
    /// subscriptions that must exist by the rules hear their rooms.
    pub fn check_settled(&self) {
        assert!(self.asks.is_empty(), "a call was never answered");
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
            assert_eq!(hears, member.standing, "{subscription:?} hears against the rules");
            assert!(!hears || member.tells.is_empty(), "{subscription:?} waits for a reply");
        }
    }

    /// The roster from events equals the core's answer, and has no ghosts.
    pub fn check_roster(&self, room: RoomId, present: &[Folded]) {
        let heard = self.rosters.get(&room).map_or(&[][..], |roster| roster);
        assert_eq!(heard, present, "who is present in {room:?}");
        let inside = |member: &&Member| member.room == room && member.standing;
        let subscriptions = self.members.values().filter(inside).count();
        let streams = self.streams.values().flat_map(|stream| stream.subscriptions.values());
        let subscriptions = subscriptions + streams.filter(|other| **other == room).count();
        assert!(present.len() <= subscriptions, "there are ghosts in {room:?}");
    }

    /// No refused message is in the log.
    pub fn check_refused(&self, log: &[(Time, Entry)]) {
        for (_, entry) in log {
            if let Entry::Said { text, .. } = entry {
                assert!(
                    !self.refused_texts.contains(text),
                    "{text:?} was refused, but is in the log"
                );
            }
        }
    }

    /// Ends subscriptions, by the rules. Returns the sessions that were in use until now.
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
