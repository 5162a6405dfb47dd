//! Getting a token, and taking a subscription.

use super::rooms::{failure, invalid_token, private, token};
use crate::chat::{ClientEvent, RoomEvent};
use crate::protocol::tests::{UPGRADE as UP, serve};

const DONE: &str = r#"200 {"status":true}"#;

fn in_use() -> String {
    failure(400, 202, "Client error: Duplicate username", "name")
}

#[test]
fn asking_for_a_token() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        private(&server, "Hold", "Bo").await;
        let line = "POST /chats/hold/token";
        let json = |field: &str| failure(400, 303, "Invalid JSON", field);
        let wrong = failure(401, 304, "Unauthorized operation", "secret");
        let long = format!(r#"{{"secret":"{}","name":"Bo"}}"#, "s".repeat(257));
        let not_found = failure(404, 101, "Room error: Room not found", "nowhere");
        server.check("POST /chats/nowhere/token", "", "nonsense", &not_found).await;
        for body in ["", "nonsense", r#"{"secret":"x"}"#] {
            server.check("POST /chats/1/token", "", body, DONE).await;
        }
        for (body, expected) in [
            ("", &json("")),
            ("[]", &json("")),
            (r#"["12345678","Bo"]"#, &json("")),
            ("{}", &json("name")),
            (r#"{"secret":"12345678"}"#, &json("name")),
            (r#"{"secret":"12345678","name":""}"#, &json("name")),
            (r#"{"secret":"12345678","name":" Bo"}"#, &json("name")),
            (r#"{"secret":"12345678","name":7}"#, &json("name")),
            (r#"{"secret":12345678,"name":"Bo"}"#, &json("secret")),
            (r#"{"name":"Bo"}"#, &wrong),
            (r#"{"secret":null,"name":"Bo"}"#, &wrong),
            (r#"{"secret":"","name":"Bo"}"#, &wrong),
            (r#"{"secret":"12345679","name":"Bo"}"#, &wrong),
            (&long, &wrong),
            // Only clients that know the password learn which names are in use.
            (r#"{"secret":"12345679","name":"Ann"}"#, &wrong),
            (r#"{"secret":"12345678","name":"ann"}"#, &in_use()),
        ] {
            server.check(line, "", body, expected).await;
        }
        let granted =
            |name| format!(r#"201 {{"status":true,"name":"{name}","room_id":2,"token":"TOKEN"}}"#);
        let body = r#"{"secret":"12345678","name":"Bo","more":1}"#;
        server.check(line, "", body, &granted("Bo")).await;
        let body = r#"{"secret":"12345678","name":"Ann"}"#;
        server.check(line, &ann, body, &granted("Ann")).await;
        let foreign = format!("{ann}Origin: https://evil.example");
        let elsewhere = failure(403, 301, "Could not establish session", "Origin");
        server.check(line, &foreign, body, &elsewhere).await;
    });
}

#[test]
fn renewing_a_token() {
    serve(async |server| {
        let good = private(&server, "Hold", "Bo").await;
        let granted = r#"201 {"status":true,"name":"Bo","room_id":2,"token":"TOKEN"}"#;
        let line = "GET /chats/hold/token/renew";
        let reply = server.check(line, &good, "", granted).await;
        let renewed = format!("Authorization: Bearer {}", reply.text("token"));
        server.check("GET /chats/2/token/renew", &renewed, "", granted).await;
        server.check(line, "", "", &invalid_token()).await;
        server.check(line, "Authorization: Bearer a.b.c", "", &invalid_token()).await;
        server.check("GET /chats/1/token/renew", "", "", DONE).await;
        let not_found = failure(404, 101, "Room error: Room not found", "nowhere");
        server.check("GET /chats/nowhere/token/renew", &good, "", &not_found).await;
        // A client that is connected under the name may renew, too.
        let subscribed = server.send("GET /chats/2/ws", &format!("{UP}{good}"), "").await;
        assert_eq!(subscribed.status, 101);
        server.check(line, &good, "", granted).await;
        drop(subscribed);
        // Once the name is an account's, a guest's token for it does not become the account's.
        server.account("Bo").await;
        server.check(line, &good, "", &in_use()).await;
        server.check("GET /chats/2/ws", &format!("{UP}{good}"), "", &in_use()).await;
        // A new password ends all tokens.
        let cy = token(&server, "2", "Cy", "12345678").await;
        server.send("PUT /chats/2", &cy, r#"{"password":"87654321"}"#).await;
        server.check(line, &cy, "", &invalid_token()).await;
    });
}

#[test]
fn a_token_for_ones_own_name_is_good_at_once() {
    serve(async |server| {
        private(&server, "Hold", "Bo").await;
        // Registered, logged in, and issued a token within one second.
        let ann = server.account("Ann").await;
        let body = r#"{"secret":"12345678","name":"Ann"}"#;
        let given = server.send("POST /chats/hold/token", &ann, body).await;
        let bearer = format!("Authorization: Bearer {}\n", given.text("token"));
        let granted = r#"201 {"status":true,"name":"Ann","room_id":2,"token":"TOKEN"}"#;
        server.check("GET /chats/2/token/renew", &bearer, "", granted).await;
        let up = format!("{UP}{bearer}");
        let subscribed = server.check("GET /chats/2/ws", &up, "", "101").await;
        // The account may connect twice; a guest could not.
        server.check("GET /chats/2/ws", &up, "", "101").await;
        drop(subscribed);
    });
}

#[test]
fn subscribed_in_a_private_room() {
    serve(async |server| {
        let good = private(&server, "Hold", "Bo").await;
        let bare = good.trim_end().strip_prefix("Authorization: Bearer ").expect("a token");
        let line = "GET /chats/hold/ws";
        let up = |headers: &str| format!("{UP}{headers}");
        server.check(line, UP, "", &invalid_token()).await;
        server.check(line, &up("Authorization: Bearer x"), "", &invalid_token()).await;
        server.check(line, &up("Sec-WebSocket-Protocol: chat"), "", &invalid_token()).await;
        let unsigned = up("Sec-WebSocket-Protocol: eyJhbGciOiJub25lIn0.e30.");
        let method = failure(401, 402, "Token error: Unauthorized signing method", "token");
        server.check(line, &unsigned, "", &method).await;
        let says = "this path is a websocket; connect with a websocket client, version 13";
        let reply = server.check(line, &good, "", &failure(426, 426, says, "")).await;
        assert_eq!(reply.header("Upgrade"), Some("websocket"));
        let not_found = failure(404, 101, "Room error: Room not found", "nowhere");
        server.check("GET /chats/nowhere/ws", UP, "", &not_found).await;
        // By header: nothing to echo. As a subprotocol: echoed, among others, too.
        for (headers, echoed) in [
            (good.clone(), None),
            (format!("Sec-WebSocket-Protocol: {bare}"), Some(bare)),
            (format!("Sec-WebSocket-Protocol: chat, {bare}"), Some(bare)),
            (format!("{good}Sec-WebSocket-Protocol: chat"), Some("chat")),
            (format!("{good}Origin: http://chat.example\nCookie: session=x"), None),
        ] {
            let reply = server.check(line, &up(&headers), "", "101").await;
            assert_eq!(reply.header("Sec-WebSocket-Protocol"), echoed, "{headers}");
        }
        // The older of two connections by one token gives way.
        let _older = server.check(line, &up(&good), "", "101").await;
        let _newer = server.check(line, &up(&good), "", "101").await;
    });
}

#[test]
fn subscribed_in_a_public_room() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        let line = "GET /chats/1/ws";
        let up = |headers: &str| format!("{UP}{headers}");
        // No token is needed, an invalid one does no harm, and a subprotocol is chosen.
        for (headers, echoed) in [
            ("", None),
            ("Authorization: Bearer nonsense", None),
            ("Sec-WebSocket-Protocol: a.b.c", Some("a.b.c")),
            ("Sec-WebSocket-Protocol: v1.chat, v2", Some("v1.chat")),
            ("Cookie: session=unknown", None),
            ("Origin: http://chat.example\nSec-Fetch-Site: same-origin", None),
        ] {
            let reply = server.check(line, &up(headers), "", "101").await;
            assert_eq!(reply.header("Sec-WebSocket-Protocol"), echoed, "{headers}");
        }
        // A foreign page cannot send as its visitor.
        let refused = failure(403, 301, "Could not establish session", "Origin");
        for origin in ["https://evil.example", "null"] {
            let foreign = up(&format!("{ann}Origin: {origin}"));
            server.check(line, &foreign, "", &refused).await;
            // Nor as a guest: the room is for this server's own pages.
            server.check(line, &up(&format!("Origin: {origin}")), "", &refused).await;
        }
        // The cookie binds the name before the first message; the user may have two tabs open.
        let own = up(&format!("{ann}Origin: http://chat.example"));
        let subscribed = server.check(line, &own, "", "101").await;
        subscribed
            .subscription
            .as_ref()
            .expect("a subscription")
            .tell(ClientEvent::Room(RoomEvent::Join { name: None, color: None }))
            .await;
        let online = server.send("GET /api/online", &ann, "").await;
        assert_eq!(online.show(), r#"200 {"online_clients":["Ann"]}"#);
        let second = server.check(line, &up(&ann), "", "101").await;
        drop(subscribed);
        second
            .subscription
            .as_ref()
            .expect("a subscription")
            .tell(ClientEvent::Room(RoomEvent::Join { name: None, color: None }))
            .await;
        let online = server.send("GET /api/online", &ann, "").await;
        assert_eq!(online.show(), r#"200 {"online_clients":["Ann"]}"#);
    });
}

#[test]
fn a_token_binds_the_name_in_a_room_that_became_public() {
    serve(async |server| {
        let bo = private(&server, "Hold", "Bo").await;
        server.send("PUT /chats/2", &bo, r#"{"visibility":"public"}"#).await;
        let subscribed = server.check("GET /chats/2/ws", &format!("{UP}{bo}"), "", "101").await;
        let bo_too = "Authorization: Bearer x";
        server.check("GET /chats/2/ws", &format!("{UP}{bo_too}"), "", "101").await;
        let subscription = subscribed.subscription.as_ref().expect("a subscription");
        subscription.tell(ClientEvent::Room(RoomEvent::Join { name: None, color: None })).await;
        let room = server.send("GET /chats/2", "", "").await;
        assert!(room.body.contains(r#""users":[{"username":"Bo","#), "{}", room.body);
    });
}
