//! Mentions, by the table that also tests the page.

use serde_json::Value;

use crate::chat::state::mentions;
use crate::chat::text;
use crate::limits::{MENTION_PLACES_MAX, MENTIONS_MAX};

const TABLE: &str = include_str!("../../../tests/texts.json");

fn names(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name")).collect()
}

/// The names of the list that a text mentions.
fn called<'a>(text: &str, names: &[&'a str]) -> Vec<&'a str> {
    let is = |folded: &str| names.iter().find(|name| text::fold(name) == folded).copied();
    mentions::called(text, is)
}

#[test]
fn a_text_mentions_these_names() {
    let table: Value = serde_json::from_str(TABLE).expect("JSON");
    let cases = table["mentions"].as_array().expect("cases");
    assert!(cases.len() > 100);
    let mut wrong = Vec::new();
    for case in cases {
        let there = names(case.get("names").unwrap_or(&table["names"]));
        let (text, expected) = (case["text"].as_str().expect("a text"), names(&case["calls"]));
        let found = called(text, &there);
        if found != expected {
            wrong.push(format!("{text:?} calls {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn mentions_and_checked_places_are_bounded() {
    let crowd: Vec<String> = (0..60).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = crowd.iter().map(String::as_str).collect();
    let all: String = crowd.iter().map(|name| format!("@{name} ")).collect();
    assert_eq!(called(&all, &names).len(), MENTIONS_MAX);
    let far = format!("{}@n1", "@x ".repeat(MENTION_PLACES_MAX));
    assert!(called(&far, &names).is_empty());
    let near = format!("{}@n1", "@x ".repeat(MENTION_PLACES_MAX - 1));
    assert_eq!(called(&near, &names), ["n1"]);
}

/// The number of look-ups for a text is bounded, whatever the text.
#[test]
fn the_work_is_bounded() {
    for part in
        ["@", "@a ", "@a @a-", "`@", "[@](", "https://@", "> @a\n", "\\`@a`", "@é é ", "@a_"]
    {
        let text = part.repeat(4_000 / part.chars().count());
        let looks = std::cell::Cell::new(0);
        let nobody = |_: &str| -> Option<()> {
            looks.set(looks.get() + 1);
            None
        };
        mentions::called(&text, nobody);
        assert!(looks.get() <= MENTION_PLACES_MAX * 32, "{part:?}: {}", looks.get());
    }
}
