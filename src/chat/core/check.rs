//! Invariants of a core between any two commands. The tests and the fuzz targets call this; release
//! builds do not contain it.

use std::collections::HashMap;

use crate::chat::core::Chat;
use crate::chat::state::quotas::Made;
use crate::chat::types::SubscriptionId;
use crate::chat::vocabulary::Effect;

impl Chat {
    /// Compares the core's tables with each other.
    ///
    /// # Panics
    /// If the tables do not agree.
    pub fn check(&self) {
        self.accounts.check();
        self.rooms.check();
        self.deleted.check();
        self.invitations.check();
        if self.is_busy() {
            return; // Unfinished work has changed only some tables.
        }
        self.order.check();
        self.check_subscriptions();
        self.check_streams();
        if self.is_settled() {
            self.quotas.check(|made| match made {
                Made::Account(account) => self.accounts.get(account).is_some(),
                Made::Room(room) => self.rooms.get(room).is_some(),
            });
            assert!(self.invitations.making.is_empty(), "an invitation is pending for ever");
            assert!(self.waits.is_empty(), "a call waits for a change that is over");
            assert!(!self.accounts.is_anything_in_flight(), "an account's reservation was left");
            assert!(!self.rooms.is_anything_in_flight(), "a room's reservation was left");
            assert!(!self.deleted.is_anything_in_flight(), "a deleted room's reservation was left");
        }
    }

    /// Every subscription agrees with its name, its account and its session, and is or will be
    /// heard.
    fn check_subscriptions(&self) {
        let mut heard: HashMap<SubscriptionId, bool> =
            self.order.heard().map(|subscription| (*subscription, true)).collect();
        for effect in self.order.waiting() {
            match effect {
                Effect::CloseStream { subscription, .. } => {
                    assert_eq!(
                        heard.remove(subscription),
                        Some(true),
                        "{subscription:?} was no stream"
                    );
                }
                Effect::Subscribe { subscription, .. } => {
                    assert_eq!(
                        heard.insert(*subscription, true),
                        None,
                        "{subscription:?} is subscribed twice"
                    );
                }
                Effect::Unsubscribe { subscription, .. } => {
                    assert_eq!(
                        heard.insert(*subscription, false),
                        Some(true),
                        "{subscription:?} was not subscribed"
                    );
                }
                _ => {}
            }
        }
        for (subscription, will_be) in heard {
            let there = self.subscriptions.contains_key(&subscription)
                || self.streams.contains_key(&subscription);
            assert_eq!(will_be, there, "{subscription:?} in the end");
        }
        let apart =
            self.subscriptions.values().filter(|subscribed| !subscribed.is_streams()).count();
        assert!(
            self.subscribed
                .iter()
                .all(|subscription| self.subscriptions.contains_key(subscription))
        );
        assert_eq!(self.subscribed.len(), apart, "a subscription is not listed");
        let tokens = |subscription: &SubscriptionId| {
            self.subscriptions.get(subscription).is_some_and(|subscribed| subscribed.by_token())
        };
        assert!(self.by_token.values().all(tokens), "a token refers to a missing subscription");
        let (mut accounts, mut sessions) = (HashMap::new(), HashMap::new());
        let mut names = HashMap::new();
        for stream in self.streams.values() {
            *accounts.entry(stream.account).or_insert(0) += 1;
            if let Some(session) = stream.session {
                *sessions.entry(session).or_insert(0) += 1;
            }
        }
        for (subscription, subscribed) in &self.subscriptions {
            assert!(self.rooms.get(subscribed.room).is_some(), "{subscription:?} is in no room");
            let room = self.rooms.get(subscribed.room).expect("the room exists");
            assert!(
                room.subscriptions.contains(subscription),
                "{subscription:?} is not its room's"
            );
            if subscribed.is_streams() {
                if let Some((author, present)) = subscribed.bound() {
                    let key = (subscribed.room, author.name.folded());
                    let counts = names.entry(key).or_insert((author.account, 0, 0));
                    counts.1 += 1;
                    counts.2 += u32::from(present);
                }
                continue;
            }
            if let Some(account) = subscribed.holder {
                *accounts.entry(account).or_insert(0) += 1;
            }
            if let Some(session) = subscribed.session {
                *sessions.entry(session).or_insert(0) += 1;
            }
            if let Some((author, present)) = subscribed.bound() {
                let key = (subscribed.room, author.name.folded());
                let counts = names.entry(key).or_insert((author.account, 0, 0));
                assert_eq!(counts.0, author.account, "{author:?} shares a name");
                counts.1 += 1;
                counts.2 += u32::from(present);
                assert!(author.account.is_some() || counts.1 == 1, "two guests of one name");
            }
        }
        self.accounts.check_subscriptions(&accounts, &sessions);
        self.rooms.check_names(&names);
        self.rooms.check_guests(|name| self.accounts.by_name(name).is_some());
    }
}
