//! Returns the memory of finished work to the system.
//!
//! glibc keeps freed memory for later use, unless it lies at the end of its heap: without this, a
//! burst of requests or one attack would cost its memory for as long as the server runs. Other
//! allocators (musl, macOS) return memory themselves. The server calls it, off the event loop.

use std::fs;

/// Returns freed memory if the process has grown noticeably since the last time.
#[derive(Default)]
pub struct Trimmer {
    /// The resident pages that remained the last time.
    kept: u64,
}

/// A growth that is worth the work: two mebibytes where a page has four kibibytes.
const GROWTH_PAGES: u64 = 512;

impl Trimmer {
    /// Looks at the process's size, and maybe returns memory. It can take some milliseconds.
    pub fn look(&mut self) {
        let Some(pages) = resident() else { return };
        if pages > self.kept + GROWTH_PAGES {
            trim();
            self.kept = resident().unwrap_or(pages);
        }
    }
}

/// The resident pages of this process, where Linux tells.
fn resident() -> Option<u64> {
    let sizes = fs::read_to_string("/proc/self/statm").ok()?;
    sizes.split(' ').nth(1)?.parse().ok()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no safe crate offers malloc_trim(3)")]
fn trim() {
    unsafe extern "C" {
        // It takes no pointer, and any thread may call it (attributes(7): MT-Safe).
        safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    malloc_trim(0);
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
