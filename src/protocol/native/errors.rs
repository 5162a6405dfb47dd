//! Refusals in the native protocol: a status, a code for programs, a sentence for a person that
//! says what to do, and the field at fault.
//!
//! The same over HTTP and the websocket. It must never repeat the client's input.

use std::borrow::Cow;

use serde::Serialize;

use crate::chat::{Field, Refusal, UNTIL_LIFTED};
use crate::http::{Reject, Response};
use crate::protocol::json_body;
use crate::protocol::native::json::maybe_rfc3339;
use crate::protocol::native::requirements::wanted;
use crate::protocol::passwords::Busy;
use crate::store::ReadError;
use crate::time::Time;

/// Every error code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Code {
    BadRequest,
    InvalidJson,
    Unauthenticated,
    UnknownKey,
    Forbidden,
    WrongPassword,
    GuestsOff,
    RegistrationClosed,
    Banned,
    InvitationInvalid,
    RecoveryInvalid,
    Muted,
    ReadOnly,
    Locked,
    BannedHere,
    NotFound,
    RoomNotFound,
    MessageNotFound,
    UserNotFound,
    InvitationNotFound,
    MethodNotAllowed,
    NameTaken,
    TitleTaken,
    ClientIdReused,
    TooLarge,
    MediaType,
    UpgradeRequired,
    InvalidField,
    MessageTooLong,
    MessageEmpty,
    RateLimited,
    Unavailable,
}

impl Code {
    /// The code for an error of the HTTP layer, whose status may differ from the code's own.
    fn of(status: u16) -> Code {
        match status {
            403 => Code::Forbidden,
            404 => Code::NotFound,
            405 => Code::MethodNotAllowed,
            413 | 414 | 431 => Code::TooLarge,
            426 => Code::UpgradeRequired,
            429 => Code::RateLimited,
            _ => Code::BadRequest,
        }
    }

    #[cfg(test)]
    pub const ALL: [Code; 32] = [
        Code::BadRequest,
        Code::InvalidJson,
        Code::Unauthenticated,
        Code::UnknownKey,
        Code::Forbidden,
        Code::WrongPassword,
        Code::GuestsOff,
        Code::RegistrationClosed,
        Code::Banned,
        Code::InvitationInvalid,
        Code::RecoveryInvalid,
        Code::Muted,
        Code::ReadOnly,
        Code::Locked,
        Code::BannedHere,
        Code::NotFound,
        Code::RoomNotFound,
        Code::MessageNotFound,
        Code::UserNotFound,
        Code::InvitationNotFound,
        Code::MethodNotAllowed,
        Code::NameTaken,
        Code::TitleTaken,
        Code::ClientIdReused,
        Code::TooLarge,
        Code::MediaType,
        Code::UpgradeRequired,
        Code::InvalidField,
        Code::MessageTooLong,
        Code::MessageEmpty,
        Code::RateLimited,
        Code::Unavailable,
    ];

    /// The status, the code as sent, and the message.
    pub fn definition(self) -> (u16, &'static str, &'static str) {
        match self {
            Code::BadRequest => {
                (400, "bad_request", "the request is malformed; correct it and try again")
            }
            Code::InvalidJson => (400, "invalid_json", "send a JSON object, in UTF-8"),
            Code::Unauthenticated => (
                401,
                "unauthenticated",
                "log in: send a session cookie, or Authorization: Bearer with a valid session \
                 key or account key",
            ),
            Code::UnknownKey => {
                (401, "unknown_key", "no account has this key; check it, or register")
            }
            Code::Forbidden => (403, "forbidden", "you may not do this; ask the owner of the room"),
            Code::WrongPassword => {
                (403, "wrong_password", "the password is wrong; ask a member of the room for it")
            }
            Code::GuestsOff => {
                (403, "guests_off", "this server accepts no guests; make an account, or log in")
            }
            Code::RegistrationClosed => (
                403,
                "registration_closed",
                "this server accepts no new accounts; ask its administrators for an invitation",
            ),
            Code::Banned => {
                (403, "banned", "you are banned from this server; ask its administrators")
            }
            Code::InvitationInvalid => (
                403,
                "invitation_invalid",
                "this invitation does not work, or no longer; ask for a new one",
            ),
            Code::RecoveryInvalid => (
                403,
                "recovery_invalid",
                "this link for a new key does not work, or no longer; ask an administrator for a \
                 new one",
            ),
            Code::Muted => (403, "muted", "you are muted until a moderator lifts it"),
            Code::ReadOnly => (403, "read_only", "only the owner and moderators can post here"),
            Code::Locked => {
                (403, "locked", "this room is locked: nobody new may join; ask its owner")
            }
            Code::BannedHere => {
                (403, "banned_from_room", "you are banned from this room; ask its moderators")
            }
            Code::MediaType => (
                415,
                "bad_request",
                "the body must be a JSON object; send it with Content-Type: application/json",
            ),
            Code::NotFound => (404, "not_found", "there is nothing here; check the address"),
            Code::RoomNotFound => (
                404,
                "room_not_found",
                "there is no such room, or you are not in it; see GET /api/v1/rooms",
            ),
            Code::MessageNotFound => (
                404,
                "message_not_found",
                "there is no such message in this room, or it was deleted; load the room again",
            ),
            Code::UserNotFound => {
                (404, "user_not_found", "no user has this name; check the spelling")
            }
            Code::InvitationNotFound => (
                404,
                "invitation_not_found",
                "there is no such invitation that you could end, or it has ended; see GET \
                 /api/v1/invitations",
            ),
            Code::MethodNotAllowed => (
                405,
                "method_not_allowed",
                "this path does not accept this method; use one that the Allow header lists",
            ),
            Code::NameTaken => (409, "name_taken", "this name is taken; choose another"),
            Code::TitleTaken => (409, "title_taken", "another room has this title; choose another"),
            Code::ClientIdReused => (
                409,
                "client_id_reused",
                "you have used this client id for another message; choose a new one",
            ),
            Code::TooLarge => (413, "too_large", "the request is too large; send less"),
            Code::UpgradeRequired => (
                426,
                "upgrade_required",
                "connect with a websocket client, version 13, or leave the Upgrade header out",
            ),
            Code::InvalidField => {
                (422, "invalid_field", "a field is missing or invalid; correct it")
            }
            Code::MessageTooLong => (
                422,
                "message_too_long",
                "a message has at most 4000 characters; shorten it, or send it in pieces",
            ),
            Code::MessageEmpty => {
                (422, "message_empty", "the message has no visible character; write something")
            }
            Code::RateLimited => (
                429,
                "rate_limited",
                "too many requests in a short time; wait a little, then try again",
            ),
            Code::Unavailable => {
                (503, "unavailable", "the server cannot do this now; try again later")
            }
        }
    }
}

/// A refusal, ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    code: Code,
    message: Cow<'static, str>,
    field: Option<&'static str>,
    /// When to retry, if known.
    retry_after_ms: Option<u64>,
    /// The end of a mute.
    until: Option<Time>,
}

/// When to retry after a temporary failure.
const RETRY_AFTER_MS: u64 = 1_000;

impl Failure {
    /// An invalid field.
    pub fn field(field: &'static str) -> Failure {
        let code = Code::InvalidField;
        Failure { message: wanted(field).into(), field: Some(field), ..code.into() }
    }

    /// The same failure with a more specific sentence.
    pub fn saying(self, message: &'static str) -> Failure {
        Failure { message: message.into(), ..self }
    }

    /// The same for a refused content type: `takes` names the accepted one.
    pub fn of_media_type(self, takes: &'static str) -> Failure {
        if self.code == Code::MediaType { self.saying(takes) } else { self }
    }

    /// The caller may see the room, but is not a member.
    pub fn not_member() -> Failure {
        let says = "only members can do this; join with PUT /api/v1/rooms/{id}/membership";
        Failure::from(Code::Forbidden).saying(says)
    }

    #[cfg(test)]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The value of `"error":`.
    pub fn shown(&self) -> Shown {
        let (_, code, _) = self.code.definition();
        let Failure { message, field, retry_after_ms, until, .. } = self.clone();
        Shown { code, message, field, retry_after_ms, until }
    }

    /// Gives an error of the HTTP layer the native body.
    pub fn dress(response: Response) -> Response {
        match response.status {
            ..400 => response,
            status => response.json(Failure::from(Code::of(status)).body()),
        }
    }

    /// The response to an unreadable request.
    pub fn refused(reject: Reject) -> Response {
        let failure = Failure::from(Code::of(reject.status)).saying(reject.why);
        Response::new(reject.status).json(failure.body())
    }

    fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body {
            error: Shown,
        }
        json_body::text(&Body { error: self.shown() })
    }
}

/// An error as it is sent.
#[derive(Serialize)]
pub(super) struct Shown {
    code: &'static str,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    until: Option<Time>,
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Response {
        let (status, _, _) = failure.code.definition();
        let mut response = Response::new(status).json(failure.body());
        if status == 401 {
            // RFC 9110 section 11.6.1: a 401 names the authentication scheme (RFC 6750 section 3).
            response = response.header("WWW-Authenticate", "Bearer");
        }
        match failure.retry_after_ms {
            // RFC 9110 section 10.2.3: in whole seconds.
            Some(millis) => response.header("Retry-After", millis.div_ceil(1000).to_string()),
            None => response,
        }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Failure {
        let (_, _, message) = code.definition();
        let retry_after_ms = match code {
            Code::RateLimited | Code::Unavailable => Some(RETRY_AFTER_MS),
            _ => None,
        };
        Failure { code, message: message.into(), field: None, retry_after_ms, until: None }
    }
}

impl From<Busy> for Failure {
    fn from(Busy: Busy) -> Failure {
        Code::Unavailable.into()
    }
}

impl From<ReadError> for Failure {
    fn from(unread: ReadError) -> Failure {
        match unread {
            ReadError::Busy | ReadError::Late | ReadError::Failed => Code::Unavailable.into(),
            ReadError::Superseded => Failure::from(Code::RateLimited)
                .saying("a newer search of yours replaced this one; run one search at a time"),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let code = match refusal {
            Refusal::Unauthenticated => Code::Unauthenticated,
            Refusal::UnknownKey => Code::UnknownKey,
            Refusal::NameInvalid => return Failure::field("name"),
            Refusal::NameTaken | Refusal::NameInUse => Code::NameTaken,
            Refusal::PersonNotFound => Code::UserNotFound,
            Refusal::RoomNotFound => Code::RoomNotFound,
            Refusal::TitleTaken => Code::TitleTaken,
            Refusal::PasswordMissing | Refusal::PasswordForPublic => {
                return Failure::field("password");
            }
            Refusal::Forbidden | Refusal::NoAccess => Code::Forbidden,
            Refusal::NotMember => return Failure::not_member(),
            Refusal::RegistrationClosed => Code::RegistrationClosed,
            Refusal::GuestsOff => Code::GuestsOff,
            Refusal::Banned => Code::Banned,
            Refusal::InvitationVoid => Code::InvitationInvalid,
            Refusal::RecoveryVoid => Code::RecoveryInvalid,
            Refusal::InvitationNotFound => Code::InvitationNotFound,
            Refusal::BannedHere => Code::BannedHere,
            Refusal::ReadOnly => Code::ReadOnly,
            Refusal::Locked => Code::Locked,
            Refusal::Muted { until, everywhere } => return muted(until, everywhere),
            Refusal::Slow { retry_after_ms } => {
                let retry_after_ms = u64::from(retry_after_ms.max(1));
                let secs = retry_after_ms.div_ceil(1_000);
                let message = format!("slow mode: you can post here again in {secs} s").into();
                let retry_after_ms = Some(retry_after_ms);
                return Failure { message, retry_after_ms, ..Code::RateLimited.into() };
            }
            Refusal::NotForGuests => {
                let says = "this takes a registered account, not a guest; register first";
                return Failure::from(Code::Forbidden).saying(says);
            }
            Refusal::Blocked => {
                let says = "you cannot write here: one of you has blocked the other; if it was \
                            you, unblock the other first";
                return Failure::from(Code::Forbidden).saying(says);
            }
            Refusal::MessageTooLong => Code::MessageTooLong,
            Refusal::MessageNotFound => Code::MessageNotFound,
            Refusal::ClientIdReused => Code::ClientIdReused,
            Refusal::SessionNotFound => Code::NotFound,
            Refusal::Malformed(Field::Whole) => Code::InvalidJson,
            Refusal::Malformed(Field::Message) => Code::MessageEmpty,
            Refusal::Malformed(Field::Character) => return Failure::field("text"),
            Refusal::Malformed(Field::ReplyTo) => return Failure::field("reply_to"),
            Refusal::Malformed(Field::Kind) => return Failure::field("type"),
            Refusal::Malformed(Field::Name) => return Failure::field("name"),
            Refusal::Malformed(Field::Color) => return Failure::field("color"),
            Refusal::Malformed(Field::Called(field)) => return Failure::field(field),
            Refusal::TooManyReactions => {
                let says = "a message has at most 20 kinds of reactions, and 5 by one person; \
                            remove one of yours, or choose an existing one";
                return Failure::field("emoji").saying(says);
            }
            Refusal::QuotaReached => {
                let says = "you have as many of these as one account, guest or address can have; \
                            remove one first";
                return Failure::from(Code::Forbidden).saying(says);
            }
            Refusal::Full => {
                let full = "the server has reached its limit for this; tell its owner";
                return Failure::from(Code::Unavailable).saying(full);
            }
            Refusal::RateLimited { retry_after_ms } => {
                let retry_after_ms = Some(retry_after_ms.max(1).into());
                return Failure { retry_after_ms, ..Code::RateLimited.into() };
            }
            Refusal::NoSpace => {
                let says = "the server's disk is nearly full; tell its owner, and try again later";
                return Failure::from(Code::Unavailable).saying(says);
            }
            Refusal::Unavailable => Code::Unavailable,
            // Refusals that only subscriptions of the other protocols get.
            Refusal::OtherName
            | Refusal::NameMissing
            | Refusal::NotPresent
            | Refusal::AlreadySubscribed => Code::BadRequest,
        };
        Failure::from(code)
    }
}

/// The refusal of somebody who is muted, in one sentence that says until when.
fn muted(until: Time, everywhere: bool) -> Failure {
    let place = if everywhere { "on this server" } else { "in this room" };
    let end = Some(until).filter(|until| *until != UNTIL_LIFTED);
    let until = match end {
        Some(until) => format!("until {}", until.http_date()),
        None if everywhere => "until an administrator lifts it".to_owned(),
        None => "until a moderator lifts it".to_owned(),
    };
    Failure {
        message: format!("you are muted {place} {until}").into(),
        until: end,
        ..Code::Muted.into()
    }
}
