//! The end of subscriptions, and invariants when nothing is pending.

use crate::chat::simulation::Simulation;
use crate::chat::simulation::book::Book;
use crate::chat::simulation::world::{Hearing, Member, View, World};
use crate::chat::{
    AccountId, Answer, CallId, Caller, Command, Effect, Entry, Folded, Page, Refusal, RoomId,
    RoomRecord, SessionId, Source, SubscriptionId, Visibility, call,
};
use crate::time::Time;

impl World {
    /// When nothing waits for the log, every call and tell has its answer, and exactly the
    /// subscriptions that must exist by the rules hear their rooms.
    pub fn check_settled(&self) {
        assert!(self.asks.is_empty(), "a call was never answered");
        for (base, stream) in &self.streams {
            assert!(
                stream.standing || stream.subscriptions.is_empty(),
                "{base:?} hears all the same"
            );
            assert!(stream.standing || stream.left || stream.dismissed, "{base:?} hangs");
            assert!(!stream.standing || stream.tells.is_empty(), "{base:?} waits for a reply");
        }
        for (subscription, member) in &self.members {
            let hears = member.hearing == Hearing::Now;
            assert_eq!(hears, member.standing, "{subscription:?} hears against the rules");
            assert!(!hears || member.tells.is_empty(), "{subscription:?} waits for a reply");
        }
    }

    /// The roster from events equals the core's answer, and has no ghosts.
    pub fn check_roster(&self, room: RoomId, present: &[Folded]) {
        let heard = self.rosters.get(&room).map_or(&[][..], |roster| roster);
        assert_eq!(heard, present, "who is present in {room:?}");
        let inside = |member: &&Member| member.room == room && member.standing;
        let subscriptions = self.members.values().filter(inside).count();
        let streams = self.streams.values().flat_map(|stream| stream.subscriptions.values());
        let subscriptions = subscriptions + streams.filter(|other| **other == room).count();
        assert!(present.len() <= subscriptions, "there are ghosts in {room:?}");
    }

    /// No refused message is in the log.
    pub fn check_refused(&self, log: &[(Time, Entry)]) {
        for (_, entry) in log {
            if let Entry::Said { text, .. } = entry {
                assert!(
                    !self.refused_texts.contains(text),
                    "{text:?} was refused, but is in the log"
                );
            }
        }
    }

    /// Every stream that must hear the entry has heard it.
    pub fn check_due(&mut self) {
        let streams = &self.streams;
        self.due.retain(|base, _| streams.get(base).is_some_and(|stream| stream.standing));
        assert!(self.due.is_empty(), "not heard: {:?}", self.due);
    }

    /// A stream's connection is gone, or its session. The session was in use until now.
    pub fn end_stream(&mut self, base: SubscriptionId, left: bool) -> Option<SessionId> {
        let stream = self.streams.get_mut(&base)?;
        stream.left |= left;
        std::mem::take(&mut stream.standing).then_some(stream.session).flatten()
    }

    pub fn end_streams(&mut self, who: impl Fn(&View) -> bool) -> Vec<SessionId> {
        let all = self.streams.iter().filter(|(_, stream)| who(stream)).map(|(base, _)| *base);
        let all: Vec<SubscriptionId> = all.collect();
        all.into_iter().filter_map(|base| self.end_stream(base, false)).collect()
    }

    /// Ends subscriptions, by the rules. Returns the sessions that were in use until now.
    pub fn unsubscribe(
        &mut self,
        who: impl Fn(&SubscriptionId, &Member) -> bool,
    ) -> Vec<SessionId> {
        let standing = self.members.iter_mut().filter(|(_, member)| member.standing);
        let going = standing.filter(|(subscription, member)| who(subscription, member));
        let ended = going.filter_map(|(_, member)| {
            member.standing = false;
            member.session
        });
        ended.collect()
    }
}

impl Simulation {
    /// Compares the core's list of people present with the announcements.
    pub(super) fn check_present(&mut self, room: RoomId) {
        if self.world.closed {
            return; // A shutdown announces no parts.
        }
        // A room for two answers only its two accounts; a deleted one nobody.
        if self.book.rooms.get(&room).is_none_or(|room| room.between.is_some()) {
            return;
        }
        let mut effects = Vec::new();
        let ask = Command::Call {
            id: CallId(u64::MAX),
            source: Source::Own,
            // (Who is nobody, and let in whatever the policy.)
            caller: Caller::Operator,
            call: call::Present { room, after: 0 }.into(),
        };
        self.chat.handle(self.moment(), ask, &mut effects);
        let mut told = match effects.pop() {
            Some(Effect::Answer {
                answer: Ok(Answer::Present(Page { items: present, .. })),
                ..
            }) => present,
            Some(Effect::Answer { answer: Err(Refusal::RoomNotFound), .. }) => Vec::new(),
            other => panic!("{other:?} is no list of people present"),
        };
        let open = |room: &RoomRecord| room.settings.visibility == Visibility::Public;
        if self.book.rooms.get(&room).is_some_and(|room| !open(room)) {
            assert!(told.is_empty(), "a stranger learns who is in {room:?}");
            told = self.chat.rooms.get(room).expect("a room").present(0).items;
        }
        let names: Vec<Folded> = told.iter().map(|person| person.author.name.folded()).collect();
        self.world.check_roster(room, &names);
        assert!(self.book.rooms.contains_key(&room) || names.is_empty());
    }
}

impl Book {
    /// Whether an entry ends an account's subscription with that session or without one.
    pub fn ends_subscription(
        &self,
        entry: &Entry,
        whose: Option<AccountId>,
        by: Option<SessionId>,
    ) -> bool {
        match entry.act() {
            Entry::SessionEnded { session } => by == Some(*session),
            Entry::KeyChanged { account, but, .. } => {
                // (A session's subscription may have a name without an account.)
                let session = by.and_then(|by| self.sessions.get(&by));
                let theirs = whose.or(session.map(|one| one.account)) == Some(*account);
                self.fits(entry) && theirs && (by.is_none() || by != *but)
            }
            Entry::BanChanged { account, on: true } | Entry::Recovered { account, .. } => {
                let session = by.and_then(|by| self.sessions.get(&by));
                let theirs = whose.or(session.map(|one| one.account)) == Some(*account);
                // (Likewise.)
                self.fits(entry) && (theirs || session.is_some_and(|one| one.account == *account))
            }
            _ => false,
        }
    }
}
