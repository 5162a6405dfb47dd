//! What a client that follows makes of what it is told: rooms, and what was said in them, as
//! plainly as a page would show it. It trusts the server, and keeps no rule of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::simulation::book::Book;
use crate::chat::{
    AccountId, Author, Description, Emoji, Entry, Event, RoomId, Seq, Title, Visibility, What,
};
use crate::time::Time;

#[derive(Clone, Default)]
pub struct Picture {
    pub rooms: BTreeMap<RoomId, RoomPicture>,
    /// Rooms of which it was told that they are gone, or not its own any more.
    gone: BTreeSet<RoomId>,
    /// The last entry that it was told of.
    told: Seq,
}

#[derive(Clone, Default, PartialEq, Debug)]
pub struct RoomPicture {
    /// As last told, where it was.
    pub settings: Option<(Title, Description, Visibility)>,
    /// Who came to stay and who left for good, since one looks.
    pub moves: BTreeMap<String, bool>,
    pub messages: BTreeMap<Seq, Message>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    pub author: Author,
    /// None any more, if it was taken back.
    pub words: Option<Box<str>>,
    pub edited: Option<Time>,
    pub reactions: BTreeSet<(Option<AccountId>, String, Emoji)>,
}

impl Picture {
    /// Numbers only grow, whether told from the log or live.
    fn grows(&mut self, seq: Seq) {
        assert!(seq > self.told, "{seq} is told after {}", self.told);
        self.told = seq;
    }

    /// A message, as it is now.
    pub fn said(&mut self, room: RoomId, seq: Seq, message: Message) {
        self.grows(seq);
        self.rooms.entry(room).or_default().messages.insert(seq, message);
    }

    pub fn hear(&mut self, event: &Event) {
        if let Some(seq) = event.what.seq() {
            if let What::Said { text, .. } = &event.what {
                return self.said(event.room, seq, Message::new(&event.author, text));
            }
            self.grows(seq);
        }
        let place = self.rooms.entry(event.room).or_default();
        let author = event.author.clone();
        match &event.what {
            What::Room { info, .. } => {
                let (title, description) = (info.title.clone(), info.description.clone());
                // (A room for two is called by the other's name, which the log does not know.)
                let title = if info.direct { Title::of_direct(info.id) } else { title };
                place.settings = Some((title, description, info.visibility));
            }
            What::Gone { .. } => {
                self.rooms.remove(&event.room);
                self.gone.insert(event.room);
            }
            What::Member { member, .. } => {
                place.moves.insert(author.name.to_string(), *member);
            }
            What::Edited { target, text, .. } => {
                // A page of the log may have shown already that the message is taken back, while
                // the core still hears of the edit before that. What is gone stays gone.
                let message = place.messages.get_mut(target);
                if let Some(message) = message.filter(|message| message.words.is_some()) {
                    (message.words, message.edited) = (Some(text.clone()), Some(event.time));
                }
            }
            What::Deleted { target, .. } => {
                if let Some(message) = place.messages.get_mut(target) {
                    (message.words, message.edited) = (None, None);
                    message.reactions.clear();
                }
            }
            What::Reacted { target, emoji, on, .. } => {
                if let Some(message) = place.messages.get_mut(target) {
                    let reaction = (author.account, author.name.to_string(), emoji.clone());
                    if *on {
                        message.reactions.insert(reaction)
                    } else {
                        message.reactions.remove(&reaction)
                    };
                }
            }
            What::Said { .. } | What::Joined | What::Left | What::Typing | What::Read { .. } => {}
        }
    }

    /// One who has followed since `start` sees exactly what was said in the rooms that are theirs
    /// now, since then or since they came, with the words and reactions that it has now.
    pub fn check(&self, who: &Follows, start: Seq, book: &Book, log: &[(Time, Entry)]) {
        for id in &self.gone {
            let theirs = book.belonged.contains(&(who.account, *id));
            assert!(theirs, "{id:?} was never theirs, and they know that it was");
        }
        for (id, room) in &self.rooms {
            let unheard = *room == RoomPicture::default();
            assert!(unheard || who.belongs(book, *id).is_some(), "{id:?} is not theirs any more");
        }
        for (id, record) in &book.rooms {
            let Some(since) = who.belongs(book, *id) else { continue };
            let nothing = RoomPicture::default();
            let seen = self.rooms.get(id).unwrap_or(&nothing);
            assert_eq!(seen.messages, messages(*id, since.max(start), log), "in {id:?}");
            assert!(since <= start || seen.settings.is_some(), "{id:?} is theirs, and not told of");
            if let Some(settings) = seen.settings.as_ref().filter(|_| record.between.is_none()) {
                let kept = &record.settings;
                let kept = (kept.title.clone(), kept.description.clone(), kept.visibility);
                assert_eq!(*settings, kept, "{id:?} has changed");
            }
        }
    }

    /// Two who were to be told the same see the same.
    pub fn equals(&self, other: &Picture) {
        assert_eq!(self.gone, other.gone, "one was told that a room is gone, the other was not");
        let nothing = RoomPicture::default();
        for id in self.rooms.keys().chain(other.rooms.keys()) {
            let one = self.rooms.get(id).unwrap_or(&nothing);
            let two = other.rooms.get(id).unwrap_or(&nothing);
            assert_eq!((&one.messages, &one.moves), (&two.messages, &two.moves), "in {id:?}");
            // (From the log one is told once more of a change that did not fit.)
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

/// Whose stream it is, and of what.
#[derive(Clone, PartialEq, Debug)]
pub struct Follows {
    pub account: AccountId,
    pub only: Option<Vec<RoomId>>,
}

impl Follows {
    pub fn wants(&self, room: RoomId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&room))
    }

    /// Since when a room is part of it.
    pub fn belongs(&self, book: &Book, room: RoomId) -> Option<Seq> {
        let members = book.rooms.get(&room).filter(|_| self.wants(room)).map(|one| &one.members);
        let mut members = members.into_iter().flatten();
        members.find(|member| member.account == self.account).map(|member| member.since)
    }
}

/// What was said in a room after an entry, as it is now.
fn messages(room: RoomId, after: Seq, log: &[(Time, Entry)]) -> BTreeMap<Seq, Message> {
    let mut all: BTreeMap<Seq, Message> = BTreeMap::new();
    for (seq, (time, entry)) in (1..).map(Seq).zip(log).filter(|(seq, _)| *seq > after) {
        match entry {
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
