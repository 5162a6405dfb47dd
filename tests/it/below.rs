//! A server that stands below a path by itself, behind a proxy that keeps the path or without one.

use serde_json::json;

use crate::kit::{Response, TestServer};

fn below(flags: &[&str]) -> TestServer {
    TestServer::with(&[&["--base-path", "/a/chat/"], flags].concat())
}

fn cookies(response: &Response) -> Vec<&str> {
    let lines = response.headers.iter().filter(|(name, _)| name == "set-cookie");
    lines.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn every_door_is_below_the_path_and_nothing_beside_it() {
    let server = below(&[]);
    let end = format!(":{}/a/chat", server.port());
    assert!(server.line().split_whitespace().any(|word| word.ends_with(&end)), "{}", server.line());
    let status = |line: &str| server.ask(line, "", "").status;
    let inside = ["/", "/api/v1/server", "/chats", "/sw.js", "/manifest.webmanifest", "/readyz"];
    for path in inside {
        assert_eq!(status(&format!("GET /a/chat{path}")), 200, "{path}");
    }
    for path in [
        "/",
        "/api/v1/server",
        "/chats",
        "/api/online",
        "/sw.js",
        "/a/chats",
        "/a/chatter/",
        "/a",
        "/A/chat/",
        "/a/chat%2F",
        "/a/%63hat/",
        "//a/chat/",
    ] {
        assert_eq!(status(&format!("GET {path}")), 404, "{path}");
    }
    // Who watches over the server does not know the path.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(status(&format!("GET {path}")), 200, "{path}");
    }
    assert_eq!(status("OPTIONS *"), 204);
    // The page's addresses are relative to the slash.
    for (path, to) in [("/a/chat", "/a/chat/"), ("/a/chat?x=%2F", "/a/chat/?x=%2F")] {
        let answer = server.ask(&format!("GET {path}"), "", "");
        assert_eq!((answer.status, answer.header("location")), (308, Some(to)));
    }
    let entrance = server.ask("GET /a/chat/chats/1/entrance", "", "");
    assert_eq!(entrance.header("location"), Some("../../#/room/1"));
    // A person hears where the server is; a program gets its protocol's error.
    let lost = server.ask("GET /", "Accept: text/html\r\n", "");
    assert!(lost.text().contains("/a/chat/"), "{lost:?}");
    let lost = server.ask("GET /api/v1/me", "", "");
    assert_eq!(lost.json()["error"]["code"], "not_found");
}

#[test]
fn logins_and_sockets_work_below_the_path() {
    let server = below(&[]);
    let made = server.send("POST /a/chat/api/register", &json!({"username": "ann"}));
    assert_eq!(made.status, 201);
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    let login = server.send("POST /a/chat/api/login", &json!({"key": key}));
    let [cookie] = cookies(&login)[..] else { panic!("one cookie: {login:?}") };
    assert!(cookie.starts_with("session=") && cookie.contains("; Path=/a/chat/; "), "{cookie}");
    // Over TLS, too: browsers refuse a `__Host-` name below a path.
    let tls = "X-Forwarded-Proto: https\r\n";
    let secure = server.ask("POST /a/chat/api/login", tls, &json!({"key": key}).to_string());
    let [cookie] = cookies(&secure)[..] else { panic!("one cookie: {secure:?}") };
    assert!(cookie.contains("; Path=/a/chat/; ") && cookie.ends_with("; Secure"), "{cookie}");
    let page = server.ask("GET /a/chat/", tls, "");
    assert_eq!(cookies(&page), [""; 0], "there is no mark below a path");
    // A mark from a time at the root does not make the cookie void.
    let about = server.ask("GET /a/chat/api/v1/server", "", "").json();
    let epoch = about["epoch"].as_str().expect("an epoch");
    let cookie = cookie.split(';').next().expect("its value");
    let marked = format!("Cookie: {cookie}; __Host-shanty={epoch}\r\n");
    assert_eq!(server.ask("GET /a/chat/api/v1/me", &marked, "").status, 200);
    // Every door.
    let headers = format!("Cookie: {cookie}\r\n");
    let mut ann = server.ws("/a/chat/ws", &headers);
    let mut stream = server.ws("/a/chat/api/v1/events", &headers);
    let mut jack = server.ws("/a/chat/chats/1/ws", "");
    jack.say(&json!({"event_type": "join", "name": "jack"}));
    ann.expect(&json!({"event": "join", "username": "jack"}));
    ann.say(&json!({"message": "Land!"}));
    ann.expect_ack();
    while stream.json()["text"] != "Land!" {}
    for path in ["/ws", "/api/v1/events", "/chats/1/ws"] {
        assert!(server.try_ws(path, &headers).is_err_and(|refused| refused.status == 404));
    }
    let out = server.ask("GET /a/chat/api/logout", &headers, "");
    assert!(cookies(&out).iter().all(|cookie| cookie.contains("; Path=/a/chat/; ")), "{out:?}");
}

#[test]
fn addresses_in_answers_are_whole() {
    let server = below(&[]);
    let made = server.send("POST /a/chat/api/register", &json!({"username": "ann"}));
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    let bearer = format!("Authorization: Bearer {key}\r\n");
    let den = json!({"title": "Den", "visibility": "public"}).to_string();
    let made = server.ask("POST /a/chat/api/v1/rooms", &bearer, &den);
    let room = made.header("location").expect("a location").to_owned();
    assert!(room.starts_with("/a/chat/api/v1/rooms/"), "{room}");
    for text in ["one", "two"] {
        let body = json!({"text": text}).to_string();
        let said = server.ask(&format!("POST {room}/messages"), &bearer, &body);
        let at = said.header("location").expect("a location");
        assert_eq!(server.ask(&format!("GET {at}"), &bearer, "").json()["text"], text);
    }
    let page = server.ask(&format!("GET {room}/messages?limit=1"), &bearer, "");
    let link = page.header("link").expect("a link");
    let older = link.strip_prefix('<').and_then(|link| link.split('>').next()).expect("an address");
    let page = server.ask(&format!("GET {older}"), &bearer, "").json();
    assert_eq!(page["messages"][0]["text"], "one", "{link}");
}
