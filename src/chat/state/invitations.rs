//! Invitations that can be used, and links for accounts that have lost their keys: plain tables
//! with their rules.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use crate::chat::types::{AccountId, RoomId, Seq};
use crate::chat::vocabulary::{Grant, Invitation, Recovery};
use crate::crypto::KeyHash;
use crate::limits::in_charge::{INVITATIONS_ENDED, INVITATIONS_MAX, RECOVERIES_MAX};
use crate::time::Time;

/// The invitations that can be used.
#[derive(Default)]
pub struct Invitations {
    standing: BTreeMap<Seq, Invitation>,
    by_code: HashMap<KeyHash, Seq>,
    by_maker: BTreeSet<(Option<AccountId>, Seq)>,
    by_room: BTreeSet<(RoomId, Seq)>,
    by_end: BTreeSet<(Time, Seq)>,
    /// The maker and the room of each pending one.
    pub making: Vec<(Option<AccountId>, Option<RoomId>)>,
}

impl Invitations {
    pub fn get(&self, id: Seq) -> Option<&Invitation> {
        self.standing.get(&id)
    }

    pub fn by_code(&self, code: &KeyHash) -> Option<&Invitation> {
        self.by_code.get(code).and_then(|id| self.standing.get(id))
    }

    /// Adds an invitation from the log. `false`: its code exists already.
    pub fn insert(&mut self, invitation: Invitation) -> bool {
        let Invitation { id, grant, .. } = invitation;
        if self.by_code.contains_key(&grant.code) {
            return false;
        }
        self.by_code.insert(grant.code, id);
        self.by_maker.insert((grant.by, id));
        self.by_room.extend(grant.room.map(|room| (room, id)));
        self.by_end.insert((grant.until, id));
        self.standing.insert(id, invitation);
        true
    }

    /// Ends an invitation; `None`: it has ended already.
    pub fn end(&mut self, id: Seq) -> Option<Invitation> {
        let ended = self.standing.remove(&id)?;
        let Grant { code, by, room, until, .. } = ended.grant;
        self.by_code.remove(&code);
        self.by_maker.remove(&(by, id));
        self.by_end.remove(&(until, id));
        if let Some(room) = room {
            self.by_room.remove(&(room, id));
        }
        Some(ended)
    }

    /// Counts a use; the last one ends the invitation.
    pub fn use_once(&mut self, id: Seq) {
        let Some(invitation) = self.standing.get_mut(&id) else { return };
        invitation.used += 1;
        if invitation.used >= invitation.grant.uses {
            self.end(id);
        }
    }

    /// Ends those that are over, [`INVITATIONS_ENDED`] at most.
    pub fn end_over(&mut self, now: Time) {
        for _ in 0..INVITATIONS_ENDED {
            match self.by_end.first().copied() {
                Some((until, id)) if until <= now => _ = self.end(id),
                _ => return,
            }
        }
    }

    pub fn end_of_maker(&mut self, by: AccountId) {
        let all: Vec<Seq> = self.of_maker(Some(by)).collect();
        all.into_iter().for_each(|id| _ = self.end(id));
    }

    pub fn end_of_room(&mut self, room: RoomId) {
        let all: Vec<Seq> = self.of_room(room).collect();
        all.into_iter().for_each(|id| _ = self.end(id));
    }

    fn of_maker(&self, by: Option<AccountId>) -> impl Iterator<Item = Seq> {
        self.by_maker.range((by, Seq(0))..=(by, Seq(u64::MAX))).map(|(_, id)| *id)
    }

    fn of_room(&self, room: RoomId) -> impl Iterator<Item = Seq> {
        self.by_room.range((room, Seq(0))..=(room, Seq(u64::MAX))).map(|(_, id)| *id)
    }

    /// Whether a maker has so many, pending ones included.
    pub fn has_made(&self, by: Option<AccountId>, most: usize, now: Time) -> bool {
        let pending = self.making.iter().filter(|(maker, _)| *maker == by).count();
        self.count(self.of_maker(by), now) + pending >= most
    }

    /// Whether a room has so many, pending ones included.
    pub fn has_room(&self, room: RoomId, most: usize, now: Time) -> bool {
        let pending = self.making.iter().filter(|(_, to)| *to == Some(room)).count();
        self.count(self.of_room(room), now) + pending >= most
    }

    /// How many of these are not over.
    fn count(&self, ids: impl Iterator<Item = Seq>, now: Time) -> usize {
        ids.filter(|id| self.standing.get(id).is_some_and(|one| now < one.grant.until)).count()
    }

    /// Whether there are as many as there can be, pending ones included.
    pub fn is_full(&self, now: Time) -> bool {
        if self.standing.len() + self.making.len() < INVITATIONS_MAX {
            return false;
        }
        let after = (Bound::Excluded((now, Seq(u64::MAX))), Bound::Unbounded);
        self.by_end.range(after).count() + self.making.len() >= INVITATIONS_MAX
    }

    /// All that can be used, by number.
    pub fn records(&self) -> Vec<Invitation> {
        self.standing.values().copied().collect()
    }

    /// The indexes agree with the table.
    #[cfg(any(test, debug_assertions))]
    pub fn check(&self) {
        let all = self.standing.values();
        assert!(all.clone().all(|one| one.used < one.grant.uses), "used up, but standing");
        assert!(all.clone().all(|one| self.by_code.get(&one.grant.code) == Some(&one.id)));
        assert!(all.clone().all(|one| self.by_maker.contains(&(one.grant.by, one.id))));
        assert!(all.clone().all(|one| self.by_end.contains(&(one.grant.until, one.id))));
        let to_rooms = all.filter(|one| one.grant.room.is_some()).count();
        let counts = [self.by_code.len(), self.by_maker.len(), self.by_end.len()];
        assert_eq!((counts, self.by_room.len()), ([self.standing.len(); 3], to_rooms));
    }
}

/// The links by which accounts get new keys.
#[derive(Default)]
pub struct Recoveries {
    standing: BTreeMap<AccountId, Recovery>,
    by_code: HashMap<KeyHash, AccountId>,
}

impl Recoveries {
    pub fn by_code(&self, code: &KeyHash) -> Option<&Recovery> {
        self.by_code.get(code).and_then(|account| self.standing.get(account))
    }

    /// Adds a link from the log, in place of the account's earlier one. `false`: another account
    /// has that code.
    pub fn insert(&mut self, recovery: Recovery) -> bool {
        if self.by_code.get(&recovery.code).is_some_and(|account| *account != recovery.account) {
            return false;
        }
        self.end(recovery.account);
        self.by_code.insert(recovery.code, recovery.account);
        self.standing.insert(recovery.account, recovery);
        true
    }

    pub fn end(&mut self, account: AccountId) {
        if let Some(ended) = self.standing.remove(&account) {
            self.by_code.remove(&ended.code);
        }
    }

    /// Ends those that are over.
    pub fn end_over(&mut self, now: Time) {
        self.end_where(|one| one.until <= now);
    }

    /// Ends those that an account has made.
    pub fn end_of_maker(&mut self, by: AccountId) {
        self.end_where(|one| one.by == Some(by));
    }

    /// (There are few.)
    fn end_where(&mut self, which: impl Fn(&Recovery) -> bool) {
        let by_code = &mut self.by_code;
        self.standing.retain(|_, one| {
            let ends = which(one);
            if ends {
                by_code.remove(&one.code);
            }
            !ends
        });
    }

    /// Whether there is no place for another account's.
    pub fn is_full(&self, account: AccountId, now: Time) -> bool {
        let others = self.standing.values().filter(|one| one.account != account && now < one.until);
        self.standing.len() >= RECOVERIES_MAX && others.count() >= RECOVERIES_MAX
    }

    /// All that can be used, by account.
    pub fn records(&self) -> Vec<Recovery> {
        self.standing.values().copied().collect()
    }
}
