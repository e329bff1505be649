//! JSON strings.

use bytes::Bytes;

/// Writes a text as a JSON string, quoted and escaped.
pub fn json_string(s: &str) -> Bytes {
    serde_json::to_vec(s)
        .expect("a text always serialises")
        .into()
}
