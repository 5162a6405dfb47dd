//! The one type that decides everything: [`Chat`].
//!
//! # Where a method belongs
//!
//! - Here: the path of every command, whatever its topic.
//! - `calls`, `apply`: one `match` each, of calls and of entries. They find the method and have no
//!   rules of their own.
//! - A topic's file: how it handles its calls, what it proposes, and how it applies the entry that
//!   comes back, in this order. The topics are `people` (accounts, sessions), `blocks`, `rooms`,
//!   `members`, `direct` (rooms for two), `deleted`, `orphans` (rooms whose owner is gone),
//!   `closing` (a room closes), `roles` (people in charge), `policy` (who may come in), `bans`,
//!   `invitations`, `recoveries` (lost keys), `moderation` and `clearing` (order in rooms),
//!   `subscriptions`, `presence` and `streams` (connections), `messages`.
//! - Rules that all topics obey: `sight` (who may see a room), `speaking` (who may speak), `view`
//!   (who may see an entry that is read back from the log), `charge` (rate limits), `quotas`,
//!   `guesses` (passwords), `work` (long work in several commands).
//! - `snapshot`: the initial state. `check`: invariants between commands; tests only.
//!
//! A method that changes only one table belongs to that table, in `state`.

mod apply;
mod bans;
mod blocks;
mod calls;
mod charge;
#[cfg(any(test, debug_assertions))]
mod check;
mod clearing;
mod closing;
mod deleted;
mod direct;
mod guesses;
mod invitations;
mod members;
mod messages;
mod moderation;
mod orphans;
mod people;
mod policy;
mod presence;
mod quotas;
mod recoveries;
mod roles;
mod rooms;
mod sight;
mod snapshot;
mod speaking;
mod streams;
mod subscriptions;
mod view;
mod vouched;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use crate::chat::core::apply::Came;
use crate::chat::core::roles::Setup;
pub use crate::chat::core::view::{MemberView, Shown, is_member_change_told};
use crate::chat::numbered::Numbered;
use crate::chat::state::accounts::Accounts;
use crate::chat::state::deleted::Deleted;
use crate::chat::state::invitations::{Invitations, Recoveries};
use crate::chat::state::limiter::Limiter;
use crate::chat::state::order::Order;
use crate::chat::state::purpose::{Origin, PendingSend, Purpose};
use crate::chat::state::quotas::{Made, Quotas};
use crate::chat::state::rooms::Rooms;
use crate::chat::state::slow::Slow;
use crate::chat::state::snapshot::Snapshot;
use crate::chat::state::stream::Stream;
use crate::chat::state::subscription::Subscription;
use crate::chat::state::waits::{Awaited, Waits};
use crate::chat::state::work::Work;
use crate::chat::types::{
    AccountId, Author, CallId, Description, Folded, LOBBY, ProtocolId, RoomId, Seq, SubscriptionId,
    Ticket, Title, Visibility,
};
use crate::chat::vocabulary::{
    Acted, Answer, Command, DirectRoom, Effect, Entry, Event, EventKind, FixedPolicy, Policy,
    Receipt, Refusal, RoomSettings, Space,
};
use crate::crypto::KeyHash;
use crate::limits::{PROPOSED_MAX, STEPS_MAX};
use crate::time::{Moment, Time};

/// The core's settings, fixed at startup.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A session ends this many seconds after its last use.
    pub session_ttl_secs: u64,
    /// `false` switches all rate limits off.
    pub limits: bool,
    /// The SHA-256 of the token that makes its sender the owner of a server without one.
    pub setup: Option<KeyHash>,
    /// What the command line fixes of who may come in.
    pub fixed: FixedPolicy,
}

impl Settings {
    /// Nothing but these.
    pub const fn new(session_ttl_secs: u64, limits: bool) -> Settings {
        let fixed = FixedPolicy { registration: None, guests: None };
        Settings { session_ttl_secs, limits, setup: None, fixed }
    }
}

/// The core. See the module's documentation.
pub struct Chat {
    /// Wall clock: the time that entries bear and clients see.
    now: Time,
    /// Monotonic clock: the time that measures lifetimes.
    running: Time,
    /// The monotonic clock at the first command.
    started: Time,
    accounts: Accounts,
    pub(super) rooms: Rooms,
    /// Deleted rooms that their owners can restore.
    deleted: Deleted,
    subscriptions: Numbered<SubscriptionId, Subscription>,
    /// Subscriptions outside streams; then subscriptions by token, keyed by room, name and the time
    /// of the token's first issue.
    subscribed: BTreeSet<SubscriptionId>,
    by_token: HashMap<(RoomId, Folded, Time), SubscriptionId>,
    /// Streams, by the subscription of their connection.
    streams: BTreeMap<SubscriptionId, Stream>,
    last_stream: u64,
    /// The queue behind the log.
    order: Order<Purpose>,
    /// Calls about a room with a pending change; they resume after the change.
    waits: Waits,
    /// Work that is too long for one command, and the steps that this command has left.
    work: VecDeque<Work>,
    steps: usize,
    pub(super) steps_max: usize,
    /// The origin of the current command, for rate limits and quotas.
    origin: Origin,
    /// `None`: rate limits are off.
    limiter: Option<Limiter>,
    quotas: Quotas,
    /// How much free space the disk has.
    space: Space,
    closing: bool,
    /// The way to the first owner, while the server has none.
    setup: Option<Setup>,
    /// Who may come in, by the log; and what overrides it. A change of it may be pending.
    policy: Policy,
    fixed: FixedPolicy,
    pending_policy: bool,
    /// The banned addresses, each until a time.
    banned: BTreeMap<IpAddr, Time>,
    invitations: Invitations,
    recoveries: Recoveries,
    /// The accounts that are muted everywhere, each until a time.
    muted: BTreeMap<AccountId, Time>,
    /// Who must wait in slow mode.
    slow: Slow,
    /// The last applied entry.
    last: Seq,
    /// The latest time of an applied entry.
    told: Time,
}

/// The first entry of every log: the lobby.
///
/// # Panics
/// Never: the texts are valid, as a test shows.
pub fn founding() -> Entry {
    let title = Title::new("Public Chat").expect("a valid title");
    let description = "This is the default chat, available to everyone!";
    let description = Description::new(description).expect("a valid description");
    let visibility = Visibility::Public;
    let settings = RoomSettings { title, description, visibility, password: None };
    Entry::RoomMade { room: LOBBY, owner: None, settings }
}

impl Chat {
    /// A core with the lasting state of `snapshot`; nobody is present.
    pub fn new(settings: Settings, snapshot: Snapshot) -> Chat {
        let mut chat = Chat {
            now: Time(0),
            running: Time(i64::MIN),
            started: Time(i64::MIN),
            accounts: Accounts::new(settings.session_ttl_secs),
            rooms: Rooms::default(),
            deleted: Deleted::default(),
            subscriptions: Numbered::default(),
            subscribed: BTreeSet::new(),
            by_token: HashMap::new(),
            streams: BTreeMap::new(),
            last_stream: 0,
            order: Order::new(PROPOSED_MAX),
            waits: Waits::default(),
            work: VecDeque::new(),
            steps: 0,
            steps_max: STEPS_MAX,
            origin: Origin::OWN,
            limiter: charge::limiter(settings.limits),
            quotas: Quotas::default(),
            space: Space::Enough,
            closing: false,
            setup: settings.setup.map(Setup::new),
            policy: Policy::default(),
            fixed: settings.fixed,
            pending_policy: false,
            banned: BTreeMap::new(),
            invitations: Invitations::default(),
            recoveries: Recoveries::default(),
            muted: BTreeMap::new(),
            slow: Slow::default(),
            last: snapshot.last,
            told: Time(0),
        };
        chat.restore(snapshot);
        chat
    }

    /// Replaces the bound [`PROPOSED_MAX`]: the simulation uses a small one.
    pub(crate) fn within(self, proposed_max: usize) -> Chat {
        Chat { order: self.order.within(proposed_max), ..self }
    }

    /// Carries out one command and appends its effects to `effects`, in order.
    ///
    /// The log decides the order: `now.wall` may go back, `now.running` may not.
    pub fn handle(&mut self, now: impl Into<Moment>, command: Command, effects: &mut Vec<Effect>) {
        let now = now.into();
        (self.now, self.running) = (now.wall, self.running.max(now.running));
        if self.started == Time(i64::MIN) {
            self.started = self.running;
            self.deleted.start(self.running);
        }
        self.order.swap_effects(effects);
        self.refresh_steps();
        match command {
            Command::Call { id, source, caller, call } => self.call(id, source, caller, call),
            Command::ClientEvent { subscription, event } => self.tell(subscription, event),
            Command::Leave { subscription } => self.leave(subscription),
            Command::Logged { ticket, seq, time, entry } => {
                self.logged(ticket, seq, time, entry);
            }
            Command::Repeated { ticket, entry, seq, time, same } => {
                let acted = |by: &Author| {
                    let (by, color, calls) = (by.clone(), None, Box::default());
                    Answer::Acted(Acted { seq, time, repeated: true, by, color, calls })
                };
                let found = entry.author().filter(|_| same).map(acted);
                self.not_logged(ticket, &entry, found.ok_or(Refusal::ClientIdReused));
            }
            Command::Unlogged { ticket, entry, refusal } => {
                self.not_logged(ticket, &entry, Err(refusal));
            }
            Command::Space(space) => self.space = space,
            Command::Tick => self.tick(),
            Command::Continue => self.carry_on(),
            Command::Close => self.close(),
        }
        if !self.rooms.unchecked_orphans.is_empty() && !self.is_checking_orphans() {
            self.check_orphans(None);
        }
        self.order.swap_effects(effects);
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.now, running: self.running }
    }

    /// The last applied entry; its effects have been issued.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// The number of proposals that wait for the log.
    pub fn proposed(&self) -> usize {
        self.order.proposals()
    }

    /// Whether no proposal waits for the log.
    pub fn is_settled(&self) -> bool {
        self.order.is_empty()
    }

    /// Proposes an entry, or refuses it: no room in the queue, no disk space, quota, rate limit.
    fn propose(&mut self, entry: Entry, purpose: Purpose) -> Result<(), Refusal> {
        if !self.can_propose(1) {
            return Err(Refusal::Unavailable);
        }
        self.find_space(&entry, &purpose)?;
        self.find_quota(&entry, &purpose)?;
        self.charge_entry(&entry, &purpose)?;
        self.count(&entry, &purpose);
        self.order.propose(self.now, entry, purpose);
        Ok(())
    }

    /// Whether the queue has room for `count` more proposals.
    fn can_propose(&self, count: usize) -> bool {
        !self.closing && self.order.has_room_for(count)
    }

    fn answer(&mut self, call: CallId, answer: Result<Answer, Refusal>) {
        self.order.tell(Effect::Answer { id: call, answer });
    }

    /// Applies an entry that the log has, and answers the caller that waits for it.
    fn logged(&mut self, ticket: Option<Ticket>, seq: Seq, time: Time, entry: Entry) {
        let purpose = ticket.map_or(Purpose::Own, |ticket| self.order.settle(ticket));
        let (by, viewer) = match &purpose {
            Purpose::ClientEvent(told) => (Some((told.by, told.protocol)), None),
            Purpose::Call(_, viewer) => (None, *viewer),
            Purpose::Direct(_, viewer) => (None, Some(*viewer)),
            Purpose::Guest(_) | Purpose::Own => (None, None),
        };
        if ticket.is_some() {
            self.release(&entry); // Only our own proposals reserve anything.
        }
        let freed = entry.awaited();
        let begun = matches!(entry, Entry::SessionBegun { .. });
        let made = Made::of(&entry).filter(|_| ticket.is_some());
        let outcome = self.apply(seq, time, entry, Came { by, viewer });
        if let Some(made) = made.filter(|_| outcome.is_err()) {
            self.quotas.end(made);
        }
        self.conclude(purpose, begun, outcome);
        self.move_up();
        if let Some(Awaited::Room(room)) = freed {
            self.left(room); // The end of an orphan may have waited for this.
        }
        if let Some(freed) = freed {
            self.wake(freed);
        }
    }

    /// The log has refused an entry, or had it already: frees what the entry reserved, and answers
    /// the caller that waits for it.
    fn not_logged(&mut self, ticket: Ticket, entry: &Entry, outcome: Result<Answer, Refusal>) {
        let purpose = self.order.settle(ticket);
        self.release(entry);
        self.has_not_spoken(entry);
        if let Some(made) = Made::of(entry) {
            self.quotas.end(made);
        }
        if let (Purpose::ClientEvent(told), Err(_)) = (&purpose, &outcome)
            && told.came
        {
            self.came_silently(told.by, told.protocol, entry);
        }
        self.conclude(purpose, matches!(entry, Entry::SessionBegun { .. }), outcome);
        if let Entry::SessionBegun { account, .. } = entry {
            self.end_if_over(*account); // A guest without a session.
        }
        self.move_up();
        if let Some(freed) = entry.awaited() {
            self.wake(freed);
        }
    }

    /// Sends the outcome of an entry to the caller or subscription that waits for it.
    fn conclude(&mut self, purpose: Purpose, begun: bool, outcome: Result<Answer, Refusal>) {
        match purpose {
            Purpose::Call(call, _) => self.answer(call, outcome),
            Purpose::Direct(call, _) => {
                let answer = outcome.map(|answer| match answer {
                    Answer::Room(room) => Answer::Direct(DirectRoom { room, made: false }),
                    other => other,
                });
                self.answer(call, answer);
            }
            // The first entry of a new guest is the account. If it fails, so does the session.
            Purpose::Guest(call) if begun => {
                self.answer(call, outcome.map_err(|_| Refusal::Unavailable));
            }
            Purpose::ClientEvent(PendingSend { subscription, protocol, mark, .. }) => {
                let reply = outcome.map(|answer| match answer {
                    Answer::Acted(Acted { seq, time, repeated, .. }) => {
                        Receipt::Logged { seq, time, repeated }
                    }
                    _ => Receipt::Noted,
                });
                self.order.tell_outcome(Effect::Reply { subscription, protocol, reply, mark });
            }
            Purpose::Guest(_) | Purpose::Own => {}
        }
    }

    /// A message that was lost made its author present: the room hears at least of the join.
    fn came_silently(&mut self, subscription: SubscriptionId, protocol: ProtocolId, entry: &Entry) {
        let Entry::Said { room, author, color, .. } = entry.clone() else { return };
        let event = Event { room, time: self.now, author, color, kind: EventKind::Joined };
        self.order.tell_outcome(Effect::Announce { event, by: Some((subscription, protocol)) });
    }

    fn tick(&mut self) {
        self.accounts.tick(self.now);
        let now = self.limiter_now();
        if let Some(limiter) = &mut self.limiter {
            limiter.sweep(now);
        }
        // An unfinished sweep continues instead.
        if !self.work.iter().any(|work| matches!(work, Work::Sweep { .. })) {
            self.sweep(AccountId(0));
        }
        if !self.is_checking_orphans() {
            self.check_orphans(Some(RoomId(0)));
        }
        self.purge_old();
    }

    fn close(&mut self) {
        self.closing = true;
        self.go_on_closing();
    }
}
