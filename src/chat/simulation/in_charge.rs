//! People in charge: the operator at the shell, owners and administrators; and people who would
//! like to be.

use std::net::IpAddr;

use crate::chat::simulation::Simulation;
use crate::chat::simulation::book::Book;
use crate::chat::{
    AccountId, BannedAddress, Caller, Entry, Guests, Name, Policy, Reason, Registration, Role,
    SessionId, Source, call,
};
use crate::time::Time;

/// The last byte of the key of an account that is made because a proxy vouches for the person,
/// whoever may register.
pub const VOUCHED: u8 = 2;

impl Simulation {
    /// Somebody does what takes a role: mostly an account that has one.
    pub(super) fn somebody_rules(&mut self) {
        let caller = self.somebody_in_charge();
        let reason = self.dice.one_in(2).then(|| Reason::new("because")).flatten();
        match self.dice.below(6) {
            0..=1 => return self.somebody_bans(caller, reason),
            2 => {
                let room = self.some_room();
                return self.asks(caller, |_| call::Demolish { room, reason });
            }
            3 => {
                let any = (self.some_room(), self.some_seq());
                let (room, target) = self.some_message(None).unwrap_or(any);
                return self.asks(caller, |_| call::Suppress { room, target, reason });
            }
            _ => {}
        }
        if self.dice.one_in(2) {
            let (name, role) = (self.an_accounts_name().as_str().into(), self.some_role());
            return self.asks(caller, |_| call::ChangeRole { name, role, reason });
        }
        let Policy { registration, guests } = self.some_policy();
        let registration = Some(registration).filter(|_| !self.dice.one_in(4));
        let guests = Some(guests).filter(|_| !self.dice.one_in(4));
        self.asks(caller, |_| call::ChangePolicy { registration, guests, reason });
    }

    /// Guests who may stay no longer are put out with the entry that says so.
    pub(super) fn guests_go(&mut self, policy: Policy) -> Vec<SessionId> {
        let then = Book { policy, accounts: self.book.accounts.clone(), ..Book::default() };
        let mut ended = self.world.unsubscribe(|_, one| !then.admits(one.account));
        ended.extend(self.world.end_streams(|one| !then.admits(Some(one.account))));
        ended
    }

    fn somebody_bans(&mut self, caller: Caller, reason: Option<Reason>) {
        if self.dice.one_in(3) {
            let address = self.an_address();
            let secs = (!self.dice.one_in(3)).then(|| 1 + self.dice.below(90));
            return self.asks(caller, |_| call::BanAddress { address, secs, reason });
        }
        let (name, on) = (self.an_accounts_name().as_str().into(), self.dice.one_in(2));
        let address_secs = self.dice.one_in(2).then(|| 1 + self.dice.below(90));
        self.asks(caller, |_| call::Ban { name, on, address_secs, reason });
    }

    /// One of the two from which clients come.
    pub(super) fn an_address(&mut self) -> IpAddr {
        IpAddr::from([203, 0, 113, self.dice.below(2) as u8])
    }

    /// Whether nobody may come from there now, except people in charge.
    pub(super) fn is_shut_out(&self, source: Source, account: Option<AccountId>) -> bool {
        let Source::Address(address) = source else { return false };
        let banned = self.book.banned.get(&address).is_some_and(|until| self.clock < *until);
        let known = account.and_then(|account| self.book.accounts.get(&account));
        banned && known.is_none_or(|known| known.role.is_none())
    }

    /// Everybody from a banned address is put out with the entry that bans it.
    pub(super) fn an_address_goes(&mut self, time: Time, banned: BannedAddress) -> Vec<SessionId> {
        let (mut now, now_is) = (self.book.banned.clone(), self.clock);
        now.insert(banned.address, banned.until);
        now.retain(|_, until| time < *until);
        let accounts = &self.book.accounts;
        let out = |source, account: Option<AccountId>| {
            let Source::Address(address) = source else { return false };
            let known = account.and_then(|account| accounts.get(&account));
            let banned = now.get(&address).is_some_and(|until| now_is < *until);
            banned && known.is_none_or(|known| known.role.is_none())
        };
        // (Also guests who may stay no longer; but these have gone before.)
        let mut ended = self.world.unsubscribe(|_, one| out(one.source, one.account));
        ended.extend(self.world.end_streams(|one| out(one.source, Some(one.account))));
        ended
    }

    pub(super) fn some_role(&mut self) -> Option<Role> {
        let role = self.dice.pick(&[None, Some(Role::Administrator), Some(Role::Owner)]);
        role.expect("one of three")
    }

    /// Mostly the usual one, so that there is life.
    pub(super) fn some_policy(&mut self) -> Policy {
        use Registration::{Closed, Invite, Open};
        let registration = self.dice.pick(&[Open, Open, Open, Invite, Closed]);
        let guests =
            self.dice.pick(&[Guests::On, Guests::On, Guests::On, Guests::Rooms, Guests::Off]);
        let (registration, guests) = (registration.expect("one"), guests.expect("one"));
        Policy { registration, guests }
    }

    /// The operator, an account with a role, or anybody.
    pub(super) fn somebody_in_charge(&mut self) -> Caller {
        let in_charge = self.book.accounts.values().filter(|account| account.role.is_some());
        let in_charge: Vec<AccountId> = in_charge.map(|account| account.id).collect();
        match (self.dice.below(8), self.dice.pick(&in_charge)) {
            (0..=1, _) | (2..=6, None) => Caller::Operator,
            (2..=6, Some(account)) => self.caller_of(account),
            _ => self.caller(),
        }
    }

    /// Mostly the name of an account.
    pub(super) fn an_accounts_name(&mut self) -> Name {
        let names = self.book.accounts.values().map(|account| account.name.clone());
        let names: Vec<Name> = names.collect();
        let other = self.name();
        self.dice.pick(&names).filter(|_| !self.dice.one_in(8)).unwrap_or(other)
    }
}

impl Book {
    /// Whether an account, or a name without one, may be in rooms.
    pub fn admits(&self, account: Option<AccountId>) -> bool {
        self.policy.guests != Guests::Off || self.is_registered(account)
    }

    fn is_registered(&self, account: Option<AccountId>) -> bool {
        let known = account.and_then(|account| self.accounts.get(&account));
        known.is_some_and(|known| known.key.is_some())
    }

    /// Whether a proposal respects who may come in.
    pub fn lets_in(&self, entry: &Entry) -> bool {
        match entry.act() {
            Entry::AccountMade { key: Some(key), .. } => {
                let open = self.policy.registration != Registration::Closed;
                open || key[31] == VOUCHED
            }
            Entry::AccountMade { key: None, .. } => self.admits(None),
            Entry::RoomMade { owner, .. } => {
                self.policy.guests == Guests::On || self.is_registered(*owner)
            }
            // (The first room of a new account follows it.)
            Entry::MemberChanged { account, member: true, .. } => {
                account.0 > self.last_account || self.admits(Some(*account))
            }
            Entry::Said { author, .. } => self.admits(author.account),
            _ => true,
        }
    }
}
