//! TLS in the server itself, with another implementation's client side. The certificates in
//! `tests/it/tls/` are good for tests only: everybody has their keys.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, version};
use serde_json::json;

use crate::kit::http::ask;
use crate::kit::{Http, PATIENCE, Scratch, TestServer, Ws, joined, run, said, shanty, until};

fn file(name: &str) -> String {
    format!("{}/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).expect("a certificate")
}

/// The client's side, which trusts the issuer of the test certificates.
fn client(name: &str) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.pem")).expect("an issuer");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .expect("two versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a client")
}

/// A server with two certificates.
fn server(flags: &[&str]) -> TestServer {
    let pairs = ["first", "second"]
        .map(|name| [file(&format!("{name}.pem")), file(&format!("{name}.key"))]);
    let mut all: Vec<&str> = flags.to_vec();
    for [certificate, key] in &pairs {
        all.extend(["--tls-cert", certificate, "--tls-key", key]);
    }
    TestServer::with(&all)
}

/// A port whose plain bytes go to the server through TLS.
fn tunnel(server: &TestServer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, to) = (listener.local_addr().expect("an address").port(), server.port());
    thread::spawn(move || {
        for plain in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || carry(plain, to));
        }
    });
    port
}

/// Carries bytes both ways until either side ends.
fn carry(mut plain: TcpStream, port: u16) {
    let mut secure = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    let mut session = client("localhost");
    plain.set_nonblocking(true).expect("a socket");
    secure.set_nonblocking(true).expect("a socket");
    let mut waits = Vec::new();
    let mut bytes = [0; 4096];
    let blocks = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
    loop {
        let mut idle = true;
        match plain.read(&mut bytes) {
            Ok(0) => session.send_close_notify(),
            Ok(count) => {
                idle = false;
                session.writer().write_all(&bytes[..count]).expect("a session");
            }
            Err(error) if blocks(&error) => {}
            Err(_) => return,
        }
        while session.wants_write() {
            match session.write_tls(&mut secure) {
                Err(error) if !blocks(&error) => return,
                _ => idle = false,
            }
        }
        let ended = match session.read_tls(&mut secure) {
            Ok(count) => {
                idle = false;
                if session.process_new_packets().is_err() {
                    return;
                }
                count == 0
            }
            Err(error) if blocks(&error) => false,
            Err(_) => return,
        };
        while let Ok(count @ 1..) = session.reader().read(&mut bytes) {
            waits.extend_from_slice(&bytes[..count]);
        }
        while !waits.is_empty() {
            match plain.write(&waits) {
                Ok(count) => drop(waits.drain(..count)),
                Err(error) if blocks(&error) => break,
                Err(_) => return,
            }
        }
        if ended && waits.is_empty() {
            return;
        }
        if idle {
            thread::sleep(Duration::from_micros(300));
        }
    }
}

/// The certificate that a client gets that asks for a host.
fn shown(port: u16, name: &str) -> Result<CertificateDer<'static>, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let mut session = client(name);
    session.complete_io(&mut stream).map_err(|error| error.to_string())?;
    let chain = session.peer_certificates().ok_or("no certificate")?;
    Ok(chain[0].clone().into_owned())
}

#[test]
fn requests_websockets_and_streams_work_through_tls() {
    let server = server(&["--hsts"]);
    assert!(server.line().contains("is open: https://127.0.0.1:"), "{}", server.line());
    let port = tunnel(&server);
    let body = json!({"username": "anne"}).to_string();
    let key = ask(port, "POST /api/register", "", &body).json();
    let login = ask(port, "POST /api/login", "", &key.to_string());
    assert_eq!(login.status, 200);
    assert_eq!(login.header("strict-transport-security"), Some("max-age=31536000"));
    let cookies: Vec<&str> = login
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| value.as_str())
        .collect();
    assert!(cookies.iter().all(|cookie| cookie.ends_with("; Secure")), "{cookies:?}");
    assert!(cookies.iter().any(|cookie| cookie.starts_with("__Host-session=")), "{cookies:?}");
    let session = cookies[0].split(';').next().expect("a cookie");
    let mut anne = Ws::upgrade(Http::connect(port), "/ws", &format!("Cookie: {session}\r\n"))
        .expect("a websocket");
    let mut jack = Ws::upgrade(Http::connect(port), "/chats/1/ws", "").expect("a websocket");
    jack.say(&json!({"event_type": "join", "name": "jack"}));
    anne.expect(&json!({"event": "join", "username": "jack"}));
    jack.expect(&joined(1, "jack"));
    anne.say(&json!({"message": "ahoy"}));
    jack.expect(&said(1, "anne", "ahoy"));
    anne.expect_ack();
    anne.bye();
}

/// Longer than a record and than the kernel's buffers, and read slowly at first.
#[test]
fn a_long_response_arrives_whole_and_another_client_does_not_wait() {
    let server = server(&["--limits", "off"]);
    let port = tunnel(&server);
    let guest = ask(port, "POST /api/v1/guests", "", r#"{"name":"Ann"}"#);
    let cookie = guest.header("set-cookie").expect("a cookie").split(';').next().expect("a cookie");
    let cookie = format!("Cookie: {cookie}\r\n");
    let text = "é".repeat(3_900);
    for _ in 0..100 {
        let body = json!({"text": text}).to_string();
        assert_eq!(ask(port, "POST /api/v1/rooms/1/messages", &cookie, &body).status, 201);
    }
    let mut slow = Http::connect(port);
    for _ in 0..8 {
        slow.request("GET /api/v1/rooms/1/messages?limit=100", &cookie);
    }
    assert_eq!(ask(port, "GET /healthz", "", "").status, 200);
    thread::sleep(Duration::from_millis(300));
    for _ in 0..8 {
        let page = slow.response();
        let page = page.json();
        let messages = page["messages"].as_array().expect("messages");
        assert!(messages.len() > 10);
        assert!(messages.iter().all(|message| message["text"] == text));
    }
}

#[test]
fn plain_http_is_redirected_and_health_is_answered() {
    let redirects = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("an address")
    };
    let server = server(&["--http-redirect", &redirects.to_string()]);
    let port = server.port();
    for from in [port, redirects.port()] {
        let moved = ask(from, "GET /r/1?since=2", "", "");
        assert_eq!(moved.status, 308);
        let to = format!("https://127.0.0.1:{port}/r/1?since=2");
        assert_eq!(moved.header("location"), Some(to.as_str()));
        assert_eq!(ask(from, "POST /api/register", "", "{}").status, 308);
        assert_eq!(ask(from, "GET /healthz", "", "").status, 200);
    }
    let mut http = Http::connect(port);
    http.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let moved = http.response();
    assert_eq!(moved.header("location"), Some(&*format!("https://localhost:{port}/")));
    let mut http = Http::connect(port);
    http.send("GET / HTTP/1.1\r\nHost: a.example\"><script>\r\nConnection: close\r\n\r\n");
    assert_eq!(http.response().status, 400);
}

#[test]
fn the_host_name_decides_which_certificate_a_client_gets() {
    let server = server(&[]);
    assert_eq!(shown(server.port(), "localhost"), Ok(certificate("first.pem")));
    assert_eq!(shown(server.port(), "127.0.0.1"), Ok(certificate("first.pem")));
    assert_eq!(shown(server.port(), "chat.second.example"), Ok(certificate("second.pem")));
    let other = shown(server.port(), "elsewhere.example");
    assert!(other.is_err_and(|error| error.contains("not valid for name")));
}

#[test]
fn new_certificates_are_taken_without_a_restart() {
    let scratch = Scratch::new();
    let [pem, key] = ["used.pem", "used.key"].map(|name| scratch.path(name));
    let put = |name: &str| {
        fs::copy(file(&format!("{name}.key")), &key).expect("a copy");
        fs::copy(file(&format!("{name}.pem")), &pem).expect("a copy");
    };
    put("first");
    let mut server = TestServer::with(&["--tls-cert", &pem, "--tls-key", &key]);
    let port = tunnel(&server);
    let mut before = Http::connect(port);
    before.request("GET /healthz", "");
    assert_eq!(before.response().status, 200);
    assert_eq!(shown(server.port(), "localhost"), Ok(certificate("first.pem")));
    // A faulty file replaces nothing.
    fs::write(&pem, "nothing").expect("a file");
    server.signal("HUP");
    thread::sleep(Duration::from_millis(200));
    assert_eq!(shown(server.port(), "localhost"), Ok(certificate("first.pem")));
    put("renewed");
    server.signal("HUP");
    until("the new certificate", || {
        shown(server.port(), "localhost") == Ok(certificate("renewed.pem"))
    });
    // The files are also read when they change.
    put("first");
    until("the first again", || shown(server.port(), "localhost") == Ok(certificate("first.pem")));
    before.request("GET /healthz", "");
    assert_eq!(before.response().status, 200, "the connection goes on");
    let log = server.stop().stderr;
    assert!(log.contains("the certificates in use stay: ") && log.contains("used.pem"), "{log}");
}

#[test]
fn wrong_files_are_refused_at_the_start() {
    let [first, second, key, none] =
        ["first.pem", "second.key", "first.key", "missing.pem"].map(file);
    let long = Scratch::new();
    let huge = long.path("huge.pem");
    fs::write(&huge, vec![b'a'; 1024 * 1024 + 1]).expect("a file");
    for (pem, secret, says) in [
        (&first, &second, "is not the private key of"),
        (&key, &key, "contains no certificate"),
        (&first, &first, "contains no private key"),
        (&none, &key, "missing.pem: No such file"),
        (&huge, &key, "huge.pem: too large for a certificate or a key"),
        (&first, &huge, "huge.pem: too large for a certificate or a key"),
    ] {
        let scratch = Scratch::new();
        let mut command = shanty();
        command.args(["--listen", "127.0.0.1:0", "--db", &scratch.path("shanty.db")]);
        command.args(["--tls-cert", pem, "--tls-key", secret]);
        let end = run(command);
        assert_eq!(end.code, Some(1), "{end:?}");
        assert!(end.stderr.contains(says) && end.stdout.is_empty(), "{end:?}");
    }
    for flags in [&["--tls-cert", &first][..], &["--hsts"], &["--http-redirect", "0"]] {
        let mut command = shanty();
        command.args(flags);
        let end = run(command);
        assert_eq!(end.code, Some(2), "{end:?}");
        assert!(end.stderr.contains("--tls-key"), "{end:?}");
    }
}

/// Broken records, a handshake that stops, and records without content harm nobody else.
#[test]
fn a_client_that_breaks_tls_ends_its_connection_only() {
    let server = server(&[]);
    let dial = || {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        stream
    };
    for record in [
        &[22, 3, 1, 0, 5, 1, 0, 0, 1, 0][..],
        &[22, 3, 3, 0xff, 0xff, 0, 0],
        &[22, 0, 0, 0, 0],
        &[22, 3, 1, 0, 1, 99],
    ] {
        let mut stream = dial();
        stream.write_all(record).expect("a socket");
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard); // A reset is an end, too.
        assert!(heard.is_empty() || heard[0] == 21, "an alert: {heard:?}");
    }
    let mut halves = Vec::new();
    for _ in 0..50 {
        let mut stream = dial();
        let mut hello = Vec::new();
        client("localhost").write_tls(&mut hello).expect("a handshake");
        stream.write_all(&hello[..hello.len() / 2]).expect("a socket");
        halves.push(stream);
    }
    let port = tunnel(&server);
    assert_eq!(ask(port, "GET /healthz", "", "").status, 200);
}
