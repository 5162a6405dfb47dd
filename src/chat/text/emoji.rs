//! Reactions: exactly one emoji (UTS 51), in one spelling.

use super::tables;

const TONES: std::ops::RangeInclusive<char> = '\u{1f3fb}'..='\u{1f3ff}';

/// The normal form of exactly one emoji: its best presentation, with whichever variation selectors
/// it came. `None`: the text is not one emoji.
pub fn emoji(text: &str) -> Option<String> {
    let bare = bare(text)?;
    let plain = untoned(&bare)?;
    // The list contains a skin tone alone as it is.
    let (wanted, toned) = if plain.is_empty() { (&bare, false) } else { (&plain, plain != bare) };
    let listed = tables::emoji().find(|emoji| same(emoji, wanted))?;
    Some(if toned { with_tones(listed, &bare) } else { listed.to_owned() })
}

/// Whether a text without variation selectors contains an emoji that needs no joiner.
pub(super) fn has_emoji(text: &str) -> bool {
    let chars: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
    tables::emoji().any(|listed| {
        let base = || listed.chars().filter(|c| !is_variation(*c));
        let count = base().count();
        base().next().is_some_and(|first| chars.contains(&first))
            && chars.windows(count).any(|part| base().eq(part.iter().copied()))
    })
}

/// Without the characters that only change the presentation of the one before.
pub fn without_variations(text: &str) -> String {
    text.chars().filter(|c| !is_variation(*c)).collect()
}

fn is_variation(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Without variation selectors. `None`: a selector has nothing to vary, or there are two.
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

/// Without skin tones. `None`: a tone follows a character without skin, or another tone; or comes
/// first and is not the whole text.
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

/// Restores the skin tones. A character with a tone is an emoji already and needs no selector.
fn with_tones(listed: &str, bare: &str) -> String {
    let mut whole = String::new();
    let mut listed = listed.chars().peekable();
    for c in bare.chars() {
        if TONES.contains(&c) {
            whole.push(c);
            listed.next_if(|c| is_variation(*c));
            continue;
        }
        // What belongs to the previous character comes first.
        whole.extend(listed.next_if(|c| is_variation(*c)));
        whole.push(c);
        listed.next();
    }
    whole.extend(listed);
    whole
}
