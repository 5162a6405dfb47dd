//! The operator's log: one line for each event, on standard error, as text or as JSON.
//!
//! Never a key, a password, a token or the text of a message. The level is set once, at the start.
//!
//! Logging never waits for a reader: a pipe that nobody reads fills up, and then blocks its writer.
//! So a thread of its own writes the lines, from a bounded queue.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fmt, panic, thread};

use tokio::sync::watch;

use crate::limits::{LOG_FLUSH_MS, LOG_LINE_BYTES_MAX, LOG_LINES_MAX};

/// How much is logged; each level includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Nothing.
    Off,
    /// Something is lost or refused that should not be, and the operator must act.
    Error,
    /// Something is wrong, but the server copes.
    Warn,
    /// Start, stop and what concerns the whole server.
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

/// How a line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object for each line.
    Json,
}

static LEVEL: OnceLock<Level> = OnceLock::new();
static FORMAT: OnceLock<Format> = OnceLock::new();

/// The queue to the writing thread, once it has started.
static LINES: OnceLock<SyncSender<Message>> = OnceLock::new();

/// What the queue carries.
enum Message {
    /// A line, and how many lines its thread has dropped before it.
    Line { left_out: u64, line: String },
    /// Answered when all lines before it are written.
    Flush(SyncSender<()>),
}

/// All lines that were ever dropped.
static DROPPED: OnceLock<watch::Sender<u64>> = OnceLock::new();

thread_local! {
    /// Lines that this thread has dropped since the last one that was queued.
    static LEFT_OUT: Cell<u64> = const { Cell::new(0) };
}

/// Sets level and format for the life of the process; from here on logging never blocks. A second
/// call changes nothing.
pub fn start(level: Level, format: Format) {
    let _ = LEVEL.set(level);
    let _ = FORMAT.set(format);
    let (lines, queue) = sync_channel(LOG_LINES_MAX);
    let writer = thread::Builder::new().name("log".to_owned()).spawn(move || write(queue));
    // Without a thread, lines are written at once, as before the start.
    if writer.is_ok() && LINES.set(lines).is_ok() {
        panic::set_hook(Box::new(|panic| say(&panicked(panic))));
    }
}

/// Whether a line of this level is printed; before [`start`], warnings and errors are.
pub fn on(level: Level) -> bool {
    level <= *LEVEL.get().unwrap_or(&Level::Warn)
}

/// Logs one line, perhaps about a request. Use the macro, which skips the formatting of lines that
/// are not printed.
pub fn line(level: Level, request: Option<&str>, message: fmt::Arguments<'_>) {
    send(entry(format(), level, request, &message.to_string()));
}

fn format() -> Format {
    *FORMAT.get().unwrap_or(&Format::Text)
}

fn entry(format: Format, level: Level, request: Option<&str>, message: &str) -> String {
    // The formatter handles the years 1970 to 9999.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let now = humantime::format_rfc3339_micros(SystemTime::now().clamp(UNIX_EPOCH, last));
    let message = cut(message);
    match (format, request) {
        (Format::Text, None) => format!("{now} {level:5} {message}"),
        (Format::Text, Some(id)) => format!("{now} {level:5} {message} request={id}"),
        (Format::Json, _) => {
            let mut line = format!("{{\"time\":\"{now}\",\"level\":\"{level}\",\"message\":");
            quote(message, &mut line);
            if let Some(id) = request {
                line += ",\"request\":";
                quote(id, &mut line);
            }
            line + "}"
        }
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOG_LINE_BYTES_MAX)]
}

/// Appends a text as a JSON string (RFC 8259 section 7).
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            char if u32::from(char) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

/// Prints a text as it is, at every level: last words. In JSON it is an error's message.
pub fn say(text: &str) {
    match format() {
        Format::Text => send(cut(text).to_owned()),
        Format::Json => send(entry(Format::Json, Level::Error, None, text)),
    }
}

fn send(line: String) {
    let Some(lines) = LINES.get() else { return print(&line) };
    let left_out = LEFT_OUT.get();
    let full = lines.try_send(Message::Line { left_out, line }).is_err();
    LEFT_OUT.set(if full { left_out + 1 } else { 0 });
    if full {
        DROPPED.get_or_init(|| watch::channel(0).0).send_modify(|dropped| *dropped += 1);
    }
}

/// The number of lines that were dropped since the start, because nobody read the others.
pub fn dropped() -> u64 {
    DROPPED.get().map_or(0, |dropped| *dropped.borrow())
}

/// Waits until all lines are written, but not for long if nobody reads them. Call it at the end of
/// the process.
pub fn finish() {
    let Some(lines) = LINES.get() else { return };
    let (written, wait) = sync_channel(1);
    let end = Instant::now() + Duration::from_millis(LOG_FLUSH_MS);
    let mut flush = Message::Flush(written);
    while let Err(TrySendError::Full(back)) = lines.try_send(flush) {
        if Instant::now() >= end {
            return;
        }
        flush = back;
        // The standard library's channels have no send with a deadline.
        thread::sleep(Duration::from_millis(1));
    }
    let _ = wait.recv_timeout(end.saturating_duration_since(Instant::now()));
}

/// The writing thread: it alone waits for a reader of standard error.
fn write(queue: Receiver<Message>) {
    for message in queue {
        match message {
            Message::Line { left_out, line } => {
                if left_out > 0 {
                    let message = format!("{left_out} lines are left out: nobody read");
                    print(&entry(format(), Level::Warn, None, &message));
                }
                print(&line);
            }
            Message::Flush(written) => {
                let _ = written.send(()); // The caller may have stopped waiting.
            }
        }
    }
}

fn print(line: &str) {
    use std::io::Write;
    if cfg!(test) {
        return eprintln!("{line}"); // Captured by the test, and shown only if it fails.
    }
    // In one piece, so that other processes' lines do not come between. If standard error is
    // closed, nobody wants the line, and the server goes on.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// A panic as the standard library reports it; its own report would block.
fn panicked(panic: &panic::PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("?");
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => format!("thread '{name}' {panic}\n{trace}"),
        _ => format!("thread '{name}' {panic}"),
    }
}

/// Prints a line at a [`Level`], by its name: `log!(Info, "listening on {address}")`; about a
/// request, by its id: `log!(Debug, request: id, "{status}")`.
#[macro_export]
macro_rules! log {
    ($level:ident, request: $id:expr, $($message:tt)+) => {
        if $crate::logger::on($crate::logger::Level::$level) {
            let message = format_args!($($message)+);
            $crate::logger::line($crate::logger::Level::$level, Some($id), message);
        }
    };
    ($level:ident, $($message:tt)+) => {
        if $crate::logger::on($crate::logger::Level::$level) {
            $crate::logger::line($crate::logger::Level::$level, None, format_args!($($message)+));
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

    #[test]
    fn a_line_of_json_is_json_whatever_it_says() {
        let what = "a \"b\" \\ c\n\td\u{1}\u{7f}\u{e9}\u{1f980}";
        let line = entry(Format::Json, Level::Warn, Some("id\""), what);
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert!(!line.contains('\n'));
        assert_eq!((&read["message"], &read["request"]), (&what.into(), &"id\"".into()));
        assert_eq!(read["level"], "warn");
        let long = "\u{e9}".repeat(LOG_LINE_BYTES_MAX);
        let line = entry(Format::Json, Level::Warn, None, &long);
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "also if it is cut");
        assert!(line.len() < LOG_LINE_BYTES_MAX + 100);
        let line = entry(Format::Text, Level::Warn, Some("7"), "late");
        assert!(line.ends_with("Z warn  late request=7"), "{line}");
    }
}
