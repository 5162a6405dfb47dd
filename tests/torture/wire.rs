//! The client side of HTTP and websockets, over a connection that may end anywhere. Everything has
//! a deadline; an error means that the connection is unusable, and that the fate of the last
//! message is unknown.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

/// The time of one attempt to read.
pub const TICK: Duration = Duration::from_millis(10);
/// When a waiting client gives up and is unsure.
pub const PATIENCE: Duration = Duration::from_millis(1500);
const BUFFER_BYTES: usize = 16 * 1024;
/// The longest head of the server. More is a failure.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A connection that speaks HTTP.
pub struct Line {
    stream: TcpStream,
    /// Received, and not parsed yet.
    read: Vec<u8>,
}

/// A response.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// For reports.
    pub fn show(&self) -> String {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        format!("{} {body}", self.status)
    }
}

/// A request: method and path, headers, and a body with its type.
#[derive(Clone, Default)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<(&'static str, String)>,
}

impl Request {
    pub fn new(method: &'static str, path: impl Into<String>) -> Request {
        Request { method, path: path.into(), ..Request::default() }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.headers.push((name, value.into()));
        self
    }

    pub fn json(self, body: &Value) -> Request {
        Request { body: Some(("application/json", body.to_string())), ..self }
    }

    pub fn text(self, body: String) -> Request {
        Request { body: Some(("text/plain", body)), ..self }
    }
}

impl Line {
    pub fn dial(port: u16) -> io::Result<Line> {
        let stream = connect(port)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Line { stream, read: Vec::new() })
    }

    /// One request and its answer.
    pub fn ask(&mut self, request: &Request) -> io::Result<Answer> {
        self.send(request)?;
        self.answer(Instant::now() + PATIENCE)
    }

    fn send(&mut self, request: &Request) -> io::Result<()> {
        let Request { method, path, headers, body } = request;
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if let Some((kind, body)) = body {
            text += &format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        }
        text += "\r\n";
        text += body.as_ref().map_or("", |(_, body)| body);
        self.stream.write_all(text.as_bytes())
    }

    /// Reads more; `false`: nothing came within a tick.
    fn more(&mut self) -> io::Result<bool> {
        let mut part = [0; 4096];
        match self.stream.read(&mut part) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                self.read.extend_from_slice(&part[..read]);
                Ok(true)
            }
            Err(error) if waits(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn head(&mut self, deadline: Instant) -> io::Result<Answer> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut headers);
            let parsed = head.parse(&self.read).map_err(|_| broken("a malformed head"))?;
            if let httparse::Status::Complete(length) = parsed {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let headers = head.headers.iter();
                let headers =
                    headers.map(|header| (header.name.to_owned(), text(header.value))).collect();
                let status = head.code.unwrap_or(0);
                self.read.drain(..length);
                return Ok(Answer { status, headers, body: Vec::new() });
            }
            if self.read.len() > HEAD_BYTES_MAX {
                return Err(broken("a head without an end"));
            }
            if !self.more()? && Instant::now() > deadline {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    fn answer(&mut self, deadline: Instant) -> io::Result<Answer> {
        let mut answer = self.head(deadline)?;
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        let length = match answer.status {
            204 | 304 => 0,
            _ => length.ok_or_else(|| broken("an answer without a length"))?,
        };
        while self.read.len() < length {
            if !self.more()? && Instant::now() > deadline {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        answer.body = self.read.drain(..length).collect();
        Ok(answer)
    }

    /// Becomes a websocket; or returns the server's refusal.
    pub fn websocket(mut self, request: Request) -> io::Result<Result<Websocket, Answer>> {
        let request = request
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        self.send(&request)?;
        let deadline = Instant::now() + PATIENCE;
        let mut answer = self.head(deadline)?;
        if answer.status != 101 {
            let length = answer.header("content-length").and_then(|length| length.parse().ok());
            while self.read.len() < length.unwrap_or(0) {
                if !self.more()? && Instant::now() > deadline {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            answer.body = self.read;
            return Ok(Err(answer));
        }
        let Line { stream, read } = self;
        Ok(Ok(Websocket(WebSocket::from_partially_read(stream, read, Role::Client, None))))
    }

    /// Becomes an endless response; or returns the server's refusal.
    pub fn feed(mut self, request: &Request) -> io::Result<Result<Feed, Answer>> {
        self.send(request)?;
        let answer = self.head(Instant::now() + PATIENCE)?;
        if answer.status != 200 {
            return Ok(Err(answer));
        }
        let coding = answer.header("transfer-encoding").unwrap_or_default();
        let chunked = coding.eq_ignore_ascii_case("chunked");
        Ok(Ok(Feed { line: self, chunked, left: 0, text: Vec::new() }))
    }
}

/// Connects with small buffers, so that a reader that stops soon affects the server and not only
/// the kernel.
pub fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    narrow(&socket)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.connect_timeout(&address.into(), PATIENCE)?;
    Ok(socket.into())
}

/// Before connecting: a peer that has seen a wide window once waits for it, and sends what fits a
/// narrow one five times a second.
pub fn narrow(socket: &Socket) -> io::Result<()> {
    socket.set_recv_buffer_size(BUFFER_BYTES)?;
    socket.set_send_buffer_size(BUFFER_BYTES)
}

/// A request on a connection of its own.
pub fn ask(port: u16, request: &Request) -> io::Result<Answer> {
    Line::dial(port)?.ask(request)
}

/// A websocket.
pub struct Websocket(WebSocket<TcpStream>);

impl Websocket {
    /// The next text; `None`: none came within a tick.
    pub fn hear(&mut self) -> io::Result<Option<String>> {
        match self.0.read() {
            Ok(Message::Text(text)) => Ok(Some(text.as_str().to_owned())),
            Ok(Message::Close(why)) => Err(match why.map_or(1005, |why| why.code.into()) {
                1000 | 1001 | 1005 => ErrorKind::UnexpectedEof.into(),
                1013 => ErrorKind::ConnectionAborted.into(), // Too slow: see `World::lost`.
                code => Error::new(ErrorKind::InvalidData, format!("closed with {code}")),
            }),
            Ok(_) => Ok(None),
            Err(tungstenite::Error::Io(error)) if waits(&error) => Ok(None),
            Err(error) => Err(ended(error)),
        }
    }

    pub fn say(&mut self, json: &Value) -> io::Result<()> {
        self.0.send(Message::text(json.to_string())).map_err(ended)
    }

    /// Closes with the handshake. (The alternative is to drop it.)
    pub fn close(mut self) {
        let _ = self.0.close(None);
        let _ = self.0.flush();
    }
}

/// An endless response.
pub struct Feed {
    line: Line,
    chunked: bool,
    /// The rest of the current chunk, with its line end.
    left: usize,
    text: Vec<u8>,
}

impl Feed {
    /// The next line without its end; `None`: none came within a tick.
    pub fn hear(&mut self) -> io::Result<Option<String>> {
        loop {
            self.unwrap()?;
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                let line = String::from_utf8(line).map_err(|_| broken("not UTF-8"))?;
                return Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()));
            }
            if !self.line.more()? {
                return Ok(None);
            }
        }
    }

    /// RFC 9112 section 7.1.
    fn unwrap(&mut self) -> io::Result<()> {
        let raw = &mut self.line.read;
        if !self.chunked {
            self.text.append(raw);
            return Ok(());
        }
        loop {
            if self.left > 0 {
                let take = raw.len().min(self.left);
                // The last two bytes are the line end.
                let content = take.min(self.left.saturating_sub(2));
                self.text.extend_from_slice(&raw[..content]);
                raw.drain(..take);
                self.left -= take;
            }
            if self.left > 0 {
                return Ok(());
            }
            let Some(end) = raw.windows(2).position(|two| two == b"\r\n") else { return Ok(()) };
            let size = String::from_utf8_lossy(&raw[..end]).into_owned();
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| broken("a bad chunk"))?;
            if size == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            raw.drain(..end + 2);
            self.left = size + 2;
        }
    }
}

fn waits(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A websocket that failed: because of the network, or because of the server's message.
fn ended(error: tungstenite::Error) -> Error {
    use tungstenite::Error::{AlreadyClosed, ConnectionClosed, Io, Protocol};
    use tungstenite::error::ProtocolError::{ResetWithoutClosingHandshake, SendAfterClosing};
    match error {
        Io(error) => error,
        ConnectionClosed | AlreadyClosed => ErrorKind::UnexpectedEof.into(),
        Protocol(ResetWithoutClosingHandshake | SendAfterClosing) => {
            ErrorKind::ConnectionReset.into()
        }
        error => Error::new(ErrorKind::InvalidData, error),
    }
}

/// The server sent an error that a bad network does not explain.
fn broken(reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, reason)
}
