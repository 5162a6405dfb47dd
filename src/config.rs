//! The operator's settings: from the command line, else from the environment, else from the
//! configuration file, else the defaults.
//!
//! This only parses; whether an address is free or a file writable shows when it is used. `main`
//! calls it with the arguments; everything above reads the result.

mod admin;
mod commands;
mod file;
mod given;
mod help;
mod networks;
mod secrets;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::commands::{about, maintenance_task};
use crate::config::given::{Given, environment, summary};
use crate::config::help::help;
use crate::config::values::{address, host, origin, seconds, size};
use crate::limits;
use crate::logger::{Format, Level};

pub use admin::{AdminTask, AdminWhat};
pub use commands::{CliCommand, MaintenanceTask};
pub use networks::Network;

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
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The database file.
    pub db: PathBuf,
    /// When a write counts as durable.
    pub sync: Durability,
    /// The log level.
    pub log: Level,
    /// How the lines of the log are written.
    pub log_format: Format,
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
    /// Where timed backups are made; `None`: nowhere.
    pub backup_dir: Option<PathBuf>,
    /// Seconds from one to the next.
    pub backup_every_secs: u64,
    /// How many are kept.
    pub backup_keep: usize,
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
    /// The file with that secret.
    pub secret_key_file: Option<PathBuf>,
    /// Whoever knows it may read `/metrics` from anywhere.
    pub metrics_token: Option<String>,
    /// The file with that token.
    pub metrics_token_file: Option<PathBuf>,
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
            file: None,
            listen: SocketAddr::from(([0, 0, 0, 0], 7777)),
            db: PathBuf::from("shanty.db"),
            sync: Durability::Full,
            log: Level::Info,
            log_format: Format::Text,
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
            backup_dir: None,
            backup_every_secs: limits::operating::BACKUP_EVERY_SECS,
            backup_keep: limits::operating::BACKUP_KEEP,
            limits: true,
            guests: true,
            registration: None,
            guest_policy: None,
            secret_key: None,
            secret_key_file: None,
            metrics_token: None,
            metrics_token_file: None,
            tls_certificates: Vec::new(),
            tls_keys: Vec::new(),
            http_redirect: None,
            hsts: false,
        }
    }
}

/// Settings: the flag without dashes, a placeholder for its value (empty for a switch), and its
/// meaning. The environment variable is the flag in capitals after `SHANTY_`.
const SETTINGS: [(&str, &str, &str); 32] = [
    ("config", "FILE", "a file with settings, each a flag without its dashes [none]"),
    ("listen", "ADDRESS", "where to listen; a port alone means every address [0.0.0.0:7777]"),
    ("db", "FILE", "the database, created if it is missing [shanty.db]"),
    ("sync", "full|normal", "full survives power cuts, normal wears SD cards less [full]"),
    ("log", "LEVEL", "off, error, warn, info or debug [info]"),
    ("log-format", "text|json", "lines for people, or for programs [text]"),
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
    ("backup-dir", "DIR", "make verified backups of the database in this directory [none]"),
    ("backup-every", "TIME", "from one backup to the next: 30m, 24h, 7d [24h]"),
    ("backup-keep", "COUNT", "backups to keep; older ones are removed [7]"),
    ("limits", "on|off", "rate limits for each person, address and room [on]"),
    ("tls-cert", "FILE", "speak TLS with this certificate chain (PEM); repeatable [none]"),
    ("tls-key", "FILE", "its private key (PEM); as many as --tls-cert, in order [none]"),
    ("http-redirect", "ADDRESS", "redirect plain HTTP here to TLS, for example 80 [none]"),
    ("hsts", "", "browsers use only TLS for this host, for a year [off]"),
    ("registration", "WHO", "open, invite (with an invitation) or closed [open]"),
    ("guests", "on|rooms|off", "guests may do all, only talk, or not come in by any door [on]"),
    ("no-registration", "", "the same as --registration closed [off]"),
    ("no-guests", "", "nobody starts a guest session of /api/v1; ChitChat stays open [off]"),
    ("secret-key-file", "FILE", "a file with the secret that signs room tokens [none]"),
    ("metrics-token-file", "FILE", "a file with the token that may read /metrics [none]"),
];

/// The values of two settings, as the core's types know them.
const REGISTRATION: [&str; 3] = ["open", "invite", "closed"];
const GUESTS: [&str; 3] = ["on", "rooms", "off"];

/// Settings with several values: separated by spaces in a variable, one flag for each on the
/// command line. The command line replaces the variable's values.
const LISTS: [&str; 5] = ["origin", "host", "trusted-proxy", "tls-cert", "tls-key"];

/// Reads a file that a setting names.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Parses the command line (without the program's name), the environment and the configuration
/// file.
///
/// # Errors
/// One line that names the wrong argument, and says what would be right.
pub fn parse(
    words: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
    file: ReadFile<'_>,
) -> Result<CliCommand, String> {
    // An argument may contain anything, also line ends.
    read(words, variable, file).map_err(|error| error.replace(char::is_control, "\u{fffd}"))
}

fn read(
    words: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
    file: ReadFile<'_>,
) -> Result<CliCommand, String> {
    // A user who cannot unset a variable sets it to nothing.
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let (mut flags, mut words_given) = (Vec::<Given>::new(), Vec::new());
    let (mut force, mut options) = (false, admin::Options::new());
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
                if let Some(name) = admin::option(flag) {
                    let value = parser.value().map_err(|error| hint(&error.to_string()))?;
                    options.push((name, text(name, value)?));
                    continue;
                }
                let known = SETTINGS.iter().find(|(name, _, _)| *name == flag);
                let Some((name, wanted, _)) = known else {
                    return Err(hint(&format!("there is no --{flag}")));
                };
                let value = match wanted.is_empty() {
                    true => "1".to_owned(),
                    false => {
                        let value = parser.value().map_err(|error| hint(&error.to_string()))?;
                        text(name, value)?
                    }
                };
                match flags.iter_mut().find(|given| given.name == *name && LISTS.contains(name)) {
                    Some(list) => list.values.push(value),
                    None => {
                        let (values, from) = (vec![value], format!("--{name}"));
                        flags.push(Given { name, values, from });
                    }
                }
            }
            other => return Err(hint(&other.unexpected().to_string())),
        }
    }
    let mut config = Config::default();
    if let Some(secret) = variable("SECRET_KEY") {
        config.secret_key = Some(secrets::checked(text("SECRET_KEY", secret)?, "SECRET_KEY")?);
    }
    let mut given = environment(variable)?;
    given.extend(flags);
    if let Some(path) = given.iter().rev().find(|given| given.name == "config") {
        let path = PathBuf::from(path.values.concat());
        given.splice(0..0, file::read(&path, file)?);
        config.file = Some(path);
    }
    for Given { name, values, from } in &given {
        clear(&mut config, name);
        for value in values {
            set(&mut config, name, value, from)?;
        }
    }
    if config.ping_interval_ms >= config.pong_deadline_ms {
        let why = "a ping needs time for its pong";
        return Err(format!("--ping-interval must be less than --pong-deadline: {why}"));
    }
    if config.tls_certificates.len() != config.tls_keys.len() {
        return Err("each --tls-cert needs its --tls-key, in the same order".to_owned());
    }
    if config.tls_certificates.is_empty() && (config.http_redirect.is_some() || config.hsts) {
        return Err("--http-redirect and --hsts need TLS: --tls-cert and --tls-key".to_owned());
    }
    if let [word, rest @ ..] = words_given.as_slice()
        && word == "admin"
    {
        if force {
            return Err(hint(NO_FORCE));
        }
        let (task, page) = (AdminTask::parse(rest, &options)?, admin::page(&config, &options)?);
        let task = MaintenanceTask::Admin { task, page };
        return Ok(CliCommand::Maintain { db: config.db, task });
    }
    if let Some((name, _)) = options.iter().find(|(name, _)| *name != "url") {
        return Err(hint(&format!("--{name} works only with admin invite")));
    }
    let url = options.pop().map(|(_, url)| url);
    let with_secrets = |mut config: Config| secrets::read(&mut config, file).map(|()| config);
    let whole = || with_secrets(config.clone());
    if let Some(command) = about(&words_given, url, whole, |config| summary(config, &given))? {
        return if force { Err(hint(NO_FORCE)) } else { Ok(command) };
    }
    match words_given.split_first() {
        None if force => Err(hint(NO_FORCE)),
        None => Ok(CliCommand::Run(Box::new(with_secrets(config)?))),
        Some((first, rest)) => {
            let task = maintenance_task(first, rest, force)?;
            Ok(CliCommand::Maintain { db: config.db, task })
        }
    }
}

const NO_FORCE: &str = "--force works only with restore and import";

/// Empties a list, if it is one.
fn clear(config: &mut Config, name: &str) {
    match name {
        "origin" => config.origins.clear(),
        "host" => config.hosts.clear(),
        "trusted-proxy" => config.trusted_proxies.clear(),
        "tls-cert" => config.tls_certificates.clear(),
        "tls-key" => config.tls_keys.clear(),
        _ => {}
    }
}

/// Sets one setting. `source` is the flag, the variable or the key, for errors.
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
        "config" if value.is_empty() => return wrong("the name of a file"),
        "config" => {} // It was read before any setting is set.
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
        "log-format" => match value {
            "text" => config.log_format = Format::Text,
            "json" => config.log_format = Format::Json,
            _ => return wrong("text or json"),
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
        "backup-dir" if value.is_empty() => return wrong("the name of a directory"),
        "backup-dir" => config.backup_dir = Some(PathBuf::from(value)),
        "backup-every" => match seconds(value) {
            Some(seconds @ 1..=SECS_MAX) => config.backup_every_secs = seconds,
            _ => return wrong("a time such as 30m, 24h or 7d, at most a year"),
        },
        "backup-keep" => {
            config.backup_keep = number(1, limits::operating::BACKUP_KEEP_MAX as u64)? as usize;
        }
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
        "secret-key-file" | "metrics-token-file" if value.is_empty() => {
            return wrong("the name of a file");
        }
        "secret-key-file" => config.secret_key_file = Some(PathBuf::from(value)),
        "metrics-token-file" => config.metrics_token_file = Some(PathBuf::from(value)),
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
