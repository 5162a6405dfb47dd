//! What the arguments ask for besides settings: to serve, or a command.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::{AdminTask, Config, hint};

/// What the arguments ask for.
#[derive(Clone, PartialEq, Debug)]
pub enum CliCommand {
    /// Run the server.
    Run(Box<Config>),
    /// Run a command on a database.
    Maintain {
        /// The database file.
        db: PathBuf,
        /// The command.
        task: MaintenanceTask,
    },
    /// Ask a server for its health; `None`: the server of these settings.
    Health(Box<Config>, Option<String>),
    /// Examine everything around a server; perhaps also the way to it by this address.
    Doctor(Box<Config>, Option<String>),
    /// Print this text and exit.
    Print(String),
}

/// A command on a database, besides serving it.
#[derive(Clone, PartialEq, Debug)]
pub enum MaintenanceTask {
    /// Makes a copy, even while the database is in use.
    Backup(PathBuf),
    /// Checks a file; `None`: the database itself.
    Verify(Option<PathBuf>),
    /// Replaces the database by a backup.
    Restore {
        /// The backup.
        from: PathBuf,
        /// Also if a database exists already.
        force: bool,
    },
    /// Writes everything as lines of text; `None`: to standard output.
    Export(Option<PathBuf>),
    /// Makes a database from such lines.
    Import {
        /// The file; `None`: standard input.
        from: Option<PathBuf>,
        /// Also if a database exists already.
        force: bool,
    },
    /// Does what only a person in charge may, beside the running server or without one.
    Admin {
        /// What.
        task: AdminTask,
        /// The address of the page, with a slash at its end, for the link that it prints.
        page: String,
    },
}

/// The name of each [`MaintenanceTask`], its arguments, and its meaning.
pub(super) const CHORES: [(&str, &str, &str); 5] = [
    ("backup", "FILE", "copies the database, even in use, into a new file, and verifies it"),
    ("verify", "[FILE]", "checks a backup, or else the database"),
    (
        "restore",
        "FILE [--force]",
        "replaces the database by a backup (an existing one only with --force)",
    ),
    ("export", "[FILE|-]", "writes everything as lines of JSON, into a new file or to - [-]"),
    ("import", "FILE|- [--force]", "makes a new database from such lines"),
];

/// Parses a command and its files.
pub(super) fn maintenance_task(
    word: &OsString,
    files: &[OsString],
    force: bool,
) -> Result<MaintenanceTask, String> {
    let known = CHORES.iter().find(|(name, _, _)| word == name);
    let Some((name, usage, _)) = known else {
        return Err(hint(&format!("there is no {}", word.display())));
    };
    let file = files.first().map(PathBuf::from);
    let missing = file.is_none() && !usage.starts_with('[');
    if missing || files.len() > 1 || (force && !usage.contains("--force")) {
        return Err(hint(&format!("usage: shanty {name} {usage}")));
    }
    if *name == "backup" && files == ["-"] {
        return Err(
            "a backup needs a file name (only export can write to standard output, with -)"
                .to_owned(),
        );
    }
    let lines = file.clone().filter(|file| file.as_os_str() != "-");
    Ok(match *name {
        "verify" => MaintenanceTask::Verify(file),
        "export" => MaintenanceTask::Export(lines),
        "import" => MaintenanceTask::Import { from: lines, force },
        "restore" => MaintenanceTask::Restore { from: file.unwrap_or_default(), force },
        _ => MaintenanceTask::Backup(file.unwrap_or_default()),
    })
}

/// A command that is about the settings, and not about the database; with its arguments and its
/// meaning.
pub(super) const ABOUT: [(&str, &str, &str); 3] = [
    ("config check", "", "reads all settings as the server would; prints those that are given"),
    ("health", "[URL]", "asks the server whether it serves; exit code 0 if it does, else 1"),
    ("doctor", "[--url URL]", "looks for what is wrong around the server, and says what to do"),
];

/// Parses such a command, if it is one. `url`: the value of `--url`.
pub(super) fn about(
    words: &[OsString],
    url: Option<String>,
    config: impl FnOnce() -> Result<Config, String>,
    summary: impl FnOnce(&Config) -> String,
) -> Result<Option<CliCommand>, String> {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    Ok(Some(match (words.as_slice(), url) {
        (["config", "check"], None) => CliCommand::Print(summary(&config()?)),
        (["health"], None) => CliCommand::Health(Box::new(config()?), None),
        (["health", url], None) => CliCommand::Health(Box::new(config()?), Some((*url).to_owned())),
        (["doctor"], url) => CliCommand::Doctor(Box::new(config()?), url),
        ([first @ ("config" | "health" | "doctor"), ..], _) => {
            let known = ABOUT.iter().find(|(name, _, _)| name.starts_with(first));
            let (name, usage, _) = known.expect("each of them is listed");
            return Err(hint(format!("usage: shanty {name} {usage}").trim_end()));
        }
        (_, Some(_)) => {
            return Err(hint("--url works only with doctor, admin invite and admin recover"));
        }
        (_, None) => return Ok(None),
    }))
}
