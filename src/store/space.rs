//! The disk's free space: some is reserved, for writes that must succeed even then, and for other
//! programs.
//!
//! The event loop must never ask, as a disk may take its time. Called by the server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::chat::Space;
use crate::limits::{DISK_FREE_BYTES, DISK_FREE_PARTS};

/// The disk of the database, and how much of it to keep free.
#[derive(Clone, Debug)]
pub struct Disk {
    database: PathBuf,
    directory: PathBuf,
    /// In bytes; `None`: a part of the disk's size.
    kept: Option<u64>,
}

impl Disk {
    /// The disk of that file.
    pub fn of(file: &Path, kept: Option<u64>) -> Disk {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or(Path::new(".")).to_owned();
        Disk { database: file.to_owned(), directory, kept }
    }

    /// How much space it has.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn measure(&self) -> io::Result<Measured> {
        let disk = rustix::fs::statvfs(&self.directory)?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        // Space that is reserved for root is of no use to us.
        let free_bytes = bytes(disk.f_bavail);
        let kept_bytes = kept(bytes(disk.f_blocks), self.kept);
        let length = |ending: &str| {
            let mut name = self.database.clone().into_os_string();
            name.push(ending);
            fs::metadata(name).map_or(0, |file| file.len())
        };
        Ok(Measured {
            space: judge(free_bytes, kept_bytes),
            free_bytes,
            kept_bytes,
            database_bytes: length(""),
            wal_bytes: length("-wal"),
        })
    }
}

/// The disk at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// Whether it has enough free space.
    pub space: Space,
    /// Its free space.
    pub free_bytes: u64,
    /// How much of it has to stay free.
    pub kept_bytes: u64,
    /// The size of the database file.
    pub database_bytes: u64,
    /// The size of its write-ahead log.
    pub wal_bytes: u64,
}

fn kept(size: u64, kept: Option<u64>) -> u64 {
    kept.unwrap_or_else(|| DISK_FREE_BYTES.min(size / DISK_FREE_PARTS))
}

fn judge(free: u64, kept: u64) -> Space {
    match free {
        _ if free < kept => Space::Least,
        _ if free < kept.saturating_mul(2) => Space::Little,
        _ => Space::Enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_kept_free() {
        const MIB: u64 = 1024 * 1024;
        let huge = 1024 * 1024 * MIB;
        for (free, size, kept, expected) in [
            (huge, huge, None, Space::Enough),
            (DISK_FREE_BYTES * 2, huge, None, Space::Enough),
            (DISK_FREE_BYTES * 2 - 1, huge, None, Space::Little),
            (DISK_FREE_BYTES, huge, None, Space::Little),
            (DISK_FREE_BYTES - 1, huge, None, Space::Least),
            // A small disk is usable.
            (8 * MIB, 16 * MIB, None, Space::Enough),
            (MIB, 16 * MIB, None, Space::Little),
            (MIB / 2, 16 * MIB, None, Space::Least),
            // Unless the setting says otherwise.
            (8 * MIB, 16 * MIB, Some(9 * MIB), Space::Least),
            (8 * MIB, 16 * MIB, Some(5 * MIB), Space::Little),
            (0, 16 * MIB, Some(0), Space::Enough),
            (0, 0, None, Space::Enough),
            (huge, huge, Some(u64::MAX), Space::Least),
        ] {
            let judged = judge(free, super::kept(size, kept));
            assert_eq!(judged, expected, "{free} of {size}, {kept:?}");
        }
    }

    #[test]
    fn a_disk_is_found_by_its_file() {
        for file in ["shanty.db", "./shanty.db", "/tmp/shanty.db"] {
            let space = |kept| Disk::of(Path::new(file), Some(kept)).measure().ok();
            assert_eq!(space(0).map(|disk| disk.space), Some(Space::Enough));
            assert_eq!(space(u64::MAX).map(|disk| disk.space), Some(Space::Least));
        }
        assert!(Disk::of(Path::new("/no/such/place/shanty.db"), None).measure().is_err());
    }
}
