//! The `usage` object.

use crate::json::Writer;
use crate::{Envelope, Kind, Usage};

/// The members that have a bucket.
pub(super) const KNOWN: &[&str] = &[
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
];

/// The counts that have been seen so far; each is replaced by what comes later, never added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

/// Reads a `usage` object into disjoint buckets.
///
/// Missing and `null` counts are 0; thinking tokens are cut to `output_tokens`. `None` when it is not an
/// object or holds no count at all.
pub fn usage(object: &[u8]) -> Option<Usage> {
    let mut counts = Counts::default();
    counts.replace(object);
    counts.usage()
}

/// Writes the members of a `usage` object, those that every reader of the dialect expects.
///
/// Thinking tokens are a part of `output_tokens`, and are told apart only when there are some.
pub(super) fn write(w: &mut Writer<'_>, usage: &Usage) {
    w.name("input_tokens").number(usage.input);
    w.name("cache_creation_input_tokens")
        .number(usage.cache_write);
    w.name("cache_read_input_tokens").number(usage.cache_read);
    w.name("output_tokens").number(usage.output_total());
    if usage.reasoning > 0 {
        w.name("output_tokens_details").object(|w| {
            w.name("thinking_tokens").number(usage.reasoning);
        });
    }
}

// === impl Counts ===

impl Counts {
    /// Takes over the counts that an object holds; anything else changes nothing.
    pub(super) fn replace(&mut self, object: &[u8]) {
        let object = object.trim_ascii();
        let Ok(envelope) = Envelope::scan_at(object, 0..object.len()) else {
            return;
        };
        for member in envelope.members() {
            let is = |name| member.is_named(object, name);
            let slot = if is("input_tokens") {
                &mut self.input
            } else if is("cache_read_input_tokens") {
                &mut self.cache_read
            } else if is("cache_creation_input_tokens") {
                &mut self.cache_write
            } else if is("output_tokens") {
                &mut self.output
            } else {
                if is("output_tokens_details") && member.kind == Kind::Object {
                    let details = Envelope::scan_at(object, member.value.clone()).ok();
                    let thinking = details
                        .as_ref()
                        .and_then(|details| details.member(object, "thinking_tokens"))
                        .and_then(|member| member.as_u64(object));
                    self.thinking = thinking.or(self.thinking);
                }
                continue;
            };
            *slot = member.as_u64(object).or(*slot);
        }
    }

    /// The counts in disjoint buckets; `None` before the first one has been seen.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.input
            .or(self.cache_read)
            .or(self.cache_write)
            .or(self.output)?;
        let output = self.output.unwrap_or(0);
        let reasoning = self.thinking.unwrap_or(0).min(output);
        Some(Usage {
            input: self.input.unwrap_or(0),
            cache_read: self.cache_read.unwrap_or(0),
            cache_write: self.cache_write.unwrap_or(0),
            output: output - reasoning,
            reasoning,
        })
    }
}
