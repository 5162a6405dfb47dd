//! Streams that fall behind and are caught up from the log, with the real cursor and the real
//! frames; and what a client has seen in the end that comes, is too slow, goes, and resumes.

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
use crate::store::{Entries, Happened, LogRow};
use crate::time::Time;
use crate::worker::delivery::Listener;
use crate::worker::simulation::people::{Conversation, Person};
use crate::worker::simulation::reading::{DEADLINE, LogReader, message};
use crate::worker::simulation::wire::Ear;
use crate::worker::simulation::{World, people};

/// Who belongs to which room, and since which entry.
#[derive(Default)]
struct Members(HashMap<(RoomId, AccountId), Seq>);

impl Members {
    /// As the first entries of a log have it, so many of them.
    fn of(log: &Log, entries: Seq) -> Members {
        let mut members = Members::default();
        for (seq, entry) in entries_of(log).take_while(|(seq, _)| *seq <= entries) {
            members.apply(seq, entry);
        }
        members
    }

    /// Whether an entry changes anything.
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
                unreachable!("nobody in the simulation does that")
            }
            _ => {}
        }
        self.0.len() != before
    }

    fn come(&mut self, room: RoomId, account: AccountId, seq: Seq) {
        self.0.entry((room, account)).or_insert(seq);
    }

    /// The room that an account ceases to belong to by an entry.
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
    /// What the real reader of the database finds for a stream.
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
            .map(|(room, since)| MembershipMarks { room, since, read: Seq(0), horizon: Seq(0) })
            .collect();
        let entries = Entries { rows, upto, head, oldest: Seq(1) };
        Excerpt { entries, memberships, names, lost }
    }
}

fn row(seq: Seq, time: Time, entry: &Entry) -> LogRow {
    let what = match entry {
        Entry::Said { room, text, .. } => {
            Happened::Said(Box::new(message(*room, seq, text.clone())))
        }
        entry => Happened::Other(entry.clone()),
    };
    LogRow { seq, time, what }
}

/// What a client has of the log, from the first stream that it opened on.
pub struct View {
    account: AccountId,
    /// Where it began.
    first: Seq,
    /// So far it has been told all, as it is said: here it resumes.
    cursor: Seq,
    /// What it was told of messages and of others' memberships, in order.
    told: Vec<Seq>,
    /// The rooms that it takes itself to be a member of.
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

    /// Takes a frame. The numbers of what happens grow strictly; those of how far all was told do
    /// not shrink. The number and the words, if it is a message.
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
            _ => panic!("nobody is told this: {frame}"),
        }
        match kind {
            "message" => {
                said = Some((seq, frame["text"].as_str().expect("words").to_owned()));
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

    /// Compares it with the log. Everything up to the cursor that the member may see was told, and
    /// nothing else was; but for what was said in a room that they have left since, which a reader
    /// who was too slow is not told any more.
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
                "{seq:?} was told, and was not to be: {entry:?}"
            );
            if let Some(room) = is_seen.filter(|_| !is_told && seq <= self.cursor) {
                left_out.entry(room).or_insert(seq);
            }
            leaves.and_then(|room| left_out.remove(&room));
        }
        self.check_rooms(log);
        assert_eq!(told.next(), None, "told, and not in the log");
        assert!(left_out.is_empty(), "up to {:?} never told: {left_out:?}", self.cursor);
    }

    /// The rooms: those that were left up to the cursor are none of its any more, and those that it
    /// came to up to there, and is in still, are.
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

    /// Begins what the connection knows of a stream: from now on, or where the last one ended.
    pub async fn begins(&mut self, ear: &Ear, following: OpenedStream) -> Option<Lines> {
        let head = self.world.streams.read_in_turn(DEADLINE, |reader| Ok(reader.head())).await;
        let head = head.ok()?;
        if self.view.is_none() || self.dice.one_in(12) {
            self.view = Some(View::new(following.account, &self.world.log.borrow(), head));
        }
        let cursor = self.view.as_ref().expect("it was just made").cursor;
        let lines = Lines::begin("epoch", self.caller(), following, cursor);
        ear.feed_from(lines.script().cursor());
        ear.queue(lines.script().opening());
        Some(lines)
    }

    /// All is well again: whoever was too slow is caught up, and has then all that there is.
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
        panic!("all is well, and a stream is never caught up");
    }
}

impl Conversation<'_> {
    /// Reads the log for a stream that is behind, page by page, as a connection's own task does.
    pub async fn pumps(&mut self) {
        let Some(lines) = self.lines.take() else { return };
        while let Some(from) = self.ear.page_from() {
            // Sometimes a whole crowd is behind at once.
            let dice = &mut self.person.dice;
            let crowd = if dice.one_in(12) { dice.below(6) } else { 0 };
            let world = &self.person.world;
            let crowd: Vec<_> = (0..crowd).map(|_| spawn_local(one_page(world.clone()))).collect();
            match self.person.page_of(&lines, from).await {
                Some(page) if self.ear.page(&page.bytes, page.upto, page.head) => {
                    self.ear.queue(&lines.script().caught_up(page.upto, &page.read));
                }
                Some(_) => {}
                None => self.ear.close(Disconnect::TryLater),
            }
            for one in crowd {
                one.await.expect("a read without fault");
            }
        }
        if self.person.dice.one_in(6) {
            self.ear.ping(lines.script(), &self.head);
        }
        self.lines = Some(lines);
    }
}
