//! What can be said.

use crate::chat::text;
use crate::chat::vocabulary::{Field, Refusal};

/// What is wrong with a text that somebody wants to say, and what is said if nothing is: line ends
/// are those of Unix.
///
/// # Errors
/// [`Refusal::MessageTooLong`] beyond `chars_max`; [`Refusal::Malformed`] with [`Field::Message`]
/// where nothing in it can be seen, with [`Field::Character`] where there are control characters.
pub fn message_text(text: &str, chars_max: usize) -> Result<Box<str>, Refusal> {
    let text = if text.contains('\r') { text.replace("\r\n", "\n") } else { text.to_owned() };
    if text.chars().count() > chars_max {
        return Err(Refusal::MessageTooLong);
    }
    if !text.chars().any(text::tables::is_visible) {
        return Err(Refusal::Malformed(Field::Message));
    }
    // They are orders to a terminal, and `curl` shows them to one.
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n')) {
        return Err(Refusal::Malformed(Field::Character));
    }
    Ok(text.into())
}
