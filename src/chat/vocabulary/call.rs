//! The calls: what a client can ask of the core. Each is answered exactly once, with an answer of
//! its own type or a [`Refusal`]; the table below says which.

use crate::chat::types::{
    AccountId, Color, Name, ProtocolId, RoomId, RoomRef, Seq, SessionId, SubscriptionId, Title,
};
use crate::chat::vocabulary::{
    Access, Acted, Action, Answer, DeletedInfo, DirectRoom, Member, MembershipMarks, NameClaim,
    OpenedStream, Page, Place, RoomChange, RoomInfo, RoomSettings, SessionInfo,
};
use crate::crypto::KeyHash;

/// A call that knows its answer.
pub trait Typed: Into<Call> {
    /// What it is answered with.
    type Answer;

    /// Takes that out of an answer; `None` if it is the answer to another call.
    fn answer(answer: Answer) -> Option<Self::Answer>;
}

macro_rules! calls {
    ($($call:ident => $answer:ident: $type:ty,)*) => {
        /// Any call.
        #[derive(Clone, PartialEq, Debug)]
        #[allow(missing_docs)] // Each is documented as the type of its name.
        pub enum Call {
            $($call($call),)*
        }

        $(
            impl From<$call> for Call {
                fn from(call: $call) -> Call {
                    Call::$call(call)
                }
            }

            impl Typed for $call {
                type Answer = $type;

                fn answer(answer: Answer) -> Option<$type> {
                    match answer {
                        Answer::$answer(answer) => Some(answer),
                        _ => None,
                    }
                }
            }
        )*
    };
}

impl Typed for Call {
    type Answer = Answer;

    fn answer(answer: Answer) -> Option<Answer> {
        Some(answer)
    }
}

// Call => variant of `Answer`: what is in it.
calls! {
    Register => Done: (),
    Login => Session: SessionInfo,
    BeGuest => Session: SessionInfo,
    Sessions => Sessions: Vec<SessionInfo>,
    EndSession => Done: (),
    Logout => Done: (),
    GiveUp => Done: (),
    ChangeKey => Done: (),
    Me => Person: super::Person,
    Person => Person: super::Person,
    Block => Done: (),
    Blocked => Blocked: Page<super::Person, AccountId>,
    Present => Present: Page<super::Present, u64>,
    Rooms => Rooms: Page<RoomInfo, RoomId>,
    Marks => Marks: Page<MembershipMarks, RoomId>,
    Room => Room: Box<RoomInfo>,
    Vacant => Done: (),
    View => Room: Box<RoomInfo>,
    KnownKey => KnownKey: Option<KeyHash>,
    Heard => Heard: Seq,
    Guess => Done: (),
    Guessed => Done: (),
    Space => Done: (),
    Search => Done: (),
    Readable => Readable: Page<(RoomId, Seq), RoomId>,
    Direct => Direct: DirectRoom,
    Enter => Room: Box<RoomInfo>,
    Exit => Done: (),
    Expel => Done: (),
    Members => Members: Page<Member, Place>,
    Act => Acted: Acted,
    Read => Read: Seq,
    OpenStream => OpenedStream: OpenedStream,
    PasswordState => PasswordState: super::PasswordState,
    Renew => PasswordState: super::PasswordState,
    MakeRoom => Room: Box<RoomInfo>,
    MayChange => PasswordState: super::PasswordState,
    ChangeRoom => Room: Box<RoomInfo>,
    RemoveRoom => Done: (),
    Deleted => Deleted: Vec<DeletedInfo>,
    RestoreRoom => Room: Box<RoomInfo>,
    Subscribe => Done: (),
}

/// Makes an account.
#[derive(Clone, PartialEq, Debug)]
pub struct Register {
    /// Not yet checked.
    pub name: Box<str>,
    /// The SHA-256 of its new key.
    pub key: KeyHash,
}

/// Begins a session of the account with that key.
#[derive(Clone, PartialEq, Debug)]
pub struct Login {
    /// The SHA-256 of the account's key.
    pub key: KeyHash,
    /// The SHA-256 of the new session's key.
    pub session: KeyHash,
    /// Whether it lasts for a month without use instead of an hour.
    pub remember: bool,
    /// What the client calls itself.
    pub agent: Box<str>,
}

/// Makes an account without a key, which ends with its last session.
#[derive(Clone, PartialEq, Debug)]
pub struct BeGuest {
    /// Not yet checked.
    pub name: Box<str>,
    /// To be shown in.
    pub color: Option<Color>,
    /// The SHA-256 of the new session's key.
    pub session: KeyHash,
    /// Whether it lasts for a month without use instead of an hour.
    pub remember: bool,
    /// What the client calls itself.
    pub agent: Box<str>,
}

/// The caller's sessions.
#[derive(Clone, PartialEq, Debug)]
pub struct Sessions;

/// Ends one of the caller's sessions, and unsubscribes who sits by it.
#[derive(Clone, PartialEq, Debug)]
pub struct EndSession {
    /// Which.
    pub session: SessionId,
}

/// Ends the caller's session, if there is one, and unsubscribes who sits by it.
#[derive(Clone, PartialEq, Debug)]
pub struct Logout;

/// The caller, a guest, has another session from now on and will not use this one again: it ends,
/// and the name is free with the answer. An account's session stays.
#[derive(Clone, PartialEq, Debug)]
pub struct GiveUp;

/// Gives the caller's account another key, and ends its sessions but the caller's own. A guest has
/// no key: [`Refusal::Forbidden`].
#[derive(Clone, PartialEq, Debug)]
pub struct ChangeKey {
    /// The SHA-256 of the new key.
    pub key: KeyHash,
}

/// Who the caller is.
#[derive(Clone, PartialEq, Debug)]
pub struct Me;

/// What is known of an account.
#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    /// Case does not count.
    pub name: Box<str>,
}

/// The caller blocks somebody, or does so no more: see `chat/blocks.rs`. Oneself:
/// [`Refusal::Malformed`]; too many: [`Refusal::QuotaReached`].
#[derive(Clone, PartialEq, Debug)]
pub struct Block {
    /// Whom. Case does not count.
    pub name: Box<str>,
    /// Blocked, or no more.
    pub on: bool,
}

/// Whom the caller has blocked, by number: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Blocked {
    /// Only those with a higher number.
    pub after: AccountId,
}

/// Who is present in a room, in the order of arriving: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Present {
    /// Which room.
    pub room: RoomId,
    /// Only who arrived after that; 0 is before everybody.
    pub after: u64,
}

/// All rooms that are not hidden, by number: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Rooms {
    /// And those that the caller is a member of, whatever they are; but no
    /// [`Present`](super::Present).
    pub mine: bool,
    /// Only those with a higher number.
    pub after: RoomId,
}

/// How far the caller has read their rooms, by number: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Marks {
    /// Only those with a higher number.
    pub after: RoomId,
}

/// One room, as far as the caller may see it; a hidden one also where its drawn number is named.
#[derive(Clone, PartialEq, Debug)]
pub struct Room {
    /// Which room.
    pub room: RoomRef,
    /// By which right, where the room is not public.
    pub access: Access,
}

/// Whether a title is free, or is that of one room.
#[derive(Clone, PartialEq, Debug)]
pub struct Vacant {
    /// The title.
    pub title: Title,
    /// The room that may have it.
    pub but: Option<RoomId>,
}

/// One room, unless it is hidden from the caller.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// Which room.
    pub room: RoomId,
}

/// Which of these session keys is known: the first that is, counts.
#[derive(Clone, PartialEq, Debug)]
pub struct KnownKey {
    /// A few, in the order in which a browser has sent them.
    pub keys: Box<[KeyHash]>,
}

/// How far the core has heard the log, which others may read further.
#[derive(Clone, PartialEq, Debug)]
pub struct Heard;

/// To try a password of a room, whether or not there is such a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Guess {
    /// Which room.
    pub room: RoomRef,
}

/// The password that was tried is right: the try does not count.
#[derive(Clone, PartialEq, Debug)]
pub struct Guessed {
    /// Which room.
    pub room: RoomRef,
}

/// Whether the disk has room; else [`Refusal::NoSpace`].
#[derive(Clone, PartialEq, Debug)]
pub struct Space;

/// To search, which costs more than other reading.
#[derive(Clone, PartialEq, Debug)]
pub struct Search;

/// The rooms whose messages the caller may read, by number: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Readable {
    /// Only those with a higher number.
    pub after: RoomId,
}

/// The room of the caller and somebody else, made if there is none.
#[derive(Clone, PartialEq, Debug)]
pub struct Direct {
    /// The other.
    pub name: Box<str>,
    /// Random bits, for its number.
    pub chance: u64,
}

/// The caller becomes a member of a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Enter {
    /// Which room.
    pub room: RoomId,
    /// By which right, where the room is not public.
    pub access: Access,
}

/// The caller is no member any more.
#[derive(Clone, PartialEq, Debug)]
pub struct Exit {
    /// Which room.
    pub room: RoomId,
}

/// Somebody is put out of the caller's room: their membership ends, and their subscriptions there.
#[derive(Clone, PartialEq, Debug)]
pub struct Expel {
    /// Which room.
    pub room: RoomId,
    /// Whom. Case does not count.
    pub name: Box<str>,
}

/// Who belongs to a room, and who is present in it: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Members {
    /// Which room.
    pub room: RoomId,
    /// Only who stands behind that place.
    pub after: Place,
}

/// The caller, a member, says or changes something.
#[derive(Clone, PartialEq, Debug)]
pub struct Act(pub Action);

/// The caller has read a room so far.
#[derive(Clone, PartialEq, Debug)]
pub struct Read {
    /// Which room.
    pub room: RoomId,
    /// The last message that was read. Only forward counts.
    pub seq: Seq,
}

/// Hears every room that the caller is a member of, now and later.
#[derive(Clone, PartialEq, Debug)]
pub struct OpenStream {
    /// The connection's subscription; those in the rooms are numbered from it on.
    pub subscription: SubscriptionId,
    /// Through which protocol.
    pub protocol: ProtocolId,
    /// Only these, where some are named.
    pub only: Option<Vec<RoomId>>,
}

/// What a room's password is checked against, for somebody who wants to enter it as `name`.
#[derive(Clone, PartialEq, Debug)]
pub struct PasswordState {
    /// Which room.
    pub room: RoomRef,
    /// As whom; refused when that name cannot be had there.
    pub name: Option<Name>,
    /// By which right the caller sees the room: see
    /// [`PasswordState::seen`](super::PasswordState::seen).
    pub access: Access,
}

/// Whether a name that was granted before is still its holder's, and what the room's password is
/// now.
#[derive(Clone, PartialEq, Debug)]
pub struct Renew {
    /// Which room.
    pub room: RoomRef,
    /// Refused when the name is another person's by now.
    pub claim: NameClaim,
    /// The token that is renewed.
    pub access: Access,
}

/// Makes a room, the caller's if the caller is somebody.
#[derive(Clone, PartialEq, Debug)]
pub struct MakeRoom {
    /// Its settings; the password is there exactly if it is not public.
    pub settings: RoomSettings,
    /// Random bits, for its number, should it be hidden.
    pub chance: u64,
}

/// Whether the caller may change a room, or end it.
#[derive(Clone, PartialEq, Debug)]
pub struct MayChange {
    /// Which room.
    pub room: RoomRef,
    /// By which right, where the room is not public.
    pub access: Access,
}

/// Changes a room.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangeRoom {
    /// Which room.
    pub room: RoomRef,
    /// By which right, where the room is not public.
    pub access: Access,
    /// What is to be different.
    pub change: RoomChange,
    /// Random bits, for the number by which it is found once it is hidden.
    pub chance: u64,
}

/// Ends a room, and unsubscribes who sits there.
#[derive(Clone, PartialEq, Debug)]
pub struct RemoveRoom {
    /// Which room.
    pub room: RoomRef,
    /// By which right, where the room is not public.
    pub access: Access,
}

/// The rooms that were the caller's, were deleted, and can be brought back.
#[derive(Clone, PartialEq, Debug)]
pub struct Deleted;

/// Brings one of those back.
#[derive(Clone, PartialEq, Debug)]
pub struct RestoreRoom {
    /// Which, by the number by which it was known outside.
    pub room: RoomId,
    /// Another title for it.
    pub title: Option<Title>,
}

/// Takes a subscription in a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Subscribe {
    /// The subscription's number, never used before.
    pub subscription: SubscriptionId,
    /// Through which protocol.
    pub protocol: ProtocolId,
    /// Which room.
    pub room: RoomRef,
    /// By which right, where the room is not public.
    pub access: Access,
    /// The name that this subscription is bound to from the start; without one the caller's, if the
    /// caller is somebody; else that of its first event.
    pub claim: Option<NameClaim>,
    /// Whether the caller is present at once and has a subscription through this protocol only
    /// once; else a subscription is present from its first event on.
    pub enter: bool,
}
