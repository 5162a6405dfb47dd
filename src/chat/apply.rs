//! The fold: what an entry from the log changes. The same entries in the same order make the same
//! core, whoever proposed them; an entry that does not fit what came before it changes nothing.

use std::collections::BTreeSet;

use crate::chat::accounts::{Account, Known, Session};
use crate::chat::quotas::Made;
use crate::chat::room::RoomRecord;
use crate::chat::types::{
    AccountId, Author, Door, Folded, Name, RoomId, SeatId, Seq, SessionId, Visibility,
};
use crate::chat::vocabulary::{Answer, Effect, Entry, Event, Farewell, Refusal, RoomFacts, What};
use crate::chat::work::{Awaited, Then, Work};
use crate::chat::{Chat, LOBBY};
use crate::crypto::KeyHash;
use crate::time::Time;

/// Through whom an entry came into the log, where it was this core that proposed it.
#[derive(Clone, Copy)]
pub(super) struct Came {
    /// The seat through which it came, for the announcement.
    pub by: Option<(SeatId, Door)>,
    /// Who asked, for the answer.
    pub asker: Option<AccountId>,
}

impl Entry {
    /// What others may have waited for while it was in flight.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        match self {
            Entry::RoomChanged { room, .. }
            | Entry::RoomGone { room, .. }
            | Entry::RoomReturned { room, .. }
            | Entry::RoomPurged { room } => Some(Awaited::Room(*room)),
            Entry::MemberChanged { room, account, .. } => {
                Some(Awaited::Membership(*room, *account))
            }
            Entry::DirectMade { between, .. } => Some(Awaited::pair(*between)),
            Entry::KeyChanged { account, .. } => Some(Awaited::Key(*account)),
            Entry::BlockChanged { account, .. } => Some(Awaited::Block(*account)),
            _ => None,
        }
    }
}

impl Chat {
    /// Frees what a proposed entry held while it was in flight.
    pub(super) fn release(&mut self, entry: &Entry) {
        self.made(entry);
        match entry {
            Entry::AccountMade { name, .. } => self.accounts.release(&name.folded()),
            Entry::RoomMade { facts, .. } => self.rooms.release(&facts.title.folded()),
            Entry::RoomChanged { room, facts, .. } => {
                self.rooms.release(&facts.title.folded());
                self.unlock(*room);
            }
            Entry::RoomGone { room, .. } => self.unlock(*room),
            Entry::RoomReturned { room, title } => {
                self.rooms.release(&title.folded());
                self.deleted.set_changing(*room, false);
            }
            Entry::RoomPurged { room } => self.deleted.set_changing(*room, false),
            Entry::SessionEnded { session } => {
                if let Some(live) = self.accounts.session_mut(*session) {
                    live.ending = false;
                }
            }
            Entry::SessionBegun { account, .. } => self.accounts.has_begun(*account),
            Entry::KeyChanged { account, .. } => {
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.changing_key = false;
                }
            }
            Entry::AccountEnded { account } => {
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.ending = false;
                }
            }
            Entry::BlockChanged { account, .. } => {
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.blocking = false;
                }
            }
            Entry::DirectMade { between, .. } => self.rooms.release_pair(*between),
            Entry::MemberChanged { room, account, .. } => {
                if let Some(room) = self.rooms.get_mut(*room) {
                    room.moved(*account);
                }
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.entering = known.entering.saturating_sub(1);
                }
            }
            Entry::Said { .. }
            | Entry::Edited { .. }
            | Entry::Deleted { .. }
            | Entry::Reacted { .. } => {}
        }
    }

    fn unlock(&mut self, room: RoomId) {
        if let Some(room) = self.rooms.get_mut(room) {
            (room.changing, room.going) = (false, false);
        }
    }

    /// Carries out one entry.
    pub(super) fn apply(
        &mut self,
        seq: Seq,
        time: Time,
        entry: Entry,
        came: Came,
    ) -> Result<Answer, Refusal> {
        (self.told, self.last) = (time, seq);
        let event = |room, author, color, what| Event { room, time, author, color, what };
        match entry {
            Entry::AccountMade { account, name, key, color } => {
                let made = Account { id: account, name, key, color, created: time };
                if !self.accounts.insert(made) {
                    return Err(Refusal::NameTaken);
                }
                self.belongs_from(account, LOBBY, seq);
                Ok(Answer::Done(()))
            }
            Entry::AccountEnded { account } => {
                self.account_ended(seq, account);
                Ok(Answer::Done(()))
            }
            Entry::SessionBegun { session, account, key, remember, agent } => {
                let (created, last_used) = (time, time);
                let begun =
                    Session { id: session, account, key, remember, agent, created, last_used };
                self.session_begun(begun)
            }
            Entry::SessionEnded { session } => {
                self.session_ended(session);
                Ok(Answer::Done(()))
            }
            Entry::KeyChanged { account, key, but } => self.key_changed(account, key, but),
            Entry::BlockChanged { account, blocked, on } => {
                self.block_changed(account, blocked, on)
            }
            Entry::RoomMade { room, owner, facts } => {
                let open = facts.visibility == Visibility::Public;
                let opened = if open { seq } else { Seq(0) };
                let record = RoomRecord::new(room, time, owner, facts);
                self.room_made(seq, RoomRecord { opened, ..record }, &[], came.asker)
            }
            Entry::DirectMade { room, between, both } => {
                let record = RoomRecord::new(room, time, None, RoomFacts::of_direct(room));
                let record = RoomRecord { between: Some(between), ..record };
                self.direct_made(seq, record, (between, both), came.asker)
            }
            Entry::MemberChanged { room, account, member, expelled } => {
                self.member_changed(seq, room, account, (member, expelled))
            }
            Entry::RoomChanged { room, facts, generation, link, keep_members } => {
                let change = (facts, generation, link);
                self.room_changed((seq, time), room, change, keep_members)?;
                self.show_room(room, came.asker)
            }
            Entry::RoomGone { room, recoverable } => self.room_gone(seq, room, recoverable),
            Entry::RoomReturned { room, title } => {
                self.room_returned((seq, time), room, title, came.asker)
            }
            Entry::RoomPurged { room } => self.room_purged(room),
            Entry::Said { room, author, color, text, client_id, reply_to, calls } => {
                let calls = self.accounts.names(&calls);
                let what = What::Said { seq, text, client_id, reply_to, calls };
                self.worded(event(room, author, color, what), seq, came.by)
            }
            Entry::Edited { room, target, by, text, calls } => {
                let calls = self.accounts.names(&calls);
                let what = What::Edited { seq, target, text, calls };
                self.worded(event(room, by, None, what), seq, came.by)
            }
            Entry::Deleted { room, target, by, as_owner: _ } => {
                let what = What::Deleted { seq, target };
                self.worded(event(room, by, None, what), seq, came.by)
            }
            Entry::Reacted { room, target, by, emoji, on } => {
                let what = What::Reacted { seq, target, emoji, on };
                self.worded(event(room, by, None, what), seq, came.by)
            }
        }
    }

    fn session_begun(&mut self, session: Session) -> Result<Answer, Refusal> {
        self.accounts.get(session.account).ok_or(Refusal::UnknownKey)?;
        let id = session.id;
        if !self.accounts.begin(session, self.running) {
            return Err(Refusal::Unavailable); // Only where another proposer took the number first.
        }
        let live = self.accounts.session(id).ok_or(Refusal::Unavailable)?;
        Ok(Answer::Session(self.session_info(id, live, true)))
    }

    /// Only a guest's account ends, and only without a session. Its rooms are not told of it by an
    /// entry of theirs: who is not there any more is no member, and what was theirs is the longest
    /// member's.
    fn account_ended(&mut self, seq: Seq, account: AccountId) {
        if !self.accounts.get(account).is_some_and(Known::is_over) {
            return;
        }
        self.end_account(seq, account);
    }

    pub(super) fn end_account(&mut self, seq: Seq, account: AccountId) {
        let through = self.end_direct_rooms(seq, account);
        let Some(known) = self.accounts.get_mut(account) else { return };
        if !through {
            known.ending = true; // Nobody proposes its end once more.
            return self.work.push_back(Work::EndAccount { account, seq });
        }
        let name = known.account.name.clone();
        let rooms = known.rooms.clone();
        let seats: BTreeSet<SeatId> = known.seats.iter().map(|(_, _, seat)| *seat).collect();
        let streams = known.streams.iter().copied();
        let seats: BTreeSet<SeatId> = seats.into_iter().chain(streams).collect();
        for room in rooms {
            self.end_membership(account, room);
        }
        self.rooms.disown(account);
        self.quotas.end(Made::Account(account));
        self.purge_all_of(account);
        // Nobody else has the name before the last seat under it has ended, but for whose it is to
        // be already.
        let folded = name.folded();
        let then = if seats.is_empty() || self.accounts.is_reserved(&folded) {
            Then::Nothing
        } else {
            self.accounts.reserve(folded.clone(), Folded::looks(name.as_str()));
            Then::Free(folded)
        };
        self.unseat_each(seats, Some(Farewell::SessionEnded), then);
        self.accounts.remove(account);
    }

    /// Whoever holds the old key, or came in by it, is out: what the key opened ends, and so do the
    /// sessions that it began, also those that were in flight until now.
    fn key_changed(
        &mut self,
        account: AccountId,
        key: KeyHash,
        but: Option<SessionId>,
    ) -> Result<Answer, Refusal> {
        if !self.accounts.change_key(account, key) {
            return Err(Refusal::Unavailable); // Nobody draws a key that is there already.
        }
        let Some(known) = self.accounts.get(account) else { return Ok(Answer::Done(())) };
        let stays = |by: Option<SessionId>| by.is_some() && by == but;
        let streams = known.streams.iter().copied();
        let mut going: BTreeSet<SeatId> = streams
            .filter(|base| !self.streams.get(base).is_some_and(|one| stays(one.session)))
            .collect();
        let seats = known.seats.iter().map(|(_, _, seat)| *seat);
        going.extend(
            seats.filter(|seat| !self.seats.get(seat).is_some_and(|one| stays(one.session))),
        );
        for session in known.sessions.clone() {
            if Some(session) != but {
                self.accounts.end(session);
            }
        }
        self.unseat_each(going, Some(Farewell::SessionEnded), Then::Nothing);
        Ok(Answer::Done(()))
    }

    fn session_ended(&mut self, session: SessionId) {
        let Some(live) = self.accounts.end(session) else { return };
        self.unseat_each(live.seats, Some(Farewell::SessionEnded), Then::Nothing);
        self.end_if_over(live.account);
    }

    /// `first`: who belongs to it beside its owner.
    pub(super) fn room_made(
        &mut self,
        seq: Seq,
        record: RoomRecord,
        first: &[AccountId],
        asker: Option<AccountId>,
    ) -> Result<Answer, Refusal> {
        let (id, owner) = (record.id, record.owner);
        // A number is never used twice, not even that of a room that is gone.
        if self.rooms.is_used(id) {
            return Err(Refusal::Unavailable);
        }
        if !self.rooms.insert(record) {
            return Err(Refusal::TitleTaken);
        }
        for account in owner.into_iter().chain(first.iter().copied()) {
            self.belongs_from(account, id, seq);
        }
        self.show_room(id, asker)
    }

    fn room_changed(
        &mut self,
        (seq, time): (Seq, Time),
        id: RoomId,
        change: (RoomFacts, u64, Option<RoomId>),
        keep_members: bool,
    ) -> Result<(), Refusal> {
        let before = self.rooms.get(id).filter(|room| !room.is_direct());
        let before = before.ok_or(Refusal::RoomNotFound)?;
        let (was_open, generation) = (before.is_public(), before.record.generation);
        let after = self.rooms.change(id, change, (seq, time)).ok_or(Refusal::TitleTaken)?;
        let closed = !after.is_public() && (was_open || after.record.generation != generation);
        if closed {
            self.lock_out(id, seq, keep_members);
        } else {
            self.tell_what_it_is(id, seq);
        }
        Ok(())
    }

    /// A room is told what it is now.
    pub(super) fn tell_what_it_is(&mut self, id: RoomId, seq: Seq) {
        if let Some(room) = self.rooms.get(id) {
            let info = Box::new(self.info(room, None, true));
            self.tell_of_room(id, What::Room { seq, info });
        }
    }

    fn room_gone(&mut self, seq: Seq, id: RoomId, recoverable: bool) -> Result<Answer, Refusal> {
        let room = self.rooms.get(id).filter(|room| id != LOBBY && !room.is_direct());
        room.ok_or(Refusal::RoomNotFound)?;
        self.tell_of_room(id, What::Gone { seq });
        self.quotas.end(Made::Room(id));
        if let Some(mut room) = self.rooms.remove(id) {
            if recoverable {
                self.keep_deleted(&mut room, seq);
            }
            self.empty(Box::new(room));
        }
        Ok(Answer::Done(()))
    }

    /// What an entry did to a room. Who did it, the log does not know: it is said by the owner, or,
    /// where there is none, by a name without an account.
    fn tell_of_room(&mut self, id: RoomId, what: What) {
        let owner = self.rooms.get(id).and_then(|room| room.record.owner);
        let owner = owner.and_then(|owner| self.accounts.get(owner)).map(Known::author);
        let author = owner.unwrap_or_else(|| {
            let name = Name::of_server();
            Author { account: None, name }
        });
        let event = Event { room: id, time: self.told, author, color: None, what };
        self.order.tell(Effect::Announce { event, by: None });
    }
}
