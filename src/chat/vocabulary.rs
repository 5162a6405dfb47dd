//! Everything that can move the core, and everything that can come of it. Plain data: printable,
//! comparable, replayable. No wire format, no socket, no database shows through.

use crate::chat::types::{
    AccountId, AskId, Author, Color, Description, Door, Name, RoomId, RoomRef, SeatId, Seq,
    SessionId, Ticket, Title, Visibility,
};
use crate::crypto::KeyHash;
use crate::time::Time;

/// What moves the core.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Something is asked; exactly one [`Effect::Answer`] comes of it, now or after the log.
    Ask {
        /// Returned with the answer.
        ask: AskId,
        /// Who asks.
        caller: Caller,
        /// What is asked.
        what: Ask,
    },
    /// A seated connection says something; exactly one [`Effect::Reply`] comes of it, in the order
    /// of the tells of that seat.
    Tell {
        /// Who says it.
        seat: SeatId,
        /// What is said.
        tell: Tell,
    },
    /// The connection of a seat is gone, however it went. Comes once for each seat that was given.
    Leave {
        /// Whose connection.
        seat: SeatId,
    },
    /// An entry is in the log, on disk, under its number. Entries come in log order.
    Logged {
        /// The proposal that this answers; `None` where somebody else proposed the entry.
        ticket: Option<Ticket>,
        /// Its number.
        seq: Seq,
        /// When it was proposed.
        time: Time,
        /// The entry.
        entry: Entry,
    },
    /// The log could not take a proposed entry; it will never be in the log.
    Unlogged {
        /// The proposal that this answers.
        ticket: Ticket,
        /// What was proposed.
        entry: Entry,
    },
    /// Time has passed; look for what has expired.
    Tick,
    /// The server stops: everybody is unseated, and nothing new begins.
    Close,
}

/// Who asks, as far as they can prove it. Only hashes of keys get here.
#[derive(Clone, PartialEq, Debug)]
pub enum Caller {
    /// Nobody in particular.
    Nobody,
    /// Who shows a session key. Unknown or expired: [`Refusal::Unauthenticated`].
    Session(KeyHash),
    /// Who shows a session key, if it is any good; else nobody in particular.
    Perhaps(KeyHash),
}

/// What can be asked.
#[derive(Clone, PartialEq, Debug)]
pub enum Ask {
    /// Makes an account. → [`Answer::Done`]
    Register {
        /// Not yet checked.
        name: Box<str>,
        /// The SHA-256 of its new key.
        key: KeyHash,
    },
    /// Begins a session of the account with that key. → [`Answer::Session`]
    Login {
        /// The SHA-256 of the account's key.
        key: KeyHash,
        /// The SHA-256 of the new session's key.
        session: KeyHash,
    },
    /// Ends the caller's session, if there is one, and unseats who sits by it. → [`Answer::Done`]
    Logout,
    /// Who the caller is. → [`Answer::Person`]
    Me,
    /// What is known of an account. → [`Answer::Person`]
    Person {
        /// Case does not count.
        name: Box<str>,
    },
    /// Who is present in a room, in the order of arriving. → [`Answer::Present`]
    Present {
        /// Which room.
        room: RoomId,
    },
    /// All rooms that are not hidden. → [`Answer::Rooms`]
    Rooms,
    /// One room, hidden or not. → [`Answer::Room`]
    Room {
        /// Which room.
        room: RoomRef,
    },
    /// What a room's password is checked against, for somebody who wants to enter it as `name`.
    /// → [`Answer::Lock`]
    Lock {
        /// Which room.
        room: RoomRef,
        /// As whom; refused when that name cannot be had there.
        name: Option<Name>,
    },
    /// Whether a name that was granted before is still its holder's, and what the room's password
    /// is now. → [`Answer::Lock`]
    Renew {
        /// Which room.
        room: RoomRef,
        /// Refused when the name is another person's by now.
        claim: Claim,
    },
    /// Makes a room, the caller's if the caller is somebody. → [`Answer::Room`]
    MakeRoom {
        /// Its facts; the password is there exactly if it is not public.
        facts: RoomFacts,
    },
    /// Changes a room. → [`Answer::Room`]
    ChangeRoom {
        /// Which room.
        room: RoomRef,
        /// By which right, where the room is not public.
        access: Access,
        /// What is to be different.
        change: RoomChange,
    },
    /// Ends a room, and unseats who sits there. → [`Answer::Done`]
    RemoveRoom {
        /// Which room.
        room: RoomRef,
        /// By which right, where the room is not public.
        access: Access,
    },
    /// Takes a seat in a room. → [`Answer::Seated`]
    Sit {
        /// The seat's number, never used before.
        seat: SeatId,
        /// Through which protocol.
        door: Door,
        /// Which room.
        room: RoomRef,
        /// By which right, where the room is not public.
        access: Access,
        /// The name that this seat is bound to from the start; without one the caller's, if the
        /// caller is somebody; else that of its first event.
        claim: Option<Claim>,
        /// Whether the caller is present at once and has a seat through this door only once;
        /// else a seat is present from its first event on.
        enter: bool,
    },
}

/// How a room that is not public is entered or changed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Access {
    /// Without anything to show.
    Open,
    /// With a token for this room that was made for this generation of its password.
    Token {
        /// Compared with [`Lock::generation`].
        generation: u64,
    },
}

/// A name that was granted before, to somebody whom the core had found entitled to it (a token).
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// The name.
    pub name: Name,
    /// When it was granted, by [`Lock::granted`] or earlier. An account that was made later is
    /// another person's.
    pub granted: Time,
}

/// What a room is made of.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomFacts {
    /// Unique, whatever its case.
    pub title: Title,
    /// Maybe empty.
    pub description: Description,
    /// Who finds and enters it.
    pub visibility: Visibility,
    /// The Argon2id hash of its password, as a PHC string. There exactly if it is not public.
    pub password: Option<Box<str>>,
}

/// What is to be different in a room; what is `None` stays.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RoomChange {
    /// A new title.
    pub title: Option<Title>,
    /// A new description.
    pub description: Option<Description>,
    /// A new visibility; a room that becomes public loses its password.
    pub visibility: Option<Visibility>,
    /// The hash of a new password.
    pub password: Option<Box<str>>,
}

/// What a seated connection can say.
#[derive(Clone, PartialEq, Debug)]
pub enum Tell {
    /// I am here, under this name.
    Join {
        /// `None`: the name that the seat is bound to.
        name: Option<Name>,
        /// To be shown in.
        color: Option<Color>,
    },
    /// A message.
    Say {
        /// `None`: the name that the seat is bound to.
        name: Option<Name>,
        /// To be shown in.
        color: Option<Color>,
        /// Not empty, and short enough: the dialect has seen to it.
        text: Box<str>,
    },
    /// I am no longer here, though the connection stays.
    Part {
        /// `None`: the name that the seat is bound to.
        name: Option<Name>,
    },
    /// What was said could not be understood. It passes through the core all the same, so that the
    /// refusal comes in the order of the sends.
    Garbled(Refusal),
}

/// What lasts: the log's vocabulary. Nothing that lasts changes but by one of these.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// There is a new account.
    AccountMade {
        /// Its number.
        account: AccountId,
        /// As registered.
        name: Name,
        /// The SHA-256 of its key.
        key: KeyHash,
    },
    /// Somebody has logged in.
    SessionBegun {
        /// Its number.
        session: SessionId,
        /// Whose.
        account: AccountId,
        /// The SHA-256 of its key.
        key: KeyHash,
    },
    /// Somebody has logged out, or was away for too long.
    SessionEnded {
        /// Which.
        session: SessionId,
    },
    /// There is a new room.
    RoomMade {
        /// Its number.
        room: RoomId,
        /// Whose; `None`: nobody's.
        owner: Option<AccountId>,
        /// What it is made of.
        facts: RoomFacts,
    },
    /// A room is different.
    RoomChanged {
        /// Which.
        room: RoomId,
        /// All of it, as it is now.
        facts: RoomFacts,
        /// Counts its passwords.
        generation: u64,
    },
    /// A room is gone.
    RoomGone {
        /// Which.
        room: RoomId,
    },
    /// Somebody has said something.
    Said {
        /// Where.
        room: RoomId,
        /// Who.
        author: Author,
        /// To be shown in.
        color: Option<Color>,
        /// What.
        text: Box<str>,
    },
}

/// What the people in a room are told.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Where it happened.
    pub room: RoomId,
    /// When.
    pub time: Time,
    /// Who did it.
    pub author: Author,
    /// To be shown in.
    pub color: Option<Color>,
    /// What happened.
    pub what: What,
}

/// See [`Event`].
#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// Came in.
    Joined,
    /// Said this.
    Said {
        /// The number of the entry.
        seq: Seq,
        /// The message.
        text: Box<str>,
    },
    /// Went out.
    Left,
}

/// What comes of a command.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// To whoever asked.
    Answer {
        /// As it came with the ask.
        ask: AskId,
        /// What was asked for, or why not.
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
    /// From here on this seat hears the room.
    Seat {
        /// Which seat.
        seat: SeatId,
        /// Through which protocol.
        door: Door,
        /// Which room.
        room: RoomId,
    },
    /// From here on this seat hears nothing. With a farewell: its connection is to be closed.
    Unseat {
        /// Which seat.
        seat: SeatId,
        /// Through which protocol it had been taken.
        door: Door,
        /// Which room.
        room: RoomId,
        /// Why; `None` when the connection is gone already.
        farewell: Option<Farewell>,
    },
    /// To everybody who hears the room.
    Announce {
        /// What happened.
        event: Event,
        /// The seat through which it came, and its door: some protocols tell it otherwise there.
        by: Option<(SeatId, Door)>,
    },
    /// To one seat: what came of its tell.
    Reply {
        /// Which seat.
        seat: SeatId,
        /// Through which protocol it came.
        door: Door,
        /// `Ok` after a message: it is in the log.
        reply: Result<Receipt, Refusal>,
    },
    /// These sessions were used last at these times; may be written down when it is convenient.
    Touch {
        /// Which, and when.
        used: Vec<(SessionId, Time)>,
    },
}

/// What came of a tell that was not refused.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Receipt {
    /// The message is in the log, under this number.
    Said(Seq),
    /// The room was told.
    Noted,
}

/// Why a connection is closed by the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Farewell {
    /// The session was ended.
    SessionEnded,
    /// The room is gone.
    RoomGone,
    /// The room has a new password, or now has one.
    Locked,
    /// The server stops.
    Closing,
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
    /// The seat is bound to another name.
    OtherName,
    /// The seat is not bound to a name, and none was given.
    NameMissing,
    /// One who is not present cannot leave.
    NotPresent,
    /// This account has a seat through this door already.
    AlreadySeated,
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
    /// The message is too long for the protocol that it came by.
    MessageTooLong,
    /// It could not be understood; which field is at fault, where one is.
    Malformed(Field),
    /// There is no room for one more of those.
    Full,
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
    /// How it is shown.
    Color,
}

/// What was asked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// A session has begun.
    Session {
        /// Whose.
        name: Name,
    },
    /// Somebody.
    Person(Person),
    /// Who is present in a room.
    Present(Vec<Present>),
    /// Rooms, by number.
    Rooms(Vec<RoomInfo>),
    /// A room.
    Room(Box<RoomInfo>),
    /// What a password is checked against.
    Lock(Lock),
    /// The seat is taken; its connection will hear the room.
    Seated,
}

/// An account, as others may know it.
#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    /// As registered.
    pub name: Name,
    /// Whether it has a seat anywhere.
    pub online: bool,
    /// When it was registered.
    pub created: Time,
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
    /// Who is present, in the order of arriving.
    pub present: Vec<Present>,
}

/// What a room's password is checked against.
#[derive(Clone, PartialEq, Debug)]
pub struct Lock {
    /// The room's number.
    pub room: RoomId,
    /// The hash of its password, as a PHC string; `None`: it is public.
    pub password: Option<Box<str>>,
    /// Counts the room's passwords.
    pub generation: u64,
    /// When the name was found to be free, or the caller's: it becomes [`Claim::granted`]. (Not
    /// the time at which the password was checked: until then the name may be registered.)
    pub granted: Time,
}
