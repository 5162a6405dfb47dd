//! The queue of searches under one seed, in simulated time: people type in several tabs and hang
//! up; the reader is slow, hangs, or panics.
//!
//! Always true: every search is answered exactly once, within the promised time; only a newer
//! search of the same person supersedes one, and takes its place; only a reader that panics leaves
//! a search without an answer; the queue holds at most one search of a person, and serves the
//! searches in the order in which they joined; and nobody waits for more others than there are
//! people.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::{Line, Search, in_time};
use crate::chat::Folded;
use crate::chat::simulation::dice::Dice;
use crate::limits::{READ_DEADLINE_MS, READ_WAIT_MS};
use crate::store::{Found, Query, ReadError};

const SEEDS: u64 = 200;
/// Searches of one tab.
const SEARCHES: u64 = 30;
const PATIENCE: Duration = Duration::from_millis(READ_WAIT_MS);
/// The most by which a timer is late.
const TICK: Duration = Duration::from_millis(2);

struct World {
    people: u64,
    /// The longest that a search takes.
    millis: u64,
    /// Arrived, and not yet in the queue.
    arrived: RefCell<Vec<Search>>,
    nudged: Notify,
    /// The newest search of each person that has arrived.
    newest: RefCell<HashMap<u64, u64>>,
    count: Cell<u64>,
    /// The searches in which the reader has panicked.
    panicked: RefCell<HashSet<u64>>,
    /// How many were answered in each way, to see that all of them happen.
    outcomes: RefCell<HashMap<&'static str, u64>>,
}

#[test]
fn every_search_is_answered_once() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let all = seeds.end - seeds.start >= SEEDS;
    let mut outcomes = HashMap::new();
    for seed in seeds {
        println!("seed {seed}; again: SEED={seed} cargo test --lib searches::simulation");
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        for (way, count) in LocalSet::new().block_on(&runtime, simulate(Dice::new(seed))) {
            *outcomes.entry(way).or_insert(0) += count;
        }
    }
    for way in ["found", "busy", "superseded", "failed"] {
        assert!(!all || outcomes.contains_key(way), "never {way}: {outcomes:?}");
    }
}

async fn simulate(mut dice: Dice) -> HashMap<&'static str, u64> {
    let world = Rc::new(World {
        people: 1 + dice.below(12),
        millis: [5, 300, READ_DEADLINE_MS][usize::try_from(dice.below(3)).expect("small")],
        arrived: RefCell::default(),
        nudged: Notify::new(),
        newest: RefCell::default(),
        count: Cell::new(0),
        panicked: RefCell::default(),
        outcomes: RefCell::default(),
    });
    let mut tabs = JoinSet::new();
    for person in 0..world.people {
        for _ in 0..1 + dice.below(3) {
            tabs.spawn_local(tab(world.clone(), person, Dice::new(dice.below(u64::MAX))));
        }
    }
    let reader = spawn_local(serve(world.clone(), Dice::new(dice.below(u64::MAX))));
    while let Some(tab) = tabs.join_next().await {
        tab.expect("a tab without fault");
    }
    assert!(!reader.is_finished(), "the reader has failed");
    reader.abort();
    world.outcomes.take()
}

/// Searches again and again, and hangs up sometimes.
async fn tab(world: Rc<World>, person: u64, mut dice: Dice) {
    for _ in 0..SEARCHES {
        let longest = 1 << dice.below(12);
        sleep(Duration::from_millis(dice.below(longest))).await;
        let number = world.count.get() + 1;
        world.count.set(number);
        world.newest.borrow_mut().insert(person, number);
        let (answer, answered) = oneshot::channel();
        let deadline = Duration::from_millis(READ_DEADLINE_MS);
        let search = Search { person: folded(person), query: query(number), deadline, answer };
        world.arrived.borrow_mut().push(search);
        world.nudged.notify_one();
        let start = Instant::now();
        if dice.one_in(8) {
            drop(answered);
            continue;
        }
        let found = in_time(PATIENCE, answered).await;
        let took = start.elapsed();
        assert!(took <= PATIENCE + TICK, "{number} was answered after {took:?}");
        let way = match found {
            Ok(Found { before, .. }) => {
                assert_eq!(before.map(|seq| seq.0), Some(number), "the answer to another search");
                "found"
            }
            Err(ReadError::Superseded) => {
                let newest = world.newest.borrow()[&person];
                assert!(newest > number, "{number} makes way for nothing");
                "superseded"
            }
            Err(ReadError::Busy) => {
                assert!(took >= PATIENCE, "{number} was given up after {took:?}");
                // A search of each of the others, the one that runs, and the own one.
                let most = Duration::from_millis((world.people + 1) * world.millis);
                assert!(most >= PATIENCE, "{number} starves");
                "busy"
            }
            Err(ReadError::Failed) => {
                assert!(world.panicked.borrow().contains(&number), "{number} has no answer");
                "failed"
            }
            Err(ReadError::Late) => panic!("no reader here says so"),
        };
        *world.outcomes.borrow_mut().entry(way).or_insert(0) += 1;
    }
}

/// The reader, in the order of its thread: arrived searches are queued first.
async fn serve(world: Rc<World>, mut dice: Dice) {
    let mut line = Line::default();
    // The people whose searches wait, in the order in which they joined.
    let mut queue: Vec<Folded> = Vec::new();
    loop {
        for search in world.arrived.take() {
            let gone = |one: &Search| one.answer.is_closed();
            queue.retain(|one| !line.0.iter().any(|it| it.person == *one && gone(it)));
            if !queue.contains(&search.person) {
                queue.push(search.person.clone());
            }
            line.join(search);
            bounded(&world, &line);
            assert!(line.0.iter().map(|one| &one.person).eq(&queue), "somebody was overtaken");
        }
        if line.is_empty() {
            world.nudged.notified().await;
            continue;
        }
        queue.remove(0);
        let Some(Search { query, answer, .. }) = line.pop() else { continue };
        sleep(Duration::from_micros(dice.below(1 + 1_000 * world.millis))).await;
        if dice.one_in(40) {
            let number = query.before.expect("its number").0;
            world.panicked.borrow_mut().insert(number);
            continue; // A panic: the search is dropped, with the way back to its caller.
        }
        let _ = answer.send(Ok(Found { messages: Vec::new(), before: query.before }));
    }
}

/// One search of a person waits at most, so never more than there are people.
fn bounded(world: &World, line: &Line) {
    let people: HashSet<_> = line.0.iter().map(|search| search.person.as_str()).collect();
    assert_eq!(people.len(), line.0.len(), "two searches of one person wait");
    assert!(line.0.len() as u64 <= world.people, "the line is over its bound");
}

fn folded(person: u64) -> Folded {
    Folded::new(&format!("p{person}"))
}

/// A query that carries its number.
fn query(number: u64) -> Query {
    let before = Some(crate::chat::Seq(number));
    Query { words: String::new(), rooms: Vec::new(), author: None, before, limit: 1 }
}
