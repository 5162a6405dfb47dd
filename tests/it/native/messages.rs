//! Messages: idempotent sends, edits, deletions, and paging.

use serde_json::{Value, json};
use shanty::limits::INDEX_ENTRIES;

use super::{Form, User, answer, number, talk, text};
use crate::kit::{TestServer, said, send};

const NOTHING: &Value = &Value::Null;

#[test]
fn a_repeated_client_id_sends_one_message() {
    let mut server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let path = "/rooms/1/messages/m-1_A";
    let body = json!({"text": "hello"});
    let (status, first) = server.api(&ann, "PUT", path, &body);
    assert_eq!(
        (status, &first["client_id"], &first["author"]),
        (201, &json!("m-1_A"), &json!("Ann"))
    );
    for restart in 0..3 {
        assert_eq!(server.api(&ann, "PUT", path, &body), (200, first.clone()), "{restart}");
        let headers = format!("{}Idempotency-Key: m-1_A\r\n", ann.bearer());
        let posted = server.ask("POST /api/v1/rooms/1/messages", &headers, &body.to_string());
        assert_eq!(answer(&posted), (200, first.clone()));
        let mut ws = server.live(&ann, Form::Ws);
        assert_eq!(ws.send(1, "m-1_A", "hello"), number(&first["seq"]));
        ws.say(&json!({"type": "send", "room": 1, "client_id": "m-1_A", "text": "other"}));
        assert_eq!(ws.find("error")["error"]["code"], "client_id_reused");
        let other = json!({"text": "other"});
        server.refused(&ann, ("PUT", path, &other), (409, "client_id_reused"));
        match restart {
            0 => drop(server.stop()),
            _ => server.kill(),
        }
        server.go_on();
    }
    // A deleted message that is sent again stays deleted.
    let gone = "/rooms/1/messages/gone";
    let said = server.api(&ann, "PUT", gone, &body).1;
    let at = format!("/rooms/1/messages/{}", said["seq"]);
    assert_eq!(server.api(&ann, "DELETE", &at, NOTHING).0, 204);
    let (status, again) = server.api(&ann, "PUT", gone, &body);
    assert_eq!((status, &again["seq"], &again["time"]), (200, &said["seq"], &said["time"]));
    assert_eq!((&again["deleted"], &again["text"]), (&json!(true), NOTHING));
    server.refused(&ann, ("PUT", gone, &json!({"text": "other"})), (409, "client_id_reused"));
    // Another author's client id is another message.
    let (status, theirs) = server.api(&bob, "PUT", path, &body);
    assert_eq!(status, 201);
    assert_ne!(theirs["seq"], first["seq"]);
    // In another room the same client id is another message.
    let room = server.public(&ann, "Den");
    let elsewhere = format!("/rooms/{room}/messages/m-1_A");
    server.refused(&ann, ("PUT", &elsewhere, &body), (409, "client_id_reused"));
    // An edited message is the same message.
    let seq = number(&first["seq"]);
    let edit = json!({"text": "hello!"});
    assert_eq!(server.api(&ann, "PATCH", &format!("/rooms/1/messages/{seq}"), &edit).0, 200);
    let (status, again) = server.api(&ann, "PUT", path, &body);
    assert_eq!((status, &again["seq"], &again["text"]), (200, &json!(seq), &json!("hello!")));
    let all = server.get(&ann, "/rooms/1/messages");
    assert_eq!(all["messages"].as_array().map(Vec::len), Some(3));
}

#[test]
fn simultaneous_sends_of_one_client_id_are_one_message() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let body = json!({"text": "now"});
    let ask = || server.api(&ann, "PUT", "/rooms/1/messages/same", &body);
    let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let made = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(made, 1, "{answers:?}");
    assert!(answers.iter().all(|(status, said)| *status < 202 && *said == answers[0].1));
}

#[test]
fn plain_text_sends() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let mut http = server.http();
    http.request("GET /r/1", &ann.bearer());
    assert_eq!(super::head(&mut http).header("content-type"), Some("text/plain; charset=utf-8"));
    // The request has begun when the room gets the message.
    crate::kit::until("Ann is here", || server.get(&ann, "/users/Ann")["online"] == true);
    let key = format!("Authorization: Bearer {}\r\n", ann.key);
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n";
    let mut post = server.http();
    post.request("POST /r/1", &format!("{key}{form}"));
    post.send("hello=world\n");
    let response = post.response();
    assert_eq!(response.status, 201, "{response:?}");
    while !http.buffer.ends_with(b"world\n") {
        assert!(http.fill());
    }
    let lines = String::from_utf8(http.buffer.clone()).expect("UTF-8");
    let line = lines.strip_prefix("# times are in UTC\n").expect("whose time it is");
    assert_eq!(line.get(5..), Some(" Ann: hello=world\n"), "{line}");
    // A page of another origin cannot send here, with or without a cookie.
    let cookie = format!("Cookie: session={}\r\n", ann.session);
    for from in ["Origin: https://evil.example\r\n", "Sec-Fetch-Site: same-site\r\n"] {
        assert_eq!(server.ask("POST /r/1", &format!("{cookie}{from}"), "x").status, 403);
        assert_eq!(server.ask("POST /r/1", &format!("{key}{from}"), "x").status, 403);
    }
    assert_eq!(server.ask("POST /r/1", &cookie, "x").status, 201);
    let plain = format!("{key}Content-Type: text/plain\r\nContent-Length: 5\r\n");
    let mut post = server.http();
    post.request("POST /api/v1/rooms/1/messages", &plain);
    post.send("plain");
    let response = post.response();
    assert_eq!((response.status, &response.json()["text"]), (201, &json!("plain")));
}

#[test]
fn changes_are_told_here_and_the_older_protocols_hear_nothing_of_them() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let pirate = server.account("Pia");
    let mut at_pirate = server.pirate(&pirate);
    let mut visitor = server.guest(1, "Vic");
    let mut streams = [server.live(&bob, Form::Ws), server.live(&bob, Form::Lines)];
    let seq = number(&server.tell(&ann, 1, "helo")["seq"]);
    let path = format!("/rooms/1/messages/{seq}");
    server.refused(&bob, ("PATCH", &path, &json!({"text": "hi"})), (403, "forbidden"));
    server.refused(&bob, ("DELETE", &path, NOTHING), (403, "forbidden"));
    let (status, edited) = server.api(&ann, "PATCH", &path, &json!({"text": "hello @Bob"}));
    assert_eq!(
        (status, &edited["text"], &edited["mentions"]),
        (200, &json!("hello @Bob"), &json!(["Bob"]))
    );
    assert!(edited["edited"].is_string());
    let thumb = format!("{path}/reactions/%F0%9F%91%8D");
    let (status, liked) = server.api(&bob, "PUT", &thumb, NOTHING);
    assert_eq!((status, &liked["reactions"]), (200, &json!({"👍": ["Bob"]})));
    server.api(&bob, "PUT", &thumb, NOTHING);
    let (status, plain) = server.api(&bob, "DELETE", &thumb, NOTHING);
    assert_eq!((status, &plain["reactions"]), (200, &Value::Null));
    server.refused(
        &bob,
        ("PUT", &format!("{path}/reactions/thumb"), NOTHING),
        (422, "invalid_field"),
    );
    assert_eq!(server.api(&ann, "DELETE", &path, NOTHING).0, 204);
    server.refused(&ann, ("PATCH", &path, &json!({"text": "x"})), (404, "message_not_found"));
    server.refused(&bob, ("PUT", &thumb, NOTHING), (404, "message_not_found"));
    server.tell(&ann, 1, "after");
    for stream in &mut streams {
        assert_eq!(stream.expect("message")["text"], "helo");
        let edit = stream.expect("edit");
        assert_eq!((&edit["target"], &edit["text"]), (&json!(seq), &json!("hello @Bob")));
        for on in [true, false] {
            let sign = stream.next();
            assert_eq!(sign["type"], "reaction", "a sign that is there already is no news: {sign}");
            let told = (&sign["target"], &sign["by"], &sign["emoji"], &sign["on"]);
            assert_eq!(told, (&json!(seq), &json!("Bob"), &json!("👍"), &json!(on)));
        }
        let gone = stream.expect("delete");
        assert_eq!((&gone["target"], &gone["by"]), (&json!(seq), &json!("Ann")));
        assert_eq!(stream.expect("message")["text"], "after");
    }
    loop {
        let heard = visitor.json();
        match text(&heard["event_type"]).as_str() {
            "join" | "leave" => {}
            _ => {
                assert_eq!(heard["msg"], "helo");
                break;
            }
        }
    }
    visitor.expect(&said(1, "Ann", "after"));
    // And the other way round: the older protocols' messages are ordinary messages here.
    visitor.say(&send("Vic", "from next door"));
    assert_eq!(streams[0].expect("message")["text"], "from next door");
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last: &String| !last.contains("next door")) {
        let event = at_pirate.json();
        if event["event"] == "message" || event["message"].is_string() {
            heard.push(event.to_string());
        }
    }
    for (heard, said) in heard.iter().zip(["helo", "after", "next door"]) {
        assert!(heard.contains(said), "{heard}");
    }
    assert_eq!(heard.len(), 3);
    // A room's owner can delete other users' messages, but nobody can edit them.
    let room = server.public(&bob, "Bobs");
    server.enter(&ann, room);
    let seq = number(&server.tell(&ann, room, "rubbish")["seq"]);
    let path = format!("/rooms/{room}/messages/{seq}");
    server.refused(&bob, ("PATCH", &path, &json!({"text": "nice"})), (403, "forbidden"));
    assert_eq!(server.api(&bob, "DELETE", &path, NOTHING).0, 204);
    let gone = server.get(&ann, &path);
    assert_eq!((&gone["deleted"], &gone["text"]), (&json!(true), NOTHING));
}

#[test]
fn a_deleted_message_is_nowhere() {
    const WORDS: [&str; 3] = ["xylophone quark", "zeppelin quark", "obelisk quark"];
    let mut server = TestServer::start();
    let ann = server.user("Ann");
    let room = server.public(&ann, "Den");
    let seq = number(&server.tell(&ann, room, WORDS[0])["seq"]);
    let epoch = text(&server.ask("GET /api/v1/server", "", "").json()["epoch"]);
    let path = format!("/rooms/{room}/messages/{seq}");
    for word in &WORDS[1..] {
        assert_eq!(server.api(&ann, "PATCH", &path, &json!({"text": word})).0, 200);
    }
    // Long enough for the full-text index.
    talk(&server, &ann, room, (0..INDEX_ENTRIES).map(|index| format!("filler {index}")));
    let found = server.get(&ann, "/search?q=obelisk");
    assert_eq!(number(&found["messages"][0]["seq"]), seq);
    assert_eq!(server.get(&ann, "/search?q=xylophone")["messages"], json!([]));
    assert_eq!(server.api(&ann, "DELETE", &path, NOTHING).0, 204);
    assert_eq!(server.api(&ann, "DELETE", &path, NOTHING).0, 204, "it is gone, as was wanted");
    let nowhere = |server: &TestServer| {
        let mut all = vec![server.get(&ann, &path)];
        all.push(server.get(&ann, &format!("/rooms/{room}/messages?around={seq}&limit=200")));
        all.push(server.get(&ann, "/search?q=quark"));
        all.extend(server.stream(&ann, Form::Lines, &format!("?since={epoch}:0")).missed());
        for shown in all {
            for word in WORDS {
                let word = word.split(' ').next().expect("a word");
                assert!(!shown.to_string().contains(word), "{shown}");
            }
        }
    };
    nowhere(&server);
    talk(&server, &ann, room, (0..INDEX_ENTRIES).map(|index| format!("more {index}")));
    server.stop();
    let database = rusqlite::Connection::open(server.db()).expect("the database");
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    database.query_row(checkpoint, [], |_| Ok(())).expect("a checkpoint");
    drop(database);
    let bytes = std::fs::read(server.db()).expect("the file");
    for word in WORDS {
        for part in word.split(' ') {
            let found = bytes
                .windows(part.len())
                .any(|window| window.eq_ignore_ascii_case(part.as_bytes()));
            assert!(!found, "{part:?} is still in the file");
        }
    }
    server.go_on();
    nowhere(&server);
}

/// The sequence numbers of a page's messages.
fn seqs(page: &Value) -> Vec<u64> {
    page["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| number(&message["seq"]))
        .collect()
}

fn link(server: &TestServer, who: &User, path: &str, rel: &str) -> Option<String> {
    let response = server.ask(&format!("GET {path}"), &who.bearer(), "");
    let links = response.header("link")?.to_owned();
    let link = links.split(", ").find(|link| link.ends_with(&format!("rel=\"{rel}\"")))?;
    Some(link.split(['<', '>']).nth(1)?.to_owned())
}

#[test]
fn history_is_paged_both_ways_without_a_gap() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let room = server.public(&ann, "Den");
    let all: Vec<u64> = (0..25)
        .map(|index| {
            server.tell(&ann, 1, "elsewhere");
            number(&server.tell(&ann, room, &format!("m{index}"))["seq"])
        })
        .collect();
    let base = format!("/rooms/{room}/messages");
    // A client that is not a member can read a public room.
    let newest = server.get(&bob, &format!("{base}?limit=10"));
    assert_eq!(seqs(&newest), all[15..]);
    assert_eq!((&newest["more_before"], &newest["more_after"]), (&json!(true), &json!(false)));
    let page = |bound: &str| server.get(&bob, &format!("{base}?{bound}"));
    assert_eq!(seqs(&page(&format!("before={}&limit=3", all[3]))), all[..3]);
    assert_eq!(page(&format!("before={}&limit=3", all[3]))["more_before"], false);
    assert_eq!(seqs(&page(&format!("after={}&limit=3", all[21]))), all[22..]);
    assert_eq!(seqs(&page("after=0&limit=2")), all[..2]);
    let around = page(&format!("around={}&limit=5", all[10]));
    assert_eq!(seqs(&around), all[8..13]);
    assert_eq!((&around["more_before"], &around["more_after"]), (&json!(true), &json!(true)));
    assert_eq!(seqs(&page("")), all);
    for bad in ["limit=0", "limit=201", "limit=x", "before=x", "after=-1"] {
        let path = format!("{base}?{bad}");
        server.refused(&bob, ("GET", &path, NOTHING), (422, "invalid_field"));
    }
    let both = format!("{base}?before=9&after=1");
    server.refused(&bob, ("GET", &both, NOTHING), (400, "bad_request"));
    for (rel, start) in [("prev", ""), ("next", "&after=0")] {
        let mut path = Some(format!("/api/v1{base}?limit=7{start}"));
        let mut walked: Vec<Vec<u64>> = Vec::new();
        while let Some(here) = path {
            walked.push(seqs(&server.ask(&format!("GET {here}"), &bob.bearer(), "").json()));
            path = link(&server, &bob, &here, rel);
        }
        if rel == "prev" {
            walked.reverse();
        }
        assert_eq!(walked.concat(), all, "{rel}");
    }
}

#[test]
fn replies_mentions_and_limits() {
    let server = TestServer::start();
    let (ann, bob) = (server.user("Ann"), server.user("Bob"));
    let first = number(&server.tell(&ann, 1, "hear, @bob and @Nobody, mail@bob.example")["seq"]);
    let path = "/rooms/1/messages";
    let (status, reply) =
        server.api(&bob, "POST", path, &json!({"text": "yes", "reply_to": first}));
    assert_eq!((status, &reply["reply_to"]), (201, &json!(first)));
    for (body, expected) in [
        (json!({"text": ""}), (422, "message_empty")),
        (json!({"text": "ä".repeat(4001)}), (422, "message_too_long")),
        (json!({}), (422, "invalid_field")),
        (json!({"text": 7}), (422, "invalid_field")),
        (json!({"text": "a", "reply_to": "x"}), (422, "invalid_field")),
        (json!([1]), (400, "invalid_json")),
    ] {
        server.refused(&ann, ("POST", path, &body), expected);
        server.refused(&ann, ("PUT", "/rooms/1/messages/l1", &body), expected);
    }
    // A reply needs an existing message of the same room, which may be deleted.
    let den = server.public(&ann, "Den");
    let elsewhere = number(&server.tell(&ann, den, "elsewhere")["seq"]);
    let mut ws = server.live(&ann, Form::Ws);
    for (index, to) in [elsewhere, 1, 999_999].into_iter().enumerate() {
        let body = json!({"text": "to what?", "reply_to": to});
        for (method, path) in [("POST", path), ("PUT", "/rooms/1/messages/r1")] {
            let (status, refused) = server.api(&ann, method, path, &body);
            let error = &refused["error"];
            let why = (status, &error["code"], &error["field"]);
            assert_eq!(why, (422, &json!("invalid_field"), &json!("reply_to")), "{to}");
        }
        let id = format!("w{index}");
        ws.say(&json!({"type": "send", "room": 1, "client_id": id, "text": "?", "reply_to": to}));
        let refused = ws.find("error");
        assert_eq!(refused["client_id"], id);
        assert_eq!(refused["error"]["field"], "reply_to", "{refused}");
    }
    let gone = number(&server.tell(&ann, 1, "gone soon")["seq"]);
    let at = format!("/rooms/1/messages/{gone}");
    assert_eq!(server.api(&ann, "DELETE", &at, NOTHING).0, 204);
    let (status, _) = server.api(&ann, "POST", path, &json!({"text": "why?", "reply_to": gone}));
    assert_eq!(status, 201);
    // On the websocket, too, deleting a deleted message succeeds.
    ws.say(&json!({"type": "delete", "room": 1, "target": gone, "client_id": "again"}));
    assert_eq!(ws.find("ack")["client_id"], "again");
    let longest = "𝄞".repeat(4000);
    assert_eq!(server.tell(&ann, 1, &longest)["text"], longest);
    let long_id = "a".repeat(65);
    for id in ["a%20b", "a.b", "%C3%A4", &long_id] {
        let path = format!("/rooms/1/messages/{id}");
        server.refused(&ann, ("PUT", &path, &json!({"text": "a"})), (422, "invalid_field"));
    }
    assert_eq!(
        server
            .api(
                &ann,
                "PUT",
                &format!("/rooms/1/messages/{}", &long_id[1..]),
                &json!({"text": "a"})
            )
            .0,
        201
    );
    let huge = json!({"text": "a", "rest": "x".repeat(70_000)});
    let (status, _) = server.api(&ann, "POST", path, &huge);
    assert_eq!(status, 413);
    server.refused(&ann, ("GET", "/nothing", NOTHING), (404, "not_found"));
    server.refused(&ann, ("PUT", "/rooms", NOTHING), (405, "method_not_allowed"));
    server.refused(&ann, ("POST", "/rooms/1/messages/7", NOTHING), (405, "method_not_allowed"));
    server.refused(
        &ann,
        ("POST", "/rooms/999/messages", &json!({"text": "a"})),
        (404, "room_not_found"),
    );
    server.refused(&ann, ("GET", "/rooms/1/messages/999999", NOTHING), (404, "message_not_found"));
    server.refused(&ann, ("GET", "/search?q=", NOTHING), (422, "invalid_field"));
    server.refused(&ann, ("GET", "/events?since=nonsense", NOTHING), (422, "invalid_field"));
    server.refused(&ann, ("GET", "/events?rooms=x", NOTHING), (422, "invalid_field"));
}

#[test]
fn the_same_words_again_are_no_edit() {
    let server = TestServer::start();
    let ann = server.user("Ann");
    let path = format!("/rooms/1/messages/{}", server.tell(&ann, 1, "two\nlines")["seq"]);
    for text in ["two\nlines", "two\r\nlines"] {
        let (status, answer) = server.api(&ann, "PATCH", &path, &json!({"text": text}));
        assert_eq!((status, &answer["text"]), (200, &json!("two\nlines")));
        assert!(answer.get("edited").is_none(), "{answer}");
        assert!(server.get(&ann, &path).get("edited").is_none());
    }
    let (_, answer) = server.api(&ann, "PATCH", &path, &json!({"text": "one line"}));
    assert!(answer["edited"].is_string(), "{answer}");
}
