//! Each setting: its flag, its value's form, its meaning; and how a value becomes a part of
//! [`Config`].

use std::path::PathBuf;

use crate::config::values::{
    address, base_path, domain, header, host, mailbox, origin, seconds, size,
};
use crate::config::{Config, Durability, Network};
use crate::limits;
use crate::logger::{Format, Level};

/// Settings: the flag without dashes, a placeholder for its value (empty for a switch), and its
/// meaning. The environment variable is the flag in capitals after `SHANTY_`.
pub(super) const SETTINGS: [(&str, &str, &str); 39] = [
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
    ("base-path", "PATH", "serve everything below this path, such as /chat [/]"),
    ("host", "NAME", "answer only requests for this host name; repeatable [any]"),
    (
        "trusted-proxy",
        "NETWORK",
        "believe proxies there about client addresses; repeatable [loopback]",
    ),
    ("proxy-protocol", "", "connections from --trusted-proxy begin with a PROXY v2 header [off]"),
    ("auth-header", "NAME", "believe --trusted-proxy who has logged in: a header's name [none]"),
    ("retain-days", "DAYS", "remove older messages, for good [off]"),
    ("retain-messages", "COUNT", "in each room, keep only the latest COUNT messages [off]"),
    ("disk-free", "SIZE", "free disk space to keep; with less, messages are refused [64M]"),
    ("backup-dir", "DIR", "make verified backups of the database in this directory [none]"),
    ("backup-every", "TIME", "from one backup to the next: 30m, 24h, 7d [24h]"),
    ("backup-keep", "COUNT", "backups to keep; older ones are removed [7]"),
    ("limits", "on|off", "rate limits for each person, address and room [on]"),
    ("tls-cert", "FILE", "speak TLS with this certificate chain (PEM); repeatable [none]"),
    ("tls-key", "FILE", "its private key (PEM); as many as --tls-cert, in order [none]"),
    ("acme", "NAME", "get a certificate for this host name by ACME; repeatable [none]"),
    ("acme-contact", "EMAIL", "where the authority reaches you about it [none]"),
    ("acme-directory", "URL", "the authority's directory [Let's Encrypt]"),
    ("acme-ca", "FILE", "who has issued the directory's own certificate (PEM) [web's]"),
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
pub(super) const LISTS: [&str; 6] =
    ["origin", "host", "trusted-proxy", "tls-cert", "tls-key", "acme"];

/// Empties a list, if it is one.
pub(super) fn clear(config: &mut Config, name: &str) {
    match name {
        "origin" => config.origins.clear(),
        "host" => config.hosts.clear(),
        "trusted-proxy" => config.trusted_proxies.clear(),
        "tls-cert" => config.tls_certificates.clear(),
        "tls-key" => config.tls_keys.clear(),
        "acme" => config.acme_hosts.clear(),
        _ => {}
    }
}

/// Sets one setting. `source` is the flag, the variable or the key, for errors.
pub(super) fn set(
    config: &mut Config,
    name: &str,
    value: &str,
    source: &str,
) -> Result<(), String> {
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
        "acme" => match domain(value) {
            Some(name) => config.acme_hosts.push(name),
            None => return wrong("a host name such as chat.example.org"),
        },
        "acme-contact" => match mailbox(value) {
            Some(address) => config.acme_contact = Some(address),
            None => return wrong("an e-mail address"),
        },
        "acme-directory" => match value.strip_prefix("https://") {
            Some(rest) if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()) => {
                config.acme_directory = value.to_owned();
            }
            _ => return wrong("an address that begins with https://"),
        },
        "acme-ca" if value.is_empty() => return wrong("the name of a file"),
        "acme-ca" => config.acme_ca = Some(PathBuf::from(value)),
        "http-redirect" => match address(value) {
            Some(address) => config.http_redirect = Some(address),
            None => return wrong("an address and port such as 0.0.0.0:80, or a port"),
        },
        "hsts" | "proxy-protocol" => {
            let on = match value {
                "1" => true,
                "0" => false,
                _ => return wrong("1 or 0"),
            };
            *(if name == "hsts" { &mut config.hsts } else { &mut config.proxy_protocol }) = on;
        }
        "origin" => match origin(value) {
            Some(origin) => config.origins.push(origin),
            None => return wrong("an origin such as https://chat.example.org"),
        },
        "base-path" => match base_path(value) {
            Some(path) => config.base_path = path,
            None => return wrong("a path such as /chat, of letters, digits and -._~"),
        },
        "host" => match host(value) {
            Some(host) => config.hosts.push(host),
            None => return wrong("a name such as chat.example.org, with a port or without"),
        },
        "auth-header" => match header(value) {
            Some(name) => config.auth_header = Some(name),
            None => return wrong("a header of its own such as Remote-User"),
        },
        "trusted-proxy" => match Network::parse(value) {
            Some(networks) => config.trusted_proxies.extend(networks),
            None => return wrong("an address, a network such as 10.0.0.0/8, loopback or private"),
        },
        _ => unreachable!("{name} is one of SETTINGS"),
    }
    Ok(())
}
