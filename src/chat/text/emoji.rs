//! Signs that one puts on a message: exactly one emoji (UTS 51), in one spelling.

use super::tables;

const TONES: std::ops::RangeInclusive<char> = '\u{1f3fb}'..='\u{1f3ff}';

/// The normal form of exactly one emoji: as it is best shown, whichever variation selectors it came
/// with. `None`: it is something else.
pub fn emoji(text: &str) -> Option<String> {
    let bare = bare(text)?;
    let plain = untoned(&bare)?;
    // A tone alone is listed as it is.
    let (wanted, toned) = if plain.is_empty() { (&bare, false) } else { (&plain, plain != bare) };
    let listed = tables::emoji().find(|one| same(one, wanted))?;
    Some(if toned { with_tones(listed, &bare) } else { listed.to_owned() })
}

/// Whether some emoji that needs no joiner is a part of a text without variation selectors.
pub(super) fn has_emoji(text: &str) -> bool {
    let chars: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
    tables::emoji().any(|listed| {
        let one = || listed.chars().filter(|c| !is_variation(*c));
        let count = one().count();
        one().next().is_some_and(|first| chars.contains(&first))
            && chars.windows(count).any(|part| one().eq(part.iter().copied()))
    })
}

/// Without the characters that only say how the one before is drawn.
pub fn without_variations(text: &str) -> String {
    text.chars().filter(|c| !is_variation(*c)).collect()
}

fn is_variation(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Without variation selectors. `None`: one has nothing to vary, or there are two.
fn bare(text: &str) -> Option<String> {
    let mut before = None;
    for c in text.chars() {
        if is_variation(c) && before.is_none_or(is_variation) {
            return None;
        }
        before = Some(c);
    }
    Some(without_variations(text))
}

fn same(listed: &str, bare: &str) -> bool {
    listed.chars().filter(|c| !is_variation(*c)).eq(bare.chars())
}

/// Without tones of skin. `None`: one follows what has no skin, or another tone; or comes first,
/// and is not all there is.
fn untoned(bare: &str) -> Option<String> {
    let mut before = None;
    for c in bare.chars() {
        let fits = before.map_or(bare.len() == c.len_utf8(), tables::takes_tone);
        if TONES.contains(&c) && !fits {
            return None;
        }
        before = Some(c);
    }
    Some(bare.chars().filter(|c| !TONES.contains(c)).collect())
}

/// Puts the tones back. A character with a tone is an emoji already and needs no selector.
fn with_tones(listed: &str, bare: &str) -> String {
    let mut whole = String::new();
    let mut listed = listed.chars().peekable();
    for c in bare.chars() {
        if TONES.contains(&c) {
            whole.push(c);
            listed.next_if(|c| is_variation(*c));
            continue;
        }
        // What belongs to the character before comes first.
        whole.extend(listed.next_if(|c| is_variation(*c)));
        whole.push(c);
        listed.next();
    }
    whole.extend(listed);
    whole
}
