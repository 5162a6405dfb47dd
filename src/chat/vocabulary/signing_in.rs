//! The calls about accounts and sessions: see `chat/core/people.rs`.

use crate::chat::types::{Color, SessionId};
#[cfg(doc)]
use crate::chat::vocabulary::Refusal;
use crate::crypto::KeyHash;

/// Creates an account.
#[derive(Clone, PartialEq, Debug)]
pub struct Register {
    /// The requested name; the core validates it.
    pub name: Box<str>,
    /// The SHA-256 of the account's key.
    pub key: KeyHash,
    /// The SHA-256 of an invitation's code. It allows to register where only invited people may,
    /// and makes the new account a member of the invitation's room.
    pub invitation: Option<KeyHash>,
}

/// Begins a session of the account with this key.
#[derive(Clone, PartialEq, Debug)]
pub struct Login {
    /// The SHA-256 of the account's key.
    pub key: KeyHash,
    /// The SHA-256 of the new session's key.
    pub session: KeyHash,
    /// `true`: the session lasts a month without use; `false`: an hour.
    pub remember: bool,
    /// The client's description of itself.
    pub agent: Box<str>,
}

/// Creates an account without a key, which ends with its last session.
#[derive(Clone, PartialEq, Debug)]
pub struct BeGuest {
    /// The requested name; the core validates it.
    pub name: Box<str>,
    /// The color in which clients show the author.
    pub color: Option<Color>,
    /// The SHA-256 of the new session's key.
    pub session: KeyHash,
    /// `true`: the session lasts a month without use; `false`: an hour.
    pub remember: bool,
    /// The client's description of itself.
    pub agent: Box<str>,
}

/// Creates the account of somebody for whom a trusted proxy vouches, unless it exists. See
/// `chat/core/vouched.rs`.
#[derive(Clone, PartialEq, Debug)]
pub struct Introduce {
    /// The account's name, in its exact spelling; the core validates it.
    pub name: Box<str>,
    /// The SHA-256 of the account's key, which nobody knows.
    pub key: KeyHash,
}

/// Begins the session of such an account; [`Refusal::PersonNotFound`], if there is none.
#[derive(Clone, PartialEq, Debug)]
pub struct Vouch {
    /// The account's name, in its exact spelling.
    pub name: Box<str>,
    /// The SHA-256 of the session's key, the same each time.
    pub session: KeyHash,
    /// How lists of sessions show it.
    pub agent: Box<str>,
}

/// Lists the caller's sessions.
#[derive(Clone, PartialEq, Debug)]
pub struct Sessions;

/// Ends one of the caller's sessions and its subscriptions.
#[derive(Clone, PartialEq, Debug)]
pub struct EndSession {
    /// One of the caller's sessions.
    pub session: SessionId,
}

/// Ends the caller's session, if there is one, and its subscriptions.
#[derive(Clone, PartialEq, Debug)]
pub struct Logout;

/// A guest has moved to another session and gives this one up: it ends, and the answer means that
/// the name is free. A registered account's session stays.
#[derive(Clone, PartialEq, Debug)]
pub struct GiveUp;

/// Replaces the key of the caller's account and ends its other sessions. A guest has no key:
/// [`Refusal::Forbidden`].
#[derive(Clone, PartialEq, Debug)]
pub struct ChangeKey {
    /// The SHA-256 of the new key.
    pub key: KeyHash,
}
