//! The simulator: the real core, among people who do anything at any time, on a disk that is late,
//! fails, is shared with another proposer, and loses power. One seed decides everything.
//!
//! After every step it checks the core against invariants: against a second, plain fold over the
//! log (`book`), against what clients have heard (`world`), and against itself ([`Chat::check`]).
//! Each invariant stands beside its assertion.
//! `SEEDS=100000 cargo test --lib simulation` runs more seeds; `SEED=17 cargo test --lib simulation
//! -- --nocapture` runs one, and prints its commands and effects.

mod agreement;
mod book;
mod clients;
mod crash;
pub(crate) mod dice;
pub(crate) mod disk;
mod in_charge;
mod in_use;
mod inputs;
mod invited;
mod members;
mod moderation;
mod people;
mod picture;
mod rooms;
mod settled;
mod strangers;
mod talk;
mod world;

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::chat::simulation::book::Book;
use crate::chat::simulation::clients::Clients;
use crate::chat::simulation::dice::Dice;
use crate::chat::simulation::disk::Disk;
use crate::chat::simulation::world::World;
use crate::chat::{
    AccountId, Call, Chat, Command, Effect, Entry, RoomId, RoomRecord, Seq, SessionId, Settings,
    Snapshot, Space, call, founding,
};
use crate::crypto::KeyHash;
use crate::limits;
use crate::time::{Moment, Time};

const SEEDS: u64 = 2_000;
const STEPS_MAX: u64 = 260;
const TTL_SECS: u64 = 120;
const SETTINGS: Settings = Settings::new(TTL_SECS, true);
/// The author of entries that this core did not propose; has no subscription.
const STRANGER: &str = "stranger";

struct Simulation {
    dice: Dice,
    /// The steps of one command.
    steps: usize,
    /// Whether people in charge do much.
    orderly: bool,
    /// The wall clock, which leaps either way.
    clock: Time,
    /// The monotonic clock, which does not.
    now: Time,
    chat: Chat,
    disk: Disk,
    book: Book,
    world: World,
    /// The clients that follow a stream, also while they are away.
    clients: Clients,
    /// Numbers everything that must have a new name.
    fresh: u64,
    /// All session keys that a client has ever sent, valid or not.
    session_keys: Vec<KeyHash>,
    /// All codes of invitations and recoveries that somebody has wanted to make.
    codes: Vec<KeyHash>,
    /// The keys of accounts, with whether the registration was acknowledged or refused.
    registered: Vec<(KeyHash, bool)>,
    /// When people have spoken last in slow mode.
    spoken: HashMap<(RoomId, AccountId), Time>,
    /// The latest call to expel somebody, by somebody who may.
    expelling: Option<(RoomId, Box<str>)>,
    step: u64,
    history: Vec<Effect>,
    loud: bool,
}

#[test]
fn whatever_happens() {
    if let Some(seed) = number_from_environment("SEED") {
        run(seed, true);
        return;
    }
    for seed in 0..number_from_environment("SEEDS").unwrap_or(SEEDS) {
        let history = run(seed, false);
        // The same seed, the same effects: the core draws no randomness, not even in a hash map.
        if seed.is_multiple_of(16) {
            assert!(history == run(seed, false), "seed {seed} had another result the second time");
        }
    }
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs one seed to its end; on failure prints how to repeat it.
fn run(seed: u64, loud: bool) -> Vec<Effect> {
    let mut simulation = Simulation::new(seed, loud);
    let outcome = catch_unwind(AssertUnwindSafe(|| simulation.run()));
    if outcome.is_err() {
        let step = simulation.step;
        let again = format!("SEED={seed} cargo test --lib simulation -- --nocapture");
        panic!("seed {seed}, step {step}; again: {again}");
    }
    simulation.history
}

impl Simulation {
    fn new(seed: u64, loud: bool) -> Simulation {
        let mut dice = Dice::new(seed);
        // Commands with few steps, so that a few people show what thousands would.
        let steps = if dice.one_in(2) { 1 + dice.below(4) as usize } else { limits::STEPS_MAX };
        let orderly = dice.one_in(3);
        let mut simulation = Simulation {
            dice,
            steps,
            orderly,
            clock: Time(1_000_000_000),
            now: Time(1_000_000_000),
            chat: Chat::new(SETTINGS, Snapshot::default()).with_steps(steps),
            disk: Disk::default(),
            book: Book::default(),
            world: World::default(),
            clients: Clients::default(),
            fresh: 0,
            session_keys: Vec::new(),
            codes: Vec::new(),
            registered: Vec::new(),
            spoken: HashMap::new(),
            expelling: None,
            step: 0,
            history: Vec::new(),
            loud,
        };
        simulation.disk.write(None, simulation.clock, founding());
        simulation.hear(u64::MAX);
        if orderly {
            simulation.set_the_stage();
        }
        simulation
    }

    fn run(&mut self) {
        let steps = self.dice.below(STEPS_MAX);
        // A disk that is fast in some runs and slow in others.
        let haste = 4 + self.dice.below(40);
        for step in 0..steps {
            self.step = step;
            self.something_happens(haste);
            self.check();
        }
        if self.dice.one_in(3) {
            self.give(Command::Close);
            for step in steps..steps + 20 {
                self.step = step;
                self.something_happens(haste);
                self.check();
            }
        }
        self.settle();
        self.check();
        self.check_guests();
        self.crash();
    }

    /// A guest exists exactly as long as one of its sessions, at the latest after a tick.
    fn check_guests(&mut self) {
        if self.world.closed {
            return;
        }
        self.give(Command::Tick);
        self.settle();
        let mut guests = self.book.accounts.values().filter(|account| account.key.is_none());
        let has_session = |id| self.book.sessions.values().any(|session| session.account == id);
        assert!(guests.all(|guest| has_session(guest.id)), "a guest lingers without a session");
        let stands =
            |id| self.world.members.values().any(|member| member.standing && member.room == id);
        let mut orphaned = self.book.rooms.values().filter(|room| room.orphaned);
        let stays = |room: &RoomRecord| !room.members.is_empty() || stands(room.id);
        assert!(orphaned.all(stays), "an orphan without people lingers");
    }

    fn something_happens(&mut self, haste: u64) {
        match self.dice.below(64 + haste) {
            0..=47 => self.somebody_acts(),
            48..=51 => self.time_passes(),
            52 if self.dice.one_in(2) => self.give(Command::Tick),
            52 => self.somebody_falls_behind(),
            53 if self.dice.one_in(2) => {
                let count = 1 + self.dice.below(4);
                self.disk.fail(count);
            }
            54 if self.dice.one_in(2) => self.a_stranger_writes(),
            60..=63 => self.somebody_reads(),
            55 if self.dice.one_in(3) => self.crash(),
            53..=56 => self.settle(),
            57..=59 => {
                let count = 1 + self.dice.below(8);
                self.disk.commit(count);
            }
            _ => {
                let (count, heard) = (1 + self.dice.below(3), 1 + self.dice.below(3));
                self.disk.commit(count);
                self.hear(heard);
            }
        }
    }

    fn time_passes(&mut self) {
        self.come_to_rest(); // Takes no simulated time.
        let micros = match self.dice.below(8) {
            0 if self.dice.one_in(4) => return self.the_disk_fills(),
            0 => return self.clock_leaps(),
            1..=5 => self.dice.below(3_000_000).cast_signed(),
            6 => self.dice.below(60_000_000).cast_signed(),
            // Up to the exact moment at which a session that was just used expires.
            _ => (TTL_SECS * 1_000_000 - self.dice.below(2)).cast_signed(),
        };
        self.now = Time(self.now.0 + micros);
        self.clock = Time(self.clock.0 + micros);
    }

    /// The disk's free space changes.
    fn the_disk_fills(&mut self) {
        let space = self.dice.pick(&[Space::Least, Space::Little, Space::Enough, Space::Enough]);
        self.give(Command::Space(space.expect("one of four")));
    }

    /// The wall clock is set, by seconds or by days, and no time passes.
    fn clock_leaps(&mut self) {
        let span = if self.dice.one_in(2) { 20_000_000 } else { 400 * 86_400_000_000 };
        let leap = self.dice.below(2 * span).cast_signed() - span.cast_signed();
        self.clock = Time(self.clock.0 + leap);
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.clock, running: self.now }
    }

    /// Some of the disk's replies reach the core.
    fn hear(&mut self, count: u64) {
        for _ in 0..count {
            let Some(command) = self.disk.answer() else { return };
            self.give(command);
        }
    }

    /// The disk writes everything, and the core hears all its replies.
    fn settle(&mut self) {
        while !self.disk.is_idle() || self.chat.is_busy() {
            self.disk.commit(u64::MAX);
            self.hear(u64::MAX);
            self.come_to_rest();
        }
        assert!(self.chat.is_settled(), "the disk has replied, and a proposal still waits");
        let counted = (1..=self.book.last_room + 1).map(RoomId);
        let rooms: BTreeSet<RoomId> = counted.chain(self.book.rooms.keys().copied()).collect();
        rooms.into_iter().for_each(|room| self.check_present(room));
        self.check_clients();
    }

    /// One command with all its effects.
    fn give(&mut self, command: Command) {
        if self.loud {
            println!("{:>4} {} {command:?}", self.step, self.clock);
        }
        while disk::answers(&command) && self.chat.is_behind() {
            self.carry_on();
        }
        self.expect(&command);
        self.handle(command);
        // (A stream that is still opening reads what it missed from the log.)
        while self.chat.is_busy() && (self.chat.is_opening() || !self.dice.one_in(3)) {
            self.carry_on();
        }
        assert!(self.world.to_announce.is_none(), "in the log, but not announced");
        if !self.chat.is_behind() {
            self.world.check_due();
        }
    }

    /// Finishes the unfinished work.
    pub(super) fn come_to_rest(&mut self) {
        while self.chat.is_busy() {
            self.carry_on();
        }
    }

    fn carry_on(&mut self) {
        self.handle(Command::Continue);
    }

    fn handle(&mut self, command: Command) {
        let mut effects = Vec::new();
        let restrained = self.to_take_along(&command);
        self.chat.handle(self.moment(), command, &mut effects);
        restrained.into_iter().for_each(|from| Simulation::takes_along(from, &effects));
        for effect in &effects {
            if self.loud {
                println!("       {effect:?}");
            }
            self.follow(effect);
        }
        self.history.append(&mut effects);
    }

    fn follow(&mut self, effect: &Effect) {
        if let Effect::Answer { id: ask, answer } = effect
            && let Some(Call::Register(call::Register { key, .. })) =
                self.world.asks.get(ask).map(|asked| &asked.call)
        {
            self.registered.push((*key, answer.is_ok()));
        }
        self.somebody_goes_at_once(effect);
        self.world.follow(effect, &self.book, &self.disk.log);
        self.clients.follow(effect, &self.world);
        match effect {
            Effect::Propose { ticket, time, entry } => {
                assert_eq!(*time, self.clock, "a proposal has the current time");
                self.book.codes.now = self.clock;
                assert!(self.book.code_stands(entry), "a code that has ended: {entry:?}");
                assert!(self.book.is_new(entry), "a number is reused: {entry:?}");
                assert!(self.book.respects_blocks(entry), "in spite of a block: {entry:?}");
                assert!(self.book.may(entry), "without the role: {entry:?}");
                assert!(self.book.lets_in(entry), "not let in: {entry:?}");
                assert!(self.book.lets_enter(entry), "banned, or locked: {entry:?}");
                let silenced = self.book.silenced(self.clock, entry);
                assert_eq!(silenced, None, "not theirs to say: {entry:?}");
                self.speaks(entry);
                self.disk.propose(*ticket, *time, entry.clone());
            }
            Effect::Mark { room, account, seq } => {
                self.disk.marks.insert((*room, *account), *seq);
                self.book.mark(*account, *room, *seq);
            }
            Effect::Touch { used } => used.iter().for_each(|(id, time)| self.noted(*id, *time)),
            _ => {}
        }
    }

    /// The store learns of a session's last use: not of every use, but once for every step.
    fn noted(&mut self, id: SessionId, time: Time) {
        self.disk.touches.insert(id, time);
        assert_eq!(time, self.clock, "a use has the current time");
        let before = self.book.noted.insert(id, self.now).expect("the session exists");
        // (A session that has just ended has no known lifetime any more.)
        let grain = self.book.sessions.get(&id).map_or(0, |session| self.book.grain_of(session));
        assert!(self.now.0 - before.0 >= grain, "a use is recorded too early");
    }

    /// Expected changes of a command, before the core gets it.
    fn expect(&mut self, command: &Command) {
        match command {
            Command::Logged { ticket, seq, time, entry } => {
                if let Entry::RoomChanged { room, .. } = entry.act() {
                    let own = ticket.is_some() && self.world.before.get(room) != Some(&None);
                    let now = self.book.rooms.get(room).map(|room| room.settings.clone());
                    self.world.before.insert(*room, now.filter(|_| own));
                }
                if ticket.is_some() {
                    let silenced = self.book.silenced(*time, entry);
                    assert_eq!(silenced, None, "said in spite of an earlier entry: {entry:?}");
                    assert!(self.book.may(entry), "done without the role: {entry:?}");
                }
                self.expect_entry(*seq, *time, entry);
            }
            Command::Repeated { entry, .. } | Command::Unlogged { entry, .. } => self.unsaid(entry),
            Command::ClientEvent { subscription, event } => {
                if let Some(stream) = self.world.streams.get_mut(subscription) {
                    if stream.standing {
                        stream.tells.push_back(event.clone());
                        let session = stream.session;
                        self.used(session);
                    }
                    return;
                }
                let Some(member) = self.world.members.get_mut(subscription) else { return };
                if member.standing {
                    member.tells.push_back(event.clone());
                    let session = member.session;
                    self.used(session);
                }
            }
            Command::Leave { subscription } => {
                self.clients.leave(*subscription);
                if let Some(member) = self.world.members.get_mut(subscription) {
                    member.left = true;
                }
                let ended = match self.world.end_stream(*subscription, true) {
                    Some(session) => vec![session],
                    None => self.world.unsubscribe(|other, _| other == subscription),
                };
                self.used(ended);
            }
            Command::Tick => {
                let sessions: Vec<SessionId> = self.book.sessions.keys().copied().collect();
                let held = sessions.into_iter().filter(|id| self.world.is_held(*id));
                let held: Vec<SessionId> = held.collect();
                self.used(held);
            }
            Command::Close => {
                self.world.closed = true;
                let mut ended = self.world.unsubscribe(|_, _| true);
                ended.extend(self.world.end_streams(|_| true));
                self.used(ended);
            }
            Command::Space(_) | Command::Call { .. } | Command::Continue => {}
        }
    }

    fn expect_entry(&mut self, seq: Seq, time: Time, entry: &Entry) {
        self.book.begin_codes(time, entry);
        let fits = self.book.fits(entry);
        let ended = match entry.act() {
            Entry::SessionEnded { .. }
            | Entry::KeyChanged { .. }
            | Entry::Recovered { .. }
            | Entry::BanChanged { .. } => {
                let ends = |account, session| self.book.ends_subscription(entry, account, session);
                let mut ended = self.world.unsubscribe(|_, one| ends(one.account, one.session));
                ended.extend(self.world.end_streams(|one| ends(Some(one.account), one.session)));
                ended
            }
            Entry::PolicyChanged { policy } => self.guests_go(*policy),
            Entry::AddressBanned { banned } => self.an_address_goes(time, *banned),
            Entry::AccountEnded { account } if fits => {
                self.clients.forget(*account);
                self.world.unsubscribe(|_, member| member.account == Some(*account))
            }
            Entry::MemberChanged { room, account, expelled: true, member: false, with: None }
                if self.book.is_room(room) && self.book.accounts.contains_key(account) =>
            {
                self.world.unsubscribe(|_, one| one.room == *room && one.account == Some(*account))
            }
            Entry::RoomBanChanged { room, account, on: true } if fits => {
                self.somebody_is_banned(*room, *account)
            }
            Entry::RoomGone { room, .. } if fits => {
                self.world.unsubscribe(|_, member| member.room == *room)
            }
            Entry::RoomChanged { room, .. } if self.book.locks(entry) => {
                let owner = self.book.rooms.get(room).and_then(|room| room.owner);
                let stays = |account| account == owner && owner.is_some();
                self.world.unsubscribe(|_, member| member.room == *room && !stays(member.account))
            }
            Entry::Said { .. } if fits => {
                self.world.to_announce = Some((seq, time, entry.clone()));
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.used(ended);
        let before = self.hearers(entry);
        let begins = match entry {
            Entry::SessionBegun { session, .. } if self.book.fits(entry) => Some(*session),
            _ => None,
        };
        self.book.apply(seq, time, entry);
        if let Some(session) = begins {
            self.book.used.insert(session, self.now);
            self.book.noted.insert(session, self.now);
        }
        if fits {
            self.world.due =
                before.into_iter().chain(self.hearers(entry)).map(|one| (one, seq)).collect();
        }
        self.book.check();
    }

    /// Checks all invariants after a step.
    fn check(&mut self) {
        self.chat.check();
        if self.chat.is_settled() && !self.chat.is_busy() {
            self.world.check_settled();
        }
        if self.step.is_multiple_of(8) && !self.chat.is_busy() {
            self.book.compare(&self.chat.snapshot());
        }
    }
}
