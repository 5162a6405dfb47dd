//! A small HTTP client: one GET without TLS, for `shanty health`, where there is no `curl`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::limits::operating::{HEALTH_BYTES_MAX, HEALTH_DEADLINE_MS};

/// Sends a GET to an `http://` address. Returns status and body.
///
/// # Errors
/// Why there is no answer, and what to do.
pub(super) fn get(url: &str) -> Result<(u16, String), String> {
    get_after(&[], url)
}

/// The same after some other bytes.
pub(super) fn get_after(greeting: &[u8], url: &str) -> Result<(u16, String), String> {
    let (host, path) = parts(url)?;
    let answer = exchange(&host, greeting, &path).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("nothing listens at {host}: start the server, or name its address")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("{host} does not answer: look at the server's log")
        }
        _ => format!("{host} cannot be asked: {error}"),
    })?;
    read(&answer).ok_or_else(|| format!("{host} does not speak HTTP: is another program there?"))
}

/// Host with port, and path.
fn parts(url: &str) -> Result<(String, String), String> {
    let Some(rest) = url.strip_prefix("http://") else {
        return Err(format!("{url:?} should begin with http:// (TLS is the proxy's)"));
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let harmful = |char: char| char.is_control() || char == ' ';
    if host.is_empty() || rest.contains(harmful) {
        return Err(format!("{url:?} should be an address such as http://127.0.0.1:7777/readyz"));
    }
    let port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = if port { host.to_owned() } else { format!("{host}:80") };
    Ok((host, if path.is_empty() { "/readyz".to_owned() } else { format!("/{path}") }))
}

fn exchange(host: &str, greeting: &[u8], path: &str) -> io::Result<Vec<u8>> {
    let patience = Duration::from_millis(HEALTH_DEADLINE_MS);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in host.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => stream,
            Err(error) => {
                last = error;
                continue;
            }
        };
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(&[greeting, head.as_bytes()].concat())?;
        let mut answer = Vec::new();
        stream.take(HEALTH_BYTES_MAX).read_to_end(&mut answer)?;
        return Ok(answer);
    }
    Err(last)
}

/// Status and body of an answer. (The health endpoints answer in one piece.)
fn read(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, host, path) in [
            ("http://127.0.0.1:7777", "127.0.0.1:7777", "/readyz"),
            ("http://[::1]:80/healthz", "[::1]:80", "/healthz"),
            ("http://[::1]/", "[::1]:80", "/readyz"),
            ("http://chat.example.org/a/b?c", "chat.example.org:80", "/a/b?c"),
        ] {
            assert_eq!(parts(url), Ok((host.to_owned(), path.to_owned())), "{url}");
        }
        for url in ["", "https://a", "127.0.0.1:80", "http://", "http:///x", "http://a/\r\nB: c"] {
            assert!(parts(url).is_err_and(|error| !error.contains('\n')), "{url}");
        }
    }

    #[test]
    fn answers() {
        let ready = read(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nready\n");
        assert_eq!(ready, Some((200, "ready\n".to_owned())));
        assert_eq!(read(b"SSH-2.0-OpenSSH\r\n\r\n"), None);
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n"), None);
    }
}
