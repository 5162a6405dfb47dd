//! Keys: made from the operating system's random source, kept only as their SHA-256.
//!
//! Nothing here prints or logs a key. Callers are the protocols, which show a fresh key once, and
//! the store, which makes the token secret on the first start.

use sha2::{Digest, Sha256};

/// The SHA-256 of a key: the database stores it, and a login looks it up. Keys have 128 random bits
/// or more, so a plain hash is enough, and a lookup's timing reveals nothing useful.
pub type KeyHash = [u8; 32];

/// Random bytes from the operating system.
///
/// # Panics
/// If the system has no random bytes to give, because nothing is secure without them.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A new account key: 64 hex digits, 256 random bits.
pub fn account_key() -> String {
    hex(&random::<32>())
}

/// A new session key: 32 characters of `[A-Za-z0-9]`, 190 random bits.
pub fn session_key() -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut key = String::with_capacity(32);
    while key.len() < 32 {
        // Bytes from 248 on are skipped, or the first letters would be more frequent.
        let fresh = random::<48>().into_iter().filter(|byte| *byte < 248);
        let letters = fresh.map(|byte| char::from(LETTERS[usize::from(byte % 62)]));
        key.extend(letters.take(32 - key.len()));
    }
    key
}

/// Whether a text has the shape of a session key.
pub fn is_session_key(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The SHA-256 of a key in its owner's spelling.
pub fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// The reverse of [`hex`], for a hash. `None` if the text is not the hex of one.
pub fn unhex(text: &str) -> Option<KeyHash> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| digit.try_into().ok());
    let nibbles: Option<Vec<u8>> = text.bytes().map(nibble).collect();
    let bytes: Vec<u8> = nibbles?.chunks(2).map(|pair| pair.iter().fold(0, join)).collect();
    bytes.try_into().ok().filter(|_| text.len() == 64)
}

fn join(high: u8, low: &u8) -> u8 {
    high << 4 | low
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_have_their_shape_and_never_repeat() {
        let mut seen = HashSet::new();
        for _ in 0..500 {
            let account = account_key();
            assert!(account.len() == 64 && account.bytes().all(|b| b.is_ascii_hexdigit()));
            let session = session_key();
            assert!(is_session_key(&session));
            assert!(seen.insert(account) && seen.insert(session));
        }
    }

    #[test]
    fn hash_is_sha256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&hash("abc")), expected);
    }
}
