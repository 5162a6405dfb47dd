//! What moves the core: asks, tells, and what comes back from the log.

use crate::chat::source::Source;
use crate::chat::types::{
    AccountId, AskId, Color, Description, Door, Name, RoomId, RoomRef, SeatId, Seq, SessionId,
    Ticket, Title, Visibility,
};
use crate::chat::vocabulary::*;
use crate::crypto::KeyHash;
use crate::time::Time;

/// What moves the core.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Something is asked; exactly one [`Effect::Answer`] comes of it, now or after the log.
    Ask {
        /// Returned with the answer.
        ask: AskId,
        /// From where.
        source: Source,
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
    /// A message that was proposed is in the log already: its author has used its client id before.
    Repeated {
        /// The proposal that this answers.
        ticket: Ticket,
        /// What was proposed.
        entry: Entry,
        /// The number of the message that has the id.
        seq: Seq,
        /// When that was said.
        time: Time,
        /// Whether it was the same message; else the id was used for another.
        same: bool,
    },
    /// The log did not take a proposed entry; it will never be in the log.
    Unlogged {
        /// The proposal that this answers.
        ticket: Ticket,
        /// What was proposed.
        entry: Entry,
        /// Why: [`Refusal::Unavailable`], or what is wrong with its target.
        refusal: Refusal,
    },
    /// How much room the disk has now.
    Space(Space),
    /// Time has passed; look for what has expired.
    Tick,
    /// What was too long for one command goes on. Wanted while the core is busy:
    /// [`Chat::is_busy`](crate::chat::Chat::is_busy).
    Continue,
    /// The server stops: everybody is unseated, and nothing new begins.
    Close,
}

/// How much room the disk has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Space {
    /// Less than is to be kept free: what takes room is refused.
    Least,
    /// Not much more than that: it is refused to guests, and to whoever has no account.
    Little,
    /// Enough for everybody.
    Enough,
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
    /// Who shows an account's key, without a session. Unknown: [`Refusal::UnknownKey`].
    Key(KeyHash),
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
        /// Whether it lasts for a month without use instead of an hour.
        remember: bool,
        /// What the client calls itself.
        agent: Box<str>,
    },
    /// Makes an account without a key, which ends with its last session. → [`Answer::Session`]
    BeGuest {
        /// Not yet checked.
        name: Box<str>,
        /// To be shown in.
        color: Option<Color>,
        /// The SHA-256 of the new session's key.
        session: KeyHash,
        /// Whether it lasts for a month without use instead of an hour.
        remember: bool,
        /// What the client calls itself.
        agent: Box<str>,
    },
    /// The caller's sessions. → [`Answer::Sessions`]
    Sessions,
    /// Ends one of the caller's sessions, and unseats who sits by it. → [`Answer::Done`]
    EndSession {
        /// Which.
        session: SessionId,
    },
    /// Ends the caller's session, if there is one, and unseats who sits by it. → [`Answer::Done`]
    Logout,
    /// The caller, a guest, has another session from now on and will not use this one again: it
    /// ends, and the name is free with the answer. An account's session stays. → [`Answer::Done`]
    GiveUp,
    /// Gives the caller's account another key, and ends its sessions but the caller's own. A guest
    /// has no key: [`Refusal::Forbidden`]. → [`Answer::Done`]
    ChangeKey {
        /// The SHA-256 of the new key.
        key: KeyHash,
    },
    /// Who the caller is. → [`Answer::Person`]
    Me,
    /// What is known of an account. → [`Answer::Person`]
    Person {
        /// Case does not count.
        name: Box<str>,
    },
    /// The caller blocks somebody, or does so no more: see `chat/blocks.rs`. Oneself:
    /// [`Refusal::Malformed`]; too many: [`Refusal::Full`]. → [`Answer::Done`]
    Block {
        /// Whom. Case does not count.
        name: Box<str>,
        /// Blocked, or no more.
        on: bool,
    },
    /// Whom the caller has blocked, by number: a page. → [`Answer::Blocked`]
    Blocked {
        /// Only those with a higher number.
        after: AccountId,
    },
    /// Who is present in a room, in the order of arriving: a page. → [`Answer::Present`]
    Present {
        /// Which room.
        room: RoomId,
        /// Only who arrived after that; 0 is before everybody.
        after: u64,
    },
    /// All rooms that are not hidden, by number: a page. → [`Answer::Rooms`]
    Rooms {
        /// And those that the caller is a member of, whatever they are; but no [`Present`].
        mine: bool,
        /// Only those with a higher number.
        after: RoomId,
    },
    /// How far the caller has read their rooms, by number: a page. → [`Answer::Marks`]
    Marks {
        /// Only those with a higher number.
        after: RoomId,
    },
    /// One room, as far as the caller may see it; a hidden one also where its drawn number is
    /// named. → [`Answer::Room`]
    Room {
        /// Which room.
        room: RoomRef,
        /// By which right, where the room is not public.
        access: Access,
    },
    /// Whether a title is free, or is that of one room. → [`Answer::Done`]
    Vacant {
        /// The title.
        title: Title,
        /// The room that may have it.
        but: Option<RoomId>,
    },
    /// One room, unless it is hidden from the caller. → [`Answer::Room`]
    View {
        /// Which room.
        room: RoomId,
    },
    /// Which of these session keys is known: the first that is, counts. → [`Answer::KnownKey`]
    KnownKey {
        /// A few, in the order in which a browser has sent them.
        keys: Box<[KeyHash]>,
    },
    /// How far the core has heard the log, which others may read further. → [`Answer::Heard`]
    Heard,
    /// To try a password of a room, whether or not there is such a room. → [`Answer::Done`]
    Guess {
        /// Which room.
        room: RoomRef,
    },
    /// The password that was tried is right: the try does not count. → [`Answer::Done`]
    Guessed {
        /// Which room.
        room: RoomRef,
    },
    /// Whether the disk has room; else [`Refusal::NoSpace`]. → [`Answer::Done`]
    Space,
    /// To search, which costs more than other reading. → [`Answer::Done`]
    Search,
    /// The rooms whose messages the caller may read, by number: a page. → [`Answer::Readable`]
    Readable {
        /// Only those with a higher number.
        after: RoomId,
    },
    /// The room of the caller and somebody else, made if there is none. → [`Answer::Direct`]
    Direct {
        /// The other.
        name: Box<str>,
        /// Random bits, for its number.
        chance: u64,
    },
    /// The caller becomes a member of a room. → [`Answer::Room`]
    Enter {
        /// Which room.
        room: RoomId,
        /// By which right, where the room is not public.
        access: Access,
    },
    /// The caller is no member any more. → [`Answer::Done`]
    Exit {
        /// Which room.
        room: RoomId,
    },
    /// Somebody is put out of the caller's room: their membership ends, and their seats there.
    /// → [`Answer::Done`]
    Expel {
        /// Which room.
        room: RoomId,
        /// Whom. Case does not count.
        name: Box<str>,
    },
    /// Who belongs to a room, and who is present in it: a page. → [`Answer::Members`]
    Members {
        /// Which room.
        room: RoomId,
        /// Only who stands behind that place.
        after: Place,
    },
    /// The caller, a member, says or changes something. → [`Answer::Acted`]
    Act(Action),
    /// The caller has read a room so far. → [`Answer::Read`]
    Read {
        /// Which room.
        room: RoomId,
        /// The last message that was read. Only forward counts.
        seq: Seq,
    },
    /// Hears every room that the caller is a member of, now and later. → [`Answer::Following`]
    Follow {
        /// The connection's seat; those in the rooms are numbered from it on.
        seat: SeatId,
        /// Through which protocol.
        door: Door,
        /// Only these, where some are named.
        only: Option<Vec<RoomId>>,
    },
    /// What a room's password is checked against, for somebody who wants to enter it as `name`.
    /// → [`Answer::Lock`]
    Lock {
        /// Which room.
        room: RoomRef,
        /// As whom; refused when that name cannot be had there.
        name: Option<Name>,
        /// By which right the caller sees the room: see [`Lock::seen`].
        access: Access,
    },
    /// Whether a name that was granted before is still its holder's, and what the room's password
    /// is now. → [`Answer::Lock`]
    Renew {
        /// Which room.
        room: RoomRef,
        /// Refused when the name is another person's by now.
        claim: Claim,
        /// The token that is renewed.
        access: Access,
    },
    /// Makes a room, the caller's if the caller is somebody. → [`Answer::Room`]
    MakeRoom {
        /// Its facts; the password is there exactly if it is not public.
        facts: RoomFacts,
        /// Random bits, for its number, should it be hidden.
        chance: u64,
    },
    /// Whether the caller may change a room, or end it. → [`Answer::Lock`]
    MayChange {
        /// Which room.
        room: RoomRef,
        /// By which right, where the room is not public.
        access: Access,
    },
    /// Changes a room. → [`Answer::Room`]
    ChangeRoom {
        /// Which room.
        room: RoomRef,
        /// By which right, where the room is not public.
        access: Access,
        /// What is to be different.
        change: RoomChange,
        /// Random bits, for the number by which it is found once it is hidden.
        chance: u64,
    },
    /// Ends a room, and unseats who sits there. → [`Answer::Done`]
    RemoveRoom {
        /// Which room.
        room: RoomRef,
        /// By which right, where the room is not public.
        access: Access,
    },
    /// The rooms that were the caller's, were deleted, and can be brought back.
    /// → [`Answer::Deleted`]
    Deleted,
    /// Brings one of those back. → [`Answer::Room`]
    RestoreRoom {
        /// Which, by the number by which it was known outside.
        room: RoomId,
        /// Another title for it.
        title: Option<Title>,
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

/// A place in the list of those who are in a room or belong to it: those who are present come
/// first, in the order of arriving, then all others, by account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// Behind everybody who is present and arrived up to then; 0 is the beginning.
    Present(u64),
    /// Behind everybody who is present, and all others up to that account.
    Away {
        /// Who arrived later stood not yet among those who were present.
        present: u64,
        /// The last account that was listed; 0 before the first.
        account: AccountId,
    },
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
    /// Whether those stay who belong to the room, although it closes or has a new password.
    pub keep_members: bool,
}
