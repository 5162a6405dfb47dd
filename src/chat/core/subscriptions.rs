//! Subscriptions: a connection that hears and speaks in a room, under a name.
//!
//! A subscription is *bound* to a name, which no other person in the room can use meanwhile. It is
//! *present* from its join to its part or its end. Several subscriptions of one account are one
//! person: the room hears of the first join and of the last part.

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::limiter::Kind;
use crate::chat::state::purpose::{Identity, Origin, PendingSend, Purpose, account_of};
use crate::chat::state::subscription::Subscription;
use crate::chat::types::{
    AccountId, Author, Color, Folded, Name, ProtocolId, RoomId, Seq, SessionId, SubscriptionId,
};
use crate::chat::vocabulary::{
    Access, ClientEvent, CloseReason, Effect, Entry, Field, NameClaim, Refusal, RoomEvent,
    StreamEvent, call,
};
use crate::time::Time;

const NAME_INVALID: Refusal = Refusal::Malformed(Field::Name);

impl Chat {
    pub(super) fn subscribe(
        &mut self,
        call: call::Subscribe,
        caller: Identity,
    ) -> Result<(), Refusal> {
        let call::Subscribe { subscription, protocol, ref room, access, claim, enter } = call;
        if self.closing || self.order.is_congested() {
            return Err(Refusal::Unavailable);
        }
        let found = self.find_visible(account_of(caller), room, access)?;
        self.admits(found, access)?;
        self.refuse_entry(found, account_of(caller))?;
        let room = found.record.id;
        // A token that does not fit grants no name, even in a public room.
        let fits = !matches!(access, Access::Token { .. }) || self.fits(found, access);
        let claim = claim.filter(|_| fits);
        let token = claim.as_ref().map(|claim| claim.first);
        let by = access.session().filter(|_| fits);
        let by = by.and_then(|key| self.accounts.session_by_key(&key, self.running));
        let author = self.claimed(claim, caller)?;
        let account = author.as_ref().and_then(|author| author.account);
        self.admit(account)?;
        if let Some(found) = self.rooms.get(room) {
            self.refuse_entry(found, account)?;
        }
        // A guest's name, granted to one account's token, may be another account's now.
        let asked_by = by.and_then(|by| self.accounts.session(by)).map(|live| live.account);
        if asked_by.is_some() && account.is_some() && asked_by != account {
            return Err(Refusal::NameInUse);
        }
        if asked_by
            .is_some_and(|by| self.rooms.get(room).is_some_and(|room| room.record.has_banned(by)))
        {
            return Err(Refusal::BannedHere);
        }
        if enter && account.is_some_and(|account| self.has_subscription(account, protocol, room)) {
            return Err(Refusal::AlreadySubscribed);
        }
        if let Some((author, token)) = author.as_ref().zip(token) {
            self.give_way(room, author, token);
        }
        self.insert(subscription, protocol, room, None);
        if let Some(author) = author
            && let Err(refusal) = self.bind_caller(subscription, author, caller, by)
        {
            self.displace(subscription);
            return Err(refusal);
        }
        if let Some((token, subscribed)) = token.zip(self.subscriptions.get_mut(&subscription))
            && let Some(author) = &subscribed.author
        {
            let key = (room, author.name.folded(), token);
            subscribed.token = Some((key.1.clone(), token));
            self.by_token.insert(key, subscription);
        }
        let (stream, horizon) = (None, Seq(0));
        self.order.tell(Effect::Subscribe { subscription, protocol, room, stream, horizon });
        if enter {
            self.enter(subscription, None);
        }
        Ok(())
    }

    fn insert(
        &mut self,
        subscription: SubscriptionId,
        protocol: ProtocolId,
        room: RoomId,
        base: Option<SubscriptionId>,
    ) {
        let of_stream = base.and_then(|base| self.streams.get(&base));
        let source = of_stream.map_or(self.origin.source, |stream| stream.source);
        let subscribed = Subscription {
            source,
            protocol,
            room,
            base,
            session: None,
            holder: None,
            token: None,
            author: None,
            present: false,
        };
        self.subscriptions.insert(subscription, subscribed);
        if base.is_none() {
            self.subscribed.insert(subscription);
        }
        if let Some(room) = self.rooms.get_mut(room) {
            room.subscriptions.insert(subscription);
        }
    }

    /// Removes a subscription from the tables.
    fn displace(&mut self, subscription: SubscriptionId) -> Option<Subscription> {
        let subscribed = self.subscriptions.remove(&subscription)?;
        self.subscribed.remove(&subscription);
        if let Some((name, token)) = &subscribed.token {
            self.by_token.remove(&(subscribed.room, name.clone(), *token));
        }
        if let Some(room) = self.rooms.get_mut(subscribed.room) {
            room.subscriptions.remove(&subscription);
        }
        self.left(subscribed.room);
        Some(subscribed)
    }

    /// Subscribes a stream to a room. `false`: impossible, because a guest uses the account's name
    /// there.
    pub(super) fn subscribe_for(
        &mut self,
        base: SubscriptionId,
        subscription: SubscriptionId,
        protocol: ProtocolId,
        room: RoomId,
        author: Author,
        session: Option<SessionId>,
    ) -> bool {
        self.insert(subscription, protocol, room, Some(base));
        let bound = self.bind(subscription, author, session).is_ok();
        if !bound {
            self.displace(subscription);
        }
        bound
    }

    /// A stream's subscription becomes present, and the room hears of it in order.
    pub(super) fn join_stream(&mut self, subscription: SubscriptionId) {
        let color = self.subscriptions.get(&subscription).and_then(|subscribed| {
            let account = self.accounts.get(subscribed.account()?)?;
            account.account.color.clone()
        });
        self.enter(subscription, color);
    }

    /// Whether an account has a subscription in a room through a protocol.
    fn has_subscription(&self, account: AccountId, protocol: ProtocolId, room: RoomId) -> bool {
        let first = (room, protocol, SubscriptionId(0));
        let next =
            self.accounts.get(account).and_then(|known| known.subscriptions.range(first..).next());
        next.is_some_and(|(taken, by, _)| (*taken, *by) == (room, protocol))
    }

    /// The author to whom a subscription is bound before it has sent anything.
    pub(super) fn claimed(
        &self,
        claim: Option<NameClaim>,
        caller: Identity,
    ) -> Result<Option<Author>, Refusal> {
        let caller = caller.and_then(|caller| self.accounts.get(caller.account));
        let Some(NameClaim { name, granted, .. }) = claim else {
            return Ok(caller.map(AccountState::author));
        };
        let folded = name.folded();
        let Some(owner) = self.accounts.by_name(&folded) else {
            let valid = name.is_valid().then_some(Author { account: None, name });
            return valid.map(Some).ok_or(Refusal::NoAccess);
        };
        if owner.account.banned {
            return Err(Refusal::Banned);
        }
        let account = owner.account.id;
        let is_owner = caller.is_some_and(|known| known.account.id == account);
        // The grant is younger than the account, so its owner got it.
        if is_owner || granted > owner.account.created {
            let name = owner.account.name.clone();
            return Ok(Some(Author { account: Some(account), name }));
        }
        Err(Refusal::NameInUse)
    }

    /// Ends the subscription in a room that uses the same token: a token serves one connection.
    fn give_way(&mut self, room: RoomId, author: &Author, token: Time) {
        let key = (room, author.name.folded(), token);
        if let Some(subscription) = self.by_token.get(&key).copied() {
            self.unsubscribe(subscription, Some(CloseReason::GaveWay));
        }
    }

    /// Binds a subscription to a name, with the session that asked for its token or, if the name is
    /// the caller's own, with the caller's session.
    fn bind_caller(
        &mut self,
        subscription: SubscriptionId,
        author: Author,
        caller: Identity,
        by: Option<SessionId>,
    ) -> Result<(), Refusal> {
        let own = caller.filter(|caller| Some(caller.account) == author.account);
        self.bind(subscription, author, by.or(own.and_then(|caller| caller.session)))
    }

    /// Binds a subscription to a name, unless another person has it.
    fn bind(
        &mut self,
        subscription: SubscriptionId,
        author: Author,
        session: Option<SessionId>,
    ) -> Result<(), Refusal> {
        let Some(subscribed) = self.subscriptions.get(&subscription) else {
            return Err(Refusal::RoomNotFound);
        };
        let (room, protocol, base) = (subscribed.room, subscribed.protocol, subscribed.base);
        let held = subscribed.holder.is_some();
        let taken = || {
            let accounts = &self.accounts;
            accounts.is_taken(&author.name.folded()) || accounts.is_alike(&author.name, false)
        };
        if author.account.is_none() && taken() {
            return Err(Refusal::NameInUse);
        }
        let now = self.now;
        self.rooms.bind(room, &author, subscription, now)?;
        let by = session.and_then(|session| self.accounts.session(session));
        let holder = author.account.or(by.map(|live| live.account));
        if held {
            // It has lost its name (see `free_name`), but not its session.
            self.subscriptions
                .entry(subscription)
                .and_modify(|subscribed| subscribed.author = Some(author));
            return Ok(());
        }
        if let Some(account) = holder.filter(|_| base.is_none()) {
            self.accounts.subscribe(account, session, (room, protocol, subscription));
        }
        if let Some(subscribed) = self.subscriptions.get_mut(&subscription) {
            (subscribed.author, subscribed.session, subscribed.holder) =
                (Some(author), session, holder);
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, subscription: SubscriptionId, event: ClientEvent) {
        if self.streams.contains_key(&subscription) {
            return self.tell_stream(subscription, event);
        }
        let Some(subscribed) = self.subscriptions.get(&subscription) else { return };
        if self.is_put_out(subscription, subscribed) {
            return;
        }
        let protocol = subscribed.protocol;
        let (source, session, account) =
            (subscribed.source, subscribed.session, subscribed.account());
        self.origin = Origin::connection(source, account, subscription);
        let standing = !self.closing && self.rooms.get(subscribed.room).is_some();
        let ended = session.is_some_and(|session| self.accounts.session(session).is_none())
            || account.is_some_and(|account| self.accounts.get(account).is_none());
        if ended || self.is_going(source, account) {
            return; // This subscription is about to end.
        }
        if let Some(session) = session {
            self.use_session(session);
        }
        let mut given = None;
        let charged = self.charge(&[(Kind::ClientEvent, 1)], None);
        let outcome = match event {
            _ if !standing => Err(Refusal::RoomNotFound), // It is about to end.
            _ if charged.is_err() => charged.map(|()| None),
            ClientEvent::Room(RoomEvent::Join { name, color }) => {
                self.join(subscription, name, color).map(Some)
            }
            ClientEvent::Room(RoomEvent::Say { name, color, text }) => {
                self.say(subscription, name, color, text).map(|()| None)
            }
            ClientEvent::Room(RoomEvent::Part { name }) => self.part(subscription, name).map(Some),
            ClientEvent::Garbled { refusal, mark } => {
                given = mark;
                Err(refusal)
            }
            // Only for streams.
            ClientEvent::Stream(StreamEvent::Act { .. })
            | ClientEvent::Stream(StreamEvent::Typing { .. })
            | ClientEvent::Stream(StreamEvent::Read { .. }) => Err(Refusal::Forbidden),
        };
        // `Ok(None)`: the reply comes with the proposed entry.
        if let Some(reply) = outcome.transpose() {
            self.order.tell(Effect::Reply { subscription, protocol, reply, mark: given });
        }
    }

    /// Somebody registers a name that anonymous clients use: takes the name from them, so that they
    /// do not speak as the account. They may choose another name.
    pub(super) fn free_name(&mut self, name: &Folded) {
        let subscriptions = self.rooms.guests_called(name);
        for subscription in subscriptions {
            self.become_absent(subscription);
            let Some(subscribed) = self.subscriptions.get_mut(&subscription) else { continue };
            let room = subscribed.room;
            if let Some(author) = subscribed.author.take() {
                self.rooms.unbind(room, &author);
            }
        }
    }

    fn say(
        &mut self,
        subscription: SubscriptionId,
        name: Option<Name>,
        color: Option<Color>,
        text: Box<str>,
    ) -> Result<(), Refusal> {
        let author = self.named(subscription, name)?;
        let folded = author.name.folded();
        let Some(subscribed) = self.subscriptions.get(&subscription) else {
            return Err(Refusal::RoomNotFound);
        };
        let (room, protocol, present) = (subscribed.room, subscribed.protocol, subscribed.present);
        let whose = author.account.or(subscribed.holder);
        if let Some(found) = self.rooms.get(room) {
            // (A session's rights do not go with another name; its mute does.)
            self.refuse_silenced(found, author.account)?;
            self.refuse_silenced(found, whose)?;
        }
        let speaker = self.in_slow_mode(room, &author)?;
        let now = self.now;
        let standing = self.rooms.get_mut(room).filter(|room| !room.pending_end);
        let place = standing.ok_or(Refusal::RoomNotFound)?;
        let came = !place.is_present(&folded);
        let color = place.record_activity(&folded, color, now);
        let calls = self.accounts.called(&text);
        let (client_id, reply_to) = (None, None);
        let entry = Entry::Said { room, author, color, text, client_id, reply_to, calls };
        let told = PendingSend { subscription, protocol, by: subscription, came, mark: None };
        self.propose(entry, Purpose::ClientEvent(told))?;
        self.spoke(room, speaker);
        if !present {
            self.become_present(subscription, &folded);
        }
        Ok(())
    }

    /// The author of a subscription's event; the first name that it gives binds it. Only an account
    /// has a name that breaks the rule for names: its own.
    pub(super) fn named(
        &mut self,
        subscription: SubscriptionId,
        name: Option<Name>,
    ) -> Result<Author, Refusal> {
        let bound =
            self.subscriptions.get(&subscription).and_then(|subscribed| subscribed.author.clone());
        match (bound, name) {
            (None, None) => Err(Refusal::NameMissing),
            (Some(author), None) => Ok(author),
            (Some(author), Some(name)) => {
                let same = author.name.folded() == name.folded();
                if same {
                    return Ok(author);
                }
                Err(if name.is_valid() { Refusal::OtherName } else { NAME_INVALID })
            }
            (None, Some(name)) if !name.is_valid() => Err(NAME_INVALID),
            (None, Some(name)) => {
                let author = Author { account: None, name };
                self.bind(subscription, author.clone(), None)?;
                Ok(author)
            }
        }
    }

    /// Ends a subscription: the room hears of the part, once; the name and the session are free of
    /// it. Without a reason the connection is gone already, or belongs to a stream, which
    /// continues. An unknown subscription has ended before.
    pub(super) fn unsubscribe(
        &mut self,
        subscription: SubscriptionId,
        reason: Option<CloseReason>,
    ) {
        let Some(subscribed) = self.subscriptions.get(&subscription) else { return };
        let (room, protocol, base) = (subscribed.room, subscribed.protocol, subscribed.base);
        if let Some(base) = base {
            self.lose_room(base, room);
        }
        self.order.tell(Effect::Unsubscribe { subscription, protocol, room, stream: base, reason });
        if !self.closing {
            self.become_absent(subscription); // At shutdown no parts are announced.
        }
        let Some(subscribed) = self.displace(subscription) else { return };
        if let Some(author) = subscribed.author {
            let folded = author.name.folded();
            if let Some(room) = self.rooms.get_mut(room).filter(|_| subscribed.present) {
                room.leave(&folded);
            }
            self.rooms.unbind(room, &author);
        }
        // (A stream's session is in use until the stream ends, whatever rooms it loses.)
        if base.is_some() {
            return;
        }
        if let Some(session) = subscribed.session {
            self.use_session(session);
        }
        if let Some(account) = subscribed.holder {
            self.accounts.unsubscribe(account, subscribed.session, (room, protocol, subscription));
        }
    }
}
