//! The shared kit of the protocols' tests: a real hub and a real log, and requests as text; and the
//! tests of what all protocols share.

mod cookies;
mod fuzz;
mod limits;
mod origins;

use std::cell::Cell;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use crate::chat::{Command, Event, LOBBY, Refusal, Seq, SubscriptionId};
use crate::codec::Codec;
use crate::config::Config;
use crate::http::{Framing, Next, Reader, Request};
use crate::hub::{Hub, Item, LogHandle, Rounds, SubscriptionGuard, subscription_id};
use crate::protocol::passwords::Passwords;
use crate::protocol::{
    Counters, Outcome, Peer, Service, chitchat, codecs, protocol_id, respond, signing_secret,
};
use crate::store::tests::Scratch;
use crate::store::{Job, LineEnd, line};
use crate::time::Time;

pub(super) use fuzz::feed_at_random;

/// The header lines of a good request for a websocket.
pub(crate) const UPGRADE: &str = "Upgrade: websocket\nConnection: Upgrade\n\
    Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";

/// The source of the requests, unless a header names another.
pub(super) const HOME: Peer = Peer::Socket(IpAddr::V4(Ipv4Addr::LOCALHOST));

/// A running hub, and its handle.
pub(crate) struct Server {
    pub service: Rc<Service>,
    pub rounds: Rounds,
    subscriptions: Cell<u64>,
}

/// A response.
pub(crate) struct Reply {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    pub body: String,
    /// After a 101.
    pub subscription: Option<SubscriptionGuard>,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Status and body, with variable parts masked.
    pub fn show(&self) -> String {
        let parts = self.body.split('"').map(|part| match part.len() {
            27 if part.ends_with('Z') && part.as_bytes()[10] == b'T' => "TIME",
            64 if part.bytes().all(|byte| byte.is_ascii_hexdigit()) => "KEY",
            _ if part.starts_with("eyJ") => "TOKEN",
            _ => part,
        });
        format!("{} {}", self.status, parts.collect::<Vec<_>>().join("\"")).trim_end().to_owned()
    }

    /// A string field of the JSON body.
    pub fn text(&self, field: &str) -> String {
        let json: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        json[field].as_str().unwrap_or_else(|| panic!("{field} in {json}")).to_owned()
    }
}

impl Server {
    /// Sends a request, `GET /path`, with header lines and a body.
    pub async fn send(&self, line: &str, headers: &str, body: &str) -> Reply {
        let request = request(line, headers, body);
        self.subscriptions.set(self.subscriptions.get() + 1);
        let outcome =
            respond(&self.service, HOME, subscription_id(0, self.subscriptions.get()), &request)
                .await;
        let (response, subscription) = match outcome {
            Outcome::Response(response) => (response.gathered().await, None),
            Outcome::Websocket { response, subscription, .. }
            | Outcome::Stream { response, subscription, .. } => (response, Some(subscription)),
        };
        let mut bytes = Vec::new();
        let _ = response.encode(&mut bytes, &Framing::of(&request, Time::now()));
        let text = String::from_utf8(bytes).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let (head, body) = (head.to_owned(), body.to_owned());
        Reply { status: response.status, head, body, subscription }
    }

    /// Sends a request and compares status and body.
    #[track_caller]
    pub fn check<'a>(
        &'a self,
        line: &'a str,
        headers: &'a str,
        body: &'a str,
        expected: &'a str,
    ) -> impl Future<Output = Reply> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let reply = self.send(line, headers, body).await;
            assert_eq!(reply.show(), expected, "{line} {headers:?} {body} at {caller}");
            reply
        }
    }

    /// Registers and logs in; the header line with the session's cookie.
    pub async fn account(&self, name: &str) -> String {
        let body = format!(r#"{{"username":"{name}"}}"#);
        let key = self.send("POST /api/register", "", &body).await.text("key");
        let login = self.send("POST /api/login", "", &format!(r#"{{"key":"{key}"}}"#)).await;
        let cookie = login.header("Set-Cookie").expect("a cookie");
        format!("Cookie: {}\n", cookie.split(';').next().expect("a pair"))
    }

    /// The items for the worker since the last call.
    pub fn heard(&mut self) -> Vec<Item> {
        std::iter::from_fn(|| self.rounds.try_recv().ok()).flatten().collect()
    }
}

/// Parses a request.
pub(super) fn request(line: &str, headers: &str, body: &str) -> Request {
    let mut text = format!("{line} HTTP/1.1\r\nHost: chat.example\r\n");
    for header in headers.lines() {
        write!(text, "{header}\r\n").expect("a string takes all");
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("a string takes all");
    let mut reader = Reader::new();
    reader.feed(text.as_bytes());
    match reader.next() {
        Ok(Next::Request(request)) => request,
        other => panic!("{text}: {other:?}"),
    }
}

/// Runs a test against a fresh server.
pub(crate) fn serve(test: impl AsyncFnOnce(Server)) {
    serve_with(Config::default(), u64::MAX, test);
}

/// The same with a configuration, and a disk that is full after `entries` entries.
pub(super) fn serve_with(config: Config, entries_max: u64, test: impl AsyncFnOnce(Server)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let scratch = Scratch::new();
        let opened = scratch.open();
        let snapshot = opened.snapshot;
        let (line, writes) = line();
        let settings = super::settings(&config, None);
        let (hub, handle, mut rounds) = Hub::new(settings, snapshot, line, codecs(), "e0", 1);
        let log = handle.log_handle();
        // A thread outside the runtime: tokio's paused clock does not advance while a blocking task
        // of its own runs.
        let writer = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime").block_on(async {
                match entries_max {
                    u64::MAX => opened.writer.run(writes, |commands| log.answer(commands)).await,
                    _ => write_some(writes, &log, entries_max).await,
                }
            });
        });
        let running = tokio::spawn(hub.run());
        let secret = signing_secret(config.secret_key.as_deref(), &[7; 32]);
        let (passwords, readers, epoch) = (Passwords::new(), opened.readers, "e0".to_owned());
        let health = opened.health;
        let hub = handle;
        let counters = Counters::none();
        let service = Service { hub, config, secret, passwords, readers, health, epoch, counters };
        let service = Rc::new(service);
        let rounds = rounds.pop().expect("a line to the one worker");
        test(Server { service, rounds, subscriptions: Cell::new(0) }).await;
        running.await.expect("the hub ends when nobody holds it");
        writer.join().expect("the log ends with the hub");
    });
}

/// A log that only counts, until it is full.
async fn write_some(mut writes: LineEnd, log: &LogHandle, entries_max: u64) {
    let mut last = 0;
    while let Some(batch) = writes.recv().await {
        for write in batch {
            let Job::Entry { ticket, time, entry } = write else { continue };
            last += 1;
            let (seq, logged) = (Seq(last), Some(ticket));
            log.answer(vec![match last > entries_max {
                true => Command::Unlogged { ticket, entry, refusal: Refusal::Unavailable },
                false => Command::Logged { ticket: logged, seq, time, entry },
            }])
            .await;
        }
    }
}

/// The payload of a short websocket text frame, or nothing if nothing is written.
pub(super) fn payload(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut frame = Vec::new();
    write(&mut frame);
    let head = match frame.get(1) {
        None => 0,
        Some(126) => 4,
        Some(length) => {
            assert_eq!(frame.len(), 2 + usize::from(*length));
            2
        }
    };
    String::from_utf8(frame.split_off(head)).expect("UTF-8")
}

/// A codec's frames of an event, for others and for the sender.
pub(super) fn told(codec: &dyn Codec, event: &Event) -> (String, String) {
    let others = payload(|frame| codec.event("e0", event, frame));
    let own = if codec.echoes() { others.clone() } else { String::new() };
    (others, own)
}

#[test]
fn paths_of_no_protocol() {
    serve(async |server| {
        let nothing = r#"404 {"error":"this path does not exist; check the spelling"}"#;
        let paths = ["/nowhere", "/api", "/api/", "/api/register/", "/api/user", "/ws/", "/ws/1"];
        for path in paths {
            for method in ["GET", "POST", "DELETE", "OPTIONS"] {
                server.check(&format!("{method} {path}"), "", "", nothing).await;
            }
        }
        for path in
            ["/web", "/web/", "/web/app.js", "/sw.js/", "/web/..%2f", "/index.html", "//", "/API"]
        {
            server.check(&format!("GET {path}"), "", "", nothing).await;
        }
        let head = server.send("HEAD /nowhere", "", "").await;
        assert_eq!((head.status, &*head.body), (404, ""));
    });
}

#[test]
fn paths_that_cannot_be_decoded() {
    serve(async |server| {
        let escape = "an escape in the path is malformed; write % and two hex digits";
        let native = |message: &str| {
            format!(r#"{{"error":{{"code":"bad_request","message":"{message}"}}}}"#)
        };
        let piratchat = |message: &str| format!(r#"{{"error":"{message}"}}"#);
        for (path, expected) in [
            ("/%", native(escape)),
            ("/api/%zz", piratchat(escape)),
            ("/api/user/a%00", piratchat("the path contains a control character; remove it")),
            ("/api/v1/%ff", native("the path is not UTF-8; send UTF-8")),
            (
                "/chats/%0a",
                "{\"status\":false,\"error\":{\"code\":400,\"error\":\
                 \"the request is malformed; correct it and try again\"}}"
                    .to_owned(),
            ),
        ] {
            server.check(&format!("GET {path}"), "", "", &format!("400 {expected}")).await;
        }
    });
}

#[test]
fn the_server_as_a_whole() {
    serve(async |server| {
        let reply = server.send("OPTIONS *", "", "").await;
        let all = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
        assert_eq!((reply.status, reply.header("Allow")), (204, Some(all)));
        let reply = server.send("OPTIONS /*", "", "").await;
        assert_eq!(reply.status, 404, "a path of that name is not the server");
    });
}

/// Every path, and its methods.
#[test]
fn methods_of_every_path() {
    let paths = [
        ("/", "GET, HEAD, OPTIONS"),
        ("/sw.js", "GET, HEAD, OPTIONS"),
        ("/api/register", "POST, OPTIONS"),
        ("/api/login", "POST, OPTIONS"),
        ("/api/logout", "GET, HEAD, POST, OPTIONS"),
        ("/api/online", "GET, HEAD, OPTIONS"),
        ("/api/user/@me", "GET, HEAD, OPTIONS"),
        ("/api/user/ann", "GET, HEAD, OPTIONS"),
        ("/ws", "GET, OPTIONS"),
        ("/chats", "GET, HEAD, POST, OPTIONS"),
        ("/chats/1", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/chats/1/token", "POST, OPTIONS"),
        ("/chats/1/token/renew", "GET, HEAD, OPTIONS"),
        ("/chats/1/entrance", "GET, HEAD, OPTIONS"),
        ("/chats/1/ws", "GET, OPTIONS"),
    ];
    serve(async |server| {
        for (path, allow) in paths {
            let options = server.send(&format!("OPTIONS {path}"), "", "").await;
            assert_eq!((options.status, options.header("Allow")), (204, Some(allow)), "{path}");
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
                let reply = server.send(&format!("{method} {path}"), "", "").await;
                let allowed = allow.split(", ").any(|name| name == method);
                assert_eq!(reply.status != 405, allowed, "{method} {path}");
                if !allowed {
                    // A failed handshake names its one method.
                    let says = reply.header("Allow").expect("a 405 has an Allow");
                    assert!(allow.starts_with(says), "{method} {path}: {says}");
                    let json = reply.body.starts_with('{') || method == "HEAD";
                    assert!(json, "{method} {path}: {}", reply.body);
                }
                if method == "HEAD" {
                    assert_eq!(reply.body, "", "{path}");
                }
            }
        }
    });
}

/// A message through one codec is broadcast through the other.
#[test]
fn both_protocols_of_the_lobby() {
    serve(async |mut server| {
        let ann = server.account("Ann").await;
        let mine = server.send("GET /ws", &format!("{UPGRADE}{ann}"), "").await.subscription;
        let guest =
            server.send("GET /chats/1/ws", UPGRADE, "").await.subscription.expect("a subscription");
        let codec = chitchat::PROTOCOL.codecs[0];
        guest.tell(codec.decode(r#"{"event_type":"send","name":"Bo","msg":"ahoy"}"#)).await;
        let online = server.send("GET /api/online", &ann, "").await;
        // The message is pending in the log; its sender is a member already.
        assert_eq!(online.show(), r#"200 {"online_clients":["Ann","Bo"]}"#);
        let copies = loop {
            let announced = server.heard().into_iter().find_map(|item| match item {
                Item::Announce { room, copies, by: Some(SubscriptionId(_)), .. }
                    if copies.len() == 2 =>
                {
                    assert_eq!(room, LOBBY);
                    Some(copies)
                }
                _ => None,
            });
            if let Some(copies) = announced {
                break copies;
            }
            tokio::task::yield_now().await;
        };
        let texts = copies.iter().map(|copy| String::from_utf8_lossy(&copy.frame[2..]));
        let texts: Vec<_> = texts.collect();
        assert!(texts[0].ends_with(r#"{"message":"ahoy","author":"Bo"}"#), "{texts:?}");
        assert!(texts[1].starts_with(r#"{"event_type":"send","name":"Bo","room_id":1,"#));
        drop(mine);
    });
}

/// Ids are found by name, so the names of the codecs are unique.
#[test]
fn each_codec_has_an_id_of_its_own() {
    for (index, codec) in codecs().into_iter().enumerate() {
        assert_eq!(usize::from(protocol_id(codec).0), index, "{}", codec.name());
    }
}
