//! ChitChat over HTTP, row by row of the contract: rooms, tokens, errors, and their precedence.

use serde_json::{Value, json};

use crate::kit::ws::is_time;
use crate::kit::{Response, TestServer, cookie, failure};

const NOT_FOUND: &str = "Room error: Room not found";
const DUPLICATE: &str = "Room error: Duplicate room";
const INVALID_JSON: &str = "Room error: Invalid JSON";
const UNAUTHORIZED: &str = "Room error: Unauthorized operation";
const CONTENT: &str = "Room error: Invalid content";
const TOKEN: &str = "Token error: Invalid token";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn refused(response: &Response, status: u16, code: u16, error: &str, field: &str) {
    response.expect(status, &failure(code, error, field));
}

/// A room without its times, which must be timestamps.
fn without_times(mut room: Value) -> Value {
    let fields = room.as_object_mut().expect("an object");
    for name in ["createdAt", "updatedAt"] {
        let time = fields.remove(name).expect("a time");
        assert!(is_time(time.as_str().expect("a text")), "{time}");
    }
    room
}

fn private(title: &str) -> Value {
    json!({"title": title, "visibility": "private", "password": "open sesame"})
}

#[test]
fn the_first_room_is_there_from_the_start() {
    let server = TestServer::start();
    let lobby = json!({
        "title": "Public Chat",
        "description": "This is the default chat, available to everyone!",
        "visibility": "public", "id": 1, "users": [],
    });
    for path in ["/chats/1", "/chats/Public%20Chat", "/chats/pUBLIC%20cHAT", "/chats/0001"] {
        let response = server.ask(&format!("GET {path}"), "", "");
        assert_eq!(
            (response.status, without_times(response.json())),
            (200, lobby.clone()),
            "{path}"
        );
    }
    // The server owns it.
    let ann = server.account("Ann");
    for headers in [String::new(), cookie(&ann)] {
        let change = server.ask("PUT /chats/1", &headers, r#"{"title":"Mine"}"#);
        refused(&change, 401, 104, UNAUTHORIZED, "");
        refused(&server.ask("DELETE /chats/1", &headers, ""), 401, 104, UNAUTHORIZED, "");
    }
    assert_eq!(server.ask("GET /chats/1", "", "").json()["title"], json!("Public Chat"));
}

#[test]
fn making_a_room_shows_it() {
    let server = TestServer::start();
    let made = server.send(
        "POST /chats",
        &json!({"title": "My chat room", "description": "There are many like it",
            "visibility": "public"}),
    );
    assert_eq!(made.status, 201);
    let text = made.text();
    // The fields are in the order of ChitChat's documents.
    let order = ["title", "description", "visibility", "createdAt", "updatedAt", "id", "users"];
    let at = order.map(|name| text.find(&format!("\"{name}\"")).expect("the field"));
    assert!(at.is_sorted(), "{text}");
    let expected = json!({"title": "My chat room", "description": "There are many like it",
        "visibility": "public", "id": 2, "users": []});
    assert_eq!(without_times(made.json()), expected);
    let shown = server.ask("GET /chats/my%20CHAT%20room", "", "");
    assert_eq!(shown.json(), made.json());
    // Without a description the field is missing; unknown fields are ignored.
    let bare = server.send("POST /chats", &json!({"title": "b2", "visibility": "public", "x": 1}));
    let expected = json!({"title": "b2", "visibility": "public", "id": 3, "users": []});
    assert_eq!(without_times(bare.json()), expected);
}

#[test]
fn hidden_rooms_are_not_listed_and_no_room_shows_its_password() {
    let server = TestServer::start();
    server.room(&json!({"title": "Open", "visibility": "public"}));
    server.room(&private("Den"));
    let cellar = json!({"title": "Cellar", "visibility": "hidden", "password": "open sesame"});
    let made = server.send("POST /chats", &cellar);
    let list = server.ask("GET /chats", "", "");
    let rooms = list.json();
    let titles: Vec<&str> = rooms
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|room| room["title"].as_str())
        .collect();
    assert_eq!(titles, ["Public Chat", "Open", "Den"]);
    // A client with its id finds it, but not by its title, which can be guessed.
    let number = made.json()["id"].as_u64().expect("a number");
    let shown = server.ask(&format!("GET /chats/{number}"), "", "");
    assert_eq!((shown.status, number > 1 << 32), (200, true));
    refused(&server.ask("GET /chats/cellar", "", ""), 404, 101, NOT_FOUND, "cellar");
    for response in [&made, &list, &shown] {
        let text = response.text();
        assert!(!text.contains("argon2") && !text.contains("assword"), "{text}");
        assert!(!text.contains("sesame"), "{text}");
    }
}

#[test]
fn clients_that_prefer_html_get_the_page() {
    let server = TestServer::start();
    let kind = |accept: &str| {
        let response = server.ask("GET /chats", &format!("Accept: {accept}\r\n"), "");
        assert!(response.headers.contains(&("vary".to_owned(), "Accept".to_owned())));
        response.header("content-type").expect("a type").to_owned()
    };
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    assert_eq!(kind(browser), "text/html; charset=utf-8");
    for script in ["*/*", "application/json", "text/html;q=0.5, application/json"] {
        assert_eq!(kind(script), "application/json", "{script}");
    }
}

#[test]
fn invalid_rooms_are_refused() {
    let server = TestServer::start();
    let post = |body: &Value| server.send("POST /chats", body);
    let content = |body: Value, field: &str| refused(&post(&body), 400, 105, CONTENT, field);
    for title in ["", "x", "12", "0", &"t".repeat(71)] {
        content(json!({"title": title, "visibility": "public"}), "title");
    }
    content(json!({"visibility": "public"}), "title");
    content(
        json!({"title": "ok", "visibility": "public", "description": "d".repeat(71)}),
        "description",
    );
    for visibility in ["", "secret", "Public"] {
        content(json!({"title": "ok", "visibility": visibility}), "visibility");
    }
    content(json!({"title": "ok"}), "visibility");
    for visibility in ["private", "hidden"] {
        content(json!({"title": "ok", "visibility": visibility}), "password");
        for password in ["", "1234567"] {
            let body = json!({"title": "ok", "visibility": visibility, "password": password});
            content(body, "password");
        }
    }
    content(json!({"title": "ok", "visibility": "public", "password": "12345678"}), "visibility");
    for body in ["", "{", "[]", "null", "\"x\"", r#"{"title":"ok"}}"#] {
        refused(&server.ask("POST /chats", "", body), 400, 103, INVALID_JSON, "");
    }
    for (body, field) in [
        (json!({"title": 1, "visibility": "public"}), "title"),
        (json!({"title": "ok", "visibility": "public", "description": []}), "description"),
        (json!({"title": "ok", "visibility": {}}), "visibility"),
    ] {
        refused(&post(&body), 400, 103, INVALID_JSON, field);
    }
    for title in ["public chat", "PUBLIC CHAT"] {
        let body = json!({"title": title, "visibility": "public"});
        refused(&post(&body), 400, 102, DUPLICATE, "title");
    }
    // Invalid input is reported before a conflict.
    let both = json!({"title": "Public Chat", "visibility": "private", "password": "short"});
    refused(&post(&both), 400, 105, CONTENT, "password");
    // None of those rooms exists; the limits themselves fit.
    let title = "ü".repeat(70);
    let fits = json!({"title": title, "visibility": "hidden", "description": "ü".repeat(70),
        "password": "äöüß€😀12"});
    assert!(server.room(&fits) > 1 << 32, "a number that nobody can guess");
    assert_eq!(server.room(&json!({"title": "ok", "visibility": "public"})), 2);
}

#[test]
fn a_missing_room_is_named_as_in_the_request() {
    let server = TestServer::start();
    for (room, field) in [
        ("99", "99"),
        ("nowhere", "nowhere"),
        ("No%20Where", "No Where"),
        ("99999999999999999999999", "99999999999999999999999"),
        ("%E2%98%A0", "\u{2620}"),
    ] {
        for line in ["GET /chats/R", "DELETE /chats/R", "GET /chats/R/token/renew"] {
            let response = server.ask(&line.replace('R', room), "", "");
            refused(&response, 404, 101, NOT_FOUND, field);
        }
        // 404 even if the body is invalid.
        for line in ["PUT /chats/R", "POST /chats/R/token"] {
            let response = server.ask(&line.replace('R', room), "", "{");
            refused(&response, 404, 101, NOT_FOUND, field);
        }
        let ws = server.try_ws(&format!("/chats/{room}/ws"), "");
        refused(ws.err().as_ref().expect("no websocket"), 404, 101, NOT_FOUND, field);
    }
}

#[test]
fn anyone_changes_a_guests_public_room_and_only_the_owner_an_accounts() {
    let server = TestServer::start();
    let (ann, bob) = (server.account("Ann"), server.account("Bob"));
    let guests = server.room(&json!({"title": "Commons", "visibility": "public"}));
    let line = format!("PUT /chats/{guests}");
    let changed = server.ask(&line, "", r#"{"description":"new"}"#);
    let expected = json!({"title": "Commons", "description": "new", "visibility": "public",
        "id": guests, "users": []});
    assert_eq!((changed.status, without_times(changed.json())), (200, expected));
    assert!(changed.json()["updatedAt"].as_str() > changed.json()["createdAt"].as_str());
    let body = json!({"title": "Anns", "visibility": "public"}).to_string();
    let made = server.ask("POST /chats", &cookie(&ann), &body);
    let id = made.json()["id"].as_u64().expect("a number");
    for headers in [String::new(), cookie(&bob), "Cookie: session=nonsense\r\n".to_owned()] {
        let change = server.ask(&format!("PUT /chats/{id}"), &headers, r#"{"title":"Bobs"}"#);
        refused(&change, 401, 104, UNAUTHORIZED, "");
        let removal = server.ask(&format!("DELETE /chats/{id}"), &headers, "");
        refused(&removal, 401, 104, UNAUTHORIZED, "");
    }
    // A client that is not the owner is not told what is wrong with the body.
    for body in ["{", r#"{"title":"Commons"}"#, r#"{"title":""}"#, r#"{"password":"short"}"#] {
        let change = server.ask(&format!("PUT /chats/{id}"), &cookie(&bob), body);
        refused(&change, 401, 104, UNAUTHORIZED, "");
    }
    let change = server.ask(&format!("PUT /chats/{id}"), &cookie(&ann), r#"{"title":"Anne"}"#);
    assert_eq!(change.json()["title"], json!("Anne"));
    // A room's own title is no conflict, in any case; another room's is.
    let line = format!("PUT /chats/{id}");
    assert_eq!(server.ask(&line, &cookie(&ann), r#"{"title":"ANNE"}"#).status, 200);
    let taken = server.ask(&line, &cookie(&ann), r#"{"title":"commons"}"#);
    refused(&taken, 400, 102, DUPLICATE, "title");
    let removed = server.ask(&format!("DELETE /chats/{id}"), &cookie(&ann), "");
    removed.expect(200, &json!({"status": true}));
    refused(&server.ask("GET /chats/anne", "", ""), 404, 101, NOT_FOUND, "anne");
    // The title is free again, the id is not.
    assert_eq!(server.room(&json!({"title": "Anne", "visibility": "public"})), id + 1);
}

#[test]
fn a_token_for_a_public_room_is_not_needed() {
    let server = TestServer::start();
    for body in ["", "nonsense", r#"{"secret":"x","name":"y"}"#] {
        let response = server.ask("POST /chats/1/token", "", body);
        response.expect(200, &json!({"status": true}));
    }
    for headers in [String::new(), bearer("nonsense")] {
        let response = server.ask("GET /chats/1/token/renew", &headers, "");
        response.expect(200, &json!({"status": true}));
    }
    server.ws("/chats/1/ws", &bearer("nonsense")).bye();
}

#[test]
fn a_token_is_given_for_the_secret_and_renewed_for_itself() {
    let server = TestServer::start();
    let id = server.room(&private("Den"));
    let line = "POST /chats/den/token";
    let given = server.send(line, &json!({"secret": "open sesame", "name": "David"}));
    let body = given.json();
    let token = body["token"].as_str().expect("a token").to_owned();
    let expected = json!({"status": true, "name": "David", "room_id": id, "token": token});
    assert_eq!((given.status, &body), (201, &expected));
    assert_eq!(token.split('.').count(), 3);
    let renewed = server.ask("GET /chats/den/token/renew", &bearer(&token), "");
    let body = renewed.json();
    let again = body["token"].as_str().expect("a token");
    let expected = json!({"status": true, "name": "David", "room_id": id, "token": again});
    assert_eq!((renewed.status, &body), (201, &expected));
    server.ws("/chats/den/ws", &bearer(again)).bye();
    let wrong = |body: Value| {
        refused(&server.send(line, &body), 401, 304, "Unauthorized operation", "secret")
    };
    wrong(json!({"secret": "open sesam", "name": "David"}));
    wrong(json!({"secret": "Open sesame", "name": "David"}));
    wrong(json!({"secret": "", "name": "David"}));
    wrong(json!({"secret": "x".repeat(5000), "name": "David"}));
    wrong(json!({"name": "David"}));
    let malformed = |body: &str, field: &str| {
        refused(&server.ask(line, "", body), 400, 303, "Invalid JSON", field);
    };
    malformed("", "");
    malformed("[]", "");
    malformed(r#"{"secret":"open sesame"}"#, "name");
    malformed(r#"{"secret":"open sesame","name":""}"#, "name");
    malformed(r#"{"secret":"open sesame","name":7}"#, "name");
    malformed(r#"{"secret":"open sesame","name":"a\nb"}"#, "name");
    malformed(r#"{"secret":7,"name":"David"}"#, "secret");
    malformed(&json!({"secret": "open sesame", "name": "n".repeat(33)}).to_string(), "name");
}

#[test]
fn a_name_that_is_anothers_gets_no_token() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let id = server.room(&private("Den"));
    let line = format!("POST /chats/{id}/token");
    let duplicate = "Client error: Duplicate username";
    let body = json!({"secret": "open sesame", "name": "aNN"});
    refused(&server.send(&line, &body), 400, 202, duplicate, "name");
    // Without the password a client learns nothing about names.
    let guess = json!({"secret": "wrong secret", "name": "Ann"});
    refused(&server.send(&line, &guess), 401, 304, "Unauthorized operation", "secret");
    let own = server.ask(&line, &cookie(&ann), &body.to_string());
    assert_eq!(own.status, 201, "{own:?}");
    // A guest's name is in use while the guest is present.
    let token = server.token(id, "open sesame", "Guest");
    let guest = server.ws(&format!("/chats/{id}/ws"), &bearer(&token));
    let body = json!({"secret": "open sesame", "name": "GUEST"});
    refused(&server.send(&line, &body), 400, 202, duplicate, "name");
    guest.bye();
    assert_eq!(server.send(&line, &body).status, 201);
}

#[test]
fn a_private_room_is_changed_with_its_token_and_no_other() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let id = server.room(&private("Den"));
    let other = server.room(&private("Other Den"));
    let line = format!("PUT /chats/{id}");
    let body = r#"{"description":"new"}"#;
    let strange = server.token(other, "open sesame", "Eve");
    let unknown = [String::new(), cookie(&ann), bearer("x.y.z"), bearer(&strange)];
    for headers in &unknown {
        for line in [line.as_str(), &format!("DELETE /chats/{id}")] {
            refused(&server.ask(line, headers, body), 403, 403, TOKEN, "token");
        }
        let renewal = server.ask(&format!("GET /chats/{id}/token/renew"), headers, "");
        refused(&renewal, 403, 403, TOKEN, "token");
        let ws = server.try_ws(&format!("/chats/{id}/ws"), headers);
        refused(ws.err().as_ref().expect("no entry"), 403, 403, TOKEN, "token");
    }
    // A client without the right is not told what is wrong with the body.
    refused(&server.ask(&line, "", "{"), 403, 403, TOKEN, "token");
    let token = server.token(id, "open sesame", "David");
    refused(&server.ask(&line, &bearer(&token), "{"), 400, 103, INVALID_JSON, "");
    let changed = server.ask(&line, &bearer(&token), body);
    assert_eq!((changed.status, &changed.json()["description"]), (200, &json!("new")));
    // Without a new password the old one stays, and so does the token.
    let hidden = server.ask(&line, &bearer(&token), r#"{"visibility":"hidden"}"#);
    assert_eq!(hidden.json()["visibility"], json!("hidden"));
    assert_eq!(server.ask(&line, &bearer(&token), "{}").status, 200);
    let short = server.ask(&line, &bearer(&token), r#"{"password":"short"}"#);
    refused(&short, 400, 105, CONTENT, "password");
    let removed = server.ask(&format!("DELETE /chats/{id}"), &bearer(&token), "");
    removed.expect(200, &json!({"status": true}));
}

#[test]
fn a_new_password_ends_all_tokens_and_empties_the_room() {
    let server = TestServer::start();
    let id = server.room(&private("Den"));
    let (old, line) = (server.token(id, "open sesame", "David"), format!("PUT /chats/{id}"));
    let mut inside = server.ws(&format!("/chats/{id}/ws"), &bearer(&old));
    let changed = server.ask(&line, &bearer(&old), r#"{"password":"close sesame"}"#);
    assert_eq!(changed.status, 200);
    inside.expect_close(1008);
    refused(&server.ask(&line, &bearer(&old), "{}"), 403, 403, TOKEN, "token");
    let renewal = server.ask(&format!("GET /chats/{id}/token/renew"), &bearer(&old), "");
    refused(&renewal, 403, 403, TOKEN, "token");
    let body = json!({"secret": "open sesame", "name": "David"});
    let with_old = server.send(&format!("POST /chats/{id}/token"), &body);
    refused(&with_old, 401, 304, "Unauthorized operation", "secret");
    let fresh = server.token(id, "close sesame", "David");
    // A public room has no password, and needs a new one to become private.
    let open = server.ask(&line, &bearer(&fresh), r#"{"visibility":"public"}"#);
    assert_eq!(open.json()["visibility"], json!("public"));
    let shut = server.ask(&line, "", r#"{"visibility":"private"}"#);
    refused(&shut, 400, 105, CONTENT, "password");
    let shut = server.ask(&line, "", r#"{"visibility":"private","password":"third sesame"}"#);
    assert_eq!(shut.status, 200);
    for token in [old, fresh] {
        refused(&server.ask(&line, &bearer(&token), "{}"), 403, 403, TOKEN, "token");
    }
}

#[test]
fn deleting_a_room_closes_it_for_those_inside() {
    let server = TestServer::start();
    let id = server.room(&json!({"title": "Commons", "visibility": "public"}));
    let mut inside = server.guest(id, "Ann");
    assert_eq!(server.ask(&format!("DELETE /chats/{id}"), "", "").status, 200);
    assert!(matches!(inside.hear(), crate::kit::Heard::Close(1000..=1008, _)));
    let ws = server.try_ws(&format!("/chats/{id}/ws"), "");
    refused(ws.err().as_ref().expect("gone"), 404, 101, NOT_FOUND, &id.to_string());
}

/// A path as browsers and curl send it: dot segments are removed, percent-encoded ones, too (the
/// URL standard, section 4.4).
fn normalised(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

#[test]
fn whatever_is_taken_for_a_title_leads_to_the_room() {
    let server = TestServer::start();
    for title in ["..", ". .", "．．", "...", "//", "/", "%%", "??", "##", "１２", "²³"] {
        let response = server.send("POST /chats", &json!({"title": title, "visibility": "public"}));
        refused(&response, 400, 105, "Room error: Invalid content", "title");
    }
    let titles = [
        "%2e%2e",
        "%2E.",
        "%2e",
        "a/b",
        "a/../b",
        "../a",
        "a/..",
        "/a",
        "a/",
        "./a",
        "a//b",
        "a?b",
        "?a",
        "a#b",
        "#a",
        "100%",
        "%41",
        "%00a",
        "%zz",
        "a%2Fb",
        "a\\b",
        "..a",
        "a;b",
        "a&b=c",
        "a+b",
        "~a",
        "a b",
        "ws",
        "token",
        "a|b",
        "[a]",
        "http://x.example/",
        "日本",
        "é..",
    ];
    for title in titles {
        let room = server.room(&json!({"title": title, "visibility": "public"}));
        let encoded: String = title
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let path = normalised(&format!("/chats/{encoded}"));
        let found = server.ask(&format!("GET {path}"), "", "");
        assert_eq!((found.status, found.json()["id"].as_u64()), (200, Some(room)), "{title}");
        assert_eq!(server.send(&format!("POST {path}/token"), &json!({"name": "x"})).status, 200);
        server.ws(&format!("{path}/ws"), "").bye();
    }
}
