//! Which arguments are accepted, and the errors for others.

use super::*;
use crate::config::commands::CHORES;
use crate::fuzz::fuzz;

fn run(words: &[&str], environment: &[(&str, &str)]) -> Result<CliCommand, String> {
    let find = |name: &str| {
        let found = environment.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| OsString::from(value))
    };
    let file = |path: &Path| match path.to_str() {
        Some("shanty.toml") => Ok("listen = ':90'\nsession-ttl = 7\nhost = ['f', 'g']\n".into()),
        Some("empty.toml") => Ok(String::new()),
        Some("wrong.toml") => Ok("\nworkers = 0\n".into()),
        Some("secret") => Ok(format!("{}\n", "s".repeat(32))),
        Some("short") => Ok("s".repeat(31)),
        Some("spaced") => Ok("s ".repeat(32)),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    parse(words.iter().map(OsString::from), find, &file)
}

fn config(words: &[&str], environment: &[(&str, &str)]) -> Config {
    match run(words, environment) {
        Ok(CliCommand::Run(config)) => *config,
        other => panic!("{words:?} {environment:?}: {other:?}"),
    }
}

#[test]
fn defaults_then_environment_then_flags() {
    assert_eq!(config(&[], &[]), Config::default());
    assert_eq!(config(&[], &[("PORT", "80")]).listen.to_string(), "0.0.0.0:80");
    let both = [("PORT", "80"), ("SHANTY_LISTEN", "127.0.0.1:81")];
    assert_eq!(config(&[], &both).listen.to_string(), "127.0.0.1:81");
    assert_eq!(config(&["--listen", "[::1]:82"], &both).listen.to_string(), "[::1]:82");
    assert_eq!(config(&["--listen", ":83"], &[]).listen.to_string(), "0.0.0.0:83");
    let session = [("SHANTY_SESSION_TTL", "5")];
    assert_eq!(config(&[], &session).session_ttl_secs, 5);
    assert_eq!(config(&["--session-ttl=6"], &session).session_ttl_secs, 6);
    assert_eq!(config(&["--sync", "normal"], &[]).sync, Durability::Normal);
    assert_eq!(config(&["--log", "off"], &[]).log, Level::Off);
    assert_eq!(config(&["--log-format", "json"], &[]).log_format, Format::Json);
    assert_eq!(config(&["--db", "x.db"], &[]).db, PathBuf::from("x.db"));
    let least = "s".repeat(32);
    let secret = config(&[], &[("SECRET_KEY", &least)]).secret_key;
    assert_eq!(secret.as_deref(), Some(&*least));
    let filed =
        config(&["--secret-key-file", "secret"], &[("SHANTY_METRICS_TOKEN_FILE", "secret")]);
    assert_eq!(filed.secret_key.as_deref(), Some(&*least), "without the end of its line");
    assert_eq!(filed.metrics_token.as_deref(), Some(&*least));
    let short = run(&[], &[("SECRET_KEY", &least[1..])]);
    assert!(short.is_err_and(|why| why.contains("32 bytes")), "what can be guessed signs nothing");
    let origins = [("SHANTY_ORIGIN", "https://a http://B:1")];
    assert_eq!(config(&[], &origins).origins, ["https://a", "http://b:1"]);
    assert_eq!(config(&["--origin", "https://c"], &origins).origins, ["https://c"]);
    let ports = "https://a:443 http://b:80/ https://c:80 http://[::1]:443";
    let ports = config(&[], &[("SHANTY_ORIGIN", ports)]).origins;
    assert_eq!(ports, ["https://a", "http://b", "https://c:80", "http://[::1]:443"]);
    let hosts = config(&["--host", "A.example", "--host=[::1]:80"], &[("SHANTY_HOST", "b")]).hosts;
    assert_eq!(hosts, ["a.example", "[::1]:80"]);
    for (path, kept) in [("/", ""), ("/chat", "/chat"), ("/a/b-c.d/", "/a/b-c.d")] {
        assert_eq!(config(&["--base-path", path], &[]).base_path, kept);
    }
    let networks = |text: &str| Network::parse(text).expect("networks");
    let proxies = [("SHANTY_TRUSTED_PROXY", "10.0.0.0/8 ::1")];
    let trusted = config(&[], &proxies).trusted_proxies;
    assert_eq!(trusted, [networks("10.0.0.0/8"), networks("::1")].concat());
    let trusted = config(&["--trusted-proxy", "private"], &proxies).trusted_proxies;
    assert_eq!(trusted, networks("private"));
    assert_eq!(config(&[], &[]).trusted_proxies, networks("loopback"));
    let by_header = ["--auth-header", "Remote-User", "--trusted-proxy", "10.0.0.1"];
    let read = config(&by_header, &[]);
    assert_eq!(read.auth_header.as_deref(), Some("remote-user"));
    assert_eq!(read.registration, Some("closed"), "only the proxy lets people in");
    let read = config(&by_header, &[("SHANTY_REGISTRATION", "open")]);
    assert_eq!(read.registration, Some("open"), "unless the operator says otherwise");
    let acme = ["--acme", "Chat.Example.org", "--acme=b.example", "--hsts"];
    let acme = config(&acme, &[("SHANTY_ACME_CONTACT", "mailto:ann@example.org")]);
    assert_eq!(acme.acme_hosts, ["chat.example.org", "b.example"]);
    assert_eq!(acme.acme_contact.as_deref(), Some("ann@example.org"));
    let retained = config(&["--retain-days", "30"], &[("SHANTY_RETAIN_MESSAGES", "9")]);
    assert_eq!((retained.retain_days, retained.retain_messages), (Some(30), Some(9)));
    for (size, bytes) in
        [("0", 0), ("512", 512), ("3k", 3 << 10), ("64MiB", 64 << 20), ("2G", 2 << 30)]
    {
        assert_eq!(config(&["--disk-free", size], &[]).disk_free_bytes, Some(bytes));
    }
    for (every, seconds) in [("90s", 90), ("30m", 1_800), ("24h", 86_400), ("7d", 604_800)] {
        assert_eq!(config(&["--backup-every", every], &[]).backup_every_secs, seconds);
    }
    assert!(config(&[], &[]).limits && !config(&["--limits", "off"], &[]).limits);
    assert!(!config(&["--no-guests"], &[]).guests);
    assert!(!config(&[], &[("SHANTY_NO_GUESTS", "1")]).guests);
    assert!(config(&[], &[("SHANTY_NO_GUESTS", "0")]).guests);
    let closed = config(&["--no-registration"], &[]);
    assert_eq!((closed.registration, closed.guests), (Some("closed"), true));
    let closed = config(&[], &[("SHANTY_NO_REGISTRATION", "1")]);
    assert_eq!(closed.registration, Some("closed"));
    let both = ["--registration", "invite", "--guests", "rooms"];
    let invite = config(&both, &[("SHANTY_NO_REGISTRATION", "0"), ("SHANTY_GUESTS", "off")]);
    assert_eq!((invite.registration, invite.guest_policy), (Some("invite"), Some("rooms")));
    for wrong in [["--registration", "on"], ["--guests", "1"]] {
        assert!(run(&wrong, &[]).is_err_and(|why| why.contains("should be")), "{wrong:?}");
    }
}

#[test]
fn a_file_stands_below_the_environment() {
    let file = ("SHANTY_CONFIG", "shanty.toml");
    let read = config(&[], &[file]);
    assert_eq!((read.listen.port(), read.session_ttl_secs), (90, 7));
    assert_eq!(
        (read.hosts, read.file),
        (vec!["f".to_owned(), "g".to_owned()], Some("shanty.toml".into()))
    );
    let read = config(&["--session-ttl", "9", "--host", "h"], &[file, ("PORT", "91")]);
    assert_eq!((read.listen.port(), read.session_ttl_secs), (91, 9));
    assert_eq!(read.hosts, ["h"], "a list replaces, and does not add");
    let read = config(&["--config", "empty.toml"], &[file]);
    assert_eq!(Config { file: None, ..read }, Config::default(), "a flag names another file");
    let error = run(&["--config=wrong.toml"], &[]).expect_err("a wrong value");
    assert!(error.starts_with("workers in wrong.toml, line 2, is \"0\""), "{error}");
    let tend = run(&["verify", "--config", "shanty.toml"], &[]);
    assert!(matches!(tend, Ok(CliCommand::Maintain { .. })), "{tend:?}");
}

#[test]
fn the_configuration_can_be_checked() {
    let check = |words: &[&str]| run(words, &[("PORT", "91"), ("SECRET_KEY", &"s".repeat(32))]);
    let Ok(CliCommand::Print(text)) =
        check(&["config", "check", "--config", "shanty.toml", "--session-ttl", "9"])
    else {
        panic!("no summary")
    };
    for line in [
        "config = shanty.toml (from --config)",
        "listen = 91 (from PORT)",
        "session-ttl = 9 (from --session-ttl)",
        "host = f g (from host in shanty.toml, line 3)",
        "the secret of room tokens is set (from SECRET_KEY)",
    ] {
        assert!(text.lines().any(|there| there == line), "{line}: {text}");
    }
    assert!(!text.contains(&"s".repeat(32)), "no secret is shown");
    assert!(check(&["config", "check", "--config", "wrong.toml"]).is_err());
    assert!(check(&["config", "check", "--metrics-token-file", "missing"]).is_err());
    for words in [&["config"][..], &["config", "show"], &["config", "check", "x"]] {
        assert!(check(words).is_err_and(|error| error.contains("usage: shanty config check")));
    }
}

/// Compose files and unit files often cannot unset a variable, only empty it.
#[test]
fn an_empty_variable_is_none() {
    let names = SETTINGS
        .iter()
        .map(|(name, _, _)| format!("SHANTY_{}", name.to_uppercase().replace('-', "_")));
    let names = names.chain(["PORT".to_owned(), "SECRET_KEY".to_owned()]);
    for name in names {
        assert_eq!(config(&[], &[(&name, "")]), Config::default(), "{name}");
    }
}

#[test]
fn a_word_that_is_no_flag_is_a_chore() {
    let task = |words: &[&str]| match run(words, &[("SHANTY_DB", "e.db")]) {
        Ok(CliCommand::Maintain { db, task }) => (db.display().to_string(), task),
        other => panic!("{words:?}: {other:?}"),
    };
    let file = || PathBuf::from("f");
    let cases: [(&[&str], MaintenanceTask); 8] = [
        (&["backup", "f"], MaintenanceTask::Backup(file())),
        (&["verify"], MaintenanceTask::Verify(None)),
        (&["verify", "f"], MaintenanceTask::Verify(Some(file()))),
        (&["restore", "f"], MaintenanceTask::Restore { from: file(), force: false }),
        (&["restore", "--force", "f"], MaintenanceTask::Restore { from: file(), force: true }),
        (&["export"], MaintenanceTask::Export(None)),
        (&["export", "f"], MaintenanceTask::Export(Some(file()))),
        (&["import", "-"], MaintenanceTask::Import { from: None, force: false }),
    ];
    for (words, expected) in cases {
        assert_eq!(task(words), ("e.db".to_owned(), expected), "{words:?}");
    }
    assert_eq!(task(&["backup", "f", "--db", "x.db"]).0, "x.db");
}

#[test]
fn wrong_words_say_what_would_be_right() {
    let cases: [(&[&str], &str); 51] = [
        (&["--listen", "nowhere"], "127.0.0.1:7777"),
        (&["--sync", "maybe"], "full or normal"),
        (&["--log", "loud"], "debug"),
        (&["--log-format", "xml"], "text or json"),
        (&["--session-ttl", "0"], "from 1 to"),
        (&["--session-ttl", "an hour"], "from 1 to"),
        (&["--connections", "1000000"], "from 1 to 10000"),
        (&["--db", ""], "name of a file"),
        (&["--db"], "--help"),
        (&["--frobnicate"], "there is no --frobnicate; try --help"),
        (&["stray"], "there is no stray; try --help"),
        (&["backup"], "usage: shanty backup FILE"),
        (&["verify", "a", "b"], "usage: shanty verify [FILE]"),
        (&["backup", "f", "--force"], "usage: shanty backup FILE"),
        (&["--force"], "restore and import"),
        (&["--retain-days", "0"], "from 1 to"),
        (&["--limits", "some"], "on or off"),
        (&["--backup-every", "24"], "such as 30m, 24h or 7d"),
        (&["--backup-every", "0h"], "such as 30m, 24h or 7d"),
        (&["--backup-keep", "0"], "from 1 to 10000"),
        (&["--backup-dir", ""], "name of a directory"),
        (&["--disk-free", "much"], "such as 500M"),
        (&["--disk-free", "99999999T"], "such as 500M"),
        (&["--no-guests=maybe"], "--help"),
        (&["--origin", "chat.example.org"], "https://chat.example.org"),
        (&["--origin", "https://*.example.org"], "https://chat.example.org"),
        (&["--host", "https://chat.example.org"], "chat.example.org"),
        (&["--host", ""], "chat.example.org"),
        (&["--base-path", "chat"], "/chat"),
        (&["--base-path", "//"], "/chat"),
        (&["--base-path", "/a/../b"], "/chat"),
        (&["--base-path", "/a%20b"], "/chat"),
        (&["--auth-header", "Remote-User"], "--trusted-proxy"),
        (&["--auth-header", "Cookie", "--trusted-proxy", "::1"], "Remote-User"),
        (&["--auth-header", "Sec-Fetch-Site", "--trusted-proxy", "::1"], "Remote-User"),
        (&["--auth-header", "Remote User", "--trusted-proxy", "::1"], "Remote-User"),
        (&["--acme", "10.0.0.1"], "chat.example.org"),
        (&["--acme", "*.example.org"], "chat.example.org"),
        (&["--acme", "chat.example.org:443"], "chat.example.org"),
        (&["--acme-contact", "somebody"], "e-mail"),
        (&["--acme-directory", "http://ca.example/dir"], "https://"),
        (&["--hsts"], "--acme"),
        (&["--trusted-proxy", "10.0.0.0/64"], "10.0.0.0/8"),
        (&["--trusted-proxy", "proxy.example"], "10.0.0.0/8"),
        (&["--ping-interval", "70000"], "less than --pong-deadline"),
        (&["--config", "missing.toml"], "cannot read missing.toml"),
        (&["--config", ""], "cannot read "),
        (&["--secret-key-file", "missing"], "cannot read missing"),
        (&["--secret-key-file", "short"], "32 bytes or more"),
        (&["--secret-key-file", ""], "name of a file"),
        (&["--metrics-token-file", "spaced"], "without spaces"),
    ];
    for (words, says) in cases {
        let error = run(words, &[]).expect_err("a wrong word");
        assert!(error.contains(says) && !error.contains('\n'), "{words:?}: {error}");
    }
    let error = run(&[], &[("PORT", "high")]).expect_err("a wrong variable");
    assert!(error.starts_with("PORT is \"high\""), "{error}");
    let twice = run(&["--secret-key-file", "secret"], &[("SECRET_KEY", &"s".repeat(32))]);
    assert!(twice.is_err_and(|why| why.contains("keep one")), "which would count?");
    // A command on the database needs no secret, and its user may not be able to read them.
    assert!(run(&["verify", "--secret-key-file", "missing"], &[]).is_ok());
}

#[test]
fn help_names_every_setting_and_fits_a_terminal() {
    let Ok(CliCommand::Print(text)) = run(&["-h"], &[]) else { panic!("no help") };
    for (name, value, _) in CHORES {
        assert!(text.contains(&format!("\n  {name} {value}")), "{name}");
    }
    for (name, value, _) in SETTINGS {
        assert!(text.contains(&format!("--{name} {value}")), "{name}");
    }
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    let Ok(CliCommand::Print(version)) = run(&["--version"], &[]) else { panic!("no version") };
    assert_eq!(version, format!("shanty {}", env!("CARGO_PKG_VERSION")));
}

/// Any arguments are accepted, or refused in one line; nothing panics.
#[test]
fn words_at_random() {
    let flags: Vec<String> = SETTINGS.iter().map(|(name, _, _)| format!("--{name}")).collect();
    let seeds: Vec<&str> = flags.iter().map(String::as_str).chain(["verify", "restore"]).collect();
    let values = ["1", "0", "on", "10.0.0.0/8", "[::]:7777", "https://a", "=", " ", "-", "\u{e9}"];
    fuzz(3_000, |dice| {
        let words: Vec<String> = (0..dice.roll(6))
            .map(|index| dice.text(if index % 2 == 0 { &seeds } else { &values }, &values))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Err(error) = run(&words, &[]) {
            assert!(!error.is_empty() && error.lines().count() == 1, "{words:?}: {error}");
        }
    });
}
