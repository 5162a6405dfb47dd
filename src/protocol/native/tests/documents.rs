//! The served API documents describe exactly what exists.

use std::collections::BTreeSet;

use serde_json::Value;

use super::stream::every_frame;
use crate::chat::{Emoji, Name};
use crate::http::Method;
use crate::limits;
use crate::protocol::native::ROUTES;
use crate::protocol::native::errors::Code;
use crate::protocol::native::server::{ASYNCAPI, OPENAPI};
use crate::protocol::routes::Route;
use crate::protocol::tests::serve;

fn parse(document: &str) -> Value {
    serde_json::from_str(document).expect("a JSON document")
}

#[test]
fn every_route_is_documented_and_every_documented_route_is_there() {
    let document = parse(OPENAPI);
    let words = ["get", "put", "post", "patch", "delete"];
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            if words.contains(&method.as_str()) {
                documented.insert((method.to_uppercase(), path.clone()));
            }
        }
        let named: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let mut given: Vec<&str> = item["parameters"].as_array().map_or(Vec::new(), |parameters| {
            parameters.iter().filter_map(|parameter| parameter["name"].as_str()).collect()
        });
        given.sort_by_key(|name| path.find(&format!("{{{name}}}")));
        assert_eq!(named, given, "{path}");
    }
    // HEAD and OPTIONS are HTTP's own, the same everywhere.
    let there =
        ROUTES.iter().map(|route| (route.method.as_str().to_owned(), route.path.to_owned()));
    assert_eq!(there.collect::<BTreeSet<_>>(), documented);
    assert_eq!(documented.len(), ROUTES.len(), "no route is there twice");
}

#[test]
fn every_route_leads_somewhere() {
    serve(async |server| {
        let log_in = super::bearer(&server, "Ann").await;
        for Route { path, .. } in ROUTES {
            let here = || ROUTES.iter().filter(|route| route.path == *path);
            let takes = |method: &str| here().any(|route| route.method.as_str() == method);
            let head = here().any(|route| route.method == Method::Get && !route.stays);
            let path = path.replace("{id}", "1").replace("{name}", "Ann").replace("{room}", "1");
            let path = path
                .replace("{address}", "203.0.113.7")
                .replace("{message}", "1")
                .replace("{emoji}", "%F0%9F%91%8D");
            let options = server.send(&format!("OPTIONS {path}"), "", "").await;
            let mut allow = vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
            allow.retain(|method| match *method {
                "HEAD" => head,
                method => method == "OPTIONS" || takes(method),
            });
            assert_eq!((options.status, options.header("Allow")), (204, Some(&*allow.join(", "))));
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
                let reply = server.send(&format!("{method} {path}"), &log_in, "").await;
                let there = allow.contains(&method);
                assert_eq!(reply.status != 405, there, "{method} {path}");
                let lost = reply.body.contains(r#""code":"not_found""#);
                assert!(!lost || !there || path.contains("sessions"), "{method} {path}");
                assert!(there || method == "HEAD" || reply.body.contains("method_not_allowed"));
            }
        }
    });
}

#[test]
fn every_code_is_documented() {
    let document = parse(OPENAPI);
    let errors = document["x-errors"].as_object().expect("codes by status");
    let listed = |status: u16, word: &str| {
        let words = errors.get(&status.to_string()).and_then(Value::as_array);
        words.is_some_and(|words| words.iter().any(|listed| listed == word))
    };
    for code in Code::ALL {
        let (status, word, _) = code.definition();
        assert!(listed(status, word), "{status} {word}");
    }
    let all: Vec<&Value> = errors.values().filter_map(Value::as_array).flatten().collect();
    let error = &document["components"]["schemas"]["Error"]["properties"]["error"];
    let schema = error["properties"]["code"]["enum"].as_array().expect("codes");
    let sorted = |codes: Vec<&Value>| codes.into_iter().map(Value::to_string).collect();
    let (all, schema): (BTreeSet<String>, BTreeSet<String>) =
        (sorted(all), sorted(schema.iter().collect()));
    assert_eq!(all, schema);
    let stream = &parse(ASYNCAPI)["components"]["schemas"]["Reason"];
    assert_eq!(stream, error);
}

/// A request made from the document alone is accepted.
#[test]
fn what_goes_in_is_bounded_as_the_code_bounds_it() {
    let document = parse(OPENAPI);
    let schemas = &document["components"]["schemas"];
    for (name, least, most) in [
        ("Title", Some(limits::TITLE_CHARS_MIN), limits::TITLE_CHARS_MAX),
        ("GuestName", Some(1), limits::NAME_CHARS_MAX),
        ("Description", None, limits::DESCRIPTION_CHARS_MAX),
        ("Password", Some(limits::PASSWORD_CHARS_MIN), limits::PASSWORD_CHARS_MAX),
        ("Words", Some(1), limits::MESSAGE_CHARS_MAX),
    ] {
        let found = |bound: &str| schemas[name][bound].as_u64().map(|chars| chars as usize);
        assert_eq!((found("minLength"), found("maxLength")), (least, Some(most)), "{name}");
    }
    let pattern = |name: &str| schemas[name]["pattern"].as_str().expect("a pattern").to_owned();
    assert!(pattern("Color").ends_with(&format!("{{1,{}}}$", limits::COLOR_CHARS_MAX)));
    let id = format!("{{1,{}}}$", limits::CLIENT_ID_BYTES_MAX);
    assert_eq!(OPENAPI.matches(&id).count(), 4, "a message's own id, wherever one gives it");
    // Every reaction that the pattern lists is valid.
    let reactions = pattern("Emoji");
    let class = reactions.strip_prefix("^(?:[").and_then(|rest| rest.split(']').next());
    let class: Vec<char> = class.expect("a class").chars().collect();
    let mut count = 0;
    for (at, c) in class.iter().enumerate().filter(|(_, c)| **c != '-') {
        let first = if at >= 2 && class[at - 1] == '-' { class[at - 2] } else { *c };
        for reaction in first..=*c {
            assert!(Emoji::new(&reaction.to_string()).is_some(), "{reaction:?}");
            count += 1;
        }
    }
    assert!(count > 1_000, "{count}");
    for name in schemas["GuestName"]["not"]["enum"].as_array().expect("words") {
        assert!(Name::new(name.as_str().expect("a word")).is_none(), "{name}");
    }
}

#[test]
fn every_frame_is_documented() {
    let document = parse(ASYNCAPI);
    let operations = &document["operations"];
    let names = operations["tell"]["messages"].as_array().expect("messages").iter();
    let names = names.filter_map(|message| message["$ref"].as_str()?.rsplit('/').next());
    let mut missing: BTreeSet<&str> = names.collect();
    for text in every_frame() {
        let frame = parse(&text);
        let kind = frame["type"].as_str().expect("a type");
        conforms(&document, &document["components"]["messages"][kind]["payload"], &frame);
        missing.remove(kind);
    }
    assert!(missing.is_empty(), "{missing:?}");
    let spoken = operations["hear"]["messages"].as_array().expect("messages");
    assert_eq!(spoken.len(), 6);
    let refs = document["channels"]["events"]["messages"].as_object().expect("messages");
    let defined = document["components"]["messages"].as_object().expect("messages");
    assert!(refs.keys().eq(defined.keys()));
}

/// Whether a value matches a schema, as far as these documents use schemas, and has no undocumented
/// field.
#[track_caller]
pub(super) fn conforms(document: &Value, schema: &Value, value: &Value) {
    if let Some(path) = schema["$ref"].as_str() {
        let schema = document.pointer(path.trim_start_matches('#')).expect("what is referred to");
        return conforms(document, schema, value);
    }
    if let Some(constant) = schema.get("const") {
        return assert_eq!(constant, value);
    }
    if let Some(choices) = schema["enum"].as_array() {
        return assert!(choices.contains(value), "{value} in {schema}");
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let wanted = &schema["type"];
    let fits = wanted == is || wanted.as_array().is_some_and(|all| all.iter().any(|one| one == is));
    assert!(fits, "{value} is no {schema}");
    for element in value.as_array().into_iter().flatten() {
        conforms(document, &schema["items"], element);
    }
    let Some(object) = value.as_object() else { return };
    for needed in schema["required"].as_array().into_iter().flatten() {
        assert!(object.contains_key(needed.as_str().expect("a name")), "{needed} in {value}");
    }
    for (key, value) in object {
        let known = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
        let known = known.unwrap_or_else(|| panic!("{key} of {value} is not documented"));
        conforms(document, known, value);
    }
}
