//! Streams: one connection that hears every room that its account is a member of.
//!
//! A stream is a seat of its own, through which it speaks and gets its replies, and in each of its
//! rooms an ordinary seat, numbered from the stream's own. Those come and go with the memberships.
//! What a stream hears changes at once, with the entry that changes it, so that the numbers of what
//! it hears only grow; that somebody came or went is told in its turn, as everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::chat::core::Chat;
use crate::chat::core::members::followed;
use crate::chat::state::purpose::Identity;
use crate::chat::state::stream::Stream;
use crate::chat::state::work::{Follower, Then, Work};
use crate::chat::types::{AccountId, CallId, RoomId, SeatId, Seq};
use crate::chat::vocabulary::{Answer, Effect, Event, Farewell, Following, Refusal, What, call};
use crate::limits::STREAMS_PER_ACCOUNT_MAX;

/// Seats that one stream can have in its life. Streams' own seats are multiples of it.
const SEATS_PER_STREAM: u64 = 65_536;

impl Chat {
    pub(super) fn follow(
        &mut self,
        id: CallId,
        call: call::Follow,
        who: Identity,
    ) -> Result<(), Refusal> {
        let call::Follow { seat: base, door, only } = call;
        let who = who.ok_or(Refusal::Unauthenticated)?;
        if self.closing || self.order.is_congested() {
            return Err(Refusal::Unavailable);
        }
        let known = self.accounts.get(who.account).ok_or(Refusal::Unauthenticated)?;
        let account = known.account.id;
        self.make_way(account);
        self.last_stream += 1;
        let stream = Stream {
            source: self.origin.source,
            door,
            account,
            session: who.session,
            only: only.map(BTreeSet::from_iter),
            rooms: BTreeMap::new(),
            seats: 0,
            opened: self.last_stream,
        };
        self.streams.insert(base, stream);
        self.order.set_heard(base, Some(door));
        self.accounts.open(account, who.session, base);
        let (session, after, rooms) = (who.session, RoomId(0), Vec::new());
        self.go_on_following(Follower { call: id, base, session, after, rooms });
        Ok(())
    }

    /// A new stream takes its seats, room by room. When it has all, it is answered.
    pub(super) fn go_on_following(&mut self, mut following: Follower) {
        let base = following.base;
        while let Some(stream) = self.streams.get(&base) {
            let account = stream.account;
            let Some(known) = self.accounts.get(account) else { break };
            let rest = (Bound::Excluded(following.after), Bound::Unbounded);
            let Some(id) = known.rooms.range(rest).next().copied() else {
                let (name, rooms) = (known.account.name.clone(), following.rooms);
                let answer = Answer::Following(Following { name, account, rooms });
                return self.answer(following.call, Ok(answer));
            };
            if !self.step() {
                return self.work.push_back(Work::Follow(following));
            }
            following.after = id;
            if let Some(seat) = self.seat_in(base, id) {
                self.come(seat);
                let room = self.rooms.get(id);
                following.rooms.extend(room.and_then(|room| followed(room, account)));
            }
        }
        // It ended before it had begun.
        let ended = following.session.is_some_and(|one| self.accounts.session(one).is_none());
        let refusal = if ended { Refusal::Unauthenticated } else { Refusal::Unavailable };
        self.answer(following.call, Err(refusal));
    }

    /// The oldest streams of an account that has as many as it may are closed.
    fn make_way(&mut self, account: AccountId) {
        let mut own: Vec<(u64, SeatId)> = self.own_streams(account);
        own.sort_unstable();
        let surplus = (own.len() + 1).saturating_sub(STREAMS_PER_ACCOUNT_MAX);
        for (_, base) in own.into_iter().take(surplus) {
            self.end_stream(base, Some(Farewell::Replaced));
        }
    }

    fn own_streams(&self, account: AccountId) -> Vec<(u64, SeatId)> {
        let streams = self.accounts.get(account).map_or(&[][..], |known| &known.streams);
        let find = |base: &SeatId| Some((self.streams.get(base)?.opened, *base));
        streams.iter().filter_map(find).collect()
    }

    /// A stream takes its seat in a room, unless it does not want to hear that one.
    fn seat_in(&mut self, base: SeatId, room: RoomId) -> Option<SeatId> {
        let stream = self.streams.get_mut(&base)?;
        let wanted = stream.only.as_ref().is_none_or(|only| only.contains(&room));
        if !wanted || stream.rooms.contains_key(&room) {
            return None;
        }
        if stream.seats + 1 == SEATS_PER_STREAM {
            // It has come and gone so often that its numbers are used up; a new one has new ones.
            self.end_stream(base, Some(Farewell::Replaced));
            return None;
        }
        stream.seats += 1;
        let seat = SeatId(base.0 + stream.seats);
        let (door, account, session) = (stream.door, stream.account, stream.session);
        let author = self.accounts.get(account)?.author();
        if !self.sit_for(base, seat, door, room, author, session) {
            return None;
        }
        self.streams.get_mut(&base)?.rooms.insert(room, seat);
        self.order.tell(Effect::Seat { seat, door, room, stream: Some(base) });
        Some(seat)
    }

    /// An account's open streams hear a room from now on, and of it.
    pub(super) fn follow_room(&mut self, account: AccountId, room: RoomId, seq: Seq) {
        let mut new = Vec::new();
        for (_, base) in self.own_streams(account) {
            new.extend(self.seat_in(base, room));
        }
        let Some(found) = self.rooms.get(room) else { return };
        let info = Box::new(self.info(found, Some(account), true));
        for seat in new {
            self.whisper_to(seat, What::Room { seq, info: info.clone() });
            self.come(seat);
        }
    }

    /// An account's streams hear a room no more.
    pub(super) fn unfollow_room(&mut self, account: AccountId, room: RoomId) {
        for (_, base) in self.own_streams(account) {
            let seat = self.streams.get(&base).and_then(|stream| stream.rooms.get(&room));
            if let Some(seat) = seat.copied() {
                self.unseat(seat, None);
            }
        }
    }

    /// To the seats that an account's streams have in a room, and to nobody else.
    pub(super) fn whisper(&mut self, account: AccountId, room: RoomId, what: What) {
        for (_, base) in self.own_streams(account) {
            let seat = self.streams.get(&base).and_then(|stream| stream.rooms.get(&room));
            if let Some(seat) = seat.copied() {
                self.whisper_to(seat, what.clone());
            }
        }
    }

    fn whisper_to(&mut self, seat: SeatId, what: What) {
        let Some(sitting) = self.seats.get(&seat) else { return };
        let (door, room) = (sitting.door, sitting.room);
        let Some(author) = sitting.author().cloned() else { return };
        let time = if what.seq().is_some() { self.told } else { self.now };
        let event = Event { room, time, author, color: None, what };
        self.order.tell(Effect::Whisper { seat, door, event });
    }

    /// A connection is gone: a stream's, with all its seats, or one seat's.
    pub(super) fn leave(&mut self, seat: SeatId) {
        if self.streams.contains_key(&seat) {
            self.end_stream(seat, None);
        } else if self.seats.get(&seat).is_some_and(|sitting| sitting.base.is_none()) {
            self.unseat(seat, None);
        }
    }

    /// Ends a stream and all its seats. With a farewell: its connection is to be closed, behind the
    /// replies that it still waits for.
    pub(super) fn end_stream(&mut self, base: SeatId, farewell: Option<Farewell>) {
        let Some(stream) = self.streams.remove(&base) else { return };
        if let Some(session) = stream.session {
            self.use_session(session);
        }
        self.accounts.shut(stream.account, stream.session, base);
        if farewell.is_some() {
            self.order.tell(Effect::Freeze { seat: base });
        }
        let seats = stream.rooms.into_values().collect();
        self.unseat_each(seats, None, Then::Dismiss(base, farewell));
    }

    /// One of a stream's rooms does not seat it any more.
    pub(super) fn lose_room(&mut self, base: SeatId, room: RoomId) {
        if let Some(stream) = self.streams.get_mut(&base) {
            stream.rooms.remove(&room);
        }
    }
}

#[cfg(any(test, debug_assertions))]
impl Chat {
    /// Streams and their seats know of each other, and hear exactly the rooms that they should.
    pub(super) fn check_streams(&self) {
        for (base, stream) in &self.streams {
            let known = self.accounts.get(stream.account).expect("a stream's account is there");
            assert!(known.streams.contains(base), "{base:?} is not its account's");
            for (room, seat) in &stream.rooms {
                let sitting = self.seats.get(seat).expect("a stream's seat is there");
                assert_eq!((sitting.base, sitting.room), (Some(*base), *room));
            }
            let wanted =
                |room: &&RoomId| stream.only.as_ref().is_none_or(|only| only.contains(room));
            assert!(stream.rooms.keys().eq(known.rooms.iter().filter(wanted)), "{base:?}");
        }
        for (seat, sitting) in &self.seats {
            let stream = sitting.base.map(|base| &self.streams[&base]);
            let listed = stream.is_none_or(|one| one.rooms.get(&sitting.room) == Some(seat));
            assert!(listed, "{seat:?} is no seat of its stream");
        }
        for known in self.accounts.all() {
            for room in &known.rooms {
                let room = self.rooms.get(*room).expect("one belongs to rooms that are");
                assert!(room.members.contains_key(&known.account.id), "a membership too many");
            }
        }
        let listed: usize = self.accounts.all().map(|known| known.rooms.len()).sum();
        let kept: usize = self.rooms.all().map(|room| room.members.len()).sum();
        assert_eq!(listed, kept, "a membership too few");
    }
}
