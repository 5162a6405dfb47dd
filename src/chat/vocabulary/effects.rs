//! The core's output: announcements, answers, proposals, replies and refusals.

use crate::chat::types::{
    AccountId, Author, CallId, ClientId, Color, Description, Name, ProtocolId, RoomId, Seq,
    SessionId, SubscriptionId, Ticket, Title, Visibility,
};
use crate::chat::vocabulary::*;
use crate::crypto::KeyHash;
use crate::time::Time;

/// One output of the core.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// The answer to a call.
    Answer {
        /// The id of the call.
        id: CallId,
        /// The call's outcome.
        answer: Result<Answer, Refusal>,
    },
    /// A proposal for the log.
    Propose {
        /// Comes back with the log's decision about the entry.
        ticket: Ticket,
        /// The time that the log keeps with the entry.
        time: Time,
        /// The entry.
        entry: Entry,
    },
    /// From here on this subscription hears the room.
    Subscribe {
        /// The subscription.
        subscription: SubscriptionId,
        /// The subscription's protocol.
        protocol: ProtocolId,
        /// The room.
        room: RoomId,
        /// The stream to which the subscription belongs, if any.
        stream: Option<SubscriptionId>,
        /// A stream hears of no change of a message up to this entry: its member may not see it.
        horizon: Seq,
    },
    /// From here on this subscription hears nothing. With a reason, the connection must be closed.
    Unsubscribe {
        /// The subscription.
        subscription: SubscriptionId,
        /// The subscription's protocol.
        protocol: ProtocolId,
        /// The room.
        room: RoomId,
        /// The stream to which the subscription belonged, if any.
        stream: Option<SubscriptionId>,
        /// Why the core closes the connection; `None` if it is gone already.
        reason: Option<CloseReason>,
    },
    /// A stream is about to end: it hears only replies, so its cursor stays, to resume from.
    Freeze {
        /// The subscription of the stream's connection.
        subscription: SubscriptionId,
    },
    /// Close a stream's connection; its subscriptions in rooms have ended already.
    CloseStream {
        /// The subscription of the stream's connection.
        subscription: SubscriptionId,
        /// Why the core closes it.
        reason: CloseReason,
    },
    /// An event for every subscription of the room.
    Announce {
        /// The event.
        event: Event,
        /// The subscription that caused the event, and its protocol: some protocols present a
        /// client's own event in another form.
        by: Option<(SubscriptionId, ProtocolId)>,
    },
    /// An event for one subscription; `subscription` is one in a room, never a stream's connection.
    Notify {
        /// The subscription.
        subscription: SubscriptionId,
        /// The subscription's protocol.
        protocol: ProtocolId,
        /// The event.
        event: Event,
    },
    /// The outcome of a client event.
    Reply {
        /// The subscription.
        subscription: SubscriptionId,
        /// The subscription's protocol.
        protocol: ProtocolId,
        /// For a message, `Ok` means that the log has it.
        reply: Result<Receipt, Refusal>,
        /// The mark of the client event.
        mark: Option<ClientId>,
    },
    /// A member's read marker has moved. The store may write it later.
    Mark {
        /// The room.
        room: RoomId,
        /// The member.
        account: AccountId,
        /// The last message that the member has read.
        seq: Seq,
    },
    /// These sessions were used. The store may write it later.
    Touch {
        /// Each session with the time of its last use.
        used: Vec<(SessionId, Time)>,
    },
}

/// The outcome of an accepted client event.
#[derive(Clone, PartialEq, Debug)]
pub enum Receipt {
    /// The log has the entry.
    Logged {
        /// The entry's number.
        seq: Seq,
        /// The entry's time.
        time: Time,
        /// The entry existed already: the client repeated its request.
        repeated: bool,
    },
    /// The core has announced it to the room.
    Noted,
    /// The room knows it already: the client that joins is present through another connection. This
    /// is the event that the room would hear.
    Known(Box<Event>),
}

/// The answer to an accepted call.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The call has succeeded.
    Done(()),
    /// A session has begun.
    Session(SessionInfo),
    /// The caller's sessions, by number.
    Sessions(Vec<SessionInfo>),
    /// An account.
    Person(Person),
    /// The accounts that the caller has blocked, or that are banned, by number.
    Blocked(Page<Person, AccountId>),
    /// The people present in a room, in the order of arrival.
    Present(Page<Present, u64>),
    /// Rooms, by number; together with the people present in them at most 2 ×
    /// [`ANSWER_ITEMS_MAX`](crate::limits::ANSWER_ITEMS_MAX) items.
    Rooms(Page<RoomInfo, RoomId>),
    /// How far the caller has read their rooms, by number.
    Marks(Page<MembershipMarks, RoomId>),
    /// A room.
    Room(Box<RoomInfo>),
    /// The rooms that the caller can restore, the last deleted first; at most
    /// [`DELETED_ROOMS_PER_OWNER_MAX`](crate::limits::DELETED_ROOMS_PER_OWNER_MAX), plus those
    /// about to be purged.
    Deleted(Vec<DeletedInfo>),
    /// A room for two.
    Direct(DirectRoom),
    /// All later answers and announcements of the core include this entry.
    Heard(Seq),
    /// The first known key, if any.
    KnownKey(Option<KeyHash>),
    /// The rooms whose messages the caller may read, by number, each with the entry after which
    /// they may read.
    Readable(Page<(RoomId, Seq), RoomId>),
    /// The members of a room, and the people present without membership. A person who leaves
    /// between two pages may be on both, once as present and once as away.
    Members(Page<Member, Place>),
    /// The log has the action.
    Acted(Acted),
    /// The caller's read marker.
    Read(Seq),
    /// The stream is open.
    OpenedStream(OpenedStream),
    /// What to check a password against.
    PasswordState(PasswordState),
    /// Who may come in.
    Policy(PolicyInfo),
    /// The banned addresses, in order; at most
    /// [`BANNED_ADDRESSES_MAX`](crate::limits::in_charge::BANNED_ADDRESSES_MAX).
    Addresses(Vec<BannedAddress>),
    /// A new invitation.
    Invitation(Invitation),
    /// What an invitation grants.
    InvitationView(InvitationView),
    /// Which invitations the caller may list.
    Invitations(InvitationsScope),
    /// Who has a standing of their own in a room; bounded by the numbers of
    /// [`moderation`](crate::limits::moderation).
    Moderation(ModerationInfo),
    /// The accounts that are muted everywhere, each with the end of the mute; at most
    /// [`MUTED_ACCOUNTS_MAX`](crate::limits::moderation::MUTED_ACCOUNTS_MAX).
    Muted(Vec<(Name, Time)>),
    /// Whose messages are to be deleted, and which.
    Clearing(Clearing),
}

/// Who may come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PolicyInfo {
    /// What applies.
    pub policy: Policy,
    /// What of it the command line fixes.
    pub fixed: FixedPolicy,
}

/// A page of a long list.
#[derive(Clone, PartialEq, Debug)]
pub struct Page<T, K> {
    /// At most [`ANSWER_ITEMS_MAX`](crate::limits::ANSWER_ITEMS_MAX).
    pub items: Vec<T>,
    /// The next page starts after this key; `None`: this is the last page.
    pub next: Option<K>,
}

impl<T, K> Default for Page<T, K> {
    fn default() -> Page<T, K> {
        Page { items: Vec::new(), next: None }
    }
}

/// A room for two.
#[derive(Clone, PartialEq, Debug)]
pub struct DirectRoom {
    /// The room.
    pub room: Box<RoomInfo>,
    /// The call has created it.
    pub made: bool,
}

/// An action in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Acted {
    /// The entry's number.
    pub seq: Seq,
    /// The entry's time.
    pub time: Time,
    /// The entry existed already: the client repeated its request.
    pub repeated: bool,
    /// The author, as in the log.
    pub by: Author,
    /// The color in which clients show the message.
    pub color: Option<Color>,
    /// The names that the text mentions.
    pub calls: Box<[Name]>,
}

/// An open stream.
#[derive(Clone, PartialEq, Debug)]
pub struct OpenedStream {
    /// The name of the account.
    pub name: Name,
    /// The account.
    pub account: AccountId,
    /// The rooms that the stream hears.
    pub rooms: Vec<MembershipMarks>,
}

/// A session, as its owner sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionInfo {
    /// The session's number.
    pub id: SessionId,
    /// The account's name.
    pub name: Name,
    /// Whether the account is a guest.
    pub guest: bool,
    /// When the session began.
    pub created: Time,
    /// When the session was last used.
    pub last_used: Time,
    /// When the session ends, unless it is used before.
    pub expires: Time,
    /// What the client called itself.
    pub agent: Box<str>,
    /// Whether this session makes the call.
    pub current: bool,
}

/// A room that a stream hears.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MembershipMarks {
    /// The room.
    pub room: RoomId,
    /// The entry that made the account a member. The stream does not show earlier entries.
    pub since: Seq,
    /// The last message that the account has read.
    pub read: Seq,
    /// The account may not read messages up to this entry.
    pub horizon: Seq,
}

/// A member of a room, or a person present in it.
#[derive(Clone, PartialEq, Debug)]
pub struct Member {
    /// The person.
    pub author: Author,
    /// Whether the person has no registered account.
    pub guest: bool,
    /// Whether the person is present.
    pub online: bool,
    /// The color that the client sent last.
    pub color: Option<Color>,
    /// The person's last activity in the room, as far as the server remembers.
    pub last_activity: Option<Time>,
    /// The person's role in the room.
    pub role: Option<RoomRole>,
    /// The end of the person's mute in the room.
    pub muted: Option<Time>,
}

/// An account, as others see it.
#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    /// The name, as registered.
    pub name: Name,
    /// Whether the account has no key.
    pub guest: bool,
    /// Whether the account has a subscription anywhere.
    pub online: bool,
    /// When the account was registered.
    pub created: Time,
    /// The entry that registered the account: earlier messages under its name are from a former
    /// holder of the name.
    pub since: Seq,
    /// The account's role on the server.
    pub role: Option<Role>,
    /// Whether the account is banned.
    pub banned: bool,
    /// The end of its mute on the whole server.
    pub muted: Option<Time>,
}

/// A person present in a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Present {
    /// The person.
    pub author: Author,
    /// The color that the client sent last.
    pub color: Option<Color>,
    /// When the person last arrived or sent something.
    pub last_activity: Time,
}

/// A room, as anybody may see it: no password, no hash of a password.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomInfo {
    /// The internal number.
    pub id: RoomId,
    /// The public number. It differs from the internal number if the room got that before it was
    /// hidden, as clients could then guess it.
    pub number: RoomId,
    /// Its title.
    pub title: Title,
    /// Its description, perhaps empty.
    pub description: Description,
    /// Who can find and enter it.
    pub visibility: Visibility,
    /// How people talk there.
    pub rules: Rules,
    /// When it was created.
    pub created: Time,
    /// When it was last changed.
    pub updated: Time,
    /// How many people are present; 0 if the caller may not know.
    pub online: usize,
    /// The people present, in the order of arrival, if the caller asks for them: the first
    /// [`ANSWER_ITEMS_MAX`](crate::limits::ANSWER_ITEMS_MAX). Empty if the caller may not know.
    pub present: Vec<Present>,
    /// The rest begins after this arrival; `None`: the list is complete.
    pub more: Option<u64>,
    /// The caller may not read messages up to this entry.
    pub horizon: Seq,
    /// Whether it is a room for two; the title is then the other person's name.
    pub direct: bool,
    /// The owner's name, if an account owns the room.
    pub owner: Option<Name>,
    /// The last message; 0 if there is none.
    pub last: Seq,
    /// The caller's membership; `None`: the caller is not a member.
    pub membership: Option<MembershipMarks>,
}

/// A deleted room, as its owner sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct DeletedInfo {
    /// The public number that it had.
    pub number: RoomId,
    /// The title that it had.
    pub title: Title,
    /// When it was deleted.
    pub deleted: Time,
    /// Its owner can restore it until then.
    pub until: Time,
}

impl RoomInfo {
    /// Whether everybody may read its messages.
    pub fn is_open(&self) -> bool {
        self.visibility == Visibility::Public && !self.direct
    }
}

/// What a room's password is checked against.
#[derive(Clone, PartialEq, Debug)]
pub struct PasswordState {
    /// The internal number.
    pub room: RoomId,
    /// The public number: see [`RoomInfo::number`].
    pub number: RoomId,
    /// The room's title.
    pub title: Title,
    /// Whether the caller may see the room.
    pub seen: bool,
    /// Whether the answer to a wrong password must look as if the room did not exist.
    pub quiet: bool,
    /// The SHA-256 of the key of the caller's session.
    pub session: Option<KeyHash>,
    /// The hash of the room's password, as a PHC string; `None`: the room is public.
    pub password: Option<Box<str>>,
    /// Counts the passwords that the room has had.
    pub password_generation: u64,
    /// When the core found the name to be free: it becomes
    /// [`NameClaim::granted`](super::NameClaim::granted). (Not the time of the password check:
    /// another person may register the name before that.) One second later if the name belongs to
    /// the caller's registered account.
    pub granted: Time,
}

impl PasswordState {
    /// Whether a token matches this room and password. (The core checks the token's session.)
    pub fn opens(&self, access: Access) -> bool {
        let Access::Token { room, password_generation, .. } = access else { return false };
        (room == self.room || room == self.number)
            && password_generation == self.password_generation
    }
}
