//! Rate limits in every protocol: 429 in the protocol's format, and all other clients go on.

use super::{Server, serve};
use crate::limits::rates;

const FROM: &str = "X-Forwarded-For: 198.51.100.1, 203.0.113.7\n";
const OTHER: &str = "X-Forwarded-For: 203.0.113.8\n";
const SAYS: &str = "too many requests in a short time; wait a little, then try again";

fn burst(rates: rates::Rates) -> u64 {
    rates.address.expect("an address has such a bucket").burst
}

/// Each protocol refuses in its format, and says how long to wait.
async fn is_limited(server: &Server, line: &str, headers: &str, body: &str) {
    let reply = server.send(line, headers, body).await;
    let seconds: u64 = reply.header("Retry-After").expect("a header").parse().expect("a number");
    assert!(seconds > 0, "{line}");
    let (shape, millis) = match line.split_once(' ').expect("a path").1 {
        path if path.starts_with("/api/v1") => {
            let (start, millis) = reply.body.split_once("\"retry_after_ms\":").expect("millis");
            (start.to_owned(), millis.trim_end_matches('}').parse().expect("a number"))
        }
        _ => (reply.body.clone(), 1_000 * seconds),
    };
    assert_eq!(millis.div_ceil(1_000), seconds, "{line}");
    let expected = match line.split_once(' ').expect("a path").1 {
        path if path.starts_with("/api/v1") => {
            format!(r#"{{"error":{{"code":"rate_limited","message":"{SAYS}","#)
        }
        path if path.starts_with("/chats") => {
            r#"{"status":false,"error":{"code":305,"error":"Too many requests"}}"#.to_owned()
        }
        _ => format!(r#"{{"error":"{SAYS}"}}"#),
    };
    assert_eq!((reply.status, shape), (429, expected), "{line}");
}

#[test]
fn what_is_made_from_one_address_is_counted_for_all_protocols() {
    serve(async |server| {
        let from = FROM;
        let made = async |line: &str, body: String| {
            assert_eq!(server.send(line, from, &body).await.status, 201, "{line} {body}");
        };
        let all = burst(rates::MAKE);
        for index in 0..all {
            let title = format!(r#"{{"title":"Room {index}","visibility":"public"}}"#);
            match index % 4 {
                0 => made("POST /chats", title).await,
                1 => made("POST /api/register", format!(r#"{{"username":"Ann{index}"}}"#)).await,
                2 => made("POST /api/v1/guests", format!(r#"{{"name":"Gus{index}"}}"#)).await,
                _ => made("POST /api/v1/accounts", format!(r#"{{"name":"Bo{index}"}}"#)).await,
            }
            // A refused request has no effect, and costs no token of the bucket.
            let refused = server.send("POST /api/register", from, "{}").await;
            assert_eq!(refused.status, 422);
        }
        is_limited(&server, "POST /chats", from, r#"{"title":"One more","visibility":"public"}"#)
            .await;
        is_limited(&server, "POST /api/register", from, r#"{"username":"Zoe"}"#).await;
        is_limited(&server, "POST /api/v1/guests", from, r#"{"name":"Zoe"}"#).await;
        is_limited(&server, "POST /api/v1/accounts", from, r#"{"name":"Zoe"}"#).await;
        // All other requests work, and so do all other clients, this machine itself included.
        assert_eq!(server.send("GET /chats/2", from, "").await.status, 200);
        let one = r#"{"username":"Zoe"}"#;
        assert_eq!(server.send("POST /api/register", OTHER, one).await.status, 201);
        assert_eq!(server.send("POST /api/register", "", r#"{"username":"Yo"}"#).await.status, 201);
    });
}

#[test]
fn rooms_for_two_are_made_like_everything_that_lasts() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        let most = rates::MAKE.person.expect("a person has such a bucket").burst;
        for index in 0..=most {
            server.account(&format!("Bo{index}")).await;
        }
        for index in 0..most {
            let line = format!("PUT /api/v1/users/Bo{index}/room");
            assert_eq!(server.send(&line, &ann, "").await.status, 201, "{index}");
        }
        is_limited(&server, &format!("PUT /api/v1/users/Bo{most}/room"), &ann, "").await;
        let there = server.send("PUT /api/v1/users/Bo0/room", &ann, "").await;
        assert_eq!(there.status, 200, "what is there already is not made");
    });
}

#[test]
fn wrong_passwords_are_counted_and_right_ones_are_not() {
    serve(async |server| {
        let ann = server.account("Ann").await;
        let den = r#"{"title":"Den","visibility":"private","password":"open sesame"}"#;
        assert_eq!(server.send("POST /chats", "", den).await.status, 201);
        let wrong = r#"{"name":"Bo","secret":"no sesame!"}"#;
        let right = r#"{"name":"Bo","secret":"open sesame"}"#;
        let all = burst(rates::GUESS);
        for _ in 0..all / 2 {
            assert_eq!(server.send("POST /chats/2/token", FROM, right).await.status, 201);
            assert_eq!(server.send("POST /chats/2/token", FROM, wrong).await.status, 401);
        }
        // (Checking a password takes time, in which the bucket gains a token.)
        let mut tries = all / 2;
        while server.send("POST /chats/2/token", FROM, wrong).await.status == 401 {
            tries += 1;
        }
        assert!((all..all + 20).contains(&tries), "{tries}");
        is_limited(&server, "POST /chats/2/token", FROM, wrong).await;
        is_limited(&server, "POST /chats/Den/token", FROM, right).await;
        // A logged-in client has its own bucket, even behind the same address.
        let enter = format!("{FROM}{ann}");
        let line = "PUT /api/v1/rooms/2/membership";
        let own = rates::GUESS.person.expect("a person has such a bucket").burst;
        let mut tries = 0;
        while server.send(line, &enter, r#"{"password":"no sesame!"}"#).await.status == 403 {
            tries += 1;
        }
        assert!((own..own + 20).contains(&tries), "{tries}");
        is_limited(&server, line, &ann, r#"{"password":"open sesame"}"#).await;
        let bea = server.account("Bea").await;
        let enter = format!("{FROM}{bea}");
        let entered = server.send(line, &enter, r#"{"password":"open sesame"}"#).await;
        assert_eq!(entered.status, 200);
        assert_eq!(server.send("POST /chats/2/token", OTHER, right).await.status, 201);
        assert_eq!(server.send("GET /chats/2", FROM, "").await.status, 200);
    });
}
