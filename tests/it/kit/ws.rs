//! A hand-written websocket client, which can also break the protocol.

use std::net::Shutdown;

use serde_json::Value;

use super::{Http, Response};

/// An open websocket.
pub struct Ws {
    pub http: Http,
    /// The response to the handshake.
    pub response: Response,
}

/// A frame from the server.
#[derive(PartialEq, Debug)]
pub enum Heard {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    /// The connection is over, with or without a close frame before.
    End,
}

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The request for a websocket (the key is RFC 6455's own example).
pub fn handshake(host: &str, path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {headers}\r\n"
    )
}

/// One frame as a client sends it: masked.
pub fn frame(opcode: u8, is_final: bool, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x96];
    let mut bytes = header(opcode, is_final, payload.len(), true);
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The header of a frame, without a mask.
pub fn header(opcode: u8, is_final: bool, length: usize, masked: bool) -> Vec<u8> {
    let mut bytes = vec![opcode | if is_final { 0x80 } else { 0 }];
    let mask = if masked { 0x80 } else { 0 };
    match length {
        0..=125 => bytes.push(mask | length as u8),
        126..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes
}

impl Ws {
    /// Requests a websocket; `headers` are whole lines. Any answer but a 101 is an error.
    pub fn upgrade(mut http: Http, path: &str, headers: &str) -> Result<Ws, Response> {
        let host = http.host();
        http.send(handshake(&host, path, headers));
        Ws::upgraded(http)
    }

    /// Reads the answer to a handshake that was sent.
    pub fn upgraded(mut http: Http) -> Result<Ws, Response> {
        let response = http.response();
        if response.status != 101 {
            return Err(response);
        }
        let accept = response.header("sec-websocket-accept");
        assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        Ok(Ws { http, response })
    }

    pub fn frame(&mut self, opcode: u8, is_final: bool, payload: &[u8]) {
        self.http.send(frame(opcode, is_final, payload));
    }

    pub fn text(&mut self, text: &str) {
        self.frame(TEXT, true, text.as_bytes());
    }

    pub fn say(&mut self, frame: &Value) {
        self.text(&frame.to_string());
    }

    /// The next frame of any kind. The server's frames are unmasked and unfragmented.
    pub fn hear(&mut self) -> Heard {
        let Some((opcode, payload)) = self.read_frame() else { return Heard::End };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        match opcode {
            TEXT => Heard::Text(text(&payload)),
            PING => Heard::Ping(payload),
            PONG => Heard::Pong(payload),
            CLOSE if payload.is_empty() => Heard::Close(1005, String::new()),
            CLOSE => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                Heard::Close(code, text(&payload[2..]))
            }
            opcode => panic!("a frame of kind {opcode}: {payload:?}"),
        }
    }

    fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let buffer = |at: usize, http: &Http| usize::from(http.buffer[at]);
        if !self.fill(2) {
            return None;
        }
        let first = self.http.buffer[0];
        assert_eq!(first & 0xf0, 0x80, "final, and nothing reserved is set");
        let (start, length) = match buffer(1, &self.http) {
            127 if self.fill(10) => {
                let bytes: [u8; 8] = self.http.buffer[2..10].try_into().expect("eight");
                (10, u64::from_be_bytes(bytes) as usize)
            }
            126 if self.fill(4) => (4, buffer(2, &self.http) << 8 | buffer(3, &self.http)),
            length if length < 126 => (2, length),
            other => panic!("a masked or broken frame: {other}"),
        };
        assert!(self.fill(start + length), "a frame is cut off");
        let payload = self.http.buffer[start..start + length].to_vec();
        self.http.buffer.drain(..start + length);
        Some((first & 0x0f, payload))
    }

    /// Reads until this many bytes are buffered. `false`: the connection ends first.
    fn fill(&mut self, bytes: usize) -> bool {
        while self.http.buffer.len() < bytes {
            if !self.http.fill() {
                return false;
            }
        }
        true
    }

    /// The next text, answering pings meanwhile.
    pub fn hear_text(&mut self) -> String {
        loop {
            match self.hear() {
                Heard::Text(text) => return text,
                Heard::Ping(payload) => self.frame(PONG, true, &payload),
                other => panic!("a text was expected, not {other:?}"),
            }
        }
    }

    /// The next message, which is one JSON object.
    pub fn json(&mut self) -> Value {
        let text = self.hear_text();
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
        assert!(matches!(json, Value::Object(_)), "not an object: {text}");
        json
    }

    /// Expects this message. A `time` must be a timestamp, and is not compared.
    pub fn expect(&mut self, expected: &Value) {
        let mut heard = self.json();
        if let Some(time) = heard.as_object_mut().expect("an object").remove("time") {
            assert!(is_time(time.as_str().expect("a text")), "not a time: {time}");
            assert!(expected.get("event_type").is_some(), "only ChitChat has times: {heard}");
        }
        assert_eq!(&heard, expected);
    }

    /// Expects exactly this text.
    pub fn expect_text(&mut self, expected: &str) {
        assert_eq!(self.hear_text(), expected);
    }

    /// Expects Piratchat's acknowledgement.
    pub fn expect_ack(&mut self) {
        self.expect_text(r#"{"status":true}"#);
    }

    /// Expects a close frame with that code, answers it, and expects the end.
    pub fn expect_close(&mut self, code: u16) {
        match self.hear() {
            Heard::Close(heard, reason) => assert_eq!(heard, code, "{reason}"),
            other => panic!("a close with {code} was expected, not {other:?}"),
        }
        // The server may not read any more.
        let _ = std::io::Write::write_all(
            &mut self.http.stream,
            &frame(CLOSE, true, &code.to_be_bytes()),
        );
        assert_eq!(self.hear(), Heard::End);
    }

    /// Closes with the handshake.
    pub fn bye(mut self) {
        self.frame(CLOSE, true, &1000_u16.to_be_bytes());
        loop {
            match self.hear() {
                Heard::Close(code, _) => break assert_eq!(code, 1000),
                Heard::End => panic!("a close frame was expected"),
                _ => {}
            }
        }
        assert_eq!(self.hear(), Heard::End);
    }

    /// Drops the connection without a close frame.
    pub fn vanish(self) {
        let _ = self.http.stream.shutdown(Shutdown::Both);
    }
}

/// RFC 3339, UTC, with parts of a second.
pub fn is_time(text: &str) -> bool {
    let shape = "dddd-dd-ddTdd:dd:dd.";
    let fits = |(byte, shape): (u8, u8)| byte == shape || shape == b'd' && byte.is_ascii_digit();
    let Some((front, parts)) = text.split_at_checked(shape.len()) else { return false };
    let digits = parts.strip_suffix('Z').unwrap_or_default();
    let parts = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    parts && front.bytes().zip(shape.bytes()).all(fits)
}
