//! Room tokens: JSON web tokens (RFC 7519) signed with HMAC-SHA256, and nothing else.
//!
//! A token says who was let into which room, until when, and for which generation of the room's
//! password. Anybody who has the secret can verify a token; nobody else can make one. Only one
//! signature of RFC 7515 is needed, so it stands here on `hmac` and `base64`: a library would bring
//! every algorithm there is, to be refused one by one. Called by the routes of this folder.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::chat::{Access, Name, NameClaim, PasswordState, RoomId};
use crate::crypto;
use crate::limits::{TOKEN_LIFE_SECS, TOKEN_TTL_SECS};
use crate::protocol::json_body;
use crate::time::Time;

/// `{"typ":"JWT","alg":"HS256"}` in base64url, the header of every token that is issued.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// Signs and checks tokens.
pub(super) struct Tokens {
    /// Holds the secret, and has seen no message yet.
    keyed: Hmac<Sha256>,
}

/// What a token that was found good says.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct VerifiedToken {
    /// Under which name, and since when.
    pub claim: NameClaim,
    /// Into which room, for which of its passwords, and for as long as which session.
    pub access: Access,
}

/// What is wrong with a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenError {
    /// It is signed in a way that we do not sign.
    Algorithm,
    /// It is malformed, forged, or has expired.
    Invalid,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    username: String,
    room_id: u64,
    /// Seconds since 1970 (RFC 7519 section 4.1.4).
    exp: u64,
    /// The generation of the room's password.
    #[serde(rename = "gen")]
    generation: u64,
    /// The SHA-256 of the key of the session that asked for it, in hex. Without one: it asked by
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// When the first one was issued from which this was renewed (RFC 7519 section 4.1.6). Not in
    /// the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    /// For another audience than this server, which is never named (RFC 7519 section 4.1.3).
    #[serde(default, skip_serializing)]
    aud: Option<IgnoredAny>,
}

impl Tokens {
    /// Signs with that text.
    pub fn new(secret: &str) -> Tokens {
        let keyed = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        Tokens { keyed }
    }

    /// A token for somebody whom the core has found entitled, by what it has answered. (The time
    /// of the answer counts. A later one would make a name theirs that was registered by another in
    /// between: [`NameClaim::granted`].) `first`: when the token was issued that it goes on from.
    pub(super) fn issue(&self, name: &Name, first: Option<Time>, lock: &PasswordState) -> String {
        let secs = |time: Time| time.unix_secs().max(0).unsigned_abs();
        let end = first.map(|first| first.plus_secs(TOKEN_LIFE_SECS));
        let exp = lock.granted.plus_secs(TOKEN_TTL_SECS);
        let claims = Claims {
            username: name.to_string(),
            room_id: lock.number.0,
            exp: secs(end.map_or(exp, |end| exp.min(end))),
            generation: lock.generation,
            sid: lock.session.map(|key| crypto::hex(&key)),
            iat: first.map(secs),
            aud: None,
        };
        let claims = serde_json::to_vec(&claims).expect("a struct becomes JSON");
        let message = format!("{HEADER}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let signature = self.keyed.clone().chain_update(&message).finalize().into_bytes();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token says, if it is ours and has not expired. Whether it fits the room is up to the
    /// caller.
    pub(super) fn check(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        self.check_at(token, Time::now())
    }

    /// The same, at some moment.
    pub(super) fn check_at(&self, token: &str, now: Time) -> Result<VerifiedToken, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Invalid)?;
        check_header(&decode(header)?)?;
        // In constant time: how many bytes were right is nobody's business.
        let signed = self.keyed.clone().chain_update(message).verify_slice(&decode(signature)?);
        signed.map_err(|_| TokenError::Invalid)?;
        let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Invalid)?;
        let Claims { username, room_id, exp, generation, sid, iat, aud } = claims;
        if aud.is_some() {
            return Err(TokenError::Invalid);
        }
        // RFC 7519 section 4.1.4: not on or after its expiry. One clock signs and checks.
        if Time(0).plus_secs(exp) <= now {
            return Err(TokenError::Invalid);
        }
        let name = Name::new(&username).ok_or(TokenError::Invalid)?;
        // It was granted a lifetime before it expires, in whole seconds, rounded down.
        let granted = exp.saturating_sub(TOKEN_TTL_SECS);
        let first = Time(0).plus_secs(iat.unwrap_or(granted));
        let granted = Time(0).plus_secs(granted);
        let session = sid.map(|hex| crypto::unhex(&hex).ok_or(TokenError::Invalid)).transpose()?;
        let access = Access::Token { room: RoomId(room_id), generation, session };
        Ok(VerifiedToken { claim: NameClaim { name, granted, first }, access })
    }
}

/// Looks at the header before anybody trusts what it says about itself: RFC 8725 section 3.1 asks
/// for one algorithm, chosen by whoever checks.
fn check_header(header: &[u8]) -> Result<(), TokenError> {
    #[derive(Deserialize)]
    struct Algorithms {
        alg: String,
        crit: Option<serde_json::Value>,
    }
    let header: Algorithms = json_body::object(header).ok_or(TokenError::Invalid)?;
    if header.alg != "HS256" {
        return Err(TokenError::Algorithm);
    }
    // RFC 7515 section 4.1.11: what is critical and not understood makes a token invalid.
    if header.crit.is_some() { Err(TokenError::Invalid) } else { Ok(()) }
}

/// A part of a token (RFC 7515 section 2: base64url without padding). A `.` is no letter of it, so
/// a token has three parts exactly.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid)
}
