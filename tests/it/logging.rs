//! Standard error without a reader: the server goes on, ends, and logs how many lines it dropped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::kit::{Http, PATIENCE, Scratch, TestServer, shanty};

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
    let metrics = crate::kit::http::ask(port, "GET /metrics", "", "").text();
    let dropped =
        metrics.lines().find_map(|line| line.strip_prefix("shanty_log_lines_dropped_total "));
    assert!(dropped.is_some_and(|count| count != "0"), "{dropped:?}");
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

#[test]
fn each_answer_names_its_lines_in_the_log() {
    for format in ["json", "text"] {
        let mut server = TestServer::with(&["--log", "debug", "--log-format", format]);
        let chosen = "X-Request-Id: chosen-by-the-client\r\n";
        let mut answers = vec![
            (server.ask("GET /healthz", chosen, ""), "GET /healthz 200"),
            (server.ask("GET /nowhere", chosen, ""), "GET /nowhere 404"),
            (
                server.send("POST /api/register", &json!({"username": "Ann"})),
                "POST /api/register 201",
            ),
            (server.ask("GET /chats/1/token", chosen, ""), "GET /chats/1/token 405"),
            (server.ask("GET /%zz", chosen, ""), "GET /%zz 400"),
        ];
        let mut http = server.http();
        http.send("GET / HTTP/1.1\r\nBad\r\n\r\n");
        answers.push((http.response(), "refused with 400"));
        let mut http = server.http();
        http.request("GET /r/1", "Authorization: Bearer none\r\n");
        answers.push((http.response(), "GET /r/1 401"));
        let log = server.stop().stderr;
        let mut seen = Vec::new();
        for (answer, line) in answers {
            let id = answer.header("x-request-id").expect("an id").to_owned();
            assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            let (before, after) = match format {
                "json" => (format!("\"message\":\"{line}"), format!("\"request\":\"{id}\"}}")),
                _ => (format!(" debug {line}"), format!(" request={id}")),
            };
            let lines = log.lines().filter(|line| line.contains(&before) && line.ends_with(&after));
            assert_eq!(lines.count(), 1, "{line}, {id}: {log}");
            assert!(!seen.contains(&id), "{id} is there twice");
            seen.push(id);
        }
        assert!(!log.contains("chosen"), "{log}");
    }
}

#[test]
fn every_line_of_a_json_log_is_json() {
    let mut server = TestServer::with(&["--log", "debug", "--log-format", "json"]);
    let ann = server.account("Ann");
    let mut pirate = server.pirate(&ann);
    pirate.say(&json!({"message": "between us"}));
    pirate.expect_ack();
    let log = server.stop().stderr;
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.len() > 3, "{log}");
    for line in &lines {
        assert!(crate::kit::ws::is_time(line["time"].as_str().expect("a time")), "{line}");
        assert!(["info", "debug", "warn"].contains(&line["level"].as_str().expect("a level")));
        assert!(line["message"].is_string(), "{line}");
    }
    assert_eq!(lines.last().expect("a line")["message"], "stopped");
    for secret in [ann.key.as_str(), &ann.cookie["session=".len()..], "between us"] {
        assert!(!log.contains(secret), "{secret}");
    }
    // Last words are JSON, too.
    let mut command = shanty();
    command.args(["--log-format", "json", "--db", "/nowhere/shanty.db"]);
    let end = crate::kit::run(command);
    let line: Value = serde_json::from_str(end.stderr.trim_end()).expect("JSON");
    assert_eq!((end.code, &line["level"]), (Some(1), &json!("error")));
}
