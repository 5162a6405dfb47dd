//! Accounts and their sessions: plain tables with their rules. The core that owns them decides
//! about access and order.

#[cfg(any(test, debug_assertions))]
mod check;
mod known;
mod subscriptions;

pub use known::AccountState;
pub use subscriptions::Look;

use std::collections::{BTreeSet, HashMap};

use crate::chat::numbered::NumberedLarge;
use crate::chat::small::SmallMap;
use crate::chat::state::index::Index;
use crate::chat::state::mentions::called;
use crate::chat::types::{AccountId, Color, Folded, Name, SessionId, SubscriptionId};
use crate::chat::vocabulary::Role;
use crate::crypto::KeyHash;
use crate::limits::{GUEST_REMEMBERED_TTL_SECS, REMEMBERED_TTL_SECS, SESSION_TOUCH_PARTS};
use crate::time::{Moment, Time};

/// An account, as the core keeps it and as it is restored.
#[derive(Clone, PartialEq, Debug)]
pub struct Account {
    /// The account's number.
    pub id: AccountId,
    /// The name, as registered.
    pub name: Name,
    /// The SHA-256 of its key; `None`: the account is a guest.
    pub key: Option<KeyHash>,
    /// The color in which clients show the account.
    pub color: Option<Color>,
    /// When it was registered.
    pub created: Time,
    /// Its role on the server; never a guest's.
    pub role: Option<Role>,
    /// Whether it is banned; never with a role.
    pub banned: bool,
}

/// A session, as the core keeps it and as it is restored.
#[derive(Clone, PartialEq, Debug)]
pub struct Session {
    /// The session's number.
    pub id: SessionId,
    /// The account.
    pub account: AccountId,
    /// The SHA-256 of its key.
    pub key: KeyHash,
    /// Whether it lasts a month without use.
    pub remember: bool,
    /// The client's description of itself.
    pub agent: Box<str>,
    /// When it began.
    pub created: Time,
    /// The last use, as far as the disk knows.
    pub last_used: Time,
}

/// A live session: the stored facts, and those that only memory has.
#[derive(Debug)]
pub struct Live {
    pub account: AccountId,
    pub key: KeyHash,
    pub remember: bool,
    /// Seconds without use until it ends.
    ttl_secs: u64,
    pub agent: Box<str>,
    pub created: Time,
    /// The last use by the wall clock, for people.
    pub last_used: Time,
    /// The last use by the monotonic clock, for expiry.
    used: Time,
    /// The value of `used` when `last_used` last went to the store.
    noted: Time,
    /// The subscriptions that use it, streams' own ones among them; while there is one, the session
    /// does not expire.
    pub subscriptions: BTreeSet<SubscriptionId>,
    /// The time of its next check: see [`Accounts::look_at`].
    due: Time,
    /// The number of ticks at its last use.
    tick: u64,
    /// Its end is proposed.
    pub pending_end: bool,
}

impl Live {
    /// The store learns of the last use in steps of this length.
    fn grain_micros(&self) -> i64 {
        let ttl_micros = self.ttl_secs.saturating_mul(1_000_000);
        i64::try_from(ttl_micros / SESSION_TOUCH_PARTS).unwrap_or(i64::MAX)
    }

    /// The last use, by the monotonic clock.
    pub fn used(&self) -> Time {
        self.used
    }
}

#[derive(Default)]
pub struct Accounts {
    accounts: NumberedLarge<AccountId, AccountState>,
    by_name: Index<AccountId>,
    /// The looks of names, where they differ from the folded name.
    by_look: Index<AccountId>,
    by_key: HashMap<KeyHash, AccountId>,
    sessions: NumberedLarge<SessionId, Live>,
    by_session_key: HashMap<KeyHash, SessionId>,
    /// Sessions by the time of their next check.
    due: BTreeSet<(Time, SessionId)>,
    /// The number of ticks and the time of the last one: each tick counts as a use of every session
    /// that has a subscription.
    ticks: u64,
    ticked: Time,
    /// Guests without a session.
    over: BTreeSet<AccountId>,
    /// The accounts that are banned.
    pub banned: BTreeSet<AccountId>,
    /// The names of pending accounts, with their looks.
    reserved: HashMap<Folded, [Folded; 2]>,
    /// The number of pending sessions by account; a guest's, before the account exists.
    beginning: HashMap<AccountId, usize>,
    /// The highest account number of any proposal, then the highest of an account in the log.
    last_account: u64,
    made: u64,
    last_session: u64,
    ttl_secs: u64,
}

impl Accounts {
    pub fn new(ttl_secs: u64) -> Accounts {
        Accounts { ttl_secs, ..Accounts::default() }
    }

    /// The number of accounts, pending ones included.
    pub fn len(&self) -> usize {
        self.accounts.len() + self.reserved.len()
    }

    /// A new account number. A number is never reused, even after a failed proposal.
    pub fn next_account(&mut self) -> AccountId {
        self.last_account += 1;
        AccountId(self.last_account)
    }

    /// Reserves all numbers up to these, even if their account or session has ended.
    pub fn used_up_to(&mut self, last_account: u64, last_session: u64) {
        self.last_account = self.last_account.max(last_account);
        self.made = self.made.max(last_account);
        self.last_session = self.last_session.max(last_session);
    }

    pub fn next_session(&mut self) -> SessionId {
        self.last_session += 1;
        SessionId(self.last_session)
    }

    /// Whether an account, or a pending one, has the name.
    pub fn is_taken(&self, name: &Folded) -> bool {
        self.by_name.get(name.as_str()).is_some() || self.reserved.contains_key(name)
    }

    /// Whether an account will have the name once all pending entries are in the log: the end of a
    /// guest frees it.
    pub fn will_be_taken(&self, name: &Folded) -> bool {
        let stays = |known: &AccountState| !known.pending_end;
        self.by_name(name).is_some_and(stays) || self.reserved.contains_key(name)
    }

    /// Whether a name could be mistaken for that of an account or a pending one. All registered
    /// names are plain and distinguishable, so a new registered name is compared with guests only.
    pub fn is_alike(&self, name: &Name, registers: bool) -> bool {
        let mistaken = |id: AccountId| {
            let Some(known) = self.get(id).filter(|known| !known.pending_end) else { return false };
            !registers || known.is_guest()
        };
        Folded::looks(name.as_str()).iter().any(|look| {
            let mut alike = self.by_name.all(look).chain(self.by_look.all(look));
            let about_to_be = || self.reserved.values().any(|looks| looks.contains(look));
            alike.any(mistaken) || (!registers && about_to_be())
        })
    }

    pub fn reserve(&mut self, name: Folded, looks: [Folded; 2]) {
        self.reserved.insert(name, looks);
    }

    pub fn is_reserved(&self, name: &Folded) -> bool {
        self.reserved.contains_key(name)
    }

    pub fn release(&mut self, name: &Folded) {
        self.reserved.remove(name);
    }

    /// Adds an account from the log. `false`: its name, number or key exists already.
    pub fn insert(&mut self, account: Account) -> bool {
        let folded = account.name.folded();
        let known = self.accounts.contains_key(&account.id)
            || self.has_name(&account.name)
            || account.key.is_some_and(|key| self.by_key.contains_key(&key));
        if known {
            return false;
        }
        self.used_up_to(account.id.0, 0);
        for look in other_looks(&account.name) {
            self.by_look.insert(look, account.id);
        }
        self.by_name.insert(folded, account.id);
        if let Some(key) = account.key {
            self.by_key.insert(key, account.id);
        }
        let known = AccountState {
            account,
            sessions: Vec::new(),
            subscriptions: BTreeSet::new(),
            streams: Vec::new(),
            rooms: SmallMap::default(),
            direct: 0,
            pending_entries: 0,
            pending_end: false,
            pending_key: false,
            blocked: BTreeSet::new(),
            blocking: false,
        };
        self.over.extend(known.is_over().then_some(known.account.id));
        self.banned.extend(known.account.banned.then_some(known.account.id));
        self.accounts.insert(known.account.id, known);
        true
    }

    /// Replaces an account's key. `false`: the account has none, or the key exists already.
    pub fn change_key(&mut self, id: AccountId, key: KeyHash) -> bool {
        if self.by_key.contains_key(&key) {
            return false;
        }
        let Some(known) = self.accounts.get_mut(&id) else { return false };
        let Some(before) = known.account.key else { return false };
        known.account.key = Some(key);
        self.by_key.remove(&before);
        self.by_key.insert(key, id);
        true
    }

    /// Removes a guest and frees its name.
    pub fn remove(&mut self, id: AccountId) -> Option<AccountState> {
        let known = self.accounts.remove(&id)?;
        self.by_name.remove(&known.account.name.folded(), id);
        for look in other_looks(&known.account.name) {
            self.by_look.remove(&look, id);
        }
        self.over.remove(&id);
        self.banned.remove(&id);
        Some(known)
    }

    /// Whether an account has the name by the log's rule: only case does not count.
    fn has_name(&self, name: &Name) -> bool {
        let lowered = name.lowered();
        let folded = name.folded();
        let mut same = self.by_name.all(&folded);
        same.any(|id| self.accounts[&id].account.name.lowered() == lowered)
    }

    /// The number of an account's pending sessions.
    pub fn beginning(&self, id: AccountId) -> usize {
        self.beginning.get(&id).copied().unwrap_or(0)
    }

    pub fn begins(&mut self, id: AccountId) {
        *self.beginning.entry(id).or_insert(0) += 1;
    }

    pub fn has_begun(&mut self, id: AccountId) {
        let left = self.beginning(id).saturating_sub(1);
        if left == 0 {
            self.beginning.remove(&id);
        } else {
            self.beginning.insert(id, left);
        }
    }

    /// Whether the account is a guest without a session, and none is pending.
    pub fn is_abandoned(&self, known: &AccountState) -> bool {
        known.is_over() && !known.pending_end && self.beginning(known.account.id) == 0
    }

    /// Whether the account is a guest whose sessions have all expired, with nothing pending.
    pub fn is_away_for_good(&self, known: &AccountState, now: Time) -> bool {
        let expired = |id| self.session(id).is_some_and(|live| self.is_expired(live, now));
        known.is_guest()
            && !known.pending_end
            && self.beginning(known.account.id) == 0
            && known.sessions.iter().all(|id| expired(*id))
    }

    pub fn get(&self, id: AccountId) -> Option<&AccountState> {
        self.accounts.get(&id)
    }

    pub fn get_mut(&mut self, id: AccountId) -> Option<&mut AccountState> {
        self.accounts.get_mut(&id)
    }

    pub fn by_name(&self, name: &Folded) -> Option<&AccountState> {
        self.by_name.get(name.as_str()).and_then(|id| self.accounts.get(&id))
    }

    /// The accounts that a text mentions.
    pub fn called(&self, text: &str) -> Box<[AccountId]> {
        called(text, |folded| self.by_name.get(folded)).into()
    }

    /// The names of those accounts that still exist.
    pub fn names(&self, ids: &[AccountId]) -> Box<[Name]> {
        let known = ids.iter().filter_map(|id| self.accounts.get(id));
        known.map(|known| known.account.name.clone()).collect()
    }

    pub fn by_key(&self, key: &KeyHash) -> Option<&AccountState> {
        self.by_key.get(key).and_then(|id| self.accounts.get(id))
    }

    /// Adds a session from the log. `false`: its number or key exists already, or its account does
    /// not, or is banned.
    ///
    /// `now`: by the monotonic clock. (A restored session was used before the start, where both
    /// clocks agree.)
    pub fn begin(&mut self, session: Session, now: Time) -> bool {
        let known = self.sessions.contains_key(&session.id)
            || self.by_session_key.contains_key(&session.key);
        let owner = self.accounts.get_mut(&session.account).filter(|owner| !owner.account.banned);
        let Some(owner) = owner.filter(|_| !known) else { return false };
        self.last_session = self.last_session.max(session.id.0);
        let guest = owner.is_guest();
        owner.sessions.reserve_exact(1); // Most accounts have one.
        owner.sessions.push(session.id);
        self.by_session_key.insert(session.key, session.id);
        let live = Live {
            account: session.account,
            key: session.key,
            remember: session.remember,
            ttl_secs: match session.remember {
                true if guest => GUEST_REMEMBERED_TTL_SECS.max(self.ttl_secs),
                true => REMEMBERED_TTL_SECS.max(self.ttl_secs),
                false => self.ttl_secs,
            },
            agent: session.agent,
            created: session.created,
            last_used: session.last_used,
            used: now,
            noted: now,
            subscriptions: BTreeSet::new(),
            due: Time(0),
            tick: self.ticks,
            pending_end: false,
        };
        self.over.remove(&session.account);
        let first = Accounts::next_look(&live);
        self.sessions.insert(session.id, live);
        self.expect(session.id, first);
        true
    }

    /// Removes a session; `None`: it has ended already.
    pub fn end(&mut self, id: SessionId) -> Option<Live> {
        let live = self.sessions.remove(&id)?;
        self.by_session_key.remove(&live.key);
        self.due.remove(&(live.due, id));
        if let Some(owner) = self.accounts.get_mut(&live.account) {
            owner.sessions.retain(|session| *session != id);
            self.over.extend(owner.is_over().then_some(live.account));
        }
        Some(live)
    }

    /// The session with that key, unless it has expired. `now`: by the monotonic clock.
    /// The session with this key, expired or not.
    pub fn session_of_key(&self, key: &KeyHash) -> Option<SessionId> {
        self.by_session_key.get(key).copied()
    }

    pub fn session_by_key(&self, key: &KeyHash, now: Time) -> Option<SessionId> {
        let id = *self.by_session_key.get(key)?;
        (!self.is_expired(self.sessions.get(&id)?, now)).then_some(id)
    }

    pub fn session(&self, id: SessionId) -> Option<&Live> {
        self.sessions.get(&id)
    }

    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Live> {
        self.sessions.get_mut(&id)
    }

    /// When a session ends, unless it is used before.
    pub fn expires(&self, session: &Live) -> Time {
        self.last_used(session).plus_secs(session.ttl_secs)
    }

    /// `now`: by the monotonic clock.
    pub fn is_expired(&self, session: &Live, now: Time) -> bool {
        session.subscriptions.is_empty() && session.used.plus_secs(session.ttl_secs) <= now
    }

    /// Records a use. `true`: the last use has moved far enough to tell the store.
    pub fn touch(&mut self, id: SessionId, now: Moment) -> bool {
        let Some(live) = self.sessions.get_mut(&id) else { return false };
        let grain_micros = live.grain_micros();
        (live.last_used, live.used, live.tick) = (now.wall, now.running, self.ticks);
        let due = live.used.0.saturating_sub(live.noted.0) >= grain_micros;
        if due {
            live.noted = live.used;
        }
        due
    }

    /// All accounts, by number.
    pub fn records(&self) -> Vec<Account> {
        let mut all: Vec<_> = self.accounts.values().map(|known| known.account.clone()).collect();
        all.sort_unstable_by_key(|account| account.id);
        all
    }

    /// All live sessions, by number, with their true last use.
    pub fn sessions(&self) -> Vec<Session> {
        let record = |(id, live): (&SessionId, &Live)| {
            let Live { account, key, remember, created, .. } = *live;
            let (agent, last_used) = (live.agent.clone(), self.last_used(live));
            Session { id: *id, account, key, remember, agent, created, last_used }
        };
        let mut all: Vec<Session> = self.sessions.iter().map(record).collect();
        all.sort_unstable_by_key(|session| session.id);
        all
    }

    /// All blocks, as (blocking account, blocked account), in order.
    pub fn blocks(&self) -> Vec<(AccountId, AccountId)> {
        let blocks = |known: &AccountState| {
            let account = known.account.id;
            known.blocked.iter().map(|blocked| (account, *blocked)).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.accounts.values().flat_map(blocks).collect();
        all.sort_unstable();
        all
    }

    /// The highest number of any account, past or present.
    pub fn last_account_made(&self) -> u64 {
        self.made
    }

    pub fn last_session(&self) -> u64 {
        self.last_session
    }
}

/// The looks of a name, each once, without the folded name itself.
fn other_looks(name: &Name) -> Vec<Folded> {
    let (folded, [one, other]) = (name.folded(), Folded::looks(name.as_str()));
    let second = (other != one).then_some(other);
    std::iter::once(one).chain(second).filter(|look| *look != folded).collect()
}
