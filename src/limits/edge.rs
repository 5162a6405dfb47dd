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

/// The header by which a proxy names its client (PROXY protocol, version 2), extensions included;
/// proxies send some 50 to 500 bytes. Beyond it the connection is closed.
pub const PROXY_HEADER_BYTES_MAX: usize = 4 * 1024;
/// From the start of a connection to the end of that header, which its sender has ready: time for
/// one lost packet. Beyond it the connection is closed.
pub const PROXY_HEADER_DEADLINE_MS: u64 = 5_000;
/// How often a request waits for another one that logs the same person in by `--auth-header` ...
pub const VOUCH_TRIES_MAX: usize = 40;
/// ... and how long each time. Beyond it: 503.
pub const VOUCH_PAUSE_MS: u64 = 25;
/// An answer of the authority that issues certificates (ACME): a chain of a few certificates.
pub const ACME_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How long it may take for each step of an answer.
pub const ACME_DEADLINE_MS: u64 = 30_000;
/// How often the server looks whether its certificate is due.
pub const ACME_LOOK_MS: u64 = 60_000;
/// After a failure, the next try: public authorities allow five failures an hour.
pub const ACME_RETRY_MS: u64 = 20 * 60_000;
/// A certificate is renewed when less than this part of its time is left.
pub const ACME_RENEW_PART: i64 = 3;
