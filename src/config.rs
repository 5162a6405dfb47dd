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
mod settings;
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
use crate::config::settings::{LISTS, SETTINGS, clear, set};
use crate::crypto;
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
    /// The path below which the server stands: empty, or `/chat`, without a slash at its end.
    pub base_path: String,
    /// Accepted `Host` headers, in lower case, with a port or without; empty: any.
    pub hosts: Vec<String>,
    /// Proxies whose word about the client's address is believed.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they name the person whom they have logged in, in lower case.
    pub auth_header: Option<String>,
    /// Whether their connections begin with a PROXY header, which names the client.
    pub proxy_protocol: bool,
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
    /// Host names for which an authority issues a certificate by itself (ACME), in lower case.
    pub acme_hosts: Vec<String>,
    /// An e-mail address at which the authority reaches the operator.
    pub acme_contact: Option<String>,
    /// The authority's directory.
    pub acme_directory: String,
    /// A PEM file with the issuer of the authority's own certificate, if others do not know it.
    pub acme_ca: Option<PathBuf>,
    /// Another address to listen on, for plain HTTP that is redirected to TLS.
    pub http_redirect: Option<SocketAddr>,
    /// Whether browsers are told to use TLS only.
    pub hsts: bool,
}

/// The directory of an authority that asks for no money and no account.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

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
            base_path: String::new(),
            hosts: Vec::new(),
            trusted_proxies: Network::LOOPBACK.into(),
            auth_header: None,
            proxy_protocol: false,
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
            acme_hosts: Vec::new(),
            acme_contact: None,
            acme_directory: LETS_ENCRYPT.to_owned(),
            acme_ca: None,
            http_redirect: None,
            hsts: false,
        }
    }
}

impl Config {
    /// The folder in which the server keeps what an authority has given it (ACME).
    pub fn acme_folder(&self) -> PathBuf {
        let mut name = self.db.clone().into_os_string();
        name.push(".acme");
        PathBuf::from(name)
    }

    /// The file with the certificate from the authority, and with its key: each authority has its
    /// own.
    pub fn acme_certificate(&self) -> PathBuf {
        self.acme_file("certificate", "pem")
    }

    /// The file with the account at the authority.
    pub fn acme_account(&self) -> PathBuf {
        self.acme_file("account", "json")
    }

    fn acme_file(&self, what: &str, ending: &str) -> PathBuf {
        let authority = crypto::hex(&crypto::hash(&self.acme_directory)[..8]);
        self.acme_folder().join(format!("{what}-{authority}.{ending}"))
    }
}

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
    let tls = !config.tls_certificates.is_empty() || !config.acme_hosts.is_empty();
    if !tls && (config.http_redirect.is_some() || config.hsts) {
        return Err(
            "--http-redirect and --hsts need TLS: --tls-cert and --tls-key, or --acme".to_owned()
        );
    }
    if config.auth_header.is_some() {
        // By default every program of this machine is trusted, which is too much for logins.
        if !given.iter().any(|given| given.name == "trusted-proxy") {
            return Err("--auth-header needs --trusted-proxy: name the proxy whose word about \
                        people counts, and nobody else"
                .to_owned());
        }
        // Otherwise a stranger could take the name of somebody who has not come yet.
        config.registration = config.registration.or(Some("closed"));
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

fn text(name: &str, value: OsString) -> Result<String, String> {
    value.into_string().map_err(|_| format!("{name} is not valid UTF-8"))
}

fn hint(problem: &str) -> String {
    format!("{problem}; try --help")
}
