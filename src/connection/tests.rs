//! The deadlines of HTTP over a real socket, on a clock that jumps to the next timer: minutes pass
//! at once, and exact to the millisecond.

mod paced;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};

use tokio::net::TcpStream;

use super::*;
use crate::codec::Disconnect;
use crate::connection::slots::Stage;
use crate::hub::subscription_id;
use crate::limits::{
    ANSWER_WINDOW_MS, BATCH_MS, BODY_DEADLINE_MS, CROWDED_PERCENT, HEAD_DEADLINE_MS,
    IDLE_DEADLINE_MS, MESSAGE_DEADLINE_MS, SILENT_GRACE_MS, SLOT_GRACE_MS, TURNS_PER_ROUND,
    UNANSWERED_MAX,
};
use crate::protocol::tests::{self, Server};

/// Sends `first` at once and then `drip`, a byte a second, to the end of the connection. Returns
/// the answer, and the milliseconds until the end.
fn converse(first: &str, drip: &str) -> (String, u64) {
    let (heard, millis) = converse_in_bytes(first.as_bytes(), drip.as_bytes());
    (String::from_utf8(heard).expect("UTF-8"), millis)
}

/// The same, for bytes that are not text.
fn converse_in_bytes(first: &[u8], drip: &[u8]) -> (Vec<u8>, u64) {
    let mut heard = (Vec::new(), 0);
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut peer = std::net::TcpStream::connect(address).expect("it listens");
        peer.write_all(first).expect("it fits");
        let socket = |stream: std::net::TcpStream| {
            stream.set_nonblocking(true).expect("a socket");
            TcpStream::from_std(stream).expect("a runtime")
        };
        let (stream, _) = listener.accept().expect("it has come");
        let shared = Rc::new(shared(service));
        let connection = Rc::new(shared.connection(subscription_id(0, 1), socket(stream), None));
        let dripping = socket(peer.try_clone().expect("a second handle"));
        let drips = async {
            for byte in drip.iter().cycle() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = dripping.try_write(&[*byte]); // The server may not read any more.
            }
            std::future::pending::<()>().await;
        };
        let slot = slot(&shared).await;
        tokio::time::pause();
        let start = Instant::now();
        tokio::select! {
            () = serve(shared, connection, slot) => {}
            () = drips => {}
        }
        heard.1 = u64::try_from(start.elapsed().as_millis()).expect("minutes");
        peer.set_nonblocking(false).expect("a socket");
        let _ = peer.read_to_end(&mut heard.0); // A reset may follow the data.
    });
    heard
}

/// Expects these status lines, and the end at that time.
#[track_caller]
fn check(first: &str, drip: &str, statuses: &[&str], over: u64) {
    let (heard, millis) = converse(first, drip);
    let lines = heard.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    assert_eq!(lines.collect::<Vec<_>>(), statuses, "{first:?} {drip:?}");
    // The timer's resolution is a millisecond, and there is a timer for each step.
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
    // Each byte is in time, but the head is not.
    check("GET / HTTP/1.1\r\nHost: h\r\nX: ", "x", &[timeout], head);
    let body = BODY_DEADLINE_MS + CLOSE_DEADLINE_MS;
    let post = "POST /api/v1/accounts HTTP/1.1\r\nHost: h\r\n";
    check(&format!("{post}Content-Length: 64\r\n\r\n{{"), "", &[timeout], body);
    check(&format!("{post}Content-Length: 64\r\n\r\n{{"), "x", &[timeout], body);
    check(&format!("{post}Transfer-Encoding: chunked\r\n\r\n40\r\n"), "x", &[timeout], body);
    // After a 100 the body's deadline runs.
    let expects = "Expect: 100-continue\r\nContent-Length: 64\r\n\r\n";
    check(&format!("{post}{expects}"), "x", &["100 Continue", timeout], body);
}

#[test]
fn a_connection_on_which_nothing_is_asked_is_closed_without_a_word() {
    let idle = IDLE_DEADLINE_MS + CLOSE_DEADLINE_MS;
    check("", "", &[], idle);
    // So is one after a request; the time runs from the answer.
    check("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "", &["200 OK"], idle);
    // The next request has its own time.
    let two = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET / HT";
    let head = HEAD_DEADLINE_MS + CLOSE_DEADLINE_MS;
    check(two, "", &["200 OK", "408 Request Timeout"], head);
    // An empty line is not a request, but it starts the head's deadline.
    check("\r", "", &["408 Request Timeout"], head);
}

/// Sends 1 MiB to a peer that reads this many bytes a second once the kernel's buffers are full.
/// Returns whether everything was sent, and the seconds until the end.
fn sent(bytes_a_second: usize) -> (bool, u64) {
    let mut result = (false, 0);
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let (stream, peer) = pair();
        stream.set_nodelay(true).expect("a socket");
        socket2::SockRef::from(&stream).set_send_buffer_size(64 * 1024).expect("a socket");
        socket2::SockRef::from(&peer).set_recv_buffer_size(64 * 1024).expect("a socket");
        let shared = shared(service);
        let connection = shared.connection(subscription_id(0, 1), stream, None);
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
            all = answer::write(&shared, &connection, [b"head", &content], &mut deadline) => {
                result = (all, start.elapsed().as_secs());
            }
            () = reads => {}
        }
    });
    result
}

/// The shared state of connections, with a slot for each.
fn shared(service: Rc<Service>) -> Shared {
    Shared::new(service, Rc::default(), Rc::default(), Slots::new(100))
}

/// A slot.
async fn slot(shared: &Shared) -> Slot {
    shared.slots.gate().next().await.expect("a place")
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
    // At the first look the kernel takes a little that it had not signalled.
    let (all, seconds) = sent(1);
    assert!(!all && seconds <= 2 * ANSWER_WINDOW_MS / 1000, "{seconds} seconds");
    assert!(!sent(400).0);
    for polite in [2_000, 20_000] {
        assert!(sent(polite).0, "{polite} bytes a second");
    }
}

/// The upgrade of a websocket, and the first piece of an incomplete message.
fn begun(first: u8, length: u8) -> Vec<u8> {
    let mut bytes = b"GET /chats/1/ws HTTP/1.1\r\nHost: h\r\n".to_vec();
    bytes.extend(tests::UPGRADE.replace('\n', "\r\n").bytes());
    bytes.extend(b"\r\n");
    bytes.extend([first, 0x80 | length, 0, 0, 0, 0, b'a']);
    bytes
}

/// RFC 6455 section 5.4 allows any number of fragments; the server sets a deadline.
#[test]
fn a_message_that_does_not_come_to_its_end_is_a_1008() {
    const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
    let over = MESSAGE_DEADLINE_MS + CLOSE_DEADLINE_MS;
    for (case, first, drip) in [
        ("a frame that ends nowhere", begun(0x81, 100), &[][..]),
        ("one that drips", begun(0x81, 100), b"a"),
        ("a fragment with none behind it", begun(0x01, 1), &[]),
        ("half a header", begun(0x01, 1)[..begun(0x01, 1).len() - 6].to_vec(), &[]),
        ("pings between the fragments", begun(0x01, 1), &PING),
    ] {
        let (heard, millis) = converse_in_bytes(&first, drip);
        // (Dripped bytes are no close frame, so the peer is cut off.)
        let late = over..over + 2 * CLOSE_DEADLINE_MS + 10;
        assert!(late.contains(&millis), "{case}: {millis}");
        let reason = "the message took too long to arrive";
        let close = [0x88, 2 + reason.len() as u8, 0x03, 0xf0];
        assert!(heard.windows(4).any(|bytes| bytes == close), "{case}: {heard:?}");
    }
}

#[test]
fn the_largest_unfinished_input_makes_way() {
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let shared = shared(service);
        let connections: Vec<Rc<Connection>> = (1..=4)
            .map(|count| Rc::new(shared.connection(subscription_id(0, count), pair().0, None)))
            .collect();
        let unfinished = Unfinished::new(100);
        let closed = || {
            connections.iter().map(|connection| connection.closing().is_some()).collect::<Vec<_>>()
        };
        for (connection, bytes) in connections.iter().zip([30, 40, 30]) {
            unfinished.note(connection, bytes);
        }
        assert_eq!(closed(), [false; 4]);
        // A completed message frees its bytes.
        unfinished.note(&connections[0], 0);
        unfinished.note(&connections[0], 30);
        assert_eq!((unfinished.used(), closed()), (100, vec![false; 4]));
        unfinished.note(&connections[3], 1);
        assert_eq!((unfinished.used(), closed()), (61, vec![false, true, false, false]));
        // Of equals the oldest makes way.
        unfinished.note(&connections[3], 41);
        unfinished.note(&connections[3], 30);
        assert_eq!((unfinished.used(), closed()), (90, vec![false, true, false, true]));
    });
}

/// Incomplete requests that exceed the budget together: one is refused, and may come again.
#[test]
fn where_the_memory_for_input_is_used_up_a_request_is_a_503() {
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let shared = Rc::new(shared(service));
        let (stream, peer) = pair();
        let connection = Rc::new(shared.connection(subscription_id(0, 1), stream, None));
        let head = b"POST /api/register HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\nsome";
        peer.writable().await.expect("a socket");
        assert_eq!(peer.try_write(head).ok(), Some(head.len()));
        let served = serve(shared.clone(), connection.clone(), slot(&shared).await);
        let crowd = async {
            while shared.unfinished.used() == 0 {
                tokio::task::yield_now().await;
            }
            connection.close(Disconnect::Unfinished);
            let mut bytes = [0; 1024];
            peer.readable().await.expect("an answer");
            let count = peer.try_read(&mut bytes).expect("an answer");
            let text = String::from_utf8_lossy(&bytes[..count]);
            assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
            assert!(text.contains("\r\nRetry-After: 1\r\n"), "{text}");
            assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
            drop(peer);
        };
        tokio::join!(served, crowd);
        assert_eq!(shared.unfinished.used(), 0);
    });
}

/// When the memory for responses is used up, no request has an effect that could not be answered;
/// but health checks are answered.
#[test]
fn where_the_memory_for_answers_is_used_up_a_request_is_a_503() {
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let shared = Rc::new(shared(service));
        let (stream, peer) = pair();
        let connection = Rc::new(shared.connection(subscription_id(0, 1), stream, None));
        let held = shared.unsent.hold(UNSENT_BYTES_MAX);
        let ask = async |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
            peer.writable().await.expect("a socket");
            assert_eq!(peer.try_write(request.as_bytes()).ok(), Some(request.len()));
            let mut bytes = [0; 4096];
            loop {
                peer.readable().await.expect("an answer");
                if let Ok(count) = peer.try_read(&mut bytes) {
                    return String::from_utf8_lossy(&bytes[..count]).into_owned();
                }
            }
        };
        let asks = async {
            let refused = ask("/chats/1").await;
            assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
            assert!(refused.contains("\r\nRetry-After: 1\r\n"), "{refused}");
            assert!(ask("/healthz").await.starts_with("HTTP/1.1 200 "));
            drop(held);
            assert!(ask("/chats/1").await.starts_with("HTTP/1.1 200 "));
            shared.stop();
            connection.nudge();
        };
        tokio::select! {
            () = serve(shared.clone(), connection.clone(), slot(&shared).await) => {}
            () = asks => {}
        }
    });
}

/// The connection that makes way after this time: its number, and whether it gets a close frame.
#[test]
fn the_least_active_connection_makes_way() {
    use crate::connection::slots::{Stage, make_way};
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let shared = shared(service);
        let connection =
            |count| Rc::new(shared.connection(subscription_id(0, count), pair().0, None));
        let connections: Vec<Rc<Connection>> = (0..7).map(connection).collect();
        tokio::time::pause();
        let stages = [Stage::Silent, Stage::Busy, Stage::Asking, Stage::Idle, Stage::Idle];
        for (connection, stage) in connections.iter().zip(stages) {
            connection.enter(stage);
            shared.connections.borrow_mut().insert(connection.subscription, connection.clone());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let newcomer = &connections[6];
        let gone = || {
            make_way(&shared.connections, newcomer);
            let gone = |connection: &&Rc<Connection>| {
                connection.is_broken() || connection.closing().is_some()
            };
            let gone: Vec<u64> = connections
                .iter()
                .filter(gone)
                .map(|connection| connection.subscription.0 >> 16)
                .collect();
            gone
        };
        assert_eq!(gone(), [0_u64; 0], "nobody has kept a place for long");
        tokio::time::advance(Duration::from_millis(SLOT_GRACE_MS)).await;
        assert_eq!(gone(), [3], "the oldest of those that ask for nothing");
        assert_eq!(gone(), [3, 4]);
        assert_eq!(gone(), [2, 3, 4], "then who asks slowly");
        assert_eq!(gone(), [2, 3, 4], "a websocket has longer");
        tokio::time::advance(Duration::from_millis(SILENT_GRACE_MS)).await;
        assert_eq!(gone(), [0, 2, 3, 4]);
        assert_eq!(connections[0].closing(), Some(Disconnect::NoPlace));
        assert_eq!(gone(), [0, 2, 3, 4], "who does something stays");
    });
}

/// Runs for at most `secs`: how long the connection lasted.
async fn lasts(serving: &mut (impl Future<Output = ()> + Unpin), secs: u64) -> Option<Duration> {
    let start = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(secs), serving).await;
    ended.ok().map(|()| start.elapsed())
}

/// A connection with the most unanswered messages is not read: its sign of life cannot be seen, so
/// its silence does not count, however long the disk takes.
#[test]
fn a_client_that_waits_for_the_disk_is_not_taken_for_dead() {
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let pong_secs = service.config.pong_deadline_ms / 1_000;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut peer = std::net::TcpStream::connect(address).expect("it listens");
        let (stream, _) = listener.accept().expect("it has come");
        stream.set_nonblocking(true).expect("a socket");
        let shared = Rc::new(shared(service));
        let stream = TcpStream::from_std(stream).expect("a runtime");
        let connection = Rc::new(shared.connection(subscription_id(0, 1), stream, None));
        let upgrade = "GET /chats/1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        peer.write_all(upgrade.as_bytes()).expect("it fits");
        // No worker delivers here, as if the disk stood still: all messages wait.
        let send = br#"{"event_type":"send","name":"Ann","msg":"hello"}"#;
        let mask = [0; 4];
        let length = 0x80 | u8::try_from(send.len()).expect("short");
        for _ in 0..UNANSWERED_MAX {
            peer.write_all(&[0x81, length]).expect("it fits");
            peer.write_all(&mask).expect("it fits");
            peer.write_all(send).expect("it fits");
        }
        let slot = slot(&shared).await;
        tokio::time::pause();
        let mut serving = Box::pin(serve(shared, connection.clone(), slot));
        assert_eq!(lasts(&mut serving, 10 * pong_secs).await, None, "it is still there");
        // When they are answered, the connection is read again; and the client is silent.
        (0..UNANSWERED_MAX).for_each(|_| connection.answered());
        let silent = lasts(&mut serving, 10 * pong_secs).await.expect("silence is noticed");
        let over = Duration::from_secs(pong_secs)..=Duration::from_secs(pong_secs + 3);
        assert!(over.contains(&silent), "{silent:?}");
    });
}

/// However many clients request and leave at once: one round of the event loop serves a bounded
/// number, and everything else gets its turn in between.
#[test]
fn a_burst_is_served_in_rounds() {
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        tokio::task::LocalSet::new().run_until(burst(Rc::new(shared(service)))).await;
    });
}

async fn burst(shared: Rc<Shared>) {
    const ALL: usize = 4 * TURNS_PER_ROUND;
    let mut connections = Vec::new();
    for number in 0..ALL {
        let (stream, peer) = pair();
        peer.writable().await.expect("a socket");
        let request = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        peer.try_write(request).expect("it fits");
        peer.into_std().and_then(|peer| peer.shutdown(Shutdown::Both)).expect("a socket");
        stream.readable().await.expect("a socket");
        connections.push(Rc::new(shared.connection(
            subscription_id(0, number as u64 + 1),
            stream,
            None,
        )));
    }
    let ended = Rc::new(Cell::new(0));
    for connection in &connections {
        let (shared, ended, connection) = (shared.clone(), ended.clone(), connection.clone());
        let slot = slot(&shared).await;
        tokio::task::spawn_local(async move {
            serve(shared, connection, slot).await;
            ended.set(ended.get() + 1);
        });
    }
    let (mut did, mut rounds) = (0, 0);
    while ended.get() < ALL {
        tokio::task::yield_now().await;
        let answered =
            connections.iter().filter(|connection| connection.stage.get().0 == Stage::Busy).count();
        let now = answered + ended.get() - did;
        assert!(now <= TURNS_PER_ROUND, "{now} in one round");
        (did, rounds) = (answered + ended.get(), rounds + 1);
    }
    assert!(rounds >= 2 * ALL / TURNS_PER_ROUND, "{rounds} rounds");
}
