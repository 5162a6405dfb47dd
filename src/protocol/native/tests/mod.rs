//! The native protocol, as tables: one file a theme.

mod answers;
mod documents;
mod flow;
mod identity;
mod requests;
mod stream;

use crate::chat::{
    Author, ClientId, Color, Description, Emoji, MembershipMarks, Name, RoomId, RoomInfo, Rules,
    Seq, Title, Visibility,
};
use crate::protocol::tests::Server;
use crate::store::Message;
use crate::time::Time;

/// The JSON of a refusal: `401 unauthenticated`, `422 invalid_field title`.
fn refusal(reply: &crate::protocol::tests::Reply) -> String {
    let json: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
    let error = &json["error"];
    let says = error["message"].as_str().expect("a sentence");
    assert!(says.len() > 20, "{says:?} says what to do");
    let field = error["field"].as_str().map(|field| format!(" {field}")).unwrap_or_default();
    format!("{} {}{field}", reply.status, error["code"].as_str().expect("a code"))
}

/// Registers; the header line with the account's key.
async fn bearer(server: &Server, name: &str) -> String {
    let body = format!(r#"{{"name":"{name}"}}"#);
    let key = server.send("POST /api/v1/accounts", "", &body).await.text("key");
    format!("Authorization: Bearer {key}\n")
}

/// Registers and logs in; the header line with the session's cookie.
async fn cookie(server: &Server, name: &str) -> String {
    let body = format!(r#"{{"name":"{name}"}}"#);
    let key = server.send("POST /api/v1/accounts", "", &body).await.text("key");
    let body = format!(r#"{{"key":"{key}"}}"#);
    let session = server.send("POST /api/v1/sessions", "", &body).await.text("session");
    format!("Cookie: session={session}\n")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// A message with every optional part.
fn message(seq: u64, text: Option<&str>) -> Message {
    Message {
        seq: Seq(seq),
        room: RoomId(2),
        author: Author { account: None, name: name("Ann") },
        color: Color::new("red"),
        text: text.map(Into::into),
        time: Time(0),
        client_id: ClientId::new("c-1"),
        reply_to: Some(Seq(3)),
        edited: Some(Time(1)),
        calls: vec![name("Bo")],
        reactions: vec![(Emoji::new("👍").expect("a reaction"), vec![name("Bo"), name("Cy")])],
    }
}

/// A room with a member that has unread messages.
fn room() -> RoomInfo {
    RoomInfo {
        id: RoomId(2),
        number: RoomId(2),
        title: Title::new("den").expect("a title"),
        description: Description::default(),
        visibility: Visibility::Private,
        rules: Rules { slow_secs: 30, read_only: true, locked: false },
        created: Time(0),
        updated: Time(1),
        online: 0,
        present: Vec::new(),
        horizon: Seq(0),
        more: None,
        direct: false,
        owner: Name::new("Ann"),
        last: Seq(9),
        membership: Some(MembershipMarks {
            room: RoomId(2),
            since: Seq(1),
            read: Seq(4),
            horizon: Seq(0),
        }),
    }
}
