//! Timed backups: every so often a verified copy of the database, in a directory; the oldest copies
//! are removed after a new one is verified.
//!
//! The copy is made by this program in a process of its own (`shanty backup`): verifying reads the
//! whole log, and its memory and processor time must not be the server's. A failure is logged and
//! counted, and tried again; it keeps nobody from chatting.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::limits::operating::{BACKUP_LOOK_MS, BACKUP_RETRY_MS};
use crate::log;
use crate::protocol::BackupCounts;
use crate::store::Disk;
use crate::time::Time;

/// Makes the backups of one database.
pub(super) struct Backups {
    pub database: PathBuf,
    /// Where the backups are.
    pub directory: PathBuf,
    /// From one to the next.
    pub every: Duration,
    /// How many there are at most.
    pub keep: usize,
    /// See [`Disk::of`].
    pub disk_free_bytes: Option<u64>,
    /// For `/metrics`.
    pub counts: watch::Sender<BackupCounts>,
}

const BEGINNING: &str = "shanty-";
const ENDING: &str = ".db";
/// A copy that is not verified yet; one that was cut off is removed before the next.
const PARTIAL: &str = ".shanty-backup.partial";

impl Backups {
    /// Runs until the task is aborted, which also ends a copy in progress.
    pub async fn run(self) {
        let (every, retry) = (self.every, Duration::from_millis(BACKUP_RETRY_MS));
        let directory = self.directory.clone();
        let newest = move || names(&directory).last().and_then(|name| time_of(name));
        let newest = tokio::task::spawn_blocking(newest).await.unwrap_or_default();
        self.counts.send_modify(|counts| counts.last = newest);
        let mut next = None;
        loop {
            let due = match next {
                Some(next) => Instant::now() >= next,
                None => is_due(newest, Time::now(), every),
            };
            if due {
                let made = self.make().await;
                self.counts.send_modify(|counts| match &made {
                    Ok(time) => (counts.made, counts.last) = (counts.made + 1, Some(*time)),
                    Err(_) => counts.failures += 1,
                });
                if let Err(error) = &made {
                    log!(Error, "no backup was made: {error}");
                }
                next = Some(Instant::now() + if made.is_ok() { every } else { retry.min(every) });
            }
            tokio::time::sleep(Duration::from_millis(BACKUP_LOOK_MS).min(every)).await;
        }
    }

    /// Makes a backup, and removes the oldest ones.
    async fn make(&self) -> Result<Time, String> {
        let directory = &self.directory;
        let partial = directory.join(PARTIAL);
        self.prepare(&partial).await?;
        let now = Time::now();
        let file = directory.join(name_of(now));
        // This program as it was started, also after an upgrade has replaced its file.
        let program = Path::new("/proc/self/exe");
        let program = match program.exists() {
            true => program.to_owned(),
            false => std::env::current_exe().map_err(|error| error.to_string())?,
        };
        let mut copy = Command::new(program);
        copy.arg("backup").arg(&partial).arg("--db").arg(&self.database).env_clear();
        copy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let done = copy.output().await.map_err(|error| format!("cannot start it ({error})"))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            let said = said.lines().next().unwrap_or("it was ended").trim_start_matches("shanty: ");
            return Err(said.to_owned());
        }
        let keep = self.keep;
        let directory = directory.clone();
        let placed = tokio::task::spawn_blocking(move || place(&partial, &file, &directory, keep));
        match placed.await {
            Ok(Ok(removed)) => log!(Info, "a backup was made and verified; {removed} old removed"),
            Ok(Err(error)) => return Err(format!("{}: {error}", self.directory.display())),
            Err(_) => return Err("placing it has failed".to_owned()),
        }
        Ok(now)
    }

    /// Removes what an earlier backup has left, and checks that there is room.
    async fn prepare(&self, partial: &Path) -> Result<(), String> {
        let database = Disk::of(&self.database, self.disk_free_bytes);
        let target = Disk::of(partial, self.disk_free_bytes);
        let (partial, shown) = (partial.to_owned(), self.directory.display().to_string());
        let prepared = tokio::task::spawn_blocking(move || {
            match fs::remove_file(&partial) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("{shown}: {error}"));
                }
                _ => {}
            }
            let there = target.measure().map_err(|error| {
                format!("{shown} ({error}): make the directory, or choose another (--backup-dir)")
            })?;
            let size = database.measure().map_or(0, |disk| disk.database_bytes + disk.wal_bytes);
            if there.free_bytes.saturating_sub(size) < there.kept_bytes {
                return Err(format!(
                    "{shown}: too little free space ({} MiB) for {} MiB more; make room, or keep \
                     fewer (--backup-keep)",
                    there.free_bytes >> 20,
                    size >> 20
                ));
            }
            Ok(())
        });
        prepared.await.unwrap_or_else(|_| Err("the directory cannot be looked at".to_owned()))
    }
}

/// Gives a verified backup its name, and removes all but the newest. Returns how many it removed.
fn place(partial: &Path, file: &Path, directory: &Path, keep: usize) -> io::Result<usize> {
    fs::rename(partial, file)?;
    fs::File::open(directory)?.sync_all()?;
    let names = names(directory);
    // The one just made stays, whatever the clock says of the others.
    let old = names.iter().filter(|name| !file.ends_with(name));
    let surplus = names.len().saturating_sub(keep);
    let mut removed = 0;
    for name in old.take(surplus) {
        fs::remove_file(directory.join(name))?;
        removed += 1;
    }
    Ok(removed)
}

/// The backups in a directory, oldest first. Other files there are nobody's business here.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| time_of(name).is_some()).collect();
    names.sort_unstable();
    names
}

/// The name of a backup of that moment, in UTC: `shanty-2026-11-27T00-48-12Z.db`. (No colons, which
/// other systems do not take in names.)
fn name_of(time: Time) -> String {
    let seconds = time.to_string();
    format!("{BEGINNING}{}Z{ENDING}", seconds[..19].replace(':', "-"))
}

/// The moment in a backup's name; `None` for other names.
fn time_of(name: &str) -> Option<Time> {
    let stamp = name.strip_prefix(BEGINNING)?.strip_suffix(ENDING)?;
    let (date, clock) = stamp.split_once('T')?;
    let time = Time::parse(&format!("{date}T{}", clock.replace('-', ":")))?;
    (name_of(time) == name).then_some(time)
}

/// Whether a backup is due at the start. A newest one of the future was made by a wrong clock.
fn is_due(newest: Option<Time>, now: Time, every: Duration) -> bool {
    newest.is_none_or(|newest| newest > now || newest.plus_secs(every.as_secs()) <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;

    #[test]
    fn names_tell_their_time() {
        let time = Time(1_769_860_980_000_000);
        assert_eq!(name_of(time), "shanty-2026-01-31T12-03-00Z.db");
        assert_eq!(time_of("shanty-2026-01-31T12-03-00Z.db"), Some(time));
        for other in [
            "shanty.db",
            "shanty-.db",
            "shanty-2026-01-31T12:03:00Z.db",
            "shanty-2026-01-31T12-03-00Z.db.gz",
            "shanty-2026-13-31T12-03-00Z.db",
            "shanty-2026-01-31T12-03-00.5Z.db",
            ".shanty-backup.partial",
        ] {
            assert_eq!(time_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_backup_is_due_by_the_newest_one() {
        let (now, day) = (Time(1_769_860_980_000_000), Duration::from_secs(86_400));
        let ago = |seconds: i64| Some(Time(now.0 - seconds * 1_000_000));
        for (newest, due) in [
            (None, true),
            (ago(86_400), true),
            (ago(86_399), false),
            (ago(0), false),
            (ago(-1), true),
        ] {
            assert_eq!(is_due(newest, now, day), due, "{newest:?}");
        }
    }

    #[test]
    fn the_oldest_go_and_other_files_stay() {
        let scratch = Scratch::new();
        let folder = &scratch.0;
        let day = |day: u8| format!("shanty-2026-01-0{day}T00-00-00Z.db");
        for name in [day(1), day(2), day(3), "shanty.db".to_owned(), "notes".to_owned()] {
            fs::write(folder.join(name), "x").expect("a file");
        }
        let partial = folder.join(PARTIAL);
        fs::write(&partial, "new").expect("a file");
        assert_eq!(place(&partial, &folder.join(day(4)), folder, 2).ok(), Some(2));
        assert_eq!(names(folder), [day(3), day(4)]);
        assert!(folder.join("shanty.db").exists() && folder.join("notes").exists());
        // One that a wrong clock has made old stays all the same, as it is the newest.
        fs::write(&partial, "newest").expect("a file");
        assert_eq!(place(&partial, &folder.join(day(1)), folder, 2).ok(), Some(1));
        assert_eq!(names(folder), [day(1), day(4)]);
    }
}
