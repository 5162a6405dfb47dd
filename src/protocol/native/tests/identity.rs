//! Accounts, sessions, and authentication.

use super::{bearer, cookie, refusal};
use crate::config::Config;
use crate::protocol::tests::{serve, serve_with};

#[test]
fn registering_and_logging_in() {
    serve(async |server| {
        let made = server.check(
            "POST /api/v1/accounts",
            "",
            r#"{"name":"Ann","new":1}"#,
            r#"201 {"name":"Ann","key":"KEY"}"#,
        );
        let key = made.await.text("key");
        let again = server.send("POST /api/v1/accounts", "", r#"{"name":"ANN"}"#).await;
        assert_eq!(refusal(&again), "409 name_taken");
        for (body, expected) in [
            ("", "400 invalid_json"),
            ("[]", "400 invalid_json"),
            ("{", "400 invalid_json"),
            ("{}", "422 invalid_field name"),
            (r#"{"name":null}"#, "422 invalid_field name"),
            (r#"{"name":7}"#, "422 invalid_field name"),
            (r#"{"name":""}"#, "422 invalid_field name"),
            (r#"{"name":"a b"}"#, "422 invalid_field name"),
        ] {
            let reply = server.send("POST /api/v1/accounts", "", body).await;
            assert_eq!(refusal(&reply), expected, "{body}");
        }
        let login = format!(r#"{{"key":"{key}","remember":false}}"#);
        let begun = server.send("POST /api/v1/sessions", "User-Agent: x\n", &login).await;
        assert_eq!((begun.status, &*begun.text("name")), (201, "Ann"));
        let session = begun.text("session");
        assert!(session.len() == 32 && begun.text("expires").ends_with('Z'));
        let set = begun.header("Set-Cookie").expect("a cookie");
        assert!(set.starts_with(&format!("session={session}; Path=/; HttpOnly; SameSite=Lax")));
        for (body, expected) in [
            (r#"{"key":"x"}"#, "401 unknown_key"),
            (r#"{"key":1}"#, "422 invalid_field key"),
            ("{}", "422 invalid_field key"),
            (&login.replace("false", "1"), "422 invalid_field remember"),
        ] {
            let reply = server.send("POST /api/v1/sessions", "", body).await;
            assert_eq!(refusal(&reply), expected, "{body}");
        }
        let me = r#"200 {"name":"Ann","guest":false,"online":false,"created":"TIME","since":2}"#;
        for shown in
            [format!("Cookie: session={session}"), format!("Authorization: Bearer {session}")]
        {
            server.check("GET /api/v1/me", &shown, "", me).await;
            server.check("GET /api/v1/users/ann", &shown, "", me).await;
            let reply = server.send("GET /api/v1/users/nobody", &shown, "").await;
            assert_eq!(refusal(&reply), "404 user_not_found");
        }
        let shown = format!("Cookie: session={session}");
        let ended = server.send("DELETE /api/v1/sessions/current", &shown, "").await;
        assert_eq!(ended.status, 204);
        assert!(ended.header("Set-Cookie").expect("a cookie").starts_with("session=; "));
        let reply = server.send("GET /api/v1/me", &shown, "").await;
        assert_eq!(refusal(&reply), "401 unauthenticated");
    });
}

#[test]
fn guests_are_checked() {
    serve(async |server| {
        for (body, expected) in [
            ("", "400 invalid_json"),
            ("{}", "422 invalid_field name"),
            (r#"{"name":"Bo","color":7}"#, "422 invalid_field color"),
            (r#"{"name":"Bo","remember":1}"#, "422 invalid_field remember"),
            (r#"{"name":"Bo","color":"red;x:url(y)"}"#, "422 invalid_field color"),
        ] {
            let reply = server.send("POST /api/v1/guests", "", body).await;
            assert_eq!(refusal(&reply), expected, "{body}");
        }
    });
}

#[test]
fn guests_may_be_unwanted() {
    let config = Config { guests: false, ..Config::default() };
    serve_with(config, u64::MAX, async |server| {
        let reply = server.send("POST /api/v1/guests", "", r#"{"name":"Bo"}"#).await;
        assert_eq!(refusal(&reply), "403 guests_off");
        let about = server.send("GET /api/v1/server", "", "").await;
        assert!(about.body.contains(r#""guests":false"#), "{}", about.body);
    });
}

/// Accounts stay.
#[test]
fn new_accounts_may_be_unwanted() {
    let config = Config { registration: Some("closed"), ..Config::default() };
    serve_with(config, u64::MAX, async |server| {
        let reply = server.send("POST /api/v1/accounts", "", r#"{"name":"Bo"}"#).await;
        assert_eq!(refusal(&reply), "403 registration_closed");
        let says = r#"403 {"error":"this server accepts no new accounts; ask its owner for one"}"#;
        server.check("POST /api/register", "", r#"{"username":"Bo"}"#, says).await;
        let about = server.send("GET /api/v1/server", "", "").await;
        assert!(about.body.contains(r#""registration":"closed""#), "{}", about.body);
        // Guests do not.
        let reply = server.send("POST /api/v1/guests", "", r#"{"name":"Bo"}"#).await;
        assert_eq!(reply.status, 201);
    });
}

/// Every path except the logins needs authentication.
#[test]
fn requests_are_authenticated() {
    serve(async |server| {
        let session = "a".repeat(32);
        for (shown, expected) in [
            ("", "401 unauthenticated"),
            ("Cookie: session=", "401 unauthenticated"),
            ("Cookie: session=nonsense", "401 unauthenticated"),
            ("Authorization: Basic YTpi", "401 unauthenticated"),
            ("Authorization: Bearer", "401 unauthenticated"),
            ("Authorization: Bearer short", "401 unauthenticated"),
            (&format!("Authorization: Bearer {session}"), "401 unauthenticated"),
            (&format!("Authorization: Bearer {}", "-".repeat(32)), "401 unauthenticated"),
            (&format!("Authorization: Bearer {}", "g".repeat(64)), "401 unauthenticated"),
        ] {
            for line in [
                "GET /api/v1/me",
                "GET /api/v1/sessions",
                "DELETE /api/v1/sessions/1",
                "GET /api/v1/users/ann",
                "PUT /api/v1/users/ann/room",
                "GET /api/v1/rooms",
                "POST /api/v1/rooms",
                "GET /api/v1/rooms/1",
                "PATCH /api/v1/rooms/1",
                "DELETE /api/v1/rooms/1",
                "PUT /api/v1/rooms/1/membership",
                "DELETE /api/v1/rooms/1/membership",
                "GET /api/v1/rooms/1/members",
                "PUT /api/v1/rooms/1/read",
                "GET /api/v1/rooms/1/messages",
                "POST /api/v1/rooms/1/messages",
                "PUT /api/v1/rooms/1/messages/a",
                "GET /api/v1/rooms/1/messages/1",
                "PATCH /api/v1/rooms/1/messages/1",
                "DELETE /api/v1/rooms/1/messages/1",
                "PUT /api/v1/rooms/1/messages/1/reactions/%F0%9F%91%8D",
                "GET /api/v1/search?q=a",
                "POST /r/1",
            ] {
                let body = r#"{"title":"ab","visibility":"public","text":"x","seq":1}"#;
                let reply = server.send(line, shown, body).await;
                assert_eq!(refusal(&reply), expected, "{line} {shown}");
                assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"));
            }
        }
    });
}

#[test]
fn pages_of_foreign_origins() {
    let config = Config { origins: vec!["https://friend.example".into()], ..Config::default() };
    serve_with(config, u64::MAX, async |server| {
        let cookie = cookie(&server, "Ann").await;
        for (origin, status) in [
            ("http://chat.example", 200),
            ("https://friend.example", 200),
            ("https://evil.example", 403),
            ("null", 403),
        ] {
            let shown = format!("{cookie}Origin: {origin}");
            let reply = server.send("GET /api/v1/me", &shown, "").await;
            assert_eq!(reply.status, status, "{origin}");
            let login = server.send("POST /api/v1/sessions", &shown, "{}").await;
            assert_eq!(login.status == 403, status == 403, "{origin}");
            if status == 403 {
                assert_eq!(refusal(&reply), "403 forbidden");
            }
        }
        // A request with an explicit key may come from any origin to read; and the cookie
        // authenticates plain-text sends.
        let session = cookie.trim_end().rsplit('=').next().expect("a key");
        let shown = format!("Authorization: Bearer {session}\nOrigin: https://evil.example");
        assert_eq!(server.send("GET /api/v1/me", &shown, "").await.status, 200);
        assert_eq!(server.send("POST /r/1", &cookie, "hello").await.status, 201);
        // A valid cookie does not compensate for an invalid key.
        let both = format!("{cookie}Authorization: Bearer x");
        assert_eq!(refusal(&server.send("GET /api/v1/me", &both, "").await), "401 unauthenticated");
        let _ = bearer(&server, "Bo").await;
    });
}
