//! What comes of a command: announcements, answers, proposals and refusals.

use crate::chat::types::{
    AccountId, Author, CallId, ClientId, Color, Description, Name, ProtocolId, RoomId, Seq,
    SessionId, SubscriptionId, Ticket, Title, Visibility,
};
use crate::chat::vocabulary::*;
use crate::crypto::KeyHash;
use crate::time::Time;

/// What comes of a command.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// To the caller.
    Answer {
        /// As it came with the call.
        id: CallId,
        /// What came of the call.
        answer: Result<Answer, Refusal>,
    },
    /// To be put into the log.
    Propose {
        /// Comes back with the entry, or without it.
        ticket: Ticket,
        /// To be kept with it.
        time: Time,
        /// The entry.
        entry: Entry,
    },
    /// From here on this subscription hears the room.
    Subscribe {
        /// Which subscription.
        subscription: SubscriptionId,
        /// Through which protocol.
        protocol: ProtocolId,
        /// Which room.
        room: RoomId,
        /// The stream whose subscription it is, if it is a stream's.
        stream: Option<SubscriptionId>,
    },
    /// From here on this subscription hears nothing. With a reason: its connection is to be
    /// closed.
    Unsubscribe {
        /// Which subscription.
        subscription: SubscriptionId,
        /// Through which protocol it had been taken.
        protocol: ProtocolId,
        /// Which room.
        room: RoomId,
        /// The stream whose subscription it was, if it was a stream's.
        stream: Option<SubscriptionId>,
        /// Why; `None` when the connection is gone already.
        reason: Option<CloseReason>,
    },
    /// A stream is about to end: it hears replies and nothing else from here on, and is resumed
    /// from where it is. (What its rooms say meanwhile, it does not hear; so its number stays.)
    Freeze {
        /// The stream's own subscription.
        subscription: SubscriptionId,
    },
    /// A stream's connection is to be closed; its subscriptions in the rooms have been
    /// unsubscribed.
    CloseStream {
        /// The stream's own subscription.
        subscription: SubscriptionId,
        /// Why.
        reason: CloseReason,
    },
    /// To everybody who hears the room.
    Announce {
        /// What happened.
        event: Event,
        /// The subscription through which it came, and its protocol: some protocols tell it
        /// otherwise there.
        by: Option<(SubscriptionId, ProtocolId)>,
    },
    /// To one subscription alone; `subscription` is that of a room, not the stream's own.
    Notify {
        /// Which subscription.
        subscription: SubscriptionId,
        /// Through which protocol it was taken.
        protocol: ProtocolId,
        /// What happened.
        event: Event,
    },
    /// To one subscription: what came of its tell.
    Reply {
        /// Which subscription.
        subscription: SubscriptionId,
        /// Through which protocol it came.
        protocol: ProtocolId,
        /// `Ok` after a message: it is in the log.
        reply: Result<Receipt, Refusal>,
        /// As it came with the tell.
        mark: Option<ClientId>,
    },
    /// A member has read a room so far; may be written down when it is convenient.
    Mark {
        /// Which room.
        room: RoomId,
        /// Who.
        account: AccountId,
        /// The last message that was read.
        seq: Seq,
    },
    /// These sessions were used last at these times; may be written down when it is convenient.
    Touch {
        /// Which, and when.
        used: Vec<(SessionId, Time)>,
    },
}

/// What came of a tell that was not refused.
#[derive(Clone, PartialEq, Debug)]
pub enum Receipt {
    /// It is in the log.
    Logged {
        /// Under this number.
        seq: Seq,
        /// Since then.
        time: Time,
        /// It was before: this was said again.
        repeated: bool,
    },
    /// The room was told.
    Noted,
    /// The room has known it: whoever joins is present already, by another connection. This is what
    /// the room would have been told.
    Known(Box<Event>),
}

/// Why a connection is closed by the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The session was ended.
    SessionEnded,
    /// The room is gone.
    RoomGone,
    /// The room has a new password, or now has one.
    Locked,
    /// The owner of the room has put them out.
    Expelled,
    /// The account has opened more streams than it may; this was the oldest.
    Replaced,
    /// Another connection came by the same token.
    GaveWay,
    /// The server stops.
    ShuttingDown,
}

/// The core's only way to say no. Each protocol maps it to codes of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The session is unknown or has ended.
    Unauthenticated,
    /// No account has that key.
    UnknownKey,
    /// It cannot be a name.
    NameInvalid,
    /// An account has that name, or a guest uses it now.
    NameTaken,
    /// That name is in use in the room, or is another's registered one.
    NameInUse,
    /// The subscription is bound to another name.
    OtherName,
    /// The subscription is not bound to a name, and none was given.
    NameMissing,
    /// One who is not present cannot leave.
    NotPresent,
    /// This account has a subscription through this protocol already.
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
    /// The room is not the caller's to change.
    Forbidden,
    /// The room's token is missing, or was made before its password changed.
    NoAccess,
    /// Only members may, and the asker is none.
    NotMember,
    /// One of the two has blocked the other.
    Blocked,
    /// The message is too long for the protocol that it came by.
    MessageTooLong,
    /// It could not be understood; which field is at fault, where one is.
    Malformed(Field),
    /// There is no such message in that room, or it was taken back.
    MessageNotFound,
    /// The author has used that client id for another message.
    ClientIdReused,
    /// The caller has no such session.
    SessionNotFound,
    /// The message bears as many kinds of reactions as it may, or as many of that person.
    TooManyReactions,
    /// The disk has so little room left that this is not written.
    NoSpace,
    /// There is no room for one more of those.
    Full,
    /// This account, guest or address has as many of those as it may; removing one makes room.
    QuotaReached,
    /// There was too much of it lately, from this connection, person or address, or in this room.
    RateLimited {
        /// After so many milliseconds there may be one more.
        retry_after_ms: u32,
    },
    /// It cannot be written down now: the disk is full or too slow, or the server stops.
    Unavailable,
}

/// The field of a client's event that is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// The text is not what the protocol speaks at all.
    Whole,
    /// What kind of event it is.
    Kind,
    /// Who says it.
    Name,
    /// What is said.
    Message,
    /// A character in what is said that no text may have.
    Character,
    /// The message that is answered.
    ReplyTo,
    /// How it is shown.
    Color,
    /// One that only some protocols have, by its name there.
    Called(&'static str),
}

/// What comes of a call that is not refused.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// It is done.
    Done(()),
    /// A session has begun.
    Session(SessionInfo),
    /// The caller's sessions, by number.
    Sessions(Vec<SessionInfo>),
    /// An account.
    Person(Person),
    /// The accounts that the caller has blocked, by number.
    Blocked(Page<Person, AccountId>),
    /// Who is present in a room, in the order of arriving.
    Present(Page<Present, u64>),
    /// Rooms, by number; with those who are present in them at most
    /// 2 × [`ANSWER_ITEMS_MAX`](crate::limits::ANSWER_ITEMS_MAX) items.
    Rooms(Page<RoomInfo, RoomId>),
    /// How far the caller has read their rooms, by number.
    Marks(Page<MembershipMarks, RoomId>),
    /// A room.
    Room(Box<RoomInfo>),
    /// The rooms that the caller can bring back, the last that was deleted first; at most
    /// [`DELETED_ROOMS_PER_OWNER_MAX`](crate::limits::DELETED_ROOMS_PER_OWNER_MAX), and those that
    /// are about to go for good.
    Deleted(Vec<DeletedInfo>),
    /// The room of two.
    Direct(DirectRoom),
    /// What the core answers and announces from here on is no older than this entry.
    Heard(Seq),
    /// The first of the keys that is known, if one is.
    KnownKey(Option<KeyHash>),
    /// The rooms whose messages the caller may read, by number, and after which entry.
    Readable(Page<(RoomId, Seq), RoomId>),
    /// The members of a room, and who is present without being a member. A person who leaves
    /// between two pages may stand on both, once as present and once as away.
    Members(Page<Member, Place>),
    /// It is in the log.
    Acted(Acted),
    /// So far the caller has read.
    Read(Seq),
    /// The stream has begun.
    OpenedStream(OpenedStream),
    /// What a password is checked against.
    PasswordState(PasswordState),
}

/// A page of a long list.
#[derive(Clone, PartialEq, Debug)]
pub struct Page<T, K> {
    /// At most [`ANSWER_ITEMS_MAX`](crate::limits::ANSWER_ITEMS_MAX).
    pub items: Vec<T>,
    /// Behind what the next page begins; `None`: this was the last.
    pub next: Option<K>,
}

impl<T, K> Default for Page<T, K> {
    fn default() -> Page<T, K> {
        Page { items: Vec::new(), next: None }
    }
}

/// The room of two.
#[derive(Clone, PartialEq, Debug)]
pub struct DirectRoom {
    /// The room.
    pub room: Box<RoomInfo>,
    /// It was not there before.
    pub made: bool,
}

/// An action that is in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Acted {
    /// Under this number.
    pub seq: Seq,
    /// Since then.
    pub time: Time,
    /// It was before: this was said again.
    pub repeated: bool,
    /// The author, as in the log.
    pub by: Author,
    /// What a message is to be shown in.
    pub color: Option<Color>,
    /// Who is called by its words.
    pub calls: Box<[Name]>,
}

/// A stream that has begun.
#[derive(Clone, PartialEq, Debug)]
pub struct OpenedStream {
    /// The name of the account.
    pub name: Name,
    /// The account.
    pub account: AccountId,
    /// The rooms that it hears.
    pub rooms: Vec<MembershipMarks>,
}

/// A session, as its owner may know it.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionInfo {
    /// Its number.
    pub id: SessionId,
    /// Whose.
    pub name: Name,
    /// A guest's.
    pub guest: bool,
    /// When it began.
    pub created: Time,
    /// When it was last used.
    pub last_used: Time,
    /// When it ends, if it is not used before.
    pub expires: Time,
    /// What the client called itself.
    pub agent: Box<str>,
    /// Whether the ask came by it.
    pub current: bool,
}

/// A room that a stream hears.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MembershipMarks {
    /// Which.
    pub room: RoomId,
    /// The entry by which one became a member: what came before is not part of one's stream.
    pub since: Seq,
    /// The last message that one has read.
    pub read: Seq,
}

/// Somebody who belongs to a room, or is present in it.
#[derive(Clone, PartialEq, Debug)]
pub struct Member {
    /// Who.
    pub author: Author,
    /// Without a registered account.
    pub guest: bool,
    /// Present.
    pub online: bool,
    /// As last given.
    pub color: Option<Color>,
    /// When they last did something here, as far as the server remembers.
    pub last_activity: Option<Time>,
}

/// An account, as others may know it.
#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    /// As registered.
    pub name: Name,
    /// Without a key.
    pub guest: bool,
    /// Whether it has a subscription anywhere.
    pub online: bool,
    /// When it was registered.
    pub created: Time,
    /// The entry that registered it: what has a lower number is not this account's, though a
    /// former holder of the name may have written it.
    pub since: Seq,
}

/// Somebody who is present in a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Present {
    /// Who.
    pub author: Author,
    /// As last given.
    pub color: Option<Color>,
    /// When they last came, or said something.
    pub last_activity: Time,
}

/// A room, as anybody may know it: no password, no hash of one.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomInfo {
    /// Its number.
    pub id: RoomId,
    /// The number by which it is known outside; another than its own where that was given before
    /// the room was hidden, and could be guessed.
    pub number: RoomId,
    /// Its title.
    pub title: Title,
    /// Its description, maybe empty.
    pub description: Description,
    /// Who finds and enters it.
    pub visibility: Visibility,
    /// When it was made.
    pub created: Time,
    /// When it was last changed.
    pub updated: Time,
    /// How many are present; 0 where the asker is not to know.
    pub online: usize,
    /// Who is present, in the order of arriving, where that was asked for: the first
    /// [`ANSWER_ITEMS_MAX`](crate::limits::ANSWER_ITEMS_MAX). Nobody where it is not the asker's to
    /// know.
    pub present: Vec<Present>,
    /// After which arrival the rest of them begins; `None`: these are all.
    pub more: Option<u64>,
    /// What was said up to here is not for the asker to read.
    pub horizon: Seq,
    /// Whether it is a room for two; its title is then the other's name.
    pub direct: bool,
    /// Whose it is, where it is an account's.
    pub owner: Option<Name>,
    /// The last message; 0 where there is none.
    pub last: Seq,
    /// What the asker has to do with it; `None`: they are no member.
    pub membership: Option<MembershipMarks>,
}

/// A deleted room, as who can bring it back may know it.
#[derive(Clone, PartialEq, Debug)]
pub struct DeletedInfo {
    /// The number by which it was known outside.
    pub number: RoomId,
    /// The title that it had.
    pub title: Title,
    /// When it was deleted.
    pub deleted: Time,
    /// Until when it can be brought back.
    pub until: Time,
}

impl RoomInfo {
    /// Whether anybody may read what is said there.
    pub fn is_open(&self) -> bool {
        self.visibility == Visibility::Public && !self.direct
    }
}

/// What a room's password is checked against.
#[derive(Clone, PartialEq, Debug)]
pub struct PasswordState {
    /// The room's number.
    pub room: RoomId,
    /// The number by which it is known outside: see [`RoomInfo::number`].
    pub number: RoomId,
    /// Whether the asker may see the room.
    pub seen: bool,
    /// Whether a wrong password of it is to be answered as if there were no such room.
    pub quiet: bool,
    /// The SHA-256 of the key of the session by which the asker came.
    pub session: Option<KeyHash>,
    /// The hash of its password, as a PHC string; `None`: it is public.
    pub password: Option<Box<str>>,
    /// Counts the room's passwords.
    pub generation: u64,
    /// When the name was found to be free: it becomes
    /// [`NameClaim::granted`](super::Claim::granted). (Not the time at which the password was
    /// checked: until then the name may be registered.) Where it was found to be the caller's, a
    /// registered account's, a second later.
    pub granted: Time,
}

impl PasswordState {
    /// Whether a token was made for it. (Whether the session lives that asked for it, the core
    /// looks.)
    pub fn opens(&self, access: Access) -> bool {
        let Access::Token { room, generation, .. } = access else { return false };
        (room == self.room || room == self.number) && generation == self.generation
    }
}
