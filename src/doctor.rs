//! `shanty doctor`: looks at everything around a server that can be wrong, and says what to do. And
//! `shanty health`, for whoever watches over a server.
//!
//! It changes nothing: it reads the settings, the files and the system, and asks a running server
//! as any client does. Called by `main`, in a process of its own.

mod asking;
mod proxy;

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::chat::Space;
use crate::config::Config;
use crate::connection::LOCAL_HEADER;
use crate::limits::operating::CERTIFICATE_AGE_SECS;
use crate::limits::{CLOCK_STEP_SMOOTHED_MS, FILES_BESIDE_CONNECTIONS};
use crate::store::{Disk, admin};
use crate::time::Time;
use crate::tls;

/// What one examination has found: what is well, or what is wrong and what to do.
type Finding = Result<String, String>;

/// Asks a server for its health, by default the one of these settings. Returns its answer.
///
/// # Errors
/// The server's reason, or why it did not answer.
pub fn health(config: &Config, url: Option<&str>) -> Result<String, String> {
    let own = format!("http://{}/readyz", reachable(config.listen));
    let url = url.unwrap_or(&own);
    let asked = match url == own {
        true => asking::get_after(greeting(config), url),
        false => asking::get(url),
    };
    match asked? {
        (200, body) => Ok(format!("{url}: {}", first_line(&body))),
        (status, body) => Err(format!("{url} answers {status}: {}", first_line(&body))),
    }
}

/// Examines everything, and prints a line for each finding. `url`: where clients reach the server,
/// through a proxy.
///
/// # Errors
/// The number of faults found.
pub fn examine(config: &Config, url: Option<&str>) -> Result<(), usize> {
    let mut found: Vec<(&str, Finding)> = vec![
        ("settings", Ok(settings(config))),
        ("files", files(config)),
        ("directory", directory(&config.db)),
        ("disk", disk(config)),
        ("database", database(&config.db)),
        ("descriptors", descriptors(config.connections)),
        ("server", server(config)),
    ];
    if let Some(tls) = certificates(config) {
        found.push(("certificates", tls));
    }
    if let Some(url) = url {
        found.extend(proxy::examine(url));
    }
    let mut out = io::stdout().lock();
    for (topic, finding) in &found {
        let (word, text) = match finding {
            Ok(text) => ("ok   ", text),
            Err(text) => ("WRONG", text),
        };
        // If standard output is closed, nobody wants the lines; the exit code says it, too.
        let _ = writeln!(out, "{word}  {topic}: {text}");
    }
    match found.iter().filter(|(_, finding)| finding.is_err()).count() {
        0 => Ok(()),
        faults => Err(faults),
    }
}

fn settings(config: &Config) -> String {
    match &config.file {
        Some(file) => format!("valid, with those of {}", file.display()),
        None => "valid; there is no configuration file".to_owned(),
    }
}

/// Whether others may read the files that hold secrets, and this user can use the database.
fn files(config: &Config) -> Finding {
    let with_ending = |ending: &str| {
        let mut name = config.db.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    let databases = ["", "-wal", "-shm"].map(with_ending);
    for file in &databases {
        let owner = fs::metadata(file).ok().map(|there| there.uid());
        if let Some((owner, me)) = owner.zip(me()).filter(|(owner, me)| *me != 0 && owner != me) {
            let file = file.display();
            return Err(format!(
                "{file} belongs to user {owner}, and this command runs as user {me}: run it, and \
                 the server, as the file's owner"
            ));
        }
    }
    let secrets = [&config.secret_key_file, &config.metrics_token_file].into_iter().flatten();
    let acme = [config.acme_certificate(), config.acme_account()];
    for file in databases.iter().chain(secrets).chain(&config.tls_keys).chain(&acme) {
        let mode = fs::metadata(file).map_or(0, |there| there.permissions().mode());
        if mode & 0o007 != 0 {
            let file = file.display();
            return Err(format!("{file} can be read by everybody here: chmod o= {file}"));
        }
    }
    Ok(match config.db.exists() {
        true => "nobody else may read the database and the secrets".to_owned(),
        false => format!("{} does not exist yet; the server will make it", config.db.display()),
    })
}

/// The user that this process runs as.
fn me() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|process| process.uid())
}

/// Whether files can be made beside the database, as SQLite has to.
fn directory(db: &Path) -> Finding {
    let parent = db.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    let shown = directory.display();
    let there: Metadata = fs::metadata(directory)
        .map_err(|error| format!("{shown} ({error}): make it, or choose another with --db"))?;
    if !there.is_dir() {
        return Err(format!("{shown} is no directory: choose another with --db"));
    }
    if there.permissions().mode() & 0o002 != 0 && there.permissions().mode() & 0o1000 == 0 {
        return Err(format!("everybody here may replace files in {shown}: chmod o-w {shown}"));
    }
    let trial = directory.join(format!(".shanty-doctor-{}", std::process::id()));
    let made = fs::File::create_new(&trial);
    let _ = fs::remove_file(&trial); // If it was not made, there is nothing to remove.
    match made {
        Ok(_) => Ok(format!("{shown} is writable")),
        Err(error) => Err(format!(
            "no file can be made in {shown} ({error}): let the server's user write there"
        )),
    }
}

fn disk(config: &Config) -> Finding {
    let measured = Disk::of(&config.db, config.disk_free_bytes).measure();
    let measured = measured.map_err(|error| format!("its free space is unknown ({error})"))?;
    let free = format!("{} MiB are free", measured.free_bytes >> 20);
    match measured.space {
        Space::Enough => Ok(free),
        Space::Little => {
            Err(format!("only {free}: guests cannot write any more; make room, or see --disk-free"))
        }
        Space::Least => {
            Err(format!("only {free}: nobody can write any more; make room, or see --disk-free"))
        }
    }
}

/// The quick part of `verify`; and whether the clock is right, as far as the log can tell.
fn database(db: &Path) -> Finding {
    if !db.exists() {
        return Ok("there is none yet".to_owned());
    }
    let (summary, newest) = admin::examine(db)?;
    let now = Time::now();
    let ahead = newest.0.saturating_sub(now.0) / 1_000;
    if ahead > i64::try_from(CLOCK_STEP_SMOOTHED_MS).unwrap_or(i64::MAX) {
        return Err(format!(
            "its newest entry is of {newest}, and this machine's clock says {now}: set the clock \
             (timedatectl), or wait"
        ));
    }
    Ok(format!("{summary}; shanty verify checks all of it"))
}

/// Whether the server can use its certificates, and for how long; `None`: it has none.
fn certificates(config: &Config) -> Option<Finding> {
    let files = config.tls_certificates.iter().cloned().zip(config.tls_keys.iter().cloned());
    let mut pairs: Vec<_> =
        files.map(|(certificate, key)| tls::Pair { certificate, key }).collect();
    if !config.acme_hosts.is_empty() {
        let file = config.acme_certificate();
        if !file.exists() {
            return Some(Err(
                "the authority (--acme) has issued none yet: the server's log says why".to_owned(),
            ));
        }
        pairs.push(tls::Pair { certificate: file.clone(), key: file });
    }
    (!pairs.is_empty()).then(|| good_until(pairs, Time::now()))
}

fn good_until(pairs: Vec<tls::Pair>, now: Time) -> Finding {
    let count = pairs.len();
    let mut first_end = Time(i64::MAX);
    for pair in &pairs {
        let (from, to) = tls::validity(pair)?;
        let file = pair.certificate.display();
        if from > now {
            return Err(format!(
                "{file} is not valid before {}: set the clock (timedatectl), or wait",
                from.http_date()
            ));
        }
        if to < now {
            return Err(format!("{file} has expired on {}: renew it now", to.http_date()));
        }
        if to < now.plus_secs(CERTIFICATE_AGE_SECS) {
            return Err(format!(
                "{file} expires on {}: renew it, and look why nothing has done so",
                to.http_date()
            ));
        }
        first_end = first_end.min(to);
    }
    tls::load(pairs, None)?;
    let until = first_end.http_date();
    Ok(format!("{count} can be used, each with its key; valid until {until} at least"))
}

fn descriptors(connections: usize) -> Finding {
    let needed = (connections + FILES_BESIDE_CONNECTIONS) as u64;
    match rlimit::Resource::NOFILE.get() {
        Ok((_, most)) if most >= needed => Ok(format!("{needed} are allowed")),
        Ok((_, most)) => Err(format!(
            "the system allows {most} open files, but {connections} connections need {needed}: set \
             LimitNOFILE={needed} in the unit (or ulimit -n {needed}), or lower --connections"
        )),
        Err(error) => Err(format!("their limit cannot be read ({error})")),
    }
}

/// Whether a server runs and serves; if none runs, whether one could listen.
fn server(config: &Config) -> Finding {
    let address = reachable(config.listen);
    match asking::get_after(greeting(config), &format!("http://{address}/readyz")) {
        Ok((200, _)) => Ok(format!("it runs at {address}, and serves")),
        Ok((status, body)) => {
            Err(format!("at {address} it answers {status}: {}", first_line(&body)))
        }
        Err(_) => match TcpListener::bind(config.listen) {
            Ok(_) => Ok(format!("none runs; {} is free", config.listen)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(format!(
                "at {address} another program listens, or a server that does not answer: stop \
                 it, or choose another address with --listen"
            )),
            Err(error) => Err(format!(
                "nothing can listen at {} ({error}): choose another with --listen",
                config.listen
            )),
        },
    }
}

/// What a program on this machine says first to a server with these settings: with
/// `--proxy-protocol`, a trusted proxy's header for a connection of its own.
fn greeting(config: &Config) -> &'static [u8] {
    let from = reachable(config.listen).ip();
    let is_proxy = config.trusted_proxies.iter().any(|network| network.contains(from));
    if config.proxy_protocol && is_proxy { &LOCAL_HEADER } else { &[] }
}

/// An address at which a program on this machine reaches a server that listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// What a person reads of an answer, which may come from any program.
fn first_line(body: &str) -> String {
    let line = body.lines().next().unwrap_or_default();
    line.chars().filter(|char| !char.is_control()).take(200).collect()
}
