//! A following client's picture of what it hears: rooms and their messages, as plainly as a page
//! shows them. It trusts the server, and has no rules of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::simulation::book::Book;
use crate::chat::{
    AccountId, Author, Description, Emoji, Entry, Event, EventKind, RoomId, Rules, Seq, Standing,
    Title, Visibility,
};
use crate::time::Time;

#[derive(Clone, Default)]
pub struct Picture {
    pub rooms: BTreeMap<RoomId, RoomPicture>,
    /// Rooms of which it heard that they are gone, or that it is no member any more.
    gone: BTreeSet<RoomId>,
    /// The last entry that it has heard.
    told: Seq,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct RoomPicture {
    /// As last heard, with the room.
    pub settings: Option<(Title, Description, Visibility, Rules)>,
    /// Membership changes since it follows.
    pub moves: BTreeMap<String, bool>,
    /// Changes of somebody's standing since it follows: as a moderator, and muted.
    pub standings: BTreeMap<(String, bool), Standing>,
    pub messages: BTreeMap<Seq, Message>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    pub author: Author,
    /// `None` if the message was deleted.
    pub words: Option<Box<str>>,
    pub edited: Option<Time>,
    pub reactions: BTreeSet<(Option<AccountId>, String, Emoji)>,
}

impl Picture {
    /// Sequence numbers only grow, from the log and live.
    fn grows(&mut self, seq: Seq) {
        assert!(seq > self.told, "{seq} is heard after {}", self.told);
        self.told = seq;
    }

    /// A message in its current form.
    pub fn said(&mut self, room: RoomId, seq: Seq, message: Message) {
        self.grows(seq);
        self.rooms.entry(room).or_default().messages.insert(seq, message);
    }

    pub fn hear(&mut self, event: &Event) {
        if let Some(seq) = event.kind.seq() {
            if let EventKind::Said { text, .. } = &event.kind {
                return self.said(event.room, seq, Message::new(&event.author, text));
            }
            self.grows(seq);
        }
        let place = self.rooms.entry(event.room).or_default();
        let author = event.author.clone();
        match &event.kind {
            EventKind::Room { info, .. } => {
                let (title, description) = (info.title.clone(), info.description.clone());
                // (The title of a room for two is the other person's name, which the log does not
                // have.)
                let title = if info.direct { Title::of_direct(info.id) } else { title };
                place.settings = Some((title, description, info.visibility, info.rules));
            }
            EventKind::Gone { .. } => {
                self.rooms.remove(&event.room);
                self.gone.insert(event.room);
            }
            EventKind::Member { member, .. } => {
                place.moves.insert(author.name.to_string(), *member);
            }
            EventKind::Standing { change, .. } => {
                let moderates = matches!(change, Standing::Moderator(_));
                place.standings.insert((author.name.to_string(), moderates), *change);
            }
            EventKind::Edited { target, text, .. } => {
                // A page of the log may have shown already that a message was deleted, while the
                // core still announces an earlier edit. A deleted message stays deleted.
                let message = place.messages.get_mut(target);
                if let Some(message) = message.filter(|message| message.words.is_some()) {
                    (message.words, message.edited) = (Some(text.clone()), Some(event.time));
                }
            }
            EventKind::Deleted { target, .. } => {
                if let Some(message) = place.messages.get_mut(target) {
                    (message.words, message.edited) = (None, None);
                    message.reactions.clear();
                }
            }
            EventKind::Reacted { target, emoji, on, .. } => {
                if let Some(message) = place.messages.get_mut(target) {
                    let reaction = (author.account, author.name.to_string(), emoji.clone());
                    if *on {
                        message.reactions.insert(reaction)
                    } else {
                        message.reactions.remove(&reaction)
                    };
                }
            }
            EventKind::Said { .. }
            | EventKind::Joined
            | EventKind::Left
            | EventKind::Typing
            | EventKind::Read { .. } => {}
        }
    }

    /// A client that follows since `start` sees exactly the messages of its current rooms, since
    /// then or since the membership, with their current text and reactions.
    pub fn check(&self, who: &Follows, start: Seq, book: &Book, log: &[(Time, Entry)]) {
        for id in &self.gone {
            let theirs = book.belonged.contains(&(who.account, *id));
            assert!(theirs, "{id:?} is gone from a client that never was a member");
        }
        for (id, room) in &self.rooms {
            let unheard = *room == RoomPicture::default();
            assert!(unheard || who.belongs(book, *id).is_some(), "{id:?} is shown to a non-member");
        }
        for (id, record) in &book.rooms {
            let Some(since) = who.belongs(book, *id) else { continue };
            let nothing = RoomPicture::default();
            let seen = self.rooms.get(id).unwrap_or(&nothing);
            assert_eq!(seen.messages, messages(*id, since.max(start), log), "in {id:?}");
            assert!(since <= start || seen.settings.is_some(), "{id:?} is not shown to a member");
            if let Some(settings) = seen.settings.as_ref().filter(|_| record.between.is_none()) {
                let (kept, rules) = (&record.settings, record.rules());
                let kept = (kept.title.clone(), kept.description.clone(), kept.visibility, rules);
                assert_eq!(*settings, kept, "{id:?} has changed");
            }
        }
    }

    /// Two clients that must hear the same see the same.
    pub fn equals(&self, other: &Picture) {
        assert_eq!(self.gone, other.gone, "only one client heard that a room is gone");
        let nothing = RoomPicture::default();
        for id in self.rooms.keys().chain(other.rooms.keys()) {
            let one = self.rooms.get(id).unwrap_or(&nothing);
            let two = other.rooms.get(id).unwrap_or(&nothing);
            assert_eq!((&one.messages, &one.moves), (&two.messages, &two.moves), "in {id:?}");
            assert_eq!(one.standings, two.standings, "in {id:?}");
            // (The log also shows a change that had no effect.)
            if let (Some(one), Some(two)) = (&one.settings, &two.settings) {
                assert_eq!(one, two, "{id:?}");
            }
        }
    }
}

impl Message {
    pub fn new(author: &Author, words: &str) -> Message {
        let (author, words) = (author.clone(), Some(words.into()));
        Message { author, words, edited: None, reactions: BTreeSet::new() }
    }
}

/// The account and the rooms of a stream.
#[derive(Clone, PartialEq, Debug)]
pub struct Follows {
    pub account: AccountId,
    pub only: Option<Vec<RoomId>>,
}

impl Follows {
    pub fn wants(&self, room: RoomId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&room))
    }

    /// The entry after which a room is part of it.
    pub fn belongs(&self, book: &Book, room: RoomId) -> Option<Seq> {
        let members = book.rooms.get(&room).filter(|_| self.wants(room)).map(|room| &room.members);
        let mut members = members.into_iter().flatten();
        members.find(|member| member.account == self.account).map(|member| member.since)
    }
}

/// The messages of a room after an entry, in their current form.
fn messages(room: RoomId, after: Seq, log: &[(Time, Entry)]) -> BTreeMap<Seq, Message> {
    let mut all: BTreeMap<Seq, Message> = BTreeMap::new();
    for (seq, (time, entry)) in (1..).map(Seq).zip(log).filter(|(seq, _)| *seq > after) {
        match entry.act() {
            Entry::Said { room: at, author, text, .. } if *at == room => {
                all.insert(seq, Message::new(author, text));
            }
            Entry::Edited { target, text, .. } => {
                if let Some(message) = all.get_mut(target) {
                    (message.words, message.edited) = (Some(text.clone()), Some(*time));
                }
            }
            Entry::Deleted { target, .. } => {
                if let Some(message) = all.get_mut(target) {
                    (message.words, message.edited) = (None, None);
                    message.reactions.clear();
                }
            }
            Entry::Reacted { target, by, emoji, on, .. } => {
                if let Some(message) = all.get_mut(target) {
                    let reaction = (by.account, by.name.to_string(), emoji.clone());
                    if *on {
                        message.reactions.insert(reaction)
                    } else {
                        message.reactions.remove(&reaction)
                    };
                }
            }
            _ => {}
        }
    }
    all
}
