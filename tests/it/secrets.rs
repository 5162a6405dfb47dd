//! Secrets, and the limits of a foreign page: keys, cookies, hashes, the page's script.

use serde_json::json;

use crate::kit::{TestServer, cookie};

// ---- Defects of the two seeds, each by its name: none may come back ----

#[test]
fn a_login_key_made_from_the_clock() {
    let server = TestServer::start();
    let keys: Vec<Vec<u8>> = (0..16)
        .map(|index| {
            let made = server.send("POST /api/register", &json!({"username": format!("U{index}")}));
            made.json()["key"].as_str().expect("a key").as_bytes().to_vec()
        })
        .collect();
    // Two random keys of 64 digits agree in four places; twenty would happen once in 10^8 tests.
    for (index, key) in keys.iter().enumerate() {
        for other in &keys[index + 1..] {
            let alike = key.iter().zip(other).filter(|(one, two)| one == two).count();
            assert!(alike < 20, "{alike} of 64 digits are alike");
        }
    }
    assert!(!keys.is_sorted(), "a clock only goes up");
}

#[test]
fn keys_and_messages_printed_to_the_log() {
    let mut server = TestServer::with(&["--log", "debug"]);
    let ann = server.account("Ann");
    let mut ws = server.pirate(&ann);
    ws.say(&json!({"message": "between us"}));
    ws.expect_ack();
    let end = server.stop();
    for secret in [ann.key.as_str(), &ann.cookie["session=".len()..], "between us"] {
        assert!(!end.stderr.contains(secret) && !end.stdout.contains(secret), "{secret}");
    }
    assert!(end.stderr.contains("POST /api/login 200"), "it was the log of all that");
}

#[test]
fn a_cookie_without_http_only_and_same_site() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let login = server.send("POST /api/login", &json!({"key": ann.key}));
    let set = login.header("set-cookie").expect("a cookie");
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax"), "{set}");
}

#[test]
fn a_foreign_page_chats_as_a_visitor_who_is_logged_in() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let foreign = format!("{}Origin: https://evil.example\r\n", cookie(&ann));
    for path in ["/ws", "/chats/1/ws"] {
        let refused = server.try_ws(path, &foreign).err().expect("no websocket");
        assert_eq!(refused.status, 403, "{path}");
    }
}

#[test]
fn message_text_put_into_the_page_as_html() {
    let server = TestServer::start();
    let page = server.ask("GET /", "", "");
    let text = page.text();
    assert!(!text.contains("<script>") && !text.contains(" onclick"), "no script in the page");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    let mut scripts = 0;
    for part in text.split("src=\"").skip(1) {
        let path = part.split('"').next().expect("a path");
        let path = format!("/{}", path.trim_start_matches('/'));
        let script = server.ask(&format!("GET {path}"), "", "");
        assert_eq!(script.status, 200, "{path}");
        let script = script.text();
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!script.contains(way), "{path} has {way}");
        }
        scripts += 1;
    }
    assert!(scripts > 0, "the page has a script");
}

#[test]
fn the_password_hash_is_in_the_rooms_json() {
    let server = TestServer::start();
    for visibility in ["private", "hidden"] {
        let body = json!({"title": visibility, "visibility": visibility, "password": "p4ssw0rd!"});
        let made = server.send("POST /chats", &body);
        let token = server.token(made.json()["id"].as_u64().expect("it"), "p4ssw0rd!", "Ann");
        let line = format!("PUT /chats/{visibility}");
        let changed = server.ask(&line, &format!("Authorization: Bearer {token}\r\n"), "{}");
        let shown = server.ask(&format!("GET /chats/{visibility}"), "", "");
        let listed = server.ask("GET /chats", "", "");
        for response in [made, changed, shown, listed] {
            let text = response.text();
            assert!(!text.contains("$argon2") && !text.contains("p4ssw0rd"), "{text}");
            assert!(!text.to_lowercase().contains("password"), "{text}");
        }
    }
}
