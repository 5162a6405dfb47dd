//! The header by which a proxy that forwards bytes names its client: the PROXY protocol, version 2
//! (HAProxy's `proxy-protocol.txt`, section 2.2). It comes before everything else, TLS included.
//!
//! With `--proxy-protocol` every connection from a trusted proxy begins with it, and no other does:
//! otherwise a client could choose its own address. What is no such header is closed and counted,
//! as nobody could read an answer. Called once for each connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::Once;

use tokio::time::Instant;

use crate::connection::Shared;
use crate::connection::answer::patience;
use crate::connection::slots::{Place, Stage};
use crate::connection::socket::{Connection, Ready};
use crate::limits::RESERVE_DEADLINE_MS;
use crate::limits::edge::{PROXY_HEADER_BYTES_MAX, PROXY_HEADER_DEADLINE_MS};
use crate::log;
use crate::protocol::{self, Peer};

/// The bytes with which each header of version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, command, family, and the length of the rest.
const FIXED_BYTES: usize = 16;

/// The header of a connection that the proxy makes by itself: the command LOCAL.
pub const LOCAL_HEADER: [u8; FIXED_BYTES] = *b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// What a header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    /// The client; `None`: the proxy itself.
    client: Option<Peer>,
    /// Whether the client came to the proxy through TLS.
    secure: bool,
}

/// Why there is no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// It is of version 1, which is text.
    Version1,
    /// Something else comes first.
    Missing,
    Malformed,
    TooLong,
    Late,
    /// The peer went away; a health check of the port does no more.
    Gone,
}

impl Fault {
    /// The label in `/metrics`.
    fn name(self) -> &'static str {
        match self {
            Fault::Version1 => "version_1",
            Fault::Missing => "missing",
            Fault::Malformed => "malformed",
            Fault::TooLong => "too_long",
            Fault::Late => "late",
            Fault::Gone => "gone",
        }
    }
}

/// Takes the header, if this connection has to begin with one. `false`: close the connection.
pub(super) async fn take(shared: &Shared, connection: &Connection, place: &Place) -> bool {
    let due = shared.service.config.proxy_protocol
        && protocol::is_proxy(&shared.service, connection.from());
    if !due {
        return true;
    }
    match read(shared, connection, place).await {
        Ok(Header { client, secure }) => {
            connection.introduce(client, secure);
            true
        }
        Err(fault) => {
            if fault != Fault::Gone {
                shared.count(|counts| counts.proxy_headers_refused.add(fault.name(), 1));
                tell(fault);
            }
            false
        }
    }
}

/// Tells the operator once what is wrong with the proxy.
fn tell(fault: Fault) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let name = fault.name();
        let what_to_do = match fault {
            Fault::Version1 => {
                "the proxy sends version 1: let it send version 2 (HAProxy: send-proxy-v2)"
            }
            Fault::Missing => {
                "the connection begins without one: let the proxy send it, or leave \
                 --proxy-protocol out; clients that come without the proxy need an address that is \
                 no --trusted-proxy"
            }
            _ => "see what the proxy sends",
        };
        log!(
            Warn,
            "a connection from a trusted proxy has no PROXY header of version 2 ({name}), and is \
             closed; further ones are counted in /metrics: {what_to_do}"
        );
    });
}

/// Reads exactly the header: what follows belongs to TLS or HTTP.
async fn read(shared: &Shared, connection: &Connection, place: &Place) -> Result<Header, Fault> {
    let hurry = if place.is_of_the_reserve() { RESERVE_DEADLINE_MS } else { u64::MAX };
    let millis = PROXY_HEADER_DEADLINE_MS.min(hurry);
    let mut deadline = pin!(tokio::time::sleep_until(Instant::now() + patience(shared, millis)));
    connection.enter(Stage::Asking);
    let (mut header, mut have) = (vec![0; FIXED_BYTES], 0);
    loop {
        match connection.wait(&mut deadline, true, false).await {
            Ready::Deadline => return Err(Fault::Late),
            _ if connection.is_broken() || shared.stopping.get() => return Err(Fault::Gone),
            Ready::Nudge | Ready::Write => continue,
            Ready::Read => {}
        }
        match connection.read_plain(&mut header[have..]) {
            Some(0) if have == 0 => return Err(Fault::Gone),
            Some(0) => return Err(Fault::Malformed),
            Some(count) => have += count,
            None => continue,
        }
        begins(&header[..have.min(FIXED_BYTES)])?;
        if have == FIXED_BYTES {
            let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
            if FIXED_BYTES + length > PROXY_HEADER_BYTES_MAX {
                return Err(Fault::TooLong);
            }
            header.resize(FIXED_BYTES + length, 0);
        }
        if have == header.len() {
            connection.enter(Stage::Idle);
            return parse(&header);
        }
    }
}

/// Whether these bytes can begin a header.
fn begins(bytes: &[u8]) -> Result<(), Fault> {
    let common = |whole: &[u8]| {
        let count = bytes.len().min(whole.len());
        bytes[..count] == whole[..count]
    };
    const VERSION_1: &[u8] = b"PROXY ";
    match bytes {
        _ if common(&SIGNATURE) => Ok(()),
        _ if common(VERSION_1) && bytes.len() >= VERSION_1.len() => Err(Fault::Version1),
        _ if common(VERSION_1) => Ok(()),
        _ => Err(Fault::Missing),
    }
}

/// Parses a whole header.
fn parse(header: &[u8]) -> Result<Header, Fault> {
    let (fixed, rest) = header.split_at_checked(FIXED_BYTES).ok_or(Fault::Malformed)?;
    begins(fixed)?;
    let [version_and_command, family, ..] = fixed[SIGNATURE.len()..] else {
        return Err(Fault::Malformed);
    };
    let client = match version_and_command {
        // A proxy's own connection; whatever else the header contains is to be ignored.
        0x20 => return Ok(Header { client: None, secure: false }),
        0x21 => family,
        _ => return Err(Fault::Malformed),
    };
    // Source and destination address, then both ports.
    let (address, tail) = match client {
        0x11 => {
            let (block, tail) = rest.split_first_chunk::<12>().ok_or(Fault::Malformed)?;
            let source: [u8; 4] = block[..4].try_into().map_err(|_| Fault::Malformed)?;
            (Some(IpAddr::V4(Ipv4Addr::from(source))), tail)
        }
        0x21 => {
            let (block, tail) = rest.split_first_chunk::<36>().ok_or(Fault::Malformed)?;
            let source: [u8; 16] = block[..16].try_into().map_err(|_| Fault::Malformed)?;
            (Some(IpAddr::V6(Ipv6Addr::from(source))), tail)
        }
        // Another kind of socket: its client has no address that counts here.
        0x31 => (None, rest.split_at_checked(216).ok_or(Fault::Malformed)?.1),
        _ => return Ok(Header { client: Some(Peer::Unnamed), secure: false }),
    };
    let client = Some(address.map_or(Peer::Unnamed, Peer::named));
    Ok(Header { client, secure: came_through_tls(tail)? })
}

/// Whether an extension says that the client came through TLS.
fn came_through_tls(mut extensions: &[u8]) -> Result<bool, Fault> {
    const SSL: u8 = 0x20;
    const CLIENT_SSL: u8 = 1;
    let mut secure = false;
    while !extensions.is_empty() {
        let ([kind, high, low], rest) =
            extensions.split_first_chunk::<3>().ok_or(Fault::Malformed)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(length).ok_or(Fault::Malformed)?;
        if *kind == SSL {
            secure = value.first().is_some_and(|flags| flags & CLIENT_SSL != 0);
        }
        extensions = rest;
    }
    Ok(secure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::fuzz;

    /// A header with these bytes after the signature; the length is that of `rest`.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn v4(source: [u8; 4], extensions: &[u8]) -> Vec<u8> {
        let block = [&source[..], &[10, 0, 0, 1, 0x12, 0x34, 0, 80], extensions].concat();
        header(0x21, 0x11, &block)
    }

    fn v6(source: &str) -> Vec<u8> {
        let source: Ipv6Addr = source.parse().expect("an address");
        header(0x21, 0x21, &[&source.octets()[..], &[0; 20]].concat())
    }

    #[test]
    fn who_the_client_is() {
        let named = |address: &str| Peer::Named(address.parse().expect("an address"));
        for (bytes, client) in [
            (v4([203, 0, 113, 7], &[]), named("203.0.113.7")),
            (v6("2001:db8::7"), named("2001:db8::7")),
            (v6("::ffff:203.0.113.7"), named("203.0.113.7")),
            // No client has such an address, seen from here.
            (v4([127, 0, 0, 1], &[]), Peer::Unnamed),
            (v4([0, 0, 0, 0], &[]), Peer::Unnamed),
            (v6("::1"), Peer::Unnamed),
            (v6("::ffff:127.0.0.1"), Peer::Unnamed),
            // A Unix socket, datagrams, and what nobody has defined.
            (header(0x21, 0x31, &[7; 216]), Peer::Unnamed),
            (header(0x21, 0x12, &[7; 12]), Peer::Unnamed),
            (header(0x21, 0x00, &[]), Peer::Unnamed),
        ] {
            let expected = Header { client: Some(client), secure: false };
            assert_eq!(parse(&bytes), Ok(expected), "{bytes:?}");
        }
        for rest in [&[][..], &[1, 2, 3]] {
            let own = Header { client: None, secure: false };
            assert_eq!(parse(&header(0x20, 0x11, rest)), Ok(own), "the proxy itself");
        }
        assert_eq!(parse(&LOCAL_HEADER), Ok(Header { client: None, secure: false }));
    }

    #[test]
    fn extensions_say_whether_there_was_tls() {
        let unique = [0x05, 0, 2, 7, 7];
        for (extensions, secure) in [
            (&[0x20, 0, 5, 1, 0, 0, 0, 0][..], true),
            (&[0x20, 0, 5, 7, 0, 0, 0, 0], true),
            (&[0x20, 0, 5, 0, 0, 0, 0, 0], false),
            (&[0x20, 0, 0], false),
            (&[0x04, 0, 0], false),
        ] {
            let bytes = v4([203, 0, 113, 7], &[&unique, extensions].concat());
            assert_eq!(parse(&bytes).map(|header| header.secure), Ok(secure), "{extensions:?}");
        }
        for cut in [&[0x20][..], &[0x20, 0], &[0x20, 0, 2, 1], &[0x05, 255, 255, 1]] {
            assert_eq!(parse(&v4([203, 0, 113, 7], cut)), Err(Fault::Malformed), "{cut:?}");
        }
    }

    #[test]
    fn what_is_no_header() {
        for (bytes, fault) in [
            (&b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n"[..], Fault::Version1),
            (b"GET / HTTP/1.1\r\n", Fault::Missing),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcde", Fault::Missing),
            (b"\r\n\r\n\0\r\nQUIX\n\x21\x11\0\0", Fault::Missing),
            (b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0", Fault::Malformed),
            (b"\r\n\r\n\0\r\nQUIT\n\x22\x11\0\0", Fault::Malformed),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0", Fault::Malformed),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x0c123456789012", Fault::Malformed),
            (b"", Fault::Malformed),
        ] {
            assert_eq!(parse(bytes), Err(fault), "{bytes:?}");
        }
        // The beginning decides as soon as it can.
        for (bytes, so_far) in [
            (&b"\r\n"[..], Ok(())),
            (b"P", Ok(())),
            (b"PROXY", Ok(())),
            (b"PROXY ", Err(Fault::Version1)),
            (b"PO", Err(Fault::Missing)),
            (b"G", Err(Fault::Missing)),
        ] {
            assert_eq!(begins(bytes), so_far, "{bytes:?}");
        }
    }

    /// Whatever comes is a header or none; a named client is never this machine.
    #[test]
    fn headers_at_random() {
        let seeds = [
            "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a123456789ab",
            "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24123456789012345678901234567890123456",
            "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\x0a123456789ab\x20\0\x05\x01\0\0\0\0",
            "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        ];
        let words = ["\x21", "\x11", "\x31", "\x20\0\x05", "\0\0\0\0", "\x7f\0\0\x01"];
        fuzz(5_000, |dice| {
            let bytes = dice.bytes(&seeds, &words);
            if let Ok(Header { client: Some(Peer::Named(address)), .. }) = parse(&bytes) {
                assert!(!address.is_loopback() && !address.is_unspecified(), "{bytes:?}");
            }
        });
    }
}
