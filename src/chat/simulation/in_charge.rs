//! People in charge: the operator at the shell, owners and administrators; and people who would
//! like to be.

use crate::chat::simulation::Simulation;
use crate::chat::{AccountId, Caller, Name, Reason, Role, call};

impl Simulation {
    /// Somebody does what takes a role: mostly an account that has one.
    pub(super) fn somebody_rules(&mut self) {
        let role = self.dice.pick(&[None, Some(Role::Administrator), Some(Role::Owner)]);
        let role = role.expect("one of three");
        let name = self.an_accounts_name();
        let reason = self.dice.one_in(2).then(|| Reason::new("because")).flatten();
        let caller = self.somebody_in_charge();
        let name = name.as_str().into();
        self.asks(caller, |_| call::ChangeRole { name, role, reason });
    }

    /// The operator, an account with a role, or anybody.
    fn somebody_in_charge(&mut self) -> Caller {
        let in_charge = self.book.accounts.values().filter(|account| account.role.is_some());
        let in_charge: Vec<AccountId> = in_charge.map(|account| account.id).collect();
        match (self.dice.below(8), self.dice.pick(&in_charge)) {
            (0..=1, _) | (2..=6, None) => Caller::Operator,
            (2..=6, Some(account)) => self.caller_of(account),
            _ => self.caller(),
        }
    }

    /// Mostly the name of an account.
    fn an_accounts_name(&mut self) -> Name {
        let names = self.book.accounts.values().map(|account| account.name.clone());
        let names: Vec<Name> = names.collect();
        let other = self.name();
        self.dice.pick(&names).filter(|_| !self.dice.one_in(8)).unwrap_or(other)
    }
}
