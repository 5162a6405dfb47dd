//! Persistence: rooms keep their ids, and everything survives a restart.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use crate::kit::{TestServer, said, send};

// ---- Defects of the two seeds, each by its name: none may come back ----

#[test]
fn ids_are_used_again_and_overwrite_a_live_room() {
    let server = TestServer::start();
    let make = |title: &str| server.room(&json!({"title": title, "visibility": "public"}));
    let (first, second, third) = (make("first"), make("second"), make("third"));
    for id in [first, third] {
        assert_eq!(server.ask(&format!("DELETE /chats/{id}"), "", "").status, 200);
    }
    let mut seen = BTreeSet::from([1, first, second, third]);
    for title in ["fourth", "fifth"] {
        assert!(seen.insert(make(title)), "{title} has a number that was used: {seen:?}");
    }
    let alive = server.ask(&format!("GET /chats/{second}"), "", "").json();
    assert_eq!(alive["title"], json!("second"));
}

#[test]
fn everything_is_lost_at_restart() {
    let mut server = TestServer::start();
    let ann = server.account("Ann");
    let room = server.room(&json!({"title": "Den", "visibility": "public"}));
    let mut guest = server.guest(room, "Gus");
    guest.say(&send("Gus", "remember me"));
    guest.expect(&said(room, "Gus", "remember me"));
    server.stop();
    assert!(fs::metadata(server.db()).is_ok_and(|file| file.len() > 0));
    server.go_on();
    assert_eq!(server.ask_as("GET /api/user/@me", &ann).status, 200);
    assert_eq!(server.ask("GET /chats/den", "", "").json()["id"], json!(room));
    let texts: Vec<String> = server.log().into_iter().filter_map(|row| row.text).collect();
    assert_eq!(texts, ["remember me"]);
}
