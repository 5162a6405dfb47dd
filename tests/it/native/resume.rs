//! Resuming: no event is missed, and none comes twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{FORMS, Form, Stream, User, head, number, talk, text};
use crate::kit::{Http, TestServer};

#[test]
fn a_stream_resumes_after_none_one_and_three_thousand_events() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let mut at_bob = server.live(&bob, Form::Lines);
    server.tell(&ann, 1, "known");
    at_bob.expect("message");
    let cursor = at_bob.since();
    for form in FORMS {
        let mut same = server.stream(&bob, form, &cursor);
        assert_eq!(same.from, at_bob.seq);
        assert_eq!(same.missed(), Vec::<Value>::new());
    }
    server.tell(&ann, 1, "missed 0");
    let message = at_bob.expect("message");
    for form in FORMS {
        assert_eq!(server.stream(&bob, form, &cursor).missed(), vec![message.clone()]);
    }
    talk(&server, &ann, 1, (1..3000).map(|index| format!("missed {index}")));
    // While one stream catches up, other users talk.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let talker = scope.spawn(|| {
            let more = (3000..).take_while(|index| *index < 3100 || !stop.load(Ordering::Relaxed));
            talk(&server, &ann, 1, more.take(100_000).map(|index| format!("missed {index}")))
        });
        let mut streams: Vec<Stream> =
            FORMS.iter().map(|form| server.stream(&bob, *form, &cursor)).collect();
        let mut counts = Vec::new();
        for stream in &mut streams {
            let missed = stream.missed();
            assert!(missed.len() >= 3000, "{}", missed.len());
            check(&missed, 0);
            counts.push(missed.len());
        }
        stop.store(true, Ordering::Relaxed);
        let last = talker.join().expect("a talker");
        for (stream, mut next) in streams.iter_mut().zip(counts) {
            while stream.seq < last {
                check(&[stream.expect("message")], next);
                next += 1;
            }
        }
    });
}

/// Expects the messages from that number on, each once.
fn check(frames: &[Value], from: usize) {
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame["text"], format!("missed {}", from + index), "{frame}");
    }
}

#[test]
fn kill_9_costs_a_stream_nothing() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    server.enter(&bob, room);
    let mut at_bob = FORMS.map(|form| server.live(&bob, form));
    let mut heard: [BTreeMap<u64, String>; 3] = Default::default();
    let mut acked = BTreeMap::new();
    for round in 0..3 {
        let mut at_ann = server.live(&ann, Form::Ws);
        let mut asked = 0;
        // Killed at any moment: answers and frames are cut off anywhere.
        for index in 0..300 {
            let text = format!("{round}-{index}");
            let id = format!("k{text}");
            let send = json!({"type": "send", "room": room, "client_id": id, "text": text});
            at_ann.say(&send);
            asked += 1;
            while asked > 16 {
                let ack = at_ann.find("ack");
                acked.insert(number(&ack["seq"]), text_of(&ack));
                asked -= 1;
            }
        }
        server.kill();
        for (stream, heard) in at_bob.iter_mut().zip(&mut heard) {
            drain(stream, heard);
        }
        server.go_on();
        for (stream, heard) in at_bob.iter_mut().zip(&mut heard) {
            let form = stream.form;
            // A browser's reconnection: the header counts, and not the old address.
            *stream = if form == Form::Sse {
                let header = format!("{}Last-Event-ID: {}\r\n", bob.bearer(), stream.cursor());
                let old = format!("?since={}:0", stream.epoch);
                Stream::open(server.port(), &header, form, &old)
            } else {
                server.stream(&bob, form, &stream.since())
            };
            for frame in stream.missed() {
                note(&frame, heard);
            }
        }
    }
    server.tell(&ann, room, "the end");
    for (stream, heard) in at_bob.iter_mut().zip(&mut heard) {
        stream.texts_until("the end");
        for (seq, said) in &acked {
            assert_eq!(heard.get(seq), Some(said), "acknowledged, and not heard");
        }
    }
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0], heard[2]);
    let rows = server.log().into_iter().filter(|row| row.kind == "said");
    let logged = rows.filter(|row| row.text.as_deref() != Some("the end")).count();
    assert_eq!(logged, heard[0].len());
}

fn text_of(ack: &Value) -> String {
    text(&ack["client_id"])[1..].to_owned()
}

fn note(frame: &Value, heard: &mut BTreeMap<u64, String>) {
    if frame["type"] == "message" {
        let twice = heard.insert(number(&frame["seq"]), text(&frame["text"]));
        assert_eq!(twice, None, "{frame}");
    }
}

/// Reads the rest of a stream that was cut off anywhere.
fn drain(stream: &mut Stream, heard: &mut BTreeMap<u64, String>) {
    while stream.ws.http.fill() {}
    let end: &[u8] = if stream.form == Form::Sse { b"\n\n" } else { b"\n" };
    let form = stream.form;
    let whole = |http: &[u8]| match form {
        Form::Ws if http.len() < 2 => false,
        Form::Ws => {
            let (start, length) = match http[1] {
                126 if http.len() < 4 => return false,
                126 => (4, usize::from(http[2]) << 8 | usize::from(http[3])),
                127 => panic!("longer than these are"),
                length => (2, usize::from(length)),
            };
            http.len() >= start + length
        }
        _ => http.windows(end.len()).any(|bytes| bytes == end),
    };
    let mut frames = Vec::new();
    loop {
        if !whole(&stream.ws.http.buffer) {
            break;
        }
        frames.push(stream.frame().expect("a whole frame"));
    }
    for frame in frames {
        note(&frame, heard);
    }
}

#[test]
fn a_cursor_of_another_log_is_reset() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let about = server.ask("GET /api/v1/server", "", "").json();
    let (epoch, head) = (text(&about["epoch"]), number(&about["seq"]));
    for form in FORMS {
        for (since, reason) in [
            ("other:1".to_owned(), "epoch"),
            (format!("{epoch}:{}", head + 1), "ahead"),
            (format!("{epoch}:{}", i64::MAX), "ahead"),
            (format!("00{epoch}:0"), "epoch"),
        ] {
            let mut stream = server.stream(&ann, form, &format!("?since={since}"));
            let reset = stream.expect("reset");
            let expected = json!({"type": "reset", "reason": reason, "epoch": epoch, "seq": head});
            assert_eq!((reset, stream.from), (expected, head));
            assert_eq!(stream.expect("caught_up")["seq"], head);
        }
        // The log's current position is not ahead.
        let mut stream = server.stream(&ann, form, &format!("?since={epoch}:{head}"));
        assert_eq!(stream.expect("caught_up")["seq"], head);
    }
}

#[test]
fn a_resumed_view_ends_in_the_current_state() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let from = server.live(&bob, Form::Lines).since();
    let seqs: Vec<u64> =
        (0..3).map(|index| number(&server.tell(&ann, 1, &format!("m{index}"))["seq"])).collect();
    let path = |seq: u64| format!("/rooms/1/messages/{seq}");
    let change = |seq: u64, text: &str| {
        assert_eq!(server.api(&ann, "PATCH", &path(seq), &json!({"text": text})).0, 200);
    };
    change(seqs[0], "first");
    let sign = format!("{}/reactions/%F0%9F%8E%89", path(seqs[0]));
    assert_eq!(server.api(&bob, "PUT", &sign, &Value::Null).0, 200);
    let between =
        server.stream(&bob, Form::Lines, &from).missed().last().map(|frame| number(&frame["seq"]));
    change(seqs[0], "second");
    change(seqs[1], "gone soon");
    assert_eq!(server.api(&ann, "DELETE", &path(seqs[1]), &Value::Null).0, 204);
    let now = server.get(&bob, "/rooms/1/messages?limit=3");
    let epoch = from.trim_start_matches("?since=").split(':').next().expect("an epoch").to_owned();
    // Wherever a client resumes, it ends with the current state.
    for form in FORMS {
        let mut shown: BTreeMap<u64, Value> = BTreeMap::new();
        for frame in server.stream(&bob, form, &from).missed() {
            apply(&frame, &mut shown);
        }
        same(&now, &shown);
        let resumed = format!("?since={epoch}:{}", between.expect("a number"));
        for frame in server.stream(&bob, form, &resumed).missed() {
            apply(&frame, &mut shown);
        }
        same(&now, &shown);
    }
}

/// Applies a frame as a client does.
fn apply(frame: &Value, shown: &mut BTreeMap<u64, Value>) {
    let target = frame["target"].as_u64().or(frame["seq"].as_u64()).expect("a number");
    match text(&frame["type"]).as_str() {
        "message" => drop(shown.insert(target, frame.clone())),
        "edit" => shown.get_mut(&target).expect("known")["text"] = frame["text"].clone(),
        "delete" => {
            let message = shown.get_mut(&target).expect("known");
            (message["deleted"], message["text"]) = (json!(true), Value::Null);
        }
        _ => {}
    }
}

fn same(now: &Value, shown: &BTreeMap<u64, Value>) {
    for message in now["messages"].as_array().expect("a list") {
        let here = &shown[&number(&message["seq"])];
        assert_eq!(message["text"], here["text"]);
        assert_eq!(message["deleted"] == true, here["deleted"] == true);
    }
}

#[test]
fn many_streams_come_and_go_while_others_talk() {
    let server = TestServer::with(&["--workers", "2"]);
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let first = server.live(&bob, Form::Lines).since();
    let over = AtomicBool::new(false);
    let last = std::thread::scope(|scope| {
        let followers: Vec<_> = FORMS
            .iter()
            .map(|form| {
                let (server, bob, over, mut since) = (&server, &bob, &over, first.clone());
                scope.spawn(move || {
                    let mut next = 0;
                    let mut rounds = 0;
                    while next < 2000 {
                        let mut stream = server.stream(bob, *form, &since);
                        // Sometimes among the missed events, sometimes among the live ones.
                        rounds += 1;
                        let many = rounds * 37 % 300;
                        for _ in 0..many {
                            let frame = stream.next();
                            if frame["type"] == "message" {
                                check(&[frame], next);
                                next += 1;
                            }
                            if next == 2000 {
                                break;
                            }
                        }
                        since = stream.since();
                        assert!(rounds < 1000 || !over.load(Ordering::Relaxed));
                    }
                })
            })
            .collect();
        let last = talk(&server, &ann, 1, (0..2000).map(|index| format!("missed {index}")));
        over.store(true, Ordering::Relaxed);
        for follower in followers {
            follower.join().expect("a follower");
        }
        last
    });
    assert!(last > 0);
}

#[test]
fn all_clients_reconnect_at_once() {
    let mut server = TestServer::start();
    let ann = server.user("Ann");
    let crowd: Vec<User> = (0..20)
        .map(|index| {
            let guest = json!({"name": format!("Guest{index}")});
            let made = server.send("POST /api/v1/guests", &guest).json();
            User { key: String::new(), session: text(&made["session"]) }
        })
        .collect();
    let from = server.live(&ann, Form::Lines).since();
    talk(&server, &ann, 1, (0..100).map(|index| format!("missed {index}")));
    server.kill();
    server.go_on();
    // A refused EventSource does not try again, so none may be refused.
    let mut asking: Vec<Http> = Vec::new();
    for who in crowd.iter().cycle().take(crowd.len() * 15) {
        let mut http = server.http();
        let headers = format!("{}Accept: text/event-stream\r\n", who.bearer());
        http.request(&format!("GET /api/v1/events{from}"), &headers);
        asking.push(http);
    }
    for mut http in asking {
        let response = head(&mut http);
        assert_eq!(response.status, 200, "{response:?}");
        let all = |http: &Http| {
            let heard = String::from_utf8_lossy(&http.buffer);
            (heard.matches("missed ").count(), heard.contains("caught_up"))
        };
        while !all(&http).1 {
            assert!(http.fill(), "it was ended: {:?}", all(&http));
        }
        assert_eq!(all(&http).0, 100);
    }
}

#[test]
fn a_deleted_room_is_announced_to_its_members() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let (former, eve) = (server.user("Former"), server.user("Eve"));
    let epoch = text(&server.ask("GET /api/v1/server", "", "").json()["epoch"]);
    for (index, visibility) in ["public", "private", "hidden"].into_iter().enumerate() {
        let mut settings = json!({"title": visibility, "visibility": visibility});
        let mut key = Value::Null;
        if visibility != "public" {
            key = json!({"password": "open sesame"});
            settings["password"] = key["password"].clone();
        }
        let mut stayed =
            [&ann, &bob, &former, &eve].map(|who| (server.live(who, Form::Lines), Vec::new()));
        let from = format!("?since={epoch}:{}", stayed[0].0.from);
        let room = server.make(&ann, &settings);
        let membership = format!("/rooms/{room}/membership");
        for who in [&bob, &former] {
            assert_eq!(server.api(who, "PUT", &membership, &key).0, 200);
        }
        server.tell(&bob, room, "what is said here");
        assert_eq!(server.api(&former, "DELETE", &membership, &Value::Null).0, 204);
        assert_eq!(server.api(&ann, "DELETE", &format!("/rooms/{room}"), &Value::Null).0, 204);
        server.tell(&ann, 1, "the end");
        for (stream, gone) in &mut stayed {
            loop {
                let frame = stream.next();
                match text(&frame["type"]).as_str() {
                    "room_gone" => gone.push(frame),
                    "message" if frame["text"] == "the end" => break,
                    _ => {}
                }
            }
        }
        let counts: Vec<usize> = stayed.iter().map(|(_, gone)| gone.len()).collect();
        assert_eq!(counts, [1, 1, 1, 0], "who left before has heard of it then");
        // A member that was away gets the same, and a user that never was a member does not learn
        // the id.
        for (who, (_, gone)) in [&ann, &bob, &former, &eve].into_iter().zip(&stayed) {
            let mut missed = server.stream(who, FORMS[index], &from).missed();
            if gone.is_empty() {
                assert!(missed.iter().all(|frame| frame["room"] == 1), "{missed:?}");
            }
            missed.retain(|frame| frame["type"] == "room_gone");
            assert_eq!(missed, *gone);
        }
    }
}
