//! Mentions: the longest existing name right after an `@`, unless a longer word begins with it.
//! Code, URLs and e-mail addresses contain no mentions. A name with spaces is mentioned as it is
//! (`@Mary Lou`).
//!
//! The page marks names by the same rule: both pass `tests/texts.json`. The page's parser defines
//! code and URLs (`src/protocol/web/markdown.js`); this file parses a text as that does, without
//! what only changes the drawing. The core calls it when a message is sent: then it knows the
//! existing names, and the entry stores the mentioned accounts. (Old exports do not store them, so
//! the import calls it, too.)

use std::collections::HashMap;

use crate::chat::text::{self, tables};
use crate::limits::{MENTION_PLACES_MAX, MENTIONS_MAX, NAME_CHARS_MAX};

/// Nested quotes up to this depth.
const DEPTH_MAX: usize = 6;
/// The indentation of a quote, of fenced code, or of the first item of a list.
const SPACES_MAX: usize = 3;
/// The indentation of an item below another.
const NESTED_SPACES_MAX: usize = 24;
/// Characters of a link's label, and of its address.
const LABEL_CHARS_MAX: usize = 500;
/// See [`LABEL_CHARS_MAX`].
const ADDRESS_CHARS_MAX: usize = 2_000;

/// The mentioned accounts, each once, in the order of their first mentions. `find` returns the
/// account of a folded name.
pub fn called<I: PartialEq>(text: &str, find: impl Fn(&str) -> Option<I>) -> Vec<I> {
    let mut call = Mention { find, found: Vec::new(), places: 0 };
    if text.contains('@') {
        let lines: Vec<&str> = text.split('\n').collect();
        call.blocks(&lines, 0);
    }
    call.found
}

struct Mention<I, F> {
    find: F,
    found: Vec<I>,
    /// The number of checked places.
    places: usize,
}

impl<I: PartialEq, F: Fn(&str) -> Option<I>> Mention<I, F> {
    /// Quotes, lists, fenced code, plain text.
    fn blocks(&mut self, lines: &[&str], depth: usize) {
        let closing = closing_fences(lines);
        let mut plain: Vec<&str> = Vec::new();
        let mut listed = false; // the previous line is an item
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            let item = item(line, if listed { NESTED_SPACES_MAX } else { SPACES_MAX });
            listed = false;
            if let Some(end) = closing[at] {
                self.flush(&mut plain);
                at = end + 1;
            } else if depth < DEPTH_MAX && quoted(line).is_some() {
                self.flush(&mut plain);
                let inside: Vec<&str> = lines[at..].iter().map_while(|line| quoted(line)).collect();
                at += inside.len();
                self.blocks(&inside, depth + 1);
            } else {
                match item {
                    Some(words) => {
                        listed = true;
                        self.flush(&mut plain);
                        self.inline(words);
                    }
                    None => plain.push(line),
                }
                at += 1;
            }
        }
        self.flush(&mut plain);
    }

    fn flush(&mut self, plain: &mut Vec<&str>) {
        if plain.iter().any(|line| line.contains('@')) {
            self.inline(&plain.join("\n"));
        }
        plain.clear();
    }

    fn inline(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let ticks = Ticks::of(&chars);
        // Whether an e-mail address could end here; whether the word is like a host, with a dot or
        // a port; and whether a path or query follows it.
        let (mut local, mut dotted, mut path) = (false, false, false);
        let mut at = 0;
        while at < chars.len() {
            let c = chars[at];
            let next = chars.get(at + 1).copied();
            let inside = local || (path && is_path(chars[at - 1]));
            let skipped = match c {
                '\\' if next.is_some_and(|next| "\\`*_~[]()>#@-".contains(next)) => Some(at + 2),
                '`' => Some(ticks.end(&chars, at)),
                '[' => link(&chars, at),
                'h' | 'H' | 'm' | 'M' => address(&chars, at),
                'w' | 'W' => www(&chars, at),
                ':' => foreign(&chars, at),
                '<' => enclosed(&chars, at),
                '@' if !inside => self.place(&chars, at + 1),
                _ => None,
            };
            if let Some(end) = skipped {
                (at, local, dotted, path) = (end, false, false, false);
                continue;
            }
            local = c.is_ascii_alphanumeric() || (local && matches!(c, '_' | '+' | '-'));
            path = (path || (dotted && matches!(c, '/' | '?'))) && !is_space(c);
            let port = c == ':' && next.is_some_and(|next| next.is_ascii_digit());
            dotted = (dotted || c == '.' || port) && !is_space(c);
            at += 1;
        }
    }

    /// The end of the name that begins at `from`, if an account has it.
    fn place(&mut self, chars: &[char], from: usize) -> Option<usize> {
        if self.places == MENTION_PLACES_MAX || self.found.len() == MENTIONS_MAX {
            return None;
        }
        self.places += 1;
        let (mut key, mut ends) = (String::new(), Vec::new());
        let mut begun = from;
        for end in from + 1..=chars.len().min(from + NAME_CHARS_MAX) {
            if chars[end - 1] == '\n' || chars[from] == ' ' {
                break;
            }
            if chars[end - 1] != ' ' && !goes_on(chars, end) {
                let part: String = chars[begun..end].iter().collect();
                key.push_str(&text::fold(&part));
                ends.push((end, key.len()));
                begun = end;
            }
        }
        let mention = |(end, length): (usize, usize)| Some((end, (self.find)(&key[..length])?));
        let (end, account) = ends.into_iter().rev().find_map(mention)?;
        if !self.found.contains(&account) {
            self.found.push(account);
        }
        Some(end)
    }
}

/// Whether a URL without a scheme goes on with an `@` after that: `host.example/@bob`.
fn is_path(before: char) -> bool {
    matches!(before, '/' | '=' | '&' | '#' | '+' | '%' | '~')
}

/// Whether the word before `end` continues there.
fn goes_on(chars: &[char], end: usize) -> bool {
    let Some(next) = chars.get(end).copied() else { return false };
    let last = chars[end - 1];
    if tables::is_mark(next) {
        return true;
    }
    let word = |c: char| c.is_alphanumeric() || tables::is_mark(c);
    if !word(last) {
        return false;
    }
    let then = |count: usize| chars.get(end + count).is_some_and(|c| c.is_alphanumeric());
    match next {
        '-' | '.' | '@' | '\u{b7}' | '\u{2010}' | '\u{2011}' => then(1),
        // Invisible within a word, in Persian for example.
        '\u{ad}' | '\u{200c}' | '\u{200d}' | '\u{2060}' => then(1),
        '_' => then(chars[end..].iter().take_while(|c| **c == '_').count()),
        _ => next.is_alphanumeric() && !parts(last, next),
    }
}

/// Whether a word ends between two letters, as in scripts without spaces.
fn parts(last: char, next: char) -> bool {
    let (last, next) = (Script::of(last), Script::of(next));
    last != next || last == Script::Unspaced
}

#[derive(PartialEq, Clone, Copy)]
enum Script {
    Spaced,
    Katakana,
    Hangul,
    /// Han, Hiragana, Thai, Lao, Myanmar, Khmer.
    Unspaced,
}

impl Script {
    fn of(c: char) -> Script {
        match c {
            '\u{30a0}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' => {
                Script::Katakana
            }
            '\u{1100}'..='\u{11ff}'
            | '\u{3130}'..='\u{318f}'
            | '\u{a960}'..='\u{a97f}'
            | '\u{ac00}'..='\u{d7ff}' => Script::Hangul,
            '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3041}'..='\u{309f}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}' => Script::Unspaced,
            _ => Script::Spaced,
        }
    }
}

/// White space by JavaScript's rule.
fn is_space(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

fn unindented(line: &str, most: usize) -> &str {
    let spaces = line.bytes().take(most).take_while(|byte| *byte == b' ').count();
    &line[spaces..]
}

/// For each line that begins fenced code, the line that ends it.
fn closing_fences(lines: &[&str]) -> Vec<Option<usize>> {
    let mut next = HashMap::new();
    let mut ends = vec![None; lines.len()];
    for (at, line) in lines.iter().enumerate().rev() {
        if let Some(fence) = fence(line) {
            ends[at] = next.get(fence).copied();
        }
        let closing = line.trim_matches([' ', '\t']);
        if is_fence(closing) {
            next.insert(closing, at);
        }
    }
    ends
}

fn is_fence(text: &str) -> bool {
    let first = text.chars().next().filter(|first| matches!(first, '`' | '~'));
    text.len() >= 3 && first.is_some_and(|first| text.chars().all(|c| c == first))
}

/// The fence of a line that begins fenced code, without the language.
fn fence(line: &str) -> Option<&str> {
    let line = unindented(line, SPACES_MAX);
    let first = line.chars().next().filter(|first| matches!(first, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == first).count();
    let language = line[length..].trim_matches([' ', '\t']);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+#.-".contains(c);
    let fits = length >= 3 && language.len() <= 32 && language.chars().all(plain);
    fits.then(|| &line[..length])
}

fn quoted(line: &str) -> Option<&str> {
    let rest = unindented(line, SPACES_MAX).strip_prefix('>')?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

/// The text of a list item. A number of four digits is a year.
fn item(line: &str, most: usize) -> Option<&str> {
    let line = unindented(line, most);
    let digits = line.bytes().take(3).take_while(u8::is_ascii_digit).count();
    let rest = match digits {
        0 => line.strip_prefix(['-', '*', '+'])?,
        _ => line[digits..].strip_prefix(['.', ')'])?,
    };
    rest.starts_with([' ', '\t']).then(|| rest.trim_start_matches([' ', '\t']))
}

/// Runs of backticks: code is between two runs of the same length.
struct Ticks {
    /// The start and the length of each run.
    runs: Vec<(usize, usize)>,
    /// The start of the last run of each length.
    last: HashMap<usize, usize>,
}

impl Ticks {
    fn of(chars: &[char]) -> Ticks {
        let (mut runs, mut last) = (Vec::new(), HashMap::new());
        let mut at = 0;
        while at < chars.len() {
            let length = tick_count(chars, at);
            if length > 0 {
                runs.push((at, length));
                last.insert(length, at);
            }
            at += length.max(1);
        }
        Ticks { runs, last }
    }

    /// The end of the code that begins at `at`; without a closing run, the end of this run.
    fn end(&self, chars: &[char], at: usize) -> usize {
        let length = tick_count(chars, at);
        // Looks only for runs that exist, so the whole text takes linear time.
        if self.last.get(&length).is_none_or(|last| *last < at + length) {
            return at + length;
        }
        let after = self.runs.partition_point(|(start, _)| *start < at + length);
        let mut later = self.runs[after..].iter();
        let closing = later.find(|(_, other)| *other == length);
        closing.map_or(at + length, |(start, _)| start + length)
    }
}

fn tick_count(chars: &[char], at: usize) -> usize {
    chars[at..].iter().take_while(|c| **c == '`').count()
}

/// The end of the link that begins at `at`: `[words](address)`.
fn link(chars: &[char], at: usize) -> Option<usize> {
    let count = |from: usize, most: usize, fits: fn(char) -> bool| {
        chars[from..].iter().take(most).take_while(|c| fits(**c)).count()
    };
    let words = count(at + 1, LABEL_CHARS_MAX, |c| !matches!(c, '[' | ']' | '\n'));
    let open = at + 1 + words;
    if words == 0 || chars.get(open..open + 2) != Some(&[']', '(']) {
        return None;
    }
    // Brackets within the address come in pairs.
    let mut depth = 0;
    let part = |c: &&char| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth >= 0 && !is_space(**c) && !matches!(c, '<' | '>')
    };
    let address = chars[open + 2..].iter().take(ADDRESS_CHARS_MAX).take_while(part).count();
    let close = open + 2 + address;
    (address > 0 && chars.get(close) == Some(&')')).then_some(close + 1)
}

/// The length of the scheme that begins at `at`.
fn scheme(chars: &[char], at: usize) -> Option<usize> {
    let schemes = ["https://", "http://", "mailto:"];
    schemes.into_iter().find(|scheme| begins(chars, at, scheme)).map(str::len)
}

/// Whether these words stand there, in any case.
fn begins(chars: &[char], at: usize, words: &str) -> bool {
    let there = chars[at..].iter().take(words.len()).map(char::to_ascii_lowercase);
    there.eq(words.chars())
}

/// The end of a URL of another scheme, from the colon at `at` on.
fn foreign(chars: &[char], at: usize) -> Option<usize> {
    let scheme = at > 0 && chars[at - 1].is_ascii_alphanumeric() && begins(chars, at, "://");
    if scheme { rest(chars, at, at + 3) } else { None }
}

/// The end of the URL that begins at `at`, without the punctuation of its sentence.
fn address(chars: &[char], at: usize) -> Option<usize> {
    rest(chars, at, at + scheme(chars, at)?)
}

/// The same for a URL without a scheme, at the beginning of a word.
fn www(chars: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|before| chars[before]);
    let word = |c: char| c.is_alphanumeric() && Script::of(c) != Script::Unspaced;
    let within = before.is_some_and(|c| word(c) || "./-@:_\\".contains(c));
    let host = chars.get(at + 4).is_some_and(|c| c.is_alphanumeric());
    let begins = begins(chars, at, "www.") && host && !within;
    if begins { rest(chars, at, at + 4) } else { None }
}

/// East Asian punctuation ends a URL; a closing bracket only if it has no open partner inside.
fn rest(chars: &[char], at: usize, from: usize) -> Option<usize> {
    let mut open = 0;
    let part = |c: &&char| {
        open += match c {
            '（' | '【' | '《' | '〈' | '「' | '『' => 1,
            '）' | '】' | '》' | '〉' | '」' | '』' => -1,
            _ => 0,
        };
        let stops = matches!(c, '。' | '，' | '、' | '！' | '？' | '：' | '；');
        open >= 0 && !stops && is_address(**c)
    };
    let count = chars[from..].iter().take(ADDRESS_CHARS_MAX).take_while(part).count();
    (count >= 2).then(|| at + trimmed(&chars[at..from + count]))
}

/// The end of `<https://example.org>`: everything between the brackets is the URL.
fn enclosed(chars: &[char], at: usize) -> Option<usize> {
    scheme(chars, at + 1)?;
    let inside = chars[at + 1..].iter().take(ADDRESS_CHARS_MAX);
    let close = at + 1 + inside.take_while(|c| is_address(**c)).count();
    (chars.get(close) == Some(&'>')).then_some(close + 1)
}

fn is_address(c: char) -> bool {
    !is_space(c) && !matches!(c, '<' | '>' | '"' | '`')
}

/// The length without trailing punctuation and without closing brackets that have no partner.
fn trimmed(address: &[char]) -> usize {
    let count = |wanted: char| address.iter().filter(|c| **c == wanted).count();
    let mut surplus = [')', ']'].map(|close| {
        let open = if close == ')' { '(' } else { '[' };
        count(close).saturating_sub(count(open))
    });
    let mut end = address.len();
    while end > 0 {
        let left = match address[end - 1] {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' | '…' => &mut 1,
            '“' | '”' | '‘' | '’' | '«' | '»' => &mut 1,
            ')' => &mut surplus[0],
            ']' => &mut surplus[1],
            _ => break,
        };
        if *left == 0 {
            break;
        }
        *left -= 1;
        end -= 1;
    }
    end
}
