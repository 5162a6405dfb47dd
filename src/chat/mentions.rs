//! Who is called by a message. Used by the store, which finds mentions, and by the protocols,
//! which show them: one rule for both.

use crate::chat::types::{Folded, Name};
use crate::limits::{MENTIONS_MAX, NAME_CHARS_MAX};

/// The names that a text calls: an `@` that does not follow a letter or digit (so that addresses
/// are none), and then a name as accounts have them, to its end. Each once, whatever its case, in
/// the order of their first places.
pub fn mentions(text: &str) -> Vec<Name> {
    let mut found: Vec<Name> = Vec::new();
    let mut seen: Vec<Folded> = Vec::new();
    for (at, _) in text.match_indices('@') {
        if found.len() == MENTIONS_MAX {
            break;
        }
        if text[..at].chars().next_back().is_some_and(char::is_alphanumeric) {
            continue;
        }
        let rest = &text[at + 1..];
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if length > NAME_CHARS_MAX {
            continue; // Nobody is called that.
        }
        let Some(name) = Name::for_account(&rest[..length]) else { continue };
        let folded = name.folded();
        if !seen.contains(&folded) {
            seen.push(folded);
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_called() {
        let long = "x".repeat(32);
        let cases: [(&str, &[&str]); 9] = [
            ("", &[]),
            ("@ann", &["ann"]),
            ("hi @ann, @Bob!", &["ann", "Bob"]),
            ("@ann @ANN @bob @Ann", &["ann", "bob"]),
            ("mail ann@example.org", &[]),
            ("é@ann 1@ann", &[]),
            ("(@ann) @@bob @ cat", &["ann", "bob"]),
            ("@zoë", &["zo"]),
            ("@", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<String> = mentions(text).iter().map(Name::to_string).collect();
            assert_eq!(found, expected, "{text:?}");
        }
        assert_eq!(mentions(&format!("@{long}")).len(), 1);
        assert_eq!(mentions(&format!("@{long}x")).len(), 0);
        let crowd: String = (0..60).map(|number| format!("@n{number} ")).collect();
        assert_eq!(mentions(&crowd).len(), 50);
    }
}
