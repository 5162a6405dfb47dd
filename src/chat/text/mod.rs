//! What text may be, for every protocol: names, titles, reactions, and what is said.
//!
//! What identifies must not deceive: two that look the same are the same, nothing is hidden in it,
//! and none poses as the server. The rules are those of Unicode (UAX 15, UTS 39, UTS 51), and hold
//! for a text as it is written and for what it stands for (`：` is a colon). All of it is pure, and
//! takes time in proportion to the text. Called by the types of the core, and through them by
//! everybody.

mod emoji;
pub(super) mod tables;
#[cfg(test)]
mod tests;

pub use emoji::{emoji, without_variations};
pub use tables::{apart, order};

use crate::limits::MARKS_MAX;

/// Names that would seem to speak for the server, or to call everybody.
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

/// Whether a text can be what somebody is called.
pub(super) fn is_name(text: &str) -> bool {
    if !identifies(text) {
        return false;
    }
    let folded = fold(text);
    let posing = folded.starts_with('@') || folded.contains(':');
    !posing && !RESERVED.contains(&&*folded) && !looks_reserved(text)
}

/// Whether a text looks like a reserved word. (What is ASCII is read as what it is.)
fn looks_reserved(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let shown = looks(text);
    let alike = |word: &str| shown.iter().any(|look| look == word || looks(word).contains(look));
    RESERVED.iter().any(|word| alike(word))
}

/// Whether a text can identify anything at all.
pub(super) fn identifies(text: &str) -> bool {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return !text.is_empty(); // Most of them, sooner.
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

/// By what two texts are the same: NFKC and full case folding (in decomposed form, which comes to
/// the same). The dotless i is an i.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase(); // The same, sooner.
    }
    // By way of the capitals, so that all forms of one letter (σ and ς, ß and ẞ) are one.
    let cased = |c: char| c.to_lowercase().flat_map(char::to_uppercase);
    let cased = |text: &str| text.chars().flat_map(cased).flat_map(char::to_lowercase).collect();
    let cased: String = cased(&decompose(text));
    decompose(&cased)
}

/// By what two texts look the same: the skeletons of UTS 39, of the text as it is and of the folded
/// one. Texts that have one of them in common are look-alikes.
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

/// Takes a text apart into letters and marks, in their one order (NFKD, UAX 15).
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
    // A sort that leaves equals in their order, of each run of marks.
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

/// The case folding of the first versions, letter by letter. What lasts is unique by it in the
/// tables beside the log, so that a log is carried out as it was when it was written: it must not
/// change. What is one by it is one by [`fold`], too, as a test shows.
pub(super) fn lowered(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
