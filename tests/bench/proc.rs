//! A process's processor time and memory, from the kernel.
//!
//! Called by the load generator at both ends of a measured stretch, and by the conductor.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Outcome;

/// Processor time of all threads that are alive, in nanoseconds as the scheduler counts it
/// (`utime` and `stime` are the same count, but rounded to 10 ms). A thread that ends takes its
/// share along; none does within a stretch of ours: the runtime keeps an idle one for longer.
pub fn cpu_time(pid: u32) -> Outcome<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ends between the two reads is not an error.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanos += text.split_whitespace().next().ok_or("schedstat is empty")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Resident memory in KiB. `smaps_rollup` walks the page table and is exact; `VmRSS` in `status`
/// is the same sum from counters that each processor may be some pages behind with.
pub fn resident_kib(pid: u32) -> Outcome<u64> {
    let exact = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let (text, label) = match exact {
        Ok(text) => (text, "Rss:"),
        Err(_) => (fs::read_to_string(format!("/proc/{pid}/status"))?, "VmRSS:"),
    };
    let line = text.lines().find(|line| line.starts_with(label)).ok_or("no resident size")?;
    Ok(line.split_whitespace().nth(1).ok_or("no resident size")?.parse()?)
}

/// The type of the file system that a path is on: on `tmpfs`, a commit costs no disk.
pub fn file_system(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    // The last one that was mounted over the longest beginning of the path is the one in use.
    let under = fields.filter(|(at, _)| path.starts_with(at));
    under.max_by_key(|(at, _)| at.len()).map(|(_, kind)| kind.to_owned())
}
