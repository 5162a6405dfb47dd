//! A small HTTP and websocket client on tokio: hundreds of them run on one thread, and it permits
//! everything that an attacker does.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The deadline of a response.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub struct Line {
    pub stream: TcpStream,
    read: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The cookie that the response sets.
    pub fn cookie(&self) -> Option<String> {
        let mut lines = self.head.lines();
        let line = lines.find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"))?;
        let value = line.split_once(':')?.1.trim();
        Some(value.split(';').next()?.to_owned())
    }
}

/// A request as text: a first line like `GET /chats`, header lines, and a body.
pub fn request(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let described = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{described}{headers}\r\n{body}")
}

/// The proxy header of a client whose address is made from a number.
pub fn from(number: usize) -> String {
    let [_, high, middle, low] = (number as u32).to_be_bytes();
    format!("X-Forwarded-For: 10.{high}.{middle}.{low}\r\n")
}

impl Line {
    pub async fn dial(port: u16) -> Result<Line> {
        let stream = within(TcpStream::connect(("127.0.0.1", port))).await?;
        stream.set_nodelay(true)?;
        Ok(Line { stream, read: Vec::new() })
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        within(self.stream.write_all(bytes)).await
    }

    /// One request and its answer.
    pub async fn ask(&mut self, line: &str, headers: &str, body: &str) -> Result<Answer> {
        self.send(request(line, headers, body).as_bytes()).await?;
        self.answer().await
    }

    pub async fn answer(&mut self) -> Result<Answer> {
        within(self.read_answer()).await
    }

    async fn fill(&mut self) -> Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn read_answer(&mut self) -> Result<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end);
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        let lower = head.to_ascii_lowercase();
        let field = |name: &str| {
            let line = lower.lines().find(|line| line.starts_with(name))?;
            Some(line[name.len()..].trim().to_owned())
        };
        let mut body = Vec::new();
        if status == 101 {
            return Ok(Answer { status, head, body });
        }
        if let Some(length) = field("content-length:").and_then(|length| length.parse().ok()) {
            while self.read.len() < length {
                self.fill().await?;
            }
            body = self.read.drain(..length).collect();
        } else if field("transfer-encoding:").as_deref() == Some("chunked") {
            while let Some(part) = self.chunk().await? {
                body.extend_from_slice(&part);
            }
        }
        Ok(Answer { status, head, body })
    }

    async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let end = loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let size = String::from_utf8_lossy(&self.read[..end]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| ErrorKind::InvalidData)?;
        self.read.drain(..end + 2);
        while self.read.len() < size + 2 {
            self.fill().await?;
        }
        let part = self.read.drain(..size + 2).take(size).collect();
        Ok((size > 0).then_some(part))
    }

    /// Becomes a websocket.
    pub async fn upgrade(&mut self, path: &str, headers: &str) -> Result<Answer> {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let text = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{upgrade}{headers}\r\n");
        self.send(text.as_bytes()).await?;
        self.answer().await
    }

    /// Sends a text on a websocket.
    pub async fn say(&mut self, text: &str) -> Result<()> {
        self.send(&frame(0x81, text.as_bytes())).await
    }

    /// The next text on a websocket. Cancel-safe.
    pub async fn hear(&mut self) -> Result<String> {
        loop {
            while let Some((opcode, payload)) = self.take_frame() {
                match opcode {
                    1 => return Ok(String::from_utf8_lossy(&payload).into_owned()),
                    8 => {
                        let code = payload
                            .get(..2)
                            .map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                        let why = format!("closed with {code}");
                        return Err(Error::new(ErrorKind::ConnectionAborted, why));
                    }
                    9 => self.stream.write_all(&frame(0x8a, &payload)).await?,
                    _ => {}
                }
            }
            self.fill().await?;
        }
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let bytes = &self.read;
        let (length, start) = match *bytes.get(1)? {
            126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
            127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
            short => (usize::from(short), 2),
        };
        let payload = bytes.get(start..start + length)?.to_vec();
        let opcode = bytes[0] & 15;
        self.read.drain(..start + length);
        Some((opcode, payload))
    }
}

/// A client's frame: its first byte, and its payload. The mask is zero.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        middle @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}

async fn within<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// One request on a connection of its own.
pub async fn ask(port: u16, line: &str, headers: &str, body: &str) -> Result<Answer> {
    Line::dial(port).await?.ask(line, headers, body).await
}

/// Makes an account from an address, and logs in; its key, and the header that shows its session.
pub async fn account(port: u16, name: &str, address: usize) -> Result<(String, String)> {
    let from = from(address);
    let body = format!(r#"{{"username":"{name}"}}"#);
    let made = ask(port, "POST /api/register", &from, &body).await?;
    let key = made.json()["key"].as_str().map(str::to_owned);
    let key = key.ok_or_else(|| Error::other(format!("no account: {made:?}")))?;
    let body = format!(r#"{{"key":"{key}"}}"#);
    let begun = ask(port, "POST /api/login", &from, &body).await?;
    let cookie = begun.cookie().ok_or_else(|| Error::other(format!("no login: {begun:?}")))?;
    Ok((key, format!("Cookie: {cookie}\r\n{from}")))
}

/// Begins a session as a guest from an address; the header that shows it.
pub async fn guest(port: u16, name: &str, address: usize) -> Result<String> {
    let from = from(address);
    let body = format!(r#"{{"name":"{name}"}}"#);
    let begun = ask(port, "POST /api/v1/guests", &from, &body).await?;
    let cookie = begun.cookie().ok_or_else(|| Error::other(format!("no guest: {begun:?}")))?;
    Ok(format!("Cookie: {cookie}\r\n{from}"))
}
