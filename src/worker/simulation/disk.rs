//! The disk that the writer's loop writes to: in no hurry, full, locked by somebody, or hanging,
//! as the weather of the run has it.

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

/// What the disk is like for a while.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Weather {
    /// A commit takes up to so many milliseconds.
    Fine { millis: u64 },
    /// Nothing can be written, and it says so at once.
    Full,
    /// Somebody else has the lock: it is waited for, and then refused.
    Locked,
    /// It does not say anything until this is over.
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
    /// Whether what is to be written now is.
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
