//! Piratchat, row by row of the contract.

use serde_json::{Value, json};

use crate::kit::{Account, Heard, Response, TestServer, Ws};

/// A status, and the general error object of responses without their own body.
fn refused(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{response:?}");
    let body = response.json();
    let fields = body.as_object().expect("an object");
    assert!(fields.len() == 1 && fields["error"].is_string(), "{body}");
}

/// Bodies that are not an object with exactly that one string.
fn wrong_bodies(field: &str) -> Vec<String> {
    let mut bodies: Vec<String> =
        ["", "{", "null", "[]", "\"x\"", "{}", r#"["x"]"#, "{\"other\":\"x\"}", "\u{feff}{}"]
            .map(str::to_owned)
            .into();
    for value in ["null", "1", "\"\"", "[\"x\"]", "{}", "true"] {
        bodies.push(format!(r#"{{"{field}":{value}}}"#));
    }
    bodies.push(format!(r#"{{"{field}":"x","more":1}}"#));
    bodies.push(format!(r#"{{"{field}":"x"}}{{"{field}":"y"}}"#));
    bodies
}

fn cookie(value: &str) -> String {
    format!("Cookie: {value}\r\n")
}

fn online(server: &TestServer, who: &Account) -> Value {
    let response = server.ask_as("GET /api/online", who);
    assert_eq!(response.status, 200);
    response.json()["online_clients"].clone()
}

#[test]
fn register_gives_a_key_once() {
    let server = TestServer::start();
    let made = server.send("POST /api/register", &json!({"username": "Ann99"}));
    assert_eq!(made.status, 201);
    let body = made.json();
    let key = body["key"].as_str().expect("a key");
    assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{body}");
    assert_eq!(body.as_object().map(|fields| fields.len()), Some(1));
    // Names are unique ignoring case.
    for name in ["Ann99", "ann99", "ANN99"] {
        refused(&server.send("POST /api/register", &json!({"username": name})), 409);
    }
    assert_eq!(server.send("POST /api/register", &json!({"username": "x".repeat(32)})).status, 201);
    for name in ["a b", "ä", "a_b", "@me", "Ann\n", " Ann", &"x".repeat(33), "名前", "a\u{0}"] {
        refused(&server.send("POST /api/register", &json!({"username": name})), 400);
    }
    for body in wrong_bodies("username") {
        refused(&server.ask("POST /api/register", "", &body), 422);
    }
    // 422 before 409: a malformed name is not looked up.
    let more = json!({"username": "Ann99", "more": 1});
    refused(&server.send("POST /api/register", &more), 422);
}

#[test]
fn login_gives_a_session_in_a_cookie() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let login = server.send("POST /api/login", &json!({"key": ann.key}));
    assert_eq!(login.status, 200);
    let set = login.header("set-cookie").expect("a cookie").to_owned();
    let mut parts = set.split("; ");
    let key = parts.next().and_then(|pair| pair.strip_prefix("session=")).expect("a session");
    assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{set}");
    let attributes: Vec<&str> = parts.collect();
    for wanted in ["Path=/", "HttpOnly", "SameSite=Lax"] {
        assert!(attributes.contains(&wanted), "{set}");
    }
    assert!(
        attributes
            .iter()
            .any(|attribute| attribute.starts_with("Expires=") && attribute.ends_with("GMT"))
    );
    assert!(!attributes.contains(&"Secure"), "over plain HTTP it would not come back: {set}");
    let body = json!({"key": ann.key}).to_string();
    let tls = server.ask("POST /api/login", "X-Forwarded-Proto: https\r\n", &body);
    assert!(tls.header("set-cookie").is_some_and(|set| set.ends_with("; Secure")));
    // Each login makes its own session, and both work.
    assert_ne!(format!("session={key}"), ann.cookie);
    for cookie in [&ann.cookie, &format!("session={key}")] {
        let me = server.ask("GET /api/user/@me", &format!("Cookie: {cookie}\r\n"), "");
        me.expect(200, &json!({"username": "Ann"}));
    }
    for key in ["0".repeat(64), "x".to_owned(), ann.key.to_uppercase() + "0"] {
        refused(&server.send("POST /api/login", &json!({"key": key})), 401);
    }
    for body in wrong_bodies("key") {
        refused(&server.ask("POST /api/login", "", &body), 422);
    }
}

#[test]
fn logout_ends_this_session_and_no_other() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let elsewhere = Account { cookie: server.log_in(&ann.key), ..ann.clone() };
    let out = server.ask_as("GET /api/logout", &ann);
    assert_eq!(out.status, 200);
    let expired = out.header("set-cookie").expect("a cookie");
    assert!(expired.starts_with("session=;") && expired.contains("1970"), "{expired}");
    refused(&server.ask_as("GET /api/user/@me", &ann), 401);
    assert_eq!(server.ask_as("GET /api/user/@me", &elsewhere).status, 200);
    // Always 200: again, without a cookie, with nonsense, as POST.
    assert_eq!(server.ask_as("GET /api/logout", &ann).status, 200);
    assert_eq!(server.ask("GET /api/logout", "", "").status, 200);
    assert_eq!(server.ask("POST /api/logout", &cookie("session=nonsense"), "").status, 200);
    assert_eq!(server.ask_as("POST /api/logout", &elsewhere).status, 200);
    refused(&server.ask_as("GET /api/user/@me", &elsewhere), 401);
}

#[test]
fn logout_closes_the_websocket_that_the_session_holds() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let elsewhere = Account { cookie: server.log_in(&ann.key), ..ann.clone() };
    let mut at_bob = server.pirate(&bob);
    let mut at_ann = server.pirate(&ann);
    at_bob.expect_text(r#"{"event":"join","username":"Ann"}"#);
    // Another session of Ann's does not hold it.
    server.ask_as("GET /api/logout", &elsewhere);
    at_ann.say(&json!({"message": "still here"}));
    at_ann.expect_ack();
    at_bob.expect_text(r#"{"message":"still here","author":"Ann"}"#);
    server.ask_as("GET /api/logout", &ann);
    assert!(matches!(at_ann.hear(), Heard::Close(..)));
    at_bob.expect_text(r#"{"event":"leave","username":"Ann"}"#);
    assert_eq!(online(&server, &bob), json!(["Bob"]));
}

#[test]
fn requests_without_a_session_are_401_or_422() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let paths = ["/api/online", "/api/user/@me", "/api/user/Ann", "/api/user/Nobody"];
    for path in paths {
        let line = format!("GET {path}");
        refused(&server.ask(&line, "", ""), 422);
        refused(&server.ask(&line, &cookie("other=1"), ""), 422);
        refused(&server.ask(&line, &cookie("session=nonsense"), ""), 401);
        // The session cookie among other cookies.
        let among = cookie(&format!("a=b; {}; c=d", ann.cookie));
        assert!(server.ask(&line, &among, "").status != 401, "{path}");
    }
    for (headers, status) in [("".to_owned(), 422), (cookie("session=nonsense"), 401)] {
        let Err(response) = server.try_ws("/ws", &headers) else { panic!("it let us in") };
        refused(&response, status);
    }
}

#[test]
fn online_names_present_users_in_the_order_of_arrival() {
    let server = TestServer::start();
    let names = ["Cid", "Ann", "Bob"];
    let accounts = names.map(|name| server.account(name));
    assert_eq!(online(&server, &accounts[0]), json!([]));
    let mut sockets: Vec<Ws> = accounts.iter().map(|account| server.pirate(account)).collect();
    assert_eq!(online(&server, &accounts[0]), json!(names));
    let body = server.ask_as("GET /api/online", &accounts[0]).text();
    assert_eq!(body, r#"{"online_clients":["Cid","Ann","Bob"]}"#);
    sockets.remove(0).bye();
    sockets[0].expect_text(r#"{"event":"join","username":"Bob"}"#);
    sockets[0].expect_text(r#"{"event":"leave","username":"Cid"}"#);
    assert_eq!(online(&server, &accounts[0]), json!(["Ann", "Bob"]));
    let _again = server.pirate(&accounts[0]);
    assert_eq!(online(&server, &accounts[0]), json!(["Ann", "Bob", "Cid"]));
}

#[test]
fn a_user_is_known_by_name() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    server.ask_as("GET /api/user/@me", &ann).expect(200, &json!({"username": "Ann"}));
    let seen = |name: &str| server.ask_as(&format!("GET /api/user/{name}"), &ann);
    let body = seen("bOB").json();
    assert_eq!((&body["username"], &body["online"]), (&json!("Bob"), &json!(false)));
    let _here = server.pirate(&bob);
    assert_eq!(seen("Bob").json()["online"], json!(true));
    assert!(!seen("Bob").text().contains(&bob.key));
    for name in ["Nobody", "@you", "%20", "Bob%00x"] {
        let status = seen(name).status;
        assert!(status == 404 || name.contains("%00") && status == 400, "{name}: {status}");
    }
}

#[test]
fn a_message_is_heard_by_all_others_and_acknowledged() {
    let server = TestServer::start();
    let accounts = ["Ann", "Bob", "Cid"].map(|name| server.account(name));
    let mut ann = server.pirate(&accounts[0]);
    let mut bob = server.pirate(&accounts[1]);
    ann.expect_text(r#"{"event":"join","username":"Bob"}"#);
    let mut cid = server.pirate(&accounts[2]);
    ann.expect_text(r#"{"event":"join","username":"Cid"}"#);
    bob.expect_text(r#"{"event":"join","username":"Cid"}"#);
    let tricky = "<b>\"quotes\"</b> \\ \u{1F3F4}\u{200d}\u{2620}\u{fe0f} \n\t ende";
    ann.say(&json!({"message": tricky}));
    ann.expect_ack();
    for ws in [&mut bob, &mut cid] {
        let heard = ws.json();
        assert_eq!(heard, json!({"message": tricky, "author": "Ann"}));
    }
    // The joiner gets no join of its own, nor the sender its message: the next event is this one.
    bob.say(&json!({"message": "aye"}));
    bob.expect_ack();
    ann.expect_text(r#"{"message":"aye","author":"Bob"}"#);
    cid.expect_text(r#"{"message":"aye","author":"Bob"}"#);
    cid.bye();
    ann.expect_text(r#"{"event":"leave","username":"Cid"}"#);
    bob.expect_text(r#"{"event":"leave","username":"Cid"}"#);
}

#[test]
fn the_length_is_counted_in_characters() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut at_bob = server.pirate(&bob);
    let mut at_ann = server.pirate(&ann);
    at_bob.expect_text(r#"{"event":"join","username":"Ann"}"#);
    let fits = "🏴".repeat(300); // 1,200 bytes, 600 of JavaScript's units.
    at_ann.say(&json!({"message": fits}));
    at_ann.expect_ack();
    assert_eq!(at_bob.json(), json!({"message": fits, "author": "Ann"}));
    for long in ["x".repeat(301), "🏴".repeat(301), "x".repeat(60_000)] {
        at_ann.say(&json!({"message": long}));
        at_ann.expect_text(r#"{"status":false,"code":"message_too_long"}"#);
    }
    for bad in wrong_bodies("message").iter().filter(|body| !body.contains("\"x\"}{")) {
        at_ann.text(bad);
        at_ann.expect_text(r#"{"status":false,"code":"invalid_message"}"#);
    }
    // The connection stays, and no other client got any of that.
    at_ann.say(&json!({"message": "sorry"}));
    at_ann.expect_ack();
    at_bob.expect_text(r#"{"message":"sorry","author":"Ann"}"#);
}

#[test]
fn acks_come_in_the_order_of_the_sends() {
    let server = TestServer::start();
    let mut ann = server.pirate(&server.account("Ann"));
    for _ in 0..20 {
        ann.say(&json!({"message": "good"}));
        ann.say(&json!({"message": "x".repeat(301)}));
        ann.text("bad");
    }
    for _ in 0..20 {
        ann.expect_ack();
        ann.expect_text(r#"{"status":false,"code":"message_too_long"}"#);
        ann.expect_text(r#"{"status":false,"code":"invalid_message"}"#);
    }
}

#[test]
fn a_user_has_one_connection() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let mut at_bob = server.pirate(&bob);
    let first = server.pirate(&ann);
    at_bob.expect_text(r#"{"event":"join","username":"Ann"}"#);
    let elsewhere = Account { cookie: server.log_in(&ann.key), ..ann.clone() };
    for who in [&ann, &elsewhere] {
        let Err(second) = server.try_ws("/ws", &cookie(&who.cookie)) else { panic!("two") };
        refused(&second, 409);
    }
    // After her leave was broadcast, Ann may come back; the refused connections left no trace.
    first.bye();
    at_bob.expect_text(r#"{"event":"leave","username":"Ann"}"#);
    let _second = server.pirate(&elsewhere);
    at_bob.expect_text(r#"{"event":"join","username":"Ann"}"#);
}

#[test]
fn only_our_own_pages_may_use_the_cookie() {
    let server = TestServer::with(&["--origin", "https://chat.example.org"]);
    let ann = server.account("Ann");
    let with = |origin: &str| format!("{}Origin: {origin}\r\n", cookie(&ann.cookie));
    let own = format!("http://127.0.0.1:{}", server.port());
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "", "garbage"] {
        let Err(refusal) = server.try_ws("/ws", &with(origin)) else { panic!("{origin} is in") };
        refused(&refusal, 403);
    }
    for origin in [own.as_str(), "https://chat.example.org"] {
        server.ws("/ws", &with(origin)).bye();
        let me = server.ask("GET /api/user/@me", &with(origin), "");
        assert_eq!(me.status, 200, "{origin}");
    }
    // A foreign page's request counts as one without a cookie.
    refused(&server.ask("GET /api/user/@me", &with("https://evil.example"), ""), 422);
    refused(&server.ask("POST /api/logout", &with("https://evil.example"), ""), 403);
    let picture = format!("{}Sec-Fetch-Site: cross-site\r\n", cookie(&ann.cookie));
    refused(&server.ask("GET /api/logout", &picture, ""), 403);
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200, "she is logged in still");
}

#[test]
fn a_key_and_a_session_are_in_the_database_as_hashes_only() {
    let mut server = TestServer::start();
    let ann = server.account("Ann");
    assert_eq!(server.stop().code, Some(0));
    let bytes = std::fs::read(server.db()).expect("the database");
    let session = ann.cookie.strip_prefix("session=").expect("a session");
    for secret in [ann.key.as_str(), session] {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
    assert!(bytes.windows(3).any(|part| part == b"Ann"), "it is the right file");
}
