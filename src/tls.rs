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
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
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
    /// One that may not be there yet: an authority is still to issue it.
    awaited: Option<Pair>,
    /// The certificates by which this server proves to the authority that it has a name.
    proofs: Vec<Proof>,
    /// When each file was last written, as of the last reading.
    seen: Vec<Option<SystemTime>>,
    current: watch::Sender<Arc<ServerConfig>>,
}

/// A certificate that proves to an authority that this server has a host name (RFC 8737). Only who
/// asks for such a proof gets it.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The host name.
    pub name: String,
    /// The certificate, in DER.
    pub certificate: Vec<u8>,
    /// Its private key: PKCS #8, in DER.
    pub key: Vec<u8>,
}

/// The protocol by which an authority asks for a [`Proof`] (RFC 8737 section 3).
const PROVING: &[u8] = b"acme-tls/1";

/// Reads all pairs. A client that names no host, or one without a certificate here, gets the first.
/// `awaited`: one more, which may not be there yet.
///
/// # Errors
/// One plain line: which file is wrong, and how.
pub fn load(pairs: Vec<Pair>, awaited: Option<Pair>) -> Result<(Tls, Files), String> {
    let (proofs, seen) = (Vec::new(), written(pairs.iter().chain(&awaited)));
    let (current, receiver) = watch::channel(configured(&pairs, awaited.as_ref(), &proofs)?);
    Ok((Tls(receiver), Files { pairs, awaited, proofs, seen, current }))
}

/// Whether the certificate of a pair is for all of these host names.
pub fn is_for(pair: &Pair, names: &[String]) -> bool {
    let Ok(chain) = chain(&pair.certificate) else { return false };
    let Ok(certificate) = EndEntityCert::try_from(&chain[0]) else { return false };
    let is_for = |name: &String| {
        let name = ServerName::try_from(name.as_str()).ok();
        name.is_some_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    };
    names.iter().all(is_for)
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
        let seen = written(self.pairs.iter().chain(&self.awaited));
        if !always && seen == self.seen {
            return Ok(false);
        }
        // A faulty file is reported once, and read again when it changes.
        self.seen = seen;
        self.replace().map(|()| true)
    }

    /// Shows these proofs to an authority, instead of those before.
    ///
    /// # Errors
    /// As for [`load`].
    pub fn prove(&mut self, proofs: Vec<Proof>) -> Result<(), String> {
        self.proofs = proofs;
        self.replace()
    }

    fn replace(&mut self) -> Result<(), String> {
        let current = configured(&self.pairs, self.awaited.as_ref(), &self.proofs)?;
        self.current.send_replace(current);
        Ok(())
    }
}

fn written<'a>(pairs: impl Iterator<Item = &'a Pair>) -> Vec<Option<SystemTime>> {
    let files = pairs.flat_map(|pair| [&pair.certificate, &pair.key]);
    files.map(|file| fs::metadata(file).and_then(|data| data.modified()).ok()).collect()
}

fn configured(
    pairs: &[Pair],
    awaited: Option<&Pair>,
    proofs: &[Proof],
) -> Result<Arc<ServerConfig>, String> {
    let there = awaited.filter(|pair| pair.certificate.exists());
    let keys = pairs.iter().chain(there).map(|pair| read(pair).map(Arc::new));
    let keys = keys.collect::<Result<_, _>>()?;
    let proofs = proofs.iter().map(proof).collect::<Result<Vec<_>, _>>()?;
    let proving = (!proofs.is_empty()).then(|| PROVING.to_vec());
    let provider = Arc::new(ring::default_provider());
    let versions = [&version::TLS13, &version::TLS12];
    let cannot = |error: rustls::Error| format!("TLS cannot be set up: {error}");
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&versions).map_err(cannot)?;
    let by_name = Arc::new(ByName { keys, proofs });
    let mut config = builder.with_no_client_auth().with_cert_resolver(by_name);
    config.alpn_protocols = [b"http/1.1".to_vec()].into_iter().chain(proving).collect();
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

/// The certificate of a proof contains an extension that says what it is, which no other reader
/// has to understand; so it is not checked.
fn proof(proof: &Proof) -> Result<(String, Arc<CertifiedKey>), String> {
    let Proof { name, certificate, key } = proof;
    let key = PrivatePkcs8KeyDer::from(key.clone()).into();
    let key = ring::sign::any_supported_type(&key);
    let key = key.map_err(|error| format!("{name} cannot be proved: {error}"))?;
    let chain = vec![CertificateDer::from(certificate.clone())];
    Ok((name.clone(), Arc::new(CertifiedKey::new(chain, key))))
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

/// All certificates.
#[derive(Debug)]
struct ByName {
    /// The one for clients without a known name first.
    keys: Vec<Arc<CertifiedKey>>,
    /// By host name.
    proofs: Vec<(String, Arc<CertifiedKey>)>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == PROVING)) {
            let name = hello.server_name()?;
            let proof = self.proofs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            return proof.map(|(_, proof)| proof.clone());
        }
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |key: &&Arc<CertifiedKey>| {
            let certificate = key.end_entity_cert().ok();
            let certificate = certificate.and_then(|der| EndEntityCert::try_from(der).ok());
            certificate.zip(name.as_ref()).is_some_and(|(certificate, name)| {
                certificate.verify_is_valid_for_subject_name(name).is_ok()
            })
        };
        self.keys.iter().find(is_for).or(self.keys.first()).cloned()
    }
}
