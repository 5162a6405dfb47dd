//! A room that opens: who joins then hears nothing of what was said before.

use serde_json::json;

use super::{Form, Stream};
use crate::kit::TestServer;

/// A changed message is a message: its new text does not reach those who may not see the old one.
#[test]
fn changes_of_earlier_messages_stay_unheard() {
    let server = TestServer::start();
    let [ann, bob, eve] = ["ann", "bob", "eve"].map(|name| server.user(name));
    let secret = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let den = server.make(&ann, &secret);
    let path = format!("/rooms/{den}");
    let (password, open) = (json!({"password": "open sesame"}), json!({"visibility": "public"}));
    assert_eq!(server.api(&bob, "PUT", &format!("{path}/membership"), &password).0, 200);
    let before = server.tell(&ann, den, "before")["seq"].clone();
    let other = server.tell(&ann, den, "another")["seq"].clone();
    assert_eq!(server.api(&ann, "PATCH", &path, &open).0, 200);
    assert_eq!(server.api(&eve, "PUT", &format!("{path}/membership"), &json!({})).0, 200);
    let mut streams = [&eve, &bob].map(|who| server.live(who, Form::Ws));
    let since = format!("?since={}", streams[0].cursor());
    let change = |seq: &serde_json::Value, method: &str, tail: &str, status: u16| {
        let path = format!("{path}/messages/{seq}{tail}");
        let changed = server.api(&ann, method, &path, &json!({"text": "changed @eve"}));
        assert_eq!(changed.0, status, "{changed:?}");
    };
    change(&before, "PATCH", "", 200);
    change(&before, "PUT", "/reactions/%F0%9F%91%8D", 200);
    change(&other, "DELETE", "", 204);
    let after = server.tell(&ann, den, "after")["seq"].clone();
    change(&after, "PATCH", "", 200);
    let heard = |stream: &mut Stream| {
        let mut heard = Vec::new();
        loop {
            let frame = stream.next();
            if frame["target"].is_u64() || frame["type"] == "message" {
                heard.push((frame["type"].clone(), frame["target"].clone()));
            }
            if frame["target"] == after {
                return heard;
            }
        }
    };
    let [message, edit] = [json!("message"), json!("edit")];
    let late = [(message.clone(), json!(null)), (edit.clone(), after.clone())];
    let all = [
        (edit, before.clone()),
        (json!("reaction"), before.clone()),
        (json!("delete"), other.clone()),
        late[0].clone(),
        late[1].clone(),
    ];
    assert_eq!(heard(&mut streams[0]), late);
    assert_eq!(heard(&mut streams[1]), all);
    for (who, expected) in [(&eve, &late[..]), (&bob, &all)] {
        assert_eq!(heard(&mut server.stream(who, Form::Lines, &since)), expected, "later");
    }
}
