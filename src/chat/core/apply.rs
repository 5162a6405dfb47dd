//! The fold: how entries of the log change the core. The same entries in the same order make the
//! same core, no matter which core proposed them; an entry that does not fit its predecessors
//! changes nothing.

use crate::chat::core::Chat;
use crate::chat::state::accounts::{Account, Session};
use crate::chat::state::room::RoomRecord;
use crate::chat::state::waits::Awaited;
use crate::chat::types::{AccountId, LOBBY, ProtocolId, RoomId, Seq, SubscriptionId, Visibility};
use crate::chat::vocabulary::{Answer, Clearing, Entry, Event, EventKind, Refusal, RoomSettings};
use crate::time::Time;

/// The origin of an entry, if this core has proposed it.
#[derive(Clone, Copy)]
pub(super) struct Came {
    /// The subscription that sent it, for the announcement.
    pub by: Option<(SubscriptionId, ProtocolId)>,
    /// The account that called, for the answer.
    pub viewer: Option<AccountId>,
}

impl Entry {
    /// The pending change that ends with this entry.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        match self.act() {
            Entry::RoomChanged { room, .. }
            | Entry::RoomGone { room, .. }
            | Entry::RoomReturned { room, .. }
            | Entry::ModeratorChanged { room, .. }
            | Entry::Muted { room: Some(room), .. }
            | Entry::RoomBanChanged { room, .. }
            | Entry::RulesChanged { room, .. }
            | Entry::OwnerChanged { room, .. }
            | Entry::RoomPurged { room } => Some(Awaited::Room(*room)),
            Entry::MemberChanged { room, account, .. } => {
                Some(Awaited::Membership(*room, *account))
            }
            Entry::DirectMade { between, .. } => Some(Awaited::pair(*between)),
            Entry::KeyChanged { account, .. } | Entry::Recovered { account, .. } => {
                Some(Awaited::Key(*account))
            }
            Entry::BlockChanged { account, .. } => Some(Awaited::Block(*account)),
            Entry::PolicyChanged { .. } => Some(Awaited::Policy),
            _ => None,
        }
    }
}

impl Chat {
    /// Frees what a proposed entry reserved while it was pending.
    pub(super) fn release(&mut self, entry: &Entry) {
        self.made(entry);
        match entry.act() {
            Entry::AccountMade { name, .. } => self.accounts.release(&name.folded()),
            Entry::RoomMade { settings, .. } => self.rooms.release(&settings.title.folded()),
            Entry::RoomChanged { room, settings, .. } => {
                self.rooms.release(&settings.title.folded());
                self.unlock(*room);
            }
            Entry::RoomGone { room, .. }
            | Entry::ModeratorChanged { room, .. }
            | Entry::Muted { room: Some(room), .. }
            | Entry::RoomBanChanged { room, .. }
            | Entry::RulesChanged { room, .. }
            | Entry::OwnerChanged { room, .. } => self.unlock(*room),
            Entry::RoomReturned { room, title } => {
                self.rooms.release(&title.folded());
                self.deleted.set_pending(*room, false);
            }
            Entry::RoomPurged { room } => self.deleted.set_pending(*room, false),
            Entry::SessionEnded { session } => {
                if let Some(live) = self.accounts.session_mut(*session) {
                    live.pending_end = false;
                }
            }
            Entry::SessionBegun { account, .. } => self.accounts.has_begun(*account),
            Entry::KeyChanged { account, .. } | Entry::Recovered { account, .. } => {
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.pending_key = false;
                }
            }
            Entry::AccountEnded { account } => {
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.pending_end = false;
                }
            }
            Entry::BlockChanged { account, .. } => {
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.blocking = false;
                }
            }
            Entry::DirectMade { between, .. } => self.rooms.release_pair(*between),
            Entry::MemberChanged { with: Some(_), .. } => {}
            Entry::MemberChanged { room, account, .. } => {
                if let Some(room) = self.rooms.get_mut(*room) {
                    room.moved(*account);
                }
                if let Some(known) = self.accounts.get_mut(*account) {
                    known.pending_entries = known.pending_entries.saturating_sub(1);
                }
            }
            Entry::RoleChanged { role, .. } => self.setup_decided(*role),
            Entry::PolicyChanged { .. } => self.pending_policy = false,
            Entry::InvitationMade { grant } => self.invitation_decided(grant),
            Entry::Deed { .. }
            | Entry::Invited { .. }
            | Entry::InvitationEnded { .. }
            | Entry::RecoveryMade { .. }
            | Entry::BanChanged { .. }
            | Entry::AddressBanned { .. }
            | Entry::Muted { room: None, .. }
            | Entry::MutesMoved { .. }
            | Entry::Cleared { .. }
            | Entry::Said { .. }
            | Entry::Edited { .. }
            | Entry::Deleted { .. }
            | Entry::Reacted { .. } => {}
        }
    }

    fn unlock(&mut self, room: RoomId) {
        if let Some(room) = self.rooms.get_mut(room) {
            (room.pending_change, room.pending_end) = (false, false);
        }
    }

    /// Applies one entry.
    pub(super) fn apply(
        &mut self,
        seq: Seq,
        time: Time,
        entry: Entry,
        came: Came,
    ) -> Result<Answer, Refusal> {
        (self.told, self.last) = (time, seq);
        let event = |room, author, color, kind| Event { room, time, author, color, kind };
        match entry {
            Entry::AccountMade { account, name, key, color } => {
                let (created, role, banned) = (time, None, false);
                let made = Account { id: account, name, key, color, created, role, banned };
                if !self.accounts.insert(made) {
                    return Err(Refusal::NameTaken);
                }
                self.belongs_from(account, LOBBY, seq);
                Ok(Answer::Done(()))
            }
            Entry::AccountEnded { account } => {
                self.account_ended(seq, account);
                Ok(Answer::Done(()))
            }
            Entry::SessionBegun { session, account, key, remember, agent } => {
                let (created, last_used) = (time, time);
                let begun =
                    Session { id: session, account, key, remember, agent, created, last_used };
                self.session_begun(begun)
            }
            Entry::SessionEnded { session } => {
                self.session_ended(session);
                Ok(Answer::Done(()))
            }
            Entry::KeyChanged { account, key, but } => self.key_changed(account, key, but),
            Entry::BlockChanged { account, blocked, on } => {
                self.block_changed(account, blocked, on)
            }
            Entry::RoleChanged { account, role } => self.role_changed(account, role),
            Entry::PolicyChanged { policy } => Ok(self.policy_changed(policy)),
            Entry::BanChanged { account, on } => self.ban_changed(account, on),
            Entry::AddressBanned { banned } => Ok(self.address_banned(time, banned)),
            Entry::InvitationMade { grant } => self.invitation_made((seq, time), grant),
            Entry::InvitationEnded { invitation } => self.invitation_ended(invitation),
            Entry::Invited { invitation, act } => {
                self.came_invited((seq, time), invitation, *act, came)
            }
            Entry::RecoveryMade { recovery } => self.recovery_made(time, recovery),
            Entry::Recovered { account, key, code } => self.recovered(time, account, key, &code),
            Entry::ModeratorChanged { room, account, on } => {
                self.moderator_changed(seq, room, account, on)
            }
            Entry::Muted { room, account, until } => self.muted((seq, time), room, account, until),
            Entry::RoomBanChanged { room, account, on } => self.room_ban_changed(room, account, on),
            Entry::RulesChanged { room, rules } => {
                self.rules_changed((seq, time), room, rules)?;
                self.show_room(room, came.viewer)
            }
            Entry::OwnerChanged { room, owner } => {
                self.owner_changed((seq, time), room, owner)?;
                self.show_room(room, came.viewer)
            }
            Entry::MutesMoved { from, to } => self.mutes_moved(from, to),
            Entry::Cleared { author, since, .. } => {
                Ok(Answer::Clearing(Clearing { author, since, before: seq }))
            }
            Entry::Deed { act, .. } => self.apply(seq, time, *act, came),
            Entry::RoomMade { room, owner, settings } => {
                let open = settings.visibility == Visibility::Public;
                let opened = if open { seq } else { Seq(0) };
                let record = RoomRecord::new(room, time, owner, settings);
                self.room_made(seq, RoomRecord { opened, ..record }, &[], came.viewer)
            }
            Entry::DirectMade { room, between, both } => {
                let record = RoomRecord::new(room, time, None, RoomSettings::of_direct(room));
                let record = RoomRecord { between: Some(between), ..record };
                self.direct_made(seq, record, (between, both), came.viewer)
            }
            Entry::MemberChanged { room, account, member, expelled, with: _ } => {
                self.member_changed(seq, room, account, (member, expelled))
            }
            Entry::RoomChanged { room, settings, password_generation, link, keep_members } => {
                let change = (settings, password_generation, link);
                self.room_changed((seq, time), room, change, keep_members)?;
                self.show_room(room, came.viewer)
            }
            Entry::RoomGone { room, recoverable } => self.room_gone(seq, room, recoverable),
            Entry::RoomReturned { room, title } => {
                self.room_returned((seq, time), room, title, came.viewer)
            }
            Entry::RoomPurged { room } => self.room_purged(room),
            Entry::Said { room, author, color, text, client_id, reply_to, calls } => {
                let calls = self.accounts.names(&calls);
                let kind = EventKind::Said { seq, text, client_id, reply_to, calls };
                self.message_applied(event(room, author, color, kind), seq, came.by)
            }
            Entry::Edited { room, target, by, text, calls } => {
                let calls = self.accounts.names(&calls);
                let kind = EventKind::Edited { seq, target, text, calls };
                self.message_applied(event(room, by, None, kind), seq, came.by)
            }
            Entry::Deleted { room, target, by, as_owner: _ } => {
                let kind = EventKind::Deleted { seq, target };
                self.message_applied(event(room, by, None, kind), seq, came.by)
            }
            Entry::Reacted { room, target, by, emoji, on } => {
                let kind = EventKind::Reacted { seq, target, emoji, on };
                self.message_applied(event(room, by, None, kind), seq, came.by)
            }
        }
    }
}
