//! Text as search sees it: without case and marks, in every script, cut into the words of the
//! index. The same for messages, for queries, and for snippets.
//!
//! A word is what stands between spaces and signs. Scripts that are written without spaces (Han,
//! Kana, Thai), or whose words carry endings (Hangul), are found anywhere: for `北京市` the index has
//! the pairs `北京` and `京市`, one after the other, and each letter by itself.
//!
//! Folding takes time linear in the length of the text.

use std::ops::Range;

use crate::chat::text::{apart, order};
use crate::limits::WORD_CHARS_MAX;

/// A text, cut into words.
#[derive(Default)]
pub(super) struct Words {
    /// All words, each followed by a space.
    letters: String,
    places: Vec<Place>,
    /// Letters that are found by themselves, each with its position.
    pub letters_apart: Vec<(char, usize)>,
    /// The current word: folded characters, each with the position of the character it comes from.
    run: Vec<(char, usize)>,
    script: Script,
}

/// A word of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    /// The position in the text of its first character.
    pub at: usize,
    /// A letter of a script without spaces, with none beside it.
    pub alone: bool,
}

struct Place {
    letters: Range<usize>,
    at: usize,
    alone: bool,
}

/// What separates or groups characters.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Script {
    /// Between words.
    #[default]
    None,
    Spaced,
    Unspaced,
}

impl Words {
    pub fn of(text: &str) -> Words {
        let mut words = Words::default();
        for (at, c) in text.chars().enumerate() {
            fold(c, |folded| words.push(folded, at));
        }
        words.cut();
        words
    }

    /// All words, each followed by a space, as the index takes them.
    pub fn text(&self) -> &str {
        &self.letters
    }

    /// Each word, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Word<'_>> + Clone {
        self.places.iter().map(|Place { letters, at, alone }| Word {
            text: &self.letters[letters.clone()],
            at: *at,
            alone: *alone,
        })
    }

    fn push(&mut self, c: char, at: usize) {
        if let Some((last, _)) = self.run.last_mut()
            && let Some(joined) = join(*last, c)
        {
            *last = joined;
            return;
        }
        if is_passed_over(c) {
            return;
        }
        let script = match c {
            _ if is_unspaced(c) => Script::Unspaced,
            _ if c.is_alphanumeric() => Script::Spaced,
            // A mark that is more than an accent (the vowels of India) belongs to its base.
            _ if order(c) > 0 => self.script,
            _ => Script::None,
        };
        if script != self.script {
            self.cut();
            self.script = script;
        }
        if script != Script::None {
            self.run.push((c, at));
        }
    }

    /// Ends the current word.
    fn cut(&mut self) {
        let run = std::mem::take(&mut self.run);
        match self.script {
            Script::None => {}
            Script::Spaced => self.word(&run[..run.len().min(WORD_CHARS_MAX)]),
            Script::Unspaced => {
                self.letters_apart.extend(&run);
                run.windows(run.len().min(2)).for_each(|pair| self.word(pair));
            }
        }
        self.run = run;
        self.run.clear();
        self.script = Script::None;
    }

    fn word(&mut self, run: &[(char, usize)]) {
        let Some((_, at)) = run.first() else { return };
        let start = self.letters.len();
        self.letters.extend(run.iter().map(|(c, _)| c));
        let alone = self.script == Script::Unspaced && run.len() == 1;
        self.places.push(Place { letters: start..self.letters.len(), at: *at, alone });
        self.letters.push(' ');
    }
}

/// The letters of a name, without what is between them.
pub(super) fn name(name: &str) -> String {
    let mut letters = String::new();
    for c in name.chars() {
        fold(c, |c| letters.extend(Some(c).filter(|c| c.is_alphanumeric())));
    }
    letters
}

/// One character without its case and its marks, however it is composed.
fn fold(c: char, mut emit: impl FnMut(char)) {
    match c {
        '\0'..='\x7f' => emit(c.to_ascii_lowercase()),
        // Whole syllables, and kana with their voice mark.
        '가'..='힣' | '\u{3040}'..='\u{30ff}' => emit(c),
        // Marks go first: only then `İ` is an `i`. Then full case folding, also where the standard
        // library has none: ẞ and ß are ss, ς and Σ are σ, ı and I are i.
        _ => {
            let mut cased = |c: char| {
                let upper = c.to_lowercase().flat_map(char::to_uppercase);
                upper.flat_map(char::to_lowercase).for_each(&mut emit);
            };
            match apart(c) {
                Some(parts) => parts.chars().for_each(cased),
                None => cased(c),
            }
        }
    }
}

/// Marks that do not make another word, and invisible characters.
fn is_passed_over(c: char) -> bool {
    match c {
        '\0'..='\u{ac}' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{640}' | '\u{180b}'..='\u{180f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}' => true,
        // Canonical combining classes: 0 is no mark, or one that takes room (a vowel of
        // Devanagari); 9 is a virama; the others below are vowels of Thai, Lao, Telugu and Tibetan,
        // and readings.
        _ => !matches!(order(c), 0 | 6 | 9 | 84 | 91 | 103 | 118 | 129 | 130 | 132),
    }
}

/// Scripts in which a word is found inside a longer run of letters.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}'
        | '\u{3040}'..='\u{318f}' | '\u{31a0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{a4cf}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}' | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
        && (c.is_alphanumeric() || order(c) > 0)
}

/// Composes two characters: a syllable of Hangul (The Unicode Standard, section 3.12), or kana with
/// a voice mark, as some systems write them.
fn join(first: char, second: char) -> Option<char> {
    let (one, two) = (u32::from(first), u32::from(second));
    let joined = match (one, two) {
        (0x1100..=0x1112, 0x1161..=0x1175) => 0xac00 + ((one - 0x1100) * 21 + (two - 0x1161)) * 28,
        (0xac00..=0xd7a3, 0x11a8..=0x11c2) if (one - 0xac00).is_multiple_of(28) => {
            one + (two - 0x11a7)
        }
        (0x3040..=0x30ff, 0x3099 | 0x309a) => {
            let by = two - 0x3098;
            match one - if one >= 0x30a0 { 0x60 } else { 0 } {
                0x3046 if by == 1 => one + 0x4e,
                base @ 0x304b..=0x3061 if base % 2 == 1 && by == 1 => one + 1,
                0x3064 | 0x3066 | 0x3068 if by == 1 => one + 1,
                0x306f | 0x3072 | 0x3075 | 0x3078 | 0x307b => one + by,
                _ => return None,
            }
        }
        _ => return None,
    };
    char::from_u32(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        Words::of(text).iter().map(|word| word.text.to_owned()).collect()
    }

    #[test]
    fn the_same_word_is_the_same() {
        for same in [
            &["ёлка", "Ёлка", "елка", "е\u{308}лка", "ЕЛКА"][..],
            &["ΕΛΛΆΣ", "ελλάς", "Ελλας", "ελλασ"],
            &["Straße", "STRASSE", "STRAẞE", "ｓｔｒａｓｓｅ"],
            &["résumé", "re\u{301}sume\u{301}", "RESUME", "resu\u{ad}me", "re\u{200b}sume"],
            &["İstanbul", "istanbul", "ISTANBUL", "ıstanbul"],
            &["שָׁלוֹם", "שלום"],
            &["مُحَمَّد", "محمد", "محـــمد"],
            &["أحمد", "احمد"],
            &["Việt", "VIET"],
            &["ﬁle", "FILE"],
            &["x²", "x2"],
        ] {
            let all: Vec<Vec<String>> = same.iter().map(|text| cut(text)).collect();
            assert!(all.iter().all(|one| *one == all[0] && one.len() == 1), "{all:?}");
        }
        let unspaced = [
            ["タワー", "ﾀﾜｰ"],
            ["ガギ", "カ\u{3099}キ\u{3099}"],
            ["パ", "ﾊﾟ"],
            ["ぱぴ", "は\u{309a}ひ\u{309a}"],
            ["ヴ", "ウ\u{3099}"],
            ["검색", "\u{1100}\u{1165}\u{11b7}\u{1109}\u{1162}\u{11a8}"],
            ["น้ำ", "น\u{e4d}\u{e49}า"],
        ];
        for [one, other] in unspaced {
            assert_eq!(cut(one), cut(other));
        }
        assert_ne!(cut("カ"), cut("ガ"));
    }

    #[test]
    fn words_are_cut_where_their_script_does() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &[]),
            (" ...👍 ", &[]),
            ("quick-brown fox's", &["quick", "brown", "fox", "s"]),
            ("a_b @ann #7 3.14", &["a", "b", "ann", "7", "3", "14"]),
            ("北京市", &["北京", "京市"]),
            ("去 北京", &["去", "北京"]),
            ("iPhone手机壳2个", &["iphone", "手机", "机壳", "2", "个"]),
            ("東京タワー", &["東京", "京タ", "タワ", "ワー"]),
            ("검색을", &["검색", "색을"]),
            ("ภาษา", &["ภา", "าษ", "ษา"]),
            ("किताब", &["किताब"]),
            ("हिन्दी में", &["हिन्दी", "में"]),
        ];
        for (text, words) in cases {
            assert_eq!(cut(text), words, "{text}");
        }
        let words = Words::of("去 北京");
        assert_eq!(words.letters_apart, [('去', 0), ('北', 2), ('京', 3)]);
        let places: Vec<(usize, bool)> = words.iter().map(|word| (word.at, word.alone)).collect();
        assert_eq!(places, [(0, true), (2, false)]);
        assert_eq!(cut(&"x".repeat(9_000)), ["x".repeat(WORD_CHARS_MAX)]);
        assert_eq!(name("Mary-Lou Ä"), "marylou a".replace(' ', ""));
    }
}
