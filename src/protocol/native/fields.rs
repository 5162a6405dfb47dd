//! What comes in: JSON objects, of which unknown fields are ignored and wrong ones named, and texts
//! that must be something.
//!
//! The same for bodies and for the websocket, so what is wrong is a [`Refusal`]. `null` counts as
//! left out, and of a field that comes twice the last one counts.

use serde_json::{Map, Value};

use crate::chat::{ClientId, Color, Emoji, Field, Refusal, RoomId, Seq, message_text};
use crate::limits::MESSAGE_CHARS_MAX;
use crate::protocol::json_body;
use crate::protocol::native::cursor::number;

/// A JSON object from a client.
pub(super) struct Fields(Map<String, Value>);

/// A field that is missing, or not what it must be.
pub(super) const fn wrong(field: &'static str) -> Refusal {
    Refusal::Malformed(Field::Called(field))
}

impl Fields {
    /// Reads an object.
    pub fn read(json: &[u8]) -> Result<Fields, Refusal> {
        json_body::object(json).map(Fields).ok_or(Refusal::Malformed(Field::Whole))
    }

    /// No field at all.
    pub fn none() -> Fields {
        Fields(Map::new())
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    /// A text that may be left out.
    pub fn text(&self, field: &'static str) -> Result<Option<&str>, Refusal> {
        let text = |value: &'_ Value| value.is_string();
        match self.get(field) {
            Some(value) if !text(value) => Err(wrong(field)),
            value => Ok(value.and_then(Value::as_str)),
        }
    }

    /// A text that must be there.
    pub fn needed(&self, field: &'static str) -> Result<&str, Refusal> {
        self.text(field)?.ok_or(wrong(field))
    }

    /// A text that may be left out, and else must be something.
    pub fn parsed<T>(
        &self,
        field: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        self.text(field)?.map(|text| parse(text).ok_or(wrong(field))).transpose()
    }

    /// A truth that may be left out.
    pub fn flag(&self, field: &'static str) -> Result<Option<bool>, Refusal> {
        self.get(field).map(|value| value.as_bool().ok_or(wrong(field))).transpose()
    }

    /// A number that may be left out.
    pub fn number(&self, field: &'static str) -> Result<Option<u64>, Refusal> {
        let fits = |value: &Value| whole(value).filter(|number| i64::try_from(*number).is_ok());
        self.get(field).map(|value| fits(value).ok_or(wrong(field))).transpose()
    }

    /// The number of a room.
    pub fn room(&self) -> Result<RoomId, Refusal> {
        self.number("room")?.map(RoomId).ok_or(wrong("room"))
    }

    /// The number of an entry.
    pub fn seq(&self, field: &'static str) -> Result<Seq, Refusal> {
        self.number(field)?.map(Seq).ok_or(wrong(field))
    }

    /// What is said.
    pub fn message(&self) -> Result<Box<str>, Refusal> {
        message(self.needed("text")?)
    }

    /// The client's own number for a message.
    pub fn client_id(&self) -> Result<ClientId, Refusal> {
        self.parsed("client_id", ClientId::new)?.ok_or(wrong("client_id"))
    }

    /// A reaction.
    pub fn emoji(&self) -> Result<Emoji, Refusal> {
        self.parsed("emoji", Emoji::new)?.ok_or(wrong("emoji"))
    }

    /// A colour that may be left out.
    pub fn color(&self) -> Result<Option<Color>, Refusal> {
        self.parsed("color", Color::new)
    }
}

/// A number that is whole, also as `7.0`: to JSON the two are the same (RFC 8259 section 6), and
/// some languages write every number so. Those beyond 2^53 are not exact in that form.
fn whole(value: &Value) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let float = || value.as_f64().filter(|at| at.fract() == 0.0 && (0.0..=EXACT_MAX).contains(at));
    value.as_u64().or_else(|| float().map(|number| number as u64))
}

/// What may be said: something that can be seen, and not too much.
pub(super) fn message(text: &str) -> Result<Box<str>, Refusal> {
    message_text(text, MESSAGE_CHARS_MAX)
}

/// The number of a room in a path: what is none is a room that does not exist.
pub(super) fn room(segment: &str) -> Result<RoomId, Refusal> {
    number(segment).map(RoomId).ok_or(Refusal::RoomNotFound)
}

/// The number of a message in a path.
pub(super) fn seq(segment: &str) -> Result<Seq, Refusal> {
    number(segment).map(Seq).ok_or(Refusal::MessageNotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (json, number) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("7e2", Some(700)),
            ("-0.0", Some(0)),
            ("9007199254740992.0", Some(1 << 53)),
            ("9223372036854775807", Some(u64::MAX >> 1)),
            ("9223372036854775808", None),
            ("1e30", None),
            ("7.5", None),
            ("-1", None),
            ("-1.0", None),
            (r#""7""#, None),
        ] {
            let fields = Fields::read(format!(r#"{{"seq":{json}}}"#).as_bytes()).expect("JSON");
            assert_eq!(fields.number("seq").ok().flatten(), number, "{json}");
        }
    }
}
