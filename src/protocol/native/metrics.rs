//! `/metrics`: what the server counts about itself, in Prometheus' text format (version 0.0.4).
//!
//! For this machine, without a proxy, and for whoever sends the token of `--metrics-token-file`;
//! for everybody else it does not exist. It must contain nothing about single people: no name, no
//! address, no room. Counting costs its owners next to nothing; the work is done here, when asked.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::chat::{Refusal, Source};
use crate::counts::{self, BOUNDS_MICROS, Histogram, WorkerCounts};
use crate::crypto;
use crate::http::{Request, Response};
use crate::hub::HubCounts;
use crate::limits::READY_DEADLINE_MS;
use crate::logger;
use crate::protocol::native::Answered;
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::{Context, web};

/// Answers with all counts.
pub(super) async fn show(context: &Context, request: &Request) -> Answered {
    if !is_allowed(context, request) {
        // Exactly as if there were no such path.
        return Ok(web::respond(request, &["metrics"]));
    }
    let asked = async {
        let hub = context.hub.counts().await?;
        Some((hub, counts::ask_all(&context.counters.workers).await?))
    };
    let deadline = Duration::from_millis(READY_DEADLINE_MS);
    let (hub, workers) = match tokio::time::timeout(deadline, asked).await {
        Ok(Some(counts)) => counts,
        Ok(None) | Err(_) => return Err(Failure::from(Code::Unavailable)),
    };
    let mut page = Page(String::with_capacity(16 * 1024));
    about(context, &mut page);
    traffic(&hub, &workers, context, &mut page);
    queues(&hub, &workers, context, &mut page);
    log(context, &mut page);
    backups(context, &mut page);
    process(context, &mut page);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(Response::new(200).content(kind, page.0).header("Cache-Control", "no-store"))
}

fn is_allowed(context: &Context, request: &Request) -> bool {
    // Hashed, so that the time of the comparison says nothing about the token.
    let token = context.config.metrics_token.as_deref().map(crypto::hash);
    let knows = token.is_some() && request.bearer().map(crypto::hash) == token;
    knows || context.source == Source::Local
}

fn about(context: &Context, page: &mut Page) {
    page.family("shanty_build_info", "gauge", "The version that runs; always 1.");
    page.sample("shanty_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let help = "Lines of the log that were dropped, because nobody read the others.";
    page.one("shanty_log_lines_dropped_total", "counter", help, logger::dropped());
    let writable = u8::from(context.health.borrow().is_ok());
    page.one("shanty_database_writable", "gauge", "Whether the last write succeeded.", writable);
}

fn traffic(hub: &HubCounts, workers: &WorkerCounts, context: &Context, page: &mut Page) {
    let name = "shanty_connections";
    page.family(name, "gauge", "Open connections by kind.");
    for (kind, count) in workers.connections.iter() {
        let labels = [("kind", kind.transport), ("protocol", kind.protocol)];
        let named = if kind.protocol.is_empty() { &labels[..1] } else { &labels[..] };
        page.sample(name, named, count);
    }
    let help = "Connections accepted.";
    page.one("shanty_connections_accepted_total", "counter", help, workers.accepted);
    let name = "shanty_http_responses_total";
    page.family(name, "counter", "HTTP responses by status.");
    for (status, count) in workers.responses.iter() {
        page.sample(name, &[("status", &status.to_string())], count);
    }
    if context.config.proxy_protocol {
        let name = "shanty_proxy_headers_refused_total";
        page.family(name, "counter", "Connections closed for want of a PROXY header, by reason.");
        for (reason, count) in workers.proxy_headers_refused.iter() {
            page.sample(name, &[("reason", reason)], count);
        }
    }
    let help = "Commands that the core has handled.";
    page.one("shanty_commands_total", "counter", help, hub.commands);
    let name = "shanty_refusals_total";
    page.family(name, "counter", "Requests and messages that the core has refused, by reason.");
    for (refusal, count) in hub.refusals.iter() {
        page.sample(name, &[("reason", &reason(refusal))], count);
    }
    let help = "Events handed to connections; each recipient counts.";
    page.one("shanty_deliveries_total", "counter", help, workers.deliveries);
    let help = "Events that slow readers get later, from the log.";
    page.one("shanty_deliveries_deferred_total", "counter", help, workers.deferred);
    let help = "From the first event of a round to the last write of the round.";
    page.histogram("shanty_fan_out_seconds", help, &workers.fan_out);
}

fn queues(hub: &HubCounts, workers: &WorkerCounts, context: &Context, page: &mut Page) {
    let name = "shanty_queue_length";
    let help = "What waits: commands, calls, proposals for the log, rounds, passwords.";
    page.family(name, "gauge", help);
    for (queue, length) in [
        ("commands", hub.inbox),
        ("calls", hub.calls),
        ("proposals", hub.proposed),
        ("rounds", hub.rounds),
        ("passwords", context.passwords.waiting()),
    ] {
        page.sample(name, &[("queue", queue)], length);
    }
    let help = "Bytes that wait for slow readers.";
    page.one("shanty_unsent_bytes", "gauge", help, workers.unsent_bytes);
    let readers = context.readers.busy();
    let for_whom = ["pages", "streams"];
    page.family("shanty_readers", "gauge", "Readers of the log.");
    for (use_, (_, all)) in for_whom.iter().zip(readers) {
        page.sample("shanty_readers", &[("for", use_)], all);
    }
    page.family("shanty_readers_busy", "gauge", "Readers of the log that are reading.");
    for (use_, (busy, _)) in for_whom.iter().zip(readers) {
        page.sample("shanty_readers_busy", &[("for", use_)], busy);
    }
}

fn log(context: &Context, page: &mut Page) {
    let commits = context.counters.commits.borrow().clone();
    let help = "Messages written to the log.";
    page.one("shanty_messages_total", "counter", help, commits.messages);
    let help = "Entries written to the log.";
    page.one("shanty_log_entries_total", "counter", help, commits.entries);
    let help = "The number of the log's last entry.";
    page.one("shanty_log_last_seq", "gauge", help, commits.last.0);
    let help = "What a commit takes, until it is durable.";
    page.histogram("shanty_commit_seconds", help, &commits.commits);
    let help = "Commits that failed.";
    page.one("shanty_commit_failures_total", "counter", help, commits.failures);
    if let Some(disk) = *context.counters.disk.borrow() {
        let name = "shanty_database_bytes";
        page.family(name, "gauge", "The size of the database's files.");
        page.sample(name, &[("file", "database")], disk.database_bytes);
        page.sample(name, &[("file", "wal")], disk.wal_bytes);
        let help = "The free space of the database's disk.";
        page.one("shanty_disk_free_bytes", "gauge", help, disk.free_bytes);
    }
}

fn backups(context: &Context, page: &mut Page) {
    let Some(backups) = context.counters.backups.as_ref().map(|backups| *backups.borrow()) else {
        return;
    };
    page.one("shanty_backups_total", "counter", "Backups made and verified.", backups.made);
    let help = "Backups that failed.";
    page.one("shanty_backup_failures_total", "counter", help, backups.failures);
    if let Some(last) = backups.last {
        let help = "When the newest backup was made, since 1970.";
        page.one("shanty_backup_timestamp_seconds", "gauge", help, last.unix_secs());
    }
}

/// What Prometheus' own libraries report about each process. The system answers from its memory;
/// what it does not say is left out.
fn process(context: &Context, page: &mut Page) {
    let micros = u64::try_from(context.counters.started.0).unwrap_or(0);
    let help = "When the server started, since 1970.";
    page.one("process_start_time_seconds", "gauge", help, seconds(micros));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kib) = field(&status, "VmRSS:") {
        let help = "Memory in use.";
        page.one("process_resident_memory_bytes", "gauge", help, kib * 1024);
    }
    if let Some(threads) = field(&status, "Threads:") {
        page.one("process_threads", "gauge", "Threads.", threads);
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(ticks) = ticks(&stat) {
        // Linux counts in hundredths for every program, whatever its own clock.
        let help = "Processor time used.";
        page.one("process_cpu_seconds_total", "counter", help, ticks as f64 / 100.0);
    }
    // Linux 6.2 and newer say how many descriptors are open, without a list of them.
    let open = fs::metadata("/proc/self/fd").map_or(0, |folder| folder.size());
    if open > 0 {
        page.one("process_open_fds", "gauge", "Open file descriptors.", open);
    }
    if let Ok((most, _)) = rlimit::Resource::NOFILE.get() {
        page.one("process_max_fds", "gauge", "File descriptors at most.", most);
    }
}

/// A number of `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The processor time in `/proc/self/stat`: its 14th and 15th fields. (The second field may contain
/// spaces.)
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(user + system)
}

/// A refusal's name in the core, in the form of labels: `RateLimited` is `rate_limited`.
fn reason(refusal: Refusal) -> String {
    let mut label = String::new();
    let name = format!("{refusal:?}");
    for char in name.chars().take_while(char::is_ascii_alphanumeric) {
        if char.is_ascii_uppercase() && !label.is_empty() {
            label.push('_');
        }
        label.push(char.to_ascii_lowercase());
    }
    label
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// The text, a family of samples after the other.
struct Page(String);

impl Page {
    /// Begins a family.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0 += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Adds a sample. Labels come from the program, so nothing in them has to be escaped.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0 += name;
        if !labels.is_empty() {
            let pairs: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
            self.0 += &format!("{{{}}}", pairs.join(","));
        }
        self.0 += &format!(" {value}\n");
    }

    /// A family of one sample.
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut sum = 0;
        let bounds = BOUNDS_MICROS.iter().map(|micros| seconds(*micros).to_string());
        let bounds = bounds.chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(histogram.buckets) {
            sum += count;
            self.sample(&format!("{name}_bucket"), &[("le", &bound)], sum);
        }
        self.sample(&format!("{name}_sum"), &[], seconds(histogram.micros));
        self.sample(&format!("{name}_count"), &[], sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Field;

    #[test]
    fn reasons_are_labels() {
        assert_eq!(reason(Refusal::RateLimited { retry_after_ms: 0 }), "rate_limited");
        assert_eq!(reason(Refusal::Malformed(Field::Whole)), "malformed");
        assert_eq!(reason(Refusal::Full), "full");
    }

    #[test]
    fn the_systems_numbers_are_found() {
        assert_eq!(field("Name:\tx\nVmRSS:\t   6400 kB\n", "VmRSS:"), Some(6400));
        assert_eq!(field("Name:\tx\n", "VmRSS:"), None);
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14";
        assert_eq!(ticks(stat), Some(11 + 12));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn a_histogram_is_cumulative() {
        let mut histogram = Histogram::default();
        for micros in [90, 200, 200, 60_000_000] {
            histogram.add(Duration::from_micros(micros));
        }
        let mut page = Page(String::new());
        page.histogram("x_seconds", "Help.", &histogram);
        for line in [
            "# TYPE x_seconds histogram",
            "x_seconds_bucket{le=\"0.0001\"} 1",
            "x_seconds_bucket{le=\"0.00025\"} 3",
            "x_seconds_bucket{le=\"5\"} 3",
            "x_seconds_bucket{le=\"+Inf\"} 4",
            "x_seconds_sum 60.00049",
            "x_seconds_count 4",
        ] {
            assert!(page.0.lines().any(|there| there == line), "{line}: {}", page.0);
        }
    }
}
