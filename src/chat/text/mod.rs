//! Valid text, for every protocol: names, titles, reactions, messages.
//!
//! An identifier must not deceive: two that look the same are the same, it hides no characters, and
//! it does not pose as the server. The rules are those of Unicode (UAX 15, UTS 39, UTS 51), and
//! apply to a text as it is written and to its compatibility form (`：` is a colon). All functions
//! are pure, and take linear time. The types of the core call them, and everybody else through
//! these types.

mod emoji;
pub(super) mod tables;
#[cfg(test)]
mod tests;

pub use emoji::{emoji, without_variations};
pub use tables::{apart, order};

use crate::limits::MARKS_MAX;

/// Names that seem to speak for the server, or to address everybody.
const RESERVED: [&str; 9] = [
    "shanty",
    "system",
    "admin",
    "administrator",
    "all",
    "everyone",
    "everybody",
    "here",
    "channel",
];

/// Whether a text is a valid name.
pub(super) fn is_name(text: &str) -> bool {
    if !identifies(text) {
        return false;
    }
    let folded = fold(text);
    let posing =
        folded.starts_with('@') || [text, &folded].iter().any(|t| t.contains(tables::is_colon));
    !posing && !RESERVED.contains(&&*folded) && !looks_reserved(text)
}

/// Whether a text looks like a reserved word. (ASCII is read as it is.)
fn looks_reserved(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let shown = looks(text);
    let alike = |word: &str| shown.iter().any(|look| look == word || looks(word).contains(look));
    RESERVED.iter().any(|word| alike(word))
}

/// Whether a text is a valid identifier.
pub(super) fn identifies(text: &str) -> bool {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return !text.is_empty(); // The fast path for most of them.
    }
    let apart = decompose(text);
    let hidden = |text: &str| text.chars().any(tables::is_hidden);
    let spaced = |text: &str| {
        let odd = text.chars().any(|c| c != ' ' && c.is_whitespace());
        !odd && text.split(' ').all(|word| !word.is_empty())
    };
    let solid = |c: char| c.is_alphanumeric() && !tables::is_mark(c);
    !hidden(text)
        && !hidden(&apart)
        && spaced(text)
        && spaced(&apart)
        && marks_in_a_row(text) <= MARKS_MAX
        && (apart.chars().any(solid) || emoji::has_emoji(text))
}

fn marks_in_a_row(text: &str) -> usize {
    let step = |(longest, here): (usize, usize), c| {
        let here = if tables::is_mark(c) { here + 1 } else { 0 };
        (longest.max(here), here)
    };
    text.chars().fold((0, 0), step).0
}

/// The key of equal texts: NFKC and full case folding (in decomposed form, which is equivalent).
/// The dotless i is an i.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase(); // The same, faster.
    }
    // By way of the capitals, so that all forms of one letter (σ and ς, ß and ẞ) are equal.
    let cased = |c: char| c.to_lowercase().flat_map(char::to_uppercase);
    let cased = |text: &str| text.chars().flat_map(cased).flat_map(char::to_lowercase).collect();
    let cased: String = cased(&decompose(text));
    decompose(&cased)
}

/// The keys of similar texts: the skeletons of UTS 39, of the text itself and of the folded one.
/// Texts with a common skeleton are look-alikes.
pub fn looks(text: &str) -> [String; 2] {
    [fold(&skeleton(&decompose(text))), fold(&skeleton(&fold(text)))]
}

fn skeleton(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for c in text.chars() {
        match tables::alike(c) {
            Some(like) => whole.push_str(like),
            None => whole.push(c),
        }
    }
    whole
}

/// Decomposes a text into letters and marks, in canonical order (NFKD, UAX 15).
pub fn decompose(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut chars: Vec<char> = Vec::with_capacity(text.len());
    for c in text.chars() {
        match (c, tables::apart(c)) {
            ('\u{ac00}'..='\u{d7a3}', _) => syllable(c, &mut chars),
            (_, Some(parts)) => chars.extend(parts.chars()),
            (_, None) => chars.push(c),
        }
    }
    // A stable sort of each run of marks.
    for run in chars.chunk_by_mut(|_, next| tables::order(*next) != 0) {
        let marks = usize::from(tables::order(run[0]) == 0);
        run[marks..].sort_by_key(|c| tables::order(*c));
    }
    chars.into_iter().collect()
}

/// A syllable of Hangul (The Unicode Standard, section 3.12).
fn syllable(c: char, into: &mut Vec<char>) {
    let index = u32::from(c) - 0xac00;
    let parts = [0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11a7 + index % 28];
    let last = usize::from(index % 28 != 0);
    into.extend(parts[..2 + last].iter().filter_map(|part| char::from_u32(*part)));
}

/// The case folding of the first versions, letter by letter. The tables beside the log keep items
/// unique by it, so that a log is always applied as it was when it was written: it must not change.
/// Texts that are equal by it are equal by [`fold`], too, as a test shows.
pub(super) fn lowered(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
