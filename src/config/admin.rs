//! `shanty admin`: what the operator does at the shell. The same words go to a running server, as
//! one line over its socket.

use std::ffi::OsString;

use crate::config::{Config, hint};
use crate::crypto::{self, KeyHash};
use crate::limits::in_charge::{INVITATION_DAYS, INVITATION_DAYS_MAX, INVITATION_USES_MAX};

/// A command of the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdminTask {
    /// Gives an account a role, or takes it.
    Role {
        /// Which.
        what: AdminWhat,
        /// The account's name.
        name: String,
    },
    /// Makes a link by which an account gets a new key.
    Recover {
        /// The account's name.
        name: String,
    },
    /// Makes an invitation.
    Invite {
        /// How often it can be used.
        uses: u64,
        /// Days until its end.
        days: u64,
        /// The room to which it admits; `None`: the server only.
        room: Option<u64>,
    },
}

/// What the operator does to an account's role.
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
pub(super) const TASKS: [(&str, &str, &str); 5] = [
    ("make-owner", "NAME", "this account becomes an owner of the server"),
    ("make-admin", "NAME", "this account becomes an administrator"),
    ("revoke", "NAME", "this account loses its role"),
    ("recover", "NAME", "prints a link by which this account gets a new key, within a day"),
    ("invite", "", "prints an invitation, as a link and a QR code; see below"),
];

/// The options of `admin invite`, and of `--url`, which `admin recover` has, too.
pub(super) const OPTIONS: [(&str, &str, &str); 4] = [
    ("uses", "COUNT", "so many people can come by it, up to 1000 [1]"),
    ("days", "COUNT", "until it ends, up to 365 [7]"),
    ("room", "NUMBER", "it also admits to this room, without the room's password"),
    ("url", "URL", "where people open the page, for the link (also of recover) [--host]"),
];

/// What `--help` says of a link whose first part is not given.
const USAGE: &str = "admin invite [--uses N] [--days N] [--room ID] [--url URL]";

/// The options that are given, by name.
pub(super) type Options = Vec<(&'static str, String)>;

/// The option of that name, if there is one.
pub(super) fn option(name: &str) -> Option<&'static str> {
    OPTIONS.iter().map(|(option, _, _)| *option).find(|option| *option == name)
}

impl AdminTask {
    /// From the words of the command line after `admin`, and the options.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub(super) fn parse(words: &[OsString], options: &Options) -> Result<AdminTask, String> {
        let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
        let usage = || {
            let all = TASKS.map(|(name, words, _)| format!("{name} {words}"));
            hint(&format!("usage: shanty admin {}", all.join(" | ").trim_end()))
        };
        let words = words.ok_or_else(usage)?;
        if words == ["invite"] {
            let number = |name: &str, max: u64, default: Option<u64>| {
                let given = options.iter().rfind(|(option, _)| *option == name);
                let Some((_, value)) = given else { return Ok(default) };
                let count = value.parse().ok().filter(|count| (1..=max).contains(count));
                count.map(Some).ok_or_else(|| {
                    hint(&format!("--{name} is {value:?}, but should be a number from 1 to {max}"))
                })
            };
            let uses = number("uses", INVITATION_USES_MAX, Some(1))?.unwrap_or(1);
            let days = number("days", INVITATION_DAYS_MAX, Some(INVITATION_DAYS))?;
            let room = number("room", i64::MAX.unsigned_abs(), None)?;
            return Ok(AdminTask::Invite { uses, days: days.unwrap_or(INVITATION_DAYS), room });
        }
        if options.iter().any(|(name, _)| *name != "url") {
            return Err(hint(&format!("usage: shanty {USAGE}")));
        }
        let task = AdminTask::of(&words).ok_or_else(usage)?;
        match task {
            AdminTask::Role { .. } if !options.is_empty() => Err(usage()),
            task => Ok(task),
        }
    }

    /// The line for a running server. `code`: the hash of the code in the link that the command
    /// prints; the code itself stays here.
    pub fn line(&self, code: &KeyHash) -> String {
        let code = crypto::hex(code);
        match self {
            AdminTask::Role { what, name } => format!("{} {name}\n", TASKS[*what as usize].0),
            AdminTask::Recover { name } => format!("recover {name} {code}\n"),
            AdminTask::Invite { uses, days, room } => {
                let room = room.map_or("-".to_owned(), |room| room.to_string());
                format!("invite {uses} {days} {room} {code}\n")
            }
        }
    }

    /// The reverse of [`AdminTask::line`].
    pub fn read(line: &str) -> Option<(AdminTask, KeyHash)> {
        let words: Vec<&str> = line.strip_suffix('\n')?.split(' ').collect();
        match words.as_slice() {
            ["recover", name, code] => {
                Some((AdminTask::of(&["recover", name])?, crypto::unhex(code)?))
            }
            ["invite", uses, days, room, code] => {
                let within = |text: &str, max| {
                    text.parse().ok().filter(|count: &u64| (1..=max).contains(count))
                };
                let room = match *room {
                    "-" => None,
                    room => Some(room.parse().ok()?),
                };
                let uses = within(uses, INVITATION_USES_MAX)?;
                let days = within(days, INVITATION_DAYS_MAX)?;
                Some((AdminTask::Invite { uses, days, room }, crypto::unhex(code)?))
            }
            words => match AdminTask::of(words)? {
                AdminTask::Recover { .. } => None,
                task => Some((task, KeyHash::default())),
            },
        }
    }

    fn of(words: &[&str]) -> Option<AdminTask> {
        let [word, name] = words else { return None };
        // No account has a name with another character.
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let name = named.then(|| (*name).to_owned())?;
        let what = match *word {
            "make-owner" => AdminWhat::MakeOwner,
            "make-admin" => AdminWhat::MakeAdmin,
            "revoke" => AdminWhat::Revoke,
            "recover" => return Some(AdminTask::Recover { name }),
            _ => return None,
        };
        Some(AdminTask::Role { what, name })
    }
}

/// The address of the page, for links: the given one, else what the settings say about it.
///
/// # Errors
/// One line that says what is wrong.
pub(super) fn page(config: &Config, options: &Options) -> Result<String, String> {
    if let Some((_, url)) = options.iter().rfind(|(name, _)| *name == "url") {
        let known = url.starts_with("https://") || url.starts_with("http://");
        if !known || url.contains(['#', '?', ' ']) {
            return Err(hint("--url should be an address such as https://chat.example.org"));
        }
        return Ok(format!("{}/", url.trim_end_matches('/')));
    }
    let tls = !config.tls_certificates.is_empty() || !config.acme_hosts.is_empty();
    let (port, base) = (config.listen.port(), &config.base_path);
    let is_local = |host: &&String| host.starts_with("localhost") || host.starts_with("127.");
    let known = config.hosts.iter().find(|host| !is_local(host)).or(config.acme_hosts.first());
    Ok(match known {
        // Without a port it is the usual one, where a proxy does the TLS.
        Some(host) if tls || !host.contains(':') => format!("https://{host}{base}/"),
        Some(host) => format!("http://{host}{base}/"),
        None if tls => format!("https://localhost:{port}{base}/"),
        None => format!("http://localhost:{port}{base}/"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_with(words: &[&str], options: &[(&'static str, &str)]) -> Result<AdminTask, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let options = options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        AdminTask::parse(&words, &options)
    }

    fn parse(words: &[&str]) -> Result<AdminTask, String> {
        parse_with(words, &[])
    }

    #[test]
    fn the_line_says_what_the_words_said() {
        let code = crypto::hash("code");
        let hex = crypto::hex(&code);
        for (word, _, _) in &TASKS[..3] {
            let task = parse(&[word, "Anne"]).expect("a command");
            assert_eq!(task.line(&code), format!("{word} Anne\n"));
            assert_eq!(AdminTask::read(&task.line(&code)), Some((task, KeyHash::default())));
        }
        let options = [("uses", "30"), ("days", "14"), ("room", "7"), ("url", "https://x.org")];
        for (task, line) in [
            (parse(&["recover", "Anne"]), format!("recover Anne {hex}\n")),
            (parse_with(&["recover", "Anne"], &options[3..]), format!("recover Anne {hex}\n")),
            (parse(&["invite"]), format!("invite 1 7 - {hex}\n")),
            (parse_with(&["invite"], &options), format!("invite 30 14 7 {hex}\n")),
        ] {
            let task = task.expect("a command");
            assert_eq!(task.line(&code), line);
            assert_eq!(AdminTask::read(&line), Some((task, code)));
        }
        for line in [
            "",
            "\n",
            "revoke\n",
            "revoke Anne",
            "revoke Anne \n",
            "ban Anne\n",
            "recover Anne\n",
            "recover Anne 00\n",
            "invite\n",
            "invite 0 7 - 00\n",
            &format!("invite 1001 7 - {hex}\n"),
            &format!("invite 1 366 - {hex}\n"),
            &format!("invite 1 7 x {hex}\n"),
        ] {
            assert_eq!(AdminTask::read(line), None, "{line:?}");
        }
    }

    #[test]
    fn wrong_words_are_told_the_right_ones() {
        for words in [&[][..], &["make-owner"], &["make-owner", "a b"], &["revoke", "a", "b"]] {
            let said = parse(words).expect_err("no command");
            assert!(said.contains("make-admin NAME"), "{said}");
        }
        for (words, options) in [
            (&["invite"][..], ("uses", "1001")),
            (&["invite"], ("days", "0")),
            (&["invite"], ("room", "den")),
            (&["recover", "Anne"], ("uses", "2")),
            (&["revoke", "Anne"], ("url", "https://x.org")),
        ] {
            parse_with(words, &[options]).expect_err("a wrong option");
        }
    }

    #[test]
    fn a_link_begins_with_what_the_settings_say() {
        let with = |hosts: &[&str], tls: bool, url: Option<&str>| {
            let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            let tls_certificates = if tls { vec!["cert.pem".into()] } else { Vec::new() };
            let config = Config { hosts, tls_certificates, ..Config::default() };
            page(&config, &url.into_iter().map(|url| ("url", url.to_owned())).collect())
        };
        for (found, expected) in [
            (with(&[], false, None), "http://localhost:7777/"),
            (with(&[], true, None), "https://localhost:7777/"),
            (with(&["localhost", "chat.example.org"], false, None), "https://chat.example.org/"),
            (with(&["chat.lan:7777"], false, None), "http://chat.lan:7777/"),
            (with(&["chat.lan:7777"], true, None), "https://chat.lan:7777/"),
            (with(&["a.org"], false, Some("https://b.org/chat")), "https://b.org/chat/"),
            (with(&[], false, Some("http://b.org/")), "http://b.org/"),
        ] {
            assert_eq!(found.as_deref(), Ok(expected));
        }
        let hosts = vec!["a.org".to_owned()];
        let below = Config { hosts, base_path: "/chat".to_owned(), ..Config::default() };
        assert_eq!(page(&below, &Options::new()).as_deref(), Ok("https://a.org/chat/"));
        for wrong in ["b.org", "https://b.org/#/", ""] {
            with(&[], false, Some(wrong)).expect_err("no address of a page");
        }
    }
}
