//! Thousands of websockets on one thread: the load generator's clients.
//!
//! It has one core for all that a server sends from another, so it must be cheaper than any server:
//! one large buffer for all sockets, only frame heads are parsed, nothing is allocated per frame,
//! and sockets are read until they are empty because readiness is edge-triggered.

use std::io::{self, Read, Write};
use std::net::TcpStream as Blocking;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Outcome;
use crate::wire::{CLOSE, EVENT, PING, PONG, TEXT, chitchat_join, name, next_frame};

const READ_BUFFER_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1024;
/// Joins in flight. Each is broadcast to all, and a server may drop clients that fall far behind.
const JOINS_AT_ONCE: usize = 32;
/// A silence of this length means that nothing is in flight.
const QUIET: Duration = Duration::from_secs(2);
/// The deadline of every wait outside a measured stretch.
const PATIENCE: Duration = Duration::from_secs(60);

/// One websocket.
struct Member {
    stream: TcpStream,
    /// Texts received since the last [`Flock::forget`].
    heard: u64,
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    /// What the kernel did not take yet.
    unsent: Vec<u8>,
    /// Why it ended, if it did.
    gone: Option<String>,
}

/// All websockets of one load generator, numbered from 0.
pub struct Flock {
    poll: Poll,
    events: Events,
    buffer: Box<[u8]>,
    members: Vec<Member>,
}

impl Flock {
    pub fn new() -> Outcome<Flock> {
        Ok(Flock {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_MAX),
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            members: Vec::new(),
        })
    }

    /// Takes a socket over after its handshake.
    pub fn add(&mut self, (stream, early): (Blocking, Vec<u8>)) -> Outcome<()> {
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(self.members.len()), both)?;
        let (unsent, gone) = (Vec::new(), None);
        self.members.push(Member { stream, heard: 0, partial: early, unsent, gone });
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn heard(&self, index: usize) -> u64 {
        self.members[index].heard
    }

    /// Texts received by all together.
    pub fn heard_by_all(&self) -> u64 {
        self.members.iter().map(|member| member.heard).sum()
    }

    /// Sets all counts to zero.
    pub fn forget(&mut self) {
        self.members.iter_mut().for_each(|member| member.heard = 0);
    }

    /// Sends prepared frames, now or as soon as the kernel takes them.
    pub fn send(&mut self, index: usize, frames: &[u8]) {
        self.members[index].send(frames);
    }

    /// Waits for readiness up to a deadline, and reads everything available. `hear` gets each text:
    /// the client's index, its count of earlier texts, and the text. Returns the number of texts.
    #[inline]
    pub fn pump(
        &mut self,
        wait: Duration,
        mut hear: impl FnMut(usize, u64, &[u8]),
    ) -> Outcome<u64> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
            other => other?,
        }
        let mut count = 0;
        for event in self.events.iter() {
            let index = event.token().0;
            let member = &mut self.members[index];
            if event.is_writable() && !member.unsent.is_empty() {
                member.send(&[]);
            }
            if event.is_readable() {
                let before = member.heard;
                member.listen(&mut self.buffer, event.is_read_closed(), |heard, text| {
                    hear(index, heard, text);
                });
                count += member.heard - before;
            }
        }
        Ok(count)
    }

    /// Reads until the silence.
    pub fn settle(&mut self) -> Outcome<()> {
        self.drain(|_, _, _| {})
    }

    /// The same, with `hear` as in [`Flock::pump`].
    pub fn drain(&mut self, mut hear: impl FnMut(usize, u64, &[u8])) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < QUIET {
            if self.pump(QUIET, &mut hear)? > 0 {
                quiet_since = Instant::now();
            }
            if Instant::now() > deadline {
                return Err("it never gets quiet".into());
            }
        }
        Ok(())
    }

    /// All clients join the room, some at a time, and receive the others' joins.
    pub fn join(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        for first in (0..self.len()).step_by(JOINS_AT_ONCE) {
            let group = first..self.len().min(first + JOINS_AT_ONCE);
            for index in group.clone() {
                self.send(index, &chitchat_join(&name(index)));
            }
            // A client's own join is the first text that it gets.
            while group.clone().any(|index| self.heard(index) == 0) {
                let mut refusal = None;
                self.pump(Duration::from_millis(10), |_, _, text| {
                    if !text.starts_with(EVENT) {
                        refusal = Some(String::from_utf8_lossy(text).into_owned());
                    }
                })?;
                if let Some(text) = refusal {
                    return Err(format!("a join is answered with {text}").into());
                }
                if Instant::now() > deadline {
                    return Err("some never hear that they have joined".into());
                }
            }
        }
        self.settle()
    }

    /// Checks every client after `expected` texts: a benchmark of lost messages is worthless.
    pub fn verdict(&self, expected: u64) -> String {
        let gone: Vec<&String> = self.members.iter().filter_map(|m| m.gone.as_ref()).collect();
        if let Some(why) = gone.first() {
            return format!("{} of {} connections ended: {why}", gone.len(), self.len());
        }
        let heard = || self.members.iter().map(|member| member.heard);
        match (heard().min().unwrap_or(0), heard().max().unwrap_or(0)) {
            (least, most) if least == expected && most == expected => "exact".to_owned(),
            (least, most) => format!("{expected} sent, {least} to {most} heard"),
        }
    }
}

impl Member {
    fn send(&mut self, frames: &[u8]) {
        let mut rest = frames;
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(frames);
            rest = &self.unsent;
        }
        let length = rest.len();
        let mut taken = 0;
        while taken < length && self.gone.is_none() {
            match self.stream.write(&rest[taken..]) {
                Ok(n) => taken += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.gone = Some(error.to_string()),
            }
        }
        match self.unsent.is_empty() {
            true => self.unsent.extend_from_slice(&frames[taken..]),
            false => drop(self.unsent.drain(..taken)),
        }
    }

    /// Reads until the socket is empty, or until its end when the other side has closed it.
    #[inline]
    fn listen(&mut self, buffer: &mut [u8], to_the_end: bool, mut hear: impl FnMut(u64, &[u8])) {
        while self.gone.is_none() {
            let kept = self.partial.len();
            buffer[..kept].copy_from_slice(&self.partial);
            let filled = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return self.gone = Some("closed without a word".to_owned()),
                Ok(n) => kept + n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.gone = Some(error.to_string()),
            };
            let used = self.take(&buffer[..filled], &mut hear);
            self.partial.clear();
            self.partial.extend_from_slice(&buffer[used..filled]);
            // A read that did not fill the buffer has emptied the socket (epoll(7), question 9).
            if filled < buffer.len() && !to_the_end {
                return;
            }
        }
    }

    /// Takes the whole frames at the beginning of `bytes`; returns how many bytes they are.
    #[inline]
    fn take(&mut self, bytes: &[u8], hear: &mut impl FnMut(u64, &[u8])) -> usize {
        let mut used = 0;
        while let Some((first, payload)) = next_frame(&bytes[used..]) {
            let text = &bytes[used + payload.start..used + payload.end];
            match first {
                TEXT => {
                    hear(self.heard, text);
                    self.heard += 1;
                }
                PING => self.send(&PONG),
                CLOSE => self.gone = Some(format!("close {}", close_code(text))),
                other => self.gone = Some(format!("a frame that begins with {other:#x}")),
            }
            used += payload.end;
        }
        used
    }
}

fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))
}
