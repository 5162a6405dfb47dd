//! Lookups in the tables of Unicode, which `build/unicode.rs` has made when the program was built.
//! Where the standard library has a table of its own (letters, case, spaces), that is used.

include!(concat!(env!("OUT_DIR"), "/unicode.rs"));

/// Characters that are shown as nothing though they are neither spaces nor to be ignored: an empty
/// pattern of Braille, blanks of hieroglyphs, a head of a note without one, a place for an object.
const BLANK: [char; 6] =
    ['\u{2800}', '\u{13441}', '\u{13442}', '\u{16fe4}', '\u{1d159}', '\u{fffc}'];

/// Whether a character has no place in what identifies somebody or something: it cannot be seen,
/// turns the text around it, means something only to some, or is none.
pub(super) fn is_hidden(c: char) -> bool {
    !c.is_ascii_graphic() && (within(&HIDDEN, c) || BLANK.contains(&c))
}

/// Whether a character of a message shows something. Those that are nobody's yet do: an emoji of
/// next year is shown by those who know it.
pub(in crate::chat) fn is_visible(c: char) -> bool {
    let blank = c.is_whitespace() || c.is_control() || BLANK.contains(&c);
    c.is_ascii_graphic() || !(blank || is_mark(c) || within(&IGNORABLE, c))
}

/// Whether a character stands on, under or in the one before it.
pub(in crate::chat) fn is_mark(c: char) -> bool {
    !c.is_ascii() && within(&MARKS, c)
}

/// By what marks that follow each other are sorted; 0: they are not.
pub fn order(c: char) -> u8 {
    if c < '\u{300}' {
        return 0;
    }
    let found = ORDERS.binary_search_by(|(from, to, _)| compare(*from, *to, c));
    found.map_or(0, |at| ORDERS[at].2)
}

/// What a character is made of, where that are others (NFKD), but for syllables of Hangul.
pub fn apart(c: char) -> Option<&'static str> {
    find(c, &APART_KEYS, &APART_PLACES, &APART_LENGTHS, APART_POOL)
}

/// What a character is easily taken for (UTS 39), where that is another.
pub(super) fn alike(c: char) -> Option<&'static str> {
    find(c, &ALIKE_KEYS, &ALIKE_PLACES, &ALIKE_LENGTHS, ALIKE_POOL)
}

/// Every emoji as it is best shown, without tones of skin.
pub(super) fn emoji() -> impl Iterator<Item = &'static str> {
    EMOJI.split(' ').filter(|one| !one.is_empty())
}

/// Whether a tone of skin may follow.
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
