//! Invitations: a secret code with which people come in, so many, until a day.
//!
//! Whoever has the code of an invitation may register while only invited people may, if somebody in
//! charge has made it, and becomes a member of its room without the room's password. It is good as
//! long as its maker could still make it. The log counts the uses in its own order: an entry behind
//! the last use, or behind the end of the invitation, has no effect.

use crate::chat::core::Chat;
use crate::chat::core::apply::Came;
use crate::chat::state::purpose::{Identity, Purpose};
use crate::chat::types::{AccountId, CallId, LOBBY, RoomId, Seq};
use crate::chat::vocabulary::{
    Access, Answer, Entry, Grant, Guests, Invitation, InvitationView, InvitationsScope, Reason,
    Refusal, Registration, Role, call,
};
use crate::crypto::KeyHash;
use crate::limits::MEMBERS_MAX;
use crate::limits::in_charge::{INVITATIONS_PER_ACCOUNT_MAX, INVITATIONS_PER_ROOM_MAX};
use crate::time::Time;

impl Chat {
    /// Whether an account (`None`: the operator) may invite to a room (`None`: to the server only).
    ///
    /// # Errors
    /// Why not. A room that the account may not see does not exist.
    fn may_invite(&self, by: Option<AccountId>, room: Option<RoomId>) -> Result<(), Refusal> {
        let known =
            by.map(|by| self.accounts.get(by).ok_or(Refusal::Unauthenticated)).transpose()?;
        let Some(room) = room else {
            let may = by.is_none() || self.has_role(by, Role::Administrator);
            return if may { Ok(()) } else { Err(Refusal::Forbidden) };
        };
        let found = match by {
            Some(_) => self.visible(by, room)?,
            None => self
                .rooms
                .get(room)
                .filter(|room| !room.pending_end)
                .ok_or(Refusal::RoomNotFound)?,
        };
        if found.is_direct() {
            return Err(Refusal::Forbidden);
        }
        let Some(known) = known else { return Ok(()) };
        if known.is_guest() {
            return Err(Refusal::NotForGuests);
        }
        let inside = found.has_member(by);
        let may = match found.record.owner {
            Some(owner) if Some(owner) == by => true,
            _ if found.record.is_moderator(known.account.id) => true,
            None if room != LOBBY && inside => true,
            // (In a closed room of others an administrator is nobody.)
            _ => known.account.role.is_some() && (inside || found.is_public()),
        };
        if may { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// The answer comes with the log's answer.
    pub(super) fn invite(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::Invite,
    ) -> Result<(), Refusal> {
        let call::Invite { code, room, uses, secs, reason } = call;
        let by = match self.origin.operator {
            true => None,
            false => Some(caller.ok_or(Refusal::Unauthenticated)?.account),
        };
        self.may_invite(by, room)?;
        let now = self.now;
        let of_maker =
            by.is_some() && self.invitations.has_made(by, INVITATIONS_PER_ACCOUNT_MAX, now);
        let of_room = |room| self.invitations.has_room(room, INVITATIONS_PER_ROOM_MAX, now);
        if of_maker || room.is_some_and(of_room) {
            return Err(Refusal::QuotaReached);
        }
        if self.invitations.is_full(now) {
            return Err(Refusal::Full);
        }
        let registers = by.is_none() || self.has_role(by, Role::Administrator);
        let grant = Grant { code, by, room, until: now.plus_secs(secs), uses, registers };
        self.propose_as(id, by, registers, reason, Entry::InvitationMade { grant })?;
        self.invitations.making.push((by, room));
        Ok(())
    }

    /// Proposes what somebody does for the sake of a role, or as the owner of a room.
    fn propose_as(
        &mut self,
        id: CallId,
        by: Option<AccountId>,
        in_charge: bool,
        reason: Option<Reason>,
        entry: Entry,
    ) -> Result<(), Refusal> {
        if in_charge {
            self.propose_deed(id, by, reason, entry)
        } else {
            self.propose(entry, Purpose::Call(id, by))
        }
    }

    /// The log has decided about a new invitation.
    pub(super) fn invitation_decided(&mut self, grant: &Grant) {
        let making = &mut self.invitations.making;
        if let Some(at) = making.iter().position(|one| *one == (grant.by, grant.room)) {
            making.swap_remove(at);
        }
    }

    /// The invitation with this code, if it is good. A wrong code counts as a wrong password.
    fn good_invitation(&mut self, code: &KeyHash) -> Result<Invitation, Refusal> {
        let found = self.invitations.by_code(code).copied();
        let good = found.filter(|one| {
            let Grant { by, room, until, .. } = one.grant;
            self.now < until && self.may_invite(by, room).is_ok()
        });
        self.try_code(good.is_some())?;
        good.ok_or(Refusal::InvitationVoid)
    }

    pub(super) fn look_at_invitation(&mut self, code: &KeyHash) -> Result<InvitationView, Refusal> {
        let Invitation { grant, .. } = self.good_invitation(code)?;
        let by = grant.by.and_then(|by| self.accounts.get(by));
        let room = grant.room.and_then(|room| self.rooms.get(room));
        let policy = self.policy().policy;
        Ok(InvitationView {
            by: by.map(|known| known.account.name.clone()),
            room: room.map(|room| (room.record.id, room.record.settings.title.clone())),
            until: grant.until,
            registers: match policy.registration {
                Registration::Open => true,
                Registration::Invite => grant.registers,
                Registration::Closed => false,
            },
            guests: policy.guests != Guests::Off,
        })
    }

    /// The invitation by which somebody registers.
    pub(super) fn invited(
        &mut self,
        caller: Identity,
        code: Option<&KeyHash>,
    ) -> Result<Option<Invitation>, Refusal> {
        let invitation = code.map(|code| self.good_invitation(code)).transpose()?;
        if !invitation.is_some_and(|one| one.grant.registers) {
            self.may_register(caller)?;
        } else if self.policy().policy.registration == Registration::Closed {
            return Err(Refusal::RegistrationClosed);
        }
        if let Some(room) = invitation.and_then(|one| self.rooms.get(one.grant.room?)) {
            self.refuse_entry(room, None)?; // A locked room: nobody new, however invited.
            if room.members.len() + room.pending_moves.len() >= MEMBERS_MAX {
                return Err(Refusal::Full);
            }
        }
        Ok(invitation)
    }

    /// `Ok(None)`: the answer comes with the log's answer. An existing member needs no entry.
    pub(super) fn accept_invitation(
        &mut self,
        id: CallId,
        caller: Identity,
        code: &KeyHash,
    ) -> Result<Option<Answer>, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        // Who has come by the last use asks once more.
        if let Some(room) = self.invitations.by_code(code).and_then(|one| one.grant.room)
            && self.rooms.get(room).is_some_and(|room| room.has_member(Some(account)))
        {
            return self.show_room(room, Some(account)).map(Some);
        }
        let Invitation { id: invitation, grant, .. } = self.good_invitation(code)?;
        let Some(room) = grant.room else {
            return self.enter_room(id, caller, LOBBY, Access::Open);
        };
        self.may_become_member(account, room)?;
        let (member, expelled, with) = (true, false, None);
        let act = Box::new(Entry::MemberChanged { room, account, member, expelled, with });
        self.propose(Entry::Invited { invitation, act }, Purpose::Call(id, Some(account)))?;
        self.moves(account, room, true);
        Ok(None)
    }

    /// The answer comes with the log's answer.
    pub(super) fn end_invitation(
        &mut self,
        id: CallId,
        caller: Identity,
        call: call::EndInvitation,
    ) -> Result<(), Refusal> {
        let call::EndInvitation { invitation, reason } = call;
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let found = self.invitations.get(invitation).ok_or(Refusal::InvitationNotFound)?;
        let room = found.grant.room.and_then(|room| self.rooms.get(room));
        let owns = room.is_some_and(|room| room.record.owner == Some(account));
        let in_charge = self.has_role(Some(account), Role::Administrator);
        if !(in_charge || owns || found.grant.by == Some(account)) {
            return Err(Refusal::InvitationNotFound);
        }
        let entry = Entry::InvitationEnded { invitation };
        self.propose_as(id, Some(account), in_charge, reason, entry)
    }

    pub(super) fn invitations_scope(
        &self,
        caller: Identity,
        room: Option<RoomId>,
    ) -> Result<InvitationsScope, Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let found = room.map(|room| self.visible(Some(account), room)).transpose()?;
        let owns = found.is_some_and(|room| room.record.owner == Some(account));
        let all = owns || self.has_role(Some(account), Role::Administrator);
        Ok(InvitationsScope { account, all, room, upto: self.last })
    }

    /// Applies [`Entry::InvitationMade`].
    pub(super) fn invitation_made(
        &mut self,
        (id, time): (Seq, Time),
        grant: Grant,
    ) -> Result<Answer, Refusal> {
        self.invitations.end_over(time);
        let there = |room| self.rooms.get(room).is_some_and(|room| !room.is_direct());
        if !grant.room.is_none_or(there) {
            return Err(Refusal::RoomNotFound);
        }
        let known = grant.by.is_none_or(|by| self.accounts.get(by).is_some());
        let invitation = Invitation { id, grant, used: 0 };
        if !known || grant.uses == 0 || grant.until <= time || !self.invitations.insert(invitation)
        {
            return Err(Refusal::Unavailable);
        }
        Ok(Answer::Invitation(invitation))
    }

    /// Applies [`Entry::InvitationEnded`].
    pub(super) fn invitation_ended(&mut self, invitation: Seq) -> Result<Answer, Refusal> {
        let ended = self.invitations.end(invitation);
        ended.map(|_| Answer::Done(())).ok_or(Refusal::InvitationNotFound)
    }

    /// Applies [`Entry::Invited`]. What changes nothing is no use.
    pub(super) fn came_invited(
        &mut self,
        (seq, time): (Seq, Time),
        invitation: Seq,
        act: Entry,
        came: Came,
    ) -> Result<Answer, Refusal> {
        let found = self.invitations.get(invitation).ok_or(Refusal::InvitationVoid)?;
        let Grant { room, until, .. } = found.grant;
        let fits = match act {
            Entry::AccountMade { key, .. } => key.is_some(),
            Entry::MemberChanged { room: to, account, member: true, .. } => {
                let inside =
                    |room| self.rooms.get(room).is_some_and(|r| r.has_member(Some(account)));
                if room == Some(to) && inside(to) {
                    return self.show_room(to, Some(account));
                }
                room == Some(to)
            }
            _ => false,
        };
        if !fits || until <= time {
            return Err(Refusal::InvitationVoid);
        }
        let answer = self.apply(seq, time, act, came)?;
        self.invitations.use_once(invitation);
        Ok(answer)
    }
}
