//! Where accounts sit and by which session, and when sessions are to be looked at: they stand in a
//! queue, so that nobody goes through all of them.

use std::ops::Bound;

use crate::chat::state::accounts::{Accounts, Live};
use crate::chat::types::{AccountId, ProtocolId, RoomId, SessionId, SubscriptionId};
use crate::limits::TICK_MS;
use crate::time::{Moment, Time};

/// A subscription of an account: where, through which protocol, and which.
pub type Place = (RoomId, ProtocolId, SubscriptionId);

/// What is to be done about a session whose time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Nothing yet.
    Later,
    /// The disk should know that it was used just now.
    Used,
    /// Nobody used it for its lifetime.
    Expired,
}

impl Accounts {
    /// The clock goes on: who sits by a session uses it.
    pub fn tick(&mut self, now: Time) {
        self.ticks += 1;
        self.ticked = now;
    }

    /// A session that is to be looked at by now.
    pub fn next_due(&self, now: Time) -> Option<SessionId> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, id)| *id)
    }

    /// Looks at a session whose time has come. When it comes again, depends: one that somebody sits
    /// by is written down as used, grain by grain; another ends.
    pub fn look_at(&mut self, id: SessionId, now: Moment) -> Look {
        let Some(live) = self.sessions.get(&id) else { return Look::Later };
        let (subscribed, ending) = (!live.subscriptions.is_empty(), live.pending_end);
        let found = match subscribed {
            true if self.touch(id, now) => Look::Used,
            false if !ending && self.is_expired(&self.sessions[&id], now.running) => Look::Expired,
            _ => Look::Later,
        };
        // (One that ends may be there still, if its end cannot be written down.)
        let soon = Time(now.running.0.saturating_add_unsigned(TICK_MS * 1_000));
        let next =
            Accounts::next_look(&self.sessions[&id]).max(Time(now.running.0.saturating_add(1)));
        self.expect(id, if found == Look::Expired || ending { soon } else { next });
        found
    }

    /// When there may be something to do about a session.
    pub fn next_look(live: &Live) -> Time {
        if live.subscriptions.is_empty() {
            return live.used.plus_secs(live.ttl_secs);
        }
        Time(live.noted.0.saturating_add(live.grain_micros()))
    }

    /// A session is to be looked at then.
    pub fn expect(&mut self, id: SessionId, due: Time) {
        if let Some(live) = self.sessions.get_mut(&id) {
            self.due.remove(&(live.due, id));
            live.due = due;
            self.due.insert((due, id));
        }
    }

    /// A guest without a session, behind that one.
    pub fn next_over(&self, after: AccountId) -> Option<AccountId> {
        self.over.range((Bound::Excluded(after), Bound::Unbounded)).next().copied()
    }

    /// The account takes a subscription, by a session or without one (a token's holder).
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

    /// The reverse of [`Accounts::sit`].
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
            live.tick = self.ticks; // Ticks from before are no use of it.
            let next = Accounts::next_look(&self.sessions[&id]);
            self.expect(id, next);
        }
    }

    fn release_hold(&mut self, session: Option<SessionId>, subscription: SubscriptionId) {
        let Some(id) = session else { return };
        if let Some(live) = self.sessions.get_mut(&id) {
            live.subscriptions.remove(&subscription);
        }
        // When it is looked at next, that is early enough.
    }

    /// When a session was last used: somebody who sits by it has used it at the last tick.
    pub fn last_used(&self, live: &Live) -> Time {
        let since = !live.subscriptions.is_empty() && self.ticks > live.tick;
        if since { self.ticked } else { live.last_used }
    }
}
