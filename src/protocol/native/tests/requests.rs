//! Rooms, messages and search: the checks before the core is called, and the server's description
//! of itself.

use super::documents::conforms;
use super::{bearer, cookie, refusal};
use crate::chat::Seq;
use crate::protocol::native::pages::{bound, limit};
use crate::protocol::native::server::OPENAPI;
use crate::protocol::tests::{request, serve};
use crate::store::Bound;

#[test]
fn what_the_server_is() {
    serve(async |server| {
        let reply = server.send("GET /api/v1/server", "", "").await;
        assert_eq!((reply.status, &*reply.text("epoch")), (200, "e0"));
        assert_eq!(reply.text("version"), env!("CARGO_PKG_VERSION"));
        let document: serde_json::Value = serde_json::from_str(OPENAPI).expect("JSON");
        let operation = &document["paths"]["/api/v1/server"]["get"];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        conforms(&document, schema, &serde_json::from_str(&reply.body).expect("JSON"));
        server.check("GET /healthz", "", "", "200 ok").await;
        server.check("GET /readyz", "", "", "200 ready").await;
        for name in ["openapi", "asyncapi"] {
            let reply = server.send(&format!("GET /api/v1/{name}.json"), "", "").await;
            assert_eq!(reply.header("Content-Type"), Some("application/json"));
            assert_eq!(reply.header("Cache-Control"), Some("no-cache"));
            assert!(reply.text(name).starts_with("3."));
        }
        for path in ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/rooms/1/2", "/api/v1/me/"] {
            for method in ["GET", "POST", "OPTIONS"] {
                let reply = server.send(&format!("{method} {path}"), "", "").await;
                assert_eq!(refusal(&reply), "404 not_found", "{method} {path}");
            }
        }
        let reply = server.send("GET /api/v1/users/%zz", "", "").await;
        assert_eq!(refusal(&reply), "400 bad_request");
    });
}

#[test]
fn making_and_changing_rooms() {
    serve(async |server| {
        let ann = cookie(&server, "Ann").await;
        let title = "t".repeat(71);
        for (body, expected) in [
            ("", "400 invalid_json"),
            ("[]", "400 invalid_json"),
            ("{}", "422 invalid_field title"),
            (r#"{"title":1,"visibility":"public"}"#, "422 invalid_field title"),
            (r#"{"title":"12","visibility":"public"}"#, "422 invalid_field title"),
            (r#"{"title":"den"}"#, "422 invalid_field visibility"),
            (r#"{"title":"den","visibility":"open"}"#, "422 invalid_field visibility"),
            (r#"{"title":"den","visibility":"private"}"#, "422 invalid_field password"),
            (
                r#"{"title":"den","visibility":"hidden","password":"short"}"#,
                "422 invalid_field password",
            ),
            (
                r#"{"title":"den","visibility":"public","password":"long enough"}"#,
                "422 invalid_field password",
            ),
            (
                r#"{"title":"den","visibility":"public","description":[]}"#,
                "422 invalid_field description",
            ),
            (&format!(r#"{{"title":"{title}","visibility":"public"}}"#), "422 invalid_field title"),
            (r#"{"title":"public chat","visibility":"public"}"#, "409 title_taken"),
        ] {
            let reply = server.send("POST /api/v1/rooms", &ann, body).await;
            assert_eq!(refusal(&reply), expected, "{body}");
        }
        let made = r#"{"title":"den","visibility":"private","password":"long enough"}"#;
        let made = server.send("POST /api/v1/rooms", &ann, made).await;
        assert_eq!((made.status, made.header("Location")), (201, Some("/api/v1/rooms/2")));
        assert!(made.body.contains(r#""title":"den""#) && !made.body.contains("argon2"));
        for line in ["GET /api/v1/rooms/x", "PATCH /api/v1/rooms/+1", "DELETE /api/v1/rooms/-"] {
            let reply = server.send(line, &ann, "{}").await;
            assert_eq!(refusal(&reply), "404 room_not_found", "{line}");
        }
        let enter = "PUT /api/v1/rooms/2/membership";
        for (body, expected) in
            [(r#"{"password":7}"#, "422 invalid_field password"), ("[]", "400 invalid_json")]
        {
            assert_eq!(refusal(&server.send(enter, &ann, body).await), expected, "{body}");
        }
        let read = "PUT /api/v1/rooms/1/read";
        assert_eq!(refusal(&server.send(read, &ann, "{}").await), "422 invalid_field seq");
    });
}

#[test]
fn message_texts_are_checked() {
    serve(async |server| {
        let ann = cookie(&server, "Ann").await;
        let (json, plain) = ("", "Content-Type: text/plain; charset=utf-8\n");
        let long = "a".repeat(4001);
        let long_json = format!(r#"{{"text":"{long}"}}"#);
        let (post, put) = ("POST /api/v1/rooms/1/messages", "PUT /api/v1/rooms/1/messages/id-1");
        let patch = "PATCH /api/v1/rooms/1/messages/5";
        for (line, kind, body, expected) in [
            (post, json, "hello", "400 invalid_json"),
            (post, json, "{}", "422 invalid_field text"),
            (post, json, r#"{"text":["a"]}"#, "422 invalid_field text"),
            (post, json, r#"{"text":""}"#, "422 message_empty"),
            (post, json, &long_json, "422 message_too_long"),
            (post, json, r#"{"text":"a","reply_to":"b"}"#, "422 invalid_field reply_to"),
            (post, plain, "", "422 message_empty"),
            (post, plain, "\r\n", "422 message_empty"),
            (post, plain, &long, "422 message_too_long"),
            (
                post,
                "Idempotency-Key: a b\n",
                r#"{"text":"a"}"#,
                "422 invalid_field Idempotency-Key",
            ),
            (put, json, "", "400 invalid_json"),
            (put, json, r#"{"text":""}"#, "422 message_empty"),
            (put, json, &long_json, "422 message_too_long"),
            ("PUT /api/v1/rooms/1/messages/a%20b", json, "{}", "422 invalid_field client_id"),
            ("PUT /api/v1/rooms/x/messages/a", json, "{}", "404 room_not_found"),
            (patch, json, "{}", "422 invalid_field text"),
            (patch, json, r#"{"text":""}"#, "422 message_empty"),
            ("PATCH /api/v1/rooms/1/messages/x", json, "{}", "404 message_not_found"),
            ("DELETE /api/v1/rooms/1/messages/x", json, "", "404 message_not_found"),
            ("PUT /api/v1/rooms/1/messages/5/reactions/ok", json, "", "422 invalid_field emoji"),
        ] {
            let reply = server.send(line, &format!("{ann}{kind}"), body).await;
            assert_eq!(refusal(&reply), expected, "{line} {kind} {body}");
        }
    });
}

#[test]
fn queries() {
    let page = |query: &str| {
        let request = request(&format!("GET /api/v1/rooms/1/messages?{query}"), "", "");
        match (bound(&request), limit(&request)) {
            (Ok(bound), Ok(limit)) => Ok((bound, limit)),
            (Err(failure), _) | (_, Err(failure)) => Err(failure.code().definition().0),
        }
    };
    for (query, expected) in [
        ("", Ok((Bound::Newest, 50))),
        ("limit=1&other=x", Ok((Bound::Newest, 1))),
        ("before=7&limit=200", Ok((Bound::Before(Seq(7)), 200))),
        ("after=0", Ok((Bound::After(Seq(0)), 50))),
        ("around=7&before=", Ok((Bound::Around(Seq(7)), 50))),
        ("limit=0", Err(422)),
        ("limit=201", Err(422)),
        ("limit=-1", Err(422)),
        ("limit=99999999999999999999", Err(422)),
        ("before=x", Err(422)),
        ("after=9223372036854775808", Err(422)),
        ("before=1&after=1", Err(400)),
    ] {
        assert_eq!(page(query), expected, "{query}");
    }
    serve(async |server| {
        let ann = cookie(&server, "Ann").await;
        for (query, expected) in [
            ("", "422 invalid_field q"),
            ("q=+", "422 invalid_field q"),
            ("q=a&limit=0", "422 invalid_field limit"),
            ("q=a&before=x", "422 invalid_field before"),
            ("q=a&room=x", "422 invalid_field room"),
        ] {
            let reply = server.send(&format!("GET /api/v1/search?{query}"), &ann, "").await;
            assert_eq!(refusal(&reply), expected, "{query}");
        }
    });
}

/// Every path with a body refuses other content types, and names the accepted ones.
#[test]
fn media_types() {
    serve(async |server| {
        let ann = bearer(&server, "Ann").await;
        let json = r#"{"text":"hi","name":"Bo","title":"den","visibility":"public","seq":1}"#;
        let form = "--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--x--\r\n";
        for (line, takes) in [
            ("POST /api/v1/rooms/1/messages", "text/plain"),
            ("POST /r/1", "send the text itself"),
            ("PUT /api/v1/rooms/1/messages/id-1", "application/json"),
            ("PATCH /api/v1/rooms/1/messages/2", "application/json"),
            ("PUT /api/v1/rooms/1/membership", "application/json"),
            ("PUT /api/v1/rooms/1/read", "application/json"),
            ("POST /api/v1/rooms", "application/json"),
            ("POST /api/v1/rooms/1/restore", "application/json"),
            ("POST /api/v1/accounts", "application/json"),
            ("POST /api/v1/sessions", "application/json"),
            ("POST /api/v1/guests", "application/json"),
        ] {
            for (kind, body) in [
                ("multipart/form-data; boundary=x", form),
                ("Multipart/Mixed;boundary=x", json),
                ("application/xml", "<text>hi</text>"),
                ("application/octet-stream", json),
                ("image/png", json),
                ("text/html", json),
                ("application/x-www-form-urlencoded", "text=hi"),
            ] {
                let is_protocol = line == "POST /r/1";
                if is_protocol && !kind.to_ascii_lowercase().starts_with("multipart") {
                    continue; // Its body is the text, of any content type.
                }
                let head = format!("{ann}Content-Type: {kind}\n");
                let reply = server.send(line, &head, body).await;
                assert_eq!(refusal(&reply), "415 bad_request", "{line} {kind}");
                assert!(reply.body.contains(takes), "{line} {kind}: {}", reply.body);
            }
        }
        for (kind, body) in [
            ("application/json; charset=utf-8", json),
            ("application/vnd.chat+json", json),
            ("text/plain", "a text"),
            ("application/x-www-form-urlencoded", json),
        ] {
            let head = format!("{ann}Content-Type: {kind}\n");
            let reply = server.send("POST /api/v1/rooms/1/messages", &head, body).await;
            assert_eq!(reply.status, 201, "{kind}: {}", reply.body);
        }
        let head = format!("{ann}Content-Type: text/plain\n");
        let reply = server.send("PUT /api/v1/rooms/1/messages/id-2", &head, json).await;
        assert_eq!(reply.status, 201, "fetch calls a string so: {}", reply.body);
    });
}
