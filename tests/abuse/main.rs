//! Attacks on the real program, each beside 200 well-behaved clients. The result is what those
//! notice: that none is disconnected, that every acknowledged message arrives once and in order,
//! and the latency before, during and after; and the server's memory, descriptors and disk.
//!
//! `make abuse` runs all of it for as long as the README's figures need, and judges latency and
//! memory, too. In the ordinary tests it is short, and judges what does not depend on the machine.
//! `ATTACK=` names one attack; `SHANTY=` another program to attack.

mod attacks;
mod client;
mod crowd;
mod server;

use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::attacks::{ATTACKS, Attack, Target};
use crate::crowd::{Crowd, Seen};
use crate::server::{Server, Taken};

/// The memory that may remain after an attack: 8 MiB.
const MEMORY_KEPT_KIB: u64 = 8 * 1024;
/// The memory bound during an attack: all of the server's budgets together, and the crowd.
const MEMORY_MOST_KIB: u64 = 160 * 1024;
/// The growth of the files during an attack: 32 MiB.
const DISK_MOST_KIB: u64 = 32 * 1024;
/// How much longer a message may take during an attack than before it, for 99 of 100.
const LATENCY_FACTOR: f64 = 2.0;

/// The time for preparing a server for an attack.
const OPEN: &[&str] = &["--limits", "off"];

/// The durations of the phases.
struct Phases {
    around: Duration,
    attack: Duration,
    /// By then the memory must be returned.
    rest: Duration,
    /// Whether latency and memory are judged.
    judges: bool,
}

#[test]
fn nobody_is_lost() {
    let long = std::env::var_os("LONG").is_some();
    let secs = Duration::from_secs;
    let phases = if long {
        Phases { around: secs(12), attack: secs(12), rest: secs(60), judges: true }
    } else {
        Phases { around: secs(2), attack: secs(4), rest: secs(0), judges: false }
    };
    let chosen = std::env::var("ATTACK").ok();
    println!("{:<22} {:>26} {:>26} {:>26}", "attack", "before", "during", "after");
    println!("{:<22} {:>26} {:>26} {:>26}", "", "p50 / p99 / most, ms", "", "");
    let mut faults = Vec::new();
    for attack in ATTACKS {
        if chosen.as_ref().is_none_or(|chosen| chosen == attack.name) {
            let found = run(attack, &phases);
            faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", attack.name)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    println!("all held");
}

/// One attack on a fresh server. Returns the broken promises.
fn run(attack: &Attack, phases: &Phases) -> Vec<String> {
    let mut server = Server::new(attack.name);
    if let Some(prepare) = attack.prepare {
        // (Another program may not have this flag, and need none.)
        server.start(if std::env::var_os("SHANTY").is_some() { &[] } else { OPEN });
        let target = target(&server, phases);
        alone(move || Box::pin(prepare(target)));
        server.stop();
    }
    server.start(attack.flags);
    let target = target(&server, phases);
    let start = Instant::now();
    let strike = attack.strike;
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut most = Taken::default();
    let mut told = String::new();
    let (before, seen) = LocalSet::new().block_on(&runtime, async {
        let crowd = match Crowd::gather(server.port, start).await {
            Ok(crowd) => crowd,
            Err(error) => panic!("{}: {error}\n{}", attack.name, server.log()),
        };
        watch(&server, phases.around, &mut Taken::default()).await;
        let before = server.taken();
        crowd.next_phase();
        let attacker = thread::spawn(move || alone(move || Box::pin(strike(target))));
        while !attacker.is_finished() {
            watch(&server, Duration::from_millis(50), &mut most).await;
        }
        told = attacker.join().expect("the attacker");
        crowd.next_phase();
        watch(&server, phases.around, &mut most).await;
        (before, crowd.end().await)
    });
    thread::sleep(phases.rest);
    let after = server.taken();
    report(attack, &seen, [before, most, after], &told);
    let mut faults = seen.faults.iter().take(5).cloned().collect::<Vec<_>>();
    faults.extend(server.ended());
    if let Some(fault) = told.strip_prefix("FAULT ") {
        faults.push(fault.to_owned());
    }
    let grown_kib = most.disk_kib.saturating_sub(before.disk_kib);
    if grown_kib > DISK_MOST_KIB {
        faults.push(format!("the files grew by {grown_kib} KiB"));
    }
    if phases.judges {
        faults.extend(judge(attack, &seen, [before, most, after]));
    }
    faults
}

fn target(server: &Server, phases: &Phases) -> Target {
    Target { port: server.port, database: server.database(), span: phases.attack }
}

/// Runs something on a thread's own runtime.
fn alone(make: impl FnOnce() -> std::pin::Pin<Box<dyn Future<Output = String>>>) -> String {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, make())
}

async fn watch(server: &Server, span: Duration, most: &mut Taken) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        let now = server.taken();
        most.memory_kib = most.memory_kib.max(now.memory_kib);
        most.descriptors = most.descriptors.max(now.descriptors);
        most.disk_kib = most.disk_kib.max(now.disk_kib);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The value below which that percentage of the samples is.
fn percentile(samples: &[Duration], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, Duration::as_secs_f64) * 1_000.0
}

fn report(attack: &Attack, seen: &Seen, taken: [Taken; 3], told: &str) {
    let show = |samples: &Vec<Duration>| {
        let of = |percent| percentile(samples, percent);
        format!("{:.1} / {:.1} / {:.1}", of(50), of(99), of(100))
    };
    let row = |name: &str, phases: &[Vec<Duration>]| {
        let cells: Vec<String> = phases.iter().map(show).collect();
        println!("{name:<22} {:>26} {:>26} {:>26}", cells[0], cells[1], cells[2]);
    };
    row(attack.name, &seen.acks);
    row("  heard by others", &seen.heard);
    let [before, most, after] = taken;
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!(
        "  memory {:.1} -> {:.1} -> {:.1} MiB; descriptors {} -> {} -> {}; disk {:.1} -> {:.1} MiB",
        mib(before.memory_kib),
        mib(most.memory_kib),
        mib(after.memory_kib),
        before.descriptors,
        most.descriptors,
        after.descriptors,
        mib(before.disk_kib),
        mib(after.disk_kib),
    );
    println!("  {told}");
    for fault in seen.faults.iter().take(5) {
        println!("  FAULT {fault}");
    }
}

/// The results that depend on the machine: latency, and remaining memory.
fn judge(attack: &Attack, seen: &Seen, [before, most, after]: [Taken; 3]) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, phases) in [("acknowledged", &seen.acks), ("heard", &seen.heard)] {
        let (calm, busy) = (percentile(&phases[0], 99), percentile(&phases[1], 99));
        // Below ten milliseconds the machine's own noise is larger than what is measured.
        if !attack.stalls && busy > LATENCY_FACTOR * calm.max(10.0) {
            faults.push(format!("{name}: p99 {busy:.1} ms during the attack, {calm:.1} before"));
        }
    }
    if after.memory_kib > before.memory_kib + MEMORY_KEPT_KIB {
        faults.push(format!("{} KiB of memory stay", after.memory_kib - before.memory_kib));
    }
    if most.memory_kib > MEMORY_MOST_KIB {
        faults.push(format!("{} KiB of memory were taken", most.memory_kib));
    }
    faults
}
