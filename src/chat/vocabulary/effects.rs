//! What comes of a command: what is told, answered, proposed or refused.

use crate::chat::types::{
    AskId, Author, Color, Description, Door, Name, RoomId, SeatId, Seq, SessionId, Ticket, Title,
    Visibility,
};
use crate::chat::vocabulary::Entry;
use crate::time::Time;

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
