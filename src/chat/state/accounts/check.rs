//! Invariants of the accounts' tables, for tests and debug builds.

use std::collections::HashMap;

use crate::chat::state::accounts::{AccountState, Accounts, Live};
use crate::chat::types::{AccountId, SessionId};

impl Accounts {
    /// The indexes agree with the tables.
    pub fn check(&self) {
        let counts = (self.by_name.len(), self.by_key.len(), self.by_session_key.len());
        let keys = self.accounts.values().filter(|known| known.account.key.is_some()).count();
        assert_eq!(counts, (self.accounts.len(), keys, self.sessions.len()));
        for (id, known) in self.accounts.iter() {
            let name = known.account.name.folded();
            assert!(self.by_name.all(&name).any(|account| account == *id), "{id:?}");
            let key = known.account.key;
            assert!(key.is_none_or(|key| self.by_key.get(&key) == Some(id)), "{id:?}");
            let own = |session| self.sessions.get(session).is_some_and(|live| live.account == *id);
            assert!(known.sessions.iter().all(own), "{id:?} has a missing session");
        }
        let listed: usize = self.accounts.values().map(|known| known.sessions.len()).sum();
        assert_eq!(listed, self.sessions.len(), "a session has no account");
        let found = |(id, live): (_, &Live)| self.by_session_key.get(&live.key) == Some(id);
        assert!(self.sessions.iter().all(found), "a session cannot be found by its key");
    }

    /// Accounts and sessions list exactly their subscriptions.
    pub fn check_subscriptions(
        &self,
        accounts: &HashMap<AccountId, usize>,
        sessions: &HashMap<SessionId, usize>,
    ) {
        for (id, known) in self.accounts.iter() {
            let subscriptions = known.subscriptions.len() + known.streams.len();
            assert_eq!(self.over.contains(id), known.is_over(), "{id:?}");
            assert_eq!(subscriptions, accounts.get(id).copied().unwrap_or(0), "{id:?}");
        }
        for (id, live) in self.sessions.iter() {
            assert!(self.due.contains(&(live.due, *id)), "{id:?} is never checked");
            assert_eq!(live.subscriptions.len(), sessions.get(id).copied().unwrap_or(0), "{id:?}");
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &AccountState> {
        self.accounts.values()
    }

    pub fn is_anything_in_flight(&self) -> bool {
        let busy = |known: &AccountState| known.pending_entries > 0 || known.pending_end;
        let beginning = self.accounts.values().any(busy);
        !self.reserved.is_empty()
            || !self.beginning.is_empty()
            || beginning
            || self.sessions.values().any(|live| live.pending_end)
    }
}
