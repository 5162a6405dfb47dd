//! People's actions, at any time and in any order; and the invariants of their clients' views.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::chat::simulation::dice::Dice;
use crate::chat::{
    Access, AccountId, Acted, Action, Answer, Author, Call, Caller, ClientEvent, ClientId, Entry,
    LOBBY, Name, ProtocolId, Refusal, RoomEvent, RoomId, RoomRef, RoomSettings, Seq, StreamEvent,
    Title, Visibility, call,
};
use crate::crypto::{self, KeyHash};
use crate::hub::{SubscriptionGuard, subscription_id};
use crate::protocol::Lines;
use crate::worker::delivery::{Head, Listener};
use crate::worker::simulation::streams::View;
use crate::worker::simulation::wire::SimulatedSocket;
use crate::worker::simulation::{ROOMS, SAID_BEFORE, World};

/// A call that needs no disk is answered within this time, whatever the state of the disk.
const AT_ONCE: Duration = Duration::from_millis(20);

/// The name of an account.
pub fn name(account: AccountId) -> Name {
    Name::new(&format!("p{}", account.0)).expect("a name")
}

/// The entry of a message.
pub fn message(account: AccountId, room: RoomId, text: &str) -> Entry {
    let author = Author { account: Some(account), name: name(account) };
    let text = text.into();
    let (client_id, reply_to, calls) = (None, None, Box::default());
    Entry::Said { room, author, color: None, text, client_id, reply_to, calls }
}

pub struct Person {
    pub(super) world: Rc<World>,
    number: u64,
    pub(super) dice: Dice,
    /// The key of the current session.
    session: KeyHash,
    /// The person's read marker in the lobby.
    read: u64,
    /// What the person's client has received on streams.
    pub(super) view: Option<View>,
}

/// A tell without a reply so far.
struct PendingTell {
    text: Option<String>,
    mark: String,
}

impl Person {
    pub fn new(world: Rc<World>, number: u64, dice: Dice) -> Person {
        let session = crypto::hash(&format!("p{number}"));
        Person { world, number, dice, session, read: 0, view: None }
    }

    pub(super) fn account(&self) -> AccountId {
        AccountId(self.number)
    }

    pub(super) fn caller(&self) -> Caller {
        Caller::Session(self.session)
    }

    /// Acts until the run is over: makes calls, opens streams, subscribes to rooms.
    pub async fn live(mut self) {
        while self.world.is_busy() {
            match self.dice.below(4) {
                0 => drop(self.streams(None).await),
                1 => self.has_subscription().await,
                _ => self.asks().await,
            }
            self.pause().await;
        }
        while !self.world.over.get() {
            sleep(Duration::from_millis(100)).await;
        }
        if self.world.stopping.get() {
            return;
        }
        // The disk works again, so every action succeeds soon.
        for _ in 0..1_000 {
            match self.send(LOBBY).await {
                Ok(_) => {
                    self.reads_at_last().await;
                    return self.streams_at_last().await;
                }
                Err(Refusal::Unauthenticated) => drop(self.log_in().await),
                Err(Refusal::Unavailable | Refusal::RateLimited { .. }) => {}
                Err(refusal) => panic!("the disk works, but {refusal:?}"),
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("the disk works, but nobody can send");
    }

    pub(super) async fn pause(&mut self) {
        let millis = self.dice.below(1 + self.world.options.pause_millis);
        if millis > 0 {
            sleep(Duration::from_millis(millis)).await;
        }
    }

    pub(super) fn room(&mut self) -> RoomId {
        RoomId(1 + self.dice.below(ROOMS))
    }

    pub(super) async fn ask(&mut self, call: impl Into<Call>) -> Result<Answer, Refusal> {
        let call = call.into();
        self.world.fresh();
        let quick = matches!(
            call,
            Call::Heard(_) | Call::Me(_) | Call::Present(_) | Call::View(_) | Call::Read(_)
        );
        let shown = format!("{} calls {call:?}", self.number);
        let new = matches!(call, Call::Login(_));
        let caller = if new { Caller::Nobody } else { Caller::Session(self.session) };
        let start = Instant::now();
        let answer = self.world.hub.call(caller, call).await;
        self.world.note(&format!("{shown}: {answer:?}"));
        assert!(!quick || start.elapsed() <= AT_ONCE, "{shown}: after {:?}", start.elapsed());
        if quick && !self.world.stopping.get() {
            assert_ne!(answer, Err(Refusal::Unavailable), "{shown}");
        }
        answer
    }

    async fn log_in(&mut self) -> Result<Answer, Refusal> {
        let key = crypto::hash(&format!("p{}", self.number));
        let session = crypto::hash(&format!("s{}", self.world.fresh()));
        let login = call::Login { key, session, remember: false, agent: "".into() };
        let answer = self.ask(login).await;
        if answer.is_ok() {
            self.session = session;
        }
        answer
    }

    async fn asks(&mut self) {
        for _ in 0..self.dice.below(12) {
            let room = self.room();
            let call: Call = match self.dice.below(14) {
                0 => call::Heard.into(),
                1 => call::Present { room, after: 0 }.into(),
                2 => call::View { room }.into(),
                3 => call::Enter { room, access: Access::Open }.into(),
                4 if room != LOBBY => call::Exit { room }.into(),
                5 => {
                    self.marks().await;
                    continue;
                }
                6 => self.registers().into(),
                7 => self.makes_room().into(),
                8 => {
                    self.hangs_up().await;
                    continue;
                }
                9 | 10 => {
                    self.reads().await;
                    continue;
                }
                _ => {
                    let _ = self.send(room).await; // It may be refused.
                    continue;
                }
            };
            if self.ask(call).await == Err(Refusal::Unauthenticated) {
                let _ = self.log_in().await; // It may be refused.
            }
            if self.dice.one_in(2) {
                self.pause().await;
            }
        }
    }

    fn registers(&self) -> call::Register {
        let name = format!("n{}", self.world.fresh());
        call::Register { key: crypto::hash(&name), name: name.into(), invitation: None }
    }

    fn makes_room(&self) -> call::MakeRoom {
        let title = Title::new(&format!("room of {}", self.world.fresh())).expect("a title");
        let (description, visibility) = (Default::default(), Visibility::Public);
        call::MakeRoom {
            settings: RoomSettings { title, description, visibility, password: None },
            chance: 1,
        }
    }

    /// Moves the read marker of the lobby, message by message, faster than a person reads.
    async fn marks(&mut self) {
        for _ in 0..self.dice.below(30) {
            let seq = 2 * self.world.options.people + ROOMS + self.read;
            self.read = (self.read + 1) % SAID_BEFORE;
            if let Ok(Answer::Read(seq)) = self.ask(call::Read { room: LOBBY, seq: Seq(seq) }).await
            {
                let mut marks = self.world.marks.borrow_mut();
                let mark = marks.entry((LOBBY, AccountId(self.number))).or_insert(seq);
                *mark = (*mark).max(seq);
            }
        }
    }

    /// Makes a call, and hangs up before the answer.
    async fn hangs_up(&mut self) {
        let (call, millis) = (self.makes_room(), self.dice.below(20));
        let _ = timeout(Duration::from_millis(millis), self.ask(call)).await;
    }

    /// Sends a message, sometimes twice, like a client that has not received the answer.
    pub(super) async fn send(&mut self, room: RoomId) -> Result<Answer, Refusal> {
        let (text, id) = self.words();
        let action =
            Action::Send { room, text: text.clone().into(), client_id: id, reply_to: None };
        let answer = self.ask(call::Act(action.clone())).await;
        let Ok(Answer::Acted(Acted { seq, .. })) = &answer else { return answer };
        self.is_logged(*seq, &text);
        if self.dice.one_in(8)
            && let Ok(Answer::Acted(Acted { seq: again, repeated, .. })) =
                self.ask(call::Act(action)).await
        {
            assert_eq!((again, repeated), (*seq, true), "a repeated send");
        }
        answer
    }

    fn words(&mut self) -> (String, Option<ClientId>) {
        let number = self.world.fresh();
        let id = ClientId::new(&format!("id{number}"));
        (format!("{number} {}", "x".repeat(1 << self.dice.below(8))), id)
    }

    /// An acknowledged message is in the log.
    fn is_logged(&self, seq: Seq, text: &str) {
        let log = self.world.log.borrow();
        let index = usize::try_from(seq.0 - 1).expect("an index");
        let (_, entry) = log.log.get(index).expect("an acknowledged message is in the log");
        assert!(matches!(entry, Entry::Said { text: logged, .. } if **logged == *text), "{seq:?}");
    }

    /// Subscribes to a room; sends, receives, and leaves.
    async fn has_subscription(&mut self) {
        // (A small outbox, so that the subscription soon lags.)
        let most = self.world.options.outbox_max.min(100 << self.dice.below(6));
        let (worker, socket) = self.connects(most);
        let (subscription, room) = (socket.subscription(), RoomRef::Id(self.room()));
        let (access, enter) = (Access::Open, self.dice.one_in(2));
        let call = call::Subscribe {
            subscription,
            protocol: ProtocolId(0),
            room,
            access,
            claim: None,
            enter,
        };
        match self.world.hub.subscribe(subscription, self.caller(), call).await {
            Ok((subscription, _)) => {
                Conversation::new(self, &socket, subscription, None, worker).hold().await
            }
            Err(Refusal::Unauthenticated) => drop(self.log_in().await),
            Err(_) => {}
        }
        self.world.connections[worker].borrow_mut().remove(&socket.subscription());
    }

    /// Opens or resumes a stream; sends, receives, and leaves. With `upto` it only receives;
    /// `true`: it has received everything up to that entry.
    pub(super) async fn streams(&mut self, upto: Option<Seq>) -> bool {
        let (worker, socket) = self.connects(self.world.options.outbox_max);
        let (subscription, mut all) = (socket.subscription(), false);
        let call = call::OpenStream { subscription, protocol: ProtocolId(1), only: None };
        match self.world.hub.subscribe(subscription, self.caller(), call).await {
            Ok((subscription, following)) => {
                if let Some(lines) = self.begins(&socket, following).await {
                    let talk = Conversation::new(self, &socket, subscription, Some(lines), worker);
                    match upto {
                        Some(upto) => all = talk.listen(upto).await,
                        None => talk.hold().await,
                    }
                    let log = self.world.log.borrow();
                    self.view.as_ref().expect("it has begun").check(&log);
                }
            }
            Err(Refusal::Unauthenticated) => drop(self.log_in().await),
            Err(_) => {}
        }
        self.world.connections[worker].borrow_mut().remove(&socket.subscription());
        all
    }

    /// Connects to a random worker.
    fn connects(&mut self, outbox_max: usize) -> (usize, Rc<SimulatedSocket>) {
        let worker =
            usize::try_from(self.dice.below(self.world.connections.len() as u64)).expect("few");
        let id = subscription_id(worker, self.world.fresh());
        let socket = Rc::new(SimulatedSocket::new(id, outbox_max));
        self.world.connections[worker].borrow_mut().insert(id, socket.clone());
        (worker, socket)
    }
}

/// The client's side of one connection.
pub struct Conversation<'a> {
    pub(super) person: &'a mut Person,
    pub(super) socket: &'a SimulatedSocket,
    subscription: SubscriptionGuard,
    stream: bool,
    /// The connection's view of its stream.
    pub(super) lines: Option<Lines>,
    /// The last entry that its worker has announced.
    pub(super) head: Head,
    told: VecDeque<PendingTell>,
    /// The last received message of each room.
    last: HashMap<u64, u64>,
}

impl<'a> Conversation<'a> {
    fn new(
        person: &'a mut Person,
        socket: &'a SimulatedSocket,
        subscription: SubscriptionGuard,
        lines: Option<Lines>,
        worker: usize,
    ) -> Conversation<'a> {
        let (stream, head) = (lines.is_some(), person.world.heads[worker].clone());
        let (told, last) = (VecDeque::new(), HashMap::new());
        Conversation { person, socket, subscription, stream, lines, head, told, last }
    }

    async fn hold(mut self) {
        let slow = self.person.dice.one_in(3);
        for _ in 0..self.person.dice.below(40) {
            if !slow || self.person.dice.one_in(12) {
                self.read();
                self.makes_up().await;
            }
            self.pumps().await;
            if self.socket.is_closed() {
                return;
            }
            if self.socket.unanswered.get() < self.person.world.options.unanswered_max {
                self.tell().await;
            } else {
                self.socket.nudged.notified().await;
            }
            if self.person.dice.one_in(3) {
                self.person.pause().await;
            }
        }
        // Most clients wait for their replies; the others just leave.
        while self.person.dice.one_in(3) || !self.told.is_empty() {
            self.read();
            self.makes_up().await;
            self.pumps().await;
            if self.socket.is_closed() || self.person.dice.one_in(50) {
                return;
            }
            if !self.told.is_empty() {
                let patience = Duration::from_secs(200);
                let nudged = timeout(patience, self.socket.nudged.notified()).await;
                assert!(nudged.is_ok(), "{} tells are never replied to", self.told.len());
            }
        }
    }

    /// Receives until everything up to an entry has arrived. `false`: the stream ends before.
    async fn listen(mut self, upto: Seq) -> bool {
        while !self.socket.is_closed() {
            self.read();
            if self.person.view.as_ref().is_some_and(|view| view.cursor() >= upto) {
                return true;
            }
            self.pumps().await;
            let _ = timeout(Duration::from_millis(50), self.socket.nudged.notified()).await;
        }
        false
    }

    /// Reads back missed messages page by page, like a connection's own task.
    async fn makes_up(&mut self) {
        while let Some((from, own)) = self.socket.lags_from() {
            match (from, self.socket.room_id()) {
                (Some(from), Some(room)) => {
                    self.person.catches_up(self.socket, room, from, &own).await
                }
                (None, _) => self.socket.make_up(&[], Seq(0), Seq(0)),
                (_, None) => return,
            }
            self.read();
        }
    }

    async fn tell(&mut self) {
        let (text, mark) = self.person.words();
        let garbled = self.person.dice.one_in(6);
        let room = self.person.room();
        let shown = mark.clone().expect("a mark");
        let told = PendingTell {
            text: (!garbled).then(|| text.clone()),
            mark: if self.stream || garbled { shown.as_str().to_owned() } else { "-".to_owned() },
        };
        self.told.push_back(told);
        let event = match (garbled, self.stream) {
            (true, _) => ClientEvent::Garbled { refusal: Refusal::MessageTooLong, mark },
            (false, true) => {
                let (text, reply_to) = (text.into(), None);
                let action = Action::Send { room, text, client_id: mark.clone(), reply_to };
                ClientEvent::Stream(StreamEvent::Act { action, mark })
            }
            (false, false) => {
                ClientEvent::Room(RoomEvent::Say { name: None, color: None, text: text.into() })
            }
        };
        self.socket.unanswered.set(self.socket.unanswered.get() + 1);
        if let Err(event) = self.subscription.try_tell(event) {
            self.subscription.tell(event).await;
        }
    }

    /// Checks everything that was delivered.
    fn read(&mut self) {
        let heard = self.socket.read();
        for line in heard.lines() {
            self.person.world.note(&format!("{} hears {line}", self.person.number));
            if self.stream {
                self.hears(line);
                continue;
            }
            let mut words = line.splitn(4, ' ');
            let mut word = || words.next().unwrap_or_default();
            let number = |word: &str| word.parse::<u64>().expect("a number");
            match word() {
                "said" => {
                    let (room, seq) = (number(word()), number(word()));
                    self.said(room, seq, word());
                }
                "other" => {}
                "ok" => {
                    let (seq, mark) = (number(word()), word().to_owned());
                    let text = self.replied(&mark).expect("only valid messages are accepted");
                    self.person.is_logged(Seq(seq), &text);
                }
                "no" => {
                    word();
                    let mark = word().to_owned();
                    self.replied(&mark);
                }
                other => panic!("{other}: {line}"),
            }
        }
    }

    /// Checks a frame of a stream.
    fn hears(&mut self, line: &str) {
        let frame: Value = serde_json::from_str(line).expect("JSON");
        let mark = || frame["client_id"].as_str().expect("a client id");
        match frame["type"].as_str().expect("a type") {
            "ack" => {
                let text = self.replied(mark()).expect("only valid messages are accepted");
                self.person.is_logged(Seq(frame["seq"].as_u64().expect("a number")), &text);
            }
            "error" => drop(self.replied(mark())),
            _ => {
                let said = self.person.view.as_mut().expect("a stream").take(&frame);
                if let Some((seq, text)) = said {
                    self.person.is_logged(seq, &text);
                }
            }
        }
    }

    /// A reply belongs to the oldest tell without a reply.
    fn replied(&mut self, mark: &str) -> Option<String> {
        let told = self.told.pop_front().expect("a reply to nothing");
        assert_eq!(told.mark, mark, "replies are out of order");
        told.text
    }

    /// A received message is in the log, and is the next one of its room.
    fn said(&mut self, room: u64, seq: u64, text: &str) {
        self.person.is_logged(Seq(seq), text);
        let before = self.last.insert(room, seq);
        let Some(before) = before else { return };
        assert!(before < seq, "room {room}: {seq} after {before}");
        let log = self.person.world.log.borrow();
        let index = |seq| usize::try_from(seq).expect("an index");
        let between = &log.log[index(before)..index(seq - 1)];
        let left_out = between
            .iter()
            .find(|(_, entry)| matches!(entry, Entry::Said { room: there, .. } if there.0 == room));
        assert!(left_out.is_none(), "room {room}: {before}, {seq}: {left_out:?}");
    }
}
