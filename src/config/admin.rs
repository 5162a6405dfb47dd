//! `shanty admin`: what the operator does at the shell. The same words go to a running server, as
//! one line over its socket.

use std::ffi::OsString;

use crate::config::hint;

/// A command of the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminTask {
    /// What to do.
    pub what: AdminWhat,
    /// The account's name.
    pub name: String,
}

/// What the operator does to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdminWhat {
    /// It becomes an owner of the server.
    MakeOwner,
    /// It becomes an administrator.
    MakeAdmin,
    /// It loses its role.
    Revoke,
}

/// Each command, its arguments, and its meaning.
pub(super) const TASKS: [(&str, &str, &str); 3] = [
    ("make-owner", "NAME", "this account becomes an owner of the server"),
    ("make-admin", "NAME", "this account becomes an administrator"),
    ("revoke", "NAME", "this account loses its role"),
];

impl AdminTask {
    /// From the words of the command line after `admin`.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub(super) fn parse(words: &[OsString]) -> Result<AdminTask, String> {
        let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
        let task = words.as_deref().and_then(AdminTask::of);
        task.ok_or_else(|| {
            let all = TASKS.map(|(name, words, _)| format!("{name} {words}"));
            hint(&format!("usage: shanty admin {}", all.join(" | ")))
        })
    }

    /// The line for a running server.
    pub fn line(&self) -> String {
        let AdminTask { what, name } = self;
        format!("{} {name}\n", TASKS[*what as usize].0)
    }

    /// The reverse of [`AdminTask::line`].
    pub fn read(line: &str) -> Option<AdminTask> {
        AdminTask::of(&line.strip_suffix('\n')?.split(' ').collect::<Vec<&str>>())
    }

    fn of(words: &[&str]) -> Option<AdminTask> {
        let [word, name] = words else { return None };
        let what = match *word {
            "make-owner" => AdminWhat::MakeOwner,
            "make-admin" => AdminWhat::MakeAdmin,
            "revoke" => AdminWhat::Revoke,
            _ => return None,
        };
        // No account has a name with another character.
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        named.then(|| AdminTask { what, name: (*name).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<AdminTask, String> {
        AdminTask::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_line_says_what_the_words_said() {
        for (word, _, _) in TASKS {
            let task = parse(&[word, "Anne"]).expect("a command");
            assert_eq!(task.line(), format!("{word} Anne\n"));
            assert_eq!(AdminTask::read(&task.line()), Some(task));
        }
        for line in ["", "\n", "revoke\n", "revoke Anne", "revoke Anne \n", "ban Anne\n"] {
            assert_eq!(AdminTask::read(line), None, "{line:?}");
        }
    }

    #[test]
    fn wrong_words_are_told_the_right_ones() {
        for words in [&[][..], &["make-owner"], &["make-owner", "a b"], &["revoke", "a", "b"]] {
            let said = parse(words).expect_err("no command");
            assert!(said.contains("make-admin NAME"), "{said}");
        }
    }
}
