//! A soak: people come and go through every door for `SOAK_MINUTES`, and nothing may grow that
//! should not. Every minute it prints memory, descriptors, disk and the time of acknowledgements.
//!
//! `make soak` runs it. It fails if anything unexpected was answered, if memory still grows in the
//! last quarter, or if descriptors are left at the end. The disk grows by what lasts: entries of
//! the log; messages beyond the retention are removed.

#[path = "../abuse/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../torture/dice.rs"]
#[allow(dead_code)]
mod dice;
#[path = "../kit/frames.rs"]
mod frames;
mod lives;
#[path = "../abuse/server.rs"]
mod server;
mod world;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::server::{Server, Taken};
use crate::world::{Noticed, World};

/// Lives at once.
const PEOPLE: usize = 80;
/// Accounts that log in and out.
const ACCOUNTS: usize = 60;
/// Each room keeps this many messages, so that the disk does not only grow; and who vanishes is
/// forgotten after a minute.
const FLAGS: [&str; 6] = ["--limits", "on", "--retain-messages", "5000", "--session-ttl", "60"];
/// Memory may grow by this much from the second quarter to the last.
const GROWTH_KIB: u64 = 4 * 1024;
/// The time in which the last lives end.
const LAST: Duration = Duration::from_secs(30);
/// Descriptors that may be open at the end beyond those at the start: readers of the database.
const DESCRIPTORS: usize = 8;

fn main() -> ExitCode {
    let minutes = std::env::var("SOAK_MINUTES").ok().and_then(|text| text.parse().ok());
    let span = Duration::from_secs_f64(60.0 * minutes.unwrap_or(60.0));
    let mut server = Server::new("soak");
    server.start(&FLAGS);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut faults = LocalSet::new().block_on(&runtime, soak(&server, span));
    faults.extend(server.ended());
    server.stop();
    for fault in faults.iter().take(20) {
        println!("FAULT {fault}");
    }
    println!("{}", if faults.is_empty() { "all held" } else { "it did not hold" });
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns what did not hold.
async fn soak(server: &Server, span: Duration) -> Vec<String> {
    let start = Instant::now();
    let mut keys = Vec::new();
    for number in 0..ACCOUNTS {
        match client::account(server.port, &format!("member{number}"), number).await {
            Ok((key, _)) => keys.push(key),
            Err(error) => return vec![format!("no accounts: {error}")],
        }
    }
    let before = server.taken();
    let world = Rc::new(World::new(server.port, keys, dice::Dice::new(7, 0)));
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| {
            let world = world.clone();
            tokio::task::spawn_local(async move {
                // Spread over the first seconds.
                sleep(Duration::from_millis(40 * number as u64)).await;
                while !world.is_over() {
                    world.lived(lives::live(&world).await);
                    sleep(world.pause()).await;
                }
            })
        })
        .collect();
    println!(
        "minute  memory MiB  descriptors  disk MiB   acks  p50 / p99 / most ms  lives  refused"
    );
    let (mut memory, mut faults) = (Vec::new(), Vec::new());
    let mut row = Instant::now();
    let mut noticed = Noticed::default();
    while start.elapsed() < span {
        sleep(Duration::from_secs(5)).await;
        let taken = server.taken();
        memory.push(taken.memory_kib);
        if row.elapsed() >= Duration::from_secs(60) || start.elapsed() >= span {
            row = Instant::now();
            noticed = world.noticed();
            print(start.elapsed(), taken, &noticed);
            faults.append(&mut noticed.faults);
        }
    }
    world.end();
    for person in people {
        if tokio::time::timeout(LAST, person).await.is_err() {
            faults.push("a life does not end".to_owned());
        }
    }
    faults.extend(world.noticed().faults);
    sleep(LAST).await;
    let after = server.taken();
    print(start.elapsed(), after, &Noticed { acks: Vec::new(), ..noticed });
    if after.descriptors > before.descriptors + DESCRIPTORS {
        let (from, to) = (before.descriptors, after.descriptors);
        faults.push(format!("descriptors are left: {from} at the start, {to} at the end"));
    }
    let quarter = memory.len() / 4;
    let of = |part: &[u64]| {
        let mut sorted = part.to_vec();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or(0)
    };
    let (second, last) = (of(&memory[quarter..2 * quarter]), of(&memory[3 * quarter..]));
    println!("memory: {second} KiB in the second quarter, {last} KiB in the last");
    if last > second + GROWTH_KIB {
        faults.push(format!("memory grows: from {second} KiB to {last} KiB"));
    }
    faults
}

fn print(at: Duration, taken: Taken, noticed: &Noticed) {
    let mut acks = noticed.acks.clone();
    acks.sort_unstable();
    let of = |percent: usize| {
        let index = (acks.len() * percent / 100).min(acks.len().saturating_sub(1));
        acks.get(index).map_or(0.0, Duration::as_secs_f64) * 1_000.0
    };
    let latency = format!("{:.1} / {:.1} / {:.1}", of(50), of(99), of(100));
    println!(
        "{:>6.1}  {:>10.1}  {:>11}  {:>8.1}  {:>5}  {latency:>19}  {:>5}  {:>7}",
        at.as_secs_f64() / 60.0,
        taken.memory_kib as f64 / 1_024.0,
        taken.descriptors,
        taken.disk_kib as f64 / 1_024.0,
        acks.len(),
        noticed.lives,
        noticed.refused,
    );
}
