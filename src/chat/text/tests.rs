//! Valid text, by tables: many inputs of each kind, and Unicode's own data for comparison.

use super::*;
use crate::chat::{Field, Refusal, message_text as message};
use crate::fuzz::fuzz;
use crate::limits::MESSAGE_CHARS_MAX;
use unicode_normalization::UnicodeNormalization;

/// Texts decompose as Unicode defines, each character alone and among others.
#[test]
fn decomposition_is_that_of_unicode() {
    for c in '\0'..=char::MAX {
        let text = c.to_string();
        assert_eq!(decompose(&text), text.nfkd().collect::<String>(), "{c:?}");
    }
    for text in
        ["a\u{301}\u{323}b", "\u{1e69}\u{307}", "\u{323}\u{301}", "각\u{301}각", "ﷺ\u{5b0}\u{5ac}"]
    {
        assert_eq!(decompose(text), text.nfkd().collect::<String>(), "{text:?}");
    }
}

/// Folding is Unicode's, except for the dotless i; and texts that were equal in the first versions
/// still are.
#[test]
fn folding_is_that_of_unicode() {
    let unicode = |text: &str| {
        let once: String = caseless::default_case_fold_str(&text.nfkd().collect::<String>());
        let again: String = caseless::default_case_fold_str(&once.nfkd().collect::<String>());
        again.nfkd().collect::<String>()
    };
    let mut other = Vec::new();
    for c in '\0'..=char::MAX {
        let text = c.to_string();
        assert_eq!(fold(&lowered(&text)), fold(&text), "{c:?}");
        assert_eq!(fold(&fold(&text)), fold(&text), "{c:?}");
        // Some fold to capitals (Cherokee): only equality counts.
        let equal = fold(&unicode(&text)) == fold(&text) && unicode(&fold(&text)) == unicode(&text);
        // The standard library and the crate have different versions of Unicode: the newest letters
        // have no case in one of them.
        let caseless = |text: &str| unicode(text) == decompose(text);
        let young = (c.to_lowercase().eq([c]) && c.to_uppercase().eq([c]))
            || (caseless(&text) && caseless(&fold(&text)));
        other.extend((!equal && !young && c != 'ı').then_some(c));
    }
    assert!(other.is_empty(), "{other:?}");
}

#[test]
fn the_same_is_the_same() {
    let same = [
        ("Anne", "aNNE"),
        ("ａｎｎｅ", "anne"),
        ("𝐚𝓷𝔫𝕖", "Anne"),
        ("ⓐnne", "anne"),
        ("José", "Jose\u{301}"),
        ("JOSÉ", "jose\u{301}"),
        ("STRAẞE", "Straße"),
        ("strasse", "Straße"),
        ("ΝΊΚΟΣ", "νίκος"),
        ("νίκοσ", "νίκος"),
        ("ﬁne", "FINE"),
        ("Ǆ", "dž"),
        ("가나", "가나"),
        ("ｶﾞ", "ガ"),
        ("ılk", "ilk"),
        ("K", "k"),
        ("ᏣᎳᎩ", "ꮳꮃꭹ"),
        ("q\u{323}\u{307}", "Q\u{307}\u{323}"),
    ];
    for (one, other) in same {
        assert_eq!(fold(one), fold(other), "{one:?} {other:?}");
    }
    for (one, other) in [("ann", "anne"), ("José", "Jose"), ("елка", "ёлка"), ("ｱ", "あ")]
    {
        assert_ne!(fold(one), fold(other), "{one:?} {other:?}");
    }
}

#[test]
fn look_alikes() {
    let alike = |one: &str, other: &str| {
        let looks = looks(one);
        super::looks(other).iter().any(|look| looks.contains(look))
    };
    let pairs = [
        ("аnne", "anne"),
        ("аnnе", "Anne"),
        ("НЕХА", "hexa"),
        ("НЕХА", "HEXA"),
        ("һеха", "HEXA"),
        ("ΑΝΝΑ", "anna"),
        ("οtto", "otto"),
        ("Οtto", "otto"),
        ("ᎪNNE", "anne"),
        ("ꓮnne", "anne"),
        ("ѕсоре", "scope"),
        ("рaypal", "paypal"),
        ("paypaI", "paypal"),
        ("paypa1", "paypal"),
        ("b0b", "BOB"),
        ("rnary", "mary"),
        ("ıan", "ian"),
        ("𝙰nne", "anne"),
        ("аｎｎｅ", "anne"),
        ("Нина", "Нинa"),
        ("ɑnne", "anne"),
    ];
    for (one, other) in pairs {
        assert!(alike(one, other) && alike(other, one), "{one:?} {other:?}");
    }
    for (one, other) in
        [("bob", "rob"), ("änne", "anne"), ("Нина", "Hanna"), ("名前", "anne"), ("ann", "anne")]
    {
        assert!(!alike(one, other), "{one:?} {other:?}");
    }
}

const HIDDEN: [&str; 34] = [
    "bob\u{fe0f}",
    "bob\u{fe0e}",
    "b\u{fe00}ob",
    "bob\u{e0100}",
    "an\u{ad}ne",
    "\u{61c}bob",
    "bo\u{34f}b",
    "bob\u{200b}",
    "bo\u{200c}b",
    "bo\u{200d}b",
    "\u{200e}bob",
    "\u{202e}bob",
    "\u{2066}bob\u{2069}",
    "\u{feff}bob",
    "bob\u{2060}",
    "bob\u{180e}",
    "bob\u{3164}",
    "bob\u{115f}",
    "bob\u{ffa0}",
    "bob\u{17b4}",
    "bob\u{e0061}\u{e007f}",
    "bob\u{e0001}",
    "bob\u{e000}",
    "bob\u{10fffd}",
    "bob\u{378}",
    "bob\u{fdd0}",
    "bob\u{ffff}",
    "bob\u{fff9}",
    "bob\u{fffc}",
    "bob\u{2800}",
    "bo\0b",
    "bob\u{7f}",
    "bob\u{85}",
    "bob\u{1d173}",
];
const NOTHING: [&str; 14] = [
    "",
    "\u{3164}",
    "\u{2800}",
    "\u{301}",
    "\u{200b}\u{200b}",
    "--",
    "...",
    "—",
    "!?",
    "\u{1f1e9}",
    "~ ~",
    "_",
    "\u{20dd}",
    "‽",
];
const SPACED: [&str; 11] = [
    " bob",
    "bob ",
    "a  b",
    "a\tb",
    "a\nb",
    "Public\u{a0}Chat",
    "a\u{2003}b",
    "a\u{3000}b",
    "a\u{1680}b",
    "a\u{2028}b",
    "a\u{202f}b",
];
const FINE: [&str; 26] = [
    "bob",
    "Zoë the 3rd",
    "Zoe\u{308}",
    "名前",
    "Nguyễn",
    "ไทย",
    "हिन्दी",
    "கவிதா",
    "한국어",
    "مرحبا",
    "שָׁלוֹם",
    "ελληνικά",
    "Ёлка",
    "ᏣᎳᎩ",
    "O'Brien",
    "x_x",
    "bob (away)",
    "Mary Lou",
    "١٢٣",
    "Ⅷ",
    "🦊",
    "Ann 🦊",
    "🇩🇪",
    "👍🏽",
    "e\u{301}\u{302}\u{303}",
    "a…",
];

#[test]
fn what_can_identify() {
    for bad in HIDDEN.iter().chain(&NOTHING).chain(&SPACED) {
        assert!(!identifies(bad) && !is_name(bad), "{bad:?}");
    }
    for bad in &HIDDEN {
        assert!(!identifies(&format!("x{bad}x")), "x{bad:?}x");
    }
    for good in FINE {
        assert!(identifies(good) && is_name(good), "{good:?}");
    }
    for bad in ["e\u{301}\u{301}\u{301}\u{301}", "ab\u{488}\u{489}\u{20dd}\u{20e0}c"] {
        assert!(!identifies(bad), "{bad:?}");
    }
    let posing = [
        "@bob",
        "＠bob",
        "﹫bob",
        "anne: I resign",
        "anne\u{a789} I resign",
        "anne\u{2236} I resign",
        "anne\u{2f8} I resign",
        "anne\u{589} I resign",
        "anne\u{205a} I resign",
        "anne\u{fe30} I resign",
        "anne\u{16ec}I resign",
        "anne：I",
        "a﹕b",
        "a︓b",
        "Shanty",
        "Ѕhanty",
        "hеre",
        "ЅYSТEM",
        "SHANTY",
        "all",
        "everyone",
        "here",
        "channel",
        "admin",
        "System",
        "ⓐⓛⓛ",
        "ａｄｍｉｎ",
        "𝐚𝐥𝐥",
        "ſystem",
    ];
    for bad in posing {
        assert!(!is_name(bad), "{bad:?}");
    }
    for good in ["bob@home", "allan", "hereby", "administration", "owner"] {
        assert!(is_name(good), "{good:?}");
    }
    assert!(identifies("12:30") && identifies("@home") && identifies("all"));
}

#[test]
fn exactly_one_emoji() {
    let fine = [
        ("👍", "👍"),
        ("👍\u{fe0f}", "👍"),
        ("👍\u{fe0e}", "👍"),
        ("❤", "❤\u{fe0f}"),
        ("❤\u{fe0f}", "❤\u{fe0f}"),
        ("❤\u{fe0e}", "❤\u{fe0f}"),
        ("👍🏽", "👍🏽"),
        ("☝\u{fe0f}🏽", "☝🏽"),
        ("☝🏽", "☝🏽"),
        ("☝", "☝\u{fe0f}"),
        ("1⃣", "1\u{fe0f}⃣"),
        ("#\u{fe0f}⃣", "#\u{fe0f}⃣"),
        ("🇩🇪", "🇩🇪"),
        (
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ),
        ("🏳\u{200d}🌈", "🏳\u{fe0f}\u{200d}🌈"),
        ("👩\u{200d}👩\u{200d}👧", "👩\u{200d}👩\u{200d}👧"),
        ("👩🏽\u{200d}🚀", "👩🏽\u{200d}🚀"),
        ("👩🏽\u{200d}❤\u{200d}💋\u{200d}👨🏾", "👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏾"),
        ("🕵🏽\u{200d}♂", "🕵🏽\u{200d}♂\u{fe0f}"),
        ("🕵\u{200d}♂", "🕵\u{fe0f}\u{200d}♂\u{fe0f}"),
        ("🫱🏻\u{200d}🫲🏿", "🫱🏻\u{200d}🫲🏿"),
        ("©", "©\u{fe0f}"),
        ("🏽", "🏽"),
    ];
    for (text, normal) in fine {
        assert_eq!(emoji(text).as_deref(), Some(normal), "{text:?}");
        assert_eq!(emoji(normal).as_deref(), Some(normal), "{text:?}");
    }
    let bad = [
        "",
        " ",
        "👍 ",
        "👍👍",
        "a👍",
        "1",
        "#",
        "*",
        "ok",
        "é",
        "+1",
        "—",
        "\u{301}",
        "\u{200b}",
        "\u{200d}",
        "\u{202e}",
        "\u{2800}",
        "\u{fe0f}",
        "\u{fe0f}👍",
        "👍\u{fe0f}\u{fe0f}",
        "👍\u{200d}",
        "\u{200d}👍",
        "👍\u{200d}👍",
        "👍🏽🏽",
        "🏽🏽",
        "🏽👍",
        "🏻🇩🇪",
        "🍕🏽",
        "🇩",
        "🇩🇪🇫",
        "🇽🇽",
        "🏴\u{e0067}",
        "1\u{fe0f}",
        "❤\u{fe00}",
        "🏴\u{e0067}\u{e0062}",
        "<👍>",
        "👩\u{200d}👩\u{200d}",
        "👍\n",
        "名",
        "☝🏽\u{200d}",
    ];
    for bad in bad {
        assert_eq!(emoji(bad), None, "{bad:?}");
    }
    for one in tables::emoji() {
        assert_eq!(emoji(one).as_deref(), Some(one));
        assert!(one.len() <= crate::limits::EMOJI_BYTES_MAX, "{one}");
    }
}

#[test]
fn what_can_be_said() {
    let say = |text: &str| message(text, MESSAGE_CHARS_MAX);
    let blank = [
        "",
        " ",
        "   ",
        "\n\n",
        "\t",
        "\r\n",
        "\u{200b}",
        "\u{2800}",
        "\0",
        "\u{a0}",
        "\u{3164}",
        "\u{ad}",
        "\u{202e}\u{202c}",
        "\u{feff}",
        "\u{fe0f}",
        "\u{e0041}",
        "\u{2028}",
        "\u{301}",
        "\u{34f}\u{200d}",
        "\u{180e} \u{115f}",
        "\u{7f}",
        "\u{1d159}",
    ];
    for text in blank {
        assert_eq!(say(text), Err(Refusal::Malformed(Field::Message)), "{text:?}");
    }
    let fine = [
        "a",
        ".",
        " a ",
        "—",
        "👍",
        "❤\u{fe0f}",
        "\u{1f1e9}",
        "a\n\tb",
        "\u{10ffff}",
        "e\u{301}",
        "名",
    ];
    for text in fine {
        assert_eq!(say(text).as_deref(), Ok(text), "{text:?}");
    }
    assert_eq!(say("a\r\nb\r\n").as_deref(), Ok("a\nb\n"));
    for c in ('\0'..='\u{9f}').filter(|c| c.is_control() && !matches!(c, '\t' | '\n')) {
        assert_eq!(say(&format!("a{c}b")), Err(Refusal::Malformed(Field::Character)), "{c:?}");
    }
    assert_eq!(message("abc", 2), Err(Refusal::MessageTooLong));
    assert_eq!(message("äö", 2).as_deref(), Ok("äö"));
}

/// For any letters: folding a folded text changes nothing, a valid name has a visible character and
/// no hidden one, and nothing panics.
#[test]
fn texts_at_random() {
    const SEEDS: [&str; 12] = [
        "Zoe\u{301}",
        "\u{430}nne",
        "STRA\u{1e9e}E",
        "\u{ff21}nn",
        "\u{d0c0}\u{c6cc}",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\u{1f1e9}\u{1f1ea}",
        "1\u{fe0f}\u{20e3}",
        "\u{5d0}\u{5b8}",
        "\u{1100}\u{1161}\u{11a8}",
        "@bob, Mary Lou",
        "shanty",
    ];
    const WORDS: [&str; 10] = [
        "\u{300}", "\u{200b}", "\u{202e}", "\u{fe0f}", "\u{3164}", "\u{a0}", "@", ":", "\u{307}",
        " ",
    ];
    fuzz(20_000, |dice| {
        let mut text = dice.text(&SEEDS, &WORDS);
        if let Some(odd) = char::from_u32((dice.roll(0x11_0000)) as u32) {
            text.push(odd);
        }
        let folded = fold(&text);
        assert_eq!(fold(&folded), folded, "{text:?}");
        assert_eq!(decompose(&decompose(&text)), decompose(&text), "{text:?}");
        let _ = looks(&text);
        if is_name(&text) {
            assert!(message(&text, 4_000).is_ok(), "{text:?} shows nothing");
            assert!(text.trim() == text && !text.contains("  "), "{text:?}");
        }
        if let Some(reaction) = emoji(&text) {
            assert_eq!(emoji(&reaction).as_ref(), Some(&reaction), "{text:?}");
        }
    });
}
