//! The calls of people in charge: see `chat/core/roles.rs`.

use std::net::IpAddr;

use crate::chat::types::{AccountId, RoomId, Seq};
use crate::chat::vocabulary::{Guests, Reason, Registration, Role};
use crate::crypto::KeyHash;

/// Gives an account a role on the server, or takes it. Only the owner of the server may, and only
/// the operator at the shell takes the owner's role.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangeRole {
    /// The account's name; case does not count.
    pub name: Box<str>,
    /// `None` takes the role.
    pub role: Option<Role>,
    /// Why.
    pub reason: Option<Reason>,
}

/// Makes the caller the owner of a server that has none. A wrong token: [`Refusal::Forbidden`].
///
/// [`Refusal::Forbidden`]: crate::chat::Refusal::Forbidden
#[derive(Clone, PartialEq, Debug)]
pub struct Setup {
    /// The SHA-256 of the token in the link that the server has printed.
    pub token: KeyHash,
}

/// Returns who may come in.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy;

/// Changes who may come in; for administrators. What the command line fixes does not change:
/// [`Refusal::Malformed`] with the field.
///
/// [`Refusal::Malformed`]: crate::chat::Refusal::Malformed
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChangePolicy {
    /// `None` keeps it.
    pub registration: Option<Registration>,
    /// `None` keeps it.
    pub guests: Option<Guests>,
    /// Why.
    pub reason: Option<Reason>,
}

/// Bans an account, or lifts its ban; for administrators. Nobody with a role is banned:
/// [`Refusal::Forbidden`].
///
/// [`Refusal::Forbidden`]: crate::chat::Refusal::Forbidden
#[derive(Clone, PartialEq, Debug)]
pub struct Ban {
    /// The account's name, or that of an anonymous person in a room; case does not count.
    pub name: Box<str>,
    /// `true` bans, `false` lifts the ban.
    pub on: bool,
    /// Also bans the addresses from which the person is connected now, for so many seconds. For an
    /// anonymous person this is the whole ban.
    pub address_secs: Option<u64>,
    /// Why.
    pub reason: Option<Reason>,
}

/// Bans an address, or lifts its ban; for administrators.
#[derive(Clone, PartialEq, Debug)]
pub struct BanAddress {
    /// The address; of IPv6, its network of 64 bits.
    pub address: IpAddr,
    /// For so many seconds; `None` lifts the ban.
    pub secs: Option<u64>,
    /// Why.
    pub reason: Option<Reason>,
}

/// Lists the banned accounts, by number: a page; for administrators.
#[derive(Clone, PartialEq, Debug)]
pub struct Banned {
    /// The page starts after this number.
    pub after: AccountId,
}

/// Lists the banned addresses; for administrators.
#[derive(Clone, PartialEq, Debug)]
pub struct BannedAddresses;

/// Removes a room of others, for good; for administrators.
#[derive(Clone, PartialEq, Debug)]
pub struct Demolish {
    /// The room: neither the lobby nor a room for two.
    pub room: RoomId,
    /// Why.
    pub reason: Option<Reason>,
}

/// Deletes a message of anybody, outside of rooms for two; for administrators.
#[derive(Clone, PartialEq, Debug)]
pub struct Suppress {
    /// The message's room.
    pub room: RoomId,
    /// The message.
    pub target: Seq,
    /// Why.
    pub reason: Option<Reason>,
}

/// Admits administrators to the audit: returns the last entry that the core has applied; the rest
/// is not theirs to read yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Audit;
