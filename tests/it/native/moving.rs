//! Joining and leaving while other users talk: a stream shows a room exactly while its user is a
//! member, whether it is live, behind or resumed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{FORMS, Form, Stream, User, number};
use crate::kit::TestServer;

/// A permanent member's view of a room.
#[derive(Default)]
struct Room {
    said: BTreeSet<u64>,
    /// Bob's joins and leaves.
    moves: BTreeMap<u64, bool>,
}

impl Room {
    fn was_in(&self, seq: u64) -> bool {
        self.moves.range(..seq).next_back().is_some_and(|(_, inside)| *inside)
    }
}

/// A follower's view.
#[derive(Default)]
struct Heard {
    said: BTreeMap<u64, u64>,
    inside: BTreeSet<u64>,
    resumed: usize,
}

impl Heard {
    fn take(&mut self, frame: &Value) {
        let room = || number(&frame["room"]);
        match frame["type"].as_str() {
            Some("message") if room() != 1 => {
                assert!(self.inside.contains(&room()), "not in that room: {frame}");
                assert_eq!(self.said.insert(number(&frame["seq"]), room()), None, "{frame}");
            }
            Some("room") => drop(self.inside.insert(number(&frame["room"]["id"]))),
            Some("room_gone") => drop(self.inside.remove(&room())),
            _ => {}
        }
    }
}

/// Follows from `since` until the end message in the lobby, resuming again and again.
fn follow(server: &TestServer, who: &User, form: Form, mut since: String, lots: usize) -> Heard {
    let mut heard = Heard::default();
    loop {
        let mut stream = server.stream(who, form, &since);
        heard.resumed += 1;
        for _ in 0..lots + heard.resumed * 7919 % lots {
            let frame = stream.next();
            if frame["type"] == "message" && frame["text"] == "the end" {
                return heard;
            }
            heard.take(&frame);
        }
        since = stream.since();
    }
}

fn talk(server: &TestServer, who: &User, rooms: [u64; 2], stop: &AtomicBool) {
    let mut ws = server.stream(who, Form::Ws, "?rooms=999999");
    let (mut open, mut index) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let room = rooms[index % 2];
        ws.say(
            &json!({"type": "send", "room": room, "client_id": format!("f{index}"), "text": "."}),
        );
        (open, index) = (open + 1, index + 1);
        if open == 8 {
            ws.find("ack");
            open -= 1;
        }
    }
    for _ in 0..open {
        ws.find("ack");
    }
}

#[test]
fn a_stream_shows_a_room_exactly_while_its_user_is_a_member() {
    let server = TestServer::with(&["--workers", "2"]);
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let rooms = ["Den", "Attic"].map(|title| server.public(&ann, title));
    let mut witness = server.live(&ann, Form::Ws);
    let since = witness.since();
    let stop = AtomicBool::new(false);
    let (known, followers) = std::thread::scope(|scope| {
        let (server, ann, bob, stop, since) = (&server, &ann, &bob, &stop, &since);
        let witness: &mut Stream = &mut witness;
        let watching = scope.spawn(move || {
            let mut known: BTreeMap<u64, Room> = BTreeMap::new();
            loop {
                let frame = witness.next();
                let seq = frame["seq"].as_u64();
                let room = frame["room"].as_u64();
                match (frame["type"].as_str(), seq, room) {
                    (Some("message"), _, Some(1)) => return known,
                    (Some("message"), Some(seq), Some(room)) => {
                        known.entry(room).or_default().said.insert(seq);
                    }
                    (Some("member"), Some(seq), Some(room)) => {
                        let moves = &mut known.entry(room).or_default().moves;
                        moves.insert(seq, frame["in"] == true);
                    }
                    _ => {}
                }
            }
        });
        let talking = scope.spawn(move || talk(server, ann, rooms, stop));
        let following: Vec<_> = FORMS
            .into_iter()
            .zip([40, 150, 100_000])
            .map(|(form, lots)| scope.spawn(move || follow(server, bob, form, since.clone(), lots)))
            .collect();
        for round in 0..60 {
            for (index, room) in rooms.into_iter().enumerate() {
                let path = format!("/rooms/{room}/membership");
                let into = (round + index) % 3 != 2 || round == 59;
                let method = if into { "PUT" } else { "DELETE" };
                let (status, body) = server.api(bob, method, &path, &Value::Null);
                assert!(matches!(status, 200 | 204), "{body}");
            }
        }
        stop.store(true, Ordering::Relaxed);
        talking.join().expect("a talker");
        server.tell(ann, 1, "the end");
        let following: Vec<Heard> =
            following.into_iter().map(|follower| follower.join().expect("a follower")).collect();
        (watching.join().expect("a witness"), following)
    });
    for heard in followers {
        assert_eq!(heard.inside.iter().copied().collect::<Vec<_>>(), rooms);
        for (seq, room) in &heard.said {
            assert!(known[room].was_in(*seq), "{seq} of {room} is not Bob's");
        }
        for (room, known) in &known {
            let came = known.moves.iter().rfind(|(_, inside)| **inside).map(|(seq, _)| *seq);
            // (A second join without a leave changes nothing.)
            for seq in known.said.range(came.expect("Bob came")..) {
                assert_eq!(heard.said.get(seq), Some(room), "{seq} is missing");
            }
        }
        let said: usize = known.values().map(|room| room.said.len()).sum();
        eprintln!("{} of {said} heard, resumed {} times", heard.said.len(), heard.resumed);
        assert!(heard.said.len() > said / 20, "{} of {said}", heard.said.len());
    }
}
