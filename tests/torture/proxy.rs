//! A bad network: every client reaches the server through it, and it cuts, delays, stalls and
//! splits the traffic, until it is told to be calm. It must never change, reorder or lose a byte
//! that it forwards.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::dice::Dice;
use crate::wire;

/// The interval at which an idle pump checks whether its connection is cut.
const LOOK: Duration = Duration::from_millis(40);

/// The proxy's settings, and counters.
#[derive(Default)]
pub struct Control {
    pub calm: AtomicBool,
    over: AtomicBool,
    pub connections: AtomicU64,
    pub cuts: AtomicU64,
    pub stalls: AtomicU64,
    pub delays: AtomicU64,
}

/// Accepts until it is dropped.
pub struct Proxy {
    pub port: u16,
    pub control: Arc<Control>,
}

impl Proxy {
    pub fn start(server: u16, seed: u64) -> Proxy {
        let listener = listen().expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let control = Arc::new(Control::default());
        let of_thread = control.clone();
        thread::spawn(move || accept(&listener, server, seed, &of_thread));
        Proxy { port, control }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.control.over.store(true, Relaxed);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)); // Wakes it up.
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    wire::narrow(&socket)?; // Its connections inherit it.
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

fn accept(listener: &TcpListener, server: u16, seed: u64, control: &Arc<Control>) {
    for (number, client) in (0..).zip(listener.incoming()) {
        if control.over.load(Relaxed) {
            return;
        }
        let Ok(client) = client else { continue };
        control.connections.fetch_add(1, Relaxed);
        let (dice, control) = (Dice::new(seed, 1_000_000 + number), control.clone());
        thread::spawn(move || connection(client, server, dice, &control));
    }
}

/// The faults of one connection.
struct Fate {
    /// Whichever comes first.
    cut_at: Option<Instant>,
    cut_after: Option<u64>,
    /// The probabilities of the faults, in thousandths.
    stalls: u64,
    delays: u64,
    splits: u64,
    /// Cut by a reset instead of an end.
    reset: bool,
}

impl Fate {
    fn of(dice: &mut Dice) -> Fate {
        let kind = dice.from(0, 9);
        Fate {
            cut_at: (kind <= 4).then(|| Instant::now() + dice.ms(10, 4000)),
            cut_after: matches!(kind, 3..=6).then(|| dice.from(1, 30_000)),
            stalls: *dice.pick(&[0, 0, 5, 30]),
            delays: *dice.pick(&[0, 20, 300]),
            splits: *dice.pick(&[0, 100, 1000]),
            reset: dice.chance(300),
        }
    }
}

/// A connection's two ends and its state.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    dead: AtomicBool,
    passed: AtomicU64,
}

fn connection(client: TcpStream, server: u16, mut dice: Dice, control: &Control) {
    let calm = control.calm.load(Relaxed);
    if !calm && dice.chance(30) {
        control.cuts.fetch_add(1, Relaxed);
        return; // Accepted, and gone at once.
    }
    let Ok(server) = wire::connect(server) else { return };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(LOOK));
        let _ = stream.set_write_timeout(Some(LOOK));
    }
    let fate = Fate::of(&mut dice);
    if !calm && fate.reset {
        for stream in [&client, &server] {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
    let pair = Pair { client, server, dead: AtomicBool::new(false), passed: AtomicU64::new(0) };
    let other = dice.next();
    thread::scope(|scope| {
        scope.spawn(|| pump(&pair, true, &fate, Dice::new(other, 0), control));
        pump(&pair, false, &fate, dice, control);
    });
}

/// One direction, to its end.
fn pump(pair: &Pair, upward: bool, fate: &Fate, mut dice: Dice, control: &Control) {
    let (from, to) = match upward {
        true => (&pair.client, &pair.server),
        false => (&pair.server, &pair.client),
    };
    let done = pass(pair, from, to, fate, &mut dice, control);
    if done.is_ok() {
        // One side has finished; the other may send more.
        let _ = to.shutdown(Shutdown::Write);
        return;
    }
    let first = !pair.dead.swap(true, Relaxed);
    if first && done.is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
        control.cuts.fetch_add(1, Relaxed);
    }
    if !fate.reset || control.calm.load(Relaxed) {
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// Ok: `from` has ended. Interrupted: cut on purpose.
fn pass(
    pair: &Pair,
    mut from: &TcpStream,
    to: &TcpStream,
    fate: &Fate,
    dice: &mut Dice,
    control: &Control,
) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        may_go_on(pair, fate, control)?;
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if waits(&error) => continue,
            Err(error) => return Err(error),
        };
        if control.calm.load(Relaxed) {
            write(pair, to, &buffer[..read], fate, control)?;
            continue;
        }
        if dice.chance(fate.stalls) {
            control.stalls.fetch_add(1, Relaxed);
            stall(pair, dice.ms(200, 2500), fate, control)?;
        }
        if dice.chance(fate.delays) {
            control.delays.fetch_add(1, Relaxed);
            dice.sleep(1, 30);
        }
        let before = pair.passed.fetch_add(read as u64, Relaxed);
        let left = fate.cut_after.map_or(u64::MAX, |bytes| bytes.saturating_sub(before));
        let passing = &buffer[..read.min(left as usize)];
        let mut rest = passing;
        while dice.chance(fate.splits) && rest.len() > 1 {
            let (piece, more) = rest.split_at(dice.from(1, rest.len().min(9) as u64) as usize);
            write(pair, to, piece, fate, control)?;
            rest = more;
            // Sending everything in such pieces would take minutes.
            if dice.chance(300) {
                break;
            }
        }
        write(pair, to, rest, fate, control)?;
        if passing.len() < read {
            return Err(ErrorKind::Interrupted.into());
        }
    }
}

fn may_go_on(pair: &Pair, fate: &Fate, control: &Control) -> io::Result<()> {
    if pair.dead.load(Relaxed) || control.over.load(Relaxed) {
        return Err(ErrorKind::ConnectionAborted.into());
    }
    let due = fate.cut_at.is_some_and(|at| at <= Instant::now());
    if due && !control.calm.load(Relaxed) {
        return Err(ErrorKind::Interrupted.into());
    }
    Ok(())
}

fn stall(pair: &Pair, time: Duration, fate: &Fate, control: &Control) -> io::Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end && !control.calm.load(Relaxed) {
        may_go_on(pair, fate, control)?;
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Waits for a reader that does not read, while the connection lives.
fn write(
    pair: &Pair,
    mut to: &TcpStream,
    mut bytes: &[u8],
    fate: &Fate,
    control: &Control,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if waits(&error) => may_go_on(pair, fate, control)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
