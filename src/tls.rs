//! Certificates for TLS 1.2 and 1.3 (RFC 5246, RFC 8446): reading them, choosing one for a client,
//! and replacing them while the server runs. `rustls` does the cryptography.
//!
//! A connection takes the current certificates when it is accepted and keeps them, so replacing
//! them closes no connection. Unreadable files never replace working ones. The server calls it at
//! the start and when files change; each connection calls [`Tls::session`].

mod validity;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConnection};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio::sync::watch;
use webpki::EndEntityCert;

use crate::limits::edge::{TLS_BUFFER_BYTES, TLS_FILE_BYTES_MAX};
use crate::time::Time;

/// A certificate chain and its private key, both PEM files.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// The certificate, followed by those of its issuers.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The certificates in use, for new connections.
#[derive(Clone)]
pub struct Tls(watch::Receiver<Arc<ServerConfig>>);

/// Reads the files again.
pub struct Files {
    pairs: Vec<Pair>,
    /// When each file was last written, as of the last reading.
    seen: Vec<Option<SystemTime>>,
    current: watch::Sender<Arc<ServerConfig>>,
}

/// Reads all pairs. A client that names no host, or one without a certificate here, gets the first.
///
/// # Errors
/// One plain line: which file is wrong, and how.
pub fn load(pairs: Vec<Pair>) -> Result<(Tls, Files), String> {
    let seen = written(&pairs);
    let (current, receiver) = watch::channel(configured(&pairs)?);
    Ok((Tls(receiver), Files { pairs, seen, current }))
}

/// The first and the last moment at which the certificate of a pair is good.
///
/// # Errors
/// One plain line: why the file cannot be read.
pub fn validity(pair: &Pair) -> Result<(Time, Time), String> {
    let chain = chain(&pair.certificate)?;
    validity::of(&chain[0])
        .ok_or_else(|| format!("{}: its first part is no certificate", pair.certificate.display()))
}

impl Tls {
    /// The TLS side of a new connection; `None` if the system has no random bytes.
    pub fn session(&self) -> Option<Session> {
        let config = self.0.borrow().clone();
        let mut session = ServerConnection::new(config).ok()?;
        session.set_buffer_limit(Some(TLS_BUFFER_BYTES));
        Some(Session(Box::new(session)))
    }
}

/// The TLS side of one connection: it encrypts and decrypts, and does no I/O of its own. (Boxed, as
/// a plain connection must not pay for its size.)
pub struct Session(Box<ServerConnection>);

impl Session {
    /// Takes in bytes from the peer, once. Returns their number; 0: the peer sends no more.
    ///
    /// # Errors
    /// Those of `input`; `InvalidData` when the peer breaks the protocol. An alert that says so
    /// may wait for [`Session::flush`].
    pub fn take_in(&mut self, input: &mut dyn Read) -> io::Result<usize> {
        let count = self.0.read_tls(input)?;
        self.0.process_new_packets().map_err(|_| ErrorKind::InvalidData)?;
        Ok(count)
    }

    /// Reads decrypted bytes; 0: the peer has ended. `WouldBlock`: there are none.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.reader().read(buffer) {
            // The peer has closed its side without the alert; HTTP has lengths of its own.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        }
    }

    /// Encrypts bytes, as many as `TLS_BUFFER_BYTES` allows.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.writer().write(bytes)
    }

    /// Whether encrypted bytes wait for [`Session::flush`].
    pub fn is_stuck(&self) -> bool {
        self.0.wants_write()
    }

    /// Hands the encrypted bytes that wait to `out`.
    ///
    /// # Errors
    /// Those of `out`; the rest waits.
    pub fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        while self.0.wants_write() {
            self.0.write_tls(out)?;
        }
        Ok(())
    }

    /// Queues the alert that nothing follows.
    pub fn close(&mut self) {
        self.0.send_close_notify();
    }
}

impl Files {
    /// Reads the files again if `always`, or if one of them was written since the last reading.
    /// `Ok(true)`: new connections get what was read.
    ///
    /// # Errors
    /// As for [`load`]; the certificates in use stay.
    pub fn refresh(&mut self, always: bool) -> Result<bool, String> {
        let seen = written(&self.pairs);
        if !always && seen == self.seen {
            return Ok(false);
        }
        // A faulty file is reported once, and read again when it changes.
        self.seen = seen;
        self.current.send_replace(configured(&self.pairs)?);
        Ok(true)
    }
}

fn written(pairs: &[Pair]) -> Vec<Option<SystemTime>> {
    let files = pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
    files.map(|file| fs::metadata(file).and_then(|data| data.modified()).ok()).collect()
}

fn configured(pairs: &[Pair]) -> Result<Arc<ServerConfig>, String> {
    let keys = pairs.iter().map(|pair| read(pair).map(Arc::new)).collect::<Result<_, _>>()?;
    let provider = Arc::new(ring::default_provider());
    let versions = [&version::TLS13, &version::TLS12];
    let cannot = |error: rustls::Error| format!("TLS cannot be set up: {error}");
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&versions).map_err(cannot)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(ByName(keys)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A returning client brings its session along, encrypted; the server keeps none.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ring::Ticketer::new().map_err(cannot)?;
    Ok(Arc::new(config))
}

fn read(pair: &Pair) -> Result<CertifiedKey, String> {
    let Pair { certificate, key } = pair;
    let chain = chain(certificate)?;
    let secret = PrivateKeyDer::from_pem_slice(&contents(key)?)
        .map_err(|_| format!("{}: contains no private key in PEM format", key.display()))?;
    CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(|error| {
        let (certificate, key) = (certificate.display(), key.display());
        match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("{key}: is not the private key of {certificate}")
            }
            error => format!("{certificate} and {key} cannot be used: {error}"),
        }
    })
}

/// A certificate and those of its issuers: one at least.
fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = contents(file)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| format!("{}: no valid PEM file", file.display()))?;
    if chain.is_empty() {
        return Err(format!(
            "{}: contains no certificate; it should be a PEM file that begins with one",
            file.display()
        ));
    }
    Ok(chain)
}

fn contents(file: &Path) -> Result<Vec<u8>, String> {
    let cannot = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let size = fs::metadata(file).map_err(|error| cannot(&error))?.len();
    if size > TLS_FILE_BYTES_MAX {
        return Err(cannot(&"too large for a certificate or a key"));
    }
    fs::read(file).map_err(|error| cannot(&error))
}

/// All certificates, the one for clients without a known name first.
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |key: &&Arc<CertifiedKey>| {
            let certificate = key.end_entity_cert().ok();
            let certificate = certificate.and_then(|der| EndEntityCert::try_from(der).ok());
            certificate.zip(name.as_ref()).is_some_and(|(certificate, name)| {
                certificate.verify_is_valid_for_subject_name(name).is_ok()
            })
        };
        self.0.iter().find(is_for).or(self.0.first()).cloned()
    }
}
