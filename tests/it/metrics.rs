//! `/metrics` of the running server: its format, what it counts, and who may read it.

use std::collections::BTreeMap;

use serde_json::json;

use crate::kit::{Response, TestServer, until};

/// The samples of a page, by name and labels as they stand there.
type Samples = BTreeMap<String, f64>;

/// Reads Prometheus' text format, version 0.0.4, more strictly than Prometheus does: each family
/// has its HELP and TYPE, once and first, and all of its samples in one place.
fn parse(response: &Response) -> Samples {
    assert_eq!(response.status, 200, "{response:?}");
    let kind = response.header("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = response.text();
    assert!(text.ends_with('\n'), "the last line has an end");
    let (mut samples, mut families) = (Samples::new(), Vec::<String>::new());
    let (mut helped, mut kind) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and a help");
            assert!(is_name(name) && help.ends_with('.') && !help.contains('\\'), "{line}");
            assert!(!families.iter().any(|family| family == name), "{name} is there twice");
            helped = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, type_) = rest.split_once(' ').expect("a name and a type");
            assert_eq!(name, helped, "its HELP stands before it");
            assert!(["counter", "gauge", "histogram"].contains(&type_), "{line}");
            assert_eq!(type_ == "counter", name.ends_with("_total"), "{line}");
            families.push(name.to_owned());
            kind = type_.to_owned();
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            let labels = labels.strip_suffix('}').expect("labels end");
            for label in labels.split(',').filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once('=').expect("a label and its value");
                assert!(is_name(label) && value.len() >= 2, "{line}");
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                assert!(value.is_some_and(|value| !value.contains(['"', '\\'])), "{line}");
            }
            let family = families.last().expect("a family before its samples");
            let parts = ["_bucket", "_sum", "_count"].map(|part| format!("{family}{part}"));
            let own = match kind.as_str() {
                "histogram" => parts.iter().any(|part| part == name),
                _ => name == family,
            };
            assert!(own, "{line} belongs to {family}");
            assert!(value >= 0.0 && samples.insert(sample.to_owned(), value).is_none(), "{line}");
        }
    }
    for name in families.iter().filter(|name| text.contains(&format!("# TYPE {name} histogram"))) {
        let buckets: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name}_bucket{{")))
            .map(|line| samples[line.rsplit_once(' ').expect("a value").0])
            .collect();
        assert!(buckets.is_sorted() && buckets.len() > 10, "{name}: {buckets:?}");
        assert_eq!(buckets.last(), Some(&samples[&format!("{name}_count")]));
        assert_eq!(buckets.last(), Some(&samples[&format!("{name}_bucket{{le=\"+Inf\"}}")]));
    }
    samples
}

fn is_name(name: &str) -> bool {
    let legal = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    name.starts_with(|char: char| char.is_ascii_lowercase()) && name.chars().all(legal)
}

fn metrics(server: &TestServer) -> Samples {
    parse(&server.ask("GET /metrics", "", ""))
}

#[test]
fn what_happens_is_counted() {
    let mut server = TestServer::with(&["--workers", "2"]);
    let before = metrics(&server);
    let ann = server.account("Ann");
    let mut pirate = server.pirate(&ann);
    let mut guests = [server.guest(1, "Bob"), server.guest(1, "Eve")];
    for _ in 0..3 {
        pirate.say(&json!({"message": "hello"}));
        // Before, it hears who came.
        while pirate.json() != json!({"status": true}) {}
    }
    for guest in &mut guests {
        let mut heard = 0;
        while heard < 3 {
            heard += usize::from(guest.json()["event_type"] == "send");
        }
    }
    pirate.say(&json!({"message": "x".repeat(301)}));
    assert_eq!(server.ask("GET /api/v1/rooms/999", &crate::kit::cookie(&ann), "").status, 404);
    let after = metrics(&server);
    let grown = |name: &str| after[name] - before.get(name).copied().unwrap_or(0.0);
    assert_eq!(grown("shanty_messages_total"), 3.0);
    assert_eq!(after["shanty_queue_length{queue=\"passwords\"}"], 0.0);
    assert_eq!(after["shanty_log_lines_dropped_total"], 0.0);
    // An account, its session, and the messages.
    assert_eq!(grown("shanty_log_entries_total"), 5.0);
    assert_eq!(grown("shanty_log_last_seq"), 5.0);
    let commits = grown("shanty_commit_seconds_count");
    assert!((1.0..=5.0).contains(&commits), "{commits} commits");
    assert!(after["shanty_commit_seconds_sum"] > 0.0);
    assert_eq!(after["shanty_commit_failures_total"], 0.0);
    // Each message to two guests; and who came, to those who were there.
    let delivered = grown("shanty_deliveries_total");
    assert!((6.0..=20.0).contains(&delivered), "{delivered} deliveries");
    assert!(grown("shanty_fan_out_seconds_count") >= 3.0);
    assert_eq!(grown("shanty_refusals_total{reason=\"room_not_found\"}"), 1.0);
    assert_eq!(grown("shanty_http_responses_total{status=\"101\"}"), 3.0);
    assert_eq!(grown("shanty_http_responses_total{status=\"404\"}"), 1.0);
    let open = |kind: &str, protocol: &str| {
        after[&format!("shanty_connections{{kind=\"{kind}\",protocol=\"{protocol}\"}}")]
    };
    assert_eq!((open("websocket", "piratchat"), open("websocket", "chitchat")), (1.0, 2.0));
    assert_eq!(after["shanty_database_writable"], 1.0);
    assert!(after["shanty_database_bytes{file=\"database\"}"] > 0.0);
    assert!(after["process_resident_memory_bytes"] > 1e6);
    assert!(after["process_start_time_seconds"] > 1.7e9);
    drop((pirate, guests));
    let closed = "shanty_connections{kind=\"websocket\",protocol=\"chitchat\"}";
    until("the websockets are closed", || metrics(&server)[closed] == 0.0);
    assert_eq!(server.stop().code, Some(0), "those who can be asked hold up no shutdown");
}

#[test]
fn nothing_about_people_is_in_it() {
    let server = TestServer::start();
    let ann = server.account("Ann");
    let den = json!({"title": "Secretden", "visibility": "public"});
    server.room(&den);
    let mut pirate = server.pirate(&ann);
    pirate.say(&json!({"message": "between us"}));
    pirate.expect_ack();
    let text = server.ask("GET /metrics", "", "").text();
    for secret in ["Ann", "Secretden", "between us", &ann.key, "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[test]
fn for_this_machine_and_for_the_token_only() {
    let token = "t0ken-".repeat(8);
    let folder = crate::kit::Scratch::new();
    let file = folder.path("token");
    std::fs::write(&file, format!("{token}\n")).expect("a file");
    let server = TestServer::with(&["--metrics-token-file", &file]);
    let ask = |headers: &str| server.ask("GET /metrics", headers, "");
    parse(&ask(""));
    // Whoever came through a proxy is not on this machine.
    let proxied = "X-Forwarded-For: 203.0.113.7\r\n";
    let lost = server.ask("GET /no-such-path", proxied, "");
    for headers in [
        proxied.to_owned(),
        "X-Forwarded-For: 127.0.0.1\r\n".to_owned(),
        "Forwarded: for=127.0.0.1\r\n".to_owned(),
        "Via: 1.1 proxy\r\n".to_owned(),
        format!("{proxied}Authorization: Bearer {token}x\r\n"),
        format!("{proxied}Authorization: Basic {token}\r\n"),
    ] {
        let refused = ask(&headers);
        assert_eq!(refused.status, 404, "{headers}");
        assert_eq!(refused.body, lost.body, "{headers}: as if there were no such path");
    }
    parse(&ask(&format!("{proxied}Authorization: Bearer {token}\r\n")));
    // Without a token, no token is right.
    let server = TestServer::start();
    let refused = server.ask("GET /metrics", &format!("{proxied}Authorization: Bearer \r\n"), "");
    assert_eq!(refused.status, 404);
}

#[test]
fn a_server_that_is_full_still_shows_its_metrics() {
    let server = TestServer::with(&["--connections", "4"]);
    let held: Vec<_> = (0..3).map(|index| server.guest(1, &format!("G{index}"))).collect();
    let _last = server.pirate(&server.account("Ann"));
    let samples = metrics(&server);
    let open = "shanty_connections{kind=\"websocket\",protocol=\"chitchat\"}";
    assert_eq!(samples[open], held.len() as f64);
}
