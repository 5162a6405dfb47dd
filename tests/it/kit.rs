//! The shared kit: the real binary on its own port, and clients that wait for an expected event,
//! with a deadline, so that a failing test ends. Nothing here sleeps for luck.

pub mod certificates;
pub mod http;
pub mod ws;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use http::{Http, Response};
pub use ws::{Heard, Ws};

/// The deadline of an expected event. Long, because tests share two cores; a passing test never
/// waits for it.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A temporary directory, removed on drop.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("shanty-it-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new directory for this test");
        Scratch(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("an ASCII path").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // The system clears leftovers.
    }
}

/// A process's exit code and output.
#[derive(Debug)]
pub struct End {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The binary, without the settings of the caller's environment.
pub fn shanty() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_shanty")))
}

/// A command without the settings of the caller's environment.
pub fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("SHANTY_") || name == "PORT" || name == "SECRET_KEY" {
            command.env_remove(&*name);
        }
    }
    // These tests send thousands of messages at once, as no person does; `limits` turns the rate
    // limits on.
    command.env("SHANTY_LIMITS", "off").stdin(Stdio::null());
    command
}

/// Runs a command until it ends by itself.
pub fn run(mut command: Command) -> End {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program that can be started");
    let stdout = collect(child.stdout.take().expect("piped"));
    let stderr = collect(child.stderr.take().expect("piped"));
    let code = wait(&mut child).code();
    let text = |thread: JoinHandle<String>| thread.join().expect("a reader");
    End { code, stdout: text(stdout), stderr: text(stderr) }
}

/// Waits for a process, and kills it at the deadline.
fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    // The standard library has no wait with a deadline, so this polls.
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the process did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = from.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Polls until a condition holds, where no event can be awaited (such as another client's view).
pub fn until(condition: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {condition}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A running server. Killed when it is dropped.
struct Running {
    child: Child,
    port: u16,
    line: String,
    /// What it prints after that line.
    lines: Mutex<mpsc::Receiver<String>>,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        let _ = self.child.kill(); // It may have ended already.
        let _ = self.child.wait();
        if thread::panicking() {
            let stderr = std::mem::replace(&mut self.stderr, thread::spawn(String::new));
            eprintln!("the server: {ended:?}; it said: {}", stderr.join().unwrap_or_default());
        }
    }
}

/// A server with its own database, which a stop and a start keep.
pub struct TestServer {
    running: Option<Running>,
    command: Box<dyn Fn(&str) -> Command + Send + Sync>,
    pub scratch: Scratch,
}

/// An account with a session.
#[derive(Clone)]
pub struct Account {
    pub name: String,
    pub key: String,
    /// The value of a `Cookie` header.
    pub cookie: String,
}

impl TestServer {
    pub fn start() -> TestServer {
        TestServer::with(&[])
    }

    /// With more flags.
    pub fn with(flags: &[&str]) -> TestServer {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        TestServer::of(move |db| {
            let mut command = shanty();
            command.args(["--listen", "127.0.0.1:0", "--db", db]).args(&flags);
            command
        })
    }

    /// A server started by that command, which gets the path of the database.
    pub fn of(command: impl Fn(&str) -> Command + Send + Sync + 'static) -> TestServer {
        let (running, command) = (None, Box::new(command));
        let mut server = TestServer { running, command, scratch: Scratch::new() };
        server.go_on();
        server
    }

    /// The path of the database.
    pub fn db(&self) -> String {
        self.scratch.path("shanty.db")
    }

    /// Starts it, or starts it again on the same database.
    pub fn go_on(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut command = (self.command)(&self.db());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server's binary");
        let stderr = collect(child.stderr.take().expect("piped"));
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (first, line) = mpsc::channel();
        let (next, lines) = mpsc::channel();
        let lines = Mutex::new(lines);
        let stdout = thread::spawn(move || {
            let (mut line, mut rest) = (String::new(), String::new());
            let _ = stdout.read_line(&mut line);
            let _ = first.send(line);
            loop {
                let mut line = String::new();
                if stdout.read_line(&mut line).unwrap_or_default() == 0 {
                    return rest;
                }
                rest.push_str(&line);
                let _ = next.send(line);
            }
        });
        let line = line.recv_timeout(PATIENCE).unwrap_or_default();
        let port = line.split("://").nth(1).and_then(|rest| {
            let address = rest.split(' ').next()?;
            let port = address.trim_end().rsplit_once(':')?.1;
            port.split('/').next()?.parse().ok()
        });
        let Some(port) = port else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it did not start: {line:?} {:?}", stderr.join());
        };
        self.running = Some(Running { child, port, line, lines, stdout, stderr });
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    pub fn port(&self) -> u16 {
        self.running().port
    }

    /// The line that it printed at the start.
    pub fn line(&self) -> &str {
        &self.running().line
    }

    /// The token of the setup link, which a server without an owner has printed.
    pub fn setup_token(&self) -> String {
        let line = self
            .running()
            .lines
            .lock()
            .expect("ours")
            .recv_timeout(PATIENCE)
            .expect("a second line");
        let link = line.split("/#/setup/").nth(1).expect("a link");
        link.split(' ').next().expect("its token").to_owned()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.running().child.id()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.expect("the program kill").success(), "the signal was sent");
    }

    /// Whether the process runs.
    pub fn is_alive(&mut self) -> bool {
        let running = self.running.as_mut().expect("the server runs");
        running.child.try_wait().expect("a child of ours").is_none()
    }

    /// Sends SIGTERM, and waits for the end.
    pub fn stop(&mut self) -> End {
        self.signal("TERM");
        self.end()
    }

    /// Waits until it has ended by itself.
    pub fn end(&mut self) -> End {
        let mut running = self.running.take().expect("the server runs");
        let code = wait(&mut running.child).code();
        let nothing = || thread::spawn(String::new);
        let stdout = std::mem::replace(&mut running.stdout, nothing());
        let stderr = std::mem::replace(&mut running.stderr, nothing());
        let text = |thread: JoinHandle<String>| thread.join().expect("a reader");
        End { code, stdout: text(stdout), stderr: text(stderr) }
    }

    /// Sends SIGKILL: the server cannot clean up.
    pub fn kill(&mut self) {
        drop(self.running.take());
    }

    pub fn http(&self) -> Http {
        Http::connect(self.port())
    }

    /// One request on its own connection; a non-empty body is sent as JSON.
    pub fn ask(&self, line: &str, headers: &str, body: &str) -> Response {
        http::ask(self.port(), line, headers, body)
    }

    /// A request with a body, without authentication.
    pub fn send(&self, line: &str, body: &Value) -> Response {
        self.ask(line, "", &body.to_string())
    }

    /// A request without a body, with an account's session.
    pub fn ask_as(&self, line: &str, who: &Account) -> Response {
        self.ask(line, &format!("Cookie: {}\r\n", who.cookie), "")
    }

    /// Makes an account and logs in.
    pub fn account(&self, name: &str) -> Account {
        let made = self.send("POST /api/register", &json!({"username": name}));
        assert_eq!(made.status, 201, "{made:?}");
        let key = made.json()["key"].as_str().expect("a key").to_owned();
        let cookie = self.log_in(&key);
        Account { name: name.to_owned(), key, cookie }
    }

    /// Logs in: the value for a `Cookie` header.
    pub fn log_in(&self, key: &str) -> String {
        let response = self.send("POST /api/login", &json!({"key": key}));
        assert_eq!(response.status, 200, "{response:?}");
        let cookie = response.header("set-cookie").expect("a cookie");
        cookie.split(';').next().expect("its value").to_owned()
    }

    /// Makes a room, and returns its id.
    pub fn room(&self, settings: &Value) -> u64 {
        let made = self.send("POST /chats", settings);
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["id"].as_u64().expect("a number")
    }

    /// A token for a room with a password.
    pub fn token(&self, room: u64, secret: &str, name: &str) -> String {
        let body = json!({"secret": secret, "name": name});
        let given = self.send(&format!("POST /chats/{room}/token"), &body);
        assert_eq!(given.status, 201, "{given:?}");
        given.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Opens a websocket, or returns the refusal.
    pub fn try_ws(&self, path: &str, headers: &str) -> Result<Ws, Response> {
        Ws::upgrade(self.http(), path, headers)
    }

    pub fn ws(&self, path: &str, headers: &str) -> Ws {
        self.try_ws(path, headers).unwrap_or_else(|response| panic!("{path}: {response:?}"))
    }

    /// Piratchat's websocket.
    pub fn pirate(&self, who: &Account) -> Ws {
        self.ws("/ws", &format!("Cookie: {}\r\n", who.cookie))
    }

    /// ChitChat's websocket of a public room, joined.
    pub fn guest(&self, room: u64, name: &str) -> Ws {
        let mut ws = self.ws(&format!("/chats/{room}/ws"), "");
        ws.say(&json!({"event_type": "join", "name": name}));
        ws.expect(&joined(room, name));
        ws
    }

    /// Every row of the log: sequence number, kind, author and text.
    pub fn log(&self) -> Vec<Row> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(self.db(), flags).expect("the database");
        let sql = "SELECT seq, kind, name, text FROM log ORDER BY seq";
        let mut select = db.prepare(sql).expect("the log");
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Row { seq: row.get(0)?, kind: row.get(1)?, name: row.get(2)?, text: row.get(3)? })
        };
        let rows = select.query_map([], row).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows of the log")
    }
}

/// A row of the log.
#[derive(Debug)]
pub struct Row {
    pub seq: i64,
    pub kind: String,
    pub name: Option<String>,
    pub text: Option<String>,
}

/// ChitChat's join event, without its time.
pub fn joined(room: u64, name: &str) -> Value {
    let msg = format!("{name} entered the room.");
    json!({"event_type": "join", "name": name, "room_id": room, "msg": msg})
}

/// ChitChat's leave event, without its time.
pub fn left(room: u64, name: &str) -> Value {
    let msg = format!("{name} has left the room.");
    json!({"event_type": "leave", "name": name, "room_id": room, "msg": msg})
}

/// ChitChat's message event, without its time.
pub fn said(room: u64, name: &str, msg: &str) -> Value {
    json!({"event_type": "send", "name": name, "room_id": room, "msg": msg})
}

/// A ChitChat client's message event.
pub fn send(name: &str, msg: &str) -> Value {
    json!({"event_type": "send", "name": name, "msg": msg})
}

/// ChitChat's error object.
pub fn failure(code: u16, error: &str, field: &str) -> Value {
    match field {
        "" => json!({"status": false, "error": {"code": code, "error": error}}),
        _ => json!({"status": false, "error": {"code": code, "error": error, "field": field}}),
    }
}

/// The cookie header of an account's session.
pub fn cookie(who: &Account) -> String {
    format!("Cookie: {}\r\n", who.cookie)
}

/// A ChitChat client's join or leave event.
pub fn event(kind: &str, name: &str) -> Value {
    json!({"event_type": kind, "name": name})
}

/// Sends an invalid message, and expects the error.
pub fn refuses(ws: &mut Ws, message: &str, code: u16, error: &str, field: &str) {
    ws.text(message);
    ws.expect(&failure(code, error, field));
}
