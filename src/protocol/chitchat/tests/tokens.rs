//! Tokens: our own, and all others.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::chat::{Access, Name, NameClaim, PasswordState, RoomId, Title};
use crate::crypto::{self, KeyHash};
use crate::fuzz::fuzz;
use crate::limits::TOKEN_TTL_SECS;
use crate::protocol::chitchat::tokens::{TokenError, Tokens, VerifiedToken};
use crate::protocol::signing_secret;
use crate::time::Time;

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// A handmade token.
fn forge(secret: &str, header: &str, claims: &str) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    let signature = mac.chain_update(&message).finalize().into_bytes();
    format!("{message}.{}", encode(&signature))
}

fn claims(exp: i64) -> String {
    format!(r#"{{"username":"Ann","room_id":7,"exp":{exp},"gen":2}}"#)
}

fn tokens() -> Tokens {
    Tokens::new("secret")
}

fn ann() -> Name {
    Name::new("Ann").expect("a name")
}

fn access(session: Option<KeyHash>) -> Access {
    Access::Token { room: RoomId(7), password_generation: 2, session }
}

/// The core's answer for a client that may enter.
pub(super) fn password_state(granted: Time) -> PasswordState {
    let (room, number, password_generation) = (RoomId(7), RoomId(7), 2);
    let (seen, quiet, session, password) = (true, false, None, None);
    let title = Title::new("Den").expect("a title");
    PasswordState {
        room,
        number,
        title,
        seen,
        quiet,
        session,
        password,
        password_generation,
        granted,
    }
}

/// It carries the requesting session, and the first token's issue time: so it ends with the
/// session, or a day after the first, however often it is renewed.
#[test]
fn a_token_carries_its_session_and_its_first_issue_time() {
    let now = Time(Time::now().unix_secs() * 1_000_000);
    let session = Some(crypto::hash("session"));
    let state = PasswordState { session, ..password_state(now) };
    let verified =
        tokens().check(&tokens().issue(&ann(), None, &state)).expect("it was just issued");
    assert_eq!((verified.access, verified.claim.first), (access(session), now));
    let first = Time(now.0 - 23 * 3_600 * 1_000_000 - 1_800 * 1_000_000);
    let renewed = tokens().check(&tokens().issue(&ann(), Some(first), &state)).expect("good");
    assert_eq!((renewed.access, renewed.claim.first), (access(session), first));
    // It is valid for half an hour more, so its apparent grant was half an hour ago.
    assert_eq!(renewed.claim.granted, Time(now.0 - 1_800 * 1_000_000));
    let old = Time(now.0 - 24 * 3_600 * 1_000_000);
    assert_eq!(
        tokens().check(&tokens().issue(&ann(), Some(old), &state)),
        Err(TokenError::Invalid)
    );
}

#[test]
fn issued_tokens_are_valid() {
    let now = Time::now();
    let token = tokens().issue(&ann(), None, &password_state(now));
    let verified = tokens().check(&token).expect("it was just issued");
    let granted = Time(now.unix_secs() * 1_000_000);
    let claim = NameClaim { name: ann(), granted, first: granted };
    assert!(granted <= now, "never younger than it is");
    assert_eq!(verified, VerifiedToken { claim, access: access(None) });
    // The holder of the secret can make and verify one with any other library.
    let exp = now.unix_secs() + i64::try_from(TOKEN_TTL_SECS).expect("it is an hour");
    assert_eq!(token, forge("secret", HEADER, &claims(exp)));
}

#[test]
fn the_secret_is_a_text() {
    let token = Tokens::new(&signing_secret(None, &[7; 32])).issue(
        &ann(),
        None,
        &password_state(Time::now()),
    );
    let moved = Tokens::new(&signing_secret(Some(&crypto::hex(&[7; 32])), &[0; 32]));
    assert!(moved.check(&token).is_ok());
    assert_eq!(
        Tokens::new(&signing_secret(None, &[8; 32])).check(&token),
        Err(TokenError::Invalid)
    );
    assert_eq!(tokens().check(&token), Err(TokenError::Invalid));
}

#[test]
fn foreign_tokens_are_refused() {
    let soon = Time::now().unix_secs() + 60;
    let good = forge("secret", HEADER, &claims(soon));
    assert!(tokens().check(&good).is_ok(), "what follows is refused for what it changes");
    let ours = |header: &str| forge("secret", header, &claims(soon));
    let says = |claims: &str| forge("secret", HEADER, claims);
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let unsigned = |alg: &str| {
        let token = ours(&format!(r#"{{"typ":"JWT","alg":"{alg}"}}"#));
        token[..=token.rfind('.').expect("three parts")].to_owned()
    };
    let other_claims = says(&claims(soon + 1));
    let (other_message, _) = other_claims.rsplit_once('.').expect("three parts");
    let mut cases = vec![
        (forge("Secret", HEADER, &claims(soon)), TokenError::Invalid),
        (forge("", HEADER, &claims(soon)), TokenError::Invalid),
        (format!("{other_message}.{signature}"), TokenError::Invalid),
        (format!("{message}."), TokenError::Invalid),
        (format!("{message}.{}", &signature[..8]), TokenError::Invalid),
        (unsigned("none"), TokenError::Algorithm),
        (unsigned("None"), TokenError::Algorithm),
        (unsigned("nOnE"), TokenError::Algorithm),
        (ours(r#"{"alg":"none"}"#), TokenError::Algorithm),
        (ours(r#"{"alg":"HS384"}"#), TokenError::Algorithm),
        (ours(r#"{"alg":"HS512"}"#), TokenError::Algorithm),
        (ours(r#"{"alg":"RS256"}"#), TokenError::Algorithm),
        (ours(r#"{"alg":"hs256"}"#), TokenError::Algorithm),
        (ours(r#"{"alg":""}"#), TokenError::Algorithm),
        (ours(r#"{"alg":7}"#), TokenError::Invalid),
        (ours(r#"{"typ":"JWT"}"#), TokenError::Invalid),
        (ours(r#"["HS256"]"#), TokenError::Invalid),
        (ours(r#"{"alg":"HS256","alg":"none"}"#), TokenError::Invalid),
        (ours(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#), TokenError::Invalid),
        (says(&claims(soon - 120)), TokenError::Invalid),
        (says(&claims(0)), TokenError::Invalid),
        (says(&claims(-1)), TokenError::Invalid),
        (says(r#"{"username":"Ann","room_id":7,"gen":2}"#), TokenError::Invalid),
        (says(r#"{"username":"Ann","room_id":7,"exp":"9999999999","gen":2}"#), TokenError::Invalid),
        (says(r#"{"username":"Ann","room_id":7,"exp":9999999999}"#), TokenError::Invalid),
        (says(r#"{"username":"Ann","exp":9999999999,"gen":2}"#), TokenError::Invalid),
        (says(r#"{"room_id":7,"exp":9999999999,"gen":2}"#), TokenError::Invalid),
        (says(r#"{"username":"","room_id":7,"exp":9999999999,"gen":2}"#), TokenError::Invalid),
        (says(r#"{"username":"a\n","room_id":7,"exp":9999999999,"gen":2}"#), TokenError::Invalid),
        (says(r#"{"username":"Ann","room_id":-7,"exp":9999999999,"gen":2}"#), TokenError::Invalid),
        (
            says(r#"{"username":"Ann","room_id":7,"exp":9999999999,"gen":2,"aud":"another"}"#),
            TokenError::Invalid,
        ),
        (says("[]"), TokenError::Invalid),
        (says(""), TokenError::Invalid),
        (format!("{good}.{good}"), TokenError::Invalid),
        (format!(" {good}"), TokenError::Invalid),
        (format!("{good}="), TokenError::Invalid),
        (message.to_owned(), TokenError::Invalid),
    ];
    for garbage in ["", ".", "..", "...", "a.b.c", "eyJ", "é.é.é", "null", "e30.e30.e30"] {
        cases.push((garbage.to_owned(), TokenError::Invalid));
    }
    for (token, error) in cases {
        assert_eq!(tokens().check(&token), Err(error), "{token}");
    }
    // Cut anywhere, it is invalid.
    for cut in 0..good.len() {
        assert!(tokens().check(&good[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn the_end_of_time() {
    let last = format!(r#"{{"username":"Ann","room_id":7,"exp":{},"gen":2}}"#, u64::MAX);
    // None is granted for so long; unless by a clock at the end of time.
    let token = forge("secret", HEADER, &last);
    assert_eq!(tokens().check(&token), Err(TokenError::Invalid));
    assert_eq!(tokens().check_at(&token, Time(i64::MAX)), Err(TokenError::Invalid));
    let verified = tokens().check_at(&token, Time(i64::MAX - 1)).expect("a microsecond is left");
    assert_eq!(verified.claim.granted, Time(i64::MAX));
}

/// At any clock, a token is valid for its hour, and no longer.
#[test]
fn tokens_at_the_ends_of_time() {
    let name = Name::new("Bo").expect("a name");
    for now in [Time(0), Time(1_769_860_980_000_000), Time(253_402_300_799_000_000)] {
        let token = tokens().issue(&name, None, &password_state(now));
        let last = now.plus_secs(TOKEN_TTL_SECS - 1);
        let over = now.plus_secs(TOKEN_TTL_SECS);
        assert!(tokens().check_at(&token, now).is_ok(), "{now:?}");
        assert!(tokens().check_at(&token, last).is_ok(), "{now:?}");
        assert_eq!(tokens().check_at(&token, over), Err(TokenError::Invalid), "{now:?}");
    }
    // The clock was far ahead for a moment.
    let now = Time(1_769_860_980_000_000);
    for days in [2, 30, 400, 90_000] {
        let ahead = now.plus_secs(days * 24 * 3_600);
        let token = tokens().issue(&name, None, &password_state(ahead));
        assert!(tokens().check_at(&token, ahead).is_ok(), "{days} days ahead");
        assert_eq!(tokens().check_at(&token, now), Err(TokenError::Invalid), "{days} days ahead");
    }
    let token = tokens().issue(&name, None, &password_state(Time(i64::MIN)));
    assert!(tokens().check_at(&token, Time(i64::MIN)).is_ok());
}

/// A damaged token has the same content or is refused.
#[test]
fn tokens_at_random() {
    let tokens = Tokens::new(&signing_secret(None, &[7; 32]));
    let name = Name::new("ann").expect("a name");
    let token = tokens.issue(&name, None, &password_state(Time::now()));
    let good = tokens.check(&token).expect("a token");
    fuzz(5_000, |dice| {
        let damaged = dice.text(&[&token], &["=", ".", "e30", "a", "\u{0}"]);
        if let Ok(verified) = tokens.check(&damaged) {
            assert_eq!(verified, good, "{damaged}");
        }
    });
}
