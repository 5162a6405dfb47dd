//! The simulated disk below the writer's loop: slow, full, locked by another program, or hanging,
//! depending on the weather.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::chat::Command;
use crate::chat::simulation::dice::Dice;
use crate::chat::simulation::disk::Disk as Log;
use crate::limits::{BUSY_TIMEOUT_MS, WRITE_PROBE_MS};
use crate::store::{Job, MaintenanceTask, Medium};

/// The disk's state for a while.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Weather {
    /// A commit takes up to this many milliseconds.
    Fine { millis: u64 },
    /// Every write fails at once.
    Full,
    /// Another program has the lock: a write waits for it, and then fails.
    Locked,
    /// A write does not return until the weather changes.
    Hangs,
}

pub struct SimulatedDisk {
    pub log: Rc<RefCell<Log>>,
    pub weather: watch::Receiver<Weather>,
    pub dice: Dice,
    pub start: Instant,
    pub failing: bool,
}

impl SimulatedDisk {
    /// Waits as long as the disk takes. `true`: the write succeeds.
    async fn takes(&mut self) -> bool {
        let locked = Duration::from_millis(BUSY_TIMEOUT_MS);
        loop {
            let weather = *self.weather.borrow_and_update();
            match weather {
                Weather::Fine { millis } => {
                    sleep(Duration::from_micros(self.dice.below(1 + millis * 1_000))).await;
                    return true;
                }
                Weather::Full => return false,
                Weather::Locked if timeout(locked, self.weather.changed()).await.is_err() => {
                    return false;
                }
                Weather::Hangs => self.weather.changed().await.expect("there is always weather"),
                Weather::Locked => {}
            }
        }
    }
}

impl Medium for SimulatedDisk {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    async fn pause(&mut self, pause: Duration) {
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }

    async fn write(&mut self, batch: Vec<Job>) -> Vec<Command> {
        let takes = self.takes().await;
        self.failing = !takes;
        let mut log = self.log.borrow_mut();
        let mut entries = 0;
        for write in batch {
            match write {
                Job::Entry { ticket, time, entry } => {
                    entries += 1;
                    log.propose(ticket, time, entry);
                }
                Job::Touch(used) if takes => log.touches.extend(used),
                Job::Mark { room, account, seq } if takes => {
                    let mark = log.marks.entry((room, account)).or_insert(seq);
                    *mark = (*mark).max(seq);
                }
                Job::Touch(_) | Job::Mark { .. } => {}
            }
        }
        if takes {
            log.commit(entries)
        } else {
            log.fail(entries)
        }
        std::iter::from_fn(|| log.answer()).collect()
    }

    fn is_failing(&self) -> bool {
        self.failing
    }

    async fn probe(&mut self) {
        sleep(Duration::from_millis(WRITE_PROBE_MS)).await;
        self.failing = !matches!(*self.weather.borrow(), Weather::Fine { .. });
    }

    fn chore(&self) -> MaintenanceTask {
        MaintenanceTask::Never
    }

    fn work(&mut self) {}
}
