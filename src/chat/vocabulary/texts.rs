//! Valid messages.

use crate::chat::text;
use crate::chat::vocabulary::{Field, Refusal};

/// Validates the text of a message, and normalises line ends to those of Unix.
///
/// # Errors
/// [`Refusal::MessageTooLong`] beyond `chars_max`; [`Refusal::Malformed`] with [`Field::Message`]
/// if nothing in it is visible, with [`Field::Character`] if it contains control characters.
pub fn message_text(text: &str, chars_max: usize) -> Result<Box<str>, Refusal> {
    let text = if text.contains('\r') { text.replace("\r\n", "\n") } else { text.to_owned() };
    if text.chars().count() > chars_max {
        return Err(Refusal::MessageTooLong);
    }
    if !text.chars().any(text::tables::is_visible) {
        return Err(Refusal::Malformed(Field::Message));
    }
    // Control characters command a terminal, and `curl` prints messages to one.
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n')) {
        return Err(Refusal::Malformed(Field::Character));
    }
    Ok(text.into())
}
