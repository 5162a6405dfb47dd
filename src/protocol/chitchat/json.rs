//! ChitChat's JSON output: rooms, and errors with their numbers.
//!
//! It must never write a password or its hash; the types that it writes from hold none. Called by
//! the routes and the codec of this folder.

use serde::Serialize;

use crate::chat::{Field, Present, Refusal, RoomInfo};
use crate::http::Response;
use crate::protocol::chitchat::tokens::TokenError;
use crate::protocol::passwords::Busy;
use crate::protocol::{advice, json_body};
use crate::time::Time;

/// A room as ChitChat sends it.
#[derive(Serialize)]
pub(super) struct RoomJson<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    visibility: &'a str,
    #[serde(rename = "createdAt", serialize_with = "json_body::rfc3339")]
    created: Time,
    #[serde(rename = "updatedAt", serialize_with = "json_body::rfc3339")]
    updated: Time,
    id: u64,
    users: Vec<User<'a>>,
}

/// A user who is present in a room.
#[derive(Serialize)]
pub(super) struct User<'a> {
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'a str>,
    #[serde(serialize_with = "json_body::rfc3339")]
    last_activity: Time,
}

impl<'a> From<&'a Present> for User<'a> {
    fn from(present: &'a Present) -> User<'a> {
        User {
            username: present.author.name.as_str(),
            color: present.color.as_ref().map(|color| color.as_str()),
            last_activity: present.last_activity,
        }
    }
}

impl<'a> From<&'a RoomInfo> for RoomJson<'a> {
    fn from(info: &'a RoomInfo) -> RoomJson<'a> {
        RoomJson {
            title: info.title.as_str(),
            description: info.description.as_str(),
            visibility: info.visibility.as_str(),
            created: info.created,
            updated: info.updated,
            id: info.number.0,
            users: info.present.iter().map(User::from).collect(),
        }
    }
}

/// A refusal. Refusals without a ChitChat number carry the HTTP status, which is a different range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    code: u16,
    /// The field at fault; empty: none.
    field: String,
    /// For a rate limit: when to retry.
    retry_after_ms: u32,
}

/// The number of a rate-limit error.
const TOO_MANY: u16 = 305;
/// The number of a refusal because the server takes no guests.
const NO_GUESTS: u16 = 306;
/// The number of a refusal because the person or the address is banned.
const BANNED: u16 = 307;
/// The number of a refusal because the person is muted.
const MUTED: u16 = 308;
/// The number of a refusal because only moderators speak in the room.
const READ_ONLY: u16 = 309;
/// The number of a refusal because nobody new may join the room.
const LOCKED: u16 = 310;
/// The number of a refusal because the person is banned from the room.
const BANNED_HERE: u16 = 311;

impl Failure {
    pub fn new(code: u16, field: impl Into<String>) -> Failure {
        Failure { code, field: field.into(), retry_after_ms: 1_000 }
    }

    /// The HTTP status that goes with the number.
    fn status(&self) -> u16 {
        match self.code {
            101 | 201 => 404,
            104 | 304 | 402 => 401,
            301 | NO_GUESTS | BANNED..=BANNED_HERE | 403 | 508 => 403,
            TOO_MANY => 429,
            503 | 507 => 503,
            404.. => self.code,
            _ => 400,
        }
    }

    fn says(&self) -> &'static str {
        match self.code {
            101 => "Room error: Room not found",
            102 => "Room error: Duplicate room",
            103 => "Room error: Invalid JSON",
            104 => "Room error: Unauthorized operation",
            105 => "Room error: Invalid content",
            201 => "Client error: User not found",
            202 => "Client error: Duplicate username",
            204 => "Client error: Name mismatch",
            301 => "Could not establish session",
            303 => "Invalid JSON",
            TOO_MANY => "Too many requests",
            BANNED => "Client error: You are banned from this server",
            MUTED => "Client error: You are muted",
            READ_ONLY => "Client error: Only moderators can post here",
            LOCKED => "Client error: This room is locked, nobody new may join",
            BANNED_HERE => "Client error: You are banned from this room",
            NO_GUESTS => "Client error: No guests here, log in with an account",
            304 => "Unauthorized operation",
            402 => "Token error: Unauthorized signing method",
            403 => "Token error: Invalid token",
            503 => "Server error: Unavailable, try again later",
            507 => "Server error: Full, tell its owner",
            508 => "Client error: Too many of these, remove one first",
            status => advice(status),
        }
    }

    /// Appends the error as ChitChat's JSON.
    pub fn write(&self, json: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Outcome<'a> {
            status: bool,
            error: Error<'a>,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            code: u16,
            error: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            field: &'a str,
        }
        let error = Error { code: self.code, error: self.says(), field: &self.field };
        json_body::write(&Outcome { status: false, error }, json);
    }

    /// Gives an error of the HTTP layer ChitChat's body.
    pub fn dress(response: Response) -> Response {
        match response.status {
            ..400 => response,
            status => {
                let mut json = Vec::new();
                Failure::new(status, "").write(&mut json);
                response.json(json)
            }
        }
    }
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Response {
        let mut json = Vec::new();
        failure.write(&mut json);
        let response = Response::new(failure.status()).json(json);
        match failure.status() {
            // RFC 9110 section 11.6.1: a 401 names the authentication scheme (RFC 6750 section 3).
            401 => response.header("WWW-Authenticate", "Bearer"),
            // RFC 9110 section 10.2.3: in whole seconds.
            429 => {
                let seconds = failure.retry_after_ms.div_ceil(1000).max(1);
                response.header("Retry-After", seconds.to_string())
            }
            503 => response.header("Retry-After", "1"),
            _ => response,
        }
    }
}

impl From<Busy> for Failure {
    fn from(Busy: Busy) -> Failure {
        Failure::from(Refusal::Unavailable)
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Failure {
        let code = match error {
            TokenError::Algorithm => 402,
            TokenError::Invalid => 403,
        };
        Failure::new(code, "token")
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let (code, field) = match refusal {
            Refusal::RoomNotFound => (101, ""),
            Refusal::GuestsOff => (NO_GUESTS, ""),
            Refusal::Banned => (BANNED, ""),
            Refusal::BannedHere => (BANNED_HERE, ""),
            Refusal::Muted { .. } => (MUTED, ""),
            Refusal::ReadOnly => (READ_ONLY, ""),
            Refusal::Locked => (LOCKED, ""),
            Refusal::TitleTaken => (102, "title"),
            // A client with an invalid session is a guest here, so the first two cannot happen.
            Refusal::Unauthenticated
            | Refusal::UnknownKey
            | Refusal::Forbidden
            | Refusal::NotMember
            | Refusal::NotForGuests
            | Refusal::RegistrationClosed
            | Refusal::InvitationVoid
            | Refusal::RecoveryVoid
            | Refusal::InvitationNotFound
            | Refusal::Blocked => (104, ""),
            Refusal::PasswordMissing => (105, "password"),
            Refusal::PasswordForPublic => (105, "visibility"),
            Refusal::NotPresent | Refusal::PersonNotFound => (201, "name"),
            Refusal::NameTaken | Refusal::NameInUse | Refusal::AlreadySubscribed => (202, "name"),
            Refusal::OtherName => (204, "name"),
            Refusal::NameInvalid | Refusal::NameMissing => (303, "name"),
            Refusal::MessageTooLong => (303, "msg"),
            Refusal::Malformed(Field::Whole) => (303, ""),
            Refusal::Malformed(Field::Kind) => (303, "event_type"),
            Refusal::Malformed(Field::Name) => (303, "name"),
            Refusal::Malformed(Field::Message | Field::Character) => (303, "msg"),
            Refusal::Malformed(Field::Color) => (303, "color"),
            Refusal::Malformed(Field::ReplyTo) => (303, "reply_to"),
            Refusal::Malformed(Field::Called(field)) => (303, field),
            Refusal::NoAccess => (403, "token"),
            // Refusals of calls that only the native protocol makes.
            Refusal::MessageNotFound | Refusal::SessionNotFound => (404, ""),
            Refusal::ClientIdReused | Refusal::TooManyReactions => (409, ""),
            Refusal::RateLimited { retry_after_ms } | Refusal::Slow { retry_after_ms } => {
                return Failure { retry_after_ms, ..Failure::new(TOO_MANY, "") };
            }
            Refusal::Unavailable | Refusal::NoSpace => (503, ""),
            Refusal::QuotaReached => (508, ""),
            Refusal::Full => (507, ""),
        };
        Failure::new(code, field)
    }
}
