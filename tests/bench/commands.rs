//! The time of each command in the event loop at the limits: 100,000 accounts, 10,000 rooms, 10,000
//! users in one room, 1,000 rooms of one account. Nothing may take over a millisecond.
//!
//! The core is driven directly, without a server: this is the time that every other client waits.

mod crowd;

use std::time::Duration;

use shanty::chat::{
    Access, Action, Caller, ClientEvent, ClientId, Command, Emoji, LOBBY, Name, NameClaim, Place,
    RoomChange, RoomEvent, RoomId, RoomRef, Seq, SessionId, Visibility, call,
};

use crate::report::{row, table};
use crowd::{
    ACCOUNTS, BUSY, CROWDED, GUEST, OWNER, PRESENT, ROOMS, WIDE, World, key, owner, room_settings,
    session,
};

/// The budget of one command.
const BUDGET: Duration = Duration::from_millis(1);
/// The number of runs of each command.
const TIMES: u64 = 64;

pub fn run() {
    let mut world = World::full();
    reads(&mut world);
    people(&mut world);
    rooms(&mut world);
    words(&mut world);
    held(&mut world);
    time(&mut world);
    ends(&mut world);
    pairs(&mut world);
    report(&world);
}

/// Reading calls, page by page.
fn reads(world: &mut World) {
    for turn in 0..TIMES {
        let mine = || session(BUSY);
        let somewhere = RoomId(ROOMS / TIMES * turn);
        world.ask(
            "GET /chats, a page",
            Caller::Nobody,
            call::Rooms { mine: false, after: somewhere },
        );
        world.ask("GET /rooms, a page", mine(), call::Rooms { mine: true, after: somewhere });
        world.ask("what one may read, a page", mine(), call::Readable { after: somewhere });
        world.ask("read markers, a page", mine(), call::Marks { after: RoomId(turn * 10) });
        let after = PRESENT / TIMES * turn;
        world.ask("who is present, a page", mine(), call::Present { room: CROWDED, after });
        let place = match turn % 2 {
            0 => Place::Present(after),
            _ => {
                let account = shanty::chat::AccountId(ACCOUNTS / TIMES * turn);
                Place::Away { present: PRESENT, account }
            }
        };
        world.ask(
            "members of the lobby, a page",
            mine(),
            call::Members { room: LOBBY, after: place },
        );
        world.ask(
            "a crowded room",
            Caller::Nobody,
            call::Room { room: RoomRef::Id(CROWDED), access: Access::Open },
        );
        world.ask("a room, as a member sees it", mine(), call::View { room: CROWDED });
        world.ask("who I am", mine(), call::Me);
        world.ask("somebody", mine(), call::Person { name: format!("n{}", turn + 1).into() });
        world.ask("my sessions", mine(), call::Sessions);
        world.ask("how far the log is", Caller::Nobody, call::Heard);
        let (room, name) = (RoomRef::Id(CROWDED), Name::new("somebody new"));
        world.ask(
            "what opens a room",
            mine(),
            call::PasswordState { room, name, access: Access::Open },
        );
        let (room, access) = (RoomRef::Id(CROWDED), Access::Open);
        world.ask("whether one may change a room", mine(), call::MayChange { room, access });
    }
}

fn people(world: &mut World) {
    for turn in 0..TIMES {
        let (name, key_of) = (format!("new{turn}").into(), key(3, turn));
        world.ask_through(
            "registration",
            Caller::Nobody,
            call::Register { name, key: key_of, invitation: None },
        );
        let code = key(6, turn);
        let (room, reason) = (None, None);
        let call = call::Invite { code, room, uses: 1, secs: 3_600, reason };
        world.ask_through("an invitation", Caller::Operator, call);
        let (name, key_of) = (format!("invited{turn}").into(), key(7, turn));
        world.ask_through(
            "registration by it",
            Caller::Nobody,
            call::Register { name, key: key_of, invitation: Some(code) },
        );
        let agent: Box<str> = "a client".into();
        let call = call::Login {
            key: key(1, turn + 100),
            session: key(4, turn),
            remember: false,
            agent: agent.clone(),
        };
        world.ask_through("login", Caller::Nobody, call);
        let (name, session_key) = (format!("visitor {turn}").into(), key(5, turn));
        let call =
            call::BeGuest { name, color: None, session: session_key, remember: false, agent };
        world.ask_through("a guest comes", Caller::Nobody, call);
        let subscription =
            world.subscribe_in("a subscription in a crowded room", session(turn + 200), CROWDED);
        let event = ClientEvent::Room(RoomEvent::Join { name: None, color: None });
        world.give("a join", Command::ClientEvent { subscription, event });
        let (name, text) = (None, "hello".into());
        world.give(
            "a message by a subscription",
            Command::ClientEvent {
                subscription,
                event: ClientEvent::Room(RoomEvent::Say { name, color: None, text }),
            },
        );
        world.settle("a message by a subscription");
        world.give("the end of a connection", Command::Leave { subscription });
        let subscription = world.follow("a stream of 1,000 rooms begins", session(BUSY));
        world.give("a stream of 1,000 rooms ends", Command::Leave { subscription });
        world.settle("a stream of 1,000 rooms ends");
        world.ask_through("logout", session(turn + 300), call::Logout);
    }
}

fn rooms(world: &mut World) {
    for turn in 0..TIMES {
        let who = || session(turn + 400);
        let call =
            call::MakeRoom { settings: room_settings(&format!("a new one {turn}")), chance: turn };
        world.ask_through("a room is made", who(), call);
        let (room, access) = (RoomRef::Id(CROWDED), Access::Open);
        let title = shanty::chat::Title::new(&format!("other {turn}"));
        let change = RoomChange { title, ..RoomChange::default() };
        world.ask_through(
            "a crowded room changes",
            session(OWNER),
            call::ChangeRoom { room, access, change, chance: turn },
        );
        let newcomer = || session(ACCOUNTS - 100 - turn);
        let (room, access) = (CROWDED, Access::Open);
        world.ask_through("somebody comes to stay", newcomer(), call::Enter { room, access });
        world.ask_through("somebody leaves for good", newcomer(), call::Exit { room });
        // One of an account's 10,000 subscriptions makes way for the next.
        let (subscription, protocol, room) =
            (world.subscription(), shanty::chat::ProtocolId(1), RoomRef::Id(LOBBY));
        let access = Access::Token { room: LOBBY, password_generation: 0, session: None };
        let name = Name::new(&format!("n{WIDE}")).expect("a name");
        let (granted, first) = (world.now.plus_secs(1), world.now);
        let claim = Some(NameClaim { name, granted, first });
        let call = call::Subscribe { subscription, protocol, room, access, claim, enter: false };
        world.ask("a connection takes another's place", session(WIDE), call);
        world.subscribe_in("", session(turn + 500), CROWDED);
        let call = call::Expel { room: CROWDED, name: format!("n{}", turn + 500).into() };
        world.ask_through("somebody is put out", session(OWNER), call);
        world.ask_through(
            "a room for two",
            who(),
            call::Direct { name: format!("n{}", turn + 2_000).into(), chance: turn },
        );
    }
}

fn words(world: &mut World) {
    for turn in 0..TIMES {
        let text: Box<str> = "@n1 said something ".repeat(200).into();
        let client_id = ClientId::new(&format!("id-{turn}"));
        let (room, reply_to) = (CROWDED, None);
        let send = Action::Send { room, text: text.clone(), client_id, reply_to };
        world.ask_through("a message", session(BUSY), call::Act(send));
        let target = Seq(3);
        let edit = Action::Edit { room, target, text };
        world.ask_through("an edit", session(BUSY), call::Act(edit));
        let emoji = Emoji::new("👍").expect("a sign");
        let react = Action::React { room, target, emoji, on: true };
        world.ask_through("a reaction", session(BUSY), call::Act(react));
        world.ask_through("a deletion", session(BUSY), call::Act(Action::Delete { room, target }));
        world.ask("how far one has read", session(BUSY), call::Read { room, seq: Seq(u64::MAX) });
    }
}

/// All callers wait for the same change.
fn held(world: &mut World) {
    let change = |turn: u64| RoomChange {
        title: shanty::chat::Title::new(&format!("yet another {turn}")),
        ..RoomChange::default()
    };
    let (room, access) = (RoomId(3), Access::Open);
    for turn in 0..PRESENT {
        let (room, change) = (RoomRef::Id(room), change(turn));
        let call = call::ChangeRoom { room, access, change, chance: turn };
        world.ask("a change that waits for another", session(BUSY), call);
        if turn == 1_000 {
            // Up to here one by one; then the room is deleted for all the rest.
            let call = call::RemoveRoom { room: RoomRef::Id(RoomId(3)), access };
            world.ask("a change that waits for another", session(BUSY), call);
        }
    }
    world.settle("10,000 who wait for a change");
    // While the disk is slow, every client leaves and joins again.
    let (text, client_id, reply_to) = ("slow".into(), None, None);
    let send = Action::Send { room: LOBBY, text, client_id, reply_to };
    world.ask("", session(BUSY), call::Act(send));
    for subscription in world.guests.clone() {
        world.give(
            "",
            Command::ClientEvent {
                subscription,
                event: ClientEvent::Room(RoomEvent::Part { name: None }),
            },
        );
        world.give(
            "",
            Command::ClientEvent {
                subscription,
                event: ClientEvent::Room(RoomEvent::Join { name: None, color: None }),
            },
        );
    }
    world.settle("40,000 words behind a slow message");
}

/// Time passes: every connected user is noted as present, and all others have expired.
fn time(world: &mut World) {
    for _ in 0..TIMES {
        world.now = world.now.plus_secs(10);
        world.give("a tick", Command::Tick);
        world.settle("a tick");
    }
    world.now = world.now.plus_secs(4_000);
    // (The log's queue has room for a bounded number at once; the rest comes with later ticks.)
    for _ in 0..8 {
        world.now = world.now.plus_secs(10);
        world.give("100,000 sessions have expired", Command::Tick);
        world.settle("100,000 sessions have expired");
    }
}

fn ends(world: &mut World) {
    let (room, access) = (RoomRef::Id(CROWDED), Access::Open);
    let call = call::RemoveRoom { room: room.clone(), access };
    world.ask_through("the end of a crowded room", owner(OWNER), call);
    world.ask("what one can bring back", owner(OWNER), call::Deleted);
    let call = call::RestoreRoom { room: CROWDED, title: None };
    world.ask_through("a deleted room of 9,000 comes back", owner(OWNER), call);
    world.crowd(CROWDED);
    let (visibility, password) = (Some(Visibility::Private), Some("hash".into()));
    let change = RoomChange { visibility, password, ..RoomChange::default() };
    let call = call::ChangeRoom { room, access, change, chance: 1 };
    world.ask_through("a crowded room closes", owner(OWNER), call);
    world.ask_through(
        "the end of a session with 10,000 subscriptions",
        session(WIDE),
        call::EndSession { session: SessionId(WIDE) },
    );
    world.ask_through(
        "the end of a guest with 16 streams of 1,000 rooms",
        session(GUEST),
        call::EndSession { session: SessionId(GUEST) },
    );
    world.ask_through(
        "the end of a session with 16 streams of 1,000 rooms",
        session(BUSY),
        call::EndSession { session: SessionId(BUSY) },
    );
    world.give("the close", Command::Close);
    world.settle("the close");
}

/// A guest with 10,000 rooms for two expires.
fn pairs(world: &mut World) {
    let mut pestered = World::of_pairs();
    pestered.ask_through(
        "the end of a guest with 10,000 rooms for two",
        session(GUEST),
        call::EndSession { session: SessionId(GUEST) },
    );
    world.times.append(&mut pestered.times);
}

fn report(world: &World) {
    table("One command in the event loop, at the limits", &["given", "median", "worst", "1 ms"]);
    let mut missed = 0;
    for (name, times) in &world.times {
        let mut times = times.clone();
        times.sort_unstable();
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        // A busy machine takes a processor away now and then: one in a hundred may be late.
        let late = times[(times.len() - 1) * 99 / 100];
        let holds = late <= BUDGET;
        missed += usize::from(!holds);
        let tell = |time: Duration| format!("{:.3} ms", time.as_secs_f64() * 1e3);
        let verdict = if holds { "holds" } else { "missed" };
        row(
            &format!("  {name}"),
            &[times.len().to_string(), tell(median), tell(worst), verdict.into()],
        );
    }
    println!("  {missed} of {} commands take longer than they may", world.times.len());
}
