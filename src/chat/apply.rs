//! The fold: what an entry from the log changes. The same entries in the same order make the same
//! core, whoever proposed them; an entry that does not fit what came before it changes nothing.

use crate::chat::accounts::{Account, Session};
use crate::chat::rooms::RoomRecord;
use crate::chat::types::{AccountId, Door, RoomId, SeatId, Seq, SessionId, Visibility};
use crate::chat::vocabulary::{
    Answer, Effect, Entry, Event, Farewell, Refusal, RoomFacts, SessionInfo, What,
};
use crate::chat::{Chat, LOBBY};
use crate::time::Time;

impl Entry {
    /// Whether others may have waited for it: those who want to change the same room.
    pub(super) fn changes_a_room(&self) -> bool {
        matches!(self, Entry::RoomChanged { .. } | Entry::RoomGone { .. })
    }
}

impl Chat {
    /// Frees what a proposed entry held while it was in flight.
    pub(super) fn release(&mut self, entry: &Entry) {
        match entry {
            Entry::AccountMade { name, .. } => self.accounts.release(&name.folded()),
            Entry::RoomMade { facts, .. } => self.rooms.release(&facts.title.folded()),
            Entry::RoomChanged { room, facts, .. } => {
                self.rooms.release(&facts.title.folded());
                self.unlock(*room);
            }
            Entry::RoomGone { room } => self.unlock(*room),
            Entry::SessionEnded { session } => {
                if let Some(live) = self.accounts.session_mut(*session) {
                    live.ending = false;
                }
            }
            Entry::SessionBegun { account, .. } => {
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.beginning -= 1;
                }
            }
            Entry::Said { .. }
            | Entry::AccountEnded { .. }
            | Entry::DirectMade { .. }
            | Entry::MemberChanged { .. }
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

    /// Carries out one entry. `by` is the seat through which it came, for the announcement.
    pub(super) fn apply(
        &mut self,
        seq: Seq,
        time: Time,
        entry: Entry,
        by: Option<(SeatId, Door)>,
    ) -> Result<Answer, Refusal> {
        match entry {
            Entry::AccountMade { account, name, key, color } => {
                let account = Account { id: account, name, key, color, created: time };
                let made = self.accounts.insert(account);
                if made { Ok(Answer::Done) } else { Err(Refusal::NameTaken) }
            }
            Entry::SessionBegun { session, account, key, remember, agent } => {
                let known = self.accounts.get(account).ok_or(Refusal::UnknownKey)?;
                let (name, guest) = (known.account.name.clone(), known.account.key.is_none());
                let (created, last_used) = (time, time);
                let info = SessionInfo {
                    id: session,
                    name,
                    guest,
                    created,
                    last_used,
                    expires: time,
                    agent: agent.clone(),
                    current: true,
                };
                let session =
                    Session { id: session, account, key, remember, agent, created, last_used };
                let begun = self.accounts.begin(session);
                // (Only where another proposer took the number first.)
                if begun { Ok(Answer::Session(info)) } else { Err(Refusal::Unavailable) }
            }
            Entry::SessionEnded { session } => {
                self.session_ended(session);
                Ok(Answer::Done)
            }
            Entry::RoomMade { room, owner, facts } => self.room_made(time, room, owner, facts),
            Entry::RoomChanged { room, facts, generation } => {
                self.room_changed(time, room, facts, generation)
            }
            Entry::RoomGone { room } => {
                self.rooms.get(room).filter(|_| room != LOBBY).ok_or(Refusal::RoomNotFound)?;
                self.unseat_all(room, Farewell::RoomGone, |_| false);
                self.rooms.remove(room);
                Ok(Answer::Done)
            }
            Entry::AccountEnded { .. }
            | Entry::DirectMade { .. }
            | Entry::MemberChanged { .. }
            | Entry::Edited { .. }
            | Entry::Deleted { .. }
            | Entry::Reacted { .. } => Err(Refusal::Unavailable),
            Entry::Said { room, author, color, text, client_id, reply_to } => {
                self.rooms.get(room).ok_or(Refusal::RoomNotFound)?;
                let what = What::Said { seq, text, client_id, reply_to };
                let event = Event { room, time, author, color, what };
                self.tell_now(Effect::Announce { event, by });
                Ok(Answer::Done)
            }
        }
    }

    fn session_ended(&mut self, session: SessionId) {
        let Some(live) = self.accounts.session(session) else { return };
        let known = self.accounts.get(live.account);
        let seats = known.map(|known| known.seats.clone()).unwrap_or_default();
        for seat in seats {
            if self.seats.get(&seat).is_some_and(|sitting| sitting.session == Some(session)) {
                self.unseat(seat, Some(Farewell::SessionEnded));
            }
        }
        self.accounts.end(session);
    }

    fn room_made(
        &mut self,
        time: Time,
        id: RoomId,
        owner: Option<AccountId>,
        facts: RoomFacts,
    ) -> Result<Answer, Refusal> {
        let (created, updated) = (time, time);
        let record = RoomRecord {
            id,
            owner,
            facts,
            generation: 0,
            created,
            updated,
            between: None,
            members: Vec::new(),
            last: Seq(0),
        };
        // A number is never used twice, not even that of a room that is gone.
        if id.0 <= self.rooms.last_made() {
            return Err(Refusal::Unavailable);
        }
        if !self.rooms.insert(record) {
            return Err(Refusal::TitleTaken);
        }
        self.show_room(id)
    }

    fn room_changed(
        &mut self,
        time: Time,
        id: RoomId,
        facts: RoomFacts,
        generation: u64,
    ) -> Result<Answer, Refusal> {
        let before = self.rooms.get(id).ok_or(Refusal::RoomNotFound)?;
        let was_open = before.record.facts.visibility == Visibility::Public;
        let other_key = before.record.generation != generation;
        let open = facts.visibility == Visibility::Public;
        let owner = before.record.owner;
        self.rooms.change(id, facts, generation, time).ok_or(Refusal::TitleTaken)?;
        if !open && (was_open || other_key) {
            // Whoever is inside came in by what no longer opens the room; but not its owner.
            self.unseat_all(id, Farewell::Locked, |account| owner.is_some() && account == owner);
        }
        self.show_room(id)
    }

    fn show_room(&self, id: RoomId) -> Result<Answer, Refusal> {
        let room = self.rooms.get(id).ok_or(Refusal::RoomNotFound)?;
        Ok(Answer::Room(Box::new(room.info())))
    }

    /// Unseats everybody in a room except those of whom `stays` is true.
    fn unseat_all(
        &mut self,
        room: RoomId,
        farewell: Farewell,
        stays: impl Fn(Option<AccountId>) -> bool,
    ) {
        let here = self.seats.iter().filter(|(_, sitting)| sitting.room == room);
        let going = here.filter(|(_, sitting)| !stays(sitting.account()));
        let mut seats: Vec<SeatId> = going.map(|(seat, _)| *seat).collect();
        seats.sort_unstable();
        for seat in seats {
            self.unseat(seat, Some(farewell));
        }
    }
}
