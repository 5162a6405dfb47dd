//! What a log means, said in the plainest way: lists, looked through from the start. The tables are
//! held against this.

use super::*;
use crate::chat::{Account, LOBBY, MemberRecord, RoomRecord, Session};

/// What a core that has seen this log would start from again.
pub(super) fn fold(log: impl IntoIterator<Item = (Seq, Time, Entry)>) -> Snapshot {
    let mut model = Model::default();
    for (seq, time, entry) in log {
        model.apply(seq, time, entry);
    }
    let mut snapshot = model.snapshot;
    let numbers = model.accounts.iter().map(|account| account.0);
    snapshot.last_account = numbers.max().unwrap_or(0);
    snapshot.accounts.sort_by_key(|account| account.id);
    snapshot.sessions.sort_by_key(|session| session.id);
    for room in &mut snapshot.rooms {
        room.members.sort_by_key(|member| member.account);
    }
    snapshot
}

#[derive(Default)]
struct Model {
    snapshot: Snapshot,
    /// Every account that ever was.
    accounts: Vec<AccountId>,
}

impl Model {
    fn apply(&mut self, seq: Seq, time: Time, entry: Entry) {
        self.snapshot.last = seq;
        let Snapshot { accounts, sessions, rooms, last_room, .. } = &mut self.snapshot;
        let fresh = |room: RoomId| room.0 > *last_room;
        let titled = |rooms: &[RoomRecord], facts: &RoomFacts, except: Option<RoomId>| {
            let title = facts.title.folded();
            let other = |room: &&RoomRecord| room.between.is_none() && Some(room.id) != except;
            rooms.iter().filter(other).any(|room| room.facts.title.folded() == title)
        };
        match entry {
            Entry::AccountMade { account: id, name, key, color } => {
                let same = |one: &Account| {
                    one.name.folded() == name.folded() || (key.is_some() && one.key == key)
                };
                if !self.accounts.contains(&id) && !accounts.iter().any(same) {
                    accounts.push(Account { id, name, key, color, created: time });
                    self.accounts.push(id);
                    self.enter(seq, LOBBY, id);
                }
            }
            Entry::AccountEnded { account } if accounts.iter().any(|one| one.id == account) => {
                accounts.retain(|one| one.id != account);
                sessions.retain(|session| session.account != account);
                for room in rooms {
                    room.members.retain(|member| member.account != account);
                    room.owner = room.owner.filter(|owner| *owner != account);
                }
            }
            Entry::AccountEnded { .. } => {} // It has ended before, or never was.
            Entry::SessionBegun { session: id, account, key, remember, agent } => {
                let same = |one: &Session| one.id == id || one.key == key;
                if accounts.iter().any(|one| one.id == account) && !sessions.iter().any(same) {
                    let (created, last_used) = (time, time);
                    let session = Session { id, account, key, remember, agent, created, last_used };
                    sessions.push(session);
                    self.snapshot.last_session = self.snapshot.last_session.max(id.0);
                }
            }
            Entry::SessionEnded { session } => sessions.retain(|one| one.id != session),
            Entry::RoomMade { room, owner, facts } => {
                if fresh(room) && !titled(rooms, &facts, None) {
                    self.make(time, room, owner, facts, None);
                    owner.into_iter().for_each(|owner| self.enter(seq, room, owner));
                }
            }
            Entry::DirectMade { room, between } => {
                let [a, b] = between;
                let pair = |one: [AccountId; 2]| one == [a, b] || one == [b, a];
                let known = |id| accounts.iter().any(|one| one.id == id);
                let new = !rooms.iter().any(|room| room.between.is_some_and(pair));
                if fresh(room) && a != b && known(a) && known(b) && new {
                    self.make(time, room, None, RoomFacts::of_direct(room), Some(between));
                    between.into_iter().for_each(|one| self.enter(seq, room, one));
                }
            }
            Entry::MemberChanged { room, account, member } => {
                let found = rooms.iter_mut().find(|one| one.id == room && one.between.is_none());
                match found {
                    Some(_) if member => self.enter(seq, room, account),
                    Some(room) => room.members.retain(|member| member.account != account),
                    None => {}
                }
            }
            Entry::RoomChanged { room, facts, generation } => {
                if titled(rooms, &facts, Some(room)) {
                    return;
                }
                let found = rooms.iter_mut().find(|one| one.id == room && one.between.is_none());
                if let Some(room) = found {
                    (room.facts, room.generation, room.updated) = (facts, generation, time);
                }
            }
            Entry::RoomGone { room } => {
                rooms.retain(|one| one.id != room || room == LOBBY || one.between.is_some());
            }
            Entry::Said { room, .. } => {
                if let Some(room) = rooms.iter_mut().find(|one| one.id == room) {
                    room.last = seq;
                }
            }
            Entry::Edited { .. } | Entry::Deleted { .. } | Entry::Reacted { .. } => {}
        }
    }

    fn make(
        &mut self,
        time: Time,
        id: RoomId,
        owner: Option<AccountId>,
        facts: RoomFacts,
        between: Option<[AccountId; 2]>,
    ) {
        let (created, updated, generation) = (time, time, 0);
        let (members, last) = (Vec::new(), Seq(0));
        let room =
            RoomRecord { id, owner, facts, generation, created, updated, between, members, last };
        self.snapshot.rooms.push(room);
        self.snapshot.last_room = id.0;
    }

    fn enter(&mut self, since: Seq, room: RoomId, account: AccountId) {
        let known = self.snapshot.accounts.iter().any(|one| one.id == account);
        let room = self.snapshot.rooms.iter_mut().find(|one| one.id == room);
        if let Some(room) = room.filter(|_| known)
            && !room.members.iter().any(|member| member.account == account)
        {
            room.members.push(MemberRecord { account, since, read: since });
        }
    }
}
