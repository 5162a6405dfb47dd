//! One room: its settings, its members, and the people present. Plain tables with their rules; the
//! core that owns them decides about access and order.

#[cfg(any(test, debug_assertions))]
mod check;

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::chat::small::SmallMap;
use crate::chat::state::moderation::Moderation;
use crate::chat::state::pages::page;
use crate::chat::types::{
    AccountId, Author, Color, Folded, LOBBY, RoomId, Seq, SubscriptionId, Visibility,
};
use crate::chat::vocabulary::{Action, Field, Page, Present, Refusal, RoomChange, RoomSettings};
use crate::time::Time;

/// A room, as the core keeps it and as it is restored.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomRecord {
    /// The room's number.
    pub id: RoomId,
    /// The owner; `None`: the room has no owner, or is the server's.
    pub owner: Option<AccountId>,
    /// The room's settings.
    pub settings: RoomSettings,
    /// Counts its passwords, so that a token matches only one of them.
    pub password_generation: u64,
    /// When it was created.
    pub created: Time,
    /// When it was last changed.
    pub updated: Time,
    /// `Some`: a room for these two accounts, without a title and description of its own.
    pub between: Option<[AccountId; 2]>,
    /// The members, by account.
    pub members: Vec<MemberRecord>,
    /// The last message; 0 if there is none.
    pub last: Seq,
    /// The public number while it is hidden, if its own number can be guessed. The first value
    /// stays.
    pub link: Option<RoomId>,
    /// The entry that last made it public; only members may read earlier messages.
    pub opened: Seq,
    /// A guest owned it and is gone, and nobody has inherited it: it ends when it is empty.
    pub orphaned: bool,
    /// What keeps order in it; `None`: nothing, as in most rooms.
    pub moderation: Option<Box<Moderation>>,
}

impl RoomRecord {
    /// A new room, without members and messages.
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
            password_generation: 0,
            created: time,
            updated: time,
            between: None,
            members: Vec::new(),
            last: Seq(0),
            link: None,
            opened: Seq(0),
            orphaned: false,
            moderation: None,
        }
    }

    /// The entry after which a new member may read: entering an open room does not reveal messages
    /// from the time when it was closed.
    pub fn horizon_for(&self, account: AccountId) -> Seq {
        let open = self.settings.visibility == Visibility::Public && self.owner != Some(account);
        if open { self.opened } else { Seq(0) }
    }
}

/// A deleted room that can be restored, as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct DeletedRecord {
    /// The room, as it was.
    pub room: RoomRecord,
    /// When it was deleted.
    pub deleted: Time,
    /// The entry that deleted it.
    pub by: Seq,
}

/// An account's membership of a room, as stored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MemberRecord {
    /// The member.
    pub account: AccountId,
    /// The entry that began the membership.
    pub since: Seq,
    /// The last message that the member has read, as far as the disk knows.
    pub read: Seq,
    /// The member may not read messages up to this entry.
    pub horizon: Seq,
}

/// A live room: its record, its members, the people present.
#[derive(Debug)]
pub struct Room {
    pub record: RoomRecord,
    /// A change or the end of the room is proposed; another change waits for the log.
    pub pending_change: bool,
    /// The end of the room is proposed.
    pub pending_end: bool,
    /// The members. (The record's own list is filled only in copies for the store.)
    pub members: SmallMap<AccountId, Membership>,
    /// The members by age: the longest one inherits the room when its owner is gone. Empty in a
    /// room for two, which has no owner.
    pub since: BTreeSet<(Seq, AccountId)>,
    /// The pending membership changes; another change of the same account waits for the log.
    pub pending_moves: SmallMap<AccountId, Moving>,
    /// The subscriptions to the room.
    pub subscriptions: BTreeSet<SubscriptionId>,
    names: BTreeMap<Folded, Occupant>,
    /// The people present, in the order of arrival.
    here: BTreeMap<u64, Folded>,
    arrivals: u64,
}

/// A member's state in a room.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Membership {
    /// The entry that began it.
    pub since: Seq,
    /// The last message that the member has read.
    pub read: Seq,
    /// The member may not read messages up to this entry.
    pub horizon: Seq,
}

/// An account's pending membership changes.
#[derive(Clone, Copy, Debug)]
pub struct Moving {
    entries: u32,
    /// The membership after the last of them.
    member: bool,
}

impl Membership {
    /// A new member has no unread messages.
    pub fn new(since: Seq, horizon: Seq) -> Membership {
        Membership { since, read: since, horizon }
    }
}

/// A name in use in a room.
#[derive(Debug)]
struct Occupant {
    author: Author,
    /// The first subscription with this name; without an account, the only one.
    subscription: SubscriptionId,
    color: Option<Color>,
    last_activity: Time,
    /// Orders the people present by arrival.
    arrival: u64,
    /// Subscriptions bound to the name, present or not.
    bound: u32,
    /// The present subscriptions among them.
    present: u32,
}

impl Room {
    pub fn new(mut record: RoomRecord) -> Room {
        let members = std::mem::take(&mut record.members);
        let keep = |MemberRecord { account, since, read, horizon }| {
            (account, Membership { since, read, horizon })
        };
        let ages = members.iter().map(|member| (member.since, member.account));
        Room {
            since: ages.filter(|_| record.between.is_none()).collect(),
            record,
            pending_change: false,
            pending_end: false,
            members: members.into_iter().map(keep).collect(),
            pending_moves: SmallMap::default(),
            subscriptions: BTreeSet::new(),
            names: BTreeMap::new(),
            here: BTreeMap::new(),
            arrivals: 0,
        }
    }

    /// Notes when a member came, for the succession.
    pub fn age(&mut self, since: Seq, account: AccountId) {
        if !self.is_direct() {
            self.since.insert((since, account));
        }
    }

    /// Ends all memberships except the owner's, and returns them.
    pub fn put_all_out(&mut self) -> SmallMap<AccountId, Membership> {
        let mut out = std::mem::take(&mut self.members);
        self.since.clear();
        self.moderates_no_more(None);
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

    /// Whether lists of rooms show it.
    pub fn is_listed(&self) -> bool {
        self.record.settings.visibility != Visibility::Hidden
    }

    /// The record for the store, with the members by account.
    pub fn kept(&self) -> RoomRecord {
        let keep = |(account, membership): (&AccountId, &Membership)| MemberRecord {
            account: *account,
            since: membership.since,
            read: membership.read,
            horizon: membership.horizon,
        };
        let members = self.members.iter().map(keep).collect();
        RoomRecord { members, ..self.record.clone() }
    }

    /// Binds another subscription to a name. Refused if another person has the name.
    pub fn bind(
        &mut self,
        author: &Author,
        subscription: SubscriptionId,
        now: Time,
    ) -> Result<(), Refusal> {
        match self.names.entry(author.name.folded()) {
            Slot::Occupied(taken) => {
                let occupant = taken.into_mut();
                // A name without an account has only one subscription.
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

    /// The reverse of [`Room::bind`]; the subscription must not be present.
    pub fn unbind(&mut self, name: &Folded) {
        let Some(occupant) = self.names.get_mut(name) else { return };
        occupant.bound -= 1;
        if occupant.bound == 0 {
            self.names.remove(name);
        }
    }

    /// Unbinds a subscription from a name.
    pub fn forget(&mut self, name: &Folded, present: bool) {
        if present {
            self.leave(name);
        }
        self.unbind(name);
    }

    /// A bound subscription becomes present. `true`: the name was not present before.
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

    /// A present subscription leaves. `true`: the name is not present any more.
    pub fn leave(&mut self, name: &Folded) -> bool {
        let Some(occupant) = self.names.get_mut(name) else { return false };
        occupant.present -= 1;
        if occupant.present == 0 {
            self.here.remove(&occupant.arrival);
        }
        occupant.present == 0
    }

    /// Records an activity and, if given, a new color. Returns the current color.
    pub fn record_activity(
        &mut self,
        name: &Folded,
        color: Option<Color>,
        now: Time,
    ) -> Option<Color> {
        let occupant = self.names.get_mut(name)?;
        occupant.last_activity = now;
        if color.is_some() {
            occupant.color = color;
        }
        occupant.color.clone()
    }

    /// Whether the name is present.
    pub fn is_present(&self, name: &Folded) -> bool {
        self.names.get(name).is_some_and(|occupant| occupant.present > 0)
    }

    /// The arrival of a present name.
    pub fn arrival(&self, name: &Folded) -> Option<u64> {
        self.names
            .get(name)
            .filter(|occupant| occupant.present > 0)
            .map(|occupant| occupant.arrival)
    }

    /// The author with this name here: account or anonymous.
    pub fn holder(&self, name: &Folded) -> Option<&Author> {
        self.names.get(name).map(|occupant| &occupant.author)
    }

    /// The first subscription with this name.
    pub fn subscription_of(&self, name: &Folded) -> Option<SubscriptionId> {
        self.names.get(name).map(|occupant| occupant.subscription)
    }

    /// The number of arrivals so far: it separates earlier arrivals from later ones.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// The number of people present.
    pub fn online(&self) -> usize {
        self.here.len()
    }

    /// A page of the people present, in the order of arrival, with the next page's cursor.
    pub fn present(&self, after: u64) -> Page<Present, u64> {
        let here = self.here.range((Bound::Excluded(after), Bound::Unbounded));
        page(here.map(|(arrival, name)| (*arrival, name)), |name| {
            let occupant = self.names.get(name)?;
            let (author, color) = (occupant.author.clone(), occupant.color.clone());
            Some(Present { author, color, last_activity: occupant.last_activity })
        })
    }

    pub fn is_hidden(&self) -> bool {
        self.record.settings.visibility == Visibility::Hidden
    }

    pub fn has_member(&self, account: Option<AccountId>) -> bool {
        account.is_some_and(|account| self.members.contains_key(&account))
    }

    /// Whether the account will be a member once all pending entries are in the log.
    pub fn will_have(&self, account: AccountId) -> bool {
        self.pending_moves
            .get(&account)
            .map_or(self.members.contains_key(&account), |pending| pending.member)
    }

    /// A membership change is proposed.
    pub fn moves(&mut self, account: AccountId, member: bool) {
        let before = self.pending_moves.get(&account).map_or(0, |pending| pending.entries);
        self.pending_moves.insert(account, Moving { entries: before + 1, member });
    }

    /// The first of an account's pending membership changes is decided.
    pub fn moved(&mut self, account: AccountId) {
        if let Some(pending_moves) = self.pending_moves.get_mut(&account) {
            pending_moves.entries -= 1;
            if pending_moves.entries == 0 {
                self.pending_moves.remove(&account);
            }
        }
    }

    /// The public number.
    pub fn number(&self) -> RoomId {
        self.record.link.filter(|_| self.is_hidden()).unwrap_or(self.record.id)
    }

    /// The entry after which the account may read; `None`: it may read nothing.
    pub fn horizon(&self, account: Option<AccountId>) -> Option<Seq> {
        let member = account.and_then(|account| self.members.get(&account));
        match member {
            Some(membership) => Some(membership.horizon),
            None => self.is_public().then_some(self.record.opened),
        }
    }

    /// Whether a member may act on a message. A message before the member's horizon does not exist.
    pub fn may_touch(&self, account: AccountId, action: &Action) -> Result<(), Refusal> {
        // Sending to a room for two restores a membership that has ended.
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

    /// Whether the caller may change it. Nobody may change the lobby or a room for two; only its
    /// owner may change an owned room; anybody may change a public room without an owner; its
    /// members, or callers whose token is `admitted`, another room without an owner.
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

    /// The settings after a change, with the generation of the password.
    pub fn changed(&self, change: RoomChange) -> Result<(RoomSettings, u64), Refusal> {
        let RoomRecord { settings, password_generation, .. } = self.record.clone();
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
        Ok((settings, password_generation + u64::from(fresh)))
    }
}
