//! Invitations and lost keys: people make codes, use good ones and bad ones; and the plain fold of
//! what came of it. No invitation is used more often than it may be, over crashes and with another
//! proposer; and none admits anybody after its end.

use std::collections::BTreeMap;

use crate::chat::simulation::Simulation;
use crate::chat::simulation::book::Book;
use crate::chat::{
    AccountId, Call, Caller, Entry, Grant, Invitation, Recovery, RoomId, Seq, Snapshot, call,
};
use crate::crypto::KeyHash;
use crate::time::Time;

/// The codes that can be used, as plain as possible.
#[derive(Clone, Default)]
pub struct Codes {
    pub invitations: BTreeMap<Seq, Invitation>,
    pub recoveries: BTreeMap<AccountId, Recovery>,
    /// How often each invitation, past and present, was used.
    came: BTreeMap<Seq, u64>,
    /// The time of the entry that is judged.
    pub now: Time,
}

impl Simulation {
    pub(super) fn somebody_has_to_do_with_a_code(&mut self) {
        let Codes { invitations, recoveries, .. } = &self.book.codes;
        let (invited, lost) = (!invitations.is_empty(), !recoveries.is_empty());
        match self.dice.below(12) {
            0..=5 if invited => self.somebody_comes_invited(),
            6..=7 if invited => self.somebody_ends_an_invitation(),
            8..=9 if lost => self.somebody_recovers(),
            10 => {
                let (caller, name) = (self.somebody_in_charge(), self.an_accounts_name());
                let (code, name) = (self.key(), name.as_str().into());
                self.codes.push(code);
                self.asks(caller, |_| call::MakeRecovery { name, code, reason: None });
            }
            _ => self.somebody_invites(),
        }
    }

    /// Somebody in charge, or the owner of a room.
    fn somebody_invites(&mut self) {
        let owned = self.book.rooms.values().filter_map(|room| Some((room.id, room.owner?)));
        let owned: Vec<(RoomId, AccountId)> = owned.collect();
        let in_charge = self.book.accounts.values().filter(|account| account.role.is_some());
        let in_charge: Vec<AccountId> = in_charge.map(|account| account.id).collect();
        let any = self.dice.one_in(2).then(|| self.some_room());
        let (caller, room) = match self.dice.below(4) {
            0 => (self.caller(), any),
            1 => match self.dice.pick(&owned) {
                Some((room, owner)) => (self.caller_of(owner), Some(room)),
                None => (Caller::Operator, any),
            },
            _ => match self.dice.pick(&in_charge) {
                Some(account) => (self.caller_of(account), any),
                None => (Caller::Operator, any),
            },
        };
        let code = self.key();
        self.codes.push(code);
        let (uses, secs) = (1 + self.dice.below(3), 1 + self.dice.below(300));
        self.asks(caller, |_| call::Invite { code, room, uses, secs, reason: None });
    }

    /// Somebody uses an invitation: mostly a good one.
    fn somebody_comes_invited(&mut self) {
        let code = self.some_code(false);
        match self.dice.below(8) {
            0 => self.somebody_asks(|_| call::LookAtInvitation { code }),
            1 => self.somebody_asks(|_| call::Invitations { room: None }),
            2..=4 => {
                let accounts: Vec<AccountId> = self.book.accounts.keys().copied().collect();
                let caller = match self.dice.pick(&accounts) {
                    Some(account) => self.caller_of(account),
                    None => self.caller(),
                };
                self.asks(caller, |_| call::AcceptInvitation { code });
            }
            _ => self.asks(Caller::Nobody, |it| {
                let (name, invitation) = (it.name(), Some(code));
                call::Register { name: name.as_str().into(), key: it.key(), invitation }
            }),
        }
    }

    fn somebody_ends_an_invitation(&mut self) {
        let standing: Vec<Seq> = self.book.codes.invitations.keys().copied().collect();
        let any = self.some_seq();
        let invitation = self.dice.pick(&standing).unwrap_or(any);
        // By the end of its maker's role, or a ban.
        let maker = self.book.codes.invitations.get(&invitation).and_then(|one| one.grant.by);
        let maker = maker.and_then(|by| self.book.accounts.get(&by));
        if let Some(name) = maker.map(|known| Box::from(known.name.as_str()))
            && self.dice.one_in(2)
        {
            let (role, on, reason) = (None, true, None);
            return self.asks::<Call>(Caller::Operator, |it| match it.dice.one_in(3) {
                true => call::Ban { name, on, address_secs: None, reason }.into(),
                false => call::ChangeRole { name, role, reason }.into(),
            });
        }
        let caller = match self.dice.one_in(2) {
            true => self.somebody_in_charge(),
            false => self.caller(),
        };
        self.asks(caller, |_| call::EndInvitation { invitation, reason: None });
    }

    /// Somebody finds a key again.
    fn somebody_recovers(&mut self) {
        let code = self.some_code(true);
        self.asks(Caller::Nobody, |it| call::Recover { code, key: it.key() });
    }

    /// Mostly one that can be used, else any that was ever made.
    fn some_code(&mut self, recovers: bool) -> KeyHash {
        let codes = &self.book.codes;
        let good: Vec<KeyHash> = match recovers {
            true => codes.recoveries.values().map(|one| one.code).collect(),
            false => codes.invitations.values().map(|one| one.grant.code).collect(),
        };
        let (good, any) = (self.dice.pick(&good), self.dice.pick(&self.codes));
        let fresh = self.key();
        match self.dice.below(4) {
            0 => any.unwrap_or(fresh),
            _ => good.or(any).unwrap_or(fresh),
        }
    }

    /// A code's entry from another proposer.
    pub(super) fn a_strangers_code(&mut self) -> Entry {
        let (account, by) = (AccountId(1 + self.dice.below(6)), self.dice.below(6));
        let by = (by > 0).then_some(AccountId(by));
        let until = Time(self.clock.0 + self.dice.below(60_000_000).cast_signed() - 1_000_000);
        let code = if self.dice.one_in(2) { self.some_code(true) } else { self.key() };
        let invitation = Seq(1 + self.dice.below(self.disk.log.len() as u64));
        let standing: Vec<Seq> = self.book.codes.invitations.keys().copied().collect();
        let invitation = self.dice.pick(&standing).unwrap_or(invitation);
        match self.dice.below(6) {
            0 => {
                let room = self.dice.one_in(2).then(|| self.some_room());
                let (uses, registers) = (self.dice.below(3), self.dice.one_in(2));
                Entry::InvitationMade { grant: Grant { code, by, room, until, uses, registers } }
            }
            1 => Entry::InvitationEnded { invitation },
            2 => Entry::RecoveryMade { recovery: Recovery { account, code, by, until } },
            3 => Entry::Recovered { account, key: self.key(), code },
            _ => {
                let (room, with) = (self.some_room(), None);
                let act =
                    Entry::MemberChanged { room, account, member: true, expelled: false, with };
                Entry::Invited { invitation, act: Box::new(act) }
            }
        }
    }
}

impl Book {
    /// Whether an entry about codes fits its predecessors; `None`: it is about none.
    pub fn code_fits(&self, entry: &Entry) -> Option<bool> {
        let Codes { invitations, recoveries, now, .. } = &self.codes;
        let known = |account: &AccountId| self.accounts.contains_key(account);
        Some(match entry {
            Entry::Deed { act, .. } => return self.code_fits(act),
            Entry::InvitationMade { grant } => {
                let mut others = invitations.values().filter(|one| *now < one.grant.until);
                grant.room.is_none_or(|room| self.is_room(&room))
                    && grant.by.is_none_or(|by| known(&by))
                    && grant.uses > 0
                    && *now < grant.until
                    && !others.any(|one| one.grant.code == grant.code)
            }
            Entry::InvitationEnded { invitation } => invitations.contains_key(invitation),
            Entry::Invited { invitation, act } => {
                let found = invitations.get(invitation).filter(|one| *now < one.grant.until);
                let Some(one) = found else { return Some(false) };
                let admits = match **act {
                    Entry::MemberChanged { room, member, .. } => {
                        member && one.grant.room == Some(room)
                    }
                    Entry::AccountMade { key, .. } => key.is_some(),
                    _ => false,
                };
                admits && self.fits(act)
            }
            Entry::RecoveryMade { recovery: Recovery { account, code, by, until } } => {
                let role = |account| self.accounts.get(account).and_then(|known| known.role);
                let may = self.accounts.get(account);
                let mut others = recoveries.values().filter(|one| *now < one.until);
                may.is_some_and(|known| known.key.is_some() && !known.banned)
                    && by.as_ref().is_none_or(|by| role(by) > role(account))
                    && now < until
                    && !others.any(|one| one.code == *code && one.account != *account)
            }
            Entry::Recovered { account, key, code } => {
                let one = recoveries.get(account);
                one.is_some_and(|one| one.code == *code && *now < one.until)
                    && !self.accounts.values().any(|known| known.key == Some(*key))
            }
            _ => return None,
        })
    }

    /// Whether the log takes an entry: a code that has ended admits nobody.
    pub fn code_stands(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Invited { invitation, act } => {
                let found = self.codes.invitations.get(invitation);
                let found = found.filter(|one| self.codes.now < one.grant.until);
                let to = found.and_then(|one| one.grant.room);
                match **act {
                    Entry::MemberChanged { room, .. } => to == Some(room),
                    _ => found.is_some(),
                }
            }
            Entry::Recovered { account, code, .. } => {
                let found = self.codes.recoveries.get(account);
                found.is_some_and(|one| one.code == *code && self.codes.now < one.until)
            }
            _ => true,
        }
    }

    /// What is over by now ends with the next of its kind.
    pub fn begin_codes(&mut self, time: Time, entry: &Entry) {
        self.codes.now = time;
        match entry.act() {
            Entry::InvitationMade { .. } => {
                self.codes.invitations.retain(|_, one| time < one.grant.until);
            }
            Entry::RecoveryMade { .. } => self.codes.recoveries.retain(|_, one| time < one.until),
            _ => {}
        }
    }

    /// An entry that fits, before it changes anything else.
    pub fn apply_to_codes(&mut self, seq: Seq, entry: &Entry) {
        if let Entry::Invited { invitation, .. } = entry {
            let one = self.codes.invitations.get_mut(invitation).expect("the entry fits");
            one.used += 1;
            let (used, uses) = (one.used, one.grant.uses);
            let came = self.codes.came.entry(*invitation).or_insert(0);
            *came += 1;
            assert!(*came <= uses && *came == used, "used more often than it may be");
            if used == uses {
                self.codes.invitations.remove(invitation);
            }
        }
        let of_room = |room: RoomId| move |one: &Invitation| one.grant.room == Some(room);
        let locks = self.locks(entry);
        let Codes { invitations, recoveries, .. } = &mut self.codes;
        match *entry.act() {
            Entry::InvitationMade { grant } => {
                invitations.insert(seq, Invitation { id: seq, grant, used: 0 });
            }
            Entry::InvitationEnded { invitation } => {
                invitations.remove(&invitation);
            }
            Entry::RecoveryMade { recovery } => {
                recoveries.insert(recovery.account, recovery);
            }
            Entry::Recovered { account, key, .. } => {
                recoveries.remove(&account);
                let known = self.accounts.get_mut(&account).expect("the entry fits");
                self.replaced.extend(known.key.replace(key));
                self.sessions.retain(|_, session| session.account != account);
            }
            Entry::KeyChanged { account, .. } => _ = recoveries.remove(&account),
            Entry::RoleChanged { account, role } => {
                invitations.retain(|_, one| role.is_some() || one.grant.by != Some(account));
                recoveries.retain(|of, one| *of != account && one.by != Some(account));
            }
            Entry::BanChanged { account, on: true } => {
                invitations.retain(|_, one| one.grant.by != Some(account));
                recoveries.retain(|of, one| *of != account && one.by != Some(account));
            }
            Entry::RoomGone { room, .. } => invitations.retain(|_, one| !of_room(room)(one)),
            Entry::RoomChanged { room, .. } if locks => {
                invitations.retain(|_, one| !of_room(room)(one));
            }
            _ => {}
        }
    }

    pub fn compare_codes(&self, snapshot: &Snapshot) {
        let Codes { invitations, recoveries, .. } = &self.codes;
        assert!(invitations.values().eq(&snapshot.invitations), "invitations differ from the log");
        assert!(recoveries.values().eq(&snapshot.recoveries), "recoveries differ from the log");
    }
}
