//! The rules of the contract as the core applies them, readable as its specification: one file for
//! each topic. Here: a core with a log that replies on demand.

mod bans;
mod blocks;
mod clock;
mod closing;
mod deleted;
mod direct;
mod full;
mod growth;
mod guests;
mod invitations;
mod limits;
mod members;
mod mentions;
mod messages;
mod moderation;
mod names;
mod pages;
mod people;
mod policy;
mod quotas;
mod roles;
mod rooms;
mod speaking;
mod streams;
mod subscriptions;
mod vouched;

use std::collections::VecDeque;

use crate::chat::*;
use crate::crypto::KeyHash;
use crate::time::{Moment, Time};

const TTL_SECS: u64 = 3_600;
const NOON: Time = Time(1_000_000_000_000);
/// Three protocols; the core only tells them apart.
const FRONT: ProtocolId = ProtocolId(0);
const BACK: ProtocolId = ProtocolId(1);

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// The key that belongs to a text.
fn key(text: &str) -> KeyHash {
    let mut key = [0; 32];
    key[..text.len()].copy_from_slice(text.as_bytes());
    key
}

fn room_settings(title: &str, visibility: Visibility, password: Option<&str>) -> RoomSettings {
    let title = Title::new(title).expect("a title");
    let description = Description::default();
    RoomSettings { title, description, visibility, password: password.map(Box::from) }
}

fn token(room: RoomId, password_generation: u64) -> Access {
    Access::Token { room, password_generation, session: None }
}

/// A core and its log.
struct Core {
    chat: Chat,
    /// The address of all clients.
    source: Source,
    /// Whether every command is followed by [`Chat::check`].
    checks: bool,
    now: Time,
    /// How far the wall clock is ahead of the monotonic one.
    leap_secs: i64,
    proposals: VecDeque<(Ticket, Time, Entry)>,
    seq: u64,
    last: u64,
    touched: Vec<(SessionId, Time)>,
    answers: Vec<(CallId, Result<Answer, Refusal>)>,
}

impl Core {
    /// A core with a lobby, and nobody in it.
    fn new() -> Core {
        Core::set(Settings::new(TTL_SECS, false))
    }

    fn set(settings: Settings) -> Core {
        let mut core = Core {
            source: Source::Local,
            checks: true,
            chat: Chat::new(settings, Snapshot::default()),
            now: NOON,
            leap_secs: 0,
            proposals: VecDeque::new(),
            seq: 0,
            last: 0,
            touched: Vec::new(),
            answers: Vec::new(),
        };
        core.logged(None, NOON, founding());
        core
    }

    /// A core with these accounts, each logged in; the name is both the account's and the session's
    /// key.
    fn with(people: &[&str]) -> Core {
        let mut core = Core::new();
        for person in people {
            assert_eq!(core.register(person), Ok(Answer::Done(())));
            core.login(person).expect("a login");
        }
        core
    }

    /// All effects of a command that a client can notice, as text.
    fn give(&mut self, command: Command) -> Vec<String> {
        let mut effects = Vec::new();
        let wall = Time(self.now.0 + self.leap_secs * 1_000_000);
        self.chat.handle(Moment { wall, running: self.now }, command, &mut effects);
        if self.checks {
            self.chat.check();
        }
        let mut noticed = Vec::new();
        for effect in effects {
            match effect {
                Effect::Propose { ticket, time, entry } => {
                    self.proposals.push_back((ticket, time, entry));
                }
                Effect::Touch { used } => self.touched.extend(used),
                Effect::Answer { id: ask, answer } => self.answers.push((ask, answer)),
                other => noticed.push(words(&other)),
            }
        }
        noticed
    }

    fn logged(&mut self, ticket: Option<Ticket>, time: Time, entry: Entry) -> Vec<String> {
        self.seq += 1;
        self.give(Command::Logged { ticket, seq: Seq(self.seq), time, entry })
    }

    /// The log has written the first proposal.
    fn commit(&mut self) -> Vec<String> {
        let (ticket, time, entry) = self.proposals.pop_front().expect("a proposal");
        self.logged(Some(ticket), time, entry)
    }

    /// The log cannot write the first proposal.
    fn fail(&mut self) -> Vec<String> {
        let (ticket, _, entry) = self.proposals.pop_front().expect("a proposal");
        self.give(Command::Unlogged { ticket, entry, refusal: Refusal::Unavailable })
    }

    fn settle(&mut self) -> Vec<String> {
        let mut noticed = Vec::new();
        while !self.proposals.is_empty() {
            noticed.extend(self.commit());
        }
        noticed
    }

    /// Calls, and leaves the log's reply to the test.
    fn ask_late(&mut self, caller: &str, call: impl Into<Call>) -> CallId {
        self.last += 1;
        let (ask, caller) = (CallId(self.last), self::caller(caller));
        let call = call.into();
        self.give(Command::Call { id: ask, source: self.source, caller, call });
        ask
    }

    fn answer(&mut self, ask: CallId) -> Option<Result<Answer, Refusal>> {
        let place = self.answers.iter().position(|(other, _)| *other == ask)?;
        Some(self.answers.remove(place).1)
    }

    /// Calls, with a log that replies at once.
    fn ask(&mut self, caller: &str, call: impl Into<Call>) -> Result<Answer, Refusal> {
        let ask = self.ask_late(caller, call);
        self.settle();
        self.answer(ask).expect("an answer")
    }

    /// Calls, and returns only the refusal.
    fn try_to(&mut self, caller: &str, call: impl Into<Call>) -> Result<(), Refusal> {
        self.ask(caller, call).map(|_| ())
    }

    /// The operator at the shell calls.
    fn operate(&mut self, call: Call) -> Result<(), Refusal> {
        self.last += 1;
        let (id, source, caller) = (CallId(self.last), Source::Own, Caller::Operator);
        self.give(Command::Call { id, source, caller, call });
        self.settle();
        self.answer(id).expect("an answer").map(|_| ())
    }

    fn register(&mut self, name: &str) -> Result<Answer, Refusal> {
        self.ask("", call::Register { name: name.into(), key: key(name), invitation: None })
    }

    fn login(&mut self, name: &str) -> Result<Answer, Refusal> {
        self.ask(
            "",
            call::Login { key: key(name), session: key(name), remember: false, agent: "".into() },
        )
    }

    fn passes(&mut self, secs: u64) {
        self.now = self.now.plus_secs(secs);
    }

    fn room(&mut self, owner: &str, settings: RoomSettings) -> RoomId {
        self.last += 1; // A number for each hidden room.
        match self.ask(owner, call::MakeRoom { settings, chance: self.last }) {
            Ok(Answer::Room(room)) => room.id,
            other => panic!("{other:?} instead of a room"),
        }
    }

    /// Subscribes to the lobby, bound to the caller.
    fn subscribe(&mut self, subscription: u64, caller: &str) -> Result<(), Refusal> {
        self.try_to(caller, subscribe(subscription, LOBBY))
    }

    fn tell(&mut self, subscription: u64, event: ClientEvent) -> Vec<String> {
        self.give(Command::ClientEvent { subscription: SubscriptionId(subscription), event })
    }

    fn say(&mut self, subscription: u64, name: &str, text: &str) -> Vec<String> {
        let event = ClientEvent::Room(RoomEvent::Say {
            name: Name::new(name),
            color: None,
            text: text.into(),
        });
        self.tell(subscription, event)
    }

    fn join(&mut self, subscription: u64, name: &str) -> Vec<String> {
        self.tell(
            subscription,
            ClientEvent::Room(RoomEvent::Join { name: Name::kept(name), color: None }),
        )
    }

    fn part(&mut self, subscription: u64) -> Vec<String> {
        self.tell(subscription, ClientEvent::Room(RoomEvent::Part { name: None }))
    }

    fn leave(&mut self, subscription: u64) -> Vec<String> {
        self.give(Command::Leave { subscription: SubscriptionId(subscription) })
    }

    fn present(&mut self, room: RoomId) -> Vec<String> {
        match self.ask("", call::Present { room, after: 0 }) {
            Ok(Answer::Present(Page { items: present, next: None })) => {
                present.iter().map(|person| person.author.name.to_string()).collect()
            }
            other => panic!("{other:?} instead of who is present"),
        }
    }
}

fn role(name: &str, role: Option<Role>) -> Call {
    call::ChangeRole { name: name.into(), role, reason: Reason::new("because") }.into()
}

fn be_guest(name: &str) -> Call {
    let (session, agent) = (key(name), "".into());
    call::BeGuest { name: name.into(), color: None, session, remember: false, agent }.into()
}

fn login(account: &str, session: &str) -> Call {
    let (key, session) = (key(account), key(session));
    call::Login { key, session, remember: false, agent: "".into() }.into()
}

/// "" is anonymous, "ann" shows ann's session key, "ann?" the same where it is optional, "ann!"
/// shows ann's account key.
fn caller(who: &str) -> Caller {
    if let Some(who) = who.strip_suffix('!') {
        return Caller::Key(key(who));
    }
    match who.strip_suffix('?') {
        Some(who) => Caller::Perhaps(key(who)),
        None if who.is_empty() => Caller::Nobody,
        None => Caller::Session(key(who)),
    }
}

fn subscribe(subscription: u64, room: RoomId) -> Call {
    let (subscription, room, access) =
        (SubscriptionId(subscription), RoomRef::Id(room), Access::Open);
    call::Subscribe { subscription, protocol: FRONT, room, access, claim: None, enter: false }
        .into()
}

fn subscribe_with(subscription: u64, room: RoomId, access: Access) -> Call {
    let (subscription, room) = (SubscriptionId(subscription), RoomRef::Id(room));
    call::Subscribe { subscription, protocol: FRONT, room, access, claim: None, enter: false }
        .into()
}

fn subscribe_as(subscription: u64, text: &str, granted: Time) -> Call {
    let (subscription, room, access) =
        (SubscriptionId(subscription), RoomRef::Id(LOBBY), Access::Open);
    let claim = Some(NameClaim { name: name(text), granted, first: granted });
    call::Subscribe { subscription, protocol: FRONT, room, access, claim, enter: false }.into()
}

fn enter(subscription: u64, protocol: ProtocolId) -> Call {
    let (subscription, room, access) =
        (SubscriptionId(subscription), RoomRef::Id(LOBBY), Access::Open);
    call::Subscribe { subscription, protocol, room, access, claim: None, enter: true }.into()
}

fn words(effect: &Effect) -> String {
    match effect {
        Effect::Subscribe { subscription, room, .. } => format!("{subscription} hears room {room}"),
        Effect::Unsubscribe { subscription, reason: None, .. } => {
            format!("{subscription} hears no more")
        }
        Effect::Unsubscribe { subscription, reason: Some(why), .. } => {
            format!("{subscription} is closed: {why:?}")
        }
        Effect::Announce { event, by } => {
            let who = event.author.name.as_str();
            let shown = match &event.kind {
                EventKind::Edited { seq, target, text, .. } => {
                    format!("edited {target} to {text} as {seq}")
                }
                EventKind::Deleted { seq, target } => format!("deleted {target} as {seq}"),
                EventKind::Reacted { seq, target, on, .. } => {
                    format!("reacted to {target} {on} as {seq}")
                }
                EventKind::Member { seq, member } => format!("is member {member} as {seq}"),
                EventKind::Standing { seq, change } => format!("is {change:?} as {seq}"),
                EventKind::Room { seq, .. } => format!("made the room so as {seq}"),
                EventKind::Gone { seq } => format!("ended the room as {seq}"),
                EventKind::Typing => "types".to_owned(),
                EventKind::Read { seq } => format!("has read {seq}"),
                EventKind::Joined => "joined".to_owned(),
                EventKind::Left => "left".to_owned(),
                EventKind::Said { seq, text, .. } => format!("said {text} as {seq}"),
            };
            let color = event.color.as_ref().map(|color| format!(" in {}", color.as_str()));
            let by = by.map(|(subscription, _)| format!(" by {subscription}"));
            format!("{who} {shown}{}{}", color.unwrap_or_default(), by.unwrap_or_default())
        }
        Effect::Notify { subscription, event, .. } => match &event.kind {
            EventKind::Room { seq, info } => {
                format!("notified to {subscription}: {} as {seq}", info.title.as_str())
            }
            EventKind::Gone { seq } => format!("notified to {subscription}: gone as {seq}"),
            other => format!("notified to {subscription}: {other:?}"),
        },
        Effect::Freeze { subscription } => format!("{subscription} is about to end"),
        Effect::CloseStream { subscription, reason } => {
            format!("{subscription} is dismissed: {reason:?}")
        }
        Effect::Mark { room, account, seq } => format!("{account} has read {room} to {seq}"),
        Effect::Reply {
            subscription,
            reply: Ok(Receipt::Logged { seq, repeated: false, .. }),
            ..
        } => {
            format!("to {subscription}: Said({seq})")
        }
        Effect::Reply { subscription, reply: Ok(receipt), .. } => {
            format!("to {subscription}: {receipt:?}")
        }
        Effect::Reply { subscription, reply: Err(refusal), .. } => {
            format!("to {subscription}: no, {refusal:?}")
        }
        other => format!("{other:?}"),
    }
}
