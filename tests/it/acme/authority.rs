//! A small authority (RFC 8555): it issues certificates for host names that a server proves by
//! TLS-ALPN-01 (RFC 8737). It asks as strictly as a real one for what concerns the proof, and for
//! fresh nonces; it does not check signatures.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use rcgen::{CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, ServerConnection,
    SignatureScheme, Stream,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kit::PATIENCE;
use crate::kit::certificates::date;

/// What the test looks at, and changes.
#[derive(Default)]
pub struct Book {
    /// The port of the server whose names are proved; 0: the authority refuses every order.
    pub port: u16,
    /// Certificates are good from so many days from now to so many days.
    pub days: [i64; 2],
    pub contacts: Vec<String>,
    pub accounts: usize,
    pub orders: usize,
    pub issued: usize,
    nonces: HashSet<String>,
    drawn: usize,
    /// Of the account's key.
    thumbprint: String,
    names: Vec<String>,
    proved: HashSet<String>,
    chain: String,
}

/// A running authority.
pub struct Authority {
    pub book: Arc<Mutex<Book>>,
    /// Its own certificate, which clients have to trust.
    pub root: CertificateDer<'static>,
    pub port: u16,
}

struct Desk {
    book: Arc<Mutex<Book>>,
    issuer: Issuer<'static, KeyPair>,
    base: String,
}

type Answer = (u16, Vec<(&'static str, String)>, String);

impl Authority {
    /// Starts it; its directory is at `https://localhost:PORT/directory`, with the tests' own
    /// certificate.
    pub fn start() -> Authority {
        let mut wanted = CertificateParams::new(Vec::<String>::new()).expect("no names");
        wanted.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = wanted.self_signed(&key).expect("a certificate").der().clone();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let book = Arc::new(Mutex::new(Book { days: [-1, 90], ..Book::default() }));
        let base = format!("https://localhost:{port}");
        let desk = Desk { book: book.clone(), issuer: Issuer::new(wanted, key), base };
        let config = tls();
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                // One after the other; a client that breaks off harms nobody.
                let _ = desk.serve(socket, config.clone());
            }
        });
        Authority { book, root, port }
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/directory", self.port)
    }
}

fn tls() -> Arc<ServerConfig> {
    let file = |name: &str| format!("{}/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = CertificateDer::from_pem_file(file("first.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("first.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.expect("a certificate with its key"))
}

impl Desk {
    fn serve(&self, mut socket: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut session = ServerConnection::new(config).expect("a session");
        let mut stream = Stream::new(&mut session, &mut socket);
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("ASCII");
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
        stream.read_exact(&mut body)?;
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if method == "POST" {
            assert!(lower.contains("content-type: application/jose+json"), "{head}");
        }
        assert!(lower.contains("user-agent: "), "RFC 8555 section 6.1: {head}");
        let (status, headers, text) = self.answer(method, path, &body);
        let nonce = {
            let mut book = self.book.lock().expect("ours");
            book.drawn += 1;
            let nonce = format!("nonce{}", book.drawn);
            book.nonces.insert(nonce.clone());
            nonce
        };
        let length = text.len();
        let mut out = format!(
            "HTTP/1.1 {status} X\r\nReplay-Nonce: {nonce}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n"
        );
        for (name, value) in headers {
            out += &format!("{name}: {value}\r\n");
        }
        let text = if method == "HEAD" { String::new() } else { text };
        stream.write_all(format!("{out}\r\n{text}").as_bytes())?;
        session.send_close_notify();
        session.complete_io(&mut socket).map(drop)
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let url = |path: &str| format!("{}{path}", self.base);
        let ok = |json: Value| (200, Vec::new(), json.to_string());
        match (method, path) {
            ("GET", "/directory") => {
                return ok(json!({"newNonce": url("/nonce"), "newAccount": url("/account"),
                    "newOrder": url("/order"), "revokeCert": url("/revoke"),
                    "keyChange": url("/key"), "meta": {}}));
            }
            ("HEAD" | "GET", "/nonce") => return (200, Vec::new(), String::new()),
            ("POST", _) => {}
            _ => return (405, Vec::new(), String::new()),
        }
        let mut book = self.book.lock().expect("ours");
        let jws: Value = serde_json::from_slice(body).expect("JSON");
        let part = |name: &str| {
            let text = jws[name].as_str().expect("a part");
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url");
            serde_json::from_slice(&bytes).unwrap_or(Value::Null)
        };
        let (protected, payload) = (part("protected"), part("payload"));
        assert_eq!((&protected["alg"], &protected["url"]), (&json!("ES256"), &json!(url(path))));
        let nonce = protected["nonce"].as_str().expect("a nonce").to_owned();
        assert!(book.nonces.remove(&nonce), "a nonce is used once");
        if path != "/account" {
            assert_eq!(protected["kid"], json!(url("/account/1")));
        }
        let order = |book: &Book| {
            let names = book.names.iter();
            let all = book.names.iter().all(|name| book.proved.contains(name));
            let status = match all {
                _ if !book.chain.is_empty() => "valid",
                true => "ready",
                false => "pending",
            };
            let mut order = json!({"status": status, "finalize": url("/finalize"),
                "identifiers": names.clone().map(|name| json!({"type": "dns", "value": name}))
                    .collect::<Vec<_>>(),
                "authorizations": (0..names.len()).map(|index| url(&format!("/authz/{index}")))
                    .collect::<Vec<_>>()});
            if status == "valid" {
                order["certificate"] = json!(url("/certificate"));
            }
            order
        };
        let challenge = |book: &Book, index: usize| {
            let proved = book.proved.contains(&book.names[index]);
            json!({"type": "tls-alpn-01", "url": url(&format!("/challenge/{index}")),
                "token": format!("token-{index}"),
                "status": if proved { "valid" } else { "pending" }})
        };
        let index = path.rsplit('/').next().and_then(|index| index.parse().ok()).unwrap_or(0);
        match path.split('/').nth(1).unwrap_or("") {
            "account" => {
                let jwk = &protected["jwk"];
                // RFC 7638 section 3.
                let canonical = format!(
                    r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#,
                    jwk["crv"], jwk["kty"], jwk["x"], jwk["y"]
                );
                book.thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
                assert_eq!(payload["termsOfServiceAgreed"], true);
                let contacts = payload["contact"].as_array().cloned().unwrap_or_default();
                book.contacts =
                    contacts.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
                book.accounts += 1;
                let body = json!({"status": "valid", "orders": url("/orders")}).to_string();
                (201, vec![("Location", url("/account/1"))], body)
            }
            "order" if book.port == 0 => {
                let problem = json!({"type": "urn:ietf:params:acme:error:rateLimited",
                    "detail": "too many certificates for today", "status": 429});
                let kind = ("Content-Type", "application/problem+json".to_owned());
                (429, vec![kind], problem.to_string())
            }
            "order" if !payload["identifiers"].is_null() => {
                let names = payload["identifiers"].as_array().expect("identifiers").iter();
                book.names =
                    names.map(|name| name["value"].as_str().expect("a name").to_owned()).collect();
                (book.proved, book.chain) = (HashSet::new(), String::new());
                book.orders += 1;
                (201, vec![("Location", url("/order/1"))], order(&book).to_string())
            }
            "order" => ok(order(&book)),
            "authz" => {
                let challenge = challenge(&book, index);
                ok(json!({"status": challenge["status"], "challenges": [challenge],
                    "identifier": {"type": "dns", "value": book.names[index]}}))
            }
            "challenge" => {
                let name = book.names[index].clone();
                let proof = format!("token-{index}.{}", book.thumbprint);
                check(book.port, &name, &Sha256::digest(proof));
                book.proved.insert(name);
                ok(challenge(&book, index))
            }
            "finalize" => {
                let csr = payload["csr"].as_str().expect("a request");
                let csr = BASE64_URL_SAFE_NO_PAD.decode(csr).expect("base64url");
                let mut csr =
                    CertificateSigningRequestParams::from_der(&csr.into()).expect("a request");
                [csr.params.not_before, csr.params.not_after] = book.days.map(|days| {
                    let (year, month, day) = date(days);
                    rcgen::date_time_ymd(year, month, day)
                });
                book.chain = csr.signed_by(&self.issuer).expect("a certificate").pem();
                book.issued += 1;
                ok(order(&book))
            }
            "certificate" => {
                let kind = ("Content-Type", "application/pem-certificate-chain".to_owned());
                (200, vec![kind], book.chain.clone())
            }
            other => panic!("what is {other}?"),
        }
    }
}

/// Whether the server proves that it has that name (RFC 8737 section 3).
fn check(port: u16, name: &str, digest: &[u8]) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let mut session = session(name, &[b"acme-tls/1"]);
    session.complete_io(&mut socket).expect("a handshake");
    assert_eq!(session.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    let certificate = session.peer_certificates().expect("a certificate")[0].clone();
    // A critical extension of that kind, with the digest.
    let start = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x1f\x01\x01\xff\x04\x22\x04\x20";
    let extension = [&start[..], digest].concat();
    let has = |bytes: &[u8]| certificate.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(&extension) && has(name.as_bytes()), "the proof of {name}");
}

/// A client that believes everything, and offers these protocols.
pub fn session(name: &str, protocols: &[&[u8]]) -> ClientConnection {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a client")
}

#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519]
    }
}
