//! The Unicode tables that the core needs to check names, titles and reactions, as small as
//! possible: ranges, and maps from a character to a text in one common pool. The crates' full
//! tables would add some 600 KB to the binary; this is a tenth of that.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory};

const VARIATIONS: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];
const TONES: std::ops::RangeInclusive<char> = '\u{1f3fb}'..='\u{1f3ff}';

/// The tables, as Rust source.
pub fn tables() -> String {
    let mut out = String::new();
    let hidden = |c: char| {
        use Category::*;
        let odd = matches!(
            c.general_category(),
            Control
                | Format
                | PrivateUse
                | Surrogate
                | Unassigned
                | LineSeparator
                | ParagraphSeparator
        );
        odd || is_ignorable(c)
    };
    let mark = |c: char| {
        use Category::*;
        matches!(c.general_category(), NonspacingMark | SpacingMark | EnclosingMark)
    };
    let format = |c: char| c.general_category() == Category::Format || is_ignorable(c);
    ranges(&mut out, "HIDDEN", hidden);
    ranges(&mut out, "IGNORABLE", format);
    ranges(&mut out, "MARKS", mark);
    let colon = |c: char| {
        c != ':' && unicode_security::confusable_detection::skeleton(&c.to_string()).eq([':'])
    };
    ranges(&mut out, "COLONS", colon);
    orders(&mut out);
    // A rule decomposes syllables of Hangul.
    let hangul = '\u{ac00}'..='\u{d7a3}';
    let apart = |c: char| {
        let apart: String = std::iter::once(c).nfkd().collect();
        (!hangul.contains(&c) && apart != c.to_string()).then_some(apart)
    };
    map(&mut out, "APART", apart);
    map(&mut out, "ALIKE", alike);
    emoji(&mut out);
    out
}

/// Default_Ignorable_Code_Point, as far as it is not `Cf` (Unicode's PropList.txt and UAX 44).
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{2065}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The character or text that `c` looks like, if another (UTS 39, section 4): for Latin, Greek and
/// Cyrillic, and for everything that looks like ASCII. Without compatibility decompositions.
fn alike(c: char) -> Option<String> {
    let one = c.to_string();
    // Decomposed first, so such a character never gets here.
    if std::iter::once(c).nfkd().ne([c]) {
        return None;
    }
    let like: String = unicode_security::confusable_detection::skeleton(&one).collect();
    let like: String = like.nfkd().collect();
    let ours = matches!(c, '\0'..='\u{24f}' | '\u{250}'..='\u{2af}' | '\u{370}'..='\u{52f}'
        | '\u{1c80}'..='\u{1c8f}' | '\u{1d00}'..='\u{1dbf}' | '\u{1e00}'..='\u{1fff}'
        | '\u{2c60}'..='\u{2c7f}' | '\u{2de0}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}'
        | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}');
    let wanted = c.is_alphanumeric() && (ours || like.is_ascii());
    (wanted && like != one && !like.is_empty()).then_some(like)
}

/// All characters, without the surrogates.
fn all() -> impl Iterator<Item = char> {
    '\0'..=char::MAX
}

fn ranges(out: &mut String, name: &str, is: impl Fn(char) -> bool) {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for c in all().filter(|c| is(*c)).map(u32::from) {
        match found.last_mut() {
            // A range may span the surrogates: no character lies between.
            Some((_, end)) if *end + 1 == c || (*end, c) == (0xd7ff, 0xe000) => *end = c,
            _ => found.push((c, c)),
        }
    }
    let _ = writeln!(out, "static {name}: [(u32, u32); {}] = {found:?};", found.len());
}

/// Marks whose order does not matter, each with its combining class for sorting.
fn orders(out: &mut String) {
    let mut found: Vec<(u32, u32, u8)> = Vec::new();
    for c in all() {
        let (class, c) = (canonical_combining_class(c), u32::from(c));
        match found.last_mut() {
            _ if class == 0 => {}
            Some((_, end, same)) if *end + 1 == c && *same == class => *end = c,
            _ => found.push((c, c, class)),
        }
    }
    let _ = writeln!(out, "static ORDERS: [(u32, u32, u8); {}] = {found:?};", found.len());
}

/// A map from characters to texts: `(character, offset in the pool, length)`, sorted, as separate
/// arrays so that nothing is padded.
fn map(out: &mut String, name: &str, becomes: impl Fn(char) -> Option<String>) {
    let found: BTreeMap<char, String> = all().filter_map(|c| Some((c, becomes(c)?))).collect();
    let mut texts: Vec<&String> = found.values().collect();
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let mut pool = String::new();
    for text in texts {
        if !pool.contains(text.as_str()) {
            pool.push_str(text);
        }
    }
    assert!(pool.len() < 1 << 16, "{name}: an offset has 16 bits");
    let place = |text: &String| pool.find(text.as_str()).expect("it is in the pool");
    let keys: Vec<u32> = found.keys().map(|c| u32::from(*c)).collect();
    let places: Vec<usize> = found.values().map(place).collect();
    let lengths: Vec<usize> = found.values().map(String::len).collect();
    let count = found.len();
    let _ = writeln!(out, "static {name}_KEYS: [u32; {count}] = {keys:?};");
    let _ = writeln!(out, "static {name}_PLACES: [u16; {count}] = {places:?};");
    let _ = writeln!(out, "static {name}_LENGTHS: [u8; {count}] = {lengths:?};");
    let _ = writeln!(out, "static {name}_POOL: &str = {pool:?};");
}

/// Every emoji for interchange, in its best form without skin tones, each between two spaces; and
/// the characters that a skin tone may follow.
fn emoji(out: &mut String) {
    let (mut list, mut toned) = (Vec::new(), Vec::new());
    for base in emojis::iter() {
        list.push(base.as_str().to_owned());
        for one in base.skin_tones().into_iter().flatten() {
            let chars: Vec<char> = one.as_str().chars().collect();
            let bases = chars.windows(2).filter(|pair| TONES.contains(&pair[1]));
            toned.extend(bases.map(|pair| pair[0]));
            let plain: String = chars.iter().filter(|c| !TONES.contains(c)).collect();
            let bare = |text: &str| text.replace(VARIATIONS, "");
            if !list.iter().any(|known| bare(known) == bare(&plain)) {
                list.push(plain);
            }
        }
    }
    list.extend(TONES.map(String::from));
    toned.sort_unstable();
    toned.dedup();
    let toned: String = toned.into_iter().collect();
    let _ = writeln!(out, "static EMOJI: &str = {:?};", format!(" {} ", list.join(" ")));
    let _ = writeln!(out, "static TONED: &str = {toned:?};");
}
