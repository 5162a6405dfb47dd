//! A room that closes, or gets a new password: connections that came in by another way end.
//!
//! Memberships change at once, with the entry; but telling thousands of people and ending their
//! subscriptions is too long for one command. Until that is done the log waits with its next reply
//! (see [`Chat::is_behind`]), and the effects go into a section of the queue (see `order`): so none
//! of these people receives a message from after the entry.

use crate::chat::core::Chat;
use crate::chat::small::SmallMap;
use crate::chat::state::subscription::Subscription;
use crate::chat::state::work::{ClosingRoom, Work};
use crate::chat::types::{RoomId, Seq, SubscriptionId};
use crate::chat::vocabulary::{CloseReason, EventKind};

impl Chat {
    /// Closes a room to all but its owner, and with `keep_members` its members.
    pub(super) fn close_room(&mut self, id: RoomId, seq: Seq, keep_members: bool) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        let members = if keep_members { SmallMap::default() } else { room.put_all_out() };
        let (owner, subscriptions) = (room.record.owner, room.subscriptions.clone());
        self.left(id);
        self.order.open_section();
        let (room, told) = (id, false);
        self.go_on_closing_room(ClosingRoom { room, seq, owner, members, told, subscriptions });
    }

    pub(super) fn go_on_closing_room(&mut self, mut closing: ClosingRoom) {
        self.order.enter_section();
        let through = self.close_room_in_part(&mut closing);
        self.order.leave_section(through);
        if !through {
            self.work.push_back(Work::CloseRoom(Box::new(closing)));
        }
    }

    /// `false`: more work is left than this command may do.
    fn close_room_in_part(&mut self, closing: &mut ClosingRoom) -> bool {
        while let Some((account, _)) = closing.members.first_key_value() {
            if !self.step() {
                return false;
            }
            let account = *account;
            closing.members.remove(&account);
            self.notify(account, closing.room, EventKind::Gone { seq: closing.seq });
            self.streams_leave(account, closing.room);
            if let Some(known) = self.accounts.get_mut(account) {
                known.belongs_no_more(closing.room, false);
            }
        }
        if !std::mem::replace(&mut closing.told, true) {
            self.tell_what_it_is(closing.room, closing.seq);
        }
        while let Some(subscription) = closing.subscriptions.first().copied() {
            if !self.step() {
                return false;
            }
            closing.subscriptions.remove(&subscription);
            if self
                .subscriptions
                .get(&subscription)
                .is_some_and(|subscribed| !closing.stays(subscribed))
            {
                self.unsubscribe(subscription, Some(CloseReason::Locked));
            }
        }
        true
    }

    /// Whether a subscription is about to end because its room has closed: it may not send any
    /// more.
    pub(super) fn is_put_out(
        &self,
        subscription: SubscriptionId,
        subscribed: &Subscription,
    ) -> bool {
        let goes = |room: &ClosingRoom| {
            room.subscriptions.contains(&subscription) && !room.stays(subscribed)
        };
        self.work.iter().any(|work| matches!(work, Work::CloseRoom(room) if goes(room)))
    }
}
