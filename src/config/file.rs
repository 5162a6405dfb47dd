//! The configuration file: TOML, whose keys are the long flags without their dashes. It gives the
//! same values as flags do, and the same errors.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::given::Given;
use crate::config::{LISTS, ReadFile, SETTINGS};

/// The settings in a file.
pub(super) fn read(path: &Path, file: ReadFile<'_>) -> Result<Vec<Given>, String> {
    let shown = path.display();
    let text = file(path).map_err(|error| {
        format!(
            "cannot read {shown} ({error}): check the name, and whether the server's user may \
             read it (--config)"
        )
    })?;
    // Editors on other systems begin a file with this mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(String::new(), |span| format!(", line {}", line(span.start)));
        format!("{shown}{at}: {}", error.message())
    })?;
    let mut found = Vec::new();
    for (key, value) in table.into_inner() {
        let (at, key) = (line(key.span().start), key.into_inner());
        let from = format!("{key} in {shown}, line {at},");
        let known = SETTINGS.iter().find(|(name, _, _)| *name == key && *name != "config");
        let Some((name, wanted, _)) = known else {
            return Err(format!("{shown}, line {at}: {}", unknown(&key)));
        };
        let values = values(name, wanted, value.into_inner())
            .ok_or_else(|| format!("{from} should be {}", form(name, wanted)))?;
        found.push((at, Given { name, values, from }));
    }
    // In the order of the file, so that of several errors the first is reported.
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, given)| given).collect())
}

/// The values of a key in the form of flags; `None` if they have another type.
fn values(name: &str, wanted: &str, value: DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(values) if LISTS.contains(&name) => {
            let one = |value: toml::Spanned<DeValue<'_>>| plain(wanted, value.into_inner());
            values.into_iter().map(one).collect()
        }
        value => Some(vec![plain(wanted, value)?]),
    }
}

fn plain(wanted: &str, value: DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) if !wanted.is_empty() => Some(text.into_owned()),
        DeValue::Integer(number) if !wanted.is_empty() && number.radix() == 10 => {
            Some(number.as_str().to_owned())
        }
        DeValue::Boolean(on) if wanted.is_empty() => Some(u8::from(on).to_string()),
        DeValue::Boolean(on) if wanted == "on|off" => {
            Some(if on { "on" } else { "off" }.to_owned())
        }
        _ => None,
    }
}

/// The type of a key's value, for an error.
fn form(name: &str, wanted: &str) -> &'static str {
    match wanted {
        "" => "true or false",
        "on|off" => "\"on\" or \"off\"",
        _ if LISTS.contains(&name) => "a text in quotes, or a list of them: [\"one\", \"two\"]",
        _ => "a text in quotes, or a number",
    }
}

/// The error for a key that is no setting; names the setting that may be meant.
fn unknown(key: &str) -> String {
    let near = SETTINGS.iter().map(|(name, _, _)| (distance(key, name), *name)).min();
    match near {
        _ if key == "config" => "a configuration file names no other".to_owned(),
        Some((far, name)) if far <= 1 + key.len() / 4 => {
            format!("there is no setting {key}; is {name} meant?")
        }
        _ => format!("there is no setting {key}; --help lists all, a key is a flag without --"),
    }
}

/// The edits between two words: letters added, removed, replaced (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (above, a) in one.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], above + 1);
        for (left, b) in other.chars().enumerate() {
            let next = (corner + usize::from(a != b)).min(row[left] + 1).min(row[left + 1] + 1);
            corner = std::mem::replace(&mut row[left + 1], next);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
        let file = |_: &Path| Ok(text.to_owned());
        let given = read(Path::new("shanty.toml"), &file)?;
        Ok(given.into_iter().map(|given| (given.name.to_owned(), given.values)).collect())
    }

    #[test]
    fn keys_are_flags() {
        let text = "\u{feff}# A comment\nlisten = '[::1]:80'\nworkers = 2\nno-guests = true\n\
                    limits = false\norigin = ['https://a', \"https://b\"]\nhost = \"c\"\n\
                    no-registration = false\r\ndisk-free = \"2G\"\n";
        let one = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        let expected = vec![
            one("listen", "[::1]:80"),
            one("workers", "2"),
            one("no-guests", "1"),
            one("limits", "off"),
            ("origin".to_owned(), vec!["https://a".to_owned(), "https://b".to_owned()]),
            one("host", "c"),
            one("no-registration", "0"),
            one("disk-free", "2G"),
        ];
        assert_eq!(read_text(text), Ok(expected));
        assert_eq!(read_text(""), Ok(vec![]));
    }

    #[test]
    fn errors_name_the_line_and_what_would_be_right() {
        for (text, says) in [
            (
                "\nlissen = '80'",
                "shanty.toml, line 2: there is no setting lissen; is listen meant?",
            ),
            ("no_guests = true", "is no-guests meant?"),
            ("frobnicate = 1", "line 1: there is no setting frobnicate; --help"),
            ("config = 'other.toml'", "names no other"),
            ("[server]\nlisten = '80'", "line 1: there is no setting server"),
            ("[listen]\nport = 80", "should be a text in quotes, or a number"),
            ("listen = 80.5", "should be a text in quotes, or a number"),
            ("workers = 0x2", "should be a text in quotes, or a number"),
            ("workers = [1]", "should be a text in quotes, or a number"),
            ("no-guests = 1", "should be true or false"),
            ("limits = 1.5", "should be \"on\" or \"off\""),
            ("origin = [1.5]", "or a list of them"),
            ("listen = ", "shanty.toml, line 1: "),
            ("\nlisten = '80'\nlisten = '81'", "shanty.toml, line 3: "),
        ] {
            let error = read_text(text).expect_err(text);
            assert!(error.contains(says), "{text:?}: {error}");
        }
        let missing = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let error = read(Path::new("no.toml"), &missing).err().expect("an error");
        assert!(error.starts_with("cannot read no.toml ("), "{error}");
    }

    #[test]
    fn distances() {
        for (one, other, far) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("lissen", "listen", 1), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), far, "{one} {other}");
        }
    }
}
