//! Work that is too long for one command: the part that is left.

use std::collections::BTreeSet;

use crate::chat::small::SmallMap;
use crate::chat::state::room::{Membership, Room};
use crate::chat::state::subscription::Subscription;
use crate::chat::state::waits::Awaited;
use crate::chat::types::{AccountId, CallId, Folded, RoomId, Seq, SessionId, SubscriptionId};
use crate::chat::vocabulary::{CloseReason, MembershipMarks};

/// Unfinished work.
pub enum Work {
    /// Ends these subscriptions and streams; then does `then`.
    Unsubscribe {
        subscriptions: BTreeSet<SubscriptionId>,
        /// `None`: the connections are gone already, or continue.
        reason: Option<CloseReason>,
        then: Then,
    },
    /// A deleted room: ends its subscriptions, then the memberships after that account.
    Empty { room: Box<Room>, after: AccountId },
    /// A guest is gone for good: ends its remaining rooms for two, then the account.
    EndAccount { account: AccountId, seq: Seq },
    /// A restored room: tells the members after that account.
    Return { room: RoomId, seq: Seq, after: AccountId },
    /// A room has closed: ends what its old password or visibility allowed.
    CloseRoom(Box<ClosingRoom>),
    /// A stream: subscribes to the rooms after that one; then answers.
    OpenStream(OpeningStream),
    /// Resumes the calls that waited for a change.
    Wake(Awaited),
    /// Checks the sessions and guests that are due; guests after that one.
    Sweep { after: AccountId },
    /// Checks orphans: see `orphans`.
    CheckOrphans { after: Option<RoomId> },
    /// Issues the effects that are due in the queue behind the log.
    MoveUp,
    /// Some may stay no longer, guests or an address: ends their connections after that one.
    PutOut { after: SubscriptionId },
    /// Ends everything at shutdown.
    Close,
}

impl Work {
    /// Whether it belongs to an entry, and so must end before the next entry is applied.
    pub fn is_of_an_entry(&self) -> bool {
        match self {
            Work::Empty { .. }
            | Work::EndAccount { .. }
            | Work::Return { .. }
            | Work::CloseRoom(_)
            | Work::PutOut { .. } => true,
            Work::Unsubscribe { reason, .. } => reason.is_some_and(CloseReason::cuts),
            _ => false,
        }
    }
}

/// A stream that is subscribing to its rooms.
pub struct OpeningStream {
    pub call: CallId,
    pub base: SubscriptionId,
    pub session: Option<SessionId>,
    /// The last room that it has handled.
    pub after: RoomId,
    /// The rooms to which it has subscribed.
    pub rooms: Vec<MembershipMarks>,
}

/// The work after the last of some subscriptions has ended.
pub enum Then {
    /// Nothing.
    Nothing,
    /// Frees the name of the subscriptions.
    Free(Folded),
    /// Ends the stream of the subscriptions; with a reason, closes its connection behind the
    /// replies for which it still waits.
    CloseStream(SubscriptionId, Option<CloseReason>),
}

/// A room that closes: the work that is left.
pub struct ClosingRoom {
    pub room: RoomId,
    pub seq: Seq,
    pub owner: Option<AccountId>,
    /// The members that it had.
    pub members: SmallMap<AccountId, Membership>,
    /// Whether the room has heard of its new settings.
    pub told: bool,
    /// The subscriptions that it had.
    pub subscriptions: BTreeSet<SubscriptionId>,
}

impl ClosingRoom {
    /// The owner stays, and so do streams, whose accounts are members.
    pub fn stays(&self, subscribed: &Subscription) -> bool {
        subscribed.is_streams() || (self.owner.is_some() && subscribed.account() == self.owner)
    }
}
