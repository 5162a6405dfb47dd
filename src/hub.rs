//! The actor that owns the core. One task, one inbox: it takes the commands that have arrived, lets
//! the core decide, and hands the effects to the store, to the workers and to the waiting callers.
//!
//! It awaits only its inbox, and none of its sends block: so no client can delay it, and no cycle
//! of waiting can form. It knows no protocol and no socket. Callers: the protocols (calls),
//! connections (subscriptions and tells), the server (start and close).
//!
//! A *round* is every command that has arrived when the hub looks. Each worker gets the effects of
//! a round in one piece, so a worker writes once to each connection, however many messages there
//! are.

mod announce;
mod handle;
mod presence;
#[cfg(test)]
mod tests;
mod workers;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::chat::{
    CallId, Chat, Command, Effect, Numbered, ProtocolId, RoomId, Seq, Settings, Snapshot,
    SubscriptionId,
};
use crate::clock::Clock;
use crate::codec::{Codecs, Disconnect, Encoder, PROTOCOL_IDS_MAX};
pub use crate::hub::handle::{HubHandle, LogHandle, SubscriptionGuard};
use crate::hub::handle::{Message, Waiter};
use crate::hub::presence::Presence;
pub use crate::hub::workers::{Item, Rounds, base_of, subscription_id};
use crate::hub::workers::{WorkerLine, worker_of};
use crate::limits::{
    CONNECTIONS_MAX, INBOX_MAX, PROPOSED_MAX, ROUND_COMMANDS_MAX, ROUND_ITEMS_MAX, ROUNDS_MAX,
    TICK_MS,
};
use crate::log;
use crate::store::{Gone, Line};
use crate::time::{Moment, Time};

/// The bounds of the hub's queues; in the program, those of [`limits`](crate::limits).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Commands waiting in the inbox, beside the reserved slots for leaves.
    pub inbox: usize,
    /// Subscriptions at once: each reserves an inbox slot for its leave.
    pub subscriptions: usize,
    /// Commands of one round.
    pub round_commands: usize,
    /// Rounds handed to a worker and not yet delivered.
    pub rounds: usize,
    /// Items that pile up for a worker that does not take its rounds.
    pub round_items: usize,
    /// Entries proposed and not yet in the log.
    pub proposed: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            inbox: INBOX_MAX,
            subscriptions: CONNECTIONS_MAX,
            round_commands: ROUND_COMMANDS_MAX,
            rounds: ROUNDS_MAX,
            round_items: ROUND_ITEMS_MAX,
            proposed: PROPOSED_MAX,
        }
    }
}

/// The hub, before it runs.
pub struct Hub {
    chat: Chat,
    bounds: Bounds,
    clock: Clock,
    inbox: mpsc::Receiver<Message>,
    line: Line,
    workers: Vec<WorkerLine>,
    encoder: Encoder,
    waiters: HashMap<CallId, Waiter>,
    last_call: u64,
    /// Answers of the log that the core has not handled yet: an entry whose effects are too long
    /// for one command delays the next. No more than there are proposals.
    from_log: VecDeque<Command>,
    /// For each room and worker, the number of subscriptions of each protocol.
    audiences: Numbered<RoomId, Vec<[u32; PROTOCOL_IDS_MAX]>>,
    effects: Vec<Effect>,
    presence: Presence,
    /// The last head sent to the workers with [`Item::Head`].
    head: Seq,
}

impl Hub {
    /// A hub for `workers` workers, and the receiving ends of their lines.
    pub fn new(
        settings: Settings,
        snapshot: Snapshot,
        line: Line,
        codecs: Codecs,
        epoch: &str,
        workers: usize,
    ) -> (Hub, HubHandle, Vec<Rounds>) {
        let started = Time::now();
        let chat = Chat::new(settings, snapshot.used_before(started));
        let (clock, encoder) = (Clock::new(started), Encoder::new(codecs, epoch));
        Hub::within(Bounds::default(), clock, chat, line, encoder, workers)
    }

    /// The same with other bounds and another clock, for tests.
    pub(crate) fn within(
        bounds: Bounds,
        clock: Clock,
        chat: Chat,
        line: Line,
        encoder: Encoder,
        workers: usize,
    ) -> (Hub, HubHandle, Vec<Rounds>) {
        // The inbox has a reserved slot for the leave of each subscription, beside its common
        // slots.
        let (sender, inbox) = mpsc::channel(bounds.inbox + bounds.subscriptions);
        let (workers, rounds) = (0..workers).map(|_| WorkerLine::new(bounds)).unzip();
        let hub = Hub {
            chat: chat.within(bounds.proposed),
            bounds,
            clock,
            inbox,
            line,
            workers,
            encoder,
            waiters: HashMap::new(),
            last_call: 0,
            from_log: VecDeque::new(),
            audiences: Numbered::default(),
            effects: Vec::new(),
            presence: Presence::default(),
            head: Seq(0),
        };
        (hub, HubHandle::new(sender), rounds)
    }

    /// Runs until every [`HubHandle`] and [`SubscriptionGuard`] is dropped, or until the writer is
    /// gone: without it nothing can change, so every waiting caller gets `Unavailable`.
    pub async fn run(mut self) {
        let mut round = Vec::new();
        let mut tick = Instant::now() + Duration::from_millis(TICK_MS);
        loop {
            let wake_by = self.wake_by(tick);
            let arrived = self.inbox.recv_many(&mut round, self.bounds.round_commands);
            if let Ok(0) = tokio::time::timeout_at(wake_by, arrived).await {
                // All handles are gone, so waiting for the store delays no client.
                return self.line.finish().await;
            }
            if tick <= Instant::now() {
                tick = Instant::now() + Duration::from_millis(TICK_MS);
                self.tick();
            }
            // Every connection that is readable now joins this round: a long round is one write for
            // many messages.
            tokio::task::yield_now().await;
            while round.len() < self.bounds.round_commands
                && let Ok(message) = self.inbox.try_recv()
            {
                round.push(message);
            }
            let now = self.clock.now();
            for message in round.drain(..) {
                self.take(now, message);
            }
            if self.chat.is_busy() {
                self.carry_out(now, Command::Continue);
            }
            self.hear_the_log(now);
            self.announce_gathered();
            if let Err(Gone) = self.hand_over() {
                // The outcome of the pending proposals is unknown. Dropping the waiters answers
                // `Unavailable`.
                return log!(Error, "the writer of the database has stopped; restart the server");
            }
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        self.carry_out(now, Command::Tick);
        // A stream of quiet rooms needs a recent cursor, too, so that it does not resume from an
        // old one.
        let head = self.chat.last();
        if std::mem::replace(&mut self.head, head) != head {
            self.workers.iter_mut().for_each(|worker| worker.push(Item::Head(head)));
        }
    }

    /// When to wake although no command arrives: at the tick, or soon, if a worker's line is full.
    fn wake_by(&self, tick: Instant) -> Instant {
        if self.chat.is_busy() || !self.from_log.is_empty() {
            return Instant::now(); // Continue what was too long for one command.
        }
        let held_up = self.workers.iter().any(WorkerLine::is_held_up);
        let tick = self.presence.next().map_or(tick, |due| due.min(tick));
        if held_up { tick.min(Instant::now() + Duration::from_millis(1)) } else { tick }
    }

    fn take(&mut self, now: Moment, message: Message) {
        match message {
            Message::Call { source, caller, call, answer } => {
                self.last_call += 1;
                let id = CallId(self.last_call);
                self.waiters.insert(id, answer);
                self.carry_out(now, Command::Call { id, source, caller, call });
            }
            Message::ClientEvent { subscription, event } => {
                self.carry_out(now, Command::ClientEvent { subscription, event })
            }
            Message::Leave { subscription } => self.carry_out(now, Command::Leave { subscription }),
            Message::FromLog(commands) => {
                self.from_log.extend(commands);
                self.hear_the_log(now);
            }
            Message::Close => self.carry_out(now, Command::Close),
        }
    }

    /// Passes the log's answers to the core while it is not behind. A long one continues in the
    /// next round, so that other commands get their turn in between.
    fn hear_the_log(&mut self, now: Moment) {
        while !self.chat.is_behind()
            && let Some(command) = self.from_log.pop_front()
        {
            self.carry_out(now, command);
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
            Effect::Answer { id, answer } => {
                if let Some(waiter) = self.waiters.remove(&id) {
                    let _ = waiter.send(answer); // The caller may be gone.
                }
            }
            Effect::Propose { ticket, time, entry } => {
                self.line.propose(ticket, time, entry);
            }
            Effect::Touch { used } => self.line.touch(used),
            Effect::Subscribe { subscription, protocol, room, .. } => {
                self.audience(room, subscription, protocol, 1);
                self.item(
                    worker_of(subscription),
                    Item::Subscribe { subscription, protocol, room },
                );
            }
            Effect::Unsubscribe { subscription, protocol, room, reason, .. } => {
                self.audience(room, subscription, protocol, -1);
                let closing = reason.map(Disconnect::Ended);
                self.item(
                    worker_of(subscription),
                    Item::Unsubscribe { subscription, room, closing },
                );
            }
            Effect::Announce { event, by } => {
                self.announce(&event, by.map(|(subscription, _)| subscription))
            }
            Effect::Notify { subscription, protocol, event } => {
                let (seq, frame) = (event.kind.seq(), self.encoder.direct(protocol, &event));
                if !frame.is_empty() {
                    self.item(worker_of(subscription), Item::Notify { subscription, seq, frame });
                }
            }
            Effect::Freeze { subscription } => {
                self.item(worker_of(subscription), Item::Freeze { subscription })
            }
            Effect::CloseStream { subscription, reason } => {
                self.item(
                    worker_of(subscription),
                    Item::CloseStream { subscription, closing: Disconnect::Ended(reason) },
                );
            }
            Effect::Mark { room, account, seq } => {
                self.line.mark(room, account, seq);
            }
            Effect::Reply { subscription, protocol, reply, mark } => {
                let frame = self.encoder.reply(protocol, &reply, mark.as_ref());
                self.item(worker_of(subscription), Item::Reply { subscription, frame });
            }
        }
    }

    fn item(&mut self, worker: usize, item: Item) {
        self.workers[worker].push(item);
    }

    fn audience(
        &mut self,
        room: RoomId,
        subscription: SubscriptionId,
        protocol: ProtocolId,
        change: i32,
    ) {
        let workers = self.workers.len();
        let audience =
            self.audiences.entry(room).or_insert_with(|| vec![[0; PROTOCOL_IDS_MAX]; workers]);
        let count = &mut audience[worker_of(subscription)][usize::from(protocol.0)];
        *count = count
            .checked_add_signed(change)
            .expect("the core unsubscribes only existing subscriptions");
        if change < 0 && audience.iter().flatten().all(|count| *count == 0) {
            self.audiences.remove(&room);
        }
    }

    /// Ends the round: hands the proposals to the store and the items to the workers.
    fn hand_over(&mut self) -> Result<(), Gone> {
        for worker in &mut self.workers {
            worker.hand_over();
        }
        self.line.hand_over()
    }
}
