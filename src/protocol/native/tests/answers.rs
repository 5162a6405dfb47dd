//! Output: messages, pages and rooms, and the sentences of refusals.

use super::{message, room};
use crate::chat::{Field, Refusal, RoomId, RoomInfo, Rules, Visibility};
use crate::http::{Framing, Request, Response};
use crate::protocol::json_body;
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::json::{MessageJson, RoomJson};
use crate::protocol::native::messages::paged;
use crate::protocol::native::search::listed;
use crate::protocol::tests::request;
use crate::store::{Counts, Found, MessagePage};
use crate::time::Time;

fn json(value: &impl serde::Serialize) -> String {
    String::from_utf8(json_body::text(value)).expect("UTF-8")
}

/// A response, as text.
fn sent(response: &Response) -> String {
    let request: Request = request("GET /", "", "");
    let mut bytes = Vec::new();
    let _ = response.encode(&mut bytes, &Framing::of(&request, Time(0)));
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn messages() {
    let whole = message(7, Some("hi @Bo"));
    assert_eq!(
        json(&MessageJson::from(&whole)),
        concat!(
            r#"{"seq":7,"room":2,"author":"Ann","text":"hi @Bo","#,
            r#""time":"1970-01-01T00:00:00.000000Z","color":"red","client_id":"c-1","#,
            r#""reply_to":3,"edited":"1970-01-01T00:00:00.000001Z","#,
            r#""reactions":{"👍":["Bo","Cy"]},"mentions":["Bo"]}"#
        )
    );
    assert!(json(&MessageJson::found(&whole, "hi")).ends_with(r#","snippet":"hi"}"#));
    assert!(json(&MessageJson::replayed(&whole)).starts_with(r#"{"type":"message","seq":7,"#));
    // A deleted message has neither text nor anything derived from it.
    assert_eq!(
        json(&MessageJson::from(&message(7, None))),
        concat!(
            r#"{"seq":7,"room":2,"author":"Ann","time":"1970-01-01T00:00:00.000000Z","#,
            r#""color":"red","client_id":"c-1","reply_to":3,"deleted":true}"#
        )
    );
}

#[test]
fn pages_link_to_their_neighbours() {
    let older = r#"</api/v1/rooms/2/messages?before=7&limit=50>; rel="prev""#;
    let newer = r#"</api/v1/rooms/2/messages?after=9&limit=50>; rel="next""#;
    for (more_before, more_after, link) in [
        (false, false, None),
        (true, false, Some(older.to_owned())),
        (false, true, Some(newer.to_owned())),
        (true, true, Some(format!("{older}, {newer}"))),
    ] {
        let messages = vec![message(7, Some("a")), message(9, None)];
        let text = sent(&paged(RoomId(2), 50, &MessagePage { messages, more_before, more_after }));
        let found = text.lines().find_map(|line| line.strip_prefix("Link: "));
        assert_eq!(found.map(str::to_owned), link);
        let end = format!(r#"],"more_before":{more_before},"more_after":{more_after}}}"#);
        assert!(text.ends_with(&end), "{text}");
    }
    let asked = request("GET /api/v1/search?q=a+b&before=9&room=2", "", "");
    let messages = vec![(message(7, Some("a b")), "a b".to_owned())];
    let text = sent(&listed(&asked, &Found { messages, before: Some(message(7, None).seq) }));
    assert!(
        text.contains("Link: </api/v1/search?q=a+b&room=2&before=7>; rel=\"next\"\r\n"),
        "{text}"
    );
}

#[test]
fn rooms() {
    let info = room();
    let begin = r#"{"id":2,"title":"den","description":"","visibility":"private","kind":"room","#;
    let end = r#""created":"1970-01-01T00:00:00.000000Z","updated":"1970-01-01T00:00:00.000001Z"}"#;
    let owner = r#""owner":"Ann","slow_mode":30,"read_only":true,"locked":false,"#;
    let middle = [owner, r#""member":true,"online":0,"last_seq":9,"#].concat();
    let middle = middle.as_str();
    assert_eq!(json(&RoomJson::told(&info)), [begin, middle, end].concat());
    let own = r#""read_seq":4,"unread":5,"mentions":1,"#;
    let counts = Counts { unread: 5, mentions: 1 };
    assert_eq!(json(&RoomJson::seen(&info, counts)), [begin, middle, own, end].concat());
    let passer_by = |visibility| RoomInfo { membership: None, visibility, ..info.clone() };
    for (visibility, last) in [(Visibility::Public, 9), (Visibility::Private, 0)] {
        let seen = json(&RoomJson::seen(&passer_by(visibility), Counts::default()));
        assert!(seen.contains(&format!(r#""last_seq":{last},"read_seq":0,"#)), "{seen}");
    }
    let rules = Rules::default();
    let strange = RoomInfo { membership: None, owner: None, direct: true, rules, ..info };
    let seen = json(&RoomJson::seen(&strange, Counts::default()));
    let says = [
        r#""kind":"direct","owner":null,"slow_mode":0,"read_only":false,"locked":false,"#,
        r#""member":false,"online":0,"last_seq":0,"read_seq":0"#,
    ];
    assert!(seen.contains(&says.concat()), "{seen}");
}

#[test]
fn refusals() {
    for (refusal, code) in [
        (Refusal::Unauthenticated, Code::Unauthenticated),
        (Refusal::UnknownKey, Code::UnknownKey),
        (Refusal::NameInvalid, Code::InvalidField),
        (Refusal::NameTaken, Code::NameTaken),
        (Refusal::PersonNotFound, Code::UserNotFound),
        (Refusal::RoomNotFound, Code::RoomNotFound),
        (Refusal::MessageNotFound, Code::MessageNotFound),
        (Refusal::SessionNotFound, Code::NotFound),
        (Refusal::TitleTaken, Code::TitleTaken),
        (Refusal::ClientIdReused, Code::ClientIdReused),
        (Refusal::PasswordMissing, Code::InvalidField),
        (Refusal::Forbidden, Code::Forbidden),
        (Refusal::MessageTooLong, Code::MessageTooLong),
        (Refusal::Malformed(Field::Whole), Code::InvalidJson),
        (Refusal::Malformed(Field::Message), Code::MessageEmpty),
        (Refusal::Malformed(Field::Called("seq")), Code::InvalidField),
        (Refusal::TooManyReactions, Code::InvalidField),
        (Refusal::NoSpace, Code::Unavailable),
        (Refusal::Full, Code::Unavailable),
        (Refusal::QuotaReached, Code::Forbidden),
        (Refusal::Unavailable, Code::Unavailable),
        (Refusal::RateLimited { retry_after_ms: 5 }, Code::RateLimited),
    ] {
        assert_eq!(Failure::from(refusal).code(), code, "{refusal:?}");
    }
}

#[test]
fn every_code_says_what_to_do() {
    for code in Code::ALL {
        let (status, word, says) = code.definition();
        assert!(says.len() > 20 && says.chars().next().is_some_and(char::is_lowercase), "{says}");
        let text = sent(&Failure::from(code).into());
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.contains(&format!(r#"{{"error":{{"code":"{word}","#)), "{text}");
        let later = matches!(status, 429 | 503);
        assert_eq!(text.contains("Retry-After: 1\r\n"), later);
        assert_eq!(text.contains(r#""retry_after_ms":1000"#), later);
        assert_eq!(text.contains("WWW-Authenticate: Bearer\r\n"), status == 401);
    }
}
