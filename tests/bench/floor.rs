//! The floors: the least that a program can do to deliver text frames over websockets.
//!
//! They parse no JSON, know no rooms, unmask nothing and keep nothing: for every text, one prepared
//! frame goes to every socket. One thread, one epoll. Three kinds, by name:
//! - `each`: one write per message and recipient, immediately;
//! - `gather`: all frames of one poll go out in one write per recipient;
//! - `ack`: only the sender gets it: a round trip without disk or room.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::wire::{SAMPLE_ACCEPT, TEXT, next_frame, sample_broadcast, server_frame};
use crate::{Outcome, Words};

const LISTENER: Token = Token(usize::MAX);
const EVENTS_MAX: usize = 1024;
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Frames in one write, at most.
const GATHERED_MAX: usize = 1024;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Each,
    Gather,
    Ack,
}

struct SubscriptionGuard {
    stream: TcpStream,
    /// A socket gets no frames before its handshake.
    open: bool,
    /// The beginning of a frame or a head whose end has not arrived.
    partial: Vec<u8>,
    /// What the kernel did not take yet. The load generator's window keeps it short.
    unsent: Vec<u8>,
}

struct Floor {
    kind: Kind,
    poll: Poll,
    subscriptions: Vec<Option<SubscriptionGuard>>,
    buffer: Vec<u8>,
    /// One frame over and over, so that any number of them is one slice.
    frames: Vec<u8>,
    frame_bytes: usize,
}

/// Serves until it is killed.
pub fn run(words: &Words) -> Outcome<()> {
    let (kind, frame) = match words.text("kind")? {
        "each" => (Kind::Each, sample_broadcast()),
        "gather" => (Kind::Gather, sample_broadcast()),
        "ack" => (Kind::Ack, server_frame(r#"{"status":true}"#)),
        other => return Err(format!("no such floor: {other}").into()),
    };
    let poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("floor on http://{}", listener.local_addr()?);
    let buffer = vec![0; READ_BUFFER_BYTES];
    let (frames, frame_bytes) = (frame.repeat(GATHERED_MAX), frame.len());
    let mut floor = Floor { kind, poll, subscriptions: Vec::new(), buffer, frames, frame_bytes };
    let mut events = Events::with_capacity(EVENTS_MAX);
    loop {
        match floor.poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        let mut gathered = 0;
        for event in events.iter() {
            if event.token() == LISTENER {
                floor.accept(&listener)?;
                continue;
            }
            let index = event.token().0;
            if event.is_writable() {
                floor.give(index, 0);
            }
            if event.is_readable() {
                gathered += floor.listen(index);
            }
        }
        floor.tell_all(gathered);
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> Outcome<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            // Slots of closed sockets are not reused: a run has few sockets.
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(self.subscriptions.len()), both)?;
            let (partial, unsent) = (Vec::new(), Vec::new());
            self.subscriptions.push(Some(SubscriptionGuard {
                stream,
                open: false,
                partial,
                unsent,
            }));
        }
    }

    /// Reads the available input. Returns the number of messages to broadcast.
    fn listen(&mut self, index: usize) -> usize {
        let mut gathered = 0;
        while let Some(subscription) = &mut self.subscriptions[index] {
            let kept = subscription.partial.len();
            self.buffer[..kept].copy_from_slice(&subscription.partial);
            let filled = match subscription.stream.read(&mut self.buffer[kept..]) {
                Ok(n) if n > 0 => kept + n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => {
                    self.subscriptions[index] = None;
                    break;
                }
            };
            let (used, texts) = match subscription.open {
                true => count_texts(&self.buffer[..filled]),
                false => (subscription.shake_hands(&self.buffer[..filled]), 0),
            };
            subscription.partial.clear();
            subscription.partial.extend_from_slice(&self.buffer[used..filled]);
            match self.kind {
                Kind::Gather => gathered += texts,
                Kind::Each => (0..texts).for_each(|_| self.tell_all(1)),
                Kind::Ack => self.give(index, texts),
            }
        }
        gathered
    }

    fn tell_all(&mut self, mut count: usize) {
        while count > 0 {
            let part = count.min(GATHERED_MAX);
            (0..self.subscriptions.len()).for_each(|index| self.give(index, part));
            count -= part;
        }
    }

    /// One write of the queued bytes and then of this many frames.
    fn give(&mut self, index: usize, count: usize) {
        let frames = &self.frames[..count.min(GATHERED_MAX) * self.frame_bytes];
        let Some(subscription) = &mut self.subscriptions[index] else { return };
        let idle = !subscription.open || (frames.is_empty() && subscription.unsent.is_empty());
        if !idle && subscription.write(frames).is_err() {
            self.subscriptions[index] = None;
        }
    }
}

impl SubscriptionGuard {
    fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(frames);
        }
        let bytes = if self.unsent.is_empty() { frames } else { &self.unsent };
        let taken = match self.stream.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        match self.unsent.is_empty() {
            true => self.unsent.extend_from_slice(&frames[taken..]),
            false => drop(self.unsent.drain(..taken)),
        }
        Ok(())
    }

    /// Answers a head: a websocket's with 101, any other with all that the load generator may ask
    /// for, and the end. Returns how many bytes it took.
    fn shake_hands(&mut self, bytes: &[u8]) -> usize {
        const ANYTHING: &str = r#"{"id":1,"key":"k"}"#;
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return 0 };
        self.open = bytes.starts_with(b"GET ");
        let answer = match self.open {
            true => format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Accept: {SAMPLE_ACCEPT}\r\n\r\n"
            ),
            false => format!(
                "HTTP/1.1 201 Created\r\nSet-Cookie: session=s; Path=/\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{ANYTHING}",
                ANYTHING.len()
            ),
        };
        // An empty socket takes these few bytes; if it is broken, the next read fails.
        let _ = self.stream.write(answer.as_bytes());
        if self.open {
            return end + 4;
        }
        let _ = self.stream.shutdown(std::net::Shutdown::Write); // The client reads to the end.
        bytes.len()
    }
}

/// How many bytes the whole frames at the beginning are, and how many of them are texts.
fn count_texts(bytes: &[u8]) -> (usize, usize) {
    let (mut used, mut texts) = (0, 0);
    while let Some((first, payload)) = next_frame(&bytes[used..]) {
        used += payload.end;
        texts += usize::from(first == TEXT);
    }
    (used, texts)
}
