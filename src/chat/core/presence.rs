//! Presence: a subscription joins a room and parts; the room hears of the first join of a person
//! and of the last part.

use crate::chat::core::Chat;
use crate::chat::state::limiter::Kind;
use crate::chat::types::{Author, Color, Folded, Name, SubscriptionId};
use crate::chat::vocabulary::{Effect, Event, EventKind, Receipt, Refusal};

impl Chat {
    pub(super) fn join(
        &mut self,
        subscription: SubscriptionId,
        name: Option<Name>,
        color: Option<Color>,
    ) -> Result<Receipt, Refusal> {
        let room = self.subscriptions.get(&subscription).map(|subscribed| subscribed.room);
        self.charge(&[(Kind::Presence, 1)], room)?;
        let author = self.named(subscription, name)?;
        if self.subscriptions.get(&subscription).is_some_and(|subscribed| subscribed.present) {
            return Err(Refusal::NameInUse);
        }
        if self.enter(subscription, color.clone()) {
            return Ok(Receipt::Noted);
        }
        let event = self
            .event(subscription, author, color, EventKind::Joined)
            .ok_or(Refusal::RoomNotFound)?;
        Ok(Receipt::Known(Box::new(event)))
    }

    pub(super) fn part(
        &mut self,
        subscription: SubscriptionId,
        name: Option<Name>,
    ) -> Result<Receipt, Refusal> {
        self.named(subscription, name)?;
        if !self.subscriptions.get(&subscription).is_some_and(|subscribed| subscribed.present) {
            return Err(Refusal::NotPresent);
        }
        let room = self.subscriptions.get(&subscription).map(|subscribed| subscribed.room);
        self.charge(&[(Kind::Presence, 1)], room)?;
        self.become_absent(subscription);
        Ok(Receipt::Noted)
    }

    /// A bound subscription joins, and the room hears of it if that is new. `false`: the person was
    /// present already.
    pub(super) fn enter(&mut self, subscription: SubscriptionId, color: Option<Color>) -> bool {
        let Some(author) =
            self.subscriptions.get(&subscription).and_then(|subscribed| subscribed.author.clone())
        else {
            return false;
        };
        let is_new = self.become_present(subscription, &author.name.folded());
        if is_new && let Some(event) = self.event(subscription, author, color, EventKind::Joined) {
            self.announce(subscription, event);
        }
        is_new
    }

    /// Marks a bound subscription as present. `true`: its name was not present before.
    pub(super) fn become_present(&mut self, subscription: SubscriptionId, folded: &Folded) -> bool {
        let now = self.now;
        let Some(subscribed) = self.subscriptions.get_mut(&subscription) else { return false };
        subscribed.present = true;
        self.rooms.get_mut(subscribed.room).is_some_and(|room| room.enter(folded, now))
    }

    /// A present subscription parts, and the room hears of it if its name is not present any more.
    pub(super) fn become_absent(&mut self, subscription: SubscriptionId) {
        let Some(subscribed) = self.subscriptions.get_mut(&subscription) else { return };
        let Some(author) = subscribed.author.clone().filter(|_| subscribed.present) else { return };
        subscribed.present = false;
        let room = self.rooms.get_mut(subscribed.room);
        if room.is_some_and(|room| room.leave(&author.name.folded()))
            && let Some(event) = self.event(subscription, author, None, EventKind::Left)
        {
            self.announce(subscription, event);
        }
    }

    /// An event of a subscription, now.
    pub(super) fn event(
        &mut self,
        subscription: SubscriptionId,
        author: Author,
        color: Option<Color>,
        kind: EventKind,
    ) -> Option<Event> {
        let (time, room) = (self.now, self.subscriptions.get(&subscription)?.room);
        let color = self.rooms.get_mut(room)?.record_activity(&author.name.folded(), color, time);
        Some(Event { room, time, author, color, kind })
    }

    pub(super) fn announce(&mut self, subscription: SubscriptionId, event: Event) {
        let by = self
            .subscriptions
            .get(&subscription)
            .map(|subscribed| (subscription, subscribed.protocol));
        self.order.tell(Effect::Announce { event, by });
    }
}
