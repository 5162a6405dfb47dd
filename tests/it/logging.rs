//! Standard error without a reader: the server goes on, ends, and logs how many lines it dropped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Instant;

use crate::kit::{Http, PATIENCE, Scratch, shanty};

/// A server that logs everything into an unread pipe; and its port.
fn talkative(scratch: &Scratch) -> (Child, u16) {
    let mut command = shanty();
    command.args(["--listen", "127.0.0.1:0", "--log", "debug", "--db"]);
    command.arg(scratch.path("shanty.db")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the server's binary");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("where it listens");
    let port = line.trim_end().rsplit_once(':').expect("a port").1.parse().expect("a number");
    (child, port)
}

/// More requests than the pipe and the log queue hold lines; each is answered.
fn talk(port: u16) {
    let mut http = Http::connect(port);
    for _ in 0..4_000 {
        http.request("GET /healthz", "");
        assert_eq!(http.response().status, 200);
    }
}

fn end(child: &mut Child) -> Option<i32> {
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.expect("the program kill").success());
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status.code();
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let _ = child.kill();
    panic!("it does not end while nobody reads what it says");
}

#[test]
fn an_unread_log_delays_nothing() {
    let scratch = Scratch::new();
    let (mut child, port) = talkative(&scratch);
    talk(port);
    assert_eq!(end(&mut child), Some(0));
}

#[test]
fn a_late_reader_of_the_log_gets_the_dropped_count_and_the_last_lines() {
    let scratch = Scratch::new();
    let (mut child, port) = talkative(&scratch);
    talk(port);
    let mut stderr = child.stderr.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).expect("UTF-8");
        text
    });
    // One more line is written as soon as there is room again.
    talk(port);
    assert_eq!(end(&mut child), Some(0));
    let text = reader.join().expect("a reader");
    assert!(text.contains(" lines are left out: nobody read\n"), "{text:.500}");
    assert!(text.ends_with(" info  stopped\n"), "its last words are there");
}
