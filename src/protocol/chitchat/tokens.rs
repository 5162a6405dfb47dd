//! Room tokens: JSON web tokens (RFC 7519) signed with HMAC-SHA256, and nothing else.
//!
//! A token says who was let into which room, until when, and for which generation of the room's
//! password. Anybody who has the secret can verify one; nobody else can make one. Here is also the
//! little cryptography that `jsonwebtoken` asks for, on `hmac` and `sha2`: its own choices bring
//! every algorithm there is, to be refused one by one. Called by the routes of this folder.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{self, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::chat::{Access, Claim, Lock, Name, RoomId};
use crate::crypto;
use crate::limits::{TOKEN_LIFE_SECS, TOKEN_TTL_SECS};
use crate::protocol::bodies;
use crate::time::Time;

/// Signs and checks tokens.
#[derive(Clone)]
pub struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
}

/// What a token that was found good says.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Pass {
    /// Under which name, and since when.
    pub claim: Claim,
    /// Into which room, for which of its passwords, and for as long as which session.
    pub access: Access,
}

/// What is wrong with a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flaw {
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
}

impl Tokens {
    /// Signs with the text that was set, or else with the random bytes that the database keeps,
    /// written as hex. So the secret is a text in either case: it can be handed to whoever is to
    /// verify tokens, and set as `SECRET_KEY` without a token losing its worth.
    pub fn new(set: Option<&str>, kept: &[u8; 32]) -> Tokens {
        // Once for the process; what is there already is this very provider.
        let _ = PROVIDER.install_default();
        let secret = set.map_or_else(|| crypto::hex(kept), str::to_owned);
        let mut validation = Validation::new(Algorithm::HS256);
        // Ours to check: the library asks a clock that must not be before 1970.
        validation.validate_exp = false;
        Tokens {
            signing: EncodingKey::from_secret(secret.as_bytes()),
            checking: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// A token for somebody whom the core has found entitled, by what it has answered. (The time
    /// of the answer counts. A later one would make a name theirs that was registered by another in
    /// between: [`Claim::granted`].) `first`: when the token was issued that it goes on from.
    pub(super) fn issue(&self, name: &Name, first: Option<Time>, lock: &Lock) -> String {
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
        };
        // Structs become JSON, and HMAC takes keys of any length.
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .expect("a struct can be signed")
    }

    /// What a token says, if it is ours and has not expired. Whether it fits the room is up to the
    /// caller.
    pub(super) fn check(&self, token: &str) -> Result<Pass, Flaw> {
        self.check_at(token, Time::now())
    }

    /// The same, at some moment.
    pub(super) fn check_at(&self, token: &str, now: Time) -> Result<Pass, Flaw> {
        check_header(token)?;
        let checked = jsonwebtoken::decode::<Claims>(token, &self.checking, &self.validation);
        let claims = checked.map_err(|error| match error.kind() {
            ErrorKind::InvalidAlgorithm => Flaw::Algorithm,
            _ => Flaw::Invalid,
        })?;
        let Claims { username, room_id, exp, generation, sid, iat } = claims.claims;
        // RFC 7519 section 4.1.4: not on or after its expiry. One clock signs and checks.
        if Time(0).plus_secs(exp) <= now {
            return Err(Flaw::Invalid);
        }
        let name = Name::new(&username).ok_or(Flaw::Invalid)?;
        // It was granted a lifetime before it expires, in whole seconds, rounded down.
        let granted = exp.saturating_sub(TOKEN_TTL_SECS);
        let first = Time(0).plus_secs(iat.unwrap_or(granted));
        let granted = Time(0).plus_secs(granted);
        let session = sid.map(|hex| crypto::unhex(&hex).ok_or(Flaw::Invalid)).transpose()?;
        let access = Access::Token { room: RoomId(room_id), generation, session };
        Ok(Pass { claim: Claim { name, granted, first }, access })
    }
}

/// Looks at the header before anybody trusts what it says about itself: RFC 8725 section 3.1 asks
/// for one algorithm, chosen by whoever checks.
fn check_header(token: &str) -> Result<(), Flaw> {
    #[derive(Deserialize)]
    struct Algorithms {
        alg: String,
        crit: Option<serde_json::Value>,
    }
    let header = token.split('.').next().unwrap_or_default();
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).map_err(|_| Flaw::Invalid)?;
    let header: Algorithms = bodies::object(&header).ok_or(Flaw::Invalid)?;
    if header.alg != "HS256" {
        return Err(Flaw::Algorithm);
    }
    // RFC 7515 section 4.1.11: what is critical and not understood makes a token invalid.
    if header.crit.is_some() { Err(Flaw::Invalid) } else { Ok(()) }
}

/// HMAC-SHA256 under one key.
struct Hs256(Hmac<Sha256>);

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?))
    },
    // For keys in JSON, of which there are none here.
    key_utils: KeyUtils::new_unimplemented(),
};

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> errors::Result<Hs256> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        let mac = Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        Ok(Hs256(mac))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        // In constant time: how many bytes were right is nobody's business.
        let mac = self.0.clone().chain_update(message);
        mac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
