//! Tokens of ChitChat's rooms: content, refusals, effect.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::kit::{Heard, Response, TestServer, failure, refuses, said, send, shanty};

const OTHER_NAME: &str = "Client error: Name mismatch";

/// Signs a token with the secret.
fn forge(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn with_secret(secret: &'static str) -> TestServer {
    TestServer::of(move |db| {
        let mut command = shanty();
        command.args(["--listen", "127.0.0.1:0", "--db", db]).env("SECRET_KEY", secret);
        command
    })
}

#[test]
fn a_token_is_what_the_contract_says_and_nothing_else_opens_the_room() {
    let server = with_secret("a secret of our own, long enough");
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = server.room(&den);
    let token = server.token(room, "open sesame", "David");
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&BASE64.decode(part).expect("base64url")).expect("JSON")
    };
    let header = read(parts[0]);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("JWT")));
    let claims = read(parts[1]);
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let exp = claims["exp"].as_u64().expect("a number");
    assert!((now + 3590..=now + 3601).contains(&exp), "{exp} is in 60 minutes from {now}");
    let expected = json!({"username": "David", "room_id": room, "exp": exp, "gen": claims["gen"]});
    assert_eq!(claims, expected);

    let path = format!("/chats/{room}/ws");
    let refused = |token: &str| -> Response {
        let headers = format!("Authorization: Bearer {token}\r\n");
        server.try_ws(&path, &headers).err().expect("no entry")
    };
    let (signature, method, invalid) = (
        failure(403, "Token error: Invalid token", "token"),
        failure(402, "Token error: Unauthorized signing method", "token"),
        failure(403, "Token error: Invalid token", "token"),
    );
    // The holder of the secret can make a token.
    let secret = "a secret of our own, long enough";
    server.ws(&path, &format!("Authorization: bearer {}\r\n", forge(&header, &claims, secret)));
    refused(&forge(&header, &claims, "another secret")).expect(403, &signature);
    let (head, _) = token.rsplit_once('.').expect("a signature");
    refused(&format!("{head}.")).expect(403, &signature);
    refused(&format!("{head}.AAAA")).expect(403, &signature);
    for alg in ["none", "None", "HS384", "HS512", "RS256", "hs256", ""] {
        let forged = forge(&json!({"alg": alg, "typ": "JWT"}), &claims, secret);
        refused(&forged).expect(401, &method);
        let unsigned = format!("{}.", forged.rsplit_once('.').expect("parts").0);
        refused(&unsigned).expect(401, &method);
    }
    for (name, value) in [
        ("exp", json!(now - 1)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("room_id", json!(1)),
        ("room_id", json!(room + 1)),
        ("gen", json!(claims["gen"].as_u64().expect("a number") + 1)),
        ("gen", Value::Null),
        ("username", json!("")),
        ("username", Value::Null),
    ] {
        let mut changed = claims.clone();
        match value {
            Value::Null => changed.as_object_mut().expect("an object").remove(name),
            value => changed.as_object_mut().expect("an object").insert(name.into(), value),
        };
        refused(&forge(&header, &changed, secret)).expect(403, &invalid);
    }
    for malformed in ["x", "a.b", "a.b.c", "..", "a.b.c.d"] {
        refused(malformed).expect(403, &invalid);
    }
    let none = server.try_ws(&path, "").err().expect("no entry");
    none.expect(403, &invalid);
}

#[test]
fn a_token_binds_the_name_and_comes_back_as_the_subprotocol() {
    let server = TestServer::start();
    let den = json!({"title": "Den", "visibility": "hidden", "password": "open sesame"});
    let room = server.room(&den);
    let token = server.token(room, "open sesame", "David");
    let offers = |value: &str| format!("Sec-WebSocket-Protocol: {value}\r\n");
    let mut ws = server.ws("/chats/den/ws", &offers(&token));
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some(token.as_str()));
    refuses(&mut ws, &send("Eve", "hello").to_string(), 204, OTHER_NAME, "name");
    ws.say(&send("david", "it is me"));
    ws.expect(&said(room, "David", "it is me"));
    ws.bye();
    let ws = server.ws("/chats/den/ws", &offers(&format!("chat, {token}")));
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some(token.as_str()));
    drop(ws);
    // A public room needs no token; but a subprotocol is chosen all the same.
    let ws = server.ws("/chats/1/ws", &offers("chat, superchat"));
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some("chat"));
    assert!(server.ws("/chats/1/ws", "").response.header("sec-websocket-protocol").is_none());
}

#[test]
fn making_a_room_private_sends_away_who_came_without_a_token() {
    let server = TestServer::start();
    let room = server.room(&json!({"title": "Commons", "visibility": "public"}));
    let mut guest = server.guest(room, "Gus");
    let body = r#"{"visibility":"private","password":"open sesame"}"#;
    assert_eq!(server.ask(&format!("PUT /chats/{room}"), "", body).status, 200);
    assert!(matches!(guest.hear(), Heard::Close(1008, _)));
    let token = server.token(room, "open sesame", "Gus");
    let headers = format!("Authorization: Bearer {token}\r\n");
    server.ws(&format!("/chats/{room}/ws"), &headers).bye();
}

// ---- Defects of the two seeds, each by its name: none may come back ----

#[test]
fn a_default_signing_secret_in_the_source() {
    let [one, two] = [TestServer::start(), TestServer::start()];
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = one.room(&den);
    assert_eq!(two.room(&den), room);
    // The same room, password and name: but one server's tokens mean nothing to the other.
    let token = one.token(room, "open sesame", "David");
    let headers = format!("Authorization: Bearer {token}\r\n");
    one.ws(&format!("/chats/{room}/ws"), &headers).bye();
    let refused = two.try_ws(&format!("/chats/{room}/ws"), &headers).err().expect("no entry");
    refused.expect(403, &failure(403, "Token error: Invalid token", "token"));
}

#[test]
fn the_subprotocol_token_is_not_echoed() {
    let server = TestServer::start();
    let den = json!({"title": "Den", "visibility": "private", "password": "open sesame"});
    let room = server.room(&den);
    let token = server.token(room, "open sesame", "David");
    let headers = format!("Sec-WebSocket-Protocol: {token}\r\n");
    let ws = server.ws(&format!("/chats/{room}/ws"), &headers);
    assert_eq!(ws.response.header("sec-websocket-protocol"), Some(token.as_str()));
}
