//! Clients of Piratchat and ChitChat that read more slowly than the room talks: each costs the
//! server a number and not a queue, and gets every message, once and in order.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::ws::{TEXT, frame};
use crate::kit::{Http, TestServer, Ws};

const COUNT: usize = 1200;
/// The text of the last message.
const END: &str = "that was all";

/// A connection with a small receive buffer, so that frames queue at the server.
fn narrow(server: &TestServer) -> Http {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.port()));
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("a small buffer");
    socket.connect(&address.into()).expect("the server listens");
    Http { stream: socket.into(), buffer: Vec::new() }
}

/// Reads some 200 kB a second: every event up to the last message, and the joins and leaves, which
/// may follow it.
fn read(mut ws: Ws) -> Vec<Value> {
    let (mut heard, mut missing) = (Vec::new(), vec!["end", "Stay", "Gone"]);
    loop {
        heard.push(ws.json());
        let last = heard.last().expect("just pushed");
        let event = last["event"].as_str().or(last["event_type"].as_str());
        let name = last["username"].as_str().or(last["name"].as_str());
        let found = match (event, name) {
            (Some("join" | "leave"), Some(name)) => name,
            _ if last["message"] == json!(END) || last["msg"] == json!(END) => "end",
            _ => "",
        };
        missing.retain(|number| *number != found);
        if missing.is_empty() {
            return heard;
        }
        // This sets the speed.
        thread::sleep(Duration::from_millis(6));
    }
}

/// Bob's messages, by number; each once, and in order.
fn expect_all(texts: impl Iterator<Item = String>) {
    let mut next = 0;
    for text in texts {
        let number = text.split(' ').next().and_then(|number| number.parse::<usize>().ok());
        assert_eq!(number, Some(next), "{text:.20}");
        next += 1;
    }
    assert_eq!(next, COUNT);
}

/// The net joins and leaves of a user: the events whose `name` begins with that word.
fn count(heard: &[Value], kind: &str, event: &str, field: &str, name: &str) -> usize {
    let same = |one: &&Value| one[kind] == json!(event) && one[field] == json!(name);
    heard.iter().filter(same).count()
}

#[test]
fn slow_clients_of_the_older_protocols_get_every_message_once_in_order() {
    let server = TestServer::with(&["--limits", "off"]);
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut gone = server.guest(1, "Gone");
    let mut at_bob = server.pirate(&bob);
    let cookie = format!("Cookie: {}\r\n", ann.cookie);
    let mut pirate = Ws::upgrade(narrow(&server), "/ws", &cookie).expect("a websocket");
    at_bob.expect_text(r#"{"event":"join","username":"Ann"}"#);
    let mut guest = Ws::upgrade(narrow(&server), "/chats/1/ws", "").expect("a websocket");
    guest.say(&json!({"event_type": "join", "name": "Slow"}));
    at_bob.expect_text(r#"{"event":"join","username":"Slow"}"#);
    let mut said = Vec::new();
    for index in 0..COUNT {
        let text = format!("{index} {}", "\u{1F600}".repeat(290));
        said.extend(frame(TEXT, true, json!({"message": text}).to_string().as_bytes()));
    }
    let mut writer = at_bob.http.stream.try_clone().expect("a second handle");
    let talker = thread::spawn(move || {
        std::io::Write::write_all(&mut writer, &said).expect("the server reads on");
    });
    // The two lag by now, or soon: their own messages pass all the same.
    for _ in 0..COUNT / 2 {
        at_bob.expect_ack();
    }
    pirate.say(&json!({"message": "from Ann"}));
    guest.say(&json!({"event_type": "send", "name": "Slow", "msg": "from Slow"}));
    // (Other events may come in between.)
    let come = |name: &str| {
        let mut ws = server.ws("/chats/1/ws", "");
        ws.say(&json!({"event_type": "join", "name": name}));
        let is_it = |one: &Value| one["event_type"] == "join" && one["name"] == name;
        while !is_it(&ws.json()) {}
        ws
    };
    come("Blink").bye();
    let stay = come("Stay");
    gone.say(&json!({"event_type": "leave", "name": "Gone"}));
    let readers = [pirate, guest].map(|ws| thread::spawn(move || read(ws)));
    let mut acks = COUNT / 2;
    while acks < COUNT {
        acks += usize::from(at_bob.json() == json!({"status": true}));
    }
    at_bob.say(&json!({"message": END}));
    talker.join().expect("all was sent");
    let [at_pirate, at_guest] = readers.map(|reader| reader.join().expect("all was heard"));

    let texts = at_pirate.iter().filter(|event| event["author"] == json!("Bob"));
    let texts = texts.filter_map(|event| event["message"].as_str()).filter(|text| *text != END);
    expect_all(texts.map(str::to_owned));
    let texts = at_guest.iter().filter(|event| event["name"] == json!("Bob"));
    let texts = texts.filter(|event| event["event_type"] == json!("send"));
    let texts = texts.filter_map(|event| event["msg"].as_str()).filter(|text| *text != END);
    expect_all(texts.map(str::to_owned));
    // Piratchat acknowledges a client's own message, ChitChat broadcasts it.
    assert_eq!(at_pirate.iter().filter(|event| **event == json!({"status": true})).count(), 1);
    assert_eq!(count(&at_pirate, "message", "from Ann", "author", "Ann"), 0);
    assert_eq!(count(&at_pirate, "message", "from Slow", "author", "Slow"), 1);
    assert_eq!(count(&at_guest, "msg", "from Slow", "name", "Slow"), 1);
    assert_eq!(count(&at_guest, "msg", "from Ann", "name", "Ann"), 1);
    // A join stays announced, a leave, too; a join with its leave may be skipped.
    let moves = |name: &str| {
        [("join", "event", "username"), ("leave", "event", "username")]
            .map(|(event, kind, field)| count(&at_pirate, kind, event, field, name))
    };
    assert_eq!((moves("Stay"), moves("Gone")), ([1, 0], [0, 1]));
    assert_eq!(moves("Blink")[0], moves("Blink")[1]);
    drop(stay);
}
