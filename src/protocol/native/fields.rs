//! JSON input: unknown fields are ignored, invalid ones are named.
//!
//! The same for bodies and for the websocket, so an error is a [`Refusal`]. `null` counts as
//! missing, and of a repeated field the last one counts.

use serde_json::{Map, Value};

use crate::chat::{ClientId, Color, Emoji, Field, Reason, Refusal, RoomId, Seq, message_text};
use crate::limits::MESSAGE_CHARS_MAX;
use crate::protocol::json_body;
use crate::protocol::native::cursor::number;

/// A JSON object from a client.
pub(super) struct Fields(Map<String, Value>);

/// The refusal of a missing or invalid field.
pub(super) const fn wrong(field: &'static str) -> Refusal {
    Refusal::Malformed(Field::Called(field))
}

impl Fields {
    /// Reads an object.
    pub fn read(json: &[u8]) -> Result<Fields, Refusal> {
        json_body::object(json).map(Fields).ok_or(Refusal::Malformed(Field::Whole))
    }

    /// An empty object.
    pub fn none() -> Fields {
        Fields(Map::new())
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    /// An optional string.
    pub fn text(&self, field: &'static str) -> Result<Option<&str>, Refusal> {
        let text = |value: &'_ Value| value.is_string();
        match self.get(field) {
            Some(value) if !text(value) => Err(wrong(field)),
            value => Ok(value.and_then(Value::as_str)),
        }
    }

    /// A required string.
    pub fn needed(&self, field: &'static str) -> Result<&str, Refusal> {
        self.text(field)?.ok_or(wrong(field))
    }

    /// An optional string, parsed.
    pub fn parsed<T>(
        &self,
        field: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        self.text(field)?.map(|text| parse(text).ok_or(wrong(field))).transpose()
    }

    /// An optional boolean.
    pub fn flag(&self, field: &'static str) -> Result<Option<bool>, Refusal> {
        self.get(field).map(|value| value.as_bool().ok_or(wrong(field))).transpose()
    }

    /// An optional whole number.
    pub fn number(&self, field: &'static str) -> Result<Option<u64>, Refusal> {
        let fits = |value: &Value| whole(value).filter(|number| i64::try_from(*number).is_ok());
        self.get(field).map(|value| fits(value).ok_or(wrong(field))).transpose()
    }

    /// The room's id.
    pub fn room(&self) -> Result<RoomId, Refusal> {
        self.number("room")?.map(RoomId).ok_or(wrong("room"))
    }

    /// A sequence number.
    pub fn seq(&self, field: &'static str) -> Result<Seq, Refusal> {
        self.number(field)?.map(Seq).ok_or(wrong(field))
    }

    /// The text of a message.
    pub fn message(&self) -> Result<Box<str>, Refusal> {
        message(self.needed("text")?)
    }

    /// The client id of a message.
    pub fn client_id(&self) -> Result<ClientId, Refusal> {
        self.parsed("client_id", ClientId::new)?.ok_or(wrong("client_id"))
    }

    /// A reaction.
    pub fn emoji(&self) -> Result<Emoji, Refusal> {
        self.parsed("emoji", Emoji::new)?.ok_or(wrong("emoji"))
    }

    /// The reason of somebody in charge.
    pub fn reason(&self) -> Result<Option<Reason>, Refusal> {
        self.parsed("reason", Reason::new)
    }

    /// An optional colour.
    pub fn color(&self) -> Result<Option<Color>, Refusal> {
        self.parsed("color", Color::new)
    }
}

/// A whole number, also as `7.0`: in JSON the two are equal (RFC 8259 section 6), and some
/// languages write every number so. Numbers beyond 2^53 are not exact in that form.
fn whole(value: &Value) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let float = || value.as_f64().filter(|at| at.fract() == 0.0 && (0.0..=EXACT_MAX).contains(at));
    value.as_u64().or_else(|| float().map(|number| number as u64))
}

/// A valid message text: visible, and not too long.
pub(super) fn message(text: &str) -> Result<Box<str>, Refusal> {
    message_text(text, MESSAGE_CHARS_MAX)
}

/// A room's id in a path. A non-numeric id is [`Refusal::RoomNotFound`].
pub(super) fn room(segment: &str) -> Result<RoomId, Refusal> {
    number(segment).map(RoomId).ok_or(Refusal::RoomNotFound)
}

/// A message's sequence number in a path.
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
