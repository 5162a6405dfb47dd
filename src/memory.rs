//! Returns the memory of finished work to the system.
//!
//! glibc keeps freed memory for later use, unless it lies at the end of its heap: without this, a
//! burst of requests or one attack would cost its memory for as long as the server runs. Other
//! allocators (musl, macOS) return memory themselves. The server calls it, off the event loop.

/// Returns freed memory when there is noticeably more of it than there was.
pub struct Trimmer {
    /// The least memory, in bytes, that the process held beyond what it had allocated: its code,
    /// its stacks, and freed memory that cannot be returned.
    least: u64,
}

/// An amount that is worth the work: two mebibytes.
const GROWTH_BYTES: u64 = 2 * 1024 * 1024;

impl Default for Trimmer {
    fn default() -> Trimmer {
        Trimmer { least: u64::MAX }
    }
}

impl Trimmer {
    /// Looks at the process's memory, and maybe returns some. It can take some milliseconds.
    pub fn look(&mut self) {
        let Some(beyond) = system::beyond_allocated() else { return };
        self.least = self.least.min(beyond);
        if beyond - self.least > GROWTH_BYTES {
            system::trim();
            self.least = system::beyond_allocated().unwrap_or(beyond);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no safe crate offers malloc_trim(3) and mallinfo(3)")]
mod system {
    use std::ffi::c_int;
    use std::fs;

    unsafe extern "C" {
        // They take no pointer, and any thread may call them. (`mallinfo` is marked as unsafe for
        // threads only because another thread may change the allocator's settings: none does.)
        safe fn malloc_trim(pad: usize) -> c_int;
        safe fn mallinfo() -> Allocated;
    }

    /// `struct mallinfo`: of ten numbers the fifth (`hblkhd`) and the eighth (`uordblks`) are the
    /// bytes in use. They are 32 bits wide, and wrap at four gibibytes.
    #[repr(C)]
    struct Allocated {
        before: [c_int; 4],
        mapped: c_int,
        between: [c_int; 2],
        used: c_int,
        after: [c_int; 2],
    }

    /// The resident bytes of this process that are not allocated.
    pub fn beyond_allocated() -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        let Allocated { mapped, used, .. } = mallinfo();
        let allocated = u64::from(mapped.cast_unsigned()) + u64::from(used.cast_unsigned());
        Some((kib * 1024).saturating_sub(allocated))
    }

    pub fn trim() {
        malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod system {
    pub fn beyond_allocated() -> Option<u64> {
        None
    }

    pub fn trim() {}
}
