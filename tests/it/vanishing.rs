//! Peers that vanish silently: a pulled cable, a phone in a lift. The kernel gets no answer from
//! them, not even an error. The test needs its own network namespace.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::kit::TestServer;

/// A network namespace, linked to this machine by one veth pair. Removed on drop.
struct Network {
    name: String,
    /// Our address on that link.
    ours: String,
}

impl Network {
    /// `None`: this machine does not permit it, and the test has printed so.
    fn new(number: u8) -> Option<Network> {
        let id = std::process::id();
        let (name, near, far) = (format!("shanty{id}n{number}"), "a", "b");
        let (near, far) = (format!("s{id}{near}{number}"), format!("s{id}{far}{number}"));
        let net = format!("10.{}.{}", 100 + id / 250 % 100, id % 250);
        let (ours, theirs) = (format!("{net}.{}", 4 * number + 1), 4 * number + 2);
        let made = ip(&["netns", "add", &name]);
        if let Err(why) = made {
            eprintln!("skipped: no network of its own can be made here ({why})");
            return None;
        }
        let network = Network { name, ours };
        let within = &network.name;
        for words in [
            format!("link add {near} type veth peer name {far} netns {within}"),
            format!("addr add {}/30 dev {near}", network.ours),
            format!("link set {near} up"),
            format!("-n {within} addr add {net}.{theirs}/30 dev {far}"),
            format!("-n {within} link set {far} up"),
        ] {
            if let Err(why) = ip(&words.split(' ').collect::<Vec<_>>()) {
                eprintln!("skipped: no network of its own can be made here ({words}: {why})");
                return None;
            }
        }
        Some(network)
    }

    /// Drops every packet from here on, silently.
    fn cut(&self) {
        let id = self.name.trim_start_matches("shanty").split('n').next().expect("a number");
        let number = self.name.rsplit('n').next().expect("a number");
        let far = format!("s{id}b{number}");
        ip(&["-n", &self.name, "link", "set", &far, "down"]).expect("it was up");
    }

    /// A client in the namespace, which sends `request` and records the answer.
    fn client(&self, port: u16, request: &str) -> Client {
        let script = r#"exec 3<>"/dev/tcp/$0/$1"; printf '%b' "$2" >&3; exec cat <&3"#;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "bash", "-c", script, &self.ours]);
        command.args([&port.to_string(), request]);
        Client(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("bash"))
    }
}

const EVENTS: &str = "/api/v1/events";

/// A process that waits for ever. Killed on drop.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.name]); // The link goes with it.
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(words).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// A listener of a stream in that form vanishes, and its leave is broadcast, even if nothing is
/// said meanwhile. `last`: the end of the stream's opening.
fn vanishes(number: u8, path: &str, accept: &str, last: &str, quiet: bool) {
    let Some(network) = Network::new(number) else { return };
    let flags = ["--listen", "0.0.0.0:0", "--ping-interval", "500", "--pong-deadline", "1000"];
    let server = TestServer::with(&flags);
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let entered = server.ask_as("PUT /api/v1/rooms/1/membership", &ann);
    assert_eq!(entered.status, 200, "{entered:?}");
    let mut at_bob = server.pirate(&bob);
    let who = format!("Host: h\\r\\nAuthorization: Bearer {}\\r\\n", ann.key);
    let request = format!("GET {path} HTTP/1.1\\r\\n{who}{accept}\\r\\n");
    let mut client = network.client(server.port(), &request);
    let mut heard = BufReader::new(client.0.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains(last) {
        line.clear();
        assert!(heard.read_line(&mut line).expect("text") > 0, "the stream has ended");
    }
    at_bob.expect_text(r#"{"event":"join","username":"Ann"}"#);
    network.cut();
    // The vanished kernel acknowledges nothing from here on.
    if !quiet {
        at_bob.say(&serde_json::json!({"message": "are you there?"}));
        at_bob.expect_ack();
    }
    at_bob.expect_text(r#"{"event":"leave","username":"Ann"}"#);
}

#[test]
fn who_listens_to_server_sent_events_and_vanishes_is_heard_to_leave() {
    vanishes(0, EVENTS, "Accept: text/event-stream\\r\\n", "caught_up", false);
}

#[test]
fn who_listens_to_lines_and_vanishes_is_heard_to_leave() {
    vanishes(1, EVENTS, "", "caught_up", false);
}

#[test]
fn who_listens_to_a_quiet_room_and_vanishes_is_heard_to_leave() {
    vanishes(2, EVENTS, "", "caught_up", true);
    vanishes(3, "/r/1", "", "times are in UTC", true);
}
