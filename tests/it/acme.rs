//! Certificates by ACME, from an authority of the tests' own: at the first start, from the cache
//! afterwards, and again before the end.

mod authority;

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

use crate::acme::authority::{Authority, session};
use crate::doctor::free_port;
use crate::kit::{PATIENCE, TestServer, shanty, until};

const NAMES: [&str; 2] = ["chat.example.test", "talk.example.test"];

fn server(authority: &Authority, names: &[&str]) -> TestServer {
    let directory = authority.directory();
    let ca = format!("{}/tests/it/tls/ca.pem", env!("CARGO_MANIFEST_DIR"));
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    // The authority has to know the port, so it may not change with a restart.
    let port = free_port();
    authority.book.lock().expect("ours").port = port;
    TestServer::of(move |db| {
        let mut command = shanty();
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--db", db]);
        command.args(["--acme-directory", &directory, "--acme-ca", &ca]);
        command.args(["--acme-contact", "ann@example.test"]);
        for name in &names {
            command.args(["--acme", name]);
        }
        command
    })
}

/// Asks for the health over TLS, and believes certificates of the authority only.
fn health(server: &TestServer, authority: &Authority, name: &str) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).expect("an issuer");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let mut stream = Stream::new(&mut session, &mut socket);
    let mut told = String::new();
    std::io::Write::write_all(
        &mut stream,
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    .and_then(|()| stream.read_to_string(&mut told))
    .map_err(|error| error.to_string())?;
    Ok(told)
}

fn is_served(server: &TestServer, authority: &Authority, name: &str) -> bool {
    health(server, authority, name).is_ok_and(|told| told.ends_with("\r\n\r\nok\n"))
}

fn cache(server: &TestServer) -> Vec<PathBuf> {
    let folder = PathBuf::from(format!("{}.acme", server.db()));
    assert_eq!(fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777, 0o700);
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    files.collect()
}

#[test]
fn a_certificate_is_issued_once_and_kept() {
    let authority = Authority::start();
    let mut server = server(&authority, &NAMES);
    for name in NAMES {
        until("a certificate", || is_served(&server, &authority, name));
    }
    assert!(!is_served(&server, &authority, "other.example.test"), "it is for these names only");
    // Plain HTTP is redirected, as with any other certificate.
    let answer = server.ask("GET /", "", "");
    assert_eq!(answer.status, 308);
    // Nobody else may read the keys.
    for file in cache(&server) {
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    // The proof is gone: who asks for it gets nothing.
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
    let proof = session(NAMES[0], &[b"acme-tls/1"]).complete_io(&mut socket);
    assert!(proof.is_err(), "{proof:?}");
    // The next start needs no authority.
    let log = server.stop().stderr;
    assert!(log.contains("chat.example.test") && !log.contains("BEGIN"), "{log}");
    authority.book.lock().expect("ours").port = 0;
    server.go_on();
    assert!(is_served(&server, &authority, NAMES[1]), "at once");
    let book = authority.book.lock().expect("ours");
    assert_eq!((book.accounts, book.orders, book.issued), (1, 1, 1));
    assert_eq!(book.contacts, ["mailto:ann@example.test"]);
}

#[test]
fn it_is_renewed_before_its_end_by_the_same_account() {
    let authority = Authority::start();
    // A ninth of its time is left.
    authority.book.lock().expect("ours").days = [-80, 10];
    let mut server = server(&authority, &NAMES[..1]);
    until("a certificate", || is_served(&server, &authority, NAMES[0]));
    assert_eq!(server.stop().code, Some(0));
    authority.book.lock().expect("ours").days = [-1, 89];
    server.go_on();
    assert!(is_served(&server, &authority, NAMES[0]), "the old one until then");
    until("another", || authority.book.lock().expect("ours").issued == 2);
    until("it is used", || is_served(&server, &authority, NAMES[0]));
    let book = authority.book.lock().expect("ours");
    assert_eq!((book.accounts, book.orders), (1, 2), "the account is kept");
}

#[test]
fn without_an_authority_the_server_goes_on() {
    let authority = Authority::start();
    let mut server = server(&authority, &NAMES[..1]);
    // It refuses every order.
    authority.book.lock().expect("ours").port = 0;
    assert_eq!(server.ask("GET /healthz", "", "").status, 200);
    assert!(health(&server, &authority, NAMES[0]).is_err(), "there is no certificate to show");
    until("an account", || authority.book.lock().expect("ours").accounts == 1);
    assert_eq!(server.stop().code, Some(0));
    // Another certificate is used meanwhile.
    let file = |name: &str| format!("{}/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let directory = authority.directory();
    let mut server = TestServer::with(&[
        "--acme",
        NAMES[0],
        "--acme-directory",
        &directory,
        "--acme-ca",
        &file("ca.pem"),
        "--tls-cert",
        &file("first.pem"),
        "--tls-key",
        &file("first.key"),
    ]);
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
    let mut session = session("localhost", &[b"http/1.1"]);
    session.complete_io(&mut socket).expect("a handshake");
    let shown: Option<&[CertificateDer<'_>]> = session.peer_certificates();
    assert!(shown.is_some_and(|chain| chain.len() == 1));
    until("the refusal", || authority.book.lock().expect("ours").accounts >= 2);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let log = server.stop().stderr;
    assert!(log.contains("too many certificates for today"), "{log}");
}
