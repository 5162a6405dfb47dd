//! The calls of people in charge: see `chat/core/roles.rs`.

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
