//! The attacks, by attackers that have read the source. Each uses the network only; client
//! addresses are invented behind the trusted proxy that this machine plays.

mod connections;
mod requests;
mod talk;

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

/// The target.
#[derive(Clone)]
pub struct Target {
    pub port: u16,
    pub database: PathBuf,
    /// The duration.
    pub span: Duration,
}

impl Target {
    pub fn end(&self) -> Instant {
        Instant::now() + self.span
    }
}

type Doing = Pin<Box<dyn Future<Output = String>>>;

/// An attack.
pub struct Attack {
    pub name: &'static str,
    /// The server's flags, beyond the defaults.
    pub flags: &'static [&'static str],
    /// Fills a server without limits, before it is restarted with them.
    pub prepare: Option<fn(Target) -> Doing>,
    /// Whether the disk is blocked during the attack, so that no message can be acknowledged.
    pub stalls: bool,
    /// Attacks, and returns the result; `FAULT …` for a failure that the crowd does not notice.
    pub strike: fn(Target) -> Doing,
}

/// An attack on a server with the default settings that is empty.
const fn plain(name: &'static str, strike: fn(Target) -> Doing) -> Attack {
    Attack { name, flags: &[], prepare: None, stalls: false, strike }
}

/// All attacks.
pub const ATTACKS: &[Attack] = &[
    Attack {
        stalls: true,
        ..plain("locked-and-marked", |target| Box::pin(requests::marks_while_locked(target)))
    },
    Attack {
        name: "list-of-rooms",
        prepare: Some(|target| Box::pin(requests::make_rooms(target))),
        ..plain("", |target| Box::pin(requests::list_rooms(target)))
    },
    Attack {
        name: "slow-readers",
        prepare: Some(|target| Box::pin(requests::make_rooms(target))),
        ..plain("", |target| Box::pin(connections::slow_readers(target)))
    },
    plain("direct-rooms", |target| Box::pin(requests::direct_rooms(target))),
    plain("fill-the-disk", |target| Box::pin(talk::fill_the_disk(target))),
    plain("reactions", |target| Box::pin(talk::reactions(target))),
    plain("join-and-leave", |target| Box::pin(talk::join_and_leave(target))),
    plain("typing", |target| Box::pin(talk::typing(target))),
    plain("searches", |target| Box::pin(talk::searches(target))),
    plain("passwords", |target| Box::pin(requests::passwords(target))),
    plain("guessing", |target| Box::pin(requests::guessing(target))),
    Attack {
        name: "slots",
        flags: &["--connections", "1000"],
        ..plain("", |target| Box::pin(connections::slots(target)))
    },
    plain("slow-heads", |target| Box::pin(connections::slow_heads(target))),
    plain("never-ending", |target| Box::pin(connections::never_ending(target))),
    plain("pings", |target| Box::pin(connections::pings(target))),
    plain("garbage", |target| Box::pin(connections::garbage(target))),
];

/// The number of responses of each status.
#[derive(Default)]
pub struct Statuses(std::collections::BTreeMap<String, usize>);

impl Statuses {
    pub fn count(&mut self, outcome: impl ToString) {
        self.add(outcome, 1);
    }

    pub fn add(&mut self, outcome: impl ToString, count: usize) {
        *self.0.entry(outcome.to_string()).or_default() += count;
    }

    pub fn of(&self, outcome: impl ToString) -> usize {
        self.0.get(&outcome.to_string()).copied().unwrap_or(0)
    }

    pub fn show(&self) -> String {
        let each: Vec<String> =
            self.0.iter().map(|(outcome, count)| format!("{count} × {outcome}")).collect();
        each.join(", ")
    }
}
