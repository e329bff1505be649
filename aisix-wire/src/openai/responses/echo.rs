//! The members of a request that its answer repeats.

use crate::chat::Raw;
use crate::json::{Object, Writer};

/// Their names, and what they are where the request does not say.
///
/// Readers rely on all of them. Where a provider of another dialect has a default of its own that nobody knows
/// here, the value is `null`.
const REPEATED: &[(&str, &str)] = &[
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "null"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

/// What an answer repeats of its request.
#[derive(Debug)]
pub(super) struct Echo(Vec<(&'static str, Option<Raw>)>);

// === impl Echo ===

impl Echo {
    /// Takes it from the body of a request, which was read before.
    pub(super) fn of(request: &[u8]) -> Self {
        let object = Object::scan(request).ok();
        let value = |name| Some(object.as_ref()?.get(name)?.raw());
        let repeated = REPEATED.iter();
        Self(repeated.map(|(name, _)| (*name, value(name))).collect())
    }

    /// Writes the members.
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        for ((name, value), (_, default)) in self.0.iter().zip(REPEATED) {
            w.name(name)
                .raw(value.as_ref().map_or(default, Raw::as_str));
        }
        // Nothing is kept here, whatever the caller asked for.
        w.name("background").bool(false);
        w.name("previous_response_id").null();
        w.name("store").bool(false);
    }
}
