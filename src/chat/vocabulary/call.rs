//! The calls: a client's requests to the core. The core answers each exactly once, with the call's
//! own answer type or a [`Refusal`]; the table below pairs them.

use crate::chat::types::{
    AccountId, Name, ProtocolId, RoomId, RoomRef, Seq, SubscriptionId, Title,
};
use crate::chat::vocabulary::{
    Access, Acted, Action, Answer, BannedAddress, DeletedInfo, DirectRoom, Invitation,
    InvitationView, InvitationsScope, Member, MembershipMarks, NameClaim, OpenedStream, Page,
    Place, PolicyInfo, RoomChange, RoomInfo, RoomSettings, SessionInfo,
};
use crate::crypto::KeyHash;
use crate::time::Time;

pub use crate::chat::vocabulary::deeds::*;
pub use crate::chat::vocabulary::inviting::*;
pub use crate::chat::vocabulary::moderating::*;
pub use crate::chat::vocabulary::signing_in::*;

/// A call with its answer type.
pub trait Typed: Into<Call> {
    /// The successful answer.
    type Answer;

    /// Unpacks the answer; `None` if `answer` belongs to another call.
    fn answer(answer: Answer) -> Option<Self::Answer>;
}

macro_rules! calls {
    ($($call:ident => $answer:ident: $type:ty,)*) => {
        /// Any call.
        #[derive(Clone, PartialEq, Debug)]
        #[allow(missing_docs)] // The struct of the same name has the documentation.
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

// Call => variant of `Answer`: its content.
calls! {
    Register => Done: (),
    Login => Session: SessionInfo,
    BeGuest => Session: SessionInfo,
    Introduce => Done: (),
    Vouch => Session: SessionInfo,
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
    ChangeRole => Done: (),
    Setup => Done: (),
    Policy => Policy: PolicyInfo,
    ChangePolicy => Policy: PolicyInfo,
    Ban => Done: (),
    BanAddress => Done: (),
    Banned => Blocked: Page<super::Person, AccountId>,
    BannedAddresses => Addresses: Vec<BannedAddress>,
    Audit => Heard: Seq,
    Demolish => Done: (),
    Suppress => Acted: Acted,
    Invite => Invitation: Invitation,
    LookAtInvitation => InvitationView: InvitationView,
    AcceptInvitation => Room: Box<RoomInfo>,
    EndInvitation => Done: (),
    Invitations => Invitations: InvitationsScope,
    MakeRecovery => Done: (),
    Recover => Person: super::Person,
    ChangeModerator => Done: (),
    Mute => Done: (),
    BanFromRoom => Done: (),
    ChangeRules => Room: Box<RoomInfo>,
    Transfer => Room: Box<RoomInfo>,
    Moderation => Moderation: super::ModerationInfo,
    Muted => Muted: Vec<(Name, Time)>,
    Clear => Clearing: super::Clearing,
    Erase => Acted: Acted,
}

/// Returns the caller's account.
#[derive(Clone, PartialEq, Debug)]
pub struct Me;

/// Returns the public facts of an account.
#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    /// The account's name; case does not count.
    pub name: Box<str>,
}

/// Blocks or unblocks an account: see `chat/core/blocks.rs`. The caller's own account:
/// [`Refusal::Malformed`]; too many blocks: [`Refusal::QuotaReached`].
#[derive(Clone, PartialEq, Debug)]
pub struct Block {
    /// The account's name; case does not count.
    pub name: Box<str>,
    /// `true` blocks, `false` unblocks.
    pub on: bool,
}

/// Lists the accounts that the caller has blocked, by number: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Blocked {
    /// The page starts after this number.
    pub after: AccountId,
}

/// Lists the people present in a room, in the order of arrival: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Present {
    /// The room.
    pub room: RoomId,
    /// The page starts after this arrival; 0 is the beginning.
    pub after: u64,
}

/// Lists all rooms that are not hidden, by number: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Rooms {
    /// Also lists every room of which the caller is a member, hidden or not, but without
    /// [`Present`](super::Present).
    pub mine: bool,
    /// The page starts after this number.
    pub after: RoomId,
}

/// Lists how far the caller has read each of their rooms, by number: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Marks {
    /// The page starts after this number.
    pub after: RoomId,
}

/// Returns one room as the caller may see it. A hidden room is also found by its random number.
#[derive(Clone, PartialEq, Debug)]
pub struct Room {
    /// The room.
    pub room: RoomRef,
    /// The caller's proof of access if the room is not public.
    pub access: Access,
}

/// Checks that no room has this title, except perhaps `but`.
#[derive(Clone, PartialEq, Debug)]
pub struct Vacant {
    /// The title to check.
    pub title: Title,
    /// This room may have the title already.
    pub but: Option<RoomId>,
}

/// Returns one room, unless it is hidden from the caller.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// The room.
    pub room: RoomId,
}

/// Returns the first known session key of a list.
#[derive(Clone, PartialEq, Debug)]
pub struct KnownKey {
    /// The keys, in the order of the browser's cookies; a request's head bounds their number.
    pub keys: Box<[KeyHash]>,
}

/// Returns the last entry that the core has applied; others may read the log further.
#[derive(Clone, PartialEq, Debug)]
pub struct Heard;

/// Charges an attempt at a room's password, whether or not the room exists.
#[derive(Clone, PartialEq, Debug)]
pub struct Guess {
    /// The room.
    pub room: RoomRef,
}

/// Refunds that attempt: the password was right.
#[derive(Clone, PartialEq, Debug)]
pub struct Guessed {
    /// The room.
    pub room: RoomRef,
}

/// Checks that the disk has free space; else [`Refusal::NoSpace`].
#[derive(Clone, PartialEq, Debug)]
pub struct Space;

/// Charges a search, which is more expensive than other reads.
#[derive(Clone, PartialEq, Debug)]
pub struct Search;

/// Lists the rooms whose messages the caller may read, by number: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Readable {
    /// The page starts after this number.
    pub after: RoomId,
}

/// Returns the direct room of the caller and another account; creates it if it is missing.
#[derive(Clone, PartialEq, Debug)]
pub struct Direct {
    /// The other account's name.
    pub name: Box<str>,
    /// Random bits for the room's number.
    pub chance: u64,
}

/// Makes the caller a member of a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Enter {
    /// The room.
    pub room: RoomId,
    /// The caller's proof of access if the room is not public.
    pub access: Access,
}

/// Ends the caller's membership.
#[derive(Clone, PartialEq, Debug)]
pub struct Exit {
    /// The room.
    pub room: RoomId,
}

/// Expels an account from the caller's room: ends its membership and its subscriptions there.
#[derive(Clone, PartialEq, Debug)]
pub struct Expel {
    /// The room.
    pub room: RoomId,
    /// The account's name; case does not count.
    pub name: Box<str>,
}

/// Lists the members of a room and the people present in it: a page.
#[derive(Clone, PartialEq, Debug)]
pub struct Members {
    /// The room.
    pub room: RoomId,
    /// The page starts after this place.
    pub after: Place,
}

/// Sends a message or changes one; the caller must be a member.
#[derive(Clone, PartialEq, Debug)]
pub struct Act(pub Action);

/// Moves the caller's read marker in a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Read {
    /// The room.
    pub room: RoomId,
    /// The last message that the caller has read. The marker moves only forward.
    pub seq: Seq,
}

/// Opens a stream: subscribes to every room of the caller, now and later.
#[derive(Clone, PartialEq, Debug)]
pub struct OpenStream {
    /// The connection's subscription; its subscriptions in rooms are numbered from it on.
    pub subscription: SubscriptionId,
    /// The subscription's protocol.
    pub protocol: ProtocolId,
    /// `Some`: only these rooms.
    pub only: Option<Vec<RoomId>>,
}

/// Returns what to check a room's password against, for a caller who wants to enter as `name`.
#[derive(Clone, PartialEq, Debug)]
pub struct PasswordState {
    /// The room.
    pub room: RoomRef,
    /// The name in the room; refused if the caller cannot have it there.
    pub name: Option<Name>,
    /// The caller's proof of access; decides [`PasswordState::seen`](super::PasswordState::seen).
    pub access: Access,
}

/// Renews a token: checks that its holder still has the name, and returns the room's current
/// password state.
#[derive(Clone, PartialEq, Debug)]
pub struct Renew {
    /// The room.
    pub room: RoomRef,
    /// Refused if the name is another person's by now.
    pub claim: NameClaim,
    /// The existing token.
    pub access: Access,
}

/// Creates a room. The caller owns it if it is logged in.
#[derive(Clone, PartialEq, Debug)]
pub struct MakeRoom {
    /// The room's settings, with a password exactly if the room is not public.
    pub settings: RoomSettings,
    /// Random bits for the room's number, used if the room is hidden.
    pub chance: u64,
}

/// Checks that the caller may change or delete a room.
#[derive(Clone, PartialEq, Debug)]
pub struct MayChange {
    /// The room.
    pub room: RoomRef,
    /// The caller's proof of access if the room is not public.
    pub access: Access,
}

/// Changes a room's settings.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangeRoom {
    /// The room.
    pub room: RoomRef,
    /// The caller's proof of access if the room is not public.
    pub access: Access,
    /// The changes.
    pub change: RoomChange,
    /// Random bits for the number by which clients find the room once it is hidden.
    pub chance: u64,
}

/// Deletes a room and ends its subscriptions.
#[derive(Clone, PartialEq, Debug)]
pub struct RemoveRoom {
    /// The room.
    pub room: RoomRef,
    /// The caller's proof of access if the room is not public.
    pub access: Access,
}

/// Lists the caller's deleted rooms that can be restored.
#[derive(Clone, PartialEq, Debug)]
pub struct Deleted;

/// Restores a deleted room.
#[derive(Clone, PartialEq, Debug)]
pub struct RestoreRoom {
    /// The public number that the room had.
    pub room: RoomId,
    /// A new title for the room; `None` keeps the old one.
    pub title: Option<Title>,
}

/// Subscribes a connection to a room.
#[derive(Clone, PartialEq, Debug)]
pub struct Subscribe {
    /// The new subscription's number, never used before.
    pub subscription: SubscriptionId,
    /// The subscription's protocol.
    pub protocol: ProtocolId,
    /// The room.
    pub room: RoomRef,
    /// The caller's proof of access if the room is not public.
    pub access: Access,
    /// The name to which the subscription is bound from the start. `None`: the caller's own name,
    /// if it is logged in; else the name of its first event.
    pub claim: Option<NameClaim>,
    /// `true`: the caller is present at once and has only one subscription through this protocol.
    /// `false`: the subscription is present from its first event on.
    pub enter: bool,
}
