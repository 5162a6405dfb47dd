//! Piratchat's wire format, as tables.

use super::*;
use crate::chat::{
    Author, ClientEvent, Color, Event, EventKind, Field, Name, Receipt, RoomEvent, Seq,
};
use crate::codec::{Codec, Disconnect};
use crate::config::Config;
use crate::hub::Item;
use crate::protocol::tests::{UPGRADE, feed_at_random, payload, serve, serve_with, told};

const NO_BODY: &str = r#"422 {"error":"send a JSON object with exactly this one field, a string"}"#;
const NO_SESSION: &str = r#"422 {"error":"the session cookie is missing; log in first"}"#;
const ENDED: &str = r#"401 {"error":"the session is unknown or has ended; log in again"}"#;

#[test]
fn decoding() {
    let say = |text: &str| {
        ClientEvent::Room(RoomEvent::Say { name: None, color: None, text: text.into() })
    };
    let longest = "🦜".repeat(300);
    for (text, says) in [
        (r#"{"message":"Hello, world!"}"#, "Hello, world!"),
        (" {\"message\" : \"a\\u0041\\n\"}\n", "aA\n"),
        (r#"{"message":" \r\n."}"#, " \n."),
        (r#"{"message":"<b>&"}"#, "<b>&"),
        (&format!(r#"{{"message":"{longest}"}}"#), &longest),
    ] {
        assert_eq!(CODEC.decode(text), say(says), "{text}");
    }
    let whole = ClientEvent::garbled(Refusal::Malformed(Field::Whole));
    for text in [
        "",
        " ",
        "hello",
        "null",
        "7",
        "\"a\"",
        "[]",
        r#"["a"]"#,
        r#"[["message","a"]]"#,
        "{}",
        r#"{"message":1}"#,
        r#"{"message":null}"#,
        r#"{"message":["a"]}"#,
        r#"{"Message":"a"}"#,
        r#"{"message":"a","author":"b"}"#,
        r#"{"message":"a","message":"b"}"#,
        r#"{"message":"a"}{"message":"b"}"#,
        r#"{"message":"a""#,
        r#"{"message":"\ud800"}"#,
    ] {
        assert_eq!(CODEC.decode(text), whole, "{text}");
    }
    let empty = ClientEvent::garbled(Refusal::Malformed(Field::Message));
    assert_eq!(CODEC.decode(r#"{"message":""}"#), empty);
    // Characters, not bytes: 300 parrots are 1,200 bytes, and fit; one more character does not.
    let too_long = format!(r#"{{"message":"{longest}!"}}"#);
    assert_eq!(CODEC.decode(&too_long), ClientEvent::garbled(Refusal::MessageTooLong));
}

#[test]
fn decoding_at_random() {
    let seeds = [r#"{"message":"ahoy"}"#, r#"{"message":"\u00e9\n","x":[1,{}]}"#];
    feed_at_random(&CODEC, &seeds, 300);
}

#[test]
fn encoding() {
    let name = Name::new("Zoë").expect("a name");
    let event = |kind| Event {
        room: LOBBY,
        time: Time(0),
        author: Author { account: None, name: name.clone() },
        color: Color::new("red"),
        kind,
    };
    let said = EventKind::Said {
        seq: Seq(1),
        text: "a \"b\"\n</script>".into(),
        client_id: None,
        reply_to: None,
        calls: Box::default(),
    };
    for (kind, others) in [
        (EventKind::Joined, r#"{"event":"join","username":"Zoë"}"#),
        (said, r#"{"message":"a \"b\"\n</script>","author":"Zoë"}"#),
        (EventKind::Left, r#"{"event":"leave","username":"Zoë"}"#),
    ] {
        let (to_others, own) = told(&CODEC, &event(kind));
        assert_eq!((&*to_others, &*own), (others, ""));
    }
}

#[test]
fn replies() {
    let reply = |reply| payload(|frame| CODEC.reply(&reply, None, frame));
    assert_eq!(
        reply(Ok(Receipt::Logged { seq: Seq(3), time: Time(0), repeated: false })),
        r#"{"status":true}"#
    );
    for (refusal, code) in [
        (Refusal::MessageTooLong, "message_too_long"),
        (Refusal::Malformed(Field::Whole), "invalid_message"),
        (Refusal::Malformed(Field::Message), "invalid_message"),
        (Refusal::Unavailable, "unavailable"),
        (Refusal::RateLimited { retry_after_ms: 1 }, "rate_limited"),
        (Refusal::RoomNotFound, "not_here"),
        (Refusal::NameInUse, "not_allowed"),
    ] {
        let expected = format!(r#"{{"status":false,"code":"{code}"}}"#);
        assert_eq!(reply(Err(refusal)), expected);
    }
}

#[test]
fn statuses_of_refusals() {
    for (refusal, status) in [
        (Refusal::Unauthenticated, 401),
        (Refusal::UnknownKey, 401),
        (Refusal::NameInvalid, 400),
        (Refusal::NameTaken, 409),
        (Refusal::NameInUse, 409),
        (Refusal::AlreadySubscribed, 409),
        (Refusal::PersonNotFound, 404),
        (Refusal::RateLimited { retry_after_ms: 1 }, 429),
        (Refusal::Full, 503),
        (Refusal::Unavailable, 503),
    ] {
        let failure = Failure::from(refusal);
        assert_eq!(failure.status, status, "{refusal:?}");
        assert!(!failure.says.is_empty());
    }
}

#[test]
fn bodies_that_are_not_what_they_should_be() {
    serve(async |server| {
        for (path, field) in [("/api/register", "username"), ("/api/login", "key")] {
            let line = format!("POST {path}");
            for body in [
                "",
                " ",
                "null",
                "[]",
                "\"x\"",
                "{",
                "{}",
                "[\"x\"]",
                "{\"x\":\"y\"}",
                "{\"FIELD\":\"\"}",
                "{\"FIELD\":null}",
                "{\"FIELD\":1}",
                "{\"FIELD\":[\"x\"]}",
                "{\"FIELD\":\"x\",\"more\":1}",
                "{\"FIELD\":\"x\",\"FIELD\":\"x\"}",
                "{\"FIELD\":\"x\"}x",
            ] {
                server.check(&line, "", &body.replace("FIELD", field), NO_BODY).await;
            }
        }
    });
}

#[test]
fn registering() {
    serve(async |server| {
        let register = async |name: &str, expected: &str| {
            let body = format!(r#"{{"username":{name}}}"#);
            server.check("POST /api/register", "", &body, expected).await
        };
        let invalid = r#"400 {"error":"a username is 1 to 32 letters and digits (A-Z a-z 0-9)"}"#;
        for name in [r#"" ""#, r#""a b""#, r#""@me""#, r#""ä""#, r#""a\u0000""#, r#""a-b""#] {
            register(name, invalid).await;
        }
        register(&format!("{:?}", "a".repeat(33)), invalid).await;
        register(&format!("{:?}", "a".repeat(32)), r#"201 {"key":"KEY"}"#).await;
        let first = register(r#""Ann""#, r#"201 {"key":"KEY"}"#).await.text("key");
        let second = register(r#""Bo""#, r#"201 {"key":"KEY"}"#).await;
        assert_ne!(first, second.text("key"));
        assert_eq!(second.header("Cache-Control"), Some("no-store"));
        let taken = r#"409 {"error":"this username is taken; choose another"}"#;
        for name in [r#""Ann""#, r#""ann""#, r#""ANN""#] {
            register(name, taken).await;
        }
        // Two at the same time: one wins.
        let body = r#"{"username":"Twin"}"#;
        let mut one = std::pin::pin!(server.send("POST /api/register", "", body));
        let mut two = std::pin::pin!(server.send("POST /api/register", "", body));
        std::future::poll_fn(|context| {
            // Both requests are sent before either is answered.
            assert!(one.as_mut().poll(context).is_pending());
            assert!(two.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        let mut both = [one.await.status, two.await.status];
        both.sort_unstable();
        assert_eq!(both, [201, 409]);
    });
}

#[test]
fn logging_in_and_out() {
    serve(async |server| {
        let unknown = r#"401 {"error":"no account has this key; check it, or register"}"#;
        server.check("POST /api/login", "", r#"{"key":"00"}"#, unknown).await;
        let register = server.send("POST /api/register", "", r#"{"username":"Ann"}"#).await;
        let body = format!(r#"{{"key":"{}"}}"#, register.text("key"));
        let mut cookies = Vec::new();
        for _ in 0..2 {
            let reply =
                server.check("POST /api/login", "", &body, r#"200 {"username":"Ann"}"#).await;
            let cookie = reply.header("Set-Cookie").expect("a cookie").to_owned();
            let (pair, rest) = cookie.split_once("; ").expect("attributes");
            assert!(rest.starts_with("Path=/; HttpOnly; SameSite=Lax; Expires="), "{rest}");
            assert!(rest.ends_with(" GMT"), "{rest}");
            let key = pair.strip_prefix("session=").expect("its name");
            assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            cookies.push(format!("Cookie: {pair}"));
        }
        assert_ne!(cookies[0], cookies[1], "each login makes a session of its own");
        let me = r#"200 {"username":"Ann"}"#;
        server.check("GET /api/user/@me", &cookies[0], "", me).await;
        let out = server.check("GET /api/logout", &cookies[0], "", r#"200 {"status":true}"#).await;
        let gone = "session=; Path=/; HttpOnly; SameSite=Lax; \
            Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(out.header("Set-Cookie"), Some(gone));
        let ended = server.check("GET /api/user/@me", &cookies[0], "", ENDED).await;
        assert_eq!(ended.header("WWW-Authenticate"), Some("Cookie cookie-name=\"session\""));
        server.check("GET /api/user/@me", &cookies[1], "", me).await;
        // Always 200: again, with an unknown session, and without a cookie; also by POST.
        for headers in [&cookies[0], "Cookie: session=never", "", "Cookie: session="] {
            server.check("POST /api/logout", headers, "", r#"200 {"status":true}"#).await;
        }
    });
}

#[test]
fn a_disk_that_refuses() {
    serve_with(Config::default(), 0, async |server| {
        let body = r#"{"username":"Ann"}"#;
        let later = r#"503 {"error":"the server cannot save this now; try again later"}"#;
        let reply = server.check("POST /api/register", "", body, later).await;
        assert_eq!(reply.header("Retry-After"), Some("1"));
        // The name is not lost, and a logout without a session needs no disk.
        server.check("POST /api/register", "", body, later).await;
        let stranger = "Cookie: session=never";
        server.check("GET /api/logout", stranger, "", r#"200 {"status":true}"#).await;
    });
    // An account and a session fit, but not the end of the session.
    serve_with(Config::default(), 2, async |server| {
        let ann = server.account("Ann").await;
        let reply = server.send("GET /api/logout", &ann, "").await;
        assert_eq!((reply.status, reply.header("Set-Cookie")), (503, None));
        server.check("GET /api/user/@me", &ann, "", r#"200 {"username":"Ann"}"#).await;
    });
}

#[test]
fn what_is_known_of_users() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        let _bo = server.account("Bo").await;
        for path in ["/api/online", "/api/user/@me", "/api/user/Ann", "/api/user/nobody"] {
            let line = format!("GET {path}");
            server.check(&line, "", "", NO_SESSION).await;
            server.check(&line, "Cookie: session=", "", NO_SESSION).await;
            server.check(&line, "Cookie: other=1", "", NO_SESSION).await;
            server.check(&line, "Cookie: session=unknown", "", ENDED).await;
            // A foreign page cannot use its visitor's cookie.
            let foreign = format!("{ann}Origin: https://evil.example");
            server.check(&line, &foreign, "", NO_SESSION).await;
        }
        let empty = r#"200 {"online_clients":[]}"#;
        server.check("GET /api/online", &ann, "", empty).await;
        for name in ["Bo", "bo", "%42O"] {
            let expected = r#"200 {"username":"Bo","online":false,"created":"TIME"}"#;
            server.check(&format!("GET /api/user/{name}"), &ann, "", expected).await;
        }
        for name in ["nobody", "a%20b", "@you", "%C3%A4"] {
            let expected = r#"404 {"error":"there is no such user; check the spelling"}"#;
            server.check(&format!("GET /api/user/{name}"), &ann, "", expected).await;
        }
    });
}

#[test]
fn the_handshake() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        let upgrade = |headers: &str| format!("{UPGRADE}{headers}");
        // An invalid handshake is refused before authentication.
        let says = "this path is a websocket; connect with a websocket client, version 13";
        let no_upgrade = format!(r#"426 {{"error":"{says}"}}"#);
        let reply = server.check("GET /ws", &ann, "", &no_upgrade).await;
        assert_eq!(reply.header("Upgrade"), Some("websocket"));
        let old = UPGRADE.replace("Version: 13", "Version: 8");
        let reply = server.check("GET /ws", &old, "", &no_upgrade).await;
        assert_eq!(reply.header("Sec-WebSocket-Version"), Some("13"));
        let no_key = "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13";
        assert_eq!(server.send("GET /ws", no_key, "").await.status, 400);
        server.check("GET /ws", UPGRADE, "", NO_SESSION).await;
        server.check("GET /ws", &upgrade("Cookie: session=unknown"), "", ENDED).await;
        for origin in ["https://evil.example", "null", "https://chat.example.evil.example"] {
            let foreign = upgrade(&format!("{ann}Origin: {origin}"));
            let expected =
                r#"403 {"error":"a page from another origin cannot act for its visitor here"}"#;
            server.check("GET /ws", &foreign, "", expected).await;
        }
        let own = upgrade(&format!("{ann}Origin: http://chat.example"));
        let reply = server.check("GET /ws", &own, "", "101").await;
        assert_eq!(reply.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let subscribed =
            r#"409 {"error":"you are already connected; close that connection first"}"#;
        server.check("GET /ws", &upgrade(&ann), "", subscribed).await;
        let online = r#"200 {"online_clients":["Ann"]}"#;
        server.check("GET /api/online", &ann, "", online).await;
        let known = r#"200 {"username":"Ann","online":true,"created":"TIME"}"#;
        server.check("GET /api/user/ann", &ann, "", known).await;
        // A malformed message leaves no ghost: the user can reconnect.
        reply.subscription.as_ref().expect("a subscription").tell(CODEC.decode("nonsense")).await;
        drop(reply);
        server.check("GET /api/online", &ann, "", r#"200 {"online_clients":[]}"#).await;
        server.check("GET /ws", &upgrade(&ann), "", "101").await;
    });
}

#[test]
fn logging_out_closes_the_websocket_of_that_session() {
    serve(async |mut server| {
        let (ann, bo) = (server.account("Ann").await, server.account("Bo").await);
        let first = server.send("GET /ws", &format!("{UPGRADE}{ann}"), "").await;
        let second = server.send("GET /ws", &format!("{UPGRADE}{bo}"), "").await;
        let online = r#"200 {"online_clients":["Ann","Bo"]}"#;
        server.check("GET /api/online", &bo, "", online).await;
        server.check("GET /api/logout", &ann, "", r#"200 {"status":true}"#).await;
        // Not only unlisted: the connection is closed.
        server.check("GET /api/online", &bo, "", r#"200 {"online_clients":["Bo"]}"#).await;
        let closings: Vec<_> = server.heard().into_iter().filter_map(closing).collect();
        let codes: Vec<u16> = closings.into_iter().map(|why| CODEC.close(why).code).collect();
        assert_eq!(codes, [1008]);
        drop((first, second));
    });
}

fn closing(item: Item) -> Option<Disconnect> {
    if let Item::Unsubscribe { closing, .. } = item { closing } else { None }
}
