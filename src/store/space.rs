//! The disk's free space: some is reserved, for writes that must succeed even then, and for other
//! programs.
//!
//! The event loop must never ask, as a disk may take its time. Called by the server.

use std::io;
use std::path::{Path, PathBuf};

use crate::chat::Space;
use crate::limits::{DISK_FREE_BYTES, DISK_FREE_PARTS};

/// The disk of the database, and how much of it to keep free.
#[derive(Clone, Debug)]
pub struct Disk {
    directory: PathBuf,
    /// In bytes; `None`: a part of the disk's size.
    kept: Option<u64>,
}

impl Disk {
    /// The disk of that file.
    pub fn of(file: &Path, kept: Option<u64>) -> Disk {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        Disk { directory: parent.unwrap_or(Path::new(".")).to_owned(), kept }
    }

    /// How much space it has.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn space(&self) -> io::Result<Space> {
        let disk = rustix::fs::statvfs(&self.directory)?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        // Space that is reserved for root is of no use to us.
        Ok(judge(bytes(disk.f_bavail), bytes(disk.f_blocks), self.kept))
    }
}

fn judge(free: u64, size: u64, kept: Option<u64>) -> Space {
    let kept = kept.unwrap_or_else(|| DISK_FREE_BYTES.min(size / DISK_FREE_PARTS));
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
            assert_eq!(judge(free, size, kept), expected, "{free} of {size}, {kept:?}");
        }
    }

    #[test]
    fn a_disk_is_found_by_its_file() {
        for file in ["shanty.db", "./shanty.db", "/tmp/shanty.db"] {
            assert_eq!(Disk::of(Path::new(file), Some(0)).space().ok(), Some(Space::Enough));
            let all = Disk::of(Path::new(file), Some(u64::MAX));
            assert_eq!(all.space().ok(), Some(Space::Least));
        }
        assert!(Disk::of(Path::new("/no/such/place/shanty.db"), None).space().is_err());
    }
}
