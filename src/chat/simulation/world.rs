//! Everybody outside of the core: who asked and got no answer yet, who hears which room, and who
//! they believe is there. It follows the effects as real workers would, and believes nothing that
//! the core could not have known.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::chat::simulation::book::Book;
use crate::chat::{
    Access, AccountId, Acted, Action, Answer, Call, CallId, ClientEvent, CloseReason, Effect,
    Entry, Event, Folded, MemberRecord, Name, OpenedStream, Page, ProtocolId, Receipt, Refusal,
    RoomEvent, RoomId, RoomRef, RoomSettings, Seq, SessionId, StreamEvent, SubscriptionId,
    Visibility, What, call,
};
use crate::time::Time;

/// An ask that waits for its answer.
pub struct Asked {
    pub what: Call,
    /// The session by which it came, if that was any good then.
    pub session: Option<SessionId>,
    /// Whose that is, or the account by whose own key it came.
    pub account: Option<AccountId>,
    /// It came by a key that was no good, and needed one.
    pub refused: Option<Refusal>,
    /// What it shows opens the room that it names.
    pub opens: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Hearing {
    NotYet,
    Now,
    NoMore,
}

/// A connection that asked for a subscription.
pub struct Member {
    pub protocol: ProtocolId,
    pub room: RoomId,
    pub account: Option<AccountId>,
    pub session: Option<SessionId>,
    /// What it calls itself, mostly.
    pub name: Option<Name>,
    /// Whether what it shows opens the room, as that is now.
    pub opens: bool,
    /// Whether the subscription must exist, by the rules.
    pub standing: bool,
    pub hearing: Hearing,
    /// Its connection has reported the end, and sends nothing more.
    pub left: bool,
    /// What it said and has no reply to.
    pub tells: VecDeque<ClientEvent>,
}

/// A connection that asked for a stream.
pub struct View {
    pub account: AccountId,
    pub session: Option<SessionId>,
    pub only: Option<Vec<RoomId>>,
    pub standing: bool,
    /// Its connection has reported the end.
    pub left: bool,
    pub frozen: bool,
    pub dismissed: bool,
    /// Its subscriptions in the rooms.
    pub subscriptions: BTreeMap<SubscriptionId, RoomId>,
    /// The last entry that it has heard.
    pub cursor: Seq,
    pub tells: VecDeque<ClientEvent>,
}

impl View {
    /// One that has asked for its stream.
    pub fn new(
        account: AccountId,
        session: Option<SessionId>,
        only: Option<Vec<RoomId>>,
        standing: bool,
    ) -> View {
        View {
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

/// The stream that a subscription belongs to, if it is one's.
pub fn base_of(subscription: SubscriptionId) -> SubscriptionId {
    SubscriptionId(subscription.0 / 65_536 * 65_536)
}

#[derive(Default)]
pub struct World {
    pub asks: HashMap<CallId, Asked>,
    pub members: BTreeMap<SubscriptionId, Member>,
    /// Who is present, in the order of arriving, purely from what was announced.
    pub rosters: BTreeMap<RoomId, Vec<Folded>>,
    /// The message that the core has just got from the log and must announce now.
    pub to_announce: Option<(Seq, Time, Entry)>,
    /// The number of the last announced message of each room.
    last_said: HashMap<RoomId, Seq>,
    /// Rooms as they were before their last change; none where a stranger has changed it, too.
    pub before: HashMap<RoomId, Option<RoomSettings>>,
    pub closed: bool,
    /// Messages that were refused: they must never turn up.
    pub refused_texts: Vec<Box<str>>,
    pub streams: BTreeMap<SubscriptionId, View>,
    /// The streams that must hear the entry that the core has just got, once.
    pub due: BTreeMap<SubscriptionId, Seq>,
}

impl World {
    /// One effect; everything that can be judged by itself is judged here.
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
                // (A stream may speak in a room that it does not hear, through its own
                // subscription.)
                let subscribed = by
                    .filter(|(subscription, _)| !self.streams.contains_key(subscription))
                    .is_some();
                self.announced(event, subscribed, book);
                self.announced_by_one_who_hears(event.room, *by);
                if let Some(seq) = event.what.seq() {
                    let room = event.room;
                    let hears = |one: &View| one.subscriptions.values().any(|other| *other == room);
                    let all = self.streams.iter().filter(|(_, one)| hears(one));
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
                assert_eq!(room, Some(&event.room), "notified to a subscription that is elsewhere");
                event.what.seq().into_iter().for_each(|seq| self.hears(base, seq));
            }
            Effect::CloseStream { subscription, reason } => {
                let stream = self.streams.get_mut(subscription).expect("a stream");
                assert!(
                    stream.frozen && stream.subscriptions.is_empty(),
                    "dismissed twice or early"
                );
                assert!(*reason == CloseReason::Replaced || !stream.standing, "by no rule");
                assert!(stream.tells.is_empty(), "goes without {:?}", stream.tells);
                (stream.standing, stream.dismissed, stream.frozen) = (false, true, false);
            }
            Effect::Freeze { subscription } => {
                self.streams.get_mut(subscription).expect("a stream").frozen = true
            }
            Effect::Propose { .. } | Effect::Touch { .. } | Effect::Mark { .. } => {}
        }
    }

    /// What a stream hears has growing numbers, and comes once.
    fn hears(&mut self, base: SubscriptionId, seq: Seq) {
        let stream = self.streams.get_mut(&base).expect("a stream");
        assert!(seq > stream.cursor, "{base:?} hears {seq} after {}", stream.cursor);
        stream.cursor = seq;
        if stream.standing {
            let due = self.due.remove(&base);
            assert_eq!(due, Some(seq), "{base:?} hears what is not for it");
        }
    }

    /// Whoever must hear of an entry has.
    pub fn check_due(&mut self) {
        let streams = &self.streams;
        self.due.retain(|base, _| streams.get(base).is_some_and(|one| one.standing));
        assert!(self.due.is_empty(), "not told: {:?}", self.due);
    }

    /// Its connection is gone, or its session. The session was used until now.
    pub fn end_stream(&mut self, base: SubscriptionId, left: bool) -> Option<SessionId> {
        let stream = self.streams.get_mut(&base)?;
        stream.left |= left;
        std::mem::take(&mut stream.standing).then_some(stream.session).flatten()
    }

    pub fn end_streams(&mut self, who: impl Fn(&View) -> bool) -> Vec<SessionId> {
        let all = self.streams.iter().filter(|(_, one)| who(one)).map(|(base, _)| *base);
        let all: Vec<SubscriptionId> = all.collect();
        all.into_iter().filter_map(|base| self.end_stream(base, false)).collect()
    }

    /// Every ask is answered once, and never again; an `Ok` means that the log has it.
    fn answered(
        &mut self,
        ask: CallId,
        answer: &Result<Answer, Refusal>,
        book: &Book,
        log: &[(Time, Entry)],
    ) {
        let asked = self.asks.remove(&ask).expect("an answer to somebody who waits for one");
        let ok = answer.is_ok();
        if let Some(refusal) = asked.refused {
            assert_eq!(*answer, Err(refusal), "a session lived too long");
            if let Call::Subscribe(call::Subscribe { subscription, .. }) = asked.what {
                self.members.remove(&subscription);
            }
            if let Call::OpenStream(call::OpenStream { subscription, .. }) = asked.what {
                self.streams.remove(&subscription);
            }
            return;
        }
        let unauthenticated = *answer == Err(Refusal::Unauthenticated);
        let anonymous = !matches!(asked.what, Call::Subscribe(_) | Call::Room(_))
                // (Who waited for another change may have been logged out meanwhile.)
                && asked.session.is_none_or(|id| !book.sessions.contains_key(&id));
        assert!(!unauthenticated || anonymous, "a session ended too early");
        match &asked.what {
            Call::Register(call::Register { key, .. }) => {
                let known = book.accounts.values().any(|account| account.key == Some(*key));
                assert_eq!(ok, known, "registered exactly if acknowledged");
            }
            Call::Login(call::Login { session, .. }) => {
                assert_eq!(ok, book.session_with(session).is_some(), "logged in, or not");
            }
            Call::Logout(_) => {
                let there = asked.session.is_some_and(|id| book.sessions.contains_key(&id));
                // (One refusal is possible all the same: of the second of two at once.)
                assert!(!ok || !there, "acknowledged, but not logged out");
            }
            Call::MakeRoom(call::MakeRoom { settings, .. }) => {
                self.changed(answer, Some(settings.description.as_str()), book);
            }
            Call::ChangeRoom(call::ChangeRoom { change, .. }) => {
                let mark = change.description.as_ref().map(|text| text.as_str());
                self.changed(answer, mark, book);
                // (What is so already changes nothing; no description comes twice.)
                if change.description.is_some() {
                    self.kept(answer, change, book);
                }
            }
            // (By title it may be another room's already.)
            Call::RemoveRoom(call::RemoveRoom { room: RoomRef::Id(room), .. }) if ok => {
                assert!(!book.rooms.contains_key(room), "acknowledged, but not gone");
            }
            Call::RestoreRoom(_) | Call::Deleted(_) => self.restored(answer, asked.account, book),
            Call::Subscribe(call::Subscribe { subscription, .. }) => {
                self.sat(*subscription, answer, book)
            }
            Call::BeGuest(call::BeGuest { session, .. }) => {
                assert_eq!(ok, book.session_with(session).is_some(), "a guest, or not");
            }
            Call::Block(call::Block { on, .. }) if ok => {
                let theirs = |one: &&(AccountId, AccountId)| Some(one.0) == asked.account;
                assert!(!on || book.blocks.iter().any(|one| theirs(&one)), "acknowledged only");
            }
            Call::Enter(call::Enter { room, .. }) if ok => {
                let there = asked.account.filter(|one| book.accounts.contains_key(one));
                assert!(there.is_none_or(|one| book.is_member(one, *room)), "no member");
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
                    let own = |one: &&MemberRecord| Some(one.account) == asked.account;
                    let horizon = match room.members.iter().find(own) {
                        Some(member) => member.horizon,
                        None => room.opened,
                    };
                    let open = room.settings.visibility == Visibility::Public;
                    assert!(open || room.members.iter().any(|one| own(&one)), "not to be read");
                    assert_eq!(*after, horizon, "what was said before it was opened");
                }
            }
            Call::Members(call::Members { room, .. }) | Call::Read(call::Read { room, .. })
                if ok =>
            {
                let room = &book.rooms[room];
                let open = room.settings.visibility == Visibility::Public;
                let member = asked.account.is_some_and(|one| book.is_member(one, room.id));
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

    /// A subscription begins to hear once at most.
    fn subscribed(&mut self, subscription: SubscriptionId, protocol: ProtocolId, room: RoomId) {
        if let Some(stream) = self.streams.get_mut(&base_of(subscription)) {
            assert_eq!(stream.subscriptions.insert(subscription, room), None, "subscribed twice");
            return;
        }
        let member = self.members.get_mut(&subscription).expect("only who asked is subscribed");
        assert_eq!(
            (member.hearing, member.protocol, member.room),
            (Hearing::NotYet, protocol, room)
        );
        member.hearing = Hearing::Now;
    }

    /// Only who hears stops hearing, once, and not without a reason.
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
            assert_eq!(reason, None, "a stream goes on");
            return;
        }
        let member =
            self.members.get_mut(&subscription).expect("only who was subscribed is unsubscribed");
        assert_eq!((member.hearing, member.room), (Hearing::Now, room));
        assert!(!member.standing, "{subscription:?} lost its subscription by no rule: {reason:?}");
        assert!(reason.is_some() || member.left, "no reason to one who is still there");
        member.hearing = Hearing::NoMore;
        // What it said until then has its reply, unless the connection did not wait for it.
        assert!(member.tells.is_empty(), "{subscription:?} goes without {:?}", member.tells);
    }

    /// No announcement names a subscription that does not hear the room.
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

    /// Whoever joins was not there, whoever leaves was; messages come in the log's order, each when
    /// the log has it. (Workers hand an announcement to all who hear the room, so one order and
    /// no gap for the room is one order and no gap for everybody in it.)
    fn announced(&mut self, event: &Event, subscribed: bool, book: &Book) {
        let roster = self.rosters.entry(event.room).or_default();
        let name = event.author.name.folded();
        let place = roster.iter().position(|present| *present == name);
        match &event.what {
            What::Joined => {
                assert_eq!(place, None, "{name:?} joined, who was there");
                roster.push(name);
            }
            What::Gone { .. } => roster.clear(), // Nobody is told any more who goes.
            // (Where a stranger ended the room, the first message of somebody may have come too
            // late for it, and with it the news that they were there.)
            What::Left if place.is_none() && !book.rooms.contains_key(&event.room) => {}
            What::Left => {
                roster.remove(place.expect("only who was there leaves"));
            }
            What::Said { seq, text, client_id, reply_to, calls: _ } => {
                if place.is_none() && subscribed {
                    roster.push(name);
                }
                let (due, time, entry) = self.to_announce.take().expect("said, but not in the log");
                let Event { room, author, color, .. } = event.clone();
                let (text, client_id, reply_to) = (text.clone(), client_id.clone(), *reply_to);
                let calls = Box::default();
                let said = Entry::Said { room, author, color, text, client_id, reply_to, calls };
                assert_eq!((*seq, event.time, said), (due, time, entry), "not as it was logged");
                let last = self.last_said.insert(room, *seq);
                assert!(last.is_none_or(|last| last < *seq), "told out of order");
            }
            _ => {}
        }
    }

    /// Replies come in the order of the tells; a receipt has the number under which the log has it.
    fn replied(
        &mut self,
        subscription: SubscriptionId,
        protocol: ProtocolId,
        reply: &Result<Receipt, Refusal>,
        log: &[(Time, Entry)],
    ) {
        if let Some(stream) = self.streams.get_mut(&subscription) {
            assert!(!stream.dismissed, "a reply to nobody");
            let Some(event) = stream.tells.pop_front() else {
                assert!(!stream.standing && reply.is_err(), "a reply to what was not said");
                return; // It was about to end.
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
            assert!(!member.standing && reply.is_err(), "a reply to what was not said");
            return; // Its subscription was about to end.
        };
        match (event, reply) {
            (ClientEvent::Room(RoomEvent::Say { text, .. }), Ok(Receipt::Logged { seq, .. })) => {
                let entry = &log[usize::try_from(seq.0).expect("an index") - 1].1;
                let kept = matches!(entry, Entry::Said { text: kept, .. } if *kept == text);
                assert!(kept, "a receipt for {text:?}, but the log has {entry:?}");
            }
            (ClientEvent::Room(RoomEvent::Say { text, .. }), Err(refusal)) => {
                // (A message that a stranger's end of the room has overtaken is in the log, but
                // does not fit there.)
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
                assert_eq!(member.room, event.room, "joined elsewhere");
            }
            (event, reply) => panic!("{reply:?} is no reply to {event:?}"),
        }
    }

    /// Whether somebody holds a session by subscribed.
    pub fn is_held(&self, session: SessionId) -> bool {
        let streams = |one: &View| one.standing && one.session == Some(session);
        self.members.values().any(|member| member.standing && member.session == Some(session))
            || self.streams.values().any(streams)
    }
}
