//! Almost valid requests and messages, cut, doubled and changed at random. Seeded, so that a
//! failure can be repeated.

use super::*;
use crate::chat::{Action, ClientEvent, RoomEvent, StreamEvent};
use crate::fuzz::{Dice, fuzz};
use crate::http::Method;
use crate::protocol::refused;

const BITS: [&str; 22] = [
    "{",
    "}",
    "[",
    "\"",
    ":",
    ",",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "1e999",
    "-1",
    "18446744073709551616",
    "é",
    "\u{0}",
    "\u{202e}",
    " ",
    "event_type",
    "/",
    "%2f",
    "?since=e0:",
    "&limit=0",
];

/// Feeds a codec, and checks that every accepted message keeps the rules.
pub(in crate::protocol) fn feed_at_random(codec: &dyn Codec, seeds: &[&str], chars_max: usize) {
    fuzz(20_000, |dice| {
        let text = dice.text(seeds, &BITS);
        if let ClientEvent::Room(RoomEvent::Say { text: said, .. })
        | ClientEvent::Stream(StreamEvent::Act {
            action: Action::Send { text: said, .. },
            ..
        })
        | ClientEvent::Stream(StreamEvent::Act {
            action: Action::Edit { text: said, .. },
            ..
        }) = codec.decode(&text)
        {
            assert!((1..=chars_max).contains(&said.chars().count()), "{text}");
        }
    });
    for deep in ["[", "{\"a\":", "{\"message\":[", "{\"msg\":["] {
        let text = deep.repeat(20_000);
        let refused = matches!(codec.decode(&text), ClientEvent::Garbled { .. });
        assert!(refused, "nothing overflows the stack");
    }
}

/// Valid requests, or valid if their objects existed: line, body. (None hashes a password, which is
/// slow and always the same; none ends the session.)
const REQUESTS: [(&str, &str); 33] = [
    ("POST /api/register", r#"{"username":"Ann"}"#),
    ("POST /api/login", r#"{"key":"00ff"}"#),
    ("GET /api/online", ""),
    ("GET /api/user/@me", ""),
    ("GET /api/user/Ann", ""),
    ("GET /ws", ""),
    ("GET /chats", ""),
    ("POST /chats", r#"{"title":"Den","description":"deep","visibility":"public"}"#),
    ("GET /chats/Public%20Chat", ""),
    ("PUT /chats/2", r#"{"title":"Lair","visibility":"public"}"#),
    ("DELETE /chats/3", ""),
    ("POST /chats/1/token", r#"{"name":"Bo","secret":"open sesame"}"#),
    ("GET /chats/1/token/renew", ""),
    ("GET /chats/1/ws", ""),
    ("GET /api/v1/server", ""),
    ("POST /api/v1/accounts", r#"{"name":"Bob"}"#),
    ("POST /api/v1/sessions", r#"{"key":"00ff","remember":true}"#),
    ("POST /api/v1/guests", r##"{"name":"Gus","color":"#ff00aa","remember":false}"##),
    ("GET /api/v1/me", ""),
    ("DELETE /api/v1/sessions/17", ""),
    ("PUT /api/v1/users/Ann/room", ""),
    ("POST /api/v1/rooms", r#"{"title":"Cave","visibility":"public"}"#),
    ("PATCH /api/v1/rooms/2", r#"{"description":"damp"}"#),
    ("PUT /api/v1/rooms/1/membership", "{}"),
    ("GET /api/v1/rooms/1/members", ""),
    ("PUT /api/v1/rooms/1/messages/a-1", r#"{"text":"hello","reply_to":3}"#),
    ("GET /api/v1/rooms/1/messages?before=9&limit=5", ""),
    ("PATCH /api/v1/rooms/1/messages/5", r#"{"text":"other"}"#),
    ("PUT /api/v1/rooms/1/messages/5/reactions/%F0%9F%91%8D", ""),
    ("PUT /api/v1/rooms/1/read", r#"{"seq":5}"#),
    ("GET /api/v1/search?q=hel*&room=1&author=Ann&limit=3", ""),
    ("GET /api/v1/events?since=e0:3&rooms=1", ""),
    ("POST /r/1", "hello"),
];

/// For any request: no panic, a known status, an error in the format of the path's protocol, and
/// the next request works.
#[test]
fn requests_at_random() {
    serve(async |server| {
        let cookie = server.account("Meg").await;
        let ends = [&*cookie, UPGRADE, &format!("{cookie}{UPGRADE}"), ""];
        let mut dice = Dice::new(0x5eed_0000_beef);
        let mut counts = [0; 6];
        for round in 0..4_000 {
            let (line, body) = REQUESTS[dice.roll(REQUESTS.len())];
            let line = if dice.roll(2) == 0 { dice.text(&[line], &BITS) } else { line.to_owned() };
            let body = if dice.roll(2) == 0 { dice.text(&[body], &BITS) } else { body.to_owned() };
            let headers = ends[dice.roll(ends.len())].replace('\n', "\r\n");
            let length = format!("Content-Length: {}\r\n", body.len());
            let text = format!("{line} HTTP/1.1\r\nHost: h\r\n{headers}{length}\r\n{body}");
            let mut reader = Reader::new();
            reader.feed(text.as_bytes());
            let (path, response, head_only) = match reader.next() {
                Ok(Next::Request(request)) => {
                    let outcome = respond(
                        &server.service,
                        HOME,
                        subscription_id(0, 1_000_000 + round),
                        &request,
                    )
                    .await;
                    let (Outcome::Response(response)
                    | Outcome::Websocket { response, .. }
                    | Outcome::Stream { response, .. }) = outcome;
                    (request.path, response, request.method == Method::Head)
                }
                Ok(next) => panic!("{next:?} of {text}"),
                Err(reject) => {
                    let path = reader.path().to_owned();
                    let response = refused(&path, reject);
                    (path, response, false)
                }
            };
            let status = response.status;
            counts[usize::from(status / 100)] += 1;
            assert!(status < 500 || matches!(status, 501 | 505), "{status}: {text}");
            let mut bytes = Vec::new();
            let _ = response.encode(&mut bytes, &Framing::refused(Time(0)));
            if status >= 400 && !head_only {
                let sent = String::from_utf8(bytes).expect("UTF-8");
                let (_, body) = sent.split_once("\r\n\r\n").expect("a head");
                has_its_shape(&path, body, &text);
            }
        }
        // Every path is taken often enough to mean something.
        let [_, upgraded, done, _, refused, _] = counts;
        assert!(upgraded > 50 && done > 500 && refused > 1_000, "{counts:?}");
        server.check("GET /chats/99999", "", "", NO_ROOM).await;
    });
}

const NO_ROOM: &str = "404 {\"status\":false,\"error\":{\"code\":101,\
    \"error\":\"Room error: Room not found\",\"field\":\"99999\"}}";

fn has_its_shape(path: &str, body: &str, text: &str) {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let error = &json["error"];
    let fits = match path.split('/').skip(1).collect::<Vec<_>>()[..] {
        ["api", "v1", ..] | ["r", _] => error["code"].is_string() && error["message"].is_string(),
        ["api", ..] | ["ws"] => error.is_string(),
        ["chats", ..] => json["status"] == false && error["code"].is_number(),
        // A path of no protocol, or one that differs when decoded.
        _ => !error.is_null(),
    };
    assert!(fits, "{text:?}: {body}");
}
