//! A certificate that the server gets by itself (ACME, RFC 8555), and renews: it proves that it has
//! its host names on the port of TLS (TLS-ALPN-01, RFC 8737), so no other port has to be open.
//!
//! The account and the certificate are files beside the database, which nobody else can read; a
//! restart asks nobody for anything. While there is no certificate, or none can be had, the server
//! goes on, and the log says why. `instant-acme` speaks the protocol; [`exchange`] carries it.

mod exchange;

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Collected};
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, Error, HttpClient,
    Identifier, NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::limits::edge::{ACME_LOOK_MS, ACME_RENEW_PART, ACME_RETRY_MS};
use crate::log;
use crate::server::acme::exchange::{Answer, exchange};
use crate::server::certificates::Proofs;
use crate::time::Time;
use crate::tls::{self, Pair, Proof};

/// How long the authority may take for looking at the proofs, and for the certificate.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(90));

/// Where the certificate is, or will be; `None`: nobody wants one.
///
/// # Errors
/// One plain line: why its folder cannot be used.
pub(super) fn certificate(config: &Config) -> Result<Option<Pair>, String> {
    if config.acme_hosts.is_empty() {
        return Ok(None);
    }
    let folder = config.acme_folder();
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| format!("{} (--acme): {error}", folder.display()))?;
    let file = config.acme_certificate();
    Ok(Some(Pair { certificate: file.clone(), key: file }))
}

/// Gets the certificate, and renews it, until it is cancelled. `asks`: who shows proofs and reads
/// certificates.
pub(super) async fn run(config: Config, asks: mpsc::Sender<Proofs>) {
    let Ok(Some(pair)) = certificate(&config) else { return };
    loop {
        let mut pause = ACME_LOOK_MS;
        if is_due(&pair, &config.acme_hosts, Time::now()) {
            let names = config.acme_hosts.join(", ");
            match order(&config, &pair, &asks).await {
                Ok(()) => log!(Info, "there is a new certificate for {names}"),
                Err(error) => {
                    log!(
                        Error,
                        "no certificate for {names}: {error}; the next try is in {} minutes",
                        ACME_RETRY_MS / 60_000
                    );
                    pause = ACME_RETRY_MS;
                }
            }
            // Nothing is proved any more; and the new certificate is read at once.
            show(&asks, Vec::new()).await;
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Whether the server must request a certificate: it has none for these names, or its own
/// expires soon.
fn is_due(pair: &Pair, names: &[String], now: Time) -> bool {
    match tls::validity(pair) {
        Ok((from, to)) => {
            let left = to.0.saturating_sub(now.0);
            left < to.0.saturating_sub(from.0) / ACME_RENEW_PART || !tls::is_for(pair, names)
        }
        Err(_) => true,
    }
}

/// Has new connections show these proofs.
async fn show(asks: &mpsc::Sender<Proofs>, proofs: Vec<Proof>) {
    let (shown, seen) = oneshot::channel();
    if asks.send(Proofs { proofs, shown }).await.is_ok() {
        let _ = seen.await; // The server ends.
    }
}

/// Gets a certificate (RFC 8555 section 7.4).
async fn order(config: &Config, pair: &Pair, asks: &mpsc::Sender<Proofs>) -> Result<(), String> {
    let account = account(config).await?;
    let names: Vec<_> = config.acme_hosts.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(told)?;
    let mut proofs = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(told)?;
        if authorization.status != AuthorizationStatus::Pending {
            continue; // Proved before; or in vain, which the order's end tells.
        }
        let name = authorization.identifier().to_string();
        let mut challenge = authorization
            .challenge(ChallengeType::TlsAlpn01)
            .ok_or("the authority does not offer TLS-ALPN-01")?;
        proofs.push(prove(&name, challenge.key_authorization().digest().as_ref())?);
        show(asks, proofs.clone()).await;
        challenge.set_ready().await.map_err(told)?;
    }
    match order.poll_ready(&PATIENCE).await.map_err(told)? {
        OrderStatus::Ready => {}
        status => {
            return Err(format!(
                "the authority has not reached this server by its names ({status:?}): is port 443 \
                 of the host open to the internet?"
            ));
        }
    }
    let key = KeyPair::generate().map_err(told)?;
    let mut wanted = CertificateParams::new(config.acme_hosts.clone()).map_err(told)?;
    wanted.distinguished_name = DistinguishedName::new();
    let request = wanted.serialize_request(&key).map_err(told)?;
    order.finalize_csr(request.der()).await.map_err(told)?;
    let chain = order.poll_certificate(&PATIENCE).await.map_err(told)?;
    write(&pair.certificate, &format!("{}{chain}", key.serialize_pem())).map_err(told)
}

/// The account at the authority; made with the first order.
async fn account(config: &Config) -> Result<Account, String> {
    let path = config.acme_account();
    let builder = Account::builder_with_http(Box::new(Carrier::new(config)?));
    match fs::read(&path) {
        Ok(kept) => {
            let kept = serde_json::from_slice(&kept);
            let kept = kept.map_err(|error| format!("{}: {error}", path.display()))?;
            builder.from_credentials(kept).await.map_err(told)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let contact = config.acme_contact.as_ref().map(|address| format!("mailto:{address}"));
            let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
            let wanted = NewAccount {
                contact: &contact,
                terms_of_service_agreed: true,
                only_return_existing: false,
            };
            let made = builder.create(&wanted, config.acme_directory.clone(), None).await;
            let (account, credentials) = made.map_err(told)?;
            let text = serde_json::to_string(&credentials).map_err(told)?;
            write(&path, &text).map_err(told)?;
            Ok(account)
        }
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// A certificate that proves a name, with a key of its own (RFC 8737 section 3).
fn prove(name: &str, digest: &[u8]) -> Result<Proof, String> {
    let key = KeyPair::generate().map_err(told)?;
    let mut wanted = CertificateParams::new([name.to_owned()]).map_err(told)?;
    wanted.custom_extensions.push(CustomExtension::new_acme_identifier(digest));
    let made = wanted.self_signed(&key).map_err(told)?;
    let (certificate, key) = (made.der().to_vec(), key.serialize_der());
    Ok(Proof { name: name.to_owned(), certificate, key })
}

/// Writes a file that only the server's user can read: the whole of it, or nothing.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.to_owned().into_os_string();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.set_permissions(Permissions::from_mode(0o600))?; // If it was left over.
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string().replace(char::is_control, " ")
}

/// Carries the protocol's requests.
struct Carrier(Arc<ClientConfig>);

impl Carrier {
    /// Believes the authorities that browsers believe, and that of `--acme-ca`.
    fn new(config: &Config) -> Result<Carrier, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &config.acme_ca {
            let wrong =
                |error: &dyn std::fmt::Display| format!("{} (--acme-ca): {error}", path.display());
            for issuer in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                let issuer = issuer.map_err(|error| wrong(&error))?;
                roots.add(issuer).map_err(|error| wrong(&error))?;
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(told)?;
        Ok(Carrier(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }
}

impl HttpClient for Carrier {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let config = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await.map(Collected::to_bytes);
            let (host, port, path) = place(&parts.uri).map_err(Error::Str)?;
            let mut head = format!("{} {path} HTTP/1.1\r\nHost: {host}:{port}\r\n", parts.method);
            for (name, value) in &parts.headers {
                head += &format!("{name}: {}\r\n", value.to_str().unwrap_or_default());
            }
            let asked = tokio::task::spawn_blocking(move || {
                exchange(config, (&host, port), &head, &body)
                    .map_err(|error| format!("{host}: {error}"))
            });
            let other = |error: String| Error::Other(error.into());
            let Answer { status, headers, body } =
                asked.await.map_err(|error| other(told(error)))?.map_err(other)?;
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let (parts, ()) = response.body(()).map_err(|error| other(told(error)))?.into_parts();
            Ok(BytesResponse { parts, body: Box::new(Bytes::from(body)) })
        })
    }
}

/// Host, port and path of an address.
fn place(uri: &Uri) -> Result<(String, u16, String), &'static str> {
    let host = uri.host().filter(|_| uri.scheme_str() == Some("https"));
    let host = host.ok_or("the authority names an address that does not begin with https://")?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok((host.to_owned(), uri.port_u16().unwrap_or(443), path.to_owned()))
}
