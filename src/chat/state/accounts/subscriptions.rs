//! The subscriptions of accounts and sessions, and the checks of sessions: a queue by time, so that
//! nothing goes through all sessions.

use std::ops::Bound;

use crate::chat::state::accounts::{Accounts, Live};
use crate::chat::types::{AccountId, ProtocolId, RoomId, SessionId, SubscriptionId};
use crate::limits::TICK_MS;
use crate::time::{Moment, Time};

/// A subscription of an account: room, protocol, number.
pub type Place = (RoomId, ProtocolId, SubscriptionId);

/// The result of a session's check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Nothing to do yet.
    Later,
    /// The session is in use: the store should know.
    Used,
    /// The session was unused for its lifetime.
    Expired,
}

impl Accounts {
    /// The clock ticks: a use of every session with a subscription.
    pub fn tick(&mut self, now: Time) {
        self.ticks += 1;
        self.ticked = now;
    }

    /// A session whose check is due.
    pub fn next_due(&self, now: Time) -> Option<SessionId> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, id)| *id)
    }

    /// Checks a session that is due, and plans the next check. A session with a subscription is
    /// recorded as used, step by step; another expires.
    pub fn look_at(&mut self, id: SessionId, now: Moment) -> Look {
        let Some(live) = self.sessions.get(&id) else { return Look::Later };
        let (subscribed, ending) = (!live.subscriptions.is_empty(), live.pending_end);
        let found = match subscribed {
            true if self.touch(id, now) => Look::Used,
            false if !ending && self.is_expired(&self.sessions[&id], now.running) => Look::Expired,
            _ => Look::Later,
        };
        // (An ending session may still exist if the store cannot record its end.)
        let soon = Time(now.running.0.saturating_add_unsigned(TICK_MS * 1_000));
        let next =
            Accounts::next_look(&self.sessions[&id]).max(Time(now.running.0.saturating_add(1)));
        self.expect(id, if found == Look::Expired || ending { soon } else { next });
        found
    }

    /// The time of a session's next check.
    pub fn next_look(live: &Live) -> Time {
        if live.subscriptions.is_empty() {
            return live.used.plus_secs(live.ttl_secs);
        }
        Time(live.noted.0.saturating_add(live.grain_micros()))
    }

    /// Plans a session's next check.
    pub fn expect(&mut self, id: SessionId, due: Time) {
        if let Some(live) = self.sessions.get_mut(&id) {
            self.due.remove(&(live.due, id));
            live.due = due;
            self.due.insert((due, id));
        }
    }

    /// The next guest without a session after that account.
    pub fn next_over(&self, after: AccountId) -> Option<AccountId> {
        self.over.range((Bound::Excluded(after), Bound::Unbounded)).next().copied()
    }

    /// The account subscribes, with a session or without one (the holder of a token).
    pub fn subscribe(
        &mut self,
        account: AccountId,
        session: Option<SessionId>,
        subscription: Place,
    ) {
        if let Some(known) = self.accounts.get_mut(&account) {
            known.subscriptions.insert(subscription);
        }
        self.hold(session, subscription.2);
    }

    /// The reverse of [`Accounts::subscribe`].
    pub fn unsubscribe(
        &mut self,
        account: AccountId,
        session: Option<SessionId>,
        subscription: Place,
    ) {
        if let Some(known) = self.accounts.get_mut(&account) {
            known.subscriptions.remove(&subscription);
        }
        self.release_hold(session, subscription.2);
    }

    /// The account opens a stream.
    pub fn open(&mut self, account: AccountId, session: Option<SessionId>, base: SubscriptionId) {
        if let Some(known) = self.accounts.get_mut(&account) {
            known.streams.push(base);
        }
        self.hold(session, base);
    }

    /// The reverse of [`Accounts::open`].
    pub fn shut(&mut self, account: AccountId, session: Option<SessionId>, base: SubscriptionId) {
        if let Some(known) = self.accounts.get_mut(&account) {
            known.streams.retain(|open| *open != base);
        }
        self.release_hold(session, base);
    }

    fn hold(&mut self, session: Option<SessionId>, subscription: SubscriptionId) {
        let Some(id) = session else { return };
        let Some(live) = self.sessions.get_mut(&id) else { return };
        live.subscriptions.insert(subscription);
        if live.subscriptions.len() == 1 {
            live.tick = self.ticks; // Earlier ticks do not count.
            let next = Accounts::next_look(&self.sessions[&id]);
            self.expect(id, next);
        }
    }

    fn release_hold(&mut self, session: Option<SessionId>, subscription: SubscriptionId) {
        let Some(id) = session else { return };
        if let Some(live) = self.sessions.get_mut(&id) {
            live.subscriptions.remove(&subscription);
        }
        // The next check is early enough.
    }

    /// The last use of a session: the last tick, if it has a subscription.
    pub fn last_used(&self, live: &Live) -> Time {
        let since = !live.subscriptions.is_empty() && self.ticks > live.tick;
        if since { self.ticked } else { live.last_used }
    }
}
