//! Reading the log: the real queue before a few readers that are slow, late, fail, or hang with
//! their disk; and the invariants of what they find.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use crate::chat::simulation::dice::Dice;
use crate::chat::simulation::disk::Disk as Log;
use crate::chat::{Answer, Author, Entry, LOBBY, Name, RoomId, Seq, call};
use crate::codec::Disconnect;
use crate::limits::{READ_DEADLINE_MS, READ_WAIT_MS};
use crate::protocol;
use crate::store::{self, Bench, Gate, Message, ReadError};
use crate::time::Time;
use crate::worker::delivery::Listener;
use crate::worker::simulation::World;
use crate::worker::simulation::disk::Weather;
use crate::worker::simulation::people::Person;
use crate::worker::simulation::wire::{Plain, SimulatedSocket};

const PATIENCE: Duration = Duration::from_millis(READ_WAIT_MS);
pub const DEADLINE: Duration = Duration::from_millis(READ_DEADLINE_MS);
/// The most by which a timer is late.
const TICK: Duration = Duration::from_millis(2);

/// One reader.
pub struct SimulatedDesk {
    pub log: Rc<RefCell<Log>>,
    pub weather: watch::Receiver<Weather>,
    pub dice: RefCell<Dice>,
    /// The longest read.
    pub millis: u64,
    /// Whether it runs a job; it runs one at a time.
    pub busy: Rc<Cell<bool>>,
}

/// The log as a job reads it, at one moment.
pub struct LogReader(pub Rc<RefCell<Log>>);

/// Messages of one room, and whether more follow.
type Page = (Vec<(Seq, Box<str>)>, bool);

impl LogReader {
    /// The last entry.
    pub fn head(&self) -> Seq {
        Seq(self.0.borrow().log.len() as u64)
    }

    fn page(&self, room: RoomId, after: Seq, limit: usize) -> Page {
        let log = self.0.borrow();
        let said = (1..).zip(&log.log).filter_map(|(seq, (_, entry))| match entry {
            Entry::Said { room: there, text, .. } if *there == room => {
                Some((Seq(seq), text.clone()))
            }
            _ => None,
        });
        let mut messages: Vec<_> = said.filter(|(seq, _)| *seq > after).take(limit + 1).collect();
        let more = messages.len() > limit;
        messages.truncate(limit);
        (messages, more)
    }
}

impl Bench for SimulatedDesk {
    type Reader = LogReader;

    fn hand<T: Send + 'static>(
        &self,
        deadline: Duration,
        job: impl FnOnce(&LogReader) -> rusqlite::Result<T> + Send + 'static,
        done: impl FnOnce(Result<T, ReadError>) + Send + 'static,
    ) {
        let (log, weather) = (LogReader(self.log.clone()), self.weather.clone());
        let mut dice = self.dice.borrow_mut();
        let takes = Duration::from_micros(dice.below(1 + 1_000 * self.millis));
        let (fails, panics) = (dice.one_in(30), dice.one_in(60));
        let busy = self.busy.clone();
        assert!(!busy.replace(true), "two jobs for one reader");
        spawn_local(async move {
            let start = Instant::now();
            // A hanging disk blocks its reader, which checks the deadline only between two steps.
            // (Polled, because the order in which a watch channel wakes its receivers is not
            // repeatable.)
            while *weather.borrow() == Weather::Hangs {
                sleep(Duration::from_millis(10)).await;
            }
            let rest = deadline.saturating_sub(start.elapsed());
            sleep(takes.min(rest)).await;
            busy.set(false);
            if panics {
                return; // Drops the job, and with it the way back to its caller.
            }
            done(match takes > rest {
                true => Err(ReadError::Late),
                false if fails => Err(ReadError::Failed),
                false => job(&log).map_err(|_| ReadError::Failed),
            });
        });
    }
}

/// A message as the real reader returns it.
pub fn message(room: RoomId, seq: Seq, text: Box<str>) -> Message {
    let author = Author { account: None, name: Name::new("somebody").expect("a name") };
    Message {
        seq,
        room,
        author,
        color: None,
        text: Some(text),
        time: Time(0),
        client_id: None,
        reply_to: None,
        edited: None,
        calls: Vec::new(),
        reactions: Vec::new(),
    }
}

/// A queue before this many readers.
pub fn gate(count: usize, desk: impl FnMut(usize) -> SimulatedDesk) -> Gate<SimulatedDesk> {
    Gate::new((0..count).map(desk))
}

async fn one_page(world: Rc<World>) {
    let page = world.pages.read(PATIENCE, DEADLINE, |reader| Ok(reader.page(LOBBY, Seq(0), 50)));
    let page = page.await;
    world.note(&format!("one of many reads: {:?}", page.map(|(messages, _)| messages.len())));
}

impl Person {
    /// Reads a room's history from a random entry on, page by page, up to the core's last entry. No
    /// message is missing, repeated or out of order, however often a page was refused and retried;
    /// messages that were acknowledged before are there.
    pub async fn reads(&mut self) {
        let room = self.room();
        if self.dice.one_in(2) {
            let _ = self.send(room).await; // It may be refused.
        }
        let Ok(Answer::Heard(heard)) = self.ask(call::Heard).await else { return };
        // Sometimes a crowd reads at once, so that the queue is long.
        let crowd = if self.dice.one_in(6) { self.dice.below(12) } else { 0 };
        let crowd: Vec<_> = (0..crowd).map(|_| spawn_local(one_page(self.world.clone()))).collect();
        self.reads_on(room, heard).await;
        for read in crowd {
            read.await.expect("no panic");
        }
    }

    async fn reads_on(&mut self, room: RoomId, heard: Seq) {
        let first = Seq(self.dice.below(heard.0 + 1));
        let limit = 1 + usize::try_from(self.dice.below(60)).expect("small");
        let (mut found, mut from, mut refused) = (Vec::new(), first, 0);
        loop {
            let hangs_up = self.dice.one_in(8);
            let page = self.page(room, from, limit);
            let page = match hangs_up {
                // A caller that hangs up and retries must find all readers available.
                true => {
                    timeout(Duration::from_millis(40), page).await.unwrap_or(Err(ReadError::Busy))
                }
                false => page.await,
            };
            match page {
                Ok((messages, more)) => {
                    from = messages.last().map_or(from, |(seq, _)| *seq);
                    found.extend(messages);
                    if !more {
                        break;
                    }
                }
                Err(_) if refused == 6 || !self.world.is_busy() => return,
                Err(_) => refused += 1,
            }
            self.pause().await;
        }
        found.retain(|(seq, _)| *seq <= heard);
        let log = LogReader(self.world.log.clone());
        let (mut wanted, _) = log.page(room, first, usize::MAX - 1);
        wanted.retain(|(seq, _)| *seq <= heard);
        assert_eq!(found, wanted, "room {room:?} from {first:?} to {heard:?}");
    }

    /// Reads one page. A refused read has waited exactly as long as it must.
    async fn page(&mut self, room: RoomId, from: Seq, limit: usize) -> Result<Page, ReadError> {
        let (number, start) = (self.world.fresh(), Instant::now());
        let job = move |reader: &LogReader| Ok(reader.page(room, from, limit));
        let page = self.world.pages.read(PATIENCE, DEADLINE, job).await;
        let took = start.elapsed();
        let why = page.as_ref().map(|(messages, _)| messages.len());
        self.world.note(&format!("{number} reads {room:?} after {from:?}: {why:?}"));
        match page {
            Err(ReadError::Busy) => {
                assert!((PATIENCE..=PATIENCE + TICK).contains(&took), "{took:?}")
            }
            Err(ReadError::Late) => assert!(took + TICK >= DEADLINE, "{took:?}"),
            _ => {}
        }
        page
    }

    /// Reads back a page of missed messages for a subscription; closes the connection if that
    /// fails.
    pub async fn catches_up(
        &mut self,
        socket: &SimulatedSocket,
        room: RoomId,
        from: Seq,
        own: &[Seq],
    ) {
        let Ok(Answer::Heard(heard)) = self.ask(call::Heard).await else {
            return socket.close(Disconnect::TryLater);
        };
        let limit = 1 + usize::try_from(self.dice.below(20)).expect("small");
        let job = move |reader: &LogReader| Ok(reader.page(room, from, limit));
        let page = self.world.streams.read_in_turn(DEADLINE, job).await;
        self.world.note(&format!("caught up after {from:?}: {:?}", page.is_ok()));
        let Ok((messages, more_after)) = page else { return socket.close(Disconnect::TryLater) };
        let messages = messages.into_iter().map(|(seq, text)| message(room, seq, text)).collect();
        let page = store::MessagePage { messages, more_before: false, more_after };
        let missed = protocol::of_page(&Plain, "epoch", (from, heard), own, page);
        socket.make_up(&missed.bytes, missed.upto, missed.head);
    }

    /// The disk works again: a read succeeds soon, as no reader was lost.
    pub async fn reads_at_last(&mut self) {
        for _ in 0..100 {
            if self.page(LOBBY, Seq(0), 200).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("the disk works, but nobody can read");
    }
}
