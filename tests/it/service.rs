//! The server as a service: what it tells systemd, sockets that are open before it, and the files
//! in `packaging/`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use shanty::config::{self, CliCommand};

use crate::kit::{Http, PATIENCE, Scratch, TestServer, clean, run, shanty};

fn packaging(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

#[test]
fn systemd_hears_when_it_is_ready_lives_and_stops() {
    let folder = Scratch::new();
    let path = folder.path("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut server = TestServer::of(move |db| {
        let mut command = shanty();
        command.args(["--listen", "127.0.0.1:0", "--db", db]);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000");
        command
    });
    let hear = || {
        let mut buffer = [0; 100];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8(buffer[..length].to_vec()).expect("ASCII")
    };
    assert_eq!(hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    // A server that hangs says nothing more.
    server.signal("STOP");
    socket.set_nonblocking(true).expect("a socket");
    while socket.recv(&mut [0; 100]).is_ok() {}
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(socket.recv(&mut [0; 100]).is_err(), "a stopped process quiets no watchdog");
    socket.set_nonblocking(false).expect("a socket");
    server.signal("CONT");
    assert_eq!(hear(), "WATCHDOG=1");
    assert_eq!(server.stop().code, Some(0));
    let mut last = hear();
    while last == "WATCHDOG=1" {
        last = hear();
    }
    assert_eq!(last, "STOPPING=1");
}

#[test]
fn a_supervisor_that_is_gone_stops_nothing() {
    let mut server = TestServer::of(|db| {
        let mut command = shanty();
        command.args(["--listen", "127.0.0.1:0", "--db", db]);
        command.env("NOTIFY_SOCKET", "/nowhere/notify");
        command
    });
    assert_eq!(server.ask("GET /readyz", "", "").status, 200);
    let end = server.stop();
    assert_eq!(end.code, Some(0));
    assert!(end.stderr.contains("cannot tell systemd READY=1"), "{end:?}");
}

#[test]
fn a_socket_that_is_open_before_the_server_is_its_own() {
    let activate = "systemd-socket-activate";
    if Command::new(activate).arg("--version").output().is_err() {
        println!("left out: there is no {activate} here");
        return;
    }
    let scratch = Scratch::new();
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let (free, other) = (free(), free());
    let mut command = clean(Command::new(activate));
    command.args(["-E", "SHANTY_LIMITS", "-l", &free.to_string(), "-l", &other.to_string()]);
    // The address of the socket counts, and not this one, which nobody may have.
    command.args([env!("CARGO_BIN_EXE_shanty"), "--listen", "192.0.2.1:1", "--db"]);
    command.arg(scratch.path("shanty.db")).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program that activates");
    crate::kit::until("the socket is open", || {
        std::net::TcpStream::connect(free).is_ok() // The first connection starts the server.
    });
    // Each of the sockets is a door.
    for address in [free, other, free] {
        let mut http = Http::connect(address.port());
        http.request("GET /readyz", "");
        assert_eq!(http.response().status, 200);
    }
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(stopped.expect("the program kill").success());
    assert_eq!(child.wait().expect("a child of ours").code(), Some(0));
}

#[test]
fn the_unit_is_hardened() {
    let text = fs::read_to_string(packaging("shanty.service")).expect("the unit");
    for line in ["Type=notify", "NoNewPrivileges=yes", "ProtectSystem=strict", "WatchdogSec=30"] {
        assert!(text.lines().any(|there| there == line), "{line}");
    }
    // Also with the right to open ports below 1024, by the lines that are only shown.
    let shown = ["#AmbientCapabilities=CAP_NET_BIND_SERVICE", "#PrivateUsers=no"];
    let opened = shown.iter().fold(text.clone(), |text, line| {
        assert!(text.lines().any(|there| there == *line), "{line}");
        text.replace(line, &line[1..])
    });
    let folder = Scratch::new();
    for (name, text) in [("as-it-is.service", text), ("low-ports.service", opened)] {
        fs::write(folder.path(name), text).expect("a file");
        let mut command = clean(Command::new("systemd-analyze"));
        command.args(["security", "--offline=true", "--threshold=20"]).arg(folder.path(name));
        if command.output().is_err() {
            println!("left out: there is no systemd-analyze here");
            return;
        }
        // It fails above 2.0.
        let end = run(command);
        assert_eq!(end.code, Some(0), "{end:?}");
    }
}

#[test]
fn the_packaged_configuration_is_valid() {
    let text = fs::read_to_string(packaging("shanty.toml")).expect("the file");
    // Also with everything that is only shown.
    let shown = text.replace("\n#", "\n").replace("\n ", "\n# ");
    for text in [text, shown] {
        let folder = Scratch::new();
        fs::write(folder.path("shanty.toml"), &text).expect("a file");
        let mut command = shanty();
        command.args(["config", "check", "--config", &folder.path("shanty.toml")]);
        let end = run(command);
        assert_eq!(end.code, Some(0), "{text}: {end:?}");
    }
}

#[test]
fn manual_and_completions_know_every_command() {
    let words = [std::ffi::OsString::from("--help")];
    let Ok(CliCommand::Print(help)) = config::parse(words, |_| None, &|_| Ok(String::new())) else {
        panic!("no help")
    };
    let usage = help.split("\n\n").find(|part| part.starts_with("Usage:")).expect("the usage");
    let words = usage.split([' ', '|', '\n']).filter(|word| !word.is_empty());
    let is_command = |word: &&str| word.chars().all(|char| char.is_ascii_lowercase());
    let commands: Vec<&str> =
        words.filter(is_command).filter(|word| !["shanty", "check"].contains(word)).collect();
    assert!(commands.len() >= 8, "{commands:?}");
    let tasks = help.lines().filter_map(|line| line.strip_prefix("  admin ")?.split(' ').next());
    let commands: Vec<&str> = commands.into_iter().chain(tasks).collect();
    assert!(commands.contains(&"recover") && commands.contains(&"invite"), "{commands:?}");
    let files =
        ["shanty.1", "completions/shanty.bash", "completions/shanty.fish", "completions/_shanty"];
    for file in files {
        let text = fs::read_to_string(packaging(file)).expect(file);
        for command in &commands {
            assert!(text.contains(command), "{file} does not know {command}");
        }
    }
}
