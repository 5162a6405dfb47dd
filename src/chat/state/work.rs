//! What is too long for one command: what is left of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::state::room::{Membership, Room};
use crate::chat::state::subscription::Subscription;
use crate::chat::state::waits::Awaited;
use crate::chat::types::{AccountId, CallId, Folded, RoomId, Seq, SessionId, SubscriptionId};
use crate::chat::vocabulary::{CloseReason, MembershipMarks};

/// What goes on.
pub enum Work {
    /// These subscriptions end, streams' own ones with all they have; then this happens.
    Unsubscribe {
        subscriptions: BTreeSet<SubscriptionId>,
        /// `None`: their connections are gone already, or go on.
        reason: Option<CloseReason>,
        then: Then,
    },
    /// A room that is gone loses its subscriptions, and those who belonged to it, behind that one,
    /// lose the room.
    Empty { room: Box<Room>, after: AccountId },
    /// A guest is gone for good, and some of its rooms for two are left: they end, then the rest.
    EndAccount { account: AccountId, seq: Seq },
    /// Those who belong to a room that is back, behind that one, are told so.
    Return { room: RoomId, seq: Seq, after: AccountId },
    /// A room has closed, and who came in by what does not open it any more is out.
    CloseRoom(Box<ClosingRoom>),
    /// A stream takes its subscriptions in the rooms behind that one; then it is answered.
    OpenStream(OpeningStream),
    /// What is free again is asked for again by those who waited for it.
    Wake(Awaited),
    /// Sessions and guests whose time has come are looked at; guests behind that one.
    Sweep { after: AccountId },
    /// Rooms that guests have left behind are looked at: see `orphans`.
    Tend { after: Option<RoomId> },
    /// What has its turn in the line behind the log is told.
    MoveUp,
    /// Everything ends.
    Close,
}

impl Work {
    /// Whether it is what an entry does, and so comes before what the next one does.
    pub fn is_of_an_entry(&self) -> bool {
        matches!(
            self,
            Work::Empty { .. } | Work::EndAccount { .. } | Work::Return { .. } | Work::CloseRoom(_)
        )
    }
}

/// A stream that takes its subscriptions.
pub struct OpeningStream {
    pub call: CallId,
    pub base: SubscriptionId,
    pub session: Option<SessionId>,
    /// The last room in which it was to take one.
    pub after: RoomId,
    /// Those in which it has one.
    pub rooms: Vec<MembershipMarks>,
}

/// What happens when the last of some subscriptions has ended.
pub enum Then {
    /// Nothing more.
    Nothing,
    /// The name under which they were is free again.
    Free(Folded),
    /// The stream whose they were is not heard of any more; with a reason: its connection is to
    /// be closed, behind the replies that it still waits for.
    CloseStream(SubscriptionId, Option<CloseReason>),
}

/// A room that closes: what is left to do.
pub struct ClosingRoom {
    pub room: RoomId,
    pub seq: Seq,
    pub owner: Option<AccountId>,
    /// Who belonged to it, and does no more.
    pub members: BTreeMap<AccountId, Membership>,
    /// Whether the others have been told what it is now.
    pub told: bool,
    /// Who sat there.
    pub subscriptions: BTreeSet<SubscriptionId>,
}

impl ClosingRoom {
    /// The owner stays; so do streams, which are there because their accounts are members.
    pub fn stays(&self, one: &Subscription) -> bool {
        one.is_streams() || (self.owner.is_some() && one.account() == self.owner)
    }
}
