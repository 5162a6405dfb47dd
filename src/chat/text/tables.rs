//! Lookups in the Unicode tables that `build/unicode.rs` generates at build time. The standard
//! library's own tables (letters, case, spaces) are used where they exist.

include!(concat!(env!("OUT_DIR"), "/unicode.rs"));

/// Characters that are shown as nothing though they are neither spaces nor ignorable: an empty
/// pattern of Braille, blanks of hieroglyphs, a note head without a note, a placeholder of an
/// object.
const BLANK: [char; 6] =
    ['\u{2800}', '\u{13441}', '\u{13442}', '\u{16fe4}', '\u{1d159}', '\u{fffc}'];

/// Whether an identifier must not contain a character: it is invisible, changes the direction of
/// the text, has a private meaning, or is unassigned.
pub(super) fn is_hidden(c: char) -> bool {
    !c.is_ascii_graphic() && (within(&HIDDEN, c) || BLANK.contains(&c))
}

/// Whether a character of a message is visible. Unassigned characters are: a client that knows next
/// year's emoji shows it.
pub(in crate::chat) fn is_visible(c: char) -> bool {
    let blank = c.is_whitespace() || c.is_control() || BLANK.contains(&c);
    c.is_ascii_graphic() || !(blank || is_mark(c) || within(&IGNORABLE, c))
}

/// Whether a character stands on, under or in the one before it.
pub(in crate::chat) fn is_mark(c: char) -> bool {
    !c.is_ascii() && within(&MARKS, c)
}

/// Whether it is a colon, or looks like one (UTS 39).
pub(super) fn is_colon(c: char) -> bool {
    c == ':' || !c.is_ascii() && within(&COLONS, c)
}

/// The combining class, by which a run of marks is sorted; 0: not sorted.
pub fn order(c: char) -> u8 {
    if c < '\u{300}' {
        return 0;
    }
    let found = ORDERS.binary_search_by(|(from, to, _)| compare(*from, *to, c));
    found.map_or(0, |at| ORDERS[at].2)
}

/// The compatibility decomposition of a character (NFKD), if it has one; not for Hangul syllables.
pub fn apart(c: char) -> Option<&'static str> {
    find(c, &APART_KEYS, &APART_PLACES, &APART_LENGTHS, APART_POOL)
}

/// The character with which a character is easily confused (UTS 39), if there is one.
pub(super) fn alike(c: char) -> Option<&'static str> {
    find(c, &ALIKE_KEYS, &ALIKE_PLACES, &ALIKE_LENGTHS, ALIKE_POOL)
}

/// Every emoji in its best presentation, without skin tones.
pub(super) fn emoji() -> impl Iterator<Item = &'static str> {
    EMOJI.split(' ').filter(|emoji| !emoji.is_empty())
}

/// Whether a skin tone may follow.
pub(super) fn takes_tone(c: char) -> bool {
    TONED.contains(c)
}

fn within(ranges: &[(u32, u32)], c: char) -> bool {
    ranges.binary_search_by(|(from, to)| compare(*from, *to, c)).is_ok()
}

fn compare(from: u32, to: u32, c: char) -> std::cmp::Ordering {
    let c = u32::from(c);
    if to < c {
        std::cmp::Ordering::Less
    } else if from > c {
        std::cmp::Ordering::Greater
    } else {
        std::cmp::Ordering::Equal
    }
}

fn find(
    c: char,
    keys: &[u32],
    places: &[u16],
    lengths: &[u8],
    pool: &'static str,
) -> Option<&'static str> {
    let at = keys.binary_search(&u32::from(c)).ok()?;
    let from = usize::from(places[at]);
    pool.get(from..from + usize::from(lengths[at]))
}
