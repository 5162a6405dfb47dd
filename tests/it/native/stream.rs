//! The live stream: its forms, messages sent through it, and its end.

use serde_json::{Value, json};

use super::{FORMS, Form, Stream, head, number, text};
use crate::kit::{Http, PATIENCE, TestServer};

const NOTHING: &Value = &Value::Null;

#[test]
fn every_form_tells_the_same() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    server.enter(&bob, room);
    let mut streams = FORMS.map(|form| server.stream(&bob, form, ""));
    let start = number(&server.ask("GET /api/v1/server", "", "").json()["seq"]);
    for stream in &mut streams {
        assert_eq!(stream.from, start);
        let caught_up = stream.expect("caught_up");
        assert_eq!(caught_up["seq"], start);
        assert!(caught_up["read"][room.to_string()].is_u64(), "{caught_up}");
    }
    let mut at_ann = server.live(&ann, Form::Ws);
    let seq = at_ann.send(room, "a1", "hello\nthere @bob \u{2028} \"quoted\" 👍");
    at_ann.say(&json!({"type": "typing", "room": room}));
    at_ann
        .say(&json!({"type": "edit", "room": room, "target": seq, "text": "x", "client_id": "a2"}));
    let sign = json!({"type": "react", "room": room, "target": seq, "emoji": "🎉", "on": true,
        "client_id": "a3"});
    at_ann.say(&sign);
    at_ann.say(&json!({"type": "delete", "room": room, "target": seq, "client_id": "a4"}));
    for id in ["a2", "a3", "a4"] {
        assert_eq!(at_ann.find("ack")["client_id"], id, "acks in the order of the requests");
    }
    let (status, _) =
        server.api(&ann, "PATCH", &format!("/rooms/{room}"), &json!({"title": "Lair"}));
    assert_eq!(status, 200);
    drop(at_ann);
    let mut told: Vec<Vec<Value>> = Vec::new();
    for stream in &mut streams {
        let mut frames = Vec::new();
        loop {
            let frame = stream.frame().expect("a frame");
            let over = frame["type"] == "presence" && frame["online"] == false;
            // Ann joins the lobby, too.
            if frame["room"] == 1 {
                continue;
            }
            frames.push(frame);
            if over {
                break;
            }
        }
        told.push(frames);
    }
    let kinds: Vec<&str> = told[0].iter().filter_map(|frame| frame["type"].as_str()).collect();
    let expected =
        ["presence", "message", "typing", "edit", "reaction", "delete", "room", "presence"];
    assert_eq!(kinds, expected, "{:?}", told[0]);
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
    // Replayed from the log, the frames are the same but for later changes.
    let since = format!("?since={}:{start}", streams[0].epoch);
    for form in FORMS {
        let again = server.stream(&bob, form, &since).missed();
        let logged = told[0].iter().filter(|frame| frame["seq"].is_u64()).cloned();
        // A room is replayed in its current state; Ann is not a member any more.
        let logged: Vec<Value> = logged
            .map(|mut frame| {
                if frame["type"] == "room" {
                    frame["room"]["online"] = json!(1);
                }
                frame
            })
            .collect();
        assert_eq!(again[0]["deleted"], true);
        assert_eq!(again[0]["text"], Value::Null);
        // (An edit's text is deleted with the message.)
        for frame in &again[1..] {
            assert!(logged.contains(frame), "{frame} in {logged:?}");
        }
        assert_eq!(again.last(), logged.last(), "{again:?}");
    }
}

#[test]
fn refusals_are_answered_and_the_stream_goes_on() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let mut ws = server.live(&ann, Form::Ws);
    for (said, code, field) in [
        ("not json", "invalid_json", None),
        ("[1]", "invalid_json", None),
        (r#"{"room":1}"#, "invalid_field", Some("type")),
        (r#"{"type":"shout","room":1}"#, "invalid_field", Some("type")),
        (r#"{"type":"send","client_id":"x","text":"a"}"#, "invalid_field", Some("room")),
        (r#"{"type":"send","room":1,"text":"a"}"#, "invalid_field", Some("client_id")),
        (r#"{"type":"send","room":1,"client_id":"x"}"#, "invalid_field", Some("text")),
        (r#"{"type":"send","room":1,"client_id":"x","text":""}"#, "message_empty", None),
        (r#"{"type":"send","room":77,"client_id":"x","text":"a"}"#, "room_not_found", None),
        (
            r#"{"type":"edit","room":1,"client_id":"x","target":1,"text":"a"}"#,
            "message_not_found",
            None,
        ),
        (
            r#"{"type":"react","room":1,"client_id":"x","target":1,"emoji":"no","on":true}"#,
            "invalid_field",
            Some("emoji"),
        ),
        (r#"{"type":"read","room":1}"#, "invalid_field", Some("seq")),
    ] {
        ws.ws.text(said);
        let error = ws.expect("error");
        assert_eq!(error["error"]["code"], code, "{said} {error}");
        assert_eq!(
            error["error"]["field"],
            field.map_or(Value::Null, |field| json!(field)),
            "{said}"
        );
        let mark = if said.contains(r#""x""#) { json!("x") } else { Value::Null };
        assert_eq!(error["client_id"], mark, "{said}");
    }
    // Many at once: a reply for each, in order, positive or not.
    for index in 0..100 {
        let text = if index % 3 == 0 { "" } else { "said" };
        let id = format!("p{index}");
        ws.say(&json!({"type": "send", "room": 1, "client_id": id, "text": text}));
    }
    let mut last = 0;
    for index in 0..100 {
        let answer = loop {
            let frame = ws.next();
            if frame["type"] != "message" {
                break frame;
            }
        };
        assert_eq!(answer["client_id"], format!("p{index}"), "{answer}");
        let expected = if index % 3 == 0 { "error" } else { "ack" };
        assert_eq!(answer["type"], expected);
        if expected == "ack" {
            assert!(number(&answer["seq"]) > last);
            last = number(&answer["seq"]);
        }
    }
    ws.ws.frame(crate::kit::ws::BINARY, true, b"x");
    loop {
        if let crate::kit::Heard::Close(code, _) = ws.ws.hear() {
            break assert_eq!(code, 1003);
        }
    }
}

#[test]
fn memberships_are_heard_as_they_come_and_go() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    let mut at_ann = server.live(&ann, Form::Ws);
    let mut at_bob = [server.live(&bob, Form::Ws), server.live(&bob, Form::Sse)];
    server.tell(&ann, room, "before");
    for round in 0..3 {
        server.enter(&bob, room);
        let seq = at_ann.send(room, &format!("in{round}"), "inside");
        for stream in &mut at_bob {
            let told = stream.expect("room");
            let (id, member) = (&told["room"]["id"], &told["room"]["member"]);
            assert_eq!((id, member), (&json!(room), &json!(true)), "{told}");
            assert_eq!(stream.expect("message")["seq"], seq);
        }
        let path = format!("/rooms/{room}/membership");
        assert_eq!(server.api(&bob, "DELETE", &path, NOTHING).0, 204);
        at_ann.send(room, &format!("out{round}"), "outside");
        for stream in &mut at_bob {
            assert_eq!(stream.expect("room_gone")["room"], room);
        }
    }
    server.tell(&ann, 1, "in the lobby");
    for stream in &mut at_bob {
        assert_eq!(stream.expect("message")["text"], "in the lobby", "nothing from outside");
    }
    let told: Vec<Value> = server
        .stream(&ann, Form::Lines, &format!("?since={}:0", at_ann.epoch))
        .missed()
        .into_iter()
        .filter(|frame| frame["type"] == "member")
        .collect();
    let comings: Vec<bool> = told.iter().map(|frame| frame["in"] == true).collect();
    assert_eq!(comings, [true, false].repeat(3), "{told:?}");
    assert!(told.iter().all(|frame| frame["name"] == "Bob"));
}

#[test]
fn only_the_rooms_that_were_named() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let (den, attic) = (server.public(&ann, "Den"), server.public(&ann, "Attic"));
    let from = format!("{}:0", text(&server.ask("GET /api/v1/server", "", "").json()["epoch"]));
    let mut live = server.stream(&ann, Form::Ws, &format!("?rooms={den},{attic}"));
    live.expect("caught_up");
    for room in [1, den, attic, 1, den] {
        server.tell(&ann, room, &format!("in {room}"));
    }
    let expected = [den, attic, den];
    for room in expected {
        assert_eq!(live.expect("message")["room"], room);
    }
    let mut later = server.stream(&ann, Form::Sse, &format!("?since={from}&rooms={den}"));
    for frame in later.missed() {
        assert_eq!(frame["room"].as_u64().or(frame["room"]["id"].as_u64()), Some(den), "{frame}");
    }
    // Through it the client may still send to every room of the user.
    live.send(1, "l1", "in the lobby");
}

#[test]
fn presence_and_typing() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let mut at_ann = server.live(&ann, Form::Lines);
    let mut at_bob = server.live(&bob, Form::Ws);
    let here =
        |online: bool| json!({"type": "presence", "room": 1, "name": "Bob", "online": online});
    assert_eq!(at_ann.find("presence"), here(true));
    // Two streams are one present user.
    let second = server.live(&bob, Form::Sse);
    at_bob.say(&json!({"type": "typing", "room": 1}));
    assert_eq!(at_ann.frame(), Some(json!({"type": "typing", "room": 1, "name": "Bob"})));
    drop(second);
    at_bob.send(1, "t1", "one of me is gone");
    assert_eq!(at_ann.frame().map(|frame| frame["type"].clone()), Some(json!("message")));
    at_bob.ws.bye();
    assert_eq!(at_ann.frame(), Some(here(false)));
    let mut visitor = server.guest(1, "Vic");
    assert_eq!(at_ann.find("presence")["name"], "Vic");
    visitor.say(&json!({"event_type": "leave", "name": "Vic"}));
    assert_eq!(at_ann.find("presence")["online"], false);
}

#[test]
fn the_seventeenth_stream_replaces_the_first() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let mut others = server.live(&bob, Form::Lines);
    for form in FORMS {
        let mut first = server.live(&ann, form);
        let mut rest: Vec<Stream> = (0..15).map(|_| server.live(&ann, Form::Ws)).collect();
        let last = server.live(&ann, Form::Ws);
        first.expect_bye("replaced", 1008);
        rest.push(last);
        server.tell(&bob, 1, "heard by sixteen");
        for stream in &mut rest {
            assert_eq!(stream.expect("message")["text"], "heard by sixteen");
        }
        assert_eq!(others.expect("message")["text"], "heard by sixteen");
        for stream in rest {
            stream.ws.bye();
        }
        crate::kit::until("Ann is gone", || server.get(&bob, "/users/Ann")["online"] == false);
    }
}

#[test]
fn a_server_that_stops_says_so_and_ends_at_once() {
    let mut server = TestServer::start();
    let ann = server.user("Ann");
    let mut streams = FORMS.map(|form| server.live(&ann, form));
    let mut plain = server.http();
    plain.request("GET /r/1", &ann.bearer());
    assert_eq!(head(&mut plain).status, 200);
    let start = std::time::Instant::now();
    server.signal("TERM");
    for stream in &mut streams {
        stream.expect_bye("going_away", 1001);
    }
    while plain.fill() {}
    assert_eq!(plain.buffer, b"# times are in UTC\n", "it has no word for the end");
    assert_eq!(server.end().code, Some(0));
    assert!(start.elapsed() < PATIENCE / 5, "{:?}", start.elapsed());
}

#[test]
fn a_stream_is_refused_like_any_other_request() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let port = server.port();
    // A visitor's cookie does not work for foreign pages, in any form.
    let foreign = format!("Cookie: session={}\r\nOrigin: https://evil.example\r\n", ann.session);
    let refused = server.try_ws("/api/v1/events", &foreign).err().expect("a refusal");
    assert_eq!(refused.status, 403);
    assert_eq!(server.ask("GET /api/v1/events", &foreign, "").status, 403);
    let own = format!("Cookie: session={}\r\nOrigin: http://127.0.0.1:{port}\r\n", ann.session);
    Stream::open(port, &own, Form::Ws, "").expect("caught_up");
    assert_eq!(server.ask("POST /api/v1/events", &ann.bearer(), "").status, 405);
    // A server may ignore an upgrade to another protocol, such as curl's offer of HTTP/2 (RFC 9110
    // section 7.8).
    let mut http = Http::connect(port);
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
    http.request("GET /api/v1/events", &format!("{}{h2c}", ann.bearer()));
    assert_eq!(head(&mut http).status, 200);
}

#[test]
fn a_room_that_says_nothing_says_why() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let den = server.public(&ann, "Den");
    let settings = json!({"title": "Cave", "visibility": "hidden", "password": "open sesame"});
    let cave = server.make(&ann, &settings);
    let listen = |room: u64| {
        let response = server.ask(&format!("GET /r/{room}"), &bob.bearer(), "");
        (response.status, response.json()["error"]["code"].clone())
    };
    assert_eq!(listen(den), (403, json!("forbidden")));
    assert_eq!(listen(cave), (404, json!("room_not_found")));
    assert_eq!(listen(99), (404, json!("room_not_found")));
}

/// Half a minute, so not every time: `cargo test --test it -- --ignored`.
#[test]
fn silence_moves_an_idle_streams_cursor() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    let mut at_bob = FORMS.map(|form| {
        let mut stream = server.stream(&bob, form, "?rooms=77");
        stream.expect("caught_up");
        stream.ws.http.stream.set_read_timeout(Some(PATIENCE * 3)).expect("a deadline");
        stream
    });
    let mut heard = server.live(&bob, Form::Ws);
    let seq = number(&server.tell(&ann, room, "not for Bob")["seq"]);
    let last = number(&server.tell(&ann, 1, "for Bob")["seq"]);
    heard.expect("message");
    assert!(last > seq);
    for stream in &mut at_bob {
        assert_eq!(stream.expect("ping")["seq"], last, "{:?}", stream.form);
        if stream.form == Form::Sse {
            assert_eq!(stream.id, format!("{}:{last}", stream.epoch));
        }
    }
}
