//! Rooms: creating, showing, changing and deleting them, and the permissions.

use crate::config::Config;
use crate::protocol::tests::{Server, UPGRADE, serve, serve_with};

/// The JSON of an empty room.
fn room(id: u64, title: &str, description: &str, visibility: &str) -> String {
    let description = match description {
        "" => String::new(),
        text => format!(r#""description":"{text}","#),
    };
    format!(
        concat!(
            r#"{{"title":"{}",{}"visibility":"{}","#,
            r#""createdAt":"TIME","updatedAt":"TIME","id":{},"users":[]}}"#
        ),
        title, description, visibility, id
    )
}

fn lobby() -> String {
    room(1, "Public Chat", "This is the default chat, available to everyone!", "public")
}

/// The JSON of an error.
pub(super) fn failure(status: u16, code: u16, error: &str, field: &str) -> String {
    let field = if field.is_empty() { String::new() } else { format!(r#","field":"{field}""#) };
    format!(r#"{status} {{"status":false,"error":{{"code":{code},"error":"{error}"{field}}}}}"#)
}

fn content(field: &str) -> String {
    failure(400, 105, "Room error: Invalid content", field)
}

fn unauthorized() -> String {
    failure(401, 104, "Room error: Unauthorized operation", "")
}

fn not_found(room: &str) -> String {
    failure(404, 101, "Room error: Room not found", room)
}

pub(super) fn invalid_token() -> String {
    failure(403, 403, "Token error: Invalid token", "token")
}

/// Makes a room with that password; returns the header line with a token for it.
pub(super) async fn private(server: &Server, title: &str, name: &str) -> String {
    let body = format!(r#"{{"title":"{title}","visibility":"private","password":"12345678"}}"#);
    assert_eq!(server.send("POST /chats", "", &body).await.status, 201);
    token(server, title, name, "12345678").await
}

/// Gets a token; returns its header line.
pub(super) async fn token(server: &Server, room: &str, name: &str, secret: &str) -> String {
    let body = format!(r#"{{"secret":"{secret}","name":"{name}"}}"#);
    let reply = server.send(&format!("POST /chats/{room}/token"), "", &body).await;
    format!("Authorization: Bearer {}\n", reply.text("token"))
}

#[test]
fn showing() {
    serve(async |server| {
        let expected = format!("200 {}", lobby());
        for room in ["1", "01", "public%20chat", "PUBLIC%20CHAT", "Public%20Chat"] {
            server.check(&format!("GET /chats/{room}"), "", "", &expected).await;
        }
        for room in ["2", "0", "nowhere", "99999999999999999999999", "1a", "public"] {
            server.check(&format!("GET /chats/{room}"), "", "", &not_found(room)).await;
        }
        server
            .check("GET /chats/", "", "", &failure(404, 101, "Room error: Room not found", ""))
            .await;
        server.check("GET /chats/a%22b", "", "", &not_found("a\\\"b")).await;
        let reply = server.check("GET /chats", "", "", &format!("200 [{}]", lobby())).await;
        assert_eq!(reply.header("Vary"), Some("Accept"));
        let nothing = failure(404, 404, "this path does not exist; check the spelling", "");
        for path in ["/chats/1/", "/chats/1/ws/", "/chats/1/token/renew/x", "/chats/1/chatbox"] {
            server.check(&format!("GET {path}"), "", "", &nothing).await;
        }
        let ann = server.account("Ann").await;
        let subscription = server.send("GET /chats/1/ws", &format!("{}{ann}", UPGRADE), "").await;
        subscription
            .subscription
            .as_ref()
            .expect("a subscription")
            .tell(crate::chat::ClientEvent::Room(crate::chat::RoomEvent::Join {
                name: None,
                color: crate::chat::Color::new("red"),
            }))
            .await;
        let user = r#""users":[{"username":"Ann","color":"red","last_activity":"TIME"}]"#;
        let here = lobby().replace(r#""users":[]"#, user);
        server.check("GET /chats/1", "", "", &format!("200 {here}")).await;
    });
}

#[test]
fn json_or_a_page() {
    serve(async |server| {
        for (accept, page) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("text/html", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.5", false),
        ] {
            let reply = server.send("GET /chats", &format!("Accept: {accept}"), "").await;
            assert_eq!(reply.body.starts_with("<!doctype html>"), page, "{accept}");
            assert!(reply.head.contains("\r\nVary: Accept\r\n"), "{}", reply.head);
        }
        let reply = server.send("GET /chats/1", "Accept: text/html", "").await;
        assert!(reply.body.starts_with('{'), "one room is JSON for everybody");
    });
}

#[test]
fn making() {
    serve(async |server| {
        let json = |field: &str| failure(400, 103, "Room error: Invalid JSON", field);
        let (long, short) = ("t".repeat(71), "p".repeat(7));
        let fields = |inside: &str| format!("{{{inside}}}");
        for (body, expected) in [
            (String::new(), json("")),
            ("[]".into(), json("")),
            ("null".into(), json("")),
            (r#"["ab","","public",""]"#.into(), json("")),
            (fields(r#""title":7,"visibility":"public""#), json("title")),
            (fields(r#""title":"ab","visibility":["public"]"#), json("visibility")),
            (
                fields(r#""title":"ab","visibility":"private","password":12345678"#),
                json("password"),
            ),
            ("{}".into(), content("title")),
            (fields(r#""visibility":"public""#), content("title")),
            (fields(r#""title":null,"visibility":"public""#), content("title")),
            (fields(r#""title":"","visibility":"public""#), content("title")),
            (fields(r#""title":"a","visibility":"public""#), content("title")),
            (fields(r#""title":"12345","visibility":"public""#), content("title")),
            (format!(r#"{{"title":"{long}","visibility":"public"}}"#), content("title")),
            (
                format!(r#"{{"title":"ab","description":"{long}","visibility":"public"}}"#),
                content("description"),
            ),
            (fields(r#""title":"ab""#), content("visibility")),
            (fields(r#""title":"ab","visibility":"secret""#), content("visibility")),
            (fields(r#""title":"ab","visibility":"Public""#), content("visibility")),
            (fields(r#""title":"ab","visibility":"private""#), content("password")),
            (fields(r#""title":"ab","visibility":"hidden","password":"""#), content("password")),
            (
                format!(r#"{{"title":"ab","visibility":"hidden","password":"{short}"}}"#),
                content("password"),
            ),
            (
                format!(
                    r#"{{"title":"ab","visibility":"hidden","password":"{}"}}"#,
                    "p".repeat(257)
                ),
                content("password"),
            ),
            (
                fields(r#""title":"ab","visibility":"public","password":"12345678""#),
                content("visibility"),
            ),
            (
                fields(r#""title":"PUBLIC chat","visibility":"public""#),
                failure(400, 102, "Room error: Duplicate room", "title"),
            ),
        ] {
            server.check("POST /chats", "", &body, &expected).await;
        }
        let body = r#"{"title":"Deck","visibility":"public","password":"","id":1,"users":7}"#;
        let deck = room(2, "Deck", "", "public");
        server.check("POST /chats", "", body, &format!("201 {deck}")).await;
        // Neither the password nor its hash appears.
        let body =
            r#"{"title":"Hold","description":"d","visibility":"hidden","password":"sesame!!"}"#;
        let taken = failure(400, 102, "Room error: Duplicate room", "title");
        let made = server.send("POST /chats", "", body).await;
        let id = made.body.split_once(r#""id":"#).and_then(|(_, rest)| rest.split_once(','));
        let id: u64 = id.expect("an id").0.parse().expect("a number");
        assert!(id > 1 << 32, "a hidden room's number cannot be counted to");
        let hold = room(id, "Hold", "d", "hidden");
        server.check("POST /chats", "", body, &taken).await;
        server.check(&format!("GET /chats/{id}"), "", "", &format!("200 {hold}")).await;
        server.check("GET /chats/hold", "", "", &not_found("hold")).await;
        server.check("GET /chats", "", "", &format!("200 [{},{deck}]", lobby())).await;
        // An id is never used again.
        server.check("DELETE /chats/2", "", "", r#"200 {"status":true}"#).await;
        server.check("GET /chats/2", "", "", &not_found("2")).await;
        let body = r#"{"title":"Deck","visibility":"public"}"#;
        let again = deck.replace(r#""id":2"#, r#""id":3"#);
        server.check("POST /chats", "", body, &format!("201 {again}")).await;
    });
}

#[test]
fn a_disk_that_refuses() {
    serve_with(Config::default(), 0, async |server| {
        let body = r#"{"title":"Deck","visibility":"public"}"#;
        let says = "Server error: Unavailable, try again later";
        let reply = server.check("POST /chats", "", body, &failure(503, 503, says, "")).await;
        assert_eq!(reply.header("Retry-After"), Some("1"));
    });
}

#[test]
fn changing_a_public_room() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        let bo = server.account("Bo").await;
        let refused = unauthorized();
        for line in ["PUT /chats/1", "DELETE /chats/1", "PUT /chats/Public%20Chat"] {
            for who in ["", &*ann, "Authorization: Bearer x"] {
                let reply = server.check(line, who, "{}", &refused).await;
                assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"));
            }
        }
        // Anyone may change a guest's room.
        let body = r#"{"title":"Deck","description":"d","visibility":"public"}"#;
        server.send("POST /chats", "", body).await;
        let deck = |title| format!("200 {}", room(2, title, "d", "public"));
        server.check("PUT /chats/2", "", "{}", &deck("Deck")).await;
        server.check("PUT /chats/deck", "", r#"{"title":"DECK"}"#, &deck("DECK")).await;
        let kept = r#"{"title":null,"description":null,"visibility":null,"password":null,"x":1}"#;
        server.check("PUT /chats/2", &bo, kept, &deck("DECK")).await;
        for (body, expected) in [
            ("", failure(400, 103, "Room error: Invalid JSON", "")),
            (r#"{"title":7}"#, failure(400, 103, "Room error: Invalid JSON", "title")),
            (r#"{"title":""}"#, content("title")),
            (r#"{"visibility":"private"}"#, content("password")),
            (r#"{"visibility":"private","password":"short"}"#, content("password")),
            (r#"{"password":"12345678"}"#, content("visibility")),
            (
                r#"{"title":"public CHAT"}"#,
                failure(400, 102, "Room error: Duplicate room", "title"),
            ),
        ] {
            server.check("PUT /chats/2", "", body, &expected).await;
        }
        server.check("PUT /chats/9", "", "{}", &not_found("9")).await;
        server.check("DELETE /chats/nowhere", "", "", &not_found("nowhere")).await;
        // Only the account may change its room, and a foreign page does not count as the account.
        server.send("POST /chats", &ann, r#"{"title":"Helm","visibility":"public"}"#).await;
        let foreign = format!("{ann}Origin: https://evil.example\n");
        for who in ["", &*bo, "Cookie: session=x"] {
            server.check("PUT /chats/helm", who, "{}", &refused).await;
            server.check("DELETE /chats/helm", who, "", &refused).await;
        }
        let elsewhere = failure(403, 301, "Could not establish session", "Origin");
        server.check("PUT /chats/helm", &foreign, "{}", &elsewhere).await;
        server.check("DELETE /chats/helm", &foreign, "", &elsewhere).await;
        // A client without the right is not told what is wrong with the body.
        for body in ["nonsense", r#"{"title":7}"#, r#"{"title":"Deck"}"#, r#"{"title":""}"#] {
            server.check("PUT /chats/helm", &bo, body, &refused).await;
            server.check("PUT /chats/1", "", body, &refused).await;
        }
        let body = r#"{"visibility":"private","password":"12345678"}"#;
        server.check("PUT /chats/helm", &bo, body, &refused).await;
        assert_eq!(server.send("PUT /chats/helm", &ann, r#"{"title":"Aft"}"#).await.status, 200);
        server.check("DELETE /chats/aft", &ann, "", r#"200 {"status":true}"#).await;
    });
}

#[test]
fn changing_a_private_room() {
    serve(async |server| {
        let good = private(&server, "Hold", "Ann").await;
        let other = private(&server, "Brig", "Ann").await;
        let forged = "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.";
        let unsigned = failure(401, 402, "Token error: Unauthorized signing method", "token");
        let foreign = crate::protocol::chitchat::Tokens::new("x");
        let name = crate::chat::Name::new("Ann").expect("a name");
        let state =
            crate::protocol::chitchat::tests::tokens::password_state(crate::time::Time::now());
        let foreign = foreign.issue(&name, None, &state);
        let foreign = format!("Authorization: Bearer {foreign}");
        for (who, expected) in [
            ("", &invalid_token()),
            ("Authorization: Bearer x", &invalid_token()),
            ("Authorization: Basic x", &invalid_token()),
            (&other, &invalid_token()),
            (forged, &unsigned),
            (&foreign, &invalid_token()),
        ] {
            server.check("PUT /chats/hold", who, "{}", expected).await;
            server.check("DELETE /chats/hold", who, "", expected).await;
        }
        // Without a valid token the body is not checked.
        server.check("PUT /chats/hold", "", "nonsense", &invalid_token()).await;
        let body = r#"{"title":"Hold 2","visibility":"hidden"}"#;
        assert_eq!(server.send("PUT /chats/hold", &good, body).await.status, 200);
        assert_eq!(server.send("PUT /chats/2", &good, "{}").await.status, 200);
        // A new password ends all tokens.
        let body = r#"{"password":"87654321"}"#;
        assert_eq!(server.send("PUT /chats/2", &good, body).await.status, 200);
        server.check("PUT /chats/2", &good, "{}", &invalid_token()).await;
        server.check("DELETE /chats/2", &good, "", &invalid_token()).await;
        let good = token(&server, "2", "Ann", "87654321").await;
        assert_eq!(
            server.send("PUT /chats/2", &good, r#"{"visibility":"public"}"#).await.status,
            200
        );
        server.check("DELETE /chats/2", "", "", r#"200 {"status":true}"#).await;
    });
}
