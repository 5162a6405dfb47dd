//! A websocket echo server: `echo PORT`, on 127.0.0.1 only. Port 0 takes a free port; the first
//! line of its output has the address.
//!
//! For websocket test suites: `tests/conformance/ws_conformance.py`, or Autobahn's.

use std::io;

use shanty::http::{self, Framing, Next, Reader, Response};
use shanty::limits::READ_BUFFER_BYTES;
use shanty::time::Time;
use shanty::ws::{self, Incoming, Websocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse::<u16>().ok());
    let address = ("127.0.0.1", port.expect("echo PORT"));
    Builder::new_current_thread().enable_io().build()?.block_on(async {
        let listener = TcpListener::bind(address).await?;
        println!("{}", listener.local_addr()?);
        loop {
            // The client reports the errors of its connection.
            tokio::spawn(serve(listener.accept().await?.0));
        }
    })
}

/// One connection, from its first byte to its last.
async fn serve(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let Some(early) = shake_hands(&mut socket, &mut buffer).await? else { return Ok(()) };
    let mut ws = Websocket::new();
    let mut out = Vec::new();
    echo(&mut ws, &early, &mut out);
    loop {
        socket.write_all(&out).await?;
        out.clear();
        if ws.is_over() {
            break;
        }
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        echo(&mut ws, &buffer[..count], &mut out);
    }
    // The kernel answers unread bytes with a reset, which could overtake our close frame.
    socket.shutdown().await?;
    while socket.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Answers one request. Returns the bytes behind it if it has opened a websocket, else `None`.
async fn shake_hands(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<Vec<u8>>> {
    let mut reader = Reader::new();
    let mut out = Vec::new();
    loop {
        match reader.next() {
            Ok(Next::More) => {
                let count = socket.read(buffer).await?;
                if count == 0 {
                    return Ok(None);
                }
                reader.feed(&buffer[..count]);
            }
            Ok(Next::Continue) => socket.write_all(http::CONTINUE).await?,
            Ok(Next::Request(request)) => {
                let handshake = http::websocket(&request);
                let opened = handshake.is_ok();
                let response = handshake.map_or_else(Response::close, |good| good.response(None));
                let _ = response.encode(&mut out, &Framing::of(&request, Time::now()));
                socket.write_all(&out).await?;
                return Ok(opened.then(|| reader.leftover().to_vec()));
            }
            Err(reject) => {
                let _ = Response::from(reject).encode(&mut out, &Framing::refused(Time::now()));
                socket.write_all(&out).await?;
                return Ok(None);
            }
        }
    }
}

/// Appends the frames in `input` to `out`, as the server's own.
fn echo(ws: &mut Websocket, mut input: &[u8], out: &mut Vec<u8>) {
    while let Some(incoming) = ws.next(&mut input, out) {
        match incoming {
            Incoming::Text(text) => ws::text_frame(text.as_bytes(), out),
            // The server has no use for binary frames, so the library does not write them.
            Incoming::Binary(bytes) => {
                let frame = Frame::message(bytes, OpCode::Data(Data::Binary), true);
                frame.format(out).expect("a Vec takes everything");
            }
            Incoming::Alive | Incoming::Closed { .. } | Incoming::Failed(_) => {}
        }
    }
}
