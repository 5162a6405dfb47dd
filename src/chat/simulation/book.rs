//! A second fold over the log, as plain as possible: without indexes, without pending state, and
//! slow. After every entry the core must agree with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::chat::simulation::invited::Codes;
use crate::chat::simulation::moderation::keep_moderators;
use crate::chat::{
    Access, Account, AccountId, DeletedRecord, Entry, Folded, LOBBY, MemberRecord, Name, Policy,
    RoomId, RoomRecord, RoomRef, RoomSettings, Seq, Session, SessionId, Visibility,
};
use crate::crypto::KeyHash;
use crate::time::Time;

#[derive(Clone, Default)]
pub struct Book {
    pub accounts: BTreeMap<AccountId, Account>,
    pub sessions: BTreeMap<SessionId, Session>,
    pub rooms: BTreeMap<RoomId, RoomRecord>,
    /// All blocks, as (blocking account, blocked account).
    pub blocks: BTreeSet<(AccountId, AccountId)>,
    /// Who may come in.
    pub policy: Policy,
    /// The banned addresses.
    pub banned: BTreeMap<IpAddr, Time>,
    /// Invitations, and links for lost keys.
    pub codes: Codes,
    /// The accounts that are muted everywhere.
    pub muted: BTreeMap<AccountId, Time>,
    /// The entries about somebody's standing in a room that the room has heard.
    pub standings: BTreeSet<Seq>,
    /// The deleted rooms that can be restored.
    pub deleted: BTreeMap<RoomId, DeletedRecord>,
    /// The earlier keys of accounts.
    pub replaced: BTreeSet<KeyHash>,
    pub last_account: u64,
    pub last_room: u64,
    pub last_session: u64,
    /// The names of accounts, past and present.
    pub names: BTreeMap<AccountId, Name>,
    /// The last entry.
    pub last: Seq,
    /// The accounts that ceased to be members, each with the entry.
    pub lost: BTreeMap<(AccountId, Seq), RoomId>,
    /// The random numbers of rooms that are gone.
    pub spent: BTreeSet<RoomId>,
    /// All memberships, past and present.
    pub belonged: BTreeSet<(AccountId, RoomId)>,
    /// The last use of each session, by the monotonic clock.
    pub used: BTreeMap<SessionId, Time>,
    /// The last use that the store knows.
    pub noted: BTreeMap<SessionId, Time>,
}

impl Book {
    /// Whether an entry fits its predecessors. An entry that does not must change nothing.
    pub fn fits(&self, entry: &Entry) -> bool {
        if let Some(fits) = self.code_fits(entry) {
            return fits;
        }
        let titled = |title: &Folded, room| {
            let mut others = self.rooms.values().filter(|other| other.id != room);
            others.any(|other| other.settings.title.folded() == *title)
        };
        match entry.act() {
            Entry::AccountMade { account, name, key, .. } => {
                let keyed = |account: &Account| key.is_some() && account.key == *key;
                let clash =
                    |account: &Account| keyed(account) || account.name.folded() == name.folded();
                !self.accounts.contains_key(account) && !self.accounts.values().any(clash)
            }
            Entry::AccountEnded { account } => {
                let guest = self.accounts.get(account).is_some_and(|known| known.key.is_none());
                guest && !self.sessions.values().any(|session| session.account == *account)
            }
            Entry::SessionBegun { session, account, key, .. } => {
                let known = self.sessions.values().any(|one| one.id == *session || one.key == *key);
                self.accounts.get(account).is_some_and(|account| !account.banned) && !known
            }
            Entry::SessionEnded { session } => self.sessions.contains_key(session),
            Entry::KeyChanged { account, key, .. } => {
                let has_one = self.accounts.get(account).is_some_and(|known| known.key.is_some());
                has_one && !self.accounts.values().any(|known| known.key == Some(*key))
            }
            Entry::BlockChanged { account, blocked, on } => {
                let there = self.accounts.contains_key(blocked) && account != blocked;
                self.accounts.contains_key(account) && (there || !on)
            }
            Entry::RoomMade { room, settings, .. } => {
                !self.is_used(*room) && !titled(&settings.title.folded(), *room)
            }
            Entry::DirectMade { room, between: [one, other], .. } => {
                let known = |account| self.accounts.contains_key(account);
                let same = |record: &RoomRecord| {
                    let between = record.between;
                    between == Some([*one, *other]) || between == Some([*other, *one])
                };
                let there = self.rooms.values().any(same);
                one != other && known(one) && known(other) && !there && !self.is_used(*room)
            }
            Entry::MemberChanged { room, account, member, .. } => {
                let two = |room: &RoomRecord| room.between.is_none_or(|two| two.contains(account));
                let open = self.rooms.get(room).is_some_and(two);
                let known = self.accounts.contains_key(account);
                open && known && self.is_member(*account, *room) != *member
            }
            Entry::RoomChanged { room, settings, link, .. } => {
                let linked = self.rooms.get(room).is_some_and(|room| room.link.is_some());
                let free = link.is_none_or(|link| linked || !self.is_used(link));
                self.is_room(room) && free && !titled(&settings.title.folded(), *room)
            }
            Entry::RoomGone { room, .. } => *room != LOBBY && self.is_room(room),
            Entry::RoomReturned { room, title } => {
                self.deleted.contains_key(room) && !titled(&title.folded(), *room)
            }
            Entry::RoomPurged { room } => self.deleted.contains_key(room),
            Entry::PolicyChanged { .. } | Entry::AddressBanned { .. } => true,
            Entry::RoleChanged { account, role } => {
                let may =
                    |known: &Account| known.key.is_some() && !(known.banned && role.is_some());
                self.accounts.get(account).is_some_and(may)
            }
            Entry::BanChanged { account, on } => {
                let may = |known: &Account| known.banned != *on && !(*on && known.role.is_some());
                self.accounts.get(account).is_some_and(may)
            }
            Entry::Said { room, .. }
            | Entry::Edited { room, .. }
            | Entry::Deleted { room, .. }
            | Entry::Reacted { room, .. } => self.rooms.contains_key(room),
            entry @ (Entry::ModeratorChanged { .. }
            | Entry::Muted { .. }
            | Entry::RoomBanChanged { .. }
            | Entry::RulesChanged { .. }
            | Entry::OwnerChanged { .. }
            | Entry::MutesMoved { .. }) => self.order_fits(entry),
            Entry::Cleared { .. } => true,
            _ => false, // Nobody reports another's deed.
        }
    }

    /// Whether a number is or was a room's.
    fn is_used(&self, room: RoomId) -> bool {
        let counted = !room.is_drawn() && room.0 <= self.last_room;
        let linked = self.rooms.values().any(|other| other.id == room || other.link == Some(room));
        counted || linked || self.spent.contains(&room)
    }

    /// The rooms that hear of an entry: its own, or those that end with a guest.
    pub fn rooms_of(&self, entry: &Entry) -> Vec<RoomId> {
        match entry.act() {
            Entry::AccountEnded { account } if self.fits(entry) => {
                let theirs =
                    |record: &&RoomRecord| record.between.is_some_and(|t| t.contains(account));
                self.rooms.values().filter(theirs).map(|room| room.id).collect()
            }
            _ => room_of(entry).into_iter().collect(),
        }
    }

    pub fn is_room(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|room| room.between.is_none())
    }

    pub fn is_member(&self, account: AccountId, room: RoomId) -> bool {
        let mut members = self.rooms.get(&room).into_iter().flat_map(|room| &room.members);
        members.any(|member| member.account == account)
    }

    fn join(&mut self, account: AccountId, room: RoomId, since: Seq) {
        let known = self.accounts.contains_key(&account) && !self.is_member(account, room);
        if let Some(room) = self.rooms.get_mut(&room).filter(|_| known) {
            let open =
                room.settings.visibility == Visibility::Public && room.owner != Some(account);
            let horizon = if open { room.opened } else { Seq(0) };
            room.members.push(MemberRecord { account, since, read: since, horizon });
            room.members.sort_by_key(|member| member.account);
            self.belonged.insert((account, room.id));
        }
    }

    pub fn mark(&mut self, account: AccountId, room: RoomId, seq: Seq) {
        let members = self.rooms.get_mut(&room).into_iter().flat_map(|room| &mut room.members);
        for member in members.filter(|member| member.account == account) {
            member.read = member.read.max(seq);
        }
    }

    pub fn apply(&mut self, seq: Seq, time: Time, entry: &Entry) {
        self.last = seq;
        self.begin_codes(time, entry);
        if !self.fits(entry) {
            return;
        }
        self.apply_to_codes(seq, entry);
        match entry.act().clone() {
            Entry::AccountMade { account: id, name, key, color } => {
                self.names.insert(id, name.clone());
                self.accounts.insert(
                    id,
                    Account { id, name, key, color, created: time, role: None, banned: false },
                );
                self.last_account = self.last_account.max(id.0);
                self.join(id, LOBBY, seq);
            }
            Entry::AccountEnded { account } => {
                self.accounts.remove(&account);
                self.blocks.retain(|(one, _)| *one != account);
                let theirs = |room: &RoomRecord| room.between.is_some_and(|t| t.contains(&account));
                for (id, room) in self.rooms.extract_if(.., |_, room| theirs(room)) {
                    let others = room.members.iter().filter(|member| member.account != account);
                    self.lost.extend(others.map(|member| ((member.account, seq), id)));
                    self.spent.extend(Some(id).filter(|id| id.is_drawn()));
                }
                self.deleted.retain(|_, deleted| deleted.room.owner != Some(account));
                self.forget_restrained(account);
                for deleted in self.deleted.values_mut() {
                    deleted.room.members.retain(|member| member.account != account);
                }
                for room in self.rooms.values_mut() {
                    room.members.retain(|member| member.account != account);
                    keep_moderators(room);
                    if room.owner == Some(account) {
                        let longest =
                            room.members.iter().min_by_key(|member| (member.since, member.account));
                        room.owner = longest.map(|member| member.account);
                        room.orphaned = room.owner.is_none();
                    }
                }
            }
            Entry::PolicyChanged { policy } => self.policy = policy,
            Entry::AddressBanned { banned } => {
                self.banned.insert(banned.address, banned.until);
                self.banned.retain(|_, until| time < *until);
            }
            Entry::BanChanged { account, on } => {
                self.accounts.get_mut(&account).expect("the entry fits").banned = on;
                self.sessions.retain(|_, session| session.account != account || !on);
            }
            Entry::RoleChanged { account, role } => {
                self.accounts.get_mut(&account).expect("the entry fits").role = role;
            }
            Entry::SessionBegun { session: id, account, key, remember, agent } => {
                let (created, last_used) = (time, time);
                let begun = Session { id, account, key, remember, agent, created, last_used };
                self.sessions.insert(id, begun);
                self.last_session = self.last_session.max(id.0);
            }
            Entry::SessionEnded { session } => {
                self.sessions.remove(&session);
            }
            Entry::KeyChanged { account, key, but } => {
                let known = self.accounts.get_mut(&account).expect("the entry fits");
                self.replaced.extend(known.key.replace(key));
                self.sessions.retain(|id, session| session.account != account || Some(*id) == but);
            }
            Entry::BlockChanged { account, blocked, on: true } => {
                let there = &self.accounts;
                self.blocks.retain(|(one, other)| *one != account || there.contains_key(other));
                self.blocks.insert((account, blocked));
            }
            Entry::BlockChanged { account, blocked, on: false } => {
                self.blocks.remove(&(account, blocked));
            }
            Entry::RoomMade { room: id, owner, settings } => {
                let open = settings.visibility == Visibility::Public;
                let opened = if open { seq } else { Seq(0) };
                let record = RoomRecord::new(id, time, owner, settings);
                self.rooms.insert(id, RoomRecord { opened, ..record });
                self.last_room = if id.is_drawn() { self.last_room } else { id.0 };
                owner.into_iter().for_each(|owner| self.join(owner, id, seq));
            }
            Entry::DirectMade { room: id, between, both } => {
                let record = RoomRecord::new(id, time, None, RoomSettings::of_direct(id));
                self.rooms.insert(id, RoomRecord { between: Some(between), ..record });
                self.last_room = if id.is_drawn() { self.last_room } else { id.0 };
                let first = if both { 2 } else { 1 };
                between.into_iter().take(first).for_each(|account| self.join(account, id, seq));
            }
            Entry::MemberChanged { room, account, member: true, .. } => {
                self.join(account, room, seq);
            }
            Entry::MemberChanged { room: id, account, member: false, .. } => {
                self.lost.insert((account, seq), id);
                let room = self.rooms.get_mut(&id).expect("the entry fits");
                room.members.retain(|member| member.account != account);
                keep_moderators(room);
                if room.between.is_some() && room.members.is_empty() {
                    self.rooms.remove(&id);
                    self.spent.extend(Some(id).filter(|id| id.is_drawn()));
                }
            }
            Entry::RoomChanged { room, settings, password_generation, link, keep_members } => {
                let locks = self.locks(entry);
                let record = self.rooms.get_mut(&room).expect("the entry fits");
                let was_open = record.settings.visibility == Visibility::Public;
                let open = settings.visibility == Visibility::Public;
                (record.settings, record.password_generation) = (settings, password_generation);
                record.updated = time;
                record.link = record.link.or(link);
                record.opened = if open && !was_open { seq } else { record.opened };
                if locks && !keep_members {
                    let owner = record.owner;
                    let stays = |member: &MemberRecord| Some(member.account) == owner;
                    let going = record.members.iter().filter(|member| !stays(member));
                    self.lost.extend(going.map(|member| ((member.account, seq), room)));
                    record.members.retain(stays);
                    keep_moderators(record);
                }
            }
            Entry::RoomGone { room, recoverable } => {
                let gone = self.rooms.remove(&room).expect("the entry fits");
                let members = gone.members.iter().map(|member| member.account);
                self.lost.extend(members.map(|account| ((account, seq), room)));
                let drawn = Some(room).filter(|room| room.is_drawn());
                self.spent.extend(drawn.into_iter().chain(gone.link));
                let owned = gone.owner.is_some_and(|owner| self.accounts.contains_key(&owner));
                if recoverable && owned {
                    let record = DeletedRecord { room: gone, deleted: time, by: seq };
                    self.deleted.insert(room, record);
                }
            }
            Entry::RoomReturned { room: id, title } => {
                let mut room = self.deleted.remove(&id).expect("the entry fits").room;
                (room.settings.title, room.updated) = (title, time);
                room.members.iter_mut().for_each(|member| member.since = seq);
                self.spent.retain(|number| *number != id && Some(*number) != room.link);
                let owner = room.owner;
                self.rooms.insert(id, room);
                owner.into_iter().for_each(|owner| self.join(owner, id, seq));
            }
            Entry::RoomPurged { room } => {
                self.deleted.remove(&room);
            }
            Entry::Said { room, .. } => {
                self.rooms.get_mut(&room).expect("a room").last = seq;
            }
            Entry::Edited { .. }
            | Entry::Deleted { .. }
            | Entry::Reacted { .. }
            | Entry::Cleared { .. }
            | Entry::Deed { .. } => {}
            entry => self.order(seq, time, &entry),
        }
    }

    /// A proposal never reuses a number from the log.
    pub fn is_new(&self, entry: &Entry) -> bool {
        match entry.act() {
            Entry::AccountMade { account, .. } => account.0 > self.last_account,
            Entry::SessionBegun { session, .. } => session.0 > self.last_session,
            Entry::RoomMade { room, .. } | Entry::DirectMade { room, .. } => !self.is_used(*room),
            Entry::RoomChanged { link: Some(link), .. } => !self.is_used(*link),
            _ => true,
        }
    }

    /// Whether one of the two has blocked the other.
    pub fn is_blocked(&self, [one, other]: [AccountId; 2]) -> bool {
        self.blocks.contains(&(one, other)) || self.blocks.contains(&(other, one))
    }

    /// An entry sends nothing between two accounts if one has blocked the other.
    pub fn respects_blocks(&self, entry: &Entry) -> bool {
        match entry {
            Entry::DirectMade { between, .. } => !self.is_blocked(*between),
            Entry::Said { room, .. } | Entry::Edited { room, .. } => {
                let two = self.rooms.get(room).and_then(|room| room.between);
                !two.is_some_and(|two| self.is_blocked(two))
            }
            _ => true,
        }
    }

    pub fn account_named(&self, name: &Name) -> Option<&Account> {
        self.accounts.values().find(|account| account.name.folded() == name.folded())
    }

    pub fn session_with(&self, key: &KeyHash) -> Option<&Session> {
        self.sessions.values().find(|session| session.key == *key)
    }

    pub fn find(&self, room: &RoomRef) -> Option<&RoomRecord> {
        self.rooms.values().filter(|record| record.between.is_none()).find(|record| match room {
            RoomRef::Id(id) => record.id == *id || record.link == Some(*id),
            RoomRef::Title(title) => record.settings.title.folded() == Folded::new(title),
        })
    }

    /// Whether a viewer with this access may see a room, named like this.
    pub fn may_see(
        &self,
        account: Option<AccountId>,
        room: &RoomRecord,
        fits: bool,
        name: Option<&RoomRef>,
    ) -> bool {
        let member = account.is_some_and(|account| self.is_member(account, room.id));
        let own = account.is_some() && account == room.owner;
        if room.between.is_some() {
            return member;
        }
        let link = name.is_some_and(|name| matches!(name, RoomRef::Id(id) if id.0 >= 1 << 32));
        room.settings.visibility != Visibility::Hidden || member || own || fits || link
    }

    /// Whether this access opens a room, as long as the session of the token lives.
    pub fn opens(&self, room: &RoomRecord, access: Access) -> bool {
        match access {
            Access::Open | Access::Member => false,
            Access::Password { password_generation } => {
                password_generation == room.password_generation
            }
            Access::Token { room: of, password_generation, .. } => {
                (of == room.id || room.link == Some(of))
                    && password_generation == room.password_generation
            }
        }
    }

    /// Whether a change ends access by tokens or by openness.
    pub fn locks(&self, entry: &Entry) -> bool {
        let Entry::RoomChanged { room, settings, password_generation, .. } = entry.act() else {
            return false;
        };
        let Some(before) = self.rooms.get(room) else { return false };
        let was_open = before.settings.visibility == Visibility::Public;
        let is_open = settings.visibility == Visibility::Public;
        self.fits(entry)
            && !is_open
            && (was_open || before.password_generation != *password_generation)
    }
}

/// The room of an entry; `None` for entries about people.
pub fn room_of(entry: &Entry) -> Option<RoomId> {
    match entry.act() {
        Entry::RoomMade { room, .. }
        | Entry::DirectMade { room, .. }
        | Entry::MemberChanged { room, .. }
        | Entry::ModeratorChanged { room, .. }
        | Entry::Muted { room: Some(room), .. }
        | Entry::RulesChanged { room, .. }
        | Entry::OwnerChanged { room, .. }
        | Entry::RoomChanged { room, .. }
        | Entry::RoomGone { room, .. }
        | Entry::RoomReturned { room, .. }
        | Entry::RoomPurged { room }
        | Entry::Said { room, .. }
        | Entry::Edited { room, .. }
        | Entry::Deleted { room, .. }
        | Entry::Reacted { room, .. } => Some(*room),
        _ => None,
    }
}
