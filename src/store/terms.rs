//! The terms of a search: from the typed text to the index's query language, and to the snippet of
//! a message. Any text is a valid search, and never an error.

use crate::limits::{SEARCH_PREFIX_CHARS_MIN, SEARCH_TOKENS_MAX, SEARCH_WORDS_MAX, SNIPPET_CHARS};
use crate::store::fold::{Word, Words};

/// A message must have all of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Terms(Vec<Term>);

#[derive(Clone, PartialEq, Debug)]
enum Term {
    /// Words in sequence; if `open`, the last is a prefix.
    Phrase { words: Vec<String>, open: bool },
    /// A letter of a script without spaces, anywhere.
    Letter(char),
}

impl Terms {
    /// Spaces separate terms; text in quotes is one term, spaces and all. A word that the index
    /// cuts (`quick-brown`) is a phrase, too. A `*` at the end makes the last word a prefix, if it
    /// is long enough.
    pub fn of(typed: &str) -> Terms {
        let (mut terms, mut left) = (Terms::default(), SEARCH_TOKENS_MAX);
        for part in parts(typed).into_iter().filter(|part| part.chars().any(char::is_alphanumeric))
        {
            terms.take(&Words::of(part), &mut left);
        }
        terms.0.truncate(SEARCH_WORDS_MAX);
        // The index has to gather all words with a prefix, so prefixes are only used on request.
        let starred = typed.trim_end_matches(|c: char| is_quote(c) || c.is_whitespace());
        if starred.ends_with('*')
            && let Some(Term::Phrase { words, open }) = terms.0.last_mut()
            && let Some(last) = words.last()
        {
            *open = left > 0 && last.chars().count() >= SEARCH_PREFIX_CHARS_MIN;
        }
        terms
    }

    fn take(&mut self, words: &Words, left: &mut usize) {
        let mut phrase = Vec::new();
        for word in words.iter().take(*left) {
            *left -= 1;
            match word.text.chars().next().filter(|_| word.alone) {
                Some(letter) => {
                    self.phrase(std::mem::take(&mut phrase));
                    self.0.push(Term::Letter(letter));
                }
                None => phrase.push(word.text.to_owned()),
            }
        }
        self.phrase(phrase);
    }

    fn phrase(&mut self, words: Vec<String>) {
        if !words.is_empty() {
            self.0.push(Term::Phrase { words, open: false });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each term in FTS5's language. Each word is a string of that language and consists of letters
    /// and digits only, so the syntax is always right.
    pub fn expressions(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|term| match term {
            Term::Phrase { words, open } => {
                let open = if *open { " *" } else { "" };
                format!("(text : \"{}\"{open})", words.join(" "))
            }
            Term::Letter(letter) => format!("(bag : \"{letter}\")"),
        })
    }

    /// The terms with a prefix (one at most), and the others.
    pub fn apart(self) -> (Terms, Terms) {
        let is_open = |term: &Term| matches!(term, Term::Phrase { open: true, .. });
        let (open, others) = self.0.into_iter().partition(is_open);
        (Terms(open), Terms(others))
    }

    /// Whether a message has all of them: the same answer as the index gives.
    pub fn are_in(&self, message: &str) -> bool {
        let said = Words::of(message);
        self.0.iter().all(|term| term.first_in(&said).is_some())
    }

    /// The part of a message around the first match of any term, on one line.
    pub fn snippet(&self, message: &str) -> String {
        let hit = self.first_in(message).unwrap_or(0);
        let letters: Vec<char> =
            message.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let start = hit.saturating_sub(SNIPPET_CHARS / 4);
        // Room that is left at the end is used at the beginning.
        let start = start.min(letters.len().saturating_sub(SNIPPET_CHARS));
        let end = (start + SNIPPET_CHARS).min(letters.len());
        let piece: String = letters[start..end].iter().collect();
        let (before, after) = (start > 0, end < letters.len());
        let piece = piece.trim();
        format!("{}{piece}{}", if before { "…" } else { "" }, if after { "…" } else { "" })
    }

    /// The position of the first match. Each word of the message is compared with each term; there
    /// are few.
    fn first_in(&self, message: &str) -> Option<usize> {
        let said = Words::of(message);
        self.0.iter().filter_map(|term| term.first_in(&said)).min()
    }
}

impl Term {
    fn first_in(&self, said: &Words) -> Option<usize> {
        match self {
            Term::Letter(letter) => {
                let mut letters = said.letters_apart.iter();
                letters.find(|(c, _)| c == letter).map(|(_, at)| *at)
            }
            Term::Phrase { words, open } => {
                let mut rest = said.iter();
                loop {
                    let ahead = rest.clone();
                    let begins = rest.next()?;
                    if stands(ahead, words, *open) {
                        return Some(begins.at);
                    }
                }
            }
        }
    }
}

/// Whether a text continues with these words.
fn stands<'a>(said: impl Iterator<Item = Word<'a>>, words: &[String], open: bool) -> bool {
    let mut matched = 0;
    for (index, (said, word)) in said.zip(words).enumerate() {
        let last = index + 1 == words.len();
        if said.text != word && !(last && open && said.text.starts_with(&**word)) {
            return false;
        }
        matched = index + 1;
    }
    matched == words.len()
}

/// The parts in quotes, and the parts between spaces outside of quotes. An unclosed quote is
/// ignored.
fn parts(typed: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), typed);
    while let Some((before, quoted)) = rest.split_once(is_quote) {
        parts.extend(before.split_whitespace());
        match quoted.split_once(is_quote) {
            Some((phrase, after)) => {
                parts.push(phrase);
                rest = after;
            }
            None => rest = quoted,
        }
    }
    parts.extend(rest.split_whitespace());
    parts
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '「' | '」' | '＂')
}
