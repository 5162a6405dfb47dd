//! The core's input: calls, client events, and the log's replies.

use crate::chat::source::Source;
use crate::chat::types::{
    AccountId, CallId, Description, Seq, SubscriptionId, Ticket, Title, Visibility,
};
use crate::chat::vocabulary::*;
use crate::crypto::KeyHash;
use crate::time::Time;

/// One input of the core.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// A client calls; the core answers with exactly one [`Effect::Answer`], at once or after the
    /// log.
    Call {
        /// The answer repeats it.
        id: CallId,
        /// The address of the client.
        source: Source,
        /// The caller's proof of identity.
        caller: Caller,
        /// The call.
        call: Call,
    },
    /// A subscribed connection sends an event; the core answers each with exactly one
    /// [`Effect::Reply`], in the order of that subscription's events.
    ClientEvent {
        /// The sender.
        subscription: SubscriptionId,
        /// The content.
        event: ClientEvent,
    },
    /// The connection of a subscription is gone, for any reason. Comes once for each subscription
    /// that the core has granted.
    Leave {
        /// The connection's subscription.
        subscription: SubscriptionId,
    },
    /// An entry is in the log, on disk, under its number. Entries come in log order.
    Logged {
        /// The proposal's ticket; `None` if this core did not propose the entry.
        ticket: Option<Ticket>,
        /// The entry's number.
        seq: Seq,
        /// The time of the proposal.
        time: Time,
        /// The entry.
        entry: Entry,
    },
    /// The log already has a message of this author with this client id.
    Repeated {
        /// The proposal's ticket.
        ticket: Ticket,
        /// The proposed entry.
        entry: Entry,
        /// The number of the existing message.
        seq: Seq,
        /// The time of the existing message.
        time: Time,
        /// Whether both messages are equal; else the id belongs to another message.
        same: bool,
    },
    /// The log has refused an entry and will never have it.
    Unlogged {
        /// The proposal's ticket.
        ticket: Ticket,
        /// The proposed entry.
        entry: Entry,
        /// Why: [`Refusal::Unavailable`], or what is wrong with the entry's target.
        refusal: Refusal,
    },
    /// The disk's free space has changed.
    Space(Space),
    /// Time has passed; the core looks for expired items.
    Tick,
    /// Continues work that was too long for one command. Needed while
    /// [`Chat::is_busy`](crate::chat::Chat::is_busy).
    Continue,
    /// The server shuts down: the core ends every subscription and refuses new proposals.
    Close,
}

/// How much free space the disk has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Space {
    /// Less than the reserve: the core refuses whatever needs disk space.
    Least,
    /// Little more than the reserve: the core refuses guests and clients without an account.
    Little,
    /// Enough for everybody.
    Enough,
}

/// The caller's proof of identity. Only hashes of keys get here.
#[derive(Clone, PartialEq, Debug)]
pub enum Caller {
    /// An anonymous client.
    Nobody,
    /// The holder of a session key. Unknown or expired: [`Refusal::Unauthenticated`].
    Session(KeyHash),
    /// The holder of a session key; with an unknown or expired key, an anonymous client.
    Perhaps(KeyHash),
    /// The holder of an account's key, without a session. Unknown: [`Refusal::UnknownKey`].
    Key(KeyHash),
    /// The operator at the shell, who may do what the owner of the server may. No client is this.
    Operator,
}

/// A cursor in a room's list of people: first the people present, in the order of arrival, then the
/// other members, by account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// After this arrival; 0 is the beginning.
    Present(u64),
    /// After the people present, and after this account.
    Away {
        /// Up to this arrival the list has shown the people present; a later arrival was not among
        /// them.
        present: u64,
        /// The last listed account; 0 before the first.
        account: AccountId,
    },
}

/// Changes to a room; `None` keeps the current value.
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
    /// Whether members stay although the room closes or gets a new password.
    pub keep_members: bool,
}
