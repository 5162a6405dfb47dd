//! A core at its limits, and every command: the time of each in the event loop.
//!
//! The world is built once for each kind of command, from a snapshot; each command's time is noted
//! under its name, the log's answer under that name with `, logged`, and the rest of a long command
//! with `, continued`.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use shanty::chat::{
    Access, Account, AccountId, Call, CallId, Caller, Chat, ClientEvent, Command, Description,
    Effect, Entry, LOBBY, MemberRecord, Name, ProtocolId, RoomEvent, RoomId, RoomRecord, RoomRef,
    RoomSettings, Seq, Session, SessionId, Settings, Snapshot, Source, SubscriptionId, Ticket,
    Title, Visibility, call, founding,
};
use shanty::crypto::KeyHash;
use shanty::limits::{
    CONNECTIONS_MAX, MEMBERS_MAX, ROOMS_MAX, ROOMS_PER_ACCOUNT_MAX, STREAMS_PER_ACCOUNT_MAX,
};
use shanty::time::Time;

/// The most accounts, minus some that commands make.
pub const ACCOUNTS: u64 = shanty::limits::ACCOUNTS_MAX as u64 - 1_000;
/// The same of rooms.
pub const ROOMS: u64 = ROOMS_MAX as u64 - 1_000;
/// The most connected clients, all in one room.
pub const PRESENT: u64 = CONNECTIONS_MAX as u64;
/// Their room.
pub const CROWDED: RoomId = RoomId(2);
/// A member of the most rooms, and the owner of them.
pub const BUSY: u64 = 1;
/// The owner of the crowded room.
pub const OWNER: u64 = 4;
/// An account with the most subscriptions, by one session.
pub const WIDE: u64 = 2;
/// A guest that is a member of the most rooms, and owns them.
pub const GUEST: u64 = ACCOUNTS;

const PROTOCOL: ProtocolId = ProtocolId(1);
const NOON: Time = Time(1_700_000_000_000_000);
/// Streams' own subscriptions are multiples of it.
const STREAM: u64 = 1 << 16;

/// How long each kind of command took.
pub type Times = BTreeMap<String, Vec<Duration>>;

pub struct World {
    chat: Chat,
    pub now: Time,
    seq: u64,
    asks: u64,
    subscriptions: u64,
    proposals: VecDeque<(Ticket, Time, Entry)>,
    /// Of the users present in the lobby.
    pub guests: Vec<SubscriptionId>,
    pub times: Times,
}

/// A key made from a number.
pub fn key(kind: u8, number: u64) -> KeyHash {
    let mut key = [kind; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key
}

/// A caller with an account's key.
pub fn owner(number: u64) -> Caller {
    Caller::Key(key(1, number))
}

pub fn session(number: u64) -> Caller {
    Caller::Session(key(2, number))
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub fn room_settings(title: &str) -> RoomSettings {
    let title = Title::new(title).expect("a title");
    let (description, visibility) = (Description::default(), Visibility::Public);
    RoomSettings { title, description, visibility, password: None }
}

/// A small core: the lobby, and one account. The snapshot copies it, field by field.
fn founded() -> Snapshot {
    let mut chat = Chat::new(settings(), Snapshot::default());
    let made = Entry::AccountMade {
        account: AccountId(1),
        name: name("n1"),
        key: Some(key(1, 1)),
        color: None,
    };
    for (seq, entry) in [(1, founding()), (2, made)] {
        let logged = Command::Logged { ticket: None, seq: Seq(seq), time: NOON, entry };
        chat.handle(NOON, logged, &mut Vec::new());
    }
    chat.snapshot()
}

fn snapshot() -> Snapshot {
    let mut snapshot = founded();
    let (lobby, model) = (snapshot.rooms.remove(0), snapshot.accounts.remove(0));
    let member = lobby.members[0];
    let account = |id: u64| {
        let (name, key) = (name(&format!("n{id}")), (id != GUEST).then(|| key(1, id)));
        Account { id: AccountId(id), name, key, ..model.clone() }
    };
    let begun = |id: u64| {
        let (remember, agent) = (false, "a client".into());
        let (id, account, key) = (SessionId(id), AccountId(id), key(2, id));
        Session { id, account, key, remember, agent, created: NOON, last_used: NOON }
    };
    let record = |id: u64, owner: Option<u64>, members: std::ops::Range<u64>| {
        let member = |id| MemberRecord { account: AccountId(id), ..member };
        RoomRecord {
            id: RoomId(id),
            owner: owner.map(AccountId),
            settings: room_settings(&format!("room {id}")),
            members: members.map(member).collect(),
            ..lobby.clone()
        }
    };
    let of_one = ROOMS_PER_ACCOUNT_MAX as u64 - 10;
    let rooms = (CROWDED.0 + 1..=ROOMS).map(|id| match id {
        _ if id <= of_one => record(id, Some(BUSY), BUSY..BUSY + 1),
        _ if id <= 2 * of_one => record(id, Some(GUEST), GUEST..GUEST + 1),
        _ => record(id, None, 0..0),
    });
    let mut first = record(LOBBY.0, None, 1..ACCOUNTS + 1);
    first.settings = lobby.settings.clone();
    let crowded = record(CROWDED.0, Some(OWNER), 1..MEMBERS_MAX as u64 - 1_000);
    snapshot.rooms = [first, crowded].into_iter().chain(rooms).collect();
    snapshot.accounts = (1..=ACCOUNTS).map(account).collect();
    snapshot.sessions = (1..=ACCOUNTS).map(begun).collect();
    snapshot.last_account = ACCOUNTS;
    snapshot.last_session = ACCOUNTS;
    snapshot.last_room = ROOMS;
    snapshot
}

/// The full snapshot, but for its rooms: a guest has been written to by 10,000 people.
fn pestered() -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.rooms.truncate(1);
    let (lobby, guest) = (snapshot.rooms[0].clone(), AccountId(GUEST));
    let member = lobby.members[0];
    snapshot.rooms.extend((2..=ROOMS_MAX as u64).map(|id| {
        let between = [AccountId(id), guest];
        let members = between.map(|account| MemberRecord { account, ..member }).to_vec();
        let (settings, between) = (room_settings(&format!("room {id}")), Some(between));
        RoomRecord { id: RoomId(id), settings, members, between, ..lobby.clone() }
    }));
    snapshot.last_room = ROOMS_MAX as u64;
    snapshot
}

fn settings() -> Settings {
    Settings::new(3_600, false)
}

impl World {
    /// Everything at its limit: accounts, rooms, subscriptions in two rooms, streams of one,
    /// subscriptions of one.
    pub fn full() -> World {
        let mut world = World::new(snapshot());
        world.guests = world.crowd(LOBBY);
        world.crowd(CROWDED);
        for _ in 0..PRESENT {
            world.subscribe(session(WIDE), LOBBY);
        }
        for who in [BUSY, GUEST] {
            for _ in 0..STREAMS_PER_ACCOUNT_MAX {
                world.follow("", session(who));
            }
        }
        world.settle("");
        world.times.clear();
        world
    }

    /// A guest has 10,000 rooms for two, and all the other members have streams.
    pub fn of_pairs() -> World {
        let mut world = World::new(pestered());
        for id in 2..=ROOMS_MAX as u64 {
            world.follow("", session(id));
        }
        world.times.clear();
        world
    }

    fn new(snapshot: Snapshot) -> World {
        World {
            chat: Chat::new(settings(), snapshot),
            now: NOON,
            seq: 2,
            asks: 0,
            subscriptions: 0,
            proposals: VecDeque::new(),
            guests: Vec::new(),
            times: Times::new(),
        }
    }

    /// The most connected clients join a room.
    pub fn crowd(&mut self, room: RoomId) -> Vec<SubscriptionId> {
        let come = |guest| {
            let subscription = self.subscribe(Caller::Nobody, room);
            let name = Name::new(&format!("guest {guest} of {room}"));
            self.give(
                "",
                Command::ClientEvent {
                    subscription,
                    event: ClientEvent::Room(RoomEvent::Join { name, color: None }),
                },
            );
            subscription
        };
        (0..PRESENT).map(come).collect()
    }

    /// Runs a command, and notes its time.
    pub fn give(&mut self, name: &str, command: Command) {
        let mut effects = Vec::new();
        let start = Instant::now();
        self.chat.handle(self.now, command, &mut effects);
        let took = start.elapsed();
        if !name.is_empty() {
            self.times.entry(name.to_owned()).or_default().push(took);
        }
        for effect in effects {
            if let Effect::Propose { ticket, time, entry } = effect {
                self.proposals.push_back((ticket, time, entry));
            }
        }
    }

    pub fn ask(&mut self, name: &str, caller: Caller, call: impl Into<Call>) {
        self.asks += 1;
        let (ask, source) = (CallId(self.asks), Source::Local);
        self.give(name, Command::Call { id: ask, source, caller, call: call.into() });
    }

    /// The log commits everything, and long commands run to their end.
    pub fn settle(&mut self, name: &str) {
        let named = |suffix: &str| {
            if name.is_empty() { String::new() } else { format!("{name}, {suffix}") }
        };
        let (logged, continued) = (named("logged"), named("continued"));
        loop {
            while self.chat.is_busy() {
                self.give(&continued, Command::Continue);
            }
            let Some((ticket, time, entry)) = self.proposals.pop_front() else { return };
            self.seq += 1;
            let (ticket, seq) = (Some(ticket), Seq(self.seq));
            self.give(&logged, Command::Logged { ticket, seq, time, entry });
        }
    }

    /// Makes a call, and lets the log answer.
    pub fn ask_through(&mut self, name: &str, caller: Caller, call: impl Into<Call>) {
        self.ask(name, caller, call);
        self.settle(name);
    }

    pub fn subscription(&mut self) -> SubscriptionId {
        self.subscriptions += 1;
        SubscriptionId(self.subscriptions * STREAM)
    }

    pub fn subscribe_in(&mut self, name: &str, caller: Caller, room: RoomId) -> SubscriptionId {
        let subscription = self.subscription();
        let (room, access, claim) = (RoomRef::Id(room), Access::Open, None);
        self.ask(
            name,
            caller,
            call::Subscribe { subscription, protocol: PROTOCOL, room, access, claim, enter: false },
        );
        subscription
    }

    fn subscribe(&mut self, caller: Caller, room: RoomId) -> SubscriptionId {
        self.subscribe_in("", caller, room)
    }

    pub fn follow(&mut self, name: &str, caller: Caller) -> SubscriptionId {
        let subscription = self.subscription();
        self.ask(
            name,
            caller,
            call::OpenStream { subscription, protocol: ProtocolId(2), only: None },
        );
        self.settle(name);
        subscription
    }
}
