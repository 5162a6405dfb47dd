//! The calls of people in charge: see `chat/core/roles.rs`.

use crate::chat::vocabulary::{Reason, Role};
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
