//! Events, and their refusals.

use crate::chat::{
    Author, ClientEvent, Color, Event, EventKind, Field, LOBBY, Name, Receipt, Refusal, RoomEvent,
    Seq,
};
use crate::codec::Codec;
use crate::http::Response;
use crate::protocol::chitchat::CODEC;
use crate::protocol::chitchat::json::Failure;
use crate::protocol::tests::{feed_at_random, payload, told};
use crate::time::Time;

fn name(text: &str) -> Option<Name> {
    Some(Name::new(text).expect("a name"))
}

#[test]
fn decoding() {
    let red = Color::new("red");
    let longest = "🦜".repeat(4000);
    let said = |name, color, text: &str| {
        ClientEvent::Room(RoomEvent::Say { name, color, text: text.into() })
    };
    for (text, means) in [
        (
            r#"{"event_type":"join","name":"Zoë","color":"red","msg":"hi"}"#,
            ClientEvent::Room(RoomEvent::Join { name: name("Zoë"), color: red.clone() }),
        ),
        (
            r#"{"event_type":"join","name":"Ann","color":"","msg":null}"#,
            ClientEvent::Room(RoomEvent::Join { name: name("Ann"), color: None }),
        ),
        (
            r#"{"event_type":"leave","name":"Ann"}"#,
            ClientEvent::Room(RoomEvent::Part { name: name("Ann") }),
        ),
        (
            r#"{"event_type":"send","name":"Ann","color":"red","msg":"a\nb"}"#,
            said(name("Ann"), red, "a\nb"),
        ),
        // As in Go: null is nothing, unknown fields are ignored, and the last one counts.
        (
            r#"{"event_type":"send","name":"Ann","color":null,"msg":" a","time":7,"room_id":"x"}"#,
            said(name("Ann"), None, " a"),
        ),
        (
            r#" {"event_type":"send","name":"Bo","name":"Ann","msg":"x"} "#,
            said(name("Ann"), None, "x"),
        ),
        (
            &format!(r#"{{"event_type":"send","name":"Ann","msg":"{longest}"}}"#),
            said(name("Ann"), None, &longest),
        ),
    ] {
        assert_eq!(CODEC.decode(text), means, "{text}");
    }
}

#[test]
fn decoding_what_is_malformed() {
    let too_long = format!(r#""event_type":"send","name":"Ann","msg":"{}""#, "a".repeat(4001));
    let long_name = format!(r#""event_type":"join","name":"{}""#, "a".repeat(33));
    for (inside, field) in [
        (r#""event_type":"shout","name":"Ann","msg":"x""#, Field::Kind),
        (r#""event_type":"Send","name":"Ann","msg":"x""#, Field::Kind),
        (r#""event_type":1,"name":"Ann","msg":"x""#, Field::Kind),
        (r#""name":"Ann","msg":"x""#, Field::Kind),
        (r#""event_type":"send","msg":"x""#, Field::Name),
        (r#""event_type":"send","name":"","msg":"x""#, Field::Name),
        (r#""event_type":"send","name":["Ann"],"msg":"x""#, Field::Name),
        (r#""event_type":"send","name":"a\u0007","msg":"x""#, Field::Name),
        (r#""event_type":"leave""#, Field::Name),
        (&long_name, Field::Name),
        (r#""event_type":"send","name":"Ann""#, Field::Message),
        (r#""event_type":"send","name":"Ann","msg":"""#, Field::Message),
        (r#""event_type":"send","name":"Ann","msg":null"#, Field::Message),
        (r#""event_type":"send","name":"Ann","msg":{}"#, Field::Message),
        (r#""event_type":"join","name":"Ann","msg":5"#, Field::Message),
        (r#""event_type":"join","name":"Ann","color":5"#, Field::Color),
        (r#""event_type":"join","name":"Ann","color":"red;x:url(y)""#, Field::Color),
    ] {
        let garbled = ClientEvent::garbled(Refusal::Malformed(field));
        assert_eq!(CODEC.decode(&format!("{{{inside}}}")), garbled, "{inside}");
    }
    let garbled = ClientEvent::garbled(Refusal::MessageTooLong);
    assert_eq!(CODEC.decode(&format!("{{{too_long}}}")), garbled);
    for text in ["", "null", "[]", "7", r#"["join","Ann"]"#, "{", "{}{}", r#"{"msg":"\ud800"}"#] {
        let garbled = ClientEvent::garbled(Refusal::Malformed(Field::Whole));
        assert_eq!(CODEC.decode(text), garbled, "{text}");
    }
}

#[test]
fn decoding_at_random() {
    let seeds = [
        r#"{"event_type":"send","name":"Ann","color":"red","msg":"ahoy"}"#,
        r#"{"event_type":"join","name":"Zo\u00eb","color":"","msg":""}"#,
        r#"{"event_type":"leave","name":"Ann","x":[[],{}]}"#,
    ];
    feed_at_random(&CODEC, &seeds, 4000);
}

#[test]
fn encoding() {
    let time = Time(1_769_860_980_123_456);
    let at = r#""time":"2026-01-31T12:03:00.123456Z"}"#;
    let event = |color, kind| Event {
        room: LOBBY,
        time,
        author: Author { account: None, name: Name::new("Zoë").expect("a name") },
        color,
        kind,
    };
    let (text, calls) = ("a \"b\"\n".into(), Box::default());
    let said = EventKind::Said { seq: Seq(1), text, client_id: None, reply_to: None, calls };
    let who = r#""name":"Zoë","room_id":1"#;
    let red = Color::new("red");
    for (color, kind, expected) in [
        (
            red.clone(),
            EventKind::Joined,
            format!(
                r#"{{"event_type":"join",{who},"color":"red","msg":"Zoë entered the room.",{at}"#
            ),
        ),
        (
            red,
            said.clone(),
            format!(r#"{{"event_type":"send",{who},"color":"red","msg":"a \"b\"\n",{at}"#),
        ),
        (None, said, format!(r#"{{"event_type":"send",{who},"msg":"a \"b\"\n",{at}"#)),
        (
            None,
            EventKind::Left,
            format!(r#"{{"event_type":"leave",{who},"msg":"Zoë has left the room.",{at}"#),
        ),
    ] {
        // The sender gets it, too.
        assert_eq!(told(&CODEC, &event(color, kind)), (expected.clone(), expected));
    }
}

/// Every refusal: its number, its field, and the HTTP status.
const REFUSALS: [(Refusal, u16, &str, u16); 26] = [
    (Refusal::Unauthenticated, 104, "", 401),
    (Refusal::UnknownKey, 104, "", 401),
    (Refusal::NameInvalid, 303, "name", 400),
    (Refusal::NameTaken, 202, "name", 400),
    (Refusal::NameInUse, 202, "name", 400),
    (Refusal::OtherName, 204, "name", 400),
    (Refusal::NameMissing, 303, "name", 400),
    (Refusal::NotPresent, 201, "name", 404),
    (Refusal::AlreadySubscribed, 202, "name", 400),
    (Refusal::PersonNotFound, 201, "name", 404),
    (Refusal::RoomNotFound, 101, "", 404),
    (Refusal::TitleTaken, 102, "title", 400),
    (Refusal::PasswordMissing, 105, "password", 400),
    (Refusal::PasswordForPublic, 105, "visibility", 400),
    (Refusal::Forbidden, 104, "", 401),
    (Refusal::NoAccess, 403, "token", 403),
    (Refusal::MessageTooLong, 303, "msg", 400),
    (Refusal::Malformed(Field::Whole), 303, "", 400),
    (Refusal::Malformed(Field::Kind), 303, "event_type", 400),
    (Refusal::Malformed(Field::Name), 303, "name", 400),
    (Refusal::Malformed(Field::Message), 303, "msg", 400),
    (Refusal::Malformed(Field::Color), 303, "color", 400),
    (Refusal::RateLimited { retry_after_ms: 1_000 }, 305, "", 429),
    (Refusal::Full, 507, "", 503),
    (Refusal::QuotaReached, 508, "", 403),
    (Refusal::Unavailable, 503, "", 503),
];

#[test]
fn refusals() {
    for (refusal, code, field, status) in REFUSALS {
        assert_eq!(Failure::from(refusal), Failure::new(code, field), "{refusal:?}");
        let response = Response::from(Failure::from(refusal));
        assert_eq!(response.status, status, "{refusal:?}");
        let json = payload(|frame| CODEC.reply(&Err(refusal), None, frame));
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["status"], &json["error"]["code"]), (&false.into(), &code.into()));
        assert_eq!(json["error"]["field"].as_str().unwrap_or_default(), field);
        assert!(json["error"]["error"].as_str().is_some_and(|text| text.len() > 9), "{json}");
    }
}

#[test]
fn replies() {
    let reply = |reply| payload(|frame| CODEC.reply(&reply, None, frame));
    assert_eq!(
        reply(Ok(Receipt::Logged { seq: Seq(3), time: Time(0), repeated: false })),
        "",
        "the echo is the acknowledgement"
    );
    assert_eq!(reply(Ok(Receipt::Noted)), "");
    let mismatch = r#"{"status":false,"error":{"code":204,"error":"Client error: Name mismatch",
"field":"name"}}"#;
    assert_eq!(reply(Err(Refusal::OtherName)), mismatch.replace('\n', ""));
    let malformed = r#"{"status":false,"error":{"code":303,"error":"Invalid JSON"}}"#;
    assert_eq!(reply(Err(Refusal::Malformed(Field::Whole))), malformed);
}
