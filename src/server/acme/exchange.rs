//! One request to the authority and its answer: HTTP/1.1 over TLS, on a connection of its own. It
//! blocks, with deadlines; the caller gives it a thread.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::limits::HEADERS_MAX;
use crate::limits::edge::{ACME_ANSWER_BYTES_MAX, ACME_DEADLINE_MS};

/// An answer.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// Sends a head without its last line and a body to a host and port; returns the answer.
pub(super) fn exchange(
    config: Arc<ClientConfig>,
    (host, port): (&str, u16),
    head: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, dial(host, port)?);
    let length = body.len();
    let head = format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&part[..count]),
            // The peer ends without saying so; the length shows whether anything is missing.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
        if answer.len() > ACME_ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
    }
    read(&answer, head.starts_with("HEAD ")).ok_or_else(|| io::Error::other("no answer in HTTP"))
}

fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let patience = Duration::from_millis(ACME_DEADLINE_MS);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads a whole answer; `None`: it is none, or not whole.
fn read(bytes: &[u8], head_only: bool) -> Option<Answer> {
    let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(end) = head.parse(bytes).ok()? else { return None };
    let rest = &bytes[end..];
    let status = head.code?;
    if status == 100 {
        return read(rest, head_only);
    }
    let of = |line: &httparse::Header<'_>| (line.name.to_ascii_lowercase(), line.value.to_vec());
    let headers: Vec<(String, Vec<u8>)> = head.headers.iter().map(of).collect();
    let find = |name: &str| {
        let line = headers.iter().find(|line| line.0 == name)?;
        str::from_utf8(&line.1).ok().map(str::trim_ascii)
    };
    let body = if head_only {
        Vec::new()
    } else if find("transfer-encoding").is_some_and(|list| list.eq_ignore_ascii_case("chunked")) {
        chunks(rest)?
    } else if let Some(length) = find("content-length") {
        rest.get(..length.parse().ok()?)?.to_vec()
    } else {
        rest.to_vec()
    };
    Some(Answer { status, headers, body })
}

/// The content of chunks (RFC 9112 section 7.1).
fn chunks(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((end, size)) = httparse::parse_chunk_size(bytes).ok()?
        else {
            return None;
        };
        if size == 0 {
            return Some(body);
        }
        let (chunk, rest) = bytes[end..].split_at_checked(usize::try_from(size).ok()?)?;
        body.extend_from_slice(chunk);
        bytes = rest.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::fuzz;

    fn body(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
        read(bytes, false).map(|answer| (answer.status, answer.body))
    }

    #[test]
    fn answers_are_whole() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"[..], Some((200, &b"hi"[..]))),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", None),
            (b"HTTP/1.1 201 X\r\n\r\nuntil the end", Some((201, b"until the end"))),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 X\r\n\r\n", Some((204, b""))),
            (
                b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
                Some((200, b"hi")),
            ),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", None),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", None),
            (b"HTTP/1.1 200 OK\r\n", None),
            (b"SSH-2.0-x\r\n\r\n", None),
        ] {
            let expected = expected.map(|(status, text)| (status, text.to_vec()));
            assert_eq!(body(bytes), expected, "{bytes:?}");
        }
        let head = read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nReplay-Nonce: x\r\n\r\n", true);
        assert_eq!(head.expect("a head").headers[1], ("replay-nonce".to_owned(), b"x".to_vec()));
    }

    #[test]
    fn answers_at_random() {
        let seeds = [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
        ];
        let words = ["\r\n", "0\r\n", "ffffffffffffffff\r\n", "Content-Length: 99999999999"];
        fuzz(5_000, |dice| {
            let _ = read(&dice.bytes(&seeds, &words), dice.roll(2) == 0);
        });
    }
}
