//! Rate limits: every call, every client event and every entry takes tokens from the buckets of its
//! person, its address and its room.
//!
//! Entries are charged when they are proposed, so that nothing gets into the log for free, no
//! matter which call asks for it. Calls of this server itself and the core's own proposals are
//! free.

use crate::chat::core::Chat;
use crate::chat::source::Source;
use crate::chat::state::limiter::{Kind, Limiter, Subject, Take};
use crate::chat::state::purpose::{Origin, Purpose};
use crate::chat::types::RoomId;
use crate::chat::vocabulary::Call;
use crate::chat::vocabulary::{Entry, Refusal, Space};
use crate::limits::rates::{ENTRY_BYTES, Rate, Rates, SITE_ADDRESSES};
use crate::time::Time;

impl Chat {
    /// Charges a call, apart from its entry.
    pub(super) fn charge_call(&mut self, call: &Call) -> Result<(), Refusal> {
        self.charge(&[(Kind::Call, 1)], None)?;
        match call {
            // A key change counts as a login: it must stay possible to lock an intruder out.
            Call::Login(_) | Call::Vouch(_) | Call::ChangeKey(_) | Call::Recover(_) => {
                self.charge(&[(Kind::Login, 1)], None)
            }
            Call::OpenStream(_) | Call::Subscribe(_) => self.charge(&[(Kind::Open, 1)], None),
            // Finding somebody's messages costs as much.
            Call::Search(_) | Call::Clear(_) => self.charge(&[(Kind::Search, 1)], None),
            _ => Ok(()),
        }
    }

    /// Charges an entry.
    pub(super) fn charge_entry(&mut self, entry: &Entry, purpose: &Purpose) -> Result<(), Refusal> {
        let bytes = |text: &str| text.len() as u64 + ENTRY_BYTES;
        let (kind, bytes, room) = match (entry.act(), purpose) {
            (_, Purpose::Own) => return Ok(()),
            (Entry::Said { room, text, .. }, _) => (Kind::Message, bytes(text), *room),
            (Entry::Edited { room, text, .. }, _) => (Kind::Change, bytes(text), *room),
            (
                Entry::Reacted { room, .. }
                | Entry::RoomChanged { room, .. }
                | Entry::ModeratorChanged { room, .. }
                | Entry::RulesChanged { room, .. }
                | Entry::OwnerChanged { room, .. }
                | Entry::Cleared { room: Some(room), .. },
                _,
            ) => (Kind::Change, bytes(""), *room),
            // A lasting row each; but lifting is always possible.
            (Entry::Muted { room: Some(room), until: Time(1..), .. }, _)
            | (Entry::RoomBanChanged { room, on: true, .. }, _) => {
                (Kind::Membership, bytes(""), *room)
            }
            // A deletion costs no bytes: it must be possible when none are left.
            (Entry::Deleted { room, .. }, _) => (Kind::Change, 0, *room),
            (Entry::MemberChanged { member: true, room, .. }, _) => {
                (Kind::Membership, bytes(""), *room)
            }
            (Entry::BlockChanged { on: true, .. }, _) => {
                let bytes = bytes("");
                let costs = [(Kind::Membership, 1), (Kind::Bytes, bytes), (Kind::DayBytes, bytes)];
                return self.charge(&costs, None);
            }
            (
                Entry::AccountMade { .. }
                | Entry::RoomMade { .. }
                | Entry::DirectMade { .. }
                | Entry::InvitationMade { .. },
                _,
            ) => {
                return self.charge(&[(Kind::Make, 1), (Kind::DayMake, 1)], None);
            }
            // All members hear that it is back, and heard that it was gone.
            (Entry::RoomReturned { room, .. }, _) => {
                let bytes = ENTRY_BYTES * (1 + self.deleted.members(*room) as u64);
                let made = [(Kind::Make, 1), (Kind::DayMake, 1)];
                let written = [(Kind::Bytes, bytes), (Kind::DayBytes, bytes)];
                return self.charge(&[made, written].concat(), None);
            }
            // The login or the new guest has paid for the session.
            (
                Entry::SessionBegun { .. }
                | Entry::SessionEnded { .. }
                | Entry::KeyChanged { .. }
                | Entry::AccountEnded { .. }
                | Entry::RoomGone { .. }
                | Entry::BlockChanged { on: false, .. }
                | Entry::RoomPurged { .. }
                | Entry::MemberChanged { member: false, .. }
                // The few people in charge must be able to act.
                | Entry::RoleChanged { .. }
                | Entry::PolicyChanged { .. }
                | Entry::BanChanged { .. }
                | Entry::AddressBanned { .. }
                | Entry::InvitationEnded { .. }
                | Entry::RecoveryMade { .. }
                | Entry::Recovered { .. }
                | Entry::Invited { .. }
                | Entry::Muted { .. }
                | Entry::RoomBanChanged { on: false, .. }
                | Entry::MutesMoved { .. }
                | Entry::Cleared { room: None, .. }
                | Entry::Deed { .. },
                _,
            ) => return Ok(()),
        };
        let costs = [(kind, 1), (Kind::Bytes, bytes), (Kind::DayBytes, bytes)];
        self.charge(&costs, Some(room))
    }

    /// Checks the disk space for an entry: when little is left, an entry that needs space is
    /// refused, to guests first. An entry that frees space or ends something is allowed; so is a
    /// login, for the person who frees space has to get in.
    pub(super) fn find_space(&self, entry: &Entry, purpose: &Purpose) -> Result<(), Refusal> {
        let guest = self.origin.account.is_none_or(|account| self.is_guest(account));
        let least = if guest { Space::Enough } else { Space::Little };
        if self.space >= least || matches!(purpose, Purpose::Own) {
            return Ok(());
        }
        match entry {
            Entry::Invited { act, .. } => self.find_space(act, purpose),
            Entry::AccountMade { .. }
            | Entry::InvitationMade { .. }
            | Entry::RoomMade { .. }
            | Entry::RoomReturned { .. }
            | Entry::DirectMade { .. }
            | Entry::MemberChanged { member: true, .. }
            | Entry::RoomChanged { .. }
            | Entry::BlockChanged { on: true, .. }
            | Entry::Said { .. }
            | Entry::Edited { .. }
            | Entry::Reacted { on: true, .. } => Err(Refusal::NoSpace),
            Entry::SessionBegun { .. }
            | Entry::SessionEnded { .. }
            | Entry::KeyChanged { .. }
            | Entry::AccountEnded { .. }
            | Entry::RoomGone { .. }
            | Entry::BlockChanged { on: false, .. }
            | Entry::RoomPurged { .. }
            | Entry::MemberChanged { member: false, .. }
            | Entry::Deleted { .. }
            | Entry::RoleChanged { .. }
            | Entry::PolicyChanged { .. }
            | Entry::BanChanged { .. }
            | Entry::AddressBanned { .. }
            | Entry::InvitationEnded { .. }
            | Entry::RecoveryMade { .. }
            | Entry::Recovered { .. }
            // Keeping order must be possible then, too.
            | Entry::ModeratorChanged { .. }
            | Entry::Muted { .. }
            | Entry::RoomBanChanged { .. }
            | Entry::RulesChanged { .. }
            | Entry::OwnerChanged { .. }
            | Entry::MutesMoved { .. }
            | Entry::Cleared { .. }
            | Entry::Deed { .. }
            | Entry::Reacted { on: false, .. } => Ok(()),
        }
    }

    /// Takes tokens from all buckets of the current origin; with `room`, also from the room's.
    pub(super) fn charge(
        &mut self,
        costs: &[(Kind, u64)],
        room: Option<RoomId>,
    ) -> Result<(), Refusal> {
        if self.is_free() {
            return Ok(());
        }
        let takes = self.takes(costs, room);
        let now = self.limiter_now();
        let Some(limiter) = &mut self.limiter else { return Ok(()) };
        limiter.take(now, &takes).map_err(rate_limited)
    }

    /// Takes tokens from the room's bucket alone. `false`: it has too few.
    pub(super) fn charge_room(&mut self, kind: Kind, room: RoomId) -> bool {
        let (now, rate) = (self.limiter_now(), kind.rates().room);
        let Some((limiter, rate)) = self.limiter.as_mut().zip(rate) else { return true };
        limiter.take(now, &[Take { subject: Subject::Room(room), kind, rate, count: 1 }]).is_ok()
    }

    /// Whether the current origin is exempt.
    pub(super) fn is_free(&self) -> bool {
        self.limiter.is_none() || self.origin.source == Source::Own
    }

    /// The buckets and the tokens to take.
    pub(super) fn takes(&self, costs: &[(Kind, u64)], room: Option<RoomId>) -> Vec<Take> {
        let Origin { source, account, subscription, .. } = self.origin;
        let guest = account.is_some_and(|account| self.is_guest(account));
        let mut takes = Vec::with_capacity(4 * costs.len());
        for &(kind, count) in costs {
            let Rates { connection, guest: of_guest, person, address, room: of_room } =
                kind.rates();
            let mut add = |subject: Option<Subject>, rate: Option<Rate>| {
                if let Some((subject, rate)) = subject.zip(rate) {
                    takes.push(Take { subject, kind, rate, count });
                }
            };
            match account {
                Some(account) => {
                    add(Some(Subject::Person(account)), if guest { *of_guest } else { *person })
                }
                None => add(subscription.map(Subject::Connection), *connection),
            }
            if source != Source::Local {
                add(Some(Subject::Source(source)), *address);
                add(source.site().map(Subject::Site), address.map(of_site));
            }
            add(room.map(Subject::Room), *of_room);
        }
        takes
    }

    /// Refunds tokens that turned out not to count.
    pub(super) fn refund(&mut self, takes: &[Take]) {
        if let Some(limiter) = &mut self.limiter {
            limiter.refund(takes);
        }
    }

    /// The limiter's clock, in nanoseconds.
    pub(super) fn limiter_now(&self) -> u64 {
        // A clock before 1970 must not stop the limiter.
        let micros = self.running.0.saturating_add(1 << 52).max(0).unsigned_abs();
        micros.saturating_mul(1_000)
    }
}

/// The rate of an IPv6 network of 48 bits, from that of a network of 64 bits.
fn of_site(rate: Rate) -> Rate {
    let Rate { burst, every_nanos } = rate;
    Rate { burst: burst * SITE_ADDRESSES, every_nanos: every_nanos / SITE_ADDRESSES }
}

/// The refusal of a request that may be repeated after this time.
pub(super) fn rate_limited(nanos: u64) -> Refusal {
    let millis = nanos.div_ceil(1_000_000);
    Refusal::RateLimited { retry_after_ms: u32::try_from(millis).unwrap_or(u32::MAX) }
}

/// The limiter, or `None` if rate limits are off.
pub(super) fn limiter(limits: bool) -> Option<Limiter> {
    limits.then(Limiter::default)
}
