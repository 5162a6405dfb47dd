//! An HTTP client that sends any bytes, and reads one response at a time.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::PATIENCE;

/// One connection.
pub struct Http {
    pub stream: TcpStream,
    /// Received, and not parsed yet.
    pub buffer: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// One request on its own connection. `line` is the method and the path, `headers` are whole lines.
pub fn ask(port: u16, line: &str, headers: &str, body: &str) -> Response {
    let mut http = Http::connect(port);
    let length = match body.len() {
        0 => String::new(),
        bytes => format!("Content-Type: application/json\r\nContent-Length: {bytes}\r\n"),
    };
    let head = format!("{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", http.host());
    http.send(format!("{head}{length}{headers}\r\n{body}"));
    let response = http.response();
    assert!(http.is_over(), "nothing follows the last response");
    response
}

impl Http {
    pub fn connect(port: u16) -> Http {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        stream.set_write_timeout(Some(PATIENCE)).expect("a deadline");
        stream.set_nodelay(true).expect("small packets");
        Http { stream, buffer: Vec::new() }
    }

    /// The value of `Host`.
    pub fn host(&self) -> String {
        self.stream.peer_addr().expect("a peer").to_string()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends a head: the request line without its version, and whole header lines.
    pub fn request(&mut self, line: &str, headers: &str) {
        let head = format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.host());
        self.send(head);
    }

    /// The next response.
    pub fn response(&mut self) -> Response {
        self.read_response(false).expect("a response")
    }

    /// The next response, to a HEAD: without its body.
    pub fn response_to_head(&mut self) -> Response {
        self.read_response(true).expect("a response")
    }

    /// The next response, or none if the connection ends before one begins.
    pub fn read_response(&mut self, head_only: bool) -> Option<Response> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at;
            }
            if !self.fill() {
                assert!(self.buffer.is_empty(), "a response is cut off: {:?}", self.seen());
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).expect("ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().expect("a status line");
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").expect("a header line");
                (name.to_ascii_lowercase(), value.to_owned())
            })
            .collect();
        let mut response = Response { status, headers, body: Vec::new() };
        if head_only || matches!(status, 100..=199 | 204 | 304) {
            return Some(response);
        }
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = self.chunks();
            return Some(response);
        }
        let length = response.header("content-length").expect("a length");
        let length: usize = length.parse().expect("a number");
        while self.buffer.len() < length {
            assert!(self.fill(), "the body is cut off: {:?}", self.seen());
        }
        response.body = self.buffer.drain(..length).collect();
        Some(response)
    }

    /// A body in chunks, none of which is empty but the last.
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.take_until(b"\r\n");
            let size = std::str::from_utf8(&line).ok();
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.unwrap_or_else(|| panic!("not a chunk's size: {line:?}"));
            while self.buffer.len() < size + 2 {
                assert!(self.fill(), "a chunk is cut off: {:?}", self.seen());
            }
            body.extend(self.buffer.drain(..size));
            assert_eq!(self.take_until(b"\r\n"), b"", "a chunk is as long as it says");
            if size == 0 {
                return body;
            }
        }
    }

    /// The bytes before the next `end`, which is consumed, too.
    fn take_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|bytes| bytes == end) {
                let taken = self.buffer.drain(..at).collect();
                self.buffer.drain(..end.len());
                return taken;
            }
            assert!(self.fill(), "the end is missing: {:?}", self.seen());
        }
    }

    /// Reads more. `false`: the connection has ended.
    pub fn fill(&mut self) -> bool {
        let mut some = [0; 16 * 1024];
        match self.stream.read(&mut some) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&some[..count]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing came within {PATIENCE:?}, after {:?}", self.seen())
            }
            // A reset is an end, too.
            Err(_) => false,
        }
    }

    /// Whether the server has closed the connection, and nothing is left to read.
    pub fn is_over(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill()
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

impl Response {
    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// Checks status and body, and prints both on a mismatch.
    pub fn expect(&self, status: u16, body: &Value) {
        assert_eq!((self.status, &self.json()), (status, body));
    }
}
