//! The processes of a run: the core of each, and that none is left behind.
//!
//! Every child is killed by its own id when its [`Running`] is dropped, also when the conductor
//! fails or panics; the directory for databases is removed in the same way.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::{Outcome, Words, proc};

/// The core of the load generator.
pub const LOAD_CORE: u32 = 0;
/// The core of the measured process.
pub const MEASURED_CORE: u32 = 1;

/// From the start of a process to its first line.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// Pinning as far as this machine allows, and a directory for databases.
pub struct Stage {
    pins: bool,
    directory: PathBuf,
    databases: u32,
}

impl Stage {
    pub fn set() -> Outcome<Stage> {
        let directory = std::env::temp_dir().join(format!("shanty-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let can = |core: u32| {
            let mut trial = Command::new("taskset");
            trial.args(["-c", &core.to_string(), "true"]).stderr(Stdio::null());
            trial.status().is_ok_and(|status| status.success())
        };
        Ok(Stage { pins: can(LOAD_CORE) && can(MEASURED_CORE), directory, databases: 0 })
    }

    /// One line on how far this run can be trusted.
    pub fn describe(&self) -> String {
        let pinning = match self.pins {
            true => format!("load on core {LOAD_CORE}, measured on core {MEASURED_CORE}"),
            false => "NOT pinned to cores (no taskset, or fewer than two)".to_owned(),
        };
        let kind = proc::file_system(&self.directory).unwrap_or_else(|| "unknown".to_owned());
        format!("{pinning}; databases on {kind} in {}", self.directory.display())
    }

    /// A path for a database that does not exist yet.
    pub fn new_database(&mut self) -> PathBuf {
        self.databases += 1;
        self.directory.join(format!("{}.db", self.databases))
    }

    /// This executable again, in another role.
    pub fn start_role(&self, core: u32, words: &Words) -> Outcome<Running> {
        let executable = std::env::current_exe()?;
        self.start(core, &executable, words.list().collect())
    }

    pub fn start(&self, core: u32, program: &Path, arguments: Vec<String>) -> Outcome<Running> {
        // `ulimit` because thousands of sockets need more than the usual 1,024 descriptors; both it
        // and `taskset` end in an `exec`, so the child's id is the program's.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n \"$(ulimit -H -n)\"; exec \"$@\"", "sh"]);
        if self.pins {
            command.args(["taskset", "-c", &core.to_string()]);
        }
        // The benchmark measures speed, so rate limits are off.
        command.env("SHANTY_LIMITS", "off");
        command.arg(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("a child without standard output")?;
        let (sender, lines) = channel();
        // Reads to the end, so that no child ever blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line); // The receiver may be gone.
            }
        });
        Ok(Running { child, stdin, lines })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory); // Temporary in any case.
    }
}

/// A child process. Dropping it kills it and waits for its end.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first further line for which `find` returns a value.
    pub fn line<T>(&self, wait: Duration, find: impl Fn(&str) -> Option<T>) -> Outcome<T> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err("no word from a child".into()),
                Err(RecvTimeoutError::Disconnected) => return Err("a child ended early".into()),
            }
        }
    }

    /// The port that a server or a floor says it listens on.
    pub fn port(&self) -> Outcome<u16> {
        self.line(START_DEADLINE, |line| {
            let (_, after) = line.split_once("http://127.0.0.1:")?;
            let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        })
    }

    /// Closes its standard input, which ends some roles, and collects its report.
    pub fn report(mut self, wait: Duration) -> Outcome<Words> {
        self.stdin = None;
        let deadline = Instant::now() + wait;
        let mut lines = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err("a child does not end".into()),
            }
        }
        match self.child.wait()? {
            status if status.success() => Ok(Words::parse(lines)),
            status => Err(format!("a child failed: {status}").into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended by itself.
        let _ = self.child.wait();
    }
}
