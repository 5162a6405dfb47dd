//! The deadlines of HTTP over a real socket, on a clock that jumps to whatever is waited for next:
//! minutes pass in no time, and to the millisecond.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use tokio::net::TcpStream;

use super::*;
use crate::hub::seat_id;
use crate::limits::UNANSWERED_MAX;
use crate::limits::{ANSWER_WINDOW_MS, BODY_DEADLINE_MS, HEAD_DEADLINE_MS, IDLE_DEADLINE_MS};
use crate::protocol::tests::{self, Server};

/// Sends `first` at once and then `drip`, a byte a second, to the end of the connection. What came
/// back, and after how many milliseconds it was over.
fn converse(first: &str, drip: &str) -> (String, u64) {
    let mut heard = (String::new(), 0);
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut peer = std::net::TcpStream::connect(address).expect("it listens");
        peer.write_all(first.as_bytes()).expect("it fits");
        let socket = |stream: std::net::TcpStream| {
            stream.set_nonblocking(true).expect("a socket");
            TcpStream::from_std(stream).expect("a runtime")
        };
        let (stream, _) = listener.accept().expect("it has come");
        let shared = Rc::new(Shared::new(service, Rc::default()));
        let wire = Rc::new(shared.wire(seat_id(0, 1), socket(stream)));
        let dripping = socket(peer.try_clone().expect("a second handle"));
        let drips = async {
            for byte in drip.bytes().cycle() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = dripping.try_write(&[byte]); // It may not be read any more.
            }
            std::future::pending::<()>().await;
        };
        tokio::time::pause();
        let start = Instant::now();
        tokio::select! {
            () = serve(shared, wire) => {}
            () = drips => {}
        }
        heard.1 = u64::try_from(start.elapsed().as_millis()).expect("minutes");
        peer.set_nonblocking(false).expect("a socket");
        let mut bytes = Vec::new();
        let _ = peer.read_to_end(&mut bytes); // Behind what came there may be a reset.
        heard.0 = String::from_utf8(bytes).expect("UTF-8");
    });
    heard
}

/// The status lines of what came back, and that it was over in time.
#[track_caller]
fn check(first: &str, drip: &str, statuses: &[&str], over: u64) {
    let (heard, millis) = converse(first, drip);
    let lines = heard.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    assert_eq!(lines.collect::<Vec<_>>(), statuses, "{first:?} {drip:?}");
    // The timer's grain is a millisecond, and there is a timer for each step.
    assert!((over..over + 10).contains(&millis), "{first:?} {drip:?}: {millis}, not {over}");
    let last = heard.rsplit_once("HTTP/1.1 ").map_or("", |(_, last)| last);
    if last.starts_with("408") {
        assert!(last.contains("\r\nConnection: close\r\n"), "{last}");
        assert!(last.contains("the request took too long"), "{last}");
    }
}

/// RFC 9110 section 15.5.9; then the peer has a moment to read it.
#[test]
fn a_request_that_does_not_come_to_its_end_is_a_408() {
    let timeout = "408 Request Timeout";
    let head = HEAD_DEADLINE_MS + CLOSE_DEADLINE_MS;
    check("GET / HTTP/1.1\r\nHost: h\r\n", "", &[timeout], head);
    // Each byte is in time, and yet the head is not.
    check("GET / HTTP/1.1\r\nHost: h\r\nX: ", "x", &[timeout], head);
    let body = BODY_DEADLINE_MS + CLOSE_DEADLINE_MS;
    let post = "POST /api/v1/accounts HTTP/1.1\r\nHost: h\r\n";
    check(&format!("{post}Content-Length: 64\r\n\r\n{{"), "", &[timeout], body);
    check(&format!("{post}Content-Length: 64\r\n\r\n{{"), "x", &[timeout], body);
    check(&format!("{post}Transfer-Encoding: chunked\r\n\r\n40\r\n"), "x", &[timeout], body);
    // Who was told to go on has the body's time from then on.
    let expects = "Expect: 100-continue\r\nContent-Length: 64\r\n\r\n";
    check(&format!("{post}{expects}"), "x", &["100 Continue", timeout], body);
}

#[test]
fn a_connection_on_which_nothing_is_asked_is_closed_without_a_word() {
    let idle = IDLE_DEADLINE_MS + CLOSE_DEADLINE_MS;
    check("", "", &[], idle);
    // So is one on which something was; the time runs from the answer.
    check("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "", &["200 OK"], idle);
    // The next request has its own time.
    let two = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET / HT";
    let head = HEAD_DEADLINE_MS + CLOSE_DEADLINE_MS;
    check(two, "", &["200 OK", "408 Request Timeout"], head);
    // An empty line before a request is none; and begins one all the same.
    check("\r", "", &["408 Request Timeout"], head);
}

/// Sends 1 MiB to a peer that takes so many bytes a second, once the kernel has what it holds by
/// itself. Whether all went out, and after how many seconds it was over.
fn sent(bytes_a_second: usize) -> (bool, u64) {
    let mut result = (false, 0);
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let (stream, peer) = pair();
        stream.set_nodelay(true).expect("a socket");
        socket2::SockRef::from(&stream).set_send_buffer_size(64 * 1024).expect("a socket");
        socket2::SockRef::from(&peer).set_recv_buffer_size(64 * 1024).expect("a socket");
        let shared = Shared::new(service, Rc::default());
        let wire = shared.wire(seat_id(0, 1), stream);
        let mut deadline = pin!(tokio::time::sleep(Duration::ZERO));
        let content = vec![7; 1024 * 1024];
        let reads = async {
            let mut buffer = vec![0; bytes_a_second];
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = peer.try_read(&mut buffer);
            }
        };
        tokio::time::pause();
        let start = Instant::now();
        tokio::select! {
            all = answer::write(&shared, &wire, [b"head", &content], &mut deadline) => {
                result = (all, start.elapsed().as_secs());
            }
            () = reads => {}
        }
    });
    result
}

/// Two ends of one connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let peer = std::net::TcpStream::connect(address).expect("it listens");
    let (stream, _) = listener.accept().expect("it has come");
    let socket = |stream: std::net::TcpStream| {
        stream.set_nonblocking(true).expect("a socket");
        TcpStream::from_std(stream).expect("a runtime")
    };
    (socket(stream), socket(peer))
}

#[test]
fn an_answer_goes_out_as_slowly_as_it_is_read_but_not_more_slowly() {
    // The kernel takes a little at the first look that it had not said it would.
    let (all, seconds) = sent(1);
    assert!(!all && seconds <= 2 * ANSWER_WINDOW_MS / 1000, "{seconds} seconds");
    assert!(!sent(400).0);
    for polite in [2_000, 20_000] {
        assert!(sent(polite).0, "{polite} bytes a second");
    }
}

/// Runs until `over`, or until that is all: how long the connection was there.
async fn lasts(serving: &mut (impl Future<Output = ()> + Unpin), secs: u64) -> Option<Duration> {
    let start = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(secs), serving).await;
    ended.ok().map(|()| start.elapsed())
}

/// Whoever has as many unanswered messages as one may have is not read: no sign of life can be
/// heard then, and none is missed, however long the disk takes.
#[test]
fn one_whose_messages_wait_for_the_disk_is_not_taken_for_dead() {
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let pong_secs = service.config.pong_deadline_ms / 1_000;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut peer = std::net::TcpStream::connect(address).expect("it listens");
        let (stream, _) = listener.accept().expect("it has come");
        stream.set_nonblocking(true).expect("a socket");
        let shared = Rc::new(Shared::new(service, Rc::default()));
        let stream = TcpStream::from_std(stream).expect("a runtime");
        let wire = Rc::new(shared.wire(seat_id(0, 1), stream));
        let upgrade = "GET /chats/1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        peer.write_all(upgrade.as_bytes()).expect("it fits");
        // Nobody delivers anything here, as if the disk stood still: all of these wait.
        let send = br#"{"event_type":"send","name":"Ann","msg":"hello"}"#;
        let mask = [0; 4];
        let length = 0x80 | u8::try_from(send.len()).expect("short");
        for _ in 0..UNANSWERED_MAX {
            peer.write_all(&[0x81, length]).expect("it fits");
            peer.write_all(&mask).expect("it fits");
            peer.write_all(send).expect("it fits");
        }
        tokio::time::pause();
        let mut serving = Box::pin(serve(shared, wire.clone()));
        assert_eq!(lasts(&mut serving, 10 * pong_secs).await, None, "it is still there");
        // When they are answered, it is listened to again; and says nothing.
        (0..UNANSWERED_MAX).for_each(|_| wire.answered());
        let silent = lasts(&mut serving, 10 * pong_secs).await.expect("silence is noticed");
        let over = Duration::from_secs(pong_secs)..=Duration::from_secs(pong_secs + 3);
        assert!(over.contains(&silent), "{silent:?}");
    });
}
