//! The vocabulary of the log: everything that lasts.

use crate::chat::types::{
    AccountId, Author, ClientId, Color, Description, Emoji, Name, RoomId, Seq, SessionId, Title,
    Visibility,
};
use crate::chat::vocabulary::{BannedAddress, Grant, Needs, Policy, Reason, Recovery, Role, Rules};
use crate::crypto::KeyHash;
use crate::time::Time;

/// An entry of the log. Lasting state changes only by an entry.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// A new account.
    AccountMade {
        /// The account's number.
        account: AccountId,
        /// The name, as registered.
        name: Name,
        /// The SHA-256 of the account's key; `None`: a guest, which ends with its last session.
        key: Option<KeyHash>,
        /// The color in which clients show the author.
        color: Option<Color>,
    },
    /// A guest is gone, and its name is free again.
    AccountEnded {
        /// The guest's account.
        account: AccountId,
    },
    /// An account has a new key. Its sessions end, except one.
    KeyChanged {
        /// The account.
        account: AccountId,
        /// The SHA-256 of the new key.
        key: KeyHash,
        /// The session that stays: the one that made the call.
        but: Option<SessionId>,
    },
    /// A new session.
    SessionBegun {
        /// The session's number.
        session: SessionId,
        /// The account.
        account: AccountId,
        /// The SHA-256 of the session's key.
        key: KeyHash,
        /// `true`: the session lasts a month without use; `false`: an hour.
        remember: bool,
        /// The client's description of itself, perhaps empty.
        agent: Box<str>,
    },
    /// A session has ended, by logout or by expiry.
    SessionEnded {
        /// The session.
        session: SessionId,
    },
    /// A new room.
    RoomMade {
        /// The room's number.
        room: RoomId,
        /// The owner; `None`: the room has no owner.
        owner: Option<AccountId>,
        /// The room's settings.
        settings: RoomSettings,
    },
    /// A new room for exactly two accounts.
    DirectMade {
        /// The room's number.
        room: RoomId,
        /// The two accounts; the first has opened the room.
        between: [AccountId; 2],
        /// `true`: both are members from here on, as in the first versions. `false`: the account
        /// that opened it is a member, and the other becomes one with the first message.
        both: bool,
    },
    /// An account has become a member of a room, or has ended its membership. (A new account
    /// belongs to the lobby, and a room's creator to the room, without this entry.) Only its two
    /// accounts can join a room for two, and each joins again with the next message; the room ends
    /// when both have left.
    MemberChanged {
        /// The room.
        room: RoomId,
        /// The account.
        account: AccountId,
        /// `true`: a member from now on.
        member: bool,
        /// Whether somebody in charge of the room has expelled the account, which also ends its
        /// subscriptions there.
        expelled: bool,
        /// Only in a proposal: the message that brings an account back into a room for two. The log
        /// takes this entry only if it will take that message, and does not store it here.
        with: Option<Box<Entry>>,
    },
    /// An account has blocked or unblocked another.
    BlockChanged {
        /// The account that blocks.
        account: AccountId,
        /// The blocked account.
        blocked: AccountId,
        /// `true` blocks, `false` unblocks.
        on: bool,
    },
    /// A room's settings have changed.
    RoomChanged {
        /// The room.
        room: RoomId,
        /// All settings, as they are now.
        settings: RoomSettings,
        /// Counts the room's passwords.
        password_generation: u64,
        /// The public number of the room while it is hidden; `None` if its own number is random.
        link: Option<RoomId>,
        /// Whether members stay although the room closes or gets a new password.
        keep_members: bool,
    },
    /// A room was deleted.
    RoomGone {
        /// The room.
        room: RoomId,
        /// Whether the owner, if the room has one, can restore it for a while.
        recoverable: bool,
    },
    /// A deleted room was restored, with all that it had.
    RoomReturned {
        /// The room.
        room: RoomId,
        /// The title from now on: another room may have taken the old one.
        title: Title,
    },
    /// A deleted room can no longer be restored.
    RoomPurged {
        /// The room.
        room: RoomId,
    },
    /// A new message.
    Said {
        /// The room.
        room: RoomId,
        /// The author.
        author: Author,
        /// The color in which clients show the author.
        color: Option<Color>,
        /// The text.
        text: Box<str>,
        /// The author's client id: with it, sending is idempotent.
        client_id: Option<ClientId>,
        /// The message to which it replies.
        reply_to: Option<Seq>,
        /// The accounts that the text mentions, of those in the room at that time.
        calls: Box<[AccountId]>,
    },
    /// A message has a new text.
    Edited {
        /// The message's room.
        room: RoomId,
        /// The target message.
        target: Seq,
        /// The message's author.
        by: Author,
        /// The new text.
        text: Box<str>,
        /// The accounts that the text mentions.
        calls: Box<[AccountId]>,
    },
    /// A message was deleted; its text is gone.
    Deleted {
        /// The message's room.
        room: RoomId,
        /// The target message.
        target: Seq,
        /// The account that deletes it.
        by: Author,
        /// Whether that account is in charge of the room, and so may delete the messages of others.
        as_owner: bool,
    },
    /// A message got a reaction, or lost one.
    Reacted {
        /// The message's room.
        room: RoomId,
        /// The target message.
        target: Seq,
        /// The author of the reaction.
        by: Author,
        /// The emoji.
        emoji: Emoji,
        /// `true` adds the reaction, `false` removes it.
        on: bool,
    },
    /// An account has a role on the server from now on, or none.
    RoleChanged {
        /// The account; a registered one.
        account: AccountId,
        /// The role.
        role: Option<Role>,
    },
    /// Who may come in has changed.
    PolicyChanged {
        /// All of it, as it is now.
        policy: Policy,
    },
    /// An account is banned from now on, which ends its sessions; or it is no longer.
    BanChanged {
        /// The account; one without a role.
        account: AccountId,
        /// `true` bans, `false` lifts the ban.
        on: bool,
    },
    /// An address is banned for a time.
    AddressBanned {
        /// The address, and until when; a time that is over lifts the ban.
        banned: BannedAddress,
    },
    /// A new invitation; its number is that of this entry. Some that are over by then end.
    InvitationMade {
        /// What it grants.
        grant: Grant,
    },
    /// An invitation can be used no more. (It also ends when it is used up, when its maker loses a
    /// role or is banned, and when its room is deleted, is closed or gets a new password.)
    InvitationEnded {
        /// The invitation.
        invitation: Seq,
    },
    /// Somebody has used an invitation: it has the effect of `act`, and counts as a use. The log
    /// refuses it if the invitation has ended by then.
    Invited {
        /// The invitation.
        invitation: Seq,
        /// A new account, or a new member of the invitation's room.
        act: Box<Entry>,
    },
    /// A link by which an account gets a new key; it replaces an earlier one. (It also ends with a
    /// new key, a change of a role or a ban of the account, and of its maker's role.)
    RecoveryMade {
        /// The link.
        recovery: Recovery,
    },
    /// An account has a new key, by such a link. All its sessions end.
    Recovered {
        /// The account.
        account: AccountId,
        /// The SHA-256 of the new key.
        key: KeyHash,
        /// The SHA-256 of the link's code.
        code: KeyHash,
    },
    /// A member of a room is its moderator from now on, or not any more. The role ends with the
    /// membership.
    ModeratorChanged {
        /// The room.
        room: RoomId,
        /// The member; a registered account.
        account: AccountId,
        /// `false`: not any more.
        on: bool,
    },
    /// An account may not speak for a time.
    Muted {
        /// `None`: anywhere.
        room: Option<RoomId>,
        /// The account.
        account: AccountId,
        /// The end; a time that is over lifts the mute.
        until: Time,
    },
    /// An account is banned from a room from now on, or not any more. (The end of its membership is
    /// an entry of its own.)
    RoomBanChanged {
        /// The room.
        room: RoomId,
        /// The account; not the owner's.
        account: AccountId,
        /// `true` bans, `false` lifts the ban.
        on: bool,
    },
    /// How people talk in a room has changed.
    RulesChanged {
        /// The room.
        room: RoomId,
        /// All of it, as it is now.
        rules: Rules,
    },
    /// A room has another owner.
    OwnerChanged {
        /// The room.
        room: RoomId,
        /// The new owner: a member with a registered account.
        owner: AccountId,
    },
    /// A guest goes on under another name: what mutes and bans the one account concerns the other,
    /// too.
    MutesMoved {
        /// The account so far.
        from: AccountId,
        /// The new account.
        to: AccountId,
    },
    /// All messages of a person since a time are to be deleted; each deletion is an entry of its
    /// own.
    Cleared {
        /// `None`: in all rooms, except those for two.
        room: Option<RoomId>,
        /// The author of the messages.
        author: Author,
        /// Since then.
        since: Time,
    },
    /// What somebody in charge has done. It has the effect of `act`; the log refuses it if `by` has
    /// lost the role by then.
    Deed {
        /// The account; `None`: the operator at the shell.
        by: Option<AccountId>,
        /// Why.
        reason: Option<Reason>,
        /// What was done: any other entry.
        act: Box<Entry>,
    },
}

impl Entry {
    /// What has happened, whoever did it, and on whose invitation.
    pub fn act(&self) -> &Entry {
        match self {
            Entry::Deed { act, .. } | Entry::Invited { act, .. } => act,
            entry => entry,
        }
    }

    /// The role of an account that may do this for the sake of its role. (A moderator may change
    /// only the slow mode of a room's rules.)
    pub fn needs(&self) -> Needs {
        match self.act() {
            Entry::RoleChanged { .. } => Needs::Role(Role::Owner),
            Entry::ModeratorChanged { room, .. } | Entry::OwnerChanged { room, .. } => {
                Needs::Owner(*room)
            }
            Entry::Muted { room: Some(room), .. }
            | Entry::RoomBanChanged { room, .. }
            | Entry::RulesChanged { room, .. }
            | Entry::MemberChanged { room, .. }
            | Entry::Deleted { room, .. }
            | Entry::Cleared { room: Some(room), .. } => Needs::Moderator(*room),
            _ => Needs::Role(Role::Administrator),
        }
    }

    /// The author of a message, edit, deletion or reaction; `None` for other entries.
    pub fn author(&self) -> Option<&Author> {
        match self.act() {
            Entry::Said { author: by, .. }
            | Entry::Edited { by, .. }
            | Entry::Deleted { by, .. }
            | Entry::Reacted { by, .. } => Some(by),
            _ => None,
        }
    }
}

/// The settings of a room.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomSettings {
    /// Unique, case does not count.
    pub title: Title,
    /// Perhaps empty.
    pub description: Description,
    /// Who can find and enter it.
    pub visibility: Visibility,
    /// The Argon2id hash of the password, as a PHC string. Present exactly if the room is not
    /// public.
    pub password: Option<Box<str>>,
}

impl RoomSettings {
    /// The settings of a room for two: nobody can find it by its title or enter it.
    pub fn of_direct(room: RoomId) -> RoomSettings {
        let (title, description) = (Title::of_direct(room), Description::default());
        RoomSettings { title, description, visibility: Visibility::Hidden, password: None }
    }
}
