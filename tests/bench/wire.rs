//! The client side of the protocols, as little of it as a benchmark needs: one HTTP request at a
//! time, the websocket handshake, and frames (RFC 6455 section 5.2) in both directions.
//!
//! Requests and handshakes block and are never inside a measured stretch; frames are, and allocate
//! nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::Outcome;
use crate::frames::{client_frame, header};

/// The sample key of RFC 6455 section 1.3, and its answer. All clients here use it, so neither side
/// needs to hash.
pub const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// See [`SAMPLE_KEY`].
pub const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The prefix of an event's text; a refusal starts otherwise.
pub const EVENT: &[u8] = br#"{"e"#;

/// First bytes of whole, unfragmented server frames.
pub const TEXT: u8 = 0x81;
/// See [`TEXT`].
pub const CLOSE: u8 = 0x88;
/// See [`TEXT`].
pub const PING: u8 = 0x89;

/// A masked pong without content.
pub const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A response.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    /// `name=value` of the first cookie that the response sets.
    pub fn cookie(&self) -> Option<&str> {
        let line = self.head.lines().find(|line| {
            line.get(..11).is_some_and(|name| name.eq_ignore_ascii_case("set-cookie:"))
        })?;
        line[11..].split(';').next().map(str::trim)
    }

    /// A field of the JSON object in the body, as text.
    pub fn field(&self, name: &str) -> Outcome<String> {
        let body: serde_json::Value = serde_json::from_str(&self.body)?;
        match &body[name] {
            serde_json::Value::String(text) => Ok(text.clone()),
            serde_json::Value::Null => Err(format!("no '{name}' in {}", self.body).into()),
            other => Ok(other.to_string()),
        }
    }
}

/// Sends one JSON body on its own connection and reads to the end.
pub fn post(port: u16, path: &str, body: &serde_json::Value) -> Outcome<Response> {
    let body = body.to_string();
    let mut stream = connect(port)?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("a response without an end")?;
    let status = head.split(' ').nth(1).ok_or("a response without a status")?.parse()?;
    let response = Response { status, head: head.to_owned(), body: body.to_owned() };
    match response.status {
        200..300 => Ok(response),
        status => Err(format!("POST {path}: {status} {}", response.body).into()),
    }
}

/// Opens a websocket. Bytes that follow the handshake are returned.
pub fn upgrade(port: u16, path: &str, cookie: Option<&str>) -> Outcome<(TcpStream, Vec<u8>)> {
    let mut stream = connect(port)?;
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {SAMPLE_KEY}\r\n{cookie}\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut read = Vec::new();
    let end = loop {
        let mut part = [0; 1024];
        let n = stream.read(&mut part)?;
        read.extend_from_slice(&part[..n]);
        match read.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(at) => break at + 4,
            None if n == 0 || read.len() > HEAD_BYTES_MAX => {
                return Err("the handshake has no end".into());
            }
            None => {}
        }
    };
    let head = String::from_utf8_lossy(&read[..end]);
    if !head.starts_with("HTTP/1.1 101 ") || !head.contains(SAMPLE_ACCEPT) {
        return Err(format!("GET {path} is not upgraded: {head}").into());
    }
    Ok((stream, read.split_off(end)))
}

fn connect(port: u16) -> Outcome<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, ANSWER_DEADLINE)?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    stream.set_write_timeout(Some(ANSWER_DEADLINE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A text as a client sends it.
pub fn client_text(text: &str) -> Vec<u8> {
    client_frame(TEXT, text.as_bytes())
}

/// A text as a server sends it: one frame, unmasked.
pub fn server_frame(text: &str) -> Vec<u8> {
    let mut frame = header(TEXT, text.len(), false);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// A ChitChat client's message event.
pub fn chitchat_send(name: &str, text: &str) -> Vec<u8> {
    client_text(&format!(r#"{{"event_type":"send","name":"{name}","msg":"{text}"}}"#))
}

/// A ChitChat client's join event.
pub fn chitchat_join(name: &str) -> Vec<u8> {
    client_text(&format!(r#"{{"event_type":"join","name":"{name}"}}"#))
}

/// The name of a room's nth member.
pub fn name(index: usize) -> String {
    format!("m{index:04}")
}

/// A numbered text, because order is part of the promise.
pub fn words(number: u64) -> String {
    format!("#{number:08} and a bottle of rum")
}

/// The server's broadcast of it; the floors repeat this one.
pub fn sample_broadcast() -> Vec<u8> {
    server_frame(&format!(
        r#"{{"event_type":"send","name":"{}","room_id":2,"msg":"{}","time":"{}"}}"#,
        name(0),
        words(0),
        "2025-01-01T00:00:00.000000000Z"
    ))
}
