//! One room: what it is made of, who belongs to it, and who is present in it. Plain tables with
//! their rules; the core that owns them decides who may do what, and in which order.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use crate::chat::state::pages::page;
use crate::chat::types::{
    AccountId, Author, Color, Folded, LOBBY, RoomId, Seq, SubscriptionId, Visibility,
};
use crate::chat::vocabulary::{Action, Field, Page, Present, Refusal, RoomChange, RoomSettings};
use crate::time::Time;

/// A room, as the core keeps it and as it is restored.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomRecord {
    /// Its number.
    pub id: RoomId,
    /// Whose; `None`: nobody's, or the server's.
    pub owner: Option<AccountId>,
    /// What it is made of.
    pub settings: RoomSettings,
    /// Counts its passwords, so that a token knows which one it was made for.
    pub generation: u64,
    /// When it was made.
    pub created: Time,
    /// When it was last changed.
    pub updated: Time,
    /// The two whose room it is, where it is one for two: then its title and description are not
    /// used.
    pub between: Option<[AccountId; 2]>,
    /// Who belongs to it, by account.
    pub members: Vec<MemberRecord>,
    /// The last message; 0 where there is none.
    pub last: Seq,
    /// The number by which it is found from outside while it is hidden, where its own can be
    /// guessed. It is kept from the first time on.
    pub link: Option<RoomId>,
    /// The entry that made it public, last; what was said before is its members'.
    pub opened: Seq,
    /// It had an owner once, a guest, and has none any more: it ends when nobody is there.
    pub forsaken: bool,
}

impl RoomRecord {
    /// A room that is made now, without members and messages.
    pub fn new(
        id: RoomId,
        time: Time,
        owner: Option<AccountId>,
        settings: RoomSettings,
    ) -> RoomRecord {
        RoomRecord {
            id,
            owner,
            settings,
            generation: 0,
            created: time,
            updated: time,
            between: None,
            members: Vec::new(),
            last: Seq(0),
            link: None,
            opened: Seq(0),
            forsaken: false,
        }
    }

    /// From where on somebody reads who becomes a member now: to come in by an open protocol opens
    /// nothing that was said while it was closed.
    pub fn horizon_for(&self, account: AccountId) -> Seq {
        let open = self.settings.visibility == Visibility::Public && self.owner != Some(account);
        if open { self.opened } else { Seq(0) }
    }
}

/// A deleted room that can be brought back, as it is restored.
#[derive(Clone, PartialEq, Debug)]
pub struct DeletedRecord {
    /// As it was.
    pub room: RoomRecord,
    /// When it was deleted.
    pub deleted: Time,
    /// The entry by which it was.
    pub by: Seq,
}

/// Somebody's membership of a room, as it is restored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MemberRecord {
    /// Who.
    pub account: AccountId,
    /// The entry by which they became a member.
    pub since: Seq,
    /// The last message that they have read, as far as the disk knows.
    pub read: Seq,
    /// What was said up to here is not for them.
    pub horizon: Seq,
}

/// A live room: its record, and who is in it.
#[derive(Debug)]
pub struct Room {
    pub record: RoomRecord,
    /// A change or the end of it is proposed; a second one waits until that is in the log.
    pub pending_change: bool,
    /// Its end is proposed.
    pub pending_end: bool,
    /// Who belongs to it. (The record's own list is filled in only when it is handed out.)
    pub members: BTreeMap<AccountId, Membership>,
    /// The same by when they came: who is first here has the room when its owner is gone.
    pub since: BTreeSet<(Seq, AccountId)>,
    /// Whose coming or going is proposed; who asks for a second one waits until that is in the log.
    pub pending_moves: HashMap<AccountId, Moving>,
    /// The subscriptions here.
    pub subscriptions: BTreeSet<SubscriptionId>,
    names: HashMap<Folded, Occupant>,
    /// Who is present, by when they came.
    here: BTreeMap<u64, Folded>,
    arrivals: u64,
}

/// What a room knows of a member.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Membership {
    /// The entry by which it began.
    pub since: Seq,
    /// The last message that was read.
    pub read: Seq,
    /// What was said up to here is not theirs to read.
    pub horizon: Seq,
}

/// Comings and goings of somebody that are proposed but not yet in the log.
#[derive(Clone, Copy, Debug)]
pub struct Moving {
    entries: u32,
    /// What the last of them makes of it.
    member: bool,
}

impl Membership {
    /// One has nothing to catch up on where one has just come.
    pub fn new(since: Seq, horizon: Seq) -> Membership {
        Membership { since, read: since, horizon }
    }
}

/// A name in use in a room.
#[derive(Debug)]
struct Occupant {
    author: Author,
    /// The first subscription that was bound to it; of a name without an account, its only one.
    subscription: SubscriptionId,
    color: Option<Color>,
    last_activity: Time,
    /// Orders the present by when they came.
    arrival: u64,
    /// Subscriptions bound to the name, present or not.
    bound: u32,
    /// Those of them that are present.
    present: u32,
}

impl Room {
    pub fn new(mut record: RoomRecord) -> Room {
        let members = std::mem::take(&mut record.members);
        let keep = |MemberRecord { account, since, read, horizon }| {
            (account, Membership { since, read, horizon })
        };
        Room {
            record,
            pending_change: false,
            pending_end: false,
            since: members.iter().map(|one| (one.since, one.account)).collect(),
            members: members.into_iter().map(keep).collect(),
            pending_moves: HashMap::new(),
            subscriptions: BTreeSet::new(),
            names: HashMap::new(),
            here: BTreeMap::new(),
            arrivals: 0,
        }
    }

    /// Nobody belongs to it any more but its owner. Returns who did.
    pub fn put_all_out(&mut self) -> BTreeMap<AccountId, Membership> {
        let mut out = std::mem::take(&mut self.members);
        self.since.clear();
        if let Some(owner) = self.record.owner
            && let Some(member) = out.remove(&owner)
        {
            self.since.insert((member.since, owner));
            self.members.insert(owner, member);
        }
        out
    }

    pub fn is_direct(&self) -> bool {
        self.record.between.is_some()
    }

    pub fn is_public(&self) -> bool {
        self.record.settings.visibility == Visibility::Public
    }

    /// Whether it is in lists of rooms.
    pub fn is_listed(&self) -> bool {
        self.record.settings.visibility != Visibility::Hidden
    }

    /// As it is kept: with its members, by account.
    pub fn kept(&self) -> RoomRecord {
        let keep = |(account, one): (&AccountId, &Membership)| MemberRecord {
            account: *account,
            since: one.since,
            read: one.read,
            horizon: one.horizon,
        };
        let members = self.members.iter().map(keep).collect();
        RoomRecord { members, ..self.record.clone() }
    }

    /// Binds one more subscription to a name. Refused where another person has it.
    pub fn bind(
        &mut self,
        author: &Author,
        subscription: SubscriptionId,
        now: Time,
    ) -> Result<(), Refusal> {
        match self.names.entry(author.name.folded()) {
            Slot::Occupied(taken) => {
                let occupant = taken.into_mut();
                // A name without an account behind it is one subscription's only.
                if author.account.is_none() || occupant.author.account != author.account {
                    return Err(Refusal::NameInUse);
                }
                occupant.bound += 1;
            }
            Slot::Vacant(free) => {
                free.insert(Occupant {
                    author: author.clone(),
                    subscription,
                    color: None,
                    last_activity: now,
                    arrival: 0,
                    bound: 1,
                    present: 0,
                });
            }
        }
        Ok(())
    }

    /// The reverse of [`Room::bind`]; the subscription is not present any more.
    pub fn unbind(&mut self, name: &Folded) {
        let Some(occupant) = self.names.get_mut(name) else { return };
        occupant.bound -= 1;
        if occupant.bound == 0 {
            self.names.remove(name);
        }
    }

    /// A subscription is bound to that name no more.
    pub fn forget(&mut self, name: &Folded, present: bool) {
        if present {
            self.leave(name);
        }
        self.unbind(name);
    }

    /// A bound subscription becomes present. `true`: nobody was, under that name.
    pub fn enter(&mut self, name: &Folded, now: Time) -> bool {
        let Some(occupant) = self.names.get_mut(name) else { return false };
        occupant.present += 1;
        occupant.last_activity = now;
        if occupant.present == 1 {
            self.arrivals += 1;
            occupant.arrival = self.arrivals;
            self.here.insert(self.arrivals, name.clone());
        }
        occupant.present == 1
    }

    /// A present subscription goes. `true`: nobody is left under that name.
    pub fn leave(&mut self, name: &Folded) -> bool {
        let Some(occupant) = self.names.get_mut(name) else { return false };
        occupant.present -= 1;
        if occupant.present == 0 {
            self.here.remove(&occupant.arrival);
        }
        occupant.present == 0
    }

    /// Somebody did something; `color` stays as it was when none is given. Returns the colour.
    pub fn act(&mut self, name: &Folded, color: Option<Color>, now: Time) -> Option<Color> {
        let occupant = self.names.get_mut(name)?;
        occupant.last_activity = now;
        if color.is_some() {
            occupant.color = color;
        }
        occupant.color.clone()
    }

    /// Whether somebody is present under a name.
    pub fn is_present(&self, name: &Folded) -> bool {
        self.names.get(name).is_some_and(|occupant| occupant.present > 0)
    }

    /// When somebody came who is present under a name.
    pub fn arrival(&self, name: &Folded) -> Option<u64> {
        self.names.get(name).filter(|one| one.present > 0).map(|one| one.arrival)
    }

    /// Who uses a name here, account or guest.
    pub fn holder(&self, name: &Folded) -> Option<&Author> {
        self.names.get(name).map(|occupant| &occupant.author)
    }

    /// The subscription that first took a name.
    pub fn subscription_of(&self, name: &Folded) -> Option<SubscriptionId> {
        self.names.get(name).map(|occupant| occupant.subscription)
    }

    /// How many have arrived so far, by which those who did can be told from those who will.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// How many are present.
    pub fn online(&self) -> usize {
        self.here.len()
    }

    /// A page of those who are present, in the order of arriving; and after whom the next begins.
    pub fn present(&self, after: u64) -> Page<Present, u64> {
        let here = self.here.range((Bound::Excluded(after), Bound::Unbounded));
        page(here.map(|(arrival, name)| (*arrival, name)), |name| {
            let one = self.names.get(name)?;
            let (author, color) = (one.author.clone(), one.color.clone());
            Some(Present { author, color, last_activity: one.last_activity })
        })
    }

    pub fn is_hidden(&self) -> bool {
        self.record.settings.visibility == Visibility::Hidden
    }

    pub fn has_member(&self, account: Option<AccountId>) -> bool {
        account.is_some_and(|account| self.members.contains_key(&account))
    }

    /// Whether somebody will belong to it when all that is in flight is in the log.
    pub fn will_have(&self, account: AccountId) -> bool {
        self.pending_moves
            .get(&account)
            .map_or(self.members.contains_key(&account), |one| one.member)
    }

    /// Somebody's coming or going is proposed.
    pub fn moves(&mut self, account: AccountId, member: bool) {
        let pending_moves =
            self.pending_moves.entry(account).or_insert(Moving { entries: 0, member });
        *pending_moves = Moving { entries: pending_moves.entries + 1, member };
    }

    /// The first of somebody's comings and goings that were proposed is not in flight any more.
    pub fn moved(&mut self, account: AccountId) {
        if let Some(pending_moves) = self.pending_moves.get_mut(&account) {
            pending_moves.entries -= 1;
            if pending_moves.entries == 0 {
                self.pending_moves.remove(&account);
            }
        }
    }

    /// The number by which it is known outside.
    pub fn number(&self) -> RoomId {
        self.record.link.filter(|_| self.is_hidden()).unwrap_or(self.record.id)
    }

    /// After which entry somebody may read; `None`: nothing at all.
    pub fn horizon(&self, account: Option<AccountId>) -> Option<Seq> {
        let member = account.and_then(|account| self.members.get(&account));
        match member {
            Some(membership) => Some(membership.horizon),
            None => self.is_public().then_some(self.record.opened),
        }
    }

    /// Whether a member may do something to a message: what is not theirs to read is not there.
    pub fn may_touch(&self, account: AccountId, action: &Action) -> Result<(), Refusal> {
        // To a room for two one comes back by what one says.
        let direct = self.record.between.map(|_| Seq(0));
        let horizon = self.horizon(Some(account)).or(direct);
        let hidden = |seq: Seq| horizon.is_none_or(|horizon| seq <= horizon);
        match action {
            Action::Send { reply_to, .. } if reply_to.is_some_and(hidden) => {
                Err(Refusal::Malformed(Field::ReplyTo))
            }
            Action::Send { .. } => Ok(()),
            Action::Edit { target, .. }
            | Action::Delete { target, .. }
            | Action::React { target, .. } => {
                if hidden(*target) {
                    Err(Refusal::MessageNotFound)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Whether one may change it: the lobby and a room for two nobody; any other its owner; where
    /// it has none, anybody if it is public, and else its members and whoever is `admitted` by a
    /// token.
    pub fn may_change(&self, caller: Option<AccountId>, admitted: bool) -> Result<(), Refusal> {
        if self.record.id == LOBBY || self.is_direct() {
            return Err(Refusal::Forbidden);
        }
        match self.record.owner {
            owner @ Some(_) if owner == caller => Ok(()),
            Some(_) => Err(Refusal::Forbidden),
            None if self.is_public() || admitted || self.has_member(caller) => Ok(()),
            None => Err(Refusal::NoAccess),
        }
    }

    /// What the room would be after a change, and the generation of its password then.
    pub fn changed(&self, change: RoomChange) -> Result<(RoomSettings, u64), Refusal> {
        let RoomRecord { settings, generation, .. } = self.record.clone();
        let visibility = change.visibility.unwrap_or(settings.visibility);
        let public = visibility == Visibility::Public;
        if public && change.password.is_some() {
            return Err(Refusal::PasswordForPublic);
        }
        let fresh = change.password.is_some();
        let password = change.password.or(settings.password).filter(|_| !public);
        if !public && password.is_none() {
            return Err(Refusal::PasswordMissing);
        }
        let settings = RoomSettings {
            title: change.title.unwrap_or(settings.title),
            description: change.description.unwrap_or(settings.description),
            visibility,
            password,
        };
        Ok((settings, generation + u64::from(fresh)))
    }
}

#[cfg(any(test, debug_assertions))]
impl Room {
    /// The names in use here, each with its account, how many subscriptions are bound to it, and
    /// how many of those are present.
    pub fn bound_names(&self) -> impl Iterator<Item = (&Folded, (Option<AccountId>, u32, u32))> {
        let counts = |one: &Occupant| (one.author.account, one.bound, one.present);
        self.names.iter().map(move |(name, one)| (name, counts(one)))
    }

    /// Who is present is listed by when they came.
    pub fn check_present(&self) {
        let listed = self.here.iter().all(|(at, name)| self.arrival(name) == Some(*at));
        let present = self.names.values().filter(|one| one.present > 0).count();
        assert!(listed && present == self.here.len(), "{:?} has others present", self.record.id);
    }
}
