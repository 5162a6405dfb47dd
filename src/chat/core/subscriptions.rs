//! Subscriptions: who hears and speaks in a room through which connection, and under which name.
//!
//! A subscription is *bound* to a name, which nobody else in the room can have then, and is
//! *present* from when it said that it is here until it said that it is not, or is gone. Several
//! subscriptions of one account are one person: the room hears of the first that comes and of the
//! last that goes.

use crate::chat::core::Chat;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::limiter::Kind;
use crate::chat::state::purpose::{Identity, Origin, PendingSend, Purpose, account_of};
use crate::chat::state::subscription::Subscription;
use crate::chat::types::{
    AccountId, Author, Color, Folded, Name, ProtocolId, RoomId, SessionId, SubscriptionId,
};
use crate::chat::vocabulary::{
    Access, ClientEvent, CloseReason, Effect, Entry, Event, NameClaim, Receipt, Refusal, RoomEvent,
    StreamEvent, What, call,
};
use crate::time::Time;

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
        let room = found.record.id;
        // A token that does not fit is none, also where none is needed.
        let fits = !matches!(access, Access::Token { .. }) || self.fits(found, access);
        let claim = claim.filter(|_| fits);
        let token = claim.as_ref().map(|claim| claim.first);
        let by = access.session().filter(|_| fits);
        let by = by.and_then(|key| self.accounts.session_by_key(&key, self.running));
        let author = self.claimed(claim, caller)?;
        let account = author.as_ref().and_then(|author| author.account);
        // What was a guest's name when one account asked for it may be another's by now.
        let asked_by = by.and_then(|by| self.accounts.session(by)).map(|live| live.account);
        if asked_by.is_some() && account.is_some() && asked_by != account {
            return Err(Refusal::NameInUse);
        }
        if enter && account.is_some_and(|account| self.has_subscription(account, protocol, room)) {
            return Err(Refusal::AlreadySubscribed);
        }
        if let Some((author, token)) = author.as_ref().zip(token) {
            self.give_way(room, author, token);
        }
        self.place(subscription, protocol, room, None);
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
        self.order.tell(Effect::Subscribe { subscription, protocol, room, stream: None });
        if enter {
            self.enter(subscription, None);
        }
        Ok(())
    }

    fn place(
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

    /// A subscription is not there any more.
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

    /// A stream's subscription in a room. `false`: it cannot be had, because a guest goes by that
    /// name.
    pub(super) fn subscribe_for(
        &mut self,
        base: SubscriptionId,
        subscription: SubscriptionId,
        protocol: ProtocolId,
        room: RoomId,
        author: Author,
        session: Option<SessionId>,
    ) -> bool {
        self.place(subscription, protocol, room, Some(base));
        let bound = self.bind(subscription, author, session).is_ok();
        if !bound {
            self.displace(subscription);
        }
        bound
    }

    /// A bound subscription that was not present is, and the room hears of it in its turn.
    pub(super) fn come(&mut self, subscription: SubscriptionId) {
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

    /// Whom a subscription is bound to before it has said anything.
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
            return Ok(Some(Author { account: None, name }));
        };
        let account = owner.account.id;
        let is_owner = caller.is_some_and(|known| known.account.id == account);
        // It was granted when the account was there already, so to its owner.
        if is_owner || granted > owner.account.created {
            let name = owner.account.name.clone();
            return Ok(Some(Author { account: Some(account), name }));
        }
        Err(Refusal::NameInUse)
    }

    /// A subscription in a room that was taken by the same token ends: there is one connection by
    /// each.
    fn give_way(&mut self, room: RoomId, author: &Author, token: Time) {
        let key = (room, author.name.folded(), token);
        if let Some(subscription) = self.by_token.get(&key).copied() {
            self.unsubscribe(subscription, Some(CloseReason::GaveWay));
        }
    }

    /// Binds a subscription to a name: by the session that asked for its token or, where the name
    /// is the caller's, by the caller's.
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

    /// Binds a subscription to a name, unless somebody else has it.
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
            // It has lost its name (see `free_name`), but not the session that it was taken by.
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
        self.origin = Origin { source, account, subscription: Some(subscription) };
        let standing = !self.closing && self.rooms.get(subscribed.room).is_some();
        let ended = session.is_some_and(|session| self.accounts.session(session).is_none())
            || account.is_some_and(|account| self.accounts.get(account).is_none());
        if ended {
            return; // And so does this subscription, in its turn.
        }
        if let Some(session) = session {
            self.use_session(session);
        }
        let mut given = None;
        let charged = self.charge(&[(Kind::ClientEvent, 1)], None);
        let outcome = match event {
            _ if !standing => Err(Refusal::RoomNotFound), // This subscription ends, in its turn.
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
            // These are of a stream.
            ClientEvent::Stream(StreamEvent::Act { .. })
            | ClientEvent::Stream(StreamEvent::Typing { .. })
            | ClientEvent::Stream(StreamEvent::Read { .. }) => Err(Refusal::Forbidden),
        };
        // `Ok(None)`: the reply comes with the entry that was proposed.
        if let Some(reply) = outcome.transpose() {
            self.order.tell(Effect::Reply { subscription, protocol, reply, mark: given });
        }
    }

    /// Whoever uses a name without an account, which somebody registers now, is not to wake up as
    /// somebody else: they are not here any more under that name, and may choose another.
    pub(super) fn free_name(&mut self, name: &Folded) {
        let subscriptions = self.rooms.guests_called(name);
        for subscription in subscriptions {
            self.go(subscription);
            let Some(subscribed) = self.subscriptions.get_mut(&subscription) else { continue };
            let room = subscribed.room;
            if let Some(author) = subscribed.author.take() {
                self.rooms.unbind(room, &author);
            }
        }
    }

    fn join(
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
        let event =
            self.event(subscription, author, color, What::Joined).ok_or(Refusal::RoomNotFound)?;
        Ok(Receipt::Known(Box::new(event)))
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
        let now = self.now;
        let standing = self.rooms.get_mut(room).filter(|room| !room.pending_end);
        let place = standing.ok_or(Refusal::RoomNotFound)?;
        let came = !place.is_present(&folded);
        let color = place.act(&folded, color, now);
        let calls = self.accounts.called(&text);
        let (client_id, reply_to) = (None, None);
        let entry = Entry::Said { room, author, color, text, client_id, reply_to, calls };
        let told = PendingSend { subscription, protocol, by: subscription, came, mark: None };
        self.propose(entry, Purpose::ClientEvent(told))?;
        if !present {
            self.become_present(subscription, &folded);
        }
        Ok(())
    }

    fn part(
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
        self.go(subscription);
        Ok(Receipt::Noted)
    }

    /// Under which name a subscription speaks; binds it, when it gives one for the first time.
    fn named(
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
                if same { Ok(author) } else { Err(Refusal::OtherName) }
            }
            (None, Some(name)) => {
                let author = Author { account: None, name };
                self.bind(subscription, author.clone(), None)?;
                Ok(author)
            }
        }
    }

    /// A bound subscription says that it is here, and the room is told, if that is new. `false`: it
    /// is not.
    fn enter(&mut self, subscription: SubscriptionId, color: Option<Color>) -> bool {
        let Some(author) =
            self.subscriptions.get(&subscription).and_then(|subscribed| subscribed.author.clone())
        else {
            return false;
        };
        let is_new = self.become_present(subscription, &author.name.folded());
        if is_new && let Some(event) = self.event(subscription, author, color, What::Joined) {
            self.announce(subscription, event);
        }
        is_new
    }

    /// Marks a bound subscription as present. `true`: nobody was, under its name.
    fn become_present(&mut self, subscription: SubscriptionId, folded: &Folded) -> bool {
        let now = self.now;
        let Some(subscribed) = self.subscriptions.get_mut(&subscription) else { return false };
        subscribed.present = true;
        self.rooms.get_mut(subscribed.room).is_some_and(|room| room.enter(folded, now))
    }

    /// A present subscription is not here any more, and the room is told, if nobody of that name
    /// is.
    fn go(&mut self, subscription: SubscriptionId) {
        let Some(subscribed) = self.subscriptions.get_mut(&subscription) else { return };
        let Some(author) = subscribed.author.clone().filter(|_| subscribed.present) else { return };
        subscribed.present = false;
        let room = self.rooms.get_mut(subscribed.room);
        if room.is_some_and(|room| room.leave(&author.name.folded()))
            && let Some(event) = self.event(subscription, author, None, What::Left)
        {
            self.announce(subscription, event);
        }
    }

    /// What somebody does now, by a subscription.
    fn event(
        &mut self,
        subscription: SubscriptionId,
        author: Author,
        color: Option<Color>,
        what: What,
    ) -> Option<Event> {
        let (time, room) = (self.now, self.subscriptions.get(&subscription)?.room);
        let color = self.rooms.get_mut(room)?.act(&author.name.folded(), color, time);
        Some(Event { room, time, author, color, what })
    }

    fn announce(&mut self, subscription: SubscriptionId, event: Event) {
        let by = self
            .subscriptions
            .get(&subscription)
            .map(|subscribed| (subscription, subscribed.protocol));
        self.order.tell(Effect::Announce { event, by });
    }

    /// Ends a subscription: the others hear that it left, once; its name and its session are free
    /// of it. Without a reason its connection is gone already, or it is a stream's, which goes
    /// on. A subscription that is unknown has ended before.
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
            self.go(subscription); // When all go, nobody is told who.
        }
        let Some(subscribed) = self.displace(subscription) else { return };
        if let Some(author) = subscribed.author {
            let folded = author.name.folded();
            if let Some(room) = self.rooms.get_mut(room).filter(|_| subscribed.present) {
                room.leave(&folded);
            }
            self.rooms.unbind(room, &author);
        }
        // (To lose a room is no use of a stream's session; its own end is.)
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
