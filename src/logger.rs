//! The log for the person who runs the server: one line an event, on standard error.
//!
//! Never a key, a password, a token or what somebody said. The level is set once, at the start.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How much is said; each level includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Nothing at all.
    Off,
    /// Something is lost or refused that should not be, and a person must act.
    Error,
    /// Something is wrong, but the server copes.
    Warn,
    /// Start, stop and what changes the whole server.
    Info,
    /// Each connection and request.
    Debug,
}

impl Level {
    /// Reads `off`, `error`, `warn`, `info` or `debug`.
    pub fn parse(word: &str) -> Option<Level> {
        let all = [Level::Off, Level::Error, Level::Warn, Level::Info, Level::Debug];
        all.into_iter().find(|level| level.to_string() == word)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Off => "off",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        })
    }
}

static LEVEL: OnceLock<Level> = OnceLock::new();

/// Sets the level for the life of the process. A second call changes nothing.
pub fn start(level: Level) {
    let _ = LEVEL.set(level);
}

/// Whether a line of this level would be printed; before [`start`], warnings and errors are.
pub fn on(level: Level) -> bool {
    level <= *LEVEL.get().unwrap_or(&Level::Warn)
}

/// Prints one line. Callers use the macros, which skip the formatting of what is not printed.
pub fn line(level: Level, what: fmt::Arguments<'_>) {
    use std::io::Write;
    // Whoever closed our standard error does not want to read this; the server goes on.
    // The formatter knows the years 1970 to 9999.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let now = humantime::format_rfc3339_micros(SystemTime::now().clamp(UNIX_EPOCH, last));
    let _ = writeln!(std::io::stderr(), "{now} {level:5} {what}");
}

/// Prints a line at a [`Level`], by its name: `log!(Info, "listening on {address}")`.
#[macro_export]
macro_rules! log {
    ($level:ident, $($what:tt)+) => {
        if $crate::logger::on($crate::logger::Level::$level) {
            $crate::logger::line($crate::logger::Level::$level, format_args!($($what)+));
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_as_they_are_written() {
        for level in [Level::Off, Level::Error, Level::Warn, Level::Info, Level::Debug] {
            assert_eq!(Level::parse(&level.to_string()), Some(level));
        }
        assert_eq!(Level::parse("loud"), None);
        assert!(Level::Error < Level::Debug);
    }
}
