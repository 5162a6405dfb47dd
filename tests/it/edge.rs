//! The server's edge: proxies, pages of other origins, and host names.

use serde_json::json;

use crate::kit::{Response, TestServer};

/// More than one client may make at once, and fewer than the last part of an address has values.
const TRIES: usize = 250;

fn cors(response: &Response) -> (Option<&str>, bool) {
    let vary = response.headers.iter().any(|line| *line == ("vary".into(), "Origin".into()));
    (response.header("access-control-allow-origin"), vary)
}

/// A browser shows its page a refusal of an unreadable request only with the page's CORS header.
#[test]
fn a_listed_page_reads_refusals_of_unreadable_requests() {
    let server = TestServer::with(&["--origin", "https://friend.example"]);
    let long = "x".repeat(70_000);
    let many = "A: b\r\n".repeat(2_000);
    let far = format!("GET /api/v1/search?q={} HTTP/1.1\r\nHost: a\r\n", &long[..12_000]);
    for (head, body, status) in [
        ("POST /api/login HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n", "", 413),
        ("POST /chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", "11171\r\n", 413),
        ("POST /chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", "xyz\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Encoding: br\r\n", "", 415),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: tea\r\n", "", 417),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, chunked\r\n", "", 501),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nBad line\r\n", "", 400),
        ("FOO / HTTP/1.1\r\nHost: a\r\n", "Origin: https://friend.example\r\n\r\n", 501),
        ("GET / HTTP/9.9\r\nHost: a\r\n", "", 505),
        (&far, "", 414),
    ] {
        for (origin, allowed) in [("https://friend.example", true), ("https://evil.example", false)]
        {
            let mut http = server.http();
            http.send(format!("{head}Origin: {origin}\r\n\r\n{body}"));
            let response = http.response();
            assert_eq!(response.status, status, "{head:?}");
            assert_eq!(cors(&response), (allowed.then_some(origin), true), "{head:?}");
        }
    }
    // A head that is too long, or incomplete.
    for rest in [format!("A: {long}\r\n\r\n"), format!("{many}\r\n")] {
        let mut http = server.http();
        http.send("GET /api/v1/me HTTP/1.1\r\nHost: a\r\nOrigin: https://friend.example\r\n");
        // The server may close before everything is sent.
        let _ = std::io::Write::write_all(&mut http.stream, rest.as_bytes());
        let response = http.response();
        assert_eq!(response.status, 431);
        assert_eq!(cors(&response), (Some("https://friend.example"), true));
    }
}

/// A proxied client counts by the address that the proxy names, and never as this machine.
#[test]
fn proxied_clients_are_rate_limited() {
    let mut server = TestServer::with(&["--limits", "on"]);
    // Whether the client is rate limited at some point.
    let is_counted = |named: &dyn Fn(usize) -> String| {
        (0..TRIES).any(|index| {
            let body = json!({"username": format!("U{}", rand_name())}).to_string();
            let made = server.ask("POST /api/register", &named(index), &body);
            assert!(matches!(made.status, 201 | 429), "{made:?}");
            made.status == 429
        })
    };
    assert!(!is_counted(&|_| String::new()), "this machine is not");
    assert!(is_counted(&|_| "X-Forwarded-For: 203.0.113.7\r\n".into()));
    assert!(is_counted(&|index| format!("X-Forwarded-For: 10.0.0.{index}, 203.0.113.8\r\n")));
    // An IPv6 network counts as one client, and contradicting headers do not evade that.
    assert!(is_counted(&|index| format!("X-Real-IP: [2001:db8::{index}]:80\r\n")));
    // All requests without a named client count as one client.
    assert!(is_counted(&|index| match index % 5 {
        0 => "X-Forwarded-For: 127.0.0.1\r\n".to_owned(),
        1 => "Forwarded: for=_hidden\r\n".to_owned(),
        2 => format!("X-Real-IP: 10.0.0.{index}\r\nX-Forwarded-For: 203.0.113.9\r\n"),
        3 => "X-Forwarded-Proto: https\r\n".to_owned(),
        _ => format!("X-Forwarded-For: garbage{index}\r\n"),
    }));
    let warned = server.stop().stderr;
    assert_eq!(warned.matches("--trusted-proxy").count(), 1, "once: {warned}");
}

/// A unique name.
fn rand_name() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[test]
fn a_proxy_that_is_not_named_is_not_believed() {
    let server = TestServer::with(&["--limits", "on", "--trusted-proxy", "192.0.2.1"]);
    let is_counted = (0..TRIES).any(|index| {
        let body = json!({"username": format!("U{index}")}).to_string();
        let named = format!("X-Forwarded-For: 203.0.113.{index}\r\n");
        server.ask("POST /api/register", &named, &body).status == 429
    });
    assert!(is_counted);
}

#[test]
fn a_server_that_has_a_name_answers_to_no_other() {
    let server = TestServer::with(&["--host", "chat.example.org", "--host", "localhost"]);
    let asked = |path: &str, host: &str| {
        let mut http = server.http();
        http.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        http.response().status
    };
    let port = server.port();
    for host in ["chat.example.org", "Chat.Example.org:443", &format!("localhost:{port}")] {
        assert_eq!(asked("/chats", host), 200, "{host}");
    }
    for host in ["evil.example", &format!("127.0.0.1:{port}"), "chat.example.org.evil.example"] {
        for path in ["/chats", "/", "/api/v1/server", "/ws", "/nothing"] {
            assert_eq!(asked(path, host), 421, "{path} at {host}");
        }
        assert_eq!(asked("/healthz", host), 200, "{host}");
    }
}

/// Password checks are fair, so that a crowd at one room does not lock others out of theirs.
#[test]
fn constant_password_checks_lock_out_no_other_client() {
    let server = TestServer::start();
    for title in ["Den", "Nest"] {
        let room = json!({"title": title, "visibility": "private", "password": "open sesame"});
        assert_eq!(server.send("POST /chats", &room).status, 201);
    }
    let enter = |room: &str, name: &str| {
        let wanted = json!({"name": name, "secret": "open sesame"});
        server.send(&format!("POST /chats/{room}/token"), &wanted).status
    };
    let is_over = std::sync::OnceLock::new();
    std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..24)
            .map(|index| {
                let (enter, is_over) = (&enter, &is_over);
                scope.spawn(move || {
                    let name = format!("C{index}");
                    let mut all = vec![enter("den", &name)];
                    while is_over.get().is_none() {
                        all.push(enter("den", &name));
                    }
                    all
                })
            })
            .collect();
        for _ in 0..5 {
            assert_eq!(enter("nest", "Vic"), 201);
        }
        let _ = is_over.set(());
        let all: Vec<u16> =
            crowd.into_iter().flat_map(|client| client.join().expect("ends")).collect();
        assert!(all.len() > 24 && all.iter().all(|status| *status == 201), "{all:?}");
    });
}

/// A neighbour under the same parent domain may set any cookie; browsers send it along.
#[test]
fn bytes_that_are_not_utf8_in_a_header_spoil_nothing_else() {
    let server = TestServer::start();
    let ann = server.account("ann");
    for (path, status) in [("/api/v1/me", 200), ("/api/user/@me", 200), ("/", 200)] {
        for header in [
            format!("Cookie: name=M\u{fc}ller; {}\r\n", ann.cookie),
            format!("Cookie: session=\u{ff}; {}\r\n", ann.cookie),
            format!("Referer: http://h/\u{e9}\r\nCookie: {}\r\n", ann.cookie),
            format!("User-Agent: Caf\u{e9}\r\nCookie: {}\r\n", ann.cookie),
        ] {
            let mut http = server.http();
            let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{header}\r\n", http.host());
            // Latin-1: a byte for each character.
            http.send(
                head.chars()
                    .map(|c| u8::try_from(u32::from(c)).expect("latin-1"))
                    .collect::<Vec<u8>>(),
            );
            assert_eq!(http.response().status, status, "{path} {header:?}");
        }
    }
}
