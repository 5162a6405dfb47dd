//! The operator's settings: from the command line, else from the environment, else the defaults.
//!
//! This only parses; whether an address is free or a file writable shows when it is used. `main`
//! calls it with the arguments; everything above reads the result.

mod admin;
mod help;
mod networks;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::limits;
use crate::logger::Level;

pub use admin::{AdminTask, AdminWhat};
use help::help;
pub use networks::Network;
use values::{address, host, origin, size};

/// When a write counts as durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// When it survives a power cut: one `fsync` for each commit.
    Full,
    /// When it survives a crash of the server: kind to SD cards, but a power cut may cost the last
    /// seconds. The database stays sound.
    Normal,
}

/// All settings.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The database file.
    pub db: PathBuf,
    /// When a write counts as durable.
    pub sync: Durability,
    /// The log level.
    pub log: Level,
    /// Seconds from a session's last use to its end.
    pub session_ttl_secs: u64,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
    /// Threads that serve connections.
    pub workers: usize,
    /// Milliseconds between two pings on a websocket.
    pub ping_interval_ms: u64,
    /// Milliseconds without a sign of life until a websocket counts as dead.
    pub pong_deadline_ms: u64,
    /// Other origins whose pages may act for their visitors here, in lower case, without their
    /// scheme's default port.
    pub origins: Vec<String>,
    /// Accepted `Host` headers, in lower case, with a port or without; empty: any.
    pub hosts: Vec<String>,
    /// Proxies whose word about the client's address is believed.
    pub trusted_proxies: Vec<Network>,
    /// Messages stay for this many days; `None`: for ever.
    pub retain_days: Option<u64>,
    /// Each room keeps this many messages, the latest; `None`: all.
    pub retain_messages: Option<u64>,
    /// Bytes of disk space to keep free; `None`: a part of the disk's size.
    pub disk_free_bytes: Option<u64>,
    /// Whether rate limits apply.
    pub limits: bool,
    /// Whether the native protocol accepts guests.
    pub guests: bool,
    /// Fixes who may make an account: `open`, `invite` or `closed`.
    pub registration: Option<&'static str>,
    /// Fixes what guests may do: `on`, `rooms` or `off`.
    pub guest_policy: Option<&'static str>,
    /// Signs room tokens instead of the secret in the database.
    pub secret_key: Option<String>,
    /// PEM files with certificates; with them, the server speaks TLS.
    pub tls_certificates: Vec<PathBuf>,
    /// Their private keys, in the same order.
    pub tls_keys: Vec<PathBuf>,
    /// Another address to listen on, for plain HTTP that is redirected to TLS.
    pub http_redirect: Option<SocketAddr>,
    /// Whether browsers are told to use TLS only.
    pub hsts: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([0, 0, 0, 0], 7777)),
            db: PathBuf::from("shanty.db"),
            sync: Durability::Full,
            log: Level::Info,
            session_ttl_secs: limits::SESSION_TTL_SECS,
            connections: limits::CONNECTIONS_MAX,
            connections_per_address: limits::CONNECTIONS_PER_ADDRESS,
            workers: 1,
            ping_interval_ms: limits::PING_INTERVAL_MS,
            pong_deadline_ms: limits::PONG_DEADLINE_MS,
            origins: Vec::new(),
            hosts: Vec::new(),
            trusted_proxies: Network::LOOPBACK.into(),
            retain_days: None,
            retain_messages: None,
            disk_free_bytes: None,
            limits: true,
            guests: true,
            registration: None,
            guest_policy: None,
            secret_key: None,
            tls_certificates: Vec::new(),
            tls_keys: Vec::new(),
            http_redirect: None,
            hsts: false,
        }
    }
}

/// What the arguments ask for.
#[derive(Clone, PartialEq, Debug)]
pub enum CliCommand {
    /// To run the server.
    Run(Box<Config>),
    /// Run a command on a database.
    Tend {
        /// The database file.
        db: PathBuf,
        /// The command.
        chore: MaintenanceTask,
    },
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
    /// Does what only somebody in charge may, beside the running server or without one.
    Admin(AdminTask),
}

/// The name of each [`MaintenanceTask`], its arguments, and its meaning.
const CHORES: [(&str, &str, &str); 5] = [
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

/// Settings: the flag without dashes, a placeholder for its value (empty for a switch), and its
/// meaning. The environment variable is the flag in capitals after `SHANTY_`.
const SETTINGS: [(&str, &str, &str); 25] = [
    ("listen", "ADDRESS", "where to listen; a port alone means every address [0.0.0.0:7777]"),
    ("db", "FILE", "the database, created if it is missing [shanty.db]"),
    ("sync", "full|normal", "full survives power cuts, normal wears SD cards less [full]"),
    ("log", "LEVEL", "off, error, warn, info or debug [info]"),
    ("session-ttl", "SECONDS", "a login expires this long after its last use [3600]"),
    ("connections", "COUNT", "connections at once; more wait [10000]"),
    ("per-address", "COUNT", "connections at once from one address [1000]"),
    ("workers", "COUNT", "threads that serve connections [1]"),
    ("ping-interval", "MS", "time between two pings on a websocket [54000]"),
    ("pong-deadline", "MS", "a websocket that sends nothing for this long is closed [60000]"),
    ("origin", "URL", "pages from this origin may use logins; repeatable [none]"),
    ("host", "NAME", "answer only requests for this host name; repeatable [any]"),
    (
        "trusted-proxy",
        "NETWORK",
        "believe proxies there about client addresses; repeatable [loopback]",
    ),
    ("retain-days", "DAYS", "remove older messages, for good [off]"),
    ("retain-messages", "COUNT", "in each room, keep only the latest COUNT messages [off]"),
    ("disk-free", "SIZE", "free disk space to keep; with less, messages are refused [64M]"),
    ("limits", "on|off", "rate limits for each person, address and room [on]"),
    ("tls-cert", "FILE", "speak TLS with this certificate chain (PEM); repeatable [none]"),
    ("tls-key", "FILE", "its private key (PEM); as many as --tls-cert, in order [none]"),
    ("http-redirect", "ADDRESS", "redirect plain HTTP here to TLS, for example 80 [none]"),
    ("hsts", "", "browsers use only TLS for this host, for a year [off]"),
    ("registration", "WHO", "open, invite (administrators make the accounts) or closed [open]"),
    ("guests", "on|rooms|off", "guests may do all, only talk, or not come in by any door [on]"),
    ("no-registration", "", "the same as --registration closed [off]"),
    ("no-guests", "", "nobody starts a guest session of /api/v1; ChitChat stays open [off]"),
];

/// The values of two settings, as the core's types know them.
const REGISTRATION: [&str; 3] = ["open", "invite", "closed"];
const GUESTS: [&str; 3] = ["on", "rooms", "off"];

/// Settings with several values: separated by spaces in a variable, one flag for each on the
/// command line. The command line replaces the variable's values.
const LISTS: [&str; 5] = ["origin", "host", "trusted-proxy", "tls-cert", "tls-key"];

/// Parses the command line (without the program's name) and the environment.
///
/// # Errors
/// One line that names the wrong argument, and says what would be right.
pub fn parse(
    words: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<CliCommand, String> {
    // An argument may contain anything, also line ends.
    read(words, variable).map_err(|error| error.replace(char::is_control, "\u{fffd}"))
}

fn read(
    words: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<CliCommand, String> {
    let mut config = Config::default();
    read_environment(&mut config, variable)?;
    let (mut lists_given, mut force, mut words_given) = (Vec::new(), false, Vec::new());
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(word) = parser.next().map_err(|error| hint(&error.to_string()))? {
        match word {
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => {
                return Ok(CliCommand::Print(help()));
            }
            lexopt::Arg::Long("version") | lexopt::Arg::Short('V') => {
                return Ok(CliCommand::Print(format!("shanty {}", env!("CARGO_PKG_VERSION"))));
            }
            lexopt::Arg::Long("force") => force = true,
            lexopt::Arg::Value(word) => words_given.push(word),
            lexopt::Arg::Long(flag) => {
                let known = SETTINGS.iter().find(|(name, _, _)| *name == flag);
                let Some((name, wanted, _)) = known else {
                    return Err(hint(&format!("there is no --{flag}")));
                };
                if wanted.is_empty() {
                    set(&mut config, name, "1", &format!("--{name}"))?;
                    continue;
                }
                let value = parser.value().map_err(|error| hint(&error.to_string()))?;
                if LISTS.contains(name) && !lists_given.contains(name) {
                    lists_given.push(*name);
                    clear(&mut config, name);
                }
                set(&mut config, name, text(name, value)?.as_str(), &format!("--{name}"))?;
            }
            other => return Err(hint(&other.unexpected().to_string())),
        }
    }
    if config.ping_interval_ms >= config.pong_deadline_ms {
        return Err(
            "--ping-interval must be less than --pong-deadline: a ping needs time for its \
                    pong"
                .to_owned(),
        );
    }
    if config.tls_certificates.len() != config.tls_keys.len() {
        return Err("each --tls-cert needs its --tls-key, in the same order".to_owned());
    }
    if config.tls_certificates.is_empty() && (config.http_redirect.is_some() || config.hsts) {
        return Err("--http-redirect and --hsts need TLS: --tls-cert and --tls-key".to_owned());
    }
    let Some((first, rest)) = words_given.split_first() else {
        return if force {
            Err(hint("--force works only with restore and import"))
        } else {
            Ok(CliCommand::Run(Box::new(config)))
        };
    };
    let chore = match first.to_str() {
        Some("admin") if !force => MaintenanceTask::Admin(AdminTask::parse(rest)?),
        _ => chore(first, rest, force)?,
    };
    Ok(CliCommand::Tend { db: config.db, chore })
}

/// Parses a command and its files.
fn chore(word: &OsString, files: &[OsString], force: bool) -> Result<MaintenanceTask, String> {
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

fn read_environment(
    config: &mut Config,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<(), String> {
    // A user who cannot unset a variable sets it to nothing.
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(value) = variable("PORT") {
        set(config, "listen", &text("PORT", value)?, "PORT")?;
    }
    if let Some(value) = variable("SECRET_KEY") {
        let secret = text("SECRET_KEY", value)?;
        if secret.len() < limits::SECRET_KEY_BYTES_MIN {
            let least = "SECRET_KEY is too short: it needs 32 bytes or more; use the output of \
                         `openssl rand -hex 32`, or leave it out";
            return Err(least.to_owned());
        }
        config.secret_key = Some(secret);
    }
    for (name, _, _) in SETTINGS {
        let variable_name = format!("SHANTY_{}", name.to_uppercase().replace('-', "_"));
        let Some(value) = variable(&variable_name) else { continue };
        let value = text(&variable_name, value)?;
        if LISTS.contains(&name) {
            clear(config, name);
            for one in value.split_whitespace() {
                set(config, name, one, &variable_name)?;
            }
        } else {
            set(config, name, &value, &variable_name)?;
        }
    }
    Ok(())
}

/// Empties a list.
fn clear(config: &mut Config, name: &str) {
    match name {
        "origin" => config.origins.clear(),
        "host" => config.hosts.clear(),
        "tls-cert" => config.tls_certificates.clear(),
        "tls-key" => config.tls_keys.clear(),
        _ => config.trusted_proxies.clear(),
    }
}

/// Sets one setting. `source` is the flag or variable, for errors.
fn set(config: &mut Config, name: &str, value: &str, source: &str) -> Result<(), String> {
    let wrong = |wanted: &str| Err(format!("{source} is {value:?}, but should be {wanted}"));
    let number = |least: u64, most: u64| {
        value.parse().ok().filter(|count| (least..=most).contains(count)).ok_or_else(|| {
            format!("{source} is {value:?}, but should be a number from {least} to {most}")
        })
    };
    // A year: more is a wrong unit.
    const SECS_MAX: u64 = 366 * 24 * 3600;
    match name {
        "listen" => match address(value) {
            Some(address) => config.listen = address,
            None => return wrong("an address and port such as 127.0.0.1:7777, or a port"),
        },
        "db" | "tls-cert" | "tls-key" if value.is_empty() => return wrong("the name of a file"),
        "db" => config.db = PathBuf::from(value),
        "sync" => match value {
            "full" => config.sync = Durability::Full,
            "normal" => config.sync = Durability::Normal,
            _ => return wrong("full or normal"),
        },
        "log" => match Level::parse(value) {
            Some(level) => config.log = level,
            None => return wrong("off, error, warn, info or debug"),
        },
        "session-ttl" => config.session_ttl_secs = number(1, SECS_MAX)?,
        // `number` accepts only values that fit a usize of 32 bits.
        "connections" => {
            config.connections = number(1, limits::CONNECTIONS_MAX as u64)? as usize;
        }
        "per-address" => {
            let count = number(1, limits::CONNECTIONS_MAX as u64)?;
            config.connections_per_address = count as usize;
        }
        "workers" => config.workers = number(1, limits::WORKERS_MAX as u64)? as usize,
        "ping-interval" => config.ping_interval_ms = number(10, SECS_MAX * 1000)?,
        "pong-deadline" => config.pong_deadline_ms = number(20, SECS_MAX * 1000)?,
        "retain-days" => config.retain_days = Some(number(1, limits::RETAIN_DAYS_MAX)?),
        "retain-messages" => {
            config.retain_messages = Some(number(1, limits::RETAIN_MESSAGES_MAX)?);
        }
        "disk-free" => match size(value) {
            Some(bytes) => config.disk_free_bytes = Some(bytes),
            None => return wrong("a size such as 500M or 2G; 0 keeps nothing free"),
        },
        "limits" => match value {
            "on" => config.limits = true,
            "off" => config.limits = false,
            _ => return wrong("on or off"),
        },
        "registration" => match REGISTRATION.iter().find(|known| **known == value) {
            Some(known) => config.registration = Some(known),
            None => return wrong("open, invite or closed"),
        },
        "guests" => match GUESTS.iter().find(|known| **known == value) {
            Some(known) => config.guest_policy = Some(known),
            None => return wrong("on, rooms or off"),
        },
        "no-guests" | "no-registration" => {
            let allowed = match value {
                "1" => false,
                "0" | "" => true,
                _ => return wrong("1 or 0"),
            };
            match name {
                "no-guests" => config.guests = allowed,
                _ if allowed => {}
                _ => config.registration = Some("closed"),
            }
        }
        "tls-cert" => config.tls_certificates.push(value.into()),
        "tls-key" => config.tls_keys.push(value.into()),
        "http-redirect" => match address(value) {
            Some(address) => config.http_redirect = Some(address),
            None => return wrong("an address and port such as 0.0.0.0:80, or a port"),
        },
        "hsts" => match value {
            "1" => config.hsts = true,
            "0" => config.hsts = false,
            _ => return wrong("1 or 0"),
        },
        "origin" => match origin(value) {
            Some(origin) => config.origins.push(origin),
            None => return wrong("an origin such as https://chat.example.org"),
        },
        "host" => match host(value) {
            Some(host) => config.hosts.push(host),
            None => return wrong("a name such as chat.example.org, with a port or without"),
        },
        "trusted-proxy" => match Network::parse(value) {
            Some(networks) => config.trusted_proxies.extend(networks),
            None => return wrong("an address, a network such as 10.0.0.0/8, loopback or private"),
        },
        _ => unreachable!("{name} is one of SETTINGS"),
    }
    Ok(())
}

fn text(name: &str, value: OsString) -> Result<String, String> {
    value.into_string().map_err(|_| format!("{name} is not valid UTF-8"))
}

fn hint(problem: &str) -> String {
    format!("{problem}; try --help")
}
