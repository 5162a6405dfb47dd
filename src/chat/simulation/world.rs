//! The world outside the core: pending calls, the subscriptions of each room, and the people whom
//! clients believe to be present. It follows the effects like the real workers, and assumes nothing
//! that the core cannot know.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::chat::simulation::book::Book;
use crate::chat::{
    Access, AccountId, Acted, Action, Answer, Call, CallId, ClientEvent, CloseReason, Effect,
    Entry, Event, EventKind, Folded, MemberRecord, Name, OpenedStream, Page, ProtocolId, Receipt,
    Refusal, RoomEvent, RoomId, RoomRef, RoomSettings, Seq, SessionId, Source, StreamEvent,
    SubscriptionId, Visibility, call,
};
use crate::time::Time;

/// A call that waits for its answer.
pub struct Asked {
    pub call: Call,
    /// The caller's session, if it was valid at the time of the call.
    pub session: Option<SessionId>,
    /// The account of the session, or of the account's key.
    pub account: Option<AccountId>,
    /// The refusal if the key is invalid and the call needs a valid one.
    pub refused: Option<Refusal>,
    /// Whether the caller's access opens the room.
    pub opens: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Hearing {
    NotYet,
    Now,
    NoMore,
}

/// A connection that has asked for a subscription.
pub struct Member {
    pub source: Source,
    pub protocol: ProtocolId,
    pub room: RoomId,
    pub account: Option<AccountId>,
    pub session: Option<SessionId>,
    /// The name that it mostly uses.
    pub name: Option<Name>,
    /// Whether its access opens the room, as the room is now.
    pub opens: bool,
    /// Whether the subscription must exist, by the rules.
    pub standing: bool,
    pub hearing: Hearing,
    /// Its connection has ended and sends nothing more.
    pub left: bool,
    /// Its events without a reply.
    pub tells: VecDeque<ClientEvent>,
}

/// A connection that has asked for a stream.
pub struct View {
    pub source: Source,
    pub account: AccountId,
    pub session: Option<SessionId>,
    pub only: Option<Vec<RoomId>>,
    pub standing: bool,
    /// Its connection has ended.
    pub left: bool,
    pub frozen: bool,
    pub dismissed: bool,
    /// Its subscriptions in rooms.
    pub subscriptions: BTreeMap<SubscriptionId, RoomId>,
    /// The last entry that it has heard.
    pub cursor: Seq,
    pub tells: VecDeque<ClientEvent>,
}

impl View {
    /// A connection that has just asked for its stream.
    pub fn new(
        account: AccountId,
        session: Option<SessionId>,
        only: Option<Vec<RoomId>>,
        standing: bool,
    ) -> View {
        View {
            source: Source::Local,
            account,
            session,
            only,
            standing,
            left: false,
            frozen: false,
            dismissed: false,
            subscriptions: BTreeMap::new(),
            cursor: Seq(0),
            tells: VecDeque::new(),
        }
    }
}

/// The stream to which a subscription belongs, if it belongs to one.
pub fn base_of(subscription: SubscriptionId) -> SubscriptionId {
    SubscriptionId(subscription.0 / 65_536 * 65_536)
}

#[derive(Default)]
pub struct World {
    pub asks: HashMap<CallId, Asked>,
    pub members: BTreeMap<SubscriptionId, Member>,
    /// The people present, in the order of arrival, from announcements alone.
    pub rosters: BTreeMap<RoomId, Vec<Folded>>,
    /// The message from the log that the core must announce now.
    pub to_announce: Option<(Seq, Time, Entry)>,
    /// The rooms in which a connection was cut off by an entry.
    cut: BTreeSet<RoomId>,
    /// The last announced message of each room.
    last_said: HashMap<RoomId, Seq>,
    /// Each room's settings before its last change; `None` if another proposer has changed it, too.
    pub before: HashMap<RoomId, Option<RoomSettings>>,
    pub closed: bool,
    /// Refused messages: they must never be announced.
    pub refused_texts: Vec<Box<str>>,
    pub streams: BTreeMap<SubscriptionId, View>,
    /// The streams that must hear the current entry, once.
    pub due: BTreeMap<SubscriptionId, Seq>,
}

impl World {
    /// Checks one effect by itself.
    pub fn follow(&mut self, effect: &Effect, book: &Book, log: &[(Time, Entry)]) {
        match effect {
            Effect::Answer { id: ask, answer } => self.answered(*ask, answer, book, log),
            Effect::Subscribe { subscription, protocol, room, .. } => {
                self.subscribed(*subscription, *protocol, *room)
            }
            Effect::Unsubscribe { subscription, room, reason, .. } => {
                self.unsubscribed(*subscription, *room, *reason)
            }
            Effect::Announce { event, by } => {
                // (A stream may send to a room that it does not hear, through its own
                // subscription.)
                let subscribed = by
                    .filter(|(subscription, _)| !self.streams.contains_key(subscription))
                    .is_some();
                self.announced(event, subscribed, book);
                self.announced_by_one_who_hears(event.room, *by);
                if let Some(seq) = event.kind.seq() {
                    let room = event.room;
                    let hears =
                        |stream: &View| stream.subscriptions.values().any(|other| *other == room);
                    let all = self.streams.iter().filter(|(_, stream)| hears(stream));
                    let all: Vec<SubscriptionId> = all.map(|(base, _)| *base).collect();
                    all.into_iter().for_each(|base| self.hears(base, seq));
                }
            }
            Effect::Reply { subscription, protocol, reply, .. } => {
                self.replied(*subscription, *protocol, reply, log)
            }
            Effect::Notify { subscription, event, .. } => {
                let base = base_of(*subscription);
                let room = self.streams[&base].subscriptions.get(subscription);
                assert_eq!(room, Some(&event.room), "notified in another room");
                event.kind.seq().into_iter().for_each(|seq| self.hears(base, seq));
            }
            Effect::CloseStream { subscription, reason } => {
                let stream = self.streams.get_mut(subscription).expect("a stream");
                assert!(
                    stream.frozen && stream.subscriptions.is_empty(),
                    "dismissed twice or early"
                );
                assert!(*reason == CloseReason::Replaced || !stream.standing, "without a rule");
                assert!(stream.tells.is_empty(), "closed without a reply to {:?}", stream.tells);
                (stream.standing, stream.dismissed, stream.frozen) = (false, true, false);
            }
            Effect::Freeze { subscription } => {
                self.streams.get_mut(subscription).expect("a stream").frozen = true
            }
            Effect::Propose { .. } | Effect::Touch { .. } | Effect::Mark { .. } => {}
        }
    }

    /// A stream hears ascending numbers, each once.
    fn hears(&mut self, base: SubscriptionId, seq: Seq) {
        let stream = self.streams.get_mut(&base).expect("a stream");
        assert!(seq > stream.cursor, "{base:?} hears {seq} after {}", stream.cursor);
        stream.cursor = seq;
        if stream.standing {
            let due = self.due.remove(&base);
            assert_eq!(due, Some(seq), "{base:?} hears an entry that is not for it");
        }
    }

    /// Every call has exactly one answer; `Ok` means that the log has the entry.
    fn answered(
        &mut self,
        ask: CallId,
        answer: &Result<Answer, Refusal>,
        book: &Book,
        log: &[(Time, Entry)],
    ) {
        let asked = self.asks.remove(&ask).expect("an answer to a pending call");
        let ok = answer.is_ok();
        if let Some(refusal) = asked.refused {
            assert_eq!(*answer, Err(refusal), "a session lived too long");
            if let Call::Subscribe(call::Subscribe { subscription, .. }) = asked.call {
                self.members.remove(&subscription);
            }
            if let Call::OpenStream(call::OpenStream { subscription, .. }) = asked.call {
                self.streams.remove(&subscription);
            }
            return;
        }
        let unauthenticated = *answer == Err(Refusal::Unauthenticated);
        let anonymous = !matches!(asked.call, Call::Subscribe(_) | Call::Room(_))
                // (The session of a call that waited may have ended meanwhile.)
                && asked.session.is_none_or(|id| !book.sessions.contains_key(&id));
        assert!(!unauthenticated || anonymous, "a session ended too early");
        match &asked.call {
            Call::Register(call::Register { key, .. }) => {
                let known = book.accounts.values().any(|account| account.key == Some(*key));
                assert_eq!(ok, known, "registered exactly if acknowledged");
            }
            Call::Login(call::Login { session, .. }) => {
                assert_eq!(ok, book.session_with(session).is_some(), "logged in, or not");
            }
            Call::Vouch(call::Vouch { name, session, .. }) => {
                let whose = book.session_with(session).map(|session| session.account);
                let whose = whose.and_then(|account| book.accounts.get(&account));
                let theirs = whose.is_some_and(|account| account.name.as_str() == &**name);
                assert!(!ok || theirs, "logged in as somebody else, or not at all");
            }
            Call::Logout(_) => {
                let there = asked.session.is_some_and(|id| book.sessions.contains_key(&id));
                // (One refusal is still possible: of the second of two parallel calls.)
                assert!(!ok || !there, "acknowledged, but not logged out");
            }
            Call::MakeRoom(call::MakeRoom { settings, .. }) => {
                self.changed(answer, Some(settings.description.as_str()), book);
            }
            Call::ChangeRoom(call::ChangeRoom { change, .. }) => {
                let mark = change.description.as_ref().map(|text| text.as_str());
                self.changed(answer, mark, book);
                // (An unchanged room gets no entry; every description is unique.)
                if change.description.is_some() {
                    self.kept(answer, change, book);
                }
            }
            // (By then the title may belong to another room.)
            Call::RemoveRoom(call::RemoveRoom { room: RoomRef::Id(room), .. }) if ok => {
                assert!(!book.rooms.contains_key(room), "acknowledged, but not gone");
            }
            Call::RestoreRoom(_) | Call::Deleted(_) => self.restored(answer, asked.account, book),
            Call::Subscribe(call::Subscribe { subscription, .. }) => {
                self.sat(*subscription, &asked, answer, book)
            }
            Call::Recover(call::Recover { key, .. }) => {
                let known = book.accounts.values().any(|account| account.key == Some(*key));
                assert_eq!(ok, known, "a new key exactly if acknowledged");
            }
            Call::BeGuest(call::BeGuest { session, .. }) => {
                assert_eq!(ok, book.session_with(session).is_some(), "a guest, or not");
            }
            Call::Block(call::Block { on, .. }) if ok => {
                let theirs = |one: &&(AccountId, AccountId)| Some(one.0) == asked.account;
                assert!(!on || book.blocks.iter().any(|one| theirs(&one)), "acknowledged only");
            }
            Call::Enter(call::Enter { room, .. }) if ok => {
                let there = asked.account.filter(|account| book.accounts.contains_key(account));
                assert!(there.is_none_or(|account| book.is_member(account, *room)), "not a member");
            }
            Call::Act(call::Act(Action::Send { text, .. })) if ok => {
                let Ok(Answer::Acted(Acted { seq, .. })) = answer else { panic!("{answer:?}") };
                let entry = &log[usize::try_from(seq.0).expect("an index") - 1].1;
                assert!(matches!(entry, Entry::Said { text: kept, author, .. }
                    if kept == text && author.account == asked.account));
            }
            Call::Room(call::Room { room, access }) => {
                if let Ok(Answer::Room(info)) = answer {
                    self.sees(info, &asked, *access, Some(room), book);
                }
            }
            Call::View(_) => {
                if let Ok(Answer::Room(info)) = answer {
                    self.sees(info, &asked, Access::Open, None, book);
                }
            }
            Call::Rooms(_) => {
                if let Ok(Answer::Rooms(Page { items: infos, .. })) = answer {
                    infos.iter().for_each(|info| {
                        self.sees(info, &asked, Access::Open, None, book);
                    });
                }
            }
            Call::Readable(_) => {
                let Ok(Answer::Readable(Page { items: rooms, .. })) = answer else { return };
                for (id, after) in rooms {
                    let room = &book.rooms[id];
                    let own = |member: &&MemberRecord| Some(member.account) == asked.account;
                    let horizon = match room.members.iter().find(own) {
                        Some(member) => member.horizon,
                        None => room.opened,
                    };
                    let open = room.settings.visibility == Visibility::Public;
                    assert!(open || room.members.iter().any(|member| own(&member)), "not readable");
                    assert_eq!(*after, horizon, "readable from before it was opened");
                }
            }
            Call::Members(call::Members { room, .. }) | Call::Read(call::Read { room, .. })
                if ok =>
            {
                let room = &book.rooms[room];
                let open = room.settings.visibility == Visibility::Public;
                let member = asked.account.is_some_and(|account| book.is_member(account, room.id));
                assert!(open || member, "a stranger looks into a room");
            }
            Call::OpenStream(call::OpenStream { subscription, .. }) => match answer {
                Ok(Answer::OpenedStream(OpenedStream { account, rooms, .. })) => {
                    for one in rooms {
                        let kept = &book.rooms[&one.room].members;
                        let kept = kept.iter().find(|member| member.account == *account);
                        let kept = kept.map(|member| (member.since, member.read));
                        assert_eq!(kept, Some((one.since, one.read)), "another membership");
                    }
                }
                _ => {
                    self.streams.remove(subscription);
                }
            },
            _ => {}
        }
    }

    /// A subscription begins to hear at most once.
    fn subscribed(&mut self, subscription: SubscriptionId, protocol: ProtocolId, room: RoomId) {
        if let Some(stream) = self.streams.get_mut(&base_of(subscription)) {
            assert_eq!(stream.subscriptions.insert(subscription, room), None, "subscribed twice");
            return;
        }
        let member = self.members.get_mut(&subscription).expect("a connection that has asked");
        assert_eq!(
            (member.hearing, member.protocol, member.room),
            (Hearing::NotYet, protocol, room)
        );
        member.hearing = Hearing::Now;
    }

    /// Only a subscription that hears can end, once, and with a reason.
    fn unsubscribed(
        &mut self,
        subscription: SubscriptionId,
        room: RoomId,
        reason: Option<CloseReason>,
    ) {
        if let Some(stream) = self.streams.get_mut(&base_of(subscription)) {
            assert_eq!(
                stream.subscriptions.remove(&subscription),
                Some(room),
                "was not subscribed"
            );
            assert_eq!(reason, None, "a stream continues");
            return;
        }
        let member = self.members.get_mut(&subscription).expect("only a subscription can end");
        assert_eq!((member.hearing, member.room), (Hearing::Now, room));
        assert!(!member.standing, "{subscription:?} ended without a rule: {reason:?}");
        assert!(reason.is_some() || member.left, "an open connection gets no reason");
        member.hearing = Hearing::NoMore;
        // Its earlier tells have replies, unless the connection has closed before.
        let cut = reason.is_some_and(CloseReason::cuts);
        let unanswered = std::mem::take(&mut member.tells);
        assert!(cut || unanswered.is_empty(), "{subscription:?}: no reply to {unanswered:?}");
        self.cut.extend(cut.then_some(room));
    }

    /// The subscription of an announcement hears the room.
    fn announced_by_one_who_hears(&self, room: RoomId, by: Option<(SubscriptionId, ProtocolId)>) {
        let Some((subscription, protocol)) = by else { return };
        if let Some(stream) = self.streams.get(&base_of(subscription)) {
            assert!(
                subscription == base_of(subscription)
                    || stream.subscriptions.get(&subscription) == Some(&room)
            );
            return;
        }
        let member =
            self.members.get(&subscription).expect("announced by a subscription that exists");
        assert_eq!((member.hearing, member.room, member.protocol), (Hearing::Now, room, protocol));
    }

    /// A join names a person who was absent, a part one who was present; messages come in the order
    /// of the log, once the log has them. (Workers give an announcement to all subscriptions of the
    /// room, so one order without gaps for the room is the same for everybody in it.)
    fn announced(&mut self, event: &Event, subscribed: bool, book: &Book) {
        let roster = self.rosters.entry(event.room).or_default();
        let name = event.author.name.folded();
        let place = roster.iter().position(|present| *present == name);
        match &event.kind {
            // (It was held back until after the room's end: nobody is there to hear it.)
            EventKind::Joined if !book.rooms.contains_key(&event.room) => {}
            EventKind::Joined => {
                assert_eq!(place, None, "{name:?} joined twice");
                roster.push(name);
            }
            EventKind::Gone { .. } => roster.clear(), // No parts follow.
            // (If another proposer ended the room, a person's first message may have come too late,
            // and with it the news of the person's presence.)
            EventKind::Left if place.is_none() && !book.rooms.contains_key(&event.room) => {}
            // (So may it have come too late from a person who was cut off.)
            EventKind::Left if place.is_none() && self.cut.contains(&event.room) => {}
            EventKind::Left => {
                roster.remove(place.expect("only a present person leaves"));
            }
            EventKind::Said { seq, text, client_id, reply_to, calls: _ } => {
                if place.is_none() && subscribed {
                    roster.push(name);
                }
                let (due, time, entry) = self.to_announce.take().expect("it is in the log");
                let Event { room, author, color, .. } = event.clone();
                let (text, client_id, reply_to) = (text.clone(), client_id.clone(), *reply_to);
                let calls = Box::default();
                let said = Entry::Said { room, author, color, text, client_id, reply_to, calls };
                assert_eq!((*seq, event.time, said), (due, time, entry), "not as it was logged");
                let last = self.last_said.insert(room, *seq);
                assert!(last.is_none_or(|last| last < *seq), "announced out of order");
            }
            _ => {}
        }
    }

    /// Replies come in the order of the tells; a receipt has the number that the log gave.
    fn replied(
        &mut self,
        subscription: SubscriptionId,
        protocol: ProtocolId,
        reply: &Result<Receipt, Refusal>,
        log: &[(Time, Entry)],
    ) {
        if let Some(stream) = self.streams.get_mut(&subscription) {
            assert!(!stream.dismissed, "a reply to a closed stream");
            let Some(event) = stream.tells.pop_front() else {
                assert!(!stream.standing && reply.is_err(), "a reply without an event");
                return; // The stream was about to end.
            };
            match (event, reply) {
                (
                    ClientEvent::Stream(StreamEvent::Act {
                        action: Action::Send { text, .. }, ..
                    }),
                    Ok(receipt),
                ) => {
                    let Receipt::Logged { seq, .. } = receipt else { panic!("{receipt:?}") };
                    let entry = &log[usize::try_from(seq.0).expect("an index") - 1].1;
                    assert!(matches!(entry, Entry::Said { text: kept, .. } if *kept == text));
                }
                (ClientEvent::Garbled { refusal, .. }, reply) => assert_eq!(*reply, Err(refusal)),
                _ => {}
            }
            return;
        }
        let member =
            self.members.get_mut(&subscription).expect("a reply to a subscription that exists");
        assert_eq!(
            (member.hearing, member.protocol),
            (Hearing::Now, protocol),
            "a reply to nobody"
        );
        let Some(event) = member.tells.pop_front() else {
            assert!(!member.standing && reply.is_err(), "a reply without an event");
            return; // The subscription was about to end.
        };
        match (event, reply) {
            (ClientEvent::Room(RoomEvent::Say { text, .. }), Ok(Receipt::Logged { seq, .. })) => {
                let entry = &log[usize::try_from(seq.0).expect("an index") - 1].1;
                let kept = matches!(entry, Entry::Said { text: kept, .. } if *kept == text);
                assert!(kept, "a receipt for {text:?}, but the log has {entry:?}");
            }
            (ClientEvent::Room(RoomEvent::Say { text, .. }), Err(refusal)) => {
                // (If another proposer has ended the room before, the message is in the log, but
                // has no effect.)
                if *refusal != Refusal::RoomNotFound {
                    self.refused_texts.push(text);
                }
            }
            (ClientEvent::Garbled { refusal, .. }, reply) => {
                assert_eq!(*reply, Err(refusal), "out of order")
            }
            (
                ClientEvent::Room(RoomEvent::Join { .. })
                | ClientEvent::Room(RoomEvent::Part { .. }),
                Ok(Receipt::Noted) | Err(_),
            ) => {}
            (ClientEvent::Room(RoomEvent::Join { .. }), Ok(Receipt::Known(event))) => {
                assert_eq!(member.room, event.room, "joined another room");
            }
            (event, reply) => panic!("{reply:?} is no reply to {event:?}"),
        }
    }
}
