//! JSON schemas on their way out.

use crate::chat::Raw;
use crate::gemini::schema::{self, Cleaned};

/// A schema as Gemini takes it: the caller's bytes if nothing had to change. `None` when it is no schema.
pub(super) fn clean(raw: &Raw) -> Option<(String, Cleaned)> {
    let value: serde_json::Value = serde_json::from_str(raw.as_str()).ok()?;
    let cleaned = schema::clean(&value);
    let text = match cleaned.schema == value {
        true => raw.to_string(),
        false => cleaned.schema.to_string(),
    };
    Some((text, cleaned))
}
