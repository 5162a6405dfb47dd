//! JSON in and out, shared by the protocols: a request body is an object or invalid.
//!
//! It knows no protocol's fields.

use serde::{Deserialize, Serialize, Serializer};

use crate::time::Time;

/// Reads a JSON object. An array is refused, although serde would read its elements as the fields
/// of a struct, in order.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let is_object = json.trim_ascii_start().first() == Some(&b'{');
    is_object.then(|| serde_json::from_slice(json).ok()).flatten()
}

/// Appends a value as JSON.
pub(super) fn write(value: &impl Serialize, json: &mut Vec<u8>) {
    // It fails only if the writer fails, or for a map whose keys are not strings: a `Vec` never
    // fails, and the protocols write structs and lists.
    serde_json::to_writer(json, value).expect("structs and lists can be written");
}

/// A value as JSON.
pub(super) fn text(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    write(value, &mut json);
    json
}

/// For `serialize_with`: a time as RFC 3339.
pub(super) fn rfc3339<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
