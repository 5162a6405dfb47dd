//! The real program as a process: started on one port and one database, killed without warning,
//! started again. It must never outlive the test.

use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::dice::Dice;

const START_DEADLINE: Duration = Duration::from_secs(30);

/// A server that may be running.
pub struct Server {
    pub port: u16,
    /// Holds the database and the server's log.
    pub folder: PathBuf,
    child: Option<Child>,
    /// Whether to keep the folder, for the investigation of a failure.
    pub keep: bool,
}

impl Server {
    /// Chooses a port and a folder; starts nothing yet.
    pub fn new(dice: &mut Dice) -> Server {
        let folder = std::env::temp_dir().join(format!("shanty-torture-{}", process::id()));
        let _ = fs::remove_dir_all(&folder); // Of an earlier process with this number.
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        // Below the system's ephemeral ports: between a kill and the next start no client may get
        // ours.
        let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        let mut ports = (0..1000).map(|_| {
            let salt = u64::from(process::id());
            20_000 + ((dice.next() ^ salt) % 12_000) as u16
        });
        let port = ports.find(free).expect("a free port");
        Server { port, folder, child: None, keep: false }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("shanty.db")
    }

    /// Starts it, without waiting for it.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = self.log_file();
        let child = Command::new(env!("CARGO_BIN_EXE_shanty"))
            .args(["--listen", &format!("127.0.0.1:{}", self.port), "--log", "info"])
            .env("SHANTY_LIMITS", "off")
            .arg("--db")
            .arg(self.database())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("the program that is tested"));
    }

    /// Starts it and waits until it listens.
    pub fn start(&mut self) -> Result<(), String> {
        self.spawn();
        let deadline = Instant::now() + START_DEADLINE;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            let child = self.child.as_mut().expect("it was started");
            if let Ok(Some(status)) = child.try_wait() {
                self.child = None;
                return Err(format!("the server did not start: {status}\n{}", self.log()));
            }
            if Instant::now() > deadline {
                return Err(format!("the server does not listen\n{}", self.log()));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Sends SIGKILL. The server must be running: one that ended by itself has failed.
    pub fn kill(&mut self) -> Result<(), String> {
        let mut child = self.child.take().expect("it was started");
        let ended = child.try_wait().ok().flatten();
        let _ = child.kill();
        let _ = child.wait();
        match ended {
            Some(status) => Err(format!("the server ended by itself: {status}\n{}", self.log())),
            None => Ok(()),
        }
    }

    fn log_file(&self) -> File {
        let path = self.folder.join("server.log");
        OpenOptions::new().create(true).append(true).open(path).expect("a log file")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !self.keep {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
