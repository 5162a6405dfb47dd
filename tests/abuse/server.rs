//! The real program as a process, and its use of memory, descriptors and disk.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A server with a folder of its own.
pub struct Server {
    pub port: u16,
    folder: PathBuf,
    program: PathBuf,
    child: Option<Child>,
}

/// The process's resources at one moment.
#[derive(Clone, Copy, Default)]
pub struct Taken {
    pub memory_kib: u64,
    pub descriptors: usize,
    pub disk_kib: u64,
}

impl Server {
    pub fn new(name: &str) -> Server {
        let folder = std::env::temp_dir().join(format!("shanty-abuse-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&folder); // Of an earlier process with this number.
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        // Another program can be attacked instead, for comparison.
        let ours = env!("CARGO_BIN_EXE_shanty");
        let program = std::env::var_os("SHANTY").map_or(PathBuf::from(ours), PathBuf::from);
        Server { port: 0, folder, program, child: None }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("shanty.db")
    }

    /// Starts it, and waits until it says where it listens.
    pub fn start(&mut self, flags: &[&str]) {
        let log = File::create(self.folder.join("server.log")).expect("a log file");
        let listens = self.folder.join("listens");
        let out = File::create(&listens).expect("a file");
        let mut command = Command::new(&self.program);
        command.args(["--listen", "127.0.0.1:0", "--db"]).arg(self.database()).args(flags);
        command.env_remove("SHANTY_LIMITS").env_remove("SECRET_KEY");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(log).spawn();
        self.child = Some(child.expect("the program that is attacked"));
        let start = Instant::now();
        loop {
            let said = fs::read_to_string(&listens).unwrap_or_default();
            let port = said
                .split("http://")
                .nth(1)
                .and_then(|rest| rest.split_whitespace().next()?.rsplit_once(':')?.1.parse().ok());
            if let Some(port) = port {
                self.port = port;
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no start: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "a signal is sent");
        let status = child.wait().expect("a child");
        assert!(status.success(), "the server ended with {status}: {}", self.log());
    }

    /// The reason of its end, if it has ended.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        Some(format!("the server ended: {status}\n{}", self.log()))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    /// Its current resources.
    pub fn taken(&self) -> Taken {
        let Some(child) = &self.child else { return Taken::default() };
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory_kib = memory.and_then(|text| text.split_whitespace().next()?.parse().ok());
        let descriptors = fs::read_dir(process.join("fd")).map_or(0, Iterator::count);
        let size = |ending: &str| {
            let path = format!("{}{ending}", self.database().display());
            fs::metadata(path).map_or(0, |file| file.len() / 1024)
        };
        let disk_kib = size("") + size("-wal");
        Taken { memory_kib: memory_kib.unwrap_or(0), descriptors, disk_kib }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill(); // It may have ended already.
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
