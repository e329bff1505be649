//! The `usageMetadata` object.

use crate::Usage;
use crate::json::{Object, Value, Writer};

/// Reads `usageMetadata` into disjoint buckets.
///
/// Counts that are missing are 0. Cached tokens are part of the prompt's, tool use comes on top of them,
/// thoughts stand beside the visible tokens. `None` when it holds no count at all.
pub(super) fn read(object: &Object<'_>) -> Option<Usage> {
    let count = |name| object.get(name).and_then(|value| count(&value));
    let prompt = count("promptTokenCount");
    let visible = count("candidatesTokenCount");
    let thoughts = count("thoughtsTokenCount");
    let total = count("totalTokenCount");
    prompt.or(visible).or(thoughts).or(total)?;
    let prompt = prompt
        .unwrap_or(0)
        .saturating_add(count("toolUsePromptTokenCount").unwrap_or(0));
    let cached = count("cachedContentTokenCount").unwrap_or(0).min(prompt);
    Some(Usage {
        input: prompt - cached,
        cache_read: cached,
        cache_write: 0,
        output: visible.unwrap_or(0),
        reasoning: thoughts.unwrap_or(0),
    })
}

/// Writes `usageMetadata`; counts of 0 that are seldom are left out, as Gemini does.
pub(super) fn write(w: &mut Writer<'_>, usage: &Usage) {
    w.name("usageMetadata").object(|w| {
        w.name("promptTokenCount").number(usage.input_total());
        if usage.cache_read > 0 {
            w.name("cachedContentTokenCount").number(usage.cache_read);
        }
        w.name("candidatesTokenCount").number(usage.output);
        if usage.reasoning > 0 {
            w.name("thoughtsTokenCount").number(usage.reasoning);
        }
        w.name("totalTokenCount").number(usage.total());
    });
}

/// A count; 64-bit ones are texts in JSON made of protocol buffers.
fn count(value: &Value<'_>) -> Option<u64> {
    match value.as_str() {
        Some(text) => text.parse().ok(),
        None => value.as_u64(),
    }
}
