//! Clients that follow a stream: they disconnect at any point, resume from the last entry that they
//! know, and must then have the same view as a client that has stayed.
//!
//! They rebuild what they have missed from the log, by the rule of the protocol's streams (see
//! `protocol/native/events.rs`): with the log as it is at the time of reading, which may be ahead
//! of the core; and only up to the core's last entry, because the core announces the rest.

use std::collections::BTreeMap;

use crate::chat::simulation::Simulation;
use crate::chat::simulation::book::Book;
use crate::chat::simulation::picture::{Follows, Message, Picture};
use crate::chat::simulation::world::{World, base_of};
use crate::chat::{
    AccountId, Author, Effect, Entry, Event, EventKind, Name, RoomId, RoomInfo, RoomRecord,
    RoomSettings, Seq, Standing, SubscriptionId,
};
use crate::time::Time;

/// One client, connected or away.
pub struct Client {
    pub follows: Follows,
    /// The entry after which it began to follow.
    pub start: Seq,
    /// The last entry that it has heard.
    cursor: Seq,
    /// While it reads the log: the last entry that was announced meanwhile.
    behind: Option<Seq>,
    /// Its stream, while it is connected.
    base: Option<SubscriptionId>,
    picture: Picture,
}

#[derive(Default)]
pub struct Clients(pub Vec<Client>);

impl Client {
    /// A client that follows from `start` on, and has seen nothing yet.
    pub fn new(follows: Follows, start: Seq) -> Client {
        let picture = Picture::default();
        Client { follows, start, cursor: start, behind: None, base: None, picture }
    }

    pub fn is_away(&self) -> bool {
        self.base.is_none()
    }

    /// Connects, perhaps again; the log has what it has missed.
    pub fn connect(&mut self, base: SubscriptionId) {
        (self.base, self.behind) = (Some(base), Some(Seq(0)));
    }

    fn hear(&mut self, event: &Event) {
        let Some(seq) = event.kind.seq() else { return };
        match &mut self.behind {
            Some(noted) => *noted = seq.max(*noted),
            None if seq <= self.cursor => {} // A page of the log had it.
            None => {
                self.cursor = seq;
                self.picture.hear(event);
            }
        }
    }

    /// Reads this many entries of the log, up to the core's last entry, which `book` has.
    fn read(&mut self, count: usize, book: &Book, log: &[(Time, Entry)]) {
        let from = usize::try_from(self.cursor.0).expect("an index");
        let mut now = book.clone(); // The tables at the time of reading.
        let heard = usize::try_from(book.last.0).expect("an index");
        for (index, (time, entry)) in log.iter().enumerate().skip(heard) {
            now.apply(Seq(index as u64 + 1), *time, entry);
        }
        let end = (from + count).min(heard);
        let teller = Teller { follows: &self.follows, now: &now, core: book, log };
        for index in from..end {
            teller.tell(Seq(index as u64 + 1), &mut self.picture);
        }
        self.cursor = self.cursor.max(Seq(end as u64));
        if self.cursor >= book.last && self.behind.is_some_and(|noted| noted <= self.cursor) {
            self.behind = None;
        }
    }
}

impl Clients {
    /// Gives live events to the connected clients.
    pub fn follow(&mut self, effect: &Effect, world: &World) {
        for client in &mut self.0 {
            let Some(base) = client.base else { continue };
            let sits = |room| {
                let stream = world.streams.get(&base);
                stream
                    .is_some_and(|stream| stream.subscriptions.values().any(|other| *other == room))
            };
            match effect {
                Effect::Announce { event, .. } if sits(event.room) => client.hear(event),
                Effect::Notify { subscription, event, .. } if base_of(*subscription) == base => {
                    client.hear(event)
                }
                Effect::CloseStream { subscription, .. } if *subscription == base => {
                    client.base = None
                }
                _ => {}
            }
        }
    }

    pub fn leave(&mut self, base: SubscriptionId) {
        let gone = self.0.iter_mut().filter(|client| client.base == Some(base));
        gone.for_each(|client| client.base = None);
    }

    /// The server is gone; the clients keep what they know.
    pub fn crash(&mut self) {
        self.0.iter_mut().for_each(|client| client.base = None);
    }

    /// An account is gone, and its clients with it.
    pub fn forget(&mut self, account: AccountId) {
        self.0.retain(|client| client.follows.account != account);
    }
}

impl Simulation {
    /// A client that is behind reads a part of the log.
    pub(super) fn somebody_reads(&mut self) {
        let is_behind = |client: &&mut Client| client.base.is_some() && client.behind.is_some();
        let mut behind: Vec<&mut Client> = self.clients.0.iter_mut().filter(is_behind).collect();
        if behind.is_empty() {
            return;
        }
        let index = self.dice.below(behind.len() as u64);
        let count = 1 + self.dice.below(24);
        let (index, count) = (usize::try_from(index), usize::try_from(count));
        let client = &mut behind[index.expect("an index")];
        client.read(count.expect("a number"), &self.book, &self.disk.log);
    }

    /// A client is behind its limit, or its cursor moves without an event.
    pub(super) fn somebody_falls_behind(&mut self) {
        let standing = |base| self.world.streams.get(&base).is_some_and(|stream| stream.standing);
        let live =
            |client: &&mut Client| client.behind.is_none() && client.base.is_some_and(standing);
        let mut live: Vec<&mut Client> = self.clients.0.iter_mut().filter(live).collect();
        if live.is_empty() {
            return;
        }
        let index = usize::try_from(self.dice.below(live.len() as u64)).expect("an index");
        if self.dice.one_in(2) {
            live[index].behind = Some(live[index].cursor);
        } else {
            live[index].cursor = live[index].cursor.max(self.book.last);
        }
    }

    /// Every client has caught up, and sees the current state, whether it has stayed or was away.
    pub(super) fn check_clients(&mut self) {
        for client in self.clients.0.iter_mut().filter(|client| client.base.is_some()) {
            while client.behind.is_some() {
                let count = usize::try_from(1 + self.dice.below(40)).expect("a number");
                client.read(count, &self.book, &self.disk.log);
            }
            client.picture.check(&client.follows, client.start, &self.book, &self.disk.log);
        }
        let there: Vec<&Client> =
            self.clients.0.iter().filter(|client| !client.is_away()).collect();
        for (index, client) in there.iter().enumerate() {
            let same =
                |other: &&&Client| (&other.follows, other.start) == (&client.follows, client.start);
            for other in there[index + 1..].iter().filter(same) {
                client.picture.equals(&other.picture);
            }
        }
    }
}

/// Tells one member of entries in the log.
struct Teller<'a> {
    follows: &'a Follows,
    /// The tables of the log.
    now: &'a Book,
    /// The tables of the core, which answers about rooms.
    core: &'a Book,
    log: &'a [(Time, Entry)],
}

impl Teller<'_> {
    /// Whether an entry of a room belongs to the stream: earlier entries than the membership do
    /// not.
    fn sees(&self, room: RoomId, seq: Seq) -> bool {
        self.follows.belongs(self.now, room).is_some_and(|since| since < seq)
    }

    /// The room of an entry as it is now.
    fn shows(&self, seq: Seq, entry: &Entry) -> Option<RoomId> {
        let begun =
            |room: RoomId| (self.follows.belongs(self.now, room) == Some(seq)).then_some(room);
        match entry.act() {
            Entry::RoomMade { room, .. }
            | Entry::RoomReturned { room, .. }
            | Entry::DirectMade { room, .. } => begun(*room),
            Entry::MemberChanged { room, account, member: true, .. }
                if *account == self.follows.account =>
            {
                begun(*room)
            }
            Entry::RoomChanged { room, .. }
            | Entry::RulesChanged { room, .. }
            | Entry::OwnerChanged { room, .. } => self.sees(*room, seq).then_some(*room),
            _ => None,
        }
    }

    fn tell(&self, seq: Seq, picture: &mut Picture) {
        let (time, entry) = &self.log[usize::try_from(seq.0).expect("an index") - 1];
        if let Entry::Said { room, author, .. } = entry {
            if self.sees(*room, seq) {
                let (words, edited) = self.words(seq);
                let reactions = Default::default();
                let author = author.clone();
                picture.said(*room, seq, Message { author, words, edited, reactions });
            }
            return;
        }
        if let Some((room, author, kind)) = self.happened(seq, entry) {
            picture.hear(&Event { room, time: *time, author, color: None, kind });
        }
    }

    fn happened(&self, seq: Seq, entry: &Entry) -> Option<(RoomId, Author, EventKind)> {
        let me = self.author(self.follows.account)?;
        if let Some(room) = self.shows(seq, entry) {
            let info = Box::new(info(self.core.rooms.get(&room)?));
            return Some((room, me, EventKind::Room { seq, info }));
        }
        let lost = self.now.lost.get(&(self.follows.account, seq));
        if let Some(room) = lost.filter(|room| self.follows.wants(**room)) {
            return Some((*room, me, EventKind::Gone { seq }));
        }
        match entry.act() {
            Entry::Edited { room, target, by, .. } if self.sees(*room, seq) => {
                let (target, text) = (*target, self.words(*target).0?);
                Some((
                    *room,
                    by.clone(),
                    EventKind::Edited { seq, target, text, calls: Box::default() },
                ))
            }
            Entry::Deleted { room, target, by, .. } if self.sees(*room, seq) => {
                Some((*room, by.clone(), EventKind::Deleted { seq, target: *target }))
            }
            Entry::Reacted { room, target, by, emoji, on } if self.sees(*room, seq) => {
                let (target, emoji, on) = (*target, emoji.clone(), *on);
                Some((*room, by.clone(), EventKind::Reacted { seq, target, emoji, on }))
            }
            Entry::MemberChanged { room, account, member, .. } if self.sees(*room, seq) => {
                // A non-member's exit has no effect.
                let went = self.now.lost.contains_key(&(*account, seq));
                // And an account that leaves a room for two tells nobody.
                let two = self.now.rooms.get(room).is_some_and(|room| room.between.is_some());
                (!two && (*member || went)).then_some(())?;
                let author = self.author(*account)?;
                Some((*room, author, EventKind::Member { seq, member: *member }))
            }
            Entry::ModeratorChanged { room, account, on } if self.sees(*room, seq) => {
                self.standing(seq, (*room, *account), Standing::Moderator(*on))
            }
            Entry::Muted { room: Some(room), account, until } if self.sees(*room, seq) => {
                let (time, _) = &self.log[usize::try_from(seq.0).expect("an index") - 1];
                let until = Some(*until).filter(|until| time < until);
                self.standing(seq, (*room, *account), Standing::Muted(until))
            }
            _ => None,
        }
    }

    /// (An entry that did not fit has no effect.)
    fn standing(
        &self,
        seq: Seq,
        (room, account): (RoomId, AccountId),
        change: Standing,
    ) -> Option<(RoomId, Author, EventKind)> {
        self.now.standings.contains(&seq).then_some(())?;
        Some((room, self.author(account)?, EventKind::Standing { seq, change }))
    }

    fn author(&self, account: AccountId) -> Option<Author> {
        let names: &BTreeMap<AccountId, Name> = &self.now.names;
        names.get(&account).map(|name| Author { account: Some(account), name: name.clone() })
    }

    /// A message's current text and its number; `None` if it was deleted.
    fn words(&self, said: Seq) -> (Option<Box<str>>, Option<Time>) {
        let index = usize::try_from(said.0).expect("an index") - 1;
        let Entry::Said { text, .. } = &self.log[index].1 else { return (None, None) };
        let (mut words, mut edited) = (Some(text.clone()), None);
        for (time, entry) in &self.log[index..] {
            match entry.act() {
                Entry::Edited { target, text, .. } if *target == said => {
                    (words, edited) = (Some(text.clone()), Some(*time));
                }
                Entry::Deleted { target, .. } if *target == said => (words, edited) = (None, None),
                _ => {}
            }
        }
        (words, edited)
    }
}

/// The parts of a room that a picture shows.
fn info(record: &RoomRecord) -> RoomInfo {
    let RoomSettings { title, description, visibility, .. } = record.settings.clone();
    RoomInfo {
        id: record.id,
        number: record.id,
        title,
        description,
        visibility,
        rules: record.rules(),
        created: record.created,
        updated: record.updated,
        online: 0,
        present: Vec::new(),
        horizon: Seq(0),
        more: None,
        direct: record.between.is_some(),
        owner: None,
        last: record.last,
        membership: None,
    }
}
