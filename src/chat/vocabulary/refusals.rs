//! Why the core refuses, and why it closes a connection.

use crate::time::Time;

/// Why the core closes a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The session has ended.
    SessionEnded,
    /// The room was deleted.
    RoomGone,
    /// The room's password is new, or the room was public before.
    Locked,
    /// The owner of the room has expelled the person.
    Expelled,
    /// The account has opened more streams than its limit; this one was the oldest.
    Replaced,
    /// A newer connection uses the same token.
    GaveWay,
    /// The server takes guests no more.
    GuestsOff,
    /// The account or the address is banned.
    Banned,
    /// The account is banned from the room.
    BannedHere,
    /// The server shuts down.
    ShuttingDown,
}

impl CloseReason {
    /// Whether the connection hears nothing from the entry on that ends it: not even what is behind
    /// that entry on its way into the log.
    pub fn cuts(self) -> bool {
        matches!(self, CloseReason::GuestsOff | CloseReason::Banned | CloseReason::BannedHere)
    }
}

/// Why the core refuses. Each protocol maps the refusal to codes of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The session is unknown or has ended.
    Unauthenticated,
    /// No account has that key.
    UnknownKey,
    /// The text is not a valid name.
    NameInvalid,
    /// A registered account or a present guest has that name.
    NameTaken,
    /// The name is in use in the room, or is the name of another registered account.
    NameInUse,
    /// The subscription is bound to another name.
    OtherName,
    /// The subscription is not bound to a name, and the event gives none.
    NameMissing,
    /// A person who is not present cannot leave.
    NotPresent,
    /// The account already has a subscription through this protocol.
    AlreadySubscribed,
    /// There is no such account.
    PersonNotFound,
    /// There is no such room.
    RoomNotFound,
    /// Another room has that title.
    TitleTaken,
    /// A room that is not public needs a password.
    PasswordMissing,
    /// A public room has no password.
    PasswordForPublic,
    /// The caller may not do this: it needs the room's owner, or a role on the server.
    Forbidden,
    /// The server takes no new accounts, or only from people in charge.
    RegistrationClosed,
    /// The server takes no guests.
    GuestsOff,
    /// Somebody in charge has banned the account, or the address.
    Banned,
    /// The invitation does not exist, is used up, is over or was taken back.
    InvitationVoid,
    /// The link for a new key does not exist, was used, is over or was replaced.
    RecoveryVoid,
    /// The caller may end no such invitation.
    InvitationNotFound,
    /// Somebody in charge of the room has banned the account from it.
    BannedHere,
    /// Somebody in charge has muted the account.
    Muted {
        /// [`UNTIL_LIFTED`](super::UNTIL_LIFTED): without an end.
        until: Time,
        /// On the whole server; `false`: in the room.
        everywhere: bool,
    },
    /// Only the owner and moderators speak in the room.
    ReadOnly,
    /// Nobody new may join the room.
    Locked,
    /// The room is in slow mode, and the person has just spoken.
    Slow {
        /// The person may speak again after this time.
        retry_after_ms: u32,
    },
    /// Only a registered account may do this, or have this done to it.
    NotForGuests,
    /// The room's token is missing, or is older than the room's password.
    NoAccess,
    /// Only members may do this, and the caller is not a member.
    NotMember,
    /// One of the two accounts has blocked the other.
    Blocked,
    /// The message is too long for its protocol.
    MessageTooLong,
    /// The request is malformed, in this field.
    Malformed(Field),
    /// The room has no such message, or it was deleted.
    MessageNotFound,
    /// The author has used that client id for another message.
    ClientIdReused,
    /// The caller has no such session.
    SessionNotFound,
    /// The message has its maximum of different reactions, or of this person's reactions.
    TooManyReactions,
    /// The disk's free space is too small for this entry.
    NoSpace,
    /// The server has its maximum of such items.
    Full,
    /// The quota of this account, guest or address is used up; deleting an item frees it.
    QuotaReached,
    /// The connection, person, address or room has reached its rate limit.
    RateLimited {
        /// The client may try again after this time.
        retry_after_ms: u32,
    },
    /// The log cannot take it now: the disk is full or too slow, or the server shuts down.
    Unavailable,
}

/// The malformed field of a client's event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// The whole text: it is not in the protocol's format.
    Whole,
    /// The kind of the event.
    Kind,
    /// The author's name.
    Name,
    /// The text of the message.
    Message,
    /// A character that no text may contain.
    Character,
    /// The message to which it replies.
    ReplyTo,
    /// The color.
    Color,
    /// A field of some protocols only, with its name there.
    Called(&'static str),
}
