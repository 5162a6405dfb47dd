//! The README's settings, limits and files are the real ones.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use shanty::config::{self, CliCommand};
use shanty::limits;

const README: &str = include_str!("../../README.md");

/// A flag with its value, its variable, and its default; empty where there is none.
type Setting = (String, String, String);

fn setting(flag: &str, variable: &str, default: &str) -> Setting {
    (flag.to_owned(), variable.to_owned(), default.to_owned())
}

/// The settings in `shanty --help`.
fn settings_in_help() -> BTreeSet<Setting> {
    let Ok(CliCommand::Print(help)) = config::parse([OsString::from("--help")], |_| None) else {
        panic!("--help prints the help");
    };
    let flags = help.lines().filter_map(|line| {
        let line = line.strip_prefix("  --")?;
        let (usage, meaning) = line.split_once("  ")?;
        let name = usage.split(' ').next()?;
        let default = meaning.trim_end().strip_suffix(']')?.rsplit_once('[')?.1;
        let variable = format!("SHANTY_{}", name.to_uppercase().replace('-', "_"));
        Some(setting(&format!("--{usage}"), &variable, default))
    });
    let besides = help.split_once("Besides, ").expect("other variables").1;
    let besides = besides.split("\n\n").next().unwrap_or("");
    let is_variable =
        |word: &&str| word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let others = besides.split_whitespace().filter(is_variable);
    flags.chain(others.map(|name| setting("", name, "none"))).collect()
}

/// The settings in the README's table.
fn settings_in_readme() -> BTreeSet<Setting> {
    let table = README.split_once("\n| flag | variable | default |").expect("the table").1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows = rows.map(|row| {
        // Within a table, a bar that is no border has a backslash before it.
        let row = row.replace("\\|", "\0");
        let cells = row.split('|').map(|cell| cell.trim().trim_matches('`').replace('\0', "|"));
        let cells: Vec<String> = cells.skip(1).collect();
        setting(&cells[0], &cells[1], &cells[2])
    });
    rows.collect()
}

#[test]
fn the_table_of_settings_is_that_of_the_help() {
    let (help, readme) = (settings_in_help(), settings_in_readme());
    let missing: Vec<&Setting> = help.difference(&readme).collect();
    let invented: Vec<&Setting> = readme.difference(&help).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing {missing:?}, too much {invented:?}"
    );
    assert!(help.len() > 10, "{help:?}");
}

#[test]
fn the_limits_are_those_of_the_code() {
    let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
    let characters = |count: usize| format!("{count} characters");
    let range = |least: usize, most: usize| format!("{least} to {most} characters");
    let rows = [
        ("a name", characters(limits::NAME_CHARS_MAX)),
        ("a message through ChitChat", characters(limits::MESSAGE_CHARS_MAX)),
        ("a message through Piratchat", characters(limits::PIRATCHAT_MESSAGE_CHARS_MAX)),
        ("a websocket message", kib(limits::MESSAGE_BYTES_MAX)),
        ("a request's body", kib(limits::BODY_BYTES_MAX)),
        ("a request's head", kib(limits::HEAD_BYTES_MAX)),
        ("a room's title", range(limits::TITLE_CHARS_MIN, limits::TITLE_CHARS_MAX)),
        ("a room's description", characters(limits::DESCRIPTION_CHARS_MAX)),
        ("a room's password", range(limits::PASSWORD_CHARS_MIN, limits::PASSWORD_CHARS_MAX)),
        ("a room's token", format!("{} minutes", limits::TOKEN_TTL_SECS / 60)),
        ("logins of one account", limits::SESSIONS_PER_ACCOUNT_MAX.to_string()),
        ("accounts", limits::ACCOUNTS_MAX.to_string()),
        ("rooms", limits::ROOMS_MAX.to_string()),
        ("connections", limits::CONNECTIONS_MAX.to_string()),
        ("what waits for a slow reader", kib(limits::OUTBOX_BYTES_MAX)),
    ];
    for (name, most) in rows {
        let row = format!("\n| {name} | {most}");
        let after = README.split_once(&row).and_then(|(_, rest)| rest.chars().next());
        // Not as a prefix of a longer number.
        assert!(after.is_some_and(|c| !c.is_ascii_digit()), "{row:?}");
    }
}

#[test]
fn the_tour_leads_through_every_module_and_to_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let links = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files: BTreeSet<&str> =
        links.filter(|link| !link.contains("://") && !link.starts_with('#')).collect();
    for file in &files {
        assert!(root.join(file).exists(), "{file}");
    }
    for entry in fs::read_dir(root.join("src")).expect("src") {
        let name = entry.expect("an entry of src").file_name();
        let path = format!("src/{}", name.to_string_lossy());
        assert!(files.iter().any(|file| file.starts_with(&path)), "{path} is not in the tour");
    }
}
