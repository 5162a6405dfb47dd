//! The torture test: many clients of all protocols talk through a proxy that cuts, delays and
//! stalls, readers freeze, and the server is killed and restarted. In the end every acknowledged
//! message is in the log exactly once, and every client's view equals the log.
//!
//! A short run is an ordinary test. `make torture` runs a long one: `KILLS=200 SEED=1 cargo test
//! --release --test torture -- --nocapture`. The seed decides the clients' plans; the machine
//! decides the timing, so a seed makes a failure likely to repeat, not certain.

mod chitchat;
mod dice;
mod native;
mod piratchat;
mod proxy;
mod server;
mod verify;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::dice::Dice;
use crate::native::Author;
use crate::native::reader::{Form, Reader};
use crate::native::sender::Sender;
use crate::native::talker::Talker;
use crate::native::view::View;
use crate::proxy::Proxy;
use crate::server::Server;
use crate::verify::{Heard, Log};
use crate::wire::{Line, Request, Websocket};
use crate::world::{LAST, Phase, Stage, World};

/// The ordinary test's numbers: enough to exercise the machinery.
const KILLS: u64 = 5;
const ROOMS: [u64; 3] = [1, 2, 3];
/// The deadlines: from the end of the storm until every client is sure, and from the last messages
/// until all have them.
const CALM_DEADLINE: Duration = Duration::from_secs(30);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

#[test]
fn nothing_is_lost_doubled_or_reordered() {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let seed = number("SEED").unwrap_or(clock.subsec_nanos().into());
    let kills = number("KILLS").unwrap_or(KILLS);
    println!("torture: SEED={seed} KILLS={kills}");
    let mut dice = Dice::new(seed, 0);
    let mut server = Server::new(&mut dice);
    let problems = match torture(&mut server, &mut dice, seed, kills) {
        Ok(problems) => problems,
        Err(problem) => vec![problem],
    };
    if !problems.is_empty() {
        server.keep = true;
        let (all, folder) = (problems.len(), server.folder.display());
        let some = problems[..all.min(20)].join("\n");
        panic!("SEED={seed} KILLS={kills}: {all} problems (database and log: {folder})\n{some}");
    }
}

fn torture(
    server: &mut Server,
    dice: &mut Dice,
    seed: u64,
    kills: u64,
) -> Result<Vec<String>, String> {
    let begin = Instant::now();
    server.start()?;
    let proxy = Proxy::start(server.port, seed);
    let world = World::new(proxy.port, server.port, seed);
    for title in ["Deck", "Hold"] {
        let room = json!({ "title": title, "visibility": "public" });
        let answer = wire::ask(server.port, &Request::new("POST", "/chats").json(&room));
        assert_eq!(answer.expect("the server is up").status, 201);
    }
    let cast = Cast::new(&world);
    let witness = native::Person::new(&world, "witness", 0, &ROOMS);
    let views = thread::scope(|scope| {
        let threads = cast.enter(scope);
        let done = storm(server, dice, kills, &world).and_then(|()| calm(&proxy, &world));
        if let Err(problem) = done {
            world.problem(problem);
        }
        threads.join()
    });
    let log = Log::read(&server.database())?;
    log.against_ledger(&world);
    if !world.problems().is_empty() {
        return Ok(world.problems()); // The views are incomplete.
    }
    for heard in &views.heard {
        log.against_heard(heard, &world);
    }
    let mut histories = BTreeMap::new();
    for room in ROOMS {
        let history = native::check::history(&world, &witness, room)?;
        native::check::against_log(room, &history, &log, &world);
        histories.insert(room, history);
    }
    for view in &views.native {
        native::check::against_view(view, &log, &histories, &world);
    }
    for line in server.log().lines().filter(|line| line.contains("panicked")) {
        world.problem(format!("the server's log says: {line}"));
    }
    let ledger = world.ledger();
    let acknowledged = ledger.values().filter(|sent| sent.acknowledged).count();
    let counts = |count: &AtomicU64| count.load(Relaxed);
    println!(
        "torture: {kills} kills, {} entries; {} messages sent, {acknowledged} acknowledged, {} in \
         the log; {} edits, {} deletes, {} reactions, {} repeats; {} connections, {} cuts, {} \
         stalls, {} delays, {} freezes, {} thrown out as too slow, {} resumes; {} views of {} \
         messages compared; {:.1} s",
        log.entries,
        ledger.len(),
        log.rows.len(),
        log.count("edited"),
        log.count("deleted"),
        log.count("reacted"),
        counts(&world.counts.repeats),
        counts(&proxy.control.connections),
        counts(&proxy.control.cuts),
        counts(&proxy.control.stalls),
        counts(&proxy.control.delays),
        counts(&world.counts.freezes),
        counts(&world.counts.thrown_out),
        counts(&world.counts.resumes),
        views.heard.len() + views.native.len(),
        views.messages(),
        begin.elapsed().as_secs_f64(),
    );
    Ok(world.problems())
}

/// The clients, before they start.
struct Cast<'a> {
    pirates: Vec<piratchat::Client<'a>>,
    guests: Vec<chitchat::Client<'a>>,
    senders: Vec<Sender<'a>>,
    talkers: Vec<Talker<'a>>,
    readers: Vec<Reader<'a>>,
}

impl<'a> Cast<'a> {
    fn new(world: &'a World) -> Cast<'a> {
        let person = |name: &str, kind, rooms| native::Person::new(world, name, kind, rooms);
        let author =
            |kind: u64, name: &str| Author::new(world, person(name, kind % 4, &ROOMS), kind);
        let reader = |kind: u64, form: Form, only: &[u64]| {
            let person = person(&format!("reader{kind}"), kind % 4, &ROOMS);
            Reader::new(world, kind, person, form, only)
        };
        Cast {
            pirates: (1..=4).map(|number| piratchat::Client::new(world, number)).collect(),
            guests: (1..=5)
                .map(|number| chitchat::Client::new(world, number, ROOMS[number as usize % 3]))
                .collect(),
            senders: (0..4)
                .map(|kind| Sender::new(author(kind, &format!("sender{kind}"))))
                .collect(),
            talkers: (4..7)
                .map(|kind| Talker::new(author(kind, &format!("talker{kind}"))))
                .collect(),
            readers: vec![
                reader(0, Form::Websocket, &[]),
                reader(1, Form::Websocket, &[2]).sleepy(),
                reader(2, Form::Events, &[]),
                reader(3, Form::Events, &[1, 3]).sleepy(),
                reader(4, Form::Lines, &[]),
                reader(5, Form::Lines, &[1]),
                reader(6, Form::Lines, &[]).sleepy(),
            ],
        }
    }

    fn enter<'scope>(self, scope: &'scope Scope<'scope, '_>) -> Threads<'scope>
    where
        'a: 'scope,
    {
        let (mut heard, mut views, mut senders) = (Vec::new(), Vec::new(), Vec::new());
        heard.extend(self.pirates.into_iter().map(|client| scope.spawn(|| client.run())));
        heard.extend(self.guests.into_iter().map(|client| scope.spawn(|| client.run())));
        views.extend(self.talkers.into_iter().map(|client| scope.spawn(|| client.run())));
        views.extend(self.readers.into_iter().map(|client| scope.spawn(|| client.run())));
        senders.extend(self.senders.into_iter().map(|client| scope.spawn(|| client.run())));
        Threads { heard, views, senders }
    }
}

/// The running clients.
struct Threads<'scope> {
    heard: Vec<ScopedJoinHandle<'scope, Heard>>,
    views: Vec<ScopedJoinHandle<'scope, View>>,
    senders: Vec<ScopedJoinHandle<'scope, ()>>,
}

/// The clients' final views.
struct Views {
    heard: Vec<Heard>,
    native: Vec<View>,
}

impl Threads<'_> {
    fn join(self) -> Views {
        fn all<T>(threads: Vec<ScopedJoinHandle<'_, T>>) -> Vec<T> {
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.map(|done| done.expect("a client has panicked, see above")).collect()
        }
        all(self.senders);
        Views { heard: all(self.heard), native: all(self.views) }
    }
}

impl Views {
    fn messages(&self) -> usize {
        let heard = self.heard.iter().map(Heard::count).sum::<usize>();
        heard + self.native.iter().map(|view| view.messages.len()).sum::<usize>()
    }
}

/// Kills and restarts the server, after varying times, sometimes before it listens.
fn storm(server: &mut Server, dice: &mut Dice, kills: u64, world: &World) -> Result<(), String> {
    for _ in 0..kills {
        match dice.from(0, 9) {
            0 => dice.sleep(0, 30),
            1 => dice.sleep(1000, 2000),
            _ => dice.sleep(30, 800),
        }
        server.kill()?;
        if dice.chance(300) {
            dice.sleep(0, 300);
        }
        if dice.chance(100) {
            server.spawn();
            dice.sleep(0, 30);
            server.kill()?;
        }
        server.start()?;
        if !world.problems().is_empty() {
            break;
        }
    }
    dice.sleep(500, 1000);
    Ok(())
}

/// Lets every client finish, and sends the last messages in every room until all have them.
fn calm(proxy: &Proxy, world: &World) -> Result<(), String> {
    proxy.control.calm.store(true, Relaxed);
    world.enter(Phase::Calm);
    world.wait_for_all(Stage::Settled, CALM_DEADLINE)?;
    world.enter(Phase::LastMessages);
    let mut sockets: Vec<(u64, Websocket)> = Vec::new();
    for room in ROOMS {
        let request = Request::new("GET", format!("/chats/{room}/ws"));
        let opened = Line::dial(world.server).and_then(|line| line.websocket(request));
        let opened = opened.map_err(|error| format!("the last messages: {error}"))?;
        sockets.push((room, opened.map_err(|answer| answer.show())?));
    }
    let deadline = Instant::now() + CALM_DEADLINE;
    for round in 1.. {
        for (room, socket) in &mut sockets {
            let text = format!("{LAST}-{room}-{round}");
            world.sends(&text, "bosun", *room, &text);
            let say = json!({ "event_type": "send", "name": "bosun", "msg": text });
            socket.say(&say).map_err(|error| format!("the last messages: {error}"))?;
            while let Ok(Some(_)) = socket.hear() {}
        }
        let done = world.wait_for_all(Stage::Done, Duration::from_millis(300));
        match done {
            Err(why) if Instant::now() > deadline => return Err(why),
            Err(_) => {}
            Ok(()) => break,
        }
    }
    Ok(())
}
