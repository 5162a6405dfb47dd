//! What is searched for: from what somebody typed to the index's own language, and to the piece of
//! a message that is shown. Whatever is typed is a search, and never an error.

use crate::limits::{SEARCH_PREFIX_CHARS_MIN, SEARCH_TOKENS_MAX, SEARCH_WORDS_MAX, SNIPPET_CHARS};
use crate::store::fold::{Word, Words};

/// All of them are to be in a message.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Terms(Vec<Term>);

#[derive(Clone, PartialEq, Debug)]
enum Term {
    /// Words, one behind the other; the last may go on.
    Phrase { words: Vec<String>, open: bool },
    /// A letter of a script without spaces, wherever it stands.
    Letter(char),
}

impl Terms {
    /// What stands between spaces is a term; what stands in quotes is one, spaces and all. A word
    /// that the index cuts (`quick-brown`) is a phrase, too. A `*` at the end leaves the last word
    /// open, if it is long enough.
    pub fn of(typed: &str) -> Terms {
        let (mut terms, mut left) = (Terms::default(), SEARCH_TOKENS_MAX);
        for part in parts(typed).into_iter().filter(|part| part.chars().any(char::is_alphanumeric))
        {
            terms.take(&Words::of(part), &mut left);
        }
        terms.0.truncate(SEARCH_WORDS_MAX);
        // What a word may go on with, the index would have to gather: so this is only where it is
        // wanted.
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

    /// Each in FTS5's language. Each word is in a string of that language, and has nothing in it
    /// but letters and digits; so there is no syntax to be wrong.
    pub fn expressions(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|term| match term {
            Term::Phrase { words, open } => {
                let open = if *open { " *" } else { "" };
                format!("(text : \"{}\"{open})", words.join(" "))
            }
            Term::Letter(letter) => format!("(bag : \"{letter}\")"),
        })
    }

    /// Those whose last word may go on (one at most), and the others.
    pub fn apart(self) -> (Terms, Terms) {
        let is_open = |term: &Term| matches!(term, Term::Phrase { open: true, .. });
        let (open, others) = self.0.into_iter().partition(is_open);
        (Terms(open), Terms(others))
    }

    /// Whether a message has all of them: the same as what the index says.
    pub fn are_in(&self, message: &str) -> bool {
        let said = Words::of(message);
        self.0.iter().all(|term| term.first_in(&said).is_some())
    }

    /// The part of a message around the first place where one of the terms stands in it. On one
    /// line.
    pub fn snippet(&self, message: &str) -> String {
        let hit = self.first_in(message).unwrap_or(0);
        let letters: Vec<char> =
            message.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let start = hit.saturating_sub(SNIPPET_CHARS / 4);
        // What would be left out at the end is rather shown at the beginning.
        let start = start.min(letters.len().saturating_sub(SNIPPET_CHARS));
        let end = (start + SNIPPET_CHARS).min(letters.len());
        let piece: String = letters[start..end].iter().collect();
        let (before, after) = (start > 0, end < letters.len());
        let piece = piece.trim();
        format!("{}{piece}{}", if before { "…" } else { "" }, if after { "…" } else { "" })
    }

    /// The first character of a message that belongs to a term. Each word of the message is looked
    /// at once for each of the terms', which are few.
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

/// Whether a text goes on with these words.
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

/// What is between quotes, and of what is not, each part between spaces. A quote that does not end
/// is none.
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
