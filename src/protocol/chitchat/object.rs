//! A JSON object as ChitChat's clients send it, its fields read as Go reads them.
//!
//! It copies nothing: texts are slices of the request, unless they contain an escape. Called by the
//! routes of this folder, and by its codec for each message.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// See the module's documentation. The fields are in order.
pub(super) struct Object<'a>(Vec<(Value<'a>, Value<'a>)>);

/// A field's name or value, as far as it is needed.
#[derive(PartialEq)]
enum Value<'a> {
    Null,
    Text(Cow<'a, str>),
    Other,
}

impl Object<'_> {
    /// A string field; `None` if it is missing, an error if it is another type.
    ///
    /// Quirk: as with Go's `encoding/json`, `null` counts as missing, unknown fields are ignored,
    /// and of a repeated field the last one counts.
    pub fn text(&self, field: &str) -> Result<Option<&str>, ()> {
        let named = |name: &Value<'_>| matches!(name, Value::Text(name) if name == field);
        match self.0.iter().rfind(|(name, _)| named(name)) {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, Value::Text(text))) => Ok(Some(text)),
            Some((_, Value::Other)) => Err(()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<'a>, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value<'a>, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

/// Accepts any JSON value, and keeps it if it is a string.
struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Value<'de>, S::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value<'de>, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::json_body;

    #[test]
    fn a_text_is_found_as_go_finds_it() {
        for (json, expected) in [
            (r#"{"a":"b"}"#, Ok(Some("b"))),
            (r#"{"x":1,"a":"b","y":[1,{"a":"c"}],"z":{"a":"d"}}"#, Ok(Some("b"))),
            (r#"{"a":"b","a":"c"}"#, Ok(Some("c"))),
            (r#"{"a":1,"a":"c"}"#, Ok(Some("c"))),
            (r#"{"a":"b","a":null}"#, Ok(None)),
            (r#"{"\u0061":"\u0062\n"}"#, Ok(Some("b\n"))),
            (r#"{"A":"b"}"#, Ok(None)),
            ("{}", Ok(None)),
            (r#"{"a":true}"#, Err(())),
            (r#"{"a":-1}"#, Err(())),
            (r#"{"a":1}"#, Err(())),
            (r#"{"a":0.5}"#, Err(())),
            (r#"{"a":["b"]}"#, Err(())),
            (r#"{"a":{"a":"b"}}"#, Err(())),
        ] {
            let object: Object<'_> = json_body::object(json.as_bytes()).expect("an object");
            assert_eq!(object.text("a"), expected, "{json}");
        }
    }

    #[test]
    fn anything_but_an_object_is_none() {
        for json in ["", "[]", r#"["a"]"#, r#""a""#, "{", r#"{"a":"b"} x"#, r#"{"a":"\ud800"}"#] {
            assert!(json_body::object::<Object<'_>>(json.as_bytes()).is_none(), "{json}");
        }
    }
}
