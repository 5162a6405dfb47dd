//! Numbers of what watches over the server: timed backups, `shanty health`, `shanty doctor`.

/// From one timed backup to the next, unless `--backup-every` says otherwise.
pub const BACKUP_EVERY_SECS: u64 = 24 * 3_600;
/// Timed backups that are kept, unless `--backup-keep` says otherwise.
pub const BACKUP_KEEP: usize = 7;
/// The most that `--backup-keep` accepts: so many names are read at each backup.
pub const BACKUP_KEEP_MAX: usize = 10_000;
/// How often the server looks whether a backup is due.
pub const BACKUP_LOOK_MS: u64 = 60_000;
/// After a backup that failed, the next is tried so much later.
pub const BACKUP_RETRY_MS: u64 = 3_600_000;

/// How long `shanty health` and `shanty doctor` wait for a server's answer ...
pub const HEALTH_DEADLINE_MS: u64 = 5_000;
/// ... and how much of it they read.
pub const HEALTH_BYTES_MAX: u64 = 64 * 1024;

/// A certificate that expires sooner should have been renewed: `shanty doctor` says so.
pub const CERTIFICATE_AGE_SECS: u64 = 14 * 24 * 3_600;
