//! The work of a command does not grow with the size of the tables: the test counts it in a small
//! world and in one ten times as large. (It counts items of tables and pages, steps of long work,
//! and effects, so that it needs no clock.)

use std::collections::BTreeMap;

use super::full::{account, room};
use super::*;
use crate::chat::numbered::looks;

const SMALL: u64 = 600;
const LARGE: u64 = 10 * SMALL;
/// The rooms of the account with the most rooms.
const OWN: u64 = 500;
const CROWDED: RoomId = RoomId(2);
/// Streams' own subscriptions are multiples of it.
const STREAM: u64 = 1 << 16;

/// A core, and the maximal count of each kind of command.
struct Counted {
    core: Core,
    most: BTreeMap<String, u64>,
    subscriptions: u64,
}

impl Counted {
    /// The number of accounts, rooms, people in two rooms, and subscriptions of one session.
    fn new(size: u64) -> Counted {
        let mut core = Core::with(&["ann", "bob"]);
        let mut snapshot = core.chat.snapshot();
        let crowd: Vec<AccountId> = (10..10 + size).map(AccountId).collect();
        snapshot.accounts.extend((10..10 + size).map(account));
        let mut members = vec![AccountId(1)];
        members.extend(&crowd);
        snapshot.rooms.push(room(CROWDED.0, &members));
        for id in 3..3 + size {
            let own = [AccountId(1)];
            snapshot.rooms.push(room(id, if id < OWN { &own } else { &[] }));
        }
        let mut session = snapshot.sessions[0].clone();
        for id in 10..10 + size {
            let name = format!("s{id}");
            session.id = SessionId(id);
            (session.account, session.key) = (AccountId(id), key(&name));
            snapshot.sessions.push(session.clone());
        }
        snapshot.rooms[1].owner = Some(AccountId(1));
        (snapshot.last_session, snapshot.last_account) = (10 + size, 10 + size);
        let settings = Settings::new(TTL_SECS, false);
        core.chat = Chat::new(settings, snapshot);
        let mut counted = Counted { core, most: BTreeMap::new(), subscriptions: 0 };
        for guest in 0..size {
            for room in [LOBBY, CROWDED] {
                let subscription = counted.subscribe("", "", room);
                let name = Name::new(&format!("guest {guest} {room}"));
                counted.give(
                    "",
                    Command::ClientEvent {
                        subscription,
                        event: ClientEvent::Room(RoomEvent::Join { name, color: None }),
                    },
                );
            }
            counted.subscribe("", "bob", LOBBY);
        }
        counted
    }

    fn give(&mut self, name: &str, command: Command) {
        let mut effects = Vec::new();
        looks();
        self.core.chat.handle(self.core.now, command, &mut effects);
        let looked = looks() + effects.len() as u64;
        if !name.is_empty() {
            let most = self.most.entry(name.to_owned()).or_default();
            *most = looked.max(*most);
        }
        for effect in effects {
            if let Effect::Propose { ticket, time, entry } = effect {
                self.core.proposals.push_back((ticket, time, entry));
            }
        }
    }

    /// Calls; the log replies, and long work is finished.
    fn ask(&mut self, who: &str, call: impl Into<Call>) {
        let call = call.into();
        let name = kind(&call);
        self.core.last += 1;
        let (ask, source, caller) = (CallId(self.core.last), Source::Local, caller(who));
        self.give(name, Command::Call { id: ask, source, caller, call });
        self.settle(name);
    }

    fn settle(&mut self, name: &str) {
        let logged = format!("{name}, logged");
        loop {
            while self.core.chat.is_busy() {
                self.give("Continue", Command::Continue);
            }
            let Some((ticket, time, entry)) = self.core.proposals.pop_front() else { return };
            self.core.seq += 1;
            let (ticket, seq) = (Some(ticket), Seq(self.core.seq));
            self.give(&logged, Command::Logged { ticket, seq, time, entry });
        }
    }

    fn subscribe(&mut self, name: &str, who: &str, room: RoomId) -> SubscriptionId {
        self.subscriptions += STREAM;
        let Call::Subscribe(call::Subscribe { protocol, access, claim, enter, .. }) =
            subscribe(0, room)
        else {
            unreachable!()
        };
        let (subscription, room) = (SubscriptionId(self.subscriptions), RoomRef::Id(room));
        self.core.last += 1;
        let (ask, source, caller) = (CallId(self.core.last), Source::Local, caller(who));
        let call = call::Subscribe { subscription, protocol, room, access, claim, enter };
        self.give(name, Command::Call { id: ask, source, caller, call: call.into() });
        subscription
    }
}

/// The name of a kind of call. A new kind must get a name here, and be called below.
fn kind(ask: &Call) -> &'static str {
    let text = format!("{ask:?}");
    let name = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    KINDS.iter().find(|kind| **kind == name).unwrap_or_else(|| panic!("{name} is not counted"))
}

const KINDS: [&str; 36] = [
    "Register",
    "Login",
    "BeGuest",
    "Sessions",
    "EndSession",
    "Logout",
    "Me",
    "Person",
    "Present",
    "Rooms",
    "Marks",
    "Room",
    "View",
    "Heard",
    "Readable",
    "Direct",
    "Enter",
    "Exit",
    "Members",
    "Act",
    "Read",
    "OpenStream",
    "PasswordState",
    "MakeRoom",
    "MayChange",
    "ChangeRoom",
    "RemoveRoom",
    "Deleted",
    "RestoreRoom",
    "Expel",
    "ChangeModerator",
    "Mute",
    "BanFromRoom",
    "ChangeRules",
    "Moderation",
    "Transfer",
];

fn work(size: u64) -> BTreeMap<String, u64> {
    let mut it = Counted::new(size);
    let after = RoomId(0);
    for mine in [true, false] {
        it.ask("ann", call::Rooms { mine, after });
    }
    it.ask("ann", call::Marks { after });
    it.ask("ann", call::Readable { after });
    it.ask("ann", call::Present { room: CROWDED, after: 0 });
    let away = Place::Away { present: u64::MAX, account: AccountId(0) };
    for after in [Place::Present(0), away] {
        it.ask("ann", call::Members { room: LOBBY, after });
    }
    it.ask("ann", call::Room { room: RoomRef::Id(CROWDED), access: Access::Open });
    it.ask("ann", call::View { room: CROWDED });
    it.ask(
        "ann",
        call::PasswordState {
            room: RoomRef::Id(CROWDED),
            name: Name::new("new"),
            access: Access::Open,
        },
    );
    it.ask("ann", call::MayChange { room: RoomRef::Id(CROWDED), access: Access::Open });
    it.ask("", call::Heard);
    it.ask("ann", call::Me);
    it.ask("ann", call::Sessions);
    it.ask("ann", call::Person { name: "n10".into() });
    it.ask("", call::Register { name: "new".into(), key: key("new"), invitation: None });
    it.ask("", login("n11", "fresh"));
    it.ask("", be_guest("zoe"));
    it.ask("ann", call::Direct { name: "n12".into(), chance: 1 });
    it.ask("s13", call::Enter { room: RoomId(5), access: Access::Open });
    it.ask("s13", call::Exit { room: RoomId(5) });
    let (text, client_id, reply_to) = ("hi".into(), None, None);
    it.ask("ann", call::Act(Action::Send { room: CROWDED, text, client_id, reply_to }));
    it.ask("ann", call::Read { room: CROWDED, seq: Seq(u64::MAX) });
    it.ask(
        "ann",
        call::MakeRoom { settings: room_settings("one more", Visibility::Public, None), chance: 2 },
    );
    let mut streams = Vec::new();
    for _ in 0..16 {
        it.subscriptions += STREAM;
        streams.push(SubscriptionId(it.subscriptions));
        it.ask(
            "ann",
            call::OpenStream {
                subscription: SubscriptionId(it.subscriptions),
                protocol: BACK,
                only: None,
            },
        );
    }
    it.give("Leave", Command::Leave { subscription: streams[0] });
    let subscription = it.subscribe("Subscribe", "ann", CROWDED);
    it.give("Leave", Command::Leave { subscription });
    // While a message is pending, everybody sends, and calls for the same change wait.
    let (text, client_id, reply_to) = ("slow".into(), None, None);
    let slow = call::Act(Action::Send { room: LOBBY, text, client_id, reply_to });
    it.core.last += 1;
    let (source, caller) = (Source::Local, caller("ann"));
    it.give("", Command::Call { id: CallId(it.core.last), source, caller, call: slow.into() });
    for subscription in 0..size {
        let event = ClientEvent::Room(RoomEvent::Part { name: None });
        it.give(
            "ClientEvent",
            Command::ClientEvent {
                subscription: SubscriptionId((3 * subscription + 1) * STREAM),
                event,
            },
        );
    }
    it.settle("what waited");
    let access = Access::Open;
    for turn in 0..size {
        let title = Title::new(&format!("title {turn}"));
        let change = RoomChange { title, ..RoomChange::default() };
        let room = RoomRef::Id(CROWDED);
        it.core.last += 1;
        let call = call::ChangeRoom { room: room.clone(), access, change, chance: 3 }.into();
        let caller = super::caller("ann");
        it.give("ChangeRoom", Command::Call { id: CallId(it.core.last), source, caller, call });
        if turn == 9 {
            it.core.last += 1;
            let (call, caller) = (call::RemoveRoom { room, access }.into(), super::caller("ann"));
            it.give("RemoveRoom", Command::Call { id: CallId(it.core.last), source, caller, call });
        }
    }
    it.settle("ChangeRoom");
    // The room is deleted with all its members, restored with them, and closed with all its
    // subscriptions.
    it.ask("ann", call::Deleted);
    it.ask("ann", call::RestoreRoom { room: CROWDED, title: None });
    for guest in 0..size {
        let subscription = it.subscribe("", "", CROWDED);
        let name = Name::new(&format!("late {guest}"));
        it.give(
            "",
            Command::ClientEvent {
                subscription,
                event: ClientEvent::Room(RoomEvent::Join { name, color: None }),
            },
        );
    }
    it.subscribe("", "s20", CROWDED);
    it.ask("ann", call::Expel { room: CROWDED, name: "n20".into() });
    let room = CROWDED;
    let (name, reason) = (|name: &str| -> Box<str> { name.into() }, None);
    let moderator = name("n21");
    it.ask("ann", call::ChangeModerator { room, name: moderator, on: true, reason: None });
    let (on, secs) = (true, None);
    it.ask("ann", call::Mute { room: Some(room), name: name("n22"), on, secs, reason: None });
    it.ask("ann", call::BanFromRoom { room, name: name("n23"), on, reason: None });
    let change = RulesChange { slow_secs: Some(5), ..RulesChange::default() };
    it.ask("ann", call::ChangeRules { room, change, reason: None });
    it.ask("ann", call::Moderation { room });
    it.ask("ann", call::Transfer { room, name: name("n22"), reason });
    it.ask("n22!", call::Transfer { room, name: name("ann"), reason: None });
    let (visibility, password) = (Some(Visibility::Private), Some("hash".into()));
    let change = RoomChange { visibility, password, ..RoomChange::default() };
    let room = RoomRef::Id(CROWDED);
    it.ask("ann", call::ChangeRoom { room, access, change, chance: 4 });
    it.core.passes(TTL_SECS - 1);
    it.give("Tick", Command::Tick);
    it.core.passes(TTL_SECS);
    it.give("Tick", Command::Tick);
    it.settle("Tick");
    it.ask("ann", call::EndSession { session: SessionId(1) });
    it.ask("bob", call::Logout);
    for subscription in 0..size {
        it.subscribe("", "", LOBBY);
        if subscription < 3 {
            it.ask("", be_guest(&format!("zoe {subscription}")));
        }
    }
    it.give("Close", Command::Close);
    it.settle("Close");
    it.most
}

#[test]
fn the_work_of_a_command_does_not_grow() {
    let (small, large) = (work(SMALL), work(LARGE));
    for kind in KINDS {
        assert!(large.contains_key(kind), "{kind} is not counted");
    }
    for (name, count) in &large {
        let before = small.get(name).copied().unwrap_or_default();
        assert!(
            *count <= before + before / 4 + 8,
            "{name}: {before}, and ten times as large {count}"
        );
        assert!(*count <= 1_600, "{name} looks at {count}");
    }
}
