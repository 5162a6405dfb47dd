//! JSON in and out, as every protocol needs it: what comes in is an object or nothing.
//!
//! It knows no field of anybody's. Called by the protocols.

use serde::{Deserialize, Serialize, Serializer};

use crate::time::Time;

/// Reads a JSON object. A list is refused, though serde would take its elements for the fields of a
/// struct, in order.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let is_object = json.trim_ascii_start().first() == Some(&b'{');
    is_object.then(|| serde_json::from_slice(json).ok()).flatten()
}

/// Appends a value as JSON.
pub(super) fn write(value: &impl Serialize, json: &mut Vec<u8>) {
    // It fails only where the writer does, or for a map whose keys are no strings: a `Vec` takes
    // all, and the protocols write structs and lists.
    serde_json::to_writer(json, value).expect("structs and lists can be written");
}

/// A value as JSON.
pub(super) fn text(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    write(value, &mut json);
    json
}

/// For `serialize_with`: a moment as RFC 3339.
pub(super) fn rfc3339<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
