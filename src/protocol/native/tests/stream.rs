//! The stream's frames: a client's messages, the events, and the replies.

use super::name;
use crate::chat::{
    Action, Author, ClientEvent, ClientId, Color, Emoji, Event, EventKind, Field, Receipt, Refusal,
    RoomId, Seq, Standing, StreamEvent,
};
use crate::codec::Codec;
use crate::protocol::native::codec::CODEC;
use crate::protocol::native::fields::wrong;
use crate::protocol::native::frames::{self, Bye, Reset};
use crate::protocol::tests::{feed_at_random, payload};
use crate::time::Time;

fn id(text: &str) -> Option<ClientId> {
    Some(ClientId::new(text).expect("an id"))
}

#[test]
fn decoding() {
    let (room, target) = (RoomId(2), Seq(5));
    let emoji = Emoji::new("👍").expect("a reaction");
    let act = |action, mark| ClientEvent::Stream(StreamEvent::Act { action, mark: id(mark) });
    let send = |text: &str, reply_to| {
        let (text, client_id) = (text.into(), id("a"));
        act(Action::Send { room, text, client_id, reply_to }, "a")
    };
    let longest = "🦜".repeat(4000);
    for (text, means) in [
        (r#"{"type":"send","room":2,"client_id":"a","text":"hi\n"}"#, send("hi\n", None)),
        (
            r#" {"text":" a","client_id":"a","room":2,"type":"send","reply_to":5,"new":[]} "#,
            send(" a", Some(target)),
        ),
        (
            &format!(r#"{{"type":"send","room":2,"client_id":"a","text":"{longest}"}}"#),
            send(&longest, None),
        ),
        (
            r#"{"type":"edit","room":2,"target":5,"text":"x","client_id":"b"}"#,
            act(Action::Edit { room, target, text: "x".into() }, "b"),
        ),
        (
            r#"{"type":"delete","room":2,"target":5,"client_id":"b"}"#,
            act(Action::Delete { room, target }, "b"),
        ),
        (
            r#"{"type":"react","room":2,"target":5,"emoji":"👍","on":false,"client_id":"b"}"#,
            act(Action::React { room, target, emoji, on: false }, "b"),
        ),
        (r#"{"type":"typing","room":2}"#, ClientEvent::Stream(StreamEvent::Typing { room })),
        (
            r#"{"type":"read","room":2,"seq":5}"#,
            ClientEvent::Stream(StreamEvent::Read { room, seq: target }),
        ),
    ] {
        assert_eq!(CODEC.decode(text), means, "{text}");
    }
}

#[test]
fn decoding_what_is_malformed() {
    let whole = Refusal::Malformed(Field::Whole);
    for text in ["", "null", "7", "[]", "hello", "{", "{}{}", r#"["send"]"#, r#"{"a":"\ud800"}"#] {
        assert_eq!(CODEC.decode(text), ClientEvent::garbled(whole), "{text}");
    }
    let kind = Refusal::Malformed(Field::Kind);
    let too_long = format!(r#""type":"send","room":1,"text":"{}""#, "a".repeat(4001));
    for (inside, refusal) in [
        ("", kind),
        (r#""type":"shout""#, kind),
        (r#""type":null"#, kind),
        (r#""type":1"#, wrong("type")),
        (r#""type":"send","text":"x""#, wrong("room")),
        (r#""type":"typing","room":"1""#, wrong("room")),
        (r#""type":"typing","room":-1"#, wrong("room")),
        (r#""type":"typing","room":1.5"#, wrong("room")),
        (r#""type":"typing","room":9223372036854775808"#, wrong("room")),
        (r#""type":"send","room":1"#, wrong("text")),
        (r#""type":"send","room":1,"text":7"#, wrong("text")),
        (r#""type":"send","room":1,"text":"""#, Refusal::Malformed(Field::Message)),
        (&too_long, Refusal::MessageTooLong),
        (r#""type":"send","room":1,"text":"x","reply_to":"y""#, wrong("reply_to")),
        (r#""type":"edit","room":1,"text":"x""#, wrong("target")),
        (r#""type":"delete","room":1,"target":[]"#, wrong("target")),
        (r#""type":"react","room":1,"target":1,"emoji":"👍""#, wrong("on")),
        (r#""type":"react","room":1,"target":1,"on":1,"emoji":"👍""#, wrong("on")),
        (r#""type":"react","room":1,"target":1,"on":true,"emoji":"ok""#, wrong("emoji")),
        (r#""type":"read","room":1"#, wrong("seq")),
    ] {
        let text = format!(r#"{{"client_id":"m",{inside}}}"#).replace(",}", "}");
        assert_eq!(CODEC.decode(&text), ClientEvent::Garbled { refusal, mark: id("m") }, "{text}");
    }
    for bad in ["", r#""client_id":"","#, r#""client_id":7,"#, r#""client_id":"a b","#] {
        let text = format!(r#"{{{bad}"type":"send","room":1,"text":"x"}}"#);
        assert_eq!(CODEC.decode(&text), ClientEvent::garbled(wrong("client_id")), "{text}");
    }
}

#[test]
fn decoding_at_random() {
    let seeds = [
        r#"{"type":"send","room":2,"client_id":"a","text":"ahoy","reply_to":5}"#,
        r#"{"type":"edit","room":2,"target":5,"text":"x\n","client_id":"b"}"#,
        r#"{"type":"react","room":2,"target":5,"emoji":"👍","on":true,"client_id":"b"}"#,
    ];
    feed_at_random(&CODEC, &seeds, 4000);
}

/// One of each, in JSON.
pub(super) fn every_frame() -> Vec<String> {
    let (seq, target) = (Seq(9), Seq(5));
    let emoji = Emoji::new("👍").expect("a reaction");
    let event = |kind| Event {
        room: RoomId(2),
        time: Time(0),
        author: Author { account: None, name: name("Ann") },
        color: Color::new("red"),
        kind,
    };
    let text = || "hi @Bo".into();
    let calls = || [name("Bo")].into();
    let (client_id, reply_to) = (id("a"), Some(target));
    let said = EventKind::Said { seq, text: text(), client_id, reply_to, calls: calls() };
    let events = [
        said,
        EventKind::Edited { seq, target, text: text(), calls: calls() },
        EventKind::Deleted { seq, target },
        EventKind::Reacted { seq, target, emoji, on: true },
        EventKind::Room { seq, info: Box::new(super::room()) },
        EventKind::Gone { seq },
        EventKind::Member { seq, member: true },
        EventKind::Standing { seq, change: Standing::Moderator(true) },
        EventKind::Standing { seq, change: Standing::Muted(Some(Time(9))) },
        EventKind::Standing { seq, change: Standing::Muted(None) },
        EventKind::Joined,
        EventKind::Left,
        EventKind::Typing,
        EventKind::Read { seq: target },
    ];
    let told = events.map(|kind| payload(|frame| CODEC.event("e0", &event(kind), frame)));
    let logged = Ok(Receipt::Logged { seq, time: Time(0), repeated: false });
    let replies = [logged, Err(Refusal::RoomNotFound), Err(wrong("on"))];
    let replied =
        replies.map(|reply| payload(|frame| CODEC.reply(&reply, id("a").as_ref(), frame)));
    let own = [
        show(|json| frames::open("e0", seq, &name("Ann"), json)),
        show(|json| frames::reset(Reset::Epoch, "e0", seq, json)),
        show(|json| frames::caught_up(seq, &[(RoomId(1), target), (RoomId(2), seq)], json)),
        show(|json| frames::ping(seq, json)),
        show(|json| frames::bye(Bye::TooSlow, 500, json)),
        show(|json| frames::message(&super::message(7, None), json)),
    ];
    told.into_iter().chain(replied).chain(own).collect()
}

fn show(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut json = Vec::new();
    write(&mut json);
    String::from_utf8(json).expect("UTF-8")
}

#[test]
fn encoding() {
    let time = r#""time":"1970-01-01T00:00:00.000000Z""#;
    let expected = [
        &*format!(
            r#"{{"type":"message","seq":9,"room":2,"author":"Ann","text":"hi @Bo",{time},{}}}"#,
            r#""color":"red","client_id":"a","reply_to":5,"mentions":["Bo"]"#
        ),
        &format!(
            r#"{{"type":"edit","seq":9,"room":2,"target":5,"text":"hi @Bo",{},{time}}}"#,
            r#""mentions":["Bo"]"#
        ),
        &format!(r#"{{"type":"delete","seq":9,"room":2,"target":5,"by":"Ann",{time}}}"#),
        &format!(
            r#"{{"type":"reaction","seq":9,"room":2,"target":5,"by":"Ann",{},{time}}}"#,
            r#""emoji":"👍","on":true"#
        ),
        concat!(
            r#"{"type":"room","seq":9,"room":{"id":2,"title":"den","description":"","#,
            r#""visibility":"private","kind":"room","owner":"Ann","slow_mode":30,"#,
            r#""read_only":true,"locked":false,"member":true,"online":0,"#,
            r#""last_seq":9,"created":"1970-01-01T00:00:00.000000Z","#,
            r#""updated":"1970-01-01T00:00:00.000001Z"}}"#
        ),
        r#"{"type":"room_gone","seq":9,"room":2}"#,
        r#"{"type":"member","seq":9,"room":2,"name":"Ann","in":true}"#,
        r#"{"type":"member","seq":9,"room":2,"name":"Ann","in":true,"moderator":true}"#,
        concat!(
            r#"{"type":"member","seq":9,"room":2,"name":"Ann","in":true,"muted":true,"#,
            r#""muted_until":"1970-01-01T00:00:00.000009Z"}"#
        ),
        r#"{"type":"member","seq":9,"room":2,"name":"Ann","in":true,"muted":false}"#,
        r#"{"type":"presence","room":2,"name":"Ann","online":true,"color":"red"}"#,
        r#"{"type":"presence","room":2,"name":"Ann","online":false,"color":"red"}"#,
        r#"{"type":"typing","room":2,"name":"Ann"}"#,
        r#"{"type":"read","room":2,"read_seq":5}"#,
        &format!(r#"{{"type":"ack","client_id":"a","seq":9,{time}}}"#),
        concat!(
            r#"{"type":"error","client_id":"a","error":{"code":"room_not_found","message":"#,
            r#""there is no such room, or you are not in it; see GET /api/v1/rooms"}}"#
        ),
        concat!(
            r#"{"type":"error","client_id":"a","error":{"code":"invalid_field","message":"#,
            r#""this field must be true or false","field":"on"}}"#
        ),
        r#"{"type":"open","epoch":"e0","seq":9,"me":"Ann"}"#,
        r#"{"type":"reset","reason":"epoch","epoch":"e0","seq":9}"#,
        r#"{"type":"caught_up","seq":9,"read":{"1":5,"2":9}}"#,
        r#"{"type":"ping","seq":9}"#,
        r#"{"type":"bye","code":"too_slow","retry_after_ms":500}"#,
    ];
    assert_eq!(every_frame().len(), expected.len() + 1, "and a message that was replayed");
    for (frame, expected) in every_frame().iter().zip(expected) {
        assert_eq!(frame, expected);
    }
    assert!(CODEC.echoes(), "a stream is one sequence, whoever said what");
    let silent = payload(|frame| CODEC.reply(&Ok(Receipt::Noted), None, frame));
    assert_eq!(silent, "", "nobody waits to be told that others see them typing");
    let unmarked = payload(|frame| CODEC.reply(&Err(Refusal::RoomNotFound), None, frame));
    assert!(unmarked.starts_with(r#"{"type":"error","error":{"code":"room_not_found""#));
    assert_eq!([Reset::Ahead, Reset::Retention].map(Reset::as_str), ["ahead", "retention"]);
    let reasons = [Bye::GoingAway, Bye::SessionEnded, Bye::Banned, Bye::Replaced].map(Bye::as_str);
    assert_eq!(reasons, ["going_away", "session_ended", "banned", "replaced"]);
}
