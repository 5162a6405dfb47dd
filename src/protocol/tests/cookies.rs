//! The cookie of a session, in every protocol: how it is set, and which of several counts.

use super::{Server, request, serve};
use crate::http::{Framing, Response};
use crate::protocol::cookies;
use crate::time::Time;

/// The values of the `Set-Cookie` lines.
fn given(headers: &str) -> Vec<String> {
    let (at, request) = (Time(1_769_860_980_123_456), request("POST /api/login", headers, ""));
    let mut bytes = Vec::new();
    let response = cookies::set(Response::new(200), &request, "/", "abc", at);
    let _ = response.encode(&mut bytes, &Framing::refused(at));
    let head = String::from_utf8(bytes).expect("UTF-8");
    head.lines().filter_map(|line| line.strip_prefix("Set-Cookie: ").map(str::to_owned)).collect()
}

#[test]
fn what_is_given() {
    let plain = "session=abc; Path=/; HttpOnly; SameSite=Lax; \
        Expires=Sat, 31 Jan 2026 12:03:00 GMT";
    for headers in [
        "",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Proto: http, https",
        "Forwarded: for=a;proto=http",
        "Forwarded: for=a, for=b;proto=https",
        "X-Forwarded-Proto: nonsense",
    ] {
        assert_eq!(given(headers), [plain], "{headers}");
    }
    // Over TLS it is also set under the name that only this host can set.
    let secure = format!("{plain}; Secure");
    for headers in [
        "X-Forwarded-Proto: https",
        "X-Forwarded-Proto: HTTPS, http",
        "Forwarded: for=a; Proto=\"https\", proto=http",
    ] {
        assert_eq!(given(headers), [format!("__Host-{secure}"), secure.clone()], "{headers}");
    }
}

/// Browsers also send a neighbour's cookie, and it may come first.
#[test]
fn of_several_the_first_that_is_known_counts() {
    serve(async |server| {
        let key = |cookie: String| cookie["Cookie: session=".len()..].trim_end().to_owned();
        let (ann, bo) = (key(server.account("Ann").await), key(server.account("Bo").await));
        let strange = (0..180).map(|number| format!("session={number:032}; ")).collect::<Vec<_>>();
        for (cookies, name) in [
            (format!("session={ann}"), "Ann"),
            (format!("session=old; session={ann}"), "Ann"),
            (format!("session={ann}; session=old"), "Ann"),
            (format!("session=a; session=b; session=c; session={ann}"), "Ann"),
            (format!("session=; session=; session=; session=; session={ann}"), "Ann"),
            (format!("session=x; session=x; session=x; session=x; session={ann}"), "Ann"),
            (format!("session=old; other=1\nCookie: session={ann}"), "Ann"),
            (format!("session={bo}; session={ann}"), "Bo"),
            // The name that only this host can set takes precedence.
            (format!("session={bo}; __Host-session={ann}"), "Ann"),
            (format!("session={bo}; __Host-session=old"), "Bo"),
            (format!("__Host-session={ann}"), "Ann"),
            // A parent domain's cookies come first; each is tried.
            (format!("session=a; session=b; session=c; session=d; session={ann}"), "Ann"),
            (format!("{}session={ann}", strange.concat()), "Ann"),
            ("session=a; session=b".to_owned(), ""),
        ] {
            let shown = format!("Cookie: {cookies}\n");
            let reply = server.send("GET /api/user/@me", &shown, "").await;
            let expected = if name.is_empty() { 401 } else { 200 };
            assert_eq!(reply.status, expected, "{cookies}");
            assert_eq!(reply.body.contains(&format!("\"{name}\"")), expected == 200, "{cookies}");
            let reply = server.send("GET /api/v1/me", &shown, "").await;
            assert_eq!(reply.status, expected, "{cookies}");
            let room = r#"{"title":"X","visibility":"public"}"#;
            let _ = server.send("POST /chats", &shown, room).await;
        }
    });
}

/// A neighbour under the same domain can plant a plain cookie with a session of its own. A browser
/// that has visited this server over TLS ignores it, logged in or not.
#[test]
fn a_browser_that_is_marked_takes_no_planted_cookie() {
    const TLS: &str = "X-Forwarded-Proto: https\n";
    serve(async |server| {
        let key = |cookie: String| cookie["Cookie: session=".len()..].trim_end().to_owned();
        let (ann, eve) = (key(server.account("Ann").await), key(server.account("Eve").await));
        let epoch = server.service.epoch.clone();
        let (mark, line) =
            (format!("__Host-shanty={epoch}"), format!("__Host-shanty={epoch}; Path=/; "));
        for path in ["/", "/chats", "/api/v1/me", "/sw.js"] {
            let html = format!("Accept: text/html\nCookie: session={ann}\n");
            let marks = async |more: &str| {
                let reply = server.send(&format!("GET {path}"), &format!("{html}{more}"), "").await;
                assert_eq!(reply.status, 200, "{path}");
                let found = reply.head.lines().find(|cookie| cookie.contains(&line));
                found.is_some_and(|cookie| {
                    cookie.ends_with("; Secure") && cookie.contains("; HttpOnly")
                })
            };
            assert!(marks(TLS).await, "{path}");
            assert!(!marks("").await, "{path}: not over TLS");
            let another = "Cookie: __Host-shanty=another\n";
            assert!(marks(&format!("{TLS}{another}")).await, "{path}: another server's");
        }
        for (cookies, name) in [
            (format!("session={eve}; {mark}"), ""),
            (format!("session={eve}; __Host-session=ended; {mark}"), ""),
            (format!("{mark}; session={eve}; __Host-session={ann}"), "Ann"),
            // Of a server below a path, for which browsers keep the plain cookie only.
            (format!("session={ann}; __Host-session=another; __Host-shanty=another"), "Ann"),
            (format!("session={ann}; __Host-shanty="), "Ann"),
        ] {
            let shown = format!("{TLS}Cookie: {cookies}\n");
            for (path, refused) in [("/api/v1/me", [401, 401]), ("/api/user/@me", [401, 422])] {
                let reply = server.send(&format!("GET {path}"), &shown, "").await;
                let good = reply.status == 200 && reply.body.contains(&format!("\"{name}\""));
                assert_eq!(good, !name.is_empty(), "{cookies}: {}", reply.body);
                assert!(good || refused.contains(&reply.status), "{cookies}: {}", reply.status);
                assert!(!reply.head.contains(&line) || !cookies.contains(&mark), "once is enough");
            }
        }
        // A login marks the browser, and a logout does not unmark it.
        let key = server.send("POST /api/register", "", r#"{"username":"Bo"}"#).await.text("key");
        let body = format!(r#"{{"key":"{key}"}}"#);
        for (path, gone) in [
            ("/api/login", "POST /api/logout"),
            ("/api/v1/sessions", "DELETE /api/v1/sessions/current"),
        ] {
            let reply = server.send(&format!("POST {path}"), TLS, &body).await;
            assert!(reply.head.contains(&line), "{path}: {}", reply.head);
            let cookie = reply.head.split("__Host-session=").nth(1).expect("a cookie");
            let cookie = cookie.split(';').next().expect("its value");
            let shown = format!("{TLS}Cookie: __Host-session={cookie}; {mark}\n");
            let reply = server.send(gone, &shown, "").await;
            assert!(reply.status < 300 && !reply.head.contains("__Host-shanty"), "{gone}");
        }
    });
}

/// A proxy that asks for a password makes browsers send an `Authorization` that is not for us.
#[test]
fn only_a_bearer_stands_before_the_cookie() {
    serve(async |server: Server| {
        let ann = server.account("Ann").await;
        let paths = ["/api/v1/me", "/api/v1/rooms", "/api/user/@me", "/api/v1/events", "/r/1"];
        for others in [
            "Authorization: Basic YTpi\n",
            "Authorization: Digest username=\"a\"\n",
            "Authorization: Negotiate abc\n",
            "Authorization: \n",
        ] {
            for path in paths {
                let reply =
                    server.send(&format!("GET {path}"), &format!("{ann}{others}"), "").await;
                assert_eq!(reply.status, 200, "{path} {others}");
            }
            let reply = server.send("POST /r/1", &format!("{ann}{others}"), "hello").await;
            assert_eq!(reply.status, 201, "{others}");
            let reply = server.send("GET /api/v1/me", others, "").await;
            assert_eq!(reply.status, 401, "{others} is no login");
        }
        for bearer in ["Bearer", "Bearer x", "bearer  x y", "Bearer x\nAuthorization: Bearer y"] {
            let both = format!("{ann}Authorization: {bearer}\n");
            for path in ["/api/v1/me", "/api/v1/events", "/r/1"] {
                let reply = server.send(&format!("GET {path}"), &both, "").await;
                assert_eq!(reply.status, 401, "{path} {bearer}");
            }
            assert_eq!(server.send("POST /r/1", &both, "hello").await.status, 401, "{bearer}");
        }
    });
}

#[test]
fn plain_text_sends_of_curl() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        for (kind, status) in [
            ("", 201),
            ("Content-Type: application/x-www-form-urlencoded\n", 201),
            ("Content-Type: text/plain\n", 201),
            ("Content-Type: application/json\n", 201),
            ("Content-Type: multipart/form-data; boundary=x\n", 415),
            ("Content-Type: Multipart/Form-Data; boundary=x\n", 415),
            ("Content-Type: multipart/mixed\n", 415),
        ] {
            let reply = server.send("POST /r/1", &format!("{ann}{kind}"), "--x\nhello").await;
            assert_eq!(reply.status, status, "{kind}");
        }
        let reply = server.send("GET /api/v1/rooms/1/messages", &ann, "").await;
        assert_eq!(reply.body.matches("hello").count(), 4, "{}", reply.body);
    });
}
