//! The bytes of one socket, plain or through TLS. Nothing here waits.
//!
//! If the server has certificates, the first byte decides: a TLS client begins with a handshake
//! record (RFC 8446 section 5.1); anything else is plain HTTP, which is only redirected then.
//!
//! Through TLS a write is accepted only when the kernel has taken all earlier records, so at most
//! `TLS_BUFFER_BYTES` of a connection wait encrypted.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::task::{Context, Poll};

use tokio::net::TcpStream;

use crate::tls::{Session, Tls};

/// See the module's documentation.
pub(super) struct Transport {
    socket: Socket,
    security: RefCell<Security>,
    /// Decrypted input may be left, although the socket has none.
    input_left: Cell<bool>,
}

enum Security {
    /// The server has no certificates.
    Plain,
    /// It has; the first byte will decide.
    Undecided(Tls),
    /// It has, but the client speaks plain HTTP.
    Declined,
    Tls(Session),
}

/// The first byte of a TLS handshake record.
const HANDSHAKE: u8 = 22;

/// A socket that counts the bytes that the kernel takes.
struct Socket {
    stream: TcpStream,
    taken: Cell<usize>,
}

/// The socket for one use; `ready`: only if the kernel has signalled that it is ready.
struct Raw<'a> {
    socket: &'a Socket,
    ready: bool,
}

impl Transport {
    /// A socket that has just been accepted; `tls`: the certificates, if the server has any.
    pub fn new(stream: TcpStream, tls: Option<Tls>) -> Transport {
        let security = tls.map_or(Security::Plain, Security::Undecided);
        let socket = Socket { stream, taken: Cell::new(0) };
        Transport { socket, security: RefCell::new(security), input_left: Cell::new(false) }
    }

    /// The peer's address, unless the peer is gone already.
    pub fn peer(&self) -> Option<IpAddr> {
        self.socket.stream.peer_addr().ok().map(|address| address.ip())
    }

    /// Whether TLS protects the connection.
    pub fn is_secure(&self) -> bool {
        matches!(*self.security.borrow(), Security::Tls(_))
    }

    /// Whether the client speaks plain HTTP to a server that has certificates.
    pub fn declines_tls(&self) -> bool {
        matches!(*self.security.borrow(), Security::Declined)
    }

    /// The number of bytes that the kernel has ever taken, which shows progress.
    pub fn taken(&self) -> usize {
        self.socket.taken.get()
    }

    /// Whether encrypted bytes wait for the kernel.
    pub fn is_stuck(&self) -> bool {
        match &*self.security.borrow() {
            Security::Tls(session) => session.is_stuck(),
            _ => false,
        }
    }

    /// Reads from the socket as it is, before the first byte of TLS or HTTP.
    pub fn read_plain(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.stream.try_read(buffer)
    }

    /// Reads available input; 0 is its end. `WouldBlock`: there is none.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut security = self.security.borrow_mut();
        if let Security::Undecided(tls) = &*security {
            let count = self.socket.stream.try_read(buffer)?;
            if buffer[..count].first() != Some(&HANDSHAKE) {
                *security = Security::Declined;
                return Ok(count);
            }
            let mut session = tls.session().ok_or(ErrorKind::Other)?;
            let mut first = &buffer[..count];
            while !first.is_empty() {
                self.take_in(&mut session, &mut first)?;
            }
            *security = Security::Tls(session);
        }
        match &mut *security {
            Security::Tls(session) => self.decrypt(session, buffer),
            _ => self.socket.stream.try_read(buffer),
        }
    }

    /// Reads decrypted input; takes in more from the socket once at most: records without content
    /// must not hold up the other connections of the thread. (As long as the socket has more, it
    /// stays ready, and the task continues in its next turn.)
    fn decrypt(&self, session: &mut Session, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = session.read(buffer);
        if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            let raw = &mut Raw { socket: &self.socket, ready: true };
            if self.take_in(session, raw)? == 0 {
                return Ok(0);
            }
            read = session.read(buffer);
        }
        self.input_left.set(read.as_ref().is_ok_and(|count| *count == buffer.len()));
        read
    }

    /// Takes in records, and sends what the handshake answers, or the alert that explains a
    /// failure.
    fn take_in(&self, session: &mut Session, input: &mut dyn Read) -> io::Result<usize> {
        let taken = session.take_in(input);
        match session.flush(&mut Raw { socket: &self.socket, ready: true }) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => taken,
        }
    }

    /// Writes as much of both parts as the kernel takes; `WouldBlock` if that is nothing. `ready`:
    /// only if the kernel has signalled that there is room.
    pub fn write(&self, parts: [&[u8]; 2], ready: bool) -> io::Result<usize> {
        let mut raw = Raw { socket: &self.socket, ready };
        let Security::Tls(session) = &mut *self.security.borrow_mut() else {
            return match parts {
                [part, []] => raw.write(part),
                parts => raw.write_vectored(&parts.map(IoSlice::new)),
            };
        };
        session.flush(&mut raw)?;
        let mut accepted = 0;
        for mut part in parts {
            while !part.is_empty() {
                let count = session.write(part)?;
                (accepted, part) = (accepted + count, &part[count..]);
                match session.flush(&mut raw) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(accepted),
                    flushed => flushed?,
                }
            }
        }
        Ok(accepted)
    }

    /// Writes the encrypted bytes that wait; `WouldBlock` if the kernel does not take them all.
    pub fn flush(&self) -> io::Result<()> {
        match &mut *self.security.borrow_mut() {
            Security::Tls(session) => session.flush(&mut Raw { socket: &self.socket, ready: true }),
            _ => Ok(()),
        }
    }

    /// Shuts the writing side; reading goes on.
    pub fn shut(&self) {
        if let Security::Tls(session) = &mut *self.security.borrow_mut() {
            session.close();
            // If the kernel does not take it, the peer sees the end all the same.
            let _ = session.flush(&mut Raw { socket: &self.socket, ready: true });
        }
        // Fails only if the socket is gone already.
        let _ = socket2::SockRef::from(&self.socket.stream).shutdown(Shutdown::Write);
    }

    /// Ready when there is input, or its end.
    pub fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.input_left.get() {
            return Poll::Ready(());
        }
        self.socket.stream.poll_read_ready(context).map(drop)
    }

    /// Ready when the kernel takes bytes.
    pub fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.stream.poll_write_ready(context).map(drop)
    }
}

impl Raw<'_> {
    fn count(&self, written: io::Result<usize>) -> io::Result<usize> {
        let count = written?;
        self.socket.taken.set(self.socket.taken.get().wrapping_add(count));
        Ok(count)
    }
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.stream.try_read(buffer)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.count(match self.ready {
            true => self.socket.stream.try_write(bytes),
            false => socket2::SockRef::from(&self.socket.stream).send(bytes),
        })
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.count(match self.ready {
            true => self.socket.stream.try_write_vectored(parts),
            false => socket2::SockRef::from(&self.socket.stream).send_vectored(parts),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
