//! Numbers of what stands between clients and the server: TLS, and proxies.

/// Encrypted bytes of one TLS connection that wait for the kernel: one record, the most that the
/// client must have before it can decrypt any of it.
pub const TLS_BUFFER_BYTES: usize = 16 * 1024;
/// A file with a certificate or a key.
pub const TLS_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How often the server looks whether these files have changed.
pub const TLS_LOOK_MS: u64 = 10_000;
/// How long browsers ask for this host through TLS only, with `--hsts`: a year.
pub const HSTS_SECS: u64 = 365 * 24 * 3_600;
