//! What moves the core: calls, tells, and what comes back from the log.

use crate::chat::source::Source;
use crate::chat::types::{
    AccountId, CallId, Description, Seq, SubscriptionId, Ticket, Title, Visibility,
};
use crate::chat::vocabulary::*;
use crate::crypto::KeyHash;
use crate::time::Time;

/// What moves the core.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// A client calls; exactly one [`Effect::Answer`] comes of it, now or after the log.
    Call {
        /// Returned with the answer.
        id: CallId,
        /// From where.
        source: Source,
        /// Who calls.
        caller: Caller,
        /// The call.
        call: Call,
    },
    /// A subscribed connection says something; exactly one [`Effect::Reply`] comes of it, in the
    /// order of the tells of that subscription.
    ClientEvent {
        /// Who says it.
        subscription: SubscriptionId,
        /// What is said.
        event: ClientEvent,
    },
    /// The connection of a subscription is gone, however it went. Comes once for each subscription
    /// that was given.
    Leave {
        /// Whose connection.
        subscription: SubscriptionId,
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
    /// The server stops: everybody is unsubscribed, and nothing new begins.
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
