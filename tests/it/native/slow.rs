//! A stream whose client does not keep up: it costs other clients nothing, and misses nothing.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{FORMS, Form, Stream, number};
use crate::kit::TestServer;

const MESSAGES: usize = 20_000;

/// The server's peak memory, in KiB.
fn peak(server: &TestServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("the process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// The server's processor time: unlike wall time, it is the same on a busy machine.
fn worked(server: &TestServer) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.pid())).expect("the process");
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Readers that read a little periodically, or they would count as gone after ten seconds. They
/// read enough at a time for the kernel to take more.
struct Slow {
    streams: Vec<Stream>,
    last: Instant,
    reads: usize,
    read: usize,
}

impl Slow {
    /// Input is available.
    fn breathe(&mut self) {
        if self.reads == 0 {
            if self.last.elapsed() < Duration::from_secs(4) {
                return;
            }
            self.reads = 8;
        }
        for stream in &mut self.streams {
            let before = stream.ws.http.buffer.len();
            let _ = stream.ws.http.fill();
            self.read += stream.ws.http.buffer.len() - before;
        }
        (self.last, self.reads) = (Instant::now(), self.reads - 1);
    }
}

#[test]
fn a_stalled_stream_falls_behind_and_catches_up() {
    let server = TestServer::start();
    let (ann, bob, eve) = (server.user("Ann"), server.user("Bob"), server.user("Eve"));
    let streams: Vec<Stream> = FORMS.map(|form| server.live(&bob, form)).into();
    let mut slow = Slow { streams, last: Instant::now(), reads: 0, read: 0 };
    let mut prompt = server.live(&eve, Form::Ws);
    let mut at_ann = server.live(&ann, Form::Ws);
    let before = peak(&server);
    let filler = "x".repeat(300);
    let (mut worst, start) = (Duration::ZERO, Instant::now());
    let (mut last, mut said) = (0, 0);
    // In batches: the fast readers get each before the next begins.
    for lot in 0..MESSAGES / 25 {
        let began = worked(&server);
        for index in lot * 25..lot * 25 + 25 {
            let text = format!("{index} {filler}");
            at_ann.say(
                &json!({"type": "send", "room": 1, "client_id": format!("s{index}"), "text": text}),
            );
        }
        for index in lot * 25..lot * 25 + 25 {
            let heard = prompt.expect("message");
            assert_eq!(heard["client_id"], format!("s{index}"));
            said += filler.len();
        }
        slow.breathe();
        for _ in 0..25 {
            last = number(&at_ann.find("ack")["seq"]);
        }
        worst = worst.max(worked(&server).saturating_sub(began));
    }
    eprintln!("{MESSAGES} in {:?}, a lot at most {worst:?}", start.elapsed());
    assert!(worst < Duration::from_secs(2), "others were delayed: {worst:?}");
    // No client has waited for them: all was received while they were at least half of it behind.
    let Slow { streams: mut slow, read, .. } = slow;
    assert!(read < said * slow.len() / 2, "they had {read} bytes of {said} each");
    let grown = peak(&server) - before;
    eprintln!("grown by {grown} KiB from {before}");
    assert!(grown < 16 * 1024, "it has grown by {grown} KiB");
    // All in parallel: while one catches up, the others must not stop reading.
    let catch_up = |stream: &mut Stream| {
        let (mut next, mut behind) = (0, 0);
        while next < MESSAGES {
            let frame = stream.next();
            if frame["type"] == "caught_up" {
                behind += 1;
                continue;
            }
            assert_eq!(frame["client_id"], format!("s{next}"), "{:?}", stream.form);
            next += 1;
        }
        assert_eq!(stream.seq, last);
        if behind == 0 {
            stream.expect("caught_up");
        }
    };
    thread::scope(|scope| {
        slow.iter_mut().for_each(|stream| drop(scope.spawn(|| catch_up(stream))));
    });
    let grown = peak(&server) - before;
    eprintln!("grown by {grown} KiB after all was read");
    assert!(grown < 24 * 1024, "it has grown by {grown} KiB");
    server.tell(&ann, 1, "live again");
    for stream in &mut slow {
        stream.texts_until("live again");
    }
}

#[test]
fn a_stream_that_never_reads_is_closed() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let mut stalled = server.live(&bob, Form::Lines);
    let mut at_ann = server.live(&ann, Form::Ws);
    let filler = "y".repeat(4000);
    for index in 0..2000 {
        at_ann.send(1, &format!("n{index}"), &filler);
    }
    crate::kit::until("the server gives up", || server.get(&ann, "/users/Bob")["online"] == false);
    // The received part is complete; the rest is for the next stream.
    let mut heard = 0;
    while let Some(at) = stalled
        .ws
        .http
        .buffer
        .iter()
        .position(|byte| *byte == b'\n')
        .or_else(|| stalled.ws.http.fill().then_some(usize::MAX))
    {
        if at != usize::MAX {
            heard += usize::from(stalled.frame().expect("a line")["type"] == "message");
        }
    }
    let rest = server.stream(&bob, Form::Lines, &stalled.since()).missed();
    assert_eq!(heard + rest.len(), 2000);
}

#[test]
fn retention_leaves_no_gap_for_a_slow_stream() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let mut slow = FORMS.map(|form| server.live(&bob, form));
    let mut at_ann = server.live(&ann, Form::Ws);
    let filler = "z".repeat(4000);
    let mut last = 0;
    for index in 0..500 {
        last = at_ann.send(1, &format!("r{index}"), &filler);
    }
    // Retention's horizon counts; the messages need not be deleted yet.
    let database = rusqlite::Connection::open(server.db()).expect("the database");
    let pruned = "UPDATE meta SET value = ? WHERE key = 'pruned'";
    database.execute(pruned, [last.cast_signed()]).expect("it is written");
    for stream in &mut slow {
        let mut next = 0;
        let reset = loop {
            let frame = stream.next();
            if frame["type"] != "message" {
                break frame;
            }
            assert_eq!(frame["client_id"], format!("r{next}"));
            next += 1;
        };
        assert_eq!((&reset["type"], &reset["reason"]), (&json!("reset"), &json!("retention")));
        assert_eq!(number(&reset["seq"]), last, "after {next} messages");
        stream.expect("caught_up");
    }
    server.tell(&ann, 1, "live again");
    for stream in &mut slow {
        assert_eq!(stream.expect("message")["text"], "live again");
    }
}
