//! The benchmark: the cost of one delivery, one idle websocket and one durable message on this
//! server, beside the least that any program could pay, measured in the same run.
//!
//! `cargo bench --bench bench -- [--quick] [--window N] [--server PATH] [--before PATH]
//! [--only deliveries|paced|memory|acks|commands|chain|history]`
//!
//! One executable, several processes, so that each one's cost can be separated: without a `role=`
//! it is the conductor ([`figures`]), which starts the server, and itself again as the load
//! generator ([`load`]) and as the floors ([`floor`], [`disk`]). The load runs on core 0, the
//! measured process on core 1. Numbers are reported and budgets judged, but a missed budget is no
//! failure: a busy machine must not break a build.

mod chain;
mod commands;
mod disk;
mod figures;
mod flock;
mod floor;
#[path = "../kit/frames.rs"]
mod frames;
mod history;
mod load;
mod lockstep;
mod proc;
mod report;
mod stage;
mod wire;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The errors of the benchmark. It reports failures, and repairs nothing.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// No process of a run outlives this: the last bound on time.
const PROCESS_LIFE_SECS: u64 = 180;

/// `key=value` pairs: the arguments and the report of a role.
#[derive(Clone, Debug, Default)]
struct Words(BTreeMap<String, String>);

impl Words {
    /// Takes each `key=value` and skips the rest.
    fn parse<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Words {
        let pairs = words.into_iter().filter_map(|word| {
            let (key, value) = word.as_ref().split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        });
        Words(pairs.collect())
    }

    fn with(mut self, key: &str, value: impl ToString) -> Words {
        self.0.insert(key.to_owned(), value.to_string());
        self
    }

    fn text(&self, key: &str) -> Outcome<&str> {
        Ok(self.0.get(key).ok_or_else(|| format!("'{key}=' is missing"))?)
    }

    fn number(&self, key: &str) -> Outcome<f64> {
        let text = self.text(key)?;
        Ok(text.parse().map_err(|_| format!("'{key}={text}' is not a number"))?)
    }

    fn count(&self, key: &str) -> Outcome<usize> {
        let text = self.text(key)?;
        Ok(text.parse().map_err(|_| format!("'{key}={text}' is not a count"))?)
    }

    /// As arguments, and as lines of output.
    fn list(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(key, value)| format!("{key}={value}"))
    }

    fn lines(&self) -> String {
        self.list().fold(String::new(), |mut lines, word| {
            let _ = writeln!(lines, "{word}"); // Writing to a string cannot fail.
            lines
        })
    }
}

/// The command line's options.
struct Options {
    quick: bool,
    only: Option<String>,
    /// Messages in flight for each sender of a saturated room. It decides how many frames can share
    /// a write, so figures with different windows cannot be compared.
    window: usize,
    server: Option<PathBuf>,
    /// An older server to compare with, measured in turns, in place of the floors.
    before: Option<PathBuf>,
}

impl Options {
    /// `None`: started by `cargo test --all-targets`, not by `cargo bench`. Measures nothing.
    fn from_command_line() -> Outcome<Option<Options>> {
        use lexopt::prelude::*;
        let mut asked = false;
        // Cargo names the server's binary once the package has one.
        let built = option_env!("CARGO_BIN_EXE_shanty").map(PathBuf::from);
        let mut options =
            Options { quick: false, only: None, window: 64, server: built, before: None };
        let mut words = lexopt::Parser::from_env();
        while let Some(word) = words.next()? {
            match word {
                Long("bench") => asked = true,
                Long("quick") => options.quick = true,
                Long("only") => {
                    let part = words.value()?.string()?;
                    if !figures::PARTS.contains(&part.as_str()) {
                        return Err(format!("--only: one of {}", figures::PARTS.join(", ")).into());
                    }
                    options.only = Some(part);
                }
                Long("window") => options.window = words.value()?.parse()?,
                Long("before") => options.before = Some(words.value()?.into()),
                Long("server") => options.server = Some(words.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(asked.then_some(options))
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

fn main() -> ExitCode {
    let words = Words::parse(std::env::args().skip(1));
    let outcome = match words.0.get("role").map(String::as_str) {
        None => conduct(),
        Some(role) => {
            std::thread::spawn(|| {
                std::thread::sleep(Duration::from_secs(PROCESS_LIFE_SECS));
                eprintln!("bench: a role took longer than {PROCESS_LIFE_SECS} s");
                std::process::exit(3);
            });
            match role {
                "load" => load::run(&words),
                "floor" => floor::run(&words),
                "disk" => disk::run(&words),
                other => Err(format!("no such role: {other}").into()),
            }
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn conduct() -> Outcome<()> {
    match Options::from_command_line()? {
        Some(options) => figures::run(&options),
        None => {
            println!("nothing is measured: run it with `cargo bench --bench bench`");
            Ok(())
        }
    }
}
