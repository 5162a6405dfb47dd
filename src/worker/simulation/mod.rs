//! The simulator above the core: the real hub, the real queue to the writer's real loop, the real
//! delivery rounds of several workers, and the real queue before the readers, all with bounds small
//! enough to reach. The disk is slow, full, locked or hanging; workers are late, readers fail, and
//! the clock leaps. One seed decides everything, on one thread, in simulated time.
//!
//! Always true: every call is answered, at once if it needs no disk; every tell gets one reply, in
//! order; a message is acknowledged or delivered only if it is in the log; and no message of a room
//! is left out, whether a client hears it live, reads history, or lags and reads it back. A stream
//! that lags, or ends and resumes, has in the end what a stream has that never ended. When the disk
//! works again, everything settles.
//!
//! `SEEDS=100000 cargo test --lib worker::simulation` runs more seeds; `SEED=17 cargo test --lib
//! worker::simulation -- --nocapture` runs one, and prints its events.

mod disk;
mod people;
mod reading;
mod streams;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use crate::chat::simulation::dice::Dice;
use crate::chat::simulation::disk::Disk as Log;
use crate::chat::{
    AccountId, Chat, Command, Entry, LOBBY, Name, RoomId, RoomSettings, Seq, SessionId, Settings,
    Snapshot, Title, Visibility, founding,
};
use crate::clock::Clock;
use crate::codec::Encoder;
use crate::crypto;
use crate::hub::{Bounds, Hub, HubHandle, Rounds};
use crate::protocol::LINES;
use crate::store::{Gate, line_of, write_all};
use crate::time::Time;
use crate::worker::delivery::{Connections, Delivery, Head};
use crate::worker::simulation::disk::{SimulatedDisk, Weather};
use crate::worker::simulation::people::Person;
use crate::worker::simulation::reading::SimulatedDesk;
use crate::worker::simulation::wire::{Plain, SimulatedSocket};

const SEEDS: u64 = 200;
/// The longest wait for anything once the disk works again.
const PATIENCE: Duration = Duration::from_secs(300);
/// Messages that are in the lobby from the start.
const SAID_BEFORE: u64 = 60;
/// The actions of all people together, at most.
const STEPS_MAX: u64 = 1_500;
/// Rooms that exist from the start.
pub const ROOMS: u64 = 3;

/// The parameters of one run, drawn from its seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    bounds: Bounds,
    /// Batches handed to the writer.
    batches: usize,
    workers: usize,
    people: u64,
    /// How long people act.
    millis: u64,
    /// A person's longest pause.
    pause_millis: u64,
    /// The longest commit of a healthy disk.
    commit_millis: u64,
    session_ttl_secs: u64,
    /// Whether rate limits are on.
    limits: bool,
    /// The bound of a connection's unanswered tells, and of its outbox.
    unanswered_max: u32,
    outbox_max: usize,
    /// Whether the server shuts down while people act.
    stops: bool,
    /// The number of readers of the log, and the longest read of a healthy one.
    readers: usize,
    read_millis: u64,
    /// The pause between two changes of the disk's state or the clock.
    change_millis: u64,
}

impl Options {
    fn draw(dice: &mut Dice) -> Options {
        let size = |dice: &mut Dice, max: u64| 1 + usize::try_from(dice.below(max)).expect("small");
        let bounds = Bounds {
            inbox: size(dice, 48),
            subscriptions: 64,
            round_commands: size(dice, 64),
            rounds: size(dice, 4),
            round_items: 16 << dice.below(8),
            proposed: size(dice, 64),
        };
        // Long enough for some hundred actions of each person, and some sixteen changes.
        let pause_millis = 1 << dice.below(10);
        let millis = 500 + 60 * pause_millis;
        Options {
            bounds,
            batches: size(dice, 8),
            workers: size(dice, 3),
            people: 1 + dice.below(10),
            millis,
            pause_millis,
            commit_millis: dice.below(3) * dice.below(60),
            limits: dice.one_in(4),
            session_ttl_secs: [60, 600, 3_600][usize::try_from(dice.below(3)).expect("small")],
            unanswered_max: 1 + u32::try_from(dice.below(32)).expect("small"),
            outbox_max: 1_000 << dice.below(8),
            stops: dice.one_in(4),
            readers: size(dice, 3),
            read_millis: [2, 200, 3_000][usize::try_from(dice.below(3)).expect("small")],
            change_millis: 1 + millis / 8,
        }
    }
}

/// The state that all people of one run share.
pub struct World {
    pub options: Options,
    pub hub: HubHandle,
    pub log: Rc<RefCell<Log>>,
    /// The readers of history.
    pub pages: Gate<SimulatedDesk>,
    /// The readers for lagging clients.
    pub streams: Gate<SimulatedDesk>,
    /// The connections of each worker.
    pub connections: Vec<Connections<SimulatedSocket>>,
    /// The last entry that each worker has announced.
    pub heads: Vec<Head>,
    /// The number of pages that were read for streams.
    pub pages_of_streams: Cell<u64>,
    /// The acknowledged read markers.
    pub marks: RefCell<HashMap<(RoomId, AccountId), Seq>>,
    /// From now on people begin nothing new.
    pub over: Cell<bool>,
    /// The server is shutting down.
    pub stopping: Cell<bool>,
    /// Counts the actions; also the source of new names and numbers.
    pub step: Rc<Cell<u64>>,
    /// A hash over all answers and their times.
    trace: Cell<u64>,
    loud: bool,
}

impl World {
    /// A number that was never used before.
    pub fn fresh(&self) -> u64 {
        self.step.set(self.step.get() + 1);
        self.step.get()
    }

    /// Whether people may begin something new.
    pub fn is_busy(&self) -> bool {
        !self.over.get() && self.step.get() < STEPS_MAX
    }

    /// Records an event in the trace: the same seed must give the same trace.
    pub fn note(&self, event: &str) {
        let at = Instant::now();
        if self.loud {
            println!("{:>6} {at:?} {event}", self.step.get());
        }
        let fold = |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.trace.set(event.bytes().fold(self.trace.get(), fold));
    }
}

#[test]
fn whatever_happens() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    if let Some(seed) = number("SEED") {
        run(seed, true);
        return;
    }
    let mut pages = 0;
    for seed in 0..number("SEEDS").unwrap_or(SEEDS) {
        let result = run(seed, false);
        pages += result.pages_of_streams;
        if seed.is_multiple_of(64) {
            assert_eq!(result, run(seed, false), "seed {seed} differs the second time");
        }
    }
    assert!(pages > SEEDS, "hardly any stream was ever behind: {pages} pages");
}

/// The result of a run: the same seed gives the same result.
#[derive(PartialEq, Debug)]
struct RunResult {
    trace: u64,
    pages_of_streams: u64,
}

/// Runs one seed; on failure prints how to repeat it.
fn run(seed: u64, loud: bool) -> RunResult {
    let (step, mut dice) = (Rc::new(Cell::new(0)), Dice::new(seed));
    let options = Options::draw(&mut dice);
    if loud {
        println!("{options:#?}");
    }
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let simulated = simulate(options, dice, loud, step.clone());
    let run = || LocalSet::new().block_on(&runtime, simulated);
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let again = format!("SEED={seed} cargo test --lib worker::simulation -- --nocapture");
        panic!("seed {seed}, step {}; again: {again}", step.get());
    })
}

/// A core that knows some people and rooms, and the log that it knows them from. Keys of accounts
/// and of their sessions are their names.
fn begin(options: &Options, clock: Time) -> (Chat, Log) {
    let settings = Settings::new(options.session_ttl_secs, options.limits);
    let (mut chat, mut log) = (Chat::new(settings, Snapshot::default()), Log::default());
    let mut write = |entry| log.write(None, clock, entry);
    write(founding());
    for number in 1..=options.people {
        let account = AccountId(number);
        let name = Name::new(&format!("p{number}")).expect("a name");
        let key = crypto::hash(name.as_str());
        write(Entry::AccountMade { account, name, key: Some(key), color: None });
        let (session, agent) = (SessionId(number), "".into());
        write(Entry::SessionBegun { session, account, key, remember: false, agent });
    }
    for number in 2..=ROOMS {
        let settings = RoomSettings {
            title: Title::new(&format!("room {number}")).expect("a title"),
            description: Default::default(),
            visibility: Visibility::Public,
            password: None,
        };
        write(Entry::RoomMade { room: RoomId(number), owner: None, settings });
    }
    for number in 0..SAID_BEFORE {
        write(people::message(AccountId(1), LOBBY, &format!("before {number}")));
    }
    let mut effects = Vec::new();
    while let Some(command) = log.answer() {
        assert!(matches!(command, Command::Logged { .. }));
        chat.handle(clock, command, &mut effects);
    }
    (chat, log)
}

async fn simulate(options: Options, mut dice: Dice, loud: bool, step: Rc<Cell<u64>>) -> RunResult {
    let start = Instant::now();
    let noon = 1_800_000_000_000_000;
    let set = Arc::new(AtomicI64::new(noon));
    let clock = {
        let set = set.clone();
        move || {
            let elapsed = i64::try_from(start.elapsed().as_micros()).expect("no age");
            Time(set.load(Ordering::Relaxed) + elapsed)
        }
    };
    let (chat, log) = begin(&options, Time(noon));
    let (line, end) = line_of(options.batches);
    let encoder = Encoder::new(vec![&Plain, &LINES], "epoch");
    let (hub, handle, rounds) = Hub::within(
        options.bounds,
        Clock::by(Box::new(clock)),
        chat,
        line,
        encoder,
        options.workers,
    );
    let log = Rc::new(RefCell::new(log));
    let (sky, weather) = watch::channel(Weather::Fine { millis: options.commit_millis });
    let mut desk = |_| SimulatedDesk {
        log: log.clone(),
        weather: weather.clone(),
        dice: RefCell::new(Dice::new(dice.below(u64::MAX))),
        millis: options.read_millis,
        busy: Rc::default(),
    };
    let (pages, streams) = (reading::gate(options.readers, &mut desk), reading::gate(1, &mut desk));
    let world = Rc::new(World {
        options,
        hub: handle,
        log: log.clone(),
        pages,
        streams,
        connections: rounds.iter().map(|_| Connections::default()).collect(),
        heads: rounds.iter().map(|_| Head::default()).collect(),
        pages_of_streams: Cell::new(0),
        marks: RefCell::default(),
        over: Cell::new(false),
        stopping: Cell::new(false),
        step,
        trace: Cell::new(0xcbf2_9ce4_8422_2325),
        loud,
    });
    let disk_dice = Dice::new(dice.below(u64::MAX));
    let mut disk = SimulatedDisk { log, weather, dice: disk_dice, start, failing: false };
    let answers = world.hub.log_handle();
    let mut writer = spawn_local(async move {
        write_all(&mut disk, end, |commands| answers.answer(commands)).await;
    });
    let mut hub = spawn_local(hub.run());
    let late = Rc::new(Cell::new(Duration::ZERO));
    for (rounds, (connections, head)) in
        rounds.into_iter().zip(world.connections.iter().zip(&world.heads))
    {
        spawn_local(work(rounds, Delivery::new(connections.clone(), head.clone()), late.clone()));
    }
    let mut people = JoinSet::new();
    for number in 1..=options.people {
        let dice = Dice::new(dice.below(u64::MAX));
        people.spawn_local(Person::new(world.clone(), number, dice).live());
    }
    let busy = change(&world, &mut dice, &sky, &late, &set);
    tokio::select! {
        biased;
        failed = &mut hub => panic!("the hub has ended: {failed:?}"),
        failed = &mut writer => panic!("the writer has ended: {failed:?}"),
        () = busy => {}
    }
    let settled = async {
        while let Some(ended) = people.join_next().await {
            ended.expect("no panic");
        }
    };
    tokio::select! {
        biased;
        failed = &mut hub => panic!("the hub has ended: {failed:?}"),
        failed = &mut writer => panic!("the writer has ended: {failed:?}"),
        settled = timeout(PATIENCE, settled) => settled.expect("everything settles"),
    }
    settle(Rc::into_inner(world).expect("all people have ended"), hub, writer).await
}

/// While people act, changes the disk's state, delays workers, and moves the clock. Then repairs
/// everything.
async fn change(
    world: &World,
    dice: &mut Dice,
    sky: &watch::Sender<Weather>,
    late: &Cell<Duration>,
    clock: &AtomicI64,
) {
    let options = &world.options;
    let fine = Weather::Fine { millis: options.commit_millis };
    let end = Instant::now() + Duration::from_millis(options.millis);
    while Instant::now() < end {
        sleep(Duration::from_millis(dice.below(options.change_millis))).await;
        match dice.below(10) {
            0..=2 => sky.send_replace(fine),
            3 => sky.send_replace(Weather::Fine { millis: dice.below(2_000) }),
            4 => sky.send_replace(Weather::Full),
            5 => sky.send_replace(Weather::Locked),
            6 => sky.send_replace(Weather::Hangs),
            7 => {
                late.set(Duration::from_millis(dice.below(2) * dice.below(4_000)));
                continue;
            }
            _ => {
                let reach = dice.below(42);
                let leap = dice.below(1 << reach).cast_signed();
                let leap = if dice.one_in(2) { leap } else { -leap };
                clock.fetch_add(leap, Ordering::Relaxed);
                continue;
            }
        };
        world.note(&format!("the disk: {:?}", *sky.borrow()));
    }
    if options.stops {
        world.stopping.set(true);
        world.hub.close().await;
    }
    sky.send_replace(fine);
    late.set(Duration::ZERO);
    world.over.set(true);
}

/// A worker's loop as in [`run`](super::run), except that it may be late.
async fn work(
    mut rounds: Rounds,
    mut delivery: Delivery<SimulatedSocket>,
    late: Rc<Cell<Duration>>,
) {
    while let Some(items) = rounds.recv().await {
        if !late.get().is_zero() {
            sleep(late.get()).await;
        }
        delivery.take(items);
        while let Ok(items) = rounds.try_recv() {
            delivery.take(items);
        }
        delivery.flush();
    }
}

/// The end of a run: the hub ends with its last handle, the writer with the hub, and everything is
/// written.
async fn settle(
    world: World,
    hub: tokio::task::JoinHandle<()>,
    writer: tokio::task::JoinHandle<()>,
) -> RunResult {
    let World { hub: handle, log, marks, trace, pages_of_streams, .. } = world;
    drop(handle);
    timeout(PATIENCE, hub).await.expect("the hub ends").expect("no panic");
    timeout(PATIENCE, writer).await.expect("the writer ends").expect("no panic");
    let log = log.borrow();
    assert!(log.is_idle(), "a proposed entry is neither written nor refused");
    for (mark, seq) in marks.borrow().iter() {
        let kept = log.marks.get(mark);
        assert!(kept.is_some_and(|kept| kept >= seq), "{mark:?} at {seq:?} is stored as {kept:?}");
    }
    RunResult { trace: trace.get(), pages_of_streams: pages_of_streams.get() }
}
