//! Streams that fall behind and catch up from the log, with the real cursor and the real frames;
//! and the invariants of what a client receives that lags, leaves and resumes.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::chat::simulation::disk::Disk as Log;
use crate::chat::{
    AccountId, Answer, Entry, LOBBY, MembershipMarks, OpenedStream, RoomId, Seq, call,
};
use crate::codec::Disconnect;
use crate::limits::PAGE_ENTRIES_MAX;
use crate::protocol::{Excerpt, Lines, StreamPage};
use crate::store::{Entries, LogRow, RowKind};
use crate::time::Time;
use crate::worker::delivery::Listener;
use crate::worker::simulation::people::{Conversation, Person};
use crate::worker::simulation::reading::{DEADLINE, LogReader, message};
use crate::worker::simulation::wire::SimulatedSocket;
use crate::worker::simulation::{World, people};

/// The memberships, each with the entry that began it.
#[derive(Default)]
struct Members(HashMap<(RoomId, AccountId), Seq>);

impl Members {
    /// The memberships after the entries up to this one.
    fn of(log: &Log, entries: Seq) -> Members {
        let mut members = Members::default();
        for (seq, entry) in entries_of(log).take_while(|(seq, _)| *seq <= entries) {
            members.apply(seq, entry);
        }
        members
    }

    /// Applies an entry. `true`: it has changed a membership.
    fn apply(&mut self, seq: Seq, entry: &Entry) -> bool {
        let before = self.0.len();
        match entry {
            Entry::AccountMade { account, .. } => self.come(LOBBY, *account, seq),
            Entry::RoomMade { room, owner: Some(owner), .. } => self.come(*room, *owner, seq),
            Entry::MemberChanged { room, account, member: true, .. } => {
                self.come(*room, *account, seq);
            }
            Entry::MemberChanged { room, account, .. } => drop(self.0.remove(&(*room, *account))),
            Entry::RoomGone { room, .. } => self.0.retain(|(there, _), _| there != room),
            Entry::AccountEnded { .. } | Entry::RoomChanged { .. } | Entry::RoomReturned { .. } => {
                unreachable!("the simulation has no such entry")
            }
            _ => {}
        }
        self.0.len() != before
    }

    fn come(&mut self, room: RoomId, account: AccountId, seq: Seq) {
        self.0.entry((room, account)).or_insert(seq);
    }

    /// The room of which an account ceases to be a member by an entry.
    fn leaves(&self, account: AccountId, entry: &Entry) -> Option<RoomId> {
        let room = match entry {
            Entry::MemberChanged { room, account: who, member: false, .. } if *who == account => {
                room
            }
            Entry::RoomGone { room, .. } => room,
            _ => return None,
        };
        self.has(*room, account).then_some(*room)
    }

    fn has(&self, room: RoomId, account: AccountId) -> bool {
        self.0.contains_key(&(room, account))
    }

    fn rooms(&self, account: AccountId) -> HashMap<RoomId, Seq> {
        let of = self.0.iter().filter(|((_, member), _)| *member == account);
        of.map(|((room, _), since)| (*room, *since)).collect()
    }
}

fn entries_of(log: &Log) -> impl Iterator<Item = (Seq, &Entry)> {
    (1..).map(Seq).zip(log.log.iter().map(|(_, entry)| entry))
}

impl LogReader {
    /// The excerpt that the real reader makes for a stream.
    fn excerpt(&self, account: AccountId, from: Seq, rows_max: usize) -> Excerpt {
        let log = self.0.borrow();
        let head = Seq(log.log.len() as u64);
        let all = (1..).map(Seq).zip(&log.log).filter(|(seq, _)| *seq > from);
        let rows = all.take(rows_max).map(|(seq, (time, entry))| row(seq, *time, entry));
        let rows: Vec<LogRow> = rows.collect();
        let upto = rows.last().filter(|_| rows.len() == rows_max).map_or(head, |row| row.seq);
        let (mut names, mut lost) = (HashMap::new(), HashMap::new());
        let mut members = Members::default();
        for (seq, entry) in entries_of(&log) {
            let leaves = members.leaves(account, entry);
            let changed = members.apply(seq, entry);
            if seq <= from || seq > upto {
                continue;
            }
            lost.extend(leaves.map(|room| (seq, room)));
            if let Entry::MemberChanged { account, member, .. } = entry
                && (*member || changed)
            {
                names.insert((*account, seq), people::name(*account));
            }
        }
        let memberships = members.rooms(account).into_iter();
        let memberships = memberships
            .map(|(room, since)| MembershipMarks { room, since, read: Seq(0) })
            .collect();
        let entries = Entries { rows, upto, head, oldest: Seq(1) };
        Excerpt { entries, memberships, names, lost }
    }
}

fn row(seq: Seq, time: Time, entry: &Entry) -> LogRow {
    let kind = match entry {
        Entry::Said { room, text, .. } => {
            RowKind::Said(Box::new(message(*room, seq, text.clone())))
        }
        entry => RowKind::Other(entry.clone()),
    };
    LogRow { seq, time, kind }
}

/// What a client has received of the log since its first stream.
pub struct View {
    account: AccountId,
    /// The cursor at the start.
    first: Seq,
    /// The client's cursor: it resumes from here.
    cursor: Seq,
    /// The received messages and membership changes of others, in order.
    told: Vec<Seq>,
    /// The client's rooms, by what it has received.
    rooms: HashSet<RoomId>,
}

impl View {
    fn new(account: AccountId, log: &Log, first: Seq) -> View {
        let rooms = Members::of(log, first).rooms(account).into_keys().collect();
        View { account, first, cursor: first, told: Vec::new(), rooms }
    }

    pub fn cursor(&self) -> Seq {
        self.cursor
    }

    /// Takes a frame. The sequence numbers of events grow strictly; those of other frames do not
    /// shrink. Returns the number and the text of a message.
    pub fn take(&mut self, frame: &Value) -> Option<(Seq, String)> {
        let kind = frame["type"].as_str().expect("a type");
        let number = |value: &Value| value.as_u64().expect("a number");
        let (mut seq, mut said) = (self.cursor, None);
        match kind {
            "message" | "member" | "room" | "room_gone" => {
                seq = Seq(number(&frame["seq"]));
                assert!(seq > self.cursor, "after {:?}: {frame}", self.cursor);
            }
            "open" | "caught_up" | "ping" => {
                seq = Seq(number(&frame["seq"]));
                assert!(seq >= self.cursor, "after {:?}: {frame}", self.cursor);
            }
            "presence" | "read" => {}
            _ => panic!("an unexpected frame: {frame}"),
        }
        match kind {
            "message" => {
                said = Some((seq, frame["text"].as_str().expect("a text").to_owned()));
                self.told.push(seq);
            }
            "member" => self.told.push(seq),
            "room" => drop(self.rooms.insert(RoomId(number(&frame["room"]["id"])))),
            "room_gone" => drop(self.rooms.remove(&RoomId(number(&frame["room"])))),
            _ => {}
        }
        self.cursor = seq;
        said
    }

    /// Compares it with the log. The client has received everything up to its cursor that the
    /// member may see, and nothing else. (One exception: a client that lags does not receive the
    /// messages of a room that the member has left since.)
    pub fn check(&self, log: &Log) {
        let mut members = Members::of(log, self.first);
        let mut told = self.told.iter().copied().peekable();
        let mut left_out: HashMap<RoomId, Seq> = HashMap::new();
        for (seq, entry) in entries_of(log).filter(|(seq, _)| *seq > self.first) {
            let leaves = members.leaves(self.account, entry);
            let changes = members.apply(seq, entry);
            let room = match entry {
                Entry::Said { room, .. } => Some(*room),
                Entry::MemberChanged { room, account, .. } => {
                    (changes && *account != self.account).then_some(*room)
                }
                _ => None,
            };
            let is_told = told.next_if_eq(&seq).is_some();
            let is_seen = room.filter(|room| members.has(*room, self.account));
            assert!(
                is_seen.is_some() || !is_told,
                "{seq:?} was told, but the member may not see it: {entry:?}"
            );
            if let Some(room) = is_seen.filter(|_| !is_told && seq <= self.cursor) {
                left_out.entry(room).or_insert(seq);
            }
            leaves.and_then(|room| left_out.remove(&room));
        }
        self.check_rooms(log);
        assert_eq!(told.next(), None, "told, but not in the log");
        assert!(left_out.is_empty(), "up to {:?} never told: {left_out:?}", self.cursor);
    }

    /// The client has no room whose membership ended up to the cursor, and has each room whose
    /// membership began up to the cursor and has not ended since.
    fn check_rooms(&self, log: &Log) {
        let then = Members::of(log, self.cursor).rooms(self.account);
        let now = Members::of(log, Seq(u64::MAX)).rooms(self.account);
        for room in &self.rooms {
            assert!(then.contains_key(room), "at {:?} still in {room:?}", self.cursor);
        }
        for (room, _) in now.iter().filter(|(_, since)| **since <= self.cursor) {
            assert!(self.rooms.contains(room), "at {:?} not told of {room:?}", self.cursor);
        }
    }
}

async fn one_page(world: Rc<World>) {
    let page = world.streams.read_in_turn(DEADLINE, |reader| Ok(reader.head())).await;
    world.note(&format!("one of many streams: {page:?}"));
}

impl Person {
    async fn page_of(&mut self, lines: &Lines, from: Seq) -> Option<StreamPage> {
        let Ok(Answer::Heard(heard)) = self.ask(call::Heard).await else { return None };
        let (account, few) = (self.account(), self.dice.below(20));
        let rows_max = if self.dice.one_in(4) { PAGE_ENTRIES_MAX as u64 } else { 1 + few };
        let rows_max = usize::try_from(rows_max).expect("small");
        let job = move |reader: &LogReader| Ok(reader.excerpt(account, from, rows_max));
        let excerpt = self.world.streams.read_in_turn(DEADLINE, job).await;
        self.world.note(&format!("a stream reads after {from:?}: {:?}", excerpt.is_ok()));
        self.world.pages_of_streams.set(self.world.pages_of_streams.get() + 1);
        lines.page_of(&self.world.hub, excerpt.ok()?, from, heard).await
    }

    /// Begins the connection's view of a stream: from now on, or from the end of the last stream.
    pub async fn begins(
        &mut self,
        socket: &SimulatedSocket,
        following: OpenedStream,
    ) -> Option<Lines> {
        let head = self.world.streams.read_in_turn(DEADLINE, |reader| Ok(reader.head())).await;
        let head = head.ok()?;
        if self.view.is_none() || self.dice.one_in(12) {
            self.view = Some(View::new(following.account, &self.world.log.borrow(), head));
        }
        let cursor = self.view.as_ref().expect("it was just made").cursor;
        let lines = Lines::begin("epoch", self.caller(), following, cursor);
        socket.stream_from(lines.script().cursor());
        socket.queue(lines.script().opening());
        Some(lines)
    }

    /// The disk works again: a stream that lags catches up, and then the client has everything.
    pub async fn streams_at_last(&mut self) {
        for _ in 0..200 {
            if self.view.is_none() {
                return;
            }
            let heard = self.ask(call::Heard).await;
            if let Ok(Answer::Heard(heard)) = heard
                && self.streams(Some(heard)).await
            {
                let view = self.view.as_ref().expect("a stream was opened");
                let log = self.world.log.borrow();
                return view.check(&log);
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("the disk works, but a stream never catches up");
    }
}

impl Conversation<'_> {
    /// Reads the log for a stream that is behind, page by page, like a connection's own task.
    pub async fn pumps(&mut self) {
        let Some(lines) = self.lines.take() else { return };
        while let Some(from) = self.socket.page_from() {
            // Sometimes many streams are behind at once.
            let dice = &mut self.person.dice;
            let crowd = if dice.one_in(12) { dice.below(6) } else { 0 };
            let world = &self.person.world;
            let crowd: Vec<_> = (0..crowd).map(|_| spawn_local(one_page(world.clone()))).collect();
            match self.person.page_of(&lines, from).await {
                Some(page) if self.socket.page(&page.bytes, page.upto, page.head) => {
                    self.socket.queue(&lines.script().caught_up(page.upto, &page.read));
                }
                Some(_) => {}
                None => self.socket.close(Disconnect::TryLater),
            }
            for read in crowd {
                read.await.expect("no panic");
            }
        }
        if self.person.dice.one_in(6) {
            self.socket.ping(lines.script(), &self.head);
        }
        self.lines = Some(lines);
    }
}
