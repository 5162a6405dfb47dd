//! Streams: one connection that hears every room of its account.
//!
//! A stream has a subscription of its own, through which it sends and gets replies, and an ordinary
//! subscription in each of its rooms, numbered from the stream's own. These begin and end with the
//! memberships. The set of rooms changes at once, with the entry that changes it, so that the
//! sequence numbers that the stream hears only grow; joins and parts are announced in order, as
//! everywhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::core::Chat;
use crate::chat::core::members::marks_of;
use crate::chat::state::purpose::Identity;
use crate::chat::state::stream::Stream;
use crate::chat::state::work::{OpeningStream, Then, Work};
use crate::chat::types::{AccountId, CallId, RoomId, Seq, SubscriptionId};
use crate::chat::vocabulary::{
    Answer, CloseReason, Effect, Event, EventKind, OpenedStream, Refusal, call,
};
use crate::limits::STREAMS_PER_ACCOUNT_MAX;

/// Subscriptions of one stream in its life. The streams' own subscriptions are multiples of it.
const SUBSCRIPTIONS_PER_STREAM: u64 = 65_536;

impl Chat {
    pub(super) fn open_stream(
        &mut self,
        id: CallId,
        call: call::OpenStream,
        caller: Identity,
    ) -> Result<(), Refusal> {
        let call::OpenStream { subscription: base, protocol, only } = call;
        let caller = caller.ok_or(Refusal::Unauthenticated)?;
        if self.closing || self.order.is_congested() {
            return Err(Refusal::Unavailable);
        }
        let known = self.accounts.get(caller.account).ok_or(Refusal::Unauthenticated)?;
        let account = known.account.id;
        self.make_way(account);
        self.last_stream += 1;
        let stream = Stream {
            source: self.origin.source,
            protocol,
            account,
            session: caller.session,
            only: only.map(BTreeSet::from_iter),
            rooms: BTreeMap::new(),
            subscriptions: 0,
            opened: self.last_stream,
        };
        self.streams.insert(base, stream);
        self.order.set_heard(base, Some(protocol));
        self.accounts.open(account, caller.session, base);
        let (session, after, rooms) = (caller.session, RoomId(0), Vec::new());
        self.go_on_opening(OpeningStream { call: id, base, session, after, rooms });
        Ok(())
    }

    /// Subscribes a new stream to its rooms, one by one, and answers when all are done.
    pub(super) fn go_on_opening(&mut self, mut opening: OpeningStream) {
        let base = opening.base;
        while let Some(stream) = self.streams.get(&base) {
            let account = stream.account;
            let Some(known) = self.accounts.get(account) else { break };
            let Some((&id, ())) = known.rooms.after(opening.after).next() else {
                let (name, rooms) = (known.account.name.clone(), opening.rooms);
                let answer = Answer::OpenedStream(OpenedStream { name, account, rooms });
                return self.answer(opening.call, Ok(answer));
            };
            if !self.step() {
                return self.work.push_back(Work::OpenStream(opening));
            }
            opening.after = id;
            if let Some(subscription) = self.subscription_in(base, id) {
                self.join_stream(subscription);
                let room = self.rooms.get(id);
                opening.rooms.extend(room.and_then(|room| marks_of(room, account)));
            }
        }
        // The stream or its account has ended meanwhile.
        let ended = opening.session.is_some_and(|session| self.accounts.session(session).is_none());
        let refusal = if ended { Refusal::Unauthenticated } else { Refusal::Unavailable };
        self.answer(opening.call, Err(refusal));
    }

    /// Closes the oldest streams of an account at its limit.
    fn make_way(&mut self, account: AccountId) {
        let mut own: Vec<(u64, SubscriptionId)> = self.own_streams(account);
        own.sort_unstable();
        let surplus = (own.len() + 1).saturating_sub(STREAMS_PER_ACCOUNT_MAX);
        for (_, base) in own.into_iter().take(surplus) {
            self.end_stream(base, Some(CloseReason::Replaced));
        }
    }

    fn own_streams(&self, account: AccountId) -> Vec<(u64, SubscriptionId)> {
        let streams = self.accounts.get(account).map_or(&[][..], |known| &known.streams);
        let find = |base: &SubscriptionId| Some((self.streams.get(base)?.opened, *base));
        streams.iter().filter_map(find).collect()
    }

    /// Subscribes a stream to a room, unless the stream excludes it.
    fn subscription_in(&mut self, base: SubscriptionId, room: RoomId) -> Option<SubscriptionId> {
        let stream = self.streams.get_mut(&base)?;
        let wanted = stream.only.as_ref().is_none_or(|only| only.contains(&room));
        // (A room that is closing has lost its members at once, and tells them bit by bit.)
        let member = self.rooms.get(room).is_some_and(|room| room.has_member(Some(stream.account)));
        if !wanted || !member || stream.rooms.contains_key(&room) {
            return None;
        }
        if stream.subscriptions + 1 == SUBSCRIPTIONS_PER_STREAM {
            // The stream's numbers are used up after many joins; a new stream has new ones.
            self.end_stream(base, Some(CloseReason::Replaced));
            return None;
        }
        stream.subscriptions += 1;
        let subscription = SubscriptionId(base.0 + stream.subscriptions);
        let (protocol, account, session) = (stream.protocol, stream.account, stream.session);
        let author = self.accounts.get(account)?.author();
        if !self.subscribe_for(base, subscription, protocol, room, author, session) {
            return None;
        }
        self.streams.get_mut(&base)?.rooms.insert(room, subscription);
        let horizon = self.rooms.get(room).and_then(|room| room.horizon(Some(account)));
        let (stream, horizon) = (Some(base), horizon.unwrap_or_default());
        self.order.tell(Effect::Subscribe { subscription, protocol, room, stream, horizon });
        Some(subscription)
    }

    /// Subscribes an account's open streams to a room, and tells them of it.
    pub(super) fn streams_enter(&mut self, account: AccountId, room: RoomId, seq: Seq) {
        let mut new = Vec::new();
        for (_, base) in self.own_streams(account) {
            new.extend(self.subscription_in(base, room));
        }
        let Some(found) = self.rooms.get(room) else { return };
        let info = Box::new(self.info(found, Some(account), true));
        for subscription in new {
            self.notify_subscription(subscription, EventKind::Room { seq, info: info.clone() });
            self.join_stream(subscription);
        }
    }

    /// Ends the subscriptions of an account's streams in a room.
    pub(super) fn streams_leave(&mut self, account: AccountId, room: RoomId) {
        for (_, base) in self.own_streams(account) {
            let subscription = self.streams.get(&base).and_then(|stream| stream.rooms.get(&room));
            if let Some(subscription) = subscription.copied() {
                self.unsubscribe(subscription, None);
            }
        }
    }

    /// Sends an event only to the account's own streams.
    pub(super) fn notify(&mut self, account: AccountId, room: RoomId, kind: EventKind) {
        for (_, base) in self.own_streams(account) {
            let subscription = self.streams.get(&base).and_then(|stream| stream.rooms.get(&room));
            if let Some(subscription) = subscription.copied() {
                self.notify_subscription(subscription, kind.clone());
            }
        }
    }

    fn notify_subscription(&mut self, subscription: SubscriptionId, kind: EventKind) {
        let Some(subscribed) = self.subscriptions.get(&subscription) else { return };
        let (protocol, room) = (subscribed.protocol, subscribed.room);
        let Some(author) = subscribed.author().cloned() else { return };
        let time = if kind.seq().is_some() { self.told } else { self.now };
        let event = Event { room, time, author, color: None, kind };
        self.order.tell(Effect::Notify { subscription, protocol, event });
    }

    /// A connection is gone: a stream with all its subscriptions, or one subscription.
    pub(super) fn leave(&mut self, subscription: SubscriptionId) {
        if self.streams.contains_key(&subscription) {
            self.end_stream(subscription, None);
        } else if self
            .subscriptions
            .get(&subscription)
            .is_some_and(|subscribed| subscribed.base.is_none())
        {
            self.unsubscribe(subscription, None);
        }
    }

    /// Ends a stream and all its subscriptions. With a reason, its connection is closed, behind the
    /// replies for which it still waits.
    pub(super) fn end_stream(&mut self, base: SubscriptionId, reason: Option<CloseReason>) {
        let Some(stream) = self.streams.remove(&base) else { return };
        if let Some(session) = stream.session {
            self.use_session(session);
        }
        self.accounts.shut(stream.account, stream.session, base);
        if reason.is_some() {
            self.order.tell(Effect::Freeze { subscription: base });
        }
        let subscriptions = stream.rooms.into_values().collect();
        self.unsubscribe_each(subscriptions, None, Then::CloseStream(base, reason));
    }

    /// A stream has lost its subscription in a room.
    pub(super) fn lose_room(&mut self, base: SubscriptionId, room: RoomId) {
        if let Some(stream) = self.streams.get_mut(&base) {
            stream.rooms.remove(&room);
        }
    }
}

#[cfg(any(test, debug_assertions))]
impl Chat {
    /// Streams and their subscriptions refer to each other, and streams hear exactly their
    /// account's rooms.
    pub(super) fn check_streams(&self) {
        for (base, stream) in &self.streams {
            let known = self.accounts.get(stream.account).expect("a stream's account is there");
            assert!(known.streams.contains(base), "{base:?} is not its account's");
            for (room, subscription) in &stream.rooms {
                let subscribed =
                    self.subscriptions.get(subscription).expect("a stream's subscription is there");
                assert_eq!((subscribed.base, subscribed.room), (Some(*base), *room));
            }
            let wanted =
                |room: &&RoomId| stream.only.as_ref().is_none_or(|only| only.contains(room));
            assert!(stream.rooms.keys().eq(known.rooms.keys().filter(wanted)), "{base:?}");
        }
        for (subscription, subscribed) in &self.subscriptions {
            let stream = subscribed.base.map(|base| &self.streams[&base]);
            let listed = stream
                .is_none_or(|stream| stream.rooms.get(&subscribed.room) == Some(subscription));
            assert!(listed, "{subscription:?} is missing in its stream");
        }
        for known in self.accounts.all() {
            for room in known.rooms.keys() {
                let room = self.rooms.get(*room).expect("an account's rooms exist");
                assert!(
                    room.members.contains_key(&known.account.id),
                    "the room does not list this member"
                );
            }
        }
        let listed: usize = self.accounts.all().map(|known| known.rooms.len()).sum();
        let kept: usize = self.rooms.all().map(|room| room.members.len()).sum();
        assert_eq!(listed, kept, "an account does not list its room");
    }
}
