//! Room tokens: JSON web tokens (RFC 7519) signed with HMAC-SHA256, and no other algorithm.
//!
//! A token states the name, the room, the expiry, and the generation of the room's password. The
//! holder of the secret can verify and make tokens; nobody else can. Only one signature of RFC 7515
//! is needed, so it is implemented here on `hmac` and `base64`: a library would bring every
//! algorithm, to be refused one by one. Called by the routes of this folder.

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

/// The content of a valid token.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct VerifiedToken {
    /// The name, and the time since when it is claimed.
    pub claim: NameClaim,
    /// The room, the generation of its password, and the session that the token depends on.
    pub access: Access,
}

/// Why a token is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenError {
    /// Signed with another algorithm.
    Algorithm,
    /// Malformed, forged or expired.
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
    password_generation: u64,
    /// The SHA-256, in hex, of the key of the session that requested it; none for a guest's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// The issue time of the first token that this one renews (RFC 7519 section 4.1.6). Missing in
    /// the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    /// A token with an audience is for another server, as this one is never named (RFC 7519 section
    /// 4.1.3).
    #[serde(default, skip_serializing)]
    aud: Option<IgnoredAny>,
}

impl Tokens {
    /// Signs with `secret`.
    pub fn new(secret: &str) -> Tokens {
        let keyed = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        Tokens { keyed }
    }

    /// A token for a client that the core has let in, from the core's answer. (The answer's time
    /// counts. With a later time a name that another client registered in between would count as
    /// this one's: [`NameClaim::granted`].) `first`: the issue time of the token that this one
    /// renews.
    pub(super) fn issue(&self, name: &Name, first: Option<Time>, state: &PasswordState) -> String {
        let secs = |time: Time| time.unix_secs().max(0).unsigned_abs();
        let end = first.map(|first| first.plus_secs(TOKEN_LIFE_SECS));
        let exp = state.granted.plus_secs(TOKEN_TTL_SECS);
        let claims = Claims {
            username: name.to_string(),
            room_id: state.number.0,
            exp: secs(end.map_or(exp, |end| exp.min(end))),
            password_generation: state.password_generation,
            sid: state.session.map(|key| crypto::hex(&key)),
            iat: first.map(secs),
            aud: None,
        };
        let claims = serde_json::to_vec(&claims).expect("a struct becomes JSON");
        let message = format!("{HEADER}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let signature = self.keyed.clone().chain_update(&message).finalize().into_bytes();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The content of a token that this server signed and that has not expired. The caller checks
    /// the room.
    pub(super) fn check(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        self.check_at(token, Time::now())
    }

    /// The same at a given time.
    pub(super) fn check_at(&self, token: &str, now: Time) -> Result<VerifiedToken, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Invalid)?;
        check_header(&decode(header)?)?;
        // Compared in constant time, so that the time does not reveal the number of correct bytes.
        let signed = self.keyed.clone().chain_update(message).verify_slice(&decode(signature)?);
        signed.map_err(|_| TokenError::Invalid)?;
        let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Invalid)?;
        let Claims { username, room_id, exp, password_generation, sid, iat, aud } = claims;
        if aud.is_some() {
            return Err(TokenError::Invalid);
        }
        // RFC 7519 section 4.1.4: invalid on and after its expiry. The same clock signs and checks.
        if Time(0).plus_secs(exp) <= now {
            return Err(TokenError::Invalid);
        }
        // A token that was granted while the clock was far ahead does not last until then.
        // (No token is renewed for longer than a day.)
        if Time(0).plus_secs(exp) > now.max(Time(0)).plus_secs(TOKEN_LIFE_SECS) {
            return Err(TokenError::Invalid);
        }
        let name = Name::kept(&username).ok_or(TokenError::Invalid)?;
        // The grant time is the expiry minus the lifetime, in whole seconds, rounded down.
        let granted = exp.saturating_sub(TOKEN_TTL_SECS);
        let first = Time(0).plus_secs(iat.unwrap_or(granted));
        let granted = Time(0).plus_secs(granted);
        let session = sid.map(|hex| crypto::unhex(&hex).ok_or(TokenError::Invalid)).transpose()?;
        let access = Access::Token { room: RoomId(room_id), password_generation, session };
        Ok(VerifiedToken { claim: NameClaim { name, granted, first }, access })
    }
}

/// Checks the header before anything trusts it: RFC 8725 section 3.1 requires one algorithm, chosen
/// by the verifier.
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
    // RFC 7515 section 4.1.11: a critical extension that is not understood makes a token invalid.
    if header.crit.is_some() { Err(TokenError::Invalid) } else { Ok(()) }
}

/// Decodes a part of a token (RFC 7515 section 2: base64url without padding). `.` is not in the
/// alphabet, so a token has exactly three parts.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid)
}
