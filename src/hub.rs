//! The actor that owns the core. One task, one inbox: it takes what has arrived, lets the core
//! decide, and hands what comes of it to the store, to the workers and to whoever asked.
//!
//! It awaits only its inbox, and nothing that it sends waits: so no client can hold it up, and no
//! cycle of waiting can form. It knows no protocol and no socket. Callers: the protocols (asks),
//! connections (seats and tells), the server (start and close).
//!
//! A *round* is everything that had arrived when the hub came to look. What comes of a round goes
//! to each worker in one piece, so that a worker writes once to each connection, however much was
//! said.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::chat::{
    Answer, Ask, AskId, Caller, Chat, Command, Door, Effect, Folded, Numbered, Refusal, RoomId,
    SeatId, Seq, Settings, Snapshot, Source, Tell, What,
};
use crate::clock::Clock;
use crate::dialect::{Closing, Copy, DOORS_MAX, Dialects, Encoder};
use crate::limits::{
    CONNECTIONS_MAX, INBOX_MAX, PROPOSED_MAX, ROUND_COMMANDS_MAX, ROUND_ITEMS_MAX, ROUNDS_MAX,
    TICK_MS,
};
use crate::log;
use crate::store::Write;
use crate::time::{Moment, Time};

/// Whoever waits for an answer.
type Asker = oneshot::Sender<Result<Answer, Refusal>>;

/// What stands in the hub's inbox.
enum Message {
    Ask { source: Source, caller: Caller, what: Ask, answer: Asker },
    Tell { seat: SeatId, tell: Tell },
    Leave { seat: SeatId },
    FromLog(Vec<Command>),
    Close,
}

/// The way to the hub. While one exists, the hub runs.
#[derive(Clone)]
pub struct HubHandle {
    inbox: mpsc::Sender<Message>,
    /// From where those come who ask through this handle.
    source: Source,
}

/// The way back from the log. It does not keep the hub running.
pub struct LogHandle {
    inbox: mpsc::WeakSender<Message>,
}

/// The right of one connection to hear and speak. Dropping it leaves the room: the slot for saying
/// so in the hub's inbox is paid for in advance, so nothing can keep it from arriving.
pub struct Seat {
    id: SeatId,
    hub: HubHandle,
    leave: Option<mpsc::OwnedPermit<Message>>,
}

/// What a worker has to do, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// From here on the seat hears the room.
    Seat {
        /// Which seat.
        seat: SeatId,
        /// Through which protocol.
        door: Door,
        /// Which room.
        room: RoomId,
    },
    /// From here on the seat hears nothing.
    Unseat {
        /// Which seat.
        seat: SeatId,
        /// Which room.
        room: RoomId,
        /// How its connection is to be closed; `None`: it is gone already.
        closing: Option<Closing>,
    },
    /// To everybody who hears the room.
    Announce {
        /// Which room.
        room: RoomId,
        /// The number of the entry, where it is one.
        seq: Option<Seq>,
        /// The seat through which it came.
        by: Option<SeatId>,
        /// Who it says is here from now on, or is not.
        moved: Option<(Folded, bool)>,
        /// One for each door that has a word for it.
        copies: Vec<Copy>,
    },
    /// To one stream.
    Whisper {
        /// Its seat in the room.
        seat: SeatId,
        /// The number of the entry, where it is one.
        seq: Option<Seq>,
        /// What it is told.
        frame: Bytes,
    },
    /// A stream's connection is to be closed.
    Dismiss {
        /// Its own seat.
        seat: SeatId,
        /// How.
        closing: Closing,
    },
    /// To one seat, whose oldest unanswered tell is answered by it.
    Reply {
        /// Which seat.
        seat: SeatId,
        /// The answer; empty where the protocol is silent.
        frame: Bytes,
    },
    /// All entries up to here have been announced, whether or not somebody here was to hear them.
    Head(Seq),
    /// This worker did not come for so long that what it should have done was thrown away: every
    /// seat that it has missed something.
    Overrun,
}

/// One worker's end of the line from the hub.
pub type Rounds = mpsc::Receiver<Vec<Item>>;

/// The hub, before it runs.
pub struct Hub {
    chat: Chat,
    clock: Clock,
    inbox: mpsc::Receiver<Message>,
    store: mpsc::Sender<Vec<Write>>,
    workers: Vec<WorkerLine>,
    encoder: Encoder,
    asks: HashMap<AskId, Asker>,
    last_ask: u64,
    /// For each room and worker, how many seats there are behind each door.
    audiences: Numbered<RoomId, Vec<[u32; DOORS_MAX]>>,
    writes: Vec<Write>,
    effects: Vec<Effect>,
    /// What the workers were told last with [`Item::Head`].
    head: Seq,
}

/// The hub's end of the line to one worker.
struct WorkerLine {
    rounds: mpsc::Sender<Vec<Item>>,
    items: Vec<Item>,
}

/// The id of the seat of a worker's `count`th connection: no two workers ever make the same. The
/// last 16 bits are left to the core, for the seats that a stream has in rooms.
pub fn seat_id(worker: usize, count: u64) -> SeatId {
    SeatId((worker as u64) << 48 | count << 16)
}

/// The seat of the connection that a seat belongs to.
pub fn base_of(seat: SeatId) -> SeatId {
    SeatId(seat.0 & !0xffff)
}

fn worker_of(seat: SeatId) -> usize {
    (seat.0 >> 48) as usize
}

impl HubHandle {
    /// The same way, for those who come from there.
    pub fn from_source(&self, source: Source) -> HubHandle {
        HubHandle { source, ..self.clone() }
    }

    /// Asks, and waits for the answer; for changes that is when they are on disk.
    ///
    /// # Errors
    /// The core's refusal; [`Refusal::Unavailable`] when the hub is gone.
    pub async fn ask(&self, caller: Caller, what: Ask) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        let message = Message::Ask { source: self.source, caller, what, answer };
        self.inbox.send(message).await.map_err(|_| Refusal::Unavailable)?;
        answered.await.map_err(|_| Refusal::Unavailable)?
    }

    /// Takes a seat: `what` is an [`Ask::Sit`] or [`Ask::Follow`] for that seat.
    ///
    /// # Errors
    /// The core's refusal; [`Refusal::Unavailable`] when the hub is gone.
    pub async fn sit(
        &self,
        seat: SeatId,
        caller: Caller,
        what: Ask,
    ) -> Result<(Seat, Answer), Refusal> {
        let leave = self.inbox.clone().reserve_owned().await.map_err(|_| Refusal::Unavailable)?;
        // From here on the leave is sure, also when this future is dropped before the answer.
        let seat = Seat { id: seat, hub: self.clone(), leave: Some(leave) };
        let answer = self.ask(caller, what).await?;
        Ok((seat, answer))
    }

    /// Begins the end: everybody is unseated, and nothing new begins.
    pub async fn close(&self) {
        let _ = self.inbox.send(Message::Close).await; // A hub that is gone is closed.
    }

    /// The way back from the log.
    pub fn log_handle(&self) -> LogHandle {
        LogHandle { inbox: self.inbox.downgrade() }
    }
}

impl LogHandle {
    /// Hands over what the log has answered. Blocks while the hub's inbox is full; when the hub is
    /// gone, nobody waits for it any more.
    pub fn answer(&self, commands: Vec<Command>) {
        if let Some(inbox) = self.inbox.upgrade() {
            let _ = inbox.blocking_send(Message::FromLog(commands));
        }
    }
}

impl Seat {
    /// Says something, if the hub's inbox has room; else hands it back, for [`Seat::tell`].
    pub fn try_tell(&self, tell: Tell) -> Result<(), Tell> {
        match self.hub.inbox.try_send(Message::Tell { seat: self.id, tell }) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(Message::Tell { tell, .. })) => Err(tell),
            Err(_) => Ok(()), // The hub is gone, and this connection will be, too.
        }
    }

    /// Says something, as soon as the hub's inbox has room.
    pub async fn tell(&self, tell: Tell) {
        let _ = self.hub.inbox.send(Message::Tell { seat: self.id, tell }).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(permit) = self.leave.take() {
            permit.send(Message::Leave { seat: self.id });
        }
    }
}

impl Hub {
    /// A hub for so many workers, and the ends of the lines to them.
    pub fn new(
        settings: Settings,
        snapshot: Snapshot,
        store: mpsc::Sender<Vec<Write>>,
        dialects: Dialects,
        epoch: &str,
        workers: usize,
    ) -> (Hub, HubHandle, Vec<Rounds>) {
        // Every seat has paid for its leave in advance, on top of what all may send.
        let (sender, inbox) = mpsc::channel(INBOX_MAX + CONNECTIONS_MAX);
        let lines = (0..workers).map(|_| mpsc::channel(ROUNDS_MAX));
        let (lines, rounds): (Vec<_>, _) = lines.unzip();
        let started = Time::now();
        let hub = Hub {
            chat: Chat::new(settings, snapshot.used_before(started)),
            clock: Clock::new(started),
            inbox,
            store,
            workers: lines.into_iter().map(WorkerLine::new).collect(),
            encoder: Encoder::new(dialects, epoch),
            asks: HashMap::new(),
            last_ask: 0,
            audiences: Numbered::default(),
            writes: Vec::new(),
            effects: Vec::new(),
            head: Seq(0),
        };
        (hub, HubHandle { inbox: sender, source: Source::Own }, rounds)
    }

    /// Runs until every [`HubHandle`] and [`Seat`] is gone.
    pub async fn run(mut self) {
        let mut round = Vec::new();
        let mut tick = Instant::now() + Duration::from_millis(TICK_MS);
        loop {
            let wake_by = self.wake_by(tick);
            let arrived = self.inbox.recv_many(&mut round, ROUND_COMMANDS_MAX);
            if let Ok(0) = tokio::time::timeout_at(wake_by, arrived).await {
                return;
            }
            if tick <= Instant::now() {
                tick = Instant::now() + Duration::from_millis(TICK_MS);
                self.tick();
            }
            // Whoever is readable now gets to speak in this round: a long round is one write for
            // many messages.
            tokio::task::yield_now().await;
            while round.len() < ROUND_COMMANDS_MAX
                && let Ok(message) = self.inbox.try_recv()
            {
                round.push(message);
            }
            let now = self.clock.now();
            for message in round.drain(..) {
                self.take(now, message);
            }
            self.hand_over();
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        self.carry_out(now, Command::Tick);
        // Who follows quiet rooms only is to come back with a number that is not old.
        let head = self.chat.last();
        if std::mem::replace(&mut self.head, head) != head {
            self.workers.iter_mut().for_each(|worker| worker.items.push(Item::Head(head)));
        }
    }

    /// When to come back though nothing has arrived: at the tick, or soon, if a worker could not
    /// be handed what is for it.
    fn wake_by(&self, tick: Instant) -> Instant {
        let held_up = self.workers.iter().any(|worker| !worker.items.is_empty());
        if held_up { tick.min(Instant::now() + Duration::from_millis(1)) } else { tick }
    }

    fn take(&mut self, now: Moment, message: Message) {
        match message {
            Message::Ask { source, caller, what, answer } => {
                self.last_ask += 1;
                let ask = AskId(self.last_ask);
                self.asks.insert(ask, answer);
                self.carry_out(now, Command::Ask { ask, source, caller, what });
            }
            Message::Tell { seat, tell } => self.carry_out(now, Command::Tell { seat, tell }),
            Message::Leave { seat } => self.carry_out(now, Command::Leave { seat }),
            Message::FromLog(commands) => {
                for command in commands {
                    self.carry_out(now, command);
                }
            }
            Message::Close => self.carry_out(now, Command::Close),
        }
    }

    fn carry_out(&mut self, now: Moment, command: Command) {
        let mut effects = std::mem::take(&mut self.effects);
        self.chat.handle(now, command, &mut effects);
        for effect in effects.drain(..) {
            self.effect(effect);
        }
        self.effects = effects;
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { ask, answer } => {
                if let Some(asker) = self.asks.remove(&ask) {
                    let _ = asker.send(answer); // Who does not wait any more does not care.
                }
            }
            Effect::Propose { ticket, time, entry } => {
                self.writes.push(Write::Entry { ticket, time, entry });
            }
            Effect::Touch { used } => self.writes.push(Write::Touch(used)),
            Effect::Seat { seat, door, room } => {
                self.audience(room, seat, door, 1);
                self.item(worker_of(seat), Item::Seat { seat, door, room });
            }
            Effect::Unseat { seat, door, room, farewell } => {
                self.audience(room, seat, door, -1);
                let closing = farewell.map(Closing::from);
                self.item(worker_of(seat), Item::Unseat { seat, room, closing });
            }
            Effect::Announce { event, by } => {
                let Some(audience) = self.audiences.get(&event.room) else { return };
                let listens = |door: Door| audience.iter().any(|of| of[usize::from(door.0)] > 0);
                let copies = self.encoder.event(&event, listens);
                if copies.is_empty() {
                    return;
                }
                let (room, seq, by) = (event.room, event.what.seq(), by.map(|(seat, _)| seat));
                let moved = match event.what {
                    What::Joined => Some((event.author.name.folded(), true)),
                    What::Left => Some((event.author.name.folded(), false)),
                    _ => None,
                };
                let item = Item::Announce { room, seq, by, moved, copies };
                let listens = |of: &[u32; DOORS_MAX]| of.iter().any(|count| *count > 0);
                let mut last = None;
                for (worker, _) in audience.iter().enumerate().filter(|(_, of)| listens(of)) {
                    if let Some(worker) = last.replace(worker) {
                        self.workers[worker].items.push(item.clone());
                    }
                }
                if let Some(worker) = last {
                    self.workers[worker].items.push(item);
                }
            }
            Effect::Whisper { seat, door, event } => {
                let (seq, frame) = (event.what.seq(), self.encoder.whisper(door, &event));
                if !frame.is_empty() {
                    self.item(worker_of(seat), Item::Whisper { seat, seq, frame });
                }
            }
            Effect::Dismiss { seat, farewell } => {
                self.item(worker_of(seat), Item::Dismiss { seat, closing: farewell.into() });
            }
            Effect::Mark { room, account, seq } => {
                self.writes.push(Write::Mark { room, account, seq });
            }
            Effect::Reply { seat, door, reply, mark } => {
                let frame = self.encoder.reply(door, &reply, mark.as_ref());
                self.item(worker_of(seat), Item::Reply { seat, frame });
            }
        }
    }

    fn item(&mut self, worker: usize, item: Item) {
        self.workers[worker].items.push(item);
    }

    fn audience(&mut self, room: RoomId, seat: SeatId, door: Door, change: i32) {
        let workers = self.workers.len();
        let audience = self.audiences.entry(room).or_insert_with(|| vec![[0; DOORS_MAX]; workers]);
        let count = &mut audience[worker_of(seat)][usize::from(door.0)];
        *count = count.checked_add_signed(change).expect("the core unseats only who is seated");
        if change < 0 && audience.iter().flatten().all(|count| *count == 0) {
            self.audiences.remove(&room);
        }
    }

    /// Ends the round: what is to be written goes to the store, what is to be told to the workers.
    fn hand_over(&mut self) {
        if !self.writes.is_empty()
            && let Err(refused) = self.store.try_send(std::mem::take(&mut self.writes))
        {
            self.refuse(refused.into_inner());
        }
        for worker in &mut self.workers {
            worker.hand_over();
        }
    }

    /// The store takes nothing: who waits for these entries is told so.
    fn refuse(&mut self, writes: Vec<Write>) {
        log!(Error, "the store takes nothing more; {} writes are refused", writes.len());
        for write in writes {
            if let Write::Entry { ticket, entry, .. } = write {
                let (now, refusal) = (self.clock.now(), Refusal::Unavailable);
                self.carry_out(now, Command::Unlogged { ticket, entry, refusal });
            }
        }
    }
}

impl WorkerLine {
    fn new(rounds: mpsc::Sender<Vec<Item>>) -> WorkerLine {
        WorkerLine { rounds, items: Vec::new() }
    }

    fn hand_over(&mut self) {
        if self.items.is_empty() {
            return;
        }
        match self.rounds.try_reserve() {
            Ok(permit) => permit.send(std::mem::take(&mut self.items)),
            // It has rounds enough to do; what is new joins the next one that fits.
            Err(_) if self.items.len() <= ROUND_ITEMS_MAX => {}
            Err(_) => {
                log!(Error, "a worker stands still: its connections are closed");
                self.items.clear();
                self.items.push(Item::Overrun);
            }
        }
    }
}

/// The line to the store: as many batches as there can be proposals in flight.
pub fn store_line() -> (mpsc::Sender<Vec<Write>>, mpsc::Receiver<Vec<Write>>) {
    mpsc::channel(PROPOSED_MAX)
}

#[cfg(test)]
mod tests;
